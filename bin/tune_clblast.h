/*
 * tune_clblast.h: which parameters CLBlast's kernels should have for what the options name.
 */
#ifndef FER_TUNE_CLBLAST_H
#define FER_TUNE_CLBLAST_H

#include "trial.h"

enum { TUNE_SETS = 32 };

/* One set tried: the time of all of CLBlast's launches together; NaN where it was refused. */
struct tune_set {
	cg_gemm_set set;	/* parameters NULL: CLBlast's own */
	double seconds, error;	/* error: largest difference from the first, of the largest value */
	bool taken;
};

/* Tries all sets, kernel by kernel, keeps those that are right and quicker by 10 % than what was before; *n rows.
 * -1, or the exit code after a message. */
int tune_clblast(const struct cli *c, cg_ctx *ctx, const struct model *model,
		 const struct model_config *config, struct tune_set row[TUNE_SETS], int *n);

#endif
