/*
 * Small matrices in private memory for attention on CPU devices: products by register tiles, and
 * the way in and out. Rows are vectors: WV of them for a head's width DH, KV for a block of KB
 * keys.
 */
#define DP ((DH + CG_VW - 1) / CG_VW * CG_VW)
#define WV (DP / CG_VW)
#define KV (KB / CG_VW)
/* PoCL compiles a kernel three times, but what it calls once. */
#define APART __attribute__((noinline)) static

/* LLVM uses its widest registers only in functions with such a vector in their signature. */
static inline vfloat multiply_add(float a, vfloat b, vfloat c)
{
	return a * b + c;
}

/*
 * c (+)= a b for a tile of ROWS rows and NV vectors: c's rows are ldc vectors apart, a's rows and
 * columns `row` and `step` floats, b's rows ldb vectors. Not inlined, so that the optimiser does
 * not join the copies of the loop again and the tile stays in registers.
 */
#define TILE(name, ROWS, NV) \
	APART void name(vfloat *c, int ldc, const float *a, int row, int step, const vfloat *b, \
		int ldb, int K, bool add) \
	{ \
		vfloat t[ROWS][NV]; \
		const float *x[ROWS]; \
\
		UNROLL for (int i = 0; i < ROWS; i++) { \
			x[i] = a + i * row; \
			UNROLL for (int j = 0; j < NV; j++) \
				t[i][j] = 0; \
		} \
		for (int k = 0; k < K; k++, b += ldb) { \
			vfloat v[NV]; \
\
			UNROLL for (int j = 0; j < NV; j++) \
				v[j] = b[j]; \
			UNROLL for (int i = 0; i < ROWS; i++) \
				UNROLL for (int j = 0; j < NV; j++) \
					t[i][j] = multiply_add(x[i][k * step], v[j], t[i][j]); \
		} \
		if (add) \
			UNROLL for (int i = 0; i < ROWS; i++) \
				UNROLL for (int j = 0; j < NV; j++) \
					t[i][j] += c[i * ldc + j]; \
		UNROLL for (int i = 0; i < ROWS; i++) \
			UNROLL for (int j = 0; j < NV; j++) \
				c[i * ldc + j] = t[i][j]; \
	}
/* as many accumulators as leave room for b and a broadcast */
#if CG_VW == 16
#define ROWS4 MR
#define ROWS3 8
#define ROWS2 12
#else
#define ROWS4 3
#define ROWS3 4
#define ROWS2 6
#endif
#define ROWS1 12
/* whether products of nv vectors use tiles of n of them */
#define GROUPS(nv) (((nv) + 3) / 4)
#define USES(nv, n) ((nv) / GROUPS(nv) == (n) || ((nv) + GROUPS(nv) - 1) / GROUPS(nv) == (n))
#define USED(n) (USES(KV, n) || USES(WV, n))
TILE(tile4, ROWS4, 4)
TILE(tile3, ROWS3, 3)
TILE(tile2, ROWS2, 2)
TILE(tile1, ROWS1, 1)

/* c [M,nv] (+)= a [M,K] b [K,nv], in columns of 1 to 4 vectors, as even as can be. Rows are
 * written up to the next multiple of a tile's. */
APART void product(int nv, vfloat *c, const float *a, int row, int step, const vfloat *b, int M,
	int K, bool add)
{
	for (int n = 0, groups = GROUPS(nv), take; n < nv; n += take, groups--) {
		take = (nv - n + groups - 1) / groups;
		const int rows = take == 4 ? ROWS4 : take == 3 ? ROWS3 : take == 2 ? ROWS2 : ROWS1;

		for (int m = 0; m < M; m += rows) {
			vfloat *cm = c + m * nv + n;
			const float *am = a + m * row;

			if (USED(4) && take == 4)
				tile4(cm, nv, am, row, step, b + n, nv, K, add);
			else if (USED(3) && take == 3)
				tile3(cm, nv, am, row, step, b + n, nv, K, add);
			else if (USED(2) && take == 2)
				tile2(cm, nv, am, row, step, b + n, nv, K, add);
			else if (USED(1))
				tile1(cm, nv, am, row, step, b + n, nv, K, add);
		}
	}
}

/* ---- between global and private memory ----------------------------------------------- */

/* out [rows,WV] = scale in, whose rows are `stride` apart */
APART void load_rows(vfloat *out, __global const float *in, int stride, int rows, float scale)
{
	for (int r = 0; r < rows; r++) {
		__global const float *x = in + (size_t)r * stride;

		for (int n = 0; n < DH / CG_VW; n++)
			out[r * WV + n] = VLOAD(n, x) * scale;
#if DH < DP
		float tail[CG_VW];

		for (int i = 0; i < CG_VW; i++)
			tail[i] = DP - CG_VW + i < DH ? x[DP - CG_VW + i] * scale : 0;
		out[r * WV + WV - 1] = VLOAD(0, tail);
#endif
	}
}

/* in [rows,WV] -> out, whose rows are `stride` apart; `add`: added to what is there */
static inline void store_row(const vfloat *in, __global float *out, float scale, bool add)
{
	for (int n = 0; n < DH / CG_VW; n++)
		VSTORE(in[n] * scale + (add ? VLOAD(n, out) : (vfloat)0), n, out);
#if DH < DP
	float tail[CG_VW];

	VSTORE(in[WV - 1] * scale, 0, tail);
	for (int d = DP - CG_VW; d < DH; d++)
		out[d] = tail[d - DP + CG_VW] + (add ? out[d] : 0);
#endif
}

/* a0 b0 a1 b1 ... of the lower and of the upper halves */
static inline vfloat zip_lo(vfloat a, vfloat b)
{
	vfloat v;

	v.even = a.lo;
	v.odd = b.lo;
	return v;
}

static inline vfloat zip_hi(vfloat a, vfloat b)
{
	vfloat v;

	v.even = a.hi;
	v.odd = b.hi;
	return v;
}

/* out [DH,KV]: column j is row j of in, or the last one. Squares of a vector's width are turned by
 * as many rounds of interleaving as the width has bits. */
APART void load_columns(vfloat *out, __global const float *in, int stride, int rows)
{
	for (int j = 0; j < KV; j++) {
		int d = 0;

		for (; d + CG_VW <= DH; d += CG_VW) {
			vfloat r[CG_VW], s[CG_VW];

			UNROLL for (int i = 0; i < CG_VW; i++)
				r[i] = VLOAD(
					0, in + (size_t)min(j * CG_VW + i, rows - 1) * stride + d);
			UNROLL for (int width = 1; width < CG_VW; width *= 2) {
				UNROLL for (int i = 0; i < CG_VW / 2; i++) {
					s[2 * i] = zip_lo(r[i], r[i + CG_VW / 2]);
					s[2 * i + 1] = zip_hi(r[i], r[i + CG_VW / 2]);
				}
				UNROLL for (int i = 0; i < CG_VW; i++)
					r[i] = s[i];
			}
			UNROLL for (int i = 0; i < CG_VW; i++)
				out[(d + i) * KV + j] = r[i];
		}
		for (; d < DH; d++) {
			float column[CG_VW];

			for (int i = 0; i < CG_VW; i++)
				column[i] = in[(size_t)min(j * CG_VW + i, rows - 1) * stride + d];
			out[d * KV + j] = VLOAD(0, column);
		}
	}
}
