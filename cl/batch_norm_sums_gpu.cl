/*
 * The reductions of batch normalisation, GPU family; a part of batch_norm_sums.cl, which says what
 * they compute.
 */
/* Local size (across, down): `across` channels, the rows of a chunk dealt out to `down` items. */
#define ITEM \
	const int across = (int)get_local_size(0), down = (int)get_local_size(1); \
	const int ty = (int)get_local_id(1), c = (int)get_global_id(0); \
	const int id = ty * across + (int)get_local_id(0), chunk = (int)get_group_id(1);

/* Joins the `down` items of each channel; the first of them has the result. */
static inline void join_group(__local float *part, int id, int across, int down, int ty,
	float count, float *mean, float *m2)
{
	__local float *means = part + CG_GROUP, *m2s = means + CG_GROUP;

	part[id] = count;
	means[id] = *mean;
	m2s[id] = *m2;
	for (int step = down / 2; step > 0; step /= 2) {
		const int other = id + step * across;

		barrier(CLK_LOCAL_MEM_FENCE);
		if (ty < step && part[other] > 0) {
			cg_join(part[id], mean, m2, part[other], means[other], m2s[other]);
			part[id] += part[other];
			means[id] = *mean;
			m2s[id] = *m2;
		}
	}
}

/* Sums a and b over the `down` items of each channel; the first of them has the result. */
static inline void sum_group(
	__local float *part, int id, int across, int down, int ty, float *a, float *b)
{
	part[id] = *a;
	part[id + CG_GROUP] = *b;
	for (int step = down / 2; step > 0; step /= 2) {
		barrier(CLK_LOCAL_MEM_FENCE);
		if (ty < step) {
			part[id] = *a += part[id + step * across];
			part[id + CG_GROUP] = *b += part[id + step * across + CG_GROUP];
		}
	}
}

__kernel void bn_stats_part(
	__global const float *x, __global float *part, int rows, int W, int last, int per)
{
	__local float shared[3 * CG_GROUP];
	ITEM
	const int end = min(rows, (chunk + 1) * per);
	float mean = 0, m2 = 0, count = 0;
	int r = chunk * per + ty;

	if (c < W) {
		for (; r + (BLOCK - 1) * down < end; r += BLOCK * down, count += BLOCK)
			join_block(count, &mean, &m2, x + (size_t)r * W + c, (size_t)down * W);
		for (; r < end; r += down, count++)
			cg_join(count, &mean, &m2, 1, x[(size_t)r * W + c], 0);
	}
	join_group(shared, id, across, down, ty, count, &mean, &m2);
	if (ty == 0 && c < W) {
		part[(size_t)chunk * 2 * W + c] = mean;
		part[((size_t)chunk * 2 + 1) * W + c] = m2;
	}
}

__kernel void bn_stats_join(__global const float *part, __global float *stats, int rows, int W,
	int last, int per, int chunks, int C, float n, float eps)
{
	__local float shared[3 * CG_GROUP];
	ITEM
	float mean = 0, m2 = 0, count = 0;

	for (int i = ty; i < chunks && c < C; i += down) {
		const float m = min(per, rows - i * per);

		cg_join(count, &mean, &m2, m, part[(size_t)i * 2 * C + c],
			part[((size_t)i * 2 + 1) * C + c]);
		count += m;
	}
	join_group(shared, id, across, down, ty, count, &mean, &m2);
	if (ty == 0 && c < C) {
		stats[c] = mean;
		stats[C + c] = 1 / sqrt(m2 / n + eps);
		stats[2 * C + c] = m2 / n;
	}
}

__kernel void bn_grad_part(__global const float *dy, __global const float *x,
	__global const float *stats, __global const float *gamma, __global const float *beta,
	__global float *part, int rows, int W, int last, int per, int C, int relu)
{
	__local float shared[2 * CG_GROUP];
	ITEM
	const int end = min(rows, (chunk + 1) * per), k = min(c, C - 1);
	const float mean = stats[k], scale = relu ? gamma[k] * stats[C + k] : 0;
	const float shift = relu ? beta[k] - mean * scale : 0;
	float sum = 0, dot = 0;

	for (int r = chunk * per + ty; r < end && c < C; r += down) {
		const float in = x[(size_t)r * C + c];
		const float d = cg_through_relu(dy[(size_t)r * C + c], in * scale + shift, relu);

		sum += d;
		dot += d * (in - mean);
	}
	sum_group(shared, id, across, down, ty, &sum, &dot);
	if (ty == 0 && c < C) {
		part[(size_t)chunk * 2 * C + c] = sum;
		part[((size_t)chunk * 2 + 1) * C + c] = dot;
	}
}

__kernel void bn_grad_join(__global const float *part, __global const float *stats,
	__global float *dgamma, __global float *dbeta, int W, int chunks, int C)
{
	__local float shared[2 * CG_GROUP];
	ITEM
	float sum = 0, dot = 0;

	for (int i = ty; i < chunks && c < C; i += down) {
		sum += part[(size_t)i * 2 * C + c];
		dot += part[((size_t)i * 2 + 1) * C + c];
	}
	sum_group(shared, id, across, down, ty, &sum, &dot);
	if (ty == 0 && c < C) {
		dgamma[c] = dot * stats[C + c];
		if (dbeta)
			dbeta[c] = sum;
	}
}
