/* A step as a list of launches over an arena. */
#ifndef CG_PLAN_H
#define CG_PLAN_H

#include "arena.h"
#include "graph.h"
#include "kernel.h"

enum cg__launch_kind { CG__KERNEL, CG__CALL, CG__ZERO };

struct cg__launch {
	enum cg__launch_kind kind;
	const cg_tensor *node;
	const char *file, *name;	/* static strings of the operation */
	char *options;
	struct cg__range range;
	struct cg__arg *arg;
	int args;
	cl_kernel kernel;
	cg__call_fn fn;
	void *blob;
	void **mem;			/* CALL: buffers of the arguments */
	double flops;
	double start, seconds;		/* of the run that was profiled */
	bool kept;			/* its results serve the next runs too */
	bool skipped;			/* in the run that was profiled: its results were there */
};

struct cg_plan {
	cg_ctx *ctx;
	cg_graph *graph;
	bool *keep;			/* by node id: read from outside */
	struct cg__launch *launch;
	int launches, launches_size;
	cg_tensor **temp;		/* scratch; ids follow the graph's */
	int temps, temps_size;
	const cg_tensor *zeros;		/* one of temp, or NULL */
	struct cg__slot *slot;
	int slots;
	int *slot_of;			/* by id; -1: not in the arena */
	struct cg__layout layout;
	cl_mem *bank;			/* checking mode: one a slot, else one a bank */
	size_t *bank_bytes;
	int banks;
	cl_mem *sub;			/* by slot */
	cl_mem *grad_sub;		/* by id: places in the gradient buffer */
	bool prepared, ran;
	uint64_t kept_at;		/* parameter_writes before the last run, if it ran */
	cg_status failed;
};

struct cg__emit {
	cg_plan *plan;
	const cg_tensor *node;
};

/* The tensor whose memory an argument is, NULL for numbers; whether that memory is the plan's. */
const cg_tensor *cg__arg_root(const struct cg__arg *a);
bool cg__in_arena(const cg_tensor *root);
/* The buffer of a tensor once the plan is prepared. */
cl_mem cg__plan_mem(const cg_plan *p, const cg_tensor *t);
/* Where a parameter's final gradient is, in numbers: in the arena or in the gradient buffer. */
int64_t cg__grad_place(const cg_plan *p, const cg_tensor *gradient);
/* Enqueues launch i; `event` NULL, or that of a kernel. */
cg_status cg__plan_run_one(cg_plan *p, int i, cl_event *event);
/* keep.c: which launches need not be repeated while no parameter changes; notes what a launch writes of these. */
cg_status cg__mark_kept_launches(cg_plan *p);
void cg__count_parameter_writes(cg_ctx *ctx, const struct cg__launch *l);
/* Whether launch i can be left out of the next run. */
bool cg__plan_has(const cg_plan *p, int i);
/* plan_tune.c: times what is unknown of the choices that emitting asked for, and adds to the seconds spent; true: emit
 * again. */
bool cg__plan_tune(cg_plan *p, double *spent);
/* check.c: what CG_GUARD and CG_NAN look at after a launch. */
cg_status cg__check_poison(cg_plan *p, int launch);
cg_status cg__check_launch(cg_plan *p, int launch);

#endif
