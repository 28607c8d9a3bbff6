#include "arena.h"

#include <stdlib.h>
#include <string.h>

enum { RING = 64, SMALL = 1 << 16 };

struct cg__staging {
	struct {
		unsigned char *bytes;
		size_t size;
		cl_event done;
	} slot[RING];
	unsigned next;
};

bool cg__fault(cg_ctx *ctx, enum cg__fault kind)
{
	if (ctx->env.fault_at == 0 ||
		(ctx->env.fault_kind != CG__FAULT_ANY && ctx->env.fault_kind != kind))
		return false;
	return ++ctx->fault_count == ctx->env.fault_at;
}

cg_status cg__mem_new(cg_ctx *ctx, size_t bytes, cl_mem *mem)
{
	cl_int code = CL_MEM_OBJECT_ALLOCATION_FAILURE;

	*mem = NULL;
	if (bytes == 0)
		bytes = 1;
	if (bytes > ctx->info.max_alloc_bytes)
		return cg__fail(ctx, CG_ERR_DEVICE_MEMORY,
			"%zu bytes wanted, the device allocates at most %llu at once", bytes,
			(unsigned long long)ctx->info.max_alloc_bytes);
	if (!cg__fault(ctx, CG__FAULT_ALLOC))
		*mem = clCreateBuffer(ctx->cl, CL_MEM_READ_WRITE, bytes, NULL, &code);
	if (*mem == NULL)
		return cg__fail(ctx, CG_ERR_DEVICE_MEMORY,
			"cannot allocate %zu bytes (%llu in use): %s", bytes,
			(unsigned long long)ctx->stats.bytes_now, cg__cl_error_name(code));
	ctx->stats.allocations++;
	ctx->stats.bytes_now += bytes;
	if (ctx->stats.bytes_now > ctx->stats.bytes_peak)
		ctx->stats.bytes_peak = ctx->stats.bytes_now;
	if (ctx->env.trace_mask & CG__TRACE_MEM)
		fprintf(stderr, "cg mem: +%zu bytes, %llu in use\n", bytes,
			(unsigned long long)ctx->stats.bytes_now);
	return CG_OK;
}

void cg__mem_free(cg_ctx *ctx, cl_mem mem, size_t bytes)
{
	if (mem == NULL)
		return;
	clReleaseMemObject(mem);
	ctx->stats.bytes_now -= bytes ? bytes : 1;
}

cg_status cg__mem_sub(cg_ctx *ctx, cl_mem parent, size_t offset, size_t bytes, cl_mem *sub)
{
	cl_buffer_region region = { offset, bytes ? bytes : 1 };
	cl_int code;

	*sub = clCreateSubBuffer(
		parent, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
	if (*sub == NULL)
		return cg__fail_cl(ctx, CG_ERR_DEVICE_MEMORY, code, "clCreateSubBuffer");
	return CG_OK;
}

cg_status cg__mem_fill(cg_ctx *ctx, cl_mem mem, size_t offset, size_t bytes, unsigned char byte)
{
	cl_int code;

	if (bytes == 0)
		return CG_OK;
	code = clEnqueueFillBuffer(ctx->queue, mem, &byte, 1, offset, bytes, 0, NULL, NULL);
	return code == CL_SUCCESS ? CG_OK
				  : cg__fail_cl(ctx, CG_ERR_OPENCL, code, "clEnqueueFillBuffer");
}

static cg_status write_now(cg_ctx *ctx, cl_mem mem, size_t offset, const void *host, size_t bytes)
{
	cl_int code =
		clEnqueueWriteBuffer(ctx->queue, mem, CL_TRUE, offset, bytes, host, 0, NULL, NULL);

	ctx->stats.waits++;
	return code == CL_SUCCESS ? CG_OK
				  : cg__fail_cl(ctx, CG_ERR_OPENCL, code, "clEnqueueWriteBuffer");
}

cg_status cg__mem_write(cg_ctx *ctx, cl_mem mem, size_t offset, const void *host, size_t bytes)
{
	struct cg__staging *s = ctx->staging;
	int i;
	cl_int code;

	if (bytes == 0)
		return CG_OK;
	if (s == NULL)
		s = ctx->staging = calloc(1, sizeof(*s));
	if (s == NULL || bytes > SMALL)
		return write_now(ctx, mem, offset, host, bytes);
	i = (int)(s->next++ % RING);
	if (s->slot[i].done) { /* RING writes ago: long finished, or the host ran ahead far enough */
		clWaitForEvents(1, &s->slot[i].done);
		clReleaseEvent(s->slot[i].done);
		s->slot[i].done = NULL;
	}
	if (s->slot[i].size < bytes) {
		free(s->slot[i].bytes);
		s->slot[i].size = 0;
		s->slot[i].bytes = malloc(bytes);
		if (s->slot[i].bytes == NULL)
			return write_now(ctx, mem, offset, host, bytes);
		s->slot[i].size = bytes;
	}
	memcpy(s->slot[i].bytes, host, bytes);
	code = clEnqueueWriteBuffer(ctx->queue, mem, CL_FALSE, offset, bytes, s->slot[i].bytes, 0,
		NULL, &s->slot[i].done);
	return code == CL_SUCCESS ? CG_OK
				  : cg__fail_cl(ctx, CG_ERR_OPENCL, code, "clEnqueueWriteBuffer");
}

cg_status cg__mem_read(cg_ctx *ctx, cl_mem mem, size_t offset, void *host, size_t bytes)
{
	cl_int code;

	if (bytes == 0)
		return CG_OK;
	ctx->stats.waits++;
	code = clEnqueueReadBuffer(ctx->queue, mem, CL_TRUE, offset, bytes, host, 0, NULL, NULL);
	return code == CL_SUCCESS ? CG_OK
				  : cg__fail_cl(ctx, CG_ERR_OPENCL, code, "clEnqueueReadBuffer");
}

void cg__staging_free(cg_ctx *ctx)
{
	struct cg__staging *s = ctx->staging;

	for (int i = 0; s && i < RING; i++) {
		if (s->slot[i].done)
			clReleaseEvent(s->slot[i].done);
		free(s->slot[i].bytes);
	}
	free(s);
	ctx->staging = NULL;
}

/* ---- layout -------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
	const struct cg__slot *x = *(struct cg__slot *const *)a, *y = *(struct cg__slot *const *)b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int by_offset(const void *a, const void *b)
{
	const struct cg__slot *x = *(struct cg__slot *const *)a, *y = *(struct cg__slot *const *)b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The lowest free place of `bank` for s among the placed slots that live with it. */
static size_t lowest_place(struct cg__slot **placed, int count, const struct cg__slot *s, int bank,
	size_t align, struct cg__slot **scratch)
{
	size_t at = 0;
	int n = 0;

	for (int i = 0; i < count; i++)
		if (placed[i]->bank == bank && placed[i]->first <= s->last &&
			s->first <= placed[i]->last)
			scratch[n++] = placed[i];
	qsort(scratch, (size_t)n, sizeof(*scratch), by_offset);
	for (int i = 0; i < n; i++) {
		if (at + s->bytes <= scratch[i]->offset)
			break;
		size_t end = (scratch[i]->offset + scratch[i]->bytes + align - 1) / align * align;
		if (end > at)
			at = end;
	}
	return at;
}

static cg_status place(cg_ctx *ctx, struct cg__slot **order, int i, size_t align, uint64_t max_bank,
	struct cg__layout *layout, struct cg__slot **scratch)
{
	struct cg__slot *s = order[i];

	if (s->bytes > max_bank)
		return cg__fail(ctx, CG_ERR_DEVICE_MEMORY,
			"a tensor of %zu bytes, the device allocates at most %llu at once",
			s->bytes, (unsigned long long)max_bank);
	for (int bank = 0; bank < CG__MAX_BANKS; bank++) {
		size_t at = lowest_place(order, i, s, bank, align, scratch);

		if (at + s->bytes > max_bank)
			continue;
		s->bank = bank;
		s->offset = at;
		if (bank >= layout->banks)
			layout->banks = bank + 1;
		if (at + s->bytes > layout->bank_bytes[bank])
			layout->bank_bytes[bank] = at + s->bytes;
		return CG_OK;
	}
	return cg__fail(
		ctx, CG_ERR_DEVICE_MEMORY, "a plan needs more than %d buffers", CG__MAX_BANKS);
}

#ifdef CG_DEBUG
static bool overlap(const struct cg__slot *a, const struct cg__slot *b)
{
	return a->bytes && b->bytes && a->bank == b->bank && a->first <= b->last && b->first <= a->last &&
		a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}
#endif

cg_status cg__layout_slots(cg_ctx *ctx, struct cg__slot *slot, int count, size_t align,
	uint64_t max_bank, struct cg__layout *layout)
{
	struct cg__slot **order = malloc(2 * (size_t)(count + 1) * sizeof(*order));
	cg_status status = CG_OK;

	memset(layout, 0, sizeof(*layout));
	if (order == NULL)
		return cg__fail(ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	for (int i = 0; i < count; i++) {
		order[i] = &slot[i];
		layout->unshared += slot[i].bytes;
	}
	qsort(order, (size_t)count, sizeof(*order), by_size);
	for (int i = 0; i < count && status == CG_OK; i++)
		status = place(ctx, order, i, align, max_bank, layout, order + count);
#ifdef CG_DEBUG
	for (int i = 0; i < count && status == CG_OK; i++)
		for (int j = 0; j < i; j++)
			CG__CHECK(!overlap(&slot[i], &slot[j]));
#endif
	for (int i = 0; i < layout->banks; i++)
		layout->peak += layout->bank_bytes[i];
	free(order);
	return status;
}
