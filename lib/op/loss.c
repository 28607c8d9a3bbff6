/*
 * Cross-entropy with label smoothing, soft labels and class weights; counting what is right.
 *
 * The loss is two launches, one value a row and their mean in fixed order; the gradient is one, and
 * reads the scalar dy on the device.
 */
#include "../op.h"

enum { GROUP = 64 }; /* as in loss.cl */

struct loss {
	float smoothing;
	bool weighted;
};

/* logits and target [B,n] float32 */
static bool fits(const char *name, const cg_tensor *logits, const cg_tensor *target)
{
	char a[64], b[64];

	if (logits->ndim == 2 && logits->dtype == CG_FLOAT32 && target->dtype == CG_FLOAT32 &&
		cg__same_shape(logits, target))
		return true;
	cg__fail_tensor(logits, CG_ERR_SHAPE,
		"%s: logits are %s, target is %s, expected two float32 [B,n]", name,
		cg__shape_text(logits, a), cg__shape_text(target, b));
	return false;
}

static const cg_tensor *weight_of(const cg_tensor *y)
{
	return ((const struct loss *)cg__attr(y))->weighted ? y->src[2] : NULL;
}

static cg_status emit_loss(struct cg__emit *e, const cg_tensor *y)
{
	const struct loss *a = cg__attr(y);
	const cg_tensor *x = y->src[0], *t = y->src[1];
	const int64_t B = x->shape[0], n = x->shape[1];
	cg_tensor *rows = cg__temp(e, CG_FLOAT32, B);

	if (rows == NULL)
		return CG_ERR_HOST_MEMORY;
	TRY(CG__LAUNCH(e, "loss", NULL, "loss_rows", cg__range_tasks(e, B, GROUP), IN(x), IN(t),
		IN(weight_of(y)), OUT(rows), INT(B), INT(n), FLT(a->smoothing)));
	return CG__LAUNCH(e, "loss", NULL, "loss_mean", cg__range_tasks(e, 1, GROUP), IN(rows),
		OUT(y), INT(B));
}

/* src: logits, target, [weight,] dy */
static cg_status emit_loss_grad(struct cg__emit *e, const cg_tensor *dx)
{
	const struct loss *a = cg__attr(dx);
	const int64_t B = dx->shape[0], n = dx->shape[1];

	return CG__LAUNCH(e, "loss", NULL, "loss_grad", cg__range_tasks(e, B, GROUP),
		IN(dx->src[0]), IN(dx->src[1]), IN(weight_of(dx)), IN(dx->src[dx->nsrc - 1]),
		OUT(dx), INT(B), INT(n), FLT(a->smoothing));
}

static const struct cg_op loss_grad_op = {
	.name = "cross_entropy_grad",
	.emit = emit_loss_grad,
};

/* Logits only: targets and weights are data. */
static void grad_loss(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	cg_tensor *src[4];
	int n = 0;

	for (; n < y->nsrc; n++)
		src[n] = y->src[n];
	src[n++] = dy;
	if (y->src[0]->wants_grad)
		dx[0] = cg__node_like(
			&loss_grad_op, y->src[0], n, src, cg__attr(y), sizeof(struct loss));
}

static const struct cg_op loss_op = {
	.name = "cross_entropy",
	.emit = emit_loss,
	.grad = grad_loss,
};

cg_tensor *cg_cross_entropy(
	cg_tensor *logits, cg_tensor *target, cg_tensor *weight, float smoothing)
{
	struct loss a = { .smoothing = smoothing, .weighted = weight != NULL };
	char text[64];

	if (logits == NULL || target == NULL || !fits("cross_entropy", logits, target))
		return NULL;
	if (weight != NULL &&
		(weight->dtype != CG_FLOAT32 || cg__count(weight) != logits->shape[1]))
		return cg__fail_tensor(logits, CG_ERR_SHAPE,
			"cross_entropy: weight is %s for %d classes", cg__shape_text(weight, text),
			(int)logits->shape[1]);
	if (!(smoothing >= 0 && smoothing <= 1))
		return cg__fail_tensor(logits, CG_ERR_ARGUMENT,
			"cross_entropy: smoothing is %g, not in 0..1", (double)smoothing);
	return cg__node(&loss_op, CG_FLOAT32, 1, (int64_t[]){ 1 }, weight ? 3 : 2,
		(cg_tensor *[]){ logits, target, weight }, &a, sizeof(a));
}

static cg_status emit_correct(struct cg__emit *e, const cg_tensor *y)
{
	const int64_t B = y->shape[0], n = y->src[0]->shape[1];

	return CG__LAUNCH(e, "loss", NULL, "correct", cg__range_elements(e, B), IN(y->src[0]),
		IN(y->src[1]), OUT(y), INT(B), INT(n));
}

static const struct cg_op correct_op = {
	.name = "correct",
	.emit = emit_correct,
};

cg_tensor *cg_correct(cg_tensor *logits, cg_tensor *target)
{
	if (logits == NULL || target == NULL || !fits("correct", logits, target))
		return NULL;
	return cg__node(
		&correct_op, CG_FLOAT32, 1, logits->shape, CG__SRC(logits, target), NULL, 0);
}
