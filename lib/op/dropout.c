/*
 * Dropout and drop-path. Both are linear in x with a mask that depends on seed, step and a key, the
 * id of the forward node; the gradient is the same operation on dy with the same key.
 */
#include "../op.h"

struct dropout {
	float p;
	int key;
};

/* Of 2^32 draws, how many keep. */
static uint32_t kept(float p)
{
	const double count = (1 - (double)p) * 4294967296.0;

	return count >= 4294967295.0 ? UINT32_MAX : (uint32_t)count;
}

/* Of 2^16 draws, how many keep; at least one keeps, at least one drops. */
static int kept_of_16_bits(float p)
{
	const int count = (int)((1 - (double)p) * 65536 + .5);

	return count < 1 ? 1 : count > 65535 ? 65535 : count;
}

static cg_status emit_dropout(struct cg__emit *e, const cg_tensor *y)
{
	const struct dropout *a = cg__attr(y);
	const int64_t n = cg__count(y);
	const int count = kept_of_16_bits(a->p);

	/* on GPUs an item makes 8 elements at a time */
	return CG__LAUNCH(e, "dropout", NULL, "dropout",
		cg__range_elements(e, cg__is_cpu(e) ? n : (n + 7) / 8), IN(y->src[0]),
		IN(y->src[1]), OUT(y), INT(n), INT(a->key), INT((uint32_t)count << 16),
		FLT(65536.f / (float)count));
}

static cg_status emit_drop_path(struct cg__emit *e, const cg_tensor *y)
{
	const struct dropout *a = cg__attr(y);
	const int64_t rows = y->shape[0], n = cg__count(y) / rows;

	return CG__LAUNCH(e, "dropout", NULL, "drop_rows", cg__range_rows(e, n, rows),
		IN(y->src[0]), IN(y->src[1]), OUT(y), INT(rows), INT(n), INT(a->key),
		INT(kept(a->p)), FLT(1 / (1 - a->p)));
}

static void grad_dropout(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg__node_like(
		y->op, y, CG__SRC(dy, y->src[1]), cg__attr(y), sizeof(struct dropout));
}

static const struct cg_op dropout_op = {
	.name = "dropout",
	.flags = CG__INPLACE,
	.emit = emit_dropout,
	.grad = grad_dropout,
};

static const struct cg_op drop_path_op = {
	.name = "drop_path",
	.flags = CG__INPLACE,
	.emit = emit_drop_path,
	.grad = grad_dropout,
};

static cg_tensor *make(const struct cg_op *op, cg_tensor *x, float p)
{
	struct dropout *a;
	cg_tensor *y;

	if (x == NULL)
		return NULL;
	if (x->dtype != CG_FLOAT32 || !(p >= 0 && p < 1))
		return cg__fail_tensor(
			x, CG_ERR_ARGUMENT, "%s: p is %g, not in 0..1", op->name, (double)p);
	if (!cg__training(x) || p == 0)
		return x;
	y = cg__node_like(
		op, x, CG__SRC(x, cg__rng(x)), &(struct dropout){ .p = p }, sizeof(struct dropout));
	if (y != NULL) {
		a = (struct dropout *)y->attr;
		a->key = y->id;
	}
	return y;
}

cg_tensor *cg_dropout(cg_tensor *x, float p)
{
	return make(&dropout_op, x, p);
}

cg_tensor *cg_drop_path(cg_tensor *x, float p)
{
	return make(&drop_path_op, x, p);
}
