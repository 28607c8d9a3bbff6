/*
 * Kernel sources -> programs, built on first use and cached on disk as binaries, keyed by source, options,
 * device and driver.
 */
#ifndef CG_KERNEL_H
#define CG_KERNEL_H

#include "ctx.h"

/* Embedded by build-aux/embed.awk; the last one has name NULL, lines end with NULL. */
struct cg__cl_source {
	const char *name;
	const char *const *lines;
};
extern const struct cg__cl_source cg__cl_sources[];

/* A new kernel object from cl/<file>.cl built with `options` (NULL: none), with `args` arguments.
 * CG_ERR_BUILD shows the compiler's log, or both argument counts. */
cg_status cg__kernel_new(cg_ctx *ctx, const char *file, const char *options, const char *name, int args,
			 cl_kernel *kernel);
/* Writes the binaries of what was built since; a failure to write is no error. */
void cg__kernel_save_cache(cg_ctx *ctx);
void cg__kernel_close(cg_ctx *ctx);

/* The path of a file in the cache folder; false where there is none. */
bool cg__cache_path(cg_ctx *ctx, const char *name, char *path, size_t size);
/* Makes the folders above a file. */
void cg__make_directories(char *path);

#endif
