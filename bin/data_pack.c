/*
 * data_pack.c: writing the packed form; see data_packed.h.
 */
#include "data_packed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zip_write.h"

enum { HEADER = 128 };

/* "\x93NUMPY", version 1.0, and the dictionary, HEADER bytes in all. */
static void put_header(uint8_t out[HEADER], const char *type, const int64_t *shape, int ndim)
{
	char text[HEADER], dims[64] = "";

	for (int i = 0; i < ndim; i++)
		snprintf(dims + strlen(dims), sizeof(dims) - strlen(dims), "%lld%s",
			 (long long)shape[i], ndim == 1 ? "," : i + 1 < ndim ? ", " : "");
	memcpy(out, "\x93NUMPY\1\0", 8);
	out[8] = HEADER - 10;
	out[9] = 0;
	snprintf(text, sizeof(text), "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", type, dims);
	memset(out + 10, ' ', HEADER - 11);
	memcpy(out + 10, text, strlen(text));
	out[HEADER - 1] = '\n';
}

/* An array as an entry: `fill` bytes for its data follow the header in what is returned. */
static uint8_t *new_array(const char *type, const int64_t *shape, int ndim, size_t bytes)
{
	uint8_t *a = calloc(HEADER + bytes + 1, 1);

	if (a)
		put_header(a, type, shape, ndim);
	return a;
}

static int add_bytes(struct zip_writer *w, const char *name, const char *type, const int64_t *shape,
		     int ndim, const void *data, size_t bytes)
{
	uint8_t *a = new_array(type, shape, ndim, bytes);
	int failed = !a;

	if (a)
		memcpy(a + HEADER, data, bytes);
	failed = failed || zip_add(w, name, a, HEADER + bytes, 0, NULL);
	free(a);
	return failed;
}

static int add_texts(struct zip_writer *w, const char *name, const char *const *text, int32_t n)
{
	size_t width = 1;
	char type[24], *all;
	int failed;

	for (int32_t i = 0; i < n; i++)
		if (strlen(text[i]) > width)
			width = strlen(text[i]);
	all = calloc((size_t)n + 1, width);
	for (int32_t i = 0; all && i < n; i++)
		memcpy(all + (size_t)i * width, text[i], strlen(text[i]));
	snprintf(type, sizeof(type), "|S%zu", width);
	failed = !all || add_bytes(w, name, type, &(int64_t){ n }, 1, all, (size_t)n * width);
	free(all);
	return failed;
}

static uint64_t little(uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* One image as differences of neighbours. */
static void differences(const uint8_t *in, int32_t h, size_t row, size_t channels, uint8_t *out)
{
	for (int32_t y = 0; y < h; y++, in += row, out += row)
		for (size_t x = 0; x < row; x++) {
			uint8_t left = x < channels ? 0 : in[x - channels];
			uint8_t above = y ? *(in + x - row) : 0;
			uint8_t both = y && x >= channels ? *(in + x - row - channels) : 0;

			out[x] = (uint8_t)(in[x] - left - above + both);
		}
}

static int add_images(struct zip_writer *w, const struct dataset *d)
{
	const size_t size = data_image_size(d), bytes = HEADER + (size_t)d->n * size;
	const int64_t shape[] = { d->n, d->h, d->w, d->channels };
	size_t parts = (bytes + PACKED_BLOCK - 1) / PACKED_BLOCK;
	uint8_t *a = new_array("|u1", shape, 4, bytes - HEADER);
	uint64_t *at = calloc(parts + 1, sizeof(*at));
	int failed = !a || !at;

	for (int32_t i = 0; !failed && i < d->n; i++)
		differences(d->pixels + (size_t)i * size, d->h, (size_t)(d->w * d->channels),
			    (size_t)d->channels, a + HEADER + (size_t)i * size);
	failed = failed || zip_add(w, "delta.npy", a, bytes, PACKED_BLOCK, at);
	for (size_t i = 0; !failed && i < parts; i++)
		at[i] = little(at[i]);
	failed = failed || add_bytes(w, "restart.npy", "<u8", &(int64_t){ (int64_t)parts }, 1, at,
				     parts * sizeof(*at));
	free(a);
	free(at);
	return failed;
}

static int add_all(struct zip_writer *w, const struct dataset *d)
{
	const int64_t n = d->n;
	const uint64_t hash = little(d->hash);

	return add_images(w, d) || add_bytes(w, "labels.npy", "|u1", &n, 1, d->label, (size_t)n) ||
	       add_bytes(w, "splits.npy", "|u1", &n, 1, d->usage, (size_t)n) ||
	       add_texts(w, "classes.npy", d->class_names, d->classes) ||
	       (d->name && add_texts(w, "names.npy", (const char *const *)d->name, d->n)) ||
	       add_bytes(w, "hash.npy", "<u8", NULL, 0, &hash, sizeof(hash));
}

enum data_status data_save_packed(const struct dataset *d, const char *path, struct data_error *error)
{
	struct zip_writer *w = zip_writer_new(path);

	if (w && !zip_writer_close(w, add_all(w, d)))
		return DATA_OK;
	snprintf(error->text, sizeof(error->text), "%s: %s", path, strerror(errno));
	return DATA_MISSING;
}
