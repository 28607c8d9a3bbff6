/*
 * synth.c: a data set of drawn faces.
 */
#include "synth.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

bool synth_parse(const char *source, struct synth_counts *counts)
{
	char *end;
	long n;

	*counts = (struct synth_counts){ 4000, 500, 500 };
	if (!strcmp(source, "synth"))
		return true;
	if (strncmp(source, "synth:", 6) || source[6] < '0' || source[6] > '9')
		return false;
	n = strtol(source + 6, &end, 10);
	if (*end || n < DATA_CLASSES || n > SYNTH_MOST)
		return false;
	counts->train = (int32_t)n;
	counts->public_test = n / 8 > 70 ? (int32_t)(n / 8) : 70;
	counts->private_test = counts->public_test;
	return true;
}

/* Append `n` faces to a split: every run of seven rows has each class once, in a drawn order. */
static void add(struct dataset *d, enum data_split split, int32_t n, uint64_t seed)
{
	uint64_t stream = 16 + (uint64_t)split;

	for (int32_t i = 0; i < n; i++) {
		uint64_t block = (uint64_t)(i / DATA_CLASSES);
		uint64_t index = (uint64_t)split << 32 | (uint64_t)i;
		int32_t row = d->n++;
		uint8_t order[DATA_CLASSES];

		for (int c = 0; c < DATA_CLASSES; c++)
			order[c] = (uint8_t)c;
		for (int c = DATA_CLASSES - 1; c > 0; c--) {
			uint64_t bits =
				random_bits(seed, stream, block * DATA_CLASSES + (uint64_t)c);
			uint32_t other = random_below(bits, (uint32_t)c + 1);
			uint8_t swapped = order[c];

			order[c] = order[other];
			order[other] = swapped;
		}
		d->usage[row] = (uint8_t)split;
		d->label[row] = order[i % DATA_CLASSES];
		synth_face(
			d->pixels + (size_t)row * data_image_size(d), d->label[row], seed, index);
	}
}

enum data_status synth_make(struct dataset *d, const struct synth_counts *counts, uint64_t seed)
{
	int32_t n = counts->train + counts->public_test + counts->private_test;

	if (data_alloc(d, n, SYNTH_SIZE, SYNTH_SIZE, 1) != DATA_OK)
		return DATA_MEMORY;
	d->n = 0;
	add(d, SPLIT_TRAIN, counts->train, seed);
	add(d, SPLIT_PUBLIC, counts->public_test, seed);
	add(d, SPLIT_PRIVATE, counts->private_test, seed);
	if (data_finish(d) == DATA_OK)
		return DATA_OK;
	data_free(d);
	return DATA_MEMORY;
}
