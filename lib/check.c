/* Checking modes: guard bytes around every tensor, NaN before the first and after the last use, finite results. */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool writes(const struct cg__arg *a)
{
	return (a->kind == CG__OUT || a->kind == CG__UPDATE) && a->t != NULL;
}

static const char *title(const struct cg__launch *l)
{
	return l->node->name[0] ? l->node->name : l->node->op->name;
}

/* Before a launch: what it is the first to use holds NaN, so that reading what nobody wrote shows. */
cg_status cg__check_poison(cg_plan *p, int launch)
{
	for (int s = 0; s < p->slots; s++) {
		if (p->slot[s].first == launch)
			TRY(cg__mem_fill(p->ctx, p->sub[s], 0, p->slot[s].bytes, 0xFF));
		if (p->slot[s].last == launch - 1)
			TRY(cg__mem_fill(p->ctx, p->sub[s], 0, p->slot[s].bytes, 0xFF));
	}
	return CG_OK;
}

static cg_status check_guards(cg_plan *p, const struct cg__launch *l, int s)
{
	unsigned char guard[CG__GUARD_BYTES];

	for (int side = 0; side < 2; side++) {
		size_t at = side ? CG__GUARD_BYTES + p->slot[s].bytes : 0;

		TRY(cg__mem_read(p->ctx, p->bank[s], at, guard, sizeof(guard)));
		for (size_t i = 0; i < sizeof(guard); i++)
			if (guard[i] != CG__GUARD_BYTE)
				return cg__fail(p->ctx, CG_ERR_GUARD,
					"%s (%s, kernel %s): wrote %s its tensor, byte %zu",
					title(l), l->node->op->name, l->name,
					side ? "after" : "before", side ? i : CG__GUARD_BYTES - i);
	}
	return CG_OK;
}

static cg_status check_finite(cg_plan *p, const struct cg__launch *l, const cg_tensor *t)
{
	size_t n = (size_t)cg__count(t);
	float *host = malloc(n * sizeof(*host));
	cg_status status;

	if (host == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "CG_NAN: out of host memory");
	status = cg__mem_read(p->ctx, cg__plan_mem(p, t), 0, host, n * sizeof(*host));
	for (size_t i = 0; i < n && status == CG_OK; i++)
		if (!isfinite(host[i]))
			status = cg__fail(p->ctx, CG_ERR_NOT_FINITE,
				"%s (%s, kernel %s): element %zu of %zu is %g", title(l),
				l->node->op->name, l->name, i, n, (double)host[i]);
	free(host);
	return status;
}

cg_status cg__check_launch(cg_plan *p, int launch)
{
	const struct cg__launch *l = &p->launch[launch];

	for (int i = 0; i < l->args; i++) {
		const cg_tensor *t = l->arg[i].t;

		if (!writes(&l->arg[i]))
			continue;
		if (p->ctx->env.guard_on && !p->ctx->env.guard_exact &&
			p->slot_of[cg__root(t)->id] >= 0)
			TRY(check_guards(p, l, p->slot_of[cg__root(t)->id]));
		/* scratch may hold parts that only its own launches understand */
		if (p->ctx->env.nan_on && t->dtype == CG_FLOAT32 && t->id < p->graph->count)
			TRY(check_finite(p, l, t));
	}
	return CG_OK;
}
