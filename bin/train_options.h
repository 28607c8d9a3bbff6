/*
 * train_options.h: the command line of fer-train: its table, its presets, and what follows from them.
 */
#ifndef FER_TRAIN_OPTIONS_H
#define FER_TRAIN_OPTIONS_H

#include "cli.h"
#include "data.h"
#include "../models/models.h"
#include "train.h"

/* The rows below and, after the model's, one for each setting of any model. */
const struct cli_program *train_program(void);

/* The model of --model, its settings, and the options that its recipes fill in. -1, or CLI_USAGE. */
int train_model(struct cli *c, const struct model **model, struct model_config *config);

/* The options among the settings, over what config has. */
int train_settings(const struct cli *c, const struct model *m, struct model_config *config);

/* Everything else, once the data are known. `weight` [classes] receives --class-weights. */
int train_config(const struct cli *c, const struct model_config *model, const struct dataset *d,
		 const struct data_rows *train, float *weight, struct train_config *config);


#endif
