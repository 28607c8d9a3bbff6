/* Errors: one funnel that all failures pass (a good place for a breakpoint). */
#ifndef CG_ERROR_H
#define CG_ERROR_H

#include "clgrad.h"

/* Remembers the first failure of the context, formatted, and returns `status`. ctx NULL is fine. */
cg_status cg__fail(cg_ctx *ctx, cg_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* As above for an OpenCL return code: "what: CL_OUT_OF_RESOURCES (-5)". */
cg_status cg__fail_cl(cg_ctx *ctx, cg_status status, int code, const char *what);
const char *cg__cl_error_name(int code);

#endif
