/* CPU family: convolutions of stride 1, windows of 3x3 and 5x5, by Winograd's minimal filtering. */
#ifndef CG_WINOGRAD_H
#define CG_WINOGRAD_H

#include "gemm.h"

/* A batch norm before a convolution, and perhaps a relu: stats [3,C] as op/batch_norm.c has them, gamma, beta [C]; all NULL:
 * none. */
struct cg__before {
	const cg_tensor *stats, *gamma, *beta;
	bool relu;
};

/* y[B,P,Q,M] = act(norm(conv(before(x[B,H,W,C]), w) + bias)), window `side` squared, w [side,side,C,M]; P and Q
 * may be any: what is outside x is zero. With `transposed` w is [side,side,M,C] and turned by half
 * a circle: x is dy, y is dx, and pads are side - 1 - pad. */
struct cg__winograd {
	const cg_tensor *x, *w, *y;
	const cg_tensor *bias; /* [M] or NULL */
	struct cg__norm norm;
	enum cg__act act;
	bool transposed;
	int64_t B, H, W, C, P, Q, M;
	int64_t side, pad_top, pad_left; /* pads may be negative */
	struct cg__before before;
};

/* Whether to: a function of the shape, the device and the tune table, unless tuning knows better. */
bool cg__winograd_suits(struct cg__emit *e, const struct cg__winograd *f);
/* The same before there is a plan, by the shape alone: what is usual. */
bool cg__winograd_is_usual(const cg_ctx *ctx, const struct cg__winograd *f);
bool cg__winograd_suits_dw(struct cg__emit *e, const struct cg__winograd *f);
cg_status cg__winograd(struct cg__emit *e, const struct cg__winograd *f);
/* dw[side,side,C,M] = f->y, of before(x = f->x) and dy = f->w; the other fields as for y. */
cg_status cg__winograd_dw(struct cg__emit *e, const struct cg__winograd *f);

#endif
