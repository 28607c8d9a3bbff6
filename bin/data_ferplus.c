/*
 * data_ferplus.c: the labels of FER+ (Barsoum et al., arXiv:1608.01041): votes of ten people.
 */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lines.h"

/* Columns behind "Usage,Image name"; the first seven by FER2013's number of the class. */
enum { FIELDS = 2 + FERPLUS_VOTES };
static const char *const header =
	"Usage,Image "
	"name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF";
const char *const data_ferplus_names[FERPLUS_VOTES] = { "neutral", "happy", "surprise", "sad", "angry",
	"disgust", "fear", "contempt", "unknown", "not a face" };
static const uint8_t class_of_column[DATA_CLASSES] = { NEUTRAL, HAPPY, SURPRISE, SAD, ANGRY,
	DISGUST, FEAR };

struct votes {
	int usage;
	int column[FERPLUS_VOTES]; /* in FER+'s order */
	int emotion[DATA_CLASSES]; /* in FER2013's order */
	int highest_other; /* of contempt, unknown, not a face */
};

/* One line; NULL, or what is wrong with it. */
static const char *parse(char *line, char *end, struct votes *v)
{
	char *at = line;

	memset(v, 0, sizeof(*v));
	v->usage = -1;
	for (int i = 0; i < FIELDS; i++) {
		char *comma = memchr(at, ',', (size_t)(end - at)), *stop = comma ? comma : end;
		long votes = 0;

		if (!comma != (i == FIELDS - 1))
			return "expected 12 fields";
		for (int s = 0; i == 0 && s < SPLITS; s++)
			if ((size_t)(stop - at) == strlen(data_split_names[s]) &&
				!memcmp(at, data_split_names[s], (size_t)(stop - at)))
				v->usage = s;
		if (i >= 2) {
			char *behind;

			votes = strtol(at, &behind, 10);
			if (behind == at || behind != stop || votes < 0 || votes > 1000)
				return "votes are not numbers";
		}
		if (i >= 2)
			v->column[i - 2] = (int)votes;
		if (i >= 2 && i < 2 + DATA_CLASSES)
			v->emotion[class_of_column[i - 2]] = (int)votes;
		else if (i >= 2 && votes > v->highest_other)
			v->highest_other = (int)votes;
		at = stop + 1;
	}
	return v->usage < 0 ? "usage is none of Training, PublicTest, PrivateTest" : NULL;
}

static void apply(struct dataset *d, int32_t row, const struct votes *v)
{
	int best = 0, sum = 0;

	for (int c = 0; c < DATA_CLASSES; c++) {
		sum += v->emotion[c];
		if (v->emotion[c] > v->emotion[best])
			best = c;
	}
	d->flaw[row] &= (uint8_t)~FLAW_NO_LABEL;
	if (v->emotion[best] == 0 || v->highest_other > v->emotion[best])
		d->flaw[row] |= FLAW_NO_LABEL;
	else
		d->label[row] = (uint8_t)best;
	for (int c = 0; d->soft && c < DATA_CLASSES; c++)
		d->soft[(size_t)row * DATA_CLASSES + (size_t)c] =
			sum > 0 ? (float)v->emotion[c] / (float)sum : (float)(c == d->label[row]);
}

/* Several may have the highest vote: the label agrees if it is one of them. */
static void count(struct data_ferplus_counts *c, const struct dataset *d, int32_t row, const struct votes *v)
{
	int best = 0, tied = 0;

	for (int i = 1; i < FERPLUS_VOTES; i++)
		if (v->column[i] > v->column[best])
			best = i;
	for (int i = 0; i < FERPLUS_VOTES; i++)
		tied += v->column[i] == v->column[best];
	c->highest[v->usage][best]++;
	c->ties[v->usage] += tied > 1;
	c->rows[v->usage][d->label[row]]++;
	c->same[v->usage][d->label[row]] += v->emotion[d->label[row]] == v->column[best];
}

/* Takes the labels or, with `c`, counts. */
static enum data_status read_votes(struct dataset *d, struct data_ferplus_counts *c, struct lines *l,
	const char *path, struct data_error *error)
{
	char *end, *line = lines_next(l, &end);
	const char *wrong = NULL;
	struct votes votes;
	int32_t row = 0;

	if (line &&
		((size_t)(end - line) != strlen(header) || memcmp(line, header, strlen(header))))
		wrong = "not the header of fer2013new.csv";
	while (line && !wrong && (line = lines_next(l, &end))) {
		wrong = parse(line, end, &votes);
		if (!wrong && row == d->n)
			wrong = "more rows than images";
		if (!wrong && votes.usage != d->usage[row])
			wrong = "another usage than the image of this row";
		if (!wrong && c)
			count(c, d, row++, &votes);
		else if (!wrong)
			apply(d, row++, &votes);
	}
	if (*l->error)
		wrong = l->error;
	if (!wrong && row < d->n) {
		snprintf(error->text, sizeof(error->text), "%s: %d rows, expected %d", path,
			(int)row, (int)d->n);
		return DATA_MALFORMED;
	}
	if (wrong)
		snprintf(error->text, sizeof(error->text), "%s:%ld: %s", path, l->number, wrong);
	return wrong ? DATA_MALFORMED : DATA_OK;
}

static enum data_status read_file(struct dataset *d, struct data_ferplus_counts *c, const char *path,
	struct data_error *error)
{
	struct lines l;
	enum data_status status = DATA_MISSING;

	if (lines_open(&l, path))
		snprintf(error->text, sizeof(error->text), "%s: %s", path, l.error);
	else
		status = read_votes(d, c, &l, path, error);
	lines_close(&l);
	return status;
}

static enum data_status refuse_others(const struct dataset *d, const char *path, struct data_error *error)
{
	if (!d->own_names)
		return DATA_OK;
	snprintf(error->text, sizeof(error->text),
		"%s: labels of FER2013's seven classes, the data have others", path);
	return DATA_MALFORMED;
}

enum data_status data_ferplus(
	struct dataset *d, const char *path, bool soft, struct data_error *error)
{
	enum data_status status = refuse_others(d, path, error);

	if (status != DATA_OK)
		return status;
	free(d->soft);
	d->soft = soft ? calloc((size_t)d->n * DATA_CLASSES + 1, sizeof(*d->soft)) : NULL;
	if (soft && !d->soft) {
		snprintf(error->text, sizeof(error->text), "%s: out of memory", path);
		return DATA_MEMORY;
	}
	status = read_file(d, NULL, path, error);
	return status == DATA_OK ? data_finish(d) : status;
}

enum data_status data_ferplus_count(struct dataset *d, const char *path,
	struct data_ferplus_counts *c, struct data_error *error)
{
	enum data_status status = refuse_others(d, path, error);

	memset(c, 0, sizeof(*c));
	return status == DATA_OK ? read_file(d, c, path, error) : status;
}
