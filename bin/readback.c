#include "readback.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lines.h"
#include "rundir.h"

/* --- predictions.csv --- */

enum { ROW, USAGE, LABEL, PREDICTED, CORRECT, TWIN, FIRST_P, FIELDS = FIRST_P + METRICS_CLASSES };

/* Cuts a line at its commas; how many fields there are, at most FIELDS + 1. */
static int cut(char *line, char *end, char *field[FIELDS])
{
	int n = 0;

	*end = 0;
	for (char *at = line; at; n++) {
		char *comma = strchr(at, ',');

		if (n == FIELDS)
			return FIELDS + 1;
		field[n] = at;
		if (comma)
			*comma++ = 0;
		at = comma;
	}
	return n;
}

static bool read_header(struct predictions *s, char *line, char *end)
{
	static const char *const names[] = { "row", "usage", "label", "predicted", "correct", "twin" };
	char *field[FIELDS];
	int n = cut(line, end, field);

	if (n > FIELDS || n < FIRST_P + 2)
		return false;
	for (int i = 0; i < FIRST_P; i++)
		if (strcmp(field[i], names[i]))
			return false;
	s->classes = n - FIRST_P;
	for (int c = 0; c < s->classes; c++) {
		if (strncmp(field[FIRST_P + c], "p_", 2))
			return false;
		snprintf(s->class_names[c], READBACK_NAME, "%s", field[FIRST_P + c] + 2);
	}
	return true;
}

static int find_class(const struct predictions *s, const char *name)
{
	for (int c = 0; c < s->classes; c++)
		if (!strcmp(s->class_names[c], name))
			return c;
	return -1;
}

static bool grow(struct predictions *s, int32_t room)
{
	size_t n = (size_t)room, k = (size_t)s->classes;
	int32_t *row = realloc(s->row, n * sizeof(*row));
	uint8_t *label = realloc(s->label, n), *predicted = realloc(s->predicted, n);
	uint8_t *twin = realloc(s->twin, n);
	double *p = realloc(s->p, n * k * sizeof(*p));

	s->row = row ? row : s->row;
	s->label = label ? label : s->label;
	s->predicted = predicted ? predicted : s->predicted;
	s->twin = twin ? twin : s->twin;
	s->p = p ? p : s->p;
	return row && label && predicted && twin && p;
}

static bool read_row(struct predictions *s, char *line, char *end)
{
	char *field[FIELDS], *rest;
	int label, predicted;

	if (cut(line, end, field) != FIRST_P + s->classes)
		return false;
	label = find_class(s, field[LABEL]);
	predicted = find_class(s, field[PREDICTED]);
	s->row[s->n] = (int32_t)strtol(field[ROW], &rest, 10);
	if (label < 0 || predicted < 0 || *rest || rest == field[ROW])
		return false;
	s->label[s->n] = (uint8_t)label;
	s->predicted[s->n] = (uint8_t)predicted;
	s->twin[s->n] = *field[TWIN] == '1';
	for (int c = 0; c < s->classes; c++) {
		s->p[(int64_t)s->n * s->classes + c] = strtod(field[FIRST_P + c], &rest);
		if (*rest || rest == field[FIRST_P + c])
			return false;
	}
	s->n++;
	return true;
}

static int read_all(struct predictions *s, struct lines *l, const char *path,
		    char error[READBACK_ERROR])
{
	char *end, *line = lines_next(l, &end);
	int32_t room = 0;

	if (line && !read_header(s, line, end)) {
		snprintf(error, READBACK_ERROR, "%s: no predictions of these programs", path);
		return -1;
	}
	while (line && (line = lines_next(l, &end)) != NULL) {
		if (s->n == room && !grow(s, room = room ? 2 * room : 4096)) {
			snprintf(error, READBACK_ERROR, "%s: out of memory", path);
			return -1;
		}
		if (!read_row(s, line, end)) {
			snprintf(error, READBACK_ERROR, "%s:%ld: malformed", path, l->number);
			return -1;
		}
	}
	if (*l->error || !s->n) {
		snprintf(error, READBACK_ERROR, "%s: %s", path, *l->error ? l->error : "no rows");
		return -1;
	}
	return 0;
}

int predictions_read(struct predictions *s, const char *path, char error[READBACK_ERROR])
{
	struct lines l;
	int failed;

	*s = (struct predictions){ 0 };
	failed = lines_open(&l, path);
	if (failed)
		snprintf(error, READBACK_ERROR, "%s: %s", path, l.error);
	else
		failed = read_all(s, &l, path, error);
	lines_close(&l);
	return failed ? -1 : 0;
}

void predictions_free(struct predictions *s)
{
	free(s->row);
	free(s->label);
	free(s->predicted);
	free(s->twin);
	free(s->p);
	*s = (struct predictions){ 0 };
}

void readback_beside(char path[READBACK_ERROR], const char *run, const char *name)
{
	struct stat status;
	const char *slash = strrchr(run, '/');

	if (!stat(run, &status) && S_ISDIR(status.st_mode))
		snprintf(path, READBACK_ERROR, "%s/%s", run, name);
	else
		snprintf(path, READBACK_ERROR, "%.*s%s", slash ? (int)(slash - run) + 1 : 0, run, name);
}

int predictions_of(struct predictions *s, const char *run, const char *split, uint64_t hash,
		   char error[READBACK_ERROR])
{
	char path[READBACK_ERROR], name[64], found[32] = "", wanted[32];

	*s = (struct predictions){ 0 };
	readback_beside(path, run, "metrics.json");
	snprintf(wanted, sizeof(wanted), "%016" PRIx64, hash);
	if (!json_lookup(path, NULL, "data_hash", found, sizeof(found))) {
		snprintf(error, READBACK_ERROR, "%s: no metrics.json of these programs", run);
		return -1;
	}
	if (hash && strcmp(found, wanted)) {
		snprintf(error, READBACK_ERROR, "%s: its data have hash %s, those here %s", run, found,
			 wanted);
		return -1;
	}
	readback_beside(path, run, "predictions.csv");
	if (split && access(path, R_OK)) {
		snprintf(name, sizeof(name), "predictions-%s.csv", split);
		readback_beside(path, run, name);
	}
	return predictions_read(s, path, error);
}

/* --- comparing --- */

struct hit {
	int32_t row;
	bool right;
};

static int by_row(const void *a, const void *b)
{
	const struct hit *x = a, *y = b;

	return (x->row > y->row) - (x->row < y->row);
}

static struct hit *hits(const struct predictions *s)
{
	struct hit *h = malloc(((size_t)s->n + 1) * sizeof(*h));

	for (int32_t i = 0; h && i < s->n; i++)
		h[i] = (struct hit){ s->row[i], s->label[i] == s->predicted[i] };
	if (h)
		qsort(h, (size_t)s->n, sizeof(*h), by_row);
	return h;
}

int predictions_compare(const struct predictions *a, const struct predictions *b,
			struct predictions_pair *pair)
{
	struct hit *x = hits(a), *y = hits(b);
	bool good = x && y;

	*pair = (struct predictions_pair){ 0 };
	for (int32_t i = 0, j = 0; good && i < a->n && j < b->n;) {
		if (x[i].row != y[j].row) {
			if (x[i].row < y[j].row)
				i++;
			else
				j++;
			continue;
		}
		pair->n++;
		pair->a_right += x[i].right;
		pair->b_right += y[j].right;
		pair->a_only += x[i].right && !y[j].right;
		pair->b_only += y[j].right && !x[i].right;
		i++;
		j++;
	}
	free(x);
	free(y);
	return good ? 0 : -1;
}

/* --- summary.csv --- */

enum { EPOCH = 0, VAL_ACC = 6, EPOCH_SECONDS = 11, BEST = 14, ELAPSED = 15, COLUMNS };

int run_summary_read(struct run_summary *s, const char *path)
{
	struct lines l;
	char *end, *line, *field[FIELDS];
	int failed = lines_open(&l, path);

	*s = (struct run_summary){ 0 };
	line = failed ? NULL : lines_next(&l, &end);
	while (line && (line = lines_next(&l, &end)) != NULL) {
		if (cut(line, end, field) != COLUMNS)
			continue;
		s->epochs = (int32_t)strtol(field[EPOCH], NULL, 10);
		s->elapsed = strtod(field[ELAPSED], NULL);
		s->epoch_seconds += strtod(field[EPOCH_SECONDS], NULL);
		if (*field[BEST] == '1') {
			s->best_epoch = s->epochs;
			s->best_acc = strtod(field[VAL_ACC], NULL);
		}
	}
	lines_close(&l);
	if (s->epochs)
		s->epoch_seconds /= s->epochs;
	return s->epochs ? 0 : -1;
}

/* --- JSON --- */

static char *whole_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size = 0, room = 1 << 16, n = 0;
	char *text = file ? malloc(room + 1) : NULL;

	while (text && (n = fread(text + size, 1, room - size, file)) > 0) {
		char *more = text;

		size += n;
		if (size == room)
			more = realloc(text, (room *= 2) + 1);
		if (!more)
			free(text);
		text = more;
	}
	if (file)
		fclose(file);
	if (text)
		text[size] = 0;
	return text;
}

/* Behind the colon of the first "key":, NULL where there is none. */
static const char *find_key(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (; text && (text = strchr(text, '"')) != NULL; text++)
		if (!strncmp(text + 1, key, n) && text[1 + n] == '"' && text[2 + n] == ':')
			return text + 3 + n + strspn(text + 3 + n, " ");
	return NULL;
}

bool json_lookup(const char *path, const char *object, const char *key, char *value, size_t size)
{
	char *text = whole_file(path);
	const char *at = text;

	if (object)
		at = find_key(at, object);
	at = find_key(at, key);
	if (at) {
		bool quoted = *at == '"';
		size_t n = strcspn(at + quoted, quoted ? "\"" : ",}]\n");

		snprintf(value, size, "%.*s", (int)n, at + quoted);
	}
	free(text);
	return at != NULL;
}

int readback_folds(const char *dir, struct report_epochs **folds)
{
	char folder[RUNDIR_PATH], path[RUNDIR_PATH];
	int k = 0;

	*folds = NULL;
	for (;; k++) {
		struct report_epoch *row;
		int n = report_summary_read(
			rundir_path(path, rundir_fold(folder, dir, k + 1), "summary.csv"), &row);
		struct report_epochs *more =
			n < 0 ? NULL : realloc(*folds, (size_t)(k + 1) * sizeof(*more));

		if (!more) {
			free(row);
			return k;
		}
		*folds = more;
		more[k] = (struct report_epochs){ row, n };
	}
}

void readback_folds_free(struct report_epochs *folds, int k)
{
	for (int i = 0; i < k; i++)
		free(folds[i].row);
	free(folds);
}
