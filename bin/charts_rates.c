/*
 * charts_rates.c: figures of rates: ROC, reliability, comparison of models.
 */
#include "charts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "svg.h"

enum { WIDTH = 480, LISTED = 7 };

static const char *series(char text[32], const char *before, int i)
{
	snprintf(text, 32, "%s c%d", before, i % SVG_SERIES);
	return text;
}

/* --- ROC --- */

struct scored {
	double score;
	bool positive;
};

static int by_falling_score(const void *a, const void *b)
{
	const struct scored *x = a, *y = b;

	return (x->score < y->score) - (x->score > y->score);
}

/*
 * The corners of the curve into xs, ys [n+1]; rows of equal score are one step. Steps too small to be
 * seen are joined. How many.
 */
static int roc_points(struct scored *s, int32_t n, double *xs, double *ys)
{
	double hits = 0, false_alarms = 0, positives = 0;
	int points = 1;

	qsort(s, (size_t)n, sizeof(*s), by_falling_score);
	for (int32_t i = 0; i < n; i++)
		positives += s[i].positive;
	xs[0] = ys[0] = 0;
	for (int32_t i = 0; i < n; i++) {
		hits += s[i].positive;
		false_alarms += !s[i].positive;
		if (i + 1 < n && s[i + 1].score == s[i].score)
			continue;
		xs[points] = false_alarms / (n - positives);
		ys[points] = hits / positives;
		if (i + 1 == n || xs[points] - xs[points - 1] + ys[points] - ys[points - 1] > .006)
			points++;
	}
	return points;
}

static void roc_class(FILE *out, const struct svg_axis *x, const struct svg_axis *y,
	const struct metrics *m, int c, const char *name, const double *xs, const double *ys,
	int points)
{
	char classes[32];
	double row = 300 + 20 * c;

	if (points)
		svg_curve(out, x, y, xs, ys, points, series(classes, "", c));
	if (c >= LISTED)
		return;
	svg_line(out, 300, row - 4, 326, row - 4, series(classes, "curve", c));
	if (isnan(m->auc[c]))
		svg_text(out, 332, row, "start small", "%s, no images", name);
	else
		svg_text(out, 332, row, "start small", "%s  AUC %.3f", name, m->auc[c]);
}

int charts_roc(FILE *out, const struct metrics *m, const double *p, const uint8_t *label,
	const char *const *names)
{
	size_t n = (size_t)m->n;
	struct scored *s = malloc((n + 1) * sizeof(*s));
	double *xs = malloc(2 * (n + 2) * sizeof(*xs)), *ys = xs + n + 2;
	struct svg_axis x = { .high = 1,
		.from = 56,
		.to = WIDTH - 16,
		.step = .2,
		.format = "%.1f",
		.label = "false positive rate" };
	struct svg_axis y = { .high = 1,
		.from = 456,
		.to = 48,
		.step = .2,
		.format = "%.1f",
		.label = "true positive rate" };

	if (s && xs) {
		svg_begin(out, WIDTH, 500, "ROC curves",
			"Each class against the rest: true positive rate over false positive rate, "
			"and the "
			"area below the curve.");
		svg_text(out, WIDTH - 16, 22, "end soft", "macro AUC %.3f", m->macro_auc);
		svg_axes(out, &x, &y);
		svg_line(out, x.from, y.from, x.to, y.to, "soft dash");
		svg_rect(out, 290, 282, 172, 20 * (m->classes < LISTED ? m->classes : LISTED) + 8,
			"bg", NULL);
		for (int c = 0; c < m->classes; c++) {
			for (size_t i = 0; i < n; i++)
				s[i] = (struct scored){ p[i * (size_t)m->classes + (size_t)c],
					label[i] == c };
			roc_class(out, &x, &y, m, c, names[c], xs, ys,
				isnan(m->auc[c]) ? 0 : roc_points(s, m->n, xs, ys));
		}
		svg_end(out);
	}
	free(s);
	free(xs);
	return s && xs ? 0 : -1;
}

/* --- reliability --- */

static void reliability_bin(FILE *out, const struct svg_axis *x, const struct svg_axis *y,
	const struct svg_axis *count, const struct metrics *m, int b)
{
	double left = svg_at(x, (double)b / METRICS_BINS) + 1;
	double width = svg_at(x, (b + 1.) / METRICS_BINS) - left - 1,
	       accuracy = m->bins[b].accuracy;
	char note[128];

	if (!m->bins[b].n)
		return;
	snprintf(note, sizeof(note), "%d images, mean confidence %.3f, accuracy %.3f",
		(int)m->bins[b].n, m->bins[b].confidence, accuracy);
	svg_rect(out, left, svg_at(y, accuracy), width, y->from - svg_at(y, accuracy), "fill c0",
		note);
	svg_line(out, left, svg_at(y, m->bins[b].confidence), left + width,
		svg_at(y, m->bins[b].confidence), "curve c1 plain");
	svg_rect(out, left, svg_at(count, m->bins[b].n), width,
		count->from - svg_at(count, m->bins[b].n), "fill c6", note);
}

void charts_reliability(FILE *out, const struct metrics *m)
{
	struct svg_axis x = {
		.high = 1, .from = 56, .to = WIDTH - 16, .step = .2, .format = "%.1f", .label = ""
	};
	struct svg_axis y = {
		.high = 1, .from = 346, .to = 62, .step = .2, .format = "%.1f", .label = "accuracy"
	};
	struct svg_axis count = { .from = 456, .to = 386, .format = "%.0f", .label = "images" };

	for (int b = 0; b < METRICS_BINS; b++)
		count.high = fmax(count.high, m->bins[b].n);
	count.step = count.high > 0 ? svg_step(0, count.high, 2) : 1;
	count.high = fmax(ceil(count.high / count.step) * count.step, 1);
	svg_begin(out, WIDTH, 500, "Reliability",
		"Accuracy of images by the confidence of their prediction, in 15 bins; below, how "
		"many images "
		"a bin has. On the diagonal, confidence is deserved.");
	svg_text(out, WIDTH - 16, 22, "end soft", "ECE %.4f", m->ece);
	svg_rect(out, 56, 36, 10, 10, "fill c0", NULL);
	svg_text(out, 71, 45, "start small", "accuracy of the bin");
	svg_line(out, 200, 41, 224, 41, "curve c1 plain");
	svg_text(out, 230, 45, "start small", "its mean confidence");
	svg_axes(out, &x, &y);
	x.label = "confidence of the predicted class";
	svg_axes(out, &x, &count);
	for (int b = 0; b < METRICS_BINS; b++)
		reliability_bin(out, &x, &y, &count, m, b);
	svg_line(out, x.from, y.from, x.to, y.to, "ink dash");
	svg_end(out);
}

/* --- comparison of models --- */

static double comparison_bar(
	FILE *out, const struct svg_axis *x, double y, const struct metrics *m, int colour)
{
	char classes[32], note[96];

	snprintf(note, sizeof(note), "%.2f %% [%.2f, %.2f] of %d images", 100 * m->accuracy,
		100 * m->accuracy95.low, 100 * m->accuracy95.high, (int)m->n);
	svg_rect(out, x->from, y, svg_at(x, 100 * m->accuracy) - x->from, 16,
		series(classes, "fill", colour), note);
	svg_line(out, svg_at(x, 100 * m->accuracy95.low), y + 8,
		svg_at(x, 100 * m->accuracy95.high), y + 8, "ink");
	for (int end = 0; end < 2; end++) {
		double at = svg_at(x, 100 * (end ? m->accuracy95.high : m->accuracy95.low));

		svg_line(out, at, y + 4, at, y + 12, "ink");
	}
	svg_text(out, x->to + 8, y + 12, "start small", "%.1f", 100 * m->accuracy);
	return y + 19;
}

static double comparison_row(
	FILE *out, const struct svg_axis *x, double y, const struct charts_run *r)
{
	double top = y;

	svg_text(out, x->from, y + 12, "start", "%s", r->name);
	y += 18;
	if (r->all && r->all->n)
		y = comparison_bar(out, x, y, r->all, 0);
	if (r->without_twins && r->without_twins->n)
		y = comparison_bar(out, x, y, r->without_twins, 2);
	if (!isnan(r->claim))
		svg_dot(out, svg_at(x, 100 * r->claim), (top + 18 + y) / 2, 5, "hollow c1",
			"claimed by the paper");
	return y + 10;
}

void charts_comparison(FILE *out, const struct charts_run *run, int n)
{
	double height = 70, y = 62;
	struct svg_axis x = { .high = 100,
		.from = 20,
		.to = WIDTH - 52,
		.step = 20,
		.format = "%.0f",
		.label = "accuracy (%), whiskers: 95 % interval" };
	struct svg_axis rows = { .high = 1, .to = 56, .label = "", .format = "", .step = 2 };
	bool claims = false, twins = false;

	for (int i = 0; i < n; i++) {
		height += 28 +
			19 *
				((run[i].all && run[i].all->n) +
					(run[i].without_twins && run[i].without_twins->n));
		claims = claims || !isnan(run[i].claim);
		twins = twins || (run[i].without_twins && run[i].without_twins->n);
	}
	rows.from = height;
	svg_begin(out, WIDTH, height + 48, "Model comparison",
		"Accuracy of each run on all images and on those without twins, with 95 % "
		"intervals, and what "
		"the paper claims for such a model.");
	svg_rect(out, 20, 36, 10, 10, "fill c0", NULL);
	svg_text(out, 35, 45, "start small", "all images");
	if (twins) {
		svg_rect(out, 110, 36, 10, 10, "fill c2", NULL);
		svg_text(out, 125, 45, "start small", "without twins");
	}
	if (claims) {
		svg_dot(out, 226, 41, 5, "hollow c1", NULL);
		svg_text(out, 237, 45, "start small", "the paper's claim, not on this split");
	}
	svg_axes(out, &x, &rows);
	for (int i = 0; i < n; i++)
		y = comparison_row(out, &x, y, &run[i]);
	svg_end(out);
}
