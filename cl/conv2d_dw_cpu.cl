/*
 * Gradient of a convolution's weights on CPU devices; a part of conv2d_cpu.cl. Rows of a tile are
 * channels under taps, the reduction runs over pixels of y.
 *
 *	conv2d_dw	any shape: the pixels under taps are copied, some at a time
 *	conv2d_dw_rows	rows of y that are not short: x is read in place
 */
#define PIXELS 256 /* of y at a time; PIXELS in conv2d.c */
#define COLS 192 /* channels under taps at a time in conv2d_dw; COLS in conv2d.c */
#define ROWS 64 /* of y at a time in conv2d_dw_rows; ROWS in conv2d.c */

/* out[j][:] (+)= sum over k < n of block[k][j] · panel[k][:], j < cols */
static void add_pixels(const float *block, const float *panel, int n, int cols, int step,
	__global float *dw, int ldw, struct result r)
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
 * dw[R,S,C,M] = sum over the pixels of y of x' dy. An item does a group of taps, gr x gs of them,
 * and cb channels (all of them if it is more than one tap), for `rows` rows of y: z writes the
 * sum over rows z·rows .. to dw + z·part, which gemm_sum adds up. Pixels for which a single tap
 * is outside x are left out. Global size: groups of taps and channels, panels of M, parts.
 */
__kernel CG_SINGLE void conv2d_dw(__global const float *restrict x,
	__global const float *restrict dy, __global float *restrict dw, int x_off, int ldx,
	int y_off, int ldy, int w_off, int ldw, int part, int B, int H, int W, int C, int P, int Q,
	int M, int R, int S, int stride_h, int stride_w, int pad_h, int pad_w, int gr, int gs,
	int cb, int rows, int limit)
{
	vfloat panel_[PIXELS * NV], block_[PIXELS * (COLS + 16) / CG_VW + 1];
	float *panel = (float *)panel_, *block = (float *)block_;
	const int cbs = (C + cb - 1) / cb, group = get_global_id(0) / cbs,
		  c0 = get_global_id(0) % cbs * cb;
	const int r0 = group / (S / gs) * gr, s0 = group % (S / gs) * gs,
		  n0 = get_global_id(1) * NR;
	const int row0 = get_global_id(2) * rows, row1 = min(B * P, row0 + rows);
	const int single = gr * gs == 1, cols = single ? min(cb, C - c0) : gr * gs * C,
		  step = (cols + 15) / 16 * 16 + 16;
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
				copy_run(block + n * step, image + (h * W + l) * ldx, cols,
					x + limit);
			else
				copy_window(block + n * step, image, h, l, gr, gs, H, W, C, ldx,
					x + limit);
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

/* The pixels of y in columns q0 .. q1 - 1 see column l of x under a tap and those to the right. */
struct span {
	int q0, q1, l;
};

static inline struct span span_of(int s, int Q, int W, int stride, int pad)
{
	struct span v;

	v.q0 = max(0, (pad - s + stride - 1) / stride);
	v.q1 = W - 1 + pad - s < 0 ? 0 : min(Q, (W - 1 + pad - s) / stride + 1);
	v.l = v.q0 * stride - pad + s;
	return v;
}

/*
 * dw[R,S,C,M] = sum over the pixels of y of x' dy, where rows of y are long: x is read in place,
 * a segment of the reduction is a row of y under a tap. An item does a row of taps for `rows`
 * rows of y, `together` of them at a time (together·Q <= PIXELS); parts as in conv2d_dw. Global
 * size: R, panels of M, parts.
 */
__kernel CG_SINGLE void conv2d_dw_rows(__global const float *restrict x,
	__global const float *restrict dy, __global float *restrict dw, int x_off, int ldx,
	int y_off, int ldy, int w_off, int ldw, int part, int H, int W, int C, int P, int Q, int M,
	int S, int stride_h, int stride_w, int pad_h, int pad_w, int rows, int all, int together)
{
	vfloat panel_[PIXELS * NV];
	float *panel = (float *)panel_;
	const int tap_row = get_global_id(0), n0 = get_global_id(1) * NR;
	const int row0 = get_global_id(2) * rows, row1 = min(all, row0 + rows);
	struct result r = { .cols = min(NR, M - n0), .add = 0 };

	x += x_off;
	dw += w_off + get_global_id(2) * part + (size_t)(tap_row * S) * C * ldw + n0;
	for (int first = row0; first < row1; first += together) {
		__global const float *image[ROWS];
		int from[ROWS], n = 0;
		const int count = min(together, row1 - first);

		panel_copy(
			panel, dy + y_off + (size_t)first * Q * ldy + n0, ldy, count * Q, r.cols);
		for (int i = 0; i < count; i++) {
			const int h = (first + i) % P * stride_h - pad_h + tap_row;

			if (h < 0 || h >= H)
				continue;
			image[n] = x + ((size_t)((first + i) / P) * H + h) * W * ldx;
			from[n++] = i * Q;
		}
		for (int s = 0; s < S; s++) {
			const struct span v = span_of(s, Q, W, stride_w, pad_w);
			const int segments = v.q0 < v.q1 ? n : 0;
			int at[ROWS];

			for (int i = 0; i < segments; i++)
				at[i] = (from[i] + v.q0) * NR;
			for (int c = 0; c < C; c += MR) {
				__global const float *a[ROWS * MR];
				__global float *out[MR];

				r.rows = min(MR, C - c);
				for (int i = 0; i < segments; i++)
					UNROLL for (int j = 0; j < MR; j++)
						a[i * MR + j] =
							image[i] + v.l * ldx + min(c + j, C - 1);
				UNROLL for (int j = 0; j < MR; j++)
					out[j] = dw + (size_t)(s * C + c + j) * ldw;
				tile(a, at, segments, v.q1 - v.q0, stride_w * ldx, panel, out, dw,
					r);
			}
		}
		r.add = 1;
	}
}
