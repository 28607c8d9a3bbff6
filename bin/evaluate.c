#include "evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint8_t *evaluate_labels(const struct dataset *d, const struct data_rows *rows)
{
	uint8_t *label = calloc((size_t)rows->n + 1, sizeof(*label));

	for (int32_t i = 0; label && i < rows->n; i++)
		label[i] = d->label[rows->row[i]];
	return label;
}

/* Moves the rows without twins to the front; how many there are. */
static int32_t drop_twins(double *p, uint8_t *label, const struct dataset *d,
			  const struct data_rows *rows)
{
	size_t k = (size_t)d->classes;
	int32_t n = 0;

	for (int32_t i = 0; i < rows->n; i++) {
		if (d->flaw[rows->row[i]] & FLAW_TWIN_BEFORE)
			continue;
		memmove(p + (size_t)n * k, p + (size_t)i * k, k * sizeof(*p));
		label[n++] = label[i];
	}
	return n;
}

static int measure(struct metrics *m, struct metrics_bootstrap *b, const double *p,
		   const uint8_t *label, int32_t n, int32_t k, int resamples, uint64_t seed)
{
	if (metrics_compute(m, p, label, n, k))
		return -1;
	return resamples && n ? metrics_bootstrap(b, p, label, n, k, resamples, seed) : 0;
}

/* What the probabilities were worth before the temperature; p is overwritten. */
static int measure_before(struct report_evaluation *e, double *p, const float *logits,
			  const uint8_t *label, int32_t n, int32_t k)
{
	struct metrics m;

	metrics_softmax(logits, n, k, 1, p);
	if (metrics_compute(&m, p, label, n, k))
		return -1;
	e->ece_before = m.ece;
	e->log_loss_before = m.log_loss;
	return 0;
}

int evaluate(struct report_evaluation *e, double *p, const float *logits, const struct dataset *d,
	     const struct data_rows *rows, double temperature, int resamples, uint64_t seed)
{
	size_t count = (size_t)rows->n * (size_t)d->classes;
	uint8_t *label = evaluate_labels(d, rows);
	double *clean = calloc(count + 1, sizeof(*clean));
	int failed = !label || !clean;

	e->temperature = temperature;
	e->ece_before = e->log_loss_before = NAN;
	e->class_names = d->class_names;
	e->data_hash = d->hash;
	e->has_bootstrap = resamples > 0;
	if (!failed && temperature != 1)
		failed = measure_before(e, p, logits, label, rows->n, d->classes);
	metrics_softmax(logits, rows->n, d->classes, temperature, p);
	if (!failed)
		failed = measure(&e->all, &e->bootstrap, p, label, rows->n, d->classes, resamples,
				 seed);
	if (!failed) {
		memcpy(clean, p, count * sizeof(*clean));
		failed = measure(&e->without_twins, &e->bootstrap_without_twins, clean, label,
				 drop_twins(clean, label, d, rows), d->classes, resamples, seed);
	}
	free(clean);
	free(label);
	return failed ? -1 : 0;
}
