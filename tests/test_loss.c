/*
 * Cross-entropy and softmax where the gradient-check table does not look: extreme logits, ties,
 * long batches, use inside a larger graph, wrong shapes.
 */
#include "optest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

/* Loss and gradient of B rows of n logits in one step; the loss is scaled by `factor` on the way.
 * */
static float step(cg_ctx *ctx, int64_t B, int64_t n, const float *logits, const float *target,
	float factor, float *dx)
{
	size_t bytes = (size_t)(B * n) * sizeof(float);
	cg_array *x = cg_array_new(ctx, "logits", CG_FLOAT32, 2, (int64_t[]){ B, n });
	cg_array *t = cg_array_new(ctx, "target", CG_FLOAT32, 2, (int64_t[]){ B, n });
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *in = cg_use(g, x), *out[2], *loss;
	cg_plan *plan;
	float y = NAN;

	cg_array_write(x, logits, bytes);
	cg_array_write(t, target, bytes);
	cg_want_grad(in);
	loss = cg_cross_entropy(in, cg_use(g, t), NULL, 0);
	cg_backward(cg_scale(loss, factor), NULL);
	out[0] = loss;
	out[1] = cg_grad(in);
	plan = cg_plan_new(g, out, 2);
	if (!plan || cg_plan_run(plan) != CG_OK ||
		cg_plan_read(plan, loss, &y, sizeof(y)) != CG_OK ||
		cg_plan_read(plan, out[1], dx, bytes) != CG_OK)
		ok(false, "a step: %s", cg_error(ctx));
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(x);
	cg_array_free(t);
	return y;
}

/* Logits of +-10^4: the loss is their difference, no overflow; equal logits: log n. */
static void test_extremes(cg_ctx *ctx)
{
	float far[3] = { 1e4f, -1e4f, 0 }, same[3] = { -1e4f, -1e4f, -1e4f }, dx[3];
	float first[3] = { 1, 0, 0 }, second[3] = { 0, 1, 0 };

	ok(step(ctx, 1, 3, far, first, 1, dx) == 0, "a certain and right answer costs nothing");
	ok(dx[0] == 0 && dx[1] == 0 && dx[2] == 0, "and has no gradient");
	ok(step(ctx, 1, 3, far, second, 1, dx) == 2e4f, "a certain and wrong one the difference");
	ok(dx[0] == 1 && dx[1] == -1 && dx[2] == 0, "gradient %g %g %g", (double)dx[0],
		(double)dx[1], (double)dx[2]);
	ok(fabs((double)step(ctx, 1, 3, same, second, 1, dx) - log(3)) < 1e-3,
		"equal logits cost log n");
	ok(fabsf(dx[1] + 2 / 3.f) < 1e-6f, "gradient of the target is 1/n - 1: %g", (double)dx[1]);
}

/* A NaN or an infinite logit must show, not vanish in a maximum. */
static void test_not_finite(cg_ctx *ctx)
{
	float x[4] = { 1, NAN, 2, 3 }, t[4] = { 0, 0, 1, 0 }, dx[4];

	ok(isnan(step(ctx, 2, 2, x, t, 1, dx)), "a NaN among the logits makes the loss NaN");
	x[1] = INFINITY;
	ok(!isfinite(step(ctx, 2, 2, x, t, 1, dx)), "so does an infinity");
}

/* dy is read on the device: a loss scaled by s has a gradient scaled by s. The rows' gradients sum
 * to 0. */
static void test_scaled(cg_ctx *ctx, int64_t B)
{
	enum { N = 7 };
	float *x = malloc((size_t)B * N * sizeof(float)), *t = calloc((size_t)B * N, sizeof(float));
	float *once = malloc((size_t)B * N * sizeof(float)),
	      *thrice = malloc((size_t)B * N * sizeof(float));
	struct optest_rng rng = { 4 };
	double loss = 0, y, sum = 0;
	int bad = 0;

	for (int64_t b = 0; b < B; b++) {
		double total = 0;
		int k = (int)(N * optest_uniform(&rng));

		t[b * N + k] = 1;
		for (int c = 0; c < N; c++) {
			x[b * N + c] = (float)optest_normal(&rng);
			total += exp((double)x[b * N + c]);
		}
		loss += (log(total) - (double)x[b * N + k]) / (double)B;
	}
	y = (double)step(ctx, B, N, x, t, 1, once);
	ok(fabs(y - loss) <= 8 * sqrt((double)(N * B)) * 0x1p-24 * loss,
		"%lld rows cost %.7g, by plain loops %.7g", (long long)B, y, loss);
	step(ctx, B, N, x, t, 3, thrice);
	for (int64_t i = 0; i < B * N; i++) {
		bad += fabsf(thrice[i] - 3 * once[i]) > 2e-7f * fabsf(thrice[i]);
		sum += (double)once[i];
	}
	ok(bad == 0, "three times the loss has three times the gradient");
	ok(fabs(sum) < 1e-6, "all gradients sum to 0: %.2g", sum);
	free(x);
	free(t);
	free(once);
	free(thrice);
}

static void softmax_of(cg_ctx *ctx, int64_t n, const float *x, float *y)
{
	cg_array *a = cg_array_new(ctx, "x", CG_FLOAT32, 1, &n);
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *out;
	cg_plan *plan;

	cg_array_write(a, x, (size_t)n * sizeof(float));
	out = cg_softmax(cg_use(g, a));
	plan = cg_plan_new(g, &out, 1);
	if (!plan || cg_plan_run(plan) != CG_OK ||
		cg_plan_read(plan, out, y, (size_t)n * sizeof(float)) != CG_OK)
		ok(false, "softmax: %s", cg_error(ctx));
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(a);
}

/* y and dx + target of x are p; each power is as far off as its exponent's rounding makes it. */
static int off(const float *x, int64_t n, const float *p, const float *minus, float highest)
{
	double sum = 0;
	int bad = 0;

	for (int64_t c = 0; c < n; c++)
		sum += exp((double)(x[c] - highest));
	for (int64_t c = 0; c < n; c++) {
		double want = exp((double)(x[c] - highest)) / sum;
		double got = (double)p[c] + (minus ? (double)minus[c] : 0);
		double range = 16 + fabs((double)(x[c] - highest));

		bad += !(fabs(got - want) <= range * 0x1p-23 * (minus ? 1 : want) + 1e-37);
	}
	return bad;
}

/* Two logits stand out, wherever they are in the row. */
static void test_high(cg_ctx *ctx, int64_t n, float height)
{
	float *x = calloc((size_t)n, sizeof(float)), *y = calloc((size_t)n, sizeof(float));
	float *t = calloc((size_t)n, sizeof(float)), *dx = calloc((size_t)n, sizeof(float));
	struct optest_rng rng = { 6 };
	int bad = 0;

	t[0] = 1;
	for (int64_t at = 1; at < n; at += 1 + n / 5) {
		double loss, sum = 0;

		for (int64_t c = 0; c < n; c++)
			x[c] = c == at        ? height
				: c == at + 1 ? height - 1
					      : -(float)optest_uniform(&rng);
		for (int64_t c = 0; c < n; c++)
			sum += exp((double)(x[c] - height));
		softmax_of(ctx, n, x, y);
		bad += off(x, n, y, NULL, height);
		loss = (double)step(ctx, 1, n, x, t, 1, dx);
		bad += off(x, n, dx, t, height);
		bad += !(fabs(loss - (log(sum) + (double)(height - x[0]))) <= 1e-6 * (2 + loss));
	}
	ok(bad == 0, "%lld logits, two of them up to %g: %d are off", (long long)n, (double)height,
		bad);
	free(x);
	free(y);
	free(t);
	free(dx);
}

/* Ties go to the lowest index on both sides. */
static void test_correct(cg_ctx *ctx)
{
	const float logits[4][3] = { { 1, 1, 0 }, { 0, 2, 2 }, { 3, 3, 3 }, { 0, 0, -1 } };
	const float target[4][3] = { { 1, 0, 0 }, { 0, 0, 1 }, { .4f, .4f, .2f }, { 0, 1, 0 } };
	const float want[4] = { 1, 0, 1, 0 };
	cg_array *x = cg_array_new(ctx, "logits", CG_FLOAT32, 2, (int64_t[]){ 4, 3 });
	cg_array *t = cg_array_new(ctx, "target", CG_FLOAT32, 2, (int64_t[]){ 4, 3 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y;
	cg_plan *plan;
	float got[4] = { 9, 9, 9, 9 };

	cg_array_write(x, logits, sizeof(logits));
	cg_array_write(t, target, sizeof(target));
	y = cg_correct(cg_use(g, x), cg_use(g, t));
	plan = cg_plan_new(g, &y, 1);
	cg_plan_run(plan);
	cg_plan_read(plan, y, got, sizeof(got));
	ok(memcmp(got, want, sizeof(got)) == 0, "correct: %g %g %g %g", (double)got[0],
		(double)got[1], (double)got[2], (double)got[3]);
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(x);
	cg_array_free(t);
}

static void expect(cg_ctx *ctx, cg_tensor *y, cg_status status)
{
	ok(y == NULL && cg_error_status(ctx) == status, "%s", cg_error(ctx));
	cg_clear_error(ctx);
}

static void test_wrong(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, 2, (int64_t[]){ 2, 3 });
	cg_array *b = cg_array_new(ctx, "b", CG_FLOAT32, 2, (int64_t[]){ 3, 2 });
	cg_array *i = cg_array_new(ctx, "i", CG_INT32, 2, (int64_t[]){ 2, 3 });
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(g, a), *y = cg_use(g, b), *k = cg_use(g, i);

	expect(ctx, cg_cross_entropy(x, y, NULL, 0), CG_ERR_SHAPE);
	expect(ctx, cg_cross_entropy(x, k, NULL, 0), CG_ERR_SHAPE);
	expect(ctx, cg_cross_entropy(x, x, x, 0), CG_ERR_SHAPE);
	expect(ctx, cg_cross_entropy(x, x, NULL, 1.5f), CG_ERR_ARGUMENT);
	expect(ctx, cg_correct(x, y), CG_ERR_SHAPE);
	expect(ctx, cg_softmax(k), CG_ERR_ARGUMENT);
	ok(!cg_cross_entropy(NULL, x, NULL, 0) && !cg_correct(x, NULL) && !cg_softmax(NULL) &&
			cg_error_status(ctx) == CG_OK,
		"NULL gives NULL");
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(b);
	cg_array_free(i);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	test_extremes(ctx);
	test_not_finite(ctx);
	test_scaled(ctx, 3);
	test_high(ctx, 33, 7.9f);
	test_high(ctx, 50, 200);
	test_correct(ctx);
	test_wrong(ctx);
	if (!optest_tiny()) {
		for (int i = 0; i < 5; i++)
			test_high(ctx, 1000 + i, (const float[]){ 5, 7.9f, 8.5f, 60, 3e4f }[i]);
		test_scaled(ctx, 64);
		test_scaled(ctx, 4099);
	}
	cg_close(ctx);
	return done();
}
