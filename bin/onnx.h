/*
 * onnx.h: a network as an ONNX file (onnx.ai, opset 17): the graph that its forward pass records,
 * each operation turned into nodes by a table (onnx_ops.c), the weights inside.
 *
 *	input	`input`, float32 [batch, C, H, W], normalised as the network wants it; any batch
 *	output	`logits`, float32 [batch, classes]; inner values are called as our layers are
 *
 * ONNX has channels first. Four-dimensional values stay so from one convolution to the next and are
 * brought to our order only where an operation sees it (flattening).
 */
#ifndef FER_ONNX_H
#define FER_ONNX_H

#include "clgrad.h"
#include "proto.h"

enum { ONNX_OPSET = 17, ONNX_ERROR = 200 };

/* What a tensor of the graph is called in the file. */
struct onnx_value {
	const char *plain, *first;	/* in our order; channels first; NULL: not yet */
};

struct onnx {
	const cg_graph *graph;
	const cg_tensor *input;
	int64_t batch;		/* of the graph: the first dimension of what is for each image */
	struct onnx_value *value;	/* one a tensor of the graph */
	struct proto node, weight;	/* the file's nodes and weights so far */
	size_t open;		/* the node that attributes go to */
	char **name;		/* all names made */
	int names;
	char error[ONNX_ERROR];	/* the first failure, or "" */
};

/*
 * Turns the tensors up to `out`, of a graph in which `batch` images were described, into nodes; the
 * only leaf that is no parameter is the input. onnx_free() is due in every case. False with
 * `error`.
 */
bool onnx_convert(struct onnx *o, const cg_graph *g, const cg_params *params, cg_tensor *out,
		  int64_t batch);
void onnx_free(struct onnx *o);

/* Writes the file, with `count` pairs of text (key, value) in its metadata; false with `error`. */
bool onnx_write(struct onnx *o, const char *path, const char *const *meta, int count,
		const cg_tensor *out);

/* ---- for the table of operations
 * -------------------------------------------------------------- */

typedef void onnx_op_fn(struct onnx *o, const cg_tensor *y);
struct onnx_op {
	const char *name;
	onnx_op_fn *write;
};
extern const struct onnx_op onnx_ops[];	/* closed by a row without a name */

void onnx_fail(struct onnx *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A name that is not used yet. */
const char *onnx_new(struct onnx *o);

/* Begins a node with one output; its inputs are the names up to a NULL. Returns `out`. */
const char *onnx_node(struct onnx *o, const char *type, const char *out, ...)
	__attribute__((sentinel));
/* Attributes of the node begun last. */
void onnx_int(struct onnx *o, const char *name, int64_t value);
void onnx_float(struct onnx *o, const char *name, double value);
void onnx_ints(struct onnx *o, const char *name, int n, const int64_t *value);

/* Constants: whole numbers [n] (shapes, axes); one number, a scalar; floats of any shape. */
const char *onnx_indices(struct onnx *o, int n, const int64_t *value);
const char *onnx_scalar(struct onnx *o, double value);
const char *onnx_floats(struct onnx *o, int ndim, const int64_t *shape, const float *value);

/* The order of dimensions in which a leaf is written. */
enum onnx_form {
	ONNX_PLAIN,	/* as it is */
	ONNX_KERNEL,	/* R S C M as M C R S */
	ONNX_CHANNELS	/* [C] as [C,1,1], for values with channels first */
};
const char *onnx_leaf(struct onnx *o, const cg_tensor *leaf, enum onnx_form form);

/* The name of a tensor that has been written, in our order of dimensions or with channels first; a
 * transposition is added where it has the other. */
const char *onnx_plain(struct onnx *o, const cg_tensor *x);
const char *onnx_first(struct onnx *o, const cg_tensor *x);
/* The order that x has, and its name in it. */
bool onnx_is_first(const struct onnx *o, const cg_tensor *x);
/* A name for y, in one of the orders. */
const char *onnx_name(struct onnx *o, const cg_tensor *y, bool first);
/* How many nodes use x. */
int onnx_users(const struct onnx *o, const cg_tensor *x);

#endif
