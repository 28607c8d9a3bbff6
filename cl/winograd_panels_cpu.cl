/*
 * Few tiles and filters that do not stay in the cache; a part of winograd_cpu.cl. Where an item of
 * `winograd` keeps its tiles and reads all filters, here it keeps a part of the filters and reads all
 * tiles:
 *
 *	v[blocks of C][POINTS][rows][depth]	winograd_tiles
 *	o[POINTS] += v[block] u[block]		winograd_panels, block after block
 *
 * u[block] is made by the item that needs it, or read where filters outlive a run.
 */

/* v of `all` tiles of x; the rows behind repeat the last. Points are `step` apart. Global size:
 * rows. */
__kernel CG_SINGLE void winograd_tiles(__global const float *restrict x, __global float *restrict v,
	int H, int W, int C, int P, int Q, int pad_h, int pad_w, int down, int across, int all,
	int depth, int step, BEFORE_ARGS)
{
	const struct tiles f = { H, W, C, P, Q, 0, pad_h, pad_w, down, across };
	const struct before q = BEFORE(C);
	const int t = get_global_id(0);

	fetch_x(x, C, place_of(min(t + AHEAD, all - 1), f), f);
	v += t * depth;
	for (int c = 0; c < C; c += depth, v += (size_t)POINTS * step)
		tile_in(x + c, min(depth, C - c), v, step, place_of(min(t, all - 1), f), f,
			before_from(q, c));
}

/* o (+)= v u of a point, `rows` tiles and n channels; u lies in the item's memory. */
static void OVER products(__global const float *v, int depth, const __local float *u, int C, int n,
	__local float *o, int rows, int add)
{
	for (int t = 0; t < rows; t += MR, v += MR * depth)
		product(v, depth, u, n, o + t * NR, add, v + 2 * MR * depth);
}

/* u [POINTS][C][NR] lies in memory; brings the next point's nearer, then tiles. */
static void OVER products(__global const float *v, int depth, __global const float *u, int C, int n,
	__local float *o, int rows, int add)
{
	for (int t = 0; t < rows; t += MR, v += MR * depth)
		product(v, depth, u, n, o + t * NR, add,
			t < NV * MR ? u + C * NR + t / MR * C * 16 : v + 2 * MR * depth);
}

/*
 * y[B,P,Q,M] as of `winograd`. An item does a panel of columns for `block` tiles, a multiple of MR.
 * u is that of winograd_filter, or 0. Its memory: o [POINTS][block][NR] and, without u,
 * [POINTS][depth][NR] for a part. Global size: blocks, panels.
 */
__kernel CG_SINGLE void winograd_panels(__global const float *restrict v,
	__global const float *restrict w, __global const float *restrict u,
	__global float *restrict y, __global const float *restrict bias, __local float *restrict o,
	int transposed, int has_bias, int act, int C, int P, int Q, int M, int down, int across,
	int all, int block, int depth, int step, NORM_ARGS)
{
	const struct tiles f = { 0, 0, C, P, Q, M, 0, 0, down, across };
	const struct norm norm = NORM;
	const struct result r = { .norm = gamma != 0, .bias = has_bias || gamma, .act = act };
	const int t0 = get_global_id(0) * block, n = min(block, all - t0);
	const int rows = (n + MR - 1) / MR * MR, step_o = block * NR + CG_VW;
	const int n0 = get_global_id(1) * NR, cols = min(NR, M - n0), step_u = depth * NR + CG_VW;
	__global const float *b = bias_of(norm, bias, has_bias, n0, cols);
	struct moments s = MOMENTS_OF(get_global_id(0), n0, M, y);
	__local float *own = o + POINTS * step_o;
	const int ready = u != 0;

	u += (size_t)n0 * POINTS * C;
	v += (size_t)t0 * depth;
	for (int c0 = 0; c0 < C; c0 += depth) {
		const int m = min(depth, C - c0);

		for (int c = 0; !ready && c < m; c += DEPTH)
			filter_in(w, own + c * NR, step_u, transposed, c0 + c, min(DEPTH, m - c),
				n0, C, M);
		for (int i = 0; i < POINTS; i++, v += step) {
			__local float *to = o + i * step_o;

			if (ready)
				products(v, depth, u + ((size_t)i * C + c0) * NR, C, m, to, rows, c0);
			else
				products(v, depth, own + i * step_u, C, m, to, rows, c0);
		}
	}
	tiles_out(o, step_o, y + n0, b, cols, t0, n, all, f, r, &s);
	moments_end(&s);
}
