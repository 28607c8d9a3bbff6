/*
 * fer-train: trains a network on FER2013 or drawn faces. The options are in train_options.c, the
 * loop in train.c; here is the order of things: nothing is written before the data are read, the
 * device is open and the plans are built.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine.h"
#include "evaluate.h"
#include "figures.h"
#include "import.h"
#include "kfold.h"
#include "layers.h"
#include "page.h"
#include "rates.h"
#include "source.h"
#include "train_options.h"

/* Everything that a run holds, from the lowest up. */
struct job {
	struct cli *cli;
	const struct model *model;
	struct model_config model_config;
	char dir[RUNDIR_PATH];
	bool resumes;
	double begun;			/* clock */
	cg_ctx *ctx;
	struct dataset data;
	struct data_filter filter;	/* of the rows to train on */
	struct folds folds;		/* with --split kfold */

	/* of a fold; without folds of the run */
	int fold;			/* 0: there are none */
	char folder[RUNDIR_PATH];
	bool goes_on;			/* from folder/last.safetensors */
	struct data_rows train, validation, held;	/* held: judged in the end, n = 0: validation is */
	float weight[DATA_MOST_CLASSES];
	struct train_config config;
	struct network network;
	struct trainer trainer;
};

static bool has_folds(const struct job *j)
{
	return cli_is(j->cli, "split", "kfold");
}

/* --- where the run lies --- */

static int find_resumed(struct job *j)
{
	const char *dir = cli_text(j->cli, "resume"), *out = cli_text(j->cli, "out");
	char path[RUNDIR_PATH];
	int status;

	if (*dir || out)
		snprintf(j->dir, sizeof(j->dir), "%s", *dir ? dir : out);
	else if (!rundir_newest(j->dir))
		return cli_fail(j->cli, CLI_CHECKPOINT, "--resume: no run in runs/");
	j->resumes = true;
	if (access(rundir_path(path, j->dir, "args.ini"), R_OK))
		return cli_fail(j->cli, CLI_CHECKPOINT, "%s: nothing to resume from", path);
	status = cli_read_ini(j->cli, path);
	if (status < 0 && !has_folds(j) &&
	    access(rundir_path(path, j->dir, "last.safetensors"), R_OK))
		status = cli_fail(j->cli, CLI_CHECKPOINT, "%s: nothing to resume from", path);
	return status;
}

/* Presets, recipes and the args.ini of a resumed run come together here. */
static int settle_options(struct job *j)
{
	const char *out = cli_text(j->cli, "out");
	int status = -1;

	if (j->cli->n_args)
		return cli_fail(j->cli, CLI_USAGE, "unexpected argument \"%s\"", j->cli->args[0]);
	if (cli_text(j->cli, "resume"))
		status = find_resumed(j);
	if (status < 0)
		status = train_model(j->cli, &j->model, &j->model_config);
	if (status >= 0 || j->resumes)
		return status;
	if (out)
		snprintf(j->dir, sizeof(j->dir), "%s", out);
	else
		rundir_name(j->dir, j->model->name);
	return -1;
}

static bool writes_nothing(const struct job *j)
{
	return cli_flag(j->cli, "dry-run") || cli_flag(j->cli, "profile");
}

/* --- getting ready --- */

static int load_data(struct job *j)
{
	struct source_shape shape = {
		.side = (int32_t)cli_int(j->cli, "img-size"),
		.channels = cli_is(j->cli, "channels", "1") ? 1 : 0,
	};
	int status = source_load_as(j->cli, &j->data, &shape);

	j->filter = (struct data_filter){
		.without = FLAW_NO_LABEL,
		.limit = (int32_t)cli_int(j->cli, "limit"),
		.seed = (uint64_t)cli_int(j->cli, "seed"),
	};
	if (status < 0 && j->data.classes < 2)
		status = cli_fail(j->cli, CLI_DATA, "%s: only one class (%s); at least two are needed",
				  cli_text(j->cli, "data"), j->data.class_names[0]);
	if (cli_flag(j->cli, "exclude-blank"))
		j->filter.without |= FLAW_BLANK;
	if (cli_flag(j->cli, "drop-leaks"))
		j->filter.without |= FLAW_TWIN_AFTER;
	if (status < 0 && has_folds(j))
		status = folds_open(&j->folds, j->cli, &j->data, &j->filter);
	return status;
}

static int choose_rows(struct job *j)
{
	struct data_filter labelled = { .without = FLAW_NO_LABEL };
	int status;

	if (j->fold)
		return folds_rows(&j->folds, j->cli, &j->data, j->fold, &j->train, &j->validation,
				  &j->held);
	status = source_rows(j->cli, &j->data, SPLIT_TRAIN, &j->filter, &j->train);
	if (status < 0)
		status = source_rows(j->cli, &j->data, SPLIT_PUBLIC, &labelled, &j->validation);
	return status;
}

/* The file with the first weights, NULL where they are drawn, or come with the run. */
static const char *begins_from(const struct job *j)
{
	return j->goes_on ? NULL : cli_text(j->cli, "pretrained");
}

/* Weights that are taken over decide on the settings that were not given. */
static int settle_model(struct job *j)
{
	struct model_config *config = &j->model_config;
	const char *file = cli_text(j->cli, "pretrained");
	const struct model *model = NULL;
	char path[RUNDIR_PATH];
	int status = -1;

	if (file && j->goes_on)
		file = rundir_path(path, j->folder, "last.safetensors");
	if (!file && !cli_given(j->cli, "channels"))
		config->channels = j->data.channels;
	if (file)
		status = import_settings(j->cli, j->ctx, file, &model, config);
	if (status < 0 && file && model != j->model)
		status = cli_fail(j->cli, CLI_CHECKPOINT, "%s: weights of %s, not of %s", file,
				  model->name, j->model->name);
	if (status < 0 && file)
		status = train_settings(j->cli, j->model, config);
	config->classes = j->data.classes;
	/* Shrinking is done here, where it is antialiased; enlarging on the device. */
	if (status < 0 && data_fit(&j->data, config->image < j->data.h ? (int32_t)config->image : 0,
				   (int32_t)config->channels) != DATA_OK)
		return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	return status;
}

static int prepare(struct job *j)
{
	int status = choose_rows(j);

	if (status < 0)
		status = settle_model(j);
	if (status < 0)
		status = train_config(j->cli, &j->model_config, &j->data, &j->train, j->weight,
				      &j->config);
	if (status < 0)
		status = network_open(&j->network, j->cli, j->ctx, j->model, &j->model_config,
				      j->config.step.seed);
	if (status < 0 && begins_from(j))
		status = import_weights(&j->network, j->cli, begins_from(j), true);
	if (status < 0)
		status = rates_set(&j->network, j->cli);
	if (status < 0)
		status = train_open(&j->trainer, j->cli, &j->config, &j->network, &j->data, &j->train,
				    &j->validation);
	if (status < 0 && j->goes_on)
		status = train_resume(&j->trainer, j->folder);
	return status;
}

static void release_fold(struct job *j)
{
	train_close(&j->trainer);
	network_close(&j->network);
	data_rows_free(&j->train);
	data_rows_free(&j->validation);
	data_rows_free(&j->held);
}

static void release(struct job *j)
{
	release_fold(j);
	folds_close(&j->folds);
	data_free(&j->data);
	cg_close(j->ctx);
	if (j->cli->log)
		fclose(j->cli->log);
	j->cli->log = NULL;
}

/* --- looking without writing --- */

static double mib(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

static void print_parameters(const struct network *n)
{
	int64_t parameters = network_parameters(n);

	printf("parameters  %" PRId64 " and %" PRId64 " running statistics; %" PRId64 " are trained\n",
	       parameters, cg_params_size(n->params, false) - parameters,
	       cg_params_size(n->params, true));
}

static int dry_run(struct job *j)
{
	const struct trainer *t = &j->trainer;
	char config[MODEL_TEXT];
	float loss;
	double seconds, images;
	int status = layers_print(&j->network, j->cli, stdout);

	if (status >= 0)
		return status;
	model_config_text(j->model, &j->model_config, config);
	printf("\nmodel       %s, %s\n", j->model->summary, config);
	print_parameters(&j->network);
	printf("data        %d training rows, %d for validation, hash %016" PRIx64 "\n",
	       (int)j->train.n, (int)j->validation.n, j->data.hash);
	printf("steps       %d an epoch, %d epochs: %" PRId64 "\n", (int)t->updates,
	       (int)t->config.epochs, (int64_t)t->updates * t->config.epochs);
	printf("optimiser   %s, rate %s, %s, weight decay %s; batch %s\n", cli_text(j->cli, "opt"),
	       cli_text(j->cli, "lr"), cli_text(j->cli, "sched"), cli_text(j->cli, "weight-decay"),
	       cli_text(j->cli, "batch-size"));
	printf("arithmetic  %.3f GFLOP a step\n", 1e-9 * cg_plan_flops(t->step.plan));
	printf("memory      %.1f MiB a step (%.1f unshared), %.1f MiB validation\n",
	       mib(cg_plan_peak(t->step.plan)), mib(cg_plan_unshared(t->step.plan)),
	       mib(cg_plan_peak(t->infer.plan)));
	fflush(stdout);
	status = train_probe(&j->trainer, &loss, &seconds);
	if (status >= 0)
		return status;
	images = (double)t->at.run.batch * t->at.run.accumulate;
	printf("            %.1f MiB with data and parameters\n", mib(cg_get_stats(j->ctx).bytes_now));
	printf("one step    %.1f ms, %.0f img/s, loss %.4f, %d launches\n", 1e3 * seconds,
	       images / seconds, (double)loss, cg_plan_launches(t->step.plan));
	return CLI_OK;
}

static int profile(struct job *j)
{
	double seconds;
	float loss;
	int status = train_probe(&j->trainer, &loss, &seconds);

	if (status >= 0)
		return status;
	if (cg_plan_profile(j->trainer.step.plan) != CG_OK)
		return engine_fail(j->cli, j->ctx, "profile");
	cg_plan_dump(j->trainer.step.plan, stdout);
	printf("one step    %.1f ms without waiting\n", 1e3 * seconds);
	return CLI_OK;
}

/* --- the end of a fold or run --- */

static enum report_format format(const struct job *j)
{
	return cli_flag(j->cli, "json") ? REPORT_JSON : REPORT_TABLE;
}

/* metrics.json is the last: where it is, the fold is done. */
static int write_evaluation(struct job *j, const struct report_evaluation *e,
			    const struct data_rows *rows, const double *p)
{
	char path[RUNDIR_PATH];

	if (report_confusion(rundir_path(path, j->folder, "confusion.csv"), &e->all,
			     e->class_names) ||
	    report_predictions(rundir_path(path, j->folder, "predictions.csv"), &j->data, rows, p) ||
	    figures_evaluation(j->folder, NULL, &e->all, p, &j->data, rows, path) ||
	    figures_run(j->folder, &j->data, path) ||
	    report_metrics_json(rundir_path(path, j->folder, "metrics.json"), e, 1))
		return cli_fail(j->cli, CLI_RUNTIME, "%s: cannot be written", path);
	return -1;
}

static int write_report(struct job *j)
{
	bool pictures = cli_flag(j->cli, "pictures");

	return page_save_run(j->cli, j->folder, pictures ? &j->data : NULL, &j->network,
			     j->trainer.images);
}

static int judge(struct job *j, struct report_evaluation *e, const struct data_rows *rows,
		 float *logits, double *p)
{
	int status = infer_run(&j->trainer.infer, j->cli, rows->row, rows->n, logits, NULL);

	if (status >= 0)
		return status;
	if (evaluate(e, p, logits, &j->data, rows, 1, 0, 0))
		return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	status = write_evaluation(j, e, rows, p);
	if (status < 0)
		status = write_report(j);
	if (status >= 0)
		return status;
	cli_note(j->cli, "best: epoch %d; the %s is in %s",
		 (int)j->trainer.at.state.best_epoch, j->fold ? "fold" : "run", j->folder);
	if (j->fold) {
		cli_note(j->cli, "%s: accuracy %.2f %% of %d images", e->split,
			 100 * e->all.accuracy, (int)rows->n);
		return -1;
	}
	return report_print(stdout, format(j), e, 1) ?
	       cli_fail(j->cli, CLI_RUNTIME, "stdout cannot be written") : CLI_OK;
}

/* The best weights once more, on the rows held out, else on those that chose them. */
static int conclude(struct job *j)
{
	const struct data_rows *rows = j->fold ? &j->held : &j->validation;
	size_t count = (size_t)rows->n * (size_t)j->data.classes;
	float *logits = calloc(count + 1, sizeof(*logits));
	double *p = calloc(count + 1, sizeof(*p));
	char best[RUNDIR_PATH], split[64];
	struct report_evaluation e = {
		.model = j->model->name,
		.checkpoint = best,
		.parameters = network_parameters(&j->network),
		.data = cli_text(j->cli, "data"),
		.split = j->fold ? split : data_split_names[SPLIT_PUBLIC],
		.tta = "none",
		.seconds = j->trainer.at.state.elapsed,
		.img_per_s = NAN,
	};
	int status = logits && p ? -1 : cli_fail(j->cli, CLI_RUNTIME, "out of memory");

	snprintf(split, sizeof(split), "fold %d of %d", j->fold, j->folds.k);
	if (status < 0 && j->fold)
		status = folds_mark(j->cli, &j->data, &j->train, &j->held);
	if (status < 0)
		status = network_reload(&j->network, j->cli,
					rundir_path(best, j->folder, "best.safetensors"));
	if (status < 0)
		status = judge(j, &e, rows, logits, p);
	free(logits);
	free(p);
	return status;
}

/* --- a run --- */

static int begin(struct job *j)
{
	int status = -1;

	if (!j->resumes)
		status = rundir_make(j->cli, j->dir, cli_flag(j->cli, "overwrite"));
	if (status < 0)
		status = rundir_log(j->cli, j->dir);
	return status < 0 ? rundir_describe(j->cli, j->dir, j->ctx, &j->data) : status;
}

/* A fold, or the whole run: -1 where another fold may follow. */
static int train(struct job *j)
{
	int status = prepare(j);

	if (status < 0 && !j->cli->log)
		status = begin(j);
	if (status < 0 && j->fold) {
		status = rundir_folder(j->cli, j->folder);
		cli_note(j->cli, "fold %d of %d: %d rows to train on, %d to choose by, %d held out",
			 j->fold, j->folds.k, (int)j->train.n, (int)j->validation.n, (int)j->held.n);
	}
	if (status < 0 && j->config.time_limit > 0)
		j->trainer.config.time_limit =
			fmax(1e-3, j->config.time_limit - (progress_clock() - j->begun));
	if (status < 0)
		status = train_run(&j->trainer, j->dir, j->folder);
	if (status >= 0)
		return status;
	if (!j->trainer.at.state.best_epoch || (j->fold && j->trainer.stopped_early)) {
		cli_note(j->cli, "%s; --resume %s goes on", j->trainer.at.state.best_epoch ?
			 "the folds are not done" : "no epoch was completed", j->dir);
		return CLI_OK;
	}
	return conclude(j);
}

/* Where a fold lies, and whether it was begun. */
static void enter(struct job *j, int fold)
{
	char path[RUNDIR_PATH];

	j->fold = fold;
	if (fold)
		rundir_fold(j->folder, j->dir, fold);
	else
		snprintf(j->folder, sizeof(j->folder), "%s", j->dir);
	j->goes_on = j->resumes &&
		     !access(rundir_path(path, j->folder, "last.safetensors"), R_OK);
}

/* Folds that are done already stay as they are. */
static int train_folds(struct job *j)
{
	int status = -1;

	for (int fold = j->folds.first; fold <= j->folds.last && status < 0; fold++) {
		enter(j, fold);
		if (j->resumes && kfold_is_done(j->dir, fold))
			status = kfold_check(j->cli, j->dir, fold, &j->data);
		else
			status = train(j);
		release_fold(j);
	}
	if (status < 0)
		status = kfold_conclude(j->cli, j->dir, &j->data, &j->folds, j->model->name,
					format(j));
	if (status == CLI_OK)
		status = page_save_run(j->cli, j->dir, cli_flag(j->cli, "pictures") ? &j->data : NULL, NULL,
				       NULL);
	return status < 0 ? CLI_OK : status;
}

static int look(struct job *j)
{
	int status = prepare(j);

	if (status >= 0)
		return status;
	return cli_flag(j->cli, "dry-run") ? dry_run(j) : profile(j);
}

static int run(struct job *j)
{
	int status = engine_asked(j->cli);

	j->begun = progress_clock();
	if (status < 0)
		status = settle_options(j);
	if (status < 0 && !j->resumes && !writes_nothing(j))
		status = rundir_check(j->cli, j->dir, cli_flag(j->cli, "overwrite"));
	if (status < 0)
		status = engine_open(j->cli, &j->ctx);
	if (status < 0)
		status = load_data(j);
	if (status >= 0)
		return status;
	enter(j, has_folds(j) ? j->folds.first : 0);
	if (writes_nothing(j))
		return look(j);
	return has_folds(j) ? train_folds(j) : train(j);
}

int main(int argc, char **argv)
{
	static struct job job;
	struct cli cli;
	int status = cli_parse(&cli, train_program(), argc, argv);

	job.cli = &cli;
	if (status < 0) {
		status = run(&job);
		release(&job);
	}
	cli_free(&cli);
	return status;
}
