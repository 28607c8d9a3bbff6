/*
 * model_options.h: the settings of the models as options of a program.
 */
#ifndef FER_MODEL_OPTIONS_H
#define FER_MODEL_OPTIONS_H

#include "cli.h"
#include "../models/models.h"

/* Rows for a program's table; the rest are one row for each setting of any model. */
#define MODEL_OPTIONS \
	{ "img-size", 0, CLI_COUNT, NULL, "model", "N", \
	  "bring images to NxN, larger ones too [as they are]", 0 }, \
	{ "channels", 0, CLI_CHOICE, NULL, "model", "1|3", \
	  "of the network's input; 3 from grey images: the same thrice [as the data]", 0 }

/* Appends the settings' rows to a table of n rows with room for max; returns how many it has then. */
int model_options_rows(struct cli_option *table, int n, int max);

/* Sets what was given, in the order of the model's table: the variant first, so that others can change
 * what it says. -1, or CLI_USAGE. */
int model_options_use(const struct cli *c, const struct model *m, struct model_config *config);
/* CLI_USAGE where a setting was given that the model does not have, else -1. */
int model_options_refuse(const struct cli *c, const struct model *m);
/* CLI_USAGE where the settings do not go together, else -1. */
int model_options_check(const struct cli *c, const struct model *m,
			const struct model_config *config);

#endif
