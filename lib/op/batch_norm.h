/* Batch normalisation for operations that take one along. */
#ifndef CG_BATCH_NORM_H
#define CG_BATCH_NORM_H

#include "../op.h"

/* y = gamma (x - mean) rstd + beta, then relu if asked for; x and y of the same count, stats [3,C] as bn_stats makes it. */
cg_status cg__batch_norm_apply(struct cg__emit *e, const cg_tensor *x, const cg_tensor *stats,
	const cg_tensor *gamma, const cg_tensor *beta, bool relu, const cg_tensor *y);

#endif
