/*
 * Convolutions by minimal filtering, which the engine uses where it gains, forced onto small and
 * awkward shapes: images that are no multiple of a tile, single images, one-sided pads, channels at
 * the edges of vectors and panels, and more tiles than an item takes; by tiles and by panels. In GPU
 * style these are plain convolutions again.
 *
 * The bounds are those of plain sums, c sqrt(K) u mag: the transforms let rounding errors grow by
 * 46 at most (3x3; 30: 5x5; dw: 28 and 45), to about 48 u mag for random signs, against the
 * 12 sqrt(K) that is allowed. So K >= 9·8 in each case (25·5), the terms that the sum would have; and c is 12
 * where there is padding, because at a corner a window has 4 of its 9 taps inside, but the tile's
 * error.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "op.h"
#undef IN /* of launches; values.h has that of tests */
#include "convtest.h"
#include "tap.h"

/* in: x, w, gamma, beta, running mean, running variance */
static cg_tensor *conv2d_norm(cg_tensor *const *in, const void *config)
{
	return cg_batch_norm(cg_conv2d_ex(in[0], in[1], config), in[2], in[3], in[4]->array,
		in[5]->array, NORM_EPS, .9f, true);
}

static void ref_norm(const void *config, const struct ref *in, struct ref *y)
{
	ref_conv2d(config, in, y);
	for (int64_t i = 0; i < y->count; i++) {
		const int64_t c = i % in[2].count;
		const double factor = in[2].v[c] / sqrt(in[5].v[c] + (double)NORM_EPS);

		y->v[i] = (y->v[i] - in[4].v[c]) * factor + in[3].v[c];
		y->mag[i] = (y->mag[i] + fabs(in[4].v[c])) * fabs(factor) + fabs(in[3].v[c]);
	}
}

/* Of norm and relu, as conv2d_of_norm. */
static cg_tensor *conv2d_of_relu(cg_tensor *const *in, const void *config)
{
	return cg_conv2d_ex(cg_relu(cg_batch_norm(in[0], in[2], in[3], in[4]->array, in[5]->array,
				    (float)REF_EPS, .9f, false)),
		in[1], config);
}

#define CONFIG(...) \
	&(cg_conv_config) \
	{ \
		__VA_ARGS__ \
	}
#define PAD(p) .pad_top = (p), .pad_left = (p), .pad_bottom = (p), .pad_right = (p)
#define CASE(R, config, B, H, W, C, M) \
	conv2d, ref_conv2d, config, .in = { IN(B, H, W, C), IN(R, R, C, M) }, \
				    .K = (double)(R) * (R) * ((C) > (M) ? (C) : (M)), .c = 12, \
				    .linear = EACH

static const struct op_case cases[] = {
	{ "winograd 3x3, one tile", CASE(3, CONFIG(0), 1, 6, 6, 8, 8) },
	{ "winograd 3x3, one pixel", CASE(3, CONFIG(0), 1, 3, 3, 9, 5) },
	{ "winograd 3x3, pad 1, 1 x 7x5", CASE(3, CONFIG(PAD(1)), 1, 7, 5, 17, 8) },
	{ "winograd 3x3, pad 2", CASE(3, CONFIG(PAD(2)), 2, 6, 9, 15, 33) },
	{ "winograd 3x3, pads 0,1,2,0",
		CASE(3, CONFIG(.pad_left = 1, .pad_bottom = 2), 2, 9, 6, 16, 17) },
	{ "winograd 3x3, pad 1, 63->65", CASE(3, CONFIG(PAD(1)), 1, 5, 10, 63, 65) },
	{ "winograd 3x3, pad 1, 64->130", CASE(3, CONFIG(PAD(1)), 1, 8, 4, 64, 130) },
	{ "winograd 3x3, pad 1, 100->20", CASE(3, CONFIG(PAD(1)), 1, 7, 4, 100, 20) },
	{ "winograd 3x3, pad 1, many tiles", CASE(3, CONFIG(PAD(1)), 3, 41, 39, 8, 9) },
	{ "winograd 3x3, pad 1, dw in blocks", CASE(3, CONFIG(PAD(1)), 5, 13, 13, 62, 33) },
	{ "winograd 3x3, tiles of 5x5", CASE(3, CONFIG(PAD(1)), 7, 5, 5, 17, 35) },
	{ "winograd 3x3, tiles of 5x5, pads 2,0,1,0",
		CASE(3, CONFIG(.pad_top = 2, .pad_bottom = 1), 2, 9, 12, 40, 9) },
	{ "winograd 3x3, tiles of 6x6", CASE(3, CONFIG(PAD(1)), 7, 6, 6, 17, 35) },
	{ "winograd 3x3, tiles of 6x6, many", CASE(3, CONFIG(PAD(1)), 5, 17, 18, 9, 66) },
	{ "winograd 3x3, tiles of 6x6, pads 2,0,1,0",
		CASE(3, CONFIG(.pad_top = 2, .pad_bottom = 1), 2, 5, 14, 40, 9) },
	{ "winograd 5x5, one tile", CASE(5, CONFIG(0), 1, 6, 6, 3, 8) },
	{ "winograd 5x5, pad 2, 1 x 5x7", CASE(5, CONFIG(PAD(2)), 1, 5, 7, 17, 33) },
	{ "winograd 5x5, pads 4,0,3,1",
		CASE(5, CONFIG(.pad_top = 4, .pad_bottom = 3, .pad_right = 1), 2, 5, 8, 9, 65) },
	{ "winograd 5x5, pad 2, many tiles", CASE(5, CONFIG(PAD(2)), 2, 21, 23, 5, 6) },
	{ "winograd 5x5, tiles of 3x3", CASE(5, CONFIG(PAD(2)), 3, 9, 9, 20, 18) },
	{ "winograd 5x5, tiles of 4x4", CASE(5, CONFIG(PAD(2)), 3, 11, 11, 20, 18) },
	{ "winograd 5x5, tiles of 4x4, one-sided pads",
		CASE(5, CONFIG(.pad_top = 3, .pad_right = 4), 2, 12, 7, 6, 35) },
	{ "winograd 3x3 with bias and relu", conv2d_bias_relu, ref_bias_relu, CONFIG(PAD(1)),
		.in = { IN(2, 5, 6, 17), IN(3, 3, 17, 70), IN(70) }, .K = 630, .c = 9 },
	{ "winograd 5x5 with bias and relu", conv2d_bias_relu, ref_bias_relu, CONFIG(PAD(2)),
		.in = { IN(2, 5, 6, 17), IN(5, 5, 17, 20), IN(20) }, .K = 500, .c = 9 },
	{ "winograd 3x3 with norm", conv2d_norm, ref_norm, CONFIG(PAD(1)),
		.in = { IN(2, 5, 6, 17), IN(3, 3, 17, 140), FIXED(NORMAL, 140), FIXED(NORMAL, 140),
			FIXED(NORMAL, 140), FIXED(POSITIVE, 140) }, .K = 1260, .c = 9 },
	{ "winograd 3x3 with batch norm", conv2d_batch_norm, ref_batch_norm_after, CONFIG(PAD(1)),
		.in = { IN(2, 5, 6, 17), IN(3, 3, 17, 140), IN_AS(POSITIVE, 140), IN(140),
			FIXED(NORMAL, 140), FIXED(POSITIVE, 140) }, .K = 1320, .c = 9 },
	{ "winograd 3x3 of a batch norm", conv2d_of_norm, ref_conv2d_of_norm, CONFIG(PAD(1)),
		.in = { IN(2, 5, 6, 140), IN(3, 3, 140, 17), IN_AS(POSITIVE, 140), IN(140),
			FIXED(NORMAL, 140), FIXED(POSITIVE, 140) }, .K = 1320, .c = 9 },
	{ "winograd 3x3 of a batch norm, many items", conv2d_of_norm, ref_conv2d_of_norm, CONFIG(PAD(1)),
		.in = { IN(3, 41, 39, 9), IN(3, 3, 9, 8), IN_AS(POSITIVE, 9), IN(9),
			FIXED(NORMAL, 9), FIXED(POSITIVE, 9) }, .K = 5000, .c = 12 },
	{ "winograd 3x3 of norm and relu", conv2d_of_relu, ref_conv2d_of_relu, CONFIG(PAD(1)),
		.in = { IN(2, 5, 6, 140), IN(3, 3, 140, 17), IN_AS(POSITIVE, 140), IN(140),
			FIXED(NORMAL, 140), FIXED(POSITIVE, 140) }, .K = 1320, .c = 12 },
	{ "winograd 3x3 of norm and relu, inside and at the edges", conv2d_of_relu, ref_conv2d_of_relu, CONFIG(.pad_left = 1, .pad_bottom = 2),
		.in = { IN(2, 14, 13, 32), IN(3, 3, 32, 65), IN_AS(POSITIVE, 32), IN(32),
			FIXED(NORMAL, 32), FIXED(POSITIVE, 32) }, .K = 1320, .c = 12 },
	{ "winograd 5x5 of norm and relu", conv2d_of_relu, ref_conv2d_of_relu, CONFIG(PAD(2)),
		.in = { IN(3, 9, 9, 20), IN(5, 5, 20, 18), IN_AS(POSITIVE, 20), IN(20),
			FIXED(NORMAL, 20), FIXED(POSITIVE, 20) }, .K = 1320, .c = 12 },
	{ "winograd 3x3 of norm and relu, many items", conv2d_of_relu, ref_conv2d_of_relu, CONFIG(PAD(1)),
		.in = { IN(3, 41, 39, 9), IN(3, 3, 9, 8), IN_AS(POSITIVE, 9), IN(9),
			FIXED(NORMAL, 9), FIXED(POSITIVE, 9) }, .K = 5000, .c = 12 },
	{ "winograd 3x3 with batch norm, many items", conv2d_batch_norm, ref_batch_norm_after,
		CONFIG(PAD(1)),
		.in = { IN(3, 41, 39, 8), IN(3, 3, 8, 9), IN_AS(POSITIVE, 9), IN(9),
			FIXED(NORMAL, 9), FIXED(POSITIVE, 9) }, .K = 5000, .c = 12 },
	{ "winograd 3x3 with batch norm, mean 3000 sd", conv2d_batch_norm, ref_batch_norm_after,
		CONFIG(PAD(1)),
		.in = { IN(3, 15, 13, 8), IN(3, 3, 8, 64), IN_AS(POSITIVE, 64), IN(64),
			FIXED(NORMAL, 64), FIXED(POSITIVE, 64),
			{ .shape = { 64 }, .scale = 1e-3, .shift = 2e4 } },
		.K = 72, .no_grad = true },
	{ "winograd 3x3 with norm, many items", conv2d_norm, ref_norm, CONFIG(PAD(1)),
		.in = { IN(3, 41, 39, 8), IN(3, 3, 8, 9), FIXED(NORMAL, 9), FIXED(NORMAL, 9),
			FIXED(NORMAL, 9), FIXED(POSITIVE, 9) }, .K = 81, .c = 12 },
};

/* The kernels of a 3x3 convolution with its gradients on 8x11x11x32, as the plan is dumped. */
static char *kernels_of(cg_ctx *ctx)
{
	const int64_t shape_x[] = { 8, 11, 11, 32 }, shape_w[] = { 3, 3, 32, 32 };
	cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 4, shape_x);
	cg_array *w = cg_array_new(ctx, "w", CG_FLOAT32, 4, shape_w);
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *in = cg_use(g, x), *weight = cg_use(g, w), *y, *out[2];
	cg_plan *plan;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	cg_want_grad(in);
	cg_want_grad(weight);
	y = cg_conv2d(in, weight, 1, 1);
	cg_backward_from(y, y, NULL);
	out[0] = cg_grad(in);
	out[1] = cg_grad(weight);
	plan = cg_plan_new(g, out, 2);
	if (plan)
		cg_plan_dump(plan, f);
	fclose(f);
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(x);
	cg_array_free(w);
	return text;
}

static int count(const char *text, const char *word)
{
	int n = 0;

	while ((text = strstr(text, word)) != NULL) {
		n++;
		text++;
	}
	return n;
}

static bool has(const cg_plan *plan, const char *kernel)
{
	for (int i = 0; i < cg_plan_launches(plan); i++)
		if (strcmp(cg_plan_launch(plan, i).kernel, kernel) == 0)
			return true;
	return false;
}

/* A convolution of a parameter in a plan that infers: its filters are kept, not made by the items. */
enum { KEPT_B = 9, KEPT_C = 70, KEPT_M = 90 };
enum { KEPT_X = KEPT_B * 5 * 5 * KEPT_C, KEPT_Y = KEPT_B * 5 * 5 * KEPT_M };

static bool infer(cg_ctx *ctx, cg_params *params, cg_array *x, cg_array *w, int way, float *y)
{
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *out = cg_conv2d(cg_use(g, x), cg_use(g, w), 1, 1);
	cg_plan *plan;
	bool good;

	ctx->tune.winograd = way;
	plan = cg_plan_new(g, &out, 1);
	good = plan && has(plan, "winograd_panels") == (way > 2) && has(plan, "winograd_filter") &&
		cg_params_init(params, 7) == CG_OK && cg_plan_run(plan) == CG_OK &&
		cg_plan_run(plan) == CG_OK &&
		cg_plan_read(plan, out, y, KEPT_Y * sizeof(*y)) == CG_OK;
	cg_plan_free(plan);
	cg_graph_free(g);
	return good;
}

static void test_kept(cg_ctx *ctx)
{
	static float value[KEPT_X], y[2][KEPT_Y];
	const int64_t shape_w[] = { 3, 3, KEPT_C, KEPT_M }, shape_x[] = { KEPT_B, 5, 5, KEPT_C };
	struct optest_rng rng = { 5 };
	cg_params *params = cg_params_new(ctx);
	cg_array *w = cg_params_add(params, "w", 4, shape_w, CG_INIT_HE_NORMAL, 0);
	cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 4, shape_x);
	bool same = true;

	for (int i = 0; i < KEPT_X; i++)
		value[i] = (float)optest_normal(&rng);
	cg_array_write(x, value, sizeof(value));
	for (int i = 0; i < 2; i++)
		same = same && infer(ctx, params, x, w, 2 + i, y[i]);
	for (int i = 0; i < KEPT_Y; i++)
		same = same && fabsf(y[0][i] - y[1][i]) < 1e-4f;
	ok(same, "by tiles and by panels a plan that infers gives the same");
	cg_array_free(x);
	cg_params_free(params);
}

/* Whether a training plan of a convolution of norm and relu has a launch for these. */
static bool applies(cg_ctx *ctx, bool beside)
{
	const int64_t C = 32, shape_w[] = { 3, 3, C, C }, shape_x[] = { 8, 11, 11, C };
	cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 4, shape_x);
	cg_array *w = cg_array_new(ctx, "w", CG_FLOAT32, 4, shape_w);
	cg_array *running = cg_array_new(ctx, "running", CG_FLOAT32, 1, &C);
	cg_array *gamma = cg_array_new(ctx, "gamma", CG_FLOAT32, 1, &C);
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *in = cg_use(g, x), *weight = cg_use(g, w), *b = cg_use(g, gamma), *y, *out[3];
	cg_plan *plan;
	bool found;

	cg_want_grad(in);
	cg_want_grad(weight);
	y = cg_relu(cg_batch_norm(in, b, b, running, running, 1e-3f, .9f, false));
	out[0] = cg_conv2d(y, weight, 1, 1);
	if (beside)
		out[0] = cg_add(out[0], y);
	cg_backward_from(out[0], out[0], NULL);
	out[1] = cg_grad(in);
	out[2] = cg_grad(weight);
	plan = cg_plan_new(g, out, 3);
	found = !plan || has(plan, "bn_apply");
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(x);
	cg_array_free(w);
	cg_array_free(running);
	cg_array_free(gamma);
	return found;
}

/* Filtering normalises what it reads, unless somebody else needs that, or filtering is impossible at last. */
static void test_norm_before(cg_ctx *ctx)
{
	const uint64_t bytes = ctx->info.local_bytes;

	ctx->tune.winograd = 1;
	ok(!applies(ctx, false), "norm and relu are done where x is filtered");
	ok(applies(ctx, true), "but not for two users");
	ctx->tune.winograd = 0;
	ok(applies(ctx, false), "nor for a plain sum");
	ctx->tune.winograd = 2;
	ctx->info.local_bytes = 64;
	ok(applies(ctx, false), "a convolution that cannot filter after all has a norm of its own");
	optest_run(ctx, cases, sizeof(cases) / sizeof(cases[0]));
	ctx->info.local_bytes = bytes;
}

/* `winograd` in a tune file: 0 forbids it. 1: where it gains, as at this shape. */
static void test_choice(cg_ctx *ctx)
{
	for (int when = 0; when <= 2; when++) {
		char *text;

		ctx->tune.winograd = when;
		text = kernels_of(ctx);
		ok(count(text, " winograd_filter ") == (when ? 2 : 0) &&
				count(text, " winograd_dw ") == (when > 0),
			"winograd %d: y, dx and dw are %s", when, when ? "filtered" : "plain sums");
		free(text);
	}
}

/* Of a training plan: filters of 128x128 do not stay in a cache of 2 MB, those of 64x64 do. */
static void test_panels(cg_ctx *ctx)
{
	for (int64_t C = 64; C <= 128; C += 64) {
		cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 4, (int64_t[]){ 64, 5, 5, C });
		cg_array *w = cg_array_new(ctx, "w", CG_FLOAT32, 4, (int64_t[]){ 3, 3, C, C });
		cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
		cg_tensor *y = cg_conv2d(cg_use(g, x), cg_use(g, w), 1, 1);
		cg_plan *plan;

		ctx->tune.winograd = 1;
		plan = cg_plan_new(g, &y, 1);
		ok(plan && has(plan, "winograd_panels") == (C == 128) &&
				has(plan, "winograd_filter") == (C == 64),
			"64x5x5, %d channels, %s", (int)C, C == 64 ? "by tiles" : "by panels");
		cg_plan_free(plan);
		cg_graph_free(g);
		cg_array_free(x);
		cg_array_free(w);
	}
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	for (int way = 2; way <= (ctx->tune.cpu_family ? 3 : 2); way++) {
		diag("winograd %d", way);
		ctx->tune.winograd = way;
		optest_run(ctx, cases, sizeof(cases) / sizeof(cases[0]));
	}
	if (ctx->tune.cpu_family && ctx->info.local_bytes >= 1 << 20) {
		test_kept(ctx);
		test_choice(ctx);
		test_norm_before(ctx);
	}
	if (ctx->tune.cpu_family && ctx->tune.vector_width == 16 &&
		ctx->info.local_bytes == 1 << 21)
		test_panels(ctx);
	cg_close(ctx);
	return done();
}
