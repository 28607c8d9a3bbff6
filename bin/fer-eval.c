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
#include "readback.h"
#include "rundir.h"
#include "source.h"

static const struct cli_option options[] = {
	{ "checkpoint", 'c', CLI_TEXT, NULL, "what", "FILE",
	  "best.safetensors of a run; given several times: the mean of their probabilities",
	  CLI_MANY },
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
	{ "compare", 0, CLI_TEXT, NULL, "output", "FILE",
	  "McNemar's test against the predictions.csv beside this metrics.json", CLI_TRANSIENT },
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
	"fer-eval -c runs/vgg/best.safetensors -c runs/vit/best.safetensors -d fer2013.csv.gz",
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

/* What one split gives. */
struct result {
	enum data_split split;
	bool asked;		/* else only the temperature is found on it */
	struct data_rows rows;
	uint8_t *label;
	float *logits;		/* of several networks: log of their mean probabilities */
	double *p, *sum;	/* sum: of the networks' probabilities so far */
	struct report_member *member;
	double seconds;
	struct report_evaluation evaluation;
};

struct job {
	struct cli *cli;
	cg_ctx *ctx;
	struct dataset data;
	struct agreement_votes votes;
	cg_array *images;
	struct network_origin origin;	/* what the first network wants of the images */
	struct progress progress;
	enum infer_tta tta;
	double temperature;	/* 0: to be found */
	int members;
	char name[1024];	/* of all checkpoints */
	const char *model;	/* of all; "ensemble" where they differ */
	int64_t parameters;	/* of all together */
	struct result result[SPLITS];
	int results;
};

static void free_result(struct result *r)
{
	data_rows_free(&r->rows);
	free(r->label);
	free(r->logits);
	free(r->p);
	free(r->sum);
	free(r->member);
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

static int out_of_memory(const struct job *j)
{
	return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
}

/* The data as a network wants to see them, and its wishes. */
static int load_data(struct job *j, int member, struct dataset *d, cg_array **images,
		     struct network_origin *origin)
{
	char path[RUNDIR_PATH];
	int status;

	cli_item(j->cli, "checkpoint", member, path, sizeof(path));
	status = network_origin(j->cli, j->ctx, path, origin);
	if (status >= 0)
		return status;
	if (member && origin->side == j->origin.side && origin->channels == j->origin.channels &&
	    origin->enlarges == j->origin.enlarges)
		return -1;	/* those that are there will do */
	status = source_load_for(j->cli, d, j->ctx, path);
	if (status >= 0)
		return status;
	*images = infer_images(j->ctx, d);
	return *images ? -1 : engine_fail(j->cli, j->ctx, "images");
}

static int open_all(struct job *j)
{
	char path[RUNDIR_PATH];
	int status = engine_open(j->cli, &j->ctx);

	if (status < 0)
		status = load_data(j, 0, &j->data, &j->images, &j->origin);
	if (status < 0)
		status = read_votes(j);
	if (status >= 0)
		return status;
	while (cli_item(j->cli, "checkpoint", j->members, path, sizeof(path))) {
		size_t n = strlen(j->name);

		snprintf(j->name + n, sizeof(j->name) - n, "%s%s", n ? ", " : "", path);
		j->members++;
	}
	progress_init(&j->progress, cli_text(j->cli, "progress"),
		      j->cli->verbosity < 0 ? NULL : stderr, NULL);
	return -1;
}

/* Room for what a split gives. */
static int open_result(struct job *j, enum data_split split, bool asked)
{
	struct data_filter labelled = { .without = FLAW_NO_LABEL };
	struct result *r = &j->result[j->results++];
	int status = source_rows(j->cli, &j->data, split, &labelled, &r->rows);
	size_t count = (size_t)r->rows.n * (size_t)j->data.classes;

	if (status >= 0)
		return status;
	r->split = split;
	r->asked = asked;
	r->label = evaluate_labels(&j->data, &r->rows);
	r->logits = calloc(count, sizeof(*r->logits));
	r->p = calloc(count, sizeof(*r->p));
	r->sum = calloc(count, sizeof(*r->sum));
	r->member = calloc((size_t)j->members, sizeof(*r->member));
	return r->label && r->logits && r->p && r->sum && r->member ? -1 : out_of_memory(j);
}

static int open_results(struct job *j)
{
	static const enum data_split splits[] = { SPLIT_TRAIN, SPLIT_PUBLIC, SPLIT_PRIVATE };
	static const char *const words[] = { "train", "public", "private" };
	const char *word = cli_text(j->cli, "split");
	int status = -1;

	for (int i = 0; i < SPLITS && status < 0; i++) {
		bool asked = !strcmp(word, "all") || !strcmp(word, words[i]);

		if (asked || (splits[i] == SPLIT_PUBLIC && !j->temperature))
			status = open_result(j, splits[i], asked);
	}
	return status;
}

/* --- measuring --- */

/* Adds a network's probabilities on a split; its logits too, they are what counts if it is alone. */
static int add_to(struct job *j, const struct network *n, cg_array *images, int member,
		  struct result *r)
{
	static const int views[] = { 1, 2, 10 };
	int32_t k = j->data.classes, hits = 0;
	int64_t count = (int64_t)r->rows.n * k;
	double begun = progress_clock();
	int status;

	progress_begin(&j->progress, (int64_t)r->rows.n * views[j->tta], data_split_names[r->split]);
	status = infer_mean(j->cli, n, images, (int32_t)cli_int(j->cli, "batch-size"), j->tta,
			    r->rows.row, r->rows.n, r->logits, &j->progress);
	progress_end(&j->progress);
	if (status >= 0)
		return status;
	metrics_softmax(r->logits, r->rows.n, k, 1, r->p);
	for (int64_t i = 0; i < count; i++)
		r->sum[i] += r->p[i];
	for (int32_t i = 0; i < r->rows.n; i++)
		hits += metrics_argmax(r->p + (int64_t)i * k, k) == r->label[i];
	r->member[member].model = n->model->name;
	r->member[member].accuracy = (double)hits / r->rows.n;
	r->seconds += progress_clock() - begun;
	return -1;
}

static int check_size(const struct job *j, const struct network *n, const struct dataset *d,
		      const char *path)
{
	const struct model_config *config = &n->config;

	if (network_sees(config, d->h, d->w, d->channels))
		return -1;
	return cli_fail(j->cli, CLI_CHECKPOINT, "%s: is for %dx%dx%d, the images are %dx%dx%d", path,
			(int)config->size, (int)config->size, (int)config->channels, (int)d->h, (int)d->w,
			(int)d->channels);
}

/* One network after the other is on the device. */
static int add_member(struct job *j, int member)
{
	struct network n = { 0 };
	struct network_origin origin;
	struct dataset other = { 0 };
	cg_array *images = NULL;
	char path[sizeof(j->result->member->checkpoint)];
	int status = member ? load_data(j, member, &other, &images, &origin) : -1;

	cli_item(j->cli, "checkpoint", member, path, sizeof(path));
	if (status < 0 && other.n && other.n != j->data.n)
		status = cli_fail(j->cli, CLI_DATA, "%s: %d images for it, %d for the first", path,
				  (int)other.n, (int)j->data.n);
	if (status < 0)
		status = network_load(&n, j->cli, j->ctx, path, j->data.class_names,
				      j->data.classes);
	if (status < 0)
		status = check_size(j, &n, images ? &other : &j->data, path);
	for (int i = 0; i < j->results && status < 0; i++) {
		strcpy(j->result[i].member[member].checkpoint, path);
		status = add_to(j, &n, images ? images : j->images, member, &j->result[i]);
	}
	if (status < 0)
		j->model = !j->model || j->model == n.model->name ? n.model->name : "ensemble";
	if (status < 0)
		j->parameters += network_parameters(&n);
	network_close(&n);
	cg_array_free(images);
	data_free(&other);
	return status;
}

/* Mean probabilities as logits: a temperature of 1 gives them back. */
static void join_members(const struct job *j, struct result *r)
{
	int64_t count = (int64_t)r->rows.n * j->data.classes;

	for (int64_t i = 0; i < count && j->members > 1; i++)
		r->logits[i] = (float)log(fmax(r->sum[i] / j->members, 1e-30));
}

static int compare(const struct job *j, struct result *r)
{
	const char *other = cli_text(j->cli, "compare"), *split = data_split_names[r->split];
	struct report_comparison *c = &r->evaluation.comparison;
	struct predictions here = { .n = r->rows.n, .row = r->rows.row, .label = r->label }, there;
	struct predictions_pair pair;
	char error[READBACK_ERROR];
	int status = -1;

	if (!other)
		return -1;
	here.predicted = calloc((size_t)here.n + 1, 1);
	if (!here.predicted)
		return out_of_memory(j);
	for (int32_t i = 0; i < here.n; i++)
		here.predicted[i] = (uint8_t)metrics_argmax(r->p + (int64_t)i * j->data.classes,
							     j->data.classes);
	if (predictions_of(&there, other, split, j->data.hash, error))
		status = cli_fail(j->cli, CLI_DATA, "%s", error);
	else if (predictions_compare(&here, &there, &pair))
		status = out_of_memory(j);
	else if (!pair.n)
		status = cli_fail(j->cli, CLI_DATA, "%s: no predictions for %s", other, split);
	if (status < 0)
		*c = (struct report_comparison){
			.other = other, .n = pair.n, .only_this = pair.a_only,
			.only_other = pair.b_only, .accuracy = (double)pair.a_right / pair.n,
			.other_accuracy = (double)pair.b_right / pair.n,
			.p = metrics_mcnemar(pair.a_only, pair.b_only),
		};
	predictions_free(&there);
	free(here.predicted);
	return status;
}

static int measure(struct job *j, struct result *r)
{
	r->evaluation = (struct report_evaluation){
		.model = j->model,
		.checkpoint = j->name,
		.parameters = j->parameters,
		.data = cli_text(j->cli, "data"),
		.split = data_split_names[r->split],
		.tta = cli_text(j->cli, "tta"),
		.seconds = r->seconds,
		.img_per_s = r->rows.n / r->seconds,
		.member = r->member,
		.members = j->members,
	};
	if (evaluate(&r->evaluation, r->p, r->logits, &j->data, &r->rows, j->temperature,
		     (int)cli_int(j->cli, "bootstrap"), (uint64_t)cli_int(j->cli, "seed")) ||
	    (j->votes.label &&
	     agreement_measure(&r->evaluation, r->p, &j->data, &r->rows, &j->votes)))
		return out_of_memory(j);
	return compare(j, r);
}

static int measure_all(struct job *j)
{
	int status = -1;

	for (int i = 0; i < j->members && status < 0; i++)
		status = add_member(j, i);
	for (int i = 0; i < j->results && status < 0; i++) {
		struct result *r = &j->result[i];

		join_members(j, r);
		if (r->split == SPLIT_PUBLIC && !j->temperature)
			j->temperature = metrics_temperature(r->logits, r->label, r->rows.n,
							     j->data.classes);
	}
	for (int i = 0; i < j->results && status < 0; i++)
		if (j->result[i].asked)
			status = measure(j, &j->result[i]);
	return status;
}

/* --- output --- */

/* The evaluations asked for; how many. */
static int collect(const struct job *j, const struct result *r[SPLITS],
		   struct report_evaluation all[SPLITS])
{
	int n = 0;

	for (int i = 0; i < j->results; i++) {
		if (!j->result[i].asked)
			continue;
		r[n] = &j->result[i];
		all[n++] = j->result[i].evaluation;
	}
	return n;
}

/* With several splits the files of each carry its name. */
static int write_files(const struct job *j)
{
	const char *dir = cli_text(j->cli, "out");
	const struct result *r[SPLITS];
	struct report_evaluation all[SPLITS];
	char path[RUNDIR_PATH], name[64];
	int n = collect(j, r, all), failed, status;

	if (!dir)
		return -1;
	status = rundir_folder(j->cli, dir);
	if (status >= 0)
		return status;
	failed = report_metrics_json(rundir_path(path, dir, "metrics.json"), all, n);
	for (int i = 0; i < n && !failed; i++) {
		const char *split = n > 1 ? all[i].split : "", *dash = n > 1 ? "-" : "";

		snprintf(name, sizeof(name), "confusion%s%s.csv", dash, split);
		failed = report_confusion(rundir_path(path, dir, name), &all[i].all,
					  j->data.class_names);
		snprintf(name, sizeof(name), "predictions%s%s.csv", dash, split);
		if (!failed)
			failed = report_predictions(rundir_path(path, dir, name), &j->data,
						    &r[i]->rows, r[i]->p);
		if (!failed)
			failed = figures_evaluation(dir, n > 1 ? split : NULL, &all[i].all, r[i]->p,
						    &j->data, &r[i]->rows, path);
	}
	return failed ? cli_fail(j->cli, CLI_RUNTIME, "%s: cannot be written", path) : -1;
}

static int print(const struct job *j)
{
	const struct result *r[SPLITS];
	struct report_evaluation all[SPLITS];
	enum report_format format = REPORT_JSON;
	int n = collect(j, r, all);

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
	int status = engine_asked(j->cli);

	if (status < 0)
		status = check_options(j);
	if (status < 0)
		status = open_all(j);
	if (status < 0)
		status = open_results(j);
	if (status < 0)
		status = measure_all(j);
	if (status < 0)
		status = write_files(j);
	return status < 0 ? print(j) : status;
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
		for (int i = 0; i < job.results; i++)
			free_result(&job.result[i]);
		agreement_free(&job.votes);
		data_free(&job.data);
		cg_close(job.ctx);
	}
	cli_free(&cli);
	return status;
}
