/*
 * models.h: the list of models.
 */
#ifndef MODELS_MODELS_H
#define MODELS_MODELS_H

#include "model.h"

extern const struct model *const models[];	/* closed by NULL */

/* NULL if there is none of that name. */
const struct model *model_find(const char *name);

/* "alexnet|vgg" */
void model_names(char text[MODEL_TEXT]);

#endif
