/*
 * Operations that move elements: views, permutation, joining, cutting, repeating, gathering.
 *
 * Tensors are seen as rows: concat and slice along dimension d are about rows that hold dimensions
 * d.. of one index of the dimensions before.
 */
#include "../op.h"

#include <string.h>

/* -D of the element type; float, the common one, shares the program without options */
static const char *type_option(const cg_tensor *x)
{
	switch (x->dtype) {
	case CG_INT32: return "-DTYPE=int";
	case CG_UINT8: return "-DTYPE=uchar";
	default: return NULL;
	}
}

/* Product of the dimensions from..to-1. */
static int64_t product(const cg_tensor *x, int from, int to)
{
	int64_t n = 1;

	for (int i = from; i < to; i++)
		n *= x->shape[i];
	return n;
}

/* ---- copy ------------------------------------------------------------------------------------ */

static cg_status emit_copy(struct cg__emit *e, const cg_tensor *y)
{
	return cg__launch_copy(e, y->src[0], y);
}

static void grad_copy(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	(void)y;
	dx[0] = dy;
}

static const struct cg_op copy_op = {
	.name = "copy",
	.emit = emit_copy,
	.grad = grad_copy,
};

cg_tensor *cg__copy(cg_tensor *x)
{
	if (x == NULL)
		return NULL;
	return cg__node(&copy_op, x->dtype, x->ndim, x->shape, CG__SRC(x), NULL, 0);
}

/* ---- reshape --------------------------------------------------------------------------------- */

static void grad_reshape(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg_reshape(dy, y->src[0]->ndim, y->src[0]->shape);
}

static const struct cg_op reshape_op = {
	.name = "reshape",
	.flags = CG__VIEW,
	.grad = grad_reshape,
};

cg_tensor *cg_reshape(cg_tensor *x, int ndim, const int64_t *shape)
{
	int64_t known = 1, out[CG_MAX_DIM];
	int open = -1;
	char text[64];

	if (x == NULL)
		return NULL;
	if (ndim < 1 || ndim > CG_MAX_DIM)
		return cg__fail_tensor(x, CG_ERR_ARGUMENT, "reshape: %d dimensions", ndim);
	for (int i = 0; i < ndim; i++) {
		out[i] = shape[i];
		if (shape[i] == -1 && open < 0)
			open = i;
		else if (shape[i] < 1)
			return cg__fail_tensor(x, CG_ERR_ARGUMENT, "reshape: dimension %d is %lld",
				i, (long long)shape[i]);
		else
			known *= shape[i];
	}
	if (open >= 0)
		out[open] = cg__count(x) / known;
	if (cg__count(x) != known * (open >= 0 ? out[open] : 1))
		return cg__fail_tensor(x, CG_ERR_SHAPE,
			"reshape: x is %s, that does not fill the new shape (%lld)",
			cg__shape_text(x, text), (long long)known);
	return cg__node(&reshape_op, x->dtype, ndim, out, CG__SRC(x), NULL, 0);
}

/* ---- transpose ------------------------------------------------------------------------------- */

struct transpose {
	int order[CG_MAX_DIM];
};

/* A permutation with dimensions of 1 left out and neighbours that stay neighbours joined: y's
 * dimensions and the distance in x of a step along each. Filled from the end: places not needed are
 * n 1, stride 0. */
struct walk {
	int64_t n[CG_MAX_DIM], stride[CG_MAX_DIM];
};

static struct walk walk_of(const cg_tensor *y, const int *order)
{
	const cg_tensor *x = y->src[0];
	struct walk w;
	int k = CG_MAX_DIM; /* the outermost place in use */

	for (int i = 0; i < CG_MAX_DIM; i++) {
		w.n[i] = 1;
		w.stride[i] = 0;
	}
	for (int i = y->ndim - 1; i >= 0; i--) {
		const int64_t n = y->shape[i], stride = product(x, order[i] + 1, x->ndim);

		if (n == 1)
			continue;
		if (k < CG_MAX_DIM && stride == w.stride[k] * w.n[k]) {
			w.n[k] *= n;
			continue;
		}
		k--;
		w.n[k] = n;
		w.stride[k] = stride;
	}
	return w;
}

/* y [batch,N,M] = x [batch,M,N]? Then y's last dimension steps over N in x, the one before over 1.
 * */
static bool is_swap(const struct walk *w)
{
	return w->stride[3] == 1 && w->stride[4] == w->n[3] && w->n[1] == 1 && w->n[0] == 1 &&
		(w->n[2] == 1 || w->stride[2] == w->n[3] * w->n[4]);
}

static cg_status emit_swap(struct cg__emit *e, const cg_tensor *y, const struct walk *w)
{
	enum { TILE = 16 }; /* as in shape.cl */
	const int64_t batch = w->n[2], N = w->n[3], M = w->n[4];
	const size_t tile = cg__is_cpu(e) ? 1 : TILE,
		     layers = batch < 65535 ? (size_t)batch : 65535;
	const struct cg__range range = cg__range_3d((size_t)(N + TILE - 1) / TILE * tile,
		(size_t)(M + TILE - 1) / TILE * tile, layers, tile, tile, 1);

	return CG__LAUNCH(e, "shape", type_option(y), "swap", range, IN(y->src[0]), OUT(y),
		INT(batch), INT(M), INT(N));
}

static cg_status emit_transpose(struct cg__emit *e, const cg_tensor *y)
{
	const struct transpose *a = cg__attr(y);
	const struct walk w = walk_of(y, a->order);
	const int64_t rows = cg__count(y) / w.n[4];

	if (is_swap(&w))
		return emit_swap(e, y, &w);
	return CG__LAUNCH(e, "shape", type_option(y), "permute", cg__range_rows(e, w.n[4], rows),
		IN(y->src[0]), OUT(y), INT(rows), INT(w.n[1]), INT(w.n[2]), INT(w.n[3]),
		INT(w.n[4]), INT(w.stride[0]), INT(w.stride[1]), INT(w.stride[2]), INT(w.stride[3]),
		INT(w.stride[4]));
}

static void grad_transpose(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const struct transpose *a = cg__attr(y);
	int inverse[CG_MAX_DIM];

	for (int i = 0; i < y->ndim; i++)
		inverse[a->order[i]] = i;
	dx[0] = cg_transpose(dy, inverse);
}

static const struct cg__attr_entry transpose_attrs[] = { CG__ATTR("order0", struct transpose,
								 order[0]),
	CG__ATTR("order1", struct transpose, order[1]),
	CG__ATTR("order2", struct transpose, order[2]),
	CG__ATTR("order3", struct transpose, order[3]),
	CG__ATTR("order4", struct transpose, order[4]), { .name = NULL } };

static const struct cg_op transpose_op = {
	.name = "transpose",
	.emit = emit_transpose,
	.grad = grad_transpose,
	.attrs = transpose_attrs,
};

cg_tensor *cg_transpose(cg_tensor *x, const int *order)
{
	struct transpose a = { { 0 } };
	int64_t shape[CG_MAX_DIM];
	bool seen[CG_MAX_DIM] = { false }, moves = false;
	int last = -1;

	if (x == NULL)
		return NULL;
	for (int i = 0; i < x->ndim; i++) {
		if (order[i] < 0 || order[i] >= x->ndim || seen[order[i]])
			return cg__fail_tensor(x, CG_ERR_ARGUMENT,
				"transpose: order[%d] is %d of %d dimensions", i, order[i],
				x->ndim);
		seen[order[i]] = true;
		a.order[i] = order[i];
		shape[i] = x->shape[order[i]];
		if (shape[i] > 1) {
			moves = moves || order[i] < last;
			last = order[i];
		}
	}
	if (!moves)
		return cg_reshape(x, x->ndim, shape);
	return cg__node(&transpose_op, x->dtype, x->ndim, shape, CG__SRC(x), &a, sizeof(a));
}

/* ---- slice and concat ------------------------------------------------------------------------ */

struct slice {
	int dim;
	int64_t start;
};

static const struct cg_op slice_op, unslice_op;

/* Slice and its adjoint: `whole` is what `part` is cut from. */
static cg_status emit_cut(struct cg__emit *e, const char *kernel, const cg_tensor *y,
	const cg_tensor *whole, const cg_tensor *part)
{
	const struct slice *a = cg__attr(y);
	const int64_t rows = product(part, 0, a->dim), step = product(part, a->dim + 1, part->ndim);
	const int64_t m = whole->shape[a->dim] * step, n = part->shape[a->dim] * step;

	return CG__LAUNCH(e, "shape", type_option(y), kernel,
		cg__range_rows(e, y == whole ? m : n, rows), IN(y->src[0]), OUT(y), INT(rows),
		INT(m), INT(a->start * step), INT(n));
}

static cg_status emit_slice(struct cg__emit *e, const cg_tensor *y)
{
	return emit_cut(e, "slice", y, y->src[0], y);
}

static cg_status emit_unslice(struct cg__emit *e, const cg_tensor *dx)
{
	return emit_cut(e, "unslice", dx, dx, dx->src[0]);
}

static void grad_slice(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg__node_like(
		&unslice_op, y->src[0], CG__SRC(dy), cg__attr(y), sizeof(struct slice));
}

static void grad_unslice(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const struct slice *a = cg__attr(y);

	dx[0] = cg_slice(dy, a->dim, a->start, y->src[0]->shape[a->dim]);
}

static const struct cg__attr_entry slice_attrs[] = { CG__ATTR("dim", struct slice, dim),
	CG__ATTR("start", struct slice, start), { .name = NULL } };

static const struct cg_op slice_op = {
	.name = "slice",
	.emit = emit_slice,
	.grad = grad_slice,
	.attrs = slice_attrs,
};

static const struct cg_op unslice_op = {
	.name = "slice_grad",
	.emit = emit_unslice,
	.grad = grad_unslice,
};

cg_tensor *cg_slice(cg_tensor *x, int dim, int64_t start, int64_t count)
{
	struct slice a = { .dim = dim, .start = start };
	int64_t shape[CG_MAX_DIM];

	if (x == NULL)
		return NULL;
	if (dim < 0 || dim >= x->ndim || start < 0 || count < 1 || start + count > x->shape[dim])
		return cg__fail_tensor(x, CG_ERR_ARGUMENT,
			"slice: %lld from %lld along dimension %d of %d (%lld)", (long long)count,
			(long long)start, dim, x->ndim,
			(long long)(dim >= 0 && dim < x->ndim ? x->shape[dim] : 0));
	if (count == x->shape[dim])
		return x;
	memcpy(shape, x->shape, sizeof(shape));
	shape[dim] = count;
	return cg__node(&slice_op, x->dtype, x->ndim, shape, CG__SRC(x), &a, sizeof(a));
}

static cg_status emit_concat(struct cg__emit *e, const cg_tensor *y)
{
	const struct slice *a = cg__attr(y);
	const cg_tensor *left = y->src[0], *right = y->src[1];
	const int64_t rows = product(y, 0, a->dim);
	const int64_t p = product(left, a->dim, left->ndim),
		      q = product(right, a->dim, right->ndim);

	return CG__LAUNCH(e, "shape", type_option(y), "concat",
		cg__range_rows(e, p > q ? p : q, rows), IN(left), IN(right), OUT(y), INT(rows),
		INT(p), INT(q));
}

static void grad_concat(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const struct slice *a = cg__attr(y);
	const int64_t p = y->src[0]->shape[a->dim], q = y->src[1]->shape[a->dim];

	if (y->src[0]->wants_grad)
		dx[0] = cg_slice(dy, a->dim, 0, p);
	if (y->src[1]->wants_grad)
		dx[1] = cg_slice(dy, a->dim, p, q);
}

static const struct cg_op concat_op = {
	.name = "concat",
	.emit = emit_concat,
	.grad = grad_concat,
	.attrs = slice_attrs,
};

cg_tensor *cg_concat(cg_tensor *a, cg_tensor *b, int dim)
{
	struct slice attr = { .dim = dim };
	int64_t shape[CG_MAX_DIM];
	char ta[64], tb[64];
	bool fits;

	if (a == NULL || b == NULL)
		return NULL;
	fits = a->ndim == b->ndim && a->dtype == b->dtype && dim >= 0 && dim < a->ndim;
	for (int i = 0; fits && i < a->ndim; i++)
		fits = i == dim || a->shape[i] == b->shape[i];
	if (!fits)
		return cg__fail_tensor(a, CG_ERR_SHAPE, "concat: %s and %s along dimension %d",
			cg__shape_text(a, ta), cg__shape_text(b, tb), dim);
	memcpy(shape, a->shape, sizeof(shape));
	shape[dim] += b->shape[dim];
	return cg__node(&concat_op, a->dtype, a->ndim, shape, CG__SRC(a, b), &attr, sizeof(attr));
}

/* ---- repeat and gather ------------------------------------------------------------------- */

static cg_status emit_repeat(struct cg__emit *e, const cg_tensor *y)
{
	const int64_t n = cg__count(y->src[0]), rows = cg__count(y) / n;

	return CG__LAUNCH(e, "shape", type_option(y), "repeat", cg__range_rows(e, n, rows),
		IN(y->src[0]), OUT(y), INT(rows), INT(n));
}

static void grad_repeat(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	cg_tensor *x = y->src[0];
	const int64_t n = cg__count(x);
	cg_tensor *rows = cg_reshape(dy, 2, (int64_t[]){ cg__count(y) / n, n });

	dx[0] = cg_reshape(cg__sum_leading(rows, 1, &n), x->ndim, x->shape);
}

static const struct cg_op repeat_op = {
	.name = "repeat",
	.emit = emit_repeat,
	.grad = grad_repeat,
};

cg_tensor *cg_repeat(cg_tensor *x, int64_t B)
{
	int64_t shape[CG_MAX_DIM];
	int drop;
	char text[64];

	if (x == NULL)
		return NULL;
	drop = x->shape[0] == 1;
	if (B < 1 || x->ndim + 1 - drop > CG_MAX_DIM)
		return cg__fail_tensor(x, CG_ERR_ARGUMENT, "repeat: %s, %lld times",
			cg__shape_text(x, text), (long long)B);
	shape[0] = B;
	for (int i = drop; i < x->ndim; i++)
		shape[i + 1 - drop] = x->shape[i];
	if (B == 1)
		return cg_reshape(x, x->ndim + 1 - drop, shape);
	return cg__node(&repeat_op, x->dtype, x->ndim + 1 - drop, shape, CG__SRC(x), NULL, 0);
}

static cg_status emit_gather(struct cg__emit *e, const cg_tensor *y)
{
	const cg_tensor *table = y->src[0];
	const int64_t rows = y->shape[0], n = cg__count(y) / rows;

	return CG__LAUNCH(e, "shape", type_option(y), "gather", cg__range_rows(e, n, rows),
		IN(table), IN(y->src[1]), OUT(y), INT(rows), INT(table->shape[0]), INT(n));
}

static const struct cg_op gather_op = {
	.name = "gather",
	.emit = emit_gather,
};

cg_tensor *cg_gather(cg_tensor *table, cg_tensor *index)
{
	int64_t shape[CG_MAX_DIM];
	char a[64], b[64];

	if (table == NULL || index == NULL)
		return NULL;
	if (index->dtype != CG_INT32 || index->ndim != 1)
		return cg__fail_tensor(table, CG_ERR_SHAPE,
			"gather: table is %s, index is %s, expected int32 [B]",
			cg__shape_text(table, a), cg__shape_text(index, b));
	memcpy(shape, table->shape, sizeof(shape));
	shape[0] = index->shape[0];
	return cg__node(
		&gather_op, table->dtype, table->ndim, shape, CG__SRC(table, index), NULL, 0);
}
