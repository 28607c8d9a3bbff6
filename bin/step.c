#include "step.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"

cg_array *step_targets(cg_ctx *ctx, const struct dataset *d)
{
	int64_t shape[] = { d->n, d->classes };
	size_t count = (size_t)d->n * (size_t)d->classes;
	cg_array *targets = cg_array_new(ctx, "targets", CG_FLOAT32, 2, shape);
	float *hard = calloc(count + 1, sizeof(*hard));
	cg_status status = CG_ERR_HOST_MEMORY;

	for (int32_t i = 0; hard && i < d->n; i++)
		hard[i * d->classes + d->label[i]] = 1;
	if (targets && hard)
		status = cg_array_write(targets, d->soft ? d->soft : hard, count * sizeof(*hard));
	free(hard);
	if (status == CG_OK)
		return targets;
	cg_array_free(targets);
	return NULL;
}

static cg_array *vector(cg_ctx *ctx, const char *name, cg_dtype type, int64_t n)
{
	return cg_array_new(ctx, name, type, 1, &n);
}

static cg_status make_arrays(struct step *s)
{
	cg_ctx *ctx = s->network->ctx;
	int64_t classes = s->network->config.classes;

	s->index = vector(ctx, "rows", CG_INT32, s->config.batch);
	s->sum = vector(ctx, "sums", CG_FLOAT32, 2);
	if (!s->index || !s->sum)
		return cg_error_status(ctx);
	if (!s->config.class_weight)
		return CG_OK;
	s->class_weight = vector(ctx, "class weights", CG_FLOAT32, classes);
	if (!s->class_weight)
		return cg_error_status(ctx);
	return cg_array_write(s->class_weight, s->config.class_weight,
			      (size_t)classes * sizeof(float));
}

/* The batch: images x and label distributions t. */
static cg_tensor *batch(struct step *s, cg_array *images, cg_array *targets, cg_tensor **t)
{
	cg_tensor *index = cg_use(s->graph, s->index);
	cg_tensor *x = cg_augment(cg_use(s->graph, images), index, &s->config.augment);

	*t = cg_gather(cg_use(s->graph, targets), index);
	if (s->config.mixup > 0) {
		x = cg_mixup(x, s->config.mixup, 0);
		*t = cg_mixup(*t, s->config.mixup, 0);
	}
	return cg_name(x, "batch");
}

static cg_status describe(struct step *s, cg_array *images, cg_array *targets)
{
	cg_ctx *ctx = s->network->ctx;
	cg_tensor *weight = NULL, *t, *logits, *hits;

	s->graph = cg_graph_new(ctx, CG_TRAIN);
	if (!s->graph || make_arrays(s) != CG_OK)
		return cg_error_status(ctx);
	if (s->class_weight)
		weight = cg_use(s->graph, s->class_weight);
	logits = network_forward(s->network, batch(s, images, targets, &t));
	s->loss = cg_name(cg_cross_entropy(logits, t, weight, s->config.smoothing), "loss");
	hits = cg_mean(cg_correct(logits, t));
	if (!s->loss || cg_accumulate(s->sum, cg_concat(s->loss, hits, 0)) != CG_OK ||
	    cg_backward(s->loss, s->network->params) != CG_OK ||
	    cg_optim_update(s->optim, s->graph) != CG_OK)
		return cg_error_status(ctx);
	s->plan = cg_plan_new(s->graph, &s->loss, 1);
	return s->plan ? CG_OK : cg_error_status(ctx);
}

int step_open(struct step *s, const struct cli *c, const struct network *n, cg_array *images,
	      cg_array *targets, const struct step_config *config)
{
	*s = (struct step){ .network = n, .config = *config };
	network_look(n, &s->config.augment);
	s->config.optim.accumulate = config->accumulate;
	s->optim = cg_optim_new(n->params, &s->config.optim);
	if (!s->optim || describe(s, images, targets) != CG_OK)
		return engine_fail(c, n->ctx, n->model->name);
	return -1;
}

void step_close(struct step *s)
{
	cg_plan_free(s->plan);
	cg_graph_free(s->graph);
	cg_optim_free(s->optim);
	cg_array_free(s->index);
	cg_array_free(s->sum);
	cg_array_free(s->class_weight);
	*s = (struct step){ 0 };
}

static cg_status run_once(struct step *s, const int32_t *row, uint64_t run, float lr)
{
	cg_status status = cg_array_write(s->index, row, (size_t)s->config.batch * sizeof(*row));

	if (status == CG_OK)
		status = cg_graph_set_step(s->graph, s->config.seed, run);
	if (status == CG_OK)
		status = cg_optim_step(s->optim, lr);
	return status == CG_OK ? cg_plan_run(s->plan) : status;
}

cg_status step_run(struct step *s, const int32_t *row, uint64_t number, float lr)
{
	int32_t runs = s->config.accumulate;
	cg_status status = CG_OK;

	for (int32_t i = 0; i < runs && status == CG_OK; i++)
		status = run_once(s, row + i * s->config.batch, number * (uint64_t)runs + (uint64_t)i,
				  lr);
	return status;
}

cg_status step_read(struct step *s, float sum[2])
{
	return cg_array_read(s->sum, sum, 2 * sizeof(*sum));
}

cg_status step_write(struct step *s, const float sum[2])
{
	return cg_array_write(s->sum, sum, 2 * sizeof(*sum));
}
