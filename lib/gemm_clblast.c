/* Products by CLBlast. */
#include "gemm.h"

#include "ctx.h"

#include <clblast_c.h>

void cg__gemm_close(cg_ctx *ctx)
{
	if (ctx->clblast_used)
		CLBlastClearCache();
}

/* Codes beyond OpenCL's: what CLBlast says of arguments, of its own state, of the device. */
#define CLBLAST_LIST(X) \
	X(CLBlastNotImplemented) X(CLBlastInvalidMatrixA) X(CLBlastInvalidMatrixB) \
	X(CLBlastInvalidMatrixC) X(CLBlastInvalidDimension) X(CLBlastInvalidLeadDimA) \
	X(CLBlastInvalidLeadDimB) X(CLBlastInvalidLeadDimC) X(CLBlastInsufficientMemoryA) \
	X(CLBlastInsufficientMemoryB) X(CLBlastInsufficientMemoryC) \
	X(CLBlastInsufficientMemoryTemp) X(CLBlastInvalidBatchCount) \
	X(CLBlastInvalidLocalMemUsage) X(CLBlastMissingOverrideParameter) \
	X(CLBlastDatabaseError) X(CLBlastUnknownError) \
	X(CLBlastUnexpectedError)

const char *cg__gemm_error_name(int code)
{
	switch (code) {
#define X(name) \
	case name: \
		return #name;
		CLBLAST_LIST(X)
#undef X
	default: return cg__cl_error_name(code); /* shared with OpenCL */
	}
}

static cg_status fail_clblast(cg_ctx *ctx, const struct cg__gemm *g, int code)
{
	return cg__fail(ctx, CG_ERR_GEMM, "gemm: CLBlast, %lldx%lldx%lld: %s (%d)",
		(long long)g->M, (long long)g->N, (long long)g->K,
		cg__gemm_error_name(code), code);
}

struct blob {
	struct cg__gemm g;
};

/* Large products are padded or transposed into scratch, which the plan provides: mem[3]. */
static cg_status call_clblast(cg_ctx *ctx, const void *blob, void *const *mem)
{
	const struct cg__gemm *g = &((const struct blob *)blob)->g;
	CLBlastTranspose ta = g->trans_a ? CLBlastTransposeYes : CLBlastTransposeNo;
	CLBlastTranspose tb = g->trans_b ? CLBlastTransposeYes : CLBlastTransposeNo;
	CLBlastStatusCode code;

	code = CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, ta, tb, (size_t)g->M,
		(size_t)g->N, (size_t)g->K, 1, mem[0], (size_t)g->a_offset, (size_t)g->lda,
		mem[1], (size_t)g->b_offset, (size_t)g->ldb, g->beta, mem[2],
		(size_t)g->c_offset, (size_t)g->ldc, &ctx->queue, NULL, mem[3]);
	return code == CLBlastSuccess ? CG_OK : fail_clblast(ctx, g, (int)code);
}

/* Scratch of just this product, strides and offsets too; NULL where none is needed. */
static cg_status scratch_of(struct cg__emit *e, const struct cg__gemm *g, cg_tensor **scratch)
{
	cg_ctx *ctx = cg__emit_ctx(e);
	size_t bytes = 0;
	CLBlastStatusCode code;

	*scratch = NULL;
	ctx->clblast_used = true;
	code = CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor,
		g->trans_a ? CLBlastTransposeYes : CLBlastTransposeNo,
		g->trans_b ? CLBlastTransposeYes : CLBlastTransposeNo, (size_t)g->M, (size_t)g->N,
		(size_t)g->K, (size_t)g->a_offset, (size_t)g->lda, (size_t)g->b_offset,
		(size_t)g->ldb, (size_t)g->c_offset, (size_t)g->ldc, &ctx->queue, &bytes);
	if (code != CLBlastSuccess)
		return fail_clblast(ctx, g, (int)code);
	if (bytes > 0)
		*scratch = cg__temp(e, CG_FLOAT32, (int64_t)((bytes + 3) / 4));
	return bytes > 0 && *scratch == NULL ? CG_ERR_HOST_MEMORY : CG_OK;
}

cg_status cg__gemm_clblast(struct cg__emit *e, const struct cg__gemm *g)
{
	struct blob blob = { *g };
	cg_tensor *scratch;
	struct cg__arg arg[4] = { IN(g->a), IN(g->b), cg__gemm_c(g) };

	TRY(scratch_of(e, g, &scratch));
	arg[3] = OUT(scratch);
	TRY(cg__launch_call(e, scratch ? "clblast" : "clblast_direct", call_clblast, &blob, sizeof(blob), arg, 4));
	cg__flops(e, 2.0 * (double)(g->M * g->N * g->K));
	if (g->bias == NULL && g->act == CG__ACT_NONE)
		return CG_OK;
	return CG__LAUNCH(e, "gemm_gpu", NULL, "gemm_epilogue",
		cg__range_rows(e, g->N, g->M), UPDATE(g->c), IN(g->bias), INT(g->M),
		INT(g->N), INT(g->c_offset), INT(g->ldc),
		INT(g->act));
}
