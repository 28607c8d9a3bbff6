/*
 * fer-bench: how quick a model, a matrix product or a convolution is here, beside what the device can do.
 */
#include <string.h>

#include "engine.h"
#include "measure.h"
#include "model_options.h"

enum { MAX_OPTIONS = 96 };

static const struct cli_option rows[] = {
	{ "model", 'm', CLI_TEXT, NULL, "what", "MODEL", "a model: inference and training step", 0 },
	TRIAL_OPTIONS,
	MODEL_OPTIONS,
	{ "products", 0, CLI_FLAG, "true", "output", NULL,
	  "a row for each shape of product and convolution in a model", 0 },
	{ "profile", 0, CLI_FLAG, "false", "output", NULL, "a row for each node, the longest first",
	  0 },
	{ "trace", 0, CLI_TEXT, NULL, "output", "FILE",
	  "write the launches of a run as a trace that Perfetto reads", CLI_TRANSIENT },
	{ "output", 'o', CLI_CHOICE, "table", "output", "table|csv|json", "form of stdout", 0 },
	{ "rounds", 'n', CLI_COUNT, "5", "output", "N", "take medians of so many", 0 },
	ENGINE_OPTIONS,
	CLI_COMMON_OPTIONS,
	{ .name = NULL }
};

static const char *const examples[] = {
	"fer-bench -m resnet50v2 --img-size 48 -b 32",
	"fer-bench -m vit --variant ti --train --profile --trace step.json",
	"fer-bench --gemm 592x768x3072 --conv 64x11x11x128x128x3 -o csv",
	NULL
};

static const struct cli_program *bench_program(void)
{
	static struct cli_option table[MAX_OPTIONS];
	static char names[MODEL_TEXT];
	static const struct cli_program program = {
		.name = "fer-bench",
		.synopsis = "-m MODEL [option]...",
		.summary = "Time models, matrix products and convolutions on a device, beside the "
			   "arithmetic and the bandwidth that it reaches at best.",
		.options = table,
		.examples = examples,
		.version = engine_version,
	};
	int n = 0;

	model_names(names);
	for (; strcmp(rows[n].name, "products"); n++)
		table[n] = rows[n];
	table[0].arg = names;
	for (int i = model_options_rows(table, n, MAX_OPTIONS / 2), from = n; rows[from].name; i++)
		table[i] = rows[from++];
	return &program;
}

static int measure_one(struct trial *t, const struct cli *c, void *arg)
{
	unsigned parts = cli_flag(c, "profile") ? MEASURE_NODES : 0;

	if (t->network.self && cli_flag(c, "products"))
		parts |= MEASURE_PRODUCTS;
	cli_detail(c, "%s", t->name);
	return measure_trial(arg, c, t, (int)cli_int(c, "rounds"), parts);
}

static int run(const struct cli *c)
{
	const struct model *model;
	struct model_config config;
	struct measure m = { 0 };
	cg_ctx *ctx = NULL;
	int status = engine_asked(c);

	if (status < 0)
		status = trial_settle(c, &model, &config);
	if (status < 0 && cli_int(c, "rounds") > 1000)
		status = cli_fail(c, CLI_USAGE, "--rounds: \"%s\" given, expected at most 1000",
				  cli_text(c, "rounds"));
	if (status < 0)
		status = engine_open(c, &ctx);
	if (status < 0)
		status = measure_open(&m, c, ctx, cli_text(c, "trace"));
	if (status < 0)
		status = trial_each(c, ctx, model, &config, measure_one, &m);
	if (status < 0)
		status = measure_print(&m, ctx, cli_text(c, "output")) ?
			 cli_fail(c, CLI_RUNTIME, "stdout cannot be written") : CLI_OK;
	status = measure_close(&m, c, status);
	cg_close(ctx);
	return status;
}

int main(int argc, char **argv)
{
	struct cli c;
	int status = cli_parse(&c, bench_program(), argc, argv);

	if (status < 0)
		status = run(&c);
	cli_free(&c);
	return status;
}
