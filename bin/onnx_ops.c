/*
 * Our operations as nodes of ONNX: a function each, and the table.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "onnx.h"

static bool is(const cg_tensor *x, const char *op)
{
	return !strcmp(cg_tensor_op(x), op);
}

static cg_tensor *source(const cg_tensor *y, int i)
{
	return cg_tensor_source(y, i);
}

static int64_t size(const cg_tensor *x, int dim)
{
	return cg_tensor_shape(x)[dim];
}

static int64_t attr(const cg_tensor *y, const char *name)
{
	return (int64_t)cg_tensor_attr(y, name);
}

/* The name of x in the order that y has. */
static const char *like(struct onnx *o, const cg_tensor *x, bool first)
{
	return first ? onnx_first(o, x) : onnx_plain(o, x);
}

/* ---- elementwise
 * ------------------------------------------------------------------------------ */

static void relu(struct onnx *o, const cg_tensor *y)
{
	bool first = onnx_is_first(o, source(y, 0));
	const char *x = like(o, source(y, 0), first);

	onnx_node(o, "Relu", onnx_name(o, y, first), x, NULL);
}

/* x/2 (1 + erf(x / sqrt 2)) */
static void gelu(struct onnx *o, const cg_tensor *y)
{
	bool first = onnx_is_first(o, source(y, 0));
	const char *x = like(o, source(y, 0), first), *e;

	e = onnx_node(o, "Mul", onnx_new(o), x, onnx_scalar(o, sqrt(.5)), NULL);
	e = onnx_node(o, "Erf", onnx_new(o), e, NULL);
	e = onnx_node(o, "Add", onnx_new(o), e, onnx_scalar(o, 1), NULL);
	x = onnx_node(o, "Mul", onnx_new(o), x, onnx_scalar(o, .5), NULL);
	onnx_node(o, "Mul", onnx_name(o, y, first), x, e, NULL);
}

/* x/2 (1 + tanh(sqrt(2/pi) (x + .044715 x^3))) = x/2 (1 + tanh(x (a + b x^2))) */
static void gelu_tanh(struct onnx *o, const cg_tensor *y)
{
	bool first = onnx_is_first(o, source(y, 0));
	const char *x = like(o, source(y, 0), first), *e;
	const double a = 0.79788456080286536;

	e = onnx_node(o, "Mul", onnx_new(o), x, x, NULL);
	e = onnx_node(o, "Mul", onnx_new(o), e, onnx_scalar(o, .044715 * a), NULL);
	e = onnx_node(o, "Add", onnx_new(o), e, onnx_scalar(o, a), NULL);
	e = onnx_node(o, "Mul", onnx_new(o), e, x, NULL);
	e = onnx_node(o, "Tanh", onnx_new(o), e, NULL);
	e = onnx_node(o, "Add", onnx_new(o), e, onnx_scalar(o, 1), NULL);
	x = onnx_node(o, "Mul", onnx_new(o), x, onnx_scalar(o, .5), NULL);
	onnx_node(o, "Mul", onnx_name(o, y, first), x, e, NULL);
}

static void binary(struct onnx *o, const cg_tensor *y, const char *type)
{
	bool first = onnx_is_first(o, source(y, 0));
	const char *a = like(o, source(y, 0), first), *b = like(o, source(y, 1), first);

	onnx_node(o, type, onnx_name(o, y, first), a, b, NULL);
}

static void add(struct onnx *o, const cg_tensor *y)
{
	binary(o, y, "Add");
}

static void mul(struct onnx *o, const cg_tensor *y)
{
	binary(o, y, "Mul");
}

static void scale(struct onnx *o, const cg_tensor *y)
{
	bool first = onnx_is_first(o, source(y, 0));
	const char *x = like(o, source(y, 0), first), *s = onnx_scalar(o, cg_tensor_attr(y, "s"));

	onnx_node(o, "Mul", onnx_name(o, y, first), x, s, NULL);
}

/* ---- convolutions
 * ------------------------------------------------------------------------------- */

/* The bias that is all that becomes of a convolution, which takes it along; else NULL. */
static const cg_tensor *bias_of(const struct onnx *o, const cg_tensor *conv)
{
	for (int i = 0; i < cg_graph_count(o->graph) && onnx_users(o, conv) == 1; i++) {
		const cg_tensor *y = cg_graph_at(o->graph, i);

		if (is(y, "bias") && source(y, 0) == conv)
			return cg_tensor_ndim(source(y, 1)) == 1 &&
			       cg_tensor_array(source(y, 1)) ? y : NULL;
	}
	return NULL;
}

/* stride, pad: of conv2d and the pools, which name them alike */
static void window(struct onnx *o, const cg_tensor *y, int64_t R, int64_t S, const int64_t pads[4])
{
	onnx_ints(o, "kernel_shape", 2, (int64_t[]){ R, S });
	onnx_ints(o, "strides", 2, (int64_t[]){ attr(y, "stride_h"), attr(y, "stride_w") });
	onnx_ints(o, "pads", 4, pads);
}

static void conv2d(struct onnx *o, const cg_tensor *y)
{
	const cg_tensor *w = source(y, 1), *bias = bias_of(o, y);
	const char *x = onnx_first(o, source(y, 0)), *kernel, *b = NULL;
	const int64_t pads[4] = { attr(y, "pad_top"), attr(y, "pad_left"), attr(y, "pad_bottom"),
				  attr(y, "pad_right") };

	if (!cg_tensor_array(w)) {
		onnx_fail(o, "conv2d: its weight is computed");
		return;
	}
	kernel = onnx_leaf(o, w, ONNX_KERNEL);
	if (bias)
		b = onnx_leaf(o, source(bias, 1), ONNX_PLAIN);
	onnx_node(o, "Conv", onnx_name(o, bias ? bias : y, true), x, kernel, b, NULL);
	window(o, y, size(w, 0), size(w, 1), pads);
	onnx_int(o, "group", attr(y, "groups"));
}

static void bias(struct onnx *o, const cg_tensor *y)
{
	const cg_tensor *x = source(y, 0), *b = source(y, 1);
	bool first = onnx_is_first(o, x) && cg_tensor_ndim(b) == 1 && cg_tensor_array(b);
	const char *from, *with;

	if (is(x, "conv2d") && bias_of(o, x) == y)
		return;
	from = like(o, x, first);
	with = first ? onnx_leaf(o, b, ONNX_CHANNELS) : onnx_plain(o, b);
	onnx_node(o, "Add", onnx_name(o, y, first), from, with, NULL);
}

static void matmul(struct onnx *o, const cg_tensor *y)
{
	const char *x = onnx_plain(o, source(y, 0)), *w = onnx_plain(o, source(y, 1));

	onnx_node(o, "MatMul", onnx_name(o, y, false), x, w, NULL);
}

/* ---- pools
 * ---------------------------------------------------------------------------------------- */

/* How far windows reach beyond x and its padding: rounding up is so much more padding behind. */
static int64_t beyond(const cg_tensor *y, int dim, const char *stride, const char *span,
		      const char *before, const char *after)
{
	int64_t end = (size(y, dim) - 1) * attr(y, stride) + attr(y, span);
	int64_t most = size(source(y, 0), dim) + attr(y, before) + attr(y, after);

	return end > most ? end - most : 0;
}

static void max_pool(struct onnx *o, const cg_tensor *y)
{
	const char *x = onnx_first(o, source(y, 0));
	int64_t pads[4] = { attr(y, "pad_top"), attr(y, "pad_left"), attr(y, "pad_bottom"),
			    attr(y, "pad_right") };
	int64_t zeros[8] = { 0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3] };

	if (attr(y, "pad_zero") && (pads[0] || pads[1] || pads[2] || pads[3])) {
		x = onnx_node(o, "Pad", onnx_new(o), x, onnx_indices(o, 8, zeros), NULL);
		memset(pads, 0, sizeof(pads));
	}
	pads[2] += beyond(y, 1, "stride_h", "window_h", "pad_top", "pad_bottom");
	pads[3] += beyond(y, 2, "stride_w", "window_w", "pad_left", "pad_right");
	onnx_node(o, "MaxPool", onnx_name(o, y, true), x, NULL);
	window(o, y, attr(y, "window_h"), attr(y, "window_w"), pads);
}

/* [P,H]: row p has the weights with which cell p takes the mean of its rows. */
static const char *shares(struct onnx *o, int64_t P, int64_t H, bool transposed)
{
	int64_t shape[2] = { transposed ? H : P, transposed ? P : H };
	float *w = calloc((size_t)(P * H), sizeof(*w));
	const char *name;

	if (!w) {
		onnx_fail(o, "out of memory");
		return "";
	}
	for (int64_t p = 0; p < P; p++) {
		int64_t begin = p * H / P, end = ((p + 1) * H + P - 1) / P;

		for (int64_t h = begin; h < end; h++)
			w[transposed ? h * P + p : p * H + h] = 1 / (float)(end - begin);
	}
	name = onnx_floats(o, 2, shape, w);
	free(w);
	return name;
}

/* A mean over rows and columns is a product from the left and one from the right. */
static void adaptive_pool(struct onnx *o, const cg_tensor *y, const char *x)
{
	const cg_tensor *from = source(y, 0);
	int64_t P = size(y, 1), Q = size(y, 2);
	const char *rows, *columns;

	if (P == 1 && Q == 1) {
		onnx_node(o, "GlobalAveragePool", onnx_name(o, y, true), x, NULL);
		return;
	}
	rows = onnx_node(o, "MatMul", onnx_new(o), shares(o, P, size(from, 1), false), x, NULL);
	columns = shares(o, Q, size(from, 2), true);
	onnx_node(o, "MatMul", onnx_name(o, y, true), rows, columns, NULL);
}

static void avg_pool(struct onnx *o, const cg_tensor *y)
{
	enum { COUNT_PAD = 1, ADAPTIVE = 2 };
	const char *x = onnx_first(o, source(y, 0));
	int64_t down = beyond(y, 1, "stride_h", "window_h", "pad_top", "pad_bottom");
	int64_t right = beyond(y, 2, "stride_w", "window_w", "pad_left", "pad_right");
	int64_t pads[4] = { attr(y, "pad_top"), attr(y, "pad_left"), attr(y, "pad_bottom") + down,
			    attr(y, "pad_right") + right };

	if (attr(y, "mode") == ADAPTIVE) {
		adaptive_pool(o, y, x);
		return;
	}
	if (attr(y, "mode") == COUNT_PAD && (down || right))
		onnx_fail(o, "avg_pool: rounds up and counts the padding");
	onnx_node(o, "AveragePool", onnx_name(o, y, true), x, NULL);
	window(o, y, attr(y, "window_h"), attr(y, "window_w"), pads);
	onnx_int(o, "count_include_pad", attr(y, "mode") == COUNT_PAD);
}

/* ---- norms
 * ------------------------------------------------------------------------------------------ */

/* Its mean and variance are sources of bn_frozen_stats, which is no node of its own. */
static void batch_norm(struct onnx *o, const cg_tensor *y)
{
	const cg_tensor *x = source(y, 0), *stats = source(y, 1);
	bool first = cg_tensor_ndim(x) == 4;
	const char *in[5];

	if (!is(stats, "bn_frozen_stats") || (!first && cg_tensor_ndim(x) != 2)) {
		onnx_fail(o, "batch_norm: in training, or of %d dimensions", cg_tensor_ndim(x));
		return;
	}
	in[0] = like(o, x, first);
	for (int i = 0; i < 2; i++) {
		in[1 + i] = onnx_plain(o, source(y, 2 + i));
		in[3 + i] = onnx_plain(o, source(stats, i));
	}
	onnx_node(o, "BatchNormalization", onnx_name(o, y, first), in[0], in[1], in[2], in[3],
		  in[4], NULL);
	onnx_float(o, "epsilon", cg_tensor_attr(stats, "eps"));
}

static void nothing(struct onnx *o, const cg_tensor *y)
{
	(void)o;
	(void)y;
}

static void layer_norm(struct onnx *o, const cg_tensor *y)
{
	const char *x = onnx_plain(o, source(y, 0));
	const char *gamma = onnx_plain(o, source(y, 1)), *beta = onnx_plain(o, source(y, 2));

	onnx_node(o, "LayerNormalization", onnx_name(o, y, false), x, gamma, beta, NULL);
	onnx_int(o, "axis", -1);
	onnx_float(o, "epsilon", cg_tensor_attr(y, "eps"));
}

/* Of an even number of channels ONNX has one more behind, we before. */
static void local_response_norm(struct onnx *o, const cg_tensor *y)
{
	const char *x = onnx_first(o, source(y, 0));

	if (attr(y, "size") % 2 == 0)
		onnx_fail(o, "local_response_norm: over an even number of channels");
	onnx_node(o, "LRN", onnx_name(o, y, true), x, NULL);
	onnx_int(o, "size", attr(y, "size"));
	onnx_float(o, "alpha", cg_tensor_attr(y, "alpha"));
	onnx_float(o, "beta", cg_tensor_attr(y, "beta"));
	onnx_float(o, "bias", cg_tensor_attr(y, "k"));
}

/* ---- shapes
 * ------------------------------------------------------------------------------------------ */

/* 0 stands for the size that x has there: the batch. */
static void reshape(struct onnx *o, const cg_tensor *y)
{
	const cg_tensor *x = source(y, 0);
	bool flat = onnx_is_first(o, x) && size(x, 1) == 1 && size(x, 2) == 1;
	const char *from = like(o, x, flat);
	int64_t shape[CG_MAX_DIM];

	memcpy(shape, cg_tensor_shape(y), sizeof(shape));
	if (size(x, 0) == o->batch && size(y, 0) == o->batch)
		shape[0] = 0;
	else if (size(x, 0) == o->batch || size(y, 0) == o->batch)
		onnx_fail(o, "reshape: across the batch");
	onnx_node(o, "Reshape", onnx_name(o, y, false), from,
		  onnx_indices(o, cg_tensor_ndim(y), shape), NULL);
}

static void transpose(struct onnx *o, const cg_tensor *y)
{
	static const char *const names[] = { "order0", "order1", "order2", "order3", "order4" };
	const char *x = onnx_plain(o, source(y, 0));
	int64_t order[CG_MAX_DIM];

	for (int i = 0; i < cg_tensor_ndim(y); i++)
		order[i] = attr(y, names[i]);
	onnx_node(o, "Transpose", onnx_name(o, y, false), x, NULL);
	onnx_ints(o, "perm", cg_tensor_ndim(y), order);
}

static void concat(struct onnx *o, const cg_tensor *y)
{
	const char *a = onnx_plain(o, source(y, 0)), *b = onnx_plain(o, source(y, 1));

	onnx_node(o, "Concat", onnx_name(o, y, false), a, b, NULL);
	onnx_int(o, "axis", attr(y, "dim"));
}

static void slice(struct onnx *o, const cg_tensor *y)
{
	const char *x = onnx_plain(o, source(y, 0));
	int64_t dim = attr(y, "dim"), start = attr(y, "start"), end = start + size(y, (int)dim);
	const char *from, *to;

	if (dim == 0)
		onnx_fail(o, "slice: of the batch");
	from = onnx_indices(o, 1, &start);
	to = onnx_indices(o, 1, &end);
	onnx_node(o, "Slice", onnx_name(o, y, false), x, from, to, onnx_indices(o, 1, &dim), NULL);
}

/* Once for each image: [batch of the input, what one is]. */
static void repeat(struct onnx *o, const cg_tensor *y)
{
	const char *x = onnx_plain(o, source(y, 0)), *batch, *one;

	if (!o->input || size(y, 0) != o->batch) {
		onnx_fail(o, "repeat: not once for each image");
		return;
	}
	batch = like(o, o->input, onnx_is_first(o, o->input));
	batch = onnx_node(o, "Shape", onnx_new(o), batch, NULL);
	onnx_int(o, "start", 0);
	onnx_int(o, "end", 1);
	one = onnx_indices(o, cg_tensor_ndim(y) - 1, cg_tensor_shape(y) + 1);
	batch = onnx_node(o, "Concat", onnx_new(o), batch, one, NULL);
	onnx_int(o, "axis", 0);
	onnx_node(o, "Expand", onnx_name(o, y, false), x, batch, NULL);
}

/* ---- attention
 * ------------------------------------------------------------------------------------ */

static void softmax(struct onnx *o, const cg_tensor *y)
{
	const char *x = onnx_plain(o, source(y, 0));

	onnx_node(o, "Softmax", onnx_name(o, y, false), x, NULL);
	onnx_int(o, "axis", -1);
}

/* Of q|k|v [B,T,3D] the i-th, as [B,N,T,D/N]; keys as [B,N,D/N,T]. */
static const char *heads_of(struct onnx *o, const char *qkv, int64_t i, const cg_tensor *y)
{
	static const int64_t rows[] = { 0, 2, 1, 3 }, columns[] = { 0, 2, 3, 1 };
	int64_t D = size(y, 2), N = attr(y, "heads"), start = i * D, end = (i + 1) * D, dim = 2;
	const int64_t shape[4] = { 0, size(y, 1), N, D / N };
	const char *from = onnx_indices(o, 1, &start), *to = onnx_indices(o, 1, &end), *part;

	part = onnx_node(o, "Slice", onnx_new(o), qkv, from, to, onnx_indices(o, 1, &dim), NULL);
	part = onnx_node(o, "Reshape", onnx_new(o), part, onnx_indices(o, 4, shape), NULL);
	part = onnx_node(o, "Transpose", onnx_new(o), part, NULL);
	onnx_ints(o, "perm", 4, i == 1 ? columns : rows);
	return part;
}

static void attention(struct onnx *o, const cg_tensor *y)
{
	const char *qkv = onnx_plain(o, source(y, 0)), *q = heads_of(o, qkv, 0, y);
	const char *k = heads_of(o, qkv, 1, y), *v = heads_of(o, qkv, 2, y), *p;
	int64_t D = size(y, 2), N = attr(y, "heads");
	const int64_t shape[3] = { 0, size(y, 1), D }, order[4] = { 0, 2, 1, 3 };

	q = onnx_node(o, "Mul", onnx_new(o), q, onnx_scalar(o, 1 / sqrt((double)(D / N))), NULL);
	p = onnx_node(o, "MatMul", onnx_new(o), q, k, NULL);
	p = onnx_node(o, "Softmax", onnx_new(o), p, NULL);
	onnx_int(o, "axis", -1);
	p = onnx_node(o, "MatMul", onnx_new(o), p, v, NULL);
	p = onnx_node(o, "Transpose", onnx_new(o), p, NULL);
	onnx_ints(o, "perm", 4, order);
	onnx_node(o, "Reshape", onnx_name(o, y, false), p, onnx_indices(o, 3, shape), NULL);
}

const struct onnx_op onnx_ops[] = {
	{ "add", add },
	{ "attention", attention },
	{ "avg_pool", avg_pool },
	{ "bias", bias },
	{ "bn_apply", batch_norm },
	{ "bn_frozen_stats", nothing },
	{ "concat", concat },
	{ "conv2d", conv2d },
	{ "gelu", gelu },
	{ "gelu_tanh", gelu_tanh },
	{ "layer_norm", layer_norm },
	{ "local_response_norm", local_response_norm },
	{ "matmul", matmul },
	{ "max_pool", max_pool },
	{ "mul", mul },
	{ "relu", relu },
	{ "repeat", repeat },
	{ "reshape", reshape },
	{ "scale", scale },
	{ "slice", slice },
	{ "softmax", softmax },
	{ "transpose", transpose },
	{ NULL, NULL }
};
