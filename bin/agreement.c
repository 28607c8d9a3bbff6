#include "agreement.h"

#include <stdlib.h>
#include <string.h>

void agreement_free(struct agreement_votes *v)
{
	free(v->label);
	free(v->has_label);
	free(v->share);
	*v = (struct agreement_votes){ 0 };
}

/* Takes what data_ferplus() made of d. */
static void take(struct agreement_votes *v, struct dataset *d)
{
	memcpy(v->label, d->label, (size_t)d->n);
	for (int32_t i = 0; i < d->n; i++)
		v->has_label[i] = !(d->flaw[i] & FLAW_NO_LABEL);
	v->share = d->soft;
	d->soft = NULL;
}

/* data_ferplus() on borrowed pixels and usage: d keeps its labels, flaws and hash. */
enum data_status agreement_read(
	struct agreement_votes *v, struct dataset *d, const char *path, struct data_error *error)
{
	size_t n = (size_t)d->n + 1;
	struct dataset other = *d;
	enum data_status status = DATA_MEMORY;

	*v = (struct agreement_votes){ calloc(n, 1), calloc(n, sizeof(bool)), NULL };
	other.label = calloc(n, 1);
	other.flaw = calloc(n, 1);
	other.group = calloc(n, sizeof(*other.group));
	other.soft = NULL;
	snprintf(error->text, sizeof(error->text), "%s: out of memory", path);
	if (v->label && v->has_label && other.label && other.flaw && other.group) {
		memcpy(other.label, d->label, (size_t)d->n);
		status = data_ferplus(&other, path, true, error);
	}
	if (status == DATA_OK)
		take(v, &other);
	free(other.label);
	free(other.flaw);
	free(other.group);
	free(other.soft);
	return status;
}

/* Of the rows that have a FER+ label: the probabilities and that label. */
static int32_t select_rows(double *p, uint8_t *label, const double *all,
	const struct data_rows *rows, const struct agreement_votes *v, int32_t k)
{
	int32_t n = 0;

	for (int32_t i = 0; i < rows->n; i++) {
		if (!v->has_label[rows->row[i]])
			continue;
		memcpy(p + (size_t)n * (size_t)k, all + (size_t)i * (size_t)k,
			(size_t)k * sizeof(*p));
		label[n++] = v->label[rows->row[i]];
	}
	return n;
}

static void count(struct report_ferplus *f, const double *p, const struct dataset *d,
	const struct data_rows *rows, const struct agreement_votes *v)
{
	size_t k = (size_t)d->classes;
	int32_t same = 0, n = 0;
	double votes = 0, label_votes = 0;

	for (int32_t i = 0; i < rows->n; i++) {
		int32_t row = rows->row[i];
		const float *share = v->share + (size_t)row * k;

		if (!v->has_label[row])
			continue;
		n++;
		same += v->label[row] == d->label[row];
		votes += (double)share[metrics_argmax(p + (size_t)i * k, d->classes)];
		label_votes += (double)share[d->label[row]];
	}
	f->label_agreement = n ? (double)same / n : 0;
	f->vote_share = n ? votes / n : 0;
	f->label_vote_share = n ? label_votes / n : 0;
}

int agreement_measure(struct report_evaluation *e, const double *p, const struct dataset *d,
	const struct data_rows *rows, const struct agreement_votes *v)
{
	size_t n = (size_t)rows->n + 1;
	double *chosen = malloc(n * (size_t)d->classes * sizeof(*chosen));
	uint8_t *label = malloc(n);
	int failed = !chosen || !label;

	if (!failed)
		failed = metrics_compute(&e->ferplus.metrics, chosen, label,
			select_rows(chosen, label, p, rows, v, d->classes), d->classes);
	count(&e->ferplus, p, d, rows, v);
	free(chosen);
	free(label);
	return failed ? -1 : 0;
}
