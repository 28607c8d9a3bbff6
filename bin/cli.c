/*
 * cli.c: the command line and the environment.
 */
#include "cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int count_options(const struct cli_program *program)
{
	int n = 0;

	while (program->options[n].name)
		n++;
	return n;
}

/* --- the command line --- */

static int unknown_option(const struct cli *c, const char *word)
{
	bool no = !strncmp(word, "no-", 3);
	const char *near = no ? cli__suggest(c, word + 3, true) : NULL;

	if (near)
		return cli_fail(
			c, CLI_USAGE, "unknown option --%s; did you mean --no-%s?", word, near);
	near = cli__suggest(c, word, false);
	if (near)
		return cli_fail(
			c, CLI_USAGE, "unknown option --%s; did you mean --%s?", word, near);
	return cli_fail(c, CLI_USAGE, "unknown option --%s; see %s --help", word, c->program->name);
}

static bool value_is_optional(const struct cli_option *o)
{
	return o->type == CLI_TEXT && o->arg && o->arg[0] == '[';
}

/* Words of the command line that are still to be read. */
struct words {
	char **next, **end;
};

static int option_with_value(
	struct cli *c, int i, const char *inline_value, const char *where, struct words *w)
{
	const struct cli_option *o = &c->program->options[i];

	if (inline_value)
		return cli__assign(c, i, inline_value, CLI__COMMAND, where);
	if (value_is_optional(o) && (w->next == w->end || **w->next == '-'))
		return cli__assign(c, i, "", CLI__COMMAND, where);
	if (w->next == w->end)
		return cli_fail(
			c, CLI_USAGE, "%s needs a value (%s)", where, o->arg ? o->arg : "VALUE");
	return cli__assign(c, i, *w->next++, CLI__COMMAND, where);
}

static int long_option(struct cli *c, const char *word, struct words *w)
{
	size_t length = strcspn(word, "=");
	const char *value = word[length] ? word + length + 1 : NULL;
	char where[80];
	int i = cli__find(c, word, length);
	bool no = false;

	snprintf(where, sizeof(where), "--%.*s", (int)length, word);
	if (i < 0 && !strncmp(word, "no-", 3)) {
		i = cli__find(c, word + 3, length - 3);
		no = i >= 0 && c->program->options[i].type == CLI_FLAG;
	}
	if (i < 0 || (!no && cli__find(c, word, length) < 0))
		return unknown_option(c, where + 2);
	if (c->program->options[i].type != CLI_FLAG)
		return option_with_value(c, i, value, where, w);
	if (no && value)
		return cli_fail(c, CLI_USAGE, "%s takes no value", where);
	return cli__assign(c, i, no ? "false" : value ? value : "true", CLI__COMMAND, where);
}

/* `letters` is what stands behind the dash: flags, the last one may take a value. */
static int short_options(struct cli *c, const char *letters, struct words *w)
{
	for (; *letters; letters++) {
		const struct cli_option *options = c->program->options;
		char where[3] = { '-', *letters, 0 };
		int i = 0, status;

		while (options[i].name && options[i].letter != *letters)
			i++;
		if (!options[i].name)
			return cli_fail(c, CLI_USAGE, "unknown option %s; see %s --help", where,
				c->program->name);
		if (options[i].type != CLI_FLAG)
			return option_with_value(c, i, letters[1] ? letters + 1 : NULL, where, w);
		status = cli__assign(c, i, "true", CLI__COMMAND, where);
		if (status >= 0)
			return status;
	}
	return -1;
}

static int read_command_line(struct cli *c, int argc, char **argv)
{
	struct words w = { argv + (argc > 0), argv + argc };
	int status = -1;

	while (w.next < w.end && status < 0) {
		char *word = *w.next++;

		if (!strcmp(word, "--"))
			break;
		if (word[0] != '-' || !word[1])
			c->args[c->n_args++] = word;
		else if (word[1] == '-')
			status = long_option(c, word + 2, &w);
		else
			status = short_options(c, word + 1, &w);
	}
	while (w.next < w.end && status < 0)
		c->args[c->n_args++] = *w.next++;
	return status;
}

/* --- the environment --- */

static int read_environment(struct cli *c)
{
	int status = -1;

	for (int i = 0; c->program->options[i].name && status < 0; i++) {
		const char *name = c->program->options[i].name;
		char variable[80] = "FER_";
		const char *value;
		size_t n = 4;

		if (!strcmp(name, "help") || !strcmp(name, "version"))
			continue;
		for (; *name && n < sizeof(variable) - 1; name++)
			variable[n++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
		variable[n] = 0;
		value = getenv(variable);
		if (value && *value)
			status = cli__assign(c, i, value, CLI__ENVIRONMENT, variable);
	}
	return status;
}

/* --- the whole --- */

static int begin(struct cli *c, const struct cli_program *program, int argc)
{
	int n = count_options(program);

	memset(c, 0, sizeof(*c));
	c->program = program;
	c->values = calloc((size_t)n + 1, sizeof(*c->values));
	c->args = calloc((size_t)argc + 1, sizeof(*c->args));
	if (!c->values || !c->args)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	for (int i = 0; i < n; i++) {
		const struct cli_option *o = &program->options[i];

		if (o->fallback && cli__assign(c, i, o->fallback, CLI__DEFAULT, o->name) >= 0)
			return CLI_RUNTIME;
	}
	return -1;
}

static bool asked(const struct cli *c, const char *flag)
{
	return cli__find(c, flag, strlen(flag)) >= 0 && cli_flag(c, flag);
}

static int print_version(const struct cli_program *program)
{
	if (program->version)
		program->version(stdout);
	else
		printf("%s\n", program->name);
	return CLI_OK;
}

int cli_parse(struct cli *c, const struct cli_program *program, int argc, char **argv)
{
	int status = begin(c, program, argc);

	if (status < 0)
		status = read_command_line(c, argc, argv);
	if (status < 0 && asked(c, "help")) {
		cli_help(program, stdout);
		return CLI_OK;
	}
	if (status < 0 && asked(c, "version"))
		return print_version(program);
	if (status < 0)
		status = read_environment(c);
	if (status < 0 && cli__find(c, "config", 6) >= 0 && cli_text(c, "config"))
		status = cli_read_ini(c, cli_text(c, "config"));
	if (status < 0)
		status = cli__read_preset(c);
	if (status < 0)
		c->verbosity = asked(c, "quiet") ? -1 : asked(c, "verbose");
	return status;
}

void cli_free(struct cli *c)
{
	for (int i = 0; c->values && c->program->options[i].name; i++)
		free(c->values[i].text);
	free(c->values);
	free(c->args);
	c->values = NULL;
	c->args = NULL;
	c->n_args = 0;
}

int cli_set(struct cli *c, const char *name, const char *value)
{
	int i = cli__find(c, name, strlen(name));

	return i < 0 ? unknown_option(c, name) : cli__assign(c, i, value, CLI__COMMAND, name);
}
