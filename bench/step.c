/*
 * Training steps (forward, cross-entropy, backward, Adam) and inference of models on one batch that
 * stays on the device, with the launches of a whole run queued before it is waited for.
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models.h"

struct trial {
	struct bench *b;
	const struct step *s;
	enum kind kind;
	int64_t batch;
	const struct model *model;
	struct model_config config;
	void *self;
	cg_params *params;
	cg_array *x, *target;
	cg_optim *optim;
	cg_graph *graph;
	cg_tensor *out; /* the loss, or the logits */
	cg_plan *plan;
	struct work work;
	uint64_t steps;
};

const char *const kind_names[KINDS] = { "train", "infer", "latency" };

static bool configure(struct trial *t)
{
	char text[MODEL_TEXT], expected[MODEL_TEXT], *rest = text;

	t->model = model_find(t->s->model);
	if (!t->model)
		return false;
	model_defaults(t->model, &t->config);
	snprintf(text, sizeof(text), "%s", t->s->settings);
	for (char *word; (word = strtok_r(rest, " ", &rest));) {
		char *equals = strchr(word, '=');

		if (!equals)
			return false;
		*equals = 0;
		if (model_set(t->model, &t->config, word, equals + 1, expected))
			return false;
	}
	t->self = calloc(1, t->model->bytes);
	t->params = cg_params_new(t->b->ctx);
	return t->model->init(t->self, t->params, &t->config) == CG_OK &&
		cg_params_init(t->params, 1) == CG_OK;
}

/* Pixels of variance 1 and one-hot targets. */
static bool make_batch(struct trial *t)
{
	const struct model_config *c = &t->config;
	int64_t x_shape[4] = { t->batch, c->size, c->size, c->channels };
	int64_t t_shape[2] = { t->batch, c->classes };
	int64_t pixels = x_shape[0] * x_shape[1] * x_shape[2] * x_shape[3];
	float *x = malloc((size_t)pixels * sizeof(float));
	float *target = calloc((size_t)(t_shape[0] * t_shape[1]), sizeof(float));
	bool good;

	t->x = cg_array_new(t->b->ctx, "images", CG_FLOAT32, 4, x_shape);
	t->target = cg_array_new(t->b->ctx, "targets", CG_FLOAT32, 2, t_shape);
	for (int64_t i = 0; x && i < pixels; i++)
		x[i] = (float)((i * 2654435761u >> 8) % 1024) / 296 - 1.73f;
	for (int64_t i = 0; target && i < t->batch; i++)
		target[i * c->classes + i % c->classes] = 1;
	good = x && target && t->x && t->target &&
		cg_array_write(t->x, x, (size_t)pixels * sizeof(float)) == CG_OK &&
		cg_array_write(t->target, target,
			(size_t)(t_shape[0] * t_shape[1]) * sizeof(float)) == CG_OK;
	free(x);
	free(target);
	return good;
}

static bool describe(struct trial *t)
{
	/* PyTorch looks at no norm either */
	const cg_optim_config adam = { .kind = CG_ADAM, .no_norm = true };

	t->graph = cg_graph_new(t->b->ctx, t->kind == TRAIN ? CG_TRAIN : CG_INFER);
	t->out = t->model->forward(t->self, cg_use(t->graph, t->x));
	if (t->kind == TRAIN) {
		t->out = cg_cross_entropy(t->out, cg_use(t->graph, t->target), NULL, 0);
		t->optim = cg_optim_new(t->params, &adam);
		if (!t->out || !t->optim || cg_backward(t->out, t->params) != CG_OK ||
			cg_optim_update(t->optim, t->graph) != CG_OK)
			return false;
	}
	t->work = work_of_graph(t->graph, t->params, t->kind == TRAIN);
	t->plan = t->out ? cg_plan_new(t->graph, &t->out, 1) : NULL;
	if (t->plan)
		t->work.flops = work_flops(t->plan);
	return t->plan != NULL;
}

static cg_status run(void *arg)
{
	struct trial *t = arg;
	cg_status status = CG_OK;

	if (t->kind == TRAIN) {
		status = cg_graph_set_step(t->graph, 1, t->steps++);
		if (status == CG_OK)
			status = cg_optim_step(t->optim, 1e-4f);
	}
	return status == CG_OK ? cg_plan_run(t->plan) : status;
}

/* The mean of the output, NaN on failure. */
static double mean_output(struct trial *t)
{
	int64_t n = cg_tensor_count(t->out);
	float *value = malloc((size_t)n * sizeof(float));
	double sum =
		value && cg_plan_read(t->plan, t->out, value, (size_t)n * sizeof(float)) == CG_OK
		? 0
		: NAN;

	for (int64_t i = 0; value && i < n; i++)
		sum += (double)value[i];
	free(value);
	return sum / (double)n;
}

/* The triad over as many bytes as take part is measured at the end: what it leaves in caches is its own. */
static void compare_with_floor(struct trial *t, struct row *row)
{
	row->floor = floor_seconds(&t->work, row->peak, ceiling_triad(t->b->ctx, t->work.held));
	row->of_floor.value = row->floor / row->seconds;
}

static void profile(struct trial *t, struct row *row, struct split *split)
{
	enum { PROFILES = 5 };

	if (t->kind == TRAIN)
		split_time(t->plan, PROFILES, split);
	if (t->b->profile && cg_plan_profile(t->plan) == CG_OK) {
		fprintf(stderr, "\n%s\n", row->name);
		cg_plan_summary(t->plan, stderr);
	}
}

/* tests/test_golden.c compares whole steps with PyTorch; here the loss must fall on its batch. */
static bool measure(struct trial *t, struct row *row, struct split *split)
{
	double first, last;

	if (run(t) != CG_OK || !isfinite(first = mean_output(t)))
		return false;
	row->flops = t->work.flops;
	time_row(t->b, run, t, row);
	last = mean_output(t);
	profile(t, row, split);
	compare_with_floor(t, row);
	if (isfinite(last) && (t->kind != TRAIN || last < first))
		return true;
	snprintf(row->note, BENCH_TEXT, "the loss goes from %.4g to %.4g", first, last);
	return false;
}

static void trial_free(struct trial *t)
{
	cg_plan_free(t->plan);
	cg_graph_free(t->graph);
	cg_optim_free(t->optim);
	cg_array_free(t->x);
	cg_array_free(t->target);
	cg_params_free(t->params);
	free(t->self);
}

bool step_run(
	struct bench *b, const struct step *s, enum kind kind, struct row *row, struct split *split)
{
	struct trial t = { .b = b, .s = s, .kind = kind, .batch = kind == LATENCY ? 1 : s->batch };
	bool good;

	*split = (struct split){ NAN, NAN };
	snprintf(row->name, BENCH_TEXT, "%s %s", kind_names[kind], s->name);
	good = configure(&t) && make_batch(&t) && describe(&t) && measure(&t, row, split);
	if (cg_error_status(b->ctx))
		snprintf(row->note, BENCH_TEXT, "%.95s", cg_error(b->ctx));
	cg_clear_error(b->ctx);
	trial_free(&t);
	return good;
}

bool step_once(cg_ctx *ctx, const struct step *s, int runs)
{
	struct bench b = { .ctx = ctx };
	struct trial t = { .b = &b, .s = s, .kind = TRAIN, .batch = s->batch };
	bool good = configure(&t) && make_batch(&t) && describe(&t);

	for (int i = 0; good && i < runs; i++)
		good = run(&t) == CG_OK;
	good = good && isfinite(mean_output(&t));
	trial_free(&t);
	return good;
}
