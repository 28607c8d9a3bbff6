/*
 * What becomes of a tile's products; a part of winograd_cpu.cl.
 */

/* The moments of columns c .. of a tile, its first `rows` by `lines` pixels. */
static inline void tile_moments(
	const struct moments *s, int c, const vfloat *whole, int rows, int lines)
{
	vfloat sum = 0.f, squares = 0.f;

	UNROLL for (int h = 0; h < OUT; h++)
		UNROLL for (int l = 0; l < OUT; l++)
			if (h < rows && l < lines)
				sum += whole[h * OUT + l];
	sum /= rows * lines;
	UNROLL for (int h = 0; h < OUT; h++)
		UNROLL for (int l = 0; l < OUT; l++) {
			const vfloat d = whole[h * OUT + l] - sum;

			if (h < rows && l < lines)
				squares += d * d;
		}
	moments_join(s, c, rows * lines, sum, squares);
}

/* The same of the sums for a norm's gradient: the tile is written at `to`. */
static inline void tile_grads(const struct moments *s, int c, const vfloat *whole, int rows,
	int lines, __global const float *to, int Q, int n)
{
	struct grads g = grads_of(s, c, n);

	UNROLL for (int h = 0; h < OUT; h++)
		UNROLL for (int l = 0; l < OUT; l++)
			if (h < rows && l < lines)
				grads_row(s, &g, whole[h * OUT + l], to + (h * Q + l) * s->M + c, n);
	grads_end(s, &g, c);
}

/* y = act(norm(A' o A + bias)) at the tile p, `cols` columns of which y is the first; o[p·step]; without act, moments too. */
static void tile_out(const __local float *o, int step, __global float *y,
	__global const float *bias, int cols, struct place p, struct tiles f, struct result r,
	struct moments *s)
{
	const int rows = min(OUT, f.P - p.i * OUT), lines = min(OUT, f.Q - p.j * OUT);
	const float floor = r.act == ACT_RELU ? 0 : -INFINITY;
	__global float *to = y + first_of_y(p, f);

	for (int c = 0; c < cols; c += CG_VW) {
		vfloat d[SIDE], half_[OUT * SIDE], whole[OUT * OUT];
		const int n = cols - c;
		const vfloat b = r.bias ? cg_load(bias + c, n) : (vfloat)0.f;
		const vfloat a = r.norm ? VLOAD(0, bias - NR + c) : (vfloat)1.f;

		UNROLL for (int l = 0; l < SIDE; l++) {
			UNROLL for (int h = 0; h < SIDE; h++)
				d[h] = VLOAD(0, o + (h * SIDE + l) * step + c);
			transform_output(d, half_ + l * OUT, 1, OUT);
		}
		UNROLL for (int h = 0; h < OUT; h++)
			transform_output(half_ + h, whole + h * OUT, OUT, OUT);
		UNROLL for (int i = 0; i < OUT * OUT; i++)
			whole[i] = whole[i] * a + b;
		if (n >= CG_VW && r.act <= ACT_RELU) {
			UNROLL for (int h = 0; h < OUT; h++)
				UNROLL for (int l = 0; l < OUT; l++) {
					const vfloat v = whole[h * OUT + l];

					if (h < rows && l < lines)
						VSTORE(select(v, (vfloat)floor, v < floor), 0,
							to + (h * f.Q + l) * f.M + c);
				}
		} else {
			vfloat copy[OUT * OUT];

			UNROLL for (int i = 0; i < OUT * OUT; i++)
				copy[i] = whole[i];
			for (int h = 0; h < rows; h++)
				for (int l = 0; l < lines; l++)
					cg_store(activate(copy[h * OUT + l], r.act),
						to + (h * f.Q + l) * f.M + c, n);
		}
		if (s->x)
			tile_grads(s, c, whole, rows, lines, to, f.Q, n);
		else if (s->mean)
			tile_moments(s, c, whole, rows, lines);
	}
	s->count += rows * lines;
}

/* tile_out of the n tiles of `all` from t0 on. */
static void tiles_out(const __local float *o, int step, __global float *y,
	__global const float *bias, int cols, int t0, int n, int all, struct tiles f,
	struct result r, struct moments *s)
{
	for (int t = 0; t < n; t++) {
		const struct place next = place_of(min(t0 + t + AHEAD, all - 1), f);

		fetch(y + first_of_y(next, f), OUT, f.Q, f.M, NR);
		if (s->x)
			fetch(s->x + (y - s->y) + first_of_y(next, f), OUT, f.Q, f.M, NR);
		tile_out(o + t * NR, step, y, bias, cols, place_of(t0 + t, f), f, r, s);
	}
}
