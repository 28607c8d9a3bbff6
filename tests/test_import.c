/*
 * Imports: name patterns, layouts, positions; and whole networks that are written under the names and
 * in the order of another program and read back: the same logits, whatever has to be folded.
 */
#ifdef HAVE_LIBHDF5
#include <hdf5.h>
#endif
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clgrad.h"
#include "golden.h"
#include "import.h"
#include "import_layout.h"
#include "import_names.h"
#include "network.h"
#include "tap.h"

static const struct cli_program program = { .name = "test_import" };
static const struct cli cli = { .program = &program, .verbosity = -1 };
static char path[] = "/tmp/clgrad-import-XXXXXX";

/* ---- pieces ----------------------------------------------------------------------------------- */

static void test_names(void)
{
	long number[IMPORT_NUMBERS];
	const char *rest;
	char name[IMPORT_NAME];

	ok(import_match("stage#.#.norm1.*", "stage2.13.norm1.gamma", number, &rest) &&
	   number[0] == 2 && number[1] == 13 && !strcmp(rest, "gamma"), "numbers and a rest");
	ok(import_expand("p_", "stage#1_bn(3#2+2)_*", number, rest, name) &&
	   !strcmp(name, "p_stage2_bn41_gamma"), "put into a template: %s", name);
	number[2] = 3;
	ok(import_expand("", "c(3#2+#3)", number, "", name) && !strcmp(name, "c42"), "a sum of two: %s",
	   name);
	ok(!import_match("stage#.weight", "stage2.bias", number, &rest), "another name");
	ok(!import_match("stage#.weight", "stage.weight", number, &rest), "no number");
	ok(!import_match("stem", "stem.weight", number, &rest), "a longer name");
	ok(import_match("*", "", number, &rest) && !*rest, "nothing left");
}

/* w[r,s,c,m] = its own place, in three layouts. */
static void test_layouts(void)
{
	enum { R = 2, S = 3, C = 4, M = 5, N = R * S * C * M };
	static const int64_t rscm[4] = { R, S, C, M }, oihw[4] = { M, C, R, S }, ohwi[4] = { M, R, S, C };
	float from[3][N], to[N];
	int64_t sizes[4];
	int wrong = 0;

	for (int r = 0; r < R; r++)
		for (int s = 0; s < S; s++)
			for (int c = 0; c < C; c++)
				for (int m = 0; m < M; m++) {
					float value = (float)(((r * S + s) * C + c) * M + m);

					from[IMPORT_HWIO][(int)value] = value;
					from[IMPORT_OIHW][((m * C + c) * R + r) * S + s] = value;
					from[IMPORT_OHWI][((m * R + r) * S + s) * C + c] = value;
				}
	for (int layout = 0; layout < 3; layout++) {
		layout_conv((enum import_layout)layout, from[layout], rscm, to);
		for (int i = 0; i < N; i++)
			wrong += to[i] != (float)i;
	}
	ok(!wrong, "three layouts give one");
	layout_sizes(IMPORT_OIHW, oihw, sizes);
	ok(!memcmp(sizes, rscm, sizeof(sizes)), "the sizes of OIHW");
	layout_sizes(IMPORT_OHWI, ohwi, sizes);
	ok(!memcmp(sizes, rscm, sizeof(sizes)), "and of OHWI");
	/* [M, C H W] with 2 maps of 3 places, M = 1: maps are the slow dimension there, the fast one here */
	layout_flattened((float[]){ 0, 1, 2, 3, 4, 5 }, 1, 6, 2, to);
	ok(to[0] == 0 && to[1] == 3 && to[2] == 1 && to[5] == 5, "flattened maps");
}

/* torch's interpolate(mode="bicubic", antialias=True) of ((7 i i + 3 i + 5 j j i) mod 11) / 11, 4x4. */
static void test_positions(void)
{
	static const float smaller[] = { .227786f, .146421f, .036625f, .393434f, .481385f, .315831f,
					 .482526f, .41316f, .542973f };
	static const float larger[] = { -.075548f, -.057944f, -.029919f, -.044171f, -.055967f, -.018528f,
					.004577f, .320279f, .247162f, .129017f };
	float grid[2 * 17], small[2 * 10], large[2 * 50];
	double worst = 0;

	grid[0] = 3;
	grid[1] = 4;
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++) {
			grid[2 * (1 + 4 * i + j)] = (float)((7 * i * i + 3 * i + 5 * j * j * i) % 11) / 11;
			grid[2 * (1 + 4 * i + j) + 1] = 1;
		}
	ok(layout_positions(grid, 4, 3, 2, small) && layout_positions(grid, 4, 7, 2, large),
	   "a grid of 4x4 to 3x3 and to 7x7");
	ok(small[0] == 3 && large[1] == 4, "the class token stays");
	for (int i = 0; i < 9; i++)
		worst = worse_of(worst, fabs((double)small[2 + 2 * i] - (double)smaller[i]));
	for (int i = 0; i < 10; i++)
		worst = worse_of(worst, fabs((double)large[2 + 2 * i] - (double)larger[i]));
	ok(worst < 1e-6, "interpolated as torch does, to %.1e", worst);
	worst = 0;
	for (int i = 0; i < 49; i++)
		worst = worse_of(worst, fabs((double)large[3 + 2 * i] - 1));
	ok(worst < 1e-6, "what is constant stays");
}

/* ---- whole networks ----------------------------------------------------------------------------- */

static bool net_open(struct network *n, cg_ctx *ctx, const char *model, const char *config)
{
	struct model_config c;

	return model_config_parse(model_find(model), &c, config) &&
	       network_open(n, &cli, ctx, model_find(model), &c, 1) < 0 &&
	       golden_init_params(n->params) == CG_OK;
}

static const struct import_origin *origin(const char *name)
{
	for (int i = 0; import_origins[i]; i++)
		if (!strcmp(import_origins[i]->name, name))
			return import_origins[i];
	return NULL;
}

/* [I,O] to [O,I], R S C M to O I H W; others as they are. */
static void to_torch(const float *from, int ndim, const int64_t *shape, float *to, int64_t *torch)
{
	int64_t K = 1, M = shape[ndim - 1];

	memcpy(torch, shape, (size_t)ndim * sizeof(*torch));
	if (ndim == 2) {
		K = shape[0];
		torch[0] = M;
		torch[1] = K;
	} else if (ndim == 4) {
		K = shape[0] * shape[1] * shape[2];
		torch[0] = M;
		torch[1] = shape[2];
		torch[2] = shape[0];
		torch[3] = shape[1];
	} else {
		memcpy(to, from, (size_t)(ndim == 3 ? shape[1] * M : M) * sizeof(*to));
		return;
	}
	for (int64_t m = 0; m < M; m++)
		for (int64_t k = 0; k < K; k++) {
			int64_t place = ndim == 2 ? k : k % (K / shape[2]) * shape[2] + k / (K / shape[2]);

			*to++ = from[place * M + m];
		}
}

/* Writes a network as the origin would; but for the parameter `without`. */
static bool write_as(const struct network *n, const struct import_origin *o, const char *without,
		     const char *more)
{
	cg_writer *w = cg_writer_new(n->ctx, path);

	for (int i = 0; i < cg_params_count(n->params); i++) {
		cg_array *a = cg_params_at(n->params, i);
		size_t bytes = (size_t)cg_array_count(a) * sizeof(float);
		float *from = malloc(bytes), *to = malloc(bytes);
		const struct import_rule *r = o->rules;
		int64_t shape[CG_MAX_DIM];
		long number[IMPORT_NUMBERS];
		const char *rest;
		char name[IMPORT_NAME];

		while (!import_match(r->ours, cg_array_name(a), number, &rest))
			r++;
		import_expand("net.", r->theirs, number, rest, name);
		cg_array_read(a, from, bytes);
		if (strcmp(cg_array_name(a), "pos_embed")) {
			to_torch(from, cg_array_ndim(a), cg_array_shape(a), to, shape);
		} else {
			memcpy(shape, cg_array_shape(a), 2 * sizeof(*shape));
			memcpy(to, from, bytes);
		}
		if (!without || strcmp(cg_array_name(a), without))
			cg_writer_add(w, name, CG_FLOAT32, cg_array_ndim(a), shape, to);
		free(from);
		free(to);
	}
	if (more)
		cg_writer_add(w, more, CG_FLOAT32, 1, (int64_t[]){ 1 }, &(float){ 1 });
	return cg_writer_close(w) == CG_OK;
}

/* Output of a layer for image [size,size,C], at most `max` values; their number. */
static int64_t output(struct network *n, const char *layer, int64_t C, const float *image, float *y,
		      int64_t max)
{
	int64_t shape[] = { 1, n->config.size, n->config.size, C }, count = 0;
	cg_array *a = cg_array_new(n->ctx, "x", CG_FLOAT32, 4, shape);
	cg_graph *g = cg_graph_new(n->ctx, CG_INFER);
	cg_tensor *out = NULL;
	cg_plan *plan = NULL;

	if (a && g && cg_array_write(a, image, (size_t)(shape[1] * shape[2] * C) * 4) == CG_OK &&
	    network_forward(n, cg_use(g, a)))
		out = cg_graph_find(g, layer);
	if (out && cg_tensor_count(out) <= max)
		plan = cg_plan_new(g, &out, 1);
	if (plan && cg_plan_run(plan) == CG_OK &&
	    cg_plan_read(plan, out, y, (size_t)cg_tensor_count(out) * sizeof(*y)) == CG_OK)
		count = cg_tensor_count(out);
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(a);
	return count;
}

/* |a - b| / |a| */
static double distance(const float *a, const float *b, int64_t n)
{
	double d = 0, norm = 0;

	for (int64_t i = 0; i < n; i++) {
		d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
		norm += (double)a[i] * (double)a[i];
	}
	return n ? sqrt(d / norm) : INFINITY;
}

enum { SIDE = 40, MOST = 20000 };
static float image[SIDE * SIDE * 3], normalised[SIDE * SIDE * 3], expected[MOST], found[MOST];

/* Pixels as our models have them, and as the origin does. */
static void draw(const struct import_origin *o, int64_t size, bool grey)
{
	for (int64_t i = 0; i < size * size * 3; i++) {
		int c = (int)(i % 3);
		double pixel = 127.5 + 127.5 * golden_uniform("pixel", grey ? i / 3 : i);

		image[i] = (float)((pixel - 127.5) / 127.5);
		normalised[i] = o->sd[0] > 0 ? (float)((pixel / 255 - (double)o->mean[c]) / (double)o->sd[c]) :
					       image[i];
	}
}

/* From origin's file to a network of another configuration; how far its output is from the original's. */
static double round_trip(struct network *a, const char *name, const char *config, const char *layer,
			 bool fold, bool grey)
{
	struct network b = { 0 };
	int64_t n, size = a->config.size, C;
	double result = INFINITY;

	draw(origin(name), size, grey);
	n = output(a, layer, 3, fold ? normalised : image, expected, MOST);
	if (net_open(&b, a->ctx, a->model->name, config) && import_weights(&b, &cli, path, fold) < 0) {
		C = b.config.channels;
		for (int64_t i = 0; C == 1 && i < size * size; i++)
			image[i] = image[3 * i];
		if (output(&b, layer, C, image, found, MOST) == n)
			result = distance(expected, found, n);
	}
	network_close(&b);
	return result;
}

static void test_gluon(cg_ctx *ctx)
{
	const char *rgb = "size=40 channels=3 variant=gluon divisor=16";
	const char *grey = "size=40 channels=1 variant=gluon divisor=16";
	struct network a = { 0 };
	double d;

	ok(net_open(&a, ctx, "resnet50v2", rgb) && write_as(&a, origin("gluon"), NULL, NULL),
	   "a ResNet under Gluon's names");
	d = round_trip(&a, "gluon", rgb, "stage2", false, false);
	ok(d < 1e-6, "reads back the same (%.1e)", d);
	d = round_trip(&a, "gluon", rgb, "stage2", true, false);
	ok(d < 1e-4, "with the normalisation folded too (%.1e)", d);
	d = round_trip(&a, "gluon", grey, "stage2", true, true);
	ok(d < .2, "for one channel, but for the border (%.1e)", d);
	network_close(&a);
}

static void test_timm(cg_ctx *ctx)
{
	const char *rgb = "size=32 channels=3 patch=8 depth=2 dim=128 heads=2 mlp=64";
	const char *grey = "size=32 channels=1 patch=8 depth=2 dim=128 heads=2 mlp=64";
	struct network a = { 0 };
	double d;

	ok(net_open(&a, ctx, "vit", rgb) && write_as(&a, origin("timm"), NULL, NULL),
	   "a ViT under timm's names");
	d = round_trip(&a, "timm", rgb, "logits", true, false);
	ok(d < 1e-6, "reads back the same (%.1e)", d);
	d = round_trip(&a, "timm", grey, "logits", true, true);
	ok(d < 1e-5, "summed to one channel (%.1e)", d);
	network_close(&a);
}

static void test_alexnet(cg_ctx *ctx)
{
	const char *small = "size=40 channels=3 stem-stride=1 divisor=16 fc=64";
	struct network a = { 0 };

	ok(net_open(&a, ctx, "alexnet", small) && write_as(&a, origin("torchvision"), NULL, NULL),
	   "an AlexNet under torchvision's names");
	ok(import_weights(&a, &cli, path, true) == -1, "is read");
	network_close(&a);
	ok(net_open(&a, ctx, "alexnet", "size=64 channels=3 variant=torch divisor=16 fc=64") &&
	   import_weights(&a, &cli, path, true) == CLI_CHECKPOINT, "but not as another form");
	network_close(&a);
}

/* Google's names in .npz: timm read the same file. */
static void test_npz(cg_ctx *ctx)
{
	enum { BATCH = 2, PIXELS = BATCH * 8 * 8 * 3, CLASSES = 5 };
	const char *srcdir = getenv("srcdir");
	cg_file *f = golden_open(ctx, "vit-google.safetensors");
	float *in = f ? golden_read(f, "input", PIXELS) : NULL;
	float *want = f ? golden_read(f, "logits", BATCH * CLASSES) : NULL;
	const struct model *model;
	struct model_config config;
	struct network n = { 0 };
	char npz[4096], text[MODEL_TEXT] = "";

	snprintf(npz, sizeof(npz), "%s/tests/golden/vit-google.npz", srcdir ? srcdir : ".");
	if (ok(in && want && import_settings(&cli, ctx, npz, &model, &config) < 0 &&
	       network_open(&n, &cli, ctx, model, &config, 1) < 0 &&
	       import_weights(&n, &cli, npz, true) < 0, "a ViT under Google's names, in .npz")) {
		model_config_text(model, &config, text);
		ok(strstr(text, "heads=3") && strstr(text, "gelu=tanh"), "its settings: %s", text);
		for (int b = 0; b < BATCH; b++) {
			int64_t count = output(&n, "logits", 3, in + b * PIXELS / BATCH, found, MOST);
			double d = count == CLASSES ? distance(want + b * CLASSES, found, CLASSES) :
						      INFINITY;

			ok(d < 1e-5, "timm's logits, to %.1e", d);
		}
	}
	network_close(&n);
	free(in);
	free(want);
	cg_file_close(f);
}

#ifdef HAVE_LIBHDF5
/* The groups on the way to a data set are made as they are needed. */
static bool add_h5(hid_t file, const char *name, int ndim, const int64_t *shape, const float *value)
{
	hsize_t size[CG_MAX_DIM];
	hid_t space, set, links = H5Pcreate(H5P_LINK_CREATE);
	bool good;

	for (int i = 0; i < ndim; i++)
		size[i] = (hsize_t)shape[i];
	H5Pset_create_intermediate_group(links, 1);
	space = H5Screate_simple(ndim, size, NULL);
	set = H5Dcreate2(file, name, H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
	good = H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0;
	H5Dclose(set);
	H5Sclose(space);
	H5Pclose(links);
	return good;
}

/* As model.save() of Keras 2: our order of dimensions is theirs. */
static bool write_h5(const struct network *n)
{
	const struct import_origin *o = origin("Keras");
	hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
	bool good = file >= 0;

	for (int i = 0; good && i < cg_params_count(n->params); i++) {
		cg_array *a = cg_params_at(n->params, i);
		size_t bytes = (size_t)cg_array_count(a) * sizeof(float);
		const struct import_rule *r = o->rules;
		float *value = malloc(bytes);
		long number[IMPORT_NUMBERS];
		const char *rest;
		char name[IMPORT_NAME];

		while (!import_match(r->ours, cg_array_name(a), number, &rest))
			r++;
		import_expand("model_weights/", r->theirs, number, rest, name);
		strcat(name, ":0");
		good = cg_array_read(a, value, bytes) == CG_OK &&
		       add_h5(file, name, cg_array_ndim(a), cg_array_shape(a), value);
		free(value);
	}
	good = good && add_h5(file, "optimizer_weights/m:0", 1, (int64_t[]){ 1 }, &(float){ 1 });
	return H5Fclose(file) >= 0 && good;
}

static void test_h5(cg_ctx *ctx)
{
	const char *small = "size=40 channels=3 classes=5 divisor=16";
	struct network a = { 0 };
	double d;
	FILE *f;

	ok(net_open(&a, ctx, "resnet50v2", small) && write_h5(&a), "a ResNet under Keras's names");
	d = round_trip(&a, "Keras", small, "logits", true, false);
	ok(d == 0, "reads back the same from .h5 (%.1e)", d);
	f = fopen(path, "r+b");
	ok(f && !ftruncate(fileno(f), 20000) && !fclose(f) &&
	   import_weights(&a, &cli, path, true) == CLI_CHECKPOINT, "but not cut short");
	network_close(&a);
}
#else
static void test_h5(cg_ctx *ctx)
{
	(void)ctx;
	skip("built without libhdf5");
}
#endif

static int import_into(cg_ctx *ctx, const char *config)
{
	struct network b = { 0 };
	int status = net_open(&b, ctx, "vit", config) ? import_weights(&b, &cli, path, true) : 99;

	network_close(&b);
	return status;
}

/* What must be said no to, and what is only listed. */
static void test_refusals(cg_ctx *ctx)
{
	const char *config = "size=32 channels=3 patch=8 depth=2 dim=128 heads=2 mlp=64";
	struct network a = { 0 };
	FILE *f;

	ok(net_open(&a, ctx, "vit", config), "a ViT");
	write_as(&a, origin("timm"), "blocks.1.mlp.fc1.bias", NULL);
	ok(import_into(ctx, config) == -1, "what is missing is listed, not refused");
	write_as(&a, origin("timm"), NULL, "net.extra");
	ok(import_into(ctx, config) == CLI_CHECKPOINT, "what has no place is refused");
	write_as(&a, origin("timm"), NULL, NULL);
	ok(import_into(ctx, "size=32 channels=3 patch=8 depth=2 dim=128 heads=4 mlp=64") ==
	   CLI_CHECKPOINT, "so is another number of heads");
	ok(import_into(ctx, "size=32 channels=3 patch=8 depth=2 dim=128 heads=2 mlp=96") ==
	   CLI_CHECKPOINT, "and another width");
	ok(import_into(ctx, "size=48 channels=3 patch=8 depth=2 dim=128 heads=2 mlp=64 classes=3") == -1,
	   "another size of image and number of classes are not");
	f = fopen(path, "wb");
	fputs("no weights", f);
	fclose(f);
	ok(import_into(ctx, config) == CLI_CHECKPOINT, "a file that is none");
	cg_clear_error(ctx);
	network_close(&a);
}

int main(void)
{
	cg_ctx *ctx;
	cg_status status;

	test_names();
	test_layouts();
	test_positions();
	status = cg_open(NULL, &ctx);
	if (status == CG_ERR_NO_DEVICE) {
		skip("no OpenCL device");
	} else if (ok(status == CG_OK, "a device") && mkstemp(path) >= 0) {
		test_gluon(ctx);
		test_timm(ctx);
		test_alexnet(ctx);
		test_npz(ctx);
		test_h5(ctx);
		test_refusals(ctx);
		unlink(path);
	}
	cg_close(ctx);
	return done();
}
