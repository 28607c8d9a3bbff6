/*
 * source.h: which data a program works on: its options, and reading them.
 */
#ifndef FER_SOURCE_H
#define FER_SOURCE_H

#include "cli.h"
#include "data.h"

/* Rows for a program's table. It also needs --seed. */
#define SOURCE_OPTIONS \
	{ "data", 'd', CLI_TEXT, NULL, "data", "FILE", \
	  "FER2013 as .csv or .csv.gz, or synth or synth:N: faces drawn by the program", 0 }, \
	{ "labels", 0, CLI_CHOICE, "fer", "data", "fer|ferplus-majority|ferplus-soft", \
	  "where labels come from; ferplus-soft trains on the shares of the votes", 0 }, \
	{ "ferplus", 0, CLI_TEXT, NULL, "data", "FILE", "fer2013new.csv: for --labels ferplus-*; fer-eval also compares with its votes", 0 }

/* Loads --data with --labels. Returns -1 with data_free() due, else the exit code. */
int source_load(const struct cli *c, struct dataset *d);

/* data_rows(), but an empty selection is CLI_DATA and says so. */
int source_rows(const struct cli *c, const struct dataset *d, enum data_split split,
		const struct data_filter *filter, struct data_rows *rows);

#endif
