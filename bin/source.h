/*
 * source.h: which data a program works on: its options, and reading them.
 */
#ifndef FER_SOURCE_H
#define FER_SOURCE_H

#include "cli.h"
#include "clgrad.h"
#include "data.h"

/* Rows for a program's table. It also needs --seed. */
#define SOURCE_OPTIONS \
	{ "data", 'd', CLI_TEXT, NULL, "data", "FILE|DIR", \
	  "a .csv or .csv.gz (FER2013's form, or paths and labels), a folder of pictures SPLIT/CLASS/*.jpg|png or a zip " \
	  "of it, a packed .npz; or synth or synth:N: faces drawn by the program", 0 }, \
	{ "class-names", 0, CLI_TEXT, NULL, "data", "A,B,...", \
	  "names and order of the classes [as found; FER2013's seven]", 0 }, \
	{ "val-fraction", 0, CLI_FRACTION, "0.1", "data", "X", \
	  "share of Training to hold out where the data have no validation rows", 0 }, \
	{ "labels", 0, CLI_CHOICE, "fer", "data", "fer|ferplus-majority|ferplus-soft", \
	  "where labels come from; ferplus-soft trains on the shares of the votes", 0 }, \
	{ "ferplus", 0, CLI_TEXT, NULL, "data", "FILE", "fer2013new.csv: for --labels ferplus-*; fer-eval also compares with its votes", 0 }

/* What is to become of the images, and classes where --class-names gives none; see data_options. */
struct source_shape {
	int32_t side, channels;
	const char *classes;
};

/* Loads --data with --labels. Returns -1 with data_free() due, else the exit code. */
int source_load(const struct cli *c, struct dataset *d);
int source_load_as(const struct cli *c, struct dataset *d, const struct source_shape *shape);

/* The same for a network in a file: at the size and with the colours that it was trained on, and with its
 * classes, where no others are given. */
int source_load_for(const struct cli *c, struct dataset *d, cg_ctx *ctx, const char *checkpoint);

/* data_rows(), but an empty selection is CLI_DATA and says so. */
int source_rows(const struct cli *c, const struct dataset *d, enum data_split split,
		const struct data_filter *filter, struct data_rows *rows);

#endif
