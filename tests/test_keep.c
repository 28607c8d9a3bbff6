/*
 * What a plan that infers keeps of launches that depend on parameters alone: kept results are those of a new plan,
 * bit for bit, whatever wrote a parameter in between.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"
#include "optest.h"
#undef IN
#include "tap.h"

enum { B = 2, SIZE = 16, C = 16, CLASSES = 70, PIXELS = B * SIZE * SIZE * C, OUTPUTS = B * CLASSES };

struct model {
	cg_ctx *ctx;
	cg_params *params;
	cg_nn_conv2d conv;
	cg_nn_batch_norm norm;
	cg_nn_linear head;
	cg_array *x, *t;
};

struct eval {
	cg_graph *graph;
	cg_tensor *y;
	cg_plan *plan;
};

static void write_x(struct model *m, uint64_t seed)
{
	static float x[PIXELS];
	struct optest_rng rng = { seed };

	for (int i = 0; i < PIXELS; i++)
		x[i] = (float)optest_normal(&rng);
	cg_array_write(m->x, x, sizeof(x));
}

static bool model_open(struct model *m, cg_ctx *ctx)
{
	static float t[OUTPUTS];

	*m = (struct model){ .ctx = ctx, .params = cg_params_new(ctx) };
	cg_nn_conv2d_init(&m->conv, m->params, "conv", 3, C, C, 1, 1, true, CG_INIT_HE_NORMAL);
	cg_nn_batch_norm_init(&m->norm, m->params, "norm", C, 1e-3f, .9f);
	cg_nn_linear_init(&m->head, m->params, "head", C, CLASSES, true, CG_INIT_HE_NORMAL);
	m->x = cg_array_new(ctx, "x", CG_FLOAT32, 4, (int64_t[]){ B, SIZE, SIZE, C });
	m->t = cg_array_new(ctx, "t", CG_FLOAT32, 2, (int64_t[]){ B, CLASSES });
	t[3] = t[CLASSES + 5] = 1;
	cg_array_write(m->t, t, sizeof(t));
	write_x(m, 1);
	return cg_params_init(m->params, 1) == CG_OK;
}

static void model_close(struct model *m)
{
	cg_params_free(m->params);
	cg_array_free(m->x);
	cg_array_free(m->t);
}

/* With a running mean and a weight that are scaled first: launches of parameters on any device. */
static cg_tensor *forward(struct model *m, cg_graph *g)
{
	cg_tensor *h = cg_nn_conv2d_forward(&m->conv, cg_use(g, m->x));

	h = cg_relu(cg_nn_batch_norm_forward(&m->norm, h));
	h = cg_bias(cg_global_avg_pool(h), cg_scale(cg_use(g, m->norm.running_mean), 3));
	h = cg_bias(h, cg_scale(cg_use(g, m->norm.gamma), .5f));
	return cg_add(cg_nn_linear_forward(&m->head, h),
		cg_matmul(h, cg_scale(cg_use(g, m->head.weight), 2)));
}

static bool eval_open(struct eval *v, struct model *m)
{
	v->graph = cg_graph_new(m->ctx, CG_INFER);
	v->y = forward(m, v->graph);
	v->plan = cg_plan_new(v->graph, &v->y, 1);
	return v->plan != NULL;
}

static void eval_close(struct eval *v)
{
	cg_plan_free(v->plan);
	cg_graph_free(v->graph);
}

static bool eval_run(struct eval *v, float y[OUTPUTS])
{
	return cg_plan_run(v->plan) == CG_OK &&
		cg_plan_read(v->plan, v->y, y, OUTPUTS * sizeof(float)) == CG_OK;
}

static int launches_of(struct eval *v, struct model *m)
{
	const uint64_t before = cg_get_stats(m->ctx).launches;

	cg_plan_run(v->plan);
	return (int)(cg_get_stats(m->ctx).launches - before);
}

/* ---- what writes parameters ------------------------------------------------------------------ */

struct trainer {
	struct model *m;
	cg_graph *graph;
	cg_optim *optim;
	cg_plan *plan;
	char file[64];
};

static bool trainer_open(struct trainer *t, struct model *m)
{
	const cg_optim_config adam = { .kind = CG_ADAM, .ema = .5f };
	cg_tensor *loss;
	cg_writer *w;

	*t = (struct trainer){ .m = m, .graph = cg_graph_new(m->ctx, CG_TRAIN) };
	snprintf(t->file, sizeof(t->file), "/tmp/clgrad-keep-%ld.safetensors", (long)getpid());
	w = cg_writer_new(m->ctx, t->file);
	cg_params_save(m->params, w, "");
	cg_writer_close(w);
	loss = cg_cross_entropy(forward(m, t->graph), cg_use(t->graph, m->t), NULL, 0);
	t->optim = cg_optim_new(m->params, &adam);
	if (!loss || !t->optim || cg_backward(loss, m->params) != CG_OK ||
		cg_optim_update(t->optim, t->graph) != CG_OK)
		return false;
	t->plan = cg_plan_new(t->graph, &loss, 1);
	return t->plan != NULL;
}

static void trainer_close(struct trainer *t)
{
	remove(t->file);
	cg_plan_free(t->plan);
	cg_graph_free(t->graph);
	cg_optim_free(t->optim);
}

static cg_status train(struct trainer *t)
{
	cg_graph_set_step(t->graph, 1, 0);
	cg_optim_step(t->optim, .01f);
	return cg_plan_run(t->plan);
}

static cg_status write_one(struct trainer *t)
{
	float gamma[C];

	for (int i = 0; i < C; i++)
		gamma[i] = (float)(i + 1) / 8;
	return cg_array_write(t->m->norm.gamma, gamma, sizeof(gamma));
}

static cg_status init_again(struct trainer *t)
{
	return cg_params_init(t->m->params, 7);
}

static cg_status load(struct trainer *t)
{
	cg_file *f = cg_file_open(t->m->ctx, t->file);
	cg_status status = f ? cg_params_load(t->m->params, f, "") : CG_ERR_FILE;

	cg_file_close(f);
	return status;
}

static cg_status swap(struct trainer *t)
{
	return cg_optim_swap_ema(t->optim);
}

/* A plan that writes one parameter: its own sum with itself, or another's values. */
static cg_status write_by_plan(struct trainer *t, bool add)
{
	cg_graph *g = cg_graph_new(t->m->ctx, CG_INFER);
	cg_array *a = t->m->head.weight;
	cg_tensor *twice = cg_scale(cg_use(g, a), 2);
	cg_status status = add ? cg_accumulate(a, twice) : cg_store(a, twice);
	cg_plan *p = status == CG_OK ? cg_plan_new(g, NULL, 0) : NULL;

	status = p ? cg_plan_run(p) : CG_ERR_STATE;
	cg_plan_free(p);
	cg_graph_free(g);
	return status;
}

static cg_status store(struct trainer *t)
{
	return write_by_plan(t, false);
}

static cg_status accumulate(struct trainer *t)
{
	return write_by_plan(t, true);
}

/* Of a training graph without gradients: only the running statistics move. */
static cg_status move_statistics(struct trainer *t)
{
	cg_graph *g = cg_graph_new(t->m->ctx, CG_TRAIN);
	cg_tensor *y = forward(t->m, g);
	cg_plan *p = cg_plan_new(g, &y, 1);
	cg_status status = p ? cg_plan_run(p) : CG_ERR_STATE;

	cg_plan_free(p);
	cg_graph_free(g);
	return status;
}

/* The first launches of parameters fail right after a parameter was written. */
static cg_status fail_once(struct trainer *t, struct eval *v)
{
	cg_ctx *ctx = t->m->ctx;
	cg_status status = init_again(t);

	ctx->fault_count = 0;
	ctx->env.fault_kind = CG__FAULT_LAUNCH;
	ctx->env.fault_at = 2;
	ok(cg_plan_run(v->plan) == CG_ERR_LAUNCH, "a run that fails at its second launch");
	ctx->env.fault_at = 0;
	cg_clear_error(ctx);
	return status;
}

static cg_status profile(struct trainer *t, struct eval *v)
{
	const cg_status status = load(t);

	return status == CG_OK ? cg_plan_profile(v->plan) : status;
}

static const struct {
	const char *what;
	cg_status (*write)(struct trainer *t);
	cg_status (*disturb)(struct trainer *t, struct eval *v);
} writes[] = {
	{ "cg_array_write of one parameter", write_one, NULL },
	{ "a training step", train, NULL },
	{ "weights exchanged with their average", swap, NULL },
	{ "and back", swap, NULL },
	{ "cg_params_init", init_again, NULL },
	{ "a training step and one more", train, NULL },
	{ "cg_params_load", load, NULL },
	{ "cg_store in another plan", store, NULL },
	{ "cg_accumulate in another plan", accumulate, NULL },
	{ "running statistics", move_statistics, NULL },
	{ "a failure", NULL, fail_once },
	{ "a profile", NULL, profile },
};

static void check_write(struct trainer *t, struct eval *v, int i, float before[OUTPUTS])
{
	float kept[OUTPUTS], twice[OUTPUTS], fresh[OUTPUTS];
	struct eval other;
	bool good = (writes[i].write ? writes[i].write(t) : writes[i].disturb(t, v)) == CG_OK;

	good = eval_run(v, kept) && eval_run(v, twice) && good && eval_open(&other, t->m) &&
		eval_run(&other, fresh);
	ok(good && memcmp(kept, before, sizeof(kept)) != 0, "%s changes the result %s",
		writes[i].what, cg_error(t->m->ctx));
	ok(good && memcmp(kept, fresh, sizeof(kept)) == 0 && memcmp(twice, fresh, sizeof(twice)) == 0,
		"as it does in a new plan");
	memcpy(before, kept, sizeof(kept));
	eval_close(&other);
}

static void test_writes(cg_ctx *ctx)
{
	struct model m;
	struct trainer t;
	struct eval v;
	float before[OUTPUTS];

	ok(model_open(&m, ctx) && trainer_open(&t, &m) && eval_open(&v, &m) && eval_run(&v, before),
		"a model, its training step and its evaluation %s", cg_error(ctx));
	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
		check_write(&t, &v, (int)i, before);
	eval_close(&v);
	trainer_close(&t);
	model_close(&m);
}

/* ---- with and without ------------------------------------------------------------------------ */

/* Three runs, the last with other images; the launches of the first and the second. */
static bool run_three(cg_ctx *ctx, float y[3][OUTPUTS], int launches[2])
{
	struct model m;
	struct eval v;
	bool good = model_open(&m, ctx) && eval_open(&v, &m);

	launches[0] = good ? launches_of(&v, &m) : 0;
	good = good && cg_plan_read(v.plan, v.y, y[0], sizeof(y[0])) == CG_OK;
	launches[1] = good ? launches_of(&v, &m) : 0;
	good = good && cg_plan_read(v.plan, v.y, y[1], sizeof(y[1])) == CG_OK;
	write_x(&m, 2);
	good = good && eval_run(&v, y[2]);
	eval_close(&v);
	model_close(&m);
	return good;
}

static void test_switch(void)
{
	static const struct {
		const char *name, *value;
		bool keeps;
	} mode[] = { { "CG_FUSE", "-keep", false }, { "CG_SYNC", "1", true },
		{ "CG_GUARD", "1", true }, { "CG_NAN", "1", true } };
	float y[4][3][OUTPUTS];
	int launches[4][2];

	for (int i = 0; i < 4; i++) {
		cg_ctx *ctx;
		bool good;

		setenv(mode[i].name, mode[i].value, 1);
		good = cg_open(NULL, &ctx) == CG_OK && run_three(ctx, y[i], launches[i]);
		unsetenv(mode[i].name);
		ok(good && (launches[i][1] < launches[i][0]) == mode[i].keeps,
			"%s=%s: %d launches, then %d %s", mode[i].name, mode[i].value, launches[i][0],
			launches[i][1], cg_error(ctx));
		ok(memcmp(y[i], y[0], sizeof(y[i])) == 0 && memcmp(y[i][0], y[i][2], sizeof(y[i][0])) != 0,
			"the same results as without, and others of other images");
		cg_close(ctx);
	}
}

/* ---- packed weights -------------------------------------------------------------------------- */

/* Around tiles, panels, pieces of the reduction, and what is read in place. R 0: a product of B·H rows. */
struct weighted {
	int64_t B, H, C, M;
	int R, stride, pad;
	bool gradient; /* of x, by which weights are transposed */
};
static const struct weighted weighted[] = {
	{ 1, 1, 40, 7, 0, 0, 0, false },
	{ 1, 2, 130, 64, 0, 0, 0, false },
	{ 5, 1, 800, 70, 0, 0, 0, false },
	{ 37, 1, 100, 832, 0, 0, 0, false },
	{ 7, 9, 1600, 800, 0, 0, 0, false },
	{ 30, 21, 33, 1000, 0, 0, 0, false },
	{ 9, 1, 100, 70, 0, 0, 0, true },
	{ 20, 2, 800, 900, 0, 0, 0, true },
	{ 1, 5, 24, 70, 3, 1, 1, false },
	{ 1, 2, 300, 33, 3, 1, 1, false },
	{ 2, 7, 96, 96, 3, 2, 1, false },
	{ 1, 6, 16, 100, 5, 1, 2, false },
	{ 1, 11, 20, 33, 5, 1, 2, false },
	{ 3, 3, 700, 65, 3, 1, 0, false },
	{ 1, 2, 2400, 33, 3, 1, 1, false },
};

/* The result with a bias, a norm of running statistics and a relu, of two runs: x twice, or negative the second time. */
static float *run_weighted(cg_ctx *ctx, const struct weighted *s, int64_t *count)
{
	const int64_t pixels = s->R ? s->B * s->H * s->H : s->B * s->H;
	const int64_t shape[] = { s->B, s->H, s->R ? s->H : 1, s->C };
	const size_t n = (size_t)(pixels * s->C);
	float *x = malloc(n * sizeof(float)), *y;
	struct optest_rng rng = { 3 };
	cg_params *params = cg_params_new(ctx);
	cg_array *in = cg_array_new(ctx, "x", CG_FLOAT32, 4, shape);
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_nn_conv2d conv;
	cg_nn_batch_norm norm;
	cg_tensor *out;
	cg_plan *p;

	cg_nn_conv2d_init(&conv, params, "w", s->R ? s->R : 1, s->C, s->M, s->R ? s->stride : 1, s->pad, true,
		CG_INIT_HE_NORMAL);
	cg_nn_batch_norm_init(&norm, params, "norm", s->M, 1e-3f, .9f);
	cg_params_init(params, 5);
	cg_want_grad(cg_use(g, in));
	out = cg_relu(cg_nn_batch_norm_forward(&norm, cg_nn_conv2d_forward(&conv, cg_use(g, in))));
	if (s->gradient) {
		cg_backward_from(out, out, NULL);
		out = cg_grad(cg_use(g, in));
	}
	p = out ? cg_plan_new(g, &out, 1) : NULL;
	*count = p ? cg_tensor_count(out) : 0;
	y = calloc((size_t)*count * 2 + 1, sizeof(float));
	for (int run = 0; p && run < 2; run++) {
		for (size_t i = 0; i < n; i++)
			x[i] = run ? -x[i] : (float)optest_normal(&rng);
		cg_array_write(in, x, n * sizeof(float));
		cg_plan_run(p);
		cg_plan_read(p, out, y + run * *count, (size_t)*count * sizeof(float));
	}
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(in);
	cg_params_free(params);
	free(x);
	return y;
}

static void test_packed(cg_ctx *ctx)
{
	cg_ctx *plain;

	setenv("CG_FUSE", "-keep", 1);
	cg_open(NULL, &plain);
	unsetenv("CG_FUSE");
	for (size_t i = 0; i < sizeof(weighted) / sizeof(weighted[0]); i++) {
		const struct weighted *s = &weighted[i];
		int64_t n, m;
		float *a = run_weighted(ctx, s, &n), *b = run_weighted(plain, s, &m);
		/* kept 5x5 windows are filtered from fewer pixels on */
		const double bound = s->R == 5 ? 3e-5 : 2e-6;
		double most = 0, largest = 0;

		for (int64_t k = 0; k < 2 * n; k++) {
			most = worse_of(most, fabs((double)a[k] - (double)b[k]));
			largest = worse_of(largest, fabs((double)b[k]));
		}
		ok(n > 0 && n == m && largest > .1 && most < bound * largest,
			"%lldx%lldx%lld, %dx%d to %lld%s: kept and not differ by %.1e of %.1e %s",
			(long long)s->B, (long long)s->H, (long long)s->C, s->R, s->R, (long long)s->M,
			s->gradient ? ", gradient" : "", most,
			largest, cg_error(ctx));
		free(a);
		free(b);
	}
	cg_close(plain);
}

/* A plan that doubles a parameter keeps nothing of it. */
static void test_own_write(cg_ctx *ctx)
{
	cg_params *params = cg_params_new(ctx);
	cg_array *w = cg_params_add(params, "w", 1, (int64_t[]){ 3 }, CG_INIT_ONE, 0);
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	bool good = cg_params_init(params, 1) == CG_OK &&
		cg_store(w, cg_scale(cg_use(g, w), 2)) == CG_OK;
	cg_plan *p = good ? cg_plan_new(g, NULL, 0) : NULL;
	float value[3] = { 0 };

	for (int i = 0; i < 3; i++)
		good = good && cg_plan_run(p) == CG_OK;
	good = good && cg_array_read(w, value, sizeof(value)) == CG_OK;
	ok(good && value[0] == 8 && value[2] == 8, "three runs that double a one make %g", (double)value[0]);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_params_free(params);
}

int main(void)
{
	cg_ctx *ctx;

	if (cg_open(NULL, &ctx) != CG_OK)
		return skip_all("%s", cg_error(ctx));
	test_writes(ctx);
	test_own_write(ctx);
	test_packed(ctx);
	cg_close(ctx);
	test_switch();
	return done();
}
