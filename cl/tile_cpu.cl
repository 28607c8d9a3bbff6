/*
 * The register tile of CPU devices, for matrix products and convolutions: MR rows x NR columns of
 * accumulators, NV vectors a row. One step of k is a column of A, an element a row, broadcast,
 * times a row of NR elements of B. With 16-wide vectors 6 x 4 accumulators, 4 vectors of B and a
 * broadcast fill 29 of 32 registers; with narrower ones 6 x 2 fill 15 of 16. -DTILE_NARROW halves
 * the columns and doubles the rows, for matrices of few columns. -DTILE_MIDDLE, with 16-wide vectors
 * alone, has 8 x 3.
 *
 * Included by the files that use it; all loops over a tile unroll completely, so that the tile
 * stays in registers.
 */
#ifdef TILE_NARROW
#define MR 12
#define NV (CG_VW == 16 ? 2 : 1)
#elif defined(TILE_MIDDLE)
#define MR 8
#define NV 3
#else
#define MR 6
#define NV (CG_VW == 16 ? 4 : 2)
#endif
#define NR (NV * CG_VW)

/* A line of 64 bytes into the second cache; PoCL's own prefetch does nothing. */
#ifdef POCL_DEVICE_ADDRESS_BITS
#define FETCH(p) __builtin_prefetch((const void *)(size_t)(p), 0, 2)
#define FETCH_TO(p) __builtin_prefetch((const void *)(size_t)(p), 1, 3) /* to be written */
#else
#define FETCH(p) prefetch(p, 16)
#define FETCH_TO(p) prefetch(p, 16)
#endif
#define AHEAD_ROWS 16 /* of B, fetched before they are copied */
#define DIRECT_AHEAD 32 /* that are read in place */

enum { ACT_NONE, ACT_RELU, ACT_GELU, ACT_GELU_TANH, ACT_ADD, ACT_MUL }; /* enum cg__act */

/* Which part of C a tile is, and what becomes of it. */
struct result {
	int rows, cols; /* valid part */
	int add; /* C += tile, not C = tile */
	int norm; /* then multiply by what lies NR before the bias */
	int bias; /* then add the bias, then act */
	int act;
	long other; /* from C to the operand of ACT_ADD and ACT_MUL, or to the derivative of ACT_GELU, 0: none */
};

/* LLVM uses its widest registers only in functions with such a vector in their signature. */
static inline vfloat multiply_add(float x, vfloat b, vfloat c)
{
	return x * b + c;
}

static inline vfloat activate(vfloat x, int act)
{
	typedef vfloat T;
	T e;

	if (act == ACT_RELU)
		return x < 0.f ? (vfloat)0.f : x; /* NaN stays */
	if (act == ACT_GELU) {
		CG_GELU_CDF(e, x)
		return x * e;
	}
	if (act == ACT_GELU_TANH) {
		CG_GELU_TANH_CDF(e, x)
		return x * e;
	}
	return x;
}

/* What becomes of n values of C at p; a derivative is written on the way. */
static inline vfloat finish(vfloat x, __global float *p, int n, struct result r)
{
	typedef vfloat T;
	T e, slope;

	if (r.act == ACT_ADD)
		return x + cg_load(p + r.other, n);
	if (r.act == ACT_MUL)
		return x * cg_load(p + r.other, n);
	if (r.other == 0 || r.act < ACT_GELU)
		return activate(x, r.act);
	if (r.act == ACT_GELU) {
		CG_GELU_BOTH(e, slope, x)
	} else {
		CG_GELU_TANH_CDF(e, x)
		slope = CG_GELU_TANH_SLOPE(x, e);
	}
	cg_store(slope, p + r.other, n);
	return x * e;
}

/* Brings nearer what finish reads or writes beside a tile of C: its lines seldom are in a cache. */
static inline void operand_fetch(__global float *const *c, struct result r)
{
	for (int i = 0; r.other && i < MR; i++)
		UNROLL for (int j = 0; j < NR; j += 16)
			if (r.act >= ACT_ADD)
				FETCH(c[i] + r.other + j);
			else
				FETCH_TO(c[i] + r.other + j);
}

#include "norm_cpu.cl"

/* Tiles at the edges, and activations that take more than an instruction: by rows, from memory. */
static void store_rows(const vfloat (*t)[NV], __global float *const *c, __global const float *bias,
	const struct result *result)
{
	const struct result r = *result;

	for (int i = 0; i < r.rows; i++)
		for (int j = 0; j < NV && j * CG_VW < r.cols; j++) {
			__global float *p = c[i] + j * CG_VW;
			const int n = r.cols - j * CG_VW;
			vfloat v = t[i][j];

			if (r.add)
				v += cg_load(p, n);
			if (r.norm)
				v *= cg_load(bias - NR + j * CG_VW, n);
			if (r.bias)
				v += cg_load(bias + j * CG_VW, n);
			cg_store(finish(v, p, n, r), p, n);
		}
}

#define COLUMNS 0
#define SPACE __global
#define DIRECT 1
#define TILE tile_direct
#include "tile_run_cpu.cl"
#undef TILE
#undef DIRECT
#define DIRECT 0
#define TILE tile
#include "tile_run_cpu.cl"
#undef TILE
#undef SPACE
#define TILE tile_private
#define SPACE __private
#include "tile_run_cpu.cl"
#undef COLUMNS
#define COLUMNS 1
#undef TILE
#define TILE tile_columns_private
#include "tile_run_cpu.cl"
#undef TILE
#undef SPACE
#define TILE tile_columns
#define SPACE __global
#include "tile_run_cpu.cl"
#undef SPACE

/* Few rows do not repay a copy of n rows of B, where these lie close and the panel is larger than the first cache; a
 * single tile never does. */
static inline int reads_in_place(int ldb, int n, int rows)
{
	return rows <= MR || (rows <= 300 && ldb <= 768 && n > 128);
}

/* ---- panels of B: [k][NR], columns behind `cols` are zero ------------------------------- */

/* panel[k][j] = b[k·ldb + j], k < n. The processor does not foresee rows that lie pages apart. */
static inline void panel_copy(float *panel, __global const float *b, int ldb, int n, int cols)
{
	for (int k = 0; k < n; k++) {
		UNROLL for (int j = 0; j < NR; j += 16)
			FETCH(b + (size_t)(k + AHEAD_ROWS) * ldb + j);
		UNROLL for (int j = 0; j < NV; j++)
			*(vfloat *)(panel + k * NR + j * CG_VW) = cols == NR
				? VLOAD(0, b + (size_t)k * ldb + j * CG_VW)
				: cg_load(b + (size_t)k * ldb + j * CG_VW, cols - j * CG_VW);
	}
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

/* panel[k][j] = b[j·ldb + k] for a square of a vector's width: as many rounds of interleaving as
 * it has bits. */
static inline void transpose_square(float *panel, __global const float *b, int ldb)
{
	vfloat r[CG_VW], s[CG_VW];

	UNROLL for (int j = 0; j < CG_VW; j++)
		r[j] = VLOAD(0, b + (size_t)j * ldb);
	for (int width = 1; width < CG_VW; width *= 2) {
		UNROLL for (int j = 0; j < CG_VW / 2; j++) {
			s[2 * j] = zip_lo(r[j], r[j + CG_VW / 2]);
			s[2 * j + 1] = zip_hi(r[j], r[j + CG_VW / 2]);
		}
		UNROLL for (int j = 0; j < CG_VW; j++)
			r[j] = s[j];
	}
	UNROLL for (int k = 0; k < CG_VW; k++)
		*(vfloat *)(panel + k * NR) = r[k];
}

/* panel[k][j] = b[j·ldb + k], k < n */
static inline void panel_transpose(float *panel, __global const float *b, int ldb, int n, int cols)
{
	for (int j = 0; j < NR; j += CG_VW) {
		int k = 0;

		if (j + CG_VW <= cols)
			for (; k + CG_VW <= n; k += CG_VW)
				transpose_square(panel + k * NR + j, b + (size_t)j * ldb + k, ldb);
		for (; k < n; k++)
			for (int i = j; i < j + CG_VW; i++)
				panel[k * NR + i] = i < cols ? b[(size_t)i * ldb + k] : 0.f;
	}
}
