/*
 * order.h: the order in which an epoch visits the training rows: a pure function of seed and
 * epoch, so that a run can be taken up in the middle of any epoch.
 */
#ifndef FER_ORDER_H
#define FER_ORDER_H

#include <stdint.h>

#include "data.h"

/* order[0..n-1] = the rows in a random order (Fisher, Yates). */
void order_epoch(int32_t *order, const struct data_rows *rows, uint64_t seed, int32_t epoch);

#endif
