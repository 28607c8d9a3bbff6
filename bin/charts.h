/*
 * charts.h: the figures of a run as SVG: numbers in, a picture on the stream. All are 480 pixels wide.
 */
#ifndef FER_CHARTS_H
#define FER_CHARTS_H

#include <stdio.h>

#include "data.h"
#include "metrics.h"
#include "report.h"

struct charts_classes {
	int classes;
	const char *const *names;
	int32_t count[SPLITS][DATA_MOST_CLASSES];
};

/* Rows of each class, a bar for each, the splits one behind the other. */
void charts_classes(FILE *out, const struct charts_classes *c);

/* Loss and accuracy of training and validation by epoch, the best epoch marked. */
void charts_curves(FILE *out, const struct report_epoch *epoch, int n);

/* Accuracy of validation by epoch, a curve for each fold of a cross-validation, the best epochs marked. */
void charts_folds(FILE *out, const struct report_epochs *fold, int k);

/* Rows of the confusion matrix in percent, with the counts. */
void charts_confusion(FILE *out, const struct metrics *m, const char *const *names);

/* One class against the rest, each with its area. 0, or -1 where memory is short. */
int charts_roc(FILE *out, const struct metrics *m, const double *p, const uint8_t *label,
	       const char *const *names);

/* Accuracy over confidence, and how many images are how confident. */
void charts_reliability(FILE *out, const struct metrics *m);

/* A run in the comparison of models. */
struct charts_run {
	const char *name;
	const struct metrics *all, *without_twins;	/* n = 0: leave out */
	double claim;		/* what the paper claims for such a model; NaN: nothing */
};
void charts_comparison(FILE *out, const struct charts_run *run, int n);

#endif
