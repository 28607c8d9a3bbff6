/*
 * Dropout and drop-path: every value against the mask drawn on the host, rates, and that masks
 * depend on seed, step and node alone.
 */
#include "optest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "philox.h"
#include "tap.h"

#undef IN /* op.h has its own */
#include "op.h"

static const uint64_t seed = 0x123456789abcdefu;

/* A known answer of Random123. */
static void test_philox(void)
{
	struct philox pi = { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 } };
	struct philox want = { { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } };
	struct philox got = philox_of(pi, 0xa4093822, 0x299f31d0);

	ok(memcmp(&got, &want, sizeof(got)) == 0, "the host's Philox gives %08x %08x %08x %08x",
		got.w[0], got.w[1], got.w[2], got.w[3]);
}

typedef cg_tensor *drop_fn(cg_tensor *x, float p);

/* y = drop(x) and dx for dy = 1, in one step; the id of the node. */
static int drop_once(
	cg_ctx *ctx, drop_fn *drop, cg_array *x, float p, uint64_t step, float *y, float *dx)
{
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_array *one = cg_array_new(ctx, "one", CG_FLOAT32, cg_array_ndim(x), cg_array_shape(x));
	size_t n = (size_t)cg_array_count(x);
	cg_tensor *in = cg_use(g, x), *out[2];
	cg_plan *plan;
	int id;

	for (size_t i = 0; i < n; i++)
		dx[i] = 1;
	cg_array_write(one, dx, n * sizeof(float));
	cg_want_grad(in);
	cg_graph_set_step(g, seed, step);
	out[0] = drop(in, p);
	cg_backward_from(out[0], cg_use(g, one), NULL);
	out[1] = cg_grad(in);
	id = out[0] ? out[0]->id : -1;
	plan = cg_plan_new(g, out, 2);
	ok(plan && cg_plan_run(plan) == CG_OK &&
			cg_plan_read(plan, out[0], y, n * sizeof(float)) == CG_OK &&
			cg_plan_read(plan, out[1], dx, n * sizeof(float)) == CG_OK,
		"a step of %zu elements %s", n, cg_error(ctx));
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(one);
	return id;
}

static cg_array *array_of(cg_ctx *ctx, int64_t rows, int64_t n, const float *values)
{
	cg_array *a = cg_array_new(ctx, "x", CG_FLOAT32, 2, (int64_t[]){ rows, n });

	cg_array_write(a, values, (size_t)(rows * n) * sizeof(float));
	return a;
}

static float *values_of(size_t n)
{
	float *x = malloc(n * sizeof(float));
	struct optest_rng rng = { 3 };

	for (size_t i = 0; i < n; i++)
		x[i] = (float)optest_normal(&rng) + 10;
	return x;
}

/* Of 65536 draws, how many keep. */
static double kept_of(double p)
{
	return fmin(fmax(round((1 - p) * 65536), 1), 65535);
}

/* As dropout.cl: element i has word i / 32 % 4 of counter 16 (i / 128) + i % 16, the lower half where i / 16 is even. */
static bool is_kept(uint64_t step, int node, int64_t i, double p)
{
	struct philox r = philox(seed, step, (uint32_t)node, (uint32_t)(i / 128 * 16 + i % 16));

	return (r.w[i / 32 % 4] >> i / 16 % 2 * 16 & 65535) < (uint32_t)kept_of(p);
}

static void test_values(cg_ctx *ctx, int64_t n, float p)
{
	float *x = values_of((size_t)n), *y = calloc((size_t)n, 4), *dx = calloc((size_t)n, 4);
	cg_array *a = array_of(ctx, 1, n, x);
	int id = drop_once(ctx, cg_dropout, a, p, 5, y, dx), bad = 0;

	for (int64_t i = 0; i < n; i++) {
		bool kept = is_kept(5, id, i, (double)p);
		float scale = (float)(65536 / kept_of((double)p));

		bad += kept ? fabsf(y[i] - x[i] * scale) > 2e-7f * y[i] || dx[i] != scale
			    : y[i] != 0 || dx[i] != 0;
	}
	ok(bad == 0, "dropout %g of %lld: values and gradients have the host's mask (%d differ)",
		(double)p, (long long)n, bad);
	cg_array_free(a);
	free(x);
	free(y);
	free(dx);
}

/* n draws of probability p lie within 4.5 standard deviations (1 in 150,000) of n p. */
static bool is_likely(double count, double n, double p)
{
	return fabs(count - n * p) <= 4.5 * sqrt(n * p * (1 - p));
}

static void test_rate(cg_ctx *ctx, int64_t n, float p)
{
	float *x = values_of((size_t)n), *y = calloc((size_t)n, 4), *dx = calloc((size_t)n, 4);
	cg_array *a = array_of(ctx, 1, n, x);
	double zeros = 0, sum = 0, both = 0;

	drop_once(ctx, cg_dropout, a, p, 9, y, dx);
	for (int64_t i = 0; i < n; i++) {
		zeros += y[i] == 0;
		sum += (double)dx[i];
		both += i % 32 < 16 && i + 16 < n && y[i] == 0 && y[i + 16] == 0;
	}
	ok(is_likely(zeros, (double)n, (double)p), "dropout %g zeroes %g", (double)p,
		zeros / (double)n);
	ok(is_likely(sum * (1 - (double)p), (double)n, 1 - (double)p),
		"and keeps the mean: %g of 1", sum / (double)n);
	ok(is_likely(both, (double)n / 2, (double)(p * p)),
		"and halves of a word are dropped together by chance: %g", 2 * both / (double)n);
	cg_array_free(a);
	free(x);
	free(y);
	free(dx);
}

static void test_drop_path(cg_ctx *ctx, int64_t B, int64_t n, float p)
{
	size_t count = (size_t)(B * n);
	float *x = values_of(count), *y = calloc(count, 4), *dx = calloc(count, 4);
	cg_array *a = array_of(ctx, B, n, x);
	int id = drop_once(ctx, cg_drop_path, a, p, 2, y, dx), bad = 0;
	double dropped = 0;

	for (int64_t b = 0; b < B; b++) {
		bool kept = philox(seed, 2, (uint32_t)id, (uint32_t)b).w[0] <
			(uint32_t)((1 - (double)p) * 4294967296.0);
		float scale = kept ? 1 / (1 - p) : 0;

		dropped += !kept;
		for (int64_t i = b * n; i < (b + 1) * n; i++)
			bad += fabsf(y[i] - x[i] * scale) > 2e-7f * y[i] || dx[i] != scale;
	}
	ok(bad == 0, "drop_path %g of %lldx%lld: whole samples, the host's draws (%d differ)",
		(double)p, (long long)B, (long long)n, bad);
	ok(is_likely(dropped, (double)B, (double)p), "%g of the samples are dropped",
		dropped / (double)B);
	cg_array_free(a);
	free(x);
	free(y);
	free(dx);
}

/* The mask of a node is a function of seed and step; nodes of one graph differ. */
static void test_repeats(cg_ctx *ctx)
{
	enum { N = 300 };
	float *x = values_of(N), y[3][N], z[N];
	cg_array *a = array_of(ctx, 3, N / 3, x);
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *in = cg_use(g, a), *out[2] = { cg_dropout(in, .5f), cg_dropout(in, .5f) };
	cg_plan *plan = cg_plan_new(g, out, 2);
	const uint64_t steps[3] = { 4, 5, 4 };

	for (int i = 0; i < 3; i++) {
		cg_graph_set_step(g, seed, steps[i]);
		cg_plan_run(plan);
		cg_plan_read(plan, out[0], y[i], sizeof(y[i]));
	}
	cg_plan_read(plan, out[1], z, sizeof(z));
	ok(memcmp(y[0], y[2], sizeof(z)) == 0, "the same step draws the same mask");
	ok(memcmp(y[0], y[1], sizeof(z)) != 0, "another step draws another");
	ok(memcmp(y[2], z, sizeof(z)) != 0, "and so does another node");
	cg_graph_set_step(g, seed ^ ((uint64_t)1 << 40), 4);
	cg_plan_run(plan);
	cg_plan_read(plan, out[0], z, sizeof(z));
	ok(memcmp(y[0], z, sizeof(z)) != 0, "and another seed");
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(a);
	free(x);
}

static void test_identity(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "x", CG_FLOAT32, 1, (int64_t[]){ 3 });
	cg_graph *infer = cg_graph_new(ctx, CG_INFER), *train = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(infer, a), *t = cg_use(train, a);

	ok(cg_dropout(x, .5f) == x && cg_drop_path(x, .5f) == x, "nothing happens in inference");
	ok(cg_dropout(t, 0) == t && cg_drop_path(t, 0) == t, "nor with p = 0");
	ok(cg_dropout(t, 1) == NULL && cg_error_status(ctx) == CG_ERR_ARGUMENT, "%s",
		cg_error(ctx));
	cg_clear_error(ctx);
	cg_graph_free(infer);
	cg_graph_free(train);
	cg_array_free(a);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	test_philox();
	test_values(ctx, 1, .5f);
	test_values(ctx, 63, .25f);
	test_values(ctx, 64, .1f);
	test_values(ctx, 128, .1f);
	test_values(ctx, 260, .9f);
	test_drop_path(ctx, 7, 5, .3f);
	test_identity(ctx);
	test_repeats(ctx);
	if (!optest_tiny()) {
		test_values(ctx, 10007, .5f);
		test_values(ctx, 200000, 1e-7f);
		test_values(ctx, 200000, .9999999f);
		test_rate(ctx, 100000, .1f);
		test_rate(ctx, 100000, .5f);
		test_rate(ctx, 100000, .9f);
		test_drop_path(ctx, 2000, 33, .2f);
	}
	cg_close(ctx);
	return done();
}
