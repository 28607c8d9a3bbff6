/* The context: everything the library knows hangs from here. */
#ifndef CG_CTX_H
#define CG_CTX_H

#ifndef CL_TARGET_OPENCL_VERSION
#define CL_TARGET_OPENCL_VERSION 120
#endif
#include <CL/cl.h>

#include "env.h"
#include "tune.h"

struct cg__program;	/* kernel.c */
struct cg__staging;	/* arena.c */
struct cg__tuned;	/* tuned.c */
struct cg__choices;	/* choice.c */

struct cg_ctx {
	cg_status status;	/* the first failure */
	char message[1024];
	struct cg__env env;
	cg_device_info info;
	cl_device_id device;
	cl_context cl;
	cl_command_queue queue;	/* in order */
	struct cg__tune tune;
	cg_autotune autotune;
	struct cg__tuned *tuned;
	struct cg__choices *choices;
	struct cg__program *programs;
	struct cg__staging *staging;
	bool clblast_used;	/* it keeps something of this context: gemm_clblast.c */
	const char *clblast_version; /* "1.5.3": gemm_sets.c */
	cg_stats stats;
	uint64_t fault_count;
	uint64_t parameter_writes; /* how often a parameter may have changed */
};

#ifndef TRY
#define TRY(call) \
	do { \
		cg_status try_status_ = (call); \
		if (try_status_ != CG_OK) \
			return try_status_; \
	} while (0)
#endif

/* A check of our own work, which aborts: --enable-debug. */
#ifdef CG_DEBUG
#include <assert.h>
#define CG__CHECK(condition) assert(condition)
#else
#define CG__CHECK(condition) ((void)0)
#endif

/* True when this event is the one that CG_FAULT wants to fail. */
bool cg__fault(cg_ctx *ctx, enum cg__fault kind);

#endif
