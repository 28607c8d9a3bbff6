#include "graph.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct cg_op leaf_op = { .name = "leaf", .flags = CG__LEAF };
static const struct cg_op aux_op = { .name = "aux", .flags = CG__AUX };

/* ---- graphs ---------------------------------------------------------------------------------- */

cg_graph *cg_graph_new(cg_ctx *ctx, cg_mode mode)
{
	cg_graph *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		cg__fail(ctx, CG_ERR_HOST_MEMORY, "graph: out of host memory");
		return NULL;
	}
	g->ctx = ctx;
	g->mode = mode;
	g->rng = cg_array_new(ctx, "rng", CG_INT32, 1, (int64_t[]){ 4 });
	if (g->rng == NULL) {
		free(g);
		return NULL;
	}
	return g;
}

void cg_graph_free(cg_graph *g)
{
	if (g == NULL)
		return;
	for (int i = 0; i < g->count; i++)
		free(g->node[i]);
	cg_array_free(g->rng);
	free(g->node);
	free(g->effect);
	free(g);
}

cg_status cg_graph_set_step(cg_graph *g, uint64_t seed, uint64_t step)
{
	const uint32_t key[4] = { (uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)step,
		(uint32_t)(step >> 32) };

	return cg_array_write(g->rng, key, sizeof(key));
}

static bool grow(void **list, int count, int *size, size_t element)
{
	if (count < *size)
		return true;
	int bigger = *size ? 2 * *size : 64;
	void *p = realloc(*list, (size_t)bigger * element);
	if (p == NULL)
		return false;
	*list = p;
	*size = bigger;
	return true;
}

static cg_tensor *new_node(
	cg_graph *g, const struct cg_op *op, cg_dtype type, int ndim, const int64_t *shape)
{
	cg_tensor *t;

	if (g->planned) {
		cg__fail(g->ctx, CG_ERR_STATE, "%s: the graph has a plan already", op->name);
		return NULL;
	}
	if (ndim < 1 || ndim > CG_MAX_DIM) {
		cg__fail(g->ctx, CG_ERR_SHAPE, "%s: %d dimensions, expected 1 to %d", op->name,
			ndim, CG_MAX_DIM);
		return NULL;
	}
	t = aligned_alloc(_Alignof(cg_tensor), sizeof(*t));
	if (t == NULL || !grow((void **)&g->node, g->count, &g->size, sizeof(*g->node))) {
		free(t);
		cg__fail(g->ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", op->name);
		return NULL;
	}
	memset(t, 0, sizeof(*t));
	t->graph = g;
	t->op = op;
	t->dtype = type;
	t->ndim = ndim;
	memcpy(t->shape, shape, (size_t)ndim * sizeof(*shape));
	t->id = g->count;
	g->node[g->count++] = t;
	return t;
}

static bool shape_is_sane(cg_graph *g, const struct cg_op *op, int ndim, const int64_t *shape)
{
	int64_t n = 1;

	for (int i = 0; i < ndim && i < CG_MAX_DIM; i++) {
		if (shape[i] < 1 || n > INT32_MAX / shape[i]) {
			cg__fail(g->ctx, CG_ERR_SHAPE,
				"%s: dimension %d is %lld (a tensor has 1 to 2^31-1 elements)",
				op->name, i, (long long)shape[i]);
			return false;
		}
		n *= shape[i];
	}
	return true;
}

cg_tensor *cg__node(const struct cg_op *op, cg_dtype type, int ndim, const int64_t *shape, int nsrc,
	cg_tensor *const *src, const void *attr, size_t attr_bytes)
{
	cg_graph *g;
	cg_tensor *t;

	for (int i = 0; i < nsrc; i++)
		if (src[i] == NULL)
			return NULL;
	g = src[0]->graph;
	for (int i = 1; i < nsrc; i++)
		if (src[i]->graph != g) {
			cg__fail(g->ctx, CG_ERR_ARGUMENT, "%s: tensors of different graphs",
				op->name);
			return NULL;
		}
	if (nsrc > CG__MAX_SRC || attr_bytes > CG__ATTR_BYTES) {
		cg__fail(g->ctx, CG_ERR_ARGUMENT, "%s: too many sources or attributes", op->name);
		return NULL;
	}
	if (!shape_is_sane(g, op, ndim, shape) || (t = new_node(g, op, type, ndim, shape)) == NULL)
		return NULL;
	t->nsrc = nsrc;
	for (int i = 0; i < nsrc; i++) {
		t->src[i] = src[i];
		t->wants_grad |= src[i]->wants_grad && op->grad != NULL;
	}
	if (attr_bytes)
		memcpy(t->attr, attr, attr_bytes);
	return t;
}

cg_tensor *cg__node_like(const struct cg_op *op, const cg_tensor *like, int nsrc,
	cg_tensor *const *src, const void *attr, size_t attr_bytes)
{
	if (like == NULL)
		return NULL;
	return cg__node(op, like->dtype, like->ndim, like->shape, nsrc, src, attr, attr_bytes);
}

cg_tensor *cg__aux(cg_tensor *y, int i, cg_dtype type, int ndim, const int64_t *shape)
{
	if (y == NULL)
		return NULL;
	if (y->aux[i] == NULL) {
		y->aux[i] = cg__node(&aux_op, type, ndim, shape, 1, &y, NULL, 0);
		if (y->aux[i])
			y->aux[i]->wants_grad = false;
	}
	return y->aux[i];
}

void cg__make_aux(cg_tensor *y, int i, cg_tensor *t)
{
	y->aux[i] = t;
	t->op = &aux_op;
	t->nsrc = 1;
	t->src[0] = y;
}

cg_tensor *cg_use(cg_graph *g, cg_array *a)
{
	cg_tensor *t;

	if (g == NULL || a == NULL)
		return NULL;
	for (int i = 0; i < g->count; i++)
		if (g->node[i]->array == a)
			return g->node[i];
	t = new_node(g, &leaf_op, a->dtype, a->ndim, a->shape);
	if (t == NULL)
		return NULL;
	t->array = a;
	t->wants_grad = a->trainable && g->mode == CG_TRAIN;
	snprintf(t->name, sizeof(t->name), "%.47s", a->name);
	return t;
}

cg_status cg__effect(cg_tensor *node)
{
	cg_graph *g;

	if (node == NULL)
		return CG_ERR_ARGUMENT; /* recorded where it became NULL */
	g = node->graph;
	if (!grow((void **)&g->effect, g->effects, &g->effects_size, sizeof(*g->effect)))
		return cg__fail(g->ctx, CG_ERR_HOST_MEMORY, "graph: out of host memory");
	g->effect[g->effects++] = node;
	return CG_OK;
}

const cg_tensor *cg__root(const cg_tensor *x)
{
	while (x->op->flags & CG__VIEW)
		x = x->src[0];
	return x;
}

/* ---- tensors --------------------------------------------------------------------------------- */

cg_tensor *cg_name(cg_tensor *x, const char *format, ...)
{
	va_list ap;

	if (x == NULL)
		return NULL;
	va_start(ap, format);
	vsnprintf(x->name, sizeof(x->name), format, ap);
	va_end(ap);
	return x;
}

void cg_want_grad(cg_tensor *x)
{
	if (x)
		x->wants_grad = true;
}

cg_tensor *cg_grad(const cg_tensor *x)
{
	return x ? x->grad : NULL;
}

cg_graph *cg_tensor_graph(const cg_tensor *x)
{
	return x ? x->graph : NULL;
}

cg_dtype cg_tensor_dtype(const cg_tensor *x)
{
	return x->dtype;
}

int cg_tensor_ndim(const cg_tensor *x)
{
	return x->ndim;
}

const int64_t *cg_tensor_shape(const cg_tensor *x)
{
	return x->shape;
}

int64_t cg_tensor_count(const cg_tensor *x)
{
	return cg__count(x);
}

const char *cg_tensor_name(const cg_tensor *x)
{
	return x->name;
}

int cg_graph_count(const cg_graph *g)
{
	return g->count;
}

cg_tensor *cg_graph_at(const cg_graph *g, int i)
{
	return g->node[i];
}

cg_tensor *cg_graph_find(const cg_graph *g, const char *name)
{
	for (int i = g->count - 1; i >= 0; i--)
		if (strcmp(g->node[i]->name, name) == 0)
			return g->node[i];
	return NULL;
}

const char *cg_tensor_op(const cg_tensor *x)
{
	return x->op->name;
}

int cg_tensor_sources(const cg_tensor *x)
{
	return x->nsrc;
}

cg_tensor *cg_tensor_source(const cg_tensor *x, int i)
{
	return x->src[i];
}

cg_array *cg_tensor_array(const cg_tensor *x)
{
	return x->array;
}

double cg_tensor_attr(const cg_tensor *x, const char *name)
{
	const struct cg__attr_entry *a = x->op->attrs;
	const unsigned char *at;

	while (a && a->name && strcmp(a->name, name) != 0)
		a++;
	if (!a || !a->name)
		return NAN;
	at = x->attr + a->offset;
	switch (a->type) {
	case CG__ATTR_INT: return *(const int *)at;
	case CG__ATTR_INT64: return (double)*(const int64_t *)at;
	default: return (double)*(const float *)at;
	}
}

cg_ctx *cg__ctx(const cg_tensor *x)
{
	return x->graph->ctx;
}

bool cg__training(const cg_tensor *x)
{
	return x->graph->mode == CG_TRAIN;
}

cg_tensor *cg__rng(cg_tensor *any)
{
	return any ? cg_use(any->graph, any->graph->rng) : NULL;
}

bool cg__same_shape(const cg_tensor *a, const cg_tensor *b)
{
	return a->ndim == b->ndim &&
		memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof(*a->shape)) == 0;
}

const char *cg__shape_text(const cg_tensor *x, char buf[64])
{
	size_t n = 0;

	buf[0] = '\0';
	for (int i = 0; i < x->ndim && n < 64; i++)
		n += (size_t)snprintf(
			buf + n, 64 - n, "%s%lld", i ? "x" : "", (long long)x->shape[i]);
	return buf;
}

cg_tensor *cg__fail_tensor(const cg_tensor *any, cg_status status, const char *format, ...)
{
	char message[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	if (any)
		cg__fail(cg__ctx(any), status, "%s", message);
	return NULL;
}
