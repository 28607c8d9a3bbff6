#include "figures.h"

#include <stdlib.h>

#include "evaluate.h"
#include "readback.h"

static FILE *open_part(const char *dir, const char *name, const char *part, char path[RUNDIR_PATH])
{
	char file[128];

	snprintf(file, sizeof(file), "%s%s%s.svg", name, part ? "-" : "", part ? part : "");
	return fopen(rundir_path(path, dir, file), "w");
}

static int finish(FILE *out, int failed)
{
	failed = ferror(out) || failed;
	return fclose(out) || failed ? -1 : 0;
}

static int draw_roc(FILE *out, const struct metrics *m, const double *p, const struct dataset *d,
	const struct data_rows *rows)
{
	uint8_t *label = evaluate_labels(d, rows);
	int failed = label ? charts_roc(out, m, p, label, d->class_names) : -1;

	free(label);
	return finish(out, failed);
}

int figures_evaluation(const char *dir, const char *part, const struct metrics *m, const double *p,
	const struct dataset *d, const struct data_rows *rows, char path[RUNDIR_PATH])
{
	FILE *out = open_part(dir, "confusion", part, path);

	if (!out)
		return -1;
	charts_confusion(out, m, d->class_names);
	if (finish(out, 0) || !(out = open_part(dir, "reliability", part, path)))
		return -1;
	charts_reliability(out, m);
	if (finish(out, 0) || !(out = open_part(dir, "roc", part, path)))
		return -1;
	return draw_roc(out, m, p, d, rows);
}

int figures_count(struct charts_classes *c, const struct dataset *d)
{
	struct data_rows rows;

	c->classes = d->classes;
	c->names = d->class_names;
	for (int s = 0; s < SPLITS; s++) {
		if (data_rows(d, (enum data_split)s, NULL, &rows) != DATA_OK)
			return -1;
		data_class_counts(d, &rows, c->count[s]);
		data_rows_free(&rows);
	}
	return 0;
}

static int draw_curves(const char *dir, char path[RUNDIR_PATH])
{
	struct report_epoch *epoch;
	struct report_epochs *folds;
	int n = report_summary_read(rundir_path(path, dir, "summary.csv"), &epoch), failed = 0;
	int k = readback_folds(dir, &folds);
	FILE *out = n > 0 || k > 0 ? open_part(dir, "curves", NULL, path) : NULL;

	if (out && n > 0)
		charts_curves(out, epoch, n);
	else if (out)
		charts_folds(out, folds, k);
	if (n > 0 || k > 0)
		failed = !out || finish(out, 0);
	free(epoch);
	readback_folds_free(folds, k);
	return failed;
}

int figures_run(const char *dir, const struct dataset *d, char path[RUNDIR_PATH])
{
	struct charts_classes classes;
	FILE *out;

	if (draw_curves(dir, path) || figures_count(&classes, d) || !(out = open_part(dir, "classes", NULL, path)))
		return -1;
	charts_classes(out, &classes);
	return finish(out, 0);
}
