/* Normalisation and pooling: what a table of values and gradients does not show. */
#include "optest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static cg_array *array(cg_ctx *ctx, int ndim, const int64_t *shape, const float *values)
{
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, ndim, shape);

	if (a && values)
		cg_array_write(a, values, (size_t)cg_array_count(a) * sizeof(float));
	return a;
}
#define ARRAY(ctx, values, ...) \
	array(ctx, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), \
		(int64_t[]){ __VA_ARGS__ }, values)

static bool near(double a, double b, double relative)
{
	return fabs(a - b) <= relative * fabs(b);
}

/* ---- running statistics ------------------------------------------------------------------ */

enum { ROWS = 1237, C = 5 };

struct norm {
	cg_array *x, *gamma, *beta, *mean, *var;
};

static struct norm norm_new(cg_ctx *ctx, const float *x)
{
	const float ones[C] = { 1, 1, 1, 1, 1 };

	return (struct norm){ ARRAY(ctx, x, ROWS, C), ARRAY(ctx, ones, C), ARRAY(ctx, NULL, C),
		ARRAY(ctx, NULL, C), ARRAY(ctx, ones, C) };
}

static void norm_free(struct norm *n)
{
	cg_array_free(n->x);
	cg_array_free(n->gamma);
	cg_array_free(n->beta);
	cg_array_free(n->mean);
	cg_array_free(n->var);
}

/* Runs a graph of the one operation so many times; y of the last run. */
static void run_norm(
	cg_ctx *ctx, struct norm *n, cg_mode mode, float eps, bool frozen, int runs, float *y)
{
	cg_graph *g = cg_graph_new(ctx, mode);
	cg_tensor *out = cg_batch_norm(cg_use(g, n->x), cg_use(g, n->gamma), cg_use(g, n->beta),
		n->mean, n->var, eps, .9f, frozen);
	cg_plan *p = cg_plan_new(g, &out, 1);

	for (int i = 0; i < runs; i++)
		cg_plan_run(p);
	cg_plan_read(p, out, y, ROWS * C * sizeof(float));
	cg_plan_free(p);
	cg_graph_free(g);
}

static void moments(const float *x, int c, double *mean, double *var)
{
	*mean = *var = 0;
	for (int i = 0; i < ROWS; i++)
		*mean += (double)x[i * C + c] / ROWS;
	for (int i = 0; i < ROWS; i++)
		*var += ((double)x[i * C + c] - *mean) * ((double)x[i * C + c] - *mean) / ROWS;
}

/* Channels of very different scales: a variance far below eps must not be lost in it. */
static void fill_scales(float *x)
{
	const double scale[C] = { 1, 1e-4, 1e3, 1, 0 }, shift[C] = { 0, .01, -50, 1e4, 7 };
	struct optest_rng rng = { 3 };

	for (int i = 0; i < ROWS * C; i++)
		x[i] = (float)(scale[i % C] * optest_normal(&rng) + shift[i % C]);
}

static void test_running(cg_ctx *ctx)
{
	float x[ROWS * C], y[ROWS * C], mean[C], var[C];
	struct norm n;
	bool good = true;

	fill_scales(x);
	n = norm_new(ctx, x);
	run_norm(ctx, &n, CG_TRAIN, 1e-3f, false, 3, y);
	cg_array_read(n.mean, mean, sizeof(mean));
	cg_array_read(n.var, var, sizeof(var));
	for (int c = 0; c < C; c++) {
		double m, v, left = .9 * .9 * .9, bound;

		moments(x, c, &m, &v);
		bound = 1e-6 * (1 + fabs(m) / (sqrt(v) + 1e-3)); /* how well float can know it */
		good &= near((double)mean[c], (1 - left) * m, bound);
		good &= near((double)var[c], left + (1 - left) * v * ROWS / (ROWS - 1), bound);
	}
	ok(good, "three steps move the running statistics, variance unbiased");
	run_norm(ctx, &n, CG_TRAIN, 1e-3f, true, 2, y);
	run_norm(ctx, &n, CG_INFER, 1e-3f, false, 2, y);
	cg_array_read(n.mean, y, sizeof(mean));
	cg_array_read(n.var, y + C, sizeof(var));
	ok(memcmp(y, mean, sizeof(mean)) == 0 && memcmp(y + C, var, sizeof(var)) == 0,
		"frozen steps and inference leave them alone");
	norm_free(&n);
}

/* The variance of a channel with momentum 0 is what the step computed. */
static void test_variance(cg_ctx *ctx)
{
	float x[ROWS * C], y[ROWS * C];
	struct norm n;
	double worst = 0;

	fill_scales(x);
	n = norm_new(ctx, x);
	run_norm(ctx, &n, CG_TRAIN, 1e-12f, false, 1, y);
	for (int c = 0; c < 4; c++) {
		double m, v;

		moments(x, c, &m, &v);
		for (int i = c; i < ROWS * C; i += C) {
			double want = ((double)x[i] - m) / sqrt(v + 1e-12);
			double allowed = 8 * 0x1p-24 * (fabs(want) * 8 + 2 * fabs(m) / sqrt(v));
			double share = fabs((double)y[i] - want) / allowed;

			worst = worse_of(worst, share);
		}
	}
	ok(worst <= 1, "means up to 10^4 sd from zero are sound, %.2g of the bound", worst);
	ok(y[4] == 0, "a constant channel gives beta");
	norm_free(&n);
}

/* ---- pooling ----------------------------------------------------------------------------- */

/* y and dx of a 2x2/2 pool over a 2x2 image of one channel, dy = 1. */
static void pool4(cg_ctx *ctx, const float x[4], float *y, float dx[4])
{
	cg_array *a = ARRAY(ctx, x, 1, 2, 2, 1), *one = ARRAY(ctx, (float[]){ 1 }, 1, 1, 1, 1);
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *in = cg_use(g, a), *out[2];
	cg_plan *p;

	cg_want_grad(in);
	out[0] = cg_max_pool(in, &(cg_pool_config){ .window_h = 2, .window_w = 2 });
	cg_backward_from(out[0], cg_use(g, one), NULL);
	out[1] = cg_grad(in);
	p = cg_plan_new(g, out, 2);
	cg_plan_run(p);
	cg_plan_read(p, out[0], y, sizeof(float));
	cg_plan_read(p, out[1], dx, 4 * sizeof(float));
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(one);
}

static void test_max_pool(cg_ctx *ctx)
{
	float y, dx[4];

	pool4(ctx, (float[]){ 1, 3, 3, 3 }, &y, dx);
	ok(y == 3 && dx[0] == 0 && dx[1] == 1 && dx[2] == 0 && dx[3] == 0,
		"max_pool: the first of equal maxima has the gradient");
	pool4(ctx, (float[]){ 1, NAN, 3, 2 }, &y, dx);
	ok(isnan(y), "max_pool: NaN is not hidden");
	pool4(ctx, (float[]){ -INFINITY, -INFINITY, -INFINITY, -INFINITY }, &y, dx);
	ok(isinf(y) && y < 0 && dx[0] == 1, "max_pool: minus infinity is a value");
}

/* ---- results past the caches ---------------------------------------------------------------- */

enum { SIDE = 4, WIDE = 48, FAR_COUNT = 2 * SIDE * SIDE * WIDE };

/* y = gelu(layer norm(x) + w), and the gradient of x behind that, a batch norm, a relu and a pool. */
static cg_plan *plan_chain(cg_graph *g, cg_array *const a[4], cg_tensor *out[2])
{
	cg_tensor *x = cg_use(g, a[0]), *w = cg_use(g, a[1]), *y;

	cg_want_grad(x);
	out[0] = cg_gelu(cg_bias(cg_layer_norm(x, w, w, 1e-6f), w));
	y = cg_relu(cg_batch_norm(out[0], w, w, a[2], a[3], 1e-3f, .9f, false));
	y = cg_max_pool(y, &(cg_pool_config){ .window_h = 2, .window_w = 2 });
	cg_backward(cg_sum(cg_mul(y, y)), NULL);
	out[1] = cg_grad(x);
	return cg_plan_new(g, out, 2);
}

static bool run_chain(cg_ctx *ctx, float y[FAR_COUNT], float dx[FAR_COUNT])
{
	float values[FAR_COUNT], ones[WIDE];
	struct optest_rng rng = { 5 };
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_array *a[4];
	cg_tensor *out[2];
	cg_plan *p;
	bool good;

	for (int i = 0; i < FAR_COUNT; i++)
		values[i] = (float)optest_normal(&rng);
	for (int i = 0; i < WIDE; i++)
		ones[i] = 1;
	for (int i = 0; i < 4; i++)
		a[i] = i ? ARRAY(ctx, ones, WIDE) : ARRAY(ctx, values, 2, SIDE, SIDE, WIDE);
	p = plan_chain(g, a, out);
	good = cg_plan_run(p) == CG_OK &&
		cg_plan_read(p, out[0], y, FAR_COUNT * sizeof(*y)) == CG_OK &&
		cg_plan_read(p, out[1], dx, FAR_COUNT * sizeof(*dx)) == CG_OK;
	cg_plan_free(p);
	cg_graph_free(g);
	for (int i = 0; i < 4; i++)
		cg_array_free(a[i]);
	return good;
}

/* Each operation by itself, in a context of its own. */
static bool every_result(const char *build, float y[FAR_COUNT], float dx[FAR_COUNT])
{
	cg_ctx *ctx;
	bool good;

	setenv("CG_BUILD", build, 1);
	setenv("CG_FUSE", "-all", 1);
	good = cg_open(NULL, &ctx) == CG_OK && run_chain(ctx, y, dx);
	cg_close(ctx);
	unsetenv("CG_BUILD");
	unsetenv("CG_FUSE");
	return good;
}

static void test_far(void)
{
	static float y[2][FAR_COUNT], dx[2][FAR_COUNT];
	const bool good = every_result("", y[0], dx[0]) && every_result("-DCG_FAR=1", y[1], dx[1]);
	int changed = 0;

	for (int i = 0; i < FAR_COUNT; i++)
		changed += dx[0][i] != 0 && y[0][i] != 0;
	ok(good && memcmp(y[0], y[1], sizeof(y[0])) == 0 && memcmp(dx[0], dx[1], sizeof(dx[0])) == 0,
		"results written past the caches have the same bits");
	ok(changed > FAR_COUNT / 2, "and %d of %d are not zero", changed, FAR_COUNT);
}

/* ---- misuse ------------------------------------------------------------------------------ */

static void refused(cg_ctx *ctx, const cg_tensor *y, cg_status status, const char *what)
{
	ok(!y && cg_error_status(ctx) == status, "%s: %s", what, cg_error(ctx));
	cg_clear_error(ctx);
}

static void test_misuse(cg_ctx *ctx)
{
	cg_array *image = ARRAY(ctx, NULL, 2, 5, 4, 3), *three = ARRAY(ctx, NULL, 3);
	cg_array *four = ARRAY(ctx, NULL, 4);
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(g, image), *c3 = cg_use(g, three), *c4 = cg_use(g, four);
	cg_pool_config large = { .window_h = 6, .window_w = 2 };
	cg_pool_config padded = { .window_h = 2, .window_w = 2, .pad_left = 2 };

	refused(ctx, cg_batch_norm(x, c4, c3, three, three, 1e-3f, .9f, false), CG_ERR_SHAPE,
		"batch_norm with another gamma");
	refused(ctx, cg_batch_norm(x, c3, c3, three, four, 1e-3f, .9f, false), CG_ERR_SHAPE,
		"batch_norm with another variance");
	refused(ctx, cg_layer_norm(x, c4, c4, 1e-6f), CG_ERR_SHAPE, "layer_norm of other size");
	refused(ctx, cg_local_response_norm(x, 0, 1, .75f, 2), CG_ERR_ARGUMENT,
		"local_response_norm of size 0");
	refused(ctx, cg_max_pool(x, &large), CG_ERR_SHAPE, "max_pool larger than x");
	refused(ctx, cg_avg_pool(x, &padded), CG_ERR_ARGUMENT, "avg_pool padded by its window");
	refused(ctx, cg_max_pool(c3, &large), CG_ERR_SHAPE, "max_pool of a vector");
	refused(ctx, cg_adaptive_avg_pool(x, 0, 3), CG_ERR_ARGUMENT, "adaptive pool to nothing");
	ok(!cg_layer_norm(NULL, c3, c3, 1) && !cg_global_avg_pool(NULL) && !*cg_error(ctx),
		"NULL gives NULL and no error");
	cg_graph_free(g);
	cg_array_free(image);
	cg_array_free(three);
	cg_array_free(four);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	test_running(ctx);
	test_variance(ctx);
	test_max_pool(ctx);
	test_far();
	test_misuse(ctx);
	ok(cg_error_status(ctx) == CG_OK, "no error is left: %s", cg_error(ctx));
	cg_close(ctx);
	return done();
}
