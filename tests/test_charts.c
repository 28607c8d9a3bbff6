/*
 * Figures: well-formed XML that says what it was given; the shape of a ROC curve; nothing breaks on
 * what cannot be drawn.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"
#include "svg.h"
#include "tap.h"

enum { ROWS = 40, K = 3, TEXT = 1 << 18 };

static const char *const names[] = { "angry", "a<b&\"c", "happy" };
static char text[TEXT];

/* A picture's text; `draw` writes it. */
static const char *drawn(void (*draw)(FILE *out, const void *data), const void *data)
{
	FILE *out = tmpfile();
	size_t n;

	draw(out, data);
	rewind(out);
	n = fread(text, 1, TEXT - 1, out);
	text[n] = 0;
	fclose(out);
	return text;
}

/* Every element is closed in turn, quotes are in pairs, and no number is NaN or infinite. */
static bool well_formed(const char *s)
{
	const char *open[32];
	int depth = 0;

	for (const char *at = strchr(s, '<'); at; at = strchr(at, '<')) {
		const char *end = strchr(at, '>');
		int quotes = 0;

		if (!end)
			return false;
		for (const char *q = at; q < end; q++)
			quotes += *q == '"';
		if (quotes % 2)
			return false;
		if (at[1] == '/') {
			size_t n = (size_t)(end - at - 2);

			if (!depth || strncmp(open[--depth], at + 2, n) || open[depth][n] > '>')
				return false;
		} else if (end[-1] != '/') {
			if (depth == 32)
				return false;
			open[depth++] = at + 1;
		}
		at = end;
	}
	return depth == 0 && !strstr(s, "nan") && !strstr(s, "inf");
}

static int count(const char *s, const char *word)
{
	int n = 0;

	for (; (s = strstr(s, word)) != NULL; s++)
		n++;
	return n;
}

/* --- what is drawn --- */

struct sample {
	double p[ROWS * K];
	uint8_t label[ROWS];
	struct metrics m;
};

/* Class 0 is told apart without an error, 1 and 2 have equal scores; with `absent`, class 2 has no rows. */
static void sample(struct sample *s, bool absent)
{
	for (int i = 0; i < ROWS; i++) {
		s->label[i] = (uint8_t)(i % (absent ? 2 : K));
		s->p[i * K] = s->label[i] == 0 ? .8 : .1;
		s->p[i * K + 1] = s->p[i * K + 2] = (1 - s->p[i * K]) / 2;
	}
	metrics_compute(&s->m, s->p, s->label, ROWS, K);
}

static void draw_confusion(FILE *out, const void *data)
{
	charts_confusion(out, &((const struct sample *)data)->m, names);
}

static void draw_roc(FILE *out, const void *data)
{
	const struct sample *s = data;

	charts_roc(out, &s->m, s->p, s->label, names);
}

static void draw_reliability(FILE *out, const void *data)
{
	charts_reliability(out, &((const struct sample *)data)->m);
}

static void draw_classes(FILE *out, const void *data)
{
	charts_classes(out, data);
}

static void draw_curves(FILE *out, const void *data)
{
	static struct report_epoch epoch[3];

	for (int i = 0; i < 3; i++)
		epoch[i] = (struct report_epoch){ .epoch = i + 1,
			.train_loss = 2 - .5 * i,
			.val_loss = i == 1 ? NAN : 2.1 - .4 * i,
			.train_acc = .2 * i,
			.val_acc = .1 + .2 * i,
			.best = i == 2 };
	charts_curves(out, epoch, *(const int *)data);
}

static void draw_comparison(FILE *out, const void *data)
{
	const struct sample *s = data;
	const struct metrics none = { 0 };
	struct charts_run run[] = { { "ours", &s->m, &s->m, .78 },
		{ names[1], &s->m, &none, NAN } };

	charts_comparison(out, run, 2);
}

static void test_charts(void)
{
	static struct sample s, absent;
	struct charts_classes c = { K, names, { { 5, 6, 7 }, { 0, 0, 3 }, { 1, 1, 1 } } };
	const char *t;
	int three = 3, one = 1;

	sample(&s, false);
	sample(&absent, true);
	t = drawn(draw_confusion, &s);
	ok(well_formed(t) && strstr(t, "angry taken for angry: 14 of 14"), "confusion");
	ok(strstr(t, "a&lt;b&amp;&quot;c") && !strstr(t, names[1]), "names are escaped");
	ok(well_formed(drawn(draw_confusion, &absent)), "confusion with a class without rows");
	t = drawn(draw_roc, &s);
	ok(well_formed(t) && strstr(t, "angry  AUC 1.000"), "ROC");
	/* false positive rate 0..1 is 56..464, true positive rate 0..1 is 456..48 */
	ok(strstr(t, "M56.0 456.0L56.0 48.0L464.0 48.0\" class=\"curve  c0\""),
		"without an error: up, then to the right");
	t = drawn(draw_roc, &absent);
	ok(well_formed(t) && strstr(t, "happy, no images"), "ROC with a class without rows");
	t = drawn(draw_reliability, &s);
	ok(well_formed(t) && count(t, "images, mean confidence") == 2 * 2, "reliability, two bins");
	t = drawn(draw_classes, &c);
	ok(well_formed(t) && strstr(t, "11 (45.8 %)"), "classes");
	t = drawn(draw_curves, &three);
	ok(well_formed(t) && count(t, "class=\"hollow c1\"") == 2,
		"curves, the best epoch in both");
	ok(well_formed(drawn(draw_curves, &one)), "curves of one epoch");
	t = drawn(draw_comparison, &s);
	ok(well_formed(t) && count(t, "claimed by the paper") == 1, "comparison");
}

static void test_steps(void)
{
	ok(svg_step(0, 1, 5) == .2 && svg_step(0, 9000, 5) == 2000 && svg_step(1.4, 2.1, 5) == .1,
		"round steps");
}

int main(void)
{
	test_steps();
	test_charts();
	return done();
}
