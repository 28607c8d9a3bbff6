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
#include "import.h"
#include "layers.h"
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
	cg_ctx *ctx;
	struct dataset data;
	struct data_rows train, validation;
	float weight[DATA_MOST_CLASSES];
	struct train_config config;
	struct network network;
	struct trainer trainer;
};

/* --- where the run lies --- */

static int find_resumed(struct job *j)
{
	const char *dir = cli_text(j->cli, "resume"), *out = cli_text(j->cli, "out");
	char path[RUNDIR_PATH];

	if (*dir || out)
		snprintf(j->dir, sizeof(j->dir), "%s", *dir ? dir : out);
	else if (!rundir_newest(j->dir))
		return cli_fail(j->cli, CLI_CHECKPOINT, "--resume: no run in runs/");
	j->resumes = true;
	if (access(rundir_path(path, j->dir, "last.safetensors"), R_OK))
		return cli_fail(j->cli, CLI_CHECKPOINT, "%s: nothing to resume from", path);
	return cli_read_ini(j->cli, rundir_path(path, j->dir, "args.ini"));
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
	struct data_filter filter = {
		.without = FLAW_NO_LABEL,
		.limit = (int32_t)cli_int(j->cli, "limit"),
		.seed = (uint64_t)cli_int(j->cli, "seed"),
	};
	struct data_filter labelled = { .without = FLAW_NO_LABEL };
	int status = source_load(j->cli, &j->data);

	if (cli_flag(j->cli, "exclude-blank"))
		filter.without |= FLAW_BLANK;
	if (cli_flag(j->cli, "drop-leaks"))
		filter.without |= FLAW_TWIN_AFTER;
	if (status < 0)
		status = source_rows(j->cli, &j->data, SPLIT_TRAIN, &filter, &j->train);
	if (status < 0)
		status = source_rows(j->cli, &j->data, SPLIT_PUBLIC, &labelled, &j->validation);
	return status;
}

/* The file with the first weights, NULL where they are drawn, or come with the run. */
static const char *begins_from(const struct job *j)
{
	return j->resumes ? NULL : cli_text(j->cli, "pretrained");
}

/* Weights that are taken over decide on the settings that were not given. */
static int settle_model(struct job *j)
{
	struct model_config *config = &j->model_config;
	const char *file = cli_text(j->cli, "pretrained");
	const struct model *model = NULL;
	char path[RUNDIR_PATH];
	int status = -1;

	if (file && j->resumes)
		file = rundir_path(path, j->dir, "last.safetensors");
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
	return status;
}

static int prepare(struct job *j)
{
	int status = load_data(j);

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
	if (status < 0 && j->resumes)
		status = train_resume(&j->trainer, j->dir);
	return status;
}

static void release(struct job *j)
{
	train_close(&j->trainer);
	network_close(&j->network);
	data_rows_free(&j->train);
	data_rows_free(&j->validation);
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
	int64_t all = cg_params_size(n->params, false), trained = cg_params_size(n->params, true);
	int64_t statistics = 0;

	for (int i = 0; i < cg_params_count(n->params); i++)
		if (cg_params_flags(n->params, i) & CG_PARAM_STATISTIC)
			statistics += cg_array_count(cg_params_at(n->params, i));
	printf("parameters  %" PRId64 " and %" PRId64 " running statistics; %" PRId64 " are trained\n",
	       all - statistics, statistics, trained);
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

/* --- the end of a run --- */

static int write_evaluation(struct job *j, const struct report_evaluation *e)
{
	char path[RUNDIR_PATH];

	if (report_metrics_json(rundir_path(path, j->dir, "metrics.json"), e, 1) ||
	    report_confusion(rundir_path(path, j->dir, "confusion.csv"), &e->all, e->class_names) ||
	    report_predictions(rundir_path(path, j->dir, "predictions.csv"), &j->data,
			       &j->validation, j->trainer.p))
		return cli_fail(j->cli, CLI_RUNTIME, "%s: cannot be written", path);
	return -1;
}

/* The best weights once more, on the validation rows. */
static int conclude(struct job *j)
{
	struct trainer *t = &j->trainer;
	struct metrics m;
	char best[RUNDIR_PATH];
	struct report_evaluation e = {
		.model = j->model->name,
		.checkpoint = best,
		.data = cli_text(j->cli, "data"),
		.split = data_split_names[SPLIT_PUBLIC],
		.tta = "none",
		.seconds = t->at.state.elapsed,
		.img_per_s = NAN,
	};
	int status;

	if (!t->at.state.best_epoch) {
		cli_note(j->cli, "no epoch was completed; --resume %s goes on", j->dir);
		return CLI_OK;
	}
	status = network_reload(&j->network, j->cli, rundir_path(best, j->dir, "best.safetensors"));
	if (status < 0)
		status = train_validate(t, &m);
	if (status >= 0)
		return status;
	if (evaluate(&e, t->p, t->logits, &j->data, &j->validation, 1, 0, 0))
		return cli_fail(j->cli, CLI_RUNTIME, "out of memory");
	status = write_evaluation(j, &e);
	if (status >= 0)
		return status;
	cli_note(j->cli, "best: epoch %d; the run is in %s", (int)t->at.state.best_epoch, j->dir);
	return report_print(stdout, cli_flag(j->cli, "json") ? REPORT_JSON : REPORT_TABLE, &e, 1) ?
	       cli_fail(j->cli, CLI_RUNTIME, "stdout cannot be written") : CLI_OK;
}

static int train(struct job *j)
{
	int status = -1;

	if (!j->resumes)
		status = rundir_make(j->cli, j->dir, cli_flag(j->cli, "overwrite"));
	if (status < 0)
		status = rundir_log(j->cli, j->dir);
	if (status < 0)
		status = rundir_describe(j->cli, j->dir, j->ctx, &j->data);
	if (status < 0)
		status = train_run(&j->trainer, j->dir);
	return status < 0 ? conclude(j) : status;
}

static int run(struct job *j)
{
	int status = engine_asked(j->cli);

	if (status < 0)
		status = settle_options(j);
	if (status < 0 && !j->resumes && !writes_nothing(j))
		status = rundir_check(j->cli, j->dir, cli_flag(j->cli, "overwrite"));
	if (status < 0)
		status = engine_open(j->cli, &j->ctx);
	if (status < 0)
		status = prepare(j);
	if (status >= 0)
		return status;
	if (cli_flag(j->cli, "dry-run"))
		return dry_run(j);
	return cli_flag(j->cli, "profile") ? profile(j) : train(j);
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
