/*
 * fer-eval: measures a checkpoint on a split of the data.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agreement.h"
#include "engine.h"
#include "evaluate.h"
#include "figures.h"
#include "infer.h"
#include "rundir.h"
#include "source.h"

static const struct cli_option options[] = {
	{ "checkpoint", 'c', CLI_TEXT, NULL, "what", "FILE", "best.safetensors of a run", 0 },
	SOURCE_OPTIONS,
	{ "split", 0, CLI_CHOICE, "private", "what", "private|public|train|all",
	  "which rows; all: one evaluation for each split", 0 },
	{ "seed", 0, CLI_INT, "42", "data", "N", "of the drawn faces, and of the bootstrap", 0 },

	{ "tta", 0, CLI_CHOICE, "none", "how", "none|flip|tencrop",
	  "mean logits with the mirror image, or with five crops and their mirror images", 0 },
	{ "temperature", 0, CLI_TEXT, "1", "how", "auto|T",
	  "divide logits by T; auto: the best one on PublicTest", 0 },
	{ "bootstrap", 0, CLI_INT, "1000", "how", "N",
	  "resamples for 95 % intervals of F1 and AUC; 0: none", 0 },
	{ "batch-size", 'b', CLI_COUNT, "64", "how", "N", "images at once", 0 },

	{ "format", 0, CLI_CHOICE, "table", "output", "table|csv|json|md", "of stdout", 0 },
	{ "json", 0, CLI_FLAG, "false", "output", NULL, "the same as --format json",
	  CLI_TRANSIENT },
	{ "out", 'o', CLI_TEXT, NULL, "output", "DIR",
	  "also write metrics.json, confusion.csv, predictions.csv and figures there", CLI_TRANSIENT },
	{ "min-acc", 0, CLI_FRACTION, NULL, "output", "A",
	  "exit status 7 where accuracy is below A", 0 },
	{ "progress", 0, CLI_CHOICE, "auto", "output", "auto|bar|plain|none", "what stderr shows",
	  CLI_TRANSIENT },
	ENGINE_OPTIONS,
	CLI_COMMON_OPTIONS,
	{ .name = NULL }
};

static const char *const examples[] = {
	"fer-eval -c runs/vgg/best.safetensors -d fer2013.csv.gz",
	"fer-eval -c runs/vgg/best.safetensors -d fer2013.csv.gz --tta flip --temperature auto",
	"fer-eval -c runs/vgg/best.safetensors -d synth --split public --format json",
	NULL
};

static const struct cli_program program = {
	.name = "fer-eval",
	.synopsis = "-c CHECKPOINT -d DATA [option]...",
	.summary = "Measure a trained network: accuracy with its interval, precision, recall, F1, "
		   "AUC, confusion matrix; on all rows and without twins of training images.",
	.options = options,
	.examples = examples,
	.version = engine_version,
};

struct job {
	struct cli *cli;
	cg_ctx *ctx;
	struct dataset data;
	struct agreement_votes votes;
	struct network network;
	cg_array *images;
	struct progress progress;
	enum infer_tta tta;
	double temperature;	/* 0: to be found */
};

/* What one split gave. */
struct result {
	struct data_rows rows;
	float *logits;
	double *p;
	struct report_evaluation evaluation;
};

static void free_result(struct result *r)
{
	data_rows_free(&r->rows);
	free(r->logits);
	free(r->p);
}

static int check_options(struct job *j)
{
	const char *t = cli_text(j->cli, "temperature");
	char *end;

	if (j->cli->n_args)
		return cli_fail(j->cli, CLI_USAGE, "unexpected argument \"%s\"", j->cli->args[0]);
	if (!cli_text(j->cli, "checkpoint"))
		return cli_fail(j->cli, CLI_USAGE, "--checkpoint is missing: best.safetensors of a run");
	infer_tta_parse(cli_text(j->cli, "tta"), &j->tta);
	j->temperature = 0;
	if (!strcmp(t, "auto"))
		return -1;
	j->temperature = strtod(t, &end);
	if (*end || end == t || !(j->temperature > 0) || isinf(j->temperature))
		return cli_fail(j->cli, CLI_USAGE,
				"--temperature: \"%s\" given, expected auto or a number above 0", t);
	return -1;
}

/* Votes to compare with; where they are the labels there is nothing to compare. */
static int read_votes(struct job *j)
{
	const char *path = cli_text(j->cli, "ferplus");
	struct data_error error;
	enum data_status status;

	if (!path || !cli_is(j->cli, "labels", "fer"))
		return -1;
	status = agreement_read(&j->votes, &j->data, path, &error);
	if (status == DATA_OK)
		return -1;
	return cli_fail(j->cli, status == DATA_MEMORY ? CLI_RUNTIME : CLI_DATA, "%s", error.text);
}

static int open_all(struct job *j)
{
	int status = engine_open(j->cli, &j->ctx);

	if (status < 0)
		status = source_load_for(j->cli, &j->data, j->ctx, cli_text(j->cli, "checkpoint"));
	if (status < 0)
		status = read_votes(j);
	if (status < 0)
		status = network_load(&j->network, j->cli, j->ctx, cli_text(j->cli, "checkpoint"),
				      j->data.class_names, j->data.classes);
	if (status >= 0)
		return status;
	if (!network_sees(&j->network.config, j->data.h, j->data.w, j->data.channels))
		return cli_fail(j->cli, CLI_CHECKPOINT, "%s: is for %dx%dx%d, the images are %dx%dx%d",
				cli_text(j->cli, "checkpoint"), (int)j->network.config.size,
				(int)j->network.config.size, (int)j->network.config.channels,
				(int)j->data.h, (int)j->data.w, (int)j->data.channels);
	j->images = infer_images(j->ctx, &j->data);
	progress_init(&j->progress, cli_text(j->cli, "progress"),
		      j->cli->verbosity < 0 ? NULL : stderr, NULL);
	return j->images ? -1 : engine_fail(j->cli, j->ctx, "images");
}

/* --- measuring --- */

static int compute_logits(struct job *j, enum data_split split, struct result *r)
{
	struct data_filter labelled = { .without = FLAW_NO_LABEL };
	static const int views[] = { 1, 2, 10 };
	int status = source_rows(j->cli, &j->data, split, &labelled, &r->rows);
	size_t count;

	if (status >= 0)
		return status;
	count = (size_t)r->rows.n * (size_t)j->data.classes;
	r->logits = calloc(count, sizeof(*r->logits));
	r->p = calloc(count, sizeof(*r->p));
	if (!r->logits || !r->p)
		return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	progress_begin(&j->progress, (int64_t)r->rows.n * views[j->tta], data_split_names[split]);
	status = infer_mean(j->cli, &j->network, j->images, (int32_t)cli_int(j->cli, "batch-size"),
			    j->tta, r->rows.row, r->rows.n, r->logits, &j->progress);
	progress_end(&j->progress);
	return status;
}

static int find_temperature(struct job *j)
{
	struct result r = { 0 };
	int status = compute_logits(j, SPLIT_PUBLIC, &r);
	uint8_t *label = status < 0 ? evaluate_labels(&j->data, &r.rows) : NULL;

	if (status < 0 && !label)
		status = cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	if (status < 0)
		j->temperature = metrics_temperature(r.logits, label, r.rows.n, j->data.classes);
	free(label);
	free_result(&r);
	return status;
}

static int measure(struct job *j, enum data_split split, struct result *r)
{
	double begun = progress_clock(), seconds;
	int status = compute_logits(j, split, r);

	if (status >= 0)
		return status;
	seconds = progress_clock() - begun;
	r->evaluation = (struct report_evaluation){
		.model = j->network.model->name,
		.checkpoint = cli_text(j->cli, "checkpoint"),
		.data = cli_text(j->cli, "data"),
		.split = data_split_names[split],
		.tta = cli_text(j->cli, "tta"),
		.seconds = seconds,
		.img_per_s = r->rows.n / seconds,
	};
	if (evaluate(&r->evaluation, r->p, r->logits, &j->data, &r->rows, j->temperature,
		     (int)cli_int(j->cli, "bootstrap"), (uint64_t)cli_int(j->cli, "seed")) ||
	    (j->votes.label &&
	     agreement_measure(&r->evaluation, r->p, &j->data, &r->rows, &j->votes)))
		return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	return -1;
}

/* --- output --- */

/* With several splits the files of each carry its name. */
static int write_files(const struct job *j, const struct result *r, int n)
{
	const char *dir = cli_text(j->cli, "out");
	struct report_evaluation all[SPLITS];
	char path[RUNDIR_PATH], name[64];
	int failed, status;

	if (!dir)
		return -1;
	status = rundir_folder(j->cli, dir);
	if (status >= 0)
		return status;
	for (int i = 0; i < n; i++)
		all[i] = r[i].evaluation;
	failed = report_metrics_json(rundir_path(path, dir, "metrics.json"), all, n);
	for (int i = 0; i < n && !failed; i++) {
		const char *split = n > 1 ? r[i].evaluation.split : "", *dash = n > 1 ? "-" : "";

		snprintf(name, sizeof(name), "confusion%s%s.csv", dash, split);
		failed = report_confusion(rundir_path(path, dir, name), &r[i].evaluation.all,
					  j->data.class_names);
		snprintf(name, sizeof(name), "predictions%s%s.csv", dash, split);
		if (!failed)
			failed = report_predictions(rundir_path(path, dir, name), &j->data,
						    &r[i].rows, r[i].p);
		if (!failed)
			failed = figures_evaluation(dir, n > 1 ? split : NULL,
						    &r[i].evaluation.all, r[i].p, &j->data,
						    &r[i].rows, path);
	}
	return failed ? cli_fail(j->cli, CLI_RUNTIME, "%s: cannot be written", path) : -1;
}

static int print(const struct job *j, const struct result *r, int n)
{
	struct report_evaluation all[SPLITS];
	enum report_format format = REPORT_JSON;

	for (int i = 0; i < n; i++)
		all[i] = r[i].evaluation;
	if (!cli_flag(j->cli, "json"))
		report_format_parse(cli_text(j->cli, "format"), &format);
	if (report_print(stdout, format, all, n))
		return cli_fail(j->cli, CLI_RUNTIME, "stdout cannot be written");
	for (int i = 0; i < n && cli_text(j->cli, "min-acc"); i++)
		if (all[i].all.accuracy < cli_real(j->cli, "min-acc"))
			return cli_fail(j->cli, CLI_BELOW_MIN, "accuracy %.4f on %s is below %s",
					all[i].all.accuracy, all[i].split,
					cli_text(j->cli, "min-acc"));
	return CLI_OK;
}

static int run(struct job *j)
{
	static const enum data_split splits[] = { SPLIT_TRAIN, SPLIT_PUBLIC, SPLIT_PRIVATE };
	const char *word = cli_text(j->cli, "split");
	struct result r[SPLITS] = { 0 };
	int n = 0, status = engine_asked(j->cli);

	if (status < 0)
		status = check_options(j);
	if (status < 0)
		status = open_all(j);
	if (status < 0 && !j->temperature)
		status = find_temperature(j);
	for (int i = 0; i < SPLITS && status < 0; i++) {
		static const char *const words[] = { "train", "public", "private" };

		if (!strcmp(word, "all") || !strcmp(word, words[i]))
			status = measure(j, splits[i], &r[n++]);
	}
	if (status < 0)
		status = write_files(j, r, n);
	if (status < 0)
		status = print(j, r, n);
	for (int i = 0; i < n; i++)
		free_result(&r[i]);
	return status;
}

int main(int argc, char **argv)
{
	static struct job job;
	struct cli cli;
	int status = cli_parse(&cli, &program, argc, argv);

	job.cli = &cli;
	if (status < 0) {
		status = run(&job);
		cg_array_free(job.images);
		network_close(&job.network);
		agreement_free(&job.votes);
		data_free(&job.data);
		cg_close(job.ctx);
	}
	cli_free(&cli);
	return status;
}
