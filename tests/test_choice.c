/*
 * Tuning: of three ways the quick one is taken, the wrong one never, later contexts take what the file says, and files
 * that are not ours are ignored. The ways of real products and convolutions agree.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "choice.h"
#include "ctx.h"
#include "tap.h"

enum { COUNT = 100000, SLOW = 40 };
static char folder[] = "/tmp/clgrad-choice-XXXXXX";

/* y = x, by forty copies (as usual), by one, or not at all. */
static cg_status emit(struct cg__emit *e, const cg_tensor *y)
{
	static const char *const ways[] = { "slow", "wrong", "quick" };
	const int way = cg__choose(e, "test copy", ways, 3, 0);

	if (way == 1)
		return cg__launch_zero(e, y);
	for (int i = 0; i < (way == 0 ? SLOW : 1); i++)
		TRY(cg__launch_copy(e, y->src[0], y));
	return CG_OK;
}

static const struct cg_op op = { .name = "test", .emit = emit };

/* Asks, then fails. */
static cg_status emit_failing(struct cg__emit *e, const cg_tensor *y)
{
	TRY(emit(e, y));
	return cg__fail(cg__ctx(y), CG_ERR_STATE, "test: fails");
}

static const struct cg_op failing = { .name = "failing", .emit = emit_failing };

/* Launches of a plan of the operation, its result checked; 0 on failure. */
static int launches(cg_ctx *ctx)
{
	static float value[COUNT], result[COUNT];
	int64_t n = COUNT;
	cg_array *in = cg_array_new(ctx, "in", CG_FLOAT32, 1, &n);
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y = cg__node_like(&op, cg_use(g, in), CG__SRC(cg_use(g, in)), NULL, 0);
	cg_plan *p = cg_plan_new(g, &y, 1);
	int count = 0;

	for (int i = 0; i < COUNT; i++)
		value[i] = (float)i;
	if (p && cg_array_write(in, value, sizeof(value)) == CG_OK && cg_plan_run(p) == CG_OK &&
		cg_plan_read(p, y, result, sizeof(result)) == CG_OK &&
		memcmp(value, result, sizeof(value)) == 0)
		count = cg_plan_launches(p);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(in);
	return count;
}

static bool makes_failing_plan(cg_ctx *ctx)
{
	int64_t n = COUNT;
	cg_array *in = cg_array_new(ctx, "in", CG_FLOAT32, 1, &n);
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y = cg__node_like(&failing, cg_use(g, in), CG__SRC(cg_use(g, in)), NULL, 0);
	cg_plan *p = cg_plan_new(g, &y, 1);

	cg_clear_error(ctx);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(in);
	return p != NULL;
}

/* Nodes that choices know of; they belong to graphs that may be gone. */
static int nodes_known(const cg_ctx *ctx)
{
	int nodes = 0;

	for (int i = 0; i < cg_choice_count(ctx); i++)
		nodes += ctx->choices->item[i].node != NULL;
	return nodes;
}

static int launches_with(const char *mode)
{
	cg_ctx *ctx;
	int count;

	setenv("CG_AUTOTUNE", mode, 1);
	count = cg_open(NULL, &ctx) == CG_OK ? launches(ctx) : 0;
	cg_close(ctx);
	return count;
}

static void test_tuning(void)
{
	cg_ctx *ctx;
	cg_choice c;
	cg_status status;

	ok(launches_with("off") == SLOW && launches_with("cache") == SLOW,
		"the usual way where nothing is known");
	setenv("CG_AUTOTUNE", "on", 1);
	cg_open(NULL, &ctx);
	ok(launches(ctx) == 1, "tuned: the quick one");
	ok(cg_choice_count(ctx) == 1, "one choice");
	ok(nodes_known(ctx) == 0, "of no node once the plan is made");
	ok(!makes_failing_plan(ctx) && nodes_known(ctx) == 0, "nor of one whose plan failed");
	c = cg_choice_at(ctx, 0);
	ok(!strcmp(c.key, "test copy") && c.ways == 3 && c.usual == 0 && c.taken == 2 && c.timed,
		"%s: %s instead of %s", c.key, c.way[c.taken], c.way[c.usual]);
	ok(c.seconds[2] < c.seconds[0] && isnan(c.seconds[1]), "%g instead of %g ms, the wrong not timed",
		1e3 * c.seconds[2], 1e3 * c.seconds[0]);
	ok(c.error[0] == 0 && c.error[2] == 0 && c.error[1] > .9, "the wrong one is off by %g",
		c.error[1]);
	ok(access(cg_tune_file(ctx), R_OK) == 0 && !cg_tune_note(ctx)[0], "kept in %s",
		cg_tune_file(ctx));
	cg_close(ctx);
	ok(launches_with("cache") == 1, "the next context takes it");
	ok(launches_with("off") == SLOW, "not where it is off");
	setenv("CG_CACHE", "off", 1);
	ok(launches_with("on") == SLOW, "without a cache nothing is tuned");
	setenv("CG_CACHE", folder, 1);
	setenv("CG_AUTOTUNE", "maybe", 1);
	status = cg_open(NULL, &ctx);
	ok(status == CG_ERR_ARGUMENT && strstr(cg_error(ctx), "CG_AUTOTUNE=maybe"), "%s", cg_error(ctx));
	cg_close(ctx);
}

static void path_of_file(char path[1024])
{
	cg_ctx *ctx;

	setenv("CG_AUTOTUNE", "cache", 1);
	cg_open(NULL, &ctx);
	snprintf(path, 1024, "%s", cg_tune_file(ctx));
	cg_close(ctx);
}

/* The file with `from` replaced by `to`; "" for the end: cut there. */
static void damage(const char *path, const char *from, const char *to)
{
	char text[8192], *at;
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	text[n] = '\0';
	if (f)
		fclose(f);
	at = strstr(text, from);
	f = fopen(path, "w");
	if (f && at) {
		fprintf(f, "%.*s%s", (int)(at - text), text, to);
		if (*to)
			fputs(at + strlen(from), f);
	}
	if (f)
		fclose(f);
}

static bool same_file(cg_ctx *ctx, const char *path)
{
	cg_tune(ctx, CG_AUTOTUNE_OFF, 0, 0);
	cg_tune(ctx, CG_AUTOTUNE_CACHE, 0, 0); /* finds it anew */
	return strcmp(cg_tune_file(ctx), path) == 0;
}

/* What decides how work is cut, and so what a way is. */
static void test_key_of_file(void)
{
	char path[1024];
	cg_ctx *ctx;

	path_of_file(path);
	cg_open(NULL, &ctx);
	ok(same_file(ctx, path), "the same device, the same file");
	ctx->info.compute_units++;
	ok(!same_file(ctx, path), "another one for more compute units");
	ctx->info.compute_units--;
	ctx->info.local_bytes += 1024;
	ok(!same_file(ctx, path), "and for more local memory");
	ctx->info.local_bytes -= 1024;
	ok(same_file(ctx, path), "and the first again");
	cg_close(ctx);
}

static void test_files(void)
{
	static const struct {
		const char *from, *to, *what, *note;
	} damages[] = {
		{ "driver", "chauffeur", "of another driver", "is of another device" },
		{ "test copy = ", "test copy: ", "with a line of another form", "no `key = value`" },
		{ "# end", "", "that breaks off", "breaks off" },
		{ "# end 1", "# end 7", "that lacks lines", "breaks off" },
		{ "quick", "qu\001ck", "with a control character", "no `key = value`" },
	};
	char path[1024];
	cg_ctx *ctx;

	path_of_file(path);
	for (size_t i = 0; i < sizeof(damages) / sizeof(*damages); i++) {
		launches_with("on");
		ok(launches_with("cache") == 1, "written anew");
		damage(path, damages[i].from, damages[i].to);
		setenv("CG_AUTOTUNE", "cache", 1);
		cg_open(NULL, &ctx);
		ok(launches(ctx) == SLOW && strstr(cg_tune_note(ctx), damages[i].note),
			"a file %s: %s", damages[i].what, cg_tune_note(ctx));
		cg_close(ctx);
	}
	launches_with("on");
	damage(path, "quick", "other");
	ok(launches_with("cache") == SLOW, "a way that is none is unknown");
}

/* A product with further outputs in training: GELU's slope, and the gradient of the bias beside the weight's. */
static cg_tensor *make(cg_graph *g, cg_array *const array[4])
{
	cg_tensor *y = cg_relu(cg_conv2d(cg_use(g, array[0]), cg_use(g, array[1]), 1, 1));

	y = cg_matmul(CG_RESHAPE(y, -1, 32), cg_use(g, array[2]));
	return cg_sum(cg_gelu(cg_bias(y, cg_use(g, array[3]))));
}

static void look_at_choices(const cg_ctx *ctx)
{
	int timed = 0, right = 0, ways = 0;

	for (int i = 0; i < cg_choice_count(ctx); i++) {
		cg_choice c = cg_choice_at(ctx, i);

		timed += c.timed;
		for (int k = 0; k < c.ways; k++, ways++)
			right += c.error[k] <= 2e-4;
		diag("%s: %s%s", c.key, c.way[c.taken], c.timed ? "" : ", not timed");
	}
	ok(timed >= 3 && timed == cg_choice_count(ctx), "%d choices, all timed", timed);
	ok(right == ways, "%d of %d ways agree", right, ways);
}

static int convolutions(const cg_ctx *ctx)
{
	int n = 0;

	for (int i = 0; i < cg_choice_count(ctx); i++)
		n += strncmp(cg_choice_at(ctx, i).key, "conv2d ", 7) == 0 &&
			cg_choice_at(ctx, i).ways == 3;
	return n;
}

/* Of other than two ways: sums this short are cut alike by the finer and the coarser. */
static int products_cut(const cg_ctx *ctx)
{
	int n = 0;

	for (int i = 0; i < cg_choice_count(ctx); i++)
		n += strncmp(cg_choice_at(ctx, i).key, "gemm ", 5) == 0 &&
			cg_choice_at(ctx, i).ways != 2;
	return n;
}

/* All ways of a convolution, a product and their gradients. */
static void test_operations(const char *family)
{
	static const struct {
		int ndim;
		int64_t shape[4];
	} like[4] = { { 4, { 8, 12, 12, 16 } }, { 4, { 3, 3, 16, 32 } }, { 2, { 32, 70 } },
		{ 1, { 70 } } };
	cg_ctx *ctx;
	cg_array *array[4];
	cg_graph *g;
	cg_tensor *out[4];
	cg_plan *p;

	setenv("CG_FAMILY", family, 1);
	cg_open(NULL, &ctx);
	cg_tune(ctx, CG_AUTOTUNE_ON, .01, 1e6); /* building kernels takes long on a machine at work */
	g = cg_graph_new(ctx, CG_TRAIN);
	for (int i = 0; i < 4; i++) {
		array[i] = cg_array_new(ctx, "array", CG_FLOAT32, like[i].ndim, like[i].shape);
		cg_want_grad(cg_use(g, array[i]));
	}
	cg_backward(make(g, array), NULL);
	for (int i = 0; i < 4; i++)
		out[i] = cg_grad(cg_use(g, array[i]));
	p = cg_plan_new(g, out, 4);
	ok(p && cg_plan_run(p) == CG_OK && cg_finish(ctx) == CG_OK, "a tuned plan runs%s",
		cg_error(ctx));
	look_at_choices(ctx);
	if (!ctx->tune.cpu_family) {
		ok(products_cut(ctx) == 0, "products: ours, or CLBlast's");
		ok(convolutions(ctx) == 3, "y, dx and dw: gathered, in large tiles, or copied");
	}
	cg_plan_free(p);
	cg_graph_free(g);
	for (int i = 0; i < 4; i++)
		cg_array_free(array[i]);
	cg_close(ctx);
	unsetenv("CG_FAMILY");
}

/* Bytes that a product by CLBlast takes beside its operands: the copies that its kernel for large ones wants. */
static uint64_t scratch(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, 2, (int64_t[]){ 70, 80 });
	cg_array *b = cg_array_new(ctx, "b", CG_FLOAT32, 2, (int64_t[]){ 80, 90 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y = cg_matmul(cg_use(g, a), cg_use(g, b));
	cg_plan *p = cg_plan_new(g, &y, 1);
	uint64_t bytes = p ? cg_plan_peak(p) : 0;

	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(b);
	return bytes;
}

/* What a new context computes with, in a process that uses `set`. */
static uint64_t scratch_after(const cg_gemm_set *set)
{
	cg_ctx *ctx;
	uint64_t bytes;

	cg_open(NULL, &ctx);
	cg_gemm_use(ctx, set);
	cg_close(ctx);
	cg_open(NULL, &ctx);
	bytes = scratch(ctx);
	cg_close(ctx);
	return bytes;
}

/* CLBlast's parameters: taken, kept, taken again by the next context, and refused where some lack. */
static void test_sets(void)
{
	const cg_gemm_set large = { "GemmRoutine", "XGEMM_MIN_INDIRECT_SIZE=64" };
	const cg_gemm_set small = { "GemmRoutine", "XGEMM_MIN_INDIRECT_SIZE=1024" };
	const cg_gemm_set other = { "GemmRoutine", "XGEMM_MIN_INDIRECT_SIZE=65" };
	const cg_gemm_set partial = { "Xgemm", "MWG=64" }, odd = { "Xgemm", "MWG" };
	uint64_t before, after;
	char path[1024];
	cg_ctx *ctx;

	setenv("CG_FAMILY", "gpu", 1);
	setenv("CG_AUTOTUNE", "cache", 1);
	path_of_file(path);
	cg_open(NULL, &ctx);
	ok(cg_gemm_use(ctx, &small) == CG_OK, "a set is used");
	before = scratch(ctx);
	ok(cg_gemm_use(ctx, &large) == CG_OK && cg_gemm_keep(ctx, &large) == CG_OK, "another is kept");
	after = scratch(ctx);
	ok(after > before, "and in use: scratch of %d instead of %d bytes", (int)after, (int)before);
	ok(cg_gemm_keep(ctx, &other) == CG_ERR_ARGUMENT, "%s", cg_error(ctx));
	cg_clear_error(ctx);
	ok(cg_gemm_use(ctx, &partial) == CG_ERR_GEMM, "%s", cg_error(ctx));
	cg_clear_error(ctx);
	ok(cg_gemm_use(ctx, &odd) == CG_ERR_FORMAT, "%s", cg_error(ctx));
	cg_close(ctx);
	ok(scratch_after(&small) == after, "the next context uses what was kept");
	damage(path, "SIZE=64", "SIZE=65");
	ok(scratch_after(&small) == before, "but nothing that is none of the sets");
	unsetenv("CG_FAMILY");
}

/* CLBlast knows each set's parameters by name. */
static void test_names(void)
{
	cg_ctx *ctx;

	cg_open(NULL, &ctx);
	for (int i = 0; i < cg_gemm_set_count(); i++) {
		const cg_gemm_set set = cg_gemm_set_at(i);

		ok(cg_gemm_use(ctx, &set) == CG_OK, "%s, set %d %s", set.kernel, i, cg_error(ctx));
		cg_clear_error(ctx);
	}
	cg_close(ctx);
}

static void remove_folder(void)
{
	DIR *d = opendir(folder);
	char path[512];

	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%.255s", folder, e->d_name);
			remove(path);
		}
	if (d)
		closedir(d);
	rmdir(folder);
}

int main(void)
{
	cg_ctx *ctx;
	bool open = cg_open(NULL, &ctx) == CG_OK;

	cg_close(ctx);
	if (!open) {
		skip("no OpenCL device");
		return done();
	}
	if (mkdtemp(folder) == NULL)
		return 1;
	setenv("CG_CACHE", folder, 1);
	unsetenv("CG_GEMM"); /* which leaves no choice where it says clblast */
	test_tuning();
	test_key_of_file();
	test_files();
	test_operations("cpu");
	test_operations("gpu");
	test_sets();
	test_names();
	remove_folder();
	return done();
}
