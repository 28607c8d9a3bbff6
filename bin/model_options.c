#include "model_options.h"

#include <stdio.h>
#include <string.h>

enum { MAX_SETTINGS = 48, HELP = 200 };

static const struct model_setting *setting_of(const struct model *m, const char *name)
{
	for (const struct model_setting *s = m->settings; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/* "dropout before linear layers [alexnet 0.5, vgg 0.25]"; of words the first is the default. */
static void describe(const char *name, char help[HELP])
{
	const char *before = " [";
	size_t n = 0;

	for (int i = 0; models[i]; i++) {
		const struct model_setting *s = setting_of(models[i], name);

		if (!s)
			continue;
		if (!n)
			n = (size_t)snprintf(help, HELP, "%s", s->help);
		if (n < HELP && !s->words)
			n += (size_t)snprintf(help + n, HELP - n, "%s%s %g", before,
					      models[i]->name, s->fallback);
		else if (n < HELP)
			n += (size_t)snprintf(help + n, HELP - n, "%s%s %s", before, models[i]->name,
					      s->words);
		before = ", ";
	}
	if (n < HELP)
		snprintf(help + n, HELP - n, "]");
}

static bool is_listed(const struct cli_option *table, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(table[i].name, name))
			return true;
	return false;
}

int model_options_rows(struct cli_option *table, int n, int max)
{
	static char help[MAX_SETTINGS][HELP];
	int listed = 0;

	for (int i = 0; models[i]; i++) {
		for (const struct model_setting *s = models[i]->settings; s->name; s++) {
			if (is_listed(table, n, s->name) || listed == MAX_SETTINGS || n == max)
				continue;
			describe(s->name, help[listed]);
			table[n++] = (struct cli_option){ s->name, 0, CLI_TEXT, NULL, "model",
							  s->words ? "WORD" : s->whole ? "N" : "X",
							  help[listed++], 0 };
		}
	}
	return n;
}

static int use_common(const struct cli *c, const struct model *m, struct model_config *config)
{
	static const struct {
		const char *option, *setting;
	} common[] = { { "img-size", "image" }, { "img-size", "size" }, { "channels", "channels" } };
	char expected[MODEL_TEXT];

	for (int i = 0; i < 3; i++) {
		const char *text = cli_text(c, common[i].option), *wrong = NULL;

		if (text)
			wrong = model_set(m, config, common[i].setting, text, expected);
		if (wrong)
			return cli_fail(c, CLI_USAGE, "--%s: \"%s\" given, expected %s",
					common[i].option, text, wrong);
	}
	return -1;
}

int model_options_use(const struct cli *c, const struct model *m, struct model_config *config)
{
	char expected[MODEL_TEXT];

	for (const struct model_setting *s = m->settings; s->name; s++) {
		const char *text = cli_text(c, s->name), *wrong = NULL;

		if (text)
			wrong = model_set(m, config, s->name, text, expected);
		if (wrong)
			return cli_fail(c, CLI_USAGE, "--%s: \"%s\" given, expected %s", s->name, text,
					wrong);
	}
	return use_common(c, m, config);
}

int model_options_refuse(const struct cli *c, const struct model *m)
{
	for (int i = 0; models[i]; i++)
		for (const struct model_setting *s = models[i]->settings; s->name; s++)
			if (cli_text(c, s->name) && !setting_of(m, s->name))
				return cli_fail(c, CLI_USAGE, "%s has no --%s", m->name, s->name);
	return -1;
}

int model_options_check(const struct cli *c, const struct model *m,
			const struct model_config *config)
{
	const char *wrong = model_check(m, config);

	return wrong ? cli_fail(c, CLI_USAGE, "%s: %s", m->name, wrong) : -1;
}
