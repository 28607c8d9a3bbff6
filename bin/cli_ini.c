/*
 * cli_ini.c: options as text: config files, presets, args.ini.
 */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = 0;
	return s;
}

/* One line of a config file; it is changed in place. */
static int read_setting(
	struct cli *c, char *line, enum cli__level level, const char *file, int number)
{
	char where[400], *equals, *name, *value;
	size_t length;
	int i;

	line = trim(line);
	if (!*line || *line == '#' || *line == ';')
		return -1;
	equals = strchr(line, '=');
	if (!equals)
		return cli_fail(c, CLI_USAGE, "%s:%d: expected `name = value`", file, number);
	*equals = 0;
	name = trim(line);
	value = trim(equals + 1);
	length = strlen(value);
	if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
		value[length - 1] = 0;
		value++;
	}
	i = cli__find(c, name, strlen(name));
	if (i < 0) {
		const char *near = cli__suggest(c, name, false);

		return cli_fail(c, CLI_USAGE, "%s:%d: unknown option \"%s\"%s%s%s", file, number,
			name, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	}
	snprintf(where, sizeof(where), "%s:%d: %s", file, number, name);
	return cli__assign(c, i, value, level, where);
}

int cli_read_ini(struct cli *c, const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	int status = -1, number = 0;

	if (!file)
		return cli_fail(c, CLI_USAGE, "%s: %s", path, strerror(errno));
	while (status < 0 && getline(&line, &size, file) >= 0)
		status = read_setting(c, line, CLI__CONFIG, path, ++number);
	if (status < 0 && ferror(file))
		status = cli_fail(c, CLI_USAGE, "%s: %s", path, strerror(errno));
	free(line);
	fclose(file);
	return status;
}

static int unknown_preset(const struct cli *c, const char *name)
{
	char list[400] = "";

	for (const struct cli_preset *p = c->program->presets; p->name; p++) {
		size_t n = strlen(list);

		snprintf(list + n, sizeof(list) - n, "%s%s", n ? "|" : "", p->name);
	}
	return cli_fail(c, CLI_USAGE, "--preset: \"%s\" given, expected %s", name, list);
}

int cli__read_preset(struct cli *c)
{
	const struct cli_preset *p = c->program->presets;
	const char *name, *rest;
	char where[80], line[400];
	int status = -1, number = 0;

	if (!p || cli__find(c, "preset", 6) < 0)
		return -1;
	name = cli_text(c, "preset");
	if (!name || !*name)
		return -1;
	while (p->name && strcmp(p->name, name))
		p++;
	if (!p->name)
		return unknown_preset(c, name);
	snprintf(where, sizeof(where), "preset %s", name);
	for (rest = p->settings; *rest && status < 0; rest += rest[0] == '\n') {
		size_t n = strcspn(rest, "\n");

		snprintf(line, sizeof(line), "%.*s", (int)n, rest);
		status = read_setting(c, line, CLI__PRESET, where, ++number);
		rest += n;
	}
	return status;
}

/* The first line of `value`. */
static void write_value(FILE *file, const char *name, const char *value)
{
	size_t n = strcspn(value, "\n");
	bool quoted = n &&
		(isspace((unsigned char)value[0]) || isspace((unsigned char)value[n - 1]) ||
			value[0] == '"');
	const char *quote = quoted ? "\"" : "";

	fprintf(file, "%s = %s%.*s%s\n", name, quote, (int)n, value, quote);
}

int cli_write_ini(const struct cli *c, const char *path)
{
	FILE *file = fopen(path, "w");
	const char *group = "";
	bool failed;

	if (!file)
		return -1;
	fprintf(file, "# %s: options of a run; use with --config\n", c->program->name);
	for (int i = 0; c->program->options[i].name; i++) {
		const struct cli_option *o = &c->program->options[i];
		const char *value = c->values[i].text;

		if (!value || (o->flags & CLI_TRANSIENT))
			continue;
		if (strcmp(group, o->group))
			fprintf(file, "\n# %s\n", o->group);
		group = o->group;
		for (const char *line = value; line; line = strchr(line, '\n'))
			write_value(file, o->name, line += *line == '\n');
	}
	failed = ferror(file);
	return fclose(file) || failed ? -1 : 0;
}
