#include "train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "order.h"
#include "stop.h"

static int fail(struct trainer *t)
{
	return engine_fail(t->cli, t->network->ctx, t->network->model->name);
}

/* --- opening and closing --- */

static void fill_schedule(struct trainer *t)
{
	cg_sched *s = &t->config.sched;

	s->steps = (uint64_t)t->config.epochs * (uint64_t)t->updates;
	s->warmup = (uint64_t)(t->config.warmup_epochs * t->updates + .5);
	t->at.state.sched = *s;
}

/* Other rows are another run (FNV-1a). */
static uint64_t hash_rows(const struct data_rows *rows)
{
	uint64_t hash = 14695981039346656037u;

	for (int32_t i = 0; i < rows->n; i++)
		hash = (hash ^ (uint32_t)rows->row[i]) * 1099511628211u;
	return hash;
}

/* How the rows make updates; a set smaller than a batch makes one, of all its rows. */
static void divide(struct trainer *t)
{
	struct step_config *s = &t->config.step;
	int64_t update = (int64_t)s->batch * s->accumulate;

	if (update > t->train->n) {
		s->accumulate = 1;
		s->batch = s->batch > t->train->n ? t->train->n : s->batch;
		update = s->batch;
		cli_note(t->cli, "only %d training rows: batches of %d", (int)t->train->n,
			 (int)s->batch);
	}
	t->updates = (int32_t)(t->train->n / update);
	t->at.run = (struct run_identity){ s->seed, hash_rows(t->train), t->train->n, s->batch,
					     s->accumulate };
	fill_schedule(t);
}

static int allocate(struct trainer *t)
{
	size_t values = (size_t)t->validation->n * (size_t)t->network->config.classes;

	t->order = calloc((size_t)t->train->n, sizeof(*t->order));
	t->logits = calloc(values, sizeof(*t->logits));
	t->p = calloc(values, sizeof(*t->p));
	if (!t->order || !t->logits || !t->p)
		return cli_fail(t->cli, CLI_RUNTIME, "out of memory");
	t->images = infer_images(t->network->ctx, t->data);
	t->targets = step_targets(t->network->ctx, t->data);
	return t->images && t->targets ? -1 : fail(t);
}

int train_open(struct trainer *t, struct cli *c, const struct train_config *config,
	       struct network *n, const struct dataset *d, const struct data_rows *train,
	       const struct data_rows *validation)
{
	int status;

	*t = (struct trainer){ .cli = c, .config = *config, .network = n, .data = d,
			       .train = train, .validation = validation };
	n->class_names = d->class_names;
	n->data_hash = d->hash;
	n->side = d->h;
	divide(t);
	status = allocate(t);
	if (status < 0)
		status = step_open(&t->step, c, n, t->images, t->targets, &t->config.step);
	if (status < 0)
		status = infer_open(&t->infer, c, n, t->images, t->config.val_batch, NULL);
	return status;
}

void train_close(struct trainer *t)
{
	tensorboard_close(&t->tensorboard);
	if (t->summary.file)
		report_summary_close(&t->summary);
	infer_close(&t->infer);
	step_close(&t->step);
	cg_array_free(t->images);
	cg_array_free(t->targets);
	free(t->order);
	free(t->logits);
	free(t->p);
	*t = (struct trainer){ 0 };
}

/* --- checkpoints --- */

static int save(struct trainer *t)
{
	struct run_state *s = &t->at.state;
	double now = progress_clock();
	char path[RUNDIR_PATH];

	s->elapsed += now - t->counted;
	t->counted = now;
	if (step_read(&t->step, s->sum) != CG_OK)
		return fail(t);
	return checkpoint_save(&t->at, t->cli, t->network, t->step.optim,
			       rundir_path(path, t->dir, "last.safetensors"));
}

int train_resume(struct trainer *t, const char *dir)
{
	char path[RUNDIR_PATH];
	int status = checkpoint_load(&t->at, t->cli, t->network, t->step.optim,
				     rundir_path(path, dir, "last.safetensors"));

	if (status >= 0)
		return status;
	if (t->at.state.step > t->updates)
		return cli_fail(t->cli, CLI_CHECKPOINT, "%s: step %d of an epoch of %d", path,
				(int)t->at.state.step, (int)t->updates);
	return step_write(&t->step, t->at.state.sum) == CG_OK ? -1 : fail(t);
}

/* --- updates --- */

static uint64_t update_number(const struct trainer *t)
{
	return (uint64_t)t->at.state.epoch * (uint64_t)t->updates + (uint64_t)t->at.state.step;
}

static cg_status update(struct trainer *t)
{
	int64_t rows = (int64_t)t->at.run.batch * t->at.run.accumulate;
	uint64_t number = update_number(t);

	return step_run(&t->step, t->order + t->at.state.step * rows, number,
			cg_sched_lr(&t->at.state.sched, number));
}

/* Means over the updates of this epoch; the loss must be finite. Waits. */
static int read_means(struct trainer *t, double *loss, double *acc)
{
	double runs = (double)t->at.state.step * t->at.run.accumulate;
	float sum[2];

	if (step_read(&t->step, sum) != CG_OK)
		return fail(t);
	*loss = sum[0] / runs;
	*acc = sum[1] / runs;
	if (!isfinite(*loss))
		return cli_fail(t->cli, CLI_NOT_FINITE,
				"epoch %d: the loss is not finite by update %d of %d; a lower --lr or "
				"--clip-norm may help", (int)t->at.state.epoch + 1,
				(int)t->at.state.step, (int)t->updates);
	return -1;
}

static bool out_of_time(const struct trainer *t)
{
	return t->config.time_limit > 0 && progress_clock() - t->begun >= t->config.time_limit;
}

/* What came from outside: -1 to go on, or the exit code after saving. */
static int attend(struct trainer *t)
{
	int code = stop_asked(), status;

	if (!code && !stop_checkpoint())
		return -1;
	status = save(t);
	if (status >= 0)
		return status;
	if (!code) {
		progress_line(&t->progress, "checkpoint saved");
		return -1;
	}
	progress_end(&t->progress);
	cli_warn(t->cli, "interrupted in epoch %d after update %d of %d; saved. Go on with:",
		 (int)t->at.state.epoch + 1, (int)t->at.state.step, (int)t->updates);
	cli_warn(t->cli, "  %s --resume %s", t->cli->program->name, t->root);
	return code;
}

static void show(struct trainer *t, int32_t first, double seconds, double loss, double acc)
{
	int32_t done = t->at.state.step;
	double images = (double)(done - first) * t->at.run.batch * t->at.run.accumulate;

	progress_step(&t->progress, done, "loss %.4f  acc %.2f  %.0f img/s", loss, 100 * acc,
		      images / seconds);
}

/*
 * The updates that remain of the epoch. The device is let run ahead by about a quarter of a second
 * of updates, so that it never waits for the host and a signal is soon attended to.
 */
static int run_updates(struct trainer *t, double *seconds)
{
	struct run_state *s = &t->at.state;
	int32_t first = s->step, ahead = 1;
	double start = progress_clock(), last = start, loss, acc;
	int status = -1;

	while (s->step < t->updates && status < 0 && !t->stopped_early) {
		int32_t begun = s->step;
		double now;

		for (; s->step < t->updates && s->step < begun + ahead; s->step++)
			if (update(t) != CG_OK)
				return fail(t);
		status = read_means(t, &loss, &acc);
		now = progress_clock();
		*seconds = now - start;
		if (status < 0) {
			show(t, first, *seconds, loss, acc);
			status = attend(t);
		}
		t->stopped_early = out_of_time(t);
		ahead = (int32_t)fmin(64, fmax(1, .25 * (s->step - begun) / (now - last + 1e-6)));
		last = now;
	}
	return status;
}

/* --- validation --- */

static double monitored(const struct trainer *t, const struct metrics *m)
{
	switch (t->config.monitor) {
	case MONITOR_LOSS:
		return -m->log_loss;
	case MONITOR_F1:
		return m->macro_f1;
	default:
		return m->accuracy;
	}
}

int train_validate(struct trainer *t, struct metrics *m)
{
	int32_t n = t->validation->n, classes = (int32_t)t->network->config.classes;
	uint8_t *label = calloc((size_t)n, sizeof(*label));
	int status = label ? -1 : cli_fail(t->cli, CLI_RUNTIME, "out of memory");

	if (status < 0)
		status = infer_run(&t->infer, t->cli, t->validation->row, n, t->logits, NULL);
	if (status < 0) {
		for (int32_t i = 0; i < n; i++)
			label[i] = t->data->label[t->validation->row[i]];
		metrics_softmax(t->logits, n, classes, 1, t->p);
		if (metrics_compute(m, t->p, label, n, classes))
			status = cli_fail(t->cli, CLI_RUNTIME, "out of memory");
	}
	free(label);
	return status;
}

/* Keeps the weights just validated. */
static int keep(struct trainer *t, bool best)
{
	int32_t epoch = t->at.state.epoch, every = t->config.save_every;
	char name[32], path[RUNDIR_PATH];
	int status = -1;

	if (best)
		status = network_save(t->network, t->cli,
				      rundir_path(path, t->dir, "best.safetensors"));
	snprintf(name, sizeof(name), "epoch-%03d.safetensors", (int)epoch);
	if (status < 0 && every && epoch % every == 0)
		status = network_save(t->network, t->cli, rundir_path(path, t->dir, name));
	return status;
}

/* Validates (the averaged weights, if there are such) and keeps what is best. */
static int judge(struct trainer *t, struct metrics *m, bool *best)
{
	struct run_state *s = &t->at.state;
	bool average = t->config.step.optim.ema > 0;
	int status;

	if (average && cg_optim_swap_ema(t->step.optim) != CG_OK)
		return fail(t);
	status = train_validate(t, m);
	if (status < 0) {
		double value = monitored(t, m);

		*best = !s->best_epoch || value > s->best;
		if (*best) {
			s->best = value;
			s->best_epoch = s->epoch;
		}
		cg_sched_epoch(&s->sched, (float)value);
		status = keep(t, *best);
	}
	if (average && cg_optim_swap_ema(t->step.optim) != CG_OK && status < 0)
		status = fail(t);
	return status;
}

/* --- epochs --- */

static void fill_validation(struct report_epoch *row, const struct metrics *m)
{
	row->val_loss = m->log_loss;
	row->val_acc = m->accuracy;
	row->val_precision = m->macro_precision;
	row->val_recall = m->macro_recall;
	row->val_f1 = m->macro_f1;
	row->val_auc = m->macro_auc;
}

static int log_epoch(struct trainer *t, struct report_epoch *row)
{
	int64_t update = (int64_t)t->at.run.batch * t->at.run.accumulate;
	double epoch = (double)t->updates * (double)update / row->train_img_per_s + row->val_seconds;
	char line[400];

	row->elapsed_seconds = t->at.state.elapsed + progress_clock() - t->counted;
	report_epoch_line(line, sizeof(line), row, t->config.epochs,
			  epoch * (t->config.epochs - row->epoch));
	progress_line(&t->progress, "%s", line);
	if (t->tensorboard.file && tensorboard_epoch(&t->tensorboard, row))
		return cli_fail(t->cli, CLI_RUNTIME, "%s: events cannot be written", t->dir);
	if (report_summary_row(&t->summary, row))
		return cli_fail(t->cli, CLI_RUNTIME, "%s/summary.csv cannot be written", t->dir);
	return -1;
}

/* After the last update of an epoch. */
/* Updates whose gradient was not finite changed nothing: say so, or the run would stand still unseen. */
static int tell_skipped(struct trainer *t)
{
	uint64_t skipped = 0;

	if (cg_optim_skipped(t->step.optim, &skipped) != CG_OK)
		return fail(t);
	if (skipped > t->skipped)
		cli_warn(t->cli, "epoch %d: %d updates left out, their gradient was not finite; "
			 "a lower --lr may help", (int)t->at.state.epoch + 1,
			 (int)(skipped - t->skipped));
	t->skipped = skipped;
	return -1;
}

static int end_epoch(struct trainer *t, double seconds, int32_t updates)
{
	static const float zero[2];
	struct run_state *s = &t->at.state;
	struct report_epoch row = { .epoch = s->epoch + 1, .step = (int64_t)update_number(t) };
	double begun = progress_clock();
	struct metrics m;
	int status = read_means(t, &row.train_loss, &row.train_acc);

	if (status < 0)
		status = tell_skipped(t);
	if (status >= 0)
		return status;
	row.lr = cg_sched_lr(&s->sched, update_number(t) - 1);
	row.train_img_per_s = NAN;	/* interrupted after the last update */
	if (updates)
		row.train_img_per_s =
			(double)updates * t->at.run.batch * t->at.run.accumulate / seconds;
	s->epoch++;
	s->step = 0;
	status = judge(t, &m, &row.best);
	if (status >= 0)
		return status;
	fill_validation(&row, &m);
	row.val_seconds = progress_clock() - begun;
	row.epoch_seconds = seconds + row.val_seconds;
	status = log_epoch(t, &row);
	if (status < 0 && step_write(&t->step, zero) != CG_OK)
		status = fail(t);
	return status < 0 ? save(t) : status;
}

static int run_epoch(struct trainer *t)
{
	int32_t first = t->at.state.step;
	double seconds = 0;
	char label[64];
	int status;

	snprintf(label, sizeof(label), "epoch %d/%d", (int)t->at.state.epoch + 1,
		 (int)t->config.epochs);
	order_epoch(t->order, t->train, t->config.step.seed, t->at.state.epoch);
	progress_begin(&t->progress, t->updates, label);
	status = run_updates(t, &seconds);
	progress_end(&t->progress);
	if (status >= 0)
		return status;
	if (t->at.state.step < t->updates)
		return save(t);		/* the time is over */
	return end_epoch(t, seconds, t->updates - first);
}

static bool is_stale(const struct trainer *t)
{
	const struct run_state *s = &t->at.state;

	return t->config.patience && s->best_epoch && s->epoch - s->best_epoch >= t->config.patience;
}

static void say_end(struct trainer *t)
{
	if (t->stopped_early)
		cli_note(t->cli, "time limit reached in epoch %d", (int)t->at.state.epoch + 1);
	else if (t->at.state.epoch < t->config.epochs)
		cli_note(t->cli, "no better value for %d epochs: the end", (int)t->config.patience);
}

int train_run(struct trainer *t, const char *root, const char *dir)
{
	char path[RUNDIR_PATH];
	int status = -1;

	stop_watch();
	t->dir = dir;
	t->root = root;
	t->begun = t->counted = progress_clock();
	progress_init(&t->progress, cli_text(t->cli, "progress"),
		      t->cli->verbosity < 0 ? NULL : stderr, t->cli->log);
	rundir_path(path, dir, "summary.csv");
	if (report_summary_open(&t->summary, path, t->at.state.epoch))
		return cli_fail(t->cli, CLI_RUNTIME, "%s: cannot be written", path);
	if (cli_flag(t->cli, "tensorboard") && tensorboard_open(&t->tensorboard, dir))
		return cli_fail(t->cli, CLI_RUNTIME, "%s: events cannot be written", dir);
	while (status < 0 && t->at.state.epoch < t->config.epochs && !t->stopped_early &&
	       !is_stale(t)) {
		status = attend(t);
		if (status < 0)
			status = run_epoch(t);
	}
	if (status < 0)
		say_end(t);
	return status;
}

int train_probe(struct trainer *t, float *loss, double *seconds)
{
	double begun;

	order_epoch(t->order, t->train, t->config.step.seed, 0);
	if (update(t) != CG_OK || cg_finish(t->network->ctx) != CG_OK)
		return fail(t);
	begun = progress_clock();
	if (update(t) != CG_OK ||
	    cg_plan_read(t->step.plan, t->step.loss, loss, sizeof(*loss)) != CG_OK)
		return fail(t);
	*seconds = progress_clock() - begun;
	return isfinite(*loss) ? -1 : cli_fail(t->cli, CLI_NOT_FINITE, "the loss is not finite");
}
