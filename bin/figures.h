/*
 * figures.h: the SVG files of a run or an evaluation. Functions return 0, or -1 with errno and the path
 * that could not be written.
 */
#ifndef FER_FIGURES_H
#define FER_FIGURES_H

#include "charts.h"
#include "data.h"
#include "rundir.h"

/* Of p [rows->n][classes]: DIR/confusion.svg, roc.svg and reliability.svg; with `part`, confusion-PART.svg and so on. */
int figures_evaluation(const char *dir, const char *part, const struct metrics *m, const double *p,
		       const struct dataset *d, const struct data_rows *rows, char path[RUNDIR_PATH]);

/* DIR/curves.svg from DIR/summary.csv, or from those of the folds in it, and DIR/classes.svg. */
int figures_run(const char *dir, const struct dataset *d, char path[RUNDIR_PATH]);

/* Rows of each class. 0, or -1 where memory is short. */
int figures_count(struct charts_classes *c, const struct dataset *d);

#endif
