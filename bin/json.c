/*
 * json.c: a JSON writer.
 */
#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void json_open(struct json *j, FILE *out)
{
	memset(j, 0, sizeof(*j));
	j->out = out;
}

int json_close(struct json *j)
{
	fputc('\n', j->out);
	return fflush(j->out) || ferror(j->out) ? -1 : 0;
}

/* How many bytes of UTF-8 a character has that begins here; 0: it is none. */
static int utf8_length(const unsigned char *s)
{
	int n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;

	for (int i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static void write_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		int length = utf8_length((const unsigned char *)text);

		if (length != 1) {
			fprintf(out, "%.*s", length ? length : 6, length ? text : "\\ufffd");
			text += length ? length - 1 : 0;
		} else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

/* What stands before a value: comma, line break, key. */
static void lead(struct json *j, const char *key)
{
	if (j->depth > 0) {
		bool flat = j->level[j->depth - 1].flat;

		if (j->level[j->depth - 1].used)
			fputs(flat ? ", " : ",", j->out);
		j->level[j->depth - 1].used = true;
		if (!flat)
			fprintf(j->out, "\n%*s", 2 * j->depth, "");
	}
	if (key) {
		write_string(j->out, key);
		fputs(": ", j->out);
	}
}

static void open_level(struct json *j, const char *key, char opener, char closer, bool flat)
{
	lead(j, key);
	if (j->depth == JSON_DEPTH)
		abort();
	flat = flat || (j->depth > 0 && j->level[j->depth - 1].flat);
	fputc(opener, j->out);
	j->level[j->depth].closer = closer;
	j->level[j->depth].flat = flat;
	j->level[j->depth].used = false;
	j->depth++;
}

void json_object(struct json *j, const char *key)
{
	open_level(j, key, '{', '}', false);
}

void json_line(struct json *j, const char *key)
{
	open_level(j, key, '{', '}', true);
}

void json_array(struct json *j, const char *key)
{
	open_level(j, key, '[', ']', false);
}

void json_row(struct json *j, const char *key)
{
	open_level(j, key, '[', ']', true);
}

void json_end(struct json *j)
{
	j->depth--;
	if (!j->level[j->depth].flat && j->level[j->depth].used)
		fprintf(j->out, "\n%*s", 2 * j->depth, "");
	fputc(j->level[j->depth].closer, j->out);
}

void json_text(struct json *j, const char *key, const char *text)
{
	lead(j, key);
	if (text)
		write_string(j->out, text);
	else
		fputs("null", j->out);
}

const char *json_number(char text[32], double x)
{
	if (!isfinite(x))
		return strcpy(text, "null");
	for (int digits = 6; digits <= 17; digits++) { /* 6 digits of 0.1 are "0.1", of 70 "70" */
		snprintf(text, 32, "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	return text;
}

void json_real(struct json *j, const char *key, double x)
{
	char text[32];

	lead(j, key);
	fputs(json_number(text, x), j->out);
}

void json_int(struct json *j, const char *key, int64_t x)
{
	lead(j, key);
	fprintf(j->out, "%" PRId64, x);
}

void json_bool(struct json *j, const char *key, bool x)
{
	lead(j, key);
	fputs(x ? "true" : "false", j->out);
}

void json_reals(struct json *j, const char *key, const double *x, int n)
{
	json_row(j, key);
	for (int i = 0; i < n; i++)
		json_real(j, NULL, x[i]);
	json_end(j);
}
