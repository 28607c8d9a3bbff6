#include "tune.h"

#include "ctx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* name in a tune file, field */
#define FIELDS(X) X(cpu_family) X(clblast) X(vector_width) X(group) X(groups_per_unit) \
	X(winograd) X(conv)

/* GPU family: what kernels with a work-group size of their own need, and the least that the others take */
enum { GROUP = 256, LEAST_GROUP = 64 };

/* A device is a difference laid over the generic row of its family: fields of 0 keep what was there. */
struct row {
	const char *vendor; /* a part of the device's vendor, "" for any */
	bool cpu; /* the family it is for */
	int group, groups_per_unit;
};

static const struct row rows[] = {
	{ .vendor = "", .cpu = true, .group = 64, .groups_per_unit = 64 },
	{ .vendor = "", .cpu = false, .group = 256, .groups_per_unit = 16 },
	{ .vendor = "Intel", .cpu = false, .group = 128 },
};

static cg_status read_file(cg_ctx *ctx, const char *path, struct cg__tune *t)
{
	FILE *f = fopen(path, "r");
	char line[256], name[64];
	int value, number = 0;
	cg_status status = CG_OK;

	if (f == NULL)
		return cg__fail(ctx, CG_ERR_FILE, "CG_TUNE: cannot open %s", path);
	while (status == CG_OK && fgets(line, sizeof(line), f) != NULL) {
		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%63s %d", name, &value) != 2)
			status = cg__fail(
				ctx, CG_ERR_FORMAT, "%s:%d: expected `name value`", path, number);
#define X(field) else if (strcmp(name, #field) == 0) t->field = value;
		FIELDS(X)
#undef X
		else status = cg__fail(
			ctx, CG_ERR_FORMAT, "%s:%d: unknown parameter %s", path, number, name);
	}
	fclose(f);
	return status;
}

static bool is_power_of_2(int n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

/* What kernels rely on: vector types, trees of sums. */
static cg_status check(cg_ctx *ctx, const cg_device_info *info, const struct cg__tune *t)
{
	if (t->vector_width != 4 && t->vector_width != 8 && t->vector_width != 16)
		return cg__fail(ctx, CG_ERR_FORMAT, "%s: vector_width is %d, not 4, 8 or 16",
			ctx->env.tune, t->vector_width);
	if (!is_power_of_2(t->group) || t->group < LEAST_GROUP ||
		(size_t)t->group > info->max_work_group)
		return cg__fail(ctx, CG_ERR_FORMAT,
			"%s: group is %d, not a power of 2 from %d to the device's %zu",
			ctx->env.tune, t->group, LEAST_GROUP, info->max_work_group);
	if (t->groups_per_unit < 1)
		return cg__fail(ctx, CG_ERR_FORMAT, "%s: groups_per_unit is %d, not above 0",
			ctx->env.tune, t->groups_per_unit);
	if (t->winograd < 0 || t->winograd > 3)
		return cg__fail(ctx, CG_ERR_FORMAT, "%s: winograd is %d, not 0, 1, 2 or 3",
			ctx->env.tune, t->winograd);
	if (t->conv < 0 || t->conv > 2)
		return cg__fail(ctx, CG_ERR_FORMAT, "%s: conv is %d, not 0, 1 or 2", ctx->env.tune,
			t->conv);
	return CG_OK;
}

/* Tiles of matrix products and of transpositions are 16 x 16 items, rows of softmax and loss 64, and few channels are
 * summed by groups of 1 x `group`. */
static bool has_groups(const cg_device_info *info)
{
	return info->max_work_group >= GROUP && info->max_items[0] >= GROUP &&
		info->max_items[1] >= GROUP;
}

static cg_status check_groups(cg_ctx *ctx, const cg_device_info *info, const struct cg__tune *t)
{
	if (t->cpu_family || has_groups(info))
		return CG_OK;
	return cg__fail(ctx, CG_ERR_NO_DEVICE,
		"%s: work-groups of %zu items (%zu x %zu) at most, the GPU family of kernels needs "
		"%d; CG_FAMILY=cpu needs 1",
		info->name, info->max_work_group, info->max_items[0], info->max_items[1], GROUP);
}

cg_status cg__tune_choose(cg_ctx *ctx, const cg_device_info *info, struct cg__tune *t)
{
	/* A device whose local memory is plain memory gains nothing from tiles and barriers. But Mesa's llvmpipe
	 * silently ends the loops of a work-item after 65,535 rounds in all: only short items are right there. */
	t->cpu_family = !has_groups(info) ||
		((info->is_cpu || !info->local_is_real) && !strstr(info->name, "llvmpipe"));
	if (ctx->env.family[0])
		t->cpu_family = strcmp(ctx->env.family, "cpu") == 0;
	t->clblast = !t->cpu_family;
	t->winograd = 1;
	t->conv = 0; /* which needs no memory */
	t->vector_width = info->vector_width >= 16 ? 16 : info->vector_width >= 8 ? 8 : 4;
	/* PoCL keeps what it compiled itself, and when asked for a binary compiles kernels that nobody used. */
	t->keep_binaries = strstr(info->platform_name, "Portable Computing Language") == NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];

		if (t->cpu_family != r->cpu || strstr(info->vendor, r->vendor) == NULL)
			continue;
		t->group = r->group ? r->group : t->group;
		t->groups_per_unit =
			r->groups_per_unit ? r->groups_per_unit : t->groups_per_unit;
	}
	while (t->group > 1 && (size_t)t->group > info->max_work_group)
		t->group /= 2;
	if (ctx->env.gemm[0])
		t->clblast = strcmp(ctx->env.gemm, "clblast") == 0;
	if (ctx->env.tune[0] == '\0')
		return check_groups(ctx, info, t);
	TRY(read_file(ctx, ctx->env.tune, t));
	TRY(check(ctx, info, t));
	return check_groups(ctx, info, t);
}
