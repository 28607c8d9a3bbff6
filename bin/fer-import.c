/*
 * fer-import: makes a checkpoint of ours of other programs' weights.
 */
#include <string.h>

#include "engine.h"
#include "import.h"
#include "model_options.h"

enum { MAX_OPTIONS = 64 };

static const struct cli_option rows[] = {
	{ "out", 'o', CLI_TEXT, NULL, "output", "FILE", "the checkpoint", CLI_TRANSIENT },
	{ "model", 'm', CLI_TEXT, NULL, "model", "MODEL", "which model [what the names say]", 0 },
	MODEL_OPTIONS,
	{ "classes", 0, CLI_COUNT, NULL, "model", "N",
	  "another number than the file's leaves the classifier freshly drawn [the file's]", 0 },
	{ "fold", 0, CLI_FLAG, "true", "model", NULL,
	  "work the origin's normalisation of pixels into the first layer, so that images come as "
	  "our model has them", 0 },
	{ "seed", 0, CLI_INT, "42", "model", "N", "of what is freshly drawn", 0 },
	ENGINE_OPTIONS,
	CLI_COMMON_OPTIONS,
	{ .name = NULL }
};

static const char *const examples[] = {
	"fer-import vit_tiny_patch16_224.safetensors -o vit-ti.safetensors",
	"fer-import ViT-B_16.npz -o vit-b.safetensors",
	"fer-import --img-size 96 --channels 1 --classes 7 FILE -o vit-ti-96.safetensors",
	NULL
};

static const struct cli_program *import_program(void)
{
	static struct cli_option table[MAX_OPTIONS];
	static const struct cli_program program = {
		.name = "fer-import",
		.synopsis = "FILE -o CHECKPOINT [option]...",
		.summary = "Make a checkpoint of the weights of timm's and Google's vision transformers, "
			   "Gluon's, TF-Slim's and Keras's ResNet-50 v2, torchvision's AlexNet.",
		.options = table,
		.examples = examples,
		.version = engine_version,
	};
	int n = 0;

	for (; strcmp(rows[n].name, "fold"); n++)
		table[n] = rows[n];
	for (int i = model_options_rows(table, n, MAX_OPTIONS / 2), from = n; rows[from].name; i++)
		table[i] = rows[from++];
	return &program;
}

/* What the file says, with what was asked for over it. */
static int settle(const struct cli *c, cg_ctx *ctx, const struct model **model,
		  struct model_config *config)
{
	const char *name = cli_text(c, "model");
	int status = import_settings(c, ctx, c->args[0], model, config);

	if (status >= 0)
		return status;
	if (name && strcmp(name, (*model)->name))
		return cli_fail(c, CLI_CHECKPOINT, "%s: weights of %s, not of %s", c->args[0],
				(*model)->name, name);
	if (cli_given(c, "classes"))
		config->classes = cli_int(c, "classes");
	status = model_options_refuse(c, *model);
	if (status < 0)
		status = model_options_use(c, *model, config);
	return status < 0 ? model_options_check(c, *model, config) : status;
}

static int convert(const struct cli *c, cg_ctx *ctx)
{
	const struct model *model;
	struct model_config config;
	struct network n = { 0 };
	char text[MODEL_TEXT];
	int status = settle(c, ctx, &model, &config);

	if (status < 0)
		status = network_open(&n, c, ctx, model, &config, (uint64_t)cli_int(c, "seed"));
	if (status < 0)
		status = import_weights(&n, c, c->args[0], cli_flag(c, "fold"));
	if (status < 0)
		status = network_save(&n, c, cli_text(c, "out"));
	if (status < 0) {
		model_config_text(model, &config, text);
		cli_note(c, "%s: %s (%s)", cli_text(c, "out"), model->name, text);
		status = CLI_OK;
	}
	network_close(&n);
	return status;
}

static int run(const struct cli *c)
{
	cg_ctx *ctx = NULL;
	int status = engine_asked(c);

	if (status >= 0)
		return status;
	if (c->n_args != 1)
		return cli_fail(c, CLI_USAGE, "%d files given, expected one", c->n_args);
	if (!cli_text(c, "out"))
		return cli_fail(c, CLI_USAGE, "--out is missing");
	status = engine_open(c, &ctx);
	if (status < 0)
		status = convert(c, ctx);
	cg_close(ctx);
	return status;
}

int main(int argc, char **argv)
{
	struct cli cli;
	int status = cli_parse(&cli, import_program(), argc, argv);

	if (status < 0)
		status = run(&cli);
	cli_free(&cli);
	return status;
}
