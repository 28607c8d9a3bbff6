/* Which devices there are, and opening one. */
#ifndef CG_DEVICE_H
#define CG_DEVICE_H

#include "ctx.h"

/* Chooses by `wish` (NULL: CG_DEVICE, else auto), fills ctx->info, device, cl and queue. */
cg_status cg__device_open(cg_ctx *ctx, const char *wish);
void cg__device_close(cg_ctx *ctx);

#endif
