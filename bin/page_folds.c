/*
 * page_folds.c: the folds of a cross-validation in report.html.
 */
#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is shown of kfold.csv, in its order. */
static const struct column {
	const char *key, *head;
	int digits;
	double scale;
} columns[] = {
	{ "train_rows", "trained on", 0, 1 },
	{ "rows", "held out", 0, 1 },
	{ "best_epoch", "epoch", 1, 1 },
	{ "val_acc", "PublicTest %", 2, 100 },
	{ "accuracy", "accuracy %", 2, 100 },
	{ "macro_precision", "precision %", 2, 100 },
	{ "macro_recall", "recall %", 2, 100 },
	{ "macro_f1", "F1 %", 2, 100 },
	{ "macro_auc", "AUC", 4, 1 },
	{ "log_loss", "log-loss", 4, 1 },
	{ "seconds", "seconds", 0, 1 },
};

enum { COLUMNS = sizeof(columns) / sizeof(*columns) };

/* Field i of a line, as it is written; "" where there are fewer. */
static void field(const char *line, int i, char text[64])
{
	while (i-- > 0 && *(line += strcspn(line, ",\n")) == ',')
		line++;
	snprintf(text, 64, "%.*s", (int)strcspn(line, ",\n"), line);
}

/* Where the column stands in the head, -1: nowhere. */
static int place(const char *head, const char *key)
{
	char text[64];

	for (int i = 0; field(head, i, text), *text; i++)
		if (!strcmp(text, key))
			return i;
	return -1;
}

static void row(FILE *out, const char *line, const int at[COLUMNS])
{
	char text[64];

	field(line, 0, text);
	fputs("<tr>", out);
	page__element(out, "td", "%s", text);
	for (int i = 0; i < COLUMNS; i++) {
		char *end;
		double x;

		if (at[i] < 0)
			continue;
		field(line, at[i], text);
		x = strtod(text, &end);
		if (end == text || isnan(x))
			page__element(out, "td", "-");
		else
			page__element(out, "td", "%.*f", columns[i].digits, columns[i].scale * x);
	}
	fputs("</tr>\n", out);
}

/* The value of a column in the row that begins so; NaN without it. */
static double value_of(const char *csv, const char *first, const char *key)
{
	int at = place(csv, key);
	size_t n = strlen(first);
	char text[64];

	for (const char *line = csv; line && at >= 0; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, first, n) || line[n] != ',')
			continue;
		field(line, at, text);
		return strtod(text, NULL);
	}
	return NAN;
}

void page__folds(FILE *out, const struct run *r)
{
	const char *heads[COLUMNS + 1] = { "fold" };
	int at[COLUMNS], n = 1;

	if (!r->kfold)
		return;
	for (int i = 0; i < COLUMNS; i++) {
		at[i] = place(r->kfold, columns[i].key);
		if (at[i] >= 0)
			heads[n++] = columns[i].head;
	}
	page__element(out, "p", "Cross-validation in %d folds: accuracy %.2f \xc2\xb1 %.2f %%, macro F1 "
		"%.2f \xc2\xb1 %.2f %%, macro AUC %.4f \xc2\xb1 %.4f (mean and standard deviation of the "
		"folds; precision and recall below are macro means, too). What follows below is of all held-out images together.", r->folds,
		100 * value_of(r->kfold, "mean", "accuracy"), 100 * value_of(r->kfold, "sd", "accuracy"),
		100 * value_of(r->kfold, "mean", "macro_f1"), 100 * value_of(r->kfold, "sd", "macro_f1"),
		value_of(r->kfold, "mean", "macro_auc"), value_of(r->kfold, "sd", "macro_auc"));
	page__table(out, "Folds (kfold.csv)", heads, n);
	for (const char *line = strchr(r->kfold, '\n'); line && line[1]; line = strchr(line + 1, '\n'))
		row(out, line + 1, at);
	page__table_end(out);
}
