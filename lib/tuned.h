/*
 * What tuning found on this device: lines `key = value` of a text file in the cache folder. The file's name and head
 * say for which device, driver, parameters and kernels; anything else in it, and it is ignored and written anew.
 */
#ifndef CG_TUNED_H
#define CG_TUNED_H

#include "ctx.h"

/* What is known under a key, or NULL; reads the file at the first call. Nothing is known where CG_CACHE or
 * CG_AUTOTUNE is off, or CG_CL_DIR gives other kernels. */
const char *cg__tuned_find(cg_ctx *ctx, const char *key);
/* Copies both; CG_ERR_HOST_MEMORY. */
cg_status cg__tuned_set(cg_ctx *ctx, const char *key, const char *value);
/* Writes what was set since, and what other processes have written meanwhile, to a temporary name, and renames it.
 * A failure to write is no error, but noted. */
void cg__tuned_save(cg_ctx *ctx);
void cg__tuned_close(cg_ctx *ctx);

#endif
