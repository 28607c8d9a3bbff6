/*
 * What kernels that look at windows of R x S pixels share: their geometry, the index of the maximum
 * (-DINDEX, or one byte), and loops over pixels and channels.
 */
#ifndef INDEX
#define INDEX uchar
#endif

#if CG_CPU
#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define VLOAD_INDEX(p) CAT(convert_int, CG_VW)(CAT(vload, CG_VW)(0, p))
#define VSTORE_INDEX(v, p) CAT(vstore, CG_VW)(CAT(CAT(convert_, INDEX), CG_VW)(v), 0, p)
#endif

struct geometry {
	int B, H, W, C, P, Q, R, S, stride_h, stride_w, top, left, bottom, right, flag;
};
#define GEOMETRY \
	int B, int H, int W, int C, int P, int Q, int R, int S, int stride_h, int stride_w, \
		int top, int left, int bottom, int right, int flag
#define GATHER_GEOMETRY \
	{ \
		B, H, W, C, P, Q, R, S, stride_h, stride_w, top, left, bottom, right, flag \
	}

/* Where a pixel begins. */
static inline size_t in_x(struct geometry g, int b, int h, int w)
{
	return ((size_t)(b * g.H + h) * g.W + w) * g.C;
}

static inline size_t in_y(struct geometry g, int b, int p, int q)
{
	return ((size_t)(b * g.P + p) * g.Q + q) * g.C;
}

/* ---- index: as cg_load and cg_store of common.cl ------------------------------------------- */

static inline cg_ilanes load_index(__global const INDEX *p, int n)
{
#if CG_CPU
	int some[CG_LANES];

	if (n >= CG_LANES)
		return VLOAD_INDEX(p);
	for (int i = 0; i < CG_LANES; i++)
		some[i] = i < n ? p[i] : 0;
	return VLOAD(0, some);
#else
	return *p;
#endif
}

static inline void store_index(cg_ilanes v, __global INDEX *p, int n)
{
#if CG_CPU
	int some[CG_LANES];

	if (n >= CG_LANES) {
		VSTORE_INDEX(v, p);
		return;
	}
	VSTORE(v, 0, some);
	for (int i = 0; i < n; i++)
		p[i] = (INDEX)some[i];
#else
	*p = (INDEX)v;
#endif
}

/* ---- loops ------------------------------------------------------------------------------- */

/* Channels first .. last - 1 of a pixel, all of them on CPUs, n at a time. */
#if CG_CPU
static inline int next(int c, int last)
{
	return c + CG_LANES >= last ? last : min(c + CG_LANES, last - CG_LANES);
}
#define EACH(c, n) for (int c = first, n = min(last - first, CG_LANES); c < last; c = next(c, last))
#else
#define EACH(c, n) for (int c = first, n = 1; n > 0; n--)
#endif

/* For each pixel (b, i, j) of I x J. */
#if CG_CPU
#define FOR_PIXELS(b, i, j, I, J) \
	CG_TASK(t, B * (I)) \
	for (int b = t / (I), i = t % (I), j = 0, first = 0, last = C; j < (J); j++)
#else
#define FOR_PIXELS(b, i, j, I, J) \
	CG_FOR(e, B * (I) * (J) * C) \
	for (int first = e % C, pixel = e / C, j = pixel % (J), row = pixel / (J), i = row % (I), \
		 b = row / (I), last = first + 1, once = 1; \
		once; once = 0)
#endif
