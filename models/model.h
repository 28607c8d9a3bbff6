/*
 * model.h: what a model is to the programs. A new model is a file with a `const struct model` and a
 * line in models.c; its settings become options of fer-train by themselves.
 *
 * The input of a model is float32 B H W C with H = W = config.size and channels config.channels,
 * normalised as (pixel - mean) / sd; its output are logits [B, config.classes].
 */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clgrad.h"

enum { MODEL_SETTINGS = 16, MODEL_TEXT = 512 };

/* One thing that can be chosen: a number, or a word of a list. */
struct model_setting {
	const char *name;	/* "width": also the long option of fer-train */
	const char *words;	/* "keras|gluon": the value is the word's position; NULL: a number */
	double fallback, low, high;	/* numbers: low <= value <= high */
	bool whole;		/* integers only */
	const char *help;
};

/* Everything that decides a model's shapes and arithmetic; kept as text in a checkpoint. */
struct model_config {
	int64_t size, channels, classes;
	int64_t image;	/* images are brought to image x image before the network's crop; 0: as they are */
	double value[MODEL_SETTINGS];	/* in the order of the model's settings */
};

/* Options of fer-train as "name = value" lines; preset NULL: whenever this model is trained. */
struct model_recipe {
	const char *preset;
	const char *settings;
};

/* What a word of the setting "variant" stands for: "depth=12 dim=192 heads=3". Settings that are
 * given after the variant win over it. */
struct model_variant {
	const char *word, *settings;
};

struct model {
	const char *name;
	const char *summary;
	const struct model_setting *settings;	/* closed by a row without a name; "variant" first */
	const struct model_variant *variants;	/* closed by a row without a word, or NULL */
	const struct model_recipe *recipes;	/* closed by a row without settings; the first that
						 * names an option wins */
	int64_t input;		/* size after cropping, unless asked otherwise */
	float mean, sd;		/* of pixels 0..255 */
	const char *head;	/* the classifier: parameters whose names begin so */
	const char *blocks;	/* what its blocks are called: "stages" */
	size_t bytes;		/* of the model's own struct */
	/* What is wrong with settings that do not go together, as a sentence's end: "44 is no
	 * multiple of the patch"; NULL if they do. May be NULL: all do. */
	const char *(*check)(const struct model_config *config);
	/* The block that a parameter belongs to, counted from 1 at the input; 0: it comes before
	 * them (stem, embedding), -1: after them (last norm, classifier). */
	int (*block)(const char *parameter);
	/* Adds the parameters to p; self is zeroed. */
	cg_status (*init)(void *self, cg_params *p, const struct model_config *config);
	cg_tensor *(*forward)(const void *self, cg_tensor *x);
};

/* Fills in the model's defaults: 1 channel, 7 classes. */
void model_defaults(const struct model *m, struct model_config *config);

/* What model->check says of the settings, NULL where it has nothing against them. */
const char *model_check(const struct model *m, const struct model_config *config);

/*
 * Sets one value from text: a setting of the model, or size, image, channels, classes. NULL, or what is
 * expected instead ("an integer in 1..1024"); "" where the model has no such setting.
 */
const char *model_set(const struct model *m, struct model_config *config, const char *name,
		      const char *text, char expected[MODEL_TEXT]);

/* "size=44 channels=1 classes=7 width=32 dropout=0.5", and back. */
void model_config_text(const struct model *m, const struct model_config *config,
		       char text[MODEL_TEXT]);
bool model_config_parse(const struct model *m, struct model_config *config, const char *text);

#endif
