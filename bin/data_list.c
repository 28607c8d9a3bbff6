#include "data_list.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "lines.h"

enum { PATH, LABEL, USAGE, COLUMNS, NAMES = 4 };
static const char *const column_names[COLUMNS][NAMES] = { { "path", "file", "filename", "image" },
	{ "label", "emotion", "class" }, { "split", "Usage" } };
static const char *const pixels[] = { "pixels" };

struct header {
	int place[COLUMNS]; /* which field of a row; -1: none */
	int fields;
	bool has_pixels;
};

static void read_header(struct header *h, char *at, char *end)
{
	*h = (struct header){ .place = { -1, -1, -1 } };
	if (end - at >= 3 && !memcmp(at, "\xef\xbb\xbf", 3))
		at += 3;
	for (; at; h->fields++) {
		struct csv_span f = csv_next(&at, end);

		h->has_pixels = h->has_pixels || csv_is(f, pixels, 1);
		for (int i = 0; i < COLUMNS; i++)
			if (csv_is(f, column_names[i], NAMES))
				h->place[i] = h->fields;
	}
}

bool data_is_list(const char *path)
{
	struct header h = { .place = { -1 } };
	struct lines lines;
	char *at, *end;

	if (!lines_open(&lines, path) && (at = lines_next(&lines, &end)) != NULL)
		read_header(&h, at, end);
	lines_close(&lines);
	return h.place[PATH] >= 0 && !h.has_pixels;
}

static enum data_status fail(struct data_error *error, const char *path, long line, const char *format, ...)
{
	size_t n;
	va_list list;

	if (line)
		snprintf(error->text, sizeof(error->text), "%s:%ld: ", path, line);
	else
		snprintf(error->text, sizeof(error->text), "%s: ", path);
	n = strlen(error->text);
	va_start(list, format);
	vsnprintf(error->text + n, sizeof(error->text) - n, format, list);
	va_end(list);
	for (char *c = error->text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	return DATA_MALFORMED;
}

/* Room for one more row. */
static bool grow(struct data_list *l)
{
	size_t n = (size_t)l->files.n + 1;
	long *line;
	uint8_t *label, *usage;

	if (l->files.n & (l->files.n - 1)) /* room doubles at powers of two */
		return true;
	line = realloc(l->line, 2 * n * sizeof(*line));
	label = realloc(l->label, 2 * n);
	usage = realloc(l->usage, 2 * n);
	l->line = line ? line : l->line;
	l->label = label ? label : l->label;
	l->usage = usage ? usage : l->usage;
	return line && label && usage;
}

static enum data_status read_row(struct data_list *l, const struct header *h, char *at, char *end,
	const char *path, long line, struct data_error *error)
{
	struct csv_span column[COLUMNS] = { { NULL, NULL } };
	uint8_t usage = SPLIT_TRAIN;
	char wrong[CLASS_ERROR];
	int fields = 0, label;
	int32_t n = l->files.n;

	for (; at; fields++) {
		struct csv_span f = csv_next(&at, end);

		for (int i = 0; i < COLUMNS; i++)
			if (h->place[i] == fields)
				column[i] = f;
	}
	if (fields != h->fields)
		return fail(error, path, line, "%d fields, expected %d", fields, h->fields);
	if (column[PATH].begin == column[PATH].end)
		return fail(error, path, line, "no path");
	if (h->place[USAGE] >= 0 && !data_split_parse(column[USAGE].begin,
			(size_t)(column[USAGE].end - column[USAGE].begin), &usage))
		return fail(error, path, line, "split \"%.*s\", expected train, val or test",
			(int)(column[USAGE].end - column[USAGE].begin), column[USAGE].begin);
	label = classes_label(&l->classes, column[LABEL].begin,
		(size_t)(column[LABEL].end - column[LABEL].begin), wrong);
	if (label < 0)
		return fail(error, path, line, "%s", wrong);
	*column[PATH].end = 0;
	if (!grow(l) || files_add(&l->files, column[PATH].begin)) {
		fail(error, path, 0, "out of memory");
		return DATA_MEMORY;
	}
	l->line[n] = line;
	l->label[n] = (uint8_t)label;
	l->usage[n] = usage;
	return DATA_OK;
}

static enum data_status read_rows(struct data_list *l, struct lines *lines, const char *path,
	struct data_error *error)
{
	char *end, *at = lines_next(lines, &end);
	enum data_status status = DATA_OK;
	struct header h;

	if (at) {
		read_header(&h, at, end);
		if (h.place[LABEL] < 0)
			return fail(error, path, 1, "no column \"label\" in the header");
	}
	while (at && status == DATA_OK && (at = lines_next(lines, &end)) != NULL)
		if (at < end)
			status = read_row(l, &h, at, end, path, lines->number, error);
	if (status == DATA_OK && *lines->error)
		return fail(error, path, lines->number + 1, "%s", lines->error);
	if (status == DATA_OK && !l->files.n)
		return fail(error, path, 0, "no rows below the header");
	return status;
}

enum data_status data_list_read(struct data_list *l, const char *path, const char *classes,
	struct data_error *error)
{
	struct lines lines;
	enum data_status status;
	char wrong[CLASS_ERROR];

	*l = (struct data_list){ .line = NULL };
	if (classes_init(&l->classes, classes, wrong))
		return fail(error, path, 0, "%s", wrong);
	if (lines_open(&lines, path)) {
		fail(error, path, 0, "%s", lines.error);
		status = DATA_MISSING;
	} else {
		status = read_rows(l, &lines, path, error);
	}
	lines_close(&lines);
	return status;
}

void data_list_free(struct data_list *l)
{
	files_free(&l->files);
	free(l->line);
	free(l->label);
	free(l->usage);
	*l = (struct data_list){ .line = NULL };
}
