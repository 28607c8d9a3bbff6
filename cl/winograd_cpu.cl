/*
 * Convolutions of stride 1 on CPU devices by Winograd's minimal filtering, F(m x m, r x r) with
 * m + r - 1 = SIDE, 6, 7 or 8, of windows of 3x3 and 5x5 (-DWINDOW=3|5 -DSIDE=6|7|8). For SIDE 6:
 *
 *	u[36] = G w G'			winograd_filter, once for all tiles
 *	v[36] = B' x B			a tile of 6x6 of x, its neighbours m pixels over
 *	o[36] = v[36] u[36]		36 products [tiles, C] x [C, M], an item's tiles at a time
 *	y     = A' o A			m x m
 *
 * winograd_panels_cpu.cl: the same for few tiles; winograd_dw_cpu.cl: the gradient of w;
 * winograd_points_cpu.cl: G, B and A (Lavin and Gray, 2015).
 *
 * A result takes SIDE²/m² products where the sum over the window takes r²: of 9, 2.25, 1.96 or 1.78, of
 * 25, 9, 5.44 or 4. The price is rounding: the transforms multiply the variance of the rounding errors,
 * at the worst position of a tile, by 31 squared (3x3, SIDE 7: 43, 8: 46; 5x5: 20, 28, 30; compared
 * with a plain sum of as many terms).
 *
 * The tiles of an item stay in its local memory, which on a CPU is the thread's own cache.
 */
#include "tile_cpu.cl"

#define POINTS (SIDE * SIDE)
#define OUT (SIDE + 1 - WINDOW)
#define DEPTH 16 /* channels whose filters are transformed at a time; as in winograd.c */
#define AHEAD 2 /* tiles that are fetched before their turn */
#define OVER __attribute__((overloadable))

#include "winograd_points_cpu.cl"

/* Images, and how tiles lie on them: tile (i, j) of an image begins at pixel (i·OUT - pad_h,
 * j·OUT - pad_w) of x and at (i·OUT, j·OUT) of y. */
struct tiles {
	int H, W, C, P, Q, M, pad_h, pad_w, down, across;
};

struct place {
	int b, i, j;
};

static inline struct place place_of(int t, struct tiles f)
{
	struct place p;

	p.j = t % f.across;
	t /= f.across;
	p.i = t % f.down;
	p.b = t / f.down;
	return p;
}

/* Where the side² elements of a tile are in the image that it lies on, and -1, or 0 and 0 outside. */
static inline void find(int *at, int *mask, int side, int h0, int l0, int H, int W, int C)
{
	for (int h = 0; h < side; h++)
		for (int l = 0; l < side; l++) {
			const int inside = ((uint)(h0 + h) < (uint)H) & ((uint)(l0 + l) < (uint)W);

			mask[h * side + l] = -inside;
			at[h * side + l] = inside ? ((h0 + h) * W + l0 + l) * C : 0;
		}
}

/* Brings a square of pixels of C channels nearer, n of them; where that is outside, what lies there. */
static inline void fetch(__global const float *from, int side, int W, int C, int n)
{
	for (int h = 0; h < side; h++)
		for (int l = 0; l < side; l++)
			for (int c = 0; c < n; c += 16)
				FETCH(from + (h * W + l) * C + c);
}

/* The first pixel of a tile of y, or of what is like it. */
static inline long first_of_y(struct place p, struct tiles f)
{
	return (((long)p.b * f.P + p.i * OUT) * f.Q + p.j * OUT) * f.M;
}

/* The part of a tile of x that its neighbours to the left have not read. */
static inline void fetch_x(__global const float *x, int n, struct place p, struct tiles f)
{
	const long row = (long)p.b * f.H + p.i * OUT - f.pad_h + WINDOW - 1;

	fetch(x + (row * f.W + p.j * OUT - f.pad_w + WINDOW - 1) * f.C, OUT, f.W, f.C, n);
}

static inline vfloat masked(vfloat v, int mask)
{
	return AS_VFLOAT(AS_VINT(v) & mask);
}

/* A batch norm of the channels of x, and perhaps a relu, before the convolution: stats [3,all] is mean, rstd, var;
 * no stats: none. */
struct before {
	__global const float *stats, *gamma, *beta;
	int relu, all;
};

#define BEFORE_ARGS \
	__global const float *before_stats, __global const float *before_gamma, \
		__global const float *before_beta, int before_relu
#define BEFORE(channels) { before_stats, before_gamma, before_beta, before_relu, channels }

static inline struct before before_from(struct before q, int c)
{
	if (q.stats) {
		q.stats += c;
		q.gamma += c;
		q.beta += c;
	}
	return q;
}

/* scale x + shift, not below the floor: what the norm does to some channels, as bn_apply does */
struct line {
	vfloat scale, shift;
	float floor;
	int normed;
};

static inline struct line line_of(struct before q, int c, int n, const int normed)
{
	struct line s = { 0.f, 0.f, q.relu ? 0.f : -INFINITY, normed };

	if (normed) {
		s.scale = cg_load(q.gamma + c, n) * cg_load(q.stats + q.all + c, n);
		s.shift = cg_load(q.beta + c, n) - cg_load(q.stats + c, n) * s.scale;
	}
	return s;
}

static inline vfloat on_line(struct line s, vfloat x)
{
	const vfloat v = x * s.scale + s.shift;

	return s.normed ? select(v, (vfloat)s.floor, v < s.floor) : x;
}

/* Brings what will be written nearer, where that is shared with other threads. */
static inline void OVER will_write(__global float *p)
{
	FETCH_TO(p);
}

static inline void OVER will_write(__local float *p)
{
	(void)p;
}

#define SPACE __local
#include "winograd_places_cpu.cl"
#undef SPACE
#define SPACE __global
#include "winograd_places_cpu.cl"
#undef SPACE

#define TILES __local
#define FILTERS __global
#include "winograd_product_cpu.cl"
#undef TILES
#define TILES __global
#include "winograd_product_cpu.cl"
#undef FILTERS
#define FILTERS __local
#include "winograd_product_cpu.cl"
#undef TILES
#undef FILTERS
#include "winograd_out_cpu.cl"

/* u[panels][POINTS][C][NR], once for all tiles. Global size: panels, DEPTHs of C. */
__kernel CG_SINGLE void winograd_filter(
	__global const float *restrict w, __global float *restrict u, int transposed, int C, int M)
{
	const int panel = get_global_id(0), c0 = get_global_id(1) * DEPTH;

	filter_in(w, u + ((size_t)panel * POINTS * C + c0) * NR, (size_t)C * NR, transposed, c0,
		min(DEPTH, C - c0), panel * NR, C, M);
}

/*
 * y[B,P,Q,M] = act(norm(conv(before(x), w) + bias)) from x [B,H,W,C] and u (winograd_filter). An item does
 * `block` tiles, a multiple of MR, of `all`. Its memory: v [POINTS][block][ldv] and
 * o [POINTS][block][NR].
 * Global size: blocks.
 */
__kernel CG_SINGLE void winograd(__global const float *restrict x, __global const float *restrict u,
	__global float *restrict y, __global const float *restrict bias,
	__local float *restrict memory, int has_bias, int act, int H, int W, int C, int P, int Q,
	int M, int pad_h, int pad_w, int down, int across, int all, int block, int ldv,
	BEFORE_ARGS, NORM_ARGS)
{
	const struct tiles f = { H, W, C, P, Q, M, pad_h, pad_w, down, across };
	const struct before q = BEFORE(C);
	const struct norm norm = NORM;
	const struct result r = { .norm = gamma != 0, .bias = has_bias || gamma, .act = act };
	const int t0 = get_global_id(0) * block, n = min(block, all - t0);
	const int panels = (M + NR - 1) / NR, rows = (n + MR - 1) / MR * MR;
	const int step_v = block * ldv + CG_VW, step_o = block * NR + CG_VW;
	__local float *v = memory, *o = memory + POINTS * step_v;

	for (int t = 0; t < rows; t++) { /* the rows of the last tile are full */
		fetch_x(x, C, place_of(min(t0 + t + AHEAD, all - 1), f), f);
		tile_in(x, C, v + t * ldv, step_v, place_of(min(t0 + t, all - 1), f), f, q);
	}
	for (int panel = 0; panel < panels; panel++) {
		const int n0 = panel * NR, cols = min(NR, M - n0);
		__global const float *b = bias_of(norm, bias, has_bias, n0, cols);
		struct moments s = MOMENTS_OF(get_global_id(0), n0, M, y);

		for (int i = 0; i < POINTS; i++, u += C * NR)
			for (int t = 0; t < rows; t += MR)
				product(v + i * step_v + t * ldv, ldv, u, C,
					o + i * step_o + t * NR, 0,
					u + (t < NV * MR ? C * (NR + t / MR * 16) : 0));
		tiles_out(o, step_o, y + n0, b, cols, t0, n, all, f, r, &s);
		moments_end(&s);
	}
}

#include "winograd_panels_cpu.cl"
#include "winograd_dw_cpu.cl"
