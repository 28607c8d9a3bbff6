/*
 * Gradient of a convolution's weights as a matrix product whose A' is gathered from x as it goes (implicit GEMM), GPU
 * style (tile_gpu.cl). A work-group computes BM taps and channels of the window x BN channels of dy, over a fixed piece of
 * the pixels:
 *
 *	dw[r,s,c,n] = sum over b, p, q of x[b, p stride - pad + r, q stride - pad + s, c] dy[b,p,q,n]
 *
 * With more than one piece (`splits`) each writes a whole matrix [RSC, N], and gemm_join (gemm_gpu.cl) adds these in
 * order, so results repeat bit for bit. Any size: loads outside are zeros, stores outside are left out. C and N are channels of
 * one of `groups`. Group id 2 counts groups * splits.
 */
#include "tile_gpu.cl"

#define OUTSIDE (-(1 << 30))

__kernel __attribute__((reqd_work_group_size(ITEMS_N, ITEMS_M, 1))) void conv2d_dw(
	__global const float *x, __global const float *dy, __global float *dw, int B, int H, int W, int C, int P, int Q,
	int N, int R, int S, int stride_h, int stride_w, int pad_top, int pad_left, int groups, int splits)
{
	__local float As[BK][BM + PAD], Bs[BK][BN + PAD];
	__local int4 window[ITEMS]; /* where those of the next pixels begin: row, column, pixel of x */
	const int tn = (int)get_local_id(0), tm = (int)get_local_id(1), id = tm * ITEMS_N + tn;
	const int m0 = (int)get_group_id(1) * BM, n0 = (int)get_group_id(0) * BN;
	const int g = (int)get_group_id(2) / splits, split = (int)get_group_id(2) % splits;
	const int M = R * S * C, K = B * P * Q, piece = ((K + splits - 1) / splits + BK - 1) / BK * BK;
	const int k_first = split * piece, k_last = min(K, k_first + piece);
	/* what an item loads of A is of one tap and channel */
	const int m = m0 + id % BM, c = m % C, s = m / C % S, r = m / C / S;
	const size_t ldw = splits > 1 ? N : N * groups;
	float acc[TM][TN];

	x += g * C + c;
	dy += g * N;
	dw += splits > 1 ? (size_t)get_group_id(2) * M * N : (size_t)(g * N);
	for (int i = 0; i < TM; i++)
		for (int j = 0; j < TN; j++)
			acc[i][j] = 0.0f;
	for (int k0 = k_first; k0 < k_last; k0 += BK) {
		const int next = (k0 - k_first) % ITEMS;

		if (next == 0) {
			const int pixel = k0 + id, q = pixel % Q, p = pixel / Q % P, b = pixel / Q / P;
			const int h = p * stride_h - pad_top, l = q * stride_w - pad_left;

			window[id] = (int4)(pixel < k_last ? h : OUTSIDE, l, (b * H + h) * W + l, 0);
			barrier(CLK_LOCAL_MEM_FENCE);
		}
		for (int k = id / BM; k < BK; k += ITEMS / BM) {
			const int4 at = window[next + k];
			const bool inside = m < M && (uint)(at.x + r) < (uint)H && (uint)(at.y + s) < (uint)W;

			As[k][id % BM] = inside ? x[(size_t)(at.z + r * W + s) * (C * groups)] : 0.0f;
		}
		for (int t = id; t < BN * BK; t += ITEMS) {
			const int k = k0 + t / BN, n = n0 + t % BN;

			Bs[t / BN][t % BN] = k < k_last && n < N ? dy[(size_t)k * (N * groups) + n] : 0.0f;
		}
		barrier(CLK_LOCAL_MEM_FENCE);
		multiply(As, Bs, tm, tn, acc);
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	for (int i = 0; i < TM; i++)
		for (int j = 0; j < TN; j++) {
			const int row = m0 + tm + i * ITEMS_M, n = n0 + tn + j * ITEMS_N;

			if (row < M && n < N)
				dw[row * ldw + n] = acc[i][j];
		}
}
