/*
 * Gradient of a convolution's weights by minimal filtering; a part of winograd_cpu.cl. dw is the
 * convolution of x with dy: results of r x r, windows of dy of m x m, the same tiles of x:
 *
 *	d[POINTS] = G dy G'		tiles of m x m, their neighbours m pixels over
 *	o[POINTS] = sum v' d	over all tiles: POINTS products [C, tiles] x [tiles, M]
 *	dw    = A' o A		winograd_dw_join
 *
 * Here the transforms let rounding errors grow by 24 (3x3; SIDE 7: 28, 8: 26; 5x5: 45, 43, 36) at
 * the worst tap.
 */

/* d[i·step + c] = (G dy G')[i] of the tile at p, n columns; zero behind them and outside. */
static void tile_of_dy(__global const float *dy, int n, __local float *d, int step, struct place p,
	struct tiles f)
{
	__global const float *image = dy + (size_t)p.b * f.P * f.Q * f.M;
	int at[OUT * OUT], mask[OUT * OUT];

	find(at, mask, OUT, p.i * OUT, p.j * OUT, f.P, f.Q, f.M);
	for (int c = 0; c < NR; c += CG_VW) {
		vfloat w[OUT * OUT], half_[OUT * SIDE], whole[SIDE];

		if (c + CG_VW <= n) {
			UNROLL for (int l = 0; l < OUT; l++) {
				UNROLL for (int h = 0; h < OUT; h++)
					w[h] = masked(VLOAD(0, image + at[h * OUT + l] + c),
						mask[h * OUT + l]);
				transform_filter(w, half_ + l * SIDE, 1, OUT);
			}
		} else {
			vfloat some[OUT * OUT];

			for (int i = 0; i < OUT * OUT; i++)
				some[i] = masked(cg_load(image + at[i] + c, n - c), mask[i]);
			UNROLL for (int l = 0; l < OUT; l++)
				transform_filter(some + l, half_ + l * SIDE, OUT, OUT);
		}
		UNROLL for (int h = 0; h < SIDE; h++) {
			transform_filter(half_ + h, whole, SIDE, OUT);
			UNROLL for (int l = 0; l < SIDE; l++)
				VSTORE(whole[l], 0, d + (h * SIDE + l) * step + c);
		}
	}
}

/* Rows of a tile are channels, often a multiple of 32. 16 accumulators keep the multipliers busy. */
#define ROWS (CG_VW == 16 ? 16 / NV : MR)

/* o[i][:] (+)= sum over k < n of v[k·ldv + i] d[k·NR][:], i < ROWS */
__attribute__((noinline)) static void product_columns(const __local float *v, int ldv,
	const __local float *d, int n, __global float *o, int add)
{
	vfloat t[ROWS][NV];

	UNROLL for (int i = 0; i < ROWS; i++)
		UNROLL for (int j = 0; j < NV; j++)
			t[i][j] = 0.f;
	_Pragma("unroll 4")
	for (int k = 0; k < n; k++) {
		vfloat b[NV];

		UNROLL for (int j = 0; j < NV; j++)
			b[j] = VLOAD(0, d + k * NR + j * CG_VW);
		UNROLL for (int i = 0; i < ROWS; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] = multiply_add(v[k * ldv + i], b[j], t[i][j]);
	}
	if (add)
		UNROLL for (int i = 0; i < ROWS; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] += VLOAD(0, o + i * NR + j * CG_VW);
	UNROLL for (int i = 0; i < ROWS; i++)
		UNROLL for (int j = 0; j < NV; j++)
			VSTORE(t[i][j], 0, o + i * NR + j * CG_VW);
}

/*
 * o[parts][panels][POINTS][blocks of channels][cr][NR] from x [B,H,W,C] and dy [B,P,Q,M]. An item does
 * cb channels, in cr >= cb rows of whole tiles, and a panel of M, for `per` tiles of `all`, `block`
 * of them at a time. Its memory: v [POINTS][block][ldv] and d [POINTS][block][NR]. Global size: blocks of
 * channels, panels, parts.
 */
__kernel CG_SINGLE void winograd_dw(__global const float *restrict x,
	__global const float *restrict dy, __global float *restrict o,
	__local float *restrict memory, int H, int W, int C, int P, int Q, int M, int pad_h,
	int pad_w, int down, int across, int all, int per, int block, int cb, int cr, int ldv,
	BEFORE_ARGS)
{
	const struct tiles f = { H, W, C, P, Q, M, pad_h, pad_w, down, across };
	const struct before norm = BEFORE(C);
	const int c0 = get_global_id(0) * cb, n0 = get_global_id(1) * NR;
	const int channels = min(cb, C - c0), cols = min(NR, M - n0);
	const int first = get_global_id(2) * per, end = min(all, first + per);
	const int rows = get_global_size(0) * cr, panels = get_global_size(1);
	const int behind = (channels + CG_VW - 1) / CG_VW * CG_VW;
	const int step_v = block * ldv + CG_VW, step_d = block * NR + CG_VW;
	const struct before q = before_from(norm, c0);
	__local float *v = memory, *d = memory + POINTS * step_v;

	for (int i = 0; i < POINTS; i++) /* rows of the last tile without a channel */
		for (int t = 0; t < block; t++)
			for (int c = behind; c < ldv; c += CG_VW)
				VSTORE((vfloat)0.f, 0, v + i * step_v + t * ldv + c);
	o += ((get_global_id(2) * panels + get_global_id(1)) * POINTS * rows +
		     get_global_id(0) * cr) * NR;
	for (int t0 = first; t0 < end; t0 += block) {
		const int n = min(block, end - t0);

		for (int t = 0; t < n; t++) {
			const struct place p = place_of(t0 + t, f);

			tile_in(x + c0, channels, v + t * ldv, step_v, p, f, q);
			tile_of_dy(dy + n0, cols, d + t * NR, step_d, p, f);
		}
		for (int i = 0; i < POINTS; i++)
			for (int c = 0; c < cr; c += ROWS)
				product_columns(v + i * step_v + c, ldv, d + i * step_d, n,
					o + ((size_t)i * rows + c) * NR, t0 > first);
	}
}

/* dw[R,S,C,M] = A' o A of the sum over parts of o [parts][panels][POINTS][rows][NR], where cb channels
 * have cr rows. Global size: panels, C. */
__kernel CG_SINGLE void winograd_dw_join(
	__global const float *restrict o, __global float *restrict dw, int C, int M, int rows,
	int parts, int cb, int cr)
{
	const int panels = get_global_size(0), n0 = get_global_id(0) * NR, c = get_global_id(1);
	const int row = c / cb * cr + c % cb;

	for (int j = 0; j < NR && n0 + j < M; j += CG_VW) {
		vfloat sum[POINTS], half_[WINDOW * SIDE], whole[WINDOW];

		UNROLL for (int i = 0; i < POINTS; i++)
			sum[i] = 0.f;
		for (int part = 0; part < parts; part++) {
			const size_t panel = (size_t)part * panels + get_global_id(0);
			__global const float *from = o + (panel * POINTS * rows + row) * NR + j;

			UNROLL for (int i = 0; i < POINTS; i++)
				sum[i] += VLOAD(0, from + (size_t)i * rows * NR);
		}
		UNROLL for (int l = 0; l < SIDE; l++)
			transform_output(sum + l, half_ + l * WINDOW, SIDE, WINDOW);
		UNROLL for (int h = 0; h < WINDOW; h++) {
			transform_output(half_ + h, whole, WINDOW, WINDOW);
			UNROLL for (int l = 0; l < WINDOW; l++)
				cg_store(whole[l],
					dw + ((size_t)(h * WINDOW + l) * C + c) * M + n0 + j,
					M - n0 - j);
		}
	}
}
