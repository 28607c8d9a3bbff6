/*
 * Every operation, a line a case: values and gradients (optest.h says how they are checked). Sizes
 * lie around the edges of vectors and tiles: 1, 31..33, 63..65, primes.
 */
#include "op.h"
#undef IN /* of launches; values.h has that of tests */
#include "optest.h"
#include "tap.h"

/* name, what it calls with inputs `in` */
#define BUILD(name, call) \
	static cg_tensor *name(cg_tensor *const *in, const void *config) \
	{ \
		(void)config; \
		return call; \
	}

/* ---- elementwise ------------------------------------------------------------------------- */

BUILD(add, cg_add(in[0], in[1]))
BUILD(mul, cg_mul(in[0], in[1]))
BUILD(scale, cg_scale(in[0], *(const float *)config))
BUILD(bias, cg_bias(in[0], in[1]))
BUILD(relu, cg_relu(in[0]))
BUILD(gelu, cg_gelu(in[0]))
BUILD(gelu_tanh, cg_gelu_tanh(in[0]))
BUILD(sum, cg_sum(in[0]))
BUILD(mean, cg_mean(in[0]))
/* used twice: the gradients add up */
BUILD(square, cg_mul(in[0], in[0]))
BUILD(diamond, cg_add(cg_relu(in[0]), cg_scale(in[0], 3)))

static const struct op_case elementwise[] = {
	{ "add 1", add, ref_add, .in = { IN(1), IN(1) }, .linear = JOINTLY },
	{ "add 3x67", add, ref_add, .in = { IN(3, 67), IN(3, 67) }, .linear = JOINTLY },
	{ "add 4x31x33x5", add, ref_add, .in = { IN(4, 31, 33, 5), IN(4, 31, 33, 5) },
		.linear = JOINTLY },
	{ "mul 7x65", mul, ref_mul, .in = { IN(7, 65), IN(7, 65) }, .linear = EACH },
	{ "scale 5x13", scale, ref_scale, &(float){ -1.7f }, .in = { IN(5, 13) },
		.linear = JOINTLY },
	{ "bias 1x1", bias, ref_bias, .in = { IN(1, 1), IN(1) }, .linear = JOINTLY },
	{ "bias 5x3", bias, ref_bias, .in = { IN(5, 3), IN(3) }, .K = 5, .linear = JOINTLY },
	{ "bias 2x11x13x33", bias, ref_bias, .in = { IN(2, 11, 13, 33), IN(33) }, .K = 286,
		.linear = JOINTLY },
	{ "bias 1031x64", bias, ref_bias, .in = { IN(1031, 64), IN(64) }, .K = 1031,
		.linear = JOINTLY },
	{ "bias 9x37x7, positions", bias, ref_bias, .in = { IN(9, 37, 7), IN(37, 7) }, .K = 9,
		.linear = JOINTLY },
	{ "relu 3x5x7", relu, ref_relu, .in = { IN_AS(AWAY, 3, 5, 7) } },
	{ "relu 4099", relu, ref_relu, .in = { IN_AS(AWAY, 4099) } },
	{ "gelu 3x31", gelu, ref_gelu, .in = { IN(3, 31) }, .c = 16 },
	{ "gelu 1025, large", gelu, ref_gelu, .in = { { .shape = { 1025 }, .scale = 5 } },
		.c = 16 },
	{ "gelu_tanh 3x31", gelu_tanh, ref_gelu_tanh, .in = { IN(3, 31) }, .c = 16 },
	/* 1 - tanh^2 cancels */
	{ "gelu_tanh 1025, large", gelu_tanh, ref_gelu_tanh,
		.in = { { .shape = { 1025 }, .scale = 5 } }, .c = 128 },
	{ "sum 1", sum, ref_sum, .in = { IN(1) }, .linear = JOINTLY },
	{ "sum 63x67", sum, ref_sum, .in = { IN(63, 67) }, .K = 4221, .linear = JOINTLY },
	{ "mean 5x129", mean, ref_mean, .in = { IN(5, 129) }, .K = 645, .linear = JOINTLY },
	{ "mean 70001", mean, ref_mean, .in = { IN(70001) }, .K = 70001, .linear = JOINTLY },
	{ "mul of x by itself", square, .in = { IN(33) } },
	{ "relu(x) + 3 x", diamond, .in = { IN_AS(AWAY, 65) } },
};

/* ---- pooling ----------------------------------------------------------------------------- */

BUILD(max_pool, cg_max_pool(in[0], config))
BUILD(avg_pool, cg_avg_pool(in[0], config))
BUILD(adaptive, cg_adaptive_avg_pool(in[0], ((const int *)config)[0], ((const int *)config)[1]))
BUILD(global_avg_pool, cg_global_avg_pool(in[0]))

#define POOL(...) &(cg_pool_config){ __VA_ARGS__ }
#define WINDOW(h, w, down, right) \
	.window_h = (h), .window_w = (w), .stride_h = (down), .stride_w = (right)
#define PAD(top, left, bottom, right) \
	.pad_top = (top), .pad_left = (left), .pad_bottom = (bottom), .pad_right = (right)

static const struct op_case pooling[] = {
	{ "max_pool 1x1", max_pool, ref_max_pool, POOL(WINDOW(1, 1, 0, 0)),
		.in = { IN_AS(DISTINCT, 1, 1, 1, 1) } },
	{ "max_pool 2x2/2, 1 channel", max_pool, ref_max_pool, POOL(WINDOW(2, 2, 0, 0)),
		.in = { IN_AS(DISTINCT, 2, 6, 8, 1) } },
	{ "max_pool 2x2/2, 31 channels", max_pool, ref_max_pool, POOL(WINDOW(2, 2, 0, 0)),
		.in = { IN_AS(DISTINCT, 2, 7, 5, 31) } },
	{ "max_pool 2x2/2, 64 channels", max_pool, ref_max_pool, POOL(WINDOW(2, 2, 0, 0)),
		.in = { IN_AS(DISTINCT, 3, 11, 11, 64) } },
	{ "max_pool 3x3/2", max_pool, ref_max_pool, POOL(WINDOW(3, 3, 2, 2)),
		.in = { IN_AS(DISTINCT, 2, 13, 11, 7) } },
	{ "max_pool 3x3/2, pad 1", max_pool, ref_max_pool,
		POOL(WINDOW(3, 3, 2, 2), PAD(1, 1, 1, 1)), .in = { IN_AS(DISTINCT, 1, 7, 9, 33) } },
	{ "max_pool 3x3/2, pad 1 with zeros", max_pool, ref_max_pool,
		POOL(WINDOW(3, 3, 2, 2), PAD(1, 1, 1, 1), .pad_zero = true),
		.in = { { .shape = { 2, 6, 5, 17 }, .fill = DISTINCT, .shift = -40.03 } } },
	{ "max_pool 3x3/2, rounded up", max_pool, ref_max_pool,
		POOL(WINDOW(3, 3, 2, 2), .ceil_mode = true),
		.in = { IN_AS(DISTINCT, 2, 6, 8, 5) } },
	{ "max_pool 4x4/2, pad 1", max_pool, ref_max_pool,
		POOL(WINDOW(4, 4, 2, 2), PAD(1, 1, 1, 1)), .in = { IN_AS(DISTINCT, 2, 8, 7, 32) } },
	{ "max_pool 4x3/2, pad 3,1,0,2", max_pool, ref_max_pool,
		POOL(WINDOW(4, 3, 2, 2), PAD(3, 1, 0, 2)), .in = { IN_AS(DISTINCT, 1, 6, 5, 40) } },
	{ "max_pool 2x2/2, pad 1", max_pool, ref_max_pool,
		POOL(WINDOW(2, 2, 2, 2), PAD(1, 1, 1, 1)), .in = { IN_AS(DISTINCT, 2, 5, 6, 17) } },
	{ "max_pool 3x2/1x2, pad 2,0,1,1", max_pool, ref_max_pool,
		POOL(WINDOW(3, 2, 1, 2), PAD(2, 0, 1, 1)), .in = { IN_AS(DISTINCT, 1, 5, 6, 19) } },
	{ "max_pool 1x1/2", max_pool, ref_max_pool, POOL(WINDOW(1, 1, 2, 2)),
		.in = { IN_AS(DISTINCT, 1, 5, 7, 65) } },
	{ "max_pool 17x17, wide index", max_pool, ref_max_pool, POOL(WINDOW(17, 17, 3, 3)),
		.in = { IN_AS(DISTINCT, 1, 19, 21, 18) } },
	{ "avg_pool 2x2/2", avg_pool, ref_avg_pool, POOL(WINDOW(2, 2, 0, 0)),
		.in = { IN(2, 6, 9, 3) }, .K = 4, .linear = JOINTLY },
	{ "avg_pool 3x3/2, pad 1", avg_pool, ref_avg_pool,
		POOL(WINDOW(3, 3, 2, 2), PAD(1, 1, 1, 1)), .in = { IN(2, 7, 9, 33) }, .K = 9,
		.linear = JOINTLY },
	{ "avg_pool 3x3/2, pad 1 counted", avg_pool, ref_avg_pool,
		POOL(WINDOW(3, 3, 2, 2), PAD(1, 1, 1, 1), .count_pad = true),
		.in = { IN(2, 7, 8, 31) }, .K = 9, .linear = JOINTLY },
	{ "avg_pool 3x3/2, counted, rounded up", avg_pool, ref_avg_pool,
		POOL(WINDOW(3, 3, 2, 2), PAD(1, 1, 1, 1), .count_pad = true, .ceil_mode = true),
		.in = { IN(1, 6, 8, 64) }, .K = 9, .linear = JOINTLY },
	{ "avg_pool 5x3/1x4, 1 channel", avg_pool, ref_avg_pool,
		POOL(WINDOW(5, 3, 1, 4), PAD(2, 0, 2, 1)), .in = { IN(2, 7, 13, 1) }, .K = 15,
		.linear = JOINTLY },
	{ "adaptive_avg_pool 7x5 to 3x4", adaptive, ref_adaptive_avg_pool, (int[]){ 3, 4 },
		.in = { IN(2, 7, 5, 19) }, .K = 12, .linear = JOINTLY },
	{ "adaptive_avg_pool 3x2 to 5x6", adaptive, ref_adaptive_avg_pool, (int[]){ 5, 6 },
		.in = { IN(1, 3, 2, 65) }, .K = 12, .linear = JOINTLY },
	{ "global_avg_pool 1x1", global_avg_pool, ref_adaptive_avg_pool, .in = { IN(3, 1, 1, 5) },
		.linear = JOINTLY },
	{ "global_avg_pool 7x7", global_avg_pool, ref_adaptive_avg_pool, .in = { IN(3, 7, 7, 67) },
		.K = 49, .linear = JOINTLY },
};

/* ---- products ---------------------------------------------------------------------------- */

BUILD(matmul, cg_matmul(in[0], in[1]))
BUILD(conv2d, cg_conv2d_ex(in[0], in[1], config))
/* What may be fused into the product; not relu, whose kinks a step would cross. */
BUILD(dense, cg_gelu(cg_bias(cg_matmul(in[0], in[1]), in[2])))
BUILD(convolved, cg_gelu_tanh(cg_bias(cg_conv2d_ex(in[0], in[1], config), in[2])))

BUILD(residual, cg_add(in[3], cg_bias(cg_matmul(in[0], in[1]), in[2])))
/* A product that is the bias, which is not to be fused with it. */
BUILD(biased, cg_bias(in[2], cg_matmul(in[0], in[1])))
BUILD(mlp, cg_matmul(cg_gelu(cg_matmul(in[0], in[1])), in[2]))

#define CONV(...) &(cg_conv_config){ __VA_ARGS__ }
#define STRIDE(down, right) .stride_h = (down), .stride_w = (right)

static const struct op_case products[] = {
	{ "matmul 1x1x1", matmul, ref_matmul, .in = { IN(1, 1), IN(1, 1) }, .linear = EACH },
	{ "matmul 7x5x3", matmul, ref_matmul, .in = { IN(7, 5), IN(5, 3) }, .K = 7, .linear = EACH },
	{ "matmul 31x33x65", matmul, ref_matmul, .in = { IN(31, 33), IN(33, 65) }, .K = 65,
		.linear = EACH },
	{ "matmul 2x3x67x127", matmul, ref_matmul, .in = { IN(2, 3, 67), IN(67, 127) }, .K = 127,
		.linear = EACH },
	{ "matmul 129x64x63", matmul, ref_matmul, .in = { IN(129, 64), IN(64, 63) }, .K = 129,
		.linear = EACH },
	{ "dense 13x33x17", dense, .in = { IN(13, 33), IN(33, 17), IN(17) }, .K = 33 },
	{ "residual 7x800x70", residual,
		.in = { IN(7, 800), IN(800, 70), IN(70), IN(7, 70) }, .K = 800 },
	{ "residual 13x33x128", residual,
		.in = { IN(13, 33), IN(33, 128), IN(128), IN(13, 128) }, .K = 33 },
	/* rows that are cut, so that the bias's gradient is summed from parts */
	{ "residual 1031x64x70", residual,
		.in = { IN(1031, 64), IN(64, 70), IN(70), IN(1031, 70) }, .K = 1031 },
	{ "residual 300x17x33", residual,
		.in = { IN(300, 17), IN(17, 33), IN(33), IN(300, 33) }, .K = 300 },
	{ "bias 5x17 of a product", biased, .in = { IN(33), IN(33, 17), IN(5, 17) }, .K = 33 },
	{ "mlp 13x33x130x17", mlp, .in = { IN(13, 33), IN(33, 130), IN(130, 17) }, .K = 130 },
	{ "mlp 7x5x64x800", mlp, .in = { IN(7, 5), IN(5, 64), IN(64, 800) }, .K = 800 },
	{ "conv2d 1x1, 1x1x1x1", conv2d, ref_conv2d, CONV(.groups = 1),
		.in = { IN(1, 1, 1, 1), IN(1, 1, 1, 1) }, .linear = EACH },
	{ "conv2d 1x1, 2x5x3x17", conv2d, ref_conv2d, CONV(.groups = 1),
		.in = { IN(2, 5, 3, 17), IN(1, 1, 17, 33) }, .K = 33, .linear = EACH },
	{ "conv2d 3x3 pad 1, 2x4x5x3", conv2d, ref_conv2d, CONV(PAD(1, 1, 1, 1)),
		.in = { IN(2, 4, 5, 3), IN(3, 3, 3, 7) }, .K = 63, .linear = EACH },
	{ "conv2d 3x3 pad 1, 1x13x12x16", conv2d, ref_conv2d, CONV(PAD(1, 1, 1, 1)),
		.in = { IN(1, 13, 12, 16), IN(3, 3, 16, 65) }, .K = 585, .linear = EACH },
	{ "conv2d 3x3 pad 1, 3x2x2x31", conv2d, ref_conv2d, CONV(PAD(1, 1, 1, 1)),
		.in = { IN(3, 2, 2, 31), IN(3, 3, 31, 5) }, .K = 279, .linear = EACH },
	{ "conv2d 3x3/2 pad 0,0,1,1", conv2d, ref_conv2d, CONV(STRIDE(2, 2), PAD(0, 0, 1, 1)),
		.in = { IN(2, 6, 8, 5), IN(3, 3, 5, 9) }, .K = 81, .linear = EACH },
	{ "conv2d 1x1/2", conv2d, ref_conv2d, CONV(STRIDE(2, 2)),
		.in = { IN(2, 5, 6, 7), IN(1, 1, 7, 17) }, .K = 60, .linear = EACH },
	{ "conv2d 7x5/3x2 pad 3,2,3,2", conv2d, ref_conv2d, CONV(STRIDE(3, 2), PAD(3, 2, 3, 2)),
		.in = { IN(1, 11, 9, 2), IN(7, 5, 2, 19) }, .K = 665, .linear = EACH },
	{ "conv2d 3x3 pad 1, 2 groups", conv2d, ref_conv2d, CONV(PAD(1, 1, 1, 1), .groups = 2),
		.in = { IN(2, 4, 3, 6), IN(3, 3, 3, 10) }, .K = 90, .linear = EACH },
	{ "convolved 3x3 pad 1, 2x4x5x3", convolved, .config = CONV(PAD(1, 1, 1, 1)),
		.in = { IN(2, 4, 5, 3), IN(3, 3, 3, 7), IN(7) }, .K = 63 },
};

/* ---- normalisation ----------------------------------------------------------------------- */

static cg_tensor *batch_norm(cg_tensor *const *in, const void *config)
{
	const struct ref_norm *f = config;

	return cg_batch_norm(in[0], in[1], in[2], in[3]->array, in[4]->array, (float)f->eps,
		(float)f->momentum, false);
}

static cg_tensor *batch_norm_frozen(cg_tensor *const *in, const void *config)
{
	const struct ref_norm *f = config;

	return cg_batch_norm(in[0], in[1], in[2], in[3]->array, in[4]->array, (float)f->eps,
		(float)f->momentum, true);
}

BUILD(layer_norm,
	cg_layer_norm(in[0], in[1], in[2], (float)((const struct ref_norm *)config)->eps))

static cg_tensor *local_response_norm(cg_tensor *const *in, const void *config)
{
	const struct ref_lrn *f = config;

	return cg_local_response_norm(in[0], f->size, (float)f->alpha, (float)f->beta, (float)f->k);
}

#define NORM(e) &(struct ref_norm){ .eps = (e), .momentum = .9 }
/* x, gamma, beta, running mean, running variance; the shape of x ends in C */
#define BN_INPUTS(C, ...) \
	.in = { IN(__VA_ARGS__), IN_AS(POSITIVE, C), IN(C), FIXED(NORMAL, C), FIXED(POSITIVE, C) }
#define BN(C, ...) batch_norm, ref_batch_norm, NORM(1e-3), BN_INPUTS(C, __VA_ARGS__)
#define BN_FROZEN(C, ...) \
	batch_norm_frozen, ref_batch_norm_frozen, NORM(1e-3), BN_INPUTS(C, __VA_ARGS__)
/* mean 100, sd 1 */
#define FAR_FROM_ZERO(...) { .shape = { __VA_ARGS__ }, .shift = 100 }
#define LN(D, ...) \
	layer_norm, ref_layer_norm, NORM(1e-6), .in = { IN(__VA_ARGS__), IN_AS(POSITIVE, D), IN(D) }
#define LRN(s, a, b) &(struct ref_lrn){ .size = (s), .alpha = (a), .beta = (b), .k = 2 }

static const struct op_case normalisation[] = {
	{ "batch_norm 7x1", BN(1, 7, 1), .K = 7 },
	{ "batch_norm 2x3x5x3", BN(3, 2, 3, 5, 3), .K = 30 },
	{ "batch_norm 3x16", BN(16, 3, 16), .K = 3 },
	{ "batch_norm 37x7", BN(7, 37, 7), .K = 37 },
	{ "batch_norm 2x5x7x31", BN(31, 2, 5, 7, 31), .K = 70 },
	{ "batch_norm 5x11x13x24", BN(24, 5, 11, 13, 24), .K = 715 },
	{ "batch_norm 1031x64", BN(64, 1031, 64), .K = 1031 },
	{ "batch_norm 3x9x7x65", BN(65, 3, 9, 7, 65), .K = 189 },
	{ "batch_norm 67x1030", BN(1030, 67, 1030), .K = 67 },
	{ "batch_norm 9000x3", BN(3, 9000, 3), .K = 9000 },
	{ "batch_norm 515x17, mean 100 sd", batch_norm, ref_batch_norm, NORM(1e-3),
		.in = { FAR_FROM_ZERO(515, 17), IN_AS(POSITIVE, 17), IN(17), FIXED(NORMAL, 17),
			FIXED(POSITIVE, 17) }, .K = 515 },
	{ "batch_norm frozen 5x1", BN_FROZEN(1, 5, 1), .K = 5 },
	{ "batch_norm frozen 2x5x7x31", BN_FROZEN(31, 2, 5, 7, 31), .K = 70 },
	{ "batch_norm frozen 129x64", BN_FROZEN(64, 129, 64), .K = 129 },
	{ "batch_norm frozen 5x7, dx alone", batch_norm_frozen, ref_batch_norm_frozen, NORM(1e-3),
		.in = { IN(5, 7), FIXED(POSITIVE, 7), FIXED(NORMAL, 7), FIXED(NORMAL, 7),
			FIXED(POSITIVE, 7) }, .K = 5 },
	{ "batch_norm frozen 5x7, dgamma alone", batch_norm_frozen, ref_batch_norm_frozen,
		NORM(1e-3),
		.in = { FIXED(NORMAL, 5, 7), IN_AS(POSITIVE, 7), FIXED(NORMAL, 7), FIXED(NORMAL, 7),
			FIXED(POSITIVE, 7) }, .K = 5 },
	{ "batch_norm 5x7, dbeta alone", batch_norm, ref_batch_norm, NORM(1e-3),
		.in = { FIXED(NORMAL, 5, 7), FIXED(POSITIVE, 7), IN(7), FIXED(NORMAL, 7),
			FIXED(POSITIVE, 7) }, .K = 5 },
	{ "batch_norm inference 2x3x5x24", BN_FROZEN(24, 2, 3, 5, 24), .K = 30, .infer = true,
		.no_grad = true },
	{ "layer_norm 3x1", LN(1, 3, 1) },
	{ "layer_norm 5x7", LN(7, 5, 7), .K = 7 },
	{ "layer_norm 2x11x31", LN(31, 2, 11, 31), .K = 31 },
	{ "layer_norm 3x37x64", LN(64, 3, 37, 64), .K = 111 },
	{ "layer_norm 67x65", LN(65, 67, 65), .K = 67 },
	{ "layer_norm 2x37x192", LN(192, 2, 37, 192), .K = 192 },
	{ "layer_norm 13x1031", LN(1031, 13, 1031), .K = 1031 },
	{ "layer_norm 1025x16", LN(16, 1025, 16), .K = 1025 },
	{ "layer_norm 5x33, dx alone", layer_norm, ref_layer_norm, NORM(1e-6),
		.in = { IN(5, 33), FIXED(POSITIVE, 33), FIXED(NORMAL, 33) }, .K = 33 },
	{ "layer_norm 5x33, dgamma alone", layer_norm, ref_layer_norm, NORM(1e-6),
		.in = { FIXED(NORMAL, 5, 33), IN_AS(POSITIVE, 33), FIXED(NORMAL, 33) }, .K = 33 },
	{ "layer_norm 5x96, mean 100 sd", layer_norm, ref_layer_norm, NORM(1e-6),
		.in = { FAR_FROM_ZERO(5, 96), IN_AS(POSITIVE, 96), IN(96) }, .K = 96 },
	{ "local_response_norm 2x3x5x1", local_response_norm, ref_local_response_norm,
		LRN(5, 1., .75), .in = { IN(2, 3, 5, 1) }, .K = 5 },
	{ "local_response_norm 2x3x5x3", local_response_norm, ref_local_response_norm,
		LRN(5, 1., .75), .in = { IN(2, 3, 5, 3) }, .K = 5 },
	{ "local_response_norm 2x3x3x33", local_response_norm, ref_local_response_norm,
		LRN(5, .5, .75), .in = { IN(2, 3, 3, 33) }, .K = 5 },
	{ "local_response_norm 3x2x2x96, beta .6", local_response_norm, ref_local_response_norm,
		LRN(5, 2., .6), .in = { IN(3, 2, 2, 96) }, .K = 5, .c = 8 },
	{ "local_response_norm 2x1x3x18, size 4", local_response_norm, ref_local_response_norm,
		LRN(4, 3., .75), .in = { IN(2, 1, 3, 18) }, .K = 4 },
	{ "local_response_norm 2x1x3x20, size 1", local_response_norm, ref_local_response_norm,
		LRN(1, 3., .75), .in = { IN(2, 1, 3, 20) } },
};

/* ---- shape ------------------------------------------------------------------------------- */

BUILD(reshape, cg_reshape(in[0], 3, config))
BUILD(transpose, cg_transpose(in[0], config))
BUILD(concat, cg_concat(in[0], in[1], *(const int *)config))
BUILD(slice, cg_slice(in[0], ((const struct ref_slice *)config)->dim,
	((const struct ref_slice *)config)->start, ((const struct ref_slice *)config)->count))
BUILD(repeat, cg_repeat(in[0], *(const int64_t *)config))
BUILD(gather, cg_gather(in[0], in[1]))

#define SHAPE(...) (int64_t[]){ __VA_ARGS__ }
#define ORDER(...) (int[]){ __VA_ARGS__ }
#define CUT(...) &(struct ref_slice){ __VA_ARGS__ }
#define TRANSPOSE(order, ...) \
	transpose, ref_transpose, order, .in = { IN(__VA_ARGS__) }, .linear = JOINTLY

static const struct op_case shapes[] = {
	{ "reshape 2x3x5x7 to 6x-1x5", reshape, ref_copy, SHAPE(6, -1, 5), .in = { IN(2, 3, 5, 7) },
		.linear = JOINTLY },
	{ "transpose 1x1", TRANSPOSE(ORDER(1, 0), 1, 1) },
	{ "transpose 33x17", TRANSPOSE(ORDER(1, 0), 33, 17) },
	{ "transpose 64x63", TRANSPOSE(ORDER(1, 0), 64, 63) },
	{ "transpose 3x31x37 by 0 2 1", TRANSPOSE(ORDER(0, 2, 1), 3, 31, 37) },
	{ "transpose 2x5x7x19 by 0 2 1 3", TRANSPOSE(ORDER(0, 2, 1, 3), 2, 5, 7, 19) },
	{ "transpose 2x3x5x7 by 3 2 1 0", TRANSPOSE(ORDER(3, 2, 1, 0), 2, 3, 5, 7) },
	{ "transpose 3x4x5x2x7 by 4 1 3 0 2", TRANSPOSE(ORDER(4, 1, 3, 0, 2), 3, 4, 5, 2, 7) },
	{ "transpose 2x3x4x5x33 by 2 0 3 1 4", TRANSPOSE(ORDER(2, 0, 3, 1, 4), 2, 3, 4, 5, 33) },
	{ "transpose 2x16x16x16 by 0 3 1 2", TRANSPOSE(ORDER(0, 3, 1, 2), 2, 16, 16, 16) },
	{ "transpose 1x7x1x5 by 2 1 0 3", TRANSPOSE(ORDER(2, 1, 0, 3), 1, 7, 1, 5) },
	{ "concat 3x5 and 3x1 along 1", concat, ref_concat, &(int){ 1 },
		.in = { IN(3, 5), IN(3, 1) }, .linear = JOINTLY },
	{ "concat 2x1x65 and 2x36x65 along 1", concat, ref_concat, &(int){ 1 },
		.in = { IN(2, 1, 65), IN(2, 36, 65) }, .linear = JOINTLY },
	{ "concat 4x33 and 7x33 along 0", concat, ref_concat, &(int){ 0 },
		.in = { IN(4, 33), IN(7, 33) }, .linear = JOINTLY },
	{ "slice 5 of 9x7 from 2 along 0", slice, ref_slice, CUT(0, 2, 5), .in = { IN(9, 7) },
		.linear = JOINTLY },
	{ "slice 1 of 3x37x65 from 0 along 1", slice, ref_slice, CUT(1, 0, 1),
		.in = { IN(3, 37, 65) }, .linear = JOINTLY },
	{ "slice 31 of 2x5x64 from 33 along 2", slice, ref_slice, CUT(2, 33, 31),
		.in = { IN(2, 5, 64) }, .linear = JOINTLY },
	{ "repeat 1x3x33 7 times", repeat, ref_repeat, SHAPE(7), .in = { IN(1, 3, 33) }, .K = 7,
		.linear = JOINTLY },
	{ "repeat 5x17 3 times", repeat, ref_repeat, SHAPE(3), .in = { IN(5, 17) }, .K = 3,
		.linear = JOINTLY },
	{ "gather 9 of 5x67", gather, ref_gather, .in = { FIXED(NORMAL, 5, 67), INDICES(5, 9) },
		.no_grad = true },
};

/* ---- softmax and loss -------------------------------------------------------------------- */

BUILD(softmax, cg_softmax(in[0]))
BUILD(correct, cg_correct(in[0], in[1]))

static cg_tensor *cross_entropy(cg_tensor *const *in, const void *config)
{
	const struct ref_loss *c = config;

	return cg_cross_entropy(in[0], in[1], c->weighted ? in[2] : NULL, (float)c->smoothing);
}

#define LOSS(...) &(struct ref_loss){ __VA_ARGS__ }

static const struct op_case losses[] = {
	{ "softmax 1x1", softmax, ref_softmax, .in = { IN(1, 1) } },
	{ "softmax 5x7", softmax, ref_softmax, .in = { IN(5, 7) }, .K = 7, .c = 8 },
	{ "softmax 2x3x65", softmax, ref_softmax, .in = { IN(2, 3, 65) }, .K = 65, .c = 8 },
	{ "softmax 3x1031, large", softmax, ref_softmax,
		.in = { { .shape = { 3, 1031 }, .scale = 20, .shift = 500 } }, .K = 1031, .c = 8 },
	{ "cross_entropy 1x2", cross_entropy, ref_cross_entropy, LOSS(0, false),
		.in = { IN(1, 2), FIXED(SIMPLEX, 1, 2) }, .K = 2, .c = 8 },
	{ "cross_entropy 33x7, smoothing .1", cross_entropy, ref_cross_entropy, LOSS(.1, false),
		.in = { IN(33, 7), FIXED(SIMPLEX, 33, 7) }, .K = 231, .c = 8 },
	{ "cross_entropy 65x7, weights", cross_entropy, ref_cross_entropy, LOSS(0, true),
		.in = { IN(65, 7), FIXED(SIMPLEX, 65, 7), FIXED(POSITIVE, 7) }, .K = 455, .c = 8 },
	{ "cross_entropy 17x129, both, large", cross_entropy, ref_cross_entropy, LOSS(.2, true),
		.in = { { .shape = { 17, 129 }, .scale = 30 }, FIXED(SIMPLEX, 17, 129),
			FIXED(POSITIVE, 129) }, .K = 2193, .c = 8 },
	{ "correct 67x7", correct, ref_correct, .in = { FIXED(NORMAL, 67, 7), FIXED(SIMPLEX, 67, 7) },
		.no_grad = true },
};

/* ---- randomness: the same draw each time ------------------------------------------------- */

BUILD(dropout, cg_dropout(in[0], *(const float *)config))
BUILD(drop_path, cg_drop_path(in[0], *(const float *)config))

static const struct op_case random_draws[] = {
	{ "dropout .5 of 3x67", dropout, .config = &(float){ .5f }, .in = { IN(3, 67) },
		.linear = JOINTLY },
	{ "dropout .1 of 2x5x7x33", dropout, .config = &(float){ .1f }, .in = { IN(2, 5, 7, 33) },
		.linear = JOINTLY },
	{ "drop_path .4 of 9x5x7", drop_path, .config = &(float){ .4f }, .in = { IN(9, 5, 7) },
		.linear = JOINTLY },
};

/* ---- attention --------------------------------------------------------------------------- */

static cg_tensor *attention(cg_tensor *const *in, const void *config)
{
	return cg_attention(in[0], ((const struct ref_attention *)config)->heads, 0);
}

#define HEADS(n) &(struct ref_attention){ n }

static const struct op_case attentions[] = {
	{ "attention 1x1, 1 head of 7", attention, ref_attention, HEADS(1), .in = { IN(1, 1, 21) },
		.K = 7 },
	{ "attention 2x5, 3 heads of 7", attention, ref_attention, HEADS(3), .in = { IN(2, 5, 63) },
		.K = 7 },
	{ "attention 2x37, 2 heads of 64", attention, ref_attention, HEADS(2), .in = { IN(2, 37, 384) },
		.K = 64 },
	{ "attention 1x65, 1 head of 96", attention, ref_attention, HEADS(1), .in = { IN(1, 65, 288) },
		.K = 96 },
	{ "attention 1x197, 1 head of 64, large", attention, ref_attention, HEADS(1),
		.in = { { .shape = { 1, 197, 192 }, .scale = 3 } }, .K = 197 },
};

/* On GPUs its gradient needs 41 KB of local memory. */
static const struct op_case wide_heads[] = {
	{ "attention 1x270, 1 head of 256", attention, ref_attention, HEADS(1), .in = { IN(1, 270, 768) },
		.K = 270 },
};

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
#define RUN(table) optest_run(ctx, table, (int)(sizeof(table) / sizeof(table[0])))
	RUN(elementwise);
	RUN(pooling);
	RUN(products);
	RUN(normalisation);
	RUN(shapes);
	RUN(losses);
	RUN(attentions);
	if (cg_device(ctx)->local_bytes >= 42 << 10)
		RUN(wide_heads);
	else
		skip("heads of 256: the device has %zu bytes of local memory",
			(size_t)cg_device(ctx)->local_bytes);
	RUN(random_draws);
	cg_close(ctx);
	return done();
}
