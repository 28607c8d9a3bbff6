/*
 * Cross-entropy of logits x [B,n] with target distributions t [B,n], smoothing s and class weights
 * w [n] (null: ones):
 *
 *	t'_c = (1-s) t_c + s/n,  lse = max x + log sum_c exp(x_c - max x),
 *	loss_b = sum_c w_c t'_c (lse - x_c),  y = mean over b of loss_b,
 *	dx_c = dy/B (a exp(x_c - lse) - w_c t'_c),  a = sum_c w_c t'_c.
 *
 * One row is one task. CPU family: a work-item's; GPU family: a work-group's of GROUP items, which
 * share the classes.
 */
#if CG_CPU
#define SHAPE CG_SINGLE
#define EACH(c, n) for (int c = 0; c < (n); c += CG_LANES)
#define PART
#define SUM(v) cg_lane_sum(v)
#define MAX(v) cg_lane_max(v)
#define FIRST true
#else
#define GROUP 64
#define SHAPE __attribute__((reqd_work_group_size(GROUP, 1, 1)))
#define EACH(c, n) for (int c = (int)get_local_id(0); c < (n); c += GROUP)
#define PART __local float part[GROUP]
#define SUM(v) cg_group_sum(part, v)
#define MAX(v) cg_group_max(part, v)
#define FIRST (get_local_id(0) == 0)
#endif

/* Classes c and on; zeros beyond the last one. */
static inline cg_lanes smooth(
	__global const float *t, __global const float *w, int c, int n, float s)
{
	const cg_lanes target = (1 - s) * cg_load(t + c, n - c) + s / n;

	return cg_keep(w ? cg_load(w + c, n - c) * target : target, n - c);
}

static inline cg_lanes highest_of(__global const float *row, int c, int n, cg_lanes so_far)
{
	const cg_lanes v = cg_load_or(row + c, n - c, -INFINITY);

	return v > so_far ? v : so_far;
}

static inline cg_lanes power_of(__global const float *row, int c, int n, float highest)
{
	return cg_keep(cg_exp(cg_load(row + c, n - c) - highest), n - c);
}

/* loss_b of each row. The highest may hide a NaN: the sum of the exponentials brings it back. */
SHAPE __kernel void loss_rows(__global const float *restrict x, __global const float *restrict t,
	__global const float *restrict w, __global float *restrict loss, int B, int n, float s)
{
	PART;
	CG_TASK(b, B) {
		__global const float *row = x + (size_t)b * n, *target = t + (size_t)b * n;
		cg_lanes most = -INFINITY, powers = 0, sum = 0;
		float highest, lse, total;

		EACH(c, n)
			most = highest_of(row, c, n, most);
		highest = MAX(most);
		EACH(c, n)
			powers += power_of(row, c, n, highest);
		lse = highest + log(SUM(powers));
		EACH(c, n)
			sum += smooth(target, w, c, n, s) * (lse - cg_load(row + c, n - c));
		total = SUM(sum);
		if (FIRST)
			loss[b] = total;
	}
}

/* y = mean of loss [B], by one task. */
SHAPE __kernel void loss_mean(
	__global const float *restrict loss, __global float *restrict y, int B)
{
	PART;
	CG_TASK(one, 1) {
		cg_lanes sum = 0;
		float total;

		EACH(b, B)
			sum += cg_load(loss + b, B - b);
		total = SUM(sum);
		if (FIRST)
			y[0] = total / B;
	}
}

SHAPE __kernel void loss_grad(__global const float *restrict x, __global const float *restrict t,
	__global const float *restrict w, __global const float *restrict dy,
	__global float *restrict dx, int B, int n, float s)
{
	PART;
	CG_TASK(b, B) {
		__global const float *row = x + (size_t)b * n, *target = t + (size_t)b * n;
		__global float *out = dx + (size_t)b * n;
		cg_lanes most = -INFINITY, powers = 0, weights = 0;
		float highest, factor, scale;

		EACH(c, n) {
			most = highest_of(row, c, n, most);
			weights += smooth(target, w, c, n, s);
		}
		highest = MAX(most);
		EACH(c, n)
			powers += power_of(row, c, n, highest);
		factor = SUM(weights);
		factor /= SUM(powers);
		scale = dy[0] / B;
		EACH(c, n) {
			const cg_lanes power = power_of(row, c, n, highest);
			const cg_lanes d = factor * power - smooth(target, w, c, n, s);

			cg_store(scale * d, out + c, n - c);
		}
	}
}

static int argmax(__global const float *x, int n)
{
	int best = 0;

	for (int c = 1; c < n; c++)
		if (x[c] > x[best])
			best = c;
	return best;
}

/* y_b = 1 where the row's highest logit is the row's highest target, else 0; ties to the lowest. */
CG_SINGLE __kernel void correct(__global const float *restrict x, __global const float *restrict t,
	__global float *restrict y, int B, int n)
{
	CG_FOR(b, B)
		y[b] = argmax(x + (size_t)b * n, n) == argmax(t + (size_t)b * n, n);
}
