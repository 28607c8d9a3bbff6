/*
 * Optimisers: a few launches for all parameters (optim_update.c), over buffers that lie like the parameters; moments
 * leave out what is frozen. The numbers of a step (learning rate, bias corrections, ...) are in a small
 * array, so that the plan replays unchanged.
 */
#include "optim.h"

#include "arena.h"
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LR, DECAY, BETA1, BETA2, EPS, BIAS1, BIAS2, CLIP, EMA, UPDATE, FIRST, SHARE };
enum { NUMBERS = 16 };

/* Places the moments; how many numbers they are. */
static int64_t place_moments(cg_optim *o)
{
	const cg_params *p = o->params;
	int64_t align = p->ctx->info.align_bytes / 4, n = 0;

	for (int i = 0; i < p->count; i++) {
		o->place[i] = p->array[i]->trainable ? n : -1;
		if (p->array[i]->trainable)
			n += (p->array[i]->count + align - 1) / align * align;
	}
	return n > 0 ? n : 1;
}

static cg_status make_arrays(cg_optim *o)
{
	cg_ctx *ctx = o->params->ctx;
	int64_t n;

	o->place = calloc((size_t)o->params->count + 1, sizeof(*o->place));
	if (o->place == NULL)
		return cg__fail(ctx, CG_ERR_HOST_MEMORY, "optim: out of host memory");
	n = place_moments(o);
	o->m = cg_array_new(ctx, "optim.m", CG_FLOAT32, 1, &n);
	if (o->config.kind != CG_SGD)
		o->v = cg_array_new(ctx, "optim.v", CG_FLOAT32, 1, &n);
	if (o->config.ema > 0)
		o->average = cg_array_new(ctx, "optim.ema", CG_FLOAT32, 1, &o->params->weights->count);
	o->numbers = cg_array_new(ctx, "optim.numbers", CG_FLOAT32, 1, (int64_t[]){ NUMBERS });
	o->norm = cg_array_new(ctx, "optim.norm", CG_FLOAT32, 1, (int64_t[]){ 3 });
	TRY(cg_error_status(ctx));
	TRY(cg_array_write(o->norm, (float[]){ 0, 1, 0 }, 3 * sizeof(float)));
	if (o->average &&
		clEnqueueCopyBuffer(ctx->queue, o->params->weights->mem, o->average->mem, 0, 0,
			o->average->bytes, 0, NULL, NULL) != CL_SUCCESS)
		return cg__fail(ctx, CG_ERR_OPENCL, "optim: cannot copy the weights");
	return cg_error_status(ctx);
}

cg_optim *cg_optim_new(cg_params *p, const cg_optim_config *config)
{
	cg_optim *o;

	if (!p->ready) {
		cg__fail(p->ctx, CG_ERR_STATE, "optim: cg_params_init comes first");
		return NULL;
	}
	o = calloc(1, sizeof(*o));
	if (o == NULL) {
		cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "optim: out of host memory");
		return NULL;
	}
	o->params = p;
	o->config = *config;
	if (o->config.beta1 == 0)
		o->config.beta1 = .9f;
	if (o->config.beta2 == 0)
		o->config.beta2 = .999f;
	if (o->config.eps == 0)
		o->config.eps = 1e-8f;
	if (o->config.accumulate < 1)
		o->config.accumulate = 1;
	if (make_arrays(o) != CG_OK) {
		cg_optim_free(o);
		return NULL;
	}
	return o;
}

void cg_optim_free(cg_optim *o)
{
	if (o == NULL)
		return;
	cg_plan_free(o->swap);
	cg_graph_free(o->swap_graph);
	cg_array_free(o->m);
	cg_array_free(o->v);
	cg_array_free(o->average);
	cg_array_free(o->grad_sum);
	cg_array_free(o->chunks);
	cg_array_free(o->squares);
	cg_array_free(o->numbers);
	cg_array_free(o->norm);
	free(o->place);
	free(o);
}

/* ---- a step ----------------------------------------------------------------------------------- */

cg_status cg_optim_step(cg_optim *o, float lr)
{
	const cg_optim_config *c = &o->config;
	float h[NUMBERS] = { 0 };
	int k = (int)(o->runs % (uint64_t)c->accumulate);
	bool update = k == c->accumulate - 1;
	double t;

	o->runs++;
	o->updates += update;
	t = (double)o->updates;
	h[LR] = lr;
	h[DECAY] = c->weight_decay;
	h[BETA1] = c->kind == CG_SGD ? c->momentum : c->beta1;
	h[BETA2] = c->beta2;
	h[EPS] = c->eps;
	h[BIAS1] = (float)(1 - pow(c->beta1, t));
	h[BIAS2] = (float)(1 - pow(c->beta2, t));
	h[CLIP] = c->clip_norm;
	h[EMA] = c->ema;
	h[UPDATE] = update;
	h[FIRST] = k == 0;
	h[SHARE] = 1 / (float)c->accumulate;
	return cg_array_write(o->numbers, h, sizeof(h));
}

uint64_t cg_optim_steps(const cg_optim *o)
{
	return o->updates;
}

cg_status cg_optim_grad_norm(cg_optim *o, float *norm)
{
	float all[3] = { 0 };
	cg_status status = cg_array_read(o->norm, all, sizeof(all));

	*norm = all[0];
	return status;
}

cg_status cg_optim_skipped(cg_optim *o, uint64_t *updates)
{
	float all[3] = { 0 };
	cg_status status = cg_array_read(o->norm, all, sizeof(all));

	*updates = (uint64_t)all[2];
	return status;
}

/* ---- exchanging weights and average ---------------------------------------------------------------- */

static cg_status emit_swap(struct cg__emit *e, const cg_tensor *y)
{
	int64_t n = cg__count(y->src[0]);

	return CG__LAUNCH(e, "optim", NULL, "swap", cg__range_elements(e, n), UPDATE(y->src[0]),
		UPDATE(y->src[1]), INT(n));
}

static const struct cg_op swap_op = { .name = "swap", .flags = CG__EFFECT, .emit = emit_swap };

/* Only trained weights have an average; the rest (running statistics, what is frozen) is put back. */
static cg_status swap_trained(cg_optim *o)
{
	const cg_params *p = o->params;

	for (int i = 0; i < p->count; i++) {
		const cg_array *a = p->array[i];
		cl_int code;

		if (a->trainable)
			continue;
		code = clEnqueueCopyBuffer(p->ctx->queue, p->weights->mem, o->average->mem,
			(size_t)a->offset * 4, (size_t)a->offset * 4, a->bytes, 0, NULL, NULL);
		if (code != CL_SUCCESS)
			return cg__fail_cl(p->ctx, CG_ERR_OPENCL, code, "clEnqueueCopyBuffer");
	}
	return cg_plan_run(o->swap);
}

cg_status cg_optim_swap_ema(cg_optim *o)
{
	cg_ctx *ctx = o->params->ctx;

	if (o->average == NULL)
		return cg__fail(
			ctx, CG_ERR_STATE, "optim: there is no average of the weights (ema is 0)");
	if (o->swap == NULL) {
		cg_tensor *w, *e;

		o->swap_graph = cg_graph_new(ctx, CG_INFER);
		w = cg_use(o->swap_graph, o->params->weights);
		e = cg_use(o->swap_graph, o->average);
		TRY(cg__effect(cg__node(
			&swap_op, CG_FLOAT32, 1, (int64_t[]){ 1 }, CG__SRC(w, e), NULL, 0)));
		o->swap = cg_plan_new(o->swap_graph, NULL, 0);
		if (o->swap == NULL)
			return cg_error_status(ctx);
	}
	return swap_trained(o);
}
