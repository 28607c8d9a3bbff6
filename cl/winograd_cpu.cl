/*
 * Convolutions of stride 1 on CPU devices by Winograd's minimal filtering, F(m x m, r x r) with
 * m + r - 1 = SIDE, 6 or 7, of windows of 3x3 and 5x5 (-DWINDOW=3|5 -DSIDE=6|7). For SIDE 6:
 *
 *	u[36] = G w G'			winograd_filter, once for all tiles
 *	v[36] = B' x B			a tile of 6x6 of x, its neighbours m pixels over
 *	o[36] = v[36] u[36]		36 products [tiles, C] x [C, M], an item's tiles at a time
 *	y     = A' o A			m x m
 *
 * winograd_dw_cpu.cl: the gradient of w; winograd_points_cpu.cl: G, B and A (Lavin and Gray, 2015).
 *
 * A result takes SIDE²/m² products where the sum over the window takes r²: of 9, 2.25 or 1.96, of
 * 25, 9 or 5.44. The price is rounding: the transforms multiply the variance of the rounding errors,
 * at the worst position of a tile, by 31 squared (3x3, SIDE 7: 43; 5x5: 20, 28; compared with a
 * plain sum of as many terms).
 *
 * The tiles of an item stay in its local memory, which on a CPU is the thread's own cache.
 */
#include "tile_cpu.cl"

#define POINTS (SIDE * SIDE)
#define OUT (SIDE + 1 - WINDOW)
#define DEPTH 16 /* channels that winograd_filter transforms at a time; as in winograd.c */
#define AHEAD 2 /* tiles that are fetched before their turn */

#include "winograd_points_cpu.cl"

/*
 * u[panels][POINTS][C][NR] of w [R,S,C,M], or, with `transposed`, of w [R,S,M,C] turned by half a
 * circle: dx is the convolution of dy with that. Columns behind M are zero. Global size: panels,
 * DEPTHs of C.
 */
__kernel CG_SINGLE void winograd_filter(
	__global const float *restrict w, __global float *restrict u, int transposed, int C, int M)
{
	vfloat taps_[WINDOW * WINDOW * DEPTH * NV];
	float *taps = (float *)taps_;
	const int panel = get_global_id(0), n0 = panel * NR;
	const int c0 = get_global_id(1) * DEPTH, n = min(DEPTH, C - c0), cols = min(NR, M - n0);

	for (int t = 0; t < WINDOW * WINDOW; t++) {
		const int from = transposed ? WINDOW * WINDOW - 1 - t : t;

		if (transposed)
			panel_transpose(taps + t * DEPTH * NR,
				w + ((size_t)from * M + n0) * C + c0, C, n, cols);
		else
			panel_copy(taps + t * DEPTH * NR, w + ((size_t)from * C + c0) * M + n0, M,
				n, cols);
	}
	for (int i = 0; i < n * NV; i++) {
		vfloat half_[WINDOW * SIDE], whole[SIDE];

		UNROLL for (int s = 0; s < WINDOW; s++)
			transform_filter(taps_ + s * DEPTH * NV + i, half_ + s * SIDE,
				WINDOW * DEPTH * NV, WINDOW);
		UNROLL for (int p = 0; p < SIDE; p++) {
			transform_filter(half_ + p, whole, SIDE, WINDOW);
			UNROLL for (int q = 0; q < SIDE; q++)
				VSTORE(whole[q], 0,
					u + (((size_t)panel * POINTS + p * SIDE + q) * C + c0) *
						NR + i * CG_VW);
		}
	}
}

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

/* v[i·step] = (B' d B)[i]; half is (d B)' */
static inline void second_transform(const vfloat *half_, __local float *v, int step)
{
	UNROLL for (int h = 0; h < SIDE; h++) {
		vfloat whole[SIDE];

		transform_input(half_ + h, whole, SIDE);
		UNROLL for (int l = 0; l < SIDE; l++)
			VSTORE(whole[l], 0, v + (h * SIDE + l) * step);
	}
}

/* v[i·step + c] = (B' x B)[i] of the tile at p, for n channels; zero where that is outside. */
static void tile_in(__global const float *x, int n, __local float *v, int step, struct place p,
	struct tiles f)
{
	const int h0 = p.i * OUT - f.pad_h, l0 = p.j * OUT - f.pad_w, full = n / CG_VW * CG_VW;
	__global const float *image = x + (size_t)p.b * f.H * f.W * f.C;
	vfloat d[SIDE], half_[POINTS];
	int at[POINTS], mask[POINTS];

	if (h0 >= 0 && l0 >= 0 && h0 + SIDE <= f.H && l0 + SIDE <= f.W && full == n) {
		__global const float *from = image + (h0 * f.W + l0) * f.C;

		for (int c = 0; c < n; c += CG_VW) {
			UNROLL for (int l = 0; l < SIDE; l++) {
				UNROLL for (int h = 0; h < SIDE; h++)
					d[h] = VLOAD(0, from + (h * f.W + l) * f.C + c);
				transform_input(d, half_ + l * SIDE, 1);
			}
			second_transform(half_, v + c, step);
		}
		return;
	}
	find(at, mask, SIDE, h0, l0, f.H, f.W, f.C);
	for (int c = 0; c < full; c += CG_VW) {
		UNROLL for (int l = 0; l < SIDE; l++) {
			UNROLL for (int h = 0; h < SIDE; h++)
				d[h] = masked(VLOAD(0, image + at[h * SIDE + l] + c),
					mask[h * SIDE + l]);
			transform_input(d, half_ + l * SIDE, 1);
		}
		second_transform(half_, v + c, step);
	}
	if (full < n) {
		vfloat some[POINTS];

		for (int i = 0; i < POINTS; i++)
			some[i] = masked(cg_load(image + at[i] + full, n - full), mask[i]);
		UNROLL for (int l = 0; l < SIDE; l++)
			transform_input(some + l, half_ + l * SIDE, SIDE);
		second_transform(half_, v + full, step);
	}
}

/* o[i][:] = sum over k < n of v[i·ldv + k] u[k·NR][:], i < MR; brings 64·n bytes nearer. */
__attribute__((noinline)) static void product(const __local float *v, int ldv,
	__global const float *u, int n, __local float *o, __global const float *next)
{
	vfloat t[MR][NV];

	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			t[i][j] = 0.f;
	_Pragma("unroll 4")
	for (int k = 0; k < n; k++) {
		vfloat b[NV];

		FETCH(next + k * 16);
		UNROLL for (int j = 0; j < NV; j++)
			b[j] = VLOAD(0, u + k * NR + j * CG_VW);
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] = multiply_add(v[i * ldv + k], b[j], t[i][j]);
	}
	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			VSTORE(t[i][j], 0, o + i * NR + j * CG_VW);
}

#include "winograd_out_cpu.cl"

/*
 * y[B,P,Q,M] = act(norm(conv(x, w) + bias)) from x [B,H,W,C] and u (winograd_filter). An item does
 * `block` tiles, a multiple of MR, of `all`. Its memory: v [POINTS][block][ldv] and
 * o [POINTS][block][NR].
 * Global size: blocks.
 */
__kernel CG_SINGLE void winograd(__global const float *restrict x, __global const float *restrict u,
	__global float *restrict y, __global const float *restrict bias,
	__local float *restrict memory, int has_bias, int act, int H, int W, int C, int P, int Q,
	int M, int pad_h, int pad_w, int down, int across, int all, int block, int ldv,
	NORM_ARGS)
{
	const struct tiles f = { H, W, C, P, Q, M, pad_h, pad_w, down, across };
	const struct norm norm = NORM;
	const struct result r = { .norm = gamma != 0, .bias = has_bias || gamma, .act = act };
	const int t0 = get_global_id(0) * block, n = min(block, all - t0);
	const int panels = (M + NR - 1) / NR, rows = (n + MR - 1) / MR * MR;
	const int step_v = block * ldv + CG_VW, step_o = block * NR + CG_VW;
	__local float *v = memory, *o = memory + POINTS * step_v;

	for (int t = 0; t < rows; t++) { /* the rows of the last tile are full */
		fetch_x(x, C, place_of(min(t0 + t + AHEAD, all - 1), f), f);
		tile_in(x, C, v + t * ldv, step_v, place_of(min(t0 + t, all - 1), f), f);
	}
	for (int panel = 0; panel < panels; panel++) {
		const int n0 = panel * NR, cols = min(NR, M - n0);
		__global const float *b = bias_of(norm, bias, has_bias, n0, cols);
		struct moments s = moments_of(part, get_global_id(0), n0, M);

		for (int i = 0; i < POINTS; i++, u += C * NR)
			for (int t = 0; t < rows; t += MR)
				product(v + i * step_v + t * ldv, ldv, u, C,
					o + i * step_o + t * NR,
					u + (t < NV * MR ? C * (NR + t / MR * 16) : 0));
		for (int t = 0; t < n; t++) {
			const struct place next = place_of(min(t0 + t + AHEAD, all - 1), f);

			fetch(y + first_of_y(next, f) + n0, OUT, Q, M, NR);
			tile_out(o + t * NR, step_o, y + n0, b, cols,
				place_of(t0 + t, f), f, r, &s);
		}
		moments_end(&s);
	}
}

#include "winograd_dw_cpu.cl"
