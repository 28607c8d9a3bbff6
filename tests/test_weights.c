/*
 * Real weights: what networks make of a picture that any program can draw, against the same graphs
 * computed in double precision by others. The files are not part of the project: FER_SHARED names their folder
 * (default: shared/ beside the source tree); skipped where it is absent.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clgrad.h"
#include "import.h"
#include "network.h"
#include "npy.h"
#include "tap.h"

enum { PATH = 4096, SIZE = 224 };

static const struct weights {
	const char *file;
	struct output {
		const char *layer, *reference;
	} output[4];
	double tolerance;
} weights[] = {
	{ "resnet50v2_gluon_partial",
	  { { "stage1", "gluon_stage1_pooled" },
	    { "stage2", "gluon_stage2_pooled" },
	    { "stage3", "gluon_stage3_pooled" },
	    { "stage4.0.relu2", "gluon_stage4_relu1_pooled" } },
	  1e-4 },
	{ "resnet50v2_tfslim_partial",
	  { { "stage1", "tfslim_block1_pooled" },
	    { "stage2", "tfslim_block2_pooled" },
	    { "stage3", "tfslim_block3_pooled" },
	    { "stage4.0.relu1", "tfslim_block4_preact_pooled" } },
	  1e-4 },
	{ "vit_tiny_patch16_224", { { "logits", "vit_tiny_logits" } }, 1e-3 },
};

static const struct cli_program program = { .name = "test_weights" };
static const struct cli cli = { .program = &program, .verbosity = -1 };

static char *shared(char path[PATH], const char *folder, const char *name, const char *end)
{
	const char *top = getenv("FER_SHARED"), *srcdir = getenv("srcdir");

	if (top)
		snprintf(path, PATH, "%s/%s%s%s", top, folder, name, end);
	else
		snprintf(path, PATH, "%s/../shared/%s%s%s", srcdir ? srcdir : ".", folder, name, end);
	return path;
}

/* p[y][x][c] = (((7 y + 3 x + 64 c) & 255) - 128) / 128 */
static void picture(float *p)
{
	for (int y = 0; y < SIZE; y++)
		for (int x = 0; x < SIZE; x++)
			for (int c = 0; c < 3; c++)
				*p++ = (float)(((7 * y + 3 * x + 64 * c) & 255) - 128) / 128;
}

/* in [n,C] to the mean over n */
static void pool(float *value, int64_t n, int64_t C)
{
	for (int64_t c = 0; c < C; c++) {
		double sum = 0;

		for (int64_t i = 0; i < n; i++)
			sum += (double)value[i * C + c];
		value[c] = (float)(sum / (double)n);
	}
}

static void compare(cg_plan *plan, const cg_tensor *y, const struct output *o, double tolerance)
{
	int64_t count = cg_tensor_count(y), C = cg_tensor_shape(y)[cg_tensor_ndim(y) - 1];
	float *value = malloc((size_t)count * sizeof(*value));
	double worst = 0;
	char path[PATH];
	struct npy want;
	const char *wrong = npy_read(shared(path, "weights/reference/", o->reference, ".npy"), &want);

	if (wrong || want.count != C ||
	    cg_plan_read(plan, y, value, (size_t)count * sizeof(*value)) != CG_OK) {
		ok(false, "%s: %s", o->reference, wrong ? wrong : "another size, or not computed");
	} else {
		pool(value, count / C, C);
		for (int64_t c = 0; c < C; c++)
			worst = worse_of(worst, fabs((double)value[c] - (double)want.value[c]));
		ok(worst <= tolerance, "%s: off by %.1e of %.0e", o->reference, worst, tolerance);
	}
	free(want.value);
	free(value);
}

/* One forward pass; all outputs from it. */
static void run(struct network *n, const struct weights *w)
{
	static float in[SIZE * SIZE * 3];
	cg_array *x = cg_array_new(n->ctx, "x", CG_FLOAT32, 4, (int64_t[]){ 1, SIZE, SIZE, 3 });
	cg_graph *g = cg_graph_new(n->ctx, CG_INFER);
	cg_tensor *out[4] = { NULL };
	cg_plan *plan = NULL;
	int outs = 0;

	picture(in);
	if (x && g && cg_array_write(x, in, sizeof(in)) == CG_OK)
		network_forward(n, cg_use(g, x));
	while (outs < 4 && w->output[outs].layer && g)
		if (!(out[outs] = cg_graph_find(g, w->output[outs].layer)))
			break;
		else
			outs++;
	if (outs)
		plan = cg_plan_new(g, out, outs);
	if (ok(plan && cg_plan_run(plan) == CG_OK, "a forward pass%s%s", *cg_error(n->ctx) ? ": " : "",
	       cg_error(n->ctx)))
		for (int i = 0; i < outs; i++)
			compare(plan, out[i], &w->output[i], w->tolerance);
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(x);
}

static void test_weights(cg_ctx *ctx, const struct weights *w)
{
	const struct model *model;
	struct model_config config;
	struct network n = { 0 };
	char path[PATH];

	shared(path, "weights/", w->file, ".safetensors");
	if (access(path, R_OK)) {
		skip("%s: not here", w->file);
		return;
	}
	if (ok(import_settings(&cli, ctx, path, &model, &config) < 0 &&
	       network_open(&n, &cli, ctx, model, &config, 1) < 0 &&
	       import_weights(&n, &cli, path, false) < 0, "%s is imported", w->file))
		run(&n, w);
	network_close(&n);
}

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
	if (ok(status == CG_OK, "a device"))
		for (size_t i = 0; i < sizeof(weights) / sizeof(*weights); i++)
			test_weights(ctx, &weights[i]);
	cg_close(ctx);
	return done();
}
