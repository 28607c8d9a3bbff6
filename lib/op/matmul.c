/* Matrix products: y = op(a) op(b); the gradients are products again. */
#include "../gemm.h"

#include <string.h>

struct attr {
	bool trans_a, trans_b, bias, operand; /* the latter: further sources, in this order */
	enum cg__act act;
};

/* a as a matrix: all but the last dimension are rows. */
static cg_status emit(struct cg__emit *e, const cg_tensor *y)
{
	const struct attr *at = cg__attr(y);
	const cg_tensor *a = y->src[0], *b = y->src[1];
	struct cg__gemm g = {
		.M = at->trans_a ? cg__last(a) : cg__rows(a),
		.N = at->trans_b ? cg__rows(b) : cg__last(b),
		.K = at->trans_a ? cg__rows(a) : cg__last(a),
		.trans_a = at->trans_a,
		.trans_b = at->trans_b,
		.a = a,
		.b = b,
		.c = y,
		.bias = at->bias ? y->src[2] : NULL,
		.act = at->act,
		.other = at->operand ? y->src[y->nsrc - 1]
			: at->trans_a       ? NULL
					    : y->aux[0],
		.sums = at->trans_a ? y->aux[0] : NULL,
	};

	return cg__gemm(e, &g);
}

static cg_tensor *product(
	cg_tensor *a, cg_tensor *b, bool trans_a, bool trans_b, int ndim, const int64_t *shape);

/* y = x w: dx = dy w', dw = x' dy */
static void grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	cg_tensor *x = y->src[0], *w = y->src[1];

	if (x->wants_grad)
		dx[0] = product(dy, w, false, true, x->ndim, x->shape);
	if (w->wants_grad)
		dx[1] = product(x, dy, true, false, w->ndim, w->shape);
}

static enum cg__act act_of(const cg_tensor *consumer)
{
	static const struct {
		const char *op;
		enum cg__act act;
	} known[] = {
		{ "relu", CG__ACT_RELU },
		{ "gelu", CG__ACT_GELU },
		{ "gelu_tanh", CG__ACT_GELU_TANH },
		{ "add", CG__ACT_ADD },
		{ "mul", CG__ACT_MUL },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(consumer->op->name, known[i].op) == 0)
			return known[i].act;
	return CG__ACT_NONE;
}

/* Takes a bias of one row first, then one activation, or the other operand of a sum or an elementwise product. */
static bool absorb(cg_tensor *y, const cg_tensor *consumer)
{
	struct attr at = *(const struct attr *)cg__attr(y);
	const bool binary = consumer->nsrc > 1, is_bias = strcmp(consumer->op->name, "bias") == 0;

	if (at.act != CG__ACT_NONE || (at.bias && is_bias))
		return false;
	if (is_bias) {
		if (consumer->src[0]->id != y->id || consumer->src[1]->ndim != 1)
			return false;
		at.bias = true;
	} else {
		at.act = act_of(consumer);
		at.operand = binary;
		if (at.act == CG__ACT_NONE)
			return false;
		if ((binary || consumer->aux[0]) &&
			(at.trans_a || !cg__gemm_takes_operands(cg__ctx(y))))
			return false;
	}
	if (binary)
		y->src[y->nsrc++] = consumer->src[consumer->src[0]->id == y->id];
	memcpy(y->attr, &at, sizeof(at));
	return true;
}

/* The gradient of the weight reads dy, whose column sums are the gradient of the bias. */
static bool adopt(cg_tensor *y, const cg_tensor *t)
{
	const struct attr *at = cg__attr(y);

	return at->trans_a && !at->trans_b && y->src[1] == t->src[0] && t->ndim == 1 &&
		cg__count(t) == cg__last(y->src[1]) && cg__gemm_takes_operands(cg__ctx(y));
}

static const struct cg_op op = { .name = "matmul", .emit = emit, .grad = grad, .absorb = absorb };
/* gradients: no gradient of their own */
static const struct cg_op grad_op = { .name = "matmul_grad", .emit = emit, .absorb = absorb, .adopt = adopt };

bool cg__matmul_factors(const cg_tensor *t, cg_tensor **a, cg_tensor **b)
{
	const struct attr *at = cg__attr(t);

	if (t->op != &grad_op || !at->trans_a || at->trans_b || at->bias || at->act != CG__ACT_NONE)
		return false;
	*a = t->src[0];
	*b = t->src[1];
	return true;
}

static cg_tensor *product(
	cg_tensor *a, cg_tensor *b, bool trans_a, bool trans_b, int ndim, const int64_t *shape)
{
	struct attr at = { .trans_a = trans_a, .trans_b = trans_b };

	return cg__node(&grad_op, CG_FLOAT32, ndim, shape, CG__SRC(a, b), &at, sizeof(at));
}

cg_tensor *cg_matmul(cg_tensor *x, cg_tensor *w)
{
	struct attr at = { 0 };
	int64_t shape[CG_MAX_DIM];
	char sx[64], sw[64];

	if (x == NULL || w == NULL)
		return NULL;
	if (w->ndim != 2 || cg__last(x) != w->shape[0])
		return cg__fail_tensor(x, CG_ERR_SHAPE, "matmul: x is %s, w is %s",
			cg__shape_text(x, sx), cg__shape_text(w, sw));
	memcpy(shape, x->shape, sizeof(shape));
	shape[x->ndim - 1] = w->shape[1];
	return cg__node(&op, CG_FLOAT32, x->ndim, shape, CG__SRC(x, w), &at, sizeof(at));
}
