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
		const float *a = block + j;
		__global float *out[MR];

		r.rows = min(MR, cols - j);
		for (int i = 0; i < MR; i++)
			out[i] = dw + (size_t)(j + i) * ldw;
		tile_columns_private(&a, &at, 1, n, step, panel, out, dw, r);
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

/* dw[c][:] (+)= sum over segments s, k < n of row[s][k·step + c] · panel[at[s] + k·NR][:],
 * c0 <= c < c1 */
static void add_rows(__global const float *const *row, const int *at, int segments, int n, int step,
	const float *panel, __global float *dw, int ldw, int c0, int c1, int C, struct result r)
{
	for (int c = c0; c < c1; c += MR) {
		__global const float *a[ROWS * MR];
		__global float *out[MR];

		r.rows = min(MR, c1 - c);
		UNROLL for (int i = 0; i < MR; i++)
			out[i] = dw + (size_t)(c + i) * ldw;
		if (c + MR <= C) {
			for (int s = 0; s < segments; s++)
				a[s] = row[s] + c;
			tile_columns(a, at, segments, n, step, panel, out, dw, r);
			continue;
		}
		for (int s = 0; s < segments; s++)
			UNROLL for (int i = 0; i < MR; i++)
				a[s * MR + i] = row[s] + min(c + i, C - 1);
		tile(a, at, segments, n, step, panel, out, dw, r);
	}
}

/*
 * dw[R,S,C,M] = sum over the pixels of y of x' dy, where rows of y are long: x is read in place, a
 * segment of the reduction is a row of y under a tap. An item does all taps of cb channels for
 * `rows` rows of y (of `all`), `together` of them at a time (together·Q <= PIXELS); parts as in
 * conv2d_dw. Global size: blocks of channels, panels of M, parts.
 */
__kernel CG_SINGLE void conv2d_dw_rows(__global const float *restrict x,
	__global const float *restrict dy, __global float *restrict dw, int x_off, int ldx, int y_off,
	int ldy, int w_off, int ldw, int part, int H, int W, int C, int P, int Q, int M, int R, int S,
	int stride_h, int stride_w, int pad_h, int pad_w, int cb, int rows, int all, int together)
{
	vfloat panel_[PIXELS * NV];
	float *panel = (float *)panel_;
	const int c0 = get_global_id(0) * cb, c1 = min(C, c0 + cb), n0 = get_global_id(1) * NR;
	const int row0 = get_global_id(2) * rows, row1 = min(all, row0 + rows);
	struct result r = { .cols = min(NR, M - n0), .add = 0 };

	x += x_off;
	dw += w_off + get_global_id(2) * part + n0;
	for (int first = row0; first < row1; first += together) {
		const int count = min(together, row1 - first);

		panel_copy(panel, dy + y_off + (size_t)first * Q * ldy + n0, ldy, count * Q, r.cols);
		for (int tap = 0; tap < R * S; tap++) {
			const struct span v = span_of(tap % S, Q, W, stride_w, pad_w);
			__global const float *row[ROWS];
			int at[ROWS], segments = 0;

			for (int i = 0; i < count && v.q0 < v.q1; i++) {
				const int h = (first + i) % P * stride_h - pad_h + tap / S;

				if (h < 0 || h >= H)
					continue;
				row[segments] = x +
					(((size_t)((first + i) / P) * H + h) * W + v.l) * ldx;
				at[segments++] = (i * Q + v.q0) * NR;
			}
			add_rows(row, at, segments, v.q1 - v.q0, stride_w * ldx, panel,
				dw + (size_t)tap * C * ldw, ldw, c0, c1, C, r);
		}
		r.add = 1;
	}
}
