/*
 * tune_clblast.h: which parameters CLBlast's kernels should have for what the options name.
 */
#ifndef FER_TUNE_CLBLAST_H
#define FER_TUNE_CLBLAST_H

#include "trial.h"

enum { TUNE_SETS = 32 };

/* One set tried: the time of all of CLBlast's launches together. */
struct tune_set {
	cg_gemm_set set;	/* parameters NULL: CLBlast's own */
	double seconds, error;	/* NaN without; error: largest difference from the first, of the largest value */
	const char *why;	/* there is no time, or it is not taken for it, or NULL; "not timed...": for want of time */
	bool taken;
};

/* Tries the sets of each kernel that runs, kernel by kernel, until progress_clock() reaches the deadline; keeps those that
 * are right and quicker by 10 % than what was before; *n rows. -1, or the exit code after a message. */
int tune_clblast(const struct cli *c, cg_ctx *ctx, const struct model *model,
		 const struct model_config *config, double deadline, struct tune_set row[TUNE_SETS],
		 int *n);

#endif
