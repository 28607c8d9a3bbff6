#include "values.h"

#include <math.h>

/* splitmix64 (Steele et al. 2014) */
static uint64_t draw(struct optest_rng *r)
{
	uint64_t z = r->state += 0x9E3779B97F4A7C15u;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

double optest_uniform(struct optest_rng *r)
{
	return (double)(draw(r) >> 11) * 0x1p-53;
}

double optest_normal(struct optest_rng *r)
{
	double radius = sqrt(-2 * log(1 - optest_uniform(r)));

	return radius * cos(6.283185307179586 * optest_uniform(r));
}

int optest_ndim(const struct op_input *in)
{
	int n = 0;

	while (n < CG_MAX_DIM && in->shape[n] > 0)
		n++;
	return n;
}

int64_t optest_count(const struct op_input *in)
{
	int64_t n = 1;

	for (int i = 0; i < optest_ndim(in); i++)
		n *= in->shape[i];
	return n;
}

static double value(struct optest_rng *r, const struct op_input *in, int64_t i)
{
	double x = optest_normal(r);

	switch (in->fill) {
	case NORMAL: break;
	case AWAY: return fabs(x) < .1 ? copysign(.1, x) : x;
	case DISTINCT: return (double)i / 16;
	case POSITIVE: return .5 + optest_uniform(r);
	case SIMPLEX: return .05 + optest_uniform(r);
	case INDEX: return floor(optest_uniform(r) * in->limit);
	case BYTES: return floor(optest_uniform(r) * 256);
	}
	return x;
}

static void shuffle(struct optest_rng *r, float *values, int64_t n)
{
	for (int64_t i = n - 1; i > 0; i--) {
		int64_t j = (int64_t)(optest_uniform(r) * (double)(i + 1));
		float t = values[i];

		values[i] = values[j];
		values[j] = t;
	}
}

static void normalise_rows(float *values, int64_t n, int64_t width)
{
	for (int64_t row = 0; row < n; row += width) {
		double sum = 0;

		for (int64_t i = row; i < row + width; i++)
			sum += (double)values[i];
		for (int64_t i = row; i < row + width; i++)
			values[i] = (float)((double)values[i] / sum);
	}
}

void optest_fill(struct optest_rng *r, const struct op_input *in, float *values)
{
	int64_t n = optest_count(in);
	double scale = in->scale != 0 ? in->scale : 1;

	for (int64_t i = 0; i < n; i++)
		values[i] = (float)(scale * value(r, in, i) + in->shift);
	if (in->fill == DISTINCT)
		shuffle(r, values, n);
	if (in->fill == SIMPLEX)
		normalise_rows(values, n, in->shape[optest_ndim(in) - 1]);
}
