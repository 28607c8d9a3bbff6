/*
 * predict.h: what a network makes of pictures: one row each, in the order in which they were named.
 *
 * Functions return -1 to go on, or the exit code after a message.
 */
#ifndef FER_PREDICT_H
#define FER_PREDICT_H

#include <stdio.h>

#include "explain.h"
#include "files.h"
#include "network.h"
#include "picture.h"

/* --- rows --- */

enum { PREDICT_TOP = 64 };

enum predict_format { PREDICT_TABLE, PREDICT_CSV, PREDICT_JSONL };

struct predict_output {
	FILE *file;
	enum predict_format format;
	int top;			/* classes of a row, the likeliest first; at most PREDICT_TOP */
	const char *const *class_names;	/* [classes] */
	int32_t classes;
	size_t width;			/* of the names in a table */
};

/* "table", "csv" or "jsonl"; false for another word. */
bool predict_format_parse(const char *word, enum predict_format *format);

/* csv: the line of names. */
void predict_header(const struct predict_output *o);
/* A row: probabilities p [classes], or what was wrong with the picture. */
void predict_row(const struct predict_output *o, const char *name, const double *p, const char *error);

/* --- which pictures --- */

/*
 * Adds what is named on the command line: files, the pictures of folders (with `deep` of those in them
 * too), "-": the lines of standard input, each a name; or, where that begins as a picture does, its bytes:
 * then they are kept in *bytes, to be freed, and the name is "-". `list`: a file of such lines, or NULL.
 */
int predict_inputs(struct files *f, const struct cli *c, const char *list, bool deep, uint8_t **bytes,
		   size_t *size);

/* --- pictures to rows --- */

struct predict_job {
	const struct cli *cli;
	const struct network *network;
	const struct network_origin *origin;
	const struct files *inputs;
	const uint8_t *bytes;		/* of the input "-" */
	size_t size;
	int32_t batch;
	const char *maps;		/* folder for NNNN-NAME-KIND.png, each picture under its map; NULL: none */
	enum explain_kind kind;
	struct predict_output output;
};

/* Writes all rows; *failed: how many pictures could not be read. */
int predict_pictures(const struct predict_job *j, int32_t *failed);

#endif
