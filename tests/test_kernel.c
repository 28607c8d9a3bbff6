/* Kernels: binaries from the cache, bad cache entries, failures by name. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"
#include "optest.h"
#include "tap.h"

static char dir[] = "/tmp/clgrad-cache-XXXXXX";

static double run(cg_stats *stats, cg_status *status)
{
	cg_ctx *ctx;
	float value = 3, y = 0;
	cg_array *a;
	cg_graph *g;
	cg_tensor *t;
	cg_plan *p;

	cg_open(NULL, &ctx);
	a = cg_array_new(ctx, "a", CG_FLOAT32, 1, (int64_t[]){ 1 });
	cg_array_write(a, &value, 4);
	g = cg_graph_new(ctx, CG_INFER);
	t = cg_scale(cg_use(g, a), 2);
	p = cg_plan_new(g, &t, 1);
	*status = cg_plan_run(p);
	if (*status == CG_OK)
		cg_plan_read(p, t, &y, 4);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(a);
	*stats = cg_get_stats(ctx);
	cg_close(ctx);
	return y;
}

/* Calls fn on each file of the cache; returns how many there are. */
static int each_file(void (*fn)(const char *path))
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];
	int n = 0;

	while (d && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		fn(path);
		n++;
	}
	if (d)
		closedir(d);
	return n;
}

static void leave(const char *path)
{
	(void)path;
}

static void drop(const char *path)
{
	remove(path);
}

static void flip_a_byte(const char *path)
{
	FILE *f = fopen(path, "r+b");

	fseek(f, -100, SEEK_END);
	int c = fgetc(f);
	fseek(f, -100, SEEK_END);
	fputc(c ^ 0xFF, f);
	fclose(f);
}

static void cut(const char *path)
{
	if (truncate(path, 200) != 0)
		diag("cannot cut %s", path);
}

static void test_cache(void)
{
	cg_stats s;
	cg_status status;

	ok(run(&s, &status) == 6 && s.builds == 1 && s.cache_hits == 0,
		"an empty cache: built from source");
	ok(each_file(leave) == 1, "one binary is kept");
	ok(run(&s, &status) == 6 && s.builds == 0 && s.cache_hits == 1,
		"the second time the binary is used");
	each_file(flip_a_byte);
	ok(run(&s, &status) == 6 && s.builds == 1, "a damaged binary is not trusted");
	ok(run(&s, &status) == 6 && s.builds == 0, "and was replaced");
	each_file(cut);
	ok(run(&s, &status) == 6 && s.builds == 1, "a binary cut short is not trusted");
	setenv("CG_BUILD", "-DSOMETHING=1", 1);
	ok(run(&s, &status) == 6 && s.builds == 1, "other options: another entry");
	unsetenv("CG_BUILD");
	each_file(drop);
	setenv("CG_CACHE", "off", 1);
	ok(run(&s, &status) == 6 && s.builds == 1 && each_file(leave) == 0,
		"CG_CACHE=off keeps nothing");
}

static void write_text(const char *name, const char *text)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
}

static void test_failures(void)
{
	cg_ctx *ctx;
	cl_kernel k = NULL;
	cg_stats s;
	cg_status status;

	cg_open(NULL, &ctx);
	status = cg__kernel_new(ctx, "ewise", NULL, "scale", 3, &k);
	ok(status == CG_ERR_BUILD && strstr(cg_error(ctx), "takes 4"),
		"a wrong number of arguments: %s", cg_error(ctx));
	cg_clear_error(ctx);
	status = cg__kernel_new(ctx, "ewise", NULL, "nothing", 3, &k);
	ok(status == CG_ERR_BUILD, "no such kernel: %s", cg_error(ctx));
	cg_clear_error(ctx);
	status = cg__kernel_new(ctx, "nothing", NULL, "nothing", 3, &k);
	ok(status == CG_ERR_BUILD, "no such file: %s", cg_error(ctx));
	cg_close(ctx);
	write_text("common.cl", "\n");
	write_text("ewise.cl", "__kernel void scale(\n\tnonsense);\n");
	setenv("CG_CL_DIR", dir, 1);
	run(&s, &status);
	ok(status == CG_ERR_BUILD, "a kernel that does not compile");
	cg_open(NULL, &ctx);
	cg__kernel_new(ctx, "ewise", NULL, "scale", 4, &k);
	ok(strstr(cg_error(ctx), "ewise.cl") != NULL, "the message names the file: %.60s",
		cg_error(ctx));
	cg_close(ctx);
	unsetenv("CG_CL_DIR");
	setenv("CG_FAULT", "build:1", 1);
	run(&s, &status);
	ok(status == CG_ERR_BUILD, "a build that CG_FAULT fails");
	unsetenv("CG_FAULT");
	setenv("CG_FAMILY", "vector", 1);
	status = cg_open(NULL, &ctx);
	ok(status == CG_ERR_ARGUMENT, "a bad environment variable: %s", cg_error(ctx));
	cg_close(ctx);
	unsetenv("CG_FAMILY");
	status = cg_open(&(cg_options){ "no such device" }, &ctx);
	ok(status == CG_ERR_NO_DEVICE, "a device that is not there: %s", cg_error(ctx));
	cg_close(ctx);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (ctx == NULL)
		return optest_status();
	cg_close(ctx);
	unsetenv("CG_GUARD");
	if (mkdtemp(dir) == NULL)
		return skip_all("no temporary directory");
	setenv("CG_CACHE", dir, 1);
	test_cache();
	test_failures();
	each_file(drop);
	rmdir(dir);
	return done();
}
