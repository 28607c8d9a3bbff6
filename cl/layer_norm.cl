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
#define SHAPE CG_SINGLE
#define PART
#define FIRST 0
#define STEP CG_LANES
#define EACH_ROW(r, rows) \
	for (int per = ((rows) + (int)get_global_size(0) - 1) / (int)get_global_size(0), \
		 r = (int)get_global_id(0) * per, end = min((rows), r + per); \
		r < end; r++)
#define TOTAL(v) cg_lane_sum(v)
#else
#define SHAPE
#define PART __local float group_part[CG_GROUP];
#define FIRST ((int)get_local_id(0))
#define STEP ((int)get_local_size(0))
#define EACH_ROW(r, rows) CG_TASK(r, rows)
#define TOTAL(v) cg_group_sum(group_part, v)
#endif
#define EACH(j, D) for (int j = FIRST; j < (D); j += STEP)

/* On CPUs four sums at a time, or each addition would wait for the one before. */
static inline cg_lanes row_sum(__global const float *x, int D)
{
	cg_lanes sum = 0;
	int j = FIRST;

#if CG_CPU
	vfloat a = 0, b = 0, c = 0;

	for (; j + 4 * CG_VW <= D; j += 4 * CG_VW) {
		sum += VLOAD(0, x + j);
		a += VLOAD(1, x + j);
		b += VLOAD(2, x + j);
		c += VLOAD(3, x + j);
	}
	sum = (sum + a) + (b + c);
#endif
	for (; j < D; j += STEP)
		sum += cg_load(x + j, D - j);
	return sum;
}

static inline cg_lanes row_squares(__global const float *x, float mean, int D)
{
	cg_lanes sum = 0;
	int j = FIRST;

#if CG_CPU
	vfloat other = 0;

	for (; j + 2 * CG_VW <= D; j += 2 * CG_VW) {
		const vfloat d0 = VLOAD(0, x + j) - mean, d1 = VLOAD(1, x + j) - mean;

		sum += d0 * d0;
		other += d1 * d1;
	}
	sum += other;
#endif
	for (; j < D; j += STEP) {
		const cg_lanes d = cg_keep(cg_load(x + j, D - j) - mean, D - j);

		sum += d * d;
	}
	return sum;
}

SHAPE __kernel void layer_norm(__global const float *x, __global const float *gamma,
	__global const float *beta, __global float *y, __global float *stats, int rows, int D,
	float eps)
{
	PART
	EACH_ROW(r, rows) {
		__global const float *xr = x + (size_t)r * D;
		__global float *yr = y + (size_t)r * D;
		const float mean = TOTAL(row_sum(xr, D)) / D;
		const float rstd = 1 / sqrt(TOTAL(row_squares(xr, mean, D)) / D + eps);

		EACH(j, D) {
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

/* part: NULL on GPUs */
SHAPE __kernel void layer_norm_grad(__global const float *dy, __global const float *x,
	__global const float *stats, __global const float *gamma, __global float *dx,
	__global float *part, int rows, int D, int wide)
{
	PART
#if CG_CPU
	__global float *dgamma = part + (size_t)get_global_id(0) * 2 * wide, *dbeta = dgamma + wide;

	for (int j = 0; j < 2 * wide; j += CG_LANES)
		VSTORE((vfloat)0, 0, dgamma + j);
#endif
	EACH_ROW(r, rows) {
		__global const float *xr = x + (size_t)r * D, *dyr = dy + (size_t)r * D;
		__global float *dxr = dx + (size_t)r * D;
		const float mean = stats[2 * r], rstd = stats[2 * r + 1];
		cg_lanes sum = 0, dot = 0;
		float mean_g, mean_gx;

		EACH(j, D) {
			const cg_lanes g = cg_load(dyr + j, D - j) * cg_load(gamma + j, D - j);

			sum += g;
			dot += g * (cg_load(xr + j, D - j) - mean);
		}
		mean_g = TOTAL(sum) / D;
		mean_gx = TOTAL(dot) * rstd / D;
		EACH(j, D) {
			const cg_lanes d = cg_load(dyr + j, D - j);
			const cg_lanes xhat = (cg_load(xr + j, D - j) - mean) * rstd;
			const cg_lanes g = d * cg_load(gamma + j, D - j);

			cg_store((g - mean_g - xhat * mean_gx) * rstd, dxr + j, D - j);
#if CG_CPU
			VSTORE(VLOAD(0, dgamma + j) + d * xhat, 0, dgamma + j);
			VSTORE(VLOAD(0, dbeta + j) + d, 0, dbeta + j);
#endif
		}
	}
}

#if !CG_CPU
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
