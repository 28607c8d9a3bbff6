/*
 * tensorboard.h: the measures of each epoch as an event file that TensorBoard reads.
 *
 * The file is TFRecord: for each record its length (8 bytes, little-endian), the masked CRC-32C of these, the
 * record, its masked CRC-32C. A record is an Event of tensorflow/core/util/event.proto: wall_time = 1
 * (double), step = 2, file_version = 3 (of the first), summary = 5 with value = 1 { tag = 1, simple_value = 2 }.
 */
#ifndef FER_TENSORBOARD_H
#define FER_TENSORBOARD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "report.h"

struct tensorboard {
	FILE *file;
};

/* A new file DIR/events.out.tfevents.SECONDS.clgrad. TensorBoard joins those of a resumed run. 0, or -1 and
 * errno. */
int tensorboard_open(struct tensorboard *t, const char *dir);
/* The row as scalars at its step; NaN is left out. 0, or -1. */
int tensorboard_epoch(struct tensorboard *t, const struct report_epoch *row);
int tensorboard_close(struct tensorboard *t);

/* CRC-32C (Castagnoli), reflected, as in iSCSI. */
uint32_t tensorboard_crc32c(const void *data, size_t n);

#endif
