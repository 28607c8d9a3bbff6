/*
 * Kernels that move memory: each operation by itself, its time by the device's clock (cg_plan_profile, the median of
 * some runs), against a triad over as many bytes. Counted are the bytes that the operation cannot do without:
 * `passes` times its first source. Whether results are right is the business of the tests.
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct subject {
	cg_ctx *ctx;
	cg_graph *graph;
	cg_params *params;
	cg_optim *optim;
	cg_array *array[8];
	int arrays;
};

static float value(int64_t i)
{
	return (float)((uint64_t)(i * 2654435761) >> 8 & 1023) / 296 - 1.73f;
}

static cg_tensor *leaf(struct subject *s, int ndim, const int64_t *shape)
{
	cg_array *a = cg_array_new(s->ctx, "operand", CG_FLOAT32, ndim, shape);
	int64_t n = a ? cg_array_count(a) : 0;
	float *host = malloc((size_t)n * sizeof(*host) + 1);

	if (!a)
		return NULL;
	s->array[s->arrays++] = a;
	for (int64_t i = 0; host && i < n; i++)
		host[i] = value(i);
	if (host)
		cg_array_write(a, host, (size_t)n * sizeof(*host));
	free(host);
	return cg_use(s->graph, a);
}

static cg_tensor *row_leaf(struct subject *s, const cg_tensor *x)
{
	return leaf(s, 1, &cg_tensor_shape(x)[cg_tensor_ndim(x) - 1]);
}

/* ---- operations: y of x ------------------------------------------------------------------ */

static cg_tensor *of_add(struct subject *s, cg_tensor *x)
{
	return cg_add(x, leaf(s, cg_tensor_ndim(x), cg_tensor_shape(x)));
}

static cg_tensor *of_relu(struct subject *s, cg_tensor *x)
{
	(void)s;
	return cg_relu(x);
}

static cg_tensor *of_gelu(struct subject *s, cg_tensor *x)
{
	(void)s;
	return cg_gelu(x);
}

static cg_tensor *of_dropout(struct subject *s, cg_tensor *x)
{
	(void)s;
	return cg_dropout(x, .5f);
}

static cg_tensor *of_softmax(struct subject *s, cg_tensor *x)
{
	(void)s;
	return cg_softmax(x);
}

static cg_tensor *of_bias(struct subject *s, cg_tensor *x)
{
	cg_tensor *b = row_leaf(s, x);

	cg_want_grad(b);
	return cg_bias(x, b);
}

static cg_tensor *of_layer_norm(struct subject *s, cg_tensor *x)
{
	cg_tensor *gamma = row_leaf(s, x), *beta = row_leaf(s, x);

	cg_want_grad(gamma);
	cg_want_grad(beta);
	return cg_layer_norm(x, gamma, beta, 1e-6f);
}

static cg_tensor *of_batch_norm(struct subject *s, cg_tensor *x)
{
	cg_tensor *gamma = row_leaf(s, x), *beta = row_leaf(s, x);
	cg_array *mean, *variance;

	cg_want_grad(gamma);
	cg_want_grad(beta);
	row_leaf(s, x);
	row_leaf(s, x);
	mean = s->array[s->arrays - 2];
	variance = s->array[s->arrays - 1];
	return cg_batch_norm(x, gamma, beta, mean, variance, 1e-5f, .9f, false);
}

static cg_tensor *of_max_pool(struct subject *s, cg_tensor *x)
{
	const cg_pool_config halve = { .window_h = 2, .window_w = 2 };

	(void)s;
	return cg_max_pool(x, &halve);
}

static cg_tensor *of_loss(struct subject *s, cg_tensor *x)
{
	return cg_cross_entropy(x, leaf(s, 2, cg_tensor_shape(x)), NULL, 0);
}

/* The update of parameters as many as x has elements; x itself is not used. */
static cg_tensor *of_update(struct subject *s, cg_tensor *x, cg_optim_kind kind)
{
	const cg_optim_config config = { .kind = kind, .momentum = .9f, .nesterov = true };
	cg_array *w;
	cg_tensor *loss;

	s->params = cg_params_new(s->ctx);
	w = cg_params_add(s->params, "w", cg_tensor_ndim(x), cg_tensor_shape(x), CG_INIT_ONE, 0);
	if (!w || cg_params_init(s->params, 1) != CG_OK)
		return NULL;
	loss = cg_sum(cg_use(s->graph, w));
	s->optim = cg_optim_new(s->params, &config);
	if (!s->optim || cg_backward(loss, s->params) != CG_OK ||
		cg_optim_update(s->optim, s->graph) != CG_OK ||
		cg_optim_step(s->optim, 1e-3f) != CG_OK)
		return NULL;
	return loss;
}

static cg_tensor *of_adam(struct subject *s, cg_tensor *x)
{
	return of_update(s, x, CG_ADAM);
}

static cg_tensor *of_sgd(struct subject *s, cg_tensor *x)
{
	return of_update(s, x, CG_SGD);
}

/* ---- the table ----------------------------------------------------------------------------- */

struct kernel {
	const char *name, *op; /* op: whose launches are timed */
	cg_tensor *(*of)(struct subject *s, cg_tensor *x);
	double passes;
	enum { FORWARD, BACKWARD, WHOLE } part; /* WHOLE: the graph is complete as made */
	enum { IMAGE, TOKENS, LOGITS, WEIGHTS } shape;
};

static const struct kernel kernels[] = {
	{ "add", "add", of_add, 3, FORWARD, TOKENS },
	{ "relu", "relu", of_relu, 2, FORWARD, IMAGE },
	{ "relu_grad", "relu_grad", of_relu, 3, BACKWARD, IMAGE },
	{ "gelu", "gelu", of_gelu, 2, FORWARD, TOKENS },
	{ "gelu_both", "gelu", of_gelu, 3, BACKWARD, TOKENS },
	{ "dropout", "dropout", of_dropout, 2, FORWARD, TOKENS },
	{ "bias", "bias", of_bias, 2, FORWARD, TOKENS },
	{ "bias_grad", "sum_leading", of_bias, 1, BACKWARD, TOKENS },
	{ "softmax", "softmax", of_softmax, 2, FORWARD, TOKENS },
	{ "softmax_grad", "softmax_grad", of_softmax, 3, BACKWARD, TOKENS },
	{ "layer_norm", "layer_norm", of_layer_norm, 2, FORWARD, TOKENS },
	{ "layer_norm_grad", "layer_norm_grad", of_layer_norm, 3, BACKWARD, TOKENS },
	{ "bn_stats", "bn_stats", of_batch_norm, 1, FORWARD, IMAGE },
	{ "bn_apply", "bn_apply", of_batch_norm, 2, FORWARD, IMAGE },
	{ "bn_grad", "bn_grad", of_batch_norm, 2, BACKWARD, IMAGE },
	{ "bn_grad_input", "bn_grad_input", of_batch_norm, 3, BACKWARD, IMAGE },
	{ "max_pool", "max_pool", of_max_pool, 1.25, FORWARD, IMAGE },
	{ "max_pool_grad", "max_pool_grad", of_max_pool, 1.25, BACKWARD, IMAGE },
	{ "cross_entropy", "cross_entropy", of_loss, 2, FORWARD, LOGITS },
	{ "sgd", "update", of_sgd, 5, WHOLE, WEIGHTS },
	{ "adam", "update", of_adam, 7, WHOLE, WEIGHTS },
};
const int kernel_count = sizeof(kernels) / sizeof(kernels[0]);

const char *kernel_name(int which)
{
	return kernels[which].name;
}

/* Of a model: VGG's first stage at batch 64, ViT-B's MLP at batch 16, VGG's weights; and large. */
static const int64_t shapes[4][2][4] = {
	{ { 64, 44, 44, 32 }, { 256, 44, 44, 64 } },
	{ { 592, 3072 }, { 16384, 3072 } },
	{ { 1024, 1000 }, { 32768, 1000 } },
	{ { 1174439, 1 }, { 50000000, 1 } },
};

/* ---- measuring ----------------------------------------------------------------------------- */

/* Asks for all gradients there are: those of weights belong to the operation's launches. */
static int outputs(
	const struct kernel *k, struct subject *s, cg_tensor *x, cg_tensor *y, cg_tensor *out[8])
{
	int n = 0;

	if (k->part != BACKWARD) {
		out[n++] = y;
		return y ? n : 0;
	}
	if (!y ||
		cg_backward_from(y, leaf(s, cg_tensor_ndim(y), cg_tensor_shape(y)), NULL) != CG_OK)
		return 0;
	if (cg_grad(x))
		out[n++] = cg_grad(x);
	for (int i = 0; i < s->arrays && n < 8; i++) {
		cg_tensor *t = cg_use(s->graph, s->array[i]);

		if (t != x && cg_grad(t))
			out[n++] = cg_grad(t);
	}
	return n;
}

static double seconds_of_op(cg_plan *p, const char *op, int n)
{
	double times[MAX_ROUNDS];

	for (int k = 0; k < n; k++) {
		times[k] = 0;
		if (cg_plan_profile(p) != CG_OK)
			return NAN;
		for (int i = 0; i < cg_plan_launches(p); i++) {
			const cg_launch l = cg_plan_launch(p, i);

			times[k] += strcmp(l.op, op) == 0 ? l.seconds : 0;
		}
	}
	return median(times, n);
}

static void release(struct subject *s, cg_plan *p)
{
	cg_plan_free(p);
	cg_graph_free(s->graph);
	cg_optim_free(s->optim);
	cg_params_free(s->params);
	for (int i = 0; i < s->arrays; i++)
		cg_array_free(s->array[i]);
}

bool kernel_run(struct bench *b, int which, bool large, struct row *row)
{
	const struct kernel *k = &kernels[which];
	const int64_t *shape = shapes[k->shape][large];
	const int ndim = k->shape == IMAGE ? 4 : 2;
	struct subject s = { .ctx = b->ctx, .graph = cg_graph_new(b->ctx, CG_TRAIN) };
	cg_tensor *x = leaf(&s, ndim, shape), *out[8];
	cg_plan *p = NULL;
	double bytes;
	int n;

	snprintf(row->name, BENCH_TEXT, "%s %s", k->name, large ? "large" : "model");
	if (k->part == BACKWARD && x)
		cg_want_grad(x);
	bytes = x ? 4 * k->passes * (double)cg_tensor_count(x) : NAN;
	n = x ? outputs(k, &s, x, k->of(&s, x), out) : 0;
	p = n ? cg_plan_new(s.graph, out, n) : NULL;
	row->seconds = p && cg_plan_run(p) == CG_OK ? seconds_of_op(p, k->op, 15) : NAN;
	if (cg_error_status(b->ctx))
		snprintf(row->note, BENCH_TEXT, "%.95s", cg_error(b->ctx));
	else if (!(row->seconds > 0))
		snprintf(row->note, BENCH_TEXT, "nothing was launched for %s", k->op);
	cg_clear_error(b->ctx);
	release(&s, p);
	row->triad = ceiling_triad(b->ctx, bytes);
	row->share.value = bytes / row->seconds / row->triad;
	row->bytes = bytes;
	return row->seconds > 0;
}
