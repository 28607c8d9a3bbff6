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
#define EACH(i, n) for (int i = 0; i < (n); i += CG_LANES)
#define PART
#define SUM(v) cg_lane_sum(v)
#define MAX(v) cg_lane_max(v)
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
		cg_lanes most = -INFINITY, sum = 0;
		float highest, share;

		EACH(i, n) {
			const cg_lanes v = cg_load_or(in + i, n - i, -INFINITY);

			most = v > most ? v : most;
		}
		highest = MAX(most);
		EACH(i, n) {
			const cg_lanes power = cg_exp(cg_load(in + i, n - i) - highest);

			cg_store(power, out + i, n - i);
			sum += cg_keep(power, n - i);
		}
		share = 1 / SUM(sum);
		EACH(i, n)
			cg_store(cg_load(out + i, n - i) * share, out + i, n - i);
	}
}

SHAPE __kernel void softmax_grad(__global const float *restrict y,
	__global const float *restrict dy, __global float *restrict dx, int rows, int n)
{
	PART;
	CG_TASK(r, rows) {
		const size_t start = (size_t)r * n;
		cg_lanes sum = 0;
		float dot;

		EACH(i, n)
			sum += cg_load(y + start + i, n - i) * cg_load(dy + start + i, n - i);
		dot = SUM(sum);
		EACH(i, n) {
			const cg_lanes d = cg_load(dy + start + i, n - i) - dot;

			cg_store(cg_load(y + start + i, n - i) * d, dx + start + i, n - i);
		}
	}
}
