/*
 * Minimal filtering in one dimension; a part of winograd_cpu.cl. Points 0, 1, -1, 2, -2, infinity,
 * where SIDE is 7 or 8 also 1/2, where it is 8 also -1/2.
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

/* x[0..SIDE-1] of stride s -> y[0..SIDE-1] = B' x. Points more make each polynomial of the others
 * a factor (t - 1/2) or (t - 1/2) (t + 1/2) longer. */
static inline void transform_input(const vfloat *x, vfloat *y, int s)
{
#if SIDE == 6
	transform_six(x, y, s);
#else
	vfloat z[6];

	UNROLL for (int i = 0; i < 6; i++)
		z[i] = SIDE == 7 ? x[(i + 1) * s] - .5f * x[i * s] : x[(i + 2) * s] - .25f * x[i * s];
	transform_six(z, y, 1);
	y[6] = through_five(x, s);
#if SIDE == 8
	y[7] = through_five(x + s, s);
	z[0] = .5f * y[6];
	y[6] = y[7] + z[0];
	y[7] -= z[0];
#endif
#endif
}

#if SIDE == 6
#define SCALES .25f, -1.f / 6, -1.f / 6, 1.f / 24, 1.f / 24
#elif SIDE == 7
#define SCALES -.5f, -1.f / 3, 1.f / 9, 1.f / 36, -1.f / 60
#else
#define SCALES -1.f, -2.f / 9, -2.f / 9, 1.f / 90, 1.f / 90
#endif

/* w[0..taps-1] of stride s -> u[0..SIDE-1] = G w; taps is 2 to 6 */
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
	if (taps > 5) {
		odd += w[5 * s];
		odd2 += 32.f * w[5 * s];
	}
	u[0] = scale[0] * w[0];
	u[1] = scale[1] * (even + odd);
	u[2] = scale[2] * (even - odd);
	u[3] = scale[3] * (even2 + odd2);
	u[4] = scale[4] * (even2 - odd2);
	u[5] = w[(taps - 1) * s];
#if SIDE > 6
	even = (vfloat)0.f;
	odd = (vfloat)0.f;
	UNROLL for (int i = 0; i < taps; i += 2)
		even += (1.f / (1 << i)) * w[i * s];
	UNROLL for (int i = 1; i < taps; i += 2)
		odd += (1.f / (1 << i)) * w[i * s];
	u[6] = 32.f / 45 * (even + odd);
#endif
#if SIDE == 8
	u[7] = 32.f / 45 * (even - odd);
#endif
}

/* o[0..SIDE-1] of stride s -> y[0..n-1] = A' o; n is 2 to 6 */
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
	if (n > 5)
		y[5] = odd + 32.f * odd2;
#if SIDE == 7
	UNROLL for (int i = 0; i < n; i++)
		y[i] += (1.f / (1 << i)) * o[6 * s];
#elif SIDE == 8
	UNROLL for (int i = 0; i < n; i++)
		y[i] += (1.f / (1 << i)) * (i % 2 ? o[6 * s] - o[7 * s] : o[6 * s] + o[7 * s]);
#endif
	y[n - 1] += o[5 * s];
}
