#include "ctx.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cg_status_text(cg_status status)
{
	static const char *const text[] = {
#define X(name, text) [name] = text,
		CG_STATUS_LIST(X)
#undef X
	};

	return (unsigned)status < CG_STATUS_COUNT ? text[status] : "unknown status";
}

static void remember(cg_ctx *ctx, cg_status status, const char *format, va_list ap)
{
	if (ctx == NULL || ctx->status != CG_OK)
		return;
	ctx->status = status;
	vsnprintf(ctx->message, sizeof(ctx->message), format, ap);
}

cg_status cg__fail(cg_ctx *ctx, cg_status status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	remember(ctx, status, format, ap);
	va_end(ap);
	return status;
}

cg_status cg__fail_cl(cg_ctx *ctx, cg_status status, int code, const char *what)
{
	return cg__fail(ctx, status, "%s: %s (%d)", what, cg__cl_error_name(code), code);
}

const char *cg_error(const cg_ctx *ctx)
{
	return ctx ? ctx->message : "out of host memory";
}

cg_status cg_error_status(const cg_ctx *ctx)
{
	return ctx ? ctx->status : CG_ERR_HOST_MEMORY;
}

void cg_clear_error(cg_ctx *ctx)
{
	ctx->status = CG_OK;
	ctx->message[0] = '\0';
}

/* The codes of OpenCL 1.2 and of the ICD loader. */
#define CL_ERROR_LIST(X) \
	X(CL_SUCCESS) X(CL_DEVICE_NOT_FOUND) X(CL_DEVICE_NOT_AVAILABLE) X(CL_COMPILER_NOT_AVAILABLE) \
	X(CL_MEM_OBJECT_ALLOCATION_FAILURE) X(CL_OUT_OF_RESOURCES) X(CL_OUT_OF_HOST_MEMORY) \
	X(CL_PROFILING_INFO_NOT_AVAILABLE) X(CL_MEM_COPY_OVERLAP) X(CL_BUILD_PROGRAM_FAILURE) X(CL_MAP_FAILURE) \
	X(CL_MISALIGNED_SUB_BUFFER_OFFSET) X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST) \
	X(CL_COMPILE_PROGRAM_FAILURE) X(CL_LINKER_NOT_AVAILABLE) X(CL_LINK_PROGRAM_FAILURE) X(CL_INVALID_VALUE) \
	X(CL_INVALID_DEVICE_TYPE) X(CL_INVALID_PLATFORM) X(CL_INVALID_DEVICE) X(CL_INVALID_CONTEXT) \
	X(CL_INVALID_QUEUE_PROPERTIES) X(CL_INVALID_COMMAND_QUEUE) X(CL_INVALID_HOST_PTR) X(CL_INVALID_MEM_OBJECT) \
	X(CL_INVALID_BINARY) X(CL_INVALID_BUILD_OPTIONS) X(CL_INVALID_PROGRAM) X(CL_INVALID_PROGRAM_EXECUTABLE) \
	X(CL_INVALID_KERNEL_NAME) X(CL_INVALID_KERNEL_DEFINITION) X(CL_INVALID_KERNEL) X(CL_INVALID_ARG_INDEX) \
	X(CL_INVALID_ARG_VALUE) X(CL_INVALID_ARG_SIZE) X(CL_INVALID_KERNEL_ARGS) X(CL_INVALID_WORK_DIMENSION) \
	X(CL_INVALID_WORK_GROUP_SIZE) X(CL_INVALID_WORK_ITEM_SIZE) X(CL_INVALID_GLOBAL_OFFSET) \
	X(CL_INVALID_EVENT_WAIT_LIST) X(CL_INVALID_EVENT) X(CL_INVALID_OPERATION) X(CL_INVALID_BUFFER_SIZE) \
	X(CL_INVALID_GLOBAL_WORK_SIZE) X(CL_INVALID_PROPERTY)

const char *cg__cl_error_name(int code)
{
	switch (code) {
#define X(name) \
	case name: \
		return #name;
		CL_ERROR_LIST(X)
#undef X
	case -1001:
		return "CL_PLATFORM_NOT_FOUND_KHR";
	default:
		return "unknown OpenCL error";
	}
}
