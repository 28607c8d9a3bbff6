/* The graph's own part: nodes in the order they were made, leaves, effects. */
#ifndef CG_GRAPH_H
#define CG_GRAPH_H

#include "ctx.h"
#include "op.h"

struct cg_graph {
	cg_ctx *ctx;
	cg_mode mode;
	cg_tensor **node;
	int count, size;
	cg_tensor **effect;
	int effects, effects_size;
	cg_array *rng;		/* int32 [4] */
	cg_params *params;	/* whose gradients cg_backward made */
	bool grads_in_arena;	/* these live in the plan's arena, until its end, not in the gradient buffer */
	bool backward, planned;
};

/* An array of device memory that outlives a step. */
struct cg_array {
	cg_ctx *ctx;
	char name[96];
	cg_dtype dtype;
	int ndim;
	int64_t shape[CG_MAX_DIM], count;
	size_t bytes;
	cl_mem mem;		/* NULL until allocated */
	bool borrowed;		/* the memory belongs to cg_params */
	bool trainable;		/* no statistic, and rate is not 0 */
	float rate;		/* factor of the learning rate */
	cg_params *params;	/* the list it belongs to, or is the buffer of, or NULL */
	unsigned flags;
	cg_init init;
	int64_t offset;		/* in the parameter buffer, in elements */
	int64_t grad_offset;	/* in the gradient buffer; -1 until a backward pass finished it, or where dropped */
	bool grad_dropped;	/* its update takes place where the gradient is made, which is never written */
};

/* Follows views to the node whose memory it is. */
const cg_tensor *cg__root(const cg_tensor *x);

#endif
