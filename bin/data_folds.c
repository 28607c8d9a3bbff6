/*
 * data_folds.c: parts that keep identical images together and the classes in proportion: K folds, and
 * rows held out for validation.
 */
#include "data.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

/* A group of identical images among the rows to be split. */
struct bundle {
	int32_t group; /* first row of the data set with these pixels */
	int32_t rows;
	int32_t *count; /* [classes] */
	uint64_t key;
};

enum { MOST_PARTS = 256 };

/* What is split, and into which shares. */
struct parts {
	const struct dataset *d;
	const struct data_rows *rows;
	int k;
	double share[MOST_PARTS];
	struct bundle *bundle; /* [d->n] */
	int32_t *counts; /* [d->n][classes], what the bundles count */
	int32_t *have; /* [k][classes] */
	uint8_t *part_of_group; /* [d->n] */
};

static int largest_first(const void *a, const void *b)
{
	const struct bundle *x = a, *y = b;

	if (x->rows != y->rows)
		return x->rows > y->rows ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

/* The bundles of the rows, indexed by group first, then packed. Returns how many. */
static int32_t collect(struct parts *p, uint64_t seed)
{
	const struct dataset *d = p->d;
	struct bundle *bundle = p->bundle;
	int32_t n = 0;

	for (int32_t i = 0; i < p->rows->n; i++) {
		int32_t row = p->rows->row[i], group = d->group[row];
		struct bundle *b = &bundle[group];

		b->group = group;
		b->rows++;
		b->count = p->counts + (size_t)group * (size_t)d->classes;
		b->count[d->label[row]]++;
		b->key = random_bits(seed, 2, (uint64_t)group);
	}
	for (int32_t i = 0; i < d->n; i++)
		if (bundle[i].rows)
			bundle[n++] = bundle[i];
	qsort(bundle, (size_t)n, sizeof(*bundle), largest_first);
	return n;
}

/* How far a part lacks the classes of a bundle, as shares of what it should have of them. */
static double wanted(const struct parts *p, const struct bundle *b, int part, const int32_t *all)
{
	const int32_t *have = p->have + (size_t)part * (size_t)p->d->classes;
	double sum = 0;

	for (int c = 0; c < p->d->classes; c++)
		if (b->count[c]) {
			double target = p->share[part] * all[c];

			sum += b->count[c] * (target - have[c]) / target;
		}
	return sum;
}

static void place(struct parts *p, int32_t n)
{
	int32_t all[DATA_MOST_CLASSES];

	data_class_counts(p->d, p->rows, all);
	for (int32_t i = 0; i < n; i++) {
		const struct bundle *b = &p->bundle[i];
		int best = 0;

		for (int part = 1; part < p->k; part++)
			if (wanted(p, b, part, all) > wanted(p, b, best, all))
				best = part;
		for (int c = 0; c < p->d->classes; c++)
			p->have[best * p->d->classes + c] += b->count[c];
		p->part_of_group[b->group] = (uint8_t)best;
	}
}

/* part[i] of the i-th row. */
static enum data_status split(struct parts *p, uint64_t seed, uint8_t *part)
{
	size_t n = (size_t)p->d->n + 1, classes = (size_t)p->d->classes;
	bool enough;

	p->bundle = calloc(n, sizeof(*p->bundle));
	p->counts = calloc(n * classes, sizeof(*p->counts));
	p->have = calloc((size_t)p->k * classes, sizeof(*p->have));
	p->part_of_group = calloc(n, 1);
	enough = p->bundle && p->counts && p->have && p->part_of_group;
	if (enough)
		place(p, collect(p, seed));
	for (int32_t i = 0; enough && i < p->rows->n; i++)
		part[i] = p->part_of_group[p->d->group[p->rows->row[i]]];
	free(p->bundle);
	free(p->counts);
	free(p->have);
	free(p->part_of_group);
	return enough ? DATA_OK : DATA_MEMORY;
}

enum data_status data_folds(
	const struct dataset *d, const struct data_rows *rows, int k, uint64_t seed, uint8_t *fold)
{
	struct parts p = { .d = d, .rows = rows, .k = k };

	for (int i = 0; i < k; i++)
		p.share[i] = 1. / k;
	return split(&p, seed, fold);
}

enum data_status data_hold_out(struct dataset *d, double share)
{
	struct parts p = { .d = d, .k = 2, .share = { 1 - share, share } };
	struct data_rows rows;
	uint8_t *held;
	enum data_status status = data_rows(d, SPLIT_TRAIN, NULL, &rows);

	if (status != DATA_OK)
		return status;
	held = calloc((size_t)rows.n + 1, 1);
	p.rows = &rows;
	status = held ? split(&p, 0, held) : DATA_MEMORY;
	for (int32_t i = 0; status == DATA_OK && i < rows.n; i++)
		if (held[i])
			d->usage[rows.row[i]] = SPLIT_PUBLIC;
	free(held);
	data_rows_free(&rows);
	return status == DATA_OK ? data_finish(d) : status;
}
