/*
 * Exports: networks written with PyTorch's names come back the same; ONNX files are read again
 * field by field; and where PYTHON (default: python3) has onnxruntime, and PyTorch with timm, these
 * compute the same logits from the files (check_export.py).
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clgrad.h"
#include "export.h"
#include "golden.h"
#include "import.h"
#include "network.h"
#include "npy.h"
#include "tap.h"

enum { BATCH = 3, PATH = 4096, CLASSES = 64 };

static const struct cli_program program = { .name = "test_export" };
static const struct cli cli = { .program = &program, .verbosity = -1 };
static char folder[] = "/tmp/clgrad-export-XXXXXX";

/* How many transpositions the file needs: one to flatten maps of several places or to make them
 * tokens, four an attention. */
static const struct trial {
	const char *name, *model, *config;
	int transposes;
} trials[] = {
	{ "vgg", "vgg", "size=20 channels=3 width=4", 0 },
	{ "alexnet-face", "alexnet", "size=48 divisor=16", 1 },
	{ "alexnet-torch", "alexnet", "size=80 channels=3 variant=torch divisor=16 fc=256", 1 },
	{ "alexnet-caffe", "alexnet", "size=99 channels=3 variant=caffe divisor=16 fc=256", 1 },
	{ "resnet-keras", "resnet50v2", "size=40 channels=3 divisor=16 classes=5", 0 },
	{ "resnet-gluon", "resnet50v2", "size=48 channels=3 variant=gluon divisor=16", 0 },
	{ "resnet-tfslim", "resnet50v2", "size=40 variant=tfslim divisor=16 norms=frozen", 0 },
	{ "vit", "vit", "size=24 patch=6 depth=2 dim=40 heads=5", 9 },
	{ "vit-tanh", "vit", "size=16 channels=3 patch=8 depth=1 dim=32 heads=2 mlp=9 gelu=tanh", 5 },
};
enum { TRIALS = sizeof(trials) / sizeof(*trials) };

static char *path_of(const char *name, const char *end)
{
	static char path[PATH];

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, end);
	return path;
}

/* ---- networks
 * ----------------------------------------------------------------------------------- */

static bool net_open(struct network *n, cg_ctx *ctx, const struct trial *t)
{
	struct model_config c;

	return model_config_parse(model_find(t->model), &c, t->config) &&
	       network_open(n, &cli, ctx, model_find(t->model), &c, 1) < 0 &&
	       golden_init_params(n->params) == CG_OK;
}

/* Logits of BATCH pictures, which are kept with them if `name` is not NULL. */
static bool logits(const struct network *n, const char *name, float y[BATCH * CLASSES])
{
	struct npy in = { .ndim = 4, .shape = { BATCH, n->config.size, n->config.size,
						n->config.channels } };
	struct npy out = { .ndim = 2, .shape = { BATCH, n->config.classes }, .value = y };
	cg_array *a = cg_array_new(n->ctx, "x", CG_FLOAT32, 4, in.shape);
	cg_graph *g = cg_graph_new(n->ctx, CG_INFER);
	cg_tensor *l = network_forward(n, cg_use(g, a));
	cg_plan *plan = l ? cg_plan_new(g, &l, 1) : NULL;
	bool good;

	in.count = cg_array_count(a);
	out.count = out.shape[0] * out.shape[1];
	in.value = malloc((size_t)in.count * sizeof(float));
	for (int64_t i = 0; i < in.count; i++)
		in.value[i] = (float)golden_uniform("pixel", i);
	good = plan && cg_array_write(a, in.value, (size_t)in.count * sizeof(float)) == CG_OK &&
	       cg_plan_run(plan) == CG_OK &&
	       cg_plan_read(plan, l, y, (size_t)out.count * sizeof(float)) == CG_OK;
	if (good && name)
		good = !npy_write(path_of(name, "-in.npy"), &in) &&
		       !npy_write(path_of(name, "-out.npy"), &out);
	free(in.value);
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(a);
	return good;
}

/* The file brings its own settings, all of them. */
static void test_way_back(const struct network *n, const struct trial *t, const float *want)
{
	const char *path = path_of(t->name, ".safetensors");
	char ours[MODEL_TEXT], theirs[MODEL_TEXT] = "";
	struct network b = { 0 };
	const struct model *model;
	struct model_config config;
	float found[BATCH * CLASSES] = { 0 };
	bool good = import_settings(&cli, n->ctx, path, &model, &config) < 0;

	model_config_text(n->model, &n->config, ours);
	if (good) {
		config.image = n->config.image;
		model_config_text(model, &config, theirs);
	}
	ok(good && model == n->model && !strcmp(ours, theirs), "%s: settings come back: %s",
	   t->name, theirs);
	good = good && network_open(&b, &cli, n->ctx, model, &config, 2) < 0 &&
	       import_weights(&b, &cli, path, true) < 0 && logits(&b, NULL, found);
	ok(good && !memcmp(want, found, (size_t)(BATCH * n->config.classes) * sizeof(*want)),
	   "%s: so do the logits, bit for bit", t->name);
	network_close(&b);
}

/* ---- reading ONNX
 * --------------------------------------------------------------------------------- */

struct message {
	const unsigned char *at, *end;
};

struct field {
	int number, type;
	uint64_t value;		/* of a varint */
	struct message inner;	/* of bytes */
};

static uint64_t varint(struct message *m)
{
	uint64_t value = 0;

	for (int shift = 0; m->at < m->end && shift < 64; shift += 7) {
		value |= (uint64_t)(*m->at & 127) << shift;
		if (!(*m->at++ & 128))
			return value;
	}
	m->end = NULL;
	return 0;
}

/* False at the end; m->end is NULL where it is not a proper one. */
static bool next(struct message *m, struct field *f)
{
	uint64_t tag;

	if (m->end == NULL || m->at == m->end)
		return false;
	tag = varint(m);
	*f = (struct field){ .number = (int)(tag >> 3), .type = (int)(tag & 7) };
	if (f->type == 0) {
		f->value = varint(m);
	} else if (f->type == 2 || f->type == 5) {
		uint64_t n = f->type == 5 ? 4 : varint(m);

		if (m->end == NULL || n > (uint64_t)(m->end - m->at)) {
			m->end = NULL;
			return false;
		}
		f->inner = (struct message){ m->at, m->at + n };
		m->at += n;
	} else {
		m->end = NULL;
	}
	return m->end != NULL;
}

enum { MOST = 4096 };

/* What was found, and the names known so far. */
struct reader {
	struct message known[MOST];
	int names, nodes, transposes, wrong;
	int64_t weights;
	uint64_t ir, opset;
};

static bool same(struct message a, struct message b)
{
	return a.end - a.at == b.end - b.at && !memcmp(a.at, b.at, (size_t)(a.end - a.at));
}

static bool is_known(const struct reader *r, struct message name)
{
	for (int i = 0; i < r->names; i++)
		if (same(r->known[i], name))
			return true;
	return false;
}

static void learn(struct reader *r, struct message name)
{
	r->wrong += is_known(r, name) || r->names == MOST;
	if (r->names < MOST)
		r->known[r->names++] = name;
}

/* dims 1, type 2, name 8, raw data 9 */
static void read_weight(struct reader *r, struct message m)
{
	int64_t count = 1, element = 0, bytes = -1;

	for (struct field f; next(&m, &f);) {
		if (f.number == 1)
			count *= (int64_t)f.value;
		if (f.number == 2)
			element = f.value == 1 ? 4 : f.value == 7 ? 8 : 0;
		if (f.number == 8)
			learn(r, f.inner);
		if (f.number == 9)
			bytes = f.inner.end - f.inner.at;
	}
	r->wrong += !m.end || bytes != count * element;
	r->weights += element == 4 ? count : 0;
}

/* inputs 1, outputs 2, type 4 */
static void read_node(struct reader *r, struct message m)
{
	for (struct field f; next(&m, &f);) {
		if (f.number == 1)
			r->wrong += !is_known(r, f.inner);
		if (f.number == 2)
			learn(r, f.inner);
		if (f.number == 4)
			r->transposes += f.inner.end - f.inner.at == 9 &&
					 !memcmp(f.inner.at, "Transpose", 9);
	}
	r->nodes++;
	r->wrong += !m.end;
}

/* Parts with this number of field; nodes are 1, weights 5, inputs 11, outputs 12. */
static void read_graph(struct reader *r, struct message m, int number)
{
	struct field f, name;

	while (next(&m, &f)) {
		if (f.number != number)
			continue;
		if (number == 1)
			read_node(r, f.inner);
		else if (number == 5)
			read_weight(r, f.inner);
		else if (!next(&f.inner, &name) || name.number != 1)
			r->wrong++;
		else if (number == 11)
			learn(r, name.inner);
		else
			r->wrong += !is_known(r, name.inner);
	}
	r->wrong += !m.end;
}

/* ir version 1, graph 7, opset 8 */
static void read_model(struct reader *r, struct message m)
{
	for (struct field f, opset; next(&m, &f);) {
		if (f.number == 1)
			r->ir = f.value;
		if (f.number == 8 && next(&f.inner, &opset))
			r->opset = opset.value;
		for (int i = 0; f.number == 7 && i < 4; i++)
			read_graph(r, f.inner, (int[]){ 11, 5, 1, 12 }[i]);
	}
	r->wrong += !m.end;
}

static void test_onnx(const struct network *n, const struct trial *t)
{
	static struct reader r;
	FILE *f = fopen(path_of(t->name, ".onnx"), "rb");
	int64_t params = cg_params_size(n->params, false);
	unsigned char *bytes;
	long size;

	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	bytes = malloc((size_t)size);
	r = (struct reader){ 0 };
	if (fread(bytes, 1, (size_t)size, f) == (size_t)size)
		read_model(&r, (struct message){ bytes, bytes + size });
	fclose(f);
	ok(r.ir == 8 && r.opset == 17 && r.nodes > 0 && !r.wrong,
	   "%s: reads back, %d nodes, each input known before, each output once (%d are not)",
	   t->name, r.nodes, r.wrong);
	ok(r.weights >= params && r.weights < params + 1000, "%s: it holds %" PRId64
	   " values for %" PRId64 " parameters", t->name, r.weights, params);
	ok(r.transposes == t->transposes, "%s: %d transpositions", t->name, r.transposes);
	free(bytes);
}

/* ---- one network, and other programs
 * ---------------------------------------------------------------- */

static void test_network(cg_ctx *ctx, const struct trial *t)
{
	struct network n = { 0 };
	float y[BATCH * CLASSES];

	if (ok(net_open(&n, ctx, t) && logits(&n, t->name, y), "%s: %s", t->name, t->config)) {
		if (ok(export_torch(&n, &cli, path_of(t->name, ".safetensors")) < 0,
		       "%s: written with PyTorch's names", t->name))
			test_way_back(&n, t, y);
		if (ok(export_onnx(&n, &cli, path_of(t->name, ".onnx")) < 0, "%s: written as ONNX",
		       t->name))
			test_onnx(&n, t);
	}
	network_close(&n);
}

/* "vgg onnx 1.2e-07" or "vgg torch skip why" */
static void judge(const char *line)
{
	char name[64], what[16], error[16], *end;
	double distance;

	if (sscanf(line, "%63s %15s %15s", name, what, error) != 3) {
		ok(false, "check_export.py: %s", line);
		return;
	}
	distance = strtod(error, &end);
	if (!strcmp(error, "skip"))
		skip("%s", line);
	else
		ok(!*end && distance < 1e-4, "%s: the same logits from %s, to %s", name, what,
		   error);
}

static void test_others(void)
{
	const char *python = getenv("PYTHON"), *srcdir = getenv("srcdir");
	char command[2 * PATH], line[256];
	int lines = 0;
	FILE *f;

	python = python && *python ? python : "python3";
	snprintf(command, sizeof(command), "'%s' -c 'import numpy' 2>/dev/null", python);
	if (system(command)) {
		skip("%s has no NumPy: the files were not shown to other programs", python);
		return;
	}
	snprintf(command, sizeof(command), "'%s' '%s/tests/check_export.py' %s", python,
		 srcdir ? srcdir : ".", folder);
	f = popen(command, "r");
	for (; f && fgets(line, sizeof(line), f); lines++) {
		line[strcspn(line, "\n")] = 0;
		judge(line);
	}
	ok(f && pclose(f) == 0 && lines == 2 * TRIALS,
	   "check_export.py said something of all (%d lines)", lines);
}

static void clean(void)
{
	static const char *const ends[] = { ".onnx", ".safetensors", "-in.npy", "-out.npy" };

	for (int i = 0; i < TRIALS; i++)
		for (int k = 0; k < 4; k++)
			unlink(path_of(trials[i].name, ends[k]));
	rmdir(folder);
}

int main(void)
{
	cg_ctx *ctx;
	cg_status status = cg_open(NULL, &ctx);

	if (status == CG_ERR_NO_DEVICE) {
		cg_close(ctx);
		return skip_all("no OpenCL device");
	}
	if (ok(status == CG_OK, "a device") && mkdtemp(folder)) {
		for (int i = 0; i < TRIALS; i++)
			test_network(ctx, &trials[i]);
		test_others();
		clean();
	}
	cg_close(ctx);
	return done();
}
