/*
 * Activations: one launch each. What the gradients need is y of relu, and of gelu the derivative, a further output:
 * so x is needed no longer, and what computes it can be fused into the activation.
 */
#include "../op.h"

static cg_status emit_relu(struct cg__emit *e, const cg_tensor *y)
{
	int64_t n = cg__count(y);

	return CG__LAUNCH(e, "act", NULL, "relu", cg__range_elements(e, n), IN(y->src[0]), OUT(y),
		INT(n));
}

/* src: dy, y */
static cg_status emit_relu_grad(struct cg__emit *e, const cg_tensor *dx)
{
	int64_t n = cg__count(dx);

	return CG__LAUNCH(e, "act", NULL, "relu_grad", cg__range_elements(e, n), IN(dx->src[0]),
		IN(dx->src[1]), OUT(dx), INT(n));
}

static cg_status emit_smooth(
	struct cg__emit *e, const cg_tensor *y, const char *kernel, const char *both)
{
	int64_t n = cg__count(y);

	if (y->aux[0])
		return CG__LAUNCH(e, "act", NULL, both, cg__range_elements(e, n), IN(y->src[0]),
			OUT(y), OUT(y->aux[0]), INT(n));
	return CG__LAUNCH(e, "act", NULL, kernel, cg__range_elements(e, n), IN(y->src[0]), OUT(y),
		INT(n));
}

static cg_status emit_gelu(struct cg__emit *e, const cg_tensor *y)
{
	return emit_smooth(e, y, "gelu", "gelu_both");
}

static cg_status emit_gelu_tanh(struct cg__emit *e, const cg_tensor *y)
{
	return emit_smooth(e, y, "gelu_tanh", "gelu_tanh_both");
}

static const struct cg_op relu_grad_op = {
	.name = "relu_grad", .flags = CG__INPLACE, .emit = emit_relu_grad
};

static void relu_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg__node_like(&relu_grad_op, y, CG__SRC(dy, y), NULL, 0);
}

static void smooth_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg_mul(dy, cg__aux(y, 0, CG_FLOAT32, y->ndim, y->shape));
}

static const struct cg_op relu_op = {
	.name = "relu", .flags = CG__INPLACE, .emit = emit_relu, .grad = relu_grad
};
static const struct cg_op gelu_op = {
	.name = "gelu", .flags = CG__INPLACE, .emit = emit_gelu, .grad = smooth_grad
};
static const struct cg_op gelu_tanh_op = {
	.name = "gelu_tanh", .flags = CG__INPLACE, .emit = emit_gelu_tanh, .grad = smooth_grad
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
