/*
 * Operations in double precision by plain loops: what tests compare with. Nothing here is fast.
 *
 * A reference fills y->v and, beside each value, y->mag: the sum of the absolute values of the
 * terms it was added up from, so that a bound c sqrt(K) u mag holds however much they cancel
 * (u = 2^-24, K terms).
 */
#ifndef REF_H
#define REF_H

#include <stdint.h>

#include "clgrad.h"

struct ref {
	int ndim;
	const int64_t *shape;
	int64_t count;
	double *v, *mag;	/* mag: NULL for inputs */
};

/* `config` is that of the test's line: what else the operation was given. */
typedef void ref_fn(const void *config, const struct ref *in, struct ref *y);

/* Sizes of x seen as rows of its last dimension. */
static inline int64_t ref_last(const struct ref *x)
{
	return x->shape[x->ndim - 1];
}
static inline int64_t ref_rows(const struct ref *x)
{
	return x->count / ref_last(x);
}

ref_fn ref_add, ref_mul, ref_scale, ref_bias, ref_relu, ref_gelu, ref_gelu_tanh, ref_sum, ref_mean;
ref_fn ref_matmul, ref_conv2d;
ref_fn ref_conv2d_of_norm;	/* x, w, gamma, beta: a batch norm of x, convolved; eps REF_EPS */
ref_fn ref_conv2d_of_relu;	/* and through a relu */
#define REF_EPS 1e-3
ref_fn ref_max_pool, ref_avg_pool, ref_adaptive_avg_pool;
ref_fn ref_batch_norm, ref_batch_norm_frozen, ref_layer_norm, ref_local_response_norm;
ref_fn ref_copy, ref_transpose, ref_concat, ref_slice, ref_repeat, ref_gather;
ref_fn ref_softmax, ref_attention, ref_cross_entropy, ref_correct;

/* What ops take beside tensors, for `config`. */
struct ref_norm {
	double eps, momentum;
};
struct ref_lrn {
	int size;
	double alpha, beta, k;
};
struct ref_slice {
	int dim;
	int64_t start, count;
};
struct ref_attention {
	int heads;
};
struct ref_loss {
	double smoothing;
	bool weighted;		/* a third input holds class weights */
};

#endif
