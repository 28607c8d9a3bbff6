/*
 * Convolutions on GPUs: one product whose windows are gathered as it goes (cl/conv2d_gpu.cl,
 * cl/conv2d_dw_gpu.cl), which needs no memory for them; or windows are copied to rows (im2col), some
 * images at a time, and multiplied (cl/im2col_gpu.cl). Tuning decides which.
 */
#include "../choice.h"
#include "../ctx.h"
#include "conv2d.h"

/* ---- which ------------------------------------------------------------------------------ */

/* as in tune.h */
enum way { SMALL_TILES, LARGE_TILES, IM2COL };

static enum way choose(struct cg__emit *e, const struct cg__conv *a, const char *part)
{
	static const char *const ways[] = { "tiles64", "tiles128", "im2col" };
	const cg_conv_config *c = &a->c;
	char key[128];

	snprintf(key, sizeof(key),
		"conv2d %s B%d H%d W%d C%d P%d Q%d M%d R%d S%d stride %d %d pad %d %d groups %d",
		part, (int)a->B, (int)a->H, (int)a->W, (int)a->C, (int)a->P, (int)a->Q, (int)a->M,
		(int)a->R, (int)a->S, c->stride_h, c->stride_w, c->pad_top, c->pad_left, c->groups);
	return (enum way)cg__choose(e, key, ways, 3, cg__emit_ctx(e)->tune.conv);
}

/* ---- windows gathered on the way -------------------------------------------------------- */

#define LARGE "-DBM=128 -DBN=128 -DBK=16 -DTM=8 -DTN=8"

static int64_t tiles(int64_t n, enum way way)
{
	const int64_t side = way == LARGE_TILES ? 128 : 64;

	return (n + side - 1) / side;
}

static struct cg__range range(int64_t columns, int64_t rows, int64_t others, enum way way)
{
	return cg__range_3d((size_t)tiles(columns, way) * 16, (size_t)tiles(rows, way) * 16,
		(size_t)others, 16, 16, 1);
}

static double flops_of(const struct cg__conv *a)
{
	return 2.0 * (double)(a->B * a->P * a->Q * a->R * a->S * a->C) *
		(double)(a->M / a->c.groups);
}

#define WINDOW(a) \
	INT((a)->R), INT((a)->S), INT((a)->c.stride_h), INT((a)->c.stride_w), INT((a)->c.pad_top), \
		INT((a)->c.pad_left), INT((a)->c.groups)

static cg_status forward(
	struct cg__emit *e, const struct cg__conv *a, const cg_tensor *y, enum way way)
{
	const int64_t C = a->C / a->c.groups, M = a->M / a->c.groups;

	TRY(CG__LAUNCH(e, "conv2d_gpu", way == LARGE_TILES ? LARGE : NULL, "conv2d",
		range(M, a->B * a->P * a->Q, a->c.groups, way), IN(y->src[0]), IN(y->src[1]),
		OUT(y), IN(cg__conv_bias(y)), INT(a->B), INT(a->H), INT(a->W), INT(C),
		INT(a->P), INT(a->Q), INT(M), WINDOW(a), INT(a->act)));
	cg__flops(e, flops_of(a));
	return CG_OK;
}

/* As many phases as the stride has pixels. */
static cg_status backward(
	struct cg__emit *e, const struct cg__conv *a, const cg_tensor *dx, enum way way)
{
	const int64_t C = a->C / a->c.groups, M = a->M / a->c.groups, h = a->c.stride_h,
		      w = a->c.stride_w, pixels = (a->H + h - 1) / h * ((a->W + w - 1) / w);

	TRY(CG__LAUNCH(e, "conv2d_gpu", way == LARGE_TILES ? "-DDX=1 " LARGE : "-DDX=1", "conv2d",
		range(C, a->B * pixels, h * w * a->c.groups, way), IN(dx->src[0]), IN(dx->src[1]),
		OUT(dx), IN(NULL), INT(a->B), INT(a->P), INT(a->Q), INT(M), INT(a->H), INT(a->W),
		INT(C), WINDOW(a), INT(CG__ACT_NONE)));
	cg__flops(e, flops_of(a));
	return CG_OK;
}

static cg_status weights(
	struct cg__emit *e, const struct cg__conv *a, const cg_tensor *dw, enum way way)
{
	const int64_t groups = a->c.groups, M = a->M / groups, K = a->R * a->S * a->C / groups,
		      splits = cg__splits(
			      tiles(M, way) * tiles(K, way) * groups, a->B * a->P * a->Q);
	const cg_tensor *part =
		splits > 1 ? cg__temp(e, CG_FLOAT32, splits * groups * K * M) : NULL;

	if (splits > 1 && part == NULL)
		return CG_ERR_HOST_MEMORY;
	TRY(CG__LAUNCH(e, "conv2d_dw_gpu", way == LARGE_TILES ? LARGE : NULL, "conv2d_dw",
		range(M, K, groups * splits, way), IN(dw->src[0]), IN(dw->src[1]),
		OUT(part ? part : dw), INT(a->B), INT(a->H), INT(a->W), INT(a->C / groups),
		INT(a->P), INT(a->Q), INT(M), WINDOW(a), INT(splits)));
	cg__flops(e, flops_of(a));
	if (part == NULL)
		return CG_OK;
	return CG__LAUNCH(e, "gemm_gpu", NULL, "gemm_join", cg__range_rows(e, M, K * groups),
		IN(part), OUT(dw), IN(NULL), INT(K), INT(M), INT(0), INT(a->M), INT(M), INT(splits),
		INT(groups), INT(0), INT(CG__ACT_NONE));
}

/* ---- windows copied --------------------------------------------------------------------- */

enum { COL_BYTES = 256 << 20 }; /* of windows at a time */

static int64_t images_at_once(const struct cg__conv *a)
{
	int64_t one = a->P * a->Q * a->R * a->S * a->C / a->c.groups * 4, n = COL_BYTES / one;

	return n < 1 ? 1 : n > a->B ? a->B : n;
}

/* im2col or col2im of `images` images for group g */
static cg_status windows(struct cg__emit *e, const struct cg__conv *a, const char *kernel,
	const cg_tensor *from, const cg_tensor *to, bool part, int64_t images, int64_t first,
	int64_t g)
{
	int64_t C = a->C / a->c.groups, cells = images * a->P * a->Q * a->R * a->S;
	struct cg__range r = cg__range_rows(e, C, from->ndim == 4 ? cells : images * a->H * a->W);

	return CG__LAUNCH(e, "im2col_gpu", NULL, kernel, r, IN(from), part ? UPDATE(to) : OUT(to),
		INT(images), INT(first), INT(a->H), INT(a->W), INT(a->C), INT(g * C), INT(C),
		INT(a->P), INT(a->Q), INT(a->R), INT(a->S), INT(a->c.stride_h), INT(a->c.stride_w),
		INT(a->c.pad_top), INT(a->c.pad_left));
}

/* Calls fn for each group and each piece of the batch. */
typedef cg_status (*piece_fn)(struct cg__emit *e, const struct cg__conv *a, const cg_tensor *y,
	const cg_tensor *col, int64_t images, int64_t first, int64_t g);

static cg_status for_pieces(
	struct cg__emit *e, const struct cg__conv *a, const cg_tensor *y, piece_fn fn)
{
	int64_t step = images_at_once(a);
	cg_tensor *col =
		cg__temp(e, CG_FLOAT32, step * a->P * a->Q * a->R * a->S * a->C / a->c.groups);

	if (col == NULL)
		return CG_ERR_HOST_MEMORY;
	for (int64_t g = 0; g < a->c.groups; g++)
		for (int64_t first = 0; first < a->B; first += step) {
			int64_t images = a->B - first < step ? a->B - first : step;

			TRY(fn(e, a, y, col, images, first, g));
		}
	return CG_OK;
}

static cg_status forward_piece(struct cg__emit *e, const struct cg__conv *a, const cg_tensor *y,
	const cg_tensor *col, int64_t images, int64_t first, int64_t g)
{
	int64_t N = a->M / a->c.groups, K = a->R * a->S * a->C / a->c.groups, pixels = a->P * a->Q;

	TRY(windows(e, a, "im2col", y->src[0], col, false, images, first, g));
	return cg__gemm(e,
		&(struct cg__gemm){ .M = images * pixels,
			.N = N,
			.K = K,
			.a = col,
			.b = y->src[1],
			.c = y,
			.ldb = a->M,
			.b_offset = g * N,
			.ldc = a->M,
			.c_offset = first * pixels * a->M + g * N,
			.bias = cg__conv_bias(y),
			.act = a->act });
}

static cg_status dx_piece(struct cg__emit *e, const struct cg__conv *a, const cg_tensor *dx,
	const cg_tensor *col, int64_t images, int64_t first, int64_t g)
{
	int64_t K = a->M / a->c.groups, N = a->R * a->S * a->C / a->c.groups, pixels = a->P * a->Q;

	TRY(cg__gemm(e,
		&(struct cg__gemm){ .M = images * pixels,
			.N = N,
			.K = K,
			.trans_b = true,
			.a = dx->src[0],
			.b = dx->src[1],
			.c = col,
			.lda = a->M,
			.a_offset = first * pixels * a->M + g * K,
			.ldb = a->M,
			.b_offset = g * K }));
	return windows(e, a, "col2im", col, dx, first > 0 || g > 0, images, first, g);
}

static cg_status dw_piece(struct cg__emit *e, const struct cg__conv *a, const cg_tensor *dw,
	const cg_tensor *col, int64_t images, int64_t first, int64_t g)
{
	int64_t N = a->M / a->c.groups, M = a->R * a->S * a->C / a->c.groups, pixels = a->P * a->Q;

	TRY(windows(e, a, "im2col", dw->src[0], col, false, images, first, g));
	return cg__gemm(e,
		&(struct cg__gemm){ .M = M,
			.N = N,
			.K = images * pixels,
			.trans_a = true,
			.a = col,
			.b = dw->src[1],
			.c = dw,
			.ldb = a->M,
			.b_offset = first * pixels * a->M + g * N,
			.ldc = a->M,
			.c_offset = g * N,
			.beta = first > 0 });
}

/* ---- emit ------------------------------------------------------------------------------- */

cg_status cg__conv_gpu(struct cg__emit *e, const cg_tensor *y)
{
	const struct cg__conv *a = cg__attr(y);
	const enum way way = choose(e, a, "y");

	return way == IM2COL ? for_pieces(e, a, y, forward_piece) : forward(e, a, y, way);
}

cg_status cg__conv_gpu_dx(struct cg__emit *e, const cg_tensor *dx)
{
	const struct cg__conv *a = cg__attr(dx);
	const enum way way = choose(e, a, "dx");

	return way == IM2COL ? for_pieces(e, a, dx, dx_piece) : backward(e, a, dx, way);
}

cg_status cg__conv_gpu_dw(struct cg__emit *e, const cg_tensor *dw)
{
	const struct cg__conv *a = cg__attr(dw);
	const enum way way = choose(e, a, "dw");

	return way == IM2COL ? for_pieces(e, a, dw, dw_piece) : weights(e, a, dw, way);
}
