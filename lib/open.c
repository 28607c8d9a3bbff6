/* Assembles and takes apart a context. */
#include "arena.h"
#include "choice.h"
#include "ctx.h"
#include "device.h"
#include "fuse.h"
#include "gemm.h"
#include "kernel.h"
#include "tuned.h"

#include <stdlib.h>

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unknown"
#endif

const char *cg_version(void)
{
	return PACKAGE_VERSION;
}

static cg_status assemble(cg_ctx *ctx, const cg_options *options)
{
	TRY(cg__env_read(ctx, &ctx->env));
	ctx->autotune = ctx->env.autotune_mode;
	TRY(cg__fuse_check(ctx));
	TRY(cg__device_open(ctx, options ? options->device : NULL));
	TRY(cg__tune_choose(ctx, &ctx->info, &ctx->tune));
	return cg__gemm_open(ctx);
}

cg_status cg_open(const cg_options *options, cg_ctx **ctx)
{
	*ctx = calloc(1, sizeof(**ctx));
	if (*ctx == NULL)
		return CG_ERR_HOST_MEMORY;
	return assemble(*ctx, options);
}

void cg_close(cg_ctx *ctx)
{
	if (ctx == NULL)
		return;
	if (ctx->queue)
		clFinish(ctx->queue);
	cg__kernel_close(ctx);
	cg__gemm_close(ctx);
	cg__choices_close(ctx);
	cg__tuned_close(ctx);
	cg__staging_free(ctx);
	cg__device_close(ctx);
	free(ctx);
}

cg_status cg_finish(cg_ctx *ctx)
{
	cl_int code = clFinish(ctx->queue);

	ctx->stats.waits++;
	return code == CL_SUCCESS ? CG_OK : cg__fail_cl(ctx, CG_ERR_OPENCL, code, "clFinish");
}

const char *cg_family(const cg_ctx *ctx)
{
	return ctx->tune.cpu_family ? "cpu" : "gpu";
}

const char *cg_gemm_backend(const cg_ctx *ctx)
{
	return ctx->tune.clblast ? "clblast" : "own";
}

cg_stats cg_get_stats(const cg_ctx *ctx)
{
	return ctx->stats;
}
