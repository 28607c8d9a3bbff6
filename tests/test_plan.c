/* The planner: places never overlap, replay allocates nothing, misuse has a name; and lifetimes in checking mode. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arena.h"
#include "optest.h"
#undef IN /* the table's, not needed here */
#include "plan.h"
#include "tap.h"

static bool overlap(const struct cg__slot *a, const struct cg__slot *b)
{
	return a->bank == b->bank && a->first <= b->last && b->first <= a->last &&
		a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

/* Random lifetimes: no two things that live together share a byte, and the peak is at least what must live at once. */
static void test_layout(cg_ctx *ctx)
{
	enum { COUNT = 200 };
	struct cg__slot slot[COUNT];
	struct cg__layout layout;
	uint64_t state = 1, need = 0;
	int bad = 0;

	for (int i = 0; i < COUNT; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		slot[i] = (struct cg__slot){ .bytes = 1 + (state >> 33) % 5000,
			.first = (int)(state >> 20) % 50 };
		slot[i].last = slot[i].first + (int)(state >> 50) % 9;
	}
	ok(cg__layout_slots(ctx, slot, COUNT, 256, 40000, &layout) == CG_OK, "a layout of %d slots",
		COUNT);
	for (int i = 0; i < COUNT; i++) {
		bad += slot[i].offset % 256 != 0 || slot[i].offset + slot[i].bytes > 40000;
		for (int j = 0; j < i; j++)
			bad += overlap(&slot[i], &slot[j]);
	}
	ok(bad == 0, "aligned, within the bank, without overlap (%d are not)", bad);
	for (int t = 0; t < 60; t++) {
		uint64_t live = 0;

		for (int i = 0; i < COUNT; i++)
			live += slot[i].first <= t && t <= slot[i].last ? slot[i].bytes : 0;
		need = live > need ? live : need;
	}
	ok(layout.peak >= need && layout.peak < layout.unshared / 2 && layout.banks > 1,
		"peak %llu is between what lives at once (%llu) and half of the sum (%llu), in "
		"several banks",
		(unsigned long long)layout.peak, (unsigned long long)need,
		(unsigned long long)layout.unshared / 2);
	slot[0].bytes = 40001;
	ok(cg__layout_slots(ctx, slot, COUNT, 256, 40000, &layout) == CG_ERR_DEVICE_MEMORY &&
			cg_error(ctx)[0],
		"a slot larger than a bank is refused: %s", cg_error(ctx));
	cg_clear_error(ctx);
}

static cg_tensor *chain(cg_tensor *x, int length)
{
	for (int i = 0; i < length; i++)
		x = i % 2 ? cg_gelu(x) : cg_scale(x, 1.25f);
	return x;
}

static void test_replay(cg_ctx *ctx)
{
	int64_t n = 10007;
	float *a = malloc((size_t)n * 4), *b = malloc((size_t)n * 4);
	cg_array *in = cg_array_new(ctx, "in", CG_FLOAT32, 1, &n);
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y = chain(cg_use(g, in), 12);
	cg_plan *p = cg_plan_new(g, &y, 1);
	cg_stats before, after;

	for (int64_t i = 0; i < n; i++)
		a[i] = (float)(i % 17) / 8 - 1;
	cg_array_write(in, a, (size_t)n * 4);
	ok(p && cg_plan_peak(p) < 3 * (uint64_t)n * 4 &&
			cg_plan_unshared(p) >= 12 * (uint64_t)n * 4,
		"12 tensors in a row take the memory of at most two: %llu of %llu bytes",
		p ? (unsigned long long)cg_plan_peak(p) : 0,
		p ? (unsigned long long)cg_plan_unshared(p) : 0);
	ok(cg_plan_run(p) == CG_OK && cg_plan_read(p, y, a, (size_t)n * 4) == CG_OK, "first run");
	before = cg_get_stats(ctx);
	for (int i = 0; i < 3; i++)
		cg_plan_run(p);
	after = cg_get_stats(ctx);
	ok(after.allocations == before.allocations && after.builds == before.builds &&
			after.waits == before.waits &&
			after.launches == before.launches + 3u * (unsigned)cg_plan_launches(p),
		"a replay allocates, builds and waits for nothing");
	cg_plan_read(p, y, b, (size_t)n * 4);
	ok(memcmp(a, b, (size_t)n * 4) == 0, "a replay has the same bits");
	ok(cg_scale(y, 2) == NULL && cg_error_status(ctx) == CG_ERR_STATE,
		"a planned graph is closed: %s", cg_error(ctx));
	cg_clear_error(ctx);
	ok(cg_plan_read(p, y, b, 4) == CG_ERR_ARGUMENT, "reading with a wrong size: %s",
		cg_error(ctx));
	cg_clear_error(ctx);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(in);
	free(a);
	free(b);
}

/* Launches of a profiled plan: in order of time, one after the other, within the time that the whole took. */
static void check_launches(const cg_plan *p, double wall)
{
	double end = 0;
	bool named = true, orderly = true;

	for (int i = 0; i < cg_plan_launches(p); i++) {
		cg_launch l = cg_plan_launch(p, i);

		named &= !strcmp(l.op, l.kernel) && !strcmp(l.shapes, "1000 > 1000") &&
			l.bytes == 8000;
		orderly &= l.seconds > 0 && l.start >= end - 1e-9;
		end = l.start + l.seconds;
	}
	ok(named, "each has its operation, shapes and bytes");
	ok(orderly && end <= wall, "each has its time, after the one before: %g of %g s", end,
		wall);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Of a plan of six gelu and six scale, profiled: lines of two kernels, their launches and times. */
static void test_summary(cg_ctx *ctx)
{
	int64_t n = 1000;
	cg_array *in = cg_array_new(ctx, "in", CG_FLOAT32, 1, &n);
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y = chain(cg_use(g, in), 12);
	cg_plan *p = cg_plan_new(g, &y, 1);
	char *text = NULL, *rest = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	double ms, sum = 0, before = 1e9, share;
	int launches, lines = 0;
	bool falling = true;

	ok(cg_plan_run(p) == CG_OK && cg_finish(ctx) == CG_OK, "runs");
	ms = seconds_now();
	ok(cg_plan_profile(p) == CG_OK && cg_plan_summary(p, f) == CG_OK, "profiles");
	check_launches(p, seconds_now() - ms);
	fclose(f);
	strtok_r(text, "\n", &rest);
	for (char *line; (line = strtok_r(NULL, "\n", &rest)) != NULL;) {
		if (sscanf(line, "%d %lf %lf%%", &launches, &ms, &share) != 3)
			break;
		falling &= launches == 6 && ms <= before;
		before = ms;
		sum += ms;
		lines++;
	}
	ok(lines == 2 && falling, "two kernels of six launches, the longer first");
	ok(launches == 12 && sum > 0 && fabs(sum - ms) < .002, "%d launches, %g ms", launches, ms);
	free(text);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(in);
}

/* Launches of the summary's last line. */
static int launches_summed(cg_plan *p)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	cg_status status = cg_plan_summary(p, f);
	int launches = 0;

	fclose(f);
	for (char *rest = text, *line; (line = strtok_r(rest, "\n", &rest)) != NULL;)
		sscanf(line, "%d", &launches);
	free(text);
	return status == CG_OK ? launches : -1;
}

/* What a plan has from the run before, twice w, is told as such and not counted, until w is written. */
static void test_kept(cg_ctx *ctx)
{
	cg_params *params = cg_params_new(ctx);
	cg_array *w = cg_params_add(params, "w", 1, (int64_t[]){ 3 }, CG_INIT_ONE, 0);
	cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 1, (int64_t[]){ 3 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y = cg_scale(cg_use(g, w), 2);
	cg_plan *p;
	bool good;

	y = cg_mul(cg_use(g, x), y);
	p = cg_plan_new(g, &y, 1);
	good = cg_params_init(params, 1) == CG_OK && cg_plan_launches(p) == 2 && cg_plan_run(p) == CG_OK &&
		cg_plan_profile(p) == CG_OK;
	ok(good && cg_plan_launch(p, 0).kept && cg_plan_launch(p, 0).seconds == 0, "a launch is kept %s",
		cg_error(ctx));
	ok(good && !cg_plan_launch(p, 1).kept && cg_plan_launch(p, 1).seconds > 0, "another is not");
	ok(launches_summed(p) == 1, "the summary has one of them");
	good = cg_array_write(w, (float[]){ 1, 2, 3 }, 12) == CG_OK && cg_plan_profile(p) == CG_OK;
	ok(good && !cg_plan_launch(p, 0).kept && launches_summed(p) == 2, "both where w was written");
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(x);
	cg_params_free(params);
}

/* The first failure sticks, NULL flows through. */
static void test_errors(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, 2, (int64_t[]){ 3, 4 });
	cg_array *b = cg_array_new(ctx, "b", CG_FLOAT32, 2, (int64_t[]){ 4, 3 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y = cg_relu(cg_add(cg_use(g, a), cg_use(g, b)));
	char first[256];

	ok(y == NULL && strcmp(cg_error(ctx), "add: a is 3x4, b is 4x3") == 0,
		"shapes that do not fit: %s", cg_error(ctx));
	snprintf(first, sizeof(first), "%s", cg_error(ctx));
	cg_bias(cg_use(g, a), cg_use(g, b));
	ok(strcmp(first, cg_error(ctx)) == 0, "the first error stays");
	ok(cg_plan_new(g, &y, 1) == NULL, "no plan of what failed");
	cg_clear_error(ctx);
	ok(cg_array_new(ctx, "huge", CG_FLOAT32, 3, (int64_t[]){ 1 << 20, 1 << 20, 1 }) == NULL,
		"too large: %s", cg_error(ctx));
	cg_clear_error(ctx);
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(b);
}

static void test_accumulate(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "sum", CG_FLOAT32, 1, (int64_t[]){ 1 });
	cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 1, (int64_t[]){ 3 });
	cg_array *last = cg_array_new(ctx, "last", CG_FLOAT32, 1, (int64_t[]){ 3 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *t = cg_use(g, x);
	float value[3], sum = 0;
	cg_plan *p;

	cg_accumulate(a, cg_sum(t));
	cg_store(last, cg_scale(t, 2));
	p = cg_plan_new(g, NULL, 0);
	for (int i = 1; i <= 4; i++) {
		cg_array_write(x, (float[]){ (float)i, 10, 100 }, 12);
		cg_plan_run(p);
	}
	cg_array_read(a, &sum, 4);
	cg_array_read(last, value, 12);
	ok(sum == 450, "four runs add up: %g", (double)sum);
	ok(value[0] == 8 && value[1] == 20 && value[2] == 200, "the last value is stored: %g",
		(double)value[0]);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(x);
	cg_array_free(last);
}

/* What the planner may not do: take a relu along into a product whose source changes in between, or lose a NaN. */
static void test_order(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, 2, (int64_t[]){ 2, 2 });
	cg_array *w = cg_array_new(ctx, "w", CG_FLOAT32, 2, (int64_t[]){ 2, 2 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *product = cg_matmul(cg_use(g, a), cg_use(g, w)), *y[2];
	float value[4] = { 0 };
	cg_plan *p;
	bool good;

	cg_array_write(a, (float[]){ 1, 2, 3, NAN }, 16);
	cg_array_write(w, (float[]){ 1, 0, 0, 1 }, 16);
	cg_store(a, cg_scale(cg_use(g, w), 7));
	y[0] = cg_relu(product);
	y[1] = cg_relu(cg_matmul(cg_use(g, w), cg_use(g, a)));
	p = cg_plan_new(g, y, 2);
	good = p && cg_plan_run(p) == CG_OK && cg_plan_read(p, y[0], value, 16) == CG_OK;
	ok(good && value[0] == 1 && value[1] == 2 && isnan(value[3]),
		"an array is read before it is stored to; a NaN passes relu: %g %g %g",
		(double)value[0], (double)value[1], (double)value[3]);
	good = p && cg_plan_read(p, y[1], value, 16) == CG_OK;
	ok(good && value[0] == 7 && value[1] == 0,
		"and after it, where that is later: %g %g", (double)value[0], (double)value[1]);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(w);
}

static void test_backward_twice(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, 1, (int64_t[]){ 1 });
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(g, a), *y;

	cg_want_grad(x);
	y = cg_scale(x, 3);
	ok(cg_backward(y, NULL) == CG_OK && cg_grad(x), "a gradient of what is no parameter");
	ok(cg_backward(y, NULL) == CG_ERR_STATE, "not twice: %s", cg_error(ctx));
	cg_clear_error(ctx);
	cg_graph_free(g);
	cg_array_free(a);
}

/* What a graph says of an operation: whole numbers, floats, members within members, and nothing. */
static void test_attributes(cg_ctx *ctx)
{
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_array *a = cg_array_new(ctx, "x", CG_FLOAT32, 4, (int64_t[]){ 1, 9, 9, 4 });
	cg_array *w = cg_array_new(ctx, "w", CG_FLOAT32, 4, (int64_t[]){ 3, 3, 2, 6 });
	const cg_conv_config conv = { .stride_w = 2, .pad_left = 1, .groups = 2 };
	const cg_pool_config pool = { .window_h = 3, .window_w = 2, .pad_zero = true };
	cg_tensor *x = cg_use(g, a), *y = cg_conv2d_ex(x, cg_use(g, w), &conv);

	ok(cg_tensor_attr(y, "stride_h") == 1 && cg_tensor_attr(y, "stride_w") == 2 &&
			cg_tensor_attr(y, "pad_left") == 1 && cg_tensor_attr(y, "groups") == 2,
		"attributes of a convolution, defaults filled in");
	ok(isnan(cg_tensor_attr(y, "eps")) && isnan(cg_tensor_attr(x, "stride_h")),
		"what it does not have is NAN");
	y = cg_max_pool(x, &pool);
	ok(cg_tensor_attr(y, "stride_h") == 3 && cg_tensor_attr(y, "window_w") == 2 &&
			cg_tensor_attr(y, "pad_zero") == 1,
		"of a pool");
	y = cg_slice(cg_scale(x, .25f), 3, 1, 2);
	ok(cg_tensor_attr(y, "dim") == 3 && cg_tensor_attr(y, "start") == 1, "of a slice, in 64 bits");
	ok(cg_tensor_attr(cg_tensor_source(y, 0), "s") == .25, "a float");
	cg_graph_free(g);
	cg_array_free(w);
	cg_array_free(a);
}

int main(void)
{
	cg_ctx *ctx;

	/* replay is about the plain mode */
	setenv("CG_GUARD", "0", 1);
	ctx = optest_open();
	if (ctx == NULL)
		return optest_status();
	test_layout(ctx);
	test_replay(ctx);
	test_summary(ctx);
	test_kept(ctx);
	test_errors(ctx);
	test_accumulate(ctx);
	test_order(ctx);
	test_backward_twice(ctx);
	test_attributes(ctx);
	ok(cg_get_stats(ctx).bytes_now == 0, "all device memory is given back");
	cg_close(ctx);
	return done();
}
