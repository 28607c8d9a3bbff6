/*
 * import_stem.h: the first layer of imported weights, where images come in: the first convolution and, before
 * it, a norm of the input where the network has one (input_norm). Another number of channels, and
 * another normalisation of the pixels, are worked into its values.
 */
#ifndef FER_IMPORT_STEM_H
#define FER_IMPORT_STEM_H

#include "import_names.h"
#include "network.h"

enum { STEM_GAMMA, STEM_BETA, STEM_MEAN, STEM_VAR, STEM_WEIGHT, STEM_PARTS };

struct import_stem {
	const struct network *network;
	cg_array *weight, *bias;	/* of the first convolution */
	cg_array *part[STEM_PARTS];	/* input_norm's four, or NULL; the weight */
	float *value[STEM_PARTS];	/* as they came, in our order of dimensions */
	int64_t channels;		/* of what came */
};

void import_stem_find(struct import_stem *s, const struct network *n);
void import_stem_free(struct import_stem *s);
/* Is this parameter one of the parts? */
bool import_stem_has(const struct import_stem *s, const cg_array *a);
/* Keeps the values of a part; they are freed here. */
void import_stem_take(struct import_stem *s, const cg_array *a, float *value, int64_t count);

/*
 * Writes what was taken. With origin, pixels come as (p - mean) / sd of our model and are treated as the origin
 * does; NULL: they come as the origin wants them. One channel instead of three stands for three
 * equal ones. -1, or the exit code after a message.
 */
int import_stem_write(struct import_stem *s, const struct cli *c, const struct import_origin *origin);

#endif
