/*
 * rework.h: data sets made of data sets: packed, without duplicates, and divided into folds.
 */
#ifndef FER_REWORK_H
#define FER_REWORK_H

#include <stdio.h>

#include "cli.h"
#include "data.h"

/* Which rows to leave out beside repeated images. */
struct rework_choice {
	bool drop_conflicts;	/* images that occur with several labels */
	bool drop_blank;	/* images of one value */
};

struct rework_kept {
	struct data_rows rows;
	int32_t *instead;	/* [n of the data]: the row kept for this one; -1: none of its images */
	int32_t dropped[SPLITS];
};

/*
 * One row of each group of identical images: of those in its last split the first, so that the rows to
 * judge by stay and no row to learn from is among them.
 */
enum data_status rework_choose(const struct dataset *d, const struct rework_choice *how,
			      struct rework_kept *kept);
void rework_kept_free(struct rework_kept *kept);

/* CSV: row,split,label[,file],why,kept: a line for each row that is left out. */
void rework_print_dropped(FILE *out, const struct dataset *d, const struct rework_kept *kept);

/* CSV: row,split,label[,file]: a line for each of these rows; with `fold` [rows->n] a column of 1..k. */
void rework_print_rows(FILE *out, const struct dataset *d, const struct data_rows *rows,
		       const uint8_t *fold);

/* The verbs of fer-data, with its options: exit codes. */
int rework_convert(const struct cli *c, struct dataset *d);
int rework_dedup(const struct cli *c, struct dataset *d);
int rework_folds(const struct cli *c, struct dataset *d);

#endif
