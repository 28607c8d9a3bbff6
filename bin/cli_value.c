/*
 * cli_value.c: the values of options: whether a text is one, setting and getting them.
 */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- is a text a value of this type --- */

static bool parse_integer(const char *text, int64_t lowest, int64_t *value)
{
	char *end;
	long long x;

	errno = 0;
	x = strtoll(text, &end, 10);
	if (end == text || *end || errno || isspace((unsigned char)*text) || x < lowest)
		return false;
	*value = x;
	return true;
}

static bool parse_real(const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	return end != text && !*end && !isspace((unsigned char)*text) && isfinite(*value) &&
		*value >= 0;
}

bool cli_seconds(const char *text, double *seconds)
{
	static const char units[] = "smhd";
	static const double lengths[] = { 1, 60, 3600, 86400 };
	double sum = 0;

	if (!*text)
		return false;
	while (*text) {
		char *end;
		const char *unit;
		double x;

		if (!isdigit((unsigned char)*text) && *text != '.')
			return false;
		x = strtod(text, &end);
		if (end == text)
			return false;
		unit = *end ? strchr(units, *end) : units;
		if (!unit || (!*end && sum > 0))
			return false;
		sum += x * lengths[unit - units];
		text = *end ? end + 1 : end;
	}
	*seconds = sum;
	return isfinite(sum);
}

static const char *parse_flag(const char *text)
{
	static const char *const on[] = { "true", "yes", "on", "1" };
	static const char *const off[] = { "false", "no", "off", "0" };

	for (int i = 0; i < 4; i++) {
		if (!strcmp(text, on[i]))
			return "true";
		if (!strcmp(text, off[i]))
			return "false";
	}
	return NULL;
}

static bool is_choice(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (*list) {
		size_t n = strcspn(list, "|");

		if (n == length && !strncmp(list, word, n))
			return true;
		list += n + (list[n] == '|');
	}
	return false;
}

/* NULL where `text` is a value of the option, else what the option takes. */
static const char *expected(const struct cli_option *o, const char *text)
{
	int64_t integer;
	double real;

	switch (o->type) {
	case CLI_FLAG: return parse_flag(text) ? NULL : "true or false";
	case CLI_INT: return parse_integer(text, 0, &integer) ? NULL : "an integer >= 0";
	case CLI_COUNT: return parse_integer(text, 1, &integer) ? NULL : "an integer >= 1";
	case CLI_REAL: return parse_real(text, &real) ? NULL : "a number >= 0";
	case CLI_FRACTION: return parse_real(text, &real) && real <= 1 ? NULL : "a number in 0..1";
	case CLI_DURATION:
		return cli_seconds(text, &real) ? NULL : "a duration such as 90s, 20m or 1h30m";
	case CLI_CHOICE: return is_choice(o->arg, text) ? NULL : o->arg;
	case CLI_TEXT: return strpbrk(text, "\r\n") ? "one line" : NULL;
	}
	return NULL;
}

/* --- setting --- */

int cli__find(const struct cli *c, const char *name, size_t length)
{
	for (int i = 0; c->program->options[i].name; i++)
		if (strlen(c->program->options[i].name) == length &&
			!strncmp(c->program->options[i].name, name, length))
			return i;
	return -1;
}

const char *cli__suggest(const struct cli *c, const char *word, bool flags_only)
{
	const char *names[256];
	int n = 0;

	for (const struct cli_option *o = c->program->options; o->name && n < 255; o++)
		if (!flags_only || o->type == CLI_FLAG)
			names[n++] = o->name;
	names[n] = NULL;
	return cli_nearest(word, names);
}

/* Values of a CLI_MANY option are lines of its text. */
static char *join(const char *first, const char *last)
{
	size_t n = strlen(first) + strlen(last) + 2;
	char *both = malloc(n);

	if (both)
		snprintf(both, n, "%s\n%s", first, last);
	return both;
}

int cli__assign(struct cli *c, int i, const char *text, enum cli__level level, const char *where)
{
	const struct cli_option *o = &c->program->options[i];
	const char *want = expected(o, text);
	char *copy;

	if (want)
		return cli_fail(c, CLI_USAGE, "%s: \"%s\" given, expected %s", where, text, want);
	if (level < c->values[i].level)
		return -1;
	if ((o->flags & CLI_MANY) && level == c->values[i].level && c->values[i].text)
		copy = join(c->values[i].text, text);
	else
		copy = strdup(o->type == CLI_FLAG ? parse_flag(text) : text);
	if (!copy)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	free(c->values[i].text);
	c->values[i].text = copy;
	c->values[i].level = level;
	return -1;
}

/* --- getting --- */

static const struct cli_value *value_of(const struct cli *c, const char *name)
{
	int i = cli__find(c, name, strlen(name));

	if (i < 0) {
		cli_fail(c, 0, "no option \"%s\" in the table", name);
		abort();
	}
	return &c->values[i];
}

const char *cli_text(const struct cli *c, const char *name)
{
	return value_of(c, name)->text;
}

bool cli_item(const struct cli *c, const char *name, int i, char *item, size_t size)
{
	const char *text = cli_text(c, name);

	for (; text && i > 0; i--) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	if (text)
		snprintf(item, size, "%.*s", (int)strcspn(text, "\n"), text);
	return text != NULL;
}

bool cli_flag(const struct cli *c, const char *name)
{
	const char *text = cli_text(c, name);

	return text && !strcmp(text, "true");
}

int64_t cli_int(const struct cli *c, const char *name)
{
	const char *text = cli_text(c, name);

	return text ? strtoll(text, NULL, 10) : 0;
}

double cli_real(const struct cli *c, const char *name)
{
	const char *text = cli_text(c, name);
	double x = 0;

	if (!text)
		return 0;
	if (c->program->options[cli__find(c, name, strlen(name))].type != CLI_DURATION)
		return strtod(text, NULL);
	cli_seconds(text, &x);
	return x;
}

bool cli_is(const struct cli *c, const char *name, const char *word)
{
	const char *text = cli_text(c, name);

	return text && !strcmp(text, word);
}

bool cli_given(const struct cli *c, const char *name)
{
	return value_of(c, name)->level > CLI__DEFAULT;
}

bool cli_chosen(const struct cli *c, const char *name)
{
	return value_of(c, name)->level > CLI__PRESET;
}
