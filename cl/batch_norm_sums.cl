/*
 * The reductions of batch normalisation, over n rows of C channels.
 *
 *   bn_stats_part, bn_stats_join	stats [3,C]: mean, rstd = 1 / sqrt(var + eps), var (biased)
 *   bn_grad_part, bn_grad_join		dbeta = sum dy, dgamma = rstd sum dy (x - mean);
 *					with relu 0 for dy where gamma (x - mean) rstd + beta <= 0
 *
 * Variances never come from E[x^2] - E[x]^2: eight rows at a time give their mean and then the
 * squares of the distances to it, and are joined to what came before (Chan, Golub, LeVeque 1983):
 *   d = mean_b - mean_a, mean = mean_a + d n_b/n, M2 = M2_a + M2_b + d^2 n_a n_b/n.
 *
 * Two steps of fixed order: each chunk of `per` rows leaves part[chunk], then chunks are joined.
 *
 * CPU family: G = W/C rows are taken for one of W columns, W a multiple of the vector, so that
 * there are no tails whatever C is; the last such row may be short, `last` columns. GPU family:
 * W = C, an item is a channel and every so many rows.
 */
#include "moments.cl"

#define BLOCK 8		/* rows in registers */
#define COLUMNS 512	/* of a task, CPU family: 8 rows and their sums stay in the first cache */

/* The same for BLOCK rows, `stride` floats apart. */
static inline void join_block(float count, cg_lanes *mean, cg_lanes *m2, __global const float *x,
	size_t stride)
{
	cg_lanes v[BLOCK], sum = 0, squares = 0;

	for (int i = 0; i < BLOCK; i++) {
		CG_READS(x + i * stride);
		sum += v[i] = cg_load(x + i * stride, CG_LANES);
	}
	sum *= 1.0f / BLOCK;
	for (int i = 0; i < BLOCK; i++)
		squares += (v[i] - sum) * (v[i] - sum);
	cg_join(count, mean, m2, BLOCK, sum, squares);
}

#if CG_CPU

/* first .. end - 1: this task's rows; all but a short last one are `full` */
#define CHUNK(chunk) \
	const int first = (chunk) * per, end = min(rows, first + per); \
	const int full = end == rows && last < W ? end - 1 : end;
#define WIDTH(r) ((r) < full ? W : last)
#define FOR_CHANNELS(c, C) \
	for (int c = (int)get_global_id(0) * CG_LANES; c < (C); \
		c += (int)get_global_size(0) * CG_LANES)

/* Each task: a chunk of rows and COLUMNS columns; 2-D range. part [chunk][mean, M2][W] */
CG_SINGLE __kernel void bn_stats_part(
	__global const float *x, __global float *part, int rows, int W, int last, int per)
{
	const int j0 = (int)get_global_id(1) * COLUMNS, j1 = min(W, j0 + COLUMNS);
	__global float *mean = part + (size_t)get_global_id(0) * 2 * W, *m2 = mean + W;
	CHUNK((int)get_global_id(0))
	int r = first;

	for (int j = j0; j < j1; j += CG_LANES) {
		VSTORE((vfloat)0, 0, mean + j);
		VSTORE((vfloat)0, 0, m2 + j);
	}
	for (; r + BLOCK <= full; r += BLOCK)
		for (int j = j0; j < j1; j += CG_LANES) {
			vfloat a = VLOAD(0, mean + j), b = VLOAD(0, m2 + j);

			join_block(r - first, &a, &b, x + (size_t)r * W + j, W);
			VSTORE(a, 0, mean + j);
			VSTORE(b, 0, m2 + j);
		}
	for (; r < end; r++)
		for (int j = j0, w = min(j1, WIDTH(r)); j < w; j += CG_LANES) {
			vfloat a = VLOAD(0, mean + j), b = VLOAD(0, m2 + j);

			cg_join(r - first, &a, &b, 1, cg_load(x + (size_t)r * W + j, w - j), 0);
			cg_store(a, mean + j, w - j);
			cg_store(b, m2 + j, w - j);
		}
}

/* Rows that part g of the columns of a chunk stands for. */
static inline float members(int chunk, int g, int rows, int per, int W, int last, int C)
{
	CHUNK(chunk)
	return (g + 1) * C <= last ? end - first : full - first;
}

CG_SINGLE __kernel void bn_stats_join(__global const float *part, __global float *stats, int rows,
	int W, int last, int per, int chunks, int C, float n, float eps)
{
	FOR_CHANNELS(c, C) {
		const int left = C - c;
		const vfloat base = cg_load(part + c, left);
		vfloat mean = 0, m2 = 0;

		for (int i = 0; i < chunks; i++)
			for (int g = 0; g < W / C; g++) {
				__global const float *p = part + (size_t)i * 2 * W + g * C + c;

				mean += (cg_load(p, left) - base) *
					members(i, g, rows, per, W, last, C);
			}
		mean = base + mean / n;
		for (int i = 0; i < chunks; i++)
			for (int g = 0; g < W / C; g++) {
				__global const float *p = part + (size_t)i * 2 * W + g * C + c;
				const vfloat d = cg_load(p, left) - mean;

				m2 += cg_load(p + W, left);
				m2 += d * d * members(i, g, rows, per, W, last, C);
			}
		cg_store(mean, stats + c, left);
		cg_store(1 / sqrt(m2 / n + eps), stats + C + c, left);
		cg_store(m2 / n, stats + 2 * C + c, left);
	}
}

/* Of what convolutions wrote: part [items][mean, M2, count][W], columns behind C are no channels. */
CG_SINGLE __kernel void bn_items_join(__global const float *part, __global float *stats, int items,
	int W, int C, float n, float eps)
{
	FOR_CHANNELS(c, C) {
		const vfloat base = VLOAD(0, part + c);
		vfloat mean = 0, m2 = 0;

		for (int i = 0; i < items; i++) {
			__global const float *p = part + (size_t)i * 3 * W + c;

			mean += (VLOAD(0, p) - base) * VLOAD(0, p + 2 * W);
		}
		mean = base + mean / n;
		for (int i = 0; i < items; i++) {
			__global const float *p = part + (size_t)i * 3 * W + c;
			const vfloat d = VLOAD(0, p) - mean;

			m2 += VLOAD(0, p + W) + d * d * VLOAD(0, p + 2 * W);
		}
		cg_store(mean, stats + c, C - c);
		cg_store(1 / sqrt(m2 / n + eps), stats + C + c, C - c);
		cg_store(m2 / n, stats + 2 * C + c, C - c);
	}
}

/* The gradients of gamma and beta of a norm's sums that a convolution's gradient left; part as bn_items_join's. */
CG_SINGLE __kernel void bn_items_grad_join(__global const float *part,
	__global const float *stats, __global float *dgamma, __global float *dbeta, int items, int W,
	int C)
{
	FOR_CHANNELS(c, C) {
		vfloat sum = 0, dot = 0;

		for (int i = 0; i < items; i++) {
			sum += VLOAD(0, part + (size_t)i * 3 * W + c);
			dot += VLOAD(0, part + (size_t)i * 3 * W + W + c);
		}
		cg_store(dot * cg_load(stats + C + c, C - c), dgamma + c, C - c);
		cg_store(sum, dbeta + c, C - c);
	}
}

/* part [chunk][sum dy, sum dy (x - mean), mean, scale, shift][W]; 2-D range as bn_stats_part */
CG_SINGLE __kernel void bn_grad_part(__global const float *dy, __global const float *x,
	__global const float *stats, __global const float *gamma, __global const float *beta,
	__global float *part, int rows, int W, int last, int per, int C, int relu)
{
	const int j0 = (int)get_global_id(1) * COLUMNS, j1 = min(W, j0 + COLUMNS);
	__global float *sum = part + (size_t)get_global_id(0) * 5 * W;
	__global float *dot = sum + W, *mean = dot + W, *scale = mean + W, *shift = scale + W;
	CHUNK((int)get_global_id(0))
	int r = first;

	for (int j = j0, c = j0 % C; j < j1; j++, c = c + 1 < C ? c + 1 : 0) {
		sum[j] = dot[j] = 0;
		mean[j] = stats[c];
		scale[j] = relu ? gamma[c] * stats[C + c] : 0;
		shift[j] = relu ? beta[c] - stats[c] * scale[j] : 0;
	}
	for (; r + BLOCK <= full; r += BLOCK)
		for (int j = j0; j < j1; j += CG_LANES) {
			const vfloat m = VLOAD(0, mean + j);
			const vfloat a = VLOAD(0, scale + j), b = VLOAD(0, shift + j);
			vfloat s = 0, t = 0;

			for (int i = 0; i < BLOCK; i++) {
				const size_t at = (size_t)(r + i) * W + j;
				const vfloat in = VLOAD(0, x + at);
				const vfloat d =
					cg_through_relu(VLOAD(0, dy + at), in * a + b, relu);

				CG_READS(x + at);
				CG_READS(dy + at);
				s += d;
				t += d * (in - m);
			}
			VSTORE(VLOAD(0, sum + j) + s, 0, sum + j);
			VSTORE(VLOAD(0, dot + j) + t, 0, dot + j);
		}
	for (; r < end; r++)
		for (int j = j0, w = min(j1, WIDTH(r)); j < w; j += CG_LANES) {
			const size_t at = (size_t)r * W + j;
			const vfloat in = cg_load(x + at, w - j);
			const vfloat d = cg_through_relu(cg_load(dy + at, w - j),
				in * VLOAD(0, scale + j) + VLOAD(0, shift + j), relu);

			cg_store(VLOAD(0, sum + j) + d, sum + j, w - j);
			cg_store(VLOAD(0, dot + j) + d * (in - VLOAD(0, mean + j)), dot + j, w - j);
		}
}

CG_SINGLE __kernel void bn_grad_join(__global const float *part, __global const float *stats,
	__global float *dgamma, __global float *dbeta, int W, int chunks, int C)
{
	FOR_CHANNELS(c, C) {
		const int left = C - c;
		vfloat sum = 0, dot = 0;

		for (int i = 0; i < chunks; i++)
			for (int g = 0; g < W; g += C) {
				sum += cg_load(part + (size_t)i * 5 * W + g + c, left);
				dot += cg_load(part + ((size_t)i * 5 + 1) * W + g + c, left);
			}
		cg_store(dot * cg_load(stats + C + c, left), dgamma + c, left);
		if (dbeta)
			cg_store(sum, dbeta + c, left);
	}
}

#else
#include "batch_norm_sums_gpu.cl"
#endif
