/*
 * report_print.c: evaluations as a table, CSV, JSON or Markdown.
 */
#include "report.h"

#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

bool report_format_parse(const char *word, enum report_format *format)
{
	static const char *const words[] = { "table", "csv", "json", "md" };

	for (int i = 0; i < 4; i++) {
		if (!strcmp(word, words[i])) {
			*format = (enum report_format)i;
			return true;
		}
	}
	return false;
}

/* --- JSON --- */

static void json_interval(struct json *j, const char *key, struct interval i)
{
	double ends[2] = { i.low, i.high };

	json_reals(j, key, ends, 2);
}

static void json_confusion(struct json *j, const struct metrics *m)
{
	json_array(j, "confusion");
	for (int t = 0; t < m->classes; t++) {
		json_row(j, NULL);
		for (int p = 0; p < m->classes; p++)
			json_int(j, NULL, m->confusion[t][p]);
		json_end(j);
	}
	json_end(j);
}

static void json_per_class(struct json *j, const struct metrics *m, const char *const *names)
{
	json_row(j, "classes");
	for (int c = 0; c < m->classes; c++)
		json_text(j, NULL, names[c]);
	json_end(j);
	json_row(j, "support");
	for (int c = 0; c < m->classes; c++)
		json_int(j, NULL, m->support[c]);
	json_end(j);
	json_reals(j, "precision", m->precision, m->classes);
	json_reals(j, "recall", m->recall, m->classes);
	json_reals(j, "f1", m->f1, m->classes);
	json_reals(j, "auc", m->auc, m->classes);
}

static void json_reliability(struct json *j, const struct metrics *m)
{
	json_array(j, "reliability");
	for (int b = 0; b < METRICS_BINS; b++) {
		double row[3] = { m->bins[b].n, m->bins[b].confidence, m->bins[b].accuracy };

		json_reals(j, NULL, row, 3);
	}
	json_end(j);
}

void report_json_metrics(
	struct json *j, const char *key, const struct metrics *m, const char *const *names)
{
	json_object(j, key);
	json_int(j, "n", m->n);
	json_real(j, "accuracy", m->accuracy);
	json_interval(j, "accuracy_95", m->accuracy95);
	json_real(j, "macro_precision", m->macro_precision);
	json_real(j, "macro_recall", m->macro_recall);
	json_real(j, "macro_f1", m->macro_f1);
	json_real(j, "macro_auc", m->macro_auc);
	json_int(j, "classes_without_auc", m->absent);
	json_real(j, "hard_label_auc", m->hard_auc);
	json_real(j, "weighted_precision", m->weighted_precision);
	json_real(j, "weighted_recall", m->weighted_recall);
	json_real(j, "weighted_f1", m->weighted_f1);
	json_real(j, "balanced_accuracy", m->balanced_accuracy);
	json_real(j, "kappa", m->kappa);
	json_real(j, "log_loss", m->log_loss);
	json_real(j, "ece", m->ece);
	json_per_class(j, m, names);
	json_confusion(j, m);
	json_reliability(j, m);
	json_end(j);
}

static void json_bootstrap(struct json *j, const char *key, const struct metrics_bootstrap *b)
{
	json_object(j, key);
	json_interval(j, "accuracy", b->accuracy);
	json_interval(j, "macro_f1", b->macro_f1);
	json_interval(j, "macro_auc", b->macro_auc);
	json_end(j);
}

static void json_ferplus(struct json *j, const struct report_ferplus *f, const char *const *names)
{
	json_object(j, "ferplus");
	json_real(j, "label_agreement", f->label_agreement);
	json_real(j, "vote_share", f->vote_share);
	json_real(j, "label_vote_share", f->label_vote_share);
	report_json_metrics(j, "prediction", &f->metrics, names);
	json_end(j);
}

static void json_members(struct json *j, const struct report_evaluation *e)
{
	json_array(j, "members");
	for (int i = 0; i < e->members; i++) {
		json_object(j, NULL);
		json_text(j, "model", e->member[i].model);
		json_text(j, "checkpoint", e->member[i].checkpoint);
		json_real(j, "accuracy", e->member[i].accuracy);
		json_end(j);
	}
	json_end(j);
}

static void json_comparison(struct json *j, const struct report_comparison *c)
{
	json_object(j, "comparison");
	json_text(j, "other", c->other);
	json_int(j, "n", c->n);
	json_real(j, "accuracy", c->accuracy);
	json_real(j, "other_accuracy", c->other_accuracy);
	json_int(j, "only_this_right", c->only_this);
	json_int(j, "only_other_right", c->only_other);
	json_real(j, "mcnemar_p", c->p);
	json_end(j);
}

void report_json(struct json *j, const char *key, const struct report_evaluation *e)
{
	char hash[20];

	snprintf(hash, sizeof(hash), "%016" PRIx64, e->data_hash);
	json_object(j, key);
	json_text(j, "model", e->model);
	json_text(j, "checkpoint", e->checkpoint);
	if (e->parameters)
		json_int(j, "parameters", e->parameters);
	json_text(j, "data", e->data);
	json_text(j, "data_hash", hash);
	json_text(j, "split", e->split);
	json_text(j, "tta", e->tta);
	json_real(j, "temperature", e->temperature);
	json_real(j, "ece_before_temperature", e->ece_before);
	json_real(j, "log_loss_before_temperature", e->log_loss_before);
	json_real(j, "seconds", e->seconds);
	json_real(j, "img_per_s", e->img_per_s);
	report_json_metrics(j, "all", &e->all, e->class_names);
	if (e->has_bootstrap)
		json_bootstrap(j, "all_bootstrap_95", &e->bootstrap);
	if (e->without_twins.n) {
		report_json_metrics(j, "without_twins", &e->without_twins, e->class_names);
		if (e->has_bootstrap)
			json_bootstrap(
				j, "without_twins_bootstrap_95", &e->bootstrap_without_twins);
	}
	if (e->ferplus.metrics.n)
		json_ferplus(j, &e->ferplus, e->class_names);
	if (e->members > 1)
		json_members(j, e);
	if (e->comparison.other)
		json_comparison(j, &e->comparison);
	json_end(j);
}

static void print_json(FILE *out, const struct report_evaluation *e, int n)
{
	struct json j;

	json_open(&j, out);
	json_object(&j, NULL);
	json_array(&j, "evaluations");
	for (int i = 0; i < n; i++)
		report_json(&j, NULL, &e[i]);
	json_end(&j);
	json_end(&j);
	json_close(&j);
}

/* --- tables for people --- */

/* A table in plain text or Markdown. */
struct table {
	FILE *out;
	bool md;
};

/* A cell: `width` columns, left-aligned if negative; what it holds in Markdown. */
static void cell(const struct table *t, int width, const char *text)
{
	if (t->md)
		fprintf(t->out, " %s |", text);
	else
		fprintf(t->out, "%*s", width, text);
}

static void row(const struct table *t, int width, const char *name)
{
	if (t->md)
		fputc('|', t->out);
	cell(t, -width, name);
}

static void row_end(const struct table *t)
{
	fputc('\n', t->out);
}

/* The line below a table's head. */
static void rule(const struct table *t, int columns)
{
	row_end(t);
	if (!t->md)
		return;
	fputs("|", t->out);
	for (int i = 0; i < columns; i++)
		fputs(i ? " ---: |" : " --- |", t->out);
	row_end(t);
}

static void number_cell(const struct table *t, int width, int digits, double x)
{
	char text[32] = "-";

	if (!isnan(x))
		snprintf(text, sizeof(text), "%.*f", digits, x);
	cell(t, width, text);
}

enum { NAME = 20, VALUE = 24, NARROW = 10 };

static const struct measure {
	const char *name;
	size_t offset; /* of a double in struct metrics */
	size_t bootstrap; /* of an interval in struct metrics_bootstrap, + 1; 0: none */
	double scale;
	int digits;
} measures[] = {
	{ "accuracy %", offsetof(struct metrics, accuracy), 0, 100, 2 },
	{ "macro precision %", offsetof(struct metrics, macro_precision), 0, 100, 2 },
	{ "macro recall %", offsetof(struct metrics, macro_recall), 0, 100, 2 },
	{ "macro F1 %", offsetof(struct metrics, macro_f1),
		offsetof(struct metrics_bootstrap, macro_f1) + 1, 100, 2 },
	{ "macro AUC", offsetof(struct metrics, macro_auc),
		offsetof(struct metrics_bootstrap, macro_auc) + 1, 1, 4 },
	{ "weighted F1 %", offsetof(struct metrics, weighted_f1), 0, 100, 2 },
	{ "balanced accuracy %", offsetof(struct metrics, balanced_accuracy), 0, 100, 2 },
	{ "Cohen's kappa", offsetof(struct metrics, kappa), 0, 1, 4 },
	{ "log-loss", offsetof(struct metrics, log_loss), 0, 1, 4 },
	{ "ECE", offsetof(struct metrics, ece), 0, 1, 4 },
};

/* "64.63 [63.05, 66.18]"; the interval where there is one. */
static void measure_cell(const struct table *t, const struct measure *u, const struct metrics *m,
	const struct metrics_bootstrap *b)
{
	double x = *(const double *)(const void *)((const char *)m + u->offset);
	const struct interval *i = NULL;
	char text[96] = "-";

	if (u->offset == offsetof(struct metrics, accuracy))
		i = &m->accuracy95;
	else if (b && u->bootstrap)
		i = (const void *)((const char *)b + u->bootstrap - 1);
	if (i && !isnan(x))
		snprintf(text, sizeof(text), "%.*f [%.*f, %.*f]", u->digits, x * u->scale,
			u->digits, i->low * u->scale, u->digits, i->high * u->scale);
	else if (!isnan(x))
		snprintf(text, sizeof(text), "%.*f", u->digits, x * u->scale);
	cell(t, VALUE, text);
}

static void print_measures(const struct table *t, const struct report_evaluation *e)
{
	bool twins = e->without_twins.n > 0;
	char text[32];

	row(t, NAME, "");
	cell(t, VALUE, "all images");
	if (twins)
		cell(t, VALUE, "without twins");
	rule(t, 2 + twins);
	row(t, NAME, "images");
	snprintf(text, sizeof(text), "%" PRId32, e->all.n);
	cell(t, VALUE, text);
	snprintf(text, sizeof(text), "%" PRId32, e->without_twins.n);
	if (twins)
		cell(t, VALUE, text);
	row_end(t);
	for (size_t i = 0; i < sizeof(measures) / sizeof(*measures); i++) {
		row(t, NAME, measures[i].name);
		measure_cell(t, &measures[i], &e->all, e->has_bootstrap ? &e->bootstrap : NULL);
		if (twins)
			measure_cell(t, &measures[i], &e->without_twins,
				e->has_bootstrap ? &e->bootstrap_without_twins : NULL);
		row_end(t);
	}
}

static void print_classes(const struct table *t, const struct metrics *m, const char *const *names)
{
	static const char *const heads[] = { "images", "precision", "recall", "F1", "AUC" };

	row(t, NAME, "class");
	for (int i = 0; i < 5; i++)
		cell(t, NARROW, heads[i]);
	rule(t, 6);
	for (int c = 0; c < m->classes; c++) {
		row(t, NAME, names[c]);
		number_cell(t, NARROW, 0, (double)m->support[c]);
		number_cell(t, NARROW, 2, 100 * m->precision[c]);
		number_cell(t, NARROW, 2, 100 * m->recall[c]);
		number_cell(t, NARROW, 2, 100 * m->f1[c]);
		number_cell(t, NARROW, 4, m->auc[c]);
		row_end(t);
	}
}

static void print_confusion(
	const struct table *t, const struct metrics *m, const char *const *names)
{
	row(t, NAME, "true \\ predicted");
	for (int c = 0; c < m->classes; c++)
		cell(t, NARROW, names[c]);
	rule(t, m->classes + 1);
	for (int i = 0; i < m->classes; i++) {
		row(t, NAME, names[i]);
		for (int j = 0; j < m->classes; j++)
			number_cell(t, NARROW, 0, (double)m->confusion[i][j]);
		row_end(t);
	}
}

/* Before a temperature: "ECE 0.0512, log-loss 0.9876" beside those of the table. */
static void print_before(const struct table *t, const struct report_evaluation *e)
{
	if (!isnan(e->ece_before))
		fprintf(t->out, "\nBefore the temperature: ECE %.4f, log-loss %.4f.\n",
			e->ece_before, e->log_loss_before);
}

static void print_ferplus(const struct table *t, const struct report_ferplus *f)
{
	const struct {
		const char *name;
		double value;
	} rows[] = {
		{ "prediction = FER+ %", f->metrics.accuracy },
		{ "label = FER+ %", f->label_agreement },
		{ "votes for prediction %", f->vote_share },
		{ "votes for label %", f->label_vote_share },
	};

	if (!f->metrics.n)
		return;
	row_end(t);
	row(t, NAME + 4, "FER+");
	cell(t, NARROW, "");
	rule(t, 2);
	row(t, NAME + 4, "images with a vote");
	number_cell(t, NARROW, 0, f->metrics.n);
	row_end(t);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		row(t, NAME + 4, rows[i].name);
		number_cell(t, NARROW, 2, 100 * rows[i].value);
		row_end(t);
	}
}

static void print_members(const struct table *t, const struct report_evaluation *e)
{
	if (e->members < 2)
		return;
	fprintf(t->out, "\nMean of the probabilities of %d networks; each alone:\n%s", e->members,
		t->md ? "\n" : "");
	for (int i = 0; i < e->members; i++)
		fprintf(t->out, "%s%.2f %%  %s, %s\n", t->md ? "- " : "", 100 * e->member[i].accuracy,
			e->member[i].model, e->member[i].checkpoint);
}

static void print_comparison(const struct table *t, const struct report_comparison *c)
{
	if (!c->other)
		return;
	fprintf(t->out,
		"\nAgainst %s, on %" PRId32 " images: %.2f %% and there %.2f %%; only here right %"
		PRId32 ", only there %" PRId32 "; McNemar p = %.4g.\n",
		c->other, c->n, 100 * c->accuracy, 100 * c->other_accuracy, c->only_this,
		c->only_other, c->p);
}

static void print_title(const struct table *t, const struct report_evaluation *e)
{
	const char *parts[] = { e->split, e->model, e->checkpoint, e->data };
	bool first = true;

	fputs(t->md ? "### " : "", t->out);
	for (int i = 0; i < 4; i++) {
		if (!parts[i])
			continue;
		fprintf(t->out, "%s%s", first ? "" : ", ", parts[i]);
		first = false;
	}
	if (e->tta)
		fprintf(t->out, ", tta %s", e->tta);
	if (!isnan(e->temperature))
		fprintf(t->out, ", temperature %.4g", e->temperature);
	row_end(t);
}

static void print_table(FILE *out, bool md, const struct report_evaluation *e)
{
	struct table t = { out, md };

	print_title(&t, e);
	row_end(&t);
	print_measures(&t, e);
	row_end(&t);
	print_classes(&t, &e->all, e->class_names);
	row_end(&t);
	print_confusion(&t, &e->all, e->class_names);
	print_ferplus(&t, &e->ferplus);
	print_before(&t, e);
	print_members(&t, e);
	print_comparison(&t, &e->comparison);
	if (e->all.absent)
		fprintf(out,
			"\nmacro AUC leaves out %" PRId32 " of %" PRId32
			" classes, which have no images or all of them\n",
			e->all.absent, e->all.classes);
	fprintf(out, "\nIn brackets 95 %% intervals (accuracy: Wilson%s).%s\n",
		e->has_bootstrap ? "; F1 and AUC: bootstrap" : "",
		e->without_twins.n ? "\nTwins: images that an earlier split has pixel for pixel."
				   : "");
}

int report_print(FILE *out, enum report_format format, const struct report_evaluation *e, int n)
{
	if (format == REPORT_JSON)
		print_json(out, e, n);
	else if (format == REPORT_CSV)
		report__csv(out, e, n);
	else
		for (int i = 0; i < n; i++) {
			if (i)
				fputc('\n', out);
			print_table(out, format == REPORT_MD, &e[i]);
		}
	return fflush(out) || ferror(out) ? -1 : 0;
}
