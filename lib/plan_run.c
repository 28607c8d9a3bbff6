/* Replays a plan: all launches in order; what is read from it and told of it. profile.c times them. */
#include "plan.h"

static cg_status enqueue_kernel(cg_plan *p, struct cg__launch *l, cl_event *event)
{
	const size_t *local = l->range.local[0] ? l->range.local : NULL;
	cl_int code = CL_OUT_OF_RESOURCES;

	if (!cg__fault(p->ctx, CG__FAULT_LAUNCH))
		code = clEnqueueNDRangeKernel(p->ctx->queue, l->kernel, (cl_uint)l->range.ndim,
			NULL, l->range.global, local, 0, NULL, event);
	if (code != CL_SUCCESS)
		return cg__fail(p->ctx, CG_ERR_LAUNCH, "%s (%s.cl, kernel %s): %s",
			l->node->op->name, l->file, l->name, cg__cl_error_name(code));
	return CG_OK;
}

static cg_status enqueue(cg_plan *p, struct cg__launch *l, cl_event *event)
{
	const cg_tensor *t = l->arg[0].t;

	p->ctx->stats.launches++;
	switch (l->kind) {
	case CG__KERNEL: return enqueue_kernel(p, l, event);
	case CG__CALL:
		if (cg__fault(p->ctx, CG__FAULT_LAUNCH))
			return cg__fail(
				p->ctx, CG_ERR_LAUNCH, "%s: failed as CG_FAULT asks", l->name);
		return l->fn(p->ctx, l->blob, l->mem);
	case CG__ZERO:
		return cg__mem_fill(p->ctx, cg__plan_mem(p, t), 0,
			(size_t)cg__count(t) * cg_dtype_size(t->dtype), 0);
	}
	return CG_OK;
}

cg_status cg__plan_run_one(cg_plan *p, int i, cl_event *event)
{
	const struct cg__env *env = &p->ctx->env;
	struct cg__launch *l = &p->launch[i];
	cl_int code;

	if (env->trace_mask & CG__TRACE_LAUNCH)
		fprintf(stderr, "cg launch: %s %s\n", l->node->op->name, l->name);
	if (env->guard_on)
		TRY(cg__check_poison(p, i));
	cg__count_parameter_writes(p->ctx, l);
	TRY(enqueue(p, l, event));
	if (env->sync_on || env->guard_on || env->nan_on) {
		code = clFinish(p->ctx->queue);
		if (code != CL_SUCCESS)
			return cg__fail(p->ctx, CG_ERR_LAUNCH, "%s (kernel %s): %s",
				l->node->op->name, l->name, cg__cl_error_name(code));
		TRY(cg__check_launch(p, i));
	}
	return CG_OK;
}

bool cg__plan_has(const cg_plan *p, int i)
{
	return p->launch[i].kept && p->ran && p->kept_at == p->ctx->parameter_writes;
}

cg_status cg_plan_run(cg_plan *p)
{
	const uint64_t writes = p->ctx->parameter_writes;

	TRY(cg_plan_prepare(p));
	for (int i = 0; i < p->launches; i++)
		if (!cg__plan_has(p, i))
			TRY(cg__plan_run_one(p, i, NULL));
	clFlush(p->ctx->queue);
	p->kept_at = writes;
	p->ran = true;
	return CG_OK;
}

cg_status cg_plan_read(cg_plan *p, const cg_tensor *x, void *host, size_t bytes)
{
	size_t size = (size_t)cg__count(x) * cg_dtype_size(x->dtype);

	if (!p->prepared || x->graph != p->graph || x->id >= p->graph->count || !p->keep[x->id])
		return cg__fail(p->ctx, CG_ERR_STATE,
			"plan: %s is no output of a plan that has run", x->name);
	if (bytes != size)
		return cg__fail(p->ctx, CG_ERR_ARGUMENT, "plan: %zu bytes given, %s has %zu", bytes,
			x->name, size);
	return cg__mem_read(p->ctx, cg__plan_mem(p, x), 0, host, bytes);
}

uint64_t cg_plan_peak(const cg_plan *p)
{
	return p->layout.peak;
}

uint64_t cg_plan_unshared(const cg_plan *p)
{
	return p->layout.unshared;
}

int cg_plan_launches(const cg_plan *p)
{
	return p->launches;
}

double cg_plan_flops(const cg_plan *p)
{
	double sum = 0;

	for (int i = 0; i < p->launches; i++)
		sum += p->launch[i].flops;
	return sum;
}

void cg_plan_dump(const cg_plan *p, FILE *f)
{
	double total = 0;

	fprintf(f, "%5s %-16s %-24s %-20s %-22s %9s %9s %8s %8s\n", "#", "op", "name", "shape",
		"kernel", "KiB", "us", "GFLOP/s", "GB/s");
	for (int i = 0; i < p->launches; i++) {
		const struct cg__launch *l = &p->launch[i];
		char shape[64];
		const double bytes = cg_plan_launch(p, i).bytes;

		fprintf(f, "%5d %-16s %-24s %-20s %-22s %9.1f", i, l->node->op->name, l->node->name,
			cg__shape_text(l->node, shape), l->name, bytes / 1024);
		if (l->seconds > 0)
			fprintf(f, " %9.1f %8.1f %8.1f", 1e6 * l->seconds,
				1e-9 * l->flops / l->seconds, 1e-9 * bytes / l->seconds);
		fputc('\n', f);
		total += l->seconds;
	}
	fprintf(f, "%d launches, arena %.1f MiB (%.1f MiB unshared)", p->launches,
		(double)p->layout.peak / 1048576, (double)p->layout.unshared / 1048576);
	if (total > 0)
		fprintf(f, ", %.2f ms", 1e3 * total);
	fputc('\n', f);
}
