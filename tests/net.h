/*
 * A small network with its training step, of everything that matters to properties and faults:
 * images 9x9x2 -> conv 3x3 to 6, batch norm, relu, max pool 2 -> conv 3x3 to 8 with bias, gelu, global
 * average -> dropout -> 3 classes, cross-entropy; SGD with momentum and clipping.
 */
#ifndef NET_H
#define NET_H

#include "clgrad.h"

enum { NET_SIZE = 9, NET_CHANNELS = 2, NET_CLASSES = 3, NET_IMAGE = 9 * 9 * 2 };

struct net {
	cg_ctx *ctx;
	cg_params *params;
	cg_nn_conv2d conv1, conv2;
	cg_nn_batch_norm norm;
	cg_nn_linear head;
	cg_optim *optim;
	cg_array *x, *t;
	cg_graph *graph;
	cg_tensor *logits, *loss;
	cg_plan *plan;
};

/* Everything up to the plan, on B images that depend on `seed` alone; in CG_INFER graphs without an
 * optimiser. Stops at the first failure; net_close in any case. */
cg_status net_open(struct net *n, cg_ctx *ctx, cg_mode mode, int B, uint64_t seed);
void net_close(struct net *n);

/* Image and target b of that seed, as net_open writes them. */
void net_image(uint64_t seed, int b, float image[NET_IMAGE], float target[NET_CLASSES]);
/* A training step, or an evaluation of an inference graph. */
cg_status net_run(struct net *n, uint64_t step);
/* The values of all parameters, one after another; the caller frees them. NULL on failure. */
float *net_weights(const struct net *n, int64_t *count);

#endif
