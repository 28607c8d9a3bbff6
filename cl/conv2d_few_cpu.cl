/*
 * Copied windows, and the convolution of few channels by them; a part of conv2d_cpu.cl.
 */

/* d[0 .. n-1] = s[0 .. n-1] by whole vectors where that stays below `end`: writes up to a vector
 * more. */
static inline void copy_run(float *d, __global const float *s, int n, __global const float *end)
{
	for (int k = 0; k < n; k += CG_VW)
		VSTORE(s + k + CG_VW <= end ? VLOAD(0, s + k) : cg_load(s + k, n - k), 0, d + k);
}

/* A window of rows h .. h + R - 1, columns l .. l + S - 1 of an image, C channels each; zeros
 * outside. */
static inline void copy_window(float *d, __global const float *image, int h, int l, int R, int S,
	int H, int W, int C, int ldx, __global const float *end)
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
 * y[B,P,Q,M] = act(norm(conv(x, w) + bias)) for R·S·C <= KC. `limit`: elements of x.
 * Global size: blocks of mb pixels of y, panels of M.
 */
__kernel CG_SINGLE void conv2d_few(__global const float *restrict x,
	__global const float *restrict w, __global float *restrict y,
	__global const float *restrict bias, int x_off, int ldx, int w_off, int ldw, int y_off,
	int ldy, int has_bias, int act, int B, int H, int W, int C, int P, int Q, int M, int R,
	int S, int stride_h, int stride_w, int pad_h, int pad_w, int limit, int mb, NORM_ARGS)
{
	vfloat panel_[KC * NV];
	float *panel = (float *)panel_, window[MR * (KC + CG_VW)];
	const int n0 = get_global_id(1) * NR, m0 = get_global_id(0) * mb,
		  m1 = min(B * P * Q, m0 + mb);
	const int K = R * S * C, at = 0;
	const struct norm norm = NORM;
	struct result r = { .cols = min(NR, M - n0), .add = 0, .norm = gamma != 0,
		.bias = has_bias || gamma, .act = act };
	struct moments s = MOMENTS_OF(get_global_id(0), n0, M, y);
	int q = m0 % Q, p = m0 / Q % P, b = m0 / Q / P;

	bias = bias_of(norm, bias, has_bias, n0, r.cols);
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
				p * stride_h - pad_h, q * stride_w - pad_w, R, S, H, W, C, ldx,
				x + limit);
			if (++q == Q) {
				q = 0;
				if (++p == P) {
					p = 0;
					b++;
				}
			}
		}
		tile_private(a, &at, 1, K, 1, panel, out, bias, r);
		if (part)
			moments_add(&s, out, r.rows, r.cols);
	}
	moments_end(&s);
}
