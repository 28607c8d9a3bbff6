/*
 * lines.c: reading text by lines through zlib, which passes plain files on as they are.
 */
#include "lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { CHUNK = 1 << 17, LONGEST = 1 << 28 };

static int stop(struct lines *l, const char *why, bool missing)
{
	snprintf(l->error, sizeof(l->error), "%s", why);
	l->missing = missing;
	l->at_end = true;
	return -1;
}

int lines_open(struct lines *l, const char *path)
{
	struct stat status;

	memset(l, 0, sizeof(*l));
	if (stat(path, &status))
		return stop(l, strerror(errno), true);
	if (S_ISDIR(status.st_mode))
		return stop(l, "is a folder, expected a CSV file", true);
	l->file = gzopen(path, "rb");
	if (!l->file)
		return stop(l, errno ? strerror(errno) : "out of memory", true);
	gzbuffer(l->file, CHUNK);
	l->size = 2 * CHUNK;
	l->buffer = malloc(l->size + 1);
	return l->buffer ? 0 : stop(l, "out of memory", true);
}

void lines_close(struct lines *l)
{
	if (l->file)
		gzclose(l->file);
	free(l->buffer);
	l->file = NULL;
	l->buffer = NULL;
}

/* Why zlib gave no more; false at a proper end. */
static bool broke_off(struct lines *l)
{
	int code;
	const char *why = gzerror(l->file, &code);

	if (code == Z_ERRNO)
		stop(l, strerror(errno), true);
	else if (code == Z_BUF_ERROR)
		stop(l, "the gzip stream breaks off: truncated file", false);
	else if (code != Z_OK && code != Z_STREAM_END)
		stop(l, why && *why ? why : "damaged gzip stream", false);
	return *l->error != 0;
}

/* Read more behind l->end. -1 after an error. */
static int fill(struct lines *l)
{
	int got;

	if (l->begin > 0) {
		memmove(l->buffer, l->buffer + l->begin, l->end - l->begin);
		l->end -= l->begin;
		l->begin = 0;
	}
	if (l->end + CHUNK > l->size) {
		char *larger = l->size < LONGEST ? realloc(l->buffer, 2 * l->size + 1) : NULL;

		if (!larger)
			return stop(l, "a line is too long", false);
		l->buffer = larger;
		l->size *= 2;
	}
	got = gzread(l->file, l->buffer + l->end, CHUNK);
	if (got < CHUNK) {
		if (broke_off(l))
			return -1;
		l->at_end = true;
	}
	l->end += got > 0 ? (size_t)got : 0;
	return 0;
}

char *lines_next(struct lines *l, char **end)
{
	size_t searched = 0;
	char *line, *newline = NULL;

	while (l->buffer && !*l->error) {
		newline =
			memchr(l->buffer + l->begin + searched, '\n', l->end - l->begin - searched);
		if (newline || l->at_end)
			break;
		searched = l->end - l->begin;
		if (fill(l))
			return NULL;
	}
	if (*l->error || (!newline && l->begin == l->end))
		return NULL;
	line = l->buffer + l->begin;
	*end = newline ? newline : l->buffer + l->end;
	l->begin = (size_t)(*end - l->buffer) + (newline != NULL);
	if (*end > line && (*end)[-1] == '\r')
		--*end;
	**end = '\n';
	l->number++;
	return line;
}
