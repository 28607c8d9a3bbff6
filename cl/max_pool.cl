/*
 * The maximum of windows, and its gradient; a part of pool.cl.
 *
 * With -DNORM what is pooled is gamma (x - mean) rstd + beta, then relu if asked for: stats [3,C]
 * is mean, rstd, var. `pooled` is y where what was pooled came from a relu, whose gradient is taken
 * along, else NULL.
 */

/* The first position of a window that lies in the padding; -1 if there is none. */
static inline int first_padding(struct geometry g, int h0, int w0)
{
	if (h0 < 0 || w0 < 0)
		return 0;
	if (w0 + g.S > g.W && g.right > 0)
		return g.W - w0;
	return h0 + g.R > g.H && g.bottom > 0 ? (g.H - h0) * g.S : -1;
}

/* The largest so far, and where in the window it is. */
struct best {
	cg_lanes value;
	cg_ilanes at;
};

/* What becomes of x of some channels before it is pooled. */
struct before {
	cg_lanes scale, shift;
	float floor;
};

static inline struct before before_of(__global const float *stats, __global const float *gamma,
	__global const float *beta, int relu, int C, int c, int n)
{
	struct before f = { 1, 0, 0 };

#ifdef NORM
	f.scale = cg_load(gamma + c, n) * cg_load(stats + C + c, n);
	f.shift = cg_load(beta + c, n) - cg_load(stats + c, n) * f.scale;
	f.floor = relu ? 0 : -INFINITY;
#endif
	return f;
}

static inline cg_lanes apply(struct before f, cg_lanes v)
{
#ifdef NORM
	v = v * f.scale + f.shift;
	return select(v, (cg_lanes)f.floor, v < f.floor);
#else
	return v;
#endif
}

/* Positions r0, s0 .. r1 - 1, s1 - 1 of a window; x is the first of them, `row` floats to the row
 * below. */
static inline struct best best_of(
	__global const float *x, int row, int C, int S, int r0, int r1, int s0, int s1,
	struct before f, int n)
{
	struct best b = { -INFINITY, r0 * S + s0 };

	for (int r = r0; r < r1; r++)
		for (int s = s0; s < s1; s++) {
			__global const float *from = x + (r - r0) * row + (s - s0) * C;
			const cg_lanes v = apply(f, cg_load(from, n));
			const cg_ilanes better = (v > b.value) | (v != v);

			CG_READS(from);
			b.value = select(b.value, v, better);
			b.at = select(b.at, (cg_ilanes)(r * S + s), better);
		}
	return b;
}

/* The window whose positions r0, s0 .. r1 - 1, s1 - 1 are in x, of n channels; a padding of zeros
 * comes at `zero`. */
static inline void max_of(__global const float *x, __global float *y, __global INDEX *index,
	int row, int C, int S, int r0, int r1, int s0, int s1, int zero, struct before f, int n)
{
	struct best m = best_of(x, row, C, S, r0, r1, s0, s1, f, n);

	if (zero >= 0) {
		const cg_ilanes better = (m.value < 0) | ((m.value == 0) & (m.at > zero));

		m.value = select(m.value, (cg_lanes)0, better);
		m.at = select(m.at, (cg_ilanes)zero, better);
	}
	CG_WRITES(y);
	cg_store(m.value, y, n);
	if (index)
		store_index(m.at, index, n);
}

static inline void max_at(struct geometry g, __global const float *x,
	__global const float *stats, __global const float *gamma, __global const float *beta,
	__global float *y, __global INDEX *index, int relu, int b, int p, int q, int first, int last)
{
	const int h0 = p * g.stride_h - g.top, w0 = q * g.stride_w - g.left;
	const int r0 = max(-h0, 0), r1 = min(g.R, g.H - h0);
	const int s0 = max(-w0, 0), s1 = min(g.S, g.W - w0);
	const int zero = g.flag ? first_padding(g, h0, w0) : -1, row = g.W * g.C;
	const size_t from = in_x(g, b, h0 + r0, w0 + s0), to = in_y(g, b, p, q);

#define MAX(S, r0, r1, s0, s1, zero, n) \
	max_of(x + from + c, y + to + c, index ? index + to + c : 0, row, g.C, S, r0, r1, s0, s1, \
		zero, before_of(stats, gamma, beta, relu, g.C, c, n), n)
	if (g.S == 2 && r0 == 0 && r1 == 2 && s0 == 0 && s1 == 2 && zero < 0 &&
		(last - first) % CG_LANES == 0) {
		for (int c = first; c < last; c += CG_LANES)
			MAX(2, 0, 2, 0, 2, -1, CG_LANES);
	} else {
		EACH(c, n)
			MAX(g.S, r0, r1, s0, s1, zero, n);
	}
}

/* dy where y is above zero; y may be NULL */
static inline cg_lanes gated(__global const float *dy, __global const float *y, int n)
{
	const cg_lanes d = cg_load(dy, n);

	return y ? select((cg_lanes)0, d, cg_load(y, n) > 0) : d;
}

static inline void max_grad_at(struct geometry g, __global const float *dy,
	__global const INDEX *index, __global const float *pooled, __global float *dx, int b, int h,
	int w, int first, int last)
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

				const cg_lanes d = gated(dy + at, pooled ? pooled + at : 0, n);

				sum += select((cg_lanes)0, d, chosen);
			}
		CG_WRITES(dx + to + c);
		cg_store(sum, dx + to + c, n);
	}
}

/* ---- kernels --------------------------------------------------------------------------------- */

CG_SINGLE __kernel void max_pool(__global const float *x, __global const float *stats,
	__global const float *gamma, __global const float *beta, __global float *y,
	__global INDEX *index, int relu, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, p, q, P, Q)
		max_at(g, x, stats, gamma, beta, y, index, relu, b, p, q, first, last);
}

CG_SINGLE __kernel void max_pool_grad(__global const float *dy, __global const INDEX *index,
	__global const float *pooled, __global float *dx, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;

	FOR_PIXELS(b, h, w, H, W)
		max_grad_at(g, dy, index, pooled, dx, b, h, w, first, last);
}

#if CG_CPU
/*
 * Where windows do not overlap and the first begins with x, a pixel is in one at most: cell (p, q)
 * is what window (p, q) covers and what then follows before the next. A task is a row of cells.
 */
CG_SINGLE __kernel void max_pool_grad_cells(__global const float *dy,
	__global const INDEX *index, __global const float *pooled, __global float *dx, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;
	const int far = cg_is_far(dx, (size_t)B * H * W * C, C);

	FOR_PIXELS(b, p, q, P, Q) {
		const int h0 = p * stride_h, h1 = p < P - 1 ? h0 + stride_h : H;
		const int w0 = q * stride_w, w1 = q < Q - 1 ? w0 + stride_w : W;
		const size_t from = in_y(g, b, p, q), to = in_x(g, b, h0, w0);

		EACH(c, n) {
			__global const float *y = pooled ? pooled + from + c : 0;
			const vfloat d = gated(dy + from + c, y, n);
			const vint chosen = load_index(index + from + c, n);

			CG_READS(dy + from + c);
			for (int r = 0; r < h1 - h0; r++)
				for (int s = 0; s < w1 - w0; s++) {
					__global float *at = dx + to + (r * W + s) * C + c;
					const int k = r < R && s < S ? r * S + s : -1;

					cg_put(select((vfloat)0, d, chosen == k), at, n, far);
				}
		}
	}
}

/*
 * Windows of at most 4x4, two pixels apart: a cell of 2x2 pixels lies in four of them, (p - 1, q - 1) to (p, q), each of which
 * is looked at once for all four pixels. A task is a row of cells.
 */
CG_SINGLE __kernel void max_pool_grad_twos(__global const float *dy,
	__global const INDEX *index, __global const float *pooled, __global float *dx, GEOMETRY)
{
	const struct geometry g = GATHER_GEOMETRY;
	const int far = cg_is_far(dx, (size_t)B * H * W * C, C);

	FOR_PIXELS(b, p, q, (H + top + 1) / 2, (W + left + 1) / 2) {
		const int h0 = 2 * p - top, w0 = 2 * q - left;

		EACH(c, n) {
			vfloat sum[4] = { 0, 0, 0, 0 };

			UNROLL for (int k = 0; k < 4; k++) {
				const int up = 1 - k / 2, before = 1 - k % 2;
				const size_t from = in_y(g, b, p - up, q - before) + c;
				vfloat d;
				vint chosen;

				if (p < up || p - up >= P || q < before || q - before >= Q)
					continue;
				d = gated(dy + from, pooled ? pooled + from : 0, n);
				chosen = load_index(index + from, n);
				UNROLL for (int i = 0; i < 4; i++) {
					const int r = i / 2 + 2 * up, s = i % 2 + 2 * before;

					if (r < R && s < S)
						sum[i] += select((vfloat)0, d, chosen == r * S + s);
				}
			}
			UNROLL for (int i = 0; i < 4; i++) {
				const int h = h0 + i / 2, w = w0 + i % 2;

				if ((uint)h < (uint)H && (uint)w < (uint)W)
					cg_put(sum[i], dx + in_x(g, b, h, w) + c, n, far);
			}
		}
	}
}
#endif
