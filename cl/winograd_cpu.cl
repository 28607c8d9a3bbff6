/*
 * Convolutions of stride 1 on CPU devices by Winograd's minimal filtering, F(m x m, r x r) with
 * m + r - 1 = 6: windows of 3x3 make tiles of 4x4 results, windows of 5x5 tiles of 2x2
 * (-DWINDOW=3|5).
 *
 *	u[36] = G w G'			winograd_filter, once for all tiles
 *	v[36] = B' x B			a tile of 6x6 of x, its neighbours 6 - m pixels over
 *	o[36] = v[36] u[36]		36 products [tiles, C] x [C, M], an item's tiles at a time
 *	y     = A' o A
 *
 * winograd_dw_cpu.cl: the gradient of w.
 *
 * Points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, 2015). A result takes 36 / m² products
 * where the sum over the window takes r²: a quarter (3x3) or 0.36 (5x5). The price is rounding: the
 * transforms multiply the variance of the rounding errors, at the worst position of a tile, by 31²
 * (3x3, compared with a plain sum of as many terms).
 *
 * The tiles of an item stay in its local memory, which on a CPU is the thread's own cache.
 */
#include "tile_cpu.cl"

#define SIDE 6
#define POINTS (SIDE * SIDE)
#define OUT (SIDE + 1 - WINDOW)
#define DEPTH 16 /* channels that winograd_filter transforms at a time; as in winograd.c */

/* To be read in loops that call no vload: those would not be unrolled. */
typedef vfloat __attribute__((aligned(4))) anywhere;

/* x[0..5] of stride s -> y[0..5] = B' x */
static inline void transform_input(const vfloat *x, vfloat *y, int s)
{
	const vfloat a = x[4 * s] - 4.f * x[2 * s], b = x[3 * s] - 4.f * x[s];
	const vfloat c = x[4 * s] - x[2 * s], d = 2.f * (x[3 * s] - x[s]);

	y[0] = 4.f * x[0] - 5.f * x[2 * s] + x[4 * s];
	y[1] = a + b;
	y[2] = a - b;
	y[3] = c + d;
	y[4] = c - d;
	y[5] = 4.f * x[s] - 5.f * x[3 * s] + x[5 * s];
}

/* w[0..taps-1] of stride s -> u[0..5] = G w; taps is 2, 3, 4 or 5 */
static inline void transform_filter(const vfloat *w, vfloat *u, int s, const int taps)
{
	vfloat even = w[0], odd = w[s], even2 = w[0], odd2 = 2.f * w[s];

	if (taps > 2) {
		even += w[2 * s];
		even2 += 4.f * w[2 * s];
	}
	if (taps > 3) {
		odd += w[3 * s];
		odd2 += 8.f * w[3 * s];
	}
	if (taps > 4) {
		even += w[4 * s];
		even2 += 16.f * w[4 * s];
	}
	u[0] = .25f * w[0];
	u[1] = (-1.f / 6) * (even + odd);
	u[2] = (-1.f / 6) * (even - odd);
	u[3] = (1.f / 24) * (even2 + odd2);
	u[4] = (1.f / 24) * (even2 - odd2);
	u[5] = w[(taps - 1) * s];
}

/* o[0..5] of stride s -> y[0..n-1] = A' o; n is 2, 3, 4 or 5 */
static inline void transform_output(const vfloat *o, vfloat *y, int s, const int n)
{
	const vfloat even = o[s] + o[2 * s], odd = o[s] - o[2 * s];
	const vfloat even2 = o[3 * s] + o[4 * s], odd2 = o[3 * s] - o[4 * s];

	y[0] = o[0] + even + even2;
	y[1] = odd + 2.f * odd2;
	if (n > 2)
		y[2] = even + 4.f * even2;
	if (n > 3)
		y[3] = odd + 8.f * odd2;
	if (n > 4)
		y[4] = even + 16.f * even2;
	y[n - 1] += o[5 * s];
}

/*
 * u[36][panels][C][NR] of w [R,S,C,M], or, with `transposed`, of w [R,S,M,C] turned by half a
 * circle: dx is the convolution of dy with that. Columns behind M are zero. Global size: panels,
 * DEPTHs of C.
 */
__kernel CG_SINGLE void winograd_filter(
	__global const float *restrict w, __global float *restrict u, int transposed, int C, int M)
{
	vfloat taps_[WINDOW * WINDOW * DEPTH * NV];
	float *taps = (float *)taps_;
	const int panel = get_global_id(0), panels = get_global_size(0), n0 = panel * NR;
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
					u + (((size_t)(p * SIDE + q) * panels + panel) * C + c0) *
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

/* v[i·step + c] = (B' x B)[i] of the tile at p, for n channels; zero where that is outside. */
static void tile_in(__global const float *x, int n, __local float *v, int step, struct place p,
	struct tiles f)
{
	const int h0 = p.i * OUT - f.pad_h, l0 = p.j * OUT - f.pad_w;
	const int inside = h0 >= 0 && l0 >= 0 && h0 + SIDE <= f.H && l0 + SIDE <= f.W;
	__global const float *from = x + (((long)p.b * f.H + h0) * f.W + l0) * f.C;

	for (int c = 0; c < n; c += CG_VW) {
		vfloat d[POINTS], half_[POINTS], whole[SIDE];

		if (inside && c + CG_VW <= n)
			UNROLL for (int h = 0; h < SIDE; h++)
				UNROLL for (int l = 0; l < SIDE; l++)
					d[h * SIDE + l] = VLOAD(0, from + (h * f.W + l) * f.C + c);
		else
			for (int h = 0; h < SIDE; h++)
				for (int l = 0; l < SIDE; l++)
					d[h * SIDE + l] = (uint)(h0 + h) < (uint)f.H &&
							(uint)(l0 + l) < (uint)f.W
						? cg_load(from + (h * f.W + l) * f.C + c, n - c)
						: (vfloat)0.f;
		UNROLL for (int l = 0; l < SIDE; l++)
			transform_input(d + l, half_ + l * SIDE, SIDE);
		UNROLL for (int h = 0; h < SIDE; h++) {
			transform_input(half_ + h, whole, SIDE);
			UNROLL for (int l = 0; l < SIDE; l++)
				VSTORE(whole[l], 0, v + (h * SIDE + l) * step + c);
		}
	}
}

/* o[i][:] = sum over k < n of v[i·ldv + k] u[k·NR][:], i < MR */
__attribute__((noinline)) static void product(
	const __local float *v, int ldv, __global const float *u, int n, __local float *o)
{
	vfloat t[MR][NV];

	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			t[i][j] = 0.f;
	_Pragma("unroll 4")
	for (int k = 0; k < n; k++) {
		vfloat b[NV];

		UNROLL for (int j = 0; j < NV; j++)
			b[j] = *(__global const anywhere *)(u + k * NR + j * CG_VW);
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] = multiply_add(v[i * ldv + k], b[j], t[i][j]);
	}
	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			VSTORE(t[i][j], 0, o + i * NR + j * CG_VW);
}

/* y = act(A' o A + bias) at the tile p, `cols` columns of which y is the first; o[p·step]. */
static void tile_out(const __local float *o, int step, __global float *y,
	__global const float *bias, int cols, struct place p, struct tiles f, struct result r)
{
	const int rows = min(OUT, f.P - p.i * OUT), lines = min(OUT, f.Q - p.j * OUT);
	__global float *to = y + (((size_t)p.b * f.P + p.i * OUT) * f.Q + p.j * OUT) * f.M;

	for (int c = 0; c < cols; c += CG_VW) {
		vfloat d[POINTS], half_[OUT * SIDE], whole[OUT];
		const int n = cols - c;
		const vfloat b = r.bias ? cg_load(bias + c, n) : (vfloat)0.f;

		UNROLL for (int i = 0; i < POINTS; i++)
			d[i] = VLOAD(0, o + i * step + c);
		UNROLL for (int l = 0; l < SIDE; l++)
			transform_output(d + l, half_ + l * OUT, SIDE, OUT);
		UNROLL for (int h = 0; h < OUT; h++) {
			transform_output(half_ + h, whole, OUT, OUT);
			UNROLL for (int l = 0; l < OUT; l++)
				if (h < rows && l < lines)
					cg_store(activate(whole[l] + b, r.act),
						to + (h * f.Q + l) * f.M + c, n);
		}
	}
}

/*
 * y[B,P,Q,M] = act(conv(x, w) + bias) from x [B,H,W,C] and u (winograd_filter). An item does
 * `block` tiles, a multiple of MR, of `all`. Its memory: v [36][block][ldv] and o [36][block][NR].
 * Global size: blocks.
 */
__kernel CG_SINGLE void winograd(__global const float *restrict x, __global const float *restrict u,
	__global float *restrict y, __global const float *restrict bias,
	__local float *restrict memory, int has_bias, int act, int H, int W, int C, int P, int Q,
	int M, int pad_h, int pad_w, int down, int across, int all, int block, int ldv)
{
	const struct tiles f = { H, W, C, P, Q, M, pad_h, pad_w, down, across };
	const struct result r = { .bias = has_bias, .act = act };
	const int t0 = get_global_id(0) * block, n = min(block, all - t0);
	const int panels = (M + NR - 1) / NR, rows = (n + MR - 1) / MR * MR;
	const int step_v = block * ldv + CG_VW, step_o = block * NR + CG_VW;
	__local float *v = memory, *o = memory + POINTS * step_v;

	for (int t = 0; t < rows; t++) /* the rows of the last tile are full */
		tile_in(x, C, v + t * ldv, step_v, place_of(min(t0 + t, all - 1), f), f);
	for (int panel = 0; panel < panels; panel++) {
		const int n0 = panel * NR;

		for (int i = 0; i < POINTS; i++)
			for (int t = 0; t < rows; t += MR)
				product(v + i * step_v + t * ldv, ldv,
					u + ((size_t)i * panels + panel) * C * NR, C,
					o + i * step_o + t * NR);
		for (int t = 0; t < n; t++)
			tile_out(o + t * NR, step_o, y + n0, bias + n0, min(NR, M - n0),
				place_of(t0 + t, f), f, r);
	}
}

#include "winograd_dw_cpu.cl"
