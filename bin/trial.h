/*
 * trial.h: a model, or a single product, as a plan on data of its own: what is timed and tuned.
 *
 * A training step is forward, cross-entropy, backward and Adam on one batch that stays on the device.
 */
#ifndef FER_TRIAL_H
#define FER_TRIAL_H

#include "network.h"

/* Rows for a program's table; model_options.h adds those of the models. */
#define TRIAL_OPTIONS \
	{ "gemm", 0, CLI_TEXT, NULL, "what", "MxKxN", \
	  "a matrix product [M,K] [K,N] and its gradients; may be repeated", CLI_MANY }, \
	{ "conv", 0, CLI_TEXT, NULL, "what", "BxHxWxCxMxR[xS]", \
	  "a convolution of B images HxWxC to M channels, window RxR, stride S, and its gradients; may " \
	  "be repeated", CLI_MANY }, \
	{ "batch-size", 'b', CLI_COUNT, "64", "what", "N", "images at once", 0 }, \
	{ "train", 0, CLI_FLAG, "false", "what", NULL, "only the training step", 0 }, \
	{ "infer", 0, CLI_FLAG, "false", "what", NULL, "only inference", 0 }

enum trial_part { TRIAL_Y, TRIAL_DX, TRIAL_DW };

/* y = x w; a matrix product is the convolution of M images of 1x1. */
struct trial_product {
	int64_t B, H, W, C, M, R, stride;
	bool gemm;
};

struct trial {
	cg_ctx *ctx;
	struct network network;
	cg_array *array[3];	/* images, targets; x, w, dy */
	cg_optim *optim;
	cg_graph *graph;
	cg_tensor *out;		/* the loss, the logits, the product or gradient */
	cg_plan *plan;
	int64_t batch;
	uint64_t steps;
	bool trains;
	char name[96];		/* "train vgg", "conv 64x44x44x32x32x3 dx" */
};

/* Functions return -1 to go on, or the exit code after a message; trial_close() is due in every case. */

int trial_model(struct trial *t, const struct cli *c, cg_ctx *ctx, const struct model *model,
		const struct model_config *config, bool train);
int trial_product(struct trial *t, const struct cli *c, cg_ctx *ctx, const struct trial_product *p,
		  enum trial_part part);
/* Seconds of a run: the median of n bundles that last 5 ms at least. */
int trial_time(struct trial *t, const struct cli *c, int n, double *seconds);
void trial_close(struct trial *t);

/* All that the options name, one after the other: the model of --model, if `config` has its settings, and
 * each --gemm and --conv. Stops at the first that does not return -1. */
typedef int trial_fn(struct trial *t, const struct cli *c, void *arg);
int trial_each(const struct cli *c, cg_ctx *ctx, const struct model *model,
	       const struct model_config *config, trial_fn *fn, void *arg);

/* The model of --model with its settings, NULL where none is given. CLI_USAGE where nothing is asked for. */
int trial_settle(const struct cli *c, const struct model **model, struct model_config *config);

double trial_median(double *values, int n);	/* reorders them */

#endif
