/*
 * Optimisers and schedules alone, against PyTorch: the parameters after each of six steps with
 * given gradients, and learning rates step by step.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clgrad.h"
#include "golden.h"
#include "tap.h"

enum { STEPS = 6, PARAMS = 2, LENGTH = 100, WARMUP = 10, EPOCHS = 16 };

static const struct {
	const char *name;
	int ndim;
	int64_t shape[2], count;
	unsigned flags;
} described[PARAMS] = {
	{ "w", 2, { 5, 7 }, 35, 0 },
	{ "b", 1, { 7 }, 7, CG_PARAM_NO_DECAY },
};

/* The loss is sum of w * given for all parameters: the gradient of w is what is given. */
struct trial {
	cg_params *params;
	cg_array *w[PARAMS], *given[PARAMS];
	cg_graph *graph;
	cg_tensor *loss;
	cg_optim *optim;
	cg_plan *plan;
};

/* `rate`: factors of the learning rate, or NULL. */
static bool trial_open(
	struct trial *t, cg_ctx *ctx, const cg_optim_config *config, const float *rate)
{
	cg_tensor *loss = NULL;

	*t = (struct trial){ .params = cg_params_new(ctx), .graph = cg_graph_new(ctx, CG_TRAIN) };
	for (int i = 0; i < PARAMS; i++) {
		t->w[i] = cg_params_add(t->params, described[i].name, described[i].ndim,
			described[i].shape, CG_INIT_ZERO, described[i].flags);
		t->given[i] = cg_array_new(
			ctx, "given", CG_FLOAT32, described[i].ndim, described[i].shape);
	}
	if (golden_init_params(t->params) != CG_OK)
		return false;
	for (int i = 0; rate && i < PARAMS; i++)
		cg_array_set_rate(t->w[i], rate[i]);
	for (int i = 0; i < PARAMS; i++) {
		cg_tensor *part =
			cg_sum(cg_mul(cg_use(t->graph, t->w[i]), cg_use(t->graph, t->given[i])));

		loss = i ? cg_add(loss, part) : part;
	}
	t->loss = loss;
	t->optim = cg_optim_new(t->params, config);
	if (!loss || !t->optim || cg_backward(loss, t->params) != CG_OK ||
		cg_optim_update(t->optim, t->graph) != CG_OK)
		return false;
	t->plan = cg_plan_new(t->graph, &t->loss, 1);
	return t->plan != NULL;
}

static void trial_close(struct trial *t)
{
	cg_plan_free(t->plan);
	cg_graph_free(t->graph);
	cg_optim_free(t->optim);
	for (int i = 0; i < PARAMS; i++)
		cg_array_free(t->given[i]);
	cg_params_free(t->params);
}

/* The gradients of a step, each multiplied by `scale`. */
static void give(struct trial *t, int step, double scale)
{
	float g[64];
	char name[64];

	for (int i = 0; i < PARAMS; i++) {
		snprintf(name, sizeof(name), "gradient %d %s", step, described[i].name);
		for (int64_t k = 0; k < described[i].count; k++)
			g[k] = (float)(scale * (double)(float)golden_uniform(name, k));
		cg_array_write(t->given[i], g, (size_t)described[i].count * sizeof(float));
	}
}

static double norm_of_step(int step)
{
	double sum = 0;
	char name[64];

	for (int i = 0; i < PARAMS; i++) {
		snprintf(name, sizeof(name), "gradient %d %s", step, described[i].name);
		for (int64_t k = 0; k < described[i].count; k++)
			sum += golden_uniform(name, k) * golden_uniform(name, k);
	}
	return sqrt(sum);
}

/* Runs one update in `pieces` runs whose gradients have the step's as their mean. */
static void update(struct trial *t, int step, int pieces, float lr)
{
	for (int piece = 0; piece < pieces; piece++) {
		give(t, step, pieces == 1 ? 1 : piece ? .5 : 1.5);
		cg_optim_step(t->optim, lr);
		cg_plan_run(t->plan);
	}
}

static void keep(const struct trial *t, int step, float history[PARAMS][STEPS * 64])
{
	for (int i = 0; i < PARAMS; i++) {
		size_t n = (size_t)described[i].count;

		cg_array_read(t->w[i], &history[i][(size_t)step * n], n * sizeof(float));
	}
}

/* `golden` names the case of the fixture. With an average of the weights, that is compared. */
static void test_updates(
	cg_ctx *ctx, cg_file *f, const char *golden, const cg_optim_config *config, float lr)
{
	static float history[PARAMS][STEPS * 64];
	int pieces = config->accumulate > 1 ? config->accumulate : 1;
	bool norms = true;
	struct trial t;

	if (trial_open(&t, ctx, config, NULL)) {
		for (int step = 0; step < STEPS; step++) {
			float norm = 0;

			update(&t, step, pieces, lr);
			if (config->ema > 0)
				cg_optim_swap_ema(t.optim);
			keep(&t, step, history);
			if (config->ema > 0)
				cg_optim_swap_ema(t.optim);
			cg_optim_grad_norm(t.optim, &norm);
			norms &= config->no_norm
				? norm == 0
				: fabs((double)norm / norm_of_step(step) - 1) < 1e-6;
		}
		for (int i = 0; i < PARAMS; i++) {
			char name[64];

			snprintf(name, sizeof(name), "%s/%s", golden, described[i].name);
			golden_compare(f, name, history[i], STEPS * described[i].count);
		}
		ok(norms, "%s: the norm of each gradient, before clipping", golden);
		ok(cg_optim_steps(t.optim) == STEPS, "%s: %d updates are counted", golden, STEPS);
	}
	ok(cg_error_status(ctx) == CG_OK, "%s%s%s%s", golden, pieces > 1 ? " in pieces" : "",
		cg_error(ctx)[0] ? ": " : "", cg_error(ctx));
	cg_clear_error(ctx);
	trial_close(&t);
}

static void test_optimizers(cg_ctx *ctx, cg_file *f)
{
	const float wd = .1f;
	const struct {
		const char *name;
		float lr;
		cg_optim_config config;
	} cases[] = {
		{ "sgd", .1f, { .kind = CG_SGD, .weight_decay = wd } },
		{ "momentum", .1f, { .kind = CG_SGD, .momentum = .9f, .weight_decay = wd } },
		{ "nesterov", .1f,
			{ .kind = CG_SGD, .momentum = .9f, .nesterov = true, .weight_decay = wd } },
		{ "adam", .01f, { .kind = CG_ADAM, .weight_decay = wd } },
		{ "adam", .01f, { .kind = CG_ADAM, .weight_decay = wd, .no_norm = true } },
		{ "adamw", .01f, { .kind = CG_ADAMW, .weight_decay = wd, .eps = 1e-3f } },
		{ "clip", .1f,
			{ .kind = CG_SGD,
				.momentum = .9f,
				.nesterov = true,
				.weight_decay = wd,
				.clip_norm = 1.5f } },
		{ "ema", .1f,
			{ .kind = CG_SGD,
				.momentum = .9f,
				.nesterov = true,
				.weight_decay = wd,
				.ema = .75f } },
		{ "adam", .01f, { .kind = CG_ADAM, .weight_decay = wd, .accumulate = 2 } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_updates(ctx, f, cases[i].name, &cases[i].config, cases[i].lr);
}

/* A gradient that is not finite leaves weights and moments alone. */
static void test_not_finite(cg_ctx *ctx)
{
	const cg_optim_config config = { .kind = CG_ADAM };
	static float history[PARAMS][STEPS * 64];
	struct trial t;

	if (trial_open(&t, ctx, &config, NULL)) {
		update(&t, 0, 1, .01f);
		keep(&t, 0, history);
		give(&t, 1, INFINITY);
		cg_optim_step(t.optim, .01f);
		cg_plan_run(t.plan);
		keep(&t, 1, history);
		ok(!memcmp(history[0], &history[0][35], 35 * sizeof(float)),
			"a gradient that is not finite changes nothing");
	}
	ok(cg_error_status(ctx) == CG_OK, "no error%s%s", cg_error(ctx)[0] ? ": " : "",
		cg_error(ctx));
	trial_close(&t);
}

/* What `steps` steps with these rates make of the parameters: their changes. */
static bool moved(cg_ctx *ctx, const cg_optim_config *config, const float *rate, int steps,
	float delta[PARAMS][64])
{
	struct trial t;
	bool good = trial_open(&t, ctx, config, rate);
	float now[64];

	for (int i = 0; i < PARAMS && good; i++)
		cg_array_read(t.w[i], delta[i], (size_t)described[i].count * sizeof(float));
	for (int step = 0; step < steps && good; step++)
		update(&t, step, 1, .1f);
	for (int i = 0; i < PARAMS && good; i++) {
		cg_array_read(t.w[i], now, (size_t)described[i].count * sizeof(float));
		for (int64_t k = 0; k < described[i].count; k++)
			delta[i][k] = now[k] - delta[i][k];
	}
	if (good && rate && rate[0] == 0)
		good = cg_params_read_grad(t.params, t.w[0], now, 35 * sizeof(float)) ==
			CG_ERR_STATE;
	cg_clear_error(ctx);
	trial_close(&t);
	return good;
}

/* The rate k gives k times the step of plain SGD, 0 leaves every bit and makes no gradient. */
static void test_rates(cg_ctx *ctx)
{
	const cg_optim_config sgd = { .kind = CG_SGD, .weight_decay = .1f };
	const cg_optim_config adamw = { .kind = CG_ADAMW, .weight_decay = .1f, .ema = .5f,
		.keep_grads = true };
	const float faster[PARAMS] = { 3, .5f }, frozen[PARAMS] = { 0, 1 };
	static float one[PARAMS][64], other[PARAMS][64];
	static const float zero[64];
	double worst = 0;

	ok(moved(ctx, &sgd, NULL, 1, one) && moved(ctx, &sgd, faster, 1, other),
		"a step with the rates 3 and 0.5");
	for (int i = 0; i < PARAMS; i++)
		for (int64_t k = 0; k < described[i].count; k++)
			worst = worse_of(worst, fabs((double)(faster[i] * one[i][k] - other[i][k])));
	ok(worst < 1e-6, "is 3 and 0.5 times the step (%g)", worst);
	ok(moved(ctx, &adamw, frozen, 3, other), "a frozen parameter has no gradient");
	ok(!memcmp(other[0], zero, 35 * sizeof(float)), "and keeps its bits");
	ok(memcmp(other[1], zero, 7 * sizeof(float)), "the other is trained");
}

/* Learning rates are computed in double precision and rounded once. */
static void compare_rates(cg_file *f, const char *name, const float *lr, int count)
{
	char full[64];
	float *golden;
	int wrong = -1;

	snprintf(full, sizeof(full), "schedule/%s", name);
	golden = golden_read(f, full, count);
	for (int i = 0; golden && i < count; i++)
		if (fabs((double)lr[i] - (double)golden[i]) > .1 * GOLDEN_FACTOR * GOLDEN_FLOOR &&
			wrong < 0)
			wrong = i;
	if (golden && !ok(wrong < 0, "%s: %d learning rates", name, count))
		diag("step %d: %.9g, expected %.9g", wrong, (double)lr[wrong],
			(double)golden[wrong]);
	free(golden);
}

static void test_schedules(cg_file *f)
{
	static const struct {
		const char *name;
		cg_sched sched;
	} cases[] = {
		{ "onecycle", { .kind = CG_SCHED_ONECYCLE, .lr = .1f, .steps = LENGTH } },
		{ "cosine",
			{ .kind = CG_SCHED_COSINE, .lr = .1f, .min_lr = 1e-3f, .steps = LENGTH } },
		{ "warmup-cosine",
			{ .kind = CG_SCHED_COSINE,
				.lr = .1f,
				.min_lr = 1e-3f,
				.steps = LENGTH,
				.warmup = WARMUP } },
		{ "warmup-constant",
			{ .kind = CG_SCHED_CONST, .lr = .1f, .steps = LENGTH, .warmup = WARMUP } },
	};
	float lr[LENGTH];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int step = 0; step < LENGTH; step++)
			lr[step] = cg_sched_lr(&cases[i].sched, (uint64_t)step);
		compare_rates(f, cases[i].name, lr, LENGTH);
	}
}

static void test_plateau(cg_file *f)
{
	cg_sched s = {
		.kind = CG_SCHED_PLATEAU, .lr = .1f, .min_lr = .02f, .factor = .5f, .patience = 2
	};
	float *value = golden_read(f, "schedule/epochs", EPOCHS), lr[EPOCHS];

	for (int epoch = 0; value && epoch < EPOCHS; epoch++) {
		cg_sched_epoch(&s, value[epoch]);
		lr[epoch] = cg_sched_lr(&s, (uint64_t)epoch);
	}
	if (value)
		compare_rates(f, "plateau", lr, EPOCHS);
	free(value);
}

int main(void)
{
	cg_ctx *ctx;
	cg_status status = cg_open(NULL, &ctx);
	cg_file *f;

	if (status == CG_ERR_NO_DEVICE) {
		cg_close(ctx);
		return skip_all("no OpenCL device");
	}
	f = status == CG_OK ? golden_open(ctx, "optim.safetensors") : NULL;
	if (ok(f, "the fixture opens%s%s", f ? "" : ": ", f ? "" : cg_error(ctx))) {
		test_optimizers(ctx, f);
		test_not_finite(ctx);
		test_rates(ctx);
		test_schedules(f);
		test_plateau(f);
		diag("at most %.0f %% of a tolerance was used", 100 * golden_worst());
	}
	cg_file_close(f);
	cg_close(ctx);
	return done();
}
