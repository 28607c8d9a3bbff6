/*
 * Convolutions on GPUs: windows are copied to rows (im2col), some images at a time, and multiplied
 * (cl/im2col_gpu.cl).
 */
#include "conv2d.h"

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
	return for_pieces(e, cg__attr(y), y, forward_piece);
}

cg_status cg__conv_gpu_dx(struct cg__emit *e, const cg_tensor *dx)
{
	return for_pieces(e, cg__attr(dx), dx, dx_piece);
}

cg_status cg__conv_gpu_dw(struct cg__emit *e, const cg_tensor *dw)
{
	return for_pieces(e, cg__attr(dw), dw, dw_piece);
}
