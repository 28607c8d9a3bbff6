/*
 * optim.c	the update as a node of a graph
 * optim_file.c	the optimiser's state in checkpoints
 */
#ifndef CG_OPTIM_H
#define CG_OPTIM_H

#include "params.h"

struct cg_optim {
	cg_params *params;
	cg_optim_config config;
	uint64_t runs, updates; /* cg_optim_step calls, and those that ended in an update */
	cg_array *m, *v, *average, *grad_sum, *chunks, *numbers, *norm;
	int64_t *place; /* [params->count] in m and v; -1: frozen, has none */
	int chunk_count;
	cg_plan *swap; /* made on first use */
	cg_graph *swap_graph;
};

#endif
