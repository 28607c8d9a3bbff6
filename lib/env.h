/* Every environment variable the library reads, parsed once at cg_open. */
#ifndef CG_ENV_H
#define CG_ENV_H

#include "error.h"

/* name, field, meaning */
#define CG__ENV_LIST(X) \
	X("CG_DEVICE", device, "auto, cpu, gpu, N, P:D or a part of the name: the device") \
	X("CG_FAMILY", family, "cpu or gpu: force a family of kernels on any device") \
	X("CG_GEMM", gemm, "own or clblast: force what multiplies matrices") \
	X("CG_TRACE", trace, "op,launch,mem,build: tell on stderr what happens") \
	X("CG_SYNC", sync, "1: wait after each launch, so that a failure gets its true name") \
	X("CG_NAN", nan, "1: stop at the first launch whose result is not finite") \
	X("CG_GUARD", guard, "1: own buffers with guard bytes, NaN-filled, checked after each launch; exact: no guard bytes") \
	X("CG_FAULT", fault, "alloc:N, build:N, launch:N, write:N or N: fail the N-th such event (tests)") \
	X("CG_CL_DIR", cl_dir, "directory: read kernels from there instead of the built-in copies") \
	X("CG_BUILD", build, "further options for the kernel compiler") \
	X("CG_TUNE", tune, "file with parameters that override the built-in tune table") \
	X("CG_AUTOTUNE", autotune, "off; cache: take what tuning has found here before; on: also time shapes not seen yet [cache]") \
	X("CG_FUSE", fuse, "-name,-name: rewrites to leave out; -all: every one") \
	X("CG_CACHE", cache, "off, or a directory for kernel binaries and what tuning found [$XDG_CACHE_HOME/clgrad; binaries on PoCL: off]") \
	X("XDG_CACHE_HOME", xdg_cache, "where caches lie [$HOME/.cache]") \
	X("HOME", home, "home directory")

enum { CG__TRACE_OP = 1, CG__TRACE_LAUNCH = 2, CG__TRACE_MEM = 4, CG__TRACE_BUILD = 8 };
enum cg__fault { CG__FAULT_ANY, CG__FAULT_ALLOC, CG__FAULT_BUILD, CG__FAULT_LAUNCH, CG__FAULT_WRITE };

struct cg__env {
#define X(name, field, help) char field[256];
	CG__ENV_LIST(X)
#undef X
	cg_autotune autotune_mode;
	unsigned trace_mask;
	bool sync_on, nan_on, guard_on;
	bool guard_exact;	/* own buffers of the very size, for tools that check bounds themselves */
	enum cg__fault fault_kind;
	uint64_t fault_at;	/* 0: none */
};

/* CG_ERR_ARGUMENT names the variable and its value. */
cg_status cg__env_read(cg_ctx *ctx, struct cg__env *env);

#endif
