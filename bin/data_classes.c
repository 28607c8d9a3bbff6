#include "data_classes.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int fail(char error[CLASS_ERROR], const char *what, const char *name, size_t length)
{
	snprintf(error, CLASS_ERROR, "class \"%.*s\" %s", length < 40 ? (int)length : 40, name, what);
	return -1;
}

static int find(const struct class_table *t, const char *name, size_t length)
{
	for (int i = 0; i < t->n; i++)
		if (strlen(t->name[i]) == length && !strncasecmp(t->name[i], name, length))
			return i;
	return -1;
}

static bool is_odd(char c)
{
	return c == ',' || c == '"' || (unsigned char)c < ' ' || c == 127;
}

static int add(struct class_table *t, const char *name, size_t length, char error[CLASS_ERROR])
{
	if (!length || length > DATA_CLASS_NAME)
		return fail(error, "has no name of 1 to 60 bytes", name, length);
	for (size_t i = 0; i < length; i++)
		if (is_odd(name[i]))
			return fail(error, "has a comma, a quote or a control character", name, length);
	if (t->n == DATA_MOST_CLASSES)
		return fail(error, "is the 65th; there may be 64", name, length);
	memcpy(t->name[t->n], name, length);
	t->name[t->n][length] = 0;
	return t->n++;
}

int classes_init(struct class_table *t, const char *list, char error[CLASS_ERROR])
{
	t->n = 0;
	t->labelled = t->named = false;
	t->given = list && *list;
	for (const char *at = list; t->given && at;) {
		size_t length = strcspn(at, ",");

		if (find(t, at, length) >= 0)
			return fail(error, "is given twice", at, length);
		if (add(t, at, length, error) < 0)
			return -1;
		at = at[length] ? at + length + 1 : NULL;
	}
	return 0;
}

int classes_find(struct class_table *t, const char *name, size_t length, char error[CLASS_ERROR])
{
	int i = find(t, name, length);
	size_t n;

	if (i >= 0 || !t->given)
		return i >= 0 ? i : add(t, name, length, error);
	fail(error, "is none of ", name, length);
	for (i = 0; i < t->n; i++) {
		n = strlen(error);
		snprintf(error + n, CLASS_ERROR - n, "%s%s", i ? ", " : "", t->name[i]);
	}
	return -1;
}

/* Digits as a number, -1 where there are others. */
static int number_of(const char *s, size_t length)
{
	int value = 0;

	for (size_t i = 0; i < length; i++) {
		if (s[i] < '0' || s[i] > '9' || value > 1000)
			return -1;
		value = 10 * value + s[i] - '0';
	}
	return length ? value : -1;
}

static bool is_name(const char *s, size_t length)
{
	return length && !((*s >= '0' && *s <= '9') || *s == '-');
}

int classes_label(struct class_table *t, const char *label, size_t length, char error[CLASS_ERROR])
{
	int most = t->given ? t->n : DATA_CLASSES, value;

	if (!t->labelled)
		t->named = is_name(label, length);
	t->labelled = true;
	if (t->named)
		return classes_find(t, label, length, error);
	value = number_of(label, length);
	if (value >= 0 && value < most)
		return value;
	snprintf(error, CLASS_ERROR, "label \"%.*s\", expected 0..%d", length < 40 ? (int)length : 40, label,
		 most - 1);
	return -1;
}

bool classes_named(const struct class_table *t)
{
	return t->named || t->given;
}

/* --- order --- */

struct entry {
	char name[DATA_CLASS_NAME + 1];
	int was;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

static int by_number(const void *a, const void *b)
{
	long x = atol(((const struct entry *)a)->name), y = atol(((const struct entry *)b)->name);

	return x != y ? (x > y) - (x < y) : by_name(a, b);
}

static bool all_numbers(const struct class_table *t)
{
	for (int i = 0; i < t->n; i++)
		for (const char *c = t->name[i]; *c; c++)
			if (!isdigit((unsigned char)*c) || strlen(t->name[i]) > 9)
				return false;
	return true;
}

/* FER2013's names in its order, if these are they. */
static bool order_as_fer(struct class_table *t, struct entry *e)
{
	if (t->n != DATA_CLASSES)
		return false;
	for (int i = 0; i < DATA_CLASSES; i++) {
		e[i].was = find(t, data_class_names[i], strlen(data_class_names[i]));
		if (e[i].was < 0)
			return false;
		snprintf(e[i].name, sizeof(e[i].name), "%s", data_class_names[i]);
	}
	return true;
}

void classes_order(struct class_table *t, uint8_t now[DATA_MOST_CLASSES])
{
	struct entry e[DATA_MOST_CLASSES];

	for (int i = 0; i < t->n; i++)
		now[i] = (uint8_t)i;
	if (t->given)
		return;
	if (!order_as_fer(t, e)) {
		for (int i = 0; i < t->n; i++) {
			memcpy(e[i].name, t->name[i], sizeof(e[i].name));
			e[i].was = i;
		}
		qsort(e, (size_t)t->n, sizeof(*e), all_numbers(t) ? by_number : by_name);
	}
	for (int i = 0; i < t->n; i++) {
		now[e[i].was] = (uint8_t)i;
		memcpy(t->name[i], e[i].name, sizeof(e[i].name));
	}
}

enum data_status classes_finish(struct class_table *t, struct dataset *d)
{
	const char *names[DATA_MOST_CLASSES];
	uint8_t now[DATA_MOST_CLASSES];

	classes_order(t, now);
	for (int i = 0; i < t->n; i++)
		names[i] = t->name[i];
	for (int32_t i = 0; i < d->n; i++)
		d->label[i] = now[d->label[i]];
	return data_set_classes(d, names, t->n);
}
