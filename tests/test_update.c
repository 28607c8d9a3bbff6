/*
 * Weights that are updated where their gradient is made, X' D of few rows, against the same steps with all gradients
 * written (which test_optim compares with PyTorch).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "graph.h"
#undef IN
#include "optest.h"
#include "tap.h"

enum { WEIGHTS = 2, STEPS = 3, SMALL = 7, LARGE = 1 << 18 };

/* Another node reads its gradient; its x is overwritten behind that; or it has none. */
enum { READ = 1, STORE, FROZEN };

/* Products with a weight each, and a small parameter whose gradient is what is given. */
struct shape {
	const char *name;
	int64_t rows, M[WEIGHTS], N[WEIGHTS];
	int first; /* what is with the first weight: READ, STORE, FROZEN, or 0 */
	uint64_t most; /* bytes of a buffer of the plan; 0: what the device allocates */
};

struct trial {
	const struct shape *shape;
	cg_params *params;
	cg_array *x[WEIGHTS], *d[WEIGHTS], *w[WEIGHTS], *given, *small;
	cg_graph *graph;
	cg_tensor *loss;
	cg_optim *optim;
	cg_plan *plan;
};

static int weights_of(const struct shape *s)
{
	return s->M[1] ? 2 : 1;
}

/* Normal numbers, of deviation `scale`. */
static void draw(cg_array *a, uint64_t seed, double scale)
{
	const int64_t n = cg_array_count(a);
	float *v = malloc((size_t)n * sizeof(*v));
	struct optest_rng rng = { seed };

	for (int64_t i = 0; v && i < n; i++)
		v[i] = (float)(scale * optest_normal(&rng));
	if (v)
		cg_array_write(a, v, (size_t)n * sizeof(*v));
	free(v);
}

static void add_arrays(struct trial *t, cg_ctx *ctx)
{
	const struct shape *s = t->shape;

	for (int i = 0; i < weights_of(s); i++) {
		t->w[i] = cg_params_add(t->params, i ? "second" : "first", 2,
			(int64_t[]){ s->M[i], s->N[i] }, CG_INIT_GLOROT_UNIFORM,
			i ? CG_PARAM_NO_DECAY : 0);
		t->x[i] = cg_array_new(ctx, "x", CG_FLOAT32, 2, (int64_t[]){ s->rows, s->M[i] });
		t->d[i] = cg_array_new(ctx, "d", CG_FLOAT32, 2, (int64_t[]){ s->rows, s->N[i] });
	}
	t->small = cg_params_add(t->params, "small", 1, (int64_t[]){ SMALL }, CG_INIT_ONE, 0);
	t->given = cg_array_new(ctx, "given", CG_FLOAT32, 1, (int64_t[]){ SMALL });
}

static cg_tensor *describe(struct trial *t)
{
	cg_graph *g = t->graph;
	cg_tensor *sum = cg_sum(cg_mul(cg_use(g, t->small), cg_use(g, t->given)));

	for (int i = 0; i < weights_of(t->shape); i++)
		sum = cg_add(sum, cg_sum(cg_mul(cg_matmul(cg_use(g, t->x[i]), cg_use(g, t->w[i])),
					  cg_use(g, t->d[i]))));
	return sum;
}

static bool trial_open(
	struct trial *t, cg_ctx *ctx, const struct shape *s, const cg_optim_config *config)
{
	const uint64_t most = ctx->info.max_alloc_bytes;

	*t = (struct trial){ .shape = s,
		.params = cg_params_new(ctx),
		.graph = cg_graph_new(ctx, CG_TRAIN) };
	add_arrays(t, ctx);
	if (cg_params_init(t->params, 1) != CG_OK)
		return false;
	if (weights_of(s) == 2)
		cg_array_set_rate(t->w[1], .5f);
	if (s->first == FROZEN)
		cg_array_set_rate(t->w[0], 0);
	t->optim = cg_optim_new(t->params, config);
	t->loss = describe(t);
	if (!t->loss || !t->optim || cg_backward(t->loss, t->params) != CG_OK)
		return false;
	if (s->first == READ)
		t->loss = cg_sum(cg_grad(cg_use(t->graph, t->w[0])));
	if (s->first == STORE)
		cg_store(t->x[0], cg_scale(cg_use(t->graph, t->x[0]), 2));
	if (cg_optim_update(t->optim, t->graph) != CG_OK)
		return false;
	if (s->most)
		ctx->info.max_alloc_bytes = s->most;
	t->plan = cg_plan_new(t->graph, &t->loss, 1);
	ctx->info.max_alloc_bytes = most;
	return t->plan != NULL;
}

static void trial_close(struct trial *t)
{
	cg_plan_free(t->plan);
	cg_graph_free(t->graph);
	cg_optim_free(t->optim);
	for (int i = 0; i < WEIGHTS; i++) {
		cg_array_free(t->x[i]);
		cg_array_free(t->d[i]);
	}
	cg_array_free(t->given);
	cg_params_free(t->params);
}

static cg_status step(struct trial *t, int number)
{
	for (int i = 0; i < weights_of(t->shape); i++) {
		draw(t->x[i], (uint64_t)(10 * number + i + 1), 1);
		draw(t->d[i], (uint64_t)(10 * number + i + 5), .1);
	}
	draw(t->given, (uint64_t)(10 * number + 9), 1);
	cg_optim_step(t->optim, .01f);
	return cg_plan_run(t->plan);
}

static int launches_of(const struct trial *t, const char *op)
{
	int n = 0;

	for (int i = 0; i < cg_plan_launches(t->plan); i++)
		n += !strcmp(cg_plan_launch(t->plan, i).op, op);
	return n;
}

/* Values of an array, to be freed. */
static float *values(cg_array *a)
{
	float *v = malloc((size_t)cg_array_count(a) * sizeof(*v));

	if (v)
		cg_array_read(a, v, (size_t)cg_array_count(a) * sizeof(*v));
	return v;
}

/* The largest difference between two arrays, as a part of the largest change since `before`. */
static double apart(cg_array *a, cg_array *b, const float *before)
{
	float *x = values(a), *y = values(b);
	double far = 0, moved = 0;

	for (int64_t i = 0; x && y && i < cg_array_count(a); i++) {
		far = worse_of(far, fabs((double)x[i] - (double)y[i]));
		moved = worse_of(moved, fabs((double)y[i] - (double)before[i]));
	}
	far = x && y && moved > 0 ? far / moved : NAN;
	free(x);
	free(y);
	return far;
}

static bool expected(const cg_ctx *ctx)
{
	return cg__gemm_takes_operands(ctx);
}

/* Weights, and with an average those, and norms after some steps. */
static void compare(struct trial *fused, struct trial *plain, const char *name, bool ema)
{
	float *before[WEIGHTS] = { 0 };
	double far = 0, norms = 0;
	const int n = weights_of(fused->shape);

	for (int i = 0; i < n; i++)
		before[i] = values(fused->w[i]);
	for (int k = 0; k < STEPS; k++) {
		float a = 0, b = 0;

		if (step(fused, k) != CG_OK || step(plain, k) != CG_OK)
			far = NAN;
		cg_optim_grad_norm(fused->optim, &a);
		cg_optim_grad_norm(plain->optim, &b);
		norms = worse_of(norms, fabs((double)a - (double)b) / (b > 0 ? (double)b : 1));
	}
	for (int swap = 0; swap <= ema; swap++) {
		for (int i = fused->shape->first == FROZEN; i < n; i++)
			far = worse_of(far, apart(fused->w[i], plain->w[i], before[i]));
		if (ema) {
			cg_optim_swap_ema(fused->optim);
			cg_optim_swap_ema(plain->optim);
		}
	}
	for (int i = 0; i < n; i++)
		free(before[i]);
	ok(far < 2e-6, "%s: %.1e of the weights' change apart", name, far);
	ok(norms < 2e-6, "%s: norms are %.1e apart", name, norms);
}

static void test_case(cg_ctx *ctx, const char *name, const struct shape *s, cg_optim_config config)
{
	struct trial fused, plain;
	bool good = trial_open(&fused, ctx, s, &config);

	config.keep_grads = true;
	good = trial_open(&plain, ctx, s, &config) && good;
	if (ok(good, "%s, %s: %s", name, s->name, cg_error(ctx))) {
		ok(launches_of(&fused, "matmul_update") ==
					(expected(ctx) && s->M[0] * s->N[0] > LARGE ? weights_of(s) - (s->first > 0)
									    : 0) &&
				launches_of(&plain, "matmul_update") == 0,
			"%s: updates in products, and none where gradients are kept", name);
		compare(&fused, &plain, name, config.ema > 0);
	}
	ok(cg_error_status(ctx) == CG_OK, "%s: no error %s", name, cg_error(ctx));
	cg_clear_error(ctx);
	trial_close(&fused);
	trial_close(&plain);
}

/* Few columns, and so short work-items: Mesa's llvmpipe ends loops after some 65,000 rounds in all. */
static const struct shape plain_shape = { "uneven", 13, { 2053 }, { 131 }, 0, 0 };

static void test_updates(cg_ctx *ctx)
{
	static const struct shape shapes[] = {
		{ "a narrow tile", 13, { 4099 }, { 70 }, 0, 0 },
		{ "stretches of columns", 64, { 1100 }, { 1101 }, 0, 0 },
		{ "one row", 1, { 2100 }, { 130 }, 0, 0 },
		{ "two weights", 32, { 768, 640 }, { 500, 577 }, 0, 0 },
		{ "moments elsewhere", 8, { 2100, 2048 }, { 130, 137 }, FROZEN, 0 },
	};
	static const struct shape stored = { "x is stored", 8, { 2100, 2048 }, { 130, 137 }, STORE, 0 };
	const float wd = .1f, eps = 1e-3f;
	const struct {
		const char *name;
		cg_optim_config config;
	} cases[] = {
		{ "adam", { .kind = CG_ADAM, .eps = eps } },
		{ "adam with decay", { .kind = CG_ADAM, .eps = eps, .weight_decay = wd } },
		{ "adamw", { .kind = CG_ADAMW, .eps = eps, .weight_decay = wd } },
		{ "adamw, clipped", { .kind = CG_ADAMW, .eps = eps, .clip_norm = 1.5f } },
		{ "adam without a norm", { .kind = CG_ADAM, .eps = eps, .no_norm = true } },
		{ "sgd", { .kind = CG_SGD, .momentum = .9f, .weight_decay = wd } },
		{ "nesterov", { .kind = CG_SGD, .momentum = .9f, .nesterov = true, .clip_norm = 100 } },
		{ "average", { .kind = CG_ADAM, .eps = eps, .ema = .75f } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_case(ctx, cases[i].name, &plain_shape, cases[i].config);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		test_case(ctx, "adamw", &shapes[i], cases[2].config);
	test_case(ctx, "sgd", &stored, cases[5].config);
}

/* A gradient that is not finite leaves all as it is, and is counted. */
static void test_not_finite(cg_ctx *ctx)
{
	const cg_optim_config config = { .kind = CG_ADAM };
	const float nan = NAN;
	struct trial t;
	uint64_t skipped = 0;

	if (ok(trial_open(&t, ctx, &plain_shape, &config), "a trial %s", cg_error(ctx))) {
		const size_t bytes = (size_t)cg_array_count(t.w[0]) * sizeof(float);
		float *before, *after, *x = values(t.x[0]);

		step(&t, 0);
		before = values(t.w[0]);
		memcpy(x + 100, &nan, sizeof(nan));
		cg_array_write(t.x[0], x, (size_t)cg_array_count(t.x[0]) * sizeof(float));
		cg_optim_step(t.optim, .01f);
		cg_plan_run(t.plan);
		after = values(t.w[0]);
		cg_optim_skipped(t.optim, &skipped);
		ok(skipped == 1 && !memcmp(before, after, bytes), "a NaN changes nothing");
		free(before);
		free(after);
		free(x);
	}
	ok(cg_error_status(ctx) == CG_OK, "no error %s", cg_error(ctx));
	trial_close(&t);
}

/* What has been used cannot be read, and says how it could. */
static void test_reading(cg_ctx *ctx)
{
	cg_optim_config config = { .kind = CG_ADAM };
	const size_t bytes = (size_t)(plain_shape.M[0] * plain_shape.N[0]) * sizeof(float);
	float *g = malloc(bytes);

	for (int kept = 0; kept < 2; kept++) {
		struct trial t;

		config.keep_grads = kept;
		if (!ok(g && trial_open(&t, ctx, &plain_shape, &config) && step(&t, 0) == CG_OK,
			    "a step %s", cg_error(ctx)))
			continue;
		ok((cg_params_read_grad(t.params, t.w[0], g, bytes) == CG_OK) == kept,
			"its gradient can%s be read", kept ? "" : "not");
		ok(kept || strstr(cg_error(ctx), "first") != NULL, "%s", cg_error(ctx));
		cg_clear_error(ctx);
		ok((cg_params_read_grad(t.params, t.small, g, SMALL * sizeof(float)) == CG_OK) ==
				(kept || ctx->env.guard_on),
			"the small one's: %s", cg_error(ctx));
		cg_clear_error(ctx);
		trial_close(&t);
	}
	free(g);
}

/* Weights where it does not pay, and gradients that somebody else reads. */
static void test_others(cg_ctx *ctx)
{
	static const struct shape many = { "many rows", 65, { 1100 }, { 1100 }, 0, 0 },
				  little = { "a small weight", 4, { 300 }, { 300 }, 0, 0 },
				  read = { "a gradient that is read", 13, { 2053 }, { 131 }, READ, 0 };
	const struct shape *const shapes[] = { &many, &little, &read };
	const cg_optim_config config = { .kind = CG_ADAM }, sums = { .kind = CG_ADAM, .accumulate = 2 };
	struct trial t;

	for (int i = 0; i < 3; i++) {
		ok(trial_open(&t, ctx, shapes[i], &config) && !launches_of(&t, "matmul_update"),
			"%s: not in the product %s", shapes[i]->name, cg_error(ctx));
		trial_close(&t);
	}
	ok(trial_open(&t, ctx, &plain_shape, &sums) && !launches_of(&t, "matmul_update"),
		"gradients of several runs: not in the product %s", cg_error(ctx));
	trial_close(&t);
}

/* Gradients take the place of what the backward pass needed before, if one buffer is large enough for all. */
static void test_arena(cg_ctx *ctx)
{
	static const struct shape little = { "little", 4, { 300, 310 }, { 300, 310 }, 0, 0 },
				  pieces = { "pieces", 4, { 300, 310 }, { 300, 310 }, 0, 400000 };
	const cg_optim_config config = { .kind = CG_ADAM, .eps = 1e-3f }, kept = { .keep_grads = true };
	struct trial t;

	ok(trial_open(&t, ctx, &little, &config) && t.graph->grads_in_arena != ctx->env.guard_on,
		"gradients in the arena, but not with guards %s", cg_error(ctx));
	trial_close(&t);
	ok(trial_open(&t, ctx, &little, &kept) && !t.graph->grads_in_arena,
		"nor if they are kept %s", cg_error(ctx));
	trial_close(&t);
	ok(trial_open(&t, ctx, &pieces, &config) && !t.graph->grads_in_arena,
		"nor in several buffers %s", cg_error(ctx));
	trial_close(&t);
	test_case(ctx, "several buffers", &pieces, config);
	test_case(ctx, "one buffer", &little, config);
}

/* Whether the first and the last row of the gradient of a graph that has run are those of X' D. */
static bool compare_gradient(struct trial *t)
{
	const int64_t rows = t->shape->rows, M = t->shape->M[0], N = t->shape->N[0];
	float *g = malloc((size_t)(M * N) * sizeof(*g)), *x = values(t->x[0]), *d = values(t->d[0]);
	double far = g && x && d ? 0 : NAN;

	if (cg_params_read_grad(t->params, t->w[0], g, (size_t)(M * N) * sizeof(*g)) != CG_OK)
		far = NAN;
	for (int64_t i = 0; far < INFINITY && i < M; i += M - 1)
		for (int64_t j = 0; j < N; j++) {
			double sum = 0;

			for (int64_t k = 0; k < rows; k++)
				sum += (double)x[k * M + i] * (double)d[k * N + j];
			far = worse_of(far, fabs(sum - (double)g[i * N + j]));
		}
	free(g);
	free(x);
	free(d);
	return far < 1e-5;
}

/* A second graph may need a gradient which the first gave up, or give it up too. */
static void test_two_graphs(cg_ctx *ctx)
{
	const cg_optim_config config = { .kind = CG_SGD };
	struct trial t, u;

	if (!ok(trial_open(&t, ctx, &plain_shape, &config) && step(&t, 0) == CG_OK, "a graph %s",
		    cg_error(ctx)))
		return;
	u = t;
	u.graph = cg_graph_new(ctx, CG_TRAIN);
	u.loss = describe(&u);
	cg_backward(u.loss, u.params);
	u.plan = cg_plan_new(u.graph, &u.loss, 1);
	ok((u.plan && cg_plan_run(u.plan) == CG_OK) == (!expected(ctx) || !ctx->env.guard_on),
		"another graph has its gradients, if there is no buffer without them yet: %s",
		cg_error(ctx));
	ok(compare_gradient(&u) || (expected(ctx) && ctx->env.guard_on), "which are right");
	cg_clear_error(ctx);
	cg_plan_free(u.plan);
	cg_graph_free(u.graph);

	u.graph = cg_graph_new(ctx, CG_TRAIN);
	u.loss = describe(&u);
	u.optim = cg_optim_new(u.params, &config);
	cg_backward(u.loss, u.params);
	cg_optim_update(u.optim, u.graph);
	u.plan = cg_plan_new(u.graph, &u.loss, 1);
	ok(u.plan && step(&u, 1) == CG_OK && step(&t, 2) == CG_OK, "but for one with an update %s",
		cg_error(ctx));
	cg_plan_free(u.plan);
	cg_graph_free(u.graph);
	cg_optim_free(u.optim);
	trial_close(&t);
}

/* An optimiser that is refused leaves the graph as it was: the next one trains all weights. */
static void test_refused(cg_ctx *ctx)
{
	static const struct shape s = { "two weights", 4, { 2100, 2100 }, { 130, 130 }, 0, 0 };
	const cg_optim_config config = { .kind = CG_SGD };
	cg_optim *o = NULL;
	float *before = NULL;
	struct trial t = { .shape = &s,
		.params = cg_params_new(ctx),
		.graph = cg_graph_new(ctx, CG_TRAIN) };

	add_arrays(&t, ctx);
	if (ok(cg_params_init(t.params, 1) == CG_OK && cg_array_set_rate(t.w[0], 0) == CG_OK,
		    "a frozen weight %s", cg_error(ctx))) {
		o = cg_optim_new(t.params, &config);
		cg_array_set_rate(t.w[0], 1);
		t.loss = describe(&t);
		cg_backward(t.loss, t.params);
		ok(cg_optim_update(o, t.graph) == CG_ERR_STATE, "refused: %s", cg_error(ctx));
		cg_clear_error(ctx);
		t.optim = cg_optim_new(t.params, &config);
		cg_optim_update(t.optim, t.graph);
		t.plan = cg_plan_new(t.graph, &t.loss, 1);
		before = values(t.w[1]);
		ok(t.plan && step(&t, 0) == CG_OK && apart(t.w[1], t.w[1], before) == 0,
			"the other weight is trained by the next %s", cg_error(ctx));
	}
	free(before);
	cg_optim_free(o);
	trial_close(&t);
}

/* CG_FUSE leaves it out, and changes no result. */
static void test_left_out(cg_ctx *ctx)
{
	const cg_optim_config config = { .kind = CG_ADAM, .eps = 1e-3f };
	struct trial fused, plain;
	cg_ctx *other;

	setenv("CG_FUSE", "-matmul-update", 1);
	cg_open(NULL, &other);
	unsetenv("CG_FUSE");
	if (ok(trial_open(&fused, ctx, &plain_shape, &config) &&
			    trial_open(&plain, other, &plain_shape, &config),
		    "with and without it %s%s", cg_error(ctx), cg_error(other))) {
		ok(launches_of(&plain, "matmul_update") == 0, "none in products");
		compare(&fused, &plain, "without", false);
	}
	trial_close(&fused);
	trial_close(&plain);
	cg_close(other);
}

int main(void)
{
	cg_ctx *ctx;
	cg_status status = cg_open(NULL, &ctx);

	if (status == CG_ERR_NO_DEVICE) {
		cg_close(ctx);
		return skip_all("no OpenCL device");
	}
	if (ok(status == CG_OK, "a device %s", cg_error(ctx))) {
		test_updates(ctx);
		test_not_finite(ctx);
		test_reading(ctx);
		test_others(ctx);
		test_arena(ctx);
		test_two_graphs(ctx);
		test_refused(ctx);
		test_left_out(ctx);
	}
	cg_close(ctx);
	return done();
}
