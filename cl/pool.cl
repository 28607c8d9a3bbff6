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

static inline size_t in_x(struct geometry g, int b, int h, int w, int c)
{
	return ((size_t)(b * g.H + h) * g.W + w) * g.C + c;
}

static inline size_t in_y(struct geometry g, int b, int p, int q, int c)
{
	return ((size_t)(b * g.P + p) * g.Q + q) * g.C + c;
}

/* ---- one pixel, n channels from c on ----------------------------------------------------- */

static inline void max_at(struct geometry g, __global const float *x, __global float *y,
	__global INDEX *index, int b, int p, int q, int c, int n)
{
	const int h0 = p * g.stride_h - g.top, w0 = q * g.stride_w - g.left;
	const int r0 = g.flag ? 0 : max(-h0, 0), r1 = min(g.R, g.H - h0 + (g.flag ? g.bottom : 0));
	const int s0 = g.flag ? 0 : max(-w0, 0), s1 = min(g.S, g.W - w0 + (g.flag ? g.right : 0));
	cg_lanes best = -INFINITY;
	cg_ilanes where = r0 * g.S + s0;

	for (int r = r0; r < r1; r++)
		for (int s = s0; s < s1; s++) {
			const int h = h0 + r, w = w0 + s;
			const int inside = h >= 0 && h < g.H && w >= 0 && w < g.W;
			const size_t at = inside ? in_x(g, b, h, w, c) : 0;
			const cg_lanes v = inside ? cg_load(x + at, n) : (cg_lanes)0;
			const cg_ilanes better = (v > best) | (v != v);

			best = select(best, v, better);
			where = select(where, (cg_ilanes)(r * g.S + s), better);
		}
	cg_store(best, y + in_y(g, b, p, q, c), n);
	if (index)
		store_index(where, index + in_y(g, b, p, q, c), n);
}

static inline void max_grad_at(struct geometry g, __global const float *dy,
	__global const INDEX *index, __global float *dx, int b, int h, int w, int c, int n)
{
	const struct span ps = covering(h, g.H, g.P, g.R, g.stride_h, g.top, 0);
	const struct span qs = covering(w, g.W, g.Q, g.S, g.stride_w, g.left, 0);
	cg_lanes sum = 0;

	for (int p = ps.begin; p < ps.end; p++)
		for (int q = qs.begin; q < qs.end; q++) {
			const int r = h - p * g.stride_h + g.top, s = w - q * g.stride_w + g.left;
			const size_t at = in_y(g, b, p, q, c);
			const cg_ilanes chosen = load_index(index + at, n) == r * g.S + s;

			sum += select((cg_lanes)0, cg_load(dy + at, n), chosen);
		}
	cg_store(sum, dx + in_x(g, b, h, w, c), n);
}

static inline void avg_at(struct geometry g, __global const float *x, __global float *y, int b,
	int p, int q, int c, int n)
{
	const struct span hs = rows_of(g, p), ws = columns_of(g, q);
	cg_lanes sum = 0;

	for (int h = hs.begin; h < hs.end; h++)
		for (int w = ws.begin; w < ws.end; w++)
			sum += cg_load(x + in_x(g, b, h, w, c), n);
	cg_store(sum * (1.0f / (float)(hs.count * ws.count)), y + in_y(g, b, p, q, c), n);
}

static inline void avg_grad_at(struct geometry g, __global const float *dy, __global float *dx,
	int b, int h, int w, int c, int n)
{
	const struct span ps = covering(h, g.H, g.P, g.R, g.stride_h, g.top, g.flag == 2);
	const struct span qs = covering(w, g.W, g.Q, g.S, g.stride_w, g.left, g.flag == 2);
	cg_lanes sum = 0;

	for (int p = ps.begin; p < ps.end; p++)
		for (int q = qs.begin; q < qs.end; q++) {
			const int count = rows_of(g, p).count * columns_of(g, q).count;

			sum += cg_load(dy + in_y(g, b, p, q, c), n) * (1.0f / (float)count);
		}
	cg_store(sum, dx + in_x(g, b, h, w, c), n);
}

/* ---- kernels: for each pixel (b, i, j) of I x J and its channels ------------------------- */

#if CG_CPU
static inline int next_lanes(int c, int C)
{
	return c + CG_LANES >= C ? C : min(c + CG_LANES, C - CG_LANES);
}

#define FOR_PIXELS(b, i, j, I, J) \
	CG_TASK(t, B * (I)) \
	for (int b = t / (I), i = t % (I), j = 0; j < (J); j++) \
		for (int c = 0, n = min(C, CG_LANES); c < C; c = next_lanes(c, C))
#else
#define FOR_PIXELS(b, i, j, I, J) \
	CG_FOR(e, B * (I) * (J) * C) \
	for (int c = e % C, pixel = e / C, j = pixel % (J), row = pixel / (J), i = row % (I), \
		 b = row / (I), n = 1; \
		n > 0; n--)
#endif

CG_SINGLE __kernel void max_pool(
	__global const float *x, __global float *y, __global INDEX *index, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, p, q, P, Q)
		max_at(g, x, y, index, b, p, q, c, n);
}

CG_SINGLE __kernel void max_pool_grad(
	__global const float *dy, __global const INDEX *index, __global float *dx, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, h, w, H, W)
		max_grad_at(g, dy, index, dx, b, h, w, c, n);
}

CG_SINGLE __kernel void avg_pool(__global const float *x, __global float *y, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, p, q, P, Q)
		avg_at(g, x, y, b, p, q, c, n);
}

CG_SINGLE __kernel void avg_pool_grad(__global const float *dy, __global float *dx, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, h, w, H, W)
		avg_grad_at(g, dy, dx, b, h, w, c, n);
}
