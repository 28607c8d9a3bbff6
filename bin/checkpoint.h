/*
 * checkpoint.h: everything a run needs to go on as if it had never stopped: the network, the
 * optimiser's moments, average and step count, and where the run stands.
 */
#ifndef FER_CHECKPOINT_H
#define FER_CHECKPOINT_H

#include "clgrad.h"
#include "network.h"

/* Where a run stands. */
struct run_state {
	int32_t epoch;		/* epochs completed */
	int32_t step;		/* updates of the epoch after it */
	float sum[2];		/* of these updates, see step_read() */
	double best;		/* monitored value, greater is better */
	int32_t best_epoch;	/* 0: none yet */
	double elapsed;		/* seconds, over all resumes */
	cg_sched sched;		/* the plateau's state counts */
};

/* What must be the same to go on. */
struct run_identity {
	uint64_t seed, row_hash;
	int32_t rows, batch, accumulate;
};

struct checkpoint {
	struct run_state state;
	struct run_identity run;
};

/* -1, or the exit code after a message. Saving replaces the file whole or not at all. */
int checkpoint_save(const struct checkpoint *p, const struct cli *c, const struct network *n,
		    cg_optim *optim, const char *path);

/*
 * Takes up a run: n, optim and p->state are set from the file; p->run says what this run is and must be
 * what the file says, as must model, settings and n->data_hash; else CLI_CHECKPOINT.
 */
int checkpoint_load(struct checkpoint *p, const struct cli *c, struct network *n, cg_optim *optim,
		    const char *path);

#endif
