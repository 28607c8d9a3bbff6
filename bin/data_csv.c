/*
 * data_csv.c: FER2013 as CSV, with a parser made for its one long field of small numbers.
 */
#include "data.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "data_classes.h"
#include "lines.h"

enum column { EMOTION, PIXELS, USAGE, COLUMNS };
static const char *const column_names[COLUMNS][4] = { { "emotion", "label", "class" }, { "pixels" },
	{ "Usage", "split" } };

enum { MAX_SIDE = 4096 };

struct parser {
	const char *path;
	struct lines lines;
	struct dataset *d;
	int32_t capacity;
	int place[COLUMNS]; /* which field of a row */
	int fields;
	struct class_table classes;
	struct data_error *error;
};

static enum data_status fail(struct parser *p, const char *format, ...)
{
	char reason[300];
	va_list list;

	va_start(list, format);
	vsnprintf(reason, sizeof(reason), format, list);
	va_end(list);
	for (char *c = reason; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	snprintf(p->error->text, sizeof(p->error->text), "%s:%ld: %s", p->path, p->lines.number,
		reason);
	return DATA_MALFORMED;
}

/* Why there is no further line, as a status; DATA_OK at the end of the file. */
static enum data_status ended(struct parser *p)
{
	if (!*p->lines.error)
		return DATA_OK;
	if (p->lines.missing || p->lines.number == 0)
		snprintf(p->error->text, sizeof(p->error->text), "%s: %s", p->path, p->lines.error);
	else
		snprintf(p->error->text, sizeof(p->error->text), "%s:%ld: %s", p->path,
			p->lines.number + 1, p->lines.error);
	return p->lines.missing ? DATA_MISSING : DATA_MALFORMED;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static enum data_status read_header(struct parser *p)
{
	char *end, *at = lines_next(&p->lines, &end);

	if (!at) {
		enum data_status status = ended(p);

		if (status == DATA_OK)
			snprintf(p->error->text, sizeof(p->error->text), "%s: empty file", p->path);
		return status == DATA_OK ? DATA_MALFORMED : status;
	}
	for (int i = 0; i < COLUMNS; i++)
		p->place[i] = -1;
	if (end - at >= 3 && !memcmp(at, "\xef\xbb\xbf", 3))
		at += 3;
	for (p->fields = 0; at; p->fields++) {
		struct csv_span f = csv_next(&at, end);

		for (int i = 0; i < COLUMNS; i++)
			if (csv_is(f, column_names[i], 4))
				p->place[i] = p->fields;
	}
	for (int i = 0; i < USAGE; i++)
		if (p->place[i] < 0)
			return fail(p, "no column \"%s\" in the header", column_names[i][0]);
	return DATA_OK;
}

/* Numbers in a field, separated by blanks. */
static long count_words(struct csv_span f)
{
	long n = 0;

	for (const char *s = f.begin; s < f.end; s++)
		n += !is_blank(*s) && (s == f.begin || is_blank(s[-1]));
	return n;
}

static enum data_status bad_pixel(struct parser *p, long index, const char *s, const char *end)
{
	int length = 0;

	while (s + length < end && length < 20 && !is_blank(s[length]))
		length++;
	return fail(p, "pixel %ld is \"%.*s\", expected 0..255", index + 1, length, s);
}

/* `count` values into out. The line's terminator is no digit, so that it ends every number. */
static enum data_status read_pixels(struct parser *p, struct csv_span f, uint8_t *out, long count)
{
	const char *s = f.begin;
	long n = 0;

	for (;;) {
		const char *word;
		unsigned value, digit;

		while (s < f.end && is_blank(*s))
			s++;
		if (s == f.end)
			break;
		if (n == count)
			return fail(p, "%ld pixels, expected %ld", count_words(f), count);
		word = s;
		value = (unsigned char)*s++ - (unsigned)'0';
		if (value > 9)
			return bad_pixel(p, n, word, f.end);
		for (; (digit = (unsigned char)*s - (unsigned)'0') <= 9 && value < 256; s++)
			value = 10 * value + digit;
		if (value > 255 || (s < f.end && !is_blank(*s)))
			return bad_pixel(p, n, word, f.end);
		out[n++] = (uint8_t)value;
	}
	if (n < count)
		return fail(p, "%ld pixels, expected %ld", n, count);
	return DATA_OK;
}

static enum data_status out_of_memory(struct parser *p)
{
	snprintf(p->error->text, sizeof(p->error->text), "%s: out of memory after %d rows", p->path,
		(int)p->d->n);
	return DATA_MEMORY;
}

/* The first row says how large the images are. */
static enum data_status find_size(struct parser *p, struct csv_span pixels)
{
	long count = count_words(pixels), side = 1, channels = 1;

	while (side * side < count && side < MAX_SIDE)
		side++;
	if (side * side != count && count % 3 == 0) {
		channels = 3;
		for (side = 1; 3 * side * side < count;)
			side++;
	}
	if (channels * side * side != count)
		return fail(p, "%ld pixels, not a square image", count);
	p->d->h = p->d->w = (int32_t)side;
	p->d->channels = (int32_t)channels;
	return DATA_OK;
}

static enum data_status grow(struct parser *p)
{
	struct dataset *d = p->d;
	int32_t capacity = p->capacity ? p->capacity + p->capacity / 2 : 1024;
	size_t n = (size_t)capacity;
	uint8_t *pixels = realloc(d->pixels, n * data_image_size(d));
	uint8_t *label = realloc(d->label, n), *usage = realloc(d->usage, n);

	d->pixels = pixels ? pixels : d->pixels;
	d->label = label ? label : d->label;
	d->usage = usage ? usage : d->usage;
	if (!pixels || !label || !usage || capacity > INT32_MAX / 2)
		return out_of_memory(p);
	p->capacity = capacity;
	return DATA_OK;
}

static enum data_status read_usage(struct parser *p, struct csv_span f, uint8_t *usage)
{
	size_t length = (size_t)(f.end - f.begin);

	if (p->place[USAGE] < 0)
		*usage = SPLIT_TRAIN;
	else if (!data_split_parse(f.begin, length, usage))
		return fail(p, "usage \"%.*s\", expected Training, PublicTest or PrivateTest",
		length < 40 ? (int)length : 40, f.begin);
	return DATA_OK;
}

static enum data_status read_label(struct parser *p, struct csv_span f, uint8_t *label)
{
	char wrong[CLASS_ERROR];
	int value = classes_label(&p->classes, f.begin, (size_t)(f.end - f.begin), wrong);

	*label = (uint8_t)value;
	return value < 0 ? fail(p, "%s", wrong) : DATA_OK;
}

static enum data_status read_row(struct parser *p, char *at, char *end)
{
	struct dataset *d = p->d;
	struct csv_span column[COLUMNS] = { { NULL, NULL } };
	enum data_status status = DATA_OK;
	size_t size;
	int fields = 0;

	for (; at; fields++) {
		struct csv_span f = csv_next(&at, end);

		for (int i = 0; i < COLUMNS; i++)
			if (p->place[i] == fields)
				column[i] = f;
	}
	if (fields != p->fields)
		return fail(p, "%d fields, expected %d", fields, p->fields);
	if (!d->h)
		status = find_size(p, column[PIXELS]);
	if (status == DATA_OK && d->n == p->capacity)
		status = grow(p);
	if (status == DATA_OK)
		status = read_label(p, column[EMOTION], &d->label[d->n]);
	if (status == DATA_OK)
		status = read_usage(p, column[USAGE], &d->usage[d->n]);
	if (status != DATA_OK)
		return status;
	size = data_image_size(d);
	return read_pixels(p, column[PIXELS], d->pixels + (size_t)d->n++ * size, (long)size);
}

static enum data_status read_rows(struct parser *p)
{
	enum data_status status = read_header(p);
	char *line, *end;

	while (status == DATA_OK && (line = lines_next(&p->lines, &end)))
		if (line < end)
			status = read_row(p, line, end);
	if (status == DATA_OK)
		status = ended(p);
	if (status == DATA_OK && p->d->n == 0) {
		snprintf(p->error->text, sizeof(p->error->text), "%s: no rows below the header",
			p->path);
		status = DATA_MALFORMED;
	}
	return status;
}

enum data_status data_load_csv(struct dataset *d, const char *path,
	const struct data_options *options, struct data_error *error)
{
	struct parser p = { .path = path, .d = d, .error = error };
	enum data_status status;
	char wrong[CLASS_ERROR];

	memset(d, 0, sizeof(*d));
	error->text[0] = 0;
	if (classes_init(&p.classes, options ? options->classes : NULL, wrong)) {
		snprintf(error->text, sizeof(error->text), "%s", wrong);
		return DATA_MALFORMED;
	}
	status = lines_open(&p.lines, path) ? ended(&p) : read_rows(&p);
	lines_close(&p.lines);
	if (status == DATA_OK && classes_named(&p.classes))
		status = classes_finish(&p.classes, d);
	if (status == DATA_OK)
		status = data_finish(d);
	if (status == DATA_MEMORY)
		out_of_memory(&p);
	if (status != DATA_OK)
		data_free(d);
	return status;
}
