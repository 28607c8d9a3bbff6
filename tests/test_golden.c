/*
 * Training steps of whole models against PyTorch: logits, loss, every gradient by name, running
 * statistics, and the losses of ten steps with two optimisers; narrow models value by value, models
 * of full width by norms and random projections.
 */
#include <stdlib.h>
#include <string.h>

#include "ctx.h"
#include "golden.h"
#include "models.h"
#include "tap.h"

enum { STEPS = 10 };

static const float smoothing = .1f;

/* A model on one fixed batch. */
struct trial {
	cg_ctx *ctx;
	cg_file *file;
	const struct model *model;
	struct model_config config;
	int64_t batch;
	void *self;
	cg_params *params;
	cg_array *x, *target;
	cg_optim *optim;
	cg_graph *graph;
	cg_tensor *out[2]; /* logits, loss */
	cg_plan *plan;
};

static cg_array *input(const struct trial *t)
{
	int64_t shape[4] = { t->batch, t->config.size, t->config.size, t->config.channels };
	cg_array *a = cg_array_new(t->ctx, "input", CG_FLOAT32, 4, shape);
	size_t n = (size_t)(shape[0] * shape[1] * shape[2] * shape[3]);
	float *value = malloc(n * sizeof(float));

	for (size_t i = 0; i < n; i++)
		value[i] = (float)(1.7320508075688772 * golden_uniform("input", (int64_t)i));
	if (a)
		cg_array_write(a, value, n * sizeof(float));
	free(value);
	return a;
}

static cg_array *target(const struct trial *t)
{
	int64_t shape[2] = { t->batch, t->config.classes };
	cg_array *a = cg_array_new(t->ctx, "target", CG_FLOAT32, 2, shape);
	size_t n = (size_t)(shape[0] * shape[1]);
	float *value = calloc(n, sizeof(float));

	for (int64_t b = 0; b < t->batch; b++)
		value[b * t->config.classes + (3 * b + 1) % 7] = 1;
	if (a)
		cg_array_write(a, value, n * sizeof(float));
	free(value);
	return a;
}

static cg_status describe(struct trial *t, const cg_optim_config *optim)
{
	cg_tensor *logits, *loss;

	t->graph = cg_graph_new(t->ctx, CG_TRAIN);
	logits = t->model->forward(t->self, cg_use(t->graph, t->x));
	loss = cg_cross_entropy(logits, cg_use(t->graph, t->target), NULL, smoothing);
	t->out[0] = logits;
	t->out[1] = loss;
	if (!loss || cg_backward(loss, t->params) != CG_OK)
		return cg_error_status(t->ctx);
	if (optim) {
		t->optim = cg_optim_new(t->params, optim);
		if (!t->optim || cg_optim_update(t->optim, t->graph) != CG_OK)
			return cg_error_status(t->ctx);
	}
	t->plan = cg_plan_new(t->graph, t->out, 2);
	return cg_error_status(t->ctx);
}

/* `form` is "small" or "full": the fixture says what configuration and batch that is. */
static bool trial_open(
	struct trial *t, cg_ctx *ctx, cg_file *f, const char *form, const cg_optim_config *optim)
{
	const char *name = cg_file_meta(f, "model");
	const char *batch = cg_file_meta(f, strcmp(form, "full") ? "batch" : "full_batch");

	*t = (struct trial){ .ctx = ctx, .file = f, .model = name ? model_find(name) : NULL };
	if (!ok(t->model && batch &&
			    model_config_parse(t->model, &t->config, cg_file_meta(f, form)),
		    "the fixture names a model and its configuration"))
		return false;
	t->batch = atoi(batch);
	t->self = calloc(1, t->model->bytes);
	t->params = cg_params_new(ctx);
	t->model->init(t->self, t->params, &t->config);
	golden_init_params(t->params);
	t->x = input(t);
	t->target = target(t);
	describe(t, optim);
	return ok(cg_error_status(ctx) == CG_OK, "%s, %s: %s", name, form,
		cg_error_status(ctx) ? cg_error(ctx) : "described and planned");
}

static void trial_close(struct trial *t)
{
	cg_plan_free(t->plan);
	cg_graph_free(t->graph);
	cg_optim_free(t->optim);
	cg_array_free(t->x);
	cg_array_free(t->target);
	cg_params_free(t->params);
	free(t->self);
}

typedef bool compare_fn(cg_file *f, const char *name, const float *value, int64_t count);

/* A parameter's gradient, or what a running statistic has become. */
static void compare_param(struct trial *t, int i, compare_fn *compare)
{
	cg_array *a = cg_params_at(t->params, i);
	size_t bytes = (size_t)cg_array_count(a) * sizeof(float);
	bool statistic = cg_params_flags(t->params, i) & CG_PARAM_STATISTIC;
	float *value = malloc(bytes);
	char name[128];
	cg_status status = statistic ? cg_array_read(a, value, bytes)
				     : cg_params_read_grad(t->params, a, value, bytes);

	snprintf(name, sizeof(name), "%s/%s", statistic ? "stat" : "grad", cg_array_name(a));
	if (status == CG_OK)
		compare(t->file, name, value, cg_array_count(a));
	else
		ok(false, "%s: %s", name, cg_error(t->ctx));
	free(value);
}

static void test_step(cg_ctx *ctx, cg_file *f, const char *form, compare_fn *compare)
{
	static const char *const names[] = { "logits", "loss" };
	struct trial t;

	if (!trial_open(&t, ctx, f, form, NULL)) {
		trial_close(&t);
		return;
	}
	ok(cg_plan_run(t.plan) == CG_OK, "runs%s%s", cg_error(ctx)[0] ? ": " : "", cg_error(ctx));
	for (int i = 0; i < 2; i++) {
		int64_t n = cg_tensor_count(t.out[i]);
		float *value = malloc((size_t)n * sizeof(float));

		cg_plan_read(t.plan, t.out[i], value, (size_t)n * sizeof(float));
		compare(f, names[i], value, n);
		free(value);
	}
	for (int i = 0; i < cg_params_count(t.params); i++)
		compare_param(&t, i, compare);
	trial_close(&t);
}

static void test_losses(cg_ctx *ctx, cg_file *f, const char *form, const char *name,
	const cg_optim_config *optim, float lr)
{
	float loss[STEPS] = { 0 };
	struct trial t;

	if (cg_file_find(f, name) < 0)
		return;
	if (trial_open(&t, ctx, f, form, optim)) {
		for (int step = 0; step < STEPS; step++) {
			cg_optim_step(t.optim, lr);
			cg_plan_run(t.plan);
			cg_plan_read(t.plan, t.out[1], &loss[step], sizeof(float));
		}
		golden_compare(f, name, loss, STEPS);
	}
	trial_close(&t);
}

/* Minimal filtering rounds more, and where it takes some input of a relu to the other side of 0, gradients jump: models that
 * it is for are compared with and without it, the latter by the narrow bounds. */
static void test_full(cg_ctx *ctx, cg_file *f)
{
	const int winograd = ctx->tune.winograd;

	if (cg_file_meta(f, "full_kinks")) {
		golden_allow_filtering(true);
		test_step(ctx, f, "full", golden_compare_digest);
		golden_allow_filtering(false);
		ctx->tune.winograd = 0;
	}
	test_step(ctx, f, "full", golden_compare_digest);
	ctx->tune.winograd = winograd;
}

/* The learning rate that a fixture was made with, where it says one. */
static float rate(const cg_file *f, const char *key, float usual)
{
	return cg_file_meta(f, key) ? (float)atof(cg_file_meta(f, key)) : usual;
}

static void test_model(cg_ctx *ctx, const char *file)
{
	static const cg_optim_config sgd = {
		.kind = CG_SGD, .momentum = .9f, .nesterov = true, .weight_decay = 5e-4f
	};
	static const cg_optim_config adamw = {
		.kind = CG_ADAMW, .weight_decay = .05f, .eps = 1e-6f
	};
	cg_file *f = golden_open(ctx, file);

	if (!ok(f, "%s opens%s%s", file, f ? "" : ": ", f ? "" : cg_error(ctx))) {
		cg_clear_error(ctx);
		return;
	}
	if (cg_file_meta(f, "small")) {
		test_step(ctx, f, "small", golden_compare);
		test_losses(ctx, f, "small", "losses/sgd", &sgd, rate(f, "sgd_lr", .005f));
		test_losses(ctx, f, "small", "losses/adamw", &adamw, rate(f, "adamw_lr", 1e-3f));
	}
	if (cg_file_meta(f, "full")) {
		test_full(ctx, f);
		test_losses(ctx, f, "full", "full/losses/sgd", &sgd, rate(f, "sgd_lr", .005f));
		test_losses(ctx, f, "full", "full/losses/adamw", &adamw, rate(f, "adamw_lr", 1e-3f));
	}
	cg_file_close(f);
	cg_clear_error(ctx);
}

static const char *const files[] = {
	"vgg.safetensors",
	"alexnet.safetensors",
	"alexnet-torch.safetensors",
	"alexnet-caffe.safetensors",
	"resnet50v2.safetensors",
	"resnet50v2-48x3.safetensors",
	"resnet50v2-96.safetensors",
	"resnet50v2-96x1.safetensors",
	"resnet50v2-gluon.safetensors",
	"vit.safetensors",
};

int main(void)
{
	cg_ctx *ctx;
	cg_status status;

	if (getenv("CG_TINY"))
		return skip_all("whole models are not tiny");
	status = cg_open(NULL, &ctx);
	if (status == CG_ERR_NO_DEVICE) {
		cg_close(ctx);
		return skip_all("no OpenCL device");
	}
	if (ok(status == CG_OK, "%s kernels, %s matrix products",
		    status ? cg_error(ctx) : cg_family(ctx),
		    status ? "no" : cg_gemm_backend(ctx))) {
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
			test_model(ctx, files[i]);
		diag("at most %.0f %% of a tolerance was used", 100 * golden_worst());
	}
	cg_close(ctx);
	return done();
}
