/*
 * Convolution as a matrix product whose A is gathered from x as it goes (implicit GEMM), GPU style (tile_gpu.cl). A
 * work-group computes BM pixels x BN channels of y. With -DDX=1 the gradient of the input: x is dy, y is dx, and
 * B H W C, P Q N are those of dy and dx.
 *
 *	y[b,p,q,n]  = act(sum over r, s, c of x[b, p stride - pad + r, q stride - pad + s, c] w[r,s,c,n] + bias[n])
 *	dx[b,h,w,n] = sum over r, s, c of dy[b, (h + pad - r) / stride, (w + pad - s) / stride, c] w[r,s,n,c]
 *
 * dx gathers: h and r are of one remainder (phase) by the stride, so pixels of a phase are a convolution of stride 1 with
 * every stride-th tap, from the last to the first, and no item looks at a tap in vain. Any size: loads outside are zeros,
 * stores outside are left out. C and N are channels of one of `groups`. Group id 2 counts phase * groups.
 */
#include "tile_gpu.cl"

#ifndef DX
#define DX 0
#endif
#define OUTSIDE (-(1 << 30))
#define TOWARDS (DX ? -1 : 1) /* where x lies under the next tap */

/* Rows or columns of a phase: pixel i of `count` is first + i stride of y, and under its tap t lies from + i step +- t of
 * x. Tap t of `taps` is tap + t stride of w. */
struct axis {
	int count, first, stride, from, step, taps, tap;
};

static inline struct axis axis_of(int phase, int size, int window, int stride, int pad)
{
	struct axis a = {size, 0, 1, -pad, stride, window, 0};

	if (DX) {
		a.first = ((phase - pad) % stride + stride) % stride;
		a.count = (size - a.first + stride - 1) / stride;
		a.stride = stride;
		a.from = (a.first + pad - phase) / stride;
		a.step = 1;
		a.taps = (window - phase + stride - 1) / stride;
		a.tap = phase;
	}
	return a;
}

/* w as the product's B, [K,N]; k is the item's own */
static inline void load_weights(__global const float *w, __local float (*Bs)[BN + PAD], int id, int n0, int k0, int K,
				int N, int C, int M, int k, int c, int tap)
{
	if (DX) /* along c */
		for (int n = id / BK; n < BN; n += ITEMS / BK)
			Bs[k][n] = k0 + k < K && n0 + n < N ? w[((size_t)tap * N + n0 + n) * M + c] : 0.0f;
	else
		for (int t = id; t < BN * BK; t += ITEMS) {
			const int j = t / BN, n = t % BN;

			Bs[j][n] = k0 + j < K && n0 + n < N ? w[(size_t)(k0 + j) * M + n0 + n] : 0.0f;
		}
}

/* Of pixel m: row, column and number of the place in x where its window begins, and its own number in y, -1 for none. */
static inline int4 window_of(int m, int M, struct axis v, struct axis u, int H, int W, int P, int Q)
{
	if (m < M) {
		const int j = m % u.count, i = m / u.count % v.count, b = m / u.count / v.count;
		const int h = v.from + i * v.step, l = u.from + j * u.step;

		return (int4)(h, l, (b * H + h) * W + l,
			      (b * P + v.first + i * v.stride) * Q + u.first + j * u.stride);
	}
	return (int4)(OUTSIDE, OUTSIDE, 0, -1);
}

__kernel __attribute__((reqd_work_group_size(ITEMS_N, ITEMS_M, 1))) void conv2d(
	__global const float *x, __global const float *w, __global float *y, __global const float *bias, int B, int H,
	int W, int C, int P, int Q, int N, int R, int S, int stride_h, int stride_w, int pad_top, int pad_left,
	int groups, int act)
{
	__local float As[BK][BM + PAD], Bs[BK][BN + PAD];
	__local int4 window[BM];
	const int tn = (int)get_local_id(0), tm = (int)get_local_id(1), id = tm * ITEMS_N + tn, k = id % BK;
	const int m0 = (int)get_group_id(1) * BM, n0 = (int)get_group_id(0) * BN;
	const int g = (int)get_group_id(2) % groups, phase = (int)get_group_id(2) / groups;
	const struct axis v = axis_of(phase / stride_w, P, R, stride_h, pad_top);
	const struct axis u = axis_of(phase % stride_w, Q, S, stride_w, pad_left);
	const int M = B * v.count * u.count, K = m0 < M ? v.taps * u.taps * C : 0;
	int r = 0, s = 0, c = k; /* k's tap and channel */
	float acc[TM][TN];

	x += g * C;
	y += g * N;
	w += g * (DX ? C : N);
	if (id < BM)
		window[id] = window_of(m0 + id, M, v, u, H, W, P, Q);
	barrier(CLK_LOCAL_MEM_FENCE);
	for (int i = 0; i < TM; i++)
		for (int j = 0; j < TN; j++)
			acc[i][j] = 0.0f;
	for (int k0 = 0; k0 < K; k0 += BK) {
		for (; c >= C; c -= C)
			if (++s == u.taps) {
				s = 0;
				r++;
			}
		for (int m = id / BK; m < BM; m += ITEMS / BK) {
			const int4 at = window[m];
			const int h = at.x + TOWARDS * r, l = at.y + TOWARDS * s, pixel = at.z + TOWARDS * (r * W + s);
			const bool inside = k0 + k < K && (uint)h < (uint)H && (uint)l < (uint)W;

			As[k][m] = inside ? x[(size_t)pixel * (C * groups) + c] : 0.0f;
		}
		load_weights(w, Bs, id, n0, k0, K, N, C, (DX ? C : N) * groups, k, c,
			     (v.tap + r * v.stride) * S + u.tap + s * u.stride);
		barrier(CLK_LOCAL_MEM_FENCE);
		multiply(As, Bs, tm, tn, acc);
		barrier(CLK_LOCAL_MEM_FENCE);
		c += BK;
	}
	for (int i = 0; i < TM; i++) {
		const int pixel = window[tm + i * ITEMS_M].w;

		for (int j = 0; j < TN; j++) {
			const int n = n0 + tn + j * ITEMS_N;

			if (pixel >= 0 && n < N)
				y[(size_t)pixel * (N * groups) + n] = epilogue(acc[i][j], bias, n, act);
		}
	}
}
