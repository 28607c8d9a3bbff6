/*
 * The convolutions on CPU devices that copy windows of x, a few at a time into private memory, for the
 * register tile (tile_cpu.cl). Sizes as in conv2d_cpu.cl.
 *
 *	conv2d_few	y where C is small: the reduction runs over whole windows
 *	conv2d_dw	dw: rows of a tile are channels under taps, the reduction runs over pixels of y
 */
#include "tile_cpu.cl"

#define KC 576		/* longest window of conv2d_few, FEW in conv2d.c */
#define PIXELS 192	/* of y at a time in conv2d_dw */
#define COLS 192	/* channels under taps at a time, COLS in conv2d.c */

/* d[0 .. n-1] = s[0 .. n-1] by whole vectors where that stays below `end`: writes up to a vector more. */
static inline void copy_run(float *d, __global const float *s, int n, __global const float *end)
{
	for (int k = 0; k < n; k += CG_VW)
		VSTORE(s + k + CG_VW <= end ? VLOAD(0, s + k) : load_some(s + k, n - k), 0, d + k);
}

/* A window of rows h .. h + R - 1, columns l .. l + S - 1 of an image, C channels each; zeros outside. */
static inline void copy_window(float *d, __global const float *image, int h, int l, int R, int S, int H, int W, int C,
	int ldx, __global const float *end)
{
	for (int r = h; r < h + R; r++, d += S * C) {
		__global const float *row = image + (r * W + l) * ldx;

		if (r >= 0 && r < H && l >= 0 && l + S <= W && ldx == C) {
			copy_run(d, row, S * C, end);
			continue;
		}
		for (int s = 0; s < S; s++) {
			const int inside = (uint)r < (uint)H && (uint)(l + s) < (uint)W;

			for (int c = 0; c < C; c++)
				d[s * C + c] = inside ? row[s * ldx + c] : 0.f;
		}
	}
}

/*
 * y[B,P,Q,M] = act(conv(x, w) + bias) for R·S·C <= KC. `limit`: elements of x.
 * Global size: blocks of mb pixels of y, panels of M.
 */
__kernel CG_SINGLE void conv2d_few(__global const float *restrict x, __global const float *restrict w,
	__global float *restrict y, __global const float *restrict bias, int x_off, int ldx, int w_off, int ldw, int y_off,
	int ldy, int has_bias, int act, int B, int H, int W, int C, int P, int Q, int M, int R, int S, int stride_h,
	int stride_w, int pad_h, int pad_w, int limit, int mb)
{
	vfloat panel_[KC * NV];
	float *panel = (float *)panel_, window[MR * (KC + CG_VW)];
	const int n0 = get_global_id(1) * NR, m0 = get_global_id(0) * mb, m1 = min(B * P * Q, m0 + mb);
	const int K = R * S * C, at = 0;
	struct result r = { .cols = min(NR, M - n0), .add = 0, .bias = has_bias, .act = act };
	int q = m0 % Q, p = m0 / Q % P, b = m0 / Q / P;

	panel_copy(panel, w + w_off + n0, ldw, K, r.cols);
	for (int m = m0; m < m1; m += MR) {
		const float *a[MR];
		__global float *out[MR];

		r.rows = min(MR, m1 - m);
		for (int i = 0; i < MR; i++) {
			a[i] = window + min(i, r.rows - 1) * (KC + CG_VW);
			out[i] = y + y_off + (size_t)(m + i) * ldy + n0;
			if (i >= r.rows)
				continue;
			copy_window(window + i * (KC + CG_VW), x + x_off + (size_t)b * H * W * ldx,
				p * stride_h - pad_h, q * stride_w - pad_w, R, S, H, W, C, ldx, x + limit);
			if (++q == Q) {
				q = 0;
				if (++p == P) {
					p = 0;
					b++;
				}
			}
		}
		tile_private(a, &at, 1, K, 1, panel, out, bias + (has_bias ? n0 : 0), r);
	}
}

/* ---- gradient of the weights ---------------------------------------------------------------------------- */

/* out[j][:] (+)= sum over k < n of block[k][j] · panel[k][:], j < cols */
static void add_pixels(const float *block, const float *panel, int n, int cols, int step, __global float *dw, int ldw,
	struct result r)
{
	const int at = 0;

	for (int j = 0; j < cols; j += MR) {
		const float *a[MR];
		__global float *out[MR];

		r.rows = min(MR, cols - j);
		for (int i = 0; i < MR; i++) {
			a[i] = block + min(j + i, cols - 1);
			out[i] = dw + (size_t)(j + i) * ldw;
		}
		tile_private(a, &at, 1, n, step, panel, out, dw, r);
	}
}

/*
 * dw[R,S,C,M] = sum over the pixels of y of x' dy. An item does a group of taps, gr x gs of them, and cb channels
 * (all of them if it is more than one tap), for `rows` rows of y: z writes the sum over rows z·rows .. to
 * dw + z·part, which gemm_sum adds up. Pixels for which a single tap is outside x are left out.
 * Global size: groups of taps and channels, panels of M, parts.
 */
__kernel CG_SINGLE void conv2d_dw(__global const float *restrict x, __global const float *restrict dy,
	__global float *restrict dw, int x_off, int ldx, int y_off, int ldy, int w_off, int ldw, int part, int B, int H,
	int W, int C, int P, int Q, int M, int R, int S, int stride_h, int stride_w, int pad_h, int pad_w, int gr, int gs,
	int cb, int rows, int limit)
{
	vfloat panel_[PIXELS * NV], block_[PIXELS * (COLS + 16) / CG_VW + 1];
	float *panel = (float *)panel_, *block = (float *)block_;
	const int cbs = (C + cb - 1) / cb, group = get_global_id(0) / cbs, c0 = get_global_id(0) % cbs * cb;
	const int r0 = group / (S / gs) * gr, s0 = group % (S / gs) * gs, n0 = get_global_id(1) * NR;
	const int row0 = get_global_id(2) * rows, row1 = min(B * P, row0 + rows);
	const int single = gr * gs == 1, cols = single ? min(cb, C - c0) : gr * gs * C, step = (cols + 15) / 16 * 16 + 16;
	struct result r = { .cols = min(NR, M - n0), .add = 0 };
	int n = 0, q0 = 0, q1 = Q;

	if (single) {
		q0 = max(0, (pad_w - s0 + stride_w - 1) / stride_w);
		q1 = W - 1 + pad_w - s0 < 0 ? 0 : min(Q, (W - 1 + pad_w - s0) / stride_w + 1);
	}
	dw += w_off + get_global_id(2) * part + (size_t)((r0 * S + s0) * C + c0) * ldw + n0;
	for (int row = row0; row < row1; row++) {
		const int h = row % P * stride_h - pad_h + r0;
		__global const float *image = x + x_off + (size_t)(row / P) * H * W * ldx + c0;
		__global const float *d = dy + y_off + (size_t)row * Q * ldy + n0;

		if (single && (h < 0 || h >= H))
			continue;
		for (int q = q0; q < q1; q++) {
			const int l = q * stride_w - pad_w + s0;

			if (single)
				copy_run(block + n * step, image + (h * W + l) * ldx, cols, x + limit);
			else
				copy_window(block + n * step, image, h, l, gr, gs, H, W, C, ldx, x + limit);
			panel_copy(panel + n * NR, d + (size_t)q * ldy, 0, 1, r.cols);
			if (++n == PIXELS) {
				add_pixels(block, panel, n, cols, step, dw, ldw, r);
				r.add = 1;
				n = 0;
			}
		}
	}
	if (n > 0 || !r.add)
		add_pixels(block, panel, n, cols, step, dw, ldw, r);
}
