/*
 * fer-devices: the OpenCL devices of this machine, and what the library knows and chooses for each.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli.h"
#include "clgrad.h"
#include "engine.h"
#include "json.h"

enum { MAX_DEVICES = 64 };

static const struct cli_option options[] = { { "json", 0, CLI_FLAG, "false", "output", NULL,
						     "one JSON object on stdout", CLI_TRANSIENT },
	{ "help-env", 0, CLI_FLAG, "false", "output", NULL,
		"list the environment variables of the library and end", CLI_TRANSIENT },
	CLI_COMMON_OPTIONS, { .name = NULL } };

static const char *const examples[] = { "fer-devices", "fer-devices --json",
	"CG_DEVICE=gpu fer-devices", NULL };

static const struct cli_program program = {
	.name = "fer-devices",
	.synopsis = "[option]...",
	.summary = "Show the OpenCL devices, numbered as --device and CG_DEVICE take them; a star "
		   "marks the one that is taken where nothing else is said.",
	.options = options,
	.examples = examples,
	.version = engine_version,
};

/* What the library chooses on a device, or why it cannot be opened. */
struct choice {
	bool opened;
	char family[16], gemm[16], error[300];
};

static struct choice choose(const cg_device_info *d)
{
	struct choice c = { 0 };
	char device[32];
	cg_options o = { .device = device };
	cg_ctx *ctx = NULL;

	snprintf(device, sizeof(device), "%d:%d", d->platform, d->device);
	c.opened = cg_open(&o, &ctx) == CG_OK;
	if (c.opened) {
		snprintf(c.family, sizeof(c.family), "%s", cg_family(ctx));
		snprintf(c.gemm, sizeof(c.gemm), "%s", cg_gemm_backend(ctx));
	} else {
		snprintf(c.error, sizeof(c.error), "%s", ctx ? cg_error(ctx) : "out of memory");
	}
	cg_close(ctx);
	return c;
}

/* The index in the list of the device that is taken where nothing is said; -1 if none can be. */
static int taken(const cg_device_info *list, int n)
{
	cg_ctx *ctx = NULL;
	int index = -1;

	if (cg_open(NULL, &ctx) == CG_OK)
		for (int i = 0; i < n; i++)
			if (cg_device(ctx)->platform == list[i].platform &&
				cg_device(ctx)->device == list[i].device)
				index = i;
	cg_close(ctx);
	return index;
}

static double gib(uint64_t bytes)
{
	return (double)bytes / (1 << 30);
}

static void print_device(int number, const cg_device_info *d, bool is_taken)
{
	struct choice c = choose(d);

	printf("%c %d  %d:%d  %s  %s\n", is_taken ? '*' : ' ', number, d->platform, d->device,
		engine_kind(d), d->name);
	printf("     platform  %s, %s, driver %s\n", d->platform_name, d->version, d->driver);
	printf("     units     %u at %u MHz, vectors of %u floats, work-groups of up to %zu\n",
		d->compute_units, d->clock_mhz, d->vector_width, d->max_work_group);
	printf("     memory    %.1f GiB, one allocation up to %.1f GiB; local %" PRIu64 " KiB%s\n",
		gib(d->global_bytes), gib(d->max_alloc_bytes), d->local_bytes / 1024,
		d->local_is_real ? "" : ", not separate");
	printf("     fp16      %s\n", d->has_fp16 ? "yes" : "no");
	printf("     fp64      %s\n", d->has_fp64 ? "yes" : "no");
	if (c.opened)
		printf("     kernels   %s family, matrix products by %s\n", c.family, c.gemm);
	else
		printf("     kernels   none: %s\n", c.error);
}

static void json_device(struct json *j, int number, const cg_device_info *d, bool is_taken)
{
	struct choice c = choose(d);

	json_object(j, NULL);
	json_int(j, "number", number);
	json_bool(j, "default", is_taken);
	json_int(j, "platform", d->platform);
	json_int(j, "device", d->device);
	json_text(j, "kind", engine_kind(d));
	json_text(j, "name", d->name);
	json_text(j, "vendor", d->vendor);
	json_text(j, "platform_name", d->platform_name);
	json_text(j, "version", d->version);
	json_text(j, "driver", d->driver);
	json_int(j, "compute_units", d->compute_units);
	json_int(j, "clock_mhz", d->clock_mhz);
	json_int(j, "vector_width", d->vector_width);
	json_int(j, "max_work_group", (int64_t)d->max_work_group);
	json_int(j, "global_bytes", (int64_t)d->global_bytes);
	json_int(j, "max_alloc_bytes", (int64_t)d->max_alloc_bytes);
	json_int(j, "local_bytes", (int64_t)d->local_bytes);
	json_bool(j, "local_is_real", d->local_is_real);
	json_bool(j, "fp16", d->has_fp16);
	json_bool(j, "fp64", d->has_fp64);
	json_text(j, "family", c.opened ? c.family : NULL);
	json_text(j, "gemm", c.opened ? c.gemm : NULL);
	json_text(j, "error", c.opened ? NULL : c.error);
	json_end(j);
}

static void print_json(const cg_device_info *list, int n)
{
	int chosen = taken(list, n);
	struct json j;

	json_open(&j, stdout);
	json_object(&j, NULL);
	json_array(&j, "devices");
	for (int i = 0; i < n; i++)
		json_device(&j, i, &list[i], i == chosen);
	json_end(&j);
	json_end(&j);
	json_close(&j);
}

static void print_text(const cg_device_info *list, int n)
{
	int chosen = taken(list, n);

	for (int i = 0; i < n; i++)
		print_device(i, &list[i], i == chosen);
}

static int run(const struct cli *c)
{
	static cg_device_info list[MAX_DEVICES];
	int n = cg_device_list(list, MAX_DEVICES);

	if (c->n_args)
		return cli_fail(c, CLI_USAGE, "unexpected argument \"%s\"", c->args[0]);
	if (cli_flag(c, "help-env"))
		return engine_help_env();
	if (cli_flag(c, "json"))
		print_json(list, n);
	else
		print_text(list, n);
	if (fflush(stdout) || ferror(stdout))
		return cli_fail(c, CLI_RUNTIME, "standard output: %s", strerror(errno));
	return n > 0 ? CLI_OK : cli_fail(c, CLI_DEVICE, "no OpenCL device");
}

int main(int argc, char **argv)
{
	struct cli c;
	int status = cli_parse(&c, &program, argc, argv);

	if (status < 0)
		status = run(&c);
	cli_free(&c);
	return status;
}
