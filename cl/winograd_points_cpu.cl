/*
 * Minimal filtering in one dimension; a part of winograd_cpu.cl. Points 0, 1, -1, 2, -2, infinity
 * and, where SIDE is 7, 1/2.
 */

/* 4 x1 - 5 x3 + x5: zero at the first five points */
static inline vfloat through_five(const vfloat *x, int s)
{
	return 4.f * x[s] - 5.f * x[3 * s] + x[5 * s];
}

/* The first five of y = B' x, from 5 of x, and infinity. */
static inline void transform_six(const vfloat *x, vfloat *y, int s)
{
	const vfloat a = x[4 * s] - 4.f * x[2 * s], b = x[3 * s] - 4.f * x[s];
	const vfloat c = x[4 * s] - x[2 * s], d = 2.f * (x[3 * s] - x[s]);

	y[0] = 4.f * x[0] - 5.f * x[2 * s] + x[4 * s];
	y[1] = a + b;
	y[2] = a - b;
	y[3] = c + d;
	y[4] = c - d;
	y[5] = through_five(x, s);
}

/* x[0..SIDE-1] of stride s -> y[0..SIDE-1] = B' x. One point more makes each polynomial of the
 * others a factor (t - 1/2) longer. */
static inline void transform_input(const vfloat *x, vfloat *y, int s)
{
#if SIDE == 6
	transform_six(x, y, s);
#else
	vfloat z[6];

	UNROLL for (int i = 0; i < 6; i++)
		z[i] = x[(i + 1) * s] - .5f * x[i * s];
	transform_six(z, y, 1);
	y[6] = through_five(x, s);
#endif
}

#if SIDE == 6
#define SCALES .25f, -1.f / 6, -1.f / 6, 1.f / 24, 1.f / 24
#else
#define SCALES -.5f, -1.f / 3, 1.f / 9, 1.f / 36, -1.f / 60
#endif

/* w[0..taps-1] of stride s -> u[0..SIDE-1] = G w; taps is 2, 3, 4 or 5 */
static inline void transform_filter(const vfloat *w, vfloat *u, int s, const int taps)
{
	const float scale[5] = { SCALES };
	vfloat even = w[0], odd = w[s], even2 = w[0], odd2 = 2.f * w[s];

	if (taps > 2) {
		even += w[2 * s];
		even2 += 4.f * w[2 * s];
	}
	if (taps > 3) {
		odd += w[3 * s];
		odd2 += 8.f * w[3 * s];
	}
	if (taps > 4) {
		even += w[4 * s];
		even2 += 16.f * w[4 * s];
	}
	u[0] = scale[0] * w[0];
	u[1] = scale[1] * (even + odd);
	u[2] = scale[2] * (even - odd);
	u[3] = scale[3] * (even2 + odd2);
	u[4] = scale[4] * (even2 - odd2);
	u[5] = w[(taps - 1) * s];
#if SIDE == 7
	u[6] = w[(taps - 1) * s];
	UNROLL for (int i = taps - 2; i >= 0; i--)
		u[6] = .5f * u[6] + w[i * s];
	u[6] *= 32.f / 45;
#endif
}

/* o[0..SIDE-1] of stride s -> y[0..n-1] = A' o; n is 2, 3, 4 or 5 */
static inline void transform_output(const vfloat *o, vfloat *y, int s, const int n)
{
	const vfloat even = o[s] + o[2 * s], odd = o[s] - o[2 * s];
	const vfloat even2 = o[3 * s] + o[4 * s], odd2 = o[3 * s] - o[4 * s];

	y[0] = o[0] + even + even2;
	y[1] = odd + 2.f * odd2;
	if (n > 2)
		y[2] = even + 4.f * even2;
	if (n > 3)
		y[3] = odd + 8.f * odd2;
	if (n > 4)
		y[4] = even + 16.f * even2;
#if SIDE == 7
	UNROLL for (int i = 0; i < n; i++)
		y[i] += (1.f / (1 << i)) * o[6 * s];
#endif
	y[n - 1] += o[5 * s];
}
