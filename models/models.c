#include "models.h"

#include <stdio.h>
#include <string.h>

extern const struct model alexnet, resnet50v2, vgg, vit;

const struct model *const models[] = { &alexnet, &resnet50v2, &vgg, &vit, NULL };

const struct model *model_find(const char *name)
{
	for (int i = 0; models[i]; i++)
		if (!strcmp(models[i]->name, name))
			return models[i];
	return NULL;
}

void model_names(char text[MODEL_TEXT])
{
	text[0] = 0;
	for (int i = 0; models[i]; i++) {
		size_t n = strlen(text);

		snprintf(text + n, MODEL_TEXT - n, "%s%s", i ? "|" : "", models[i]->name);
	}
}
