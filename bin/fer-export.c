/*
 * fer-export: a trained network for other programs.
 */
#include <string.h>

#include "engine.h"
#include "export.h"

static const struct cli_option options[] = {
	{ "checkpoint", 'c', CLI_TEXT, NULL, "what", "FILE", "the weights", 0 },
	{ "out", 'o', CLI_TEXT, NULL, "output", "FILE", "where they go", CLI_TRANSIENT },
	{ "format", 0, CLI_CHOICE, NULL, "output", "safetensors|onnx",
	  "of the file [what its name ends in]", 0 },
	{ "to", 0, CLI_CHOICE, "own-names", "output", "own-names|torch-names",
	  "safetensors: a checkpoint of ours without what only training needs, or names and "
	  "order of PyTorch: timm's, torchvision's", 0 },
	ENGINE_OPTIONS,
	CLI_COMMON_OPTIONS,
	{ .name = NULL }
};

static const char *const examples[] = {
	"fer-export -c runs/vgg/best.safetensors -o vgg.onnx",
	"fer-export -c runs/vit/best.safetensors --to torch-names -o vit.safetensors",
	"fer-export -c runs/vgg/last.safetensors -o small.safetensors",
	NULL
};

static const struct cli_program program = {
	.name = "fer-export",
	.synopsis = "-c CHECKPOINT -o FILE [option]...",
	.summary = "Write a trained network for other programs: ONNX, or safetensors for PyTorch.",
	.options = options,
	.examples = examples,
	.version = engine_version,
};

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && !strcmp(name + n - m, end);
}

/* -1 with *onnx set, or CLI_USAGE. */
static int find_format(const struct cli *c, bool *onnx)
{
	const char *out = cli_text(c, "out");

	*onnx = cli_text(c, "format") ? cli_is(c, "format", "onnx") : ends_in(out, ".onnx");
	if (!cli_text(c, "format") && !*onnx && !ends_in(out, ".safetensors"))
		return cli_fail(c, CLI_USAGE, "%s ends in neither .onnx nor .safetensors: --format",
				out);
	if (*onnx && cli_is(c, "to", "torch-names"))
		return cli_fail(c, CLI_USAGE, "--to torch-names is for safetensors");
	return -1;
}

static int export_checkpoint(const struct cli *c, cg_ctx *ctx, bool onnx)
{
	const char *out = cli_text(c, "out");
	struct network n = { 0 };
	int status = network_load(&n, c, ctx, cli_text(c, "checkpoint"), NULL, 0);

	if (status < 0)
		status = onnx ? export_onnx(&n, c, out) :
			 cli_is(c, "to", "torch-names") ? export_torch(&n, c, out) :
							  network_save(&n, c, out);
	if (status < 0) {
		cli_note(c, "%s: %s", out, n.model->name);
		status = CLI_OK;
	}
	network_close(&n);
	return status;
}

static int run(const struct cli *c)
{
	cg_ctx *ctx = NULL;
	bool onnx = false;
	int status = engine_asked(c);

	if (status >= 0)
		return status;
	if (c->n_args)
		return cli_fail(c, CLI_USAGE, "unexpected argument \"%s\"", c->args[0]);
	if (!cli_text(c, "checkpoint") || !cli_text(c, "out"))
		return cli_fail(c, CLI_USAGE, "--checkpoint and --out are needed");
	status = find_format(c, &onnx);
	if (status < 0)
		status = engine_open(c, &ctx);
	if (status < 0)
		status = export_checkpoint(c, ctx, onnx);
	cg_close(ctx);
	return status;
}

int main(int argc, char **argv)
{
	struct cli cli;
	int status = cli_parse(&cli, &program, argc, argv);

	if (status < 0)
		status = run(&cli);
	cli_free(&cli);
	return status;
}
