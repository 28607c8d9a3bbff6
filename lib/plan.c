/*
 * Graph -> plan: fuse, emit the launches of what is needed, find out from the launches' arguments how long each
 * tensor lives, lay them out in an arena; then allocate and build once. plan_run.c replays.
 */
#include "plan.h"

#include "choice.h"
#include "fuse.h"
#include "params.h"

#include <stdlib.h>

/* ---- what runs ------------------------------------------------------------------------------- */

static bool *mark_needed(const cg_graph *g, const bool *keep)
{
	bool *needed = calloc((size_t)g->count + 1, sizeof(*needed));

	for (int i = g->count - 1; needed && i >= 0; i--) {
		needed[i] |= keep[i];
		for (int s = 0; needed[i] && s < g->node[i]->nsrc; s++)
			needed[g->node[i]->src[s]->id] = true;
	}
	return needed;
}

/* An aux output that nobody needs must not be written. */
static void drop_unused_aux(const cg_graph *g, const bool *needed)
{
	for (int i = 0; i < g->count; i++)
		for (int a = 0; a < CG__MAX_AUX; a++)
			if (g->node[i]->aux[a] && !needed[g->node[i]->aux[a]->id])
				g->node[i]->aux[a] = NULL;
}

static void launch_free(struct cg__launch *l)
{
	if (l->kernel)
		clReleaseKernel(l->kernel);
	free(l->options);
	free(l->arg);
	free(l->blob);
	free(l->mem);
}

static void drop_launches(cg_plan *p)
{
	for (int i = 0; i < p->launches; i++)
		launch_free(&p->launch[i]);
	for (int i = 0; i < p->temps; i++)
		free(p->temp[i]);
	p->launches = p->temps = 0;
	p->zeros = NULL;
}

static cg_status emit_all(cg_plan *p)
{
	bool *needed = mark_needed(p->graph, p->keep);
	cg_status status = CG_OK;

	if (needed == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	drop_unused_aux(p->graph, needed);
	for (int i = 0; i < p->graph->count && status == CG_OK; i++) {
		struct cg__emit e = { p, p->graph->node[i] };

		if (!needed[i] || (e.node->op->flags & (CG__LEAF | CG__VIEW | CG__AUX)))
			continue;
		if (p->ctx->env.trace_mask & CG__TRACE_OP)
			fprintf(stderr, "cg op: %d %s %s\n", i, e.node->op->name, e.node->name);
		status = e.node->op->emit(&e, e.node);
	}
	free(needed);
	return status == CG_OK ? cg_error_status(p->ctx) : status;
}

/* ---- how long it lives ------------------------------------------------------------------------ */

bool cg__in_arena(const cg_tensor *root)
{
	return root->array == NULL && (root->grad_of == NULL || root->graph->grads_in_arena);
}

const cg_tensor *cg__arg_root(const struct cg__arg *a)
{
	return a->kind <= CG__UPDATE && a->t ? (a->t->op ? cg__root(a->t) : a->t) : NULL;
}

static int slot_for(cg_plan *p, const cg_tensor *root, int launch)
{
	int s = p->slot_of[root->id];

	if (s < 0) {
		s = p->slot_of[root->id] = p->slots++;
		p->slot[s] = (struct cg__slot){ .bytes = (size_t)cg__count(root) *
				cg_dtype_size(root->dtype),
			.first = launch };
	}
	return s;
}

/* What is kept has its memory for itself, from before the first launch. */
static void use_slot(cg_plan *p, int slot, int launch)
{
	struct cg__slot *s = &p->slot[slot];

	if (p->launch[launch].kept)
		s->first = -1;
	s->last = s->first < 0 ? p->launches : launch;
}

static cg_status find_lifetimes(cg_plan *p)
{
	int ids = p->graph->count + p->temps;

	p->slot = calloc((size_t)ids + 1, sizeof(*p->slot));
	p->slot_of = malloc(((size_t)ids + 1) * sizeof(*p->slot_of));
	if (p->slot == NULL || p->slot_of == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	for (int i = 0; i < ids; i++)
		p->slot_of[i] = -1;
	for (int l = 0; l < p->launches; l++)
		for (int a = 0; a < p->launch[l].args; a++) {
			const cg_tensor *root = cg__arg_root(&p->launch[l].arg[a]);

			if (root && cg__in_arena(root))
				use_slot(p, slot_for(p, root, l), l);
		}
	for (int i = 0; i < p->graph->count; i++) {
		const cg_tensor *root = cg__root(p->graph->node[i]);

		if (p->keep[i] && p->slot_of[root->id] >= 0)
			p->slot[p->slot_of[root->id]].last = p->launches;
	}
	return CG_OK;
}

/* y of an elementwise operation takes over the memory of src[0] where this launch is the last to need it. */
static void share_in_place(cg_plan *p)
{
	for (int l = 0; l < p->launches; l++) {
		const cg_tensor *y = p->launch[l].node, *x;
		int from, to;

		if (!(y->op->flags & CG__INPLACE) || y->grad_of)
			continue;
		x = cg__root(y->src[0]);
		from = p->slot_of[x->id];
		to = p->slot_of[y->id];
		if (from < 0 || to < 0 || from == to || p->slot[from].last != l ||
			p->slot[to].first != l || p->slot[from].bytes != p->slot[to].bytes)
			continue;
		p->slot[from].last = p->slot[to].last;
		for (int i = 0; i < p->graph->count + p->temps; i++)
			if (p->slot_of[i] == to)
				p->slot_of[i] = from;
		p->slot[to] = (struct cg__slot){ .bytes = 0, .first = -1, .last = -1 };
	}
}

/* ---- making one ------------------------------------------------------------------------------- */

static cg_status mark_kept(cg_plan *p, cg_tensor *const *out, int count)
{
	p->keep = calloc((size_t)p->graph->count + 1, sizeof(*p->keep));
	if (p->keep == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	for (int i = 0; i < count; i++) {
		if (out[i] == NULL)
			return CG_ERR_ARGUMENT; /* recorded where it became NULL */
		if (out[i]->graph != p->graph)
			return cg__fail(
				p->ctx, CG_ERR_ARGUMENT, "plan: an output of another graph");
		p->keep[out[i]->id] = true;
	}
	for (int i = 0; i < p->graph->effects; i++)
		p->keep[p->graph->effect[i]->id] = true;
	for (int i = 0; i < p->graph->count; i++)
		if (p->graph->node[i]->grad_of)
			p->keep[i] = true;
	return CG_OK;
}

static void drop_lifetimes(cg_plan *p)
{
	free(p->slot);
	free(p->slot_of);
	p->slot = NULL;
	p->slot_of = NULL;
	p->slots = 0;
}

static cg_status lay_out(cg_plan *p)
{
	const cg_device_info *d = &p->ctx->info;
	uint64_t unshared = 0;

	TRY(find_lifetimes(p));
	for (int i = 0; i < p->slots; i++)
		unshared += p->slot[i].bytes;
	if (!p->ctx->env.guard_on)
		share_in_place(p);
	TRY(cg__layout_slots(
		p->ctx, p->slot, p->slots, d->align_bytes, d->max_alloc_bytes, &p->layout));
	p->layout.unshared = unshared;
	return CG_OK;
}

/* A kernel that reads all gradients is given one buffer, and places as int. */
static bool is_one_buffer(const cg_plan *p)
{
	return p->layout.banks <= 1 && p->layout.bank_bytes[0] / 4 <= INT32_MAX;
}

static cg_status analyse(cg_plan *p, cg_tensor *const *out, int count)
{
	double spent = 0;

	if (p->graph->planned)
		return cg__fail(p->ctx, CG_ERR_STATE, "plan: the graph has a plan already");
	TRY(cg_error_status(p->ctx));
	TRY(mark_kept(p, out, count));
	p->graph->planned = true;
	TRY(cg__fuse(p->graph, p->keep));
	TRY(emit_all(p));
	while (cg__plan_tune(p, &spent)) { /* another way may ask for further choices */
		drop_launches(p);
		TRY(emit_all(p));
	}
	TRY(cg__mark_kept_launches(p));
	TRY(lay_out(p));
	if (!p->graph->grads_in_arena || is_one_buffer(p))
		return CG_OK;
	p->graph->grads_in_arena = false;
	drop_lifetimes(p);
	drop_launches(p);
	TRY(emit_all(p));
	return lay_out(p);
}

cg_plan *cg_plan_new(cg_graph *g, cg_tensor *const *out, int count)
{
	cg_plan *p = calloc(1, sizeof(*p));
	cg_status status;

	if (p == NULL) {
		cg__fail(g->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
		return NULL;
	}
	p->ctx = g->ctx;
	p->graph = g;
	status = analyse(p, out, count);
	cg__choices_forget_nodes(g->ctx);
	if (status != CG_OK) {
		cg_plan_free(p);
		return NULL;
	}
	return p;
}

void cg_plan_free(cg_plan *p)
{
	if (p == NULL)
		return;
	if (p->prepared)
		clFinish(p->ctx->queue);
	drop_launches(p);
	for (int i = 0; p->sub && i < p->slots; i++)
		if (p->sub[i])
			clReleaseMemObject(p->sub[i]);
	for (int i = 0; p->grad_sub && i < p->graph->count; i++)
		if (p->grad_sub[i])
			clReleaseMemObject(p->grad_sub[i]);
	for (int i = 0; p->bank && i < p->banks; i++)
		cg__mem_free(p->ctx, p->bank[i], p->bank_bytes[i]);
	free(p->keep);
	free(p->launch);
	free(p->temp);
	free(p->slot);
	free(p->slot_of);
	free(p->bank);
	free(p->bank_bytes);
	free(p->sub);
	free(p->grad_sub);
	free(p);
}

/* ---- preparing -------------------------------------------------------------------------------- */

static cg_status allocate_banks(cg_plan *p)
{
	bool own = p->ctx->env.guard_on;
	size_t guard = p->ctx->env.guard_exact ? 0 : CG__GUARD_BYTES;
	int n = own ? p->slots : p->layout.banks;

	p->bank = calloc((size_t)n + 1, sizeof(*p->bank));
	p->bank_bytes = calloc((size_t)n + 1, sizeof(*p->bank_bytes));
	p->sub = calloc((size_t)p->slots + 1, sizeof(*p->sub));
	p->grad_sub = calloc((size_t)p->graph->count + 1, sizeof(*p->grad_sub));
	if (!p->bank || !p->bank_bytes || !p->sub || !p->grad_sub)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	for (int i = 0; i < n; i++) {
		size_t bytes = own ? p->slot[i].bytes + 2 * guard : p->layout.bank_bytes[i];

		if (bytes == 0)
			bytes = 1;
		p->banks = i + 1;
		p->bank_bytes[i] = bytes;
		TRY(cg__mem_new(p->ctx, bytes, &p->bank[i]));
		if (own)
			TRY(cg__mem_fill(p->ctx, p->bank[i], 0, bytes, CG__GUARD_BYTE));
	}
	for (int i = 0; i < p->slots; i++) {
		size_t at = own ? guard : p->slot[i].offset;

		TRY(cg__mem_sub(p->ctx, p->bank[own ? i : p->slot[i].bank], at, p->slot[i].bytes,
			&p->sub[i]));
	}
	return CG_OK;
}

static cg_status place_gradients(cg_plan *p)
{
	cg_params *params = p->graph->params;

	if (params == NULL)
		return CG_OK;
	if (!params->ready)
		return cg__fail(
			p->ctx, CG_ERR_STATE, "plan: cg_params_init comes before the first run");
	if (p->graph->grads_in_arena)
		return CG_OK;
	TRY(cg__params_alloc_grads(params));
	for (int i = 0; i < p->graph->count; i++) {
		const cg_tensor *t = p->graph->node[i];

		if (t->grad_of == NULL)
			continue;
		if (t->grad_of->grad_offset < 0)
			return cg__params_grad_missing(params, t->grad_of);
		TRY(cg__mem_sub(p->ctx, params->grads->mem, (size_t)t->grad_of->grad_offset * 4,
			(size_t)cg__count(t) * 4, &p->grad_sub[i]));
	}
	return CG_OK;
}

cl_mem cg__plan_mem(const cg_plan *p, const cg_tensor *t)
{
	if (t->id < p->graph->count)
		t = cg__root(t);
	if (t->array)
		return t->array->mem;
	if (t->grad_of && !p->graph->grads_in_arena)
		return p->grad_sub[t->id];
	return p->slot_of[t->id] >= 0 ? p->sub[p->slot_of[t->id]] : NULL;
}

static cg_status set_arg(cg_plan *p, struct cg__launch *l, int i)
{
	const struct cg__arg *a = &l->arg[i];
	cl_mem mem = NULL;
	cl_int code;

	switch (a->kind) {
	case CG__INT: code = clSetKernelArg(l->kernel, (cl_uint)i, sizeof(a->i), &a->i); break;
	case CG__FLOAT: code = clSetKernelArg(l->kernel, (cl_uint)i, sizeof(a->f), &a->f); break;
	case CG__ARENA: code = clSetKernelArg(l->kernel, (cl_uint)i, sizeof(cl_mem), &p->bank[0]); break;
	case CG__LOCAL: code = clSetKernelArg(l->kernel, (cl_uint)i, (size_t)a->i, NULL); break;
	default:
		mem = a->t ? cg__plan_mem(p, a->t) : NULL;
		if (a->t && mem == NULL)
			return cg__fail(p->ctx, CG_ERR_STATE,
				"%s, argument %d: %s has no memory yet (cg_params_init?)", l->name,
				i, a->t->name);
		code = clSetKernelArg(l->kernel, (cl_uint)i, sizeof(mem), &mem);
	}
	if (code != CL_SUCCESS)
		return cg__fail(p->ctx, CG_ERR_LAUNCH, "%s.cl: %s, argument %d: %s", l->file,
			l->name, i, cg__cl_error_name(code));
	return CG_OK;
}

int64_t cg__grad_place(const cg_plan *p, const cg_tensor *gradient)
{
	if (!p->graph->grads_in_arena)
		return gradient->grad_of->grad_offset;
	return (int64_t)(p->slot[p->slot_of[gradient->id]].offset / 4);
}

static cg_status bind(cg_plan *p, struct cg__launch *l)
{
	if (l->kind == CG__KERNEL) {
		TRY(cg__kernel_new(p->ctx, l->file, l->options, l->name, l->args, &l->kernel));
		for (int i = 0; i < l->args; i++)
			TRY(set_arg(p, l, i));
	}
	for (int i = 0; l->kind == CG__CALL && i < l->args; i++)
		l->mem[i] = l->arg[i].t ? cg__plan_mem(p, l->arg[i].t) : NULL;
	return CG_OK;
}

cg_status cg_plan_prepare(cg_plan *p)
{
	TRY(p->failed);
	if (p->prepared)
		return CG_OK;
	p->failed = CG_ERR_STATE; /* half prepared is not usable */
	TRY(allocate_banks(p));
	TRY(place_gradients(p));
	for (int i = 0; i < p->launches; i++) {
		const cg_tensor *node = p->launch[i].node;

		TRY(bind(p, &p->launch[i]));
		if (node->op->place && (i == 0 || p->launch[i - 1].node != node))
			TRY(node->op->place(p, node));
	}
	p->failed = CG_OK;
	p->prepared = true;
	return CG_OK;
}
