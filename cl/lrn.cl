/*
 * Local response normalisation across the channels of each pixel (Krizhevsky et al. 2012):
 *   s_c = k + alpha/size sum over j = c - before .. c + after of x_j^2, y_c = x_c s_c^-beta,
 * before = size/2, after = (size - 1)/2. s is written if asked for. t_j = dy_j x_j s_j^(-beta-1):
 *   dx_c = dy_c s_c^-beta - 2 alpha beta/size x_c sum over j = c - after .. c + before of t_j.
 *
 * CPU family: a task is a piece of the pixels; what is summed over a window lies in its row of
 * scratch, `wide` floats with zeros around, where a window is so many shifted loads. GPU family: an
 * item is an element.
 */

/* s^-beta for s > 0 */
static inline cg_lanes power(cg_lanes s, float beta)
{
	const cg_lanes root = sqrt(s);

	return beta == 0.75f ? 1 / (root * sqrt(root)) : exp2(-beta * log2(s));
}

#if CG_CPU
#define EACH_PIXEL(r, rows) \
	for (int per = ((rows) + (int)get_global_size(0) - 1) / (int)get_global_size(0), \
		 r = (int)get_global_id(0) * per, end = min((rows), r + per); \
		r < end; r++)

static inline void clear(__global float *row, int n)
{
	for (int i = 0; i < n; i++)
		row[i] = 0;
}

static inline vfloat window(__global const float *row, int size)
{
	vfloat sum = 0;

	for (int i = 0; i < size; i++)
		sum += VLOAD(0, row + i);
	return sum;
}

CG_SINGLE __kernel void lrn(__global const float *x, __global float *y, __global float *s,
	__global float *scratch, int rows, int C, int wide, int size, float alpha, float beta,
	float k)
{
	__global float *square = scratch + (size_t)get_global_id(0) * wide;

	clear(square, wide);
	EACH_PIXEL(r, rows) {
		const size_t at = (size_t)r * C;

		for (int c = 0; c < C; c += CG_LANES) {
			const vfloat v = cg_load(x + at + c, C - c);

			VSTORE(v * v, 0, square + size / 2 + c);
		}
		for (int c = 0; c < C; c += CG_LANES) {
			const vfloat sum = k + alpha / size * window(square + c, size);

			cg_store(cg_load(x + at + c, C - c) * power(sum, beta), y + at + c, C - c);
			if (s)
				cg_store(sum, s + at + c, C - c);
		}
	}
}

CG_SINGLE __kernel void lrn_grad(__global const float *dy, __global const float *x,
	__global const float *s, __global float *dx, __global float *scratch, int rows, int C,
	int wide, int size, float alpha, float beta)
{
	__global float *t = scratch + (size_t)get_global_id(0) * 2 * wide, *powers = t + wide;

	clear(t, 2 * wide);
	EACH_PIXEL(r, rows) {
		const size_t at = (size_t)r * C;

		for (int c = 0; c < C; c += CG_LANES) {
			const int left = C - c;
			const vfloat sum = cg_load(s + at + c, left), p = power(sum, beta);
			const vfloat v = cg_load(dy + at + c, left) * cg_load(x + at + c, left);

			VSTORE(cg_keep(v * p / sum, left), 0, t + (size - 1) / 2 + c);
			VSTORE(p, 0, powers + c);
		}
		for (int c = 0; c < C; c += CG_LANES) {
			const int left = C - c;
			const vfloat through = cg_load(x + at + c, left) * window(t + c, size);

			cg_store(cg_load(dy + at + c, left) * VLOAD(0, powers + c) -
					2 * alpha * beta / size * through,
				dx + at + c, left);
		}
	}
}
#else
__kernel void lrn(__global const float *x, __global float *y, __global float *s,
	__global float *scratch, int rows, int C, int wide, int size, float alpha, float beta,
	float k)
{
	CG_FOR(i, rows * C) {
		const int c = i % C;
		const int first = max(c - size / 2, 0), last = min(c + (size - 1) / 2, C - 1);
		float sum = 0;

		for (int j = i - c + first; j <= i - c + last; j++)
			sum += x[j] * x[j];
		sum = k + alpha / size * sum;
		y[i] = x[i] * power(sum, beta);
		if (s)
			s[i] = sum;
	}
}

__kernel void lrn_grad(__global const float *dy, __global const float *x, __global const float *s,
	__global float *dx, __global float *scratch, int rows, int C, int wide, int size,
	float alpha, float beta)
{
	CG_FOR(i, rows * C) {
		const int c = i % C;
		const int first = max(c - (size - 1) / 2, 0), last = min(c + size / 2, C - 1);
		float sum = 0;

		for (int j = i - c + first; j <= i - c + last; j++)
			sum += dy[j] * x[j] * power(s[j], beta) / s[j];
		dx[i] = dy[i] * power(s[i], beta) - 2 * alpha * beta / size * x[i] * sum;
	}
}
#endif
