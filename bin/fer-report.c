/*
 * fer-report: report.html of one run, or of several side by side.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "infer.h"
#include "page.h"
#include "source.h"

enum { MOST_RUNS = 32, DATA_OPTIONS = 6, WANTED = 4096 };

static const struct cli_option options[] = {
	{ "out", 'o', CLI_TEXT, NULL, "output", "FILE",
		"the report [report.html in the folder of the only run]", CLI_TRANSIENT },
	{ "pictures", 0, CLI_FLAG, "true", "output", NULL,
		"show mistakes and where the network looked; the pictures become part of the file",
		0 },
	SOURCE_OPTIONS, { "seed", 0, CLI_INT, "42", "data", "N", "of the drawn faces", 0 },
	ENGINE_OPTIONS, CLI_COMMON_OPTIONS, { .name = NULL }
};

static const char *const examples[] = { "fer-report runs/vgg",
	"fer-report runs/vgg runs/alexnet runs/vit -o comparison.html",
	"fer-report runs/vgg --no-pictures -o public.html", NULL };

static const struct cli_program program = {
	.name = "fer-report",
	.synopsis = "RUN... [-o FILE]",
	.summary = "Make one HTML file of the folders that fer-train or fer-eval --out left: "
		   "results with "
		   "intervals, learning curves, confusion matrix, ROC, reliability, mistakes, and "
		   "where the "
		   "network looked. It needs nothing from elsewhere.",
	.options = options,
	.examples = examples,
	.version = engine_version,
};

static const char *const data_option[DATA_OPTIONS] = { "data", "class-names", "val-fraction",
	"labels", "ferplus", "seed" };

struct job {
	struct cli *cli;
	bool given[DATA_OPTIONS];
	cg_ctx *ctx;
	bool no_device;
	struct dataset data; /* of the run before, too: runs often share them */
	char source[WANTED]; /* their options */
	cg_array *images;
	struct page_run runs[MOST_RUNS];
};

/* --- pictures --- */

static void drop_data(struct job *j)
{
	cg_array_free(j->images);
	j->images = NULL;
	data_free(&j->data);
	j->source[0] = 0;
}

static bool open_device(struct job *j)
{
	if (!j->ctx && !j->no_device && engine_open(j->cli, &j->ctx) >= 0) {
		j->no_device = true;
		cli_warn(j->cli, "going on without maps of where networks looked");
	}
	return !j->no_device;
}

/* What decides which data a run had: its options, where none are given here. */
static int use_options(struct job *j, const struct run *r, char wanted[WANTED])
{
	char value[RUN_TEXT];
	int status = -1;

	wanted[0] = 0;
	for (int i = 0; i < DATA_OPTIONS && status < 0; i++) {
		const char *text = i ? run_option(r, data_option[i], value) : r->data;

		if (!j->given[i] && *text)
			status = cli_set(j->cli, data_option[i], text);
		text = cli_text(j->cli, data_option[i]);
		snprintf(
			wanted + strlen(wanted), WANTED - strlen(wanted), "%s\n", text ? text : "");
	}
	return status;
}

static bool load(struct job *j, const struct run *r)
{
	if (*r->checkpoint && open_device(j))
		return source_load_for(j->cli, &j->data, j->ctx, r->checkpoint) < 0;
	return source_load(j->cli, &j->data) < 0;
}

/* The run's data; false, with a note, where they are not to be had: then there are no pictures. */
static bool find_data(struct job *j, const struct run *r)
{
	char wanted[WANTED], hash[20];

	if (use_options(j, r, wanted) >= 0)
		return false;
	if (strcmp(wanted, j->source)) {
		drop_data(j);
		if (!load(j, r)) {
			cli_warn(j->cli, "%s: no pictures", r->dir);
			return false;
		}
		snprintf(j->source, sizeof(j->source), "%s", wanted);
	}
	snprintf(hash, sizeof(hash), "%016" PRIx64, j->data.hash);
	if (strcmp(hash, r->data_hash)) {
		cli_warn(j->cli, "%s: no pictures: %s has hash %s, the run's data had %s", r->dir,
			cli_text(j->cli, "data"), hash, r->data_hash);
		return false;
	}
	return true;
}

static int explain(struct job *j, struct page_run *p, const struct network *n)
{
	if (!j->images)
		j->images = infer_images(j->ctx, &j->data);
	if (!j->images)
		return engine_fail(j->cli, j->ctx, "images");
	return gallery_explain(&p->gallery, j->cli, &p->run, n, j->images);
}

/* Without a device, or without weights, there are no maps. */
static int explain_run_of(struct job *j, struct page_run *p)
{
	struct network n = { 0 };
	int status = -1;

	if (!*p->run.checkpoint || !open_device(j))
		return -1;
	status = network_load(
		&n, j->cli, j->ctx, p->run.checkpoint, j->data.class_names, j->data.classes);
	if (status < 0)
		status = explain(j, p, &n);
	network_close(&n);
	return status;
}

static int add_pictures(struct job *j, struct page_run *p)
{
	if (!cli_flag(j->cli, "pictures") || !find_data(j, &p->run))
		return -1;
	if (gallery_choose(&p->gallery, &p->run, &j->data))
		return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	return explain_run_of(j, p);
}

/* --- the report --- */

static int check_options(const struct cli *c)
{
	if (!c->n_args)
		return cli_fail(c, CLI_USAGE, "no run given: a folder that fer-train left");
	if (c->n_args > MOST_RUNS)
		return cli_fail(c, CLI_USAGE, "%d runs given, at most %d", c->n_args, MOST_RUNS);
	if (c->n_args > 1 && !cli_text(c, "out"))
		return cli_fail(c, CLI_USAGE, "--out is needed for several runs");
	return -1;
}

static int run(struct job *j)
{
	const char *out = cli_text(j->cli, "out");
	char path[RUNDIR_PATH];
	int n = j->cli->n_args, status = engine_asked(j->cli);

	if (status < 0)
		status = check_options(j->cli);
	for (int i = 0; i < DATA_OPTIONS; i++)
		j->given[i] = cli_given(j->cli, data_option[i]);
	for (int i = 0; i < n && status < 0; i++)
		status = run_read(&j->runs[i].run, j->cli, j->cli->args[i]);
	for (int i = 0; i < n && status < 0; i++)
		status = add_pictures(j, &j->runs[i]);
	if (status >= 0)
		return status;
	if (!out)
		out = rundir_path(path, j->cli->args[0], "report.html");
	status = page_save(j->cli, out, j->runs, n);
	if (status < 0)
		printf("%s\n", out);
	return status < 0 ? CLI_OK : status;
}

int main(int argc, char **argv)
{
	static struct job job;
	struct cli cli;
	int status = cli_parse(&cli, &program, argc, argv);

	job.cli = &cli;
	if (status < 0) {
		status = run(&job);
		for (int i = 0; i < MOST_RUNS; i++) {
			gallery_free(&job.runs[i].gallery);
			run_free(&job.runs[i].run);
		}
		drop_data(&job);
		cg_close(job.ctx);
	}
	cli_free(&cli);
	return status;
}
