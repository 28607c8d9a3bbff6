/*
 * The time of each launch of one run. Launches go to a queue of their own that keeps times, one after
 * the other without waits, and the device says when each began and ended. A call that enqueues kernels
 * of its own (CLBlast) or a fill is timed by markers around it. Where the device keeps no times, or
 * such as cannot be, each launch is waited for.
 */
#include "plan.h"

#include <stdlib.h>
#include <time.h>

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static cg_status profile_waiting(cg_plan *p)
{
	const double begin = seconds_now();

	for (int i = 0; i < p->launches; i++) {
		struct cg__launch *l = &p->launch[i];

		l->start = seconds_now() - begin;
		l->skipped = cg__plan_has(p, i);
		if (!l->skipped)
			TRY(cg__plan_run_one(p, i, NULL));
		TRY(cg_finish(p->ctx));
		l->seconds = l->skipped ? 0 : seconds_now() - begin - l->start;
	}
	return CG_OK;
}

/* event[i] is launch i's own, or a marker behind it; NULL where the plan has its results. */
static cg_status enqueue_all(cg_plan *p, cl_event *event, cl_event *first)
{
	cl_int code = clEnqueueMarkerWithWaitList(p->ctx->queue, 0, NULL, first);

	for (int i = 0; i < p->launches && code == CL_SUCCESS; i++) {
		bool kernel = p->launch[i].kind == CG__KERNEL;

		p->launch[i].skipped = cg__plan_has(p, i);
		if (p->launch[i].skipped)
			continue;
		TRY(cg__plan_run_one(p, i, kernel ? &event[i] : NULL));
		if (!kernel)
			code = clEnqueueMarkerWithWaitList(p->ctx->queue, 0, NULL, &event[i]);
	}
	if (code != CL_SUCCESS)
		return cg__fail_cl(p->ctx, CG_ERR_OPENCL, code, "clEnqueueMarkerWithWaitList");
	return cg_finish(p->ctx);
}

static bool time_of(cl_event event, cl_profiling_info what, cl_ulong *t)
{
	return clGetEventProfilingInfo(event, what, sizeof(*t), t, NULL) == CL_SUCCESS && *t > 0;
}

/* Nanoseconds that a kernel takes on any device. Mesa 22.3's llvmpipe tells 0 or 1: when a kernel was
 * handed over. */
enum { KERNEL_LEAST = 50 };

/* False where there are none, or none that could be. */
static bool read_times(cg_plan *p, const cl_event *event, cl_event first)
{
	cl_ulong zero, before, start, end, busy = 0, kernels = 0;

	if (!time_of(first, CL_PROFILING_COMMAND_END, &zero))
		return false;
	before = zero;
	for (int i = 0; i < p->launches; i++) {
		struct cg__launch *l = &p->launch[i];

		l->start = 1e-9 * (double)(before - zero);
		l->seconds = 0;
		if (l->skipped)
			continue;
		if (!time_of(event[i], CL_PROFILING_COMMAND_END, &end))
			return false;
		if (l->kind != CG__KERNEL)
			start = before;
		else if (!time_of(event[i], CL_PROFILING_COMMAND_START, &start))
			return false;
		l->start = start > zero ? 1e-9 * (double)(start - zero) : 0;
		l->seconds = end > start ? 1e-9 * (double)(end - start) : 0;
		before = end;
		if (l->kind == CG__KERNEL) {
			busy += end > start ? end - start : 0;
			kernels++;
		}
	}
	return busy >= kernels * KERNEL_LEAST;
}

static cg_status profile_queued(cg_plan *p, bool *timed)
{
	cl_event *event = calloc((size_t)p->launches + 1, sizeof(cl_event)), first = NULL;
	cg_status status;

	if (event == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	status = enqueue_all(p, event, &first);
	*timed = status == CG_OK && read_times(p, event, first);
	for (int i = 0; i < p->launches; i++)
		if (event[i])
			clReleaseEvent(event[i]);
	if (first)
		clReleaseEvent(first);
	free(event);
	return status;
}

cg_status cg_plan_profile(cg_plan *p)
{
	cl_command_queue queue = p->ctx->queue, keeping;
	bool timed = false;
	cg_status status;

	TRY(cg_plan_prepare(p));
	TRY(cg_finish(p->ctx));
	keeping = clCreateCommandQueue(
		p->ctx->cl, p->ctx->device, CL_QUEUE_PROFILING_ENABLE, NULL);
	if (keeping == NULL)
		return profile_waiting(p);
	p->ctx->queue = keeping;
	status = profile_queued(p, &timed);
	p->ctx->queue = queue;
	clFinish(keeping);
	clReleaseCommandQueue(keeping);
	return status == CG_OK && !timed ? profile_waiting(p) : status;
}

static double bytes_touched(const struct cg__launch *l)
{
	double n = 0;

	for (int i = 0; i < l->args; i++) {
		const struct cg__arg *a = &l->arg[i];

		if (a->kind <= CG__UPDATE && a->t)
			n += (double)cg__count(a->t) * (double)cg_dtype_size(a->t->dtype) *
				(a->kind == CG__UPDATE ? 2 : 1);
		if (a->kind == CG__ARENA)
			n += 4. * a->i;
	}
	return n;
}

/* "64x44x44x1 3x3x1x32 > 64x44x44x32": what the node is made of, and itself. */
static void shapes_text(const cg_tensor *y, char *text, size_t size)
{
	char shape[64];
	size_t n = 0;

	for (int i = 0; i < y->nsrc && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s ", cg__shape_text(y->src[i], shape));
	if (n < size)
		snprintf(text + n, size - n, "> %s", cg__shape_text(y, shape));
}

cg_launch cg_plan_launch(const cg_plan *p, int i)
{
	const struct cg__launch *l = &p->launch[i];
	cg_launch info = { .node = l->node->id,
		.op = l->node->op->name,
		.kernel = l->name,
		.name = l->node->name,
		.flops = l->flops,
		.bytes = bytes_touched(l),
		.start = l->start,
		.seconds = l->seconds,
		.kept = l->skipped };

	shapes_text(l->node, info.shapes, sizeof(info.shapes));
	return info;
}
