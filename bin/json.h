/*
 * json.h: writes JSON to a stream, one value after the other. The caller opens and closes objects
 * and arrays; commas, indentation and escapes are done here. NaN and infinities become null;
 * finite numbers are the shortest decimal text that reads back as the same double. Bytes of a text that
 * are no UTF-8, as file names may have, become U+FFFD.
 *
 *	struct json j;
 *	json_open(&j, stdout);
 *	json_object(&j, NULL);
 *	json_real(&j, "accuracy", 0.6463);
 *	json_array(&j, "classes");
 *	json_text(&j, NULL, "angry");
 *	json_end(&j);
 *	json_end(&j);
 *	json_close(&j);
 */
#ifndef FER_JSON_H
#define FER_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH = 16 };

struct json {
	FILE *out;
	int depth;
	struct {
		char closer;
		bool flat;	/* the whole value on one line */
		bool used;	/* has a member already */
	} level[JSON_DEPTH];
};

void json_open(struct json *j, FILE *out);
int json_close(struct json *j);	/* newline and flush; 0, or -1 where writing failed */

/* `key` is NULL inside arrays and at the top. */
void json_object(struct json *j, const char *key);
void json_line(struct json *j, const char *key);	/* an object on one line */
void json_array(struct json *j, const char *key);
void json_row(struct json *j, const char *key);	/* an array on one line */
void json_end(struct json *j);			/* closes the innermost */

void json_text(struct json *j, const char *key, const char *text);	/* NULL -> null */
void json_real(struct json *j, const char *key, double x);
void json_int(struct json *j, const char *key, int64_t x);
void json_bool(struct json *j, const char *key, bool x);
void json_reals(struct json *j, const char *key, const double *x, int n);	/* [x0, x1, ...] */

/* The shortest text for x, as json_real writes it ("null" for NaN). `text` has 32 bytes. */
const char *json_number(char text[32], double x);

#endif
