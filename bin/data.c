/*
 * data.c: a data set's memory, its hash, and the choice of rows.
 */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "random.h"
#include "resize.h"

const char *const data_class_names[DATA_CLASSES] = { "angry", "disgust", "fear", "happy", "sad",
	"surprise", "neutral" };
const char *const data_split_names[SPLITS] = { "Training", "PublicTest", "PrivateTest" };

enum data_status data_alloc(struct dataset *d, int32_t n, int32_t h, int32_t w, int32_t channels)
{
	memset(d, 0, sizeof(*d));
	d->n = n;
	d->h = h;
	d->w = w;
	d->channels = channels;
	d->pixels = calloc((size_t)n + 1, data_image_size(d));
	d->label = calloc((size_t)n + 1, 1);
	d->usage = calloc((size_t)n + 1, 1);
	if (d->pixels && d->label && d->usage)
		return DATA_OK;
	data_free(d);
	return DATA_MEMORY;
}

static void free_texts(char **text, int32_t n)
{
	for (int32_t i = 0; text && i < n; i++)
		free(text[i]);
	free(text);
}

enum data_status data_set_classes(struct dataset *d, const char *const *names, int32_t n)
{
	bool same = n == DATA_CLASSES;

	for (int32_t i = 0; same && i < n; i++)
		same = !strcmp(names[i], data_class_names[i]);
	free_texts(d->own_names, d->classes);
	d->own_names = NULL;
	d->classes = n;
	d->class_names = data_class_names;
	if (same)
		return DATA_OK;
	d->own_names = calloc((size_t)n + 1, sizeof(*d->own_names));
	for (int32_t i = 0; d->own_names && i < n; i++) {
		d->own_names[i] = strdup(names[i]);
		if (!d->own_names[i])
			return DATA_MEMORY;
	}
	d->class_names = (const char *const *)d->own_names;
	return d->own_names ? DATA_OK : DATA_MEMORY;
}

void data_free(struct dataset *d)
{
	free_texts(d->own_names, d->classes);
	free_texts(d->name, d->n);
	free(d->pixels);
	free(d->label);
	free(d->usage);
	free(d->flaw);
	free(d->group);
	free(d->soft);
	memset(d, 0, sizeof(*d));
}

bool data_split_parse(const char *word, size_t length, uint8_t *split)
{
	static const struct {
		const char *word;
		uint8_t split;
	} words[] = { { "Training", SPLIT_TRAIN }, { "train", SPLIT_TRAIN },
		{ "PublicTest", SPLIT_PUBLIC }, { "public", SPLIT_PUBLIC },
		{ "validation", SPLIT_PUBLIC }, { "valid", SPLIT_PUBLIC },
		{ "val", SPLIT_PUBLIC }, { "dev", SPLIT_PUBLIC },
		{ "PrivateTest", SPLIT_PRIVATE }, { "private", SPLIT_PRIVATE },
		{ "test", SPLIT_PRIVATE }, { "testing", SPLIT_PRIVATE } };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strlen(words[i].word) != length || strncasecmp(words[i].word, word, length))
			continue;
		*split = words[i].split;
		return true;
	}
	return false;
}

/* --- other sizes --- */

static void to_grey(struct dataset *d)
{
	size_t n = (size_t)d->n * (size_t)d->h * (size_t)d->w;
	const uint8_t *p = d->pixels;

	for (size_t i = 0; i < n; i++, p += 3)
		d->pixels[i] = (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
	d->channels = 1;
}

enum data_status data_fit(struct dataset *d, int32_t side, int32_t channels)
{
	struct dataset to = *d;
	int failed = 0;

	if (channels == 1 && d->channels == 3)
		to_grey(d);
	if (!side || (d->h == side && d->w == side))
		return DATA_OK;
	to.h = to.w = side;
	to.channels = d->channels;
	to.pixels = malloc(((size_t)d->n + 1) * data_image_size(&to));
	if (!to.pixels)
		return DATA_MEMORY;
	for (int32_t i = 0; !failed && i < d->n; i++)
		failed = resize_image(d->pixels + (size_t)i * data_image_size(d), d->h, d->w,
			d->channels, to.pixels + (size_t)i * data_image_size(&to), side, side);
	free(failed ? to.pixels : d->pixels);
	if (failed)
		return DATA_MEMORY;
	*d = to;
	return DATA_OK;
}

/* --- choosing rows --- */

struct candidate {
	uint64_t key;
	int32_t row;
	uint8_t label;
};

static int by_label_and_key(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->label != y->label)
		return x->label < y->label ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static int by_row(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->row > y->row) - (x->row < y->row);
}

/* Shares of `limit` in proportion to count[], their sum exactly `limit` (largest remainders). */
static void shares(const int32_t *count, int32_t n, int32_t limit, int32_t *share)
{
	int64_t remainder[DATA_MOST_CLASSES];
	int32_t left = limit;

	for (int c = 0; c < DATA_MOST_CLASSES; c++) {
		int64_t product = (int64_t)limit * count[c];

		share[c] = (int32_t)(product / n);
		remainder[c] = product % n;
		left -= share[c];
	}
	for (; left > 0; left--) {
		int most = 0;

		for (int c = 1; c < DATA_MOST_CLASSES; c++)
			if (remainder[c] > remainder[most])
				most = c;
		share[most]++;
		remainder[most] = -1;
	}
}

/* Keep `limit` of n candidates, the classes in proportion. Returns how many are left. */
static int32_t apply_limit(struct candidate *list, int32_t n, int32_t limit)
{
	int32_t count[DATA_MOST_CLASSES] = { 0 }, share[DATA_MOST_CLASSES], kept = 0;

	for (int32_t i = 0; i < n; i++)
		count[list[i].label]++;
	shares(count, n, limit, share);
	qsort(list, (size_t)n, sizeof(*list), by_label_and_key);
	for (int32_t i = 0; i < n; i++)
		if (share[list[i].label]-- > 0)
			list[kept++] = list[i];
	qsort(list, (size_t)kept, sizeof(*list), by_row);
	return kept;
}

enum data_status data_rows(const struct dataset *d, enum data_split split,
	const struct data_filter *filter, struct data_rows *rows)
{
	static const struct data_filter no_filter = { 0, 0, 0 };
	const struct data_filter *f = filter ? filter : &no_filter;
	struct candidate *list = malloc(((size_t)d->n + 1) * sizeof(*list));
	int32_t n = 0;

	rows->n = 0;
	rows->row = malloc(((size_t)d->n + 1) * sizeof(*rows->row));
	if (!list || !rows->row) {
		free(list);
		data_rows_free(rows);
		return DATA_MEMORY;
	}
	for (int32_t i = 0; i < d->n; i++)
		if ((split == SPLIT_ALL || d->usage[i] == split) && !(d->flaw[i] & f->without))
			list[n++] = (struct candidate){ random_bits(f->seed, 1, (uint64_t)i), i,
				d->label[i] };
	if (f->limit > 0 && f->limit < n)
		n = apply_limit(list, n, f->limit);
	for (int32_t i = 0; i < n; i++)
		rows->row[i] = list[i].row;
	rows->n = n;
	free(list);
	return DATA_OK;
}

void data_rows_free(struct data_rows *rows)
{
	free(rows->row);
	rows->row = NULL;
	rows->n = 0;
}

enum data_status data_select(struct dataset *to, const struct dataset *d, const struct data_rows *rows)
{
	size_t size = data_image_size(d);
	enum data_status status = data_alloc(to, rows->n, d->h, d->w, d->channels);

	if (status == DATA_OK && d->name)
		to->name = calloc((size_t)rows->n + 1, sizeof(*to->name));
	for (int32_t i = 0; status == DATA_OK && i < rows->n; i++) {
		int32_t row = rows->row[i];

		memcpy(to->pixels + (size_t)i * size, d->pixels + (size_t)row * size, size);
		to->label[i] = d->label[row];
		to->usage[i] = d->usage[row];
		if (to->name && !(to->name[i] = strdup(d->name[row])))
			status = DATA_MEMORY;
	}
	if (status == DATA_OK && d->name && !to->name)
		status = DATA_MEMORY;
	if (status == DATA_OK)
		status = data_set_classes(to, d->class_names, d->classes);
	if (status == DATA_OK)
		status = data_finish(to);
	if (status != DATA_OK)
		data_free(to);
	return status;
}

/* --- facts about rows --- */

void data_class_counts(
	const struct dataset *d, const struct data_rows *rows, int32_t counts[DATA_MOST_CLASSES])
{
	memset(counts, 0, DATA_MOST_CLASSES * sizeof(*counts));
	for (int32_t i = 0; i < rows->n; i++)
		counts[d->label[rows->row[i]]]++;
}

void data_mean_std(const struct dataset *d, const struct data_rows *rows, double *mean, double *std)
{
	size_t size = data_image_size(d);
	double n = (double)rows->n * (double)size;
	uint64_t sum = 0, squares = 0;

	for (int32_t i = 0; i < rows->n; i++) {
		const uint8_t *p = d->pixels + (size_t)rows->row[i] * size;

		for (size_t j = 0; j < size; j++) {
			sum += p[j];
			squares += (uint64_t)p[j] * p[j];
		}
	}
	*mean = n > 0 ? (double)sum / n : 0;
	*std = n > 0 ? sqrt(fmax(0, (double)squares / n - *mean * *mean)) : 0;
}
