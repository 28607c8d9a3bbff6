/*
 * folds.h: K-fold cross-validation of the training rows. Each fold in turn is held out and judged once,
 * with the weights that PublicTest (or what --val-fraction holds out instead) chose; PrivateTest is left
 * alone. Without such rows the next fold chooses, which is then not trained on either.
 */
#ifndef FER_FOLDS_H
#define FER_FOLDS_H

#include "cli.h"
#include "data.h"

/* Rows for a program's table. */
#define FOLDS_OPTIONS \
	{ "split", 0, CLI_CHOICE, "official", "data", "official|kfold", \
	  "official: train on Training, choose on PublicTest; kfold: hold out each part of Training " \
	  "in turn, too; PrivateTest is left alone", 0 }, \
	{ "kfold", 0, CLI_COUNT, "5", "data", "K", "parts of --split kfold", 0 }, \
	{ "fold", 0, CLI_TEXT, "all", "data", "all|K", "hold out all parts in turn, or part K", 0 }, \
	{ "group-duplicates", 0, CLI_FLAG, "true", "data", NULL, \
	  "keep identical images in one part", 0 }

struct folds {
	int k;
	int first, last;	/* those asked for, 1..k */
	bool drop_leaks;
	struct data_rows all;	/* rows that are divided */
	uint8_t *fold;		/* [all.n] 0..k-1 */
	struct data_rows choice;	/* PublicTest; n = 0: there is none */
};

/* Divides the rows that `filter` lets pass. -1, or the exit code after a message; folds_close() is due
 * in every case. */
int folds_open(struct folds *f, const struct cli *c, const struct dataset *d,
	       const struct data_filter *filter);
void folds_close(struct folds *f);

/*
 * Rows to train on, to choose the epoch by, and held out, of fold 1..k; all freed by the caller, in
 * every case. -1, or the exit code.
 */
int folds_rows(const struct folds *f, const struct cli *c, const struct dataset *d, int fold,
	       struct data_rows *train, struct data_rows *choice, struct data_rows *held);

/* Sets or clears FLAW_TWIN_BEFORE of the rows held out: training has the same image, which does not
 * happen with --group-duplicates. -1, or CLI_RUNTIME. */
int folds_mark(const struct cli *c, struct dataset *d, const struct data_rows *train,
	       const struct data_rows *held);

#endif
