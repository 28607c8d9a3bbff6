/*
 * Layer normalisation: each of the rows of D values by itself,
 *   y = gamma (x - mean) rstd + beta, rstd = 1 / sqrt(mean of (x - mean)^2 + eps).
 * stats [rows][mean, rstd] is written if asked for. With xhat = (x - mean) rstd and g = gamma dy
 *   dx = rstd (g - mean of g - xhat mean of (g xhat)), dgamma = sum dy xhat, dbeta = sum dy.
 *
 * part [chunk][dgamma, dbeta][wide] are sums over a chunk of rows; layer_norm_join adds them up in
 * order.
 *
 * CPU family: a task is a chunk of rows, layer_norm_grad leaves its part on the way. GPU family: a
 * work-group shares a row; layer_norm_grad_part is a kernel by itself.
 */
#if CG_CPU
#include "moments.cl"

#define SHAPE CG_SINGLE
#define PART
#define FIRST 0
#define STEP CG_LANES
#define EACH_ROW(r, rows) CG_NEAR_ROWS(r, rows)
#define MOMENTS(x, D) row_moments(x, D)
enum { BLOCK = 8 }; /* vectors whose mean is known before their distances to it are */

/* Joins some vectors at x to the moments of `count` ones, each lane by itself. */
static inline void join_vectors(__global const float *x, int vectors, float count, vfloat *mean, vfloat *m2)
{
	vfloat sum = 0, squares = 0;

	UNROLL for (int k = 0; k < vectors; k++) {
		CG_READS(x + k * CG_VW);
		sum += VLOAD(k, x);
	}
	sum *= 1.f / vectors;
	UNROLL for (int k = 0; k < vectors; k++)
		squares += (VLOAD(k, x) - sum) * (VLOAD(k, x) - sum);
	cg_join(count, mean, m2, vectors, sum, squares);
}

/* Mean of a row, and the sum of squared distances to it, from one pass. */
static inline float2 row_moments(__global const float *x, int D)
{
	const int vectors = D / CG_VW, rest = D % CG_VW;
	vfloat mean = 0, m2 = 0, count = vectors, d;
	float all;
	int i = 0;

	for (; i + BLOCK <= vectors; i += BLOCK)
		join_vectors(x + i * CG_VW, BLOCK, i, &mean, &m2);
	if (i < vectors)
		join_vectors(x + i * CG_VW, vectors - i, i, &mean, &m2);
	if (rest) {
		d = cg_keep(cg_load(x + vectors * CG_VW, rest) - mean, rest);
		mean += d / (vectors + 1);
		m2 += d * d * vectors / (vectors + 1);
		count += cg_keep(1, rest);
	}
	all = cg_lane_sum(mean * count) / D;
	d = mean - all;
	return (float2)(all, cg_lane_sum(m2 + d * d * count));
}
#else
#define SHAPE
#define PART __local float group_part[CG_GROUP];
#define FIRST ((int)get_local_id(0))
#define STEP ((int)get_local_size(0))
#define EACH_ROW(r, rows) CG_TASK(r, rows)
#define TOTAL(v) cg_group_sum(group_part, v)
#define MOMENTS(x, D) row_moments(x, D, group_part)
#define EACH(j, D) for (int j = FIRST; j < (D); j += STEP)

static inline float2 row_moments(__global const float *x, int D, __local float *group_part)
{
	float sum = 0, squares = 0, mean;

	EACH(j, D)
		sum += x[j];
	mean = TOTAL(sum) / D;
	EACH(j, D)
		squares += (x[j] - mean) * (x[j] - mean);
	return (float2)(mean, TOTAL(squares));
}
#endif

SHAPE __kernel void layer_norm(__global const float *x, __global const float *gamma,
	__global const float *beta, __global float *y, __global float *stats, int rows, int D,
	float eps)
{
	PART
#if CG_CPU
	const int far = cg_is_far(y, (size_t)rows * D, D);
#endif

	EACH_ROW(r, rows) {
		__global const float *xr = x + (size_t)r * D;
		__global float *yr = y + (size_t)r * D;
		const float2 m = MOMENTS(xr, D);
		const float mean = m.x, rstd = 1 / sqrt(m.y / D + eps);
		int j = FIRST;

#if CG_CPU
		for (; j + CG_LANES <= D; j += CG_LANES) {
			const vfloat xhat = (VLOAD(0, xr + j) - mean) * rstd;
			const vfloat scaled = xhat * VLOAD(0, gamma + j);

			cg_put(scaled + VLOAD(0, beta + j), yr + j, CG_VW, far);
		}
#endif
		for (; j < D; j += STEP) {
			const cg_lanes xhat = (cg_load(xr + j, D - j) - mean) * rstd;
			const cg_lanes scaled = xhat * cg_load(gamma + j, D - j);

			cg_store(scaled + cg_load(beta + j, D - j), yr + j, D - j);
		}
		if (stats) {
			stats[2 * r] = mean;
			stats[2 * r + 1] = rstd;
		}
	}
}

#if CG_CPU
enum { ROWS = 4 }; /* side by side: gamma and the part are then moved once for all of them */

/* Sums over row r: of g, and of g (x - mean). */
static inline float2 row_means(__global const float *dy, __global const float *x,
	__global const float *gamma, float mean, int D)
{
	vfloat sum = 0, dot = 0, sum1 = 0, dot1 = 0;
	int j = 0;

	for (; j + 2 * CG_VW <= D; j += 2 * CG_VW) {
		const vfloat g0 = VLOAD(0, dy + j) * VLOAD(0, gamma + j);
		const vfloat g1 = VLOAD(1, dy + j) * VLOAD(1, gamma + j);

		sum += g0;
		sum1 += g1;
		dot += g0 * (VLOAD(0, x + j) - mean);
		dot1 += g1 * (VLOAD(1, x + j) - mean);
	}
	for (; j < D; j += CG_VW) {
		const vfloat g = cg_load(dy + j, D - j) * cg_load(gamma + j, D - j);

		sum += g;
		dot += g * (cg_load(x + j, D - j) - mean);
	}
	return (float2)(cg_lane_sum(sum + sum1), cg_lane_sum(dot + dot1));
}

/* dx of `count` rows from x on, and what they add to dgamma and dbeta; wide columns are in those. */
static inline void rows_grad(__global const float *dy, __global const float *x,
	__global const float *stats, __global const float *gamma, __global float *dx,
	__global float *dgamma, __global float *dbeta, int count, int D, int far)
{
	float a[ROWS], b[ROWS], mean[ROWS], rstd[ROWS];

	for (int i = 0; i < count; i++) {
		const float2 m = row_means(
			dy + (size_t)i * D, x + (size_t)i * D, gamma, stats[2 * i], D);

		mean[i] = stats[2 * i];
		rstd[i] = stats[2 * i + 1];
		a[i] = m.x / D;
		b[i] = m.y * rstd[i] / D;
	}
	for (int j = 0; j < D; j += CG_VW) {
		const vfloat weight = cg_load(gamma + j, D - j);
		vfloat sum_g = VLOAD(0, dgamma + j), sum_b = VLOAD(0, dbeta + j);

		for (int i = 0; i < count; i++) {
			const size_t at = (size_t)i * D + j;
			const vfloat d = cg_load(dy + at, D - j);
			const vfloat g = d * weight; /* rounded, as in the mean */
			const vfloat xhat = (cg_load(x + at, D - j) - mean[i]) * rstd[i];

			cg_put((g - a[i] - xhat * b[i]) * rstd[i], dx + at, D - j, far);
			sum_g += d * xhat;
			sum_b += d;
		}
		VSTORE(sum_g, 0, dgamma + j);
		VSTORE(sum_b, 0, dbeta + j);
	}
}

CG_SINGLE __kernel void layer_norm_grad(__global const float *dy, __global const float *x,
	__global const float *stats, __global const float *gamma, __global float *dx,
	__global float *part, int rows, int D, int wide)
{
	const int per = (rows + (int)get_global_size(0) - 1) / (int)get_global_size(0);
	const int end = min(rows, ((int)get_global_id(0) + 1) * per);
	const int far = cg_is_far(dx, (size_t)rows * D, D);
	__global float *dgamma = part + (size_t)get_global_id(0) * 2 * wide, *dbeta = dgamma + wide;
	int r = (int)get_global_id(0) * per;

	for (int j = 0; j < 2 * wide; j += CG_LANES)
		VSTORE((vfloat)0, 0, dgamma + j);
	for (; r + ROWS <= end; r += ROWS)
		rows_grad(dy + (size_t)r * D, x + (size_t)r * D, stats + 2 * r, gamma,
			dx + (size_t)r * D, dgamma, dbeta, ROWS, D, far);
	for (; r < end; r++)
		rows_grad(dy + (size_t)r * D, x + (size_t)r * D, stats + 2 * r, gamma,
			dx + (size_t)r * D, dgamma, dbeta, 1, D, far);
}

#else
/* part: NULL */
__kernel void layer_norm_grad(__global const float *dy, __global const float *x,
	__global const float *stats, __global const float *gamma, __global float *dx,
	__global float *part, int rows, int D, int wide)
{
	PART
	EACH_ROW(r, rows) {
		__global const float *xr = x + (size_t)r * D, *dyr = dy + (size_t)r * D;
		__global float *dxr = dx + (size_t)r * D;
		const float mean = stats[2 * r], rstd = stats[2 * r + 1];
		float sum = 0, dot = 0, mean_g, mean_gx;

		EACH(j, D) {
			const float g = dyr[j] * gamma[j];

			sum += g;
			dot += g * (xr[j] - mean);
		}
		mean_g = TOTAL(sum) / D;
		mean_gx = TOTAL(dot) * rstd / D;
		EACH(j, D) {
			const float xhat = (xr[j] - mean) * rstd, g = dyr[j] * gamma[j];

			dxr[j] = (g - mean_g - xhat * mean_gx) * rstd;
		}
	}
}

/* An item: a column and a chunk of `per` rows. */
__kernel void layer_norm_grad_part(__global const float *dy, __global const float *x,
	__global const float *stats, __global float *part, int rows, int D, int wide, int per)
{
	const int j = (int)get_global_id(0), chunk = (int)get_global_id(1);
	float dgamma = 0, dbeta = 0;

	if (j >= D || chunk * per >= rows)
		return;
	for (int r = chunk * per; r < min(rows, (chunk + 1) * per); r++) {
		const float d = dy[(size_t)r * D + j];

		dgamma += d * (x[(size_t)r * D + j] - stats[2 * r]) * stats[2 * r + 1];
		dbeta += d;
	}
	part[(size_t)chunk * 2 * wide + j] = dgamma;
	part[((size_t)chunk * 2 + 1) * wide + j] = dbeta;
}
#endif

CG_SINGLE __kernel void layer_norm_join(__global const float *part, __global float *dgamma,
	__global float *dbeta, int chunks, int D, int wide)
{
	const int step = (int)get_global_size(0) * CG_LANES;

	for (int j = (int)get_global_id(0) * CG_LANES; j < D; j += step) {
		cg_lanes a = 0, b = 0;

		for (int i = 0; i < chunks; i++) {
			a += cg_load(part + (size_t)i * 2 * wide + j, CG_LANES);
			b += cg_load(part + ((size_t)i * 2 + 1) * wide + j, CG_LANES);
		}
		if (dgamma)
			cg_store(a, dgamma + j, D - j);
		if (dbeta)
			cg_store(b, dbeta + j, D - j);
	}
}
