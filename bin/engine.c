#include "engine.h"

#include <string.h>

enum { MAX_DEVICES = 64 };

const char *engine_kind(const cg_device_info *d)
{
	return d->is_gpu ? "gpu" : d->is_cpu ? "cpu" : "other";
}

static int list_devices(void)
{
	static cg_device_info list[MAX_DEVICES];
	int n = cg_device_list(list, MAX_DEVICES);

	if (!n)
		printf("no OpenCL device\n");
	for (int i = 0; i < n && i < MAX_DEVICES; i++)
		printf("%d  %d:%d  %-5s  %s  [%s, %s]  %.1f GiB\n", i, list[i].platform,
		       list[i].device, engine_kind(&list[i]), list[i].name, list[i].platform_name,
		       list[i].driver, (double)list[i].global_bytes / (1 << 30));
	return CLI_OK;
}

int engine_help_env(void)
{
	cg_ctx *ctx;

	cg_open(NULL, &ctx);
	cg_print_env_help(ctx, stdout);
	cg_close(ctx);
	return CLI_OK;
}

int engine_asked(const struct cli *c)
{
	if (cli_flag(c, "list-devices"))
		return list_devices();
	return cli_flag(c, "help-env") ? engine_help_env() : -1;
}

int engine_open(const struct cli *c, cg_ctx **ctx)
{
	cg_options options = { .device = cli_text(c, "device") };
	int status;

	if (cg_open(&options, ctx) == CG_OK) {
		if (*cg_tune_note(*ctx))
			cli_warn(c, "%s", cg_tune_note(*ctx));
		return -1;
	}
	status = *ctx ? engine_fail(c, *ctx, "device") : cli_fail(c, CLI_RUNTIME, "out of memory");
	cg_close(*ctx);
	*ctx = NULL;
	return status;
}

static int exit_code(cg_status status)
{
	switch (status) {
	case CG_ERR_NO_DEVICE:
	case CG_ERR_BUILD:
		return CLI_DEVICE;
	case CG_ERR_NOT_FINITE:
		return CLI_NOT_FINITE;
	default:
		return CLI_RUNTIME;
	}
}

int engine_fail(const struct cli *c, const cg_ctx *ctx, const char *what)
{
	const char *text = cg_error(ctx);
	cg_status status = cg_error_status(ctx);

	if (!*text)
		text = cg_status_text(status == CG_OK ? CG_ERR_HOST_MEMORY : status);
	if (!strncmp(text, what, strlen(what)))	/* a file's name is in the text already */
		return cli_fail(c, exit_code(status), "%s", text);
	return cli_fail(c, exit_code(status), "%s: %s", what, text);
}

void engine_version(FILE *out)
{
	static cg_device_info list[MAX_DEVICES];
	int n = cg_device_list(list, MAX_DEVICES);

	fprintf(out, "clgrad %s\n", cg_version());
	for (int i = 0; i < n && i < MAX_DEVICES; i++)
		if (!i || list[i].platform != list[i - 1].platform)
			fprintf(out, "%s: %s, driver %s\n", list[i].platform_name, list[i].version,
				list[i].driver);
}
