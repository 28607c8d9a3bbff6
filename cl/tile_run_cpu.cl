/*
 * The work of a tile. tile_cpu.cl includes this once for each place where A can be (SPACE: OpenCL
 * C 1.2 has no pointer that fits all), and once more where its rows are neighbours in memory
 * (COLUMNS: one address register serves all), and for panels that stay in memory (DIRECT: rows of B
 * are ldb apart, not NR).
 *
 *	t[i][:] = sum over s < segments, k < n of a[s·MR + i][k·step] · b[at[s] + k·NR][:], or
 *	COLUMNS	  sum over s < segments, k < n of a[s][k·step + i] · b[at[s] + k·NR][:],
 *
 * then C as `r` says. A segment is a stretch of the reduction along which the rows of A lie at
 * constant distance; b + at[s] is its part of the panel. One function, so that the tile never
 * leaves the registers.
 */
#if DIRECT
#define PANEL __global const float *b, int ldb
#define ROW __global const float *
#define VB(row, k, j) VLOAD(0, (row) + (k) * ldb + (j) * CG_VW)
#else
#define PANEL const float *b
#define ROW const float *
#define VB(row, k, j) (*(const vfloat *)((row) + (k) * NR + (j) * CG_VW))
#endif
#define AT_(a) a##_at
#define AT(a) AT_(a)
__attribute__((noinline)) static void AT(TILE)(const SPACE float *const *a, const int *at, int segments,
	int n, int step, PANEL, __global float *const *c, __global const float *bias,
	const struct result *r)
{
	vfloat t[MR][NV];

	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			t[i][j] = 0.f;
	for (int s = 0; s < segments; s++) {
		ROW row = b + at[s];
#if COLUMNS
		const SPACE float *x = a[s];
#define X(i, k) x[(k) * step + (i)]
#else
		const SPACE float *x[MR];
#define X(i, k) x[i][(k) * step]

		UNROLL for (int i = 0; i < MR; i++)
			x[i] = a[s * MR + i];
#endif
		_Pragma("unroll 4")
		for (int k = 0; k < n; k++) {
			vfloat v[NV];

#if DIRECT
			UNROLL for (int j = 0; j < NR; j += 16)
				FETCH(row + (k + DIRECT_AHEAD) * ldb + j);
#endif
			UNROLL for (int j = 0; j < NV; j++)
				v[j] = VB(row, k, j);
			UNROLL for (int i = 0; i < MR; i++)
				UNROLL for (int j = 0; j < NV; j++)
					t[i][j] = multiply_add(X(i, k), v[j], t[i][j]);
		}
	}
	if (r->rows < MR || r->cols < NR || r->act == ACT_GELU || r->act == ACT_GELU_TANH) {
		vfloat copy[MR][NV];

		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				copy[i][j] = t[i][j];
		store_rows(copy, c, bias, r);
		return;
	}
	if (r->add)
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] += VLOAD(0, c[i] + j * CG_VW);
	if (r->norm)
		UNROLL for (int j = 0; j < NV; j++) {
			const vfloat v = VLOAD(0, bias - NR + j * CG_VW);

			UNROLL for (int i = 0; i < MR; i++)
				t[i][j] *= v;
		}
	if (r->bias)
		UNROLL for (int j = 0; j < NV; j++) {
			const vfloat v = VLOAD(0, bias + j * CG_VW);

			UNROLL for (int i = 0; i < MR; i++)
				t[i][j] += v;
		}
	if (r->act == ACT_RELU)
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] = t[i][j] < 0.f ? (vfloat)0.f : t[i][j];
	if (r->act == ACT_ADD)
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] += VLOAD(0, c[i] + r->other + j * CG_VW);
	if (r->act == ACT_MUL)
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] *= VLOAD(0, c[i] + r->other + j * CG_VW);
	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			VSTORE(t[i][j], 0, c[i] + j * CG_VW);
}
/* The result goes by address: a struct by value would be copied with loads wider than the stores just before, which then
 * wait until those, and the tile before them, have reached the cache. */
static inline void TILE(const SPACE float *const *a, const int *at, int segments,
	int n, int step, PANEL, __global float *const *c, __global const float *bias,
	struct result r)
{
#if DIRECT
	AT(TILE)(a, at, segments, n, step, b, ldb, c, bias, &r);
#else
	AT(TILE)(a, at, segments, n, step, b, c, bias, &r);
#endif
}
#undef AT
#undef AT_
#undef X
#undef PANEL
#undef ROW
#undef VB
