/*
 * import_names.h: how other programs call the weights of our models: a table for each origin. A row pairs a
 * pattern of our names with a template of theirs:
 *
 *	"stage#.#.conv1.weight"		# is a number, a * at the end any rest
 *	"stage#1_conv(3#2+1)_weight"	#2 is the second number, (3#2+1) three times it and one, * the rest
 *
 * so that stage2.3.conv1.weight is found as stage2_conv10_weight. The first row that fits a name holds.
 */
#ifndef FER_IMPORT_NAMES_H
#define FER_IMPORT_NAMES_H

#include <stdbool.h>
#include <stddef.h>

enum { IMPORT_NAME = 192, IMPORT_NUMBERS = 4 };

/* Order of the dimensions of a convolution; a linear layer is [in,out] where I comes before O. */
enum import_layout { IMPORT_HWIO, IMPORT_OIHW, IMPORT_OHWI };

struct import_rule {
	const char *ours;
	const char *theirs;	/* NULL: all values are `fill` */
	float fill;
	const char *maps;	/* a linear layer on the flattened output of this convolution; or NULL */
};

/* Where a setting can be read: dimension `at` of a tensor of theirs, or what the codes say. */
enum { IMPORT_COUNT = -1, IMPORT_SQUARE = -2 };
struct import_hint {
	const char *setting;
	const char *theirs;	/* IMPORT_COUNT: a template; how many there are with #1 = 0, 1, .. */
	int at;			/* IMPORT_SQUARE: root of (dimension 1, less the class token) */
};

struct import_origin {
	const char *name, *model;
	const char *anchor;	/* a name by which such a file is known; what precedes it, precedes all */
	enum import_layout layout;
	const char *settings;	/* of the model that these weights make: "variant=gluon size=224" */
	const struct import_hint *hints;	/* closed by a row without a setting; or NULL */
	const struct import_rule *rules;	/* closed by a row without ours */
	const char *before_head;	/* tensors so begun lie between network and classifier, and go with it; or NULL */
	int head_size;		/* width of a head of attention, where the file does not tell */
	bool torch;		/* PyTorch's names, which fer-export writes too */
	float mean[3], sd[3];	/* of pixels in 0..1, per channel; sd 0: as our model has it */
};

extern const struct import_origin *const import_origins[];	/* closed by NULL */
/* PyTorch's names for a model; NULL where there are none. */
const struct import_origin *import_torch(const char *model);

/* Does the pattern fit? Then its numbers, and the rest that * stands for. */
bool import_match(const char *pattern, const char *name, long number[IMPORT_NUMBERS],
		  const char **rest);
/* prefix + template; false where it is longer than IMPORT_NAME. */
bool import_expand(const char *prefix, const char *theirs, const long number[IMPORT_NUMBERS],
		   const char *rest, char name[IMPORT_NAME]);

#endif
