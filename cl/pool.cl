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
 * twice and the order of additions is fixed. max_pool.cl has the maximum's kernels.
 *
 * CPU family: a task is a row of pixels, `lanes` runs over the channels; the last vector begins at
 * C - CG_VW and computes a few again. GPU family: an item is an element, neighbours are channels.
 */
#include "window.cl"

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

/* ---- one pixel ------------------------------------------------------------------------------- */

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

/* ---- kernels --------------------------------------------------------------------------------- */

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

#include "max_pool.cl"
