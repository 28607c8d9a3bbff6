/* What operations call while they turn into launches: ranges, scratch, launches. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

bool cg__is_cpu(const struct cg__emit *e)
{
	return e->plan->ctx->tune.cpu_family;
}

int cg__vector_width(const struct cg__emit *e)
{
	return e->plan->ctx->tune.vector_width;
}

int cg__compute_units(const struct cg__emit *e)
{
	return (int)e->plan->ctx->info.compute_units;
}

cg_ctx *cg__emit_ctx(const struct cg__emit *e)
{
	return e->plan->ctx;
}

const cg_tensor *cg__emit_node(const struct cg__emit *e)
{
	return e->node;
}

static size_t at_most(int64_t n, int64_t limit)
{
	return (size_t)(n < 1 ? 1 : n < limit ? n : limit);
}

struct cg__range cg__range_elements(const struct cg__emit *e, int64_t n)
{
	const struct cg__tune *t = &e->plan->ctx->tune;
	int64_t most = (int64_t)t->groups_per_unit * e->plan->ctx->info.compute_units;

	if (t->cpu_family)
		return cg__range_1d(at_most(n / 4096, most), 1);
	return cg__range_1d(
		at_most((n + t->group - 1) / t->group, most) * (size_t)t->group, (size_t)t->group);
}

struct cg__range cg__range_tasks(const struct cg__emit *e, int64_t tasks, int group)
{
	const struct cg__tune *t = &e->plan->ctx->tune;
	int64_t most = (int64_t)t->groups_per_unit * e->plan->ctx->info.compute_units;

	if (t->cpu_family)
		return cg__range_1d(at_most(tasks, most), 1);
	if (group > t->group)
		group = t->group;
	return cg__range_1d(at_most(tasks, most) * (size_t)group, (size_t)group);
}

struct cg__range cg__range_rows(const struct cg__emit *e, int64_t n, int64_t rows)
{
	int64_t across = n >= 64 ? 64 : n >= 16 ? 16 : 4, down = 64 / across;

	if (cg__is_cpu(e)) {
		int64_t most = (int64_t)e->plan->ctx->tune.groups_per_unit * cg__compute_units(e);

		rows = (int64_t)at_most(rows, most);
		return cg__range_2d(at_most(n / 4096, most / rows), (size_t)rows, 1, 1);
	}
	n = (n + across - 1) / across * across;
	rows = (rows + down - 1) / down * down;
	return cg__range_2d(at_most(n, 4096), at_most(rows, 4096), (size_t)across, (size_t)down);
}

struct cg__range cg__range_1d(size_t g, size_t l)
{
	return (struct cg__range){ 1, { g }, { l } };
}

struct cg__range cg__range_2d(size_t g0, size_t g1, size_t l0, size_t l1)
{
	return (struct cg__range){ 2, { g0, g1 }, { l0, l1 } };
}

struct cg__range cg__range_3d(size_t g0, size_t g1, size_t g2, size_t l0, size_t l1, size_t l2)
{
	return (struct cg__range){ 3, { g0, g1, g2 }, { l0, l1, l2 } };
}

cg_tensor *cg__temp(struct cg__emit *e, cg_dtype type, int64_t count)
{
	cg_plan *p = e->plan;
	cg_tensor *t;

	if (p->temps == p->temps_size) {
		int size = p->temps_size ? 2 * p->temps_size : 64;
		cg_tensor **bigger = realloc(p->temp, (size_t)size * sizeof(*bigger));

		if (bigger == NULL)
			goto out_of_memory;
		p->temp = bigger;
		p->temps_size = size;
	}
	t = aligned_alloc(_Alignof(cg_tensor), sizeof(*t));
	if (t == NULL)
		goto out_of_memory;
	memset(t, 0, sizeof(*t));
	t->graph = p->graph;
	t->op = e->node->op;
	if (t->op->flags & (CG__VIEW | CG__LEAF))
		t->op = NULL;
	t->id = p->graph->count + p->temps;
	t->dtype = type;
	t->ndim = 1;
	t->shape[0] = count < 1 ? 1 : count;
	p->temp[p->temps++] = t;
	return t;
out_of_memory:
	cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	return NULL;
}

const cg_tensor *cg__zeros(struct cg__emit *e, int64_t count)
{
	enum { LEAST = 4096 };
	const int64_t size = count < LEAST ? LEAST : count;
	cg_plan *p = e->plan;

	if (p->zeros == NULL || p->zeros->shape[0] < size) {
		const cg_tensor *zeros = cg__temp(e, CG_FLOAT32, size);

		if (zeros == NULL || cg__launch_zero(e, zeros) != CG_OK)
			return NULL;
		p->zeros = zeros;
	}
	return p->zeros;
}

static struct cg__launch *append(
	struct cg__emit *e, enum cg__launch_kind kind, const struct cg__arg *arg, int args)
{
	cg_plan *p = e->plan;
	struct cg__launch *l;

	if (p->launches == p->launches_size) {
		int size = p->launches_size ? 2 * p->launches_size : 256;
		struct cg__launch *bigger = realloc(p->launch, (size_t)size * sizeof(*bigger));

		if (bigger == NULL)
			return NULL;
		p->launch = bigger;
		p->launches_size = size;
	}
	l = &p->launch[p->launches];
	memset(l, 0, sizeof(*l));
	l->kind = kind;
	l->node = e->node;
	l->args = args;
	l->arg = malloc((size_t)args * sizeof(*arg));
	if (l->arg == NULL)
		return NULL;
	memcpy(l->arg, arg, (size_t)args * sizeof(*arg));
	p->launches++;
	return l;
}

static cg_status out_of_memory(struct cg__emit *e)
{
	return cg__fail(e->plan->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
}

cg_status cg__launch_args(struct cg__emit *e, const char *file, const char *options,
	const char *kernel, struct cg__range range, const struct cg__arg *arg, int count)
{
	struct cg__launch *l = append(e, CG__KERNEL, arg, count);

	for (int i = 0; i < range.ndim; i++)
		CG__CHECK(range.global[i] > 0 &&
			(range.local[i] == 0 || range.global[i] % range.local[i] == 0));
	for (int i = 0; i < count; i++)
		CG__CHECK(arg[i].kind > CG__UPDATE || !arg[i].t || arg[i].t->graph == e->plan->graph);
	if (l == NULL)
		return out_of_memory(e);
	l->file = file;
	l->name = kernel;
	l->range = range;
	if (options && (l->options = strdup(options)) == NULL)
		return out_of_memory(e);
	return CG_OK;
}

void cg__flops(struct cg__emit *e, double flops)
{
	if (e->plan->launches > 0)
		e->plan->launch[e->plan->launches - 1].flops = flops;
}

cg_status cg__launch_call(struct cg__emit *e, const char *name, cg__call_fn fn, const void *blob,
	size_t blob_bytes, const struct cg__arg *arg, int count)
{
	struct cg__launch *l = append(e, CG__CALL, arg, count);

	if (l == NULL)
		return out_of_memory(e);
	l->name = name;
	l->fn = fn;
	l->blob = malloc(blob_bytes);
	l->mem = calloc((size_t)count, sizeof(*l->mem));
	if (l->blob == NULL || l->mem == NULL)
		return out_of_memory(e);
	memcpy(l->blob, blob, blob_bytes);
	return CG_OK;
}

cg_status cg__launch_zero(struct cg__emit *e, const cg_tensor *x)
{
	struct cg__launch *l = append(e, CG__ZERO, &OUT(x), 1);

	if (l == NULL)
		return out_of_memory(e);
	l->name = "zero";
	return CG_OK;
}
