/*
 * lines.h: the lines of a text file, plain or gzip (told apart by content), one after the other.
 */
#ifndef FER_LINES_H
#define FER_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct lines {
	void *file;
	char *buffer;
	size_t size, begin, end;
	long number;		/* of the line last given, counted from 1 */
	bool at_end;
	char error[128];	/* why reading stopped before the end of the file, or "" */
	bool missing;		/* the error is that the file cannot be opened or read */
};

/* 0, or -1 with `error`. lines_close() is due in both cases. */
int lines_open(struct lines *l, const char *path);
void lines_close(struct lines *l);

/*
 * The next line without its LF or CRLF; *end is behind its last character, and **end may be written
 * and is no digit. NULL at the end of the file and after an error: then l->error is not empty. A
 * gzip stream that breaks off is an error, and the line in which it does is not given.
 */
char *lines_next(struct lines *l, char **end);

#endif
