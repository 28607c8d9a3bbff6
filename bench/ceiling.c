/*
 * What the device can do at best: multiply-adds between registers, and y = a + s b over arrays.
 */
#include "bench.h"

#include <math.h>
#include <stdlib.h>

#include "ctx.h"

enum { CHAINS = 12, LANES = 16, LOOPS = 100000 };

/* Twelve independent chains of float16: more than latency times throughput of any CPU's units.
 * Written as x * a + b, which compilers contract: the function fma() of PoCL 3.1 takes vectors of
 * 16 apart into halves, and reaches half the speed. */
static const char source[] =
	"#define STEP(x) x = x * a + b;\n"
	"__kernel void fma_peak(__global float *out, float a, float b, int n)\n"
	"{\n"
	"	float16 x0 = (float)get_global_id(0), x1 = x0 + 1, x2 = x0 + 2, x3 = x0 + 3;\n"
	"	float16 x4 = x0 + 4, x5 = x0 + 5, x6 = x0 + 6, x7 = x0 + 7;\n"
	"	float16 x8 = x0 + 8, x9 = x0 + 9, x10 = x0 + 10, x11 = x0 + 11;\n"
	"	for (int i = 0; i < n; i++) {\n"
	"		STEP(x0) STEP(x1) STEP(x2) STEP(x3) STEP(x4) STEP(x5)\n"
	"		STEP(x6) STEP(x7) STEP(x8) STEP(x9) STEP(x10) STEP(x11)\n"
	"	}\n"
	"	x0 += x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11;\n"
	"	float8 y = x0.lo + x0.hi;\n"
	"	float4 z = y.lo + y.hi;\n"
	"	out[get_global_id(0)] = z.x + z.y + z.z + z.w;\n"
	"}\n"
	"__kernel void triad(__global float16 *y, __global const float16 *a,\n"
	"		__global const float16 *b, float s, int n)\n"
	"{\n"
	"	int piece = (n + (int)get_global_size(0) - 1) / (int)get_global_size(0);\n"
	"	int i = PIECES ? (int)get_global_id(0) * piece : (int)get_global_id(0);\n"
	"	int end = PIECES ? min(n, i + piece) : n;\n"
	"	for (; i < end; i += PIECES ? 1 : (int)get_global_size(0))\n"
	"		y[i] = a[i] + s * b[i];\n"
	"}\n";

struct ceiling {
	cg_ctx *ctx;
	cl_program program;
	cl_kernel fma, triad;
	cl_mem out, array[3];
	int64_t floats; /* of each array */
	size_t items;
};

struct ceiling *ceiling_new(cg_ctx *ctx)
{
	struct ceiling *c = calloc(1, sizeof(*c));
	const char *text = source;

	if (!c)
		return NULL;
	c->ctx = ctx;
	c->items = ctx->info.compute_units * (ctx->info.is_cpu ? 8 : 2048);
	c->program = clCreateProgramWithSource(ctx->cl, 1, &text, NULL, NULL);
	if (c->program &&
		!clBuildProgram(c->program, 1, &ctx->device,
			ctx->info.is_cpu ? "-DPIECES=1" : "-DPIECES=0", NULL, NULL)) {
		c->fma = clCreateKernel(c->program, "fma_peak", NULL);
		c->triad = clCreateKernel(c->program, "triad", NULL);
		c->out = clCreateBuffer(
			ctx->cl, CL_MEM_READ_WRITE, c->items * sizeof(float), NULL, NULL);
	}
	return c;
}

static void free_arrays(struct ceiling *c)
{
	for (int i = 0; i < 3; i++) {
		if (c->array[i])
			clReleaseMemObject(c->array[i]);
		c->array[i] = NULL;
	}
}

void ceiling_free(struct ceiling *c)
{
	if (!c)
		return;
	free_arrays(c);
	if (c->out)
		clReleaseMemObject(c->out);
	if (c->fma)
		clReleaseKernel(c->fma);
	if (c->triad)
		clReleaseKernel(c->triad);
	if (c->program)
		clReleaseProgram(c->program);
	free(c);
}

static cg_status launch(struct ceiling *c, cl_kernel kernel)
{
	const size_t local = c->ctx->info.is_cpu ? 1 : 64;

	return clEnqueueNDRangeKernel(
		       c->ctx->queue, kernel, 1, NULL, &c->items, &local, 0, NULL, NULL)
		? CG_ERR_LAUNCH
		: CG_OK;
}

static cg_status launch_fma(void *arg)
{
	struct ceiling *c = arg;

	return launch(c, c->fma);
}

static cg_status launch_triad(void *arg)
{
	struct ceiling *c = arg;

	return launch(c, c->triad);
}

double ceiling_fma(struct ceiling *c)
{
	const float a = .999f, b = .001f;
	const cl_int n = c->ctx->info.is_cpu ? LOOPS : LOOPS / 8;

	if (!c->fma || !c->out || clSetKernelArg(c->fma, 0, sizeof(cl_mem), &c->out) ||
		clSetKernelArg(c->fma, 1, sizeof(a), &a) ||
		clSetKernelArg(c->fma, 2, sizeof(b), &b) ||
		clSetKernelArg(c->fma, 3, sizeof(n), &n))
		return NAN;
	return 2. * CHAINS * LANES * n * (double)c->items / seconds_of(c->ctx, launch_fma, c, 3);
}

static bool make_arrays(struct ceiling *c, int64_t floats)
{
	const float one = 1;

	free_arrays(c);
	for (int i = 0; i < 3; i++) {
		size_t bytes = (size_t)floats * sizeof(float);

		c->array[i] = clCreateBuffer(c->ctx->cl, CL_MEM_READ_WRITE, bytes, NULL, NULL);
		if (!c->array[i] ||
			clEnqueueFillBuffer(c->ctx->queue, c->array[i], &one, sizeof(one), 0, bytes,
				0, NULL, NULL))
			return false;
		clSetKernelArg(c->triad, (cl_uint)i, sizeof(cl_mem), &c->array[i]);
	}
	return true;
}

/* Counted are the bytes that the source names: two reads and a write. */
double ceiling_triad(struct ceiling *c, int64_t floats)
{
	const float s = .5f;
	const cl_int n = (cl_int)(floats / LANES);
	double seconds;

	if (!c->triad || !make_arrays(c, floats) || clSetKernelArg(c->triad, 3, sizeof(s), &s) ||
		clSetKernelArg(c->triad, 4, sizeof(n), &n))
		return NAN;
	seconds = seconds_of(c->ctx, launch_triad, c, 5);
	free_arrays(c);
	return 3. * sizeof(float) * LANES * n / seconds;
}
