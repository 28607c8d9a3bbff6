/*
 * cli_help.c: what the programs say: --help, suggestions and messages.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 100, COLUMN = 34, WORD = 48 };

/* --- help --- */

/* Print `text` from `column` on, broken at blanks; the cursor is at column `at`. */
static void wrap(FILE *out, const char *text, int at, int column)
{
	if (at > 0 && at > column - 2)
		at = fprintf(out, "\n") - 1;
	fprintf(out, "%*s", column - at, "");
	at = column;
	while (*text) {
		int n = (int)strcspn(text, " ");
		bool first = at == column;

		if (!first && at + 1 + n > WIDTH) {
			fprintf(out, "\n%*s", column, "");
			at = column;
			first = true;
		}
		at += fprintf(out, "%s%.*s", first ? "" : " ", n, text);
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static const char *shown_default(const struct cli_option *o)
{
	if (o->type != CLI_FLAG)
		return o->fallback;
	return o->fallback && !strcmp(o->fallback, "true") ? "on" : NULL;
}

static void print_option(const struct cli_option *o, FILE *out)
{
	bool can_be_negated = o->type == CLI_FLAG && !(o->flags & CLI_TRANSIENT);
	const char *fallback = shown_default(o);
	char text[600];
	int at;

	at = o->letter ? fprintf(out, "  -%c, ", o->letter) : fprintf(out, "      ");
	at += fprintf(out, "--%s%s", can_be_negated ? "[no-]" : "", o->name);
	if (o->arg)
		at += fprintf(out, " %s", o->arg);
	snprintf(text, sizeof(text), "%s%s%s%s", o->help, fallback ? " [" : "",
		fallback ? fallback : "", fallback ? "]" : "");
	wrap(out, text, at, COLUMN);
}

static bool is_first_of_group(const struct cli_option *options, const struct cli_option *o)
{
	for (; options < o; options++)
		if (!strcmp(options->group, o->group))
			return false;
	return true;
}

static void print_presets(const struct cli_preset *p, FILE *out)
{
	fprintf(out, "\npresets:\n");
	for (; p->name; p++) {
		char text[600], *end = text;
		int at = fprintf(out, "  %s", p->name);

		/* "a = 1\nb = 2\n" as "a=1 b=2" */
		for (const char *c = p->settings; *c && end < text + sizeof(text) - 1; c++)
			if (*c != ' ')
				*end++ = *c == '\n' ? ' ' : *c;
		*end = '\0';
		wrap(out, text, at, COLUMN);
	}
}

void cli_help(const struct cli_program *program, FILE *out)
{
	const struct cli_option *options = program->options;

	fprintf(out, "usage: %s %s\n", program->name, program->synopsis);
	wrap(out, program->summary, 0, 0);
	for (const struct cli_option *o = options; o->name; o++) {
		if (!is_first_of_group(options, o))
			continue;
		fprintf(out, "\n%s:\n", o->group);
		for (const struct cli_option *m = o; m->name; m++)
			if (!strcmp(m->group, o->group))
				print_option(m, out);
	}
	if (program->presets)
		print_presets(program->presets, out);
	if (program->examples)
		fprintf(out, "\nexamples:\n");
	for (const char *const *e = program->examples; e && *e; e++)
		fprintf(out, "  %s\n", *e);
}

/* --- suggestions --- */

static int smallest(int a, int b, int c)
{
	int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Edits between two words: insert, delete, replace, swap neighbours (optimal string alignment). */
static int distance(const char *a, const char *b)
{
	int n = (int)strlen(a), m = (int)strlen(b);
	int d[WORD + 1][WORD + 1];

	if (n > WORD || m > WORD)
		return n > m ? n : m;
	for (int i = 0; i <= n; i++)
		d[i][0] = i;
	for (int j = 0; j <= m; j++)
		d[0][j] = j;
	for (int i = 1; i <= n; i++) {
		for (int j = 1; j <= m; j++) {
			bool same = a[i - 1] == b[j - 1];

			d[i][j] =
				smallest(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				d[i - 2][j - 2] + 1 < d[i][j])
				d[i][j] = d[i - 2][j - 2] + 1;
		}
	}
	return d[n][m];
}

const char *cli_nearest(const char *word, const char *const *words)
{
	size_t length = strlen(word);
	int limit = 1 + (int)length / 4, best = limit + 1;
	const char *nearest = NULL;

	for (; *words; words++) {
		int d = distance(word, *words);

		if (length >= 3 && !strncmp(*words, word, length) && d > 1)
			d = limit; /* the beginning of a longer name */
		if (d < best) {
			best = d;
			nearest = *words;
		}
	}
	return nearest;
}

/* --- messages --- */

static void say(const struct cli *c, const char *format, va_list list)
{
	char text[1200];

	vsnprintf(text, sizeof(text), format, list);
	fprintf(stderr, "%s: %s\n", c->program->name, text);
	if (c->log) {
		fprintf(c->log, "%s: %s\n", c->program->name, text);
		fflush(c->log);
	}
}

int cli_fail(const struct cli *c, int status, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	say(c, format, list);
	va_end(list);
	return status;
}

#define SAY_IF(condition) \
	do { \
		va_list list; \
		va_start(list, format); \
		if (condition) \
			say(c, format, list); \
		va_end(list); \
	} while (0)

void cli_warn(const struct cli *c, const char *format, ...)
{
	SAY_IF(true);
}

void cli_note(const struct cli *c, const char *format, ...)
{
	SAY_IF(c->verbosity >= 0);
}

void cli_detail(const struct cli *c, const char *format, ...)
{
	SAY_IF(c->verbosity > 0);
}
