#include "explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

static const char *const names[] = { "gradcam", "rollout" };

bool explain_parse(const char *word, enum explain_kind *kind)
{
	for (int i = 0; i < 2; i++) {
		if (!strcmp(word, names[i])) {
			*kind = (enum explain_kind)i;
			return true;
		}
	}
	return false;
}

const char *explain_name(enum explain_kind kind)
{
	return names[kind];
}

static bool is(const cg_tensor *x, const char *op)
{
	return !strcmp(cg_tensor_op(x), op);
}

enum explain_kind explain_suits(const struct network *n)
{
	for (int i = 0; n->model->settings[i].name; i++)
		if (!strcmp(n->model->settings[i].name, "heads"))
			return EXPLAIN_ROLLOUT;
	return EXPLAIN_GRADCAM;
}

/* --- the graph --- */

/* The last tensor as high and wide as the last convolution's output that is no pool: behind its norm,
 * the sum with a shortcut and the activation. */
static cg_tensor *last_features(const cg_graph *g)
{
	cg_tensor *found = NULL;

	for (int i = 0; i < cg_graph_count(g); i++) {
		cg_tensor *x = cg_graph_at(g, i);
		const int64_t *shape = cg_tensor_shape(x);

		if (cg_tensor_array(x) || cg_tensor_ndim(x) != 4)
			continue;
		if (is(x, "conv2d") ||
			(found && !strstr(cg_tensor_op(x), "pool") &&
				shape[1] == cg_tensor_shape(found)[1] &&
				shape[2] == cg_tensor_shape(found)[2]))
			found = x;
	}
	return found;
}

/* q, k, v of each block, in order. */
static void find_attention(struct explain *e)
{
	const struct model_setting *s = e->network->model->settings;

	for (int i = 0; s[i].name; i++)
		if (!strcmp(s[i].name, "heads"))
			e->heads = (int)e->network->config.value[i];
	for (int i = 0; i < cg_graph_count(e->graph); i++) {
		cg_tensor *x = cg_graph_at(e->graph, i);

		if (is(x, "attention") && e->layers < EXPLAIN_LAYERS)
			e->qkv[e->layers++] = cg_tensor_source(x, 0);
	}
}

static cg_tensor *input(struct explain *e, cg_array *source)
{
	cg_augment_config look = { 0 };

	if (!e->index)
		return cg_use(e->graph, source);
	network_look(e->network, &look);
	return cg_augment(cg_use(e->graph, source), cg_use(e->graph, e->index), &look);
}

/* The gradient of the logits picked: those of one image do not depend on another's. */
static void describe_gradcam(struct explain *e)
{
	e->features = last_features(e->graph);
	if (cg_backward(cg_sum(cg_mul(e->logits, cg_use(e->graph, e->pick))), NULL) == CG_OK)
		e->gradient = cg_grad(e->features);
	e->h = cg_tensor_shape(e->features)[1];
	e->w = cg_tensor_shape(e->features)[2];
}

static void describe_rollout(struct explain *e)
{
	int64_t patches = cg_tensor_shape(e->qkv[0])[1] - 1;

	e->h = e->w = (int64_t)(sqrt((double)patches) + .5);
}

static int missing(const struct explain *e, const struct cli *c)
{
	return cli_fail(c, CLI_USAGE, "%s: %s has no %s", names[e->kind], e->network->model->name,
		e->kind == EXPLAIN_ROLLOUT ? "attention"
					   : "convolutions up to its end; rollout suits it");
}

static int describe(struct explain *e, const struct cli *c, cg_array *source)
{
	cg_tensor *out[EXPLAIN_LAYERS + 1];
	int n = 1;
	cg_tensor *x = input(e, source);

	cg_want_grad(x); /* so that all that follows from it has a gradient */
	e->logits = network_forward(e->network, x);
	if (!e->logits)
		return engine_fail(c, e->network->ctx, e->network->model->name);
	find_attention(e);
	if ((e->kind == EXPLAIN_ROLLOUT) != (e->layers > 0))
		return missing(e, c);
	out[0] = e->logits;
	if (e->kind == EXPLAIN_GRADCAM) {
		describe_gradcam(e);
		out[n++] = e->features;
		out[n++] = e->gradient;
	} else {
		describe_rollout(e);
		for (int i = 0; i < e->layers; i++)
			out[n++] = e->qkv[i];
	}
	e->plan = cg_plan_new(e->graph, out, n);
	if (!e->plan || cg_plan_prepare(e->plan) != CG_OK)
		return engine_fail(c, e->network->ctx, e->network->model->name);
	return -1;
}

static int allocate(struct explain *e, const struct cli *c)
{
	size_t largest = 1;

	if (e->kind == EXPLAIN_GRADCAM)
		largest = (size_t)cg_tensor_count(e->features);
	else
		largest = (size_t)cg_tensor_count(e->qkv[0]) * (size_t)e->layers;
	e->host = calloc(largest, sizeof(*e->host));
	if (e->kind == EXPLAIN_GRADCAM)
		e->host2 = calloc(largest, sizeof(*e->host2));
	if (!e->host || (e->kind == EXPLAIN_GRADCAM && !e->host2))
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	return -1;
}

int explain_open(struct explain *e, const struct cli *c, const struct network *n, cg_array *source,
	int32_t batch, enum explain_kind kind)
{
	int64_t picks[] = { batch, n->config.classes }, rows[] = { batch };
	bool chooses = cg_array_dtype(source) == CG_UINT8;
	int status;

	*e = (struct explain){ .network = n, .kind = kind, .batch = batch };
	e->graph = cg_graph_new(n->ctx, CG_INFER);
	e->pick = cg_array_new(n->ctx, "pick", CG_FLOAT32, 2, picks);
	if (chooses)
		e->index = cg_array_new(n->ctx, "rows", CG_INT32, 1, rows);
	if (!e->graph || !e->pick || (chooses && !e->index))
		return engine_fail(c, n->ctx, n->model->name);
	status = describe(e, c, source);
	return status < 0 ? allocate(e, c) : status;
}

void explain_close(struct explain *e)
{
	cg_plan_free(e->plan);
	cg_graph_free(e->graph);
	cg_array_free(e->index);
	cg_array_free(e->pick);
	free(e->host);
	free(e->host2);
	*e = (struct explain){ 0 };
}

/* --- running --- */

static cg_status read(struct explain *e, const cg_tensor *x, float *to)
{
	return cg_plan_read(e->plan, x, to, (size_t)cg_tensor_count(x) * sizeof(*to));
}

static cg_status choose_rows(struct explain *e, const int32_t *row, int32_t n)
{
	int32_t *all = calloc((size_t)e->batch, sizeof(*all));
	cg_status status = CG_ERR_HOST_MEMORY;

	for (int32_t i = 0; all && i < e->batch; i++)
		all[i] = row[i < n ? i : n - 1];
	if (all)
		status = cg_array_write(e->index, all, (size_t)e->batch * sizeof(*all));
	free(all);
	return status;
}

/* A one at the class of each image. */
static cg_status choose_classes(
	struct explain *e, const int32_t *target, const float *logits, int32_t n)
{
	int64_t k = e->network->config.classes;
	size_t bytes = (size_t)(e->batch * k) * sizeof(float);
	float *pick = calloc(1, bytes);
	cg_status status = CG_ERR_HOST_MEMORY;

	for (int32_t i = 0; pick && i < n; i++) {
		const float *y = logits + i * k;
		int64_t best = 0;

		for (int64_t c = 1; c < k; c++)
			best = y[c] > y[best] ? c : best;
		pick[i * k + (target ? target[i] : best)] = 1;
	}
	if (pick)
		status = cg_array_write(e->pick, pick, bytes);
	free(pick);
	return status;
}

static cg_status run_once(struct explain *e, float *all, int32_t n, float *logits)
{
	cg_status status = cg_plan_run(e->plan);

	if (status == CG_OK)
		status = read(e, e->logits, all);
	if (status == CG_OK)
		memcpy(logits, all, (size_t)(n * e->network->config.classes) * sizeof(*logits));
	return status;
}

/* Once for the logits, of which the classes follow, and once with these. */
static cg_status run_gradcam(
	struct explain *e, float *all, const int32_t *target, int32_t n, float *logits, float *map)
{
	int64_t cells = e->h * e->w, M = cg_tensor_shape(e->features)[3];
	cg_status status = target ? CG_OK : run_once(e, all, n, logits);

	if (status == CG_OK)
		status = choose_classes(e, target, logits, n);
	if (status == CG_OK)
		status = run_once(e, all, n, logits);
	if (status == CG_OK)
		status = read(e, e->features, e->host);
	if (status == CG_OK)
		status = read(e, e->gradient, e->host2);
	for (int32_t i = 0; status == CG_OK && i < n; i++)
		explain_gradcam(e->host + i * cells * M, e->host2 + i * cells * M, cells, M,
			map + i * cells);
	return status;
}

static void roll_out(struct explain *e, int32_t i, double *room, float *map)
{
	const int64_t *shape = cg_tensor_shape(e->qkv[0]), T = shape[1], W = shape[2];
	const float *layer[EXPLAIN_LAYERS];
	double *row = room + T * T + T;

	for (int l = 0; l < e->layers; l++)
		layer[l] = e->host + ((int64_t)l * e->batch + i) * T * W;
	explain_rollout(layer, e->layers, T, W / 3, e->heads, 0, row, room);
	for (int64_t j = 1; j < T; j++)
		map[j - 1] = (float)row[j];
}

static cg_status run_rollout(struct explain *e, float *all, int32_t n, float *logits, float *map)
{
	int64_t T = cg_tensor_shape(e->qkv[0])[1], count = cg_tensor_count(e->qkv[0]);
	double *room = malloc((size_t)(T * T + 2 * T) * sizeof(*room));
	cg_status status = room ? run_once(e, all, n, logits) : CG_ERR_HOST_MEMORY;

	for (int l = 0; l < e->layers && status == CG_OK; l++)
		status = read(e, e->qkv[l], e->host + l * count);
	for (int32_t i = 0; i < n && status == CG_OK; i++)
		roll_out(e, i, room, map + i * e->h * e->w);
	free(room);
	return status;
}

int explain_run(struct explain *e, const struct cli *c, const int32_t *row, const int32_t *target,
	int32_t n, float *logits, float *map)
{
	float *all = malloc((size_t)cg_tensor_count(e->logits) * sizeof(*all));
	cg_status status = all ? CG_OK : CG_ERR_HOST_MEMORY;

	if (status == CG_OK && e->index)
		status = choose_rows(e, row, n);
	if (status == CG_OK)
		status = e->kind == EXPLAIN_GRADCAM ? run_gradcam(e, all, target, n, logits, map)
						    : run_rollout(e, all, n, logits, map);
	free(all);
	return status == CG_OK ? -1 : engine_fail(c, e->network->ctx, names[e->kind]);
}
