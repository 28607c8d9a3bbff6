#include "trial.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "model_options.h"
#include "progress.h"

static const char *const part_names[] = { "y", "dx", "dw" };

/* --- data --- */

/* Values of variance 1 about 0 that repeat after 1024. */
static float value_at(int64_t i)
{
	return (float)((uint64_t)i * 2654435761u >> 8 & 1023) / 296 - 1.73f;
}

static cg_status fill(cg_array *a, bool one_hot)
{
	int64_t n = cg_array_count(a), classes = cg_array_shape(a)[1];
	float *value = calloc((size_t)n + 1, sizeof(*value));
	cg_status status = value ? CG_OK : CG_ERR_HOST_MEMORY;

	for (int64_t i = 0; value && i < n; i++)
		value[i] = one_hot ? (float)(i % classes == i / classes % classes) : value_at(i);
	if (value)
		status = cg_array_write(a, value, (size_t)n * sizeof(*value));
	free(value);
	return status;
}

static cg_status make_array(struct trial *t, int i, const char *name, int ndim, const int64_t *shape)
{
	t->array[i] = cg_array_new(t->ctx, name, CG_FLOAT32, ndim, shape);
	if (!t->array[i])
		return cg_error_status(t->ctx);
	return fill(t->array[i], !strcmp(name, "targets"));
}

/* --- a model --- */

static cg_status describe_model(struct trial *t)
{
	const struct model_config *m = &t->network.config;
	/* PyTorch looks at no norm either */
	const cg_optim_config adam = { .kind = CG_ADAM, .no_norm = true };
	cg_status status = make_array(t, 0, "images", 4,
				      (int64_t[]){ t->batch, m->size, m->size, m->channels });

	if (status == CG_OK && t->trains)
		status = make_array(t, 1, "targets", 2, (int64_t[]){ t->batch, m->classes });
	if (status != CG_OK)
		return status;
	t->graph = cg_graph_new(t->ctx, t->trains ? CG_TRAIN : CG_INFER);
	if (!t->graph)
		return CG_ERR_HOST_MEMORY;
	t->out = network_forward(&t->network, cg_use(t->graph, t->array[0]));
	if (t->trains) {
		t->out = cg_cross_entropy(t->out, cg_use(t->graph, t->array[1]), NULL, 0);
		t->optim = cg_optim_new(t->network.params, &adam);
		if (!t->out || !t->optim || cg_backward(t->out, t->network.params) != CG_OK ||
		    cg_optim_update(t->optim, t->graph) != CG_OK)
			return cg_error_status(t->ctx);
	}
	t->plan = t->out ? cg_plan_new(t->graph, &t->out, 1) : NULL;
	return t->plan ? CG_OK : cg_error_status(t->ctx);
}

int trial_model(struct trial *t, const struct cli *c, cg_ctx *ctx, const struct model *model,
		const struct model_config *config, bool train)
{
	int status;

	*t = (struct trial){ .ctx = ctx, .batch = cli_int(c, "batch-size"), .trains = train };
	snprintf(t->name, sizeof(t->name), "%s %s", train ? "train" : "infer", model->name);
	status = network_open(&t->network, c, ctx, model, config, 1);
	if (status < 0 && describe_model(t) != CG_OK)
		status = engine_fail(c, ctx, t->name);
	return status;
}

/* --- a product --- */

static cg_status make_operands(struct trial *t, const struct trial_product *p)
{
	int64_t P = (p->H + 2 * (p->R / 2) - p->R) / p->stride + 1;
	int64_t Q = (p->W + 2 * (p->R / 2) - p->R) / p->stride + 1;
	int64_t x[] = { p->B, p->H, p->W, p->C }, w[] = { p->R, p->R, p->C, p->M };
	int64_t dy[] = { p->B, P, Q, p->M };
	cg_status status;

	if (p->gemm) {
		x[1] = w[0] = p->C;
		w[1] = dy[1] = p->M;
	}
	status = make_array(t, 0, "x", p->gemm ? 2 : 4, x);
	if (status == CG_OK)
		status = make_array(t, 1, "w", p->gemm ? 2 : 4, w);
	return status == CG_OK ? make_array(t, 2, "dy", p->gemm ? 2 : 4, dy) : status;
}

/* A plan runs only what its output needs. */
static cg_status describe_product(struct trial *t, const struct trial_product *p,
				  enum trial_part part)
{
	cg_tensor *x, *w, *y;
	cg_status status = make_operands(t, p);

	if (status != CG_OK)
		return status;
	t->graph = cg_graph_new(t->ctx, CG_TRAIN);
	if (!t->graph)
		return CG_ERR_HOST_MEMORY;
	x = cg_use(t->graph, t->array[0]);
	w = cg_use(t->graph, t->array[1]);
	if (part != TRIAL_Y)
		cg_want_grad(part == TRIAL_DX ? x : w);
	y = p->gemm ? cg_matmul(x, w) : cg_conv2d(x, w, (int)p->stride, (int)p->R / 2);
	if (part != TRIAL_Y && y &&
	    cg_backward_from(y, cg_use(t->graph, t->array[2]), NULL) != CG_OK)
		return cg_error_status(t->ctx);
	t->out = !y || part == TRIAL_Y ? y : cg_grad(part == TRIAL_DX ? x : w);
	t->plan = t->out ? cg_plan_new(t->graph, &t->out, 1) : NULL;
	return t->plan ? CG_OK : cg_error_status(t->ctx);
}

int trial_product(struct trial *t, const struct cli *c, cg_ctx *ctx, const struct trial_product *p,
		  enum trial_part part)
{
	*t = (struct trial){ .ctx = ctx, .batch = p->B };
	if (p->gemm)
		snprintf(t->name, sizeof(t->name), "gemm %" PRId64 "x%" PRId64 "x%" PRId64 " %s", p->B,
			 p->C, p->M, part_names[part]);
	else
		snprintf(t->name, sizeof(t->name),
			 "conv %" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64 "x%" PRId64
			 "x%" PRId64 " %s", p->B, p->H, p->W, p->C, p->M, p->R, p->stride,
			 part_names[part]);
	return describe_product(t, p, part) == CG_OK ? -1 : engine_fail(c, ctx, t->name);
}

void trial_close(struct trial *t)
{
	cg_plan_free(t->plan);
	cg_graph_free(t->graph);
	cg_optim_free(t->optim);
	for (int i = 0; i < 3; i++)
		cg_array_free(t->array[i]);
	network_close(&t->network);
	*t = (struct trial){ 0 };
}

/* --- running --- */

static cg_status run(struct trial *t)
{
	cg_status status = CG_OK;

	if (t->trains)
		status = cg_graph_set_step(t->graph, 1, t->steps++);
	if (status == CG_OK && t->trains)
		status = cg_optim_step(t->optim, 1e-4f);
	return status == CG_OK ? cg_plan_run(t->plan) : status;
}

static cg_status bundle(struct trial *t, int calls, double *seconds)
{
	double begin = progress_clock();
	cg_status status = CG_OK;

	for (int i = 0; i < calls && status == CG_OK; i++)
		status = run(t);
	if (status == CG_OK)
		status = cg_finish(t->ctx);
	*seconds = (progress_clock() - begin) / calls;
	return status;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double trial_median(double *values, int n)
{
	if (!n)
		return NAN;
	qsort(values, (size_t)n, sizeof(*values), by_value);
	return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

int trial_time(struct trial *t, const struct cli *c, int n, double *seconds)
{
	double *times = calloc((size_t)n, sizeof(*times)), once = 0;
	cg_status status = times ? bundle(t, 1, &once) : CG_ERR_HOST_MEMORY;	/* builds the kernels */
	int calls;

	if (status == CG_OK)
		status = bundle(t, 1, &once);
	calls = once < 5e-3 ? (int)(5e-3 / (once + 1e-6)) + 1 : 1;
	for (int i = 0; i < n && status == CG_OK; i++)
		status = bundle(t, calls, &times[i]);
	if (status == CG_OK)
		*seconds = trial_median(times, n);
	free(times);
	return status == CG_OK ? -1 : engine_fail(c, t->ctx, t->name);
}

/* --- what the options name --- */

/* "64x44x44": how many numbers there are, at most max; 0 where something else is in it. */
static int parse_sizes(const char *text, int64_t *size, int max)
{
	int n = 0;

	for (char *end;; text = end + 1) {
		size[n] = strtoll(text, &end, 10);
		if (end == text || size[n] < 1 || size[n] > INT32_MAX)
			return 0;
		n++;
		if (!*end)
			return n;
		if (*end != 'x' || n == max)
			return 0;
	}
}

static int parse_product(const struct cli *c, const char *option, const char *text,
			 struct trial_product *p)
{
	int64_t s[7] = { 0 };
	int n = parse_sizes(text, s, 7);

	*p = (struct trial_product){ s[0], s[1], s[2], s[3], s[4], s[5], n == 7 ? s[6] : 1, false };
	if (!strcmp(option, "gemm")) {
		*p = (struct trial_product){ s[0], 1, 1, s[1], s[2], 1, 1, true };
		if (n != 3)
			return cli_fail(c, CLI_USAGE, "--gemm: \"%s\" given, expected MxKxN", text);
	} else if (n < 6) {
		return cli_fail(c, CLI_USAGE, "--conv: \"%s\" given, expected BxHxWxCxMxR[xS]", text);
	}
	return -1;
}

static int each_product(const struct cli *c, cg_ctx *ctx, const char *option, trial_fn *fn, void *arg)
{
	struct trial_product p;
	char text[128];
	int status = -1;

	for (int i = 0; status < 0 && cli_item(c, option, i, text, sizeof(text)); i++) {
		status = parse_product(c, option, text, &p);
		for (int part = TRIAL_Y; part <= TRIAL_DW && status < 0; part++) {
			struct trial t;

			status = trial_product(&t, c, ctx, &p, (enum trial_part)part);
			if (status < 0)
				status = fn(&t, c, arg);
			trial_close(&t);
		}
	}
	return status;
}

int trial_each(const struct cli *c, cg_ctx *ctx, const struct model *model,
	       const struct model_config *config, trial_fn *fn, void *arg)
{
	bool both = cli_flag(c, "train") == cli_flag(c, "infer");
	int status = -1;

	for (int train = 0; model && train < 2 && status < 0; train++) {
		struct trial t;

		if (!both && !cli_flag(c, train ? "train" : "infer"))
			continue;
		status = trial_model(&t, c, ctx, model, config, train);
		if (status < 0)
			status = fn(&t, c, arg);
		trial_close(&t);
	}
	if (status < 0)
		status = each_product(c, ctx, "gemm", fn, arg);
	return status < 0 ? each_product(c, ctx, "conv", fn, arg) : status;
}

int trial_settle(const struct cli *c, const struct model **model, struct model_config *config)
{
	const char *name = cli_text(c, "model");
	char names[MODEL_TEXT];
	int status;

	*model = NULL;
	model_names(names);
	if (c->n_args)
		return cli_fail(c, CLI_USAGE, "unexpected argument \"%s\"", c->args[0]);
	if (!name && !cli_text(c, "gemm") && !cli_text(c, "conv"))
		return cli_fail(c, CLI_USAGE, "nothing to do: --model %s, --gemm or --conv", names);
	if (!name)
		return -1;
	*model = model_find(name);
	if (!*model)
		return cli_fail(c, CLI_USAGE, "--model: \"%s\" given, expected %s", name, names);
	status = model_options_refuse(c, *model);
	if (status >= 0)
		return status;
	model_defaults(*model, config);
	status = model_options_use(c, *model, config);
	return status < 0 ? model_options_check(c, *model, config) : status;
}
