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
#define EACH(c, n) for (int c = 0; c < (n); c++)
#define PART
#define SUM(v) (v)
#define MAX(v) (v)
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

static float smooth(__global const float *t, __global const float *w, int c, int n, float s)
{
	const float target = (1 - s) * t[c] + s / n;

	return w ? w[c] * target : target;
}

/* loss_b of each row. fmax would hide a NaN: the sum of the exponentials brings it back. */
SHAPE __kernel void loss_rows(__global const float *restrict x, __global const float *restrict t,
	__global const float *restrict w, __global float *restrict loss, int B, int n, float s)
{
	PART;
	CG_TASK(b, B) {
		__global const float *row = x + (size_t)b * n, *target = t + (size_t)b * n;
		float highest = -INFINITY, total = 0, sum = 0;

		EACH(c, n)
			highest = fmax(highest, row[c]);
		highest = MAX(highest);
		EACH(c, n)
			total += exp(row[c] - highest);
		const float lse = highest + log(SUM(total));

		EACH(c, n)
			sum += smooth(target, w, c, n, s) * (lse - row[c]);
		sum = SUM(sum);
		if (FIRST)
			loss[b] = sum;
	}
}

/* y = mean of loss [B], by one task. */
SHAPE __kernel void loss_mean(
	__global const float *restrict loss, __global float *restrict y, int B)
{
	PART;
	CG_TASK(one, 1) {
		float sum = 0;

		EACH(b, B)
			sum += loss[b];
		sum = SUM(sum);
		if (FIRST)
			y[0] = sum / B;
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
		float highest = -INFINITY, total = 0, a = 0;

		EACH(c, n) {
			highest = fmax(highest, row[c]);
			a += smooth(target, w, c, n, s);
		}
		highest = MAX(highest);
		a = SUM(a);
		EACH(c, n)
			total += exp(row[c] - highest);
		const float factor = a / SUM(total), scale = dy[0] / B;

		EACH(c, n)
			out[c] = scale *
				(factor * exp(row[c] - highest) - smooth(target, w, c, n, s));
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
