/*
 * data_classes.h: names of classes while a data set is read: collected as they are met, or given.
 *
 * Names are compared without regard to case. Collected ones get an order that does not depend on where
 * they were met: FER2013's where they are its seven, else by number where all are numbers, else by name.
 */
#ifndef FER_DATA_CLASSES_H
#define FER_DATA_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data.h"

struct class_table {
	char name[DATA_MOST_CLASSES][DATA_CLASS_NAME + 1];
	int n;
	bool given;		/* there are no others */
	bool labelled, named;	/* of classes_label(): it was called, and its labels are names */
};

enum { CLASS_ERROR = 160 };

/* The names in a list "a,b,c"; NULL or "": they will be collected. 0, or -1 with the error. */
int classes_init(struct class_table *t, const char *list, char error[CLASS_ERROR]);
/* The index of a name, added where it is new; -1 with the error ("class "x" is none of a, b, c"). */
int classes_find(struct class_table *t, const char *name, size_t length, char error[CLASS_ERROR]);
/* The class that a label means: a name, or a number, the place among the classes given, else among FER2013's. The
 * first label decides which they are. -1 with the error. */
int classes_label(struct class_table *t, const char *label, size_t length, char error[CLASS_ERROR]);
/* Whether the table has the names, so that classes_finish() is due. */
bool classes_named(const struct class_table *t);
/* Brings a collected table into its order; now[i] is where the i-th went. Given ones stay. */
void classes_order(struct class_table *t, uint8_t now[DATA_MOST_CLASSES]);
/* The table as the classes of d, whose labels follow `now`. */
enum data_status classes_finish(struct class_table *t, struct dataset *d);

#endif
