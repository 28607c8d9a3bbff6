/*
 * Transforms of filters and tiles; a part of winograd_cpu.cl, which includes this once for each place
 * where the results can be (SPACE: OpenCL C 1.2 has no pointer that fits both).
 */

/*
 * u[i·step + c·NR + j] = (G w G')[i] of n <= DEPTH channels from c0 and a panel of columns from n0
 * of w [R,S,C,M], or, with `transposed`, of w [R,S,M,C] turned by half a circle: dx is the convolution
 * of dy with that. Columns behind M are zero.
 */
static void OVER filter_in(__global const float *restrict w, SPACE float *u, size_t step,
	int transposed, int c0, int n, int n0, int C, int M)
{
	vfloat taps_[WINDOW * WINDOW * DEPTH * NV];
	float *taps = (float *)taps_;
	const int cols = min(NR, M - n0);

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
				VSTORE(whole[q], 0, u + (p * SIDE + q) * step + i * CG_VW);
		}
	}
}

/* v[i·step] = (B' d B)[i]; half is (d B)' */
static inline void OVER second_transform(const vfloat *half_, SPACE float *v, int step)
{
	UNROLL for (int h = 0; h < SIDE; h++) {
		vfloat whole[SIDE];

		transform_input(half_ + h, whole, SIDE);
		UNROLL for (int l = 0; l < SIDE; l++)
			will_write(v + (h * SIDE + l) * step + CG_VW);
		UNROLL for (int l = 0; l < SIDE; l++)
			VSTORE(whole[l], 0, v + (h * SIDE + l) * step);
	}
}

/* v[i·step + c] = (B' x B)[i] of the tile at p, for n channels, which are normalised first where `normed`; zero
 * where that is outside. */
static inline __attribute__((always_inline)) void OVER transform_tile(__global const float *x, int n,
	SPACE float *v, int step, struct place p, struct tiles f, struct before q, const int normed)
{
	const int h0 = p.i * OUT - f.pad_h, l0 = p.j * OUT - f.pad_w, full = n / CG_VW * CG_VW;
	__global const float *image = x + (size_t)p.b * f.H * f.W * f.C;
	vfloat d[SIDE], half_[POINTS];
	int at[POINTS], mask[POINTS];

	if (h0 >= 0 && l0 >= 0 && h0 + SIDE <= f.H && l0 + SIDE <= f.W && full == n) {
		__global const float *from = image + (h0 * f.W + l0) * f.C;

		for (int c = 0; c < n; c += CG_VW) {
			const struct line s = line_of(q, c, CG_VW, normed);

			UNROLL for (int l = 0; l < SIDE; l++) {
				UNROLL for (int h = 0; h < SIDE; h++)
					d[h] = on_line(s, VLOAD(0, from + (h * f.W + l) * f.C + c));
				transform_input(d, half_ + l * SIDE, 1);
			}
			second_transform(half_, v + c, step);
		}
		return;
	}
	find(at, mask, SIDE, h0, l0, f.H, f.W, f.C);
	for (int c = 0; c < full; c += CG_VW) {
		const struct line s = line_of(q, c, CG_VW, normed);

		UNROLL for (int l = 0; l < SIDE; l++) {
			UNROLL for (int h = 0; h < SIDE; h++)
				d[h] = masked(on_line(s, VLOAD(0, image + at[h * SIDE + l] + c)),
					mask[h * SIDE + l]);
			transform_input(d, half_ + l * SIDE, 1);
		}
		second_transform(half_, v + c, step);
	}
	if (full < n) {
		const struct line s = line_of(q, full, n - full, normed);
		vfloat some[POINTS];

		for (int i = 0; i < POINTS; i++)
			some[i] = masked(on_line(s, cg_load(image + at[i] + full, n - full)),
				mask[i]);
		UNROLL for (int l = 0; l < SIDE; l++)
			transform_input(some + l, half_ + l * SIDE, SIDE);
		second_transform(half_, v + full, step);
	}
}

static void OVER tile_in(__global const float *x, int n, SPACE float *v, int step, struct place p,
	struct tiles f, struct before q)
{
	if (q.stats)
		transform_tile(x, n, v, step, p, f, q, 1);
	else
		transform_tile(x, n, v, step, p, f, q, 0);
}
