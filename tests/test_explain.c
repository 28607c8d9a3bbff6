/*
 * Maps of where a network looked: against PyTorch (golden/explain.safetensors, made by
 * golden/make_explain.py), and what must hold of any of them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "golden.h"
#include "tap.h"

static const struct cli_program program = { .name = "test_explain" };
static const struct cli cli = { .program = &program, .verbosity = -1 };

/* A network of the fixture with its weights and its batch of inputs. */
struct trial {
	cg_file *file;
	struct network network;
	cg_array *x;
	int32_t batch;
	struct explain explain;
	float *logits, *map;
	int32_t *target;
};

static bool trial_open(struct trial *t, cg_ctx *ctx, cg_file *file, const char *name)
{
	const struct model *model = model_find(name);
	struct model_config config;
	char key[64];
	float *value;

	*t = (struct trial){ .file = file };
	snprintf(key, sizeof(key), "%s/batch", name);
	t->batch = atoi(cg_file_meta(file, key));
	if (!ok(model_config_parse(model, &config, cg_file_meta(file, name)) &&
			    network_open(&t->network, &cli, ctx, model, &config, 0) < 0,
		    "%s is made", name))
		return false;
	golden_init_params(t->network.params);
	t->x = cg_array_new(ctx, "input", CG_FLOAT32, 4,
		(int64_t[]){ t->batch, config.size, config.size, config.channels });
	value = malloc((size_t)cg_array_count(t->x) * sizeof(*value));
	for (int64_t i = 0; i < cg_array_count(t->x); i++)
		value[i] = (float)(1.7320508075688772 * golden_uniform("input", i));
	cg_array_write(t->x, value, (size_t)cg_array_count(t->x) * sizeof(*value));
	free(value);
	t->target = calloc((size_t)t->batch, sizeof(*t->target));
	for (int32_t i = 0; i < t->batch; i++)
		t->target[i] = (3 * i + 1) % 7;
	return true;
}

static bool trial_run(struct trial *t, const int32_t *target, int32_t n)
{
	int status = -1;

	if (!t->map) {
		status = explain_open(
			&t->explain, &cli, &t->network, t->x, t->batch, explain_suits(&t->network));
		if (status < 0) {
			t->logits = calloc((size_t)t->batch * 7, sizeof(*t->logits));
			t->map = calloc(
				(size_t)(t->batch * t->explain.h * t->explain.w), sizeof(*t->map));
		}
	}
	if (status < 0)
		status = explain_run(&t->explain, &cli, NULL, target, n, t->logits, t->map);
	return status < 0;
}

static void trial_close(struct trial *t)
{
	explain_close(&t->explain);
	cg_array_free(t->x);
	network_close(&t->network);
	free(t->logits);
	free(t->map);
	free(t->target);
}

static void test_gradcam(cg_ctx *ctx, cg_file *file, const char *name)
{
	struct trial t;
	char key[64];

	if (trial_open(&t, ctx, file, name) &&
		ok(trial_run(&t, t.target, t.batch), "%s: Grad-CAM %s", name, cg_error(ctx))) {
		snprintf(key, sizeof(key), "%s/logits", name);
		golden_compare(file, key, t.logits, t.batch * 7);
		snprintf(key, sizeof(key), "%s/map", name);
		golden_compare(file, key, t.map, t.batch * t.explain.h * t.explain.w);
	}
	trial_close(&t);
}

/* Without a class it is the greatest logit's; another class gives another map; part of a batch will do. */
static void test_target(cg_ctx *ctx, cg_file *file)
{
	int32_t best[8], other[8];
	float *own, *first;
	struct trial t;
	size_t bytes;

	if (!trial_open(&t, ctx, file, "vgg") || !trial_run(&t, NULL, t.batch)) {
		ok(false, "runs");
		trial_close(&t);
		return;
	}
	bytes = (size_t)(t.batch * t.explain.h * t.explain.w) * sizeof(*own);
	own = malloc(bytes);
	memcpy(own, t.map, bytes);
	for (int32_t i = 0; i < t.batch; i++) {
		best[i] = 0;
		for (int32_t c = 1; c < 7; c++)
			best[i] = t.logits[i * 7 + c] > t.logits[i * 7 + best[i]] ? c : best[i];
		other[i] = (best[i] + 1) % 7;
	}
	trial_run(&t, best, t.batch);
	ok(!memcmp(own, t.map, bytes), "no class given: the greatest logit's");
	trial_run(&t, other, t.batch);
	ok(memcmp(own, t.map, bytes), "another class: another map");
	first = calloc(1, bytes);
	memcpy(first, t.map, bytes);
	memset(t.map, 0, bytes);
	trial_run(&t, other, 3);
	ok(!memcmp(first, t.map, bytes / (size_t)t.batch * 3) &&
			t.map[bytes / sizeof(*own) - 1] == 0,
		"the first three of a batch: their maps alone");
	free(own);
	free(first);
	trial_close(&t);
}

static void test_rollout(cg_ctx *ctx, cg_file *file)
{
	struct trial t;

	if (trial_open(&t, ctx, file, "vit") &&
		ok(trial_run(&t, NULL, t.batch), "vit: rollout %s", cg_error(ctx))) {
		const int64_t *shape = cg_tensor_shape(t.explain.qkv[0]), T = shape[1];
		size_t n = (size_t)cg_tensor_count(t.explain.qkv[0]);
		float *all = calloc((size_t)(t.batch * T * T), sizeof(*all));
		double *room = malloc((size_t)(T * T + 2 * T) * sizeof(*room)), worst = 0;

		golden_compare(file, "vit/map", t.map, t.batch * (T - 1));
		for (int64_t i = 0; i < t.batch * T; i++) {
			const float *layer[2];
			double *row = room + T * T + T, sum = 0;

			for (int l = 0; l < 2; l++)
				layer[l] = t.explain.host + (size_t)l * n + i / T * T * shape[2];
			explain_rollout(
				layer, 2, T, shape[2] / 3, t.explain.heads, i % T, row, room);
			for (int64_t j = 0; j < T; j++) {
				sum += row[j];
				all[i * T + j] = (float)row[j];
			}
			worst = worse_of(worst, fabs(sum - 1));
		}
		golden_compare(file, "vit/rollout", all, t.batch * T * T);
		ok(worst < 1e-12, "its rows sum to 1 (%.2g)", worst);
		free(all);
		free(room);
	}
	trial_close(&t);
}

/* A 1x1 convolution, a global average and a linear layer, as Zhou et al. 2016 (CAM) have them: the map is
 * the weighted sum over H W itself. */
static void test_by_hand(void)
{
	static const float A[] = { 1, 2, 0, 1, 3, 0, 0, 4 },
			   dA[] = { .5f, -.25f, .5f, -.25f, .5f, -.25f, .5f, -.25f };
	float map[4], big[16];

	explain_gradcam(A, dA, 4, 2, map);
	ok(map[0] == 0 && map[1] == 0 && map[2] == 1.5f && map[3] == 0,
		"Grad-CAM of four cells: %g %g %g %g", (double)map[0], (double)map[1],
		(double)map[2], (double)map[3]);
	explain_enlarge(map, 2, 2, big, 4, 4);
	ok(big[12] == 1 && big[3] == 0 && big[15] == 0 && fabsf(big[8] - .75f) < 1e-6f &&
			fabsf(big[13] - .75f) < 1e-6f && fabsf(big[5] - .1875f) < 1e-6f,
		"enlarged between the centres, its maximum 1");
}

static void test_refused(cg_ctx *ctx, cg_file *file)
{
	struct explain e;
	struct trial t;

	if (trial_open(&t, ctx, file, "vgg")) {
		ok(explain_open(&e, &cli, &t.network, t.x, t.batch, EXPLAIN_ROLLOUT) == CLI_USAGE,
			"vgg has no attention");
		explain_close(&e);
	}
	trial_close(&t);
	if (trial_open(&t, ctx, file, "vit")) {
		ok(explain_open(&e, &cli, &t.network, t.x, t.batch, EXPLAIN_GRADCAM) == CLI_USAGE,
			"vit has no Grad-CAM");
		explain_close(&e);
	}
	trial_close(&t);
}

int main(void)
{
	cg_ctx *ctx;
	cg_file *file;
	int status;

	if (cg_open(NULL, &ctx) == CG_ERR_NO_DEVICE) {
		cg_close(ctx);
		return skip_all("no OpenCL device");
	}
	test_by_hand();
	file = golden_open(ctx, "explain.safetensors");
	if (ok(file != NULL, "the fixture %s", cg_error(ctx))) {
		test_gradcam(ctx, file, "vgg");
		test_gradcam(ctx, file, "alexnet");
		test_gradcam(ctx, file, "resnet50v2");
		test_target(ctx, file);
		test_rollout(ctx, file);
		test_refused(ctx, file);
	}
	cg_file_close(file);
	status = done();
	cg_close(ctx);
	return status;
}
