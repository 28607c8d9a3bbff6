/* From the facts of a device to its parameters: families and work-groups, and files that kernels cannot take. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"
#include "tap.h"

/* A GPU of the given work-groups. */
static cg_device_info gpu(size_t group, size_t across, size_t down)
{
	return (cg_device_info){ .name = "toy",
		.vendor = "nobody",
		.is_gpu = true,
		.local_is_real = true,
		.vector_width = 1,
		.max_work_group = group,
		.max_items = { across, down } };
}

/* "cpu", "gpu" or the error's text */
static const char *family_of(const char *forced, cg_device_info info)
{
	static struct cg_ctx ctx;
	struct cg__tune t;

	memset(&ctx, 0, sizeof(ctx));
	strcpy(ctx.env.family, forced);
	if (cg__tune_choose(&ctx, &info, &t) != CG_OK)
		return cg_error_status(&ctx) == CG_ERR_NO_DEVICE ? cg_error(&ctx) : "?";
	return t.cpu_family ? "cpu" : "gpu";
}

static void test_groups(void)
{
	const char *text;

	ok(!strcmp(family_of("", gpu(256, 256, 256)), "gpu"), "work-groups of 256 items: gpu");
	ok(!strcmp(family_of("", gpu(1024, 1024, 1024)), "gpu"), "of 1024: gpu");
	ok(!strcmp(family_of("", gpu(128, 128, 128)), "cpu"), "of 128: cpu");
	ok(!strcmp(family_of("", gpu(256, 256, 64)), "cpu"), "of 256 x 64 at most: cpu");
	ok(!strcmp(family_of("", gpu(256, 128, 256)), "cpu"), "of 128 x 256 at most: cpu");
	ok(!strcmp(family_of("cpu", gpu(1, 1, 1)), "cpu"), "of 1, forced to cpu: cpu");
	text = family_of("gpu", gpu(128, 512, 64));
	ok(strstr(text, "toy: work-groups of 128 items (512 x 64)") && strstr(text, "256"),
		"of 128, forced to gpu: %s", text);
}

/* Rows of a table laid over the generic one: what they lack stays. */
static void test_rows(void)
{
	static struct cg_ctx ctx;
	cg_device_info nobodys = gpu(256, 256, 256), intel = nobodys;
	struct cg__tune t = { 0 }, u = { 0 };
	bool good;

	memset(&ctx, 0, sizeof(ctx));
	strcpy(intel.vendor, "Intel(R) Corporation");
	good = cg__tune_choose(&ctx, &nobodys, &t) == CG_OK;
	ok(good && t.group == 256 && t.groups_per_unit == 16,
		"any GPU: groups of %d, %d a unit", t.group, t.groups_per_unit);
	good = cg__tune_choose(&ctx, &intel, &u) == CG_OK;
	ok(good && u.group == 128 && u.groups_per_unit == 16,
		"Intel's: groups of %d, %d a unit", u.group, u.groups_per_unit);
	strcpy(ctx.env.family, "cpu");
	good = cg__tune_choose(&ctx, &intel, &u) == CG_OK;
	ok(good && u.group == 64 && u.groups_per_unit == 64,
		"as a CPU: groups of %d, %d a unit", u.group, u.groups_per_unit);
}

/* On the default device. */
static void test_files(void)
{
	static const char *const wrong[] = { "vector_width 12", "group 100", "group 32", "winograd -1",
		"group 1073741824", "winograd 9", "conv 3", "conv -1", "groups_per_unit 0", "warp 32" };
	char path[] = "/tmp/clgrad-tune-XXXXXX";
	int file = mkstemp(path);

	if (file >= 0)
		close(file);
	setenv("CG_TUNE", path, 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		FILE *f = fopen(path, "w");
		cg_status status;
		cg_ctx *ctx;

		if (f) {
			fprintf(f, "%s\n", wrong[i]);
			fclose(f);
		}
		status = cg_open(NULL, &ctx);
		ok(status == CG_ERR_FORMAT, "a parameter that kernels cannot take: %s",
			cg_error(ctx));
		cg_close(ctx);
	}
	unsetenv("CG_TUNE");
	remove(path);
}

int main(void)
{
	cg_ctx *ctx;
	cg_status status = cg_open(NULL, &ctx);

	cg_close(ctx);
	test_groups();
	test_rows();
	if (status == CG_OK)
		test_files();
	else
		skip("no OpenCL device");
	return done();
}
