/*
 * The update as nodes of a graph, behind those of the backward pass, which leave gradients in the arena or, if
 * they are to be kept, in a buffer: gradients of several runs are added up, the norm of all is made, large
 * weights of products of few rows are updated where their gradient is made (CG_FUSE's matmul-update), all
 * others in one launch.
 */
#include "optim.h"

#include "fuse.h"
#include "gemm.h"
#include "plan.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 16384, ROW = 8, NORM_PARTS = 512 };
/* A gradient that is never written: a product of at most so many rows, KU of gemm_update_cpu.cl, for which its share of
 * the norm is quickly had, of at least so many numbers. */
enum { UPDATE_ROWS = 64, UPDATE_LEAST = 1 << 18 };

struct attr {
	cg_optim *o;
};

/* ---- gradients of several runs -------------------------------------------------------------------- */

enum { GATHER_G, GATHER_SUM, GATHER_H };

static cg_status emit_gather(struct cg__emit *e, const cg_tensor *y)
{
	const int64_t n = cg__count(y->src[GATHER_G]);

	return CG__LAUNCH(e, "optim", NULL, "gather_grads", cg__range_elements(e, n),
		IN(y->src[GATHER_G]), UPDATE(y->src[GATHER_SUM]), IN(y->src[GATHER_H]), INT(n));
}

static const struct cg_op gather_op = {
	.name = "gather_grads", .flags = CG__EFFECT, .emit = emit_gather
};

/* ---- the norm ------------------------------------------------------------------------------------- */

enum { SQUARES_X, SQUARES_DY, SQUARES_OUT };

struct squares_attr {
	int64_t at;
};

/* |G|^2 of G = X' D: a part for each row of X. */
static cg_status emit_squares(struct cg__emit *e, const cg_tensor *y)
{
	const struct squares_attr *a = cg__attr(y);
	const cg_tensor *x = y->src[SQUARES_X], *dy = y->src[SQUARES_DY];
	const int64_t rows = cg__rows(x);

	return CG__LAUNCH(e, "gemm_update_cpu", NULL, "product_squares",
		cg__range_1d((size_t)rows, 1), IN(x), IN(dy), UPDATE(y->src[SQUARES_OUT]),
		INT(a->at), INT(cg__last(x)), INT(cg__last(dy)));
}

static const struct cg_op squares_op = {
	.name = "grad_squares", .flags = CG__EFFECT, .emit = emit_squares
};

enum { NORM_CHUNKS, NORM_G, NORM_H, NORM_OUT, NORM_SQUARES };

/* All gradients that are written: the sum of several runs, or the plan's, in the buffer or the arena. */
static struct cg__arg gradients(const cg_tensor *y, const cg_tensor *g)
{
	const struct attr *a = cg__attr(y);

	return y->graph->grads_in_arena ? ARENA(a->o->written) : IN(g);
}

static cg_status emit_norm(struct cg__emit *e, const cg_tensor *y)
{
	const struct attr *a = cg__attr(y);
	const cg_tensor *squares = a->o->squares ? y->src[NORM_SQUARES] : NULL;
	const int64_t chunks = a->o->chunk_count, parts = chunks < NORM_PARTS ? chunks : NORM_PARTS;
	const cg_tensor *part = cg__temp(e, CG_FLOAT32, parts);

	if (parts > 0)
		TRY(CG__LAUNCH(e, "optim", NULL, "chunk_squares",
			cg__range_tasks(e, parts, INT32_MAX), IN(y->src[NORM_CHUNKS]),
			gradients(y, y->src[NORM_G]), OUT(part), INT(chunks), INT(parts)));
	return CG__LAUNCH(e, "optim", NULL, "clip_factor", cg__range_1d(1, 1),
		IN(parts > 0 ? part : NULL), IN(squares), IN(y->src[NORM_H]),
		UPDATE(y->src[NORM_OUT]), INT(parts), INT(squares ? cg__count(squares) : 0));
}

static const struct cg_op norm_op = { .name = "grad_norm", .flags = CG__EFFECT, .emit = emit_norm };

/* ---- a weight, where its gradient is made ---------------------------------------------------------- */

enum { FUSED_X, FUSED_DY, FUSED_W, FUSED_M, FUSED_V, FUSED_E, FUSED_H, FUSED_NORM };

struct fused_attr {
	cg_optim *o;
	int64_t place; /* in w and e */
	int64_t moment; /* in m and v */
	float rate;
	bool decay;
};

/* MB, PANELS of gemm_update_cpu.cl */
enum { FUSED_BLOCK = 192, FUSED_PANELS = 1024 };

static int64_t up(int64_t n, int64_t d)
{
	return (n + d - 1) / d;
}

static cg_status emit_fused(struct cg__emit *e, const cg_tensor *y)
{
	const struct fused_attr *a = cg__attr(y);
	const cg_optim_config *c = &a->o->config;
	const int64_t rows = cg__rows(y->src[FUSED_X]), M = y->shape[0], N = y->shape[1];
	const struct cg__tile t = cg__tile_of(e, N);
	const int64_t down = up(up(M, up(M, FUSED_BLOCK)), t.rows) * t.rows,
		      wide = FUSED_PANELS / rows * t.cols,
		      across = up(up(N, up(N, wide)), t.cols) * t.cols;
	const bool sgd = c->kind == CG_SGD;

	TRY(CG__LAUNCH(e, "gemm_update_cpu", t.options, "gemm_update",
		cg__range_2d((size_t)up(N, across), (size_t)up(M, down), 1, 1), IN(y->src[FUSED_X]),
		IN(y->src[FUSED_DY]), UPDATE(y->src[FUSED_W]), UPDATE(y->src[FUSED_M]),
		UPDATE(y->src[FUSED_V]), UPDATE(y->src[FUSED_E]), IN(y->src[FUSED_H]),
		IN(y->src[FUSED_NORM]), INT(a->place), INT(a->moment), INT(M), INT(N), INT(rows),
		INT(down), INT(across), INT(sgd), INT(sgd ? c->nesterov : c->kind == CG_ADAMW),
		INT(a->decay), FLT(a->rate)));
	cg__flops(e, 2.0 * (double)(M * N * rows));
	return CG_OK;
}

static const struct cg_op fused_op = {
	.name = "matmul_update", .flags = CG__EFFECT, .emit = emit_fused
};

static bool has_users(const cg_graph *g, const cg_tensor *t)
{
	for (int i = t->id + 1; i < g->count; i++)
		for (int s = 0; s < g->node[i]->nsrc; s++)
			if (g->node[i]->src[s] == t)
				return true;
	return false;
}

/* Where the parameter's moments are, -1 if it has none. */
static int64_t place_of(const cg_optim *o, const cg_array *a)
{
	for (int i = 0; i < o->params->count; i++)
		if (o->params->array[i] == a)
			return o->place[i];
	return -1;
}

/* Whether the gradient of a parameter is needed for nothing but its update, and that pays. */
static bool is_fused(const cg_optim *o, const cg_tensor *leaf)
{
	const cg_tensor *dw = leaf->grad;
	cg_tensor *x, *dy;
	int64_t rows, M, N;

	if (!(leaf->op->flags & CG__LEAF) || leaf->array->params != o->params || dw == NULL ||
		dw->grad_of != leaf->array || !cg__matmul_factors(dw, &x, &dy) ||
		has_users(leaf->graph, dw) || cg__effect_since(dw) ||
		place_of(o, leaf->array) < 0)
		return false;
	rows = cg__rows(x);
	M = cg__last(x);
	N = cg__last(dy);
	return rows <= UPDATE_ROWS && M * N >= UPDATE_LEAST && 2 * rows * (M + N) <= M * N;
}

/* Finds those weights, gives their gradients up; into leaf[], of room for all nodes. Returns how many. */
static int give_up_gradients(cg_optim *o, cg_graph *g, cg_tensor **leaf)
{
	int n = 0;

	if (o->config.keep_grads || o->config.accumulate > 1 || !cg__gemm_takes_operands(g->ctx) ||
		!cg__fuse_has(g->ctx, "matmul-update"))
		return 0;
	for (int i = 0; i < g->count; i++)
		if (is_fused(o, g->node[i]) && cg__params_grad_drop(o->params, g->node[i]->array)) {
			leaf[n++] = g->node[i];
			g->node[i]->grad->grad_of = NULL;
		}
	return n;
}

/* ---- all others ------------------------------------------------------------------------------------ */

enum { SRC_CHUNKS, SRC_W, SRC_G, SRC_M, SRC_V, SRC_E, SRC_H, SRC_NORM };

static cg_status emit_update(struct cg__emit *e, const cg_tensor *y)
{
	const struct attr *a = cg__attr(y);
	const cg_optim_config *c = &a->o->config;
	bool sgd = c->kind == CG_SGD;

	return CG__LAUNCH(e, "optim", NULL, sgd ? "sgd" : "adam",
		cg__range_tasks(e, a->o->chunk_count, 256), IN(y->src[SRC_CHUNKS]),
		UPDATE(y->src[SRC_W]), gradients(y, y->src[SRC_G]), UPDATE(y->src[SRC_M]),
		UPDATE(y->src[SRC_V]), UPDATE(y->src[SRC_E]), IN(y->src[SRC_H]),
		IN(y->src[SRC_NORM]), INT(a->o->chunk_count),
		INT(sgd ? c->nesterov : c->kind == CG_ADAMW));
}

/* A gradient's chunks from `row` on, to where the next are; without rows only how many. */
static int64_t fill_rows(const cg_optim *o, const cg_array *a, int64_t place, int32_t *row)
{
	const int64_t n = (a->count + CHUNK - 1) / CHUNK, moment = place_of(o, a);

	for (int64_t i = 0; row && i < n; i++, row += ROW) {
		const int64_t from = i * CHUNK, left = a->count - from;

		row[0] = (int32_t)(a->offset + from);
		row[1] = (int32_t)(place + from);
		row[2] = (int32_t)(left < CHUNK ? left : CHUNK);
		row[3] = !(a->flags & CG_PARAM_NO_DECAY);
		memcpy(&row[4], &a->rate, sizeof(a->rate));
		row[5] = (int32_t)(moment + from);
	}
	return n;
}

/* Parameters without a gradient (frozen, or not part of this graph) have no chunk. */
static cg_status place_chunks(const cg_plan *p, const cg_tensor *y)
{
	const struct attr *a = cg__attr(y);
	const cg_graph *g = y->graph;
	int32_t *host = calloc((size_t)a->o->chunk_count + 1, ROW * sizeof(*host)), *row = host;
	cg_status status;

	if (host == NULL)
		return cg__fail(g->ctx, CG_ERR_HOST_MEMORY, "optim: out of host memory");
	for (int i = 0; i < g->count; i++)
		if (g->node[i]->grad_of)
			row += ROW * fill_rows(a->o, g->node[i]->grad_of,
				cg__grad_place(p, g->node[i]), row);
	status = cg_array_write(a->o->chunks, host, a->o->chunks->bytes);
	free(host);
	return status;
}

static const struct cg_op update_op = {
	.name = "update", .flags = CG__EFFECT, .emit = emit_update, .place = place_chunks
};

static cg_status make_chunks(cg_optim *o, const cg_graph *g)
{
	int64_t n = 0;

	o->written = 0;
	for (int i = 0; i < g->count; i++)
		if (g->node[i]->grad_of) {
			n += fill_rows(o, g->node[i]->grad_of, 0, NULL);
			o->written += g->node[i]->grad_of->count;
		}
	o->chunk_count = (int)n;
	o->chunks = cg_array_new(
		g->ctx, "optim.chunks", CG_INT32, 2, (int64_t[]){ n > 0 ? n : 1, ROW });
	return cg_error_status(g->ctx);
}

/* ---- together -------------------------------------------------------------------------------------- */

static cg_status effect(const struct cg_op *op, int n, cg_tensor *const *src, const void *attr, size_t bytes)
{
	return cg__effect(cg__node(op, CG_FLOAT32, 1, (int64_t[]){ 1 }, n, src, attr, bytes));
}

/* Moments and average as tensors; the moments again where there is none. */
struct state {
	cg_tensor *w, *g, *m, *v, *e, *h, *norm;
};

static struct state use_state(cg_optim *o, cg_graph *g)
{
	return (struct state){
		.w = cg_use(g, o->params->weights),
		.g = cg_use(g, o->params->grads),
		.m = cg_use(g, o->m),
		.v = cg_use(g, o->v ? o->v : o->m),
		.e = cg_use(g, o->average ? o->average : o->m),
		.h = cg_use(g, o->numbers),
		.norm = cg_use(g, o->norm),
	};
}

static cg_status gather(cg_optim *o, cg_graph *g, struct state *s)
{
	cg_tensor *one_run = s->g;

	if (o->config.accumulate <= 1)
		return CG_OK;
	if (o->grad_sum == NULL)
		o->grad_sum = cg_array_new(o->params->ctx, "optim.grad_sum", CG_FLOAT32, 1,
			&o->params->grads->count);
	s->g = cg_use(g, o->grad_sum);
	return effect(&gather_op, CG__SRC(one_run, s->g, s->h), NULL, 0);
}

static cg_status add_norm(cg_optim *o, cg_graph *g, const struct state *s, cg_tensor **leaf, int n)
{
	const struct attr a = { o };
	struct squares_attr at = { 0 };
	cg_tensor *squares = s->norm, *x, *dy;

	if (o->config.no_norm && o->config.clip_norm <= 0)
		return CG_OK;
	for (int i = 0; i < n; i++)
		at.at += cg__matmul_factors(leaf[i]->grad, &x, &dy) ? cg__rows(x) : 0;
	if (n > 0) {
		o->squares = cg_array_new(g->ctx, "optim.squares", CG_FLOAT32, 1, &at.at);
		squares = cg_use(g, o->squares);
	}
	at.at = 0;
	for (int i = 0; i < n && cg__matmul_factors(leaf[i]->grad, &x, &dy); i++) {
		TRY(effect(&squares_op, CG__SRC(x, dy, squares), &at, sizeof(at)));
		at.at += cg__rows(x);
	}
	return effect(&norm_op, CG__SRC(cg_use(g, o->chunks), s->g, s->h, s->norm, squares), &a,
		sizeof(a));
}

static cg_status add_fused(cg_optim *o, const struct state *s, const cg_tensor *leaf)
{
	const cg_array *array = leaf->array;
	const struct fused_attr a = { o, array->offset, place_of(o, array), array->rate,
		!(array->flags & CG_PARAM_NO_DECAY) };
	cg_tensor *x, *dy;

	cg__matmul_factors(leaf->grad, &x, &dy);
	return cg__effect(cg__node(&fused_op, CG_FLOAT32, 2,
		(int64_t[]){ cg__last(x), cg__last(dy) },
		CG__SRC(x, dy, s->w, s->m, s->v, s->e, s->h, s->norm), &a, sizeof(a)));
}

/* A parameter that this graph trains has moments. */
static cg_status check_trained(const cg_optim *o, const cg_graph *g)
{
	int n = 0;

	for (int i = 0; i < g->count; i++) {
		const cg_array *a = g->node[i]->grad_of;

		n += a != NULL;
		if (a && place_of(o, a) < 0)
			return cg__fail(g->ctx, CG_ERR_STATE,
				"optim: %s was frozen when the optimiser was made", a->name);
	}
	if (n == 0)
		return cg__fail(g->ctx, CG_ERR_STATE, "optim: no parameter has a gradient");
	return CG_OK;
}

/* Gradients are made one after another while activations are needed no more: in the arena they take their
 * place. With guards every tensor has a buffer for itself. */
static bool may_use_arena(const cg_optim *o, const cg_graph *g)
{
	return !o->config.keep_grads && o->config.accumulate <= 1 && !g->ctx->env.guard_on;
}

static cg_status add_nodes(cg_optim *o, cg_graph *g, cg_tensor **leaf)
{
	const struct attr a = { o };
	struct state s;
	int fused;

	TRY(check_trained(o, g));
	fused = give_up_gradients(o, g, leaf);
	TRY(cg__params_make_grads(o->params));
	TRY(make_chunks(o, g));
	g->grads_in_arena = may_use_arena(o, g);
	o->params->grads_used_up |= g->grads_in_arena || fused > 0;
	s = use_state(o, g);
	TRY(gather(o, g, &s));
	TRY(add_norm(o, g, &s, leaf, fused));
	for (int i = 0; i < fused; i++)
		TRY(add_fused(o, &s, leaf[i]));
	if (o->chunk_count == 0)
		return CG_OK;
	return effect(&update_op,
		CG__SRC(cg_use(g, o->chunks), s.w, s.g, s.m, s.v, s.e, s.h, s.norm), &a, sizeof(a));
}

cg_status cg_optim_update(cg_optim *o, cg_graph *g)
{
	cg_params *p = o->params;
	cg_tensor **leaf;
	cg_status status;

	if (g->params != p)
		return cg__fail(p->ctx, CG_ERR_STATE,
			"optim: cg_backward with these parameters comes first");
	if (o->chunks)
		return cg__fail(p->ctx, CG_ERR_STATE, "optim: belongs to another graph already");
	leaf = calloc((size_t)g->count + 1, sizeof(cg_tensor *));
	if (leaf == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "optim: out of host memory");
	status = add_nodes(o, g, leaf);
	free(leaf);
	return status;
}
