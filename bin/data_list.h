/*
 * data_list.h: a CSV that lists pictures: columns path (or file, filename, image), label (emotion, class) and, if
 * there are splits, split (Usage), in any order, and no column of pixels.
 */
#ifndef FER_DATA_LIST_H
#define FER_DATA_LIST_H

#include "data_classes.h"
#include "files.h"

struct data_list {
	struct files files;	/* as they are written, in their order */
	long *line;		/* [files.n], of the CSV */
	uint8_t *label, *usage;	/* [files.n] */
	struct class_table classes;
};

/* Is it such a CSV, by its header? */
bool data_is_list(const char *path);
/* data_list_free() is due in every case. */
enum data_status data_list_read(struct data_list *l, const char *path, const char *classes,
				struct data_error *error);
void data_list_free(struct data_list *l);

#endif
