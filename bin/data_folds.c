/*
 * data_folds.c: K folds that keep identical images together and the classes in proportion.
 */
#include "data.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

/* A group of identical images among the rows to be split. */
struct bundle {
	int32_t group; /* first row of the data set with these pixels */
	int32_t rows;
	int32_t count[DATA_CLASSES];
	uint64_t key;
};

static int largest_first(const void *a, const void *b)
{
	const struct bundle *x = a, *y = b;

	if (x->rows != y->rows)
		return x->rows > y->rows ? -1 : 1;
	return (x->key > y->key) - (x->key < y->key);
}

/* The bundles of the rows, indexed by group first, then packed. Returns how many. */
static int32_t collect(const struct dataset *d, const struct data_rows *rows, uint64_t seed,
	struct bundle *bundles)
{
	int32_t n = 0;

	for (int32_t i = 0; i < rows->n; i++) {
		struct bundle *b = &bundles[d->group[rows->row[i]]];

		b->group = d->group[rows->row[i]];
		b->rows++;
		b->count[d->label[rows->row[i]]]++;
		b->key = random_bits(seed, 2, (uint64_t)b->group);
	}
	for (int32_t i = 0; i < d->n; i++)
		if (bundles[i].rows)
			bundles[n++] = bundles[i];
	qsort(bundles, (size_t)n, sizeof(*bundles), largest_first);
	return n;
}

/* How far fold counts lack the classes of a bundle, as shares of what a fold should have. */
static double wanted(const struct bundle *b, const int32_t *have, const double *target)
{
	double sum = 0;

	for (int c = 0; c < DATA_CLASSES; c++)
		if (b->count[c])
			sum += b->count[c] * (target[c] - have[c]) / target[c];
	return sum;
}

static void place(const struct bundle *bundles, int32_t n, int k, const double *target,
	uint8_t *fold_of_group)
{
	int32_t have[256][DATA_CLASSES] = { { 0 } };

	for (int32_t i = 0; i < n; i++) {
		int best = 0;

		for (int f = 1; f < k; f++)
			if (wanted(&bundles[i], have[f], target) >
				wanted(&bundles[i], have[best], target))
				best = f;
		for (int c = 0; c < DATA_CLASSES; c++)
			have[best][c] += bundles[i].count[c];
		fold_of_group[bundles[i].group] = (uint8_t)best;
	}
}

enum data_status data_folds(
	const struct dataset *d, const struct data_rows *rows, int k, uint64_t seed, uint8_t *fold)
{
	struct bundle *bundles = calloc((size_t)d->n + 1, sizeof(*bundles));
	uint8_t *fold_of_group = calloc((size_t)d->n + 1, 1);
	int32_t counts[DATA_CLASSES];
	double target[DATA_CLASSES];
	bool enough = bundles && fold_of_group;

	data_class_counts(d, rows, counts);
	for (int c = 0; c < DATA_CLASSES; c++)
		target[c] = (double)counts[c] / k;
	if (enough)
		place(bundles, collect(d, rows, seed, bundles), k, target, fold_of_group);
	for (int32_t i = 0; enough && i < rows->n; i++)
		fold[i] = fold_of_group[d->group[rows->row[i]]];
	free(bundles);
	free(fold_of_group);
	return enough ? DATA_OK : DATA_MEMORY;
}
