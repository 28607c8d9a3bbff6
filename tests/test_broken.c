/* Kernels that write elsewhere, write too little or do not compile: the checking modes find them, and say which. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "optest.h"
#include "tap.h"

static char dir[] = "/tmp/clgrad-cl-XXXXXX";

static void path_of(const char *name, char path[256])
{
	snprintf(path, 256, "%s/%s.cl", dir, name);
}

/* Copies all kernels; of those that contain `from`, the first occurrence becomes `to`. */
static int copy_kernels(const char *from, const char *to)
{
	int changed = 0;

	for (const struct cg__cl_source *s = cg__cl_sources; s->name; s++) {
		char path[256];
		FILE *f;

		path_of(s->name, path);
		f = fopen(path, "w");
		for (const char *const *line = s->lines; f && *line; line++) {
			const char *at = changed ? NULL : strstr(*line, from);

			changed += at != NULL;
			if (at)
				fprintf(f, "%.*s%s%s", (int)(at - *line), *line, to,
					at + strlen(from));
			else
				fputs(*line, f);
		}
		if (f)
			fclose(f);
	}
	return changed;
}

static void drop_kernels(void)
{
	for (const struct cg__cl_source *s = cg__cl_sources; s->name; s++) {
		char path[256];

		path_of(s->name, path);
		remove(path);
	}
	rmdir(dir);
}

/* bias(relu(x)) with the kernels of `dir`; its status. */
static cg_status run_copy(char message[256])
{
	float values[33 * 3];
	cg_ctx *ctx;
	cg_array *x;
	cg_graph *g;
	cg_tensor *y;
	cg_plan *p;
	cg_status status;

	for (int i = 0; i < 33 * 3; i++)
		values[i] = (float)i - 40;
	cg_open(NULL, &ctx);
	x = cg_array_new(ctx, "x", CG_FLOAT32, 2, (int64_t[]){ 33, 3 });
	cg_array_write(x, values, sizeof(values));
	g = cg_graph_new(ctx, CG_INFER);
	y = cg_relu(cg_scale(cg_use(g, x), .5f));
	p = cg_plan_new(g, &y, 1);
	status = p ? cg_plan_run(p) : cg_error_status(ctx);
	if (status == CG_OK)
		status = cg_plan_read(p, y, values, sizeof(values));
	snprintf(message, 256, "%s", cg_error(ctx));
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(x);
	cg_close(ctx);
	return status;
}

static const struct broken {
	const char *what, *from, *to;
	cg_status status;
} broken[] = {
	/* The line of relu's body. */
	{ "an intact copy", "no such text", "", CG_OK },
	{ "a write one element after", "CG_MAP1(y, n, x, R = X < 0.0f ? (T)(0.0f) : X;)",
		"CG_MAP1(y, n, x, R = X < 0.0f ? (T)(0.0f) : X;) if (get_global_id(0) == 0) y[n] = 1;",
		CG_ERR_GUARD },
	{ "a write far before", "CG_MAP1(y, n, x, R = X < 0.0f ? (T)(0.0f) : X;)",
		"CG_MAP1(y, n, x, R = X < 0.0f ? (T)(0.0f) : X;) if (get_global_id(0) == 0) y[-900] = 1;",
		CG_ERR_GUARD },
	{ "an element that nobody writes", "CG_MAP1(y, n, x, R = X < 0.0f ? (T)(0.0f) : X;)",
		"CG_MAP1(y, n - 1, x, R = X < 0.0f ? (T)(0.0f) : X;)", CG_ERR_NOT_FINITE },
	{ "a text that does not compile", "CG_MAP1(y, n, x, R = X < 0.0f ? (T)(0.0f) : X;)", "y[0] = z;",
		CG_ERR_BUILD },
};

static void test_broken(void)
{
	char message[256];

	if (!mkdtemp(dir)) {
		skip("no temporary directory");
		return;
	}
	setenv("CG_CL_DIR", dir, 1);
	setenv("CG_GUARD", "1", 1);
	setenv("CG_NAN", "1", 1);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		const struct broken *b = &broken[i];
		int changed = copy_kernels(b->from, b->to);
		cg_status status = run_copy(message);

		ok(changed == (b->status != CG_OK) && status == b->status, "%s: %s %.70s", b->what,
			cg_status_text(status), message);
		ok(status == CG_OK || strstr(message, "relu") || status == CG_ERR_BUILD,
			"and it has a name");
	}
	unsetenv("CG_CL_DIR");
	unsetenv("CG_NAN");
	drop_kernels();
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	cg_close(ctx);
	if (optest_tiny())
		return skip_all("tiny sizes");
	test_broken();
	return done();
}
