/*
 * C = act(op(A) op(B) (+ C) + bias), row-major, GPU style (tile_gpu.cl). Any size: loads outside are zeros, stores outside
 * are left out. -D: TRANS_A (A is [K,M]), TRANS_B (B is [N,K]). Group id 2 counts splits: with more than one split
 * the K range is cut in fixed pieces whose sums `gemm_join` adds in order, so results repeat bit for bit.
 */
#include "tile_gpu.cl"

#ifndef TRANS_A
#define TRANS_A 0
#endif
#ifndef TRANS_B
#define TRANS_B 0
#endif

__kernel __attribute__((reqd_work_group_size(ITEMS_N, ITEMS_M, 1))) void gemm(
	__global const float *A, __global const float *B, __global float *C, __global const float *bias, int M, int N,
	int K, int a_offset, int b_offset, int c_offset, int lda, int ldb, int ldc, int splits, int add, int act)
{
	__local float As[BK][BM + PAD], Bs[BK][BN + PAD];
	const int tn = (int)get_local_id(0), tm = (int)get_local_id(1), id = tm * ITEMS_N + tn;
	const int m0 = (int)get_group_id(1) * BM, n0 = (int)get_group_id(0) * BN;
	const int split = (int)get_group_id(2);
	const int piece = ((K + splits - 1) / splits + BK - 1) / BK * BK;
	const int k_first = split * piece, k_last = min(K, k_first + piece);
	float acc[TM][TN];

	A += a_offset;
	B += b_offset;
	/* splits write whole partial matrices one after the other */
	C += c_offset + (size_t)split * M * N;
	for (int i = 0; i < TM; i++)
		for (int j = 0; j < TN; j++)
			acc[i][j] = 0.0f;
	for (int k0 = k_first; k0 < k_last; k0 += BK) {
		for (int t = id; t < BM * BK; t += ITEMS) {
			const int m = TRANS_A ? t % BM : t / BK, k = TRANS_A ? t / BM : t % BK;
			const size_t at = TRANS_A ? (size_t)(k0 + k) * lda + m0 + m : (size_t)(m0 + m) * lda + k0 + k;

			As[k][m] = m0 + m < M && k0 + k < k_last ? A[at] : 0.0f;
		}
		for (int t = id; t < BN * BK; t += ITEMS) {
			const int n = TRANS_B ? t / BK : t % BN, k = TRANS_B ? t % BK : t / BN;
			const size_t at = TRANS_B ? (size_t)(n0 + n) * ldb + k0 + k : (size_t)(k0 + k) * ldb + n0 + n;

			Bs[k][n] = n0 + n < N && k0 + k < k_last ? B[at] : 0.0f;
		}
		barrier(CLK_LOCAL_MEM_FENCE);
		multiply(As, Bs, tm, tn, acc);
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	for (int i = 0; i < TM; i++)
		for (int j = 0; j < TN; j++) {
			const int m = m0 + tm + i * ITEMS_M, n = n0 + tn + j * ITEMS_N;
			const size_t at = (size_t)m * (splits > 1 ? N : ldc) + n;

			if (m < M && n < N)
				C[at] = splits > 1 ? acc[i][j]
						   : epilogue(add ? acc[i][j] + C[at] : acc[i][j], bias, n, act);
		}
}

/* C = act(sum of the splits (+ C) + bias): part [batches, splits, M, N]; batches: groups of a convolution */
__kernel void gemm_join(__global const float *part, __global float *C, __global const float *bias, int M, int N,
			int c_offset, int ldc, int c_stride, int splits, int batches, int add, int act)
{
	for (int r = (int)get_global_id(1); r < M * batches; r += (int)get_global_size(1)) {
		const int batch = r / M, m = r % M;
		__global float *c = C + c_offset + (size_t)batch * c_stride + (size_t)m * ldc;

		for (int n = (int)get_global_id(0); n < N; n += (int)get_global_size(0)) {
			float v = 0.0f;

			for (int s = 0; s < splits; s++)
				v += part[((size_t)(batch * splits + s) * M + m) * N + n];
			c[n] = epilogue(add ? v + c[n] : v, bias, n, act);
		}
	}
}

/* C = act(C + bias): what CLBlast leaves to do */
__kernel void gemm_epilogue(__global float *C, __global const float *bias, int M, int N, int c_offset, int ldc,
			    int act)
{
	for (int m = (int)get_global_id(1); m < M; m += (int)get_global_size(1)) {
		__global float *c = C + c_offset + (size_t)m * ldc;

		for (int n = (int)get_global_id(0); n < N; n += (int)get_global_size(0))
			c[n] = epilogue(c[n], bias, n, act);
	}
}
