/*
 * Cross-entropy of logits x [B,n] with target distributions t [B,n], smoothing s and class weights
 * w [n] (null: ones):
 *
 *	t'_c = (1-s) t_c + s/n,  lse = log sum_c exp(x_c),
 *	loss_b = sum_c w_c t'_c (lse - x_c),  y = mean over b of loss_b,
 *	dx_c = dy/B (a exp(x_c - lse) - w_c t'_c),  a = sum_c w_c t'_c.
 *
 * CPU family: a work-item has neighbouring rows. What is taken from x before exp is the highest of
 * the row's first vector, and only if the row has one that is more than ABOVE higher, the row is
 * done again with that; so it is read once. GPU family: a row is a work-group's of GROUP items,
 * which share the classes; the highest of the row is taken from x.
 */
#if CG_CPU
#define ABOVE 8

/* Of a row with p = exp(x - base): sums of p, w t' and w t' (x - base); the highest x. */
struct sums {
	vfloat p, weight, dot, most;
};

/* w t' of up to a vector of classes, zeros beyond n of them; each = s / (all classes) */
static inline vfloat smooth(
	__global const float *t, __global const float *w, int n, float s, float each)
{
	const vfloat target = (1 - s) * cg_load(t, n) + each;

	return cg_keep(w ? cg_load(w, n) * target : target, n);
}

/* p goes to `out` if there is one. */
static inline void add(struct sums *sum, __global const float *x, __global const float *t,
	__global const float *w, __global float *out, int n, float s, float each, float base)
{
	const vfloat v = cg_load_or(x, n, -INFINITY), p = cg_exp(v - base);
	const vfloat weight = smooth(t, w, n, s, each);

	CG_READS(x);
	CG_READS(t);
	sum->p += p;
	sum->weight += weight;
	sum->most = v > sum->most ? v : sum->most;
	if (out) {
		CG_WRITES(out);
		cg_store(p, out, n);
	} else
		sum->dot += weight * cg_keep(v - base, n);
}

/* Sums of a row: of p, w t', w t' (x - base). The highest may hide a NaN: the others have it. */
static inline float3 row_sums(__global const float *x, __global const float *t,
	__global const float *w, __global float *out, int n, float s)
{
	const float each = s / n;
	float highest = cg_lane_max(cg_load_or(x, n, -INFINITY)), base;
	struct sums sum;

	do {
		int c = 0;

		base = highest;
		sum.p = sum.weight = sum.dot = 0;
		sum.most = -INFINITY;
		for (; c + CG_VW <= n; c += CG_VW)
			add(&sum, x + c, t + c, w ? w + c : w, out ? out + c : out, CG_VW, s, each,
				base);
		if (c < n)
			add(&sum, x + c, t + c, w ? w + c : w, out ? out + c : out, n - c, s, each,
				base);
		highest = cg_lane_max(sum.most);
	} while (highest - base > ABOVE);
	return (float3)(cg_lane_sum(sum.p), cg_lane_sum(sum.weight), cg_lane_sum(sum.dot));
}

/* loss_b of each row */
CG_SINGLE __kernel void loss_rows(__global const float *restrict x,
	__global const float *restrict t, __global const float *restrict w,
	__global float *restrict loss, int B, int n, float s)
{
	CG_NEAR_ROWS(b, B) {
		const float3 sum = row_sums(x + (size_t)b * n, t + (size_t)b * n, w, 0, n, s);

		loss[b] = sum.y * log(sum.x) - sum.z;
	}
}

CG_SINGLE __kernel void loss_grad(__global const float *restrict x,
	__global const float *restrict t, __global const float *restrict w,
	__global const float *restrict dy, __global float *restrict dx, int B, int n, float s)
{
	const float scale = dy[0] / B, each = s / n;

	CG_NEAR_ROWS(b, B) {
		__global const float *target = t + (size_t)b * n;
		__global float *out = dx + (size_t)b * n;
		const float3 sum = row_sums(x + (size_t)b * n, target, w, out, n, s);
		const float factor = sum.y / sum.x;

		for (int c = 0; c < n; c += CG_VW) {
			const vfloat weight = smooth(target + c, w ? w + c : w, n - c, s, each);

			cg_store(scale * (factor * cg_load(out + c, n - c) - weight), out + c,
				n - c);
		}
	}
}

/* y = mean of loss [B]. */
CG_SINGLE __kernel void loss_mean(
	__global const float *restrict loss, __global float *restrict y, int B)
{
	CG_TASK(one, 1) {
		vfloat sum = 0;

		for (int b = 0; b < B; b += CG_VW)
			sum += cg_load(loss + b, B - b);
		y[0] = cg_lane_sum(sum) / B;
	}
}

#else
#define GROUP 64
#define SHAPE __attribute__((reqd_work_group_size(GROUP, 1, 1)))
#define EACH(c, n) for (int c = (int)get_local_id(0); c < (n); c += GROUP)
#define FIRST (get_local_id(0) == 0)

/* w t' of class c */
static inline float smooth(
	__global const float *t, __global const float *w, int c, int n, float s)
{
	const float target = (1 - s) * t[c] + s / n;

	return w ? w[c] * target : target;
}

/* The highest may hide a NaN: the sum of the exponentials brings it back. */
SHAPE __kernel void loss_rows(__global const float *restrict x, __global const float *restrict t,
	__global const float *restrict w, __global float *restrict loss, int B, int n, float s)
{
	__local float part[GROUP];

	CG_TASK(b, B) {
		__global const float *row = x + (size_t)b * n, *target = t + (size_t)b * n;
		float highest = -INFINITY, powers = 0, sum = 0, lse;

		EACH(c, n)
			highest = row[c] > highest ? row[c] : highest;
		highest = cg_group_max(part, highest);
		EACH(c, n)
			powers += cg_exp(row[c] - highest);
		lse = highest + log(cg_group_sum(part, powers));
		EACH(c, n)
			sum += smooth(target, w, c, n, s) * (lse - row[c]);
		sum = cg_group_sum(part, sum);
		if (FIRST)
			loss[b] = sum;
	}
}

SHAPE __kernel void loss_grad(__global const float *restrict x, __global const float *restrict t,
	__global const float *restrict w, __global const float *restrict dy,
	__global float *restrict dx, int B, int n, float s)
{
	__local float part[GROUP];
	const float scale = dy[0] / B;

	CG_TASK(b, B) {
		__global const float *row = x + (size_t)b * n, *target = t + (size_t)b * n;
		__global float *out = dx + (size_t)b * n;
		float highest = -INFINITY, powers = 0, factor = 0;

		EACH(c, n) {
			highest = row[c] > highest ? row[c] : highest;
			factor += smooth(target, w, c, n, s);
		}
		highest = cg_group_max(part, highest);
		EACH(c, n)
			powers += cg_exp(row[c] - highest);
		factor = cg_group_sum(part, factor);
		factor /= cg_group_sum(part, powers);
		EACH(c, n) {
			const float power = cg_exp(row[c] - highest);

			out[c] = scale * (factor * power - smooth(target, w, c, n, s));
		}
	}
}

/* y = mean of loss [B], by one task. */
SHAPE __kernel void loss_mean(
	__global const float *restrict loss, __global float *restrict y, int B)
{
	__local float part[GROUP];

	CG_TASK(one, 1) {
		float sum = 0;

		EACH(b, B)
			sum += loss[b];
		sum = cg_group_sum(part, sum);
		if (FIRST)
			y[0] = sum / B;
	}
}
#endif

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
