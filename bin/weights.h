/*
 * weights.h: the named tensors of a file of weights, in whichever format:
 *
 *	safetensors	read when asked for
 *	.npz		a zip of .npy, "cls.npy" is `cls`; read at once
 *	.h5		HDF5, where libhdf5 was there when this was built: data sets by their paths,
 *			"conv1_conv/conv1_conv/kernel:0" without the ":0"; read at once
 *
 * Functions return -1 to go on, or the exit code after a message.
 */
#ifndef FER_WEIGHTS_H
#define FER_WEIGHTS_H

#include "cli.h"
#include "clgrad.h"

struct weights_tensor {
	char *name;
	int ndim;
	int64_t shape[CG_MAX_DIM], count;
	float *value;
};

struct weights {
	const char *path;
	cg_ctx *ctx;
	cg_file *file;			/* safetensors; else NULL, and: */
	struct weights_tensor *tensor;
	int count, room;
};

/* weights_close() is due in every case. */
int weights_open(struct weights *w, const struct cli *c, cg_ctx *ctx, const char *path);
void weights_close(struct weights *w);

int weights_count(const struct weights *w);
const char *weights_name(const struct weights *w, int i);
int weights_find(const struct weights *w, const char *name);	/* -1 if there is none */
int weights_shape(const struct weights *w, int i, int64_t shape[CG_MAX_DIM]);	/* returns ndim */
bool weights_are_floats(const struct weights *w, int i);
/* All values of tensor i, which are so many. */
int weights_read(const struct weights *w, const struct cli *c, int i, float *value, int64_t count);
/* Of safetensors' metadata; else NULL. */
const char *weights_meta(const struct weights *w, const char *key);

/* ---- for the formats
 * --------------------------------------------------------------------------- */

/* Appends a tensor, whose name is copied and whose values are kept; false when out of memory. */
bool weights_add(struct weights *w, const char *name, int ndim, const int64_t *shape, float *value);
int weights_read_npz(struct weights *w, const struct cli *c);
int weights_read_h5(struct weights *w, const struct cli *c);

#endif
