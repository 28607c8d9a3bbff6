/*
 * Several ways of computing the same node: which is taken. An operation asks while it emits launches; what tuning
 * found for the key (tuned.h) is the answer, else the way that the operation says is usual.
 */
#ifndef CG_CHOICE_H
#define CG_CHOICE_H

#include "op.h"

/* The index of the way to take. The key names what is computed, with all sizes; ways of one key give the same up to
 * rounding. The texts of `way` are static, single words. */
int cg__choose(struct cg__emit *e, const char *key, const char *const *way, int ways, int usual);

/* ---- for tuning: what was asked ---------------------------------------------------------------- */

struct cg__choice {
	cg_choice public; /* its key is below */
	char key[160];
	const cg_tensor *node; /* that asked last; NULL but while its plan is being made */
};

struct cg__choices {
	struct cg__choice *item;
	int n, size;
	const char *forced; /* this key takes that way */
	int forced_way;
	bool busy; /* tuning: plans made meanwhile are not tuned */
	double candidate_seconds, plan_seconds;
};

/* Made at the first call; NULL out of memory. */
struct cg__choices *cg__choices(cg_ctx *ctx);
/* A plan is made, or failed: its nodes may go. Not while tuning, which makes plans for the nodes of another. */
void cg__choices_forget_nodes(cg_ctx *ctx);
void cg__choices_close(cg_ctx *ctx);

#endif
