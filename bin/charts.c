#include "charts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "svg.h"

enum { WIDTH = 480 };

static const char *series(char text[32], const char *before, int i)
{
	snprintf(text, 32, "%s c%d", before, i % SVG_SERIES);
	return text;
}

/* --- class distribution --- */

static void class_bar(FILE *out, const struct svg_axis *x, double y, const int32_t *count,
	const char *name, double all)
{
	double from = 0, total = 0;

	svg_text(out, x->from - 8, y + 15, "end", "%s", name);
	for (int s = 0; s < SPLITS; s++) {
		char note[96], classes[32];

		snprintf(
			note, sizeof(note), "%s, %s: %d", name, data_split_names[s], (int)count[s]);
		svg_rect(out, svg_at(x, from), y, svg_at(x, from + count[s]) - svg_at(x, from), 22,
			series(classes, "fill", s), note);
		from += count[s];
		total += count[s];
	}
	svg_text(out, svg_at(x, from) + 6, y + 15, "start small", "%.0f (%.1f %%)", total,
		100 * total / all);
}

/* Of all splits; *most: of the largest class. */
static int32_t sum_counts(const struct charts_classes *d, int32_t *most)
{
	int32_t all = 0;

	*most = 1;
	for (int c = 0; c < d->classes; c++) {
		int32_t sum = 0;

		for (int s = 0; s < SPLITS; s++)
			sum += d->count[s][c];
		*most = sum > *most ? sum : *most;
		all += sum;
	}
	return all;
}

void charts_classes(FILE *out, const struct charts_classes *d)
{
	struct svg_axis x = { .from = 76, .to = 380, .label = "images", .format = "%.0f" };
	struct svg_axis y = { .high = 1,
		.from = 64 + 30 * d->classes,
		.to = 56,
		.label = "",
		.format = "",
		.step = 2 };
	int32_t most, all = sum_counts(d, &most);

	x.high = most;
	svg_begin(out, WIDTH, y.from + 48, "Class distribution",
		"Images of each class, with their share; a bar's parts are the splits.");
	svg_axes(out, &x, &y);
	for (int s = 0; s < SPLITS; s++) {
		char classes[32];

		svg_rect(out, 76 + 110 * s, 36, 10, 10, series(classes, "fill", s), NULL);
		svg_text(out, 91 + 110 * s, 45, "start small", "%s", data_split_names[s]);
	}
	for (int c = 0; c < d->classes; c++) {
		int32_t of_class[SPLITS];

		for (int s = 0; s < SPLITS; s++)
			of_class[s] = d->count[s][c];
		class_bar(out, &x, 62 + 30 * c, of_class, d->names[c], all);
	}
	svg_end(out);
}

/* --- learning curves --- */

enum { TRAIN, VALIDATION };

static double value_of(const struct report_epoch *e, bool is_loss, int which)
{
	if (is_loss)
		return which == TRAIN ? e->train_loss : e->val_loss;
	return 100 * (which == TRAIN ? e->train_acc : e->val_acc);
}

static void key(FILE *out, double y)
{
	static const char *const names[] = { "training", "validation", "best epoch" };
	static const char *const classes[] = { "curve c0", "curve c1", "ink dash" };

	for (int i = 0; i < 3; i++) {
		svg_line(out, 56 + 120 * i, y - 4, 80 + 120 * i, y - 4, classes[i]);
		svg_text(out, 86 + 120 * i, y, "start small", "%s", names[i]);
	}
}

/* Both curves of loss or accuracy, between top and bottom. */
static int curve_panel(
	FILE *out, const struct report_epoch *e, int n, bool is_loss, double top, double bottom)
{
	double *xs = calloc((size_t)n * 2, sizeof(*xs)), *ys = xs + n, low = INFINITY,
	       high = -INFINITY;
	struct svg_axis x = { .low = e[0].epoch,
		.high = fmax(e[n - 1].epoch, e[0].epoch + 1),
		.from = 56,
		.to = WIDTH - 16,
		.label = "epoch",
		.format = "%.0f" };
	struct svg_axis y = { .from = bottom,
		.to = top,
		.label = is_loss ? "loss (nats)" : "accuracy (%)",
		.format = "%.4g" };

	if (!xs)
		return -1;
	for (int i = 0; i < 2 * n; i++) {
		double v = value_of(&e[i / 2], is_loss, i % 2);

		low = isfinite(v) ? fmin(low, v) : low;
		high = isfinite(v) ? fmax(high, v) : high;
	}
	y.step = isfinite(low) && high > low ? svg_step(low, high, 5) : 1;
	y.low = isfinite(low) ? floor(low / y.step) * y.step : 0;
	y.high = isfinite(low) ? fmax(ceil(high / y.step) * y.step, y.low + y.step) : 1;
	y.format = y.step >= 1 ? "%.0f" : y.step >= .1 ? "%.1f" : "%.2f";
	x.step = fmax(1, svg_step(x.low, x.high, 8));
	svg_axes(out, &x, &y);
	for (int which = TRAIN; which <= VALIDATION; which++) {
		for (int i = 0; i < n; i++) {
			double v = value_of(&e[i], is_loss, which);

			xs[i] = e[i].epoch;
			ys[i] = isfinite(v) ? v : NAN;
		}
		svg_curve(out, &x, &y, xs, ys, n, which == TRAIN ? "c0" : "c1");
	}
	for (int i = n - 1; i >= 0; i--) {
		double v = value_of(&e[i], is_loss, VALIDATION);

		if (!e[i].best || !isfinite(v))
			continue;
		svg_line(out, svg_at(&x, e[i].epoch), bottom, svg_at(&x, e[i].epoch), top,
			"ink dash");
		svg_dot(out, svg_at(&x, e[i].epoch), svg_at(&y, v), 4, "hollow c1", NULL);
		break;
	}
	free(xs);
	return 0;
}

void charts_curves(FILE *out, const struct report_epoch *epoch, int n)
{
	if (n < 1)
		return;
	svg_begin(out, WIDTH, 540, "Learning curves",
		"Loss above, accuracy below, by epoch: training and validation; the best epoch is "
		"marked.");
	key(out, 46);
	curve_panel(out, epoch, n, true, 62, 252);
	curve_panel(out, epoch, n, false, 306, 496);
	svg_end(out);
}

static void fold_curve(FILE *out, const struct svg_axis *x, const struct svg_axis *y,
	const struct report_epochs *f, const char *classes)
{
	double *xs = calloc((size_t)f->n * 2 + 1, sizeof(*xs)), *ys = xs + f->n;
	char dot[48];
	int best = -1;

	for (int i = 0; xs && i < f->n; i++) {
		xs[i] = f->row[i].epoch;
		ys[i] = isfinite(f->row[i].val_acc) ? 100 * f->row[i].val_acc : NAN;
		best = f->row[i].best ? i : best;
	}
	if (xs)
		svg_curve(out, x, y, xs, ys, f->n, classes);
	snprintf(dot, sizeof(dot), "hollow %s", classes);
	if (xs && best >= 0)
		svg_dot(out, svg_at(x, xs[best]), svg_at(y, ys[best]), 4, dot, NULL);
	free(xs);
}

void charts_folds(FILE *out, const struct report_epochs *fold, int k)
{
	struct svg_axis x = { .from = 56, .to = WIDTH - 16, .label = "epoch", .format = "%.0f" };
	struct svg_axis y = { .low = 100, .from = 262, .to = 62, .format = "%.0f",
		.label = "accuracy (%)" };
	char classes[32];

	x.low = 1;
	x.high = 2;
	for (int i = 0; i < k; i++)
		for (int j = 0; j < fold[i].n; j++) {
			double v = 100 * fold[i].row[j].val_acc;

			x.high = fmax(x.high, fold[i].row[j].epoch);
			y.low = isfinite(v) ? fmin(y.low, v) : y.low;
			y.high = isfinite(v) ? fmax(y.high, v) : y.high;
		}
	y.step = y.high > y.low ? fmax(1, svg_step(y.low, y.high, 5)) : 1;
	y.low = floor(y.low / y.step) * y.step;
	y.high = fmax(ceil(y.high / y.step) * y.step, y.low + y.step);
	x.step = fmax(1, svg_step(x.low, x.high, 8));
	svg_begin(out, WIDTH, 306, "Learning curves of the folds",
		"Accuracy on the rows that choose the epoch, by epoch, a curve for each fold; "
		"circles: the epoch that was chosen.");
	for (int i = 0; i < k && i < SVG_SERIES; i++) {
		svg_line(out, 56 + 56 * i, 42, 76 + 56 * i, 42, series(classes, "curve", i));
		svg_text(out, 82 + 56 * i, 46, "start small", "%d", i + 1);
	}
	svg_axes(out, &x, &y);
	for (int i = 0; i < k; i++)
		fold_curve(out, &x, &y, &fold[i], series(classes, "", i));
	svg_end(out);
}

/* --- confusion --- */

static void confusion_cell(FILE *out, const struct metrics *m, const char *const *names, int i,
	int j, double x, double y, double side)
{
	double share = m->support[i] ? (double)m->confusion[i][j] / (double)m->support[i] : 0;
	const char *ink = share > .7 ? "on" : "";
	char text[32], note[200];

	snprintf(note, sizeof(note), "%s taken for %s: %lld of %lld", names[i], names[j],
		(long long)m->confusion[i][j], (long long)m->support[i]);
	svg_shade(out, x, y, side - 1, side - 1, .04 + .96 * share, note);
	if (side < 34)
		return;
	snprintf(text, sizeof(text), "bold %s", ink);
	svg_text(out, x + side / 2, y + side / 2 - 1, text, "%.0f %%", 100 * share);
	snprintf(text, sizeof(text), "small %s", ink);
	svg_text(out, x + side / 2, y + side / 2 + 13, text, "%lld", (long long)m->confusion[i][j]);
}

void charts_confusion(FILE *out, const struct metrics *m, const char *const *names)
{
	double left = 84, top = 62, side = (WIDTH - left - 12) / m->classes;

	svg_begin(out, WIDTH, top + side * m->classes + 34, "Confusion matrix",
		"A row for each true class: the share of its images that were given each class, "
		"and their number.");
	svg_text(out, left + side * m->classes / 2, top + side * m->classes + 22, "soft",
		"predicted class");
	svg_text_up(out, 16, top + side * m->classes / 2, "soft", "true class");
	for (int i = 0; i < m->classes; i++) {
		svg_text(out, left + side * (i + .5), top - 8, "small", "%s", names[i]);
		svg_text(out, left - 6, top + side * (i + .5) + 4, "end small", "%s", names[i]);
		for (int j = 0; j < m->classes; j++)
			confusion_cell(out, m, names, i, j, left + side * j, top + side * i, side);
	}
	svg_end(out);
}
