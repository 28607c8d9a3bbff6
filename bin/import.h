/*
 * import.h: weights of other programs, or of another checkpoint of ours, into a network.
 *
 * The file's origin is known by its names (import_names.h). Tensors that the file lacks keep the values they
 * were drawn with and are listed, as is a head of another number of classes; tensors that the
 * network has no place for, and shapes that do not fit, are errors. What is changed on the way:
 *
 *	order of dimensions	to R S C M, linear layers to [in,out]
 *	positions		interpolated where the grid is another
 *	first convolution	summed over RGB for one channel, spread over RGB from one
 *	input's normalisation	folded into the first layer where it is not the model's own
 *
 * Functions return -1 to go on, or the exit code after a message.
 */
#ifndef FER_IMPORT_H
#define FER_IMPORT_H

#include "network.h"

/* The model that a file makes, and its settings as far as the file tells, over the defaults. */
int import_settings(const struct cli *c, cg_ctx *ctx, const char *path, const struct model **model,
		    struct model_config *config);

/* Loads the file. fold: let pixels come as the model normalises them, not as the origin does. */
int import_weights(struct network *n, const struct cli *c, const char *path, bool fold);

#endif
