/*
 * Layer normalisation over the last dimension; x is rows of D values (cl/layer_norm.cl has the
 * formulas). The gradient needs mean and rstd of each row: a further output [rows,2], written where asked for.
 */
#include "../op.h"

enum { STATS, /* aux of the operation */ DGAMMA = 0, DBETA = 1 /* aux of its gradient */ };

static struct cg__range rows_range(const struct cg__emit *e, int64_t rows, int64_t D)
{
	return cg__range_tasks(e, rows, D > 512 ? 256 : D > 128 ? 128 : 64);
}

/* Rows of a chunk, for the sums over all of them. */
static int64_t rows_per_chunk(const struct cg__emit *e, int64_t rows)
{
	int64_t most = cg__is_cpu(e) ? 8 * cg__compute_units(e) : 128;
	int64_t least = cg__is_cpu(e) ? 32 : 16, per = (rows + most - 1) / most;

	return per < least ? least : per;
}

/* ---- gradient: y is dx; src: dy, x, stats, gamma ----------------------------------------- */

static cg_status join(
	struct cg__emit *e, const cg_tensor *y, cg_tensor *part, int64_t chunks, int64_t wide)
{
	int64_t D = cg__last(y);
	struct cg__range r = cg__is_cpu(e) ? cg__range_tasks(e, wide / cg__vector_width(e), 1)
					   : cg__range_elements(e, D);

	return CG__LAUNCH(e, "layer_norm", NULL, "layer_norm_join", r, IN(part),
		OUT(y->aux[DGAMMA]), OUT(y->aux[DBETA]), INT(chunks), INT(D), INT(wide));
}

static cg_status grad_emit(struct cg__emit *e, const cg_tensor *y)
{
	const cg_tensor *dy = y->src[0], *x = y->src[1], *stats = y->src[2], *gamma = y->src[3];
	int64_t rows = cg__rows(x), D = cg__last(x), lanes = cg__vector_width(e);
	int64_t wide = (D + lanes - 1) / lanes * lanes;
	int64_t per = rows_per_chunk(e, rows), chunks = (rows + per - 1) / per;
	cg_tensor *part = cg__temp(e, CG_FLOAT32, chunks * 2 * wide);
	bool cpu = cg__is_cpu(e);

	TRY(CG__LAUNCH(e, "layer_norm", NULL, "layer_norm_grad",
		cpu ? cg__range_1d((size_t)chunks, 1) : rows_range(e, rows, D), IN(dy), IN(x),
		IN(stats), IN(gamma), OUT(y), OUT(cpu ? part : NULL), INT(rows), INT(D),
		INT(wide)));
	if (!y->aux[DGAMMA] && !y->aux[DBETA])
		return CG_OK;
	if (!cpu)
		TRY(CG__LAUNCH(e, "layer_norm", NULL, "layer_norm_grad_part",
			cg__range_2d((size_t)(D + 63) / 64 * 64, (size_t)chunks, 64, 1), IN(dy),
			IN(x), IN(stats), OUT(part), INT(rows), INT(D), INT(wide), INT(per)));
	return join(e, y, part, chunks, wide);
}

static const struct cg_op grad_op = { .name = "layer_norm_grad", .emit = grad_emit };

static void layer_norm_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	cg_tensor *x = y->src[0], *gamma = y->src[1], *beta = y->src[2];
	cg_tensor *stats = cg__aux(y, STATS, CG_FLOAT32, 2, (int64_t[]){ cg__rows(x), 2 });

	dx[0] = cg__node_like(&grad_op, x, CG__SRC(dy, x, stats, gamma), NULL, 0);
	if (gamma->wants_grad)
		dx[1] = cg__aux(dx[0], DGAMMA, CG_FLOAT32, 1, gamma->shape);
	if (beta->wants_grad)
		dx[2] = cg__aux(dx[0], DBETA, CG_FLOAT32, 1, beta->shape);
}

/* ---- the operation ----------------------------------------------------------------------- */

static cg_status emit(struct cg__emit *e, const cg_tensor *y)
{
	const float *eps = cg__attr(y);
	int64_t rows = cg__rows(y), D = cg__last(y);

	return CG__LAUNCH(e, "layer_norm", NULL, "layer_norm", rows_range(e, rows, D),
		IN(y->src[0]), IN(y->src[1]), IN(y->src[2]), OUT(y), OUT(y->aux[STATS]), INT(rows),
		INT(D), FLT(*eps));
}

static const struct cg__attr_entry attrs[] = { { "eps", 0, CG__ATTR_FLOAT }, { .name = NULL } };

static const struct cg_op op = {
	.name = "layer_norm", .emit = emit, .grad = layer_norm_grad, .attrs = attrs
};

cg_tensor *cg_layer_norm(cg_tensor *x, cg_tensor *gamma, cg_tensor *beta, float eps)
{
	char sx[64], sg[64], sb[64];

	if (!x || !gamma || !beta)
		return NULL;
	if (gamma->ndim != 1 || gamma->shape[0] != cg__last(x) || !cg__same_shape(gamma, beta))
		return cg__fail_tensor(x, CG_ERR_SHAPE,
			"layer_norm: x is %s, gamma is %s, beta is %s", cg__shape_text(x, sx),
			cg__shape_text(gamma, sg), cg__shape_text(beta, sb));
	if (x->dtype != CG_FLOAT32)
		return cg__fail_tensor(x, CG_ERR_ARGUMENT, "layer_norm: x is not float32");
	return cg__node_like(&op, x, CG__SRC(x, gamma, beta), &eps, sizeof(eps));
}
