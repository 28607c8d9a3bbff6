/*
 * test_metrics.c: small cases counted by hand, and what scikit-learn and SciPy say
 * (golden/metrics.txt, made by golden/metrics.py).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "random.h"
#include "tap.h"

enum { MOST = 100 };

static bool near(double a, double b, double tolerance)
{
	return (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance * fmax(1, fabs(b));
}

static void test_by_hand(void)
{
	/* true 0 0 1 1 2, predicted 0 1 1 1 0 (the fourth a tie of 1 and 2) */
	static const double p[] = { .8, .1, .1, .3, .6, .1, .1, .7, .2, .2, .4, .4, .5, .2, .3 };
	static const uint8_t label[] = { 0, 0, 1, 1, 2 };
	struct metrics m;

	ok(!metrics_compute(&m, p, label, 5, 3), "metrics of five rows");
	ok(m.confusion[0][0] == 1 && m.confusion[0][1] == 1 && m.confusion[1][1] == 2 &&
			m.confusion[2][0] == 1,
		"confusion; a tie goes to the lowest index");
	ok(near(m.accuracy, .6, 1e-15) && m.support[1] == 2, "accuracy, support");
	ok(near(m.precision[0], .5, 0) && near(m.precision[1], 2. / 3, 1e-15) &&
			m.precision[2] == 0,
		"precision; 0/0 is 0");
	ok(near(m.recall[0], .5, 0) && m.recall[1] == 1 && m.recall[2] == 0, "recall");
	ok(near(m.f1[1], .8, 1e-15) && near(m.macro_f1, 1.3 / 3, 1e-15), "F1, macro F1");
	/* class 0: scores .8 .3 against .1 .2 .5: 5 of 6 pairs */
	ok(near(m.auc[0], 5. / 6, 1e-15), "AUC");
	/* class 1: .7 .4 against .1 .6 .2: 5 of 6 */
	ok(near(m.auc[1], 5. / 6, 1e-15), "AUC of another class");
	/* expected agreement (2*2 + 2*3 + 1*0)/25 = .4 */
	ok(near(m.kappa, (.6 - .4) / .6, 1e-12), "kappa");
	/* a confidence of .6 is the upper end of the ninth bin, .4 of the sixth */
	ok(m.bins[8].n == 1 && m.bins[9].n == 0 && m.bins[5].n == 1, "bins hold their upper end");
	ok(near(m.log_loss, -log(.8 * .3 * .7 * .4 * .3) / 5, 1e-12), "log-loss");
}

static void test_edges(void)
{
	static const double tied[] = { .5, .5, .5, .5, .5, .5 }, one[] = { 0, 1 };
	static const double nan[] = { NAN, NAN, 1, 0 };
	static const float logits[] = { 1000, 1000, -1000, 0, 0, 0 };
	static const uint8_t label[] = { 0, 1, 1 };
	double p[6];
	struct metrics m;

	metrics_compute(&m, tied, label, 3, 2);
	ok(m.auc[0] == .5 && m.auc[1] == .5, "equal scores: AUC is a half");
	metrics_compute(&m, one, label, 1, 2);
	ok(isnan(m.auc[0]) && isnan(m.macro_auc) && m.absent == 2, "one row: no AUC");
	ok(isfinite(m.log_loss) && m.log_loss > 36, "log-loss of a sure error is finite");
	metrics_compute(&m, nan, label, 2, 2);
	ok(m.n == 2 && isnan(m.log_loss), "NaN comes to an end");
	metrics_compute(&m, NULL, NULL, 0, 7);
	ok(m.accuracy == 0 && isnan(m.accuracy95.low) && isnan(m.macro_auc), "no rows");
	metrics_softmax(logits, 2, 3, 1, p);
	ok(near(p[0], .5, 1e-15) && p[2] == 0 && near(p[5], 1. / 3, 1e-15),
		"softmax of large logits");
	metrics_softmax(logits, 1, 3, 1000, p);
	ok(near(p[2] / p[0], exp(-2), 1e-12), "softmax with a temperature");
}

static void test_bootstrap(void)
{
	enum { ROWS = 500, K = 3 };
	static double p[ROWS * K];
	static uint8_t label[ROWS];
	struct metrics m;
	struct metrics_bootstrap a, b;

	for (int i = 0; i < ROWS; i++) {
		double sum = 0;

		label[i] = (uint8_t)random_below(random_bits(1, 0, (uint64_t)i), K);
		for (int c = 0; c < K; c++) {
			double x = random_unit(random_bits(1, 1, (uint64_t)(i * K + c)));

			sum += p[i * K + c] = x + (c == label[i] ? .3 : 0);
		}
		for (int c = 0; c < K; c++)
			p[i * K + c] /= sum;
	}
	metrics_compute(&m, p, label, ROWS, K);
	ok(!metrics_bootstrap(&a, p, label, ROWS, K, 1000, 42) &&
			!metrics_bootstrap(&b, p, label, ROWS, K, 1000, 42),
		"bootstrap");
	ok(!memcmp(&a, &b, sizeof(a)), "the same for the same seed");
	metrics_bootstrap(&b, p, label, ROWS, K, 1000, 43);
	ok(memcmp(&a, &b, sizeof(a)), "another for another seed");
	ok(near(a.accuracy.low, m.accuracy95.low, .01) &&
			near(a.accuracy.high, m.accuracy95.high, .01),
		"accuracy [%.3f, %.3f], Wilson [%.3f, %.3f]", a.accuracy.low, a.accuracy.high,
		m.accuracy95.low, m.accuracy95.high);
	ok(a.macro_f1.low < m.macro_f1 && m.macro_f1 < a.macro_f1.high &&
			a.macro_f1.high - a.macro_f1.low < .12,
		"F1 lies inside");
	ok(a.macro_auc.low < m.macro_auc && m.macro_auc < a.macro_auc.high &&
			a.macro_auc.high - a.macro_auc.low < .1,
		"AUC lies inside");
}

/* --- golden --- */

/* The number of `m` that the fixture calls `key`: "ece", "auc[3]", "confusion[1][2]". */
static double named(const struct metrics *m, const char *key)
{
	const struct {
		const char *name;
		double value;
	} single[] = {
		{ "accuracy", m->accuracy },
		{ "macro_precision", m->macro_precision },
		{ "macro_recall", m->macro_recall },
		{ "macro_f1", m->macro_f1 },
		{ "weighted_precision", m->weighted_precision },
		{ "weighted_recall", m->weighted_recall },
		{ "weighted_f1", m->weighted_f1 },
		{ "balanced_accuracy", m->balanced_accuracy },
		{ "kappa", m->kappa },
		{ "log_loss", m->log_loss },
		{ "macro_auc", m->macro_auc },
		{ "hard_auc", m->hard_auc },
		{ "ece", m->ece },
		{ "wilson_low", m->accuracy95.low },
		{ "wilson_high", m->accuracy95.high },
	};
	int i, j;

	for (size_t s = 0; s < sizeof(single) / sizeof(*single); s++)
		if (!strcmp(key, single[s].name))
			return single[s].value;
	if (sscanf(key, "confusion[%d][%d]", &i, &j) == 2)
		return (double)m->confusion[i][j];
	if (sscanf(key, "precision[%d]", &i) == 1)
		return m->precision[i];
	if (sscanf(key, "recall[%d]", &i) == 1)
		return m->recall[i];
	if (sscanf(key, "f1[%d]", &i) == 1)
		return m->f1[i];
	if (sscanf(key, "support[%d]", &i) == 1)
		return (double)m->support[i];
	if (sscanf(key, "auc[%d]", &i) == 1)
		return m->auc[i];
	return -1e9;
}

/* n rows of a label and k integers. */
static bool read_rows(FILE *file, int n, int k, uint8_t *label, int *value)
{
	if (n > MOST || k > METRICS_CLASSES)
		return false;
	for (int i = 0; i < n; i++) {
		int y;

		if (fscanf(file, "%d", &y) != 1)
			return false;
		label[i] = (uint8_t)y;
		for (int c = 0; c < k; c++)
			if (fscanf(file, "%d", &value[i * k + c]) != 1)
				return false;
	}
	return true;
}

static void golden_case(FILE *file)
{
	static int value[MOST * METRICS_CLASSES];
	static double p[MOST * METRICS_CLASSES];
	uint8_t label[MOST];
	char name[40], key[40], text[40];
	int n, k, compared = 0, wrong = 0;
	struct metrics m;

	if (fscanf(file, "%39s %d %d", name, &n, &k) != 3 || !read_rows(file, n, k, label, value)) {
		ok(false, "a case of golden/metrics.txt can be read");
		return;
	}
	for (int i = 0; i < n * k; i++)
		p[i] = value[i] / 1000.;
	metrics_compute(&m, p, label, n, k);
	while (fscanf(file, "%39s", key) == 1 && strcmp(key, "end")) {
		if (fscanf(file, "%39s", text) != 1)
			break;
		compared++;
		if (near(named(&m, key), strtod(text, NULL), 1e-9))
			continue;
		wrong++;
		diag("%s: %s is %.17g, expected %s", name, key, named(&m, key), text);
	}
	ok(compared > 15 && !wrong, "%s: %d numbers", name, compared);
}

static void golden_temperature(FILE *file)
{
	static int value[MOST * METRICS_CLASSES];
	static float logits[MOST * METRICS_CLASSES];
	uint8_t label[MOST];
	char name[40];
	int n, k;
	double expected, t;

	if (fscanf(file, "%39s %d %d %lf", name, &n, &k, &expected) != 4 ||
		!read_rows(file, n, k, label, value)) {
		ok(false, "a temperature of golden/metrics.txt can be read");
		return;
	}
	for (int i = 0; i < n * k; i++)
		logits[i] = (float)value[i] / 64;
	t = metrics_temperature(logits, label, n, k);
	ok(near(t, expected, 1e-6), "temperature %s: %.9g, expected %.9g", name, t, expected);
}

static void golden_interval(FILE *file)
{
	int hits, n;
	double low, high;
	struct interval i;

	if (fscanf(file, "%d %d %lf %lf", &hits, &n, &low, &high) != 4)
		n = hits = 0;
	i = metrics_wilson(hits, n);
	ok(near(i.low, low, 1e-9) && near(i.high, high, 1e-9), "Wilson %d of %d: %.4f..%.4f", hits,
		n, i.low, i.high);
}

static void golden_mcnemar(FILE *file)
{
	int a, b;
	double p;

	if (fscanf(file, "%d %d %lf", &a, &b, &p) != 3)
		a = b = -1;
	ok(near(metrics_mcnemar(a, b), p, 1e-9), "McNemar %d and %d: p = %.4g", a, b,
		metrics_mcnemar(a, b));
}

static void test_golden(void)
{
	const char *source = getenv("srcdir");
	char path[1000], word[40];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/golden/metrics.txt", source ? source : ".");
	file = fopen(path, "r");
	if (!ok(file != NULL, "%s is there", path))
		return;
	while (fscanf(file, "%39s", word) == 1) {
		if (!strcmp(word, "case"))
			golden_case(file);
		else if (!strcmp(word, "temperature"))
			golden_temperature(file);
		else if (!strcmp(word, "wilson"))
			golden_interval(file);
		else if (!strcmp(word, "mcnemar"))
			golden_mcnemar(file);
	}
	fclose(file);
}

int main(void)
{
	test_by_hand();
	test_edges();
	test_bootstrap();
	test_golden();
	return done();
}
