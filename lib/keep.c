/*
 * Launches that read nothing but parameters, or what such launches wrote: filters of minimal filtering, weights
 * packed for products, zeros. A plan that infers keeps their results in memory of their own and launches them
 * again only when a parameter may have been written since: ctx->parameter_writes counts every write of any of the
 * context's, whoever makes it (cg_array_write, launches that update an array).
 */
#include "fuse.h"
#include "plan.h"

#include <stdlib.h>

static bool is_parameter(const cg_tensor *root)
{
	return root->array != NULL && root->array->params != NULL;
}

static bool may_keep(const cg_graph *g)
{
	return g->mode == CG_INFER && cg__fuse_has(g->ctx, "keep");
}

bool cg__keeps(const struct cg__emit *e, const cg_tensor *t)
{
	return may_keep(e->plan->graph) && is_parameter(cg__root(t));
}

/* lost[id]: somebody writes it whose results are not kept. */
static bool can_keep(const struct cg__launch *l, const bool *lost)
{
	for (int i = 0; i < l->args; i++) {
		const cg_tensor *root = cg__arg_root(&l->arg[i]);

		if (root == NULL || (l->arg[i].kind == CG__IN && is_parameter(root)))
			continue;
		if (!cg__in_arena(root) || lost[root->id])
			return false;
	}
	return true;
}

static void lose(struct cg__launch *l, bool *lost)
{
	l->kept = false;
	for (int i = 0; i < l->args; i++) {
		const cg_tensor *root = cg__arg_root(&l->arg[i]);

		if (root && l->arg[i].kind != CG__IN)
			lost[root->id] = true;
	}
}

cg_status cg__mark_kept_launches(cg_plan *p)
{
	bool *lost, changed = true;

	if (!may_keep(p->graph))
		return CG_OK;
	lost = calloc((size_t)(p->graph->count + p->temps) + 1, sizeof(*lost));
	if (lost == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	for (int i = 0; i < p->launches; i++)
		p->launch[i].kept = true;
	while (changed) {
		changed = false;
		for (int i = 0; i < p->launches; i++)
			if (p->launch[i].kept && !can_keep(&p->launch[i], lost)) {
				lose(&p->launch[i], lost);
				changed = true;
			}
	}
	free(lost);
	return CG_OK;
}

void cg__count_parameter_writes(cg_ctx *ctx, const struct cg__launch *l)
{
	for (int i = 0; i < l->args; i++) {
		const cg_tensor *root = l->arg[i].kind == CG__IN ? NULL : cg__arg_root(&l->arg[i]);

		if (root && is_parameter(root))
			ctx->parameter_writes++;
	}
}
