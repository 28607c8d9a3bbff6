/*
 * metrics.c: counts and what follows from them.
 */
#include "metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

void metrics_softmax(const float *logits, int32_t n, int32_t k, double temperature, double *p)
{
	for (int32_t i = 0; i < n; i++, logits += k, p += k) {
		double greatest = -INFINITY, sum = 0;

		for (int32_t c = 0; c < k; c++)
			greatest = fmax(greatest, logits[c]);
		for (int32_t c = 0; c < k; c++)
			sum += p[c] = exp((logits[c] - greatest) / temperature);
		for (int32_t c = 0; c < k; c++)
			p[c] /= sum;
	}
}

int metrics_argmax(const double *p, int32_t k)
{
	int best = 0;

	for (int32_t c = 1; c < k; c++)
		if (p[c] > p[best])
			best = c;
	return best;
}

struct interval metrics_wilson(int64_t hits, int64_t n)
{
	const double z = 1.959963984540054;
	double rate, centre, half, scale;

	if (n <= 0)
		return (struct interval){ NAN, NAN };
	rate = (double)hits / (double)n;
	scale = 1 / (1 + z * z / (double)n);
	centre = (rate + z * z / (2 * (double)n)) * scale;
	half = z * scale * sqrt((rate * (1 - rate) + z * z / (4 * (double)n)) / (double)n);
	return (struct interval){ fmax(0, centre - half), fmin(1, centre + half) };
}

static double ratio(double a, double b)
{
	return b > 0 ? a / b : 0;
}

/* --- from the confusion matrix --- */

static void per_class(struct metrics *m, const int64_t *predicted)
{
	int occurring = 0, supported = 0;
	double recalls = 0, hard = 0;

	for (int c = 0; c < m->classes; c++) {
		double hit = (double)m->confusion[c][c], n = (double)m->n;
		double p = ratio(hit, (double)predicted[c]), r = ratio(hit, (double)m->support[c]);
		double others = n - (double)m->support[c];
		double wrongly = (double)predicted[c] - hit,
		       share = ratio((double)m->support[c], n);

		m->precision[c] = p;
		m->recall[c] = r;
		m->f1[c] = ratio(2 * hit, (double)(predicted[c] + m->support[c]));
		occurring += predicted[c] + m->support[c] > 0;
		m->macro_precision += p;
		m->macro_recall += r;
		m->macro_f1 += m->f1[c];
		m->weighted_precision += share * p;
		m->weighted_recall += share * r;
		m->weighted_f1 += share * m->f1[c];
		if (m->support[c] > 0) {
			supported++;
			recalls += r;
			hard += others > 0 ? (r + 1 - wrongly / others) / 2 : NAN;
		}
	}
	m->macro_precision = ratio(m->macro_precision, occurring);
	m->macro_recall = ratio(m->macro_recall, occurring);
	m->macro_f1 = ratio(m->macro_f1, occurring);
	m->balanced_accuracy = ratio(recalls, supported);
	m->hard_auc = supported ? hard / supported : NAN;
}

static void from_confusion(struct metrics *m)
{
	int64_t predicted[METRICS_CLASSES] = { 0 }, hits = 0;
	double chance = 0, n = (double)m->n;

	for (int i = 0; i < m->classes; i++) {
		hits += m->confusion[i][i];
		for (int j = 0; j < m->classes; j++) {
			m->support[i] += m->confusion[i][j];
			predicted[j] += m->confusion[i][j];
		}
	}
	for (int c = 0; c < m->classes; c++)
		chance += ratio((double)m->support[c], n) * ratio((double)predicted[c], n);
	m->accuracy = ratio((double)hits, n);
	m->accuracy95 = metrics_wilson(hits, m->n);
	m->kappa = chance < 1 ? (m->accuracy - chance) / (1 - chance) : NAN;
	per_class(m, predicted);
}

/* --- ranks --- */

struct scored {
	double score;
	int32_t row;
};

static int by_score(const void *a, const void *b)
{
	const struct scored *x = a, *y = b;

	return (x->score > y->score) - (x->score < y->score);
}

/*
 * The area under the ROC curve: the share of pairs (positive, negative) in which the positive has
 * the greater score, a tie counting half; by rows in order of score, weight[row] copies of each.
 */
static double auc(const struct scored *order, int32_t n, const uint8_t *label, int positive,
	const int32_t *weight)
{
	double below = 0, pairs = 0, positives = 0;

	for (int32_t i = 0; i < n;) {
		double here[2] = { 0, 0 };
		int32_t j = i;

		do {
			int32_t row = order[j++].row;

			here[label[row] == positive] += weight ? weight[row] : 1;
		} while (j < n && order[j].score == order[i].score);
		pairs += here[1] * (below + here[0] / 2);
		below += here[0];
		positives += here[1];
		i = j;
	}
	return positives > 0 && below > 0 ? pairs / (positives * below) : NAN;
}

static void sort_class(const double *p, int32_t n, int32_t k, int32_t c, struct scored *order)
{
	for (int32_t i = 0; i < n; i++)
		order[i] = (struct scored){ p[(size_t)i * (size_t)k + (size_t)c], i };
	qsort(order, (size_t)n, sizeof(*order), by_score);
}

/* The mean of those that are not NaN, NaN if none is; their number in *defined. */
static double mean_defined(const double *x, int32_t n, int32_t *defined)
{
	double sum = 0;

	*defined = 0;
	for (int32_t i = 0; i < n; i++) {
		if (!isnan(x[i])) {
			sum += x[i];
			++*defined;
		}
	}
	return *defined ? sum / *defined : NAN;
}

static int ranks(struct metrics *m, const double *p, const uint8_t *label)
{
	struct scored *order = malloc(((size_t)m->n + 1) * sizeof(*order));
	int32_t defined;

	if (!order)
		return -1;
	for (int32_t c = 0; c < m->classes; c++) {
		sort_class(p, m->n, m->classes, c, order);
		m->auc[c] = auc(order, m->n, label, c, NULL);
	}
	m->macro_auc = mean_defined(m->auc, m->classes, &defined);
	m->absent = m->classes - defined;
	free(order);
	return 0;
}

/* --- how far the probabilities can be believed --- */

/* The bin b with b/15 < p <= (b+1)/15. */
static int bin_of(double p)
{
	int b = p > 0 && p <= 1 ? (int)(p * METRICS_BINS) : 0;

	b = b < METRICS_BINS ? b : METRICS_BINS - 1;
	return b > 0 && p <= (double)b / METRICS_BINS ? b - 1 : b;
}

static void calibration(struct metrics *m, const double *p, const uint8_t *label)
{
	double loss = 0;

	for (int32_t i = 0; i < m->n; i++, p += m->classes) {
		int top = metrics_argmax(p, m->classes);
		double likely = p[label[i]] < DBL_EPSILON ? DBL_EPSILON : p[label[i]];
		int bin = bin_of(p[top]);

		m->bins[bin].n++;
		m->bins[bin].confidence += p[top];
		m->bins[bin].accuracy += top == label[i];
		loss -= log(likely);
	}
	for (int b = 0; b < METRICS_BINS; b++) {
		m->ece += fabs(m->bins[b].accuracy - m->bins[b].confidence);
		m->bins[b].confidence = ratio(m->bins[b].confidence, m->bins[b].n);
		m->bins[b].accuracy = ratio(m->bins[b].accuracy, m->bins[b].n);
	}
	m->ece = m->n ? m->ece / m->n : NAN;
	m->log_loss = m->n ? loss / m->n : NAN;
}

int metrics_compute(struct metrics *m, const double *p, const uint8_t *label, int32_t n, int32_t k)
{
	memset(m, 0, sizeof(*m));
	m->n = n;
	m->classes = k;
	for (int32_t i = 0; i < n; i++)
		m->confusion[label[i]][metrics_argmax(p + (size_t)i * (size_t)k, k)]++;
	from_confusion(m);
	calibration(m, p, label);
	return ranks(m, p, label);
}

/* --- bootstrap --- */

struct bootstrap {
	const uint8_t *label;
	int32_t n, k;
	uint8_t *predicted; /* [n] */
	struct scored *order; /* [k][n], each class sorted by score */
	int32_t *weight; /* [n], how often a row was drawn */
	double *accuracy, *f1, *auc; /* [resamples] */
};

static void draw(struct bootstrap *b, uint64_t seed, int sample)
{
	memset(b->weight, 0, (size_t)b->n * sizeof(*b->weight));
	for (int32_t i = 0; i < b->n; i++) {
		uint64_t bits = random_bits(seed, (uint64_t)sample, (uint64_t)i);

		b->weight[random_below(bits, (uint32_t)b->n)]++;
	}
}

static void measure(struct bootstrap *b, int sample)
{
	struct metrics m = { .n = b->n, .classes = b->k };
	int32_t defined;

	for (int32_t i = 0; i < b->n; i++)
		m.confusion[b->label[i]][b->predicted[i]] += b->weight[i];
	from_confusion(&m);
	for (int32_t c = 0; c < b->k; c++)
		m.auc[c] = auc(b->order + (size_t)c * (size_t)b->n, b->n, b->label, c, b->weight);
	b->accuracy[sample] = m.accuracy;
	b->f1[sample] = m.macro_f1;
	b->auc[sample] = mean_defined(m.auc, b->k, &defined);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The q-quantile of sorted values, between two of them linearly. */
static double quantile(const double *x, int n, double q)
{
	double at = q * (n - 1);
	int i = (int)at;

	return i + 1 < n ? x[i] + (at - i) * (x[i + 1] - x[i]) : x[n - 1];
}

static struct interval middle95(double *x, int n)
{
	qsort(x, (size_t)n, sizeof(*x), by_value);
	return (struct interval){ quantile(x, n, .025), quantile(x, n, .975) };
}

static void resample(struct bootstrap *b, const double *p, int resamples, uint64_t seed)
{
	for (int32_t i = 0; i < b->n; i++)
		b->predicted[i] = (uint8_t)metrics_argmax(p + (size_t)i * (size_t)b->k, b->k);
	for (int32_t c = 0; c < b->k; c++)
		sort_class(p, b->n, b->k, c, b->order + (size_t)c * (size_t)b->n);
	for (int sample = 0; sample < resamples; sample++) {
		draw(b, seed, sample);
		measure(b, sample);
	}
}

int metrics_bootstrap(struct metrics_bootstrap *result, const double *p, const uint8_t *label,
	int32_t n, int32_t k, int resamples, uint64_t seed)
{
	size_t rows = (size_t)n + 1, samples = (size_t)resamples;
	struct bootstrap b = { .label = label, .n = n, .k = k };
	double *values = malloc(3 * samples * sizeof(*values));
	bool enough;

	b.predicted = malloc(rows);
	b.order = malloc((size_t)k * rows * sizeof(*b.order));
	b.weight = malloc(rows * sizeof(*b.weight));
	enough = values && b.predicted && b.order && b.weight;
	if (enough && n > 0 && resamples > 0) {
		b.accuracy = values;
		b.f1 = values + samples;
		b.auc = values + 2 * samples;
		resample(&b, p, resamples, seed);
		result->accuracy = middle95(b.accuracy, resamples);
		result->macro_f1 = middle95(b.f1, resamples);
		result->macro_auc = middle95(b.auc, resamples);
	} else {
		result->accuracy = result->macro_f1 = result->macro_auc =
			(struct interval){ NAN, NAN };
	}
	free(values);
	free(b.predicted);
	free(b.order);
	free(b.weight);
	return enough ? 0 : -1;
}

/* --- temperature --- */

/* The derivative of the summed log-loss of softmax(a * logits) by a; it grows with a. */
static double slope(const float *logits, const uint8_t *label, int32_t n, int32_t k, double a)
{
	double sum = 0;

	for (int32_t i = 0; i < n; i++, logits += k) {
		double greatest = -INFINITY, weights = 0, mean = 0;

		for (int32_t c = 0; c < k; c++)
			greatest = fmax(greatest, logits[c]);
		for (int32_t c = 0; c < k; c++) {
			double w = exp(a * (logits[c] - greatest));

			weights += w;
			mean += w * logits[c];
		}
		sum += mean / weights - logits[label[i]];
	}
	return sum;
}

double metrics_temperature(const float *logits, const uint8_t *label, int32_t n, int32_t k)
{
	double low = 1 / 20., high = 1 / .05;

	if (n == 0)
		return 1;
	for (int i = 0; i < 60; i++) {
		double a = sqrt(low * high);

		if (slope(logits, label, n, k, a) > 0)
			high = a;
		else
			low = a;
	}
	return 1 / sqrt(low * high);
}

/* --- McNemar --- */

double metrics_mcnemar(int64_t a_only, int64_t b_only)
{
	int64_t n = a_only + b_only, fewer = a_only < b_only ? a_only : b_only;
	double sum = 0;

	for (int64_t i = 0; i <= fewer; i++)
		sum += exp(lgamma((double)n + 1) - lgamma((double)i + 1) -
			lgamma((double)(n - i) + 1) - (double)n * log(2));
	return fmin(1, 2 * sum);
}
