#include "kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cg__program {
	struct cg__program *next;
	char *key; /* file and options */
	char hash[33]; /* of everything the binary depends on */
	cl_program program;
	bool dirty; /* has a kernel that the file in the cache has not */
	char *names; /* "a,b,": kernels in use; CPU runtimes specialise on first use */
};

/* ---- text ----------------------------------------------------------------------------------- */

struct text {
	char *bytes;
	size_t length, size;
	bool failed;
};

static void append(struct text *t, const char *s)
{
	size_t n = strlen(s);

	if (t->length + n + 1 > t->size) {
		size_t size = 2 * t->size + n + 4096;
		char *bytes = realloc(t->bytes, size);

		if (bytes == NULL) {
			t->failed = true;
			return;
		}
		t->bytes = bytes;
		t->size = size;
	}
	memcpy(t->bytes + t->length, s, n + 1);
	t->length += n;
}

static cg_status append_source(cg_ctx *ctx, struct text *t, const char *name);

static void mark_line(struct text *t, const char *name, int line)
{
	char mark[128];

	snprintf(mark, sizeof(mark), "#line %d \"%s.cl\"\n", line, name);
	append(t, mark);
}

/* `#include "other.cl"` is replaced by that file. */
static cg_status append_line(
	cg_ctx *ctx, struct text *t, const char *name, int number, const char *line)
{
	char other[64];

	if (sscanf(line, "#include \"%63[a-z0-9_].cl\"", other) != 1) {
		append(t, line);
		return CG_OK;
	}
	TRY(append_source(ctx, t, other));
	mark_line(t, name, number + 1);
	return CG_OK;
}

static cg_status append_file(cg_ctx *ctx, struct text *t, const char *name)
{
	char path[512], line[4096];
	cg_status status = CG_OK;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.cl", ctx->env.cl_dir, name);
	f = fopen(path, "r");
	if (f == NULL)
		return cg__fail(ctx, CG_ERR_FILE, "CG_CL_DIR: cannot open %s", path);
	for (int i = 1; status == CG_OK && fgets(line, sizeof(line), f) != NULL; i++)
		status = append_line(ctx, t, name, i, line);
	fclose(f);
	return status;
}

static cg_status append_source(cg_ctx *ctx, struct text *t, const char *name)
{
	mark_line(t, name, 1);
	if (ctx->env.cl_dir[0])
		return append_file(ctx, t, name);
	for (const struct cg__cl_source *s = cg__cl_sources; s->name != NULL; s++)
		if (strcmp(s->name, name) == 0) {
			for (int i = 0; s->lines[i] != NULL; i++)
				TRY(append_line(ctx, t, name, i + 1, s->lines[i]));
			return CG_OK;
		}
	return cg__fail(ctx, CG_ERR_BUILD, "no kernel file %s.cl", name);
}

static void build_options(cg_ctx *ctx, const char *own, char *out, size_t size)
{
	const struct cg__tune *t = &ctx->tune;

	snprintf(out, size, "-cl-std=CL1.2 -DCG_CPU=%d -DCG_VW=%d -DCG_GROUP=%d %s %s",
		t->cpu_family, t->vector_width, t->group, own ? own : "", ctx->env.build);
}

/* ---- cache ---------------------------------------------------------------------------------- */

static uint64_t fnv(uint64_t h, const void *bytes, size_t n)
{
	for (const unsigned char *p = bytes; n > 0; n--, p++)
		h = (h ^ *p) * 1099511628211u;
	return h;
}

static void hash_of(cg_ctx *ctx, const char *source, const char *options, char hash[33])
{
	const char *part[] = { source, options, ctx->info.platform_name, ctx->info.name,
		ctx->info.version, ctx->info.driver, cg_version() };
	uint64_t a = 14695981039346656037u, b = 0x9E3779B97F4A7C15u;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		a = fnv(a, part[i], strlen(part[i]) + 1);
		b = fnv(b ^ a, part[i], strlen(part[i]) + 1);
	}
	snprintf(hash, 33, "%016llx%016llx", (unsigned long long)a, (unsigned long long)b);
}

bool cg__cache_path(cg_ctx *ctx, const char *name, char *path, size_t size)
{
	const struct cg__env *e = &ctx->env;
	int n;

	if (strcmp(e->cache, "off") == 0)
		return false;
	if (e->cache[0])
		n = snprintf(path, size, "%s/%s", e->cache, name);
	else if (e->xdg_cache[0])
		n = snprintf(path, size, "%s/clgrad/%s", e->xdg_cache, name);
	else if (e->home[0])
		n = snprintf(path, size, "%s/.cache/clgrad/%s", e->home, name);
	else
		return false;
	return n > 0 && (size_t)n < size;
}

static bool binary_path(cg_ctx *ctx, const char *hash, char *path, size_t size)
{
	char name[48];

	if (!ctx->env.cache[0] && !ctx->tune.keep_binaries)
		return false;
	snprintf(name, sizeof(name), "%s.bin", hash);
	return cg__cache_path(ctx, name, path, size);
}

void cg__make_directories(char *path)
{
	for (char *p = path + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			mkdir(path, 0777);
			*p = '/';
		}
}

/* A cache file: magic, length of names, length of binary, checksum of both; names; binary. */
struct header {
	char magic[8];
	uint64_t names, binary, sum;
};
static const char magic[8] = "clgrad1";

static unsigned char *cache_read(const char *path, struct header *h)
{
	FILE *f = fopen(path, "rb");
	unsigned char *bytes = NULL;
	struct stat st;

	if (f == NULL)
		return NULL;
	if (fread(h, sizeof(*h), 1, f) == 1 && memcmp(h->magic, magic, 8) == 0 &&
		fstat(fileno(f), &st) == 0 && h->names < 1u << 20 && h->binary < 1u << 30 &&
		(uint64_t)st.st_size == sizeof(*h) + h->names + h->binary) {
		size_t n = (size_t)(h->names + h->binary);

		bytes = malloc(n + 1);
		if (bytes &&
			(fread(bytes, 1, n, f) != n ||
				fnv(14695981039346656037u, bytes, n) != h->sum)) {
			free(bytes);
			bytes = NULL;
		}
	}
	fclose(f);
	return bytes;
}

static bool load_binary(cg_ctx *ctx, struct cg__program *p, const char *options)
{
	char path[1024];
	struct header h;
	unsigned char *bytes;
	cl_int status, code;

	if (!binary_path(ctx, p->hash, path, sizeof(path)) ||
		(bytes = cache_read(path, &h)) == NULL)
		return false;
	const unsigned char *binary = bytes + h.names;
	size_t size = (size_t)h.binary;
	p->program =
		clCreateProgramWithBinary(ctx->cl, 1, &ctx->device, &size, &binary, &status, &code);
	if (code == CL_SUCCESS &&
		clBuildProgram(p->program, 1, &ctx->device, options, NULL, NULL) == CL_SUCCESS) {
		p->names = calloc(1, (size_t)h.names + 1);
		if (p->names)
			memcpy(p->names, bytes, (size_t)h.names);
	} else if (p->program) {
		clReleaseProgram(p->program);
		p->program = NULL;
	}
	free(bytes);
	return p->program != NULL;
}

static void write_file(
	const char *path, const struct header *h, const char *names, const unsigned char *binary)
{
	char temporary[1100];
	FILE *f;
	bool good;

	snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
	f = fopen(temporary, "wb");
	if (f == NULL)
		return;
	good = fwrite(h, sizeof(*h), 1, f) == 1 &&
		fwrite(names, 1, (size_t)h->names, f) == h->names &&
		fwrite(binary, 1, (size_t)h->binary, f) == h->binary;
	good = fclose(f) == 0 && good;
	if (!good || rename(temporary, path) != 0)
		remove(temporary);
}

static void save_binary(cg_ctx *ctx, struct cg__program *p)
{
	char path[1024];
	size_t size = 0;
	unsigned char *binary;
	struct header h;

	p->dirty = false;
	if (!binary_path(ctx, p->hash, path, sizeof(path)) || p->names == NULL)
		return;
	if (clGetProgramInfo(p->program, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL) !=
			CL_SUCCESS ||
		size == 0)
		return;
	binary = malloc(size);
	if (binary &&
		clGetProgramInfo(p->program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL) ==
			CL_SUCCESS) {
		memcpy(h.magic, magic, 8);
		h.names = strlen(p->names);
		h.binary = size;
		h.sum = fnv(fnv(14695981039346656037u, p->names, (size_t)h.names), binary, size);
		cg__make_directories(path);
		write_file(path, &h, p->names, binary);
	}
	free(binary);
}

void cg__kernel_save_cache(cg_ctx *ctx)
{
	for (struct cg__program *p = ctx->programs; p != NULL; p = p->next)
		if (p->dirty)
			save_binary(ctx, p);
}

/* ---- programs ------------------------------------------------------------------------------- */

static cg_status fail_build(cg_ctx *ctx, cl_program program, const char *key, cl_int code)
{
	char log[sizeof(ctx->message)];
	size_t n = 0;

	log[0] = '\0';
	clGetProgramBuildInfo(program, ctx->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &n);
	char *whole = n ? malloc(n + 1) : NULL;
	if (whole &&
		clGetProgramBuildInfo(program, ctx->device, CL_PROGRAM_BUILD_LOG, n, whole, NULL) ==
			CL_SUCCESS)
		snprintf(log, sizeof(log), "%.800s", whole);
	free(whole);
	return cg__fail(ctx, CG_ERR_BUILD, "%s: %s: %s", key, cg__cl_error_name(code), log);
}

static cg_status compile(
	cg_ctx *ctx, struct cg__program *p, const char *source, const char *options)
{
	cl_int code;

	if (cg__fault(ctx, CG__FAULT_BUILD))
		return cg__fail(ctx, CG_ERR_BUILD, "%s: failed as CG_FAULT asks", p->key);
	p->program = clCreateProgramWithSource(ctx->cl, 1, &source, NULL, &code);
	if (code != CL_SUCCESS)
		return cg__fail_cl(ctx, CG_ERR_BUILD, code, "clCreateProgramWithSource");
	code = clBuildProgram(p->program, 1, &ctx->device, options, NULL, NULL);
	if (code != CL_SUCCESS)
		return fail_build(ctx, p->program, p->key, code);
	ctx->stats.builds++;
	return CG_OK;
}

static cg_status build(cg_ctx *ctx, struct cg__program *p, const char *file, const char *own)
{
	struct text source = { 0 };
	char options[1024];
	cg_status status;

	build_options(ctx, own, options, sizeof(options));
	status = append_source(ctx, &source, "common");
	if (status == CG_OK)
		status = append_source(ctx, &source, file);
	if (status == CG_OK && source.failed)
		status = cg__fail(ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", file);
	if (status == CG_OK) {
		hash_of(ctx, source.bytes, options, p->hash);
		if (load_binary(ctx, p, options))
			ctx->stats.cache_hits++;
		else
			status = compile(ctx, p, source.bytes, options);
	}
	if (status == CG_OK && (ctx->env.trace_mask & CG__TRACE_BUILD))
		fprintf(stderr, "cg build: %s [%s]\n", file, options);
	free(source.bytes);
	return status;
}

static void program_free(struct cg__program *p)
{
	if (p->program)
		clReleaseProgram(p->program);
	free(p->key);
	free(p->names);
	free(p);
}

static cg_status program_get(
	cg_ctx *ctx, const char *file, const char *options, struct cg__program **out)
{
	char key[512];
	struct cg__program *p;
	cg_status status;

	snprintf(key, sizeof(key), "%s.cl %s", file, options ? options : "");
	for (p = ctx->programs; p != NULL; p = p->next)
		if (strcmp(p->key, key) == 0) {
			*out = p;
			return CG_OK;
		}
	p = calloc(1, sizeof(*p));
	if (p == NULL || (p->key = strdup(key)) == NULL) {
		free(p);
		return cg__fail(ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", key);
	}
	status = build(ctx, p, file, options);
	if (status != CG_OK) {
		program_free(p);
		return status;
	}
	p->next = ctx->programs;
	ctx->programs = p;
	*out = p;
	return CG_OK;
}

/* Notes that a kernel is in use, so that the cache gets the binary with it. */
static void note_use(struct cg__program *p, const char *name)
{
	char entry[130];
	size_t n = p->names ? strlen(p->names) : 0;

	snprintf(entry, sizeof(entry), "%.127s,", name);
	for (const char *at = p->names; at && (at = strstr(at, entry)) != NULL; at++)
		if (at == p->names || at[-1] == ',')
			return;
	char *names = realloc(p->names, n + strlen(entry) + 1);
	if (names == NULL)
		return;
	strcpy(names + n, entry);
	p->names = names;
	p->dirty = true;
}

cg_status cg__kernel_new(cg_ctx *ctx, const char *file, const char *options, const char *name,
	int args, cl_kernel *kernel)
{
	struct cg__program *p = NULL;
	cl_uint count = 0;
	cl_int code;

	TRY(program_get(ctx, file, options, &p));
	*kernel = clCreateKernel(p->program, name, &code);
	if (code != CL_SUCCESS)
		return cg__fail(ctx, CG_ERR_BUILD, "%s.cl: no kernel %s: %s", file, name,
			cg__cl_error_name(code));
	clGetKernelInfo(*kernel, CL_KERNEL_NUM_ARGS, sizeof(count), &count, NULL);
	if ((int)count != args) {
		clReleaseKernel(*kernel);
		*kernel = NULL;
		return cg__fail(ctx, CG_ERR_BUILD, "%s.cl: %s takes %u arguments, %d are given",
			file, name, count, args);
	}
	note_use(p, name);
	return CG_OK;
}

void cg__kernel_close(cg_ctx *ctx)
{
	cg__kernel_save_cache(ctx);
	while (ctx->programs != NULL) {
		struct cg__program *p = ctx->programs;

		ctx->programs = p->next;
		program_free(p);
	}
}
