/*
 * Pooling over windows of R x S pixels, each channel by itself; x [B,H,W,C] -> y [B,P,Q,C].
 *
 *   max_pool	y[b,p,q,c] = max over (r,s) of x[b, p stride_h - top + r, q stride_w - left + s, c];
 *		the first maximum in row order wins, NaN wins over all; index = r S + s of it, if
 *		asked for. flag: padding counts as zero, else it does not take part
 *   avg_pool	y = mean over the window. flag: 1 padding counts in the divisor, 2 adaptive: cell p
 *		is rows floor(p H/P) .. ceil((p+1) H/P) - 1
 *
 * The gradients gather: a pixel of x looks at the windows that cover it, so nothing is written
 * twice and the order of additions is fixed.
 *
 * CPU family: a task is a row of pixels, `lanes` runs over the channels; the last vector begins at
 * C - CG_VW and computes a few again. GPU family: an item is an element, neighbours are channels.
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

/* As cg_load and cg_store of common.cl. */
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

/* ---- geometry, alike for rows and columns ------------------------------------------------ */

struct span {
	int begin, end, count;
};

/* Where window p begins and ends in x of H rows, and how many rows count in its mean. */
static inline struct span window(
	int p, int H, int P, int R, int stride, int before, int after, int flag)
{
	struct span w;

	if (flag == 2) {
		w.begin = p * H / P;
		w.end = ((p + 1) * H + P - 1) / P;
		w.count = w.end - w.begin;
		return w;
	}
	w.begin = p * stride - before;
	w.end = w.begin + R;
	w.count = min(w.end, H + after) - w.begin;
	w.begin = max(w.begin, 0);
	w.end = min(w.end, H);
	if (flag == 0)
		w.count = w.end - w.begin;
	return w;
}

static inline struct span rows_of(struct geometry g, int p)
{
	return window(p, g.H, g.P, g.R, g.stride_h, g.top, g.bottom, g.flag);
}

static inline struct span columns_of(struct geometry g, int q)
{
	return window(q, g.W, g.Q, g.S, g.stride_w, g.left, g.right, g.flag);
}

/* The windows begin .. end - 1 that cover row h of x. */
static inline struct span covering(int h, int H, int P, int R, int stride, int before, int adaptive)
{
	struct span w;

	w.count = 0;
	w.begin = adaptive ? h * P / H : max((h + before - R + stride) / stride, 0);
	w.end = adaptive ? ((h + 1) * P + H - 1) / H : min((h + before) / stride + 1, P);
	return w;
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

/* The first position of a window that lies in the padding; R S or more if there is none. */
static inline int first_padding(struct geometry g, int h0, int w0)
{
	if (h0 < 0 || w0 < 0)
		return 0;
	if (w0 + g.S > g.W && g.right > 0)
		return g.W - w0;
	return h0 + g.R > g.H && g.bottom > 0 ? (g.H - h0) * g.S : g.R * g.S;
}

/* ---- one pixel: channels first .. last - 1, all of them on CPUs ---------------------------- */

#if CG_CPU
static inline int next(int c, int last)
{
	return c + CG_LANES >= last ? last : min(c + CG_LANES, last - CG_LANES);
}
#define EACH(c, n) for (int c = first, n = min(last - first, CG_LANES); c < last; c = next(c, last))
#else
#define EACH(c, n) for (int c = first, n = 1; n > 0; n--)
#endif

static inline void max_at(struct geometry g, __global const float *x, __global float *y,
	__global INDEX *index, int b, int p, int q, int first, int last)
{
	const int h0 = p * g.stride_h - g.top, w0 = q * g.stride_w - g.left;
	const int r0 = max(-h0, 0), r1 = min(g.R, g.H - h0);
	const int s0 = max(-w0, 0), s1 = min(g.S, g.W - w0);
	const int zero = g.flag ? first_padding(g, h0, w0) : g.R * g.S;
	const size_t from = in_x(g, b, h0 + r0, w0 + s0), to = in_y(g, b, p, q);

	EACH(c, n) {
		cg_lanes best = -INFINITY;
		cg_ilanes where = r0 * g.S + s0;

		for (int r = r0; r < r1; r++)
			for (int s = s0; s < s1; s++) {
				const size_t at = from + ((r - r0) * g.W + s - s0) * g.C + c;
				const cg_lanes v = cg_load(x + at, n);
				const cg_ilanes better = (v > best) | (v != v);

				best = select(best, v, better);
				where = select(where, (cg_ilanes)(r * g.S + s), better);
			}
		if (zero < g.R * g.S) {
			const cg_ilanes better = (best < 0) | ((best == 0) & (where > zero));

			best = select(best, (cg_lanes)0, better);
			where = select(where, (cg_ilanes)zero, better);
		}
		cg_store(best, y + to + c, n);
		if (index)
			store_index(where, index + to + c, n);
	}
}

static inline void max_grad_at(struct geometry g, __global const float *dy,
	__global const INDEX *index, __global float *dx, int b, int h, int w, int first, int last)
{
	const struct span ps = covering(h, g.H, g.P, g.R, g.stride_h, g.top, 0);
	const struct span qs = covering(w, g.W, g.Q, g.S, g.stride_w, g.left, 0);
	const size_t to = in_x(g, b, h, w);

	EACH(c, n) {
		cg_lanes sum = 0;

		for (int p = ps.begin; p < ps.end; p++)
			for (int q = qs.begin; q < qs.end; q++) {
				const int r = h - p * g.stride_h + g.top;
				const int s = w - q * g.stride_w + g.left;
				const size_t at = in_y(g, b, p, q) + c;
				const cg_ilanes chosen = load_index(index + at, n) == r * g.S + s;

				sum += select((cg_lanes)0, cg_load(dy + at, n), chosen);
			}
		cg_store(sum, dx + to + c, n);
	}
}

static inline void avg_at(struct geometry g, __global const float *x, __global float *y, int b,
	int p, int q, int first, int last)
{
	const struct span hs = rows_of(g, p), ws = columns_of(g, q);
	const size_t from = in_x(g, b, hs.begin, ws.begin), to = in_y(g, b, p, q);
	const float share = 1.0f / (float)(hs.count * ws.count);

	EACH(c, n) {
		cg_lanes sum = 0;

		for (int h = 0; h < hs.end - hs.begin; h++)
			for (int w = 0; w < ws.end - ws.begin; w++)
				sum += cg_load(x + from + (h * g.W + w) * g.C + c, n);
		cg_store(sum * share, y + to + c, n);
	}
}

static inline float share_of(struct geometry g, int p, int q)
{
	return 1.0f / (float)(rows_of(g, p).count * columns_of(g, q).count);
}

static inline void avg_grad_at(struct geometry g, __global const float *dy, __global float *dx,
	int b, int h, int w, int first, int last)
{
	const struct span ps = covering(h, g.H, g.P, g.R, g.stride_h, g.top, g.flag == 2);
	const struct span qs = covering(w, g.W, g.Q, g.S, g.stride_w, g.left, g.flag == 2);
	const int alone = ps.end - ps.begin == 1 && qs.end - qs.begin == 1;
	const float once = alone ? share_of(g, ps.begin, qs.begin) : 0;
	const size_t to = in_x(g, b, h, w);

	EACH(c, n) {
		cg_lanes sum = 0;

		for (int p = ps.begin; p < ps.end; p++)
			for (int q = qs.begin; q < qs.end; q++) {
				const float share = alone ? once : share_of(g, p, q);

				sum += cg_load(dy + in_y(g, b, p, q) + c, n) * share;
			}
		cg_store(sum, dx + to + c, n);
	}
}

/* ---- kernels: for each pixel (b, i, j) of I x J -------------------------------------------- */

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

CG_SINGLE __kernel void max_pool(
	__global const float *x, __global float *y, __global INDEX *index, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, p, q, P, Q)
		max_at(g, x, y, index, b, p, q, first, last);
}

CG_SINGLE __kernel void max_pool_grad(
	__global const float *dy, __global const INDEX *index, __global float *dx, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, h, w, H, W)
		max_grad_at(g, dy, index, dx, b, h, w, first, last);
}

CG_SINGLE __kernel void avg_pool(__global const float *x, __global float *y, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, p, q, P, Q)
		avg_at(g, x, y, b, p, q, first, last);
}

CG_SINGLE __kernel void avg_pool_grad(__global const float *dy, __global float *dx, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, h, w, H, W)
		avg_grad_at(g, dy, dx, b, h, w, first, last);
}
