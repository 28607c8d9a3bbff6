#include "onnx.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_layout.h"

/* Numbers of fields, types and elements in onnx.proto. */
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7, MODEL_OPSET = 8, MODEL_META = 14 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_WEIGHT = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_TYPE = 4, NODE_ATTRIBUTE = 5 };
enum { ATTRIBUTE_NAME = 1, ATTRIBUTE_FLOAT = 2, ATTRIBUTE_INT = 3, ATTRIBUTE_INTS = 8 };
enum { ATTRIBUTE_TYPE = 20 };
enum { TYPE_FLOAT = 1, TYPE_INT = 2, TYPE_INTS = 7 };
enum { TENSOR_DIMS = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum { ELEMENT_FLOAT = 1, ELEMENT_INT64 = 7 };
enum { VALUE_NAME = 1, VALUE_TYPE = 2, TYPE_TENSOR = 1, TENSOR_ELEMENT = 1, TENSOR_SHAPE = 2 };
enum { SHAPE_DIM = 1, DIM_VALUE = 1, DIM_NAME = 2 };
enum { PAIR_KEY = 1, PAIR_VALUE = 2, OPSET_VERSION = 2 };
enum { IR_VERSION = 8, NAME = 64 };

static const int64_t to_first[] = { 0, 3, 1, 2 }, to_plain[] = { 0, 2, 3, 1 };

void onnx_fail(struct onnx *o, const char *format, ...)
{
	va_list ap;

	if (*o->error)
		return;
	va_start(ap, format);
	vsnprintf(o->error, sizeof(o->error), format, ap);
	va_end(ap);
}

/* ---- names
 * ------------------------------------------------------------------------------------ */

/* Keeps a copy; never NULL. */
static const char *keep(struct onnx *o, const char *text)
{
	char **list = realloc(o->name, (size_t)(o->names + 1) * sizeof(*list));
	char *copy = strdup(text);

	if (list)
		o->name = list;
	if (!list || !copy) {
		free(copy);
		onnx_fail(o, "out of memory");
		return "";
	}
	return list[o->names++] = copy;
}

static bool is_taken(const struct onnx *o, const char *name)
{
	for (int i = 0; i < o->names; i++)
		if (!strcmp(o->name[i], name))
			return true;
	return false;
}

const char *onnx_new(struct onnx *o)
{
	char text[NAME];

	snprintf(text, sizeof(text), "value_%d", o->names);
	return keep(o, text);
}

static int place(const struct onnx *o, const cg_tensor *x)
{
	int i = 0;

	while (cg_graph_at(o->graph, i) != x)
		i++;
	return i;
}

const char *onnx_name(struct onnx *o, const cg_tensor *y, bool first)
{
	struct onnx_value *v = &o->value[place(o, y)];
	const char *name = cg_tensor_name(y);

	name = *name && !is_taken(o, name) ? keep(o, name) : onnx_new(o);
	*(first ? &v->first : &v->plain) = name;
	return name;
}

bool onnx_is_first(const struct onnx *o, const cg_tensor *x)
{
	return o->value[place(o, x)].first != NULL;
}

static const char *in_order(struct onnx *o, const cg_tensor *x, const char **has,
			    const char **other, const int64_t order[4])
{
	if (*has)
		return *has;
	if (cg_tensor_array(x) && !*other)
		return *has = onnx_leaf(o, x, ONNX_PLAIN);
	if (!*other) {
		onnx_fail(o, "%s: used before it is made", cg_tensor_name(x));
		return "";
	}
	*has = onnx_node(o, "Transpose", onnx_new(o), *other, NULL);
	onnx_ints(o, "perm", 4, order);
	return *has;
}

const char *onnx_plain(struct onnx *o, const cg_tensor *x)
{
	struct onnx_value *v = &o->value[place(o, x)];

	return in_order(o, x, &v->plain, &v->first, to_plain);
}

const char *onnx_first(struct onnx *o, const cg_tensor *x)
{
	struct onnx_value *v = &o->value[place(o, x)];

	return in_order(o, x, &v->first, &v->plain, to_first);
}

int onnx_users(const struct onnx *o, const cg_tensor *x)
{
	int users = 0;

	for (int i = 0; i < cg_graph_count(o->graph); i++) {
		cg_tensor *y = cg_graph_at(o->graph, i);

		for (int k = 0; k < cg_tensor_sources(y); k++)
			users += cg_tensor_source(y, k) == x;
	}
	return users;
}

/* ---- nodes
 * ------------------------------------------------------------------------------------ */

static void close_node(struct onnx *o)
{
	if (o->open)
		proto_end(&o->node, o->open);
	o->open = 0;
}

const char *onnx_node(struct onnx *o, const char *type, const char *out, ...)
{
	va_list ap;

	close_node(o);
	o->open = proto_begin(&o->node, GRAPH_NODE);
	va_start(ap, out);
	for (const char *in; (in = va_arg(ap, const char *)) != NULL;)
		proto_text(&o->node, NODE_INPUT, in);
	va_end(ap);
	proto_text(&o->node, NODE_OUTPUT, out);
	proto_text(&o->node, NODE_NAME, out);	/* outputs are unique */
	proto_text(&o->node, NODE_TYPE, type);
	return out;
}

void onnx_int(struct onnx *o, const char *name, int64_t value)
{
	size_t begun = proto_begin(&o->node, NODE_ATTRIBUTE);

	proto_text(&o->node, ATTRIBUTE_NAME, name);
	proto_int(&o->node, ATTRIBUTE_INT, value);
	proto_int(&o->node, ATTRIBUTE_TYPE, TYPE_INT);
	proto_end(&o->node, begun);
}

void onnx_float(struct onnx *o, const char *name, double value)
{
	size_t begun = proto_begin(&o->node, NODE_ATTRIBUTE);

	proto_text(&o->node, ATTRIBUTE_NAME, name);
	proto_float(&o->node, ATTRIBUTE_FLOAT, (float)value);
	proto_int(&o->node, ATTRIBUTE_TYPE, TYPE_FLOAT);
	proto_end(&o->node, begun);
}

void onnx_ints(struct onnx *o, const char *name, int n, const int64_t *value)
{
	size_t begun = proto_begin(&o->node, NODE_ATTRIBUTE);

	proto_text(&o->node, ATTRIBUTE_NAME, name);
	for (int i = 0; i < n; i++)
		proto_int(&o->node, ATTRIBUTE_INTS, value[i]);
	proto_int(&o->node, ATTRIBUTE_TYPE, TYPE_INTS);
	proto_end(&o->node, begun);
}

/* ---- constants and weights
 * ---------------------------------------------------------------------- */

/* A tensor whose `bytes` bytes the caller fills; NULL after a failure. */
static void *tensor(struct onnx *o, const char *name, int element, int ndim, const int64_t *shape,
		    size_t bytes)
{
	size_t begun = proto_begin(&o->weight, GRAPH_WEIGHT);
	void *to;

	for (int i = 0; i < ndim; i++)
		proto_int(&o->weight, TENSOR_DIMS, shape[i]);
	proto_int(&o->weight, TENSOR_TYPE, element);
	proto_text(&o->weight, TENSOR_NAME, name);
	to = proto_space(&o->weight, TENSOR_RAW, bytes);
	proto_end(&o->weight, begun);
	return to ? o->weight.data + o->weight.size - bytes : NULL;
}

/* Little-endian, whatever the machine. */
static void put(unsigned char *to, const void *value, size_t size, size_t n)
{
	for (size_t i = 0; to && i < n; i++) {
		uint64_t bits = 0;
		uint32_t word;

		if (size == sizeof(bits)) {
			memcpy(&bits, (const char *)value + i * size, sizeof(bits));
		} else {
			memcpy(&word, (const char *)value + i * size, sizeof(word));
			bits = word;
		}
		for (size_t k = 0; k < size; k++)
			to[i * size + k] = (unsigned char)(bits >> 8 * k);
	}
}

const char *onnx_indices(struct onnx *o, int n, const int64_t *value)
{
	const char *name = onnx_new(o);
	size_t count = (size_t)n;

	put(tensor(o, name, ELEMENT_INT64, 1, (int64_t[]){ n }, 8 * count), value, 8, count);
	return name;
}

const char *onnx_floats(struct onnx *o, int ndim, const int64_t *shape, const float *value)
{
	const char *name = onnx_new(o);
	size_t n = 1;

	for (int i = 0; i < ndim; i++)
		n *= (size_t)shape[i];
	put(tensor(o, name, ELEMENT_FLOAT, ndim, shape, 4 * n), value, 4, n);
	return name;
}

const char *onnx_scalar(struct onnx *o, double value)
{
	return onnx_floats(o, 0, NULL, &(float){ (float)value });
}

/* The shape of a leaf as it is written; its number of dimensions. */
static int leaf_shape(const cg_tensor *leaf, enum onnx_form form, int64_t shape[CG_MAX_DIM])
{
	static const int kernel[] = { 3, 2, 0, 1 };
	const int64_t *ours = cg_tensor_shape(leaf);
	int ndim = cg_tensor_ndim(leaf);

	for (int i = 0; i < ndim; i++)
		shape[i] = ours[form == ONNX_KERNEL ? kernel[i] : i];
	if (form != ONNX_CHANNELS)
		return ndim;
	shape[1] = shape[2] = 1;
	return 3;
}

const char *onnx_leaf(struct onnx *o, const cg_tensor *leaf, enum onnx_form form)
{
	cg_array *a = cg_tensor_array(leaf);
	size_t n = (size_t)cg_tensor_count(leaf);
	float *value = malloc(2 * n * sizeof(*value));
	const char *name = onnx_name(o, leaf, false);
	int64_t shape[CG_MAX_DIM];
	int ndim = leaf_shape(leaf, form, shape);

	o->value[place(o, leaf)].plain = form == ONNX_PLAIN ? name : NULL;
	if (!value)
		onnx_fail(o, "out of memory");
	else if (cg_array_read(a, value, n * sizeof(*value)) != CG_OK)
		onnx_fail(o, "%s: cannot be read", cg_array_name(a));
	else if (form == ONNX_KERNEL)
		layout_to_oihw(value, cg_tensor_shape(leaf), value + n);
	if (!*o->error)
		put(tensor(o, name, ELEMENT_FLOAT, ndim, shape, 4 * n),
		    form == ONNX_KERNEL ? value + n : value, 4, n);
	free(value);
	return name;
}

/* ---- the graph
 * ---------------------------------------------------------------------------------- */

static void write_op(struct onnx *o, const cg_tensor *y)
{
	const struct onnx_op *op = onnx_ops;

	while (op->name && strcmp(op->name, cg_tensor_op(y)))
		op++;
	if (op->name)
		op->write(o, y);
	else
		onnx_fail(o, "%s has no counterpart in ONNX here", cg_tensor_op(y));
}

/* Whether x is needed for `out`, by place; sources come before. */
static bool *find_needed(const struct onnx *o, const cg_tensor *out)
{
	bool *needed = calloc((size_t)cg_graph_count(o->graph) + 1, sizeof(*needed));
	int last = place(o, out);

	if (!needed)
		return NULL;
	needed[last] = true;
	for (int i = last; i >= 0; i--) {
		cg_tensor *y = cg_graph_at(o->graph, i);

		for (int k = 0; needed[i] && k < cg_tensor_sources(y); k++)
			needed[place(o, cg_tensor_source(y, k))] = true;
	}
	return needed;
}

static bool is_param(const cg_params *p, const cg_array *a)
{
	for (int i = 0; i < cg_params_count(p); i++)
		if (cg_params_at(p, i) == a)
			return true;
	return false;
}

bool onnx_convert(struct onnx *o, const cg_graph *g, const cg_params *params, cg_tensor *out,
		  int64_t batch)
{
	bool *needed;

	*o = (struct onnx){ .graph = g, .batch = batch };
	o->value = calloc((size_t)cg_graph_count(g) + 1, sizeof(*o->value));
	needed = o->value ? find_needed(o, out) : NULL;
	if (!needed)
		onnx_fail(o, "out of memory");
	for (int i = 0; i < cg_graph_count(g) && !*o->error; i++) {
		cg_tensor *y = cg_graph_at(g, i);

		if (needed[i] && !cg_tensor_array(y))
			write_op(o, y);
		else if (needed[i] && !is_param(params, cg_tensor_array(y)))
			onnx_name(o, o->input = y, cg_tensor_ndim(y) == 4);
	}
	free(needed);
	if (!*o->error && !o->input)
		onnx_fail(o, "the network has no input");
	if (!*o->error)
		onnx_plain(o, out);
	close_node(o);
	if (o->node.failed || o->weight.failed)
		onnx_fail(o, "out of memory");
	return !*o->error;
}

void onnx_free(struct onnx *o)
{
	for (int i = 0; i < o->names; i++)
		free(o->name[i]);
	free(o->name);
	free(o->value);
	free(o->node.data);
	free(o->weight.data);
	*o = (struct onnx){ 0 };
}

/* ---- the file
 * ------------------------------------------------------------------------------------ */

static void write_dim(struct proto *p, const struct onnx *o, int64_t n, bool batch)
{
	size_t begun = proto_begin(p, SHAPE_DIM);

	if (batch && n == o->batch)
		proto_text(p, DIM_NAME, "batch");
	else
		proto_int(p, DIM_VALUE, n);
	proto_end(p, begun);
}

/* What the file says of its input or output. */
static void write_value(struct proto *p, const struct onnx *o, int field, const cg_tensor *x)
{
	const struct onnx_value *v = &o->value[place(o, x)];
	bool first = v->first && field == GRAPH_INPUT;
	size_t value = proto_begin(p, field), type, inner, shape;

	proto_text(p, VALUE_NAME, first ? v->first : v->plain);
	type = proto_begin(p, VALUE_TYPE);
	inner = proto_begin(p, TYPE_TENSOR);
	proto_int(p, TENSOR_ELEMENT, ELEMENT_FLOAT);
	shape = proto_begin(p, TENSOR_SHAPE);
	for (int i = 0; i < cg_tensor_ndim(x); i++)
		write_dim(p, o, cg_tensor_shape(x)[first ? to_first[i] : i], i == 0);
	proto_end(p, shape);
	proto_end(p, inner);
	proto_end(p, type);
	proto_end(p, value);
}

static void write_pair(struct proto *p, const char *key, const char *value)
{
	size_t begun = proto_begin(p, MODEL_META);

	proto_text(p, PAIR_KEY, key);
	proto_text(p, PAIR_VALUE, value);
	proto_end(p, begun);
}

/* What stands before the graph; the graph's own parts are the nodes, the weights and `ends`. */
static void write_front(struct proto *p, const struct onnx *o, const char *const *meta, int count,
			const struct proto *ends)
{
	size_t begun;

	proto_int(p, MODEL_IR, IR_VERSION);
	proto_text(p, MODEL_PRODUCER, "clgrad");
	begun = proto_begin(p, MODEL_OPSET);
	proto_int(p, OPSET_VERSION, ONNX_OPSET);
	proto_end(p, begun);
	for (int i = 0; i < count; i++)
		write_pair(p, meta[2 * i], meta[2 * i + 1]);
	proto_head(p, MODEL_GRAPH, ends->size + o->node.size + o->weight.size);
}

static bool write_parts(struct onnx *o, const char *path, const struct proto *const *part,
			int parts)
{
	char temporary[4096];
	FILE *f;
	bool good;

	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary) ||
	    (f = fopen(temporary, "wb")) == NULL) {
		onnx_fail(o, "%s", strerror(errno));
		return false;
	}
	for (int i = 0; i < parts; i++)
		fwrite(part[i]->data, 1, part[i]->size, f);
	good = !ferror(f);
	if ((fclose(f) == 0 && good) && rename(temporary, path) == 0)
		return true;
	onnx_fail(o, "%s", strerror(errno));
	remove(temporary);
	return false;
}

bool onnx_write(struct onnx *o, const char *path, const char *const *meta, int count,
		const cg_tensor *out)
{
	struct proto front = { 0 }, ends = { 0 };
	const struct proto *const part[] = { &front, &ends, &o->node, &o->weight };
	bool good = false;

	proto_text(&ends, GRAPH_NAME, "network");
	write_value(&ends, o, GRAPH_INPUT, o->input);
	write_value(&ends, o, GRAPH_OUTPUT, out);
	write_front(&front, o, meta, count, &ends);
	if (front.failed || ends.failed)
		onnx_fail(o, "out of memory");
	else if (o->node.size + o->weight.size + (1 << 20) > INT32_MAX)
		onnx_fail(o, "larger than the 2 GiB that an ONNX file can be");
	else
		good = write_parts(o, path, part, 4);
	free(front.data);
	free(ends.data);
	return good;
}
