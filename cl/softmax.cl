/*
 * Softmax over the last dimension, rows of n:
 *
 *	y = exp(x - max x) / sum exp(x - max x),  dx = y (dy - sum y dy).
 *
 * One row is one task. CPU family: a work-item's; GPU family: a work-group's of GROUP items, which
 * share the row.
 */
#if CG_CPU
#define SHAPE CG_SINGLE
#define EACH(i, n) for (int i = 0; i < (n); i++)
#define PART
#define SUM(v) (v)
#define MAX(v) (v)
#else
#define GROUP 64
#define SHAPE __attribute__((reqd_work_group_size(GROUP, 1, 1)))
#define EACH(i, n) for (int i = (int)get_local_id(0); i < (n); i += GROUP)
#define PART __local float part[GROUP]
#define SUM(v) cg_group_sum(part, v)
#define MAX(v) cg_group_max(part, v)
#endif

SHAPE __kernel void softmax(
	__global const float *restrict x, __global float *restrict y, int rows, int n)
{
	PART;
	CG_TASK(r, rows) {
		__global const float *in = x + (size_t)r * n;
		__global float *out = y + (size_t)r * n;
		float highest = -INFINITY, total = 0;

		EACH(i, n)
			highest = fmax(highest, in[i]);
		highest = MAX(highest);
		EACH(i, n) {
			const float power = exp(in[i] - highest);

			out[i] = power;
			total += power;
		}
		total = SUM(total);
		EACH(i, n)
			out[i] /= total;
	}
}

SHAPE __kernel void softmax_grad(__global const float *restrict y,
	__global const float *restrict dy, __global float *restrict dx, int rows, int n)
{
	PART;
	CG_TASK(r, rows) {
		const size_t start = (size_t)r * n;
		float dot = 0;

		EACH(i, n)
			dot += y[start + i] * dy[start + i];
		dot = SUM(dot);
		EACH(i, n)
			dx[start + i] = y[start + i] * (dy[start + i] - dot);
	}
}
