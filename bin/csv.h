/*
 * csv.h: fields of CSV as RFC 4180 has them, and the columns of a header.
 */
#ifndef FER_CSV_H
#define FER_CSV_H

#include <stdbool.h>
#include <stdio.h>

/* The text, in quotes where a comma, a quote or a line break is in it. */
void csv_field(FILE *file, const char *text);

struct csv_span {
	char *begin, *end;
};

/* The next field from *at on, without blanks and quotes around it; *at moves behind its comma, or becomes
 * NULL behind the last. A quote within quotes is not read. */
struct csv_span csv_next(char **at, char *end);
/* Is it one of these words, in any case? */
bool csv_is(struct csv_span f, const char *const *words, int n);

#endif
