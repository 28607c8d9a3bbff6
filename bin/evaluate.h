/*
 * evaluate.h: from logits of rows to an evaluation, on all of the rows and on those that are no
 * twins of rows of an earlier split.
 */
#ifndef FER_EVALUATE_H
#define FER_EVALUATE_H

#include "data.h"
#include "report.h"

/* The labels of rows, freed by the caller; NULL where memory is short. */
uint8_t *evaluate_labels(const struct dataset *d, const struct data_rows *rows);

/*
 * Fills in p [rows->n][classes], temperature, class names, data hash and the metrics of e; with
 * resamples > 0 the bootstrap too. 0, or -1 where memory is short.
 */
int evaluate(struct report_evaluation *e, double *p, const float *logits, const struct dataset *d,
	     const struct data_rows *rows, double temperature, int resamples, uint64_t seed);

#endif
