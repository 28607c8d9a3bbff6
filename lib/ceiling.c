/* What the device can do at best, measured: cl/ceiling.cl, and the median of some runs of it. */
#include "arena.h"
#include "kernel.h"

#include <stdlib.h>
#include <time.h>

enum { CHAINS = 12, LANES = 16, LOOPS = 100000, RUNS = 5, MOST_CALLS = 1000 };

struct work {
	cg_ctx *ctx;
	cl_kernel kernel;
	size_t items;
	cl_mem mem[3];
	size_t bytes;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static cg_status seconds_of_bundle(struct work *w, int calls, double *seconds)
{
	const size_t local = w->ctx->tune.cpu_family ? 1 : 64;
	const double begin = now();
	cl_int code = CL_SUCCESS;

	for (int i = 0; i < calls && code == CL_SUCCESS; i++)
		code = clEnqueueNDRangeKernel(
			w->ctx->queue, w->kernel, 1, NULL, &w->items, &local, 0, NULL, NULL);
	if (code != CL_SUCCESS)
		return cg__fail_cl(w->ctx, CG_ERR_LAUNCH, code, "ceiling");
	TRY(cg_finish(w->ctx));
	*seconds = (now() - begin) / calls;
	return CG_OK;
}

/* The median of bundles of at least 5 ms: waiting takes up to .1. The first call may build the kernel. */
static cg_status seconds_of(struct work *w, double *seconds)
{
	double times[RUNS], once;
	int calls;

	TRY(seconds_of_bundle(w, 1, &once));
	TRY(seconds_of_bundle(w, 1, &once));
	calls = once < 5e-3 ? (int)(5e-3 / (once + 2e-6)) + 1 : 1;
	for (int i = 0; i < RUNS; i++)
		TRY(seconds_of_bundle(w, calls < MOST_CALLS ? calls : MOST_CALLS, &times[i]));
	qsort(times, RUNS, sizeof(*times), by_value);
	*seconds = times[RUNS / 2];
	return CG_OK;
}

static void release(struct work *w)
{
	if (w->kernel)
		clReleaseKernel(w->kernel);
	for (int i = 0; i < 3; i++)
		cg__mem_free(w->ctx, w->mem[i], w->bytes);
}

static cg_status set(struct work *w, cl_uint i, size_t size, const void *value)
{
	cl_int code = clSetKernelArg(w->kernel, i, size, value);

	return code == CL_SUCCESS ? CG_OK
				  : cg__fail_cl(w->ctx, CG_ERR_LAUNCH, code, "ceiling: argument");
}

static struct work work_on(cg_ctx *ctx)
{
	return (struct work){ .ctx = ctx,
		.items = ctx->info.compute_units * (size_t)(ctx->tune.cpu_family ? 8 : 2048) };
}

static cg_status time_fma(struct work *w, double *flops)
{
	const float a = .999f, b = .001f;
	const cl_int n = w->ctx->tune.cpu_family ? LOOPS : LOOPS / 8;
	double seconds;

	w->bytes = w->items * sizeof(float);
	TRY(cg__kernel_new(w->ctx, "ceiling", NULL, "fma_peak", 4, &w->kernel));
	TRY(cg__mem_new(w->ctx, w->bytes, &w->mem[0]));
	TRY(set(w, 0, sizeof(cl_mem), &w->mem[0]));
	TRY(set(w, 1, sizeof(a), &a));
	TRY(set(w, 2, sizeof(b), &b));
	TRY(set(w, 3, sizeof(n), &n));
	TRY(seconds_of(w, &seconds));
	*flops = 2. * CHAINS * LANES * n * (double)w->items / seconds;
	return CG_OK;
}

cg_status cg_ceiling_flops(cg_ctx *ctx, double *flops)
{
	struct work w = work_on(ctx);
	cg_status status = time_fma(&w, flops);

	release(&w);
	return status;
}

/* Counted are the bytes that the source names: two reads and a write. */
static cg_status time_triad(struct work *w, double *rate)
{
	const float s = .5f;
	const cl_int n = (cl_int)(w->bytes / (LANES * sizeof(float)));
	double seconds;

	TRY(cg__kernel_new(w->ctx, "ceiling", NULL, "triad", 5, &w->kernel));
	for (cl_uint i = 0; i < 3; i++) {
		TRY(cg__mem_new(w->ctx, w->bytes, &w->mem[i]));
		TRY(cg__mem_fill(w->ctx, w->mem[i], 0, w->bytes, 0));
		TRY(set(w, i, sizeof(cl_mem), &w->mem[i]));
	}
	TRY(set(w, 3, sizeof(s), &s));
	TRY(set(w, 4, sizeof(n), &n));
	TRY(seconds_of(w, &seconds));
	*rate = 3. * sizeof(float) * LANES * n / seconds;
	return CG_OK;
}

cg_status cg_ceiling_bandwidth(cg_ctx *ctx, size_t bytes, double *rate)
{
	struct work w = work_on(ctx);
	cg_status status;

	w.bytes = bytes;
	if (bytes < LANES * sizeof(float) || bytes / LANES > INT32_MAX)
		return cg__fail(ctx, CG_ERR_ARGUMENT, "ceiling: arrays of %zu bytes", bytes);
	status = time_triad(&w, rate);
	release(&w);
	return status;
}
