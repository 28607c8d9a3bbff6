/* Convolutions with what fusion merges into them, and what they are compared with: tests/test_conv2d.c and test_winograd.c. */
#ifndef CONVTEST_H
#define CONVTEST_H

#include <math.h>

#include "optest.h"

#define NORM_EPS .3f

static cg_tensor *conv2d(cg_tensor *const *in, const void *config)
{
	return cg_conv2d_ex(in[0], in[1], config);
}

/* With what fuse.c merges into it; in[2] is the bias. */
static cg_tensor *conv2d_bias_relu(cg_tensor *const *in, const void *config)
{
	return cg_relu(cg_bias(cg_conv2d_ex(in[0], in[1], config), in[2]));
}

static void ref_bias_relu(const void *config, const struct ref *in, struct ref *y)
{
	ref_conv2d(config, in, y);
	for (int64_t i = 0; i < y->count; i++) {
		const double b = in[2].v[i % in[2].count];

		y->v[i] += b;
		y->mag[i] += b < 0 ? -b : b;
		if (y->v[i] < 0)
			y->v[i] = 0;
	}
}

/* By the moments of the batch. */
static cg_tensor *conv2d_batch_norm(cg_tensor *const *in, const void *config)
{
	cg_tensor *y = cg_conv2d_ex(in[0], in[1], config);

	if (in[6])
		y = cg_bias(y, in[6]);
	return cg_batch_norm(
		y, in[2], in[3], in[4]->array, in[5]->array, NORM_EPS, .9f, false);
}

static void ref_batch_norm_after(const void *config, const struct ref *in, struct ref *y)
{
	const int64_t C = in[2].count, n = y->count / C;

	ref_conv2d(config, in, y);
	for (int64_t c = 0; c < C; c++) {
		const double b = in[6].v ? in[6].v[c] : 0;
		double mean = 0, var = 0, factor;

		for (int64_t i = c; i < y->count; i += C)
			mean += (y->v[i] += b) / (double)n;
		for (int64_t i = c; i < y->count; i += C)
			var += (y->v[i] - mean) * (y->v[i] - mean) / (double)n;
		factor = in[2].v[c] / sqrt(var + (double)NORM_EPS);
		for (int64_t i = c; i < y->count; i += C) {
			y->v[i] = (y->v[i] - mean) * factor + in[3].v[c];
			y->mag[i] = (y->mag[i] + fabs(b) + fabs(mean)) * fabs(factor) +
				fabs(in[3].v[c]);
		}
	}
}

/* Of a batch norm, whose gradient is then summed up where dx is written. in: x, w, gamma, beta, running */
static cg_tensor *conv2d_of_norm(cg_tensor *const *in, const void *config)
{
	return cg_conv2d_ex(cg_batch_norm(in[0], in[2], in[3], in[4]->array, in[5]->array, (float)REF_EPS,
				    .9f, false),
		in[1], config);
}

#endif
