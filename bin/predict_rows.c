/*
 * predict_rows.c: predictions as a table, CSV (RFC 4180) or JSON lines.
 */
#include "predict.h"

#include <string.h>

#include "csv.h"
#include "json.h"

bool predict_format_parse(const char *word, enum predict_format *format)
{
	static const char *const words[] = { "table", "csv", "jsonl" };

	for (int i = 0; i < 3; i++) {
		if (!strcmp(word, words[i])) {
			*format = (enum predict_format)i;
			return true;
		}
	}
	return false;
}

void predict_header(const struct predict_output *o)
{
	if (o->format != PREDICT_CSV)
		return;
	fputs("file", o->file);
	for (int i = 1; i <= o->top; i++)
		fprintf(o->file, ",label%d,p%d", i, i);
	fputs(",error\n", o->file);
}

/* Does class a come before class b: likelier, or as likely and of a lower number? */
static bool before(const double *p, int32_t a, int32_t b)
{
	return p[a] > p[b] || (p[a] == p[b] && a < b);
}

/* The likeliest classes: each the first of those behind the one before it. */
static void rank(const double *p, int32_t classes, int top, int32_t *place)
{
	for (int i = 0; i < top; i++) {
		int32_t best = -1;

		for (int32_t c = 0; c < classes; c++)
			if ((!i || before(p, place[i - 1], c)) && (best < 0 || before(p, c, best)))
				best = c;
		place[i] = best;
	}
}

static void row_csv(const struct predict_output *o, const char *name, const double *p,
		    const int32_t *place, const char *error)
{
	csv_field(o->file, name);
	for (int i = 0; i < o->top; i++) {
		fputc(',', o->file);
		if (p)
			csv_field(o->file, o->class_names[place[i]]);
		fputc(',', o->file);
		if (p)
			fprintf(o->file, "%.6f", p[place[i]]);
	}
	fputc(',', o->file);
	csv_field(o->file, error ? error : "");
	fputc('\n', o->file);
}

static void row_json(const struct predict_output *o, const char *name, const double *p,
		     const int32_t *place, const char *error)
{
	struct json j;

	json_open(&j, o->file);
	json_line(&j, NULL);
	json_text(&j, "file", name);
	if (error)
		json_text(&j, "error", error);
	else
		json_row(&j, "top");
	for (int i = 0; !error && i < o->top; i++) {
		json_object(&j, NULL);
		json_text(&j, "label", o->class_names[place[i]]);
		json_real(&j, "p", p[place[i]]);
		json_end(&j);
	}
	if (!error)
		json_end(&j);
	json_end(&j);
	json_close(&j);
}

/* Control characters of a name would change the terminal, not the table. */
static void row_table(const struct predict_output *o, const char *name, const double *p,
		      const int32_t *place, const char *error)
{
	size_t length = strlen(name);

	for (const char *c = name; *c; c++)
		fputc((unsigned char)*c < ' ' || *c == 127 ? '?' : *c, o->file);
	fprintf(o->file, "%*s", length < o->width ? (int)(o->width - length) : 0, "");
	if (error)
		fprintf(o->file, "  error: %s", error);
	for (int i = 0; !error && i < o->top; i++)
		fprintf(o->file, "  %s %.1f %%", o->class_names[place[i]], 100 * p[place[i]]);
	fputc('\n', o->file);
}

void predict_row(const struct predict_output *o, const char *name, const double *p, const char *error)
{
	int32_t place[PREDICT_TOP];

	if (p)
		rank(p, o->classes, o->top, place);
	if (o->format == PREDICT_CSV)
		row_csv(o, name, p, place, error);
	else if (o->format == PREDICT_JSONL)
		row_json(o, name, p, place, error);
	else
		row_table(o, name, p, place, error);
}
