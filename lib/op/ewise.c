/*
 * Elementwise arithmetic, broadcast over leading dimensions, sums, and the updates that write arrays.
 * A scalar is a tensor of shape [1].
 */
#include "../op.h"

#include <string.h>

/* ---- add, mul, scale --------------------------------------------------------------------------- */

static cg_status emit_binary(struct cg__emit *e, const cg_tensor *y)
{
	int64_t n = cg__count(y);

	return CG__LAUNCH(e, "ewise", NULL, y->op->name, cg__range_elements(e, n), IN(y->src[0]),
		IN(y->src[1]), OUT(y), INT(n));
}

static cg_tensor *binary(const struct cg_op *op, cg_tensor *a, cg_tensor *b)
{
	char sa[64], sb[64];

	if (a == NULL || b == NULL)
		return NULL;
	if (!cg__same_shape(a, b))
		return cg__fail_tensor(a, CG_ERR_SHAPE, "%s: a is %s, b is %s", op->name,
			cg__shape_text(a, sa), cg__shape_text(b, sb));
	return cg__node_like(op, a, CG__SRC(a, b), NULL, 0);
}

static void add_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	(void)y;
	dx[0] = dx[1] = dy;
}

static const struct cg_op add_op = {
	.name = "add", .flags = CG__INPLACE, .emit = emit_binary, .grad = add_grad
};

cg_tensor *cg_add(cg_tensor *a, cg_tensor *b)
{
	return binary(&add_op, a, b);
}

static void mul_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	for (int i = 0; i < 2; i++)
		if (y->src[i]->wants_grad)
			dx[i] = cg_mul(dy, y->src[1 - i]);
}

static const struct cg_op mul_op = {
	.name = "mul", .flags = CG__INPLACE, .emit = emit_binary, .grad = mul_grad
};

cg_tensor *cg_mul(cg_tensor *a, cg_tensor *b)
{
	return binary(&mul_op, a, b);
}

static cg_status emit_scale(struct cg__emit *e, const cg_tensor *y)
{
	int64_t n = cg__count(y);
	const float *s = cg__attr(y);

	return CG__LAUNCH(e, "ewise", NULL, "scale", cg__range_elements(e, n), IN(y->src[0]),
		FLT(*s), OUT(y), INT(n));
}

static void scale_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const float *s = cg__attr(y);

	dx[0] = cg_scale(dy, *s);
}

static const struct cg__attr_entry scale_attrs[] = { { "s", 0, CG__ATTR_FLOAT }, { .name = NULL } };

static const struct cg_op scale_op = {
	.name = "scale",
	.flags = CG__INPLACE,
	.emit = emit_scale,
	.grad = scale_grad,
	.attrs = scale_attrs,
};

cg_tensor *cg_scale(cg_tensor *x, float s)
{
	return cg__node_like(&scale_op, x, 1, &x, &s, sizeof(s));
}

/* ---- broadcast over leading dimensions and its reduction ---------------------------------------- */

/* Chunks of a long reduction: a function of the shape alone, so that sums repeat bit for bit. */
static int64_t chunks_of(int64_t rows, int64_t n, int64_t most)
{
	int64_t chunks = rows * n / 8192;

	chunks = chunks < 1 ? 1 : chunks > most ? most : chunks;
	return chunks < rows ? chunks : rows;
}

/* CPU family: few chunks of many rows, each read as it lies in memory; of few rows, one chunk, cut by columns. */
static cg_status emit_sum_leading_cpu(struct cg__emit *e, const cg_tensor *y, int64_t rows)
{
	int64_t n = cg__count(y), lanes = cg__vector_width(e), vectors = (n + lanes - 1) / lanes;
	int64_t chunks = rows < 128 ? 1 : rows / 32 < 16 ? rows / 32 : 16;
	int64_t blocks = (16 + chunks - 1) / chunks, wide;
	cg_tensor *part = chunks > 1 ? cg__temp(e, CG_FLOAT32, chunks * n) : NULL;

	wide = blocks < vectors / 4 ? (vectors + blocks - 1) / blocks : vectors < 4 ? vectors : 4;
	blocks = (vectors + wide - 1) / wide;
	TRY(CG__LAUNCH(e, "ewise", NULL, "sum_rows_part", cg__range_tasks(e, chunks * blocks, 1),
		IN(y->src[0]), OUT(chunks > 1 ? part : y), INT(rows), INT(n), INT(chunks),
		INT(wide * lanes)));
	if (chunks == 1)
		return CG_OK;
	return CG__LAUNCH(e, "ewise", NULL, "sum_rows_final", cg__range_elements(e, n * chunks),
		IN(part), OUT(y), INT(chunks), INT(n));
}

static cg_status emit_sum_leading(struct cg__emit *e, const cg_tensor *y)
{
	int64_t n = cg__count(y), rows = cg__count(y->src[0]) / n, chunks = chunks_of(rows, n, 64);
	cg_tensor *part;

	if (cg__is_cpu(e))
		return emit_sum_leading_cpu(e, y, rows);
	part = cg__temp(e, CG_FLOAT32, chunks * n);
	TRY(CG__LAUNCH(e, "ewise", NULL, "sum_rows_part", cg__range_rows(e, n, chunks),
		IN(y->src[0]), OUT(part), INT(rows), INT(n), INT(chunks), INT(0)));
	return CG__LAUNCH(e, "ewise", NULL, "sum_rows_final", cg__range_elements(e, n), IN(part),
		OUT(y), INT(chunks), INT(n));
}

static void sum_leading_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	int64_t rows = cg__count(y->src[0]) / cg__count(y);

	dx[0] = cg_reshape(cg_repeat(dy, rows), y->src[0]->ndim, y->src[0]->shape);
}

static const struct cg_op sum_leading_op = {
	.name = "sum_leading", .emit = emit_sum_leading, .grad = sum_leading_grad
};

cg_tensor *cg__sum_leading(cg_tensor *x, int ndim, const int64_t *shape)
{
	return x ? cg__node(&sum_leading_op, CG_FLOAT32, ndim, shape, 1, &x, NULL, 0) : NULL;
}

static cg_status emit_bias(struct cg__emit *e, const cg_tensor *y)
{
	int64_t n = cg__count(y->src[1]), rows = cg__count(y) / n;

	return CG__LAUNCH(e, "ewise", NULL, "bias", cg__range_rows(e, n, rows), IN(y->src[0]),
		IN(y->src[1]), OUT(y), INT(rows), INT(n));
}

static void bias_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const cg_tensor *b = y->src[1];

	dx[0] = dy;
	if (b->wants_grad)
		dx[1] = cg__sum_leading(dy, b->ndim, b->shape);
}

static const struct cg_op bias_op = {
	.name = "bias", .flags = CG__INPLACE, .emit = emit_bias, .grad = bias_grad
};

cg_tensor *cg_bias(cg_tensor *x, cg_tensor *b)
{
	char sx[64], sb[64];
	int skip;

	if (x == NULL || b == NULL)
		return NULL;
	skip = x->ndim - b->ndim;
	if (skip < 0 || memcmp(x->shape + skip, b->shape, (size_t)b->ndim * sizeof(*b->shape)) != 0)
		return cg__fail_tensor(x, CG_ERR_SHAPE,
			"bias: x is %s, b is %s, expected the last dimensions of x",
			cg__shape_text(x, sx), cg__shape_text(b, sb));
	return cg__node_like(&bias_op, x, CG__SRC(x, b), NULL, 0);
}

/* ---- sum and mean -------------------------------------------------------------------------------- */

static cg_status emit_sum(struct cg__emit *e, const cg_tensor *y)
{
	const float *s = cg__attr(y);
	int64_t n = cg__count(y->src[0]), chunks = chunks_of(n, 1, 256);
	cg_tensor *part = cg__temp(e, CG_FLOAT32, chunks);

	TRY(CG__LAUNCH(e, "ewise", NULL, "sum_part", cg__range_tasks(e, chunks, INT32_MAX),
		IN(y->src[0]), OUT(part), INT(n), INT(chunks)));
	return CG__LAUNCH(e, "ewise", NULL, "sum_final", cg__range_1d(1, 1), IN(part), OUT(y),
		INT(chunks), FLT(*s));
}

static cg_status emit_spread(struct cg__emit *e, const cg_tensor *y)
{
	const float *s = cg__attr(y);
	int64_t n = cg__count(y);

	return CG__LAUNCH(e, "ewise", NULL, "spread", cg__range_elements(e, n), IN(y->src[0]),
		FLT(*s), OUT(y), INT(n));
}

static const struct cg_op spread_op = { .name = "spread", .emit = emit_spread };

static void sum_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const cg_tensor *x = y->src[0];

	dx[0] = cg__node(
		&spread_op, CG_FLOAT32, x->ndim, x->shape, 1, &dy, cg__attr(y), sizeof(float));
}

static const struct cg_op sum_op = { .name = "sum", .emit = emit_sum, .grad = sum_grad };

static cg_tensor *scaled_sum(cg_tensor *x, float s)
{
	return x ? cg__node(&sum_op, CG_FLOAT32, 1, (int64_t[]){ 1 }, 1, &x, &s, sizeof(s)) : NULL;
}

cg_tensor *cg_sum(cg_tensor *x)
{
	return scaled_sum(x, 1);
}

cg_tensor *cg_mean(cg_tensor *x)
{
	return x ? scaled_sum(x, 1 / (float)cg__count(x)) : NULL;
}

/* ---- updates ------------------------------------------------------------------------------------- */

/* src: the array, x */
static cg_status emit_accumulate(struct cg__emit *e, const cg_tensor *y)
{
	int64_t n = cg__count(y);

	return CG__LAUNCH(e, "ewise", NULL, "accumulate", cg__range_elements(e, n),
		UPDATE(y->src[0]), IN(y->src[1]), INT(n));
}

cg_status cg__launch_copy(struct cg__emit *e, const cg_tensor *x, const cg_tensor *y)
{
	int64_t n = cg__count(y);
	bool bytes = y->dtype == CG_UINT8;

	return CG__LAUNCH(e, "ewise", NULL, bytes ? "copy_bytes" : "copy", cg__range_elements(e, n),
		IN(x), OUT(y), INT(n));
}

static cg_status emit_store(struct cg__emit *e, const cg_tensor *y)
{
	return cg__launch_copy(e, y->src[1], y->src[0]);
}

static const struct cg_op accumulate_op = {
	.name = "accumulate", .flags = CG__EFFECT, .emit = emit_accumulate
};
static const struct cg_op store_op = { .name = "store", .flags = CG__EFFECT, .emit = emit_store };

static cg_status update(const struct cg_op *op, cg_array *a, cg_tensor *x)
{
	cg_tensor *t = x ? cg_use(x->graph, a) : NULL;

	if (t == NULL)
		return CG_ERR_ARGUMENT; /* recorded where it became NULL */
	if (t->dtype != x->dtype || cg__count(t) != cg__count(x))
		return cg__fail(cg__ctx(x), CG_ERR_SHAPE,
			"%s: %s has %lld elements, x has %lld, or their types differ", op->name,
			t->name, (long long)cg__count(t), (long long)cg__count(x));
	return cg__effect(cg__node_like(op, t, CG__SRC(t, x), NULL, 0));
}

cg_status cg_accumulate(cg_array *a, cg_tensor *x)
{
	if (x && x->dtype != CG_FLOAT32)
		return cg__fail(cg__ctx(x), CG_ERR_ARGUMENT, "accumulate: float32 only");
	return update(&accumulate_op, a, x);
}

cg_status cg_store(cg_array *a, cg_tensor *x)
{
	return update(&store_op, a, x);
}
