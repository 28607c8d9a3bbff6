/*
 * step.h: the training step as one plan: gather and augment the batch, mixup, forward, loss, backward,
 * update, and the sums of loss and hits. The data set lies on the device; a step receives only the
 * row numbers of its batch, its number and its learning rate.
 */
#ifndef FER_STEP_H
#define FER_STEP_H

#include "clgrad.h"
#include "data.h"
#include "network.h"

struct step_config {
	int32_t batch;		/* images of a run of the plan */
	int32_t accumulate;	/* runs that make an update */
	cg_augment_config augment;	/* mean, sd and crop size are filled in from the network */
	float mixup;		/* alpha; 0: off */
	float smoothing;
	const float *class_weight;	/* [classes], or NULL */
	cg_optim_config optim;	/* accumulate is filled in */
	uint64_t seed;
};

struct step {
	const struct network *network;
	struct step_config config;
	cg_graph *graph;
	cg_plan *plan;
	cg_optim *optim;
	cg_tensor *loss;
	cg_array *index, *class_weight;
	cg_array *sum;		/* [2]: losses and hit rates of the runs since step_clear */
};

/* Label distributions of all rows, [n,classes] float32. NULL on failure. */
cg_array *step_targets(cg_ctx *ctx, const struct dataset *d);

/* -1, or the exit code after a message. step_close() is due in every case. */
int step_open(struct step *s, const struct cli *c, const struct network *n, cg_array *images,
	      cg_array *targets, const struct step_config *config);
void step_close(struct step *s);

/* Update number `number` (from 0) with the next batch * accumulate rows. Does not wait. */
cg_status step_run(struct step *s, const int32_t *row, uint64_t number, float lr);

/* Sums over runs of the mean loss and the share of hits: waits. `sum` can be written back later. */
cg_status step_read(struct step *s, float sum[2]);
cg_status step_write(struct step *s, const float sum[2]);

#endif
