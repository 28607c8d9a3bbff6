/*
 * The maximum of windows, and its gradient; a part of pool.cl.
 */

/* The first position of a window that lies in the padding; R S or more if there is none. */
static inline int first_padding(struct geometry g, int h0, int w0)
{
	if (h0 < 0 || w0 < 0)
		return 0;
	if (w0 + g.S > g.W && g.right > 0)
		return g.W - w0;
	return h0 + g.R > g.H && g.bottom > 0 ? (g.H - h0) * g.S : g.R * g.S;
}

/* The largest so far, and where in the window it is. */
struct best {
	cg_lanes value;
	cg_ilanes at;
};

/* Positions r0, s0 .. r1 - 1, s1 - 1 of a window; x is the first of them, `row` floats to the next row of x. */
static inline struct best best_of(
	__global const float *x, int row, int C, int S, int r0, int r1, int s0, int s1, int n)
{
	struct best b = { -INFINITY, r0 * S + s0 };

	for (int r = r0; r < r1; r++)
		for (int s = s0; s < s1; s++) {
			__global const float *from = x + (r - r0) * row + (s - s0) * C;
			const cg_lanes v = cg_load(from, n);
			const cg_ilanes better = (v > b.value) | (v != v);

			CG_READS(from);
			b.value = select(b.value, v, better);
			b.at = select(b.at, (cg_ilanes)(r * S + s), better);
		}
	return b;
}

static inline void max_at(struct geometry g, __global const float *x, __global float *y,
	__global INDEX *index, int b, int p, int q, int first, int last)
{
	const int h0 = p * g.stride_h - g.top, w0 = q * g.stride_w - g.left;
	const int r0 = max(-h0, 0), r1 = min(g.R, g.H - h0);
	const int s0 = max(-w0, 0), s1 = min(g.S, g.W - w0);
	const int zero = g.flag ? first_padding(g, h0, w0) : g.R * g.S, row = g.W * g.C;
	const int halves = g.R == 2 && g.S == 2 && r1 - r0 == 2 && s1 - s0 == 2;
	const size_t from = in_x(g, b, h0 + r0, w0 + s0), to = in_y(g, b, p, q);

	EACH(c, n) {
		struct best m = halves ? best_of(x + from + c, row, g.C, 2, 0, 2, 0, 2, n)
				       : best_of(x + from + c, row, g.C, g.S, r0, r1, s0, s1, n);

		if (zero < g.R * g.S) {
			const cg_ilanes better = (m.value < 0) | ((m.value == 0) & (m.at > zero));

			m.value = select(m.value, (cg_lanes)0, better);
			m.at = select(m.at, (cg_ilanes)zero, better);
		}
		CG_WRITES(y + to + c);
		cg_store(m.value, y + to + c, n);
		if (index)
			store_index(m.at, index + to + c, n);
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
		CG_WRITES(dx + to + c);
		cg_store(sum, dx + to + c, n);
	}
}

/* ---- kernels --------------------------------------------------------------------------------- */

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

#if CG_CPU
/*
 * Where windows do not overlap and the first begins with x, a pixel is in one at most: cell (p, q)
 * is what window (p, q) covers and what then follows before the next. A task is a row of cells.
 */
CG_SINGLE __kernel void max_pool_grad_cells(
	__global const float *dy, __global const INDEX *index, __global float *dx, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, p, q, P, Q) {
		const int h0 = p * stride_h, h1 = p < P - 1 ? h0 + stride_h : H;
		const int w0 = q * stride_w, w1 = q < Q - 1 ? w0 + stride_w : W;
		const size_t from = in_y(g, b, p, q), to = in_x(g, b, h0, w0);

		EACH(c, n) {
			const vfloat d = cg_load(dy + from + c, n);
			const vint chosen = load_index(index + from + c, n);

			CG_READS(dy + from + c);
			for (int r = 0; r < h1 - h0; r++)
				for (int s = 0; s < w1 - w0; s++) {
					__global float *at = dx + to + (r * W + s) * C + c;
					const int k = r < R && s < S ? r * S + s : -1;

					CG_WRITES(at);
					cg_store(select((vfloat)0, d, chosen == k), at, n);
				}
		}
	}
}
#endif
