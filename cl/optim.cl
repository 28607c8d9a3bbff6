/*
 * One launch updates all parameters: a table of chunks, two rows each, {place in w and e, place in g, length, 1 if
 * decayed} and {factor of the learning rate as float, place in m and v, 0, 0}; h the numbers of this step. Gaps
 * between parameters are never touched.
 */
#include "update.cl"

/* g_sum = (FIRST ? 0 : g_sum) + SHARE g: gradients of several runs */
__kernel CG_SINGLE void gather_grads(__global const float *g, __global float *g_sum, __global const float *h, int n)
{
	if (h[FIRST] != 0.0f) {
		CG_MAP1(g_sum, n, g, R = X * h[SHARE];)
	} else {
		CG_MAP2(g_sum, n, g, g_sum, R = X * h[SHARE] + Y;)
	}
}

/* part[t] = sum of g^2 over chunks t, t + parts, ... */
__kernel
#if CG_CPU
CG_SINGLE
#else
__attribute__((reqd_work_group_size(CG_GROUP, 1, 1)))
#endif
void chunk_squares(__global const int4 *chunk, __global const float *g, __global float *part, int chunks, int parts)
{
#if !CG_CPU
	__local float shared[CG_GROUP];
#endif

	CG_TASK(t, parts) {
		cg_lanes s = 0;

		for (int k = t; k < chunks; k += parts) {
			const int4 c = chunk[2 * k];
			__global const float *p = g + c.y;
#if CG_CPU
			for (int i = 0; i < c.z; i += CG_VW) {
				const vfloat a = cg_load(p + i, c.z - i);

				CG_READS(p + i);
				s += a * a;
			}
#else
			for (int i = (int)get_local_id(0); i < c.z; i += CG_GROUP)
				s += p[i] * p[i];
#endif
		}
#if CG_CPU
		part[t] = cg_lane_sum(s);
#else
		s = cg_group_sum(shared, s);
		if (get_local_id(0) == 0)
			part[t] = s;
#endif
	}
}

/* norm[0] = |g| before clipping, the root of all of part and squares; norm[1] = factor for g, or 0 where the norm is not
 * finite; norm[2] counts the updates that were left out for that */
__kernel CG_SINGLE void clip_factor(__global const float *part, __global const float *squares, __global const float *h,
				    __global float *norm, int chunks, int count)
{
	float sum = 0;

	if (get_global_id(0) != 0)
		return;
	for (int c = 0; c < chunks; c++)
		sum += part[c];
	for (int c = 0; c < count; c++)
		sum += squares[c];
	sum = sqrt(sum < 0.0f ? 0.0f : sum); /* a NaN stays */
	norm[0] = sum;
	norm[1] = !isfinite(sum) ? 0.0f : h[CLIP] > 0.0f && sum > h[CLIP] ? h[CLIP] / sum : 1.0f;
	if (norm[1] == 0.0f && h[UPDATE] != 0.0f)
		norm[2] += 1.0f;
}

/* STEP (update.cl) is run for each element, as vectors on CPUs, with W, G (clipped), M, V loaded and then stored. */
#if CG_CPU
#define EACH(STEP) \
	int i = 0; \
	for (; i + CG_VW <= c.z; i += CG_VW) { \
		typedef vfloat T; \
		T W = VLOAD(0, wp + i), G = VLOAD(0, gp + i) * factor, M = VLOAD(0, mp + i), V = VLOAD(0, vp + i); \
		STEP VSTORE(W, 0, wp + i); \
		VSTORE(M, 0, mp + i); \
		if (TWO_MOMENTS) \
			VSTORE(V, 0, vp + i); \
		if (average > 0.0f) \
			VSTORE(average * VLOAD(0, ep + i) + (1.0f - average) * W, 0, ep + i); \
	} \
	SCALARS(STEP, 1)
#else
#define EACH(STEP) \
	int i = (int)get_local_id(0); \
	SCALARS(STEP, (int)get_local_size(0))
#endif
#define SCALARS(STEP, by) \
	for (; i < c.z; i += by) { \
		typedef float T; \
		T W = wp[i], G = gp[i] * factor, M = mp[i], V = vp[i]; \
		STEP wp[i] = W; \
		mp[i] = M; \
		if (TWO_MOMENTS) \
			vp[i] = V; \
		if (average > 0.0f) \
			ep[i] = average * ep[i] + (1.0f - average) * W; \
	}
#define CHUNK \
	const int4 c = chunk[2 * t], d = chunk[2 * t + 1]; \
	const float lr = h[LR] * as_float(d.x); \
	__global float *wp = w + c.x, *mp = m + d.y, *vp = v + d.y, *ep = e + c.x; \
	__global const float *gp = g + c.y; \
	const float decay = c.w ? h[DECAY] : 0.0f;

/* v is not used. */
__kernel CG_SINGLE void sgd(__global const int4 *chunk, __global float *w, __global const float *g, __global float *m,
			    __global float *v, __global float *e, __global const float *h, __global const float *norm,
			    int chunks, int nesterov)
{
	const float mu = h[BETA1], average = h[EMA], factor = norm[1];

	if (h[UPDATE] == 0.0f || factor == 0.0f)
		return;
#define TWO_MOMENTS 0
	CG_TASK(t, chunks) {
		CHUNK
		if (nesterov) {
			EACH(NESTEROV_STEP)
		} else {
			EACH(SGD_STEP)
		}
	}
#undef TWO_MOMENTS
}

__kernel CG_SINGLE void adam(__global const int4 *chunk, __global float *w, __global const float *g, __global float *m,
			     __global float *v, __global float *e, __global const float *h, __global const float *norm,
			     int chunks, int decoupled)
{
	const float average = h[EMA], factor = norm[1];
	ADAM_NUMBERS

	if (h[UPDATE] == 0.0f || factor == 0.0f)
		return;
#define TWO_MOMENTS 1
	CG_TASK(t, chunks) {
		CHUNK
		ADAM_DECAY

		EACH(ADAM_STEP)
	}
#undef TWO_MOMENTS
}

__kernel CG_SINGLE void swap(__global float *a, __global float *b, int n)
{
	CG_FOR(i, n) {
		const float x = a[i];

		a[i] = b[i];
		b[i] = x;
	}
}
