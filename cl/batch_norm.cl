/*
 * Batch normalisation of x, n rows of C channels: y = gamma (x - mean) rstd + beta; what is
 * elementwise (batch_norm_sums.cl has the reductions; stats [3,C] is mean, rstd, var).
 *
 *   bn_frozen_stats	stats of the running mean and variance
 *   bn_update		running = momentum running + (1 - momentum) batch, with var n / (n - 1)
 *   bn_apply		y, then relu if asked for; with var, stats is just the mean
 *   bn_grad_input	dx = gamma rstd (dy - dbeta/n - (x - mean) rstd dgamma/n), with relu 0 for dy where y <= 0;
 *			plus `other`, if any
 *   bn_grad_frozen	dx = gamma rstd dy
 *
 * CPU family: rows of W columns as in batch_norm_sums.cl, a task is a chunk of `per` of them and
 * first spreads what belongs to the channels over its table of W columns. GPU family: W = C, an
 * item is a channel, which it keeps in registers, and every so many rows.
 */
#define RSTD(var) (1 / sqrt((var) + eps))

#if CG_CPU

/* first .. end - 1: this task's rows; all but a short last one are `full` */
#define CHUNK(chunk) \
	const int first = (chunk) * per, end = min(rows, first + per); \
	const int full = end == rows && last < W ? end - 1 : end;
#define WIDTH(r) ((r) < full ? W : last)

/* table [chunk][scale, shift][W]: y = scale x + shift */
CG_SINGLE __kernel void bn_apply(__global const float *x, __global const float *stats,
	__global const float *var, __global const float *gamma, __global const float *beta,
	__global float *y, __global float *table, int rows, int W, int last, int per, int C,
	int relu, float eps)
{
	const int far = cg_is_far(y, (size_t)rows * W, W);
	const float floor = relu ? 0 : -INFINITY;
	__global float *scale = table + (size_t)get_global_id(0) * 2 * W, *shift = scale + W;
	CHUNK((int)get_global_id(0))

	for (int g = 0; g < W; g += C)
		for (int c = 0; c < C; c++) {
			scale[g + c] = gamma[c] * (var ? RSTD(var[c]) : stats[C + c]);
			shift[g + c] = beta[c] - stats[c] * scale[g + c];
		}
	for (int r = first; r < end; r++)
		for (int j = 0, w = WIDTH(r); j < w; j += CG_LANES) {
			const size_t at = (size_t)r * W + j;
			const vfloat a = VLOAD(0, scale + j), b = VLOAD(0, shift + j);
			const vfloat v = cg_load(x + at, w - j) * a + b;

			CG_READS(x + at);
			cg_put(select(v, (vfloat)floor, v < floor), y + at, w - j, far);
		}
}

/* table [chunk][a, b, k, mean, shift][W]: dx = a dy - b - k (x - mean), y = a x + shift */
CG_SINGLE __kernel void bn_grad_input(__global const float *dy, __global const float *x,
	__global const float *stats, __global const float *gamma, __global const float *dgamma,
	__global const float *dbeta, __global const float *beta, __global const float *other,
	__global float *dx, __global float *table, int rows, int W, int last, int per, int C, float n, int relu)
{
	__global float *a = table + (size_t)get_global_id(0) * 5 * W, *b = a + W, *k = b + W;
	__global float *mean = k + W, *shift = mean + W;
	const int far = cg_is_far(dx, (size_t)rows * W, W);
	CHUNK((int)get_global_id(0))

	for (int g = 0; g < W; g += C)
		for (int c = 0; c < C; c++) {
			a[g + c] = gamma[c] * stats[C + c];
			b[g + c] = a[g + c] * dbeta[c] / n;
			k[g + c] = a[g + c] * stats[C + c] * dgamma[c] / n;
			mean[g + c] = stats[c];
			shift[g + c] = relu ? beta[c] - stats[c] * a[g + c] : 0;
		}
	for (int r = first; r < end; r++)
		for (int j = 0, w = WIDTH(r); j < w; j += CG_LANES) {
			const size_t at = (size_t)r * W + j;
			const vfloat in = cg_load(x + at, w - j), scale = VLOAD(0, a + j);
			const vfloat d = cg_through_relu(cg_load(dy + at, w - j),
				in * scale + VLOAD(0, shift + j), relu);
			const vfloat s = d * scale - VLOAD(0, b + j);
			vfloat v = s - VLOAD(0, k + j) * (in - VLOAD(0, mean + j));

			if (other) {
				CG_READS(other + at);
				v += cg_load(other + at, w - j);
			}
			CG_READS(x + at);
			CG_READS(dy + at);
			cg_put(v, dx + at, w - j, far);
		}
}

/* table [chunk][a][W] */
CG_SINGLE __kernel void bn_grad_frozen(__global const float *dy, __global const float *stats,
	__global const float *gamma, __global float *dx, __global float *table, int rows, int W,
	int last, int per, int C)
{
	__global float *a = table + (size_t)get_global_id(0) * W;
	CHUNK((int)get_global_id(0))

	for (int g = 0; g < W; g += C)
		for (int c = 0; c < C; c++)
			a[g + c] = gamma[c] * stats[C + c];
	for (int r = first; r < end; r++)
		for (int j = 0, w = WIDTH(r); j < w; j += CG_LANES) {
			const size_t at = (size_t)r * W + j;

			cg_store(cg_load(dy + at, w - j) * VLOAD(0, a + j), dx + at, w - j);
		}
}

#else

/* For each row that this item visits, its element of channel c is at `at`. */
#define FOR_ROWS(r, rows) \
	for (int r = (int)get_global_id(1); r < (rows) && c < C; r += (int)get_global_size(1))

__kernel void bn_apply(__global const float *x, __global const float *stats,
	__global const float *var, __global const float *gamma, __global const float *beta,
	__global float *y, __global float *table, int rows, int W, int last, int per, int C,
	int relu, float eps)
{
	const int c = (int)get_global_id(0), k = min(c, C - 1);
	const float scale = gamma[k] * (var ? RSTD(var[k]) : stats[C + k]);
	const float shift = beta[k] - stats[k] * scale;
	const float floor = relu ? 0 : -INFINITY;

	FOR_ROWS(r, rows) {
		const float v = x[(size_t)r * C + c] * scale + shift;

		y[(size_t)r * C + c] = v < floor ? floor : v;
	}
}

__kernel void bn_grad_input(__global const float *dy, __global const float *x,
	__global const float *stats, __global const float *gamma, __global const float *dgamma,
	__global const float *dbeta, __global const float *beta, __global const float *other,
	__global float *dx, __global float *table, int rows, int W, int last, int per, int C, float n, int relu)
{
	const int c = (int)get_global_id(0), i = min(c, C - 1);
	const float a = gamma[i] * stats[C + i], b = a * dbeta[i] / n, mean = stats[i];
	const float k = a * stats[C + i] * dgamma[i] / n, shift = relu ? beta[i] - mean * a : 0;

	FOR_ROWS(r, rows) {
		const size_t at = (size_t)r * C + c;
		const float d = cg_through_relu(dy[at], x[at] * a + shift, relu);

		dx[at] = d * a - b - k * (x[at] - mean) + (other ? other[at] : 0);
	}
}

__kernel void bn_grad_frozen(__global const float *dy, __global const float *stats,
	__global const float *gamma, __global float *dx, __global float *table, int rows, int W,
	int last, int per, int C)
{
	const int c = (int)get_global_id(0), i = min(c, C - 1);
	const float a = gamma[i] * stats[C + i];

	FOR_ROWS(r, rows)
		dx[(size_t)r * C + c] = a * dy[(size_t)r * C + c];
}
#endif

CG_SINGLE __kernel void bn_frozen_stats(__global const float *mean, __global const float *var,
	__global float *stats, int C, float eps)
{
	CG_FOR(c, C) {
		stats[c] = mean[c];
		stats[C + c] = RSTD(var[c]);
		stats[2 * C + c] = var[c];
	}
}

CG_SINGLE __kernel void bn_update(__global float *mean, __global float *var,
	__global const float *stats, int C, float momentum, float unbiased)
{
	CG_FOR(c, C) {
		mean[c] = momentum * mean[c] + (1 - momentum) * stats[c];
		var[c] = momentum * var[c] + (1 - momentum) * unbiased * stats[2 * C + c];
	}
}
