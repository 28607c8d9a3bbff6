/*
 * What must hold of a whole network, whatever its numbers are: a batch is its images, the same seed
 * gives the same bits, a replay is the first run again, fusion changes nothing but time.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "optest.h"
#undef IN
#include "fuse.h"
#include "gemm.h"
#include "tap.h"

enum { B = 5, STEPS = 3 };

static double furthest(const float *a, const float *b, int64_t n)
{
	double worst = 0;

	for (int64_t i = 0; i < n; i++)
		worst = worse_of(worst, fabs((double)a[i] - (double)b[i]));
	return worst;
}

/* ---- a batch is its images --------------------------------------------------------------- */

/* Logits of B images that stand in the given order. */
static bool logits_of(cg_ctx *ctx, int count, const int *order, float *logits)
{
	float image[NET_IMAGE], target[NET_CLASSES], *x;
	struct net n;
	bool good;

	if (net_open(&n, ctx, CG_INFER, count, 1) != CG_OK)
		return false;
	x = malloc((size_t)count * sizeof(image));
	for (int b = 0; b < count; b++) {
		net_image(1, order[b], image, target);
		memcpy(x + b * NET_IMAGE, image, sizeof(image));
	}
	good = cg_array_write(n.x, x, (size_t)count * sizeof(image)) == CG_OK &&
		net_run(&n, 0) == CG_OK &&
		cg_plan_read(n.plan, n.logits, logits,
			(size_t)count * NET_CLASSES * sizeof(float)) == CG_OK;
	free(x);
	net_close(&n);
	return good;
}

static void test_batches(cg_ctx *ctx)
{
	const int straight[B] = { 0, 1, 2, 3, 4 }, mixed[B] = { 3, 0, 4, 2, 1 };
	float all[B * NET_CLASSES], other[B * NET_CLASSES], again[B * NET_CLASSES];
	bool good = logits_of(ctx, B, straight, all);

	for (int b = 0; b < B; b++)
		good &= logits_of(ctx, 1, &straight[b], other + b * NET_CLASSES);
	ok(good && furthest(all, other, B * NET_CLASSES) < 1e-5,
		"a batch of %d is %d batches of one: %.1e", B, B,
		furthest(all, other, B * NET_CLASSES));
	good = logits_of(ctx, B, mixed, other);
	for (int b = 0; b < B; b++)
		memcpy(again + mixed[b] * NET_CLASSES, other + b * NET_CLASSES,
			NET_CLASSES * sizeof(float));
	ok(good && furthest(all, again, B * NET_CLASSES) < 1e-5,
		"a permuted batch gives the permuted logits: %.1e",
		furthest(all, again, B * NET_CLASSES));
	ok(furthest(all, all + NET_CLASSES, NET_CLASSES) > 1e-2, "and the images differ");
}

/* ---- the same bits ----------------------------------------------------------------------- */

struct outcome {
	float loss[STEPS], *weights;
	int64_t count;
};

/* STEPS training steps from the initial weights in a context of their own. */
static bool train(struct outcome *o, uint64_t first_step)
{
	cg_ctx *ctx;
	struct net n;
	bool good = cg_open(NULL, &ctx) == CG_OK;

	*o = (struct outcome){ .count = 0 };
	good = good && net_open(&n, ctx, CG_TRAIN, B, 1) == CG_OK;
	for (int i = 0; good && i < STEPS; i++)
		good = net_run(&n, first_step + (uint64_t)i) == CG_OK &&
			cg_plan_read(n.plan, n.loss, &o->loss[i], sizeof(float)) == CG_OK;
	o->weights = good ? net_weights(&n, &o->count) : NULL;
	if (!good)
		diag("%s", cg_error(ctx));
	net_close(&n);
	cg_close(ctx);
	return good && o->weights;
}

static bool same_bits(const struct outcome *a, const struct outcome *b)
{
	return a->count == b->count && memcmp(a->loss, b->loss, sizeof(a->loss)) == 0 &&
		memcmp(a->weights, b->weights, (size_t)a->count * sizeof(float)) == 0;
}

static void test_seeds(void)
{
	struct outcome a, b, c;
	bool good = train(&a, 0) && train(&b, 0) && train(&c, 100);

	ok(good && same_bits(&a, &b), "the same seed gives the same bits after %d steps", STEPS);
	ok(good && !same_bits(&a, &c), "other steps draw other dropout masks");
	ok(good && a.loss[0] > .5f && a.loss[0] < 3 && a.loss[STEPS - 1] != a.loss[0],
		"the loss is one: %g, %g, %g", (double)a.loss[0], (double)a.loss[1],
		(double)a.loss[2]);
	free(a.weights);
	free(b.weights);
	free(c.weights);
}

/* With CG_GUARD each tensor has memory of its own; nothing else may differ. */
static void test_sharing(void)
{
	struct outcome shared, own;
	bool good = train(&shared, 0);

	setenv("CG_GUARD", "1", 1);
	good = train(&own, 0) && good;
	setenv("CG_GUARD", "0", 1);
	ok(good && same_bits(&shared, &own), "tensors that share memory have the same bits");
	free(shared.weights);
	free(own.weights);
}

/* Puts the weights back and replays: an optimiser without momentum would do the same again. */
static void test_replay(cg_ctx *ctx)
{
	struct net n;
	float first[B * NET_CLASSES], second[B * NET_CLASSES];
	cg_stats before, after;
	bool good = net_open(&n, ctx, CG_INFER, B, 2) == CG_OK && net_run(&n, 0) == CG_OK &&
		cg_plan_read(n.plan, n.logits, first, sizeof(first)) == CG_OK;

	before = cg_get_stats(ctx);
	for (int i = 0; good && i < 3; i++)
		good = net_run(&n, 0) == CG_OK;
	after = cg_get_stats(ctx);
	good = good && cg_plan_read(n.plan, n.logits, second, sizeof(second)) == CG_OK;
	ok(good && memcmp(first, second, sizeof(first)) == 0, "a replay is the first run again");
	ok(good && after.allocations == before.allocations && after.builds == before.builds,
		"and allocates and builds nothing");
	net_close(&n);
}

/* ---- fusion ------------------------------------------------------------------------------ */

static cg_tensor *linear(cg_tensor *x, cg_tensor *w)
{
	return cg_matmul(CG_RESHAPE(x, -1, 4), CG_RESHAPE(w, 4, -1));
}

/* By running statistics, which the gradient of x needs no others than. */
static cg_tensor *norm(cg_tensor *x, cg_tensor *b, cg_array *running)
{
	return cg_batch_norm(x, b, cg_scale(b, -.5f), running, running, .5f, .9f, true);
}

static cg_tensor *batch_norm(cg_tensor *x, cg_tensor *b, cg_array *running, bool relu)
{
	cg_tensor *y = cg_batch_norm(x, b, cg_scale(b, .1f), running, running, 1e-3f, .9f, false);

	return relu ? cg_relu(y) : y;
}

/* With a part of x, so that the gradient sees y even where it passes nothing on. */
static cg_tensor *beside(cg_tensor *y, cg_tensor *x)
{
	const int64_t *shape = cg_tensor_shape(y);

	return cg_add(y, cg_slice(cg_slice(x, 1, 0, shape[1]), 2, 0, shape[2]));
}

static const cg_pool_config halves = { .window_h = 2, .window_w = 2 };
static const cg_pool_config sparse = { .window_h = 1, .window_w = 2, .stride_h = 2, .stride_w = 3,
	.pad_right = 1, .pad_zero = true };
static const cg_pool_config overlapping = { .window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 2,
	.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1 };

/* From here on convolutions by minimal filtering, on CPUs. */
enum { FILTERED = 32 };

/* Each pair that the table of rewrites names, in a row: x 3x6x5x4, w 3x3x4x4, b and running 4. */
static cg_tensor *pairs(cg_tensor *x, cg_tensor *w, cg_array *array, cg_array *running, int i)
{
	cg_tensor *b = cg_use(cg_tensor_graph(x), array);
	cg_tensor *v = CG_RESHAPE(cg_slice(CG_RESHAPE(w, -1, 4), 0, 0, 4), 4, 4);

	switch (i) {
	case 0: return cg_bias(cg_conv2d(x, w, 1, 1), b);
	case 1: return cg_relu(cg_conv2d(x, w, 1, 0));
	case 2: return cg_relu(cg_bias(cg_conv2d(x, w, 2, 1), b));
	case 3: return cg_bias(linear(x, v), b);
	case 4: return cg_relu(linear(x, v));
	case 5: return cg_gelu(cg_bias(linear(x, v), b));
	case 6: return cg_gelu_tanh(linear(x, v));
	case 7:
		return cg_relu(
			cg_batch_norm(x, b, cg_scale(b, -1), array, array, 1e-3f, .9f, true));
	case 8:
		return cg_relu(
			cg_batch_norm(x, b, cg_scale(b, .1f), running, running, 1e-3f, .9f, false));
	case 9: return cg_add(CG_RESHAPE(x, -1, 4), cg_bias(linear(x, v), b));
	case 10: return linear(cg_gelu(linear(x, v)), v);
	case 11: return linear(cg_gelu_tanh(cg_bias(linear(x, v), b)), v);
	case 12: return cg_relu(norm(cg_bias(cg_conv2d(x, w, 2, 1), b), b, running));
	case 13: return norm(cg_conv2d(x, CG_RESHAPE(v, 1, 1, 4, 4), 1, 0), b, running);
	case 14: return cg_add(x, cg_bias(cg_conv2d(x, CG_RESHAPE(v, 1, 1, 4, 4), 1, 0), b));
	case 15: /* the convolution's result has two users */
		x = cg_conv2d(x, w, 1, 1);
		return cg_add(x, cg_relu(norm(x, b, running)));
	case 16: /* a norm's own sum of squares is constant */
		return cg_add(x, cg_batch_norm(cg_conv2d(x, w, 1, 1), b, cg_scale(b, .1f), running,
				running, 1e-3f, .9f, false));
	case 17: return beside(cg_max_pool(batch_norm(x, b, running, true), &halves), x);
	case 18: return beside(cg_max_pool(batch_norm(x, b, running, false), &halves), x);
	case 19: return beside(cg_max_pool(batch_norm(x, b, running, true), &overlapping), x);
	case 20: return beside(cg_max_pool(batch_norm(x, b, running, true), &sparse), x);
	case 21: return beside(cg_max_pool(cg_relu(cg_conv2d(x, w, 1, 1)), &halves), x);
	case 22: return beside(cg_max_pool(cg_relu(cg_conv2d(x, w, 1, 1)), &overlapping), x);
	case 23: /* the norm's result has two users */
		x = batch_norm(x, b, running, true);
		return beside(cg_max_pool(x, &halves), x);
	case 24: return cg_add(x, batch_norm(x, b, running, true));
	case 25: return cg_add(batch_norm(x, b, running, false), x);
	case 26: return cg_conv2d(batch_norm(x, b, running, true), w, 1, 1);
	case 27: return cg_conv2d(batch_norm(x, b, running, true), w, 2, 1);
	case 28: return cg_conv2d(batch_norm(x, b, running, true), CG_RESHAPE(v, 1, 1, 4, 4), 1, 0);
	case 29: /* the gradient is summed up first */
		x = batch_norm(x, b, running, true);
		return cg_add(x, cg_conv2d(x, CG_RESHAPE(v, 1, 1, 4, 4), 1, 0));
	case 30: /* no view in between */ return cg_matmul(cg_gelu(linear(x, v)), v);
	case 31: return cg_relu(cg_bias(linear(x, v), b));
	case FILTERED: return cg_conv2d(batch_norm(x, b, running, true), w, 1, 1);
	case FILTERED + 1: return cg_conv2d(batch_norm(x, b, running, false), w, 1, 0);
	case FILTERED + 2: /* the norm's result has two users, neither of which takes it */
		x = batch_norm(x, b, running, true);
		return cg_add(x, cg_conv2d(x, w, 1, 1));
	}
	return NULL;
}

enum { PAIRS = FILTERED + 3, MOST = 3 * 6 * 5 * 4 };

enum result { Y, DX, DW, RESULTS };

struct outcomes {
	float value[PAIRS][RESULTS][MOST];
	int launches[PAIRS][RESULTS];
};

/* y of an inference graph; dx, or dw beside db, of sum y^2. */
static int describe(cg_graph *g, cg_array *const *a, int i, enum result what, cg_tensor *out[2])
{
	cg_tensor *x = cg_use(g, a[0]), *w = cg_use(g, a[1]), *b = cg_use(g, a[2]), *y;
	int n = 0;

	if (what == DX)
		cg_want_grad(x);
	if (what == DW) {
		cg_want_grad(w);
		cg_want_grad(b);
	}
	y = pairs(x, w, a[2], a[3], i);
	if (what != Y)
		cg_backward(cg_sum(cg_mul(y, y)), NULL);
	if (what != DW)
		out[n++] = what == Y ? y : cg_grad(x);
	else if (cg_grad(w))
		out[n++] = cg_grad(w);
	if (what == DW && cg_grad(b))
		out[n++] = cg_grad(b);
	return n;
}

/* Returns the launches; with just as many as `before` it does not run. */
static int run_pair(cg_ctx *ctx, cg_array *const *a, int i, enum result what, int before, float *value)
{
	cg_graph *g = cg_graph_new(ctx, what == Y ? CG_INFER : CG_TRAIN);
	cg_tensor *out[2];
	const int n = describe(g, a, i, what, out), winograd = ctx->tune.winograd;
	cg_plan *p;
	int launches;

	if (i >= FILTERED)
		ctx->tune.winograd = 2;
	p = cg_plan_new(g, out, n);
	ctx->tune.winograd = winograd;
	launches = p ? cg_plan_launches(p) : 0;

	if (launches != before && cg_plan_run(p) == CG_OK)
		for (int k = 0; k < n; k++) {
			cg_plan_read(p, out[k], value, (size_t)cg_tensor_count(out[k]) * sizeof(float));
			value += cg_tensor_count(out[k]);
		}
	cg_plan_free(p);
	cg_graph_free(g);
	return launches;
}

/* All pairs of this context; those with the launches of `before`, if any, are taken from there. Returns the launches, 0 on
 * failure. */
static int run_pairs(cg_ctx *ctx, const struct outcomes *before, struct outcomes *o)
{
	float values[MOST];
	struct optest_rng rng = { 11 };
	cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 4, (int64_t[]){ 3, 6, 5, 4 });
	cg_array *w = cg_array_new(ctx, "w", CG_FLOAT32, 4, (int64_t[]){ 3, 3, 4, 4 });
	cg_array *b = cg_array_new(ctx, "b", CG_FLOAT32, 1, (int64_t[]){ 4 });
	cg_array *running = cg_array_new(ctx, "running", CG_FLOAT32, 1, (int64_t[]){ 4 });
	int launches = 0;

	for (int i = 0; i < MOST; i++)
		values[i] = (float)optest_normal(&rng);
	cg_array_write(x, values, sizeof(values));
	cg_array_write(w, values + 7, 3 * 3 * 4 * 4 * sizeof(float));
	cg_array_write(b, (float[]){ .5f, 1.5f, .25f, 2 }, 4 * sizeof(float));
	if (before)
		*o = *before;
	else
		memset(o, 0, sizeof(*o));
	for (int i = 0; i < PAIRS; i++)
		for (int k = 0; k < RESULTS; k++) {
			/* batch norms move them */
			cg_array_write(running, (float[]){ 1, 2, 3, 1 }, 4 * sizeof(float));
			o->launches[i][k] = run_pair(ctx, (cg_array *[]){ x, w, b, running }, i,
				(enum result)k, before ? before->launches[i][k] : 0, o->value[i][k]);
			launches += o->launches[i][k];
		}
	cg_array_free(x);
	cg_array_free(w);
	cg_array_free(b);
	cg_array_free(running);
	return cg_error_status(ctx) == CG_OK ? launches : 0;
}

/* The most that values of a kind differ, of the largest; NaN where all are 0. */
static double apart(const struct outcomes *a, const struct outcomes *b, int i, enum result what)
{
	static const float none[MOST];
	const double largest = furthest(b->value[i][what], none, MOST);

	return furthest(a->value[i][what], b->value[i][what], MOST) / largest;
}

/* What only products and convolutions of the CPU family can take along. */
static bool is_for_cpus(const char *name)
{
	static const char *const names[] = { "conv-norm", "conv-add", "conv-sum", "conv-stats",
		"conv-norm-grad", "norm-conv", "matmul-add", "matmul-mul", "matmul-sum" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Each rewrite left out by itself: the same values, by more launches. */
static void test_names(const struct outcomes *fused, const struct outcomes *plain, int count)
{
	static struct outcomes o;
	const char *name, *before = "";

	for (int k = 0; (name = cg__fuse_name(k)) != NULL; before = name, k++) {
		char text[64];
		double most = 0;
		cg_ctx *ctx;
		int launches;

		if (strcmp(name, before) == 0)
			continue;
		snprintf(text, sizeof(text), "-%s", name);
		setenv("CG_FUSE", text, 1);
		cg_open(NULL, &ctx);
		unsetenv("CG_FUSE");
		launches = run_pairs(ctx, fused, &o);
		for (int i = 0; i < PAIRS * RESULTS; i++)
			most = worse_of(most, apart(&o, plain, i / RESULTS, (enum result)(i % RESULTS)));
		ok(most < 1e-4 && (launches > count || (is_for_cpus(name) && !cg__gemm_takes_operands(ctx))),
			"CG_FUSE=%s: %d launches, not %d, %.1e off %s", text, launches, count, most,
			cg_error(ctx));
		cg_close(ctx);
	}
}

static void test_fusion(void)
{
	static struct outcomes fused, plain;
	struct outcome a, b;
	cg_ctx *ctx, *other;
	bool good = train(&a, 0);
	int count, count_plain;

	cg_open(NULL, &ctx);
	setenv("CG_FUSE", "-all", 1);
	cg_open(NULL, &other);
	good = train(&b, 0) && good;
	unsetenv("CG_FUSE");
	ok(good && furthest(a.weights, b.weights, a.count) < 1e-5,
		"fused and plain training agree: %.1e",
		good ? furthest(a.weights, b.weights, a.count) : NAN);
	count = run_pairs(ctx, NULL, &fused);
	count_plain = run_pairs(other, NULL, &plain);
	for (int i = 0; i < PAIRS; i++) {
		const double y = apart(&fused, &plain, i, Y), dx = apart(&fused, &plain, i, DX),
			     dw = apart(&fused, &plain, i, DW);

		ok(y < 1e-5 && dx < 1e-4 && dw < 1e-4,
			"pair %d: fused and plain agree: %.1e, %.1e, %.1e", i, y, dx, dw);
	}
	ok(count > 0 && count < count_plain, "%d launches instead of %d %s%s", count, count_plain,
		cg_error(ctx), cg_error(other));
	if (!optest_tiny())
		test_names(&fused, &plain, count);
	cg_close(ctx);
	cg_close(other);
	free(a.weights);
	free(b.weights);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	test_batches(ctx);
	test_replay(ctx);
	cg_close(ctx);
	/* plain arenas, in which tensors share memory */
	setenv("CG_GUARD", "0", 1);
	if (cg_open(NULL, &ctx) == CG_OK) {
		test_batches(ctx);
		test_seeds();
		test_sharing();
		test_fusion();
	}
	cg_close(ctx);
	return done();
}
