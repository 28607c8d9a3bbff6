/*
 * Operations that move elements and compute nothing: joined and cut rows, repetition, gathering,
 * permutation. TYPE is the element.
 *
 * Most see tensors as rows of consecutive elements (cg__range_rows). No division for an element, at
 * most a few for a row.
 */
#ifndef TYPE
#define TYPE float
#endif

/* y [rows, p + q] = a [rows, p] beside b [rows, q] */
CG_SINGLE __kernel void concat(__global const TYPE *restrict a, __global const TYPE *restrict b,
	__global TYPE *restrict y, int rows, int p, int q)
{
	CG_ROW(r, rows) {
		__global const TYPE *left = a + (size_t)r * p, *right = b + (size_t)r * q;
		__global TYPE *out = y + (size_t)r * (p + q);

		CG_FOR(i, p)
			out[i] = left[i];
		CG_FOR(i, q)
			out[p + i] = right[i];
	}
}

/* y [rows, n] = x [rows, start : start + n of m] */
CG_SINGLE __kernel void slice(__global const TYPE *restrict x, __global TYPE *restrict y, int rows,
	int m, int start, int n)
{
	CG_ROW(r, rows) {
		__global const TYPE *in = x + (size_t)r * m + start;
		__global TYPE *out = y + (size_t)r * n;

		CG_FOR(i, n)
			out[i] = in[i];
	}
}

/* dx [rows, m] = zeros but for dy [rows, n] from `start` on */
CG_SINGLE __kernel void unslice(__global const TYPE *restrict dy, __global TYPE *restrict dx,
	int rows, int m, int start, int n)
{
	CG_ROW(r, rows) {
		__global const TYPE *in = dy + (size_t)r * n;
		__global TYPE *out = dx + (size_t)r * m;

		CG_FOR(i, start)
			out[i] = 0;
		CG_FOR(i, n)
			out[start + i] = in[i];
		CG_FOR(i, m - start - n)
			out[start + n + i] = 0;
	}
}

/* y [rows, n]: each row is x [n] */
CG_SINGLE __kernel void repeat(
	__global const TYPE *restrict x, __global TYPE *restrict y, int rows, int n)
{
	CG_ROW(r, rows) {
		__global TYPE *out = y + (size_t)r * n;

		CG_FOR(i, n)
			out[i] = x[i];
	}
}

/* y [rows, n] = table [N, n] at index [rows], kept within 0..N-1 */
CG_SINGLE __kernel void gather(__global const TYPE *restrict table,
	__global const int *restrict index, __global TYPE *restrict y, int rows, int N, int n)
{
	CG_ROW(r, rows) {
		__global const TYPE *in = table + (size_t)clamp(index[r], 0, N - 1) * n;
		__global TYPE *out = y + (size_t)r * n;

		CG_FOR(i, n)
			out[i] = in[i];
	}
}

/* y [n0 n1 n2 n3, n] by the strides in x of y's dimensions:
 * y[a,b,c,d,i] = x[a s0 + b s1 + c s2 + d s3 + i s]. */
CG_SINGLE __kernel void permute(__global const TYPE *restrict x, __global TYPE *restrict y,
	int rows, int n1, int n2, int n3, int n, int s0, int s1, int s2, int s3, int s)
{
	CG_ROW(r, rows) {
		const int ab = r / n3 / n2, a = ab / n1, b = ab - a * n1;
		const int abc = r / n3, c = abc - ab * n2, d = r - abc * n3;
		__global const TYPE *in =
			x + (size_t)a * s0 + (size_t)b * s1 + (size_t)c * s2 + (size_t)d * s3;
		__global TYPE *out = y + (size_t)r * n;

		if (s == 1) {
			CG_FOR(i, n)
				out[i] = in[i];
		} else {
			CG_FOR(i, n)
				out[i] = in[(size_t)i * s];
		}
	}
}

/* y [batch,N,M] = x [batch,M,N] with the last two dimensions exchanged, in tiles, a task each. */
#define TILE 16
#if CG_CPU
CG_SINGLE __kernel void swap(
	__global const TYPE *restrict x, __global TYPE *restrict y, int batch, int M, int N)
{
	const int n0 = (int)get_global_id(0) * TILE, m0 = (int)get_global_id(1) * TILE;
	const int n1 = min(N, n0 + TILE), m1 = min(M, m0 + TILE);

	for (int b = (int)get_global_id(2); b < batch; b += (int)get_global_size(2)) {
		const size_t start = (size_t)b * M * N;

		for (int n = n0; n < n1; n++)
			for (int m = m0; m < m1; m++)
				y[start + (size_t)n * M + m] = x[start + (size_t)m * N + n];
	}
}
#else
__attribute__((reqd_work_group_size(TILE, TILE, 1))) __kernel void swap(
	__global const TYPE *restrict x, __global TYPE *restrict y, int batch, int M, int N)
{
	__local TYPE tile[TILE][TILE + 1]; /* one more: columns lie in different banks */
	const int i = (int)get_local_id(0), j = (int)get_local_id(1);
	const int n0 = (int)get_group_id(0) * TILE, m0 = (int)get_group_id(1) * TILE;

	for (int b = (int)get_group_id(2); b < batch; b += (int)get_num_groups(2)) {
		const size_t start = (size_t)b * M * N;

		if (m0 + j < M && n0 + i < N)
			tile[j][i] = x[start + (size_t)(m0 + j) * N + n0 + i];
		barrier(CLK_LOCAL_MEM_FENCE);
		if (n0 + j < N && m0 + i < M)
			y[start + (size_t)(n0 + j) * M + m0 + i] = tile[i][j];
		barrier(CLK_LOCAL_MEM_FENCE);
	}
}
#endif
