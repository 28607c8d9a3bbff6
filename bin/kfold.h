/*
 * kfold.h: what a cross-validation comes to, from the folders fold1, fold2 ... of its folds.
 */
#ifndef FER_KFOLD_H
#define FER_KFOLD_H

#include "folds.h"
#include "report.h"

/* Has the fold been judged? */
bool kfold_is_done(const char *dir, int fold);

/* CLI_CHECKPOINT where a fold that is done was judged on other data, else -1. */
int kfold_check(const struct cli *c, const char *dir, int fold, const struct dataset *d);

/*
 * When all folds are done: writes kfold.csv (a row a fold, mean, sd with ddof 1) and, of all predictions
 * on held-out rows together, predictions.csv, confusion.csv and metrics.json; prints both. `model` and
 * the texts of the result are borrowed. -1 where folds are missing (said in a note), else the exit code.
 */
int kfold_conclude(const struct cli *c, const char *dir, struct dataset *d, const struct folds *f,
		   const char *model, enum report_format format);

#endif
