/* Placeholder until the kernels land: opening works, products do not. */
#include "gemm.h"

cg_status cg__gemm_open(cg_ctx *ctx)
{
	(void)ctx;
	return CG_OK;
}

void cg__gemm_close(cg_ctx *ctx)
{
	(void)ctx;
}

cg_status cg__gemm(struct cg__emit *e, const struct cg__gemm *g)
{
	(void)g;
	return cg__fail(cg__emit_ctx(e), CG_ERR_GEMM, "gemm: not built yet");
}
