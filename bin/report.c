/*
 * report.c: the files of a run: summary.csv, confusion.csv, predictions.csv, metrics.json.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"

/* --- files that appear whole --- */

struct whole {
	FILE *file;
	char *name, *temporary;
};

static void whole_free(struct whole *w)
{
	free(w->name);
	free(w->temporary);
}

static int whole_open(struct whole *w, const char *path)
{
	size_t size = strlen(path) + sizeof(".tmp");

	w->name = strdup(path);
	w->temporary = malloc(size);
	if (w->name && w->temporary) {
		snprintf(w->temporary, size, "%s.tmp", path);
		w->file = fopen(w->temporary, "w");
		if (w->file)
			return 0;
	}
	whole_free(w);
	return -1;
}

static int whole_close(struct whole *w)
{
	int failed = ferror(w->file);

	failed = fclose(w->file) || failed || rename(w->temporary, w->name);
	if (failed) {
		int kept = errno;

		remove(w->temporary);
		errno = kept;
	}
	whole_free(w);
	return failed ? -1 : 0;
}

/* --- summary.csv --- */

static const char *const summary_header =
	"epoch,step,lr,train_loss,train_acc,val_loss,val_acc,val_precision,val_recall,val_f1,"
	"val_auc,epoch_seconds,train_img_per_s,val_seconds,best,elapsed_seconds\n";

/* Copy the rows up to epoch `after`. A row without its newline was cut short and is dropped. */
static void copy_rows(FILE *from, FILE *to, int32_t after)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t length;

	while ((length = getline(&line, &size, from)) > 0) {
		long epoch = strtol(line, NULL, 10);

		if (line[length - 1] == '\n' && epoch >= 1 && epoch <= after)
			fputs(line, to);
	}
	free(line);
}

int report_summary_open(struct report_summary *s, const char *path, int32_t after)
{
	struct whole w;
	FILE *old;

	s->file = NULL;
	if (whole_open(&w, path))
		return -1;
	fputs(summary_header, w.file);
	old = after > 0 ? fopen(path, "r") : NULL;
	if (old) {
		copy_rows(old, w.file, after);
		fclose(old);
	}
	if (whole_close(&w))
		return -1;
	s->file = fopen(path, "a");
	return s->file ? 0 : -1;
}

/* A comma and the number; nothing behind the comma for NaN. */
static void put(FILE *file, const char *format, double x)
{
	fputc(',', file);
	if (!isnan(x))
		fprintf(file, format, x);
}

int report_summary_row(struct report_summary *s, const struct report_epoch *r)
{
	fprintf(s->file, "%" PRId32 ",%" PRId64, r->epoch, r->step);
	put(s->file, "%.6g", r->lr);
	put(s->file, "%.6f", r->train_loss);
	put(s->file, "%.6f", r->train_acc);
	put(s->file, "%.6f", r->val_loss);
	put(s->file, "%.6f", r->val_acc);
	put(s->file, "%.6f", r->val_precision);
	put(s->file, "%.6f", r->val_recall);
	put(s->file, "%.6f", r->val_f1);
	put(s->file, "%.6f", r->val_auc);
	put(s->file, "%.3f", r->epoch_seconds);
	put(s->file, "%.1f", r->train_img_per_s);
	put(s->file, "%.3f", r->val_seconds);
	fprintf(s->file, ",%d", r->best);
	put(s->file, "%.3f", r->elapsed_seconds);
	fputc('\n', s->file);
	return fflush(s->file) || ferror(s->file) ? -1 : 0;
}

int report_summary_close(struct report_summary *s)
{
	int failed = s->file && fclose(s->file);

	s->file = NULL;
	return failed ? -1 : 0;
}

/* One row; false where it has other fields. An empty field is NaN. */
static bool parse_row(char *line, struct report_epoch *r)
{
	double value[16];
	int n = 0;

	for (char *at = line, *comma; at && n < 16; at = comma ? comma + 1 : NULL) {
		char *end;

		comma = strchr(at, ',');
		value[n] = strtod(at, &end);
		if (end == at)
			value[n] = NAN;
		n++;
	}
	*r = (struct report_epoch){ (int32_t)value[0], (int64_t)value[1], value[2], value[3],
		value[4], value[5], value[6], value[7], value[8], value[9], value[10], value[11],
		value[12], value[13], value[14] > 0, value[15] };
	return n == 16 && value[0] >= 1;
}

int report_summary_read(const char *path, struct report_epoch **rows)
{
	FILE *file = fopen(path, "r");
	char line[1024];
	int n = 0, room = 0;

	*rows = NULL;
	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file)) {
		struct report_epoch r;

		if (!strncmp(line, "epoch,", 6) || !parse_row(line, &r))
			continue;
		if (n == room) {
			void *more = realloc(*rows, (size_t)(room += 64) * sizeof(r));

			if (!more)
				break;
			*rows = more;
		}
		(*rows)[n++] = r;
	}
	fclose(file);
	return n;
}

/* A number as `format` says, "-" for NaN. */
static const char *text_of(char text[24], const char *format, double x)
{
	if (isnan(x))
		return strcpy(text, "-");
	snprintf(text, 24, format, x);
	return text;
}

void report_epoch_line(
	char *text, size_t size, const struct report_epoch *r, int32_t epochs, double eta_seconds)
{
	char loss[24], acc[24], val_loss[24], val_acc[24], f1[24], auc[24], rate[24];
	char eta[16];

	snprintf(text, size,
		"epoch %" PRId32 "/%" PRId32 "  loss %s acc %s | val loss %s acc %s%s f1 %s auc %s"
		" | lr %.1e | %.0f s %s img/s | eta %s",
		r->epoch, epochs, text_of(loss, "%.4f", r->train_loss),
		text_of(acc, "%.2f", 100 * r->train_acc), text_of(val_loss, "%.4f", r->val_loss),
		text_of(val_acc, "%.2f", 100 * r->val_acc), r->best ? "*" : "",
		text_of(f1, "%.1f", 100 * r->val_f1), text_of(auc, "%.3f", r->val_auc), r->lr,
		r->epoch_seconds, text_of(rate, "%.0f", r->train_img_per_s),
		progress_duration(eta, eta_seconds));
}

/* --- confusion.csv, predictions.csv, metrics.json --- */

int report_confusion(const char *path, const struct metrics *m, const char *const *names)
{
	struct whole w;

	if (whole_open(&w, path))
		return -1;
	fputs("true\\predicted", w.file);
	for (int c = 0; c < m->classes; c++)
		fprintf(w.file, ",%s", names[c]);
	for (int i = 0; i < m->classes; i++) {
		fprintf(w.file, "\n%s", names[i]);
		for (int j = 0; j < m->classes; j++)
			fprintf(w.file, ",%" PRId64, m->confusion[i][j]);
	}
	fputc('\n', w.file);
	return whole_close(&w);
}

static void prediction(FILE *file, const struct dataset *d, int32_t row, const double *p)
{
	int predicted = metrics_argmax(p, d->classes);

	fprintf(file, "%" PRId32 ",%s,%s,%s,%d,%d", row, data_split_names[d->usage[row]],
		d->class_names[d->label[row]], d->class_names[predicted],
		predicted == d->label[row], (d->flaw[row] & FLAW_TWIN_BEFORE) != 0);
	for (int c = 0; c < d->classes; c++)
		fprintf(file, ",%.17g", p[c]);
	fputc('\n', file);
}

int report_predictions(
	const char *path, const struct dataset *d, const struct data_rows *rows, const double *p)
{
	struct whole w;

	if (whole_open(&w, path))
		return -1;
	fputs("row,usage,label,predicted,correct,twin", w.file);
	for (int c = 0; c < d->classes; c++)
		fprintf(w.file, ",p_%s", d->class_names[c]);
	fputc('\n', w.file);
	for (int32_t i = 0; i < rows->n; i++)
		prediction(w.file, d, rows->row[i], p + (size_t)i * (size_t)d->classes);
	return whole_close(&w);
}

int report_metrics_json(const char *path, const struct report_evaluation *e, int n)
{
	struct whole w;

	if (whole_open(&w, path))
		return -1;
	report_print(w.file, REPORT_JSON, e, n);
	return whole_close(&w);
}
