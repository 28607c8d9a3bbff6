/* Writing safetensors files: to a temporary name, which replaces the old file when all is on disk. */
#include "safetensors.h"

#include "ctx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct item {
	struct cg__file_entry entry;
	void *data;
};

struct cg_writer {
	cg_ctx *ctx;
	char *path;
	struct item *item;
	int count;
	struct cg__file_meta *meta;
	int metas;
	uint64_t bytes;
};

cg_writer *cg_writer_new(cg_ctx *ctx, const char *path)
{
	cg_writer *w = calloc(1, sizeof(*w));

	if (w == NULL || (w->path = strdup(path)) == NULL) {
		free(w);
		cg__fail(ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", path);
		return NULL;
	}
	w->ctx = ctx;
	return w;
}

void cg_writer_abort(cg_writer *w)
{
	if (w == NULL)
		return;
	for (int i = 0; i < w->count; i++)
		free(w->item[i].data);
	for (int i = 0; i < w->metas; i++) {
		free(w->meta[i].key);
		free(w->meta[i].value);
	}
	free(w->item);
	free(w->meta);
	free(w->path);
	free(w);
}

static cg_status no_memory(cg_writer *w)
{
	return cg__fail(w->ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", w->path);
}

cg_status cg_writer_meta(cg_writer *w, const char *key, const char *value)
{
	struct cg__file_meta *bigger = realloc(w->meta, ((size_t)w->metas + 1) * sizeof(*bigger));

	if (bigger == NULL)
		return no_memory(w);
	w->meta = bigger;
	w->meta[w->metas] = (struct cg__file_meta){ strdup(key), strdup(value) };
	w->metas++;
	return w->meta[w->metas - 1].key && w->meta[w->metas - 1].value ? CG_OK : no_memory(w);
}

cg_status cg_writer_add(cg_writer *w, const char *name, cg_dtype type, int ndim,
	const int64_t *shape, const void *host)
{
	struct item *bigger = realloc(w->item, ((size_t)w->count + 1) * sizeof(*bigger));
	struct item *item;
	size_t bytes = cg_dtype_size(type);

	if (bigger == NULL)
		return no_memory(w);
	w->item = bigger;
	item = &w->item[w->count];
	memset(item, 0, sizeof(*item));
	if (strlen(name) >= CG__FILE_NAME || ndim < 1 || ndim > CG_MAX_DIM)
		return cg__fail(w->ctx, CG_ERR_ARGUMENT, "%s: %s: name or shape cannot be written",
			w->path, name);
	strcpy(item->entry.name, name);
	item->entry.dtype = type;
	item->entry.ndim = ndim;
	for (int i = 0; i < ndim; i++) {
		item->entry.shape[i] = shape[i];
		bytes *= (size_t)shape[i];
	}
	item->data = malloc(bytes ? bytes : 1);
	if (item->data == NULL)
		return no_memory(w);
	memcpy(item->data, host, bytes);
	item->entry.begin = w->bytes;
	item->entry.end = w->bytes += bytes;
	w->count++;
	return CG_OK;
}

static void write_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20)
			fprintf(f, "\\u%04x", (unsigned)*s);
		else
			fputc(*s, f);
	fputc('"', f);
}

static void write_header(const cg_writer *w, FILE *f)
{
	static const char *const type[] = {
		[CG_FLOAT32] = "F32", [CG_INT32] = "I32", [CG_UINT8] = "U8"
	};

	fputs("{\"__metadata__\":{", f);
	for (int i = 0; i < w->metas; i++) {
		fputs(i ? "," : "", f);
		write_string(f, w->meta[i].key);
		fputc(':', f);
		write_string(f, w->meta[i].value);
	}
	fputc('}', f);
	for (int i = 0; i < w->count; i++) {
		const struct cg__file_entry *e = &w->item[i].entry;

		fputc(',', f);
		write_string(f, e->name);
		fprintf(f, ":{\"dtype\":\"%s\",\"shape\":[", type[e->dtype]);
		for (int d = 0; d < e->ndim; d++)
			fprintf(f, "%s%lld", d ? "," : "", (long long)e->shape[d]);
		fprintf(f, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)e->begin,
			(unsigned long long)e->end);
	}
	fputc('}', f);
	while (ftello(f) % 8 != 0) /* the data begins aligned */
		fputc(' ', f);
}

static bool write_all(const cg_writer *w, FILE *f)
{
	unsigned char raw[8] = { 0 };
	uint64_t length;
	off_t end;

	fwrite(raw, 1, 8, f);
	write_header(w, f);
	end = ftello(f);
	length = (uint64_t)end - 8;
	for (int i = 0; i < 8; i++)
		raw[i] = (unsigned char)(length >> 8 * i);
	for (int i = 0; i < w->count; i++) {
		size_t bytes = (size_t)(w->item[i].entry.end - w->item[i].entry.begin);

		if (fwrite(w->item[i].data, 1, bytes, f) != bytes)
			return false;
	}
	if (fseeko(f, 0, SEEK_SET) != 0 || fwrite(raw, 1, 8, f) != 8)
		return false;
	return !ferror(f);
}

cg_status cg_writer_close(cg_writer *w)
{
	size_t n = strlen(w->path) + 32;
	char *temporary = malloc(n);
	cg_status status = CG_OK;
	FILE *f = NULL;
	bool good;

	if (temporary == NULL)
		status = no_memory(w);
	else {
		snprintf(temporary, n, "%s.%ld.tmp", w->path, (long)getpid());
		f = cg__fault(w->ctx, CG__FAULT_WRITE) ? NULL : fopen(temporary, "wb");
		good = f != NULL && write_all(w, f) && fflush(f) == 0 && fsync(fileno(f)) == 0;
		if (f != NULL && fclose(f) != 0)
			good = false;
		if (!good || rename(temporary, w->path) != 0) {
			status = cg__fail(w->ctx, CG_ERR_FILE, "%s: cannot be written: %s", w->path,
				f ? strerror(errno) : "cannot open");
			remove(temporary);
		}
	}
	free(temporary);
	cg_writer_abort(w);
	return status;
}
