/*
 * Reverse mode as a transformation of the graph: walk the nodes backwards, ask each for the nodes of its
 * gradient, sum what is used more than once.
 */
#include "params.h"

#include <stdlib.h>
#include <string.h>

/* The final gradient of a parameter has memory of its own, in the plan's arena or the gradient buffer; what
 * cannot (it lies in an array already, or is that of another parameter) is copied. */
static cg_status place(cg_params *p, cg_tensor *leaf, cg_tensor *gradient)
{
	cg_tensor *root = (cg_tensor *)cg__root(gradient);

	if ((root->op->flags & CG__LEAF) || root->grad_of) {
		gradient = root = cg__copy(gradient);
		if (gradient == NULL)
			return cg_error_status(p->ctx);
	}
	cg__params_grad_place(p, leaf->array);
	root->grad_of = leaf->array;
	leaf->grad = gradient;
	return CG_OK;
}

static cg_status step_back(cg_tensor *y, cg_params *p)
{
	cg_tensor *dx[CG__MAX_SRC] = { 0 };
	cg_ctx *ctx = cg__ctx(y);

	if (y->op->flags & CG__LEAF)
		return p && y->array->params == p && y->array->trainable ? place(p, y, y->grad)
									 : CG_OK;
	if (y->op->grad == NULL)
		return CG_OK;
	y->op->grad(y, y->grad, dx);
	TRY(cg_error_status(ctx));
	for (int i = 0; i < y->nsrc; i++) {
		cg_tensor *x = y->src[i];

		if (dx[i] == NULL || !x->wants_grad)
			continue;
		if (!cg__same_shape(dx[i], x))
			return cg__fail(ctx, CG_ERR_SHAPE,
				"%s: the gradient of source %d has another shape", y->op->name, i);
		x->grad = x->grad ? cg_add(x->grad, dx[i]) : dx[i];
		if (x->grad == NULL)
			return cg_error_status(ctx);
	}
	return CG_OK;
}

cg_status cg_backward_from(cg_tensor *y, cg_tensor *dy, cg_params *p)
{
	cg_graph *g;

	if (y == NULL || dy == NULL)
		return CG_ERR_ARGUMENT; /* recorded where it became NULL */
	g = y->graph;
	if (!cg__same_shape(y, dy))
		return cg__fail(g->ctx, CG_ERR_SHAPE, "backward: dy has another shape than y");
	if (g->backward || g->planned)
		return cg__fail(g->ctx, CG_ERR_STATE,
			"backward: the graph has a backward pass or a plan already");
	g->backward = true;
	g->params = p;
	y->grad = dy;
	for (int id = y->id; id >= 0; id--) {
		cg_tensor *node = g->node[id];

		if (node->grad && node->wants_grad)
			TRY(step_back(node, p));
	}
	return CG_OK;
}

/* The seed of the backward pass: a one. */
static cg_status emit_one(struct cg__emit *e, const cg_tensor *y)
{
	return CG__LAUNCH(e, "ewise", NULL, "fill", cg__range_elements(e, cg__count(y)), OUT(y),
		FLT(1), INT(cg__count(y)));
}
static const struct cg_op one_op = { .name = "one", .emit = emit_one };

cg_status cg_backward(cg_tensor *loss, cg_params *p)
{
	if (loss == NULL)
		return CG_ERR_ARGUMENT; /* recorded where it became NULL */
	if (cg__count(loss) != 1)
		return cg__fail(cg__ctx(loss), CG_ERR_ARGUMENT,
			"backward: the loss has %lld elements, expected 1",
			(long long)cg__count(loss));
	return cg_backward_from(loss, cg__node_like(&one_op, loss, 1, &loss, NULL, 0), p);
}
