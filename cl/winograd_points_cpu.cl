/*
 * Minimal filtering in one dimension; a part of winograd_cpu.cl. Vectors hold so many channels.
 */

/* x[0..5] of stride s -> y[0..5] = B' x */
static inline void transform_input(const vfloat *x, vfloat *y, int s)
{
	const vfloat a = x[4 * s] - 4.f * x[2 * s], b = x[3 * s] - 4.f * x[s];
	const vfloat c = x[4 * s] - x[2 * s], d = 2.f * (x[3 * s] - x[s]);

	y[0] = 4.f * x[0] - 5.f * x[2 * s] + x[4 * s];
	y[1] = a + b;
	y[2] = a - b;
	y[3] = c + d;
	y[4] = c - d;
	y[5] = 4.f * x[s] - 5.f * x[3 * s] + x[5 * s];
}

/* w[0..taps-1] of stride s -> u[0..5] = G w; taps is 2, 3, 4 or 5 */
static inline void transform_filter(const vfloat *w, vfloat *u, int s, const int taps)
{
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
	u[0] = .25f * w[0];
	u[1] = (-1.f / 6) * (even + odd);
	u[2] = (-1.f / 6) * (even - odd);
	u[3] = (1.f / 24) * (even2 + odd2);
	u[4] = (1.f / 24) * (even2 - odd2);
	u[5] = w[(taps - 1) * s];
}

/* o[0..5] of stride s -> y[0..n-1] = A' o; n is 2, 3, 4 or 5 */
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
	y[n - 1] += o[5 * s];
}
