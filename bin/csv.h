/*
 * csv.h: fields of CSV as RFC 4180 has them.
 */
#ifndef FER_CSV_H
#define FER_CSV_H

#include <stdio.h>

/* The text, in quotes where a comma, a quote or a line break is in it. */
void csv_field(FILE *file, const char *text);

#endif
