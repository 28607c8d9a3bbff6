/*
 * model.c: settings of a model as text.
 */
#include "model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What every model has, before its own. */
static const struct model_setting common[] = {
	{ "size", NULL, 0, 1, 4096, true, "height and width of the input" },
	{ "channels", NULL, 1, 1, 4, true, "channels of the input" },
	{ "classes", NULL, 7, 2, 65536, true, "classes" },
	{ "image", NULL, 0, 0, 4096, true, "height and width of the images before cropping" },
};
enum { COMMON = 4 };

void model_defaults(const struct model *m, struct model_config *config)
{
	*config = (struct model_config){ .size = m->input, .channels = 1, .classes = 7 };
	for (int i = 0; m->settings[i].name; i++)
		config->value[i] = m->settings[i].fallback;
}

const char *model_check(const struct model *m, const struct model_config *config)
{
	return m->check ? m->check(config) : NULL;
}

static const char *range(const struct model_setting *s, char expected[MODEL_TEXT])
{
	if (s->words)
		snprintf(expected, MODEL_TEXT, "%s", s->words);
	else
		snprintf(expected, MODEL_TEXT, "%s in %g..%g", s->whole ? "an integer" : "a number",
			 s->low, s->high);
	return expected;
}

static bool read_word(const char *words, const char *text, double *value)
{
	size_t length = strlen(text);

	for (int i = 0; *words; i++) {
		size_t n = strcspn(words, "|");

		if (n == length && !strncmp(words, text, n)) {
			*value = i;
			return true;
		}
		words += n + (words[n] == '|');
	}
	return false;
}

static bool read_value(const struct model_setting *s, const char *text, double *value)
{
	char *end;

	if (s->words)
		return read_word(s->words, text, value);
	*value = strtod(text, &end);
	return end != text && !*end && *value >= s->low && *value <= s->high &&
	       (!s->whole || *value == floor(*value));
}

/* Sets what "name=value name=value" says; `text` is cut into words. */
static bool set_all(const struct model *m, struct model_config *config, char *text)
{
	char expected[MODEL_TEXT];

	for (char *word, *rest = text; (word = strtok_r(rest, " ", &rest)) != NULL;) {
		char *equals = strchr(word, '=');

		if (!equals)
			return false;
		*equals = 0;
		if (model_set(m, config, word, equals + 1, expected))
			return false;
	}
	return true;
}

static void use_variant(const struct model *m, struct model_config *config, const char *word)
{
	char copy[MODEL_TEXT];

	for (const struct model_variant *v = m->variants; v && v->word; v++) {
		if (strcmp(v->word, word))
			continue;
		snprintf(copy, sizeof(copy), "%s", v->settings);
		set_all(m, config, copy);
	}
}

const char *model_set(const struct model *m, struct model_config *config, const char *name,
		      const char *text, char expected[MODEL_TEXT])
{
	int64_t *const common_value[COMMON] = { &config->size, &config->channels, &config->classes,
						  &config->image };
	double value;

	for (int i = 0; i < COMMON; i++) {
		if (strcmp(common[i].name, name))
			continue;
		if (!read_value(&common[i], text, &value))
			return range(&common[i], expected);
		*common_value[i] = (int64_t)value;
		return NULL;
	}
	for (int i = 0; m->settings[i].name; i++) {
		if (strcmp(m->settings[i].name, name))
			continue;
		if (!read_value(&m->settings[i], text, &value))
			return range(&m->settings[i], expected);
		config->value[i] = value;
		if (!strcmp(name, "variant"))
			use_variant(m, config, text);
		return NULL;
	}
	return "";
}

/* Appends "name=value"; a word by its name. */
static void append(char text[MODEL_TEXT], const struct model_setting *s, double value)
{
	size_t n = strlen(text);
	const char *word = s->words;

	if (word) {
		for (int i = 0; i < (int)value; i++)
			word += strcspn(word, "|") + 1;
		snprintf(text + n, MODEL_TEXT - n, " %s=%.*s", s->name, (int)strcspn(word, "|"), word);
	} else {
		snprintf(text + n, MODEL_TEXT - n, " %s=%.9g", s->name, value);
	}
}

void model_config_text(const struct model *m, const struct model_config *config,
		       char text[MODEL_TEXT])
{
	snprintf(text, MODEL_TEXT, "size=%lld channels=%lld classes=%lld", (long long)config->size,
		 (long long)config->channels, (long long)config->classes);
	if (config->image)
		append(text, &common[COMMON - 1], (double)config->image);
	for (int i = 0; m->settings[i].name; i++)
		append(text, &m->settings[i], config->value[i]);
}

bool model_config_parse(const struct model *m, struct model_config *config, const char *text)
{
	char copy[MODEL_TEXT];

	if (strlen(text) >= sizeof(copy))
		return false;
	strcpy(copy, text);
	model_defaults(m, config);
	return set_all(m, config, copy);
}
