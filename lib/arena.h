/*
 * Device memory: counted allocations with fault injection, the layout of an arena, guard bytes, and
 * writes that do not wait.
 */
#ifndef CG_ARENA_H
#define CG_ARENA_H

#include "ctx.h"

enum { CG__GUARD_BYTES = 4096, CG__GUARD_BYTE = 0xA5 };

/* A buffer of `bytes` (at least 1). CG_ERR_DEVICE_MEMORY names both sizes. */
cg_status cg__mem_new(cg_ctx *ctx, size_t bytes, cl_mem *mem);
void cg__mem_free(cg_ctx *ctx, cl_mem mem, size_t bytes);
/* A part of a buffer; the offset is a multiple of the device's alignment. Released with clReleaseMemObject. */
cg_status cg__mem_sub(cg_ctx *ctx, cl_mem parent, size_t offset, size_t bytes, cl_mem *sub);
cg_status cg__mem_fill(cg_ctx *ctx, cl_mem mem, size_t offset, size_t bytes, unsigned char byte);

/* Writes without waiting: the bytes are copied to a ring first (large ones are written at once). */
cg_status cg__mem_write(cg_ctx *ctx, cl_mem mem, size_t offset, const void *host, size_t bytes);
cg_status cg__mem_read(cg_ctx *ctx, cl_mem mem, size_t offset, void *host, size_t bytes);
void cg__staging_free(cg_ctx *ctx);

/* A thing that needs memory from launch `first` to launch `last`, both included. */
struct cg__slot {
	size_t bytes;
	int first, last;
	int bank;		/* result: which buffer, and where in it */
	size_t offset;
};

enum { CG__MAX_BANKS = 64 };

struct cg__layout {
	int banks;
	size_t bank_bytes[CG__MAX_BANKS];
	uint64_t peak, unshared;	/* sum of the banks; sum of all slots */
};

/* Gives each slot a place so that no two that live at the same time overlap; big ones first, each at the
 * lowest place that is free (Pisarchyk, Lee 2020: greedy by size). A bank is at most max_bank bytes:
 * CG_ERR_DEVICE_MEMORY if one slot is larger. */
cg_status cg__layout_slots(cg_ctx *ctx, struct cg__slot *slot, int count, size_t align, uint64_t max_bank,
			   struct cg__layout *layout);

#endif
