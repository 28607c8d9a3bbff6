/*
 * fer-predict: what a network makes of pictures: their likeliest classes (predict.c); or of a tensor: its
 * logits, or the output of any named layer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "network.h"
#include "npy.h"
#include "predict.h"
#include "rundir.h"

static const struct cli_option options[] = {
	{ "checkpoint", 'c', CLI_TEXT, NULL, "what", "FILE", "the weights", 0 },
	{ "list", 0, CLI_TEXT, NULL, "pictures", "FILE", "also those named in its lines; -: stdin", 0 },
	{ "recursive", 'r', CLI_FLAG, "false", "pictures", NULL, "of folders: those in them too", 0 },
	{ "format", 0, CLI_CHOICE, "table", "pictures", "table|csv|jsonl", "of the rows", 0 },
	{ "top", 0, CLI_COUNT, "3", "pictures", "N", "classes of a row, the likeliest first", 0 },
	{ "batch", 'b', CLI_COUNT, "64", "pictures", "N", "pictures at once", 0 },
	{ "explain", 0, CLI_CHOICE, "none", "pictures", "none|gradcam|rollout",
	  "also write each picture under the map of where the network looked", 0 },
	{ "maps", 0, CLI_TEXT, "maps", "pictures", "DIR", "folder for these", CLI_TRANSIENT },
	{ "tensor", 0, CLI_TEXT, NULL, "tensors", "FILE",
	  "the input, .npy of float32 B H W C, fed as it is (no normalisation)", 0 },
	{ "layer", 0, CLI_TEXT, "logits", "tensors", "NAME", "whose output; --list-layers", 0 },
	{ "pool", 0, CLI_CHOICE, "none", "tensors", "none|mean",
	  "mean: over height and width (of B T D: over the tokens)", 0 },
	{ "list-layers", 0, CLI_FLAG, "false", "tensors", NULL, "list the names and shapes, and end",
	  CLI_TRANSIENT },
	{ "out", 'o', CLI_TEXT, NULL, "output", "FILE", "where the rows go [stdout]; of tensors, .npy of float32",
	  CLI_TRANSIENT },
	ENGINE_OPTIONS,
	CLI_COMMON_OPTIONS,
	{ .name = NULL }
};

static const char *const examples[] = {
	"fer-predict -c runs/vgg/best.safetensors face.jpg",
	"fer-predict -c runs/vgg/best.safetensors -r --format csv photos/ >rows.csv",
	"fer-predict -c resnet.safetensors --tensor in.npy --layer stage3 --pool mean -o features.npy",
	NULL
};

static const struct cli_program program = {
	.name = "fer-predict",
	.synopsis = "-c CHECKPOINT PICTURE|FOLDER|-...",
	.summary = "Name the likeliest classes of pictures. Or feed a tensor to a trained network and "
		   "keep the output of a layer (--tensor): features for other programs.",
	.options = options,
	.examples = examples,
	.version = engine_version,
};

struct job {
	struct cli *cli;
	cg_ctx *ctx;
	struct network network;
	struct npy in, out;
	cg_array *x;
	cg_graph *graph;
	cg_plan *plan;

	struct files inputs;	/* the rest is for pictures */
	uint8_t *bytes;		/* of one that came by standard input */
	size_t size;
	struct network_origin origin;
	const char **class_names;
	char (*numbers)[12];	/* names of classes that have none */
};

/* --- tensors --- */

static int read_input(struct job *j)
{
	const char *path = cli_text(j->cli, "tensor"), *wrong;
	const struct model_config *config = &j->network.config;

	if (cli_flag(j->cli, "list-layers")) {
		j->in = (struct npy){ .ndim = 4, .shape = { 1, config->size, config->size,
							    config->channels } };
		return -1;
	}
	wrong = npy_read(path, &j->in);
	if (wrong)
		return cli_fail(j->cli, CLI_DATA, "%s: %s", path, wrong);
	if (j->in.ndim != 4 || j->in.shape[1] != config->size || j->in.shape[2] != config->size ||
	    (j->in.shape[3] != config->channels && j->in.shape[3] != 1))
		return cli_fail(j->cli, CLI_DATA, "%s: the network wants B x %lld x %lld x %lld", path,
				(long long)config->size, (long long)config->size,
				(long long)config->channels);
	return -1;
}

/* The forward pass alone. */
static int describe(struct job *j)
{
	j->x = cg_array_new(j->ctx, "input", CG_FLOAT32, 4, j->in.shape);
	j->graph = cg_graph_new(j->ctx, CG_INFER);
	if (!j->x || !j->graph || !network_forward(&j->network, cg_use(j->graph, j->x)))
		return engine_fail(j->cli, j->ctx, j->network.model->name);
	return -1;
}

static int list_layers(struct job *j)
{
	for (int i = 0; i < cg_graph_count(j->graph); i++) {
		const cg_tensor *t = cg_graph_at(j->graph, i);

		if (cg_tensor_array(t) || !*cg_tensor_name(t))
			continue;
		printf("%-24s ", cg_tensor_name(t));
		for (int d = 1; d < cg_tensor_ndim(t); d++)
			printf("%s%lld", d > 1 ? "x" : "", (long long)cg_tensor_shape(t)[d]);
		printf("\n");
	}
	return CLI_OK;
}

/* B .. C to B C; from the middle of out->value to its beginning. */
static void pool(struct npy *a)
{
	int64_t B = a->shape[0], C = a->shape[a->ndim - 1], n = a->count / B / C;

	for (int64_t b = 0; b < B; b++)
		for (int64_t c = 0; c < C; c++) {
			double sum = 0;

			for (int64_t i = 0; i < n; i++)
				sum += (double)a->value[(b * n + i) * C + c];
			/* what is overwritten here has been read: b C + c <= b n C */
			a->value[b * C + c] = (float)(sum / (double)n);
		}
	a->ndim = 2;
	a->shape[1] = C;
	a->count = B * C;
}

static int compute(struct job *j, cg_tensor *y)
{
	size_t bytes = (size_t)cg_tensor_count(y) * sizeof(float);

	j->out = (struct npy){ .ndim = cg_tensor_ndim(y), .count = cg_tensor_count(y) };
	memcpy(j->out.shape, cg_tensor_shape(y), (size_t)j->out.ndim * sizeof(*j->out.shape));
	j->out.value = malloc(bytes);
	if (!j->out.value)
		return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	j->plan = cg_plan_new(j->graph, &y, 1);
	if (!j->plan ||
	    cg_array_write(j->x, j->in.value, (size_t)j->in.count * sizeof(float)) != CG_OK ||
	    cg_plan_run(j->plan) != CG_OK || cg_plan_read(j->plan, y, j->out.value, bytes) != CG_OK)
		return engine_fail(j->cli, j->ctx, j->network.model->name);
	if (cli_is(j->cli, "pool", "mean") && j->out.ndim > 2)
		pool(&j->out);
	return -1;
}

static int predict(struct job *j)
{
	const char *layer = cli_text(j->cli, "layer"), *out = cli_text(j->cli, "out");
	cg_tensor *y = cg_graph_find(j->graph, layer);
	int status;

	if (!y || cg_tensor_array(y))
		return cli_fail(j->cli, CLI_USAGE, "--layer: %s has no \"%s\" (--list-layers)",
				j->network.model->name, layer);
	status = compute(j, y);
	if (status >= 0)
		return status;
	if (npy_write(out, &j->out))
		return cli_fail(j->cli, CLI_RUNTIME, "%s: %s", out, strerror(errno));
	return CLI_OK;
}

static int use_tensor(struct job *j)
{
	int status = read_input(j);

	if (status < 0)
		status = describe(j);
	if (status >= 0)
		return status;
	return cli_flag(j->cli, "list-layers") ? list_layers(j) : predict(j);
}

/* --- pictures --- */

/* Cuts the list of names at its commas; numbers where the file names none, or another number of them. */
static int name_classes(struct job *j)
{
	char *at = j->origin.classes;
	int32_t n = 0, classes = (int32_t)j->network.config.classes;

	j->class_names = calloc((size_t)classes, sizeof(*j->class_names));
	j->numbers = calloc((size_t)classes, sizeof(*j->numbers));
	if (!j->class_names || !j->numbers)
		return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	for (; *at && n < classes; n++) {
		j->class_names[n] = at;
		at += strcspn(at, ",");
		if (*at)
			*at++ = 0;
	}
	for (int32_t i = 0; (n < classes || *at) && i < classes; i++) {
		snprintf(j->numbers[i], sizeof(j->numbers[i]), "%d", (int)i);
		j->class_names[i] = j->numbers[i];
	}
	return -1;
}

static size_t longest(const struct files *f)
{
	size_t width = 0;

	for (int32_t i = 0; i < f->n; i++)
		if (strlen(f->name[i]) > width)
			width = strlen(f->name[i]);
	return width;
}

static int write_rows(struct job *j, FILE *file)
{
	const struct cli *c = j->cli;
	int64_t classes = j->network.config.classes, top = cli_int(c, "top"), batch = cli_int(c, "batch");
	int64_t most = classes < PREDICT_TOP ? classes : PREDICT_TOP;
	struct predict_job p = {
		.cli = c, .network = &j->network, .origin = &j->origin, .inputs = &j->inputs,
		.bytes = j->bytes, .size = j->size,
		.batch = (int32_t)(batch < j->inputs.n ? batch : j->inputs.n),
		.output = { .file = file, .top = (int)(top < most ? top : most),
			    .class_names = j->class_names, .classes = (int32_t)classes,
			    .width = longest(&j->inputs) },
	};
	int32_t failed;
	int status;

	if (explain_parse(cli_text(c, "explain"), &p.kind)) {
		p.maps = cli_text(c, "maps");
		status = rundir_folder(c, p.maps);
		if (status >= 0)
			return status;
	}
	predict_format_parse(cli_text(c, "format"), &p.output.format);
	status = predict_pictures(&p, &failed);
	if (status >= 0 || !failed)
		return status >= 0 ? status : CLI_OK;
	return cli_fail(c, CLI_SOME_FAILED, "%d of %d pictures cannot be read", (int)failed,
			(int)j->inputs.n);
}

static int use_pictures(struct job *j)
{
	const char *path = cli_text(j->cli, "out");
	FILE *file = path ? fopen(path, "w") : stdout;
	int status;

	if (!file)
		return cli_fail(j->cli, CLI_RUNTIME, "%s: %s", path, strerror(errno));
	status = write_rows(j, file);
	if (path && fclose(file) && (status == CLI_OK || status == CLI_SOME_FAILED))
		return cli_fail(j->cli, CLI_RUNTIME, "%s: %s", path, strerror(errno));
	return status;
}

/* --- the whole --- */

static bool wants_tensor(const struct cli *c)
{
	return cli_text(c, "tensor") || cli_flag(c, "list-layers");
}

static int check_options(struct job *j)
{
	const struct cli *c = j->cli;

	if (!cli_text(c, "checkpoint"))
		return cli_fail(c, CLI_USAGE, "--checkpoint is missing");
	if (wants_tensor(c)) {
		if (c->n_args)
			return cli_fail(c, CLI_USAGE, "unexpected argument \"%s\"", c->args[0]);
		if (!cli_flag(c, "list-layers") && !cli_text(c, "out"))
			return cli_fail(c, CLI_USAGE, "--tensor needs --out");
		return -1;
	}
	if (!c->n_args && !cli_text(c, "list"))
		return cli_fail(c, CLI_USAGE, "no picture given (nor --list, nor --tensor)");
	if (cli_int(c, "batch") > 65536)
		return cli_fail(c, CLI_USAGE, "--batch: \"%s\" given, expected at most 65536",
				cli_text(c, "batch"));
	return predict_inputs(&j->inputs, c, cli_text(c, "list"), cli_flag(c, "recursive"), &j->bytes,
			      &j->size);
}

static int run(struct job *j)
{
	int status = engine_asked(j->cli);

	if (status < 0)
		status = check_options(j);
	if (status < 0)
		status = engine_open(j->cli, &j->ctx);
	if (status < 0)
		status = network_load(&j->network, j->cli, j->ctx, cli_text(j->cli, "checkpoint"), NULL,
				      0);
	if (status < 0 && !wants_tensor(j->cli))
		status = network_origin(j->cli, j->ctx, cli_text(j->cli, "checkpoint"), &j->origin);
	if (status < 0 && !wants_tensor(j->cli))
		status = name_classes(j);
	if (status >= 0)
		return status;
	return wants_tensor(j->cli) ? use_tensor(j) : use_pictures(j);
}

int main(int argc, char **argv)
{
	static struct job job;
	struct cli cli;
	int status = cli_parse(&cli, &program, argc, argv);

	job.cli = &cli;
	if (status < 0) {
		status = run(&job);
		cg_plan_free(job.plan);
		cg_graph_free(job.graph);
		cg_array_free(job.x);
		network_close(&job.network);
		cg_close(job.ctx);
		free(job.in.value);
		free(job.out.value);
		files_free(&job.inputs);
		free(job.bytes);
		free(job.class_names);
		free(job.numbers);
	}
	cli_free(&cli);
	return status;
}
