/*
 * Updates of weights W [M,N] whose gradient is a product of few rows, G = X' D, X [K,M], D [K,N]: on CPU devices an
 * element of G is a short sum, and is used as soon as it is there, so that G is never in memory.
 */
#include "tile_cpu.cl"
#include "update.cl"

#define KU 64 /* rows at most: UPDATE_ROWS of optim_update.c */
#define MB 192 /* rows of G that an item does: FUSED_BLOCK */
#define PANELS 1024 /* rows of the panels of D that an item copies: FUSED_PANELS */

/* Where the weight, its moments and average begin, and the numbers of the step. */
struct weight {
	__global float *w, *m, *v, *e;
	__global const float *h;
	float lr, decay, factor;
	int sgd, form; /* form: of SGD 1 is Nesterov's, of Adam decoupled decay */
};

/* The update of n <= CG_VW numbers from `at` on, whose gradient is g before clipping. */
static inline void update_some(const struct weight *s, size_t at, int n, vfloat g)
{
	typedef vfloat T;
	__global const float *h = s->h;
	const float lr = s->lr, decay = s->decay, mu = h[BETA1], average = h[EMA];
	T W = cg_load(s->w + at, n), M = cg_load(s->m + at, n), G = g * s->factor;

	if (s->sgd && s->form) {
		NESTEROV_STEP
	} else if (s->sgd) {
		SGD_STEP
	} else {
		const int decoupled = s->form;
		T V = cg_load(s->v + at, n);
		ADAM_NUMBERS
		ADAM_DECAY

		ADAM_STEP
		cg_store(V, s->v + at, n);
	}
	cg_store(W, s->w + at, n);
	cg_store(M, s->m + at, n);
	if (average > 0.0f)
		cg_store(average * cg_load(s->e + at, n) + (1.0f - average) * W, s->e + at, n);
}

/* A tile of G at `at`, from n rows of x, MB apart, and a panel; meanwhile the next tile's weights and moments, `ahead`
 * further on, are fetched. */
__attribute__((noinline)) static void tile_update(const float *x, const float *panel, int n,
	const struct weight *s, size_t at, int ld, int rows, int cols, int ahead)
{
	vfloat t[MR][NV], g[MR][NV];

	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			t[i][j] = 0.f;
	for (int k = 0; k < n; k++) {
		const size_t line = at + (size_t)(k % MR) * ld + k / MR % NV * CG_VW + ahead;
		vfloat v[NV];

		FETCH_TO(s->w + line);
		FETCH_TO(s->m + line);
		FETCH_TO(s->v + line);
		UNROLL for (int j = 0; j < NV; j++)
			v[j] = *(const vfloat *)(panel + k * NR + j * CG_VW);
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] = multiply_add(x[k * MB + i], v[j], t[i][j]);
	}
	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			g[i][j] = t[i][j];
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < NV && j * CG_VW < cols; j++)
			update_some(s, at + (size_t)i * ld + j * CG_VW, cols - j * CG_VW, g[i][j]);
}

/* block[k][i] = x[k][i], k < K, i < rows; x has M columns */
static inline void block_copy(float *block, __global const float *x, int M, int K, int rows)
{
	for (int k = 0; k < K; k++)
		for (int i = 0; i < rows; i += CG_VW)
			*(vfloat *)(block + k * MB + i) = cg_load(x + (size_t)k * M + i, rows - i);
}

/* w, e from w_at on; m, v from m_at on. An item does mb <= MB rows and `cols` columns of G, whole stretches of a row.
 * Global size: stretches, row blocks. */
__kernel CG_SINGLE void gemm_update(__global const float *x, __global const float *d, __global float *w,
	__global float *m, __global float *v, __global float *e, __global const float *h,
	__global const float *norm, int w_at, int m_at, int M, int N, int K, int mb, int cols, int sgd,
	int form, int decays, float rate)
{
	vfloat panel_[PANELS * NV], block_[KU * MB / CG_VW + 1];
	float *panel = (float *)panel_, *block = (float *)block_;
	const int m0 = get_global_id(1) * mb, rows = min(mb, M - m0);
	const int n0 = get_global_id(0) * cols, n1 = min(N, n0 + cols);
	const struct weight s = { w + w_at, m + m_at, v + m_at, e + w_at, h, h[LR] * rate,
		decays ? h[DECAY] : 0.0f, norm[1], sgd, form };

	if (h[UPDATE] == 0.0f || norm[1] == 0.0f)
		return;
	block_copy(block, x + m0, M, K, rows);
	for (int j = n0; j < n1; j += NR)
		panel_copy(panel + (size_t)(j - n0) * K, d + j, N, K, min(NR, N - j));
	for (int i = 0; i < rows; i += MR)
		for (int j = n0; j < n1; j += NR)
			tile_update(block + i, panel + (size_t)(j - n0) * K, K, &s,
				(size_t)(m0 + i) * N + j, N, min(MR, rows - i), min(NR, n1 - j), NR);
}

/* dot[c] = row a · row b + c of x, n long; rows behind `last` count as that */
static inline void dots(__global const float *x, int a, int b, int last, int n, float dot[4])
{
	__global const float *y[4];
	vfloat sum[4];

	UNROLL for (int c = 0; c < 4; c++) {
		y[c] = x + (size_t)min(b + c, last) * n;
		sum[c] = 0.f;
	}
	x += (size_t)a * n;
	for (int i = 0; i < n; i += CG_VW) {
		const vfloat u = cg_load(x + i, n - i);

		UNROLL for (int c = 0; c < 4; c++)
			sum[c] += u * cg_load(y[c] + i, n - i);
	}
	UNROLL for (int c = 0; c < 4; c++)
		dot[c] = cg_lane_sum(sum[c]);
}

/*
 * |G|^2 = sum over i, j < K of (X X')[i][j] (D D')[i][j], by rows i with j <= i: squares[at + i]. Global size: K.
 */
__kernel CG_SINGLE void product_squares(__global const float *x, __global const float *d,
	__global float *squares, int at, int M, int N)
{
	const int i = get_global_id(0);
	float sum = 0.f;

	for (int j = 0; j <= i; j += 4) {
		float xx[4], dd[4];

		dots(x, i, j, i, M, xx);
		dots(d, i, j, i, N, dd);
		for (int c = 0; c < 4 && j + c <= i; c++)
			sum += (j + c < i ? 2.f : 1.f) * xx[c] * dd[c];
	}
	squares[at + i] = sum;
}
