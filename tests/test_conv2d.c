/*
 * Convolutions: every path of either family, values and gradients, at sizes around the edges of
 * tiles. The inputs are linear each, so gradients are checked as adjoints too. What windows that are
 * gathered save of memory.
 */
#include <math.h>

#include "ctx.h"
#include "op.h"
#undef IN /* of launches; values.h has that of tests */
#include "convtest.h"
#include "tap.h"

/* in: x, w, gamma, beta, running mean, running variance, and perhaps a bias */
static cg_tensor *conv2d_norm_relu(cg_tensor *const *in, const void *config)
{
	cg_tensor *y = cg_conv2d_ex(in[0], in[1], config);

	if (in[6])
		y = cg_bias(y, in[6]);
	return cg_relu(cg_batch_norm(
		y, in[2], in[3], in[4]->array, in[5]->array, NORM_EPS, .9f, true));
}

static void ref_norm_relu(const void *config, const struct ref *in, struct ref *y)
{
	ref_conv2d(config, in, y);
	for (int64_t i = 0; i < y->count; i++) {
		const int64_t c = i % in[2].count;
		const double b = in[6].v ? in[6].v[c] : 0, mean = in[4].v[c];
		const double factor = in[2].v[c] / sqrt(in[5].v[c] + (double)NORM_EPS);

		y->v[i] = (y->v[i] + b - mean) * factor + in[3].v[c];
		y->mag[i] = (y->mag[i] + fabs(b) + fabs(mean)) * fabs(factor) + fabs(in[3].v[c]);
		if (y->v[i] < 0)
			y->v[i] = 0;
	}
}

static cg_tensor *conv2d_residual(cg_tensor *const *in, const void *config)
{
	return cg_add(in[3], cg_bias(cg_conv2d_ex(in[0], in[1], config), in[2]));
}

static void ref_residual(const void *config, const struct ref *in, struct ref *y)
{
	ref_conv2d(config, in, y);
	for (int64_t i = 0; i < y->count; i++) {
		const double b = in[2].v[i % in[2].count];

		y->v[i] += b + in[3].v[i];
		y->mag[i] += fabs(b) + fabs(in[3].v[i]);
	}
}

#define CONFIG(...) \
	&(cg_conv_config) \
	{ \
		__VA_ARGS__ \
	}
#define STRIDE(s) .stride_h = (s), .stride_w = (s)
#define PAD(p) .pad_top = (p), .pad_left = (p), .pad_bottom = (p), .pad_right = (p)
#define CONV(config) conv2d, ref_conv2d, config
/* The gradients of gamma and beta need what comes before the norm, so that it is fused in the graph without gradients
 * only; in frozen ones it is in both. */
#define NORM(M) IN(M), IN(M), FIXED(NORMAL, M), FIXED(POSITIVE, M)
#define FROZEN(M) FIXED(NORMAL, M), FIXED(NORMAL, M), FIXED(NORMAL, M), FIXED(POSITIVE, M)
#define BATCH(M) IN_AS(POSITIVE, M), IN(M), FIXED(NORMAL, M), FIXED(POSITIVE, M)
#define X(...) IN(__VA_ARGS__)
#define W(...) IN(__VA_ARGS__)

static const struct op_case cases[] = {
	{ "conv2d 1x1, 1 pixel", CONV(CONFIG(0)), .in = { X(1, 1, 1, 1), W(1, 1, 1, 1) }, .K = 1,
		.linear = EACH },
	{ "conv2d 1x1 5->7", CONV(CONFIG(0)), .in = { X(2, 3, 5, 5), W(1, 1, 5, 7) }, .K = 30,
		.linear = EACH },
	{ "conv2d 1x1 65->33", CONV(CONFIG(0)), .in = { X(2, 7, 5, 65), W(1, 1, 65, 33) }, .K = 70,
		.linear = EACH },
	{ "conv2d 1x1/2 31->64", CONV(CONFIG(STRIDE(2))), .in = { X(2, 7, 6, 31), W(1, 1, 31, 64) },
		.K = 64, .linear = EACH },
	{ "conv2d 1x1, pad 1", CONV(CONFIG(PAD(1))), .in = { X(1, 2, 3, 3), W(1, 1, 3, 2) },
		.K = 20, .linear = EACH },
	{ "conv2d 3x3 1->1", CONV(CONFIG(0)), .in = { X(1, 3, 3, 1), W(3, 3, 1, 1) }, .K = 9,
		.linear = EACH },
	{ "conv2d 3x3, pad 1, 3->5", CONV(CONFIG(PAD(1))), .in = { X(2, 5, 7, 3), W(3, 3, 3, 5) },
		.K = 70, .linear = EACH },
	{ "conv2d 3x3, pad 1, 1->32, stem", CONV(CONFIG(PAD(1))),
		.in = { X(2, 13, 11, 1), W(3, 3, 1, 32) }, .K = 288, .linear = EACH },
	{ "conv2d 5x5/2, pad 2, 1->64, stem", CONV(CONFIG(STRIDE(2), PAD(2))),
		.in = { X(2, 12, 13, 1), W(5, 5, 1, 64) }, .K = 400, .linear = EACH },
	{ "conv2d 7x7/2, pad 3, 3->65, stem", CONV(CONFIG(STRIDE(2), PAD(3))),
		.in = { X(1, 11, 10, 3), W(7, 7, 3, 65) }, .K = 800, .linear = EACH },
	{ "conv2d 11x11/4, pad 2, 3->9, stem", CONV(CONFIG(STRIDE(4), PAD(2))),
		.in = { X(1, 15, 19, 3), W(11, 11, 3, 9) }, .K = 363, .linear = EACH },
	{ "conv2d 15x15 4->3, too many for a stem", CONV(CONFIG(PAD(7))),
		.in = { X(1, 15, 15, 4), W(15, 15, 4, 3) }, .K = 900, .linear = EACH },
	{ "conv2d 3x3, pad 1, 8->31", CONV(CONFIG(PAD(1))), .in = { X(2, 9, 8, 8), W(3, 3, 8, 31) },
		.K = 279, .linear = EACH },
	{ "conv2d 3x3, pad 1, 32->32", CONV(CONFIG(PAD(1))),
		.in = { X(1, 17, 16, 32), W(3, 3, 32, 32) }, .K = 288, .linear = EACH },
	{ "conv2d 3x3, pad 1, 17->65", CONV(CONFIG(PAD(1))),
		.in = { X(2, 10, 11, 17), W(3, 3, 17, 65) }, .K = 585, .linear = EACH },
	{ "conv2d 3x3, pad 1, 63->67", CONV(CONFIG(PAD(1))),
		.in = { X(1, 9, 9, 63), W(3, 3, 63, 67) }, .K = 603, .linear = EACH },
	{ "conv2d 3x3, pad 1, 67->31, batch of small images", CONV(CONFIG(PAD(1))),
		.in = { X(13, 3, 4, 67), W(3, 3, 67, 31) }, .K = 603, .linear = EACH },
	{ "conv2d 3x3, pad 1, 200->9, small images", CONV(CONFIG(PAD(1))),
		.in = { X(14, 2, 2, 200), W(3, 3, 200, 9) }, .K = 800, .linear = EACH },
	{ "conv2d 3x3, pad 1, 600->5, channels in pieces", CONV(CONFIG(PAD(1))),
		.in = { X(1, 4, 3, 600), W(3, 3, 600, 5) }, .K = 5400, .linear = EACH },
	{ "conv2d 3x3/2, pad 1, 16->20", CONV(CONFIG(STRIDE(2), PAD(1))),
		.in = { X(2, 7, 8, 16), W(3, 3, 16, 20) }, .K = 144, .linear = EACH },
	{ "conv2d 3x3/2, pad 1, batch of small images", CONV(CONFIG(STRIDE(2), PAD(1))),
		.in = { X(12, 6, 5, 9), W(3, 3, 9, 33) }, .K = 300, .linear = EACH },
	{ "conv2d 3x3/2, pad 0,0,1,1", CONV(CONFIG(STRIDE(2), .pad_bottom = 1, .pad_right = 1)),
		.in = { X(2, 8, 6, 10), W(3, 3, 10, 12) }, .K = 108, .linear = EACH },
	{ "conv2d 3x2, stride 1x3, pad 2,0,1,1",
		CONV(CONFIG(1, 3, .pad_top = 2, .pad_bottom = 1, .pad_right = 1)),
		.in = { X(2, 5, 9, 12), W(3, 2, 12, 7) }, .K = 108, .linear = EACH },
	{ "conv2d 2x2/3, rows that no window sees", CONV(CONFIG(STRIDE(3))),
		.in = { X(2, 9, 7, 11), W(2, 2, 11, 13) }, .K = 52, .linear = EACH },
	{ "conv2d 3x3/5, pad 1", CONV(CONFIG(STRIDE(5), PAD(1))),
		.in = { X(2, 4, 6, 8), W(3, 3, 8, 8) }, .K = 72, .linear = EACH },
	{ "conv2d 5x5, pad 2, 64->33", CONV(CONFIG(PAD(2))),
		.in = { X(1, 6, 5, 64), W(5, 5, 64, 33) }, .K = 1600, .linear = EACH },
	{ "conv2d 3x3, pad 4: windows wholly outside", CONV(CONFIG(PAD(4))),
		.in = { X(1, 2, 2, 9), W(3, 3, 9, 4) }, .K = 81, .linear = EACH },
	{ "conv2d 3x3, pad 1, 2 groups", CONV(CONFIG(PAD(1), .groups = 2)),
		.in = { X(2, 5, 6, 14), W(3, 3, 7, 10) }, .K = 63, .linear = EACH },
	{ "conv2d 5x5, pad 2, 2 groups", CONV(CONFIG(PAD(2), .groups = 2)),
		.in = { X(1, 7, 7, 40), W(5, 5, 20, 66) }, .K = 825, .linear = EACH },
	{ "conv2d 3x3, 6 groups of one channel", CONV(CONFIG(.groups = 6)),
		.in = { X(2, 5, 5, 6), W(3, 3, 1, 12) }, .K = 18, .linear = EACH },
	{ "conv2d 3x3, pad 1, 15->131", CONV(CONFIG(PAD(1))),
		.in = { X(2, 7, 9, 15), W(3, 3, 15, 131) }, .K = 1179, .linear = EACH },
	{ "conv2d 3x3, pad 1, 1->2, pixels in pieces", CONV(CONFIG(PAD(1))),
		.in = { X(2, 17, 16, 1), W(3, 3, 1, 2) }, .K = 544, .linear = EACH },
	{ "conv2d 3x2/2, 2 groups, pixels in pieces", CONV(CONFIG(STRIDE(2), .groups = 2)),
		.in = { X(3, 35, 32, 6), W(3, 2, 3, 8) }, .K = 816, .linear = EACH },
	{ "conv2d 3x3 with bias and relu", conv2d_bias_relu, ref_bias_relu, CONFIG(PAD(1)),
		.in = { X(2, 5, 6, 17), W(3, 3, 17, 70), IN(70) }, .K = 630 },
	{ "conv2d 3x3 stem with bias and relu", conv2d_bias_relu, ref_bias_relu, CONFIG(PAD(1)),
		.in = { X(2, 5, 6, 1), W(3, 3, 1, 33), IN(33) }, .K = 300 },
	{ "conv2d 1x1 with bias and relu", conv2d_bias_relu, ref_bias_relu, CONFIG(0),
		.in = { X(2, 5, 6, 9), W(1, 1, 9, 64), IN(64) }, .K = 60 },
	{ "conv2d 3x3, 2 groups, with bias and relu", conv2d_bias_relu, ref_bias_relu,
		CONFIG(PAD(1), .groups = 2), .in = { X(2, 5, 6, 8), W(3, 3, 4, 6), IN(6) },
		.K = 60 },
	{ "conv2d 3x3 with norm and relu", conv2d_norm_relu, ref_norm_relu, CONFIG(PAD(1)),
		.in = { X(2, 5, 6, 17), W(3, 3, 17, 70), NORM(70) }, .K = 630 },
	{ "conv2d 3x3, channels in pieces, with bias, norm and relu", conv2d_norm_relu,
		ref_norm_relu, CONFIG(PAD(1)),
		.in = { X(1, 4, 3, 600), W(3, 3, 600, 130), FROZEN(130), IN(130) }, .K = 5400 },
	{ "conv2d 3x3 stem with bias, norm and relu", conv2d_norm_relu, ref_norm_relu,
		CONFIG(PAD(1)), .in = { X(2, 5, 6, 1), W(3, 3, 1, 97), FROZEN(97), IN(97) },
		.K = 300 },
	{ "conv2d 1x1 with bias, norm and relu", conv2d_norm_relu, ref_norm_relu, CONFIG(0),
		.in = { X(2, 5, 6, 9), W(1, 1, 9, 100), FROZEN(100), IN(100) }, .K = 60 },
	{ "conv2d 1x1, 800 channels, with norm and relu", conv2d_norm_relu, ref_norm_relu,
		CONFIG(0), .in = { X(2, 3, 5, 800), W(1, 1, 800, 64), NORM(64) }, .K = 800 },
	{ "conv2d 1x1 of a pixel, with bias, norm and relu", conv2d_norm_relu, ref_norm_relu,
		CONFIG(0), .in = { X(1, 1, 1, 33), W(1, 1, 33, 90), FROZEN(90), IN(90) },
		.K = 90 },
	{ "conv2d 3x3, 2 groups, with norm and relu", conv2d_norm_relu, ref_norm_relu,
		CONFIG(PAD(1), .groups = 2), .in = { X(2, 5, 6, 8), W(3, 3, 4, 6), FROZEN(6) },
		.K = 60 },
	{ "conv2d 3x3 with batch norm", conv2d_batch_norm, ref_batch_norm_after, CONFIG(PAD(1)),
		.in = { X(2, 5, 6, 17), W(3, 3, 17, 70), BATCH(70) }, .K = 690 },
	{ "conv2d 3x3, channels in pieces, with bias and batch norm", conv2d_batch_norm,
		ref_batch_norm_after, CONFIG(PAD(1)),
		.in = { X(1, 7, 5, 600), W(3, 3, 600, 9), BATCH(9), FIXED(NORMAL, 9) },
		.K = 5440 },
	{ "conv2d 3x3 stem with batch norm", conv2d_batch_norm, ref_batch_norm_after,
		CONFIG(PAD(1)), .in = { X(3, 11, 12, 1), W(3, 3, 1, 97), BATCH(97) }, .K = 405 },
	{ "conv2d 1x1 with batch norm", conv2d_batch_norm, ref_batch_norm_after, CONFIG(0),
		.in = { X(5, 6, 11, 33), W(1, 1, 33, 130), BATCH(130) }, .K = 460 },
	{ "conv2d 1x1 with batch norm, mean 3000 sd", conv2d_batch_norm, ref_batch_norm_after,
		CONFIG(0),
		.in = { X(5, 6, 11, 33), W(1, 1, 33, 64), BATCH(64),
			{ .shape = { 64 }, .scale = 1e-3, .shift = 2e4 } },
		.K = 33, .no_grad = true },
	{ "conv2d 3x3 of a batch norm", conv2d_of_norm, ref_conv2d_of_norm, CONFIG(PAD(1)),
		.in = { X(2, 5, 6, 70), W(3, 3, 70, 17), BATCH(70) }, .K = 690 },
	{ "conv2d 3x3 of a batch norm, small images", conv2d_of_norm, ref_conv2d_of_norm, CONFIG(PAD(1)),
		.in = { X(13, 3, 2, 9), W(3, 3, 9, 8), BATCH(9) }, .K = 160 },
	{ "conv2d 3x3/2 of a batch norm", conv2d_of_norm, ref_conv2d_of_norm,
		CONFIG(PAD(1), .stride_h = 2, .stride_w = 2),
		.in = { X(3, 7, 6, 33), W(3, 3, 33, 10), BATCH(33) }, .K = 300 },
	{ "conv2d 1x1 of a batch norm", conv2d_of_norm, ref_conv2d_of_norm, CONFIG(0),
		.in = { X(5, 6, 11, 67), W(1, 1, 67, 30), BATCH(67) }, .K = 460 },
	{ "conv2d 1x1/2 of a batch norm", conv2d_of_norm, ref_conv2d_of_norm,
		CONFIG(.stride_h = 2, .stride_w = 2),
		.in = { X(3, 5, 4, 18), W(1, 1, 18, 7), BATCH(18) }, .K = 60 },
	{ "conv2d 1x1 with bias and a sum", conv2d_residual, ref_residual, CONFIG(0),
		.in = { X(2, 3, 5, 17), W(1, 1, 17, 70), IN(70), IN(2, 3, 5, 70) }, .K = 70 },
	{ "conv2d 3x3 with bias and a sum", conv2d_residual, ref_residual, CONFIG(PAD(1)),
		.in = { X(2, 3, 5, 7), W(3, 3, 7, 9), IN(9), IN(2, 3, 5, 9) }, .K = 81 },
};

enum { COUNT = sizeof(cases) / sizeof(cases[0]), IM2COL = 2 }; /* tune.conv */

/* Bytes of a plan of y, dx and dw of a 3x3 convolution of 2x9x8x16 to 10 channels. */
static uint64_t peak(cg_ctx *ctx)
{
	const int64_t shape_x[] = { 2, 9, 8, 16 }, shape_w[] = { 3, 3, 16, 10 };
	cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 4, shape_x);
	cg_array *w = cg_array_new(ctx, "w", CG_FLOAT32, 4, shape_w);
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *in = cg_use(g, x), *weight = cg_use(g, w), *out[3];
	cg_plan *plan;
	uint64_t bytes;

	cg_want_grad(in);
	cg_want_grad(weight);
	out[0] = cg_conv2d(in, weight, 1, 1);
	cg_backward_from(out[0], out[0], NULL);
	out[1] = cg_grad(in);
	out[2] = cg_grad(weight);
	plan = cg_plan_new(g, out, 3);
	bytes = plan ? cg_plan_peak(plan) : 0;
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(x);
	cg_array_free(w);
	return bytes;
}

/* The GPU family's other ways; the first is usual. */
static void test_ways(cg_ctx *ctx)
{
	const uint64_t gathered = peak(ctx), windows = 2 * 9 * 8 * 9 * 16 * sizeof(float);
	uint64_t copied;

	for (ctx->tune.conv = 1; ctx->tune.conv < IM2COL; ctx->tune.conv++)
		optest_run(ctx, cases, COUNT);
	optest_run(ctx, cases, COUNT);
	copied = peak(ctx);
	ok(gathered > 0 && copied >= gathered + windows,
		"windows gathered: %llu bytes, copied: %llu", (unsigned long long)gathered,
		(unsigned long long)copied);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	optest_run(ctx, cases, COUNT);
	if (!ctx->tune.cpu_family)
		test_ways(ctx);
	cg_close(ctx);
	return done();
}
