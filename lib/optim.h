/*
 * optim.c		the optimiser, the numbers of a step, the average of the weights
 * optim_update.c	the update as nodes of a graph
 * optim_file.c		the optimiser's state in checkpoints
 */
#ifndef CG_OPTIM_H
#define CG_OPTIM_H

#include "params.h"

struct cg_optim {
	cg_params *params;
	cg_optim_config config;
	uint64_t runs, updates; /* cg_optim_step calls, and those that ended in an update */
	cg_array *m, *v, *average, *grad_sum, *chunks, *numbers, *norm;
	cg_array *squares; /* parts of |g|^2 of gradients that are never written; NULL: none */
	int64_t *place; /* [params->count] in m and v; -1: frozen, has none */
	int chunk_count;
	int64_t written; /* numbers in them: gradients that are written */
	cg_plan *swap; /* made on first use */
	cg_graph *swap_graph;
};

#endif
