/*
 * Local response normalisation (cl/lrn.cl has the formulas). The gradient needs s, a further output
 * of the shape of x, written where asked for.
 */
#include "../op.h"

struct lrn {
	int size;
	float alpha, beta, k;
};

enum { PIECES = 4 }; /* a compute unit, CPU family */

/* CPU family: tasks, and floats in a row of scratch: a window around vectors of channels. */
static int64_t tasks_of(const struct cg__emit *e, const cg_tensor *x)
{
	int64_t rows = cg__rows(x), most = PIECES * cg__compute_units(e);

	return rows < most ? rows : most;
}

static int64_t width_of(const struct cg__emit *e, const cg_tensor *x, const struct lrn *f)
{
	return cg__last(x) + f->size + cg__vector_width(e);
}

static struct cg__range range(const struct cg__emit *e, const cg_tensor *x)
{
	if (cg__is_cpu(e))
		return cg__range_1d((size_t)tasks_of(e, x), 1);
	return cg__range_elements(e, cg__count(x));
}

static cg_tensor *scratch(struct cg__emit *e, const cg_tensor *x, const struct lrn *f, int rows)
{
	int64_t n = tasks_of(e, x) * rows * width_of(e, x, f);

	return cg__temp(e, CG_FLOAT32, cg__is_cpu(e) ? n : 1);
}

/* src: dy, x, s */
static cg_status grad_emit(struct cg__emit *e, const cg_tensor *dx)
{
	const struct lrn *f = cg__attr(dx);

	return CG__LAUNCH(e, "lrn", NULL, "lrn_grad", range(e, dx), IN(dx->src[0]), IN(dx->src[1]),
		IN(dx->src[2]), OUT(dx), OUT(scratch(e, dx, f, 2)), INT(cg__rows(dx)),
		INT(cg__last(dx)), INT(width_of(e, dx, f)), INT(f->size), FLT(f->alpha),
		FLT(f->beta));
}

static const struct cg_op grad_op = { .name = "local_response_norm_grad", .emit = grad_emit };

static void lrn_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	cg_tensor *x = y->src[0], *s = cg__aux(y, 0, CG_FLOAT32, x->ndim, x->shape);

	dx[0] = cg__node_like(&grad_op, x, CG__SRC(dy, x, s), cg__attr(y), sizeof(struct lrn));
}

static cg_status emit(struct cg__emit *e, const cg_tensor *y)
{
	const struct lrn *f = cg__attr(y);

	return CG__LAUNCH(e, "lrn", NULL, "lrn", range(e, y), IN(y->src[0]), OUT(y), OUT(y->aux[0]),
		OUT(scratch(e, y, f, 1)), INT(cg__rows(y)), INT(cg__last(y)),
		INT(width_of(e, y, f)), INT(f->size), FLT(f->alpha), FLT(f->beta), FLT(f->k));
}

static const struct cg__attr_entry attrs[] = { CG__ATTR("size", struct lrn, size),
	CG__ATTR("alpha", struct lrn, alpha), CG__ATTR("beta", struct lrn, beta),
	CG__ATTR("k", struct lrn, k), { .name = NULL } };

static const struct cg_op op = {
	.name = "local_response_norm", .emit = emit, .grad = lrn_grad, .attrs = attrs
};

cg_tensor *cg_local_response_norm(cg_tensor *x, int size, float alpha, float beta, float k)
{
	struct lrn f = { .size = size, .alpha = alpha, .beta = beta, .k = k };

	if (!x)
		return NULL;
	if (x->dtype != CG_FLOAT32)
		return cg__fail_tensor(x, CG_ERR_ARGUMENT, "local_response_norm: x is not float32");
	if (size < 1 || !(k > 0) || !(alpha >= 0))
		return cg__fail_tensor(x, CG_ERR_ARGUMENT,
			"local_response_norm: size %d, alpha %g, k %g: size and k must be positive",
			size, (double)alpha, (double)k);
	return cg__node_like(&op, x, CG__SRC(x), &f, sizeof(f));
}
