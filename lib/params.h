/* Parameters: the list, its buffer and the buffer of its gradients. */
#ifndef CG_PARAMS_H
#define CG_PARAMS_H

#include "graph.h"

struct cg_params {
	cg_ctx *ctx;
	cg_array **array;
	int count, size;
	bool ready;		/* allocated */
	int64_t grads_used;	/* elements given out by cg__params_grad_slot */
	cg_array *weights;	/* [n]: all of them, each aligned; gaps are 0 */
	cg_array *grads;	/* [m]: the trainable ones in the order in which backward finishes them */
};

/* The place of a parameter's gradient, given out on first call. */
int64_t cg__params_grad_slot(cg_params *p, cg_array *a);
/* Allocates the gradient buffer if it is not there yet. */
cg_status cg__params_alloc_grads(cg_params *p);

#endif
