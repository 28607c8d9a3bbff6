/*
 * Matrix products on CPU devices: C[M,N] = act(op(A)·op(B) + bias) (+ C), row-major.
 *
 * One work-item computes `mb` rows of a panel of NR columns. It walks K in blocks of kc <= KC:
 * copies that part of B into a private panel [kc][NR] (transposing it where B is given as [N,K])
 * and runs down its rows with register tiles (tile_cpu.cl). So there is no packed copy of B in
 * memory, and the panel is used mb / MR times while it is in the second cache.
 */
#include "tile_cpu.cl"

/* as in gemm.c */
#define KC 768 /* BLOCK: 192 KB of panel, in the second cache */
#define KC_TN 192 /* BLOCK_TN */
#define PANELS 1024 /* rows of the panels of an item of gemm_tn; also in gemm.c */
#define MB_TN 192 /* ROWS_TN: rows of A' that a work-item of gemm_tn copies */

#define ROW_COLS 1024 /* as in gemm.c */
#define DEPTH 8 /* rows of B that gemm_row reads at a time */

/*
 * A as [M,K]; B as [K,N] or, with tb, as [N,K], or, with ldb 0, as gemm_pack makes it. other, if any, is a dense [M,N] beside C (struct result).
 * A norm, if any, comes after the bias, before act; part, if any, gets the moments of C.
 * Global size: panels, row blocks of mb; neighbours share the rows of A and complete the rows of C.
 */
__kernel CG_SINGLE void gemm_nx(__global const float *restrict a, __global const float *restrict b,
	__global float *restrict c, __global const float *restrict bias, __global float *other, int a_off, int lda,
	int b_off, int ldb, int tb, int c_off, int ldc, int has_bias, int act,
	int add, int M, int N, int K, int mb, int kc, NORM_ARGS)
{
	vfloat panel_[KC * NV];
	float *panel = (float *)panel_;
	const int n0 = get_global_id(0) * NR;
	const int m0 = get_global_id(1) * mb, m1 = min(M, m0 + mb), at = 0, packed = ldb == 0;
	struct result r = { .cols = min(NR, N - n0), .other = other ? other - c : 0 };
	const struct norm f = NORM;
	struct moments s = MOMENTS_OF(get_global_id(1), n0, N, c);

	a += a_off;
	b += b_off + (tb ? (size_t)n0 * ldb : packed ? (size_t)n0 * K : n0);
	c += c_off + n0;
	bias = bias_of(f, bias, has_bias, n0, r.cols);
	ldb = packed ? NR : ldb;
	for (int k0 = 0; k0 < K; k0 += kc) {
		const int n = min(kc, K - k0), last = k0 + n == K;
		const int direct = packed || (!tb && r.cols == NR && reads_in_place(ldb, n, m1 - m0));

		if (tb)
			panel_transpose(panel, b + k0, ldb, n, r.cols);
		else if (!direct)
			panel_copy(panel, b + (size_t)k0 * ldb, ldb, n, r.cols);
		r.add = add || k0;
		r.norm = last && f.gamma;
		r.bias = last && (has_bias || f.gamma);
		r.act = last ? act : ACT_NONE;
		for (int m = m0; m < m1; m += MR) {
			__global const float *row[MR];
			__global float *out[MR];

			r.rows = min(MR, m1 - m);
			UNROLL for (int i = 0; i < MR; i++) {
				row[i] = a + (size_t)min(m + i, m1 - 1) * lda + k0;
				out[i] = c + (size_t)(m + i) * ldc;
			}
			if (last) {
				grads_fetch(&s, out, r.cols);
				operand_fetch(out, r);
			}
			if (direct)
				tile_direct(row, &at, 1, n, 1, b + (size_t)k0 * ldb, ldb, out, bias, r);
			else
				tile(row, &at, 1, n, 1, panel, out, bias, r);
			if (last && part)
				moments_add(&s, out, r.rows, r.cols);
		}
	}
	moments_end(&s);
}

/* B [K,N], or with tb [N,K], as panels [K][NR], the columns behind N zero. Global size: panels, pieces of kc <= KC rows. */
__kernel CG_SINGLE void gemm_pack(__global const float *restrict b, __global float *restrict packed, int b_off, int ldb,
	int tb, int K, int N, int kc)
{
	vfloat panel_[KC * NV];
	float *panel = (float *)panel_;
	const int n0 = get_global_id(0) * NR, k0 = get_global_id(1) * kc, n = min(kc, K - k0);

	b += b_off;
	packed += (size_t)n0 * K + (size_t)k0 * NR;
	if (tb)
		panel_transpose(panel, b + (size_t)n0 * ldb + k0, ldb, n, min(NR, N - n0));
	else
		panel_copy(panel, b + (size_t)k0 * ldb + n0, ldb, n, min(NR, N - n0));
	for (int i = 0; i < n * NV; i++)
		VSTORE(panel_[i], i, packed);
}

/*
 * C[1,N] of A [1,K] and B [K,N]: nothing of B is used twice, so it is read in place, DEPTH rows at a time, in stretches
 * as long as an item is wide, the next DEPTH being fetched meanwhile. Global size: pieces of `cols` <= ROW_COLS columns.
 */
__kernel CG_SINGLE void gemm_row(__global const float *restrict a, __global const float *restrict b,
	__global float *restrict c, __global const float *restrict bias, __global float *other,
	int a_off, int b_off, int ldb, int c_off, int has_bias, int act, int add, int N, int K,
	int cols, NORM_ARGS)
{
	vfloat sum[ROW_COLS / CG_VW];
	const int n0 = get_global_id(0) * cols, n = min(cols, N - n0), full = n / CG_VW * CG_VW;
	const struct result r = { .act = act, .other = other ? other - c : 0 };
	const struct norm f = NORM;

	a += a_off;
	b += b_off + n0;
	c += c_off + n0;
	for (int j = 0; j < n; j += CG_VW)
		sum[j / CG_VW] = 0.f;
	for (int k0 = 0; k0 < K; k0 += DEPTH, b += (size_t)DEPTH * ldb) {
		const int rows = min(DEPTH, K - k0);
		float x[DEPTH];

		UNROLL for (int k = 0; k < DEPTH; k++)
			x[k] = k < rows ? a[k0 + k] : 0.f;
		for (int j = 0; rows == DEPTH && j < full; j += CG_VW) {
			vfloat s = sum[j / CG_VW];

			UNROLL for (int k = 0; k < DEPTH; k++) {
				FETCH(b + (size_t)(DEPTH + k) * ldb + j);
				s = multiply_add(x[k], VLOAD(0, b + (size_t)k * ldb + j), s);
			}
			sum[j / CG_VW] = s;
		}
		for (int j = rows == DEPTH ? full : 0; j < n; j += CG_VW)
			for (int k = 0; k < rows; k++)
				sum[j / CG_VW] = multiply_add(x[k],
					cg_load(b + (size_t)k * ldb + j, n - j), sum[j / CG_VW]);
	}
	for (int j = 0; j < n; j += CG_VW) {
		vfloat s = sum[j / CG_VW];

		if (add)
			s += cg_load(c + j, n - j);
		if (has_bias)
			s += cg_load(bias + n0 + j, n - j);
		if (f.gamma) {
			const vfloat factor = norm_factor(f, n0 + j, n - j);

			s = s * factor + norm_summand(f, (vfloat)0.f, factor, n0 + j, n - j);
		}
		cg_store(finish(s, c + j, n - j, r), c + j, n - j);
	}
}

/* block[k][i] = a[k·lda + i], k < n, i < rows */
static inline void block_copy(float *block, __global const float *a, int lda, int n, int rows)
{
	for (int k = 0; k < n; k++)
		for (int i = 0; i < rows; i += CG_VW)
			*(vfloat *)(block + k * MB_TN + i) =
				cg_load(a + (size_t)k * lda + i, rows - i);
}

/* The tiles of `rows` columns of a, n long, `all` of them there, by `cols` columns of b, whose
 * panels lie behind each other; a from the block where that is given. */
static inline void down_columns(__global const float *a, const float *block, int lda, int n,
	int rows, int all, const float *panel, int cols, __global float *c, int ldc,
	__global const float *bias, struct result r)
{
	const int at = 0;

	for (int m = 0; m < rows; m += MR) {
		r.rows = min(MR, rows - m);
		for (int j = 0; j < cols; j += NR) {
			const float *part = panel + (size_t)j * n;
			__global float *out[MR];

			r.cols = min(NR, cols - j);
			UNROLL for (int i = 0; i < MR; i++)
				out[i] = c + (size_t)(m + i) * ldc + j;
			if (block) {
				const float *col = block + m;

				tile_columns_private(
					&col, &at, 1, n, MB_TN, part, out, bias + j, r);
			} else if (m + MR <= all) {
				__global const float *col = a + m;

				tile_columns(&col, &at, 1, n, lda, part, out, bias + j, r);
			} else {
				__global const float *col[MR];

				UNROLL for (int i = 0; i < MR; i++)
					col[i] = a + min(m + i, rows - 1);
				tile(col, &at, 1, n, lda, part, out, bias + j, r);
			}
		}
	}
}

/* sums[j] (+)= sum over k < n of panel[k][j] */
static inline void panel_sums(const float *panel, int n, __global float *sums, int cols, bool add)
{
	vfloat s[NV];

	UNROLL for (int j = 0; j < NV; j++)
		s[j] = add ? cg_load(sums + j * CG_VW, cols - j * CG_VW) : (vfloat)0.f;
	for (int k = 0; k < n; k++)
		UNROLL for (int j = 0; j < NV; j++)
			s[j] += *(const vfloat *)(panel + k * NR + j * CG_VW);
	UNROLL for (int j = 0; j < NV; j++)
		if (j * CG_VW < cols)
			cg_store(s[j], sums + j * CG_VW, cols - j * CG_VW);
}

/*
 * A as [K,M], B as [K,N]: gradients of weights. An item does mb rows and `cols` columns, some
 * panels, as many at a time as fit: short sums then write whole stretches of C's rows. A's columns
 * are read in place, or, with `copy`, from a private copy that serves all panels of the item: rows
 * of A that lie pages apart cost more than copying them.
 *
 * With kz < K the reduction is split: z sums rows [z·kz, (z+1)·kz) into c + z·sc, and gemm_sum adds
 * the parts up. sums, if any, are of B's columns, at s_off + z·s_stride. Global size: groups of panels, row
 * blocks, parts.
 */
__kernel CG_SINGLE void gemm_tn(__global const float *restrict a, __global const float *restrict b,
	__global float *restrict c, __global const float *restrict bias, __global float *other, int a_off, int lda,
	int b_off, int ldb, int tb, int c_off, int ldc, int has_bias, int act,
	int beta, int M, int N, int K, int sc, int mb, int kc, int kz, int copy, int cols,
	__global float *sums, int s_off, int s_stride)
{
	vfloat panel_[PANELS * NV], block_[KC_TN * MB_TN / CG_VW + 1];
	float *panel = (float *)panel_, *block = (float *)block_;
	const int z = get_global_id(2), m0 = get_global_id(1) * mb, m1 = min(M, m0 + mb);
	const int first = get_global_id(0) * cols, end = min(N, first + cols);
	const int wide = PANELS / kc * NR;
	struct result r = { .other = 0 };

	if (kz < K)
		K = min(kz, K - z * kz);
	a += a_off + (size_t)z * kz * lda;
	b += b_off + (size_t)z * kz * (tb ? 1 : ldb);
	c += c_off + (size_t)z * sc + (size_t)m0 * ldc;
	for (int k0 = 0; k0 < K; k0 += kc) {
		const int n = min(kc, K - k0), last = k0 + n == K;
		__global const float *rows = a + (size_t)k0 * lda + m0;

		if (copy)
			block_copy(block, rows, lda, n, m1 - m0);
		r.add = beta || k0;
		r.bias = last && has_bias;
		r.act = last ? act : ACT_NONE;
		for (int n0 = first; n0 < end; n0 += wide) {
			const int n1 = min(end, n0 + wide);

			for (int j = n0; j < n1; j += NR)
				if (tb)
					panel_transpose(panel + (j - n0) * n,
						b + (size_t)j * ldb + k0, ldb, n, min(NR, N - j));
				else
					panel_copy(panel + (j - n0) * n,
						b + (size_t)k0 * ldb + j, ldb, n, min(NR, N - j));
			for (int j = n0; sums && get_global_id(1) == 0 && j < n1; j += NR)
				panel_sums(panel + (j - n0) * n, n,
					sums + s_off + (size_t)z * s_stride + j, min(NR, N - j), k0 > 0);
			down_columns(rows, copy ? block : 0, lda, n, m1 - m0, M - m0, panel,
				n1 - n0, c + n0, ldc, has_bias ? bias + n0 : bias, r);
		}
	}
}

/* C[M,N] (+)= part[0] + part[1] + .. + part[n - 1], each [M,N], in this order; with sums [N] a part has a row more, for
 * these. Global size: pieces of columns, M. */
__kernel CG_SINGLE void gemm_sum(__global const float *restrict part, __global float *restrict c,
	__global float *restrict sums, int c_off, int ldc, int beta, int M, int N, int n)
{
	const int step = (int)get_global_size(0) * CG_VW, rows = M + (sums != 0);

	for (int m = get_global_id(1); m < rows; m += (int)get_global_size(1))
		for (int j = (int)get_global_id(0) * CG_VW; j < N; j += step) {
			__global float *p = m < M ? c + c_off + (size_t)m * ldc + j : sums + j;
			vfloat s = beta && m < M ? cg_load(p, N - j) : (vfloat)0.f;

			for (int z = 0; z < n; z++)
				s += cg_load(part + ((size_t)z * rows + m) * N + j, N - j);
			cg_store(s, p, N - j);
		}
}
