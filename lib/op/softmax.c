/* Softmax over the last dimension. */
#include "../op.h"

enum { GROUP = 64 }; /* as in softmax.cl */

/* src: y, dy */
static cg_status emit_grad(struct cg__emit *e, const cg_tensor *dx)
{
	const int64_t rows = cg__rows(dx);

	return CG__LAUNCH(e, "softmax", NULL, "softmax_grad", cg__range_tasks(e, rows, GROUP),
		IN(dx->src[0]), IN(dx->src[1]), OUT(dx), INT(rows), INT(cg__last(dx)));
}

static const struct cg_op grad_op = {
	.name = "softmax_grad",
	.emit = emit_grad,
};

static cg_status emit_softmax(struct cg__emit *e, const cg_tensor *y)
{
	const int64_t rows = cg__rows(y);

	return CG__LAUNCH(e, "softmax", NULL, "softmax", cg__range_tasks(e, rows, GROUP),
		IN(y->src[0]), OUT(y), INT(rows), INT(cg__last(y)));
}

/* dx = y (dy - sum y dy) */
static void grad_softmax(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg__node_like(&grad_op, y, CG__SRC(y, dy), NULL, 0);
}

static const struct cg_op softmax_op = {
	.name = "softmax",
	.emit = emit_softmax,
	.grad = grad_softmax,
};

cg_tensor *cg_softmax(cg_tensor *x)
{
	if (x == NULL)
		return NULL;
	if (x->dtype != CG_FLOAT32)
		return cg__fail_tensor(x, CG_ERR_ARGUMENT, "softmax: x is not float32");
	return cg__node_like(&softmax_op, x, CG__SRC(x), NULL, 0);
}
