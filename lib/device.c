#include "device.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLATFORMS = 16, MAX_DEVICES = 64 };

static void text_of(cl_device_id d, cl_device_info what, char *out, size_t size)
{
	size_t n = 0;

	out[0] = '\0';
	if (clGetDeviceInfo(d, what, 0, NULL, &n) != CL_SUCCESS || n == 0)
		return;
	char *text = malloc(n);
	if (text && clGetDeviceInfo(d, what, n, text, NULL) == CL_SUCCESS)
		snprintf(out, size, "%.*s", (int)n, text);
	free(text);
}

static uint64_t number_of(cl_device_id d, cl_device_info what, size_t size)
{
	union {
		cl_uint u;
		cl_ulong l;
		size_t s;
	} v = { .l = 0 };

	if (clGetDeviceInfo(d, what, size, &v, NULL) != CL_SUCCESS)
		return 0;
	return size == sizeof(cl_uint) ? v.u : v.l;
}

static void read_max_items(cl_device_id d, size_t items[2])
{
	size_t all[16] = { 0 };

	clGetDeviceInfo(d, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(all), all, NULL);
	memcpy(items, all, 2 * sizeof(*items));
}

static void describe(cl_platform_id platform, cl_device_id d, cg_device_info *info)
{
	char extensions[4096];
	cl_device_type type = 0;
	cl_device_local_mem_type local = CL_GLOBAL;

	clGetPlatformInfo(
		platform, CL_PLATFORM_NAME, sizeof(info->platform_name), info->platform_name, NULL);
	text_of(d, CL_DEVICE_NAME, info->name, sizeof(info->name));
	text_of(d, CL_DEVICE_VENDOR, info->vendor, sizeof(info->vendor));
	text_of(d, CL_DEVICE_VERSION, info->version, sizeof(info->version));
	text_of(d, CL_DRIVER_VERSION, info->driver, sizeof(info->driver));
	text_of(d, CL_DEVICE_EXTENSIONS, extensions, sizeof(extensions));
	clGetDeviceInfo(d, CL_DEVICE_TYPE, sizeof(type), &type, NULL);
	clGetDeviceInfo(d, CL_DEVICE_LOCAL_MEM_TYPE, sizeof(local), &local, NULL);
	info->is_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
	info->is_gpu = (type & CL_DEVICE_TYPE_GPU) != 0;
	info->local_is_real = local == CL_LOCAL;
	info->has_fp16 = strstr(extensions, "cl_khr_fp16") != NULL;
	info->has_fp64 = strstr(extensions, "cl_khr_fp64") != NULL;
	info->compute_units = (unsigned)number_of(d, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(cl_uint));
	info->clock_mhz = (unsigned)number_of(d, CL_DEVICE_MAX_CLOCK_FREQUENCY, sizeof(cl_uint));
	info->vector_width =
		(unsigned)number_of(d, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof(cl_uint));
	info->max_work_group = (size_t)number_of(d, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
	read_max_items(d, info->max_items);
	info->global_bytes = number_of(d, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(cl_ulong));
	info->max_alloc_bytes = number_of(d, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(cl_ulong));
	info->local_bytes = number_of(d, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(cl_ulong));
	info->align_bytes =
		(unsigned)number_of(d, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof(cl_uint)) / 8;
	/* what the most demanding devices ask for: an optimiser's moments are saved as they lie, and go on elsewhere */
	if (info->align_bytes < 512)
		info->align_bytes = 512;
}

static int list(cg_device_info *info, cl_device_id *id, int max)
{
	cl_platform_id platform[MAX_PLATFORMS];
	cl_uint platforms = 0;
	int n = 0;

	if (clGetPlatformIDs(MAX_PLATFORMS, platform, &platforms) != CL_SUCCESS)
		return 0;
	if (platforms > MAX_PLATFORMS)
		platforms = MAX_PLATFORMS;
	for (cl_uint p = 0; p < platforms; p++) {
		cl_device_id device[MAX_DEVICES];
		cl_uint devices = 0;

		if (clGetDeviceIDs(platform[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, device,
			    &devices) != CL_SUCCESS)
			continue;
		for (cl_uint d = 0; d < devices && d < MAX_DEVICES; d++, n++) {
			if (n >= max)
				continue;
			memset(&info[n], 0, sizeof(info[n]));
			describe(platform[p], device[d], &info[n]);
			info[n].platform = (int)p;
			info[n].device = (int)d;
			id[n] = device[d];
		}
	}
	return n;
}

int cg_device_list(cg_device_info *info, int max)
{
	cl_device_id id[MAX_DEVICES];

	return list(info, id, max < MAX_DEVICES ? max : MAX_DEVICES);
}

static bool contains(const char *text, const char *part)
{
	for (; *text; text++) {
		size_t i = 0;

		while (part[i] &&
			tolower((unsigned char)text[i]) == tolower((unsigned char)part[i]))
			i++;
		if (part[i] == '\0')
			return true;
	}
	return false;
}

/* How well a device fits a wish: 0 not at all, more is better, first of equals wins. */
static int fit(const cg_device_info *d, int position, const char *wish)
{
	char *end;
	long a = strtol(wish, &end, 10);

	if (strcmp(wish, "auto") == 0)
		return d->is_gpu ? 3 : d->is_cpu ? 2 : 1;
	if (strcmp(wish, "cpu") == 0)
		return d->is_cpu;
	if (strcmp(wish, "gpu") == 0)
		return d->is_gpu;
	if (end != wish && *end == '\0')
		return a == position;
	if (end != wish && *end == ':')
		return a == d->platform && atoi(end + 1) == d->device;
	return contains(d->name, wish) || contains(d->platform_name, wish);
}

static cg_status create(cg_ctx *ctx)
{
	cl_int code;

	ctx->cl = clCreateContext(NULL, 1, &ctx->device, NULL, NULL, &code);
	if (code != CL_SUCCESS)
		return cg__fail_cl(ctx, CG_ERR_OPENCL, code, "clCreateContext");
	ctx->queue = clCreateCommandQueue(ctx->cl, ctx->device, 0, &code);
	if (code != CL_SUCCESS)
		return cg__fail_cl(ctx, CG_ERR_OPENCL, code, "clCreateCommandQueue");
	return CG_OK;
}

cg_status cg__device_open(cg_ctx *ctx, const char *wish)
{
	cg_device_info info[MAX_DEVICES];
	cl_device_id id[MAX_DEVICES];
	int n = list(info, id, MAX_DEVICES), best = -1, best_fit = 0;

	if (wish == NULL || wish[0] == '\0')
		wish = ctx->env.device[0] ? ctx->env.device : "auto";
	for (int i = 0; i < n && i < MAX_DEVICES; i++)
		if (fit(&info[i], i, wish) > best_fit) {
			best = i;
			best_fit = fit(&info[i], i, wish);
		}
	if (n == 0)
		return cg__fail(
			ctx, CG_ERR_NO_DEVICE, "no OpenCL device found (no platform is installed)");
	if (best < 0)
		return cg__fail(
			ctx, CG_ERR_NO_DEVICE, "no OpenCL device fits \"%s\" (%d found)", wish, n);
	ctx->info = info[best];
	ctx->device = id[best];
	return create(ctx);
}

void cg__device_close(cg_ctx *ctx)
{
	if (ctx->queue)
		clReleaseCommandQueue(ctx->queue);
	if (ctx->cl)
		clReleaseContext(ctx->cl);
}

const cg_device_info *cg_device(const cg_ctx *ctx)
{
	return &ctx->info;
}
