/* Parameters: the list, its buffer and the buffer of its gradients. */
#ifndef CG_PARAMS_H
#define CG_PARAMS_H

#include "graph.h"

struct cg_params {
	cg_ctx *ctx;
	cg_array **array;
	int count, size;
	bool ready;		/* allocated */
	int64_t grads_used;	/* elements given out by cg__params_grad_place */
	cg_array *weights;	/* [n]: all of them, each aligned; gaps are 0 */
	bool grads_used_up;	/* by an optimiser without keep_grads */
	cg_array *grads;	/* [m]: the trainable ones in the order in which backward finishes them */
};

/* Gives a parameter's gradient its place, grad_offset, unless it has one or the buffer was allocated without it. */
void cg__params_grad_place(cg_params *p, cg_array *a);
/* The gradient of `a` is never written: takes its place back. False where the buffer was allocated with it. */
bool cg__params_grad_drop(cg_params *p, cg_array *a);
/* Records and returns that there is no gradient of `a` to read or to write. */
cg_status cg__params_grad_missing(cg_params *p, const cg_array *a);
/* Makes the gradient buffer, for all that are not dropped; the latter allocates its memory, after which its size stays. */
cg_status cg__params_make_grads(cg_params *p);
cg_status cg__params_alloc_grads(cg_params *p);

#endif
