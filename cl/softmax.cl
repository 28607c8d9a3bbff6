/*
 * Softmax over the last dimension, rows of n:
 *
 *	y = exp(x - max x) / sum exp(x - max x),  dx = y (dy - sum y dy).
 *
 * CPU family: a work-item has neighbouring rows. It reads a row once: what is taken from x before
 * exp is the highest of the row's first vector, and only if the row has one that is more than
 * ABOVE higher, the row is done again with that. GPU family: a row is a work-group's of GROUP
 * items, which share it.
 */
#if CG_CPU
#define ABOVE 8

/* n columns, at most a vector of them: out = exp(x - base), added to *sum; *most is the highest. */
static inline void powers(__global const float *in, __global float *out, int n, float base,
	vfloat *sum, vfloat *most)
{
	const vfloat v = cg_load_or(in, n, -INFINITY), power = cg_exp(v - base);

	CG_READS(in);
	CG_WRITES(out);
	cg_store(power, out, n);
	*sum += power;
	*most = v > *most ? v : *most;
}

/* Gives the sum of the powers, leaves the highest of x in *highest. */
static inline float row_powers(
	__global const float *in, __global float *out, int n, float base, float *highest)
{
	vfloat sum = 0, most = -INFINITY;
	int i = 0;

	for (; i + CG_VW <= n; i += CG_VW)
		powers(in + i, out + i, CG_VW, base, &sum, &most);
	if (i < n)
		powers(in + i, out + i, n - i, base, &sum, &most);
	*highest = cg_lane_max(most);
	return cg_lane_sum(sum);
}

CG_SINGLE __kernel void softmax(
	__global const float *restrict x, __global float *restrict y, int rows, int n)
{
	CG_NEAR_ROWS(r, rows) {
		__global const float *in = x + (size_t)r * n;
		__global float *out = y + (size_t)r * n;
		float highest = cg_lane_max(cg_load_or(in, n, -INFINITY)), base, share;
		int i = 0;

		do {
			base = highest;
			share = 1 / row_powers(in, out, n, base, &highest);
		} while (highest - base > ABOVE);
		for (; i + 4 * CG_VW <= n; i += 4 * CG_VW)
			UNROLL for (int k = 0; k < 4; k++)
				VSTORE(VLOAD(k, out + i) * share, k, out + i);
		for (; i < n; i += CG_VW)
			cg_store(cg_load(out + i, n - i) * share, out + i, n - i);
	}
}

CG_SINGLE __kernel void softmax_grad(__global const float *restrict y,
	__global const float *restrict dy, __global float *restrict dx, int rows, int n)
{
	CG_NEAR_ROWS(r, rows) {
		__global const float *p = y + (size_t)r * n, *d = dy + (size_t)r * n;
		__global float *out = dx + (size_t)r * n;
		vfloat sum = 0;
		float dot;
		int i = 0;

		for (; i + CG_VW <= n; i += CG_VW) {
			CG_READS(p + i);
			CG_READS(d + i);
			sum += VLOAD(0, p + i) * VLOAD(0, d + i);
		}
		if (i < n)
			sum += cg_load(p + i, n - i) * cg_load(d + i, n - i);
		dot = cg_lane_sum(sum);
		for (i = 0; i + CG_VW <= n; i += CG_VW) {
			CG_WRITES(out + i);
			VSTORE(VLOAD(0, p + i) * (VLOAD(0, d + i) - dot), 0, out + i);
		}
		if (i < n)
			cg_store(cg_load(p + i, n - i) * (cg_load(d + i, n - i) - dot), out + i, n - i);
	}
}

#else
#define GROUP 64
#define SHAPE __attribute__((reqd_work_group_size(GROUP, 1, 1)))
#define EACH(i, n) for (int i = (int)get_local_id(0); i < (n); i += GROUP)

SHAPE __kernel void softmax(
	__global const float *restrict x, __global float *restrict y, int rows, int n)
{
	__local float part[GROUP];

	CG_TASK(r, rows) {
		__global const float *in = x + (size_t)r * n;
		__global float *out = y + (size_t)r * n;
		float highest = -INFINITY, sum = 0, share;

		EACH(i, n)
			highest = in[i] > highest ? in[i] : highest;
		highest = cg_group_max(part, highest);
		EACH(i, n) {
			const float power = cg_exp(in[i] - highest);

			out[i] = power;
			sum += power;
		}
		share = 1 / cg_group_sum(part, sum);
		EACH(i, n)
			out[i] *= share;
	}
}

SHAPE __kernel void softmax_grad(__global const float *restrict y,
	__global const float *restrict dy, __global float *restrict dx, int rows, int n)
{
	__local float part[GROUP];

	CG_TASK(r, rows) {
		const size_t start = (size_t)r * n;
		float dot = 0;

		EACH(i, n)
			dot += y[start + i] * dy[start + i];
		dot = cg_group_sum(part, dot);
		EACH(i, n)
			dx[start + i] = y[start + i] * (dy[start + i] - dot);
	}
}
#endif
