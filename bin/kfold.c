#include "kfold.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "figures.h"
#include "readback.h"
#include "rundir.h"

enum {
	TRAIN_ROWS, ROWS, BEST_EPOCH, EPOCHS, VAL_ACC, ACCURACY, PRECISION, RECALL, F1, AUC, LOG_LOSS,
	ECE, SECONDS, COLUMNS
};

static const char *const columns[COLUMNS] = {
	"train_rows", "rows", "best_epoch", "epochs", "val_acc", "accuracy", "macro_precision",
	"macro_recall", "macro_f1", "macro_auc", "log_loss", "ece", "seconds"
};

/* What the folds come to, and their predictions put together. */
struct result {
	int k;
	double (*fold)[COLUMNS];	/* [k + 2]: then mean and sd */
	int32_t *at;			/* [d->n] position of a row among all */
	double *p;			/* [all.n][classes] */
	struct report_evaluation pooled;
};

static const char *fold_file(char path[RUNDIR_PATH], const char *dir, int fold, const char *name)
{
	char folder[RUNDIR_PATH];

	return rundir_path(path, rundir_fold(folder, dir, fold), name);
}

/* metrics.json is what a fold writes last. */
bool kfold_is_done(const char *dir, int fold)
{
	char path[RUNDIR_PATH];

	return !access(fold_file(path, dir, fold, "metrics.json"), R_OK);
}

int kfold_check(const struct cli *c, const char *dir, int fold, const struct dataset *d)
{
	char path[RUNDIR_PATH], hash[32], found[32] = "none";

	snprintf(hash, sizeof(hash), "%016" PRIx64, d->hash);
	json_lookup(fold_file(path, dir, fold, "metrics.json"), NULL, "data_hash", found,
		    sizeof(found));
	if (!strcmp(hash, found))
		return -1;
	return cli_fail(c, CLI_CHECKPOINT, "%s: the fold's data have hash %s, those given now %s",
			path, found, hash);
}

/* --- reading the folds --- */

static void fill_row(double row[COLUMNS], const struct metrics *m)
{
	row[ROWS] = m->n;
	row[ACCURACY] = m->accuracy;
	row[PRECISION] = m->macro_precision;
	row[RECALL] = m->macro_recall;
	row[F1] = m->macro_f1;
	row[AUC] = m->macro_auc;
	row[LOG_LOSS] = m->log_loss;
	row[ECE] = m->ece;
}

/* How many training rows a fold has; marks the twins among those held out. */
static int count_rows(const struct cli *c, struct dataset *d, const struct folds *f, int fold,
		      double row[COLUMNS])
{
	struct data_rows train = { 0 }, choice = { 0 }, held = { 0 };
	int status = folds_rows(f, c, d, fold, &train, &choice, &held);

	if (status < 0)
		status = folds_mark(c, d, &train, &held);
	row[TRAIN_ROWS] = train.n;
	data_rows_free(&train);
	data_rows_free(&choice);
	data_rows_free(&held);
	return status;
}

/* Puts a fold's predictions among all; its rows must be those that are held out now. */
static bool take(struct result *r, const struct predictions *s, const struct dataset *d,
		 const struct folds *f, int fold)
{
	size_t k = (size_t)d->classes;

	if (s->classes != d->classes)
		return false;
	for (int32_t i = 0; i < s->n; i++) {
		int32_t row = s->row[i];

		if (row < 0 || row >= d->n || r->at[row] < 0 || f->fold[r->at[row]] != fold - 1)
			return false;
		memcpy(r->p + (size_t)r->at[row] * k, s->p + (size_t)i * k, k * sizeof(*r->p));
	}
	return true;
}

static int read_fold(struct result *r, const struct cli *c, const char *dir, struct dataset *d,
		     const struct folds *f, int fold)
{
	char path[RUNDIR_PATH], error[READBACK_ERROR];
	double *row = r->fold[fold - 1];
	struct predictions s;
	struct run_summary summary;
	struct metrics m;
	int status = kfold_check(c, dir, fold, d);

	if (status < 0)
		status = count_rows(c, d, f, fold, row);
	if (status >= 0)
		return status;
	if (predictions_read(&s, fold_file(path, dir, fold, "predictions.csv"), error))
		status = cli_fail(c, CLI_RUNTIME, "%s", error);
	else if (!take(r, &s, d, f, fold))
		status = cli_fail(c, CLI_CHECKPOINT, "%s: these are other folds", path);
	else if (run_summary_read(&summary, fold_file(path, dir, fold, "summary.csv")))
		status = cli_fail(c, CLI_RUNTIME, "%s: cannot be read", path);
	else if (metrics_compute(&m, s.p, s.label, s.n, s.classes))
		status = cli_fail(c, CLI_RUNTIME, "out of memory");
	predictions_free(&s);
	if (status >= 0)
		return status;
	fill_row(row, &m);
	row[BEST_EPOCH] = summary.best_epoch;
	row[EPOCHS] = summary.epochs;
	row[VAL_ACC] = summary.best_acc;
	row[SECONDS] = summary.elapsed;
	return -1;
}

static void mean_and_sd(struct result *r)
{
	for (int i = 0; i < COLUMNS; i++) {
		double mean = 0, squares = 0;

		for (int fold = 0; fold < r->k; fold++)
			mean += r->fold[fold][i] / r->k;
		for (int fold = 0; fold < r->k; fold++)
			squares += (r->fold[fold][i] - mean) * (r->fold[fold][i] - mean);
		r->fold[r->k][i] = mean;
		r->fold[r->k + 1][i] = sqrt(squares / (r->k - 1));
	}
}

/* --- all predictions together --- */

static int pool(struct result *r, const struct cli *c, const struct dataset *d,
		const struct data_rows *all)
{
	size_t k = (size_t)d->classes;
	uint8_t *label = calloc((size_t)all->n + 1, 1);
	double *p = calloc((size_t)all->n * k + 1, sizeof(*p));
	int32_t clean = 0;
	int failed = !label || !p;

	for (int32_t i = 0; !failed && i < all->n; i++)
		label[i] = d->label[all->row[i]];
	if (!failed)
		failed = metrics_compute(&r->pooled.all, r->p, label, all->n, d->classes);
	for (int32_t i = 0; !failed && i < all->n; i++) {
		if (d->flaw[all->row[i]] & FLAW_TWIN_BEFORE)
			continue;
		memcpy(p + (size_t)clean * k, r->p + (size_t)i * k, k * sizeof(*p));
		label[clean++] = label[i];
	}
	if (!failed)
		failed = metrics_compute(&r->pooled.without_twins, p, label, clean, d->classes);
	free(label);
	free(p);
	return failed ? cli_fail(c, CLI_RUNTIME, "out of memory") : -1;
}

/* --- writing --- */

static void name_row(char name[16], int row, int k)
{
	if (row < k)
		snprintf(name, 16, "%d", row + 1);
	else
		snprintf(name, 16, "%s", row == k ? "mean" : "sd");
}

static int write_csv(const struct result *r, const char *path)
{
	FILE *file = fopen(path, "w");
	char text[32];
	int failed;

	if (!file)
		return -1;
	fputs("fold", file);
	for (int i = 0; i < COLUMNS; i++)
		fprintf(file, ",%s", columns[i]);
	fputc('\n', file);
	for (int row = 0; row < r->k + 2; row++) {
		name_row(text, row, r->k);
		fputs(text, file);
		for (int i = 0; i < COLUMNS; i++)
			fprintf(file, ",%s", json_number(text, r->fold[row][i]));
		fputc('\n', file);
	}
	failed = ferror(file);
	return fclose(file) || failed ? -1 : 0;
}

static void print_folds(const struct result *r, FILE *out)
{
	fprintf(out, "%-6s %8s %6s %8s %8s %9s %9s %8s %8s\n", "fold", "trained", "rows", "epoch",
		"val acc", "accuracy", "macro F1", "AUC", "log-loss");
	for (int row = 0; row < r->k + 2; row++) {
		const double *x = r->fold[row];
		char name[16];

		name_row(name, row, r->k);
		fprintf(out, "%-6s %8.0f %6.0f %8.1f %8.2f %9.2f %9.2f %8.4f %8.4f\n", name,
			x[TRAIN_ROWS], x[ROWS], x[BEST_EPOCH], 100 * x[VAL_ACC], 100 * x[ACCURACY],
			100 * x[F1], x[AUC], x[LOG_LOSS]);
	}
	fprintf(out, "\nAccuracy of %d folds: %.2f +- %.2f %% (sd). All held-out rows together:\n\n",
		r->k, 100 * r->fold[r->k][ACCURACY], 100 * r->fold[r->k + 1][ACCURACY]);
}

static int write_all(struct result *r, const struct cli *c, const char *dir,
		     const struct dataset *d, const struct data_rows *all, enum report_format format)
{
	const struct report_evaluation *e = &r->pooled;
	char path[RUNDIR_PATH];

	if (write_csv(r, rundir_path(path, dir, "kfold.csv")) ||
	    report_predictions(rundir_path(path, dir, "predictions.csv"), d, all, r->p) ||
	    report_confusion(rundir_path(path, dir, "confusion.csv"), &e->all, e->class_names) ||
	    figures_evaluation(dir, NULL, &e->all, r->p, d, all, path) ||
	    figures_run(dir, d, path) ||
	    report_metrics_json(rundir_path(path, dir, "metrics.json"), e, 1))
		return cli_fail(c, CLI_RUNTIME, "%s: %s", path, strerror(errno));
	if (format == REPORT_TABLE)
		print_folds(r, stdout);
	return report_print(stdout, format, e, 1) ?
	       cli_fail(c, CLI_RUNTIME, "stdout cannot be written") : CLI_OK;
}

/* Of the first fold: the others have as many. */
static int64_t parameters(const char *dir)
{
	char path[RUNDIR_PATH], text[32] = "";

	json_lookup(fold_file(path, dir, 1, "metrics.json"), NULL, "parameters", text, sizeof(text));
	return strtoll(text, NULL, 10);
}

static int conclude(struct result *r, const struct cli *c, const char *dir, struct dataset *d,
		    const struct folds *f, enum report_format format)
{
	int status = -1;

	for (int32_t i = 0; i < d->n; i++)
		r->at[i] = -1;
	for (int32_t i = 0; i < f->all.n; i++)
		r->at[f->all.row[i]] = i;
	for (int fold = 1; fold <= f->k && status < 0; fold++)
		status = read_fold(r, c, dir, d, f, fold);
	mean_and_sd(r);
	if (status < 0)
		status = pool(r, c, d, &f->all);
	return status < 0 ? write_all(r, c, dir, d, &f->all, format) : status;
}

int kfold_conclude(const struct cli *c, const char *dir, struct dataset *d, const struct folds *f,
		   const char *model, enum report_format format)
{
	char split[32];
	struct result r = {
		.k = f->k,
		.pooled = { .model = model, .checkpoint = dir, .data = cli_text(c, "data"),
			    .split = split, .tta = "none", .data_hash = d->hash, .temperature = 1,
			    .ece_before = NAN, .log_loss_before = NAN,
			    .class_names = d->class_names, .seconds = NAN, .img_per_s = NAN },
	};
	int missing = 0, status = -1;

	for (int fold = 1; fold <= f->k; fold++)
		missing += !kfold_is_done(dir, fold);
	if (missing) {
		cli_note(c, "%d of %d folds are done", f->k - missing, f->k);
		return -1;
	}
	r.pooled.parameters = parameters(dir);
	snprintf(split, sizeof(split), "Training in %d folds", f->k);
	r.fold = calloc((size_t)f->k + 2, sizeof(*r.fold));
	r.at = calloc((size_t)d->n + 1, sizeof(*r.at));
	r.p = calloc((size_t)f->all.n * (size_t)d->classes + 1, sizeof(*r.p));
	if (!r.fold || !r.at || !r.p)
		status = cli_fail(c, CLI_RUNTIME, "out of memory");
	if (status < 0)
		status = conclude(&r, c, dir, d, f, format);
	free(r.fold);
	free(r.at);
	free(r.p);
	return status;
}
