/* Activations: one launch each; the gradient of relu needs only y, so that what computes x can be fused into it. */
#include "../op.h"

static cg_status emit_unary(struct cg__emit *e, const cg_tensor *y)
{
	int64_t n = cg__count(y);

	return CG__LAUNCH(e, "act", NULL, y->op->name, cg__range_elements(e, n), IN(y->src[0]),
		OUT(y), INT(n));
}

/* src: dy and what the derivative is a function of */
static cg_status emit_grad(struct cg__emit *e, const cg_tensor *dx)
{
	int64_t n = cg__count(dx);

	return CG__LAUNCH(e, "act", NULL, dx->op->name, cg__range_elements(e, n), IN(dx->src[0]),
		IN(dx->src[1]), OUT(dx), INT(n));
}

static const struct cg_op relu_grad_op = {
	.name = "relu_grad", .flags = CG__INPLACE, .emit = emit_grad
};
static const struct cg_op gelu_grad_op = {
	.name = "gelu_grad", .flags = CG__INPLACE, .emit = emit_grad
};
static const struct cg_op gelu_tanh_grad_op = {
	.name = "gelu_tanh_grad", .flags = CG__INPLACE, .emit = emit_grad
};

static void relu_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg__node_like(&relu_grad_op, y, CG__SRC(dy, y), NULL, 0);
}

static void gelu_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg__node_like(&gelu_grad_op, y, CG__SRC(dy, y->src[0]), NULL, 0);
}

static void gelu_tanh_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg__node_like(&gelu_tanh_grad_op, y, CG__SRC(dy, y->src[0]), NULL, 0);
}

static const struct cg_op relu_op = {
	.name = "relu", .flags = CG__INPLACE, .emit = emit_unary, .grad = relu_grad
};
static const struct cg_op gelu_op = {
	.name = "gelu", .flags = CG__INPLACE, .emit = emit_unary, .grad = gelu_grad
};
static const struct cg_op gelu_tanh_op = {
	.name = "gelu_tanh", .flags = CG__INPLACE, .emit = emit_unary, .grad = gelu_tanh_grad
};

cg_tensor *cg_relu(cg_tensor *x)
{
	return cg__node_like(&relu_op, x, 1, &x, NULL, 0);
}

cg_tensor *cg_gelu(cg_tensor *x)
{
	return cg__node_like(&gelu_op, x, 1, &x, NULL, 0);
}

cg_tensor *cg_gelu_tanh(cg_tensor *x)
{
	return cg__node_like(&gelu_tanh_op, x, 1, &x, NULL, 0);
}
