/*
 * The safetensors format: 8 bytes little-endian length of the header, a JSON object {name: {dtype, shape,
 * data_offsets}}, "__metadata__" with strings, then the data. Only the JSON that the format needs is understood;
 * everything is checked against the file's size before it is believed. Little-endian hosts only, as OpenCL's.
 */
#include "safetensors.h"

#include "ctx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_HEADER = 100 << 20 };

struct cg_file {
	cg_ctx *ctx;
	char *path;
	FILE *f;
	uint64_t data; /* where the data begins */
	uint64_t data_bytes;
	struct cg__file_entry *entry;
	int count, size;
	struct cg__file_meta *meta;
	int metas;
};

/* ---- the header's JSON --------------------------------------------------------------------------- */

struct json {
	const char *at, *end;
	const char *error; /* the first thing that is wrong */
};

static bool wrong(struct json *j, const char *what)
{
	if (j->error == NULL)
		j->error = what;
	return false;
}

static char peek(struct json *j)
{
	while (j->at < j->end && strchr(" \t\r\n", *j->at) != NULL && *j->at)
		j->at++;
	return j->at < j->end ? *j->at : '\0';
}

static bool eat(struct json *j, char c)
{
	if (peek(j) != c)
		return false;
	j->at++;
	return true;
}

static bool need(struct json *j, char c)
{
	return eat(j, c) || wrong(j, "the header is not the JSON of this format");
}

static bool hex(struct json *j, unsigned *code)
{
	*code = 0;
	for (int i = 0; i < 4; i++, j->at++) {
		char c = j->at < j->end ? *j->at : '\0';
		int digit = c >= '0' && c <= '9' ? c - '0'
			: c >= 'a' && c <= 'f'   ? c - 'a' + 10
			: c >= 'A' && c <= 'F'   ? c - 'A' + 10
						 : -1;

		if (digit < 0)
			return wrong(j, "a bad \\u escape");
		*code = *code * 16 + (unsigned)digit;
	}
	return true;
}

static int utf8(unsigned code, char out[3])
{
	if (code < 0x80) {
		out[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		out[0] = (char)(0xC0 | code >> 6);
		out[1] = (char)(0x80 | (code & 63));
		return 2;
	}
	out[0] = (char)(0xE0 | code >> 12);
	out[1] = (char)(0x80 | (code >> 6 & 63));
	out[2] = (char)(0x80 | (code & 63));
	return 3;
}

/* A string of at most size - 1 bytes. */
static bool string(struct json *j, char *out, size_t size)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	size_t n = 0;

	if (!need(j, '"'))
		return false;
	while (j->at < j->end && *j->at != '"') {
		char piece[3] = { *j->at++ };
		int length = 1;

		if (piece[0] == '\\') {
			char c = j->at < j->end ? *j->at++ : '\0';
			const char *known = c ? strchr(from, c) : NULL;
			unsigned code;

			if (c == 'u' && hex(j, &code))
				length = utf8(code, piece);
			else if (known)
				piece[0] = to[known - from];
			else
				return wrong(j, "a bad escape in a string");
		}
		if (n + (size_t)length >= size)
			return wrong(j, "a string is too long");
		memcpy(out + n, piece, (size_t)length);
		n += (size_t)length;
	}
	out[n] = '\0';
	return need(j, '"');
}

static bool number(struct json *j, uint64_t *value)
{
	*value = 0;
	if (peek(j) < '0' || *j->at > '9')
		return wrong(j, "a number is expected");
	for (; j->at < j->end && *j->at >= '0' && *j->at <= '9'; j->at++) {
		if (*value > (UINT64_MAX - 9) / 10)
			return wrong(j, "a number is too large");
		*value = *value * 10 + (uint64_t)(*j->at - '0');
	}
	return true;
}

/* [a, b, ...], at most `max` */
static bool numbers(struct json *j, uint64_t *value, int max, int *count)
{
	*count = 0;
	if (!need(j, '['))
		return false;
	if (eat(j, ']'))
		return true;
	do {
		if (*count == max)
			return wrong(j, "a tensor has too many dimensions");
		if (!number(j, &value[(*count)++]))
			return false;
	} while (eat(j, ','));
	return need(j, ']');
}

static bool dtype_of(struct json *j, const char *name, cg_dtype *type)
{
	if (strcmp(name, "F32") == 0)
		*type = CG_FLOAT32;
	else if (strcmp(name, "I32") == 0)
		*type = CG_INT32;
	else if (strcmp(name, "U8") == 0)
		*type = CG_UINT8;
	else
		return wrong(j, "a tensor's type is none of F32, I32, U8");
	return true;
}

static bool parse_tensor(struct json *j, struct cg__file_entry *e)
{
	uint64_t n[CG_MAX_DIM], offset[2] = { 0, 0 };
	int dims = 0, offsets = 0;
	char key[32], type[16] = "";

	if (!need(j, '{'))
		return false;
	do {
		if (!string(j, key, sizeof(key)) || !need(j, ':'))
			return false;
		if (strcmp(key, "dtype") == 0               ? !string(j, type, sizeof(type))
				: strcmp(key, "shape") == 0 ? !numbers(j, n, CG_MAX_DIM, &dims)
				: strcmp(key, "data_offsets") == 0
				? !numbers(j, offset, 2, &offsets)
				: !wrong(j, "a tensor has an unknown key"))
			return false;
	} while (eat(j, ','));
	if (offsets != 2 || !dtype_of(j, type, &e->dtype))
		return wrong(j, "a tensor lacks dtype or data_offsets");
	for (int i = 0; i < dims; i++)
		e->shape[i] = n[i] <= INT32_MAX ? (int64_t)n[i] : -1;
	if (dims == 0)
		e->shape[dims++] = 1; /* a scalar */
	e->ndim = dims;
	e->begin = offset[0];
	e->end = offset[1];
	return need(j, '}');
}

static bool parse_meta(struct json *j, cg_file *f)
{
	if (!need(j, '{'))
		return false;
	if (eat(j, '}'))
		return true;
	do {
		char key[CG__FILE_NAME], value[65536];
		struct cg__file_meta *bigger;

		if (!string(j, key, sizeof(key)) || !need(j, ':') ||
			!string(j, value, sizeof(value)))
			return false;
		if (cg_file_meta(f, key))
			return wrong(j, "a key of __metadata__ is there twice");
		bigger = realloc(f->meta, ((size_t)f->metas + 1) * sizeof(*bigger));
		if (bigger == NULL)
			return wrong(j, "out of host memory");
		f->meta = bigger;
		f->meta[f->metas] = (struct cg__file_meta){ strdup(key), strdup(value) };
		f->metas++;
	} while (eat(j, ','));
	return need(j, '}');
}

static struct cg__file_entry *new_entry(cg_file *f)
{
	if (f->count == f->size) {
		int size = f->size ? 2 * f->size : 64;
		struct cg__file_entry *bigger = realloc(f->entry, (size_t)size * sizeof(*bigger));

		if (bigger == NULL)
			return NULL;
		f->entry = bigger;
		f->size = size;
	}
	memset(&f->entry[f->count], 0, sizeof(*f->entry));
	return &f->entry[f->count];
}

static bool parse_tensors(struct json *j, cg_file *f)
{
	if (!need(j, '{'))
		return false;
	if (eat(j, '}'))
		return true;
	do {
		struct cg__file_entry *e = new_entry(f);

		if (e == NULL)
			return wrong(j, "out of host memory");
		if (!string(j, e->name, sizeof(e->name)) || !need(j, ':'))
			return false;
		if (strcmp(e->name, "__metadata__") == 0) {
			if (!parse_meta(j, f))
				return false;
		} else {
			if (!parse_tensor(j, e))
				return false;
			f->count++;
		}
	} while (eat(j, ','));
	return need(j, '}');
}

static bool parse_header(struct json *j, cg_file *f)
{
	return parse_tensors(j, f) &&
		(peek(j) == '\0' || wrong(j, "there is something after the header's end"));
}

static cg_status check_entry(cg_file *f, const struct cg__file_entry *e)
{
	uint64_t n = cg_dtype_size(e->dtype);

	for (int i = 0; i < e->ndim; i++) {
		if (e->shape[i] < 1 || n > INT32_MAX * (uint64_t)4 / (uint64_t)e->shape[i])
			return cg__fail(f->ctx, CG_ERR_FORMAT, "%s: %s: dimension %d is not usable",
				f->path, e->name, i);
		n *= (uint64_t)e->shape[i];
	}
	if (e->begin > e->end || e->end - e->begin != n)
		return cg__fail(f->ctx, CG_ERR_FORMAT, "%s: %s: %llu bytes, its shape needs %llu",
			f->path, e->name, (unsigned long long)(e->end - e->begin),
			(unsigned long long)n);
	if (e->end > f->data_bytes)
		return cg__fail(f->ctx, CG_ERR_FORMAT,
			"%s: %s: ends at byte %llu of the data, the file has %llu (cut short?)",
			f->path, e->name, (unsigned long long)e->end,
			(unsigned long long)f->data_bytes);
	return CG_OK;
}

static int by_name(const void *a, const void *b)
{
	const struct cg__file_entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int by_place(const void *a, const void *b)
{
	const struct cg__file_entry *const *x = a, *const *y = b;

	return (*x)->begin < (*y)->begin ? -1 : (*x)->begin > (*y)->begin;
}

static cg_status check_names(cg_file *f, const struct cg__file_entry **e)
{
	qsort(e, (size_t)f->count, sizeof(*e), by_name);
	for (int i = 1; i < f->count; i++)
		if (strcmp(e[i - 1]->name, e[i]->name) == 0)
			return cg__fail(f->ctx, CG_ERR_FORMAT, "%s: %s is there twice", f->path,
				e[i]->name);
	return CG_OK;
}

/* Tensors lie side by side and fill the file, in whatever order the header has them. */
static cg_status check_places(cg_file *f, const struct cg__file_entry **e)
{
	uint64_t at = 0;

	qsort(e, (size_t)f->count, sizeof(*e), by_place);
	for (int i = 0; i < f->count; at = e[i++]->end) {
		if (e[i]->begin < at)
			return cg__fail(f->ctx, CG_ERR_FORMAT, "%s: %s and %s overlap", f->path,
				e[i - 1]->name, e[i]->name);
		if (e[i]->begin > at)
			return cg__fail(f->ctx, CG_ERR_FORMAT,
				"%s: %llu bytes before %s belong to no tensor", f->path,
				(unsigned long long)(e[i]->begin - at), e[i]->name);
	}
	if (at < f->data_bytes)
		return cg__fail(f->ctx, CG_ERR_FORMAT,
			"%s: %llu bytes behind %s belong to no tensor", f->path,
			(unsigned long long)(f->data_bytes - at),
			f->count ? e[f->count - 1]->name : "the header");
	return CG_OK;
}

/* What the format demands of all tensors together. */
static cg_status check_entries(cg_file *f)
{
	const struct cg__file_entry **e = malloc(((size_t)f->count + 1) * sizeof(*e));
	cg_status status = CG_OK;

	if (e == NULL)
		return cg__fail(f->ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", f->path);
	for (int i = 0; i < f->count && status == CG_OK; i++)
		status = check_entry(f, e[i] = &f->entry[i]);
	if (status == CG_OK)
		status = check_names(f, e);
	if (status == CG_OK)
		status = check_places(f, e);
	free(e);
	return status;
}

/* ---- reading --------------------------------------------------------------------------------------- */

static cg_status read_header(cg_file *f)
{
	unsigned char raw[8];
	uint64_t length = 0;
	struct stat st;
	struct json j = { 0 };
	char *text;

	if (fstat(fileno(f->f), &st) != 0 || fread(raw, 1, 8, f->f) != 8)
		return cg__fail(
			f->ctx, CG_ERR_FORMAT, "%s: too short for a safetensors file", f->path);
	for (int i = 7; i >= 0; i--)
		length = length << 8 | raw[i];
	if (length > MAX_HEADER || length + 8 > (uint64_t)st.st_size)
		return cg__fail(f->ctx, CG_ERR_FORMAT,
			"%s: the header would be %llu bytes of a file of %llu", f->path,
			(unsigned long long)length, (unsigned long long)st.st_size);
	f->data = 8 + length;
	f->data_bytes = (uint64_t)st.st_size - f->data;
	text = malloc((size_t)length + 1);
	if (text == NULL)
		return cg__fail(f->ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", f->path);
	if (fread(text, 1, (size_t)length, f->f) != length)
		wrong(&j, "the header cannot be read");
	j.at = text;
	j.end = text + length;
	if (j.error == NULL)
		parse_header(&j, f);
	free(text);
	if (j.error)
		return cg__fail(f->ctx, CG_ERR_FORMAT, "%s: %s", f->path, j.error);
	return check_entries(f);
}

cg_file *cg_file_open(cg_ctx *ctx, const char *path)
{
	cg_file *f = calloc(1, sizeof(*f));

	if (f == NULL || (f->path = strdup(path)) == NULL) {
		free(f);
		cg__fail(ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", path);
		return NULL;
	}
	f->ctx = ctx;
	f->f = fopen(path, "rb");
	if (f->f == NULL)
		cg__fail(ctx, CG_ERR_FILE, "%s: %s", path, strerror(errno));
	if (f->f == NULL || read_header(f) != CG_OK) {
		cg_file_close(f);
		return NULL;
	}
	return f;
}

void cg_file_close(cg_file *f)
{
	if (f == NULL)
		return;
	if (f->f)
		fclose(f->f);
	for (int i = 0; i < f->metas; i++) {
		free(f->meta[i].key);
		free(f->meta[i].value);
	}
	free(f->meta);
	free(f->entry);
	free(f->path);
	free(f);
}

int cg_file_count(const cg_file *f)
{
	return f->count;
}

const char *cg_file_name(const cg_file *f, int i)
{
	return f->entry[i].name;
}

int cg_file_find(const cg_file *f, const char *name)
{
	for (int i = 0; i < f->count; i++)
		if (strcmp(f->entry[i].name, name) == 0)
			return i;
	return -1;
}

int cg_file_shape(const cg_file *f, int i, int64_t shape[CG_MAX_DIM])
{
	memcpy(shape, f->entry[i].shape, sizeof(f->entry[i].shape));
	return f->entry[i].ndim;
}

cg_dtype cg_file_dtype(const cg_file *f, int i)
{
	return f->entry[i].dtype;
}

cg_status cg_file_read(cg_file *f, int i, void *host, size_t bytes)
{
	const struct cg__file_entry *e = &f->entry[i];

	if (bytes != e->end - e->begin)
		return cg__fail(f->ctx, CG_ERR_ARGUMENT, "%s: %s: %zu bytes given, it has %llu",
			f->path, e->name, bytes, (unsigned long long)(e->end - e->begin));
	if (fseeko(f->f, (off_t)(f->data + e->begin), SEEK_SET) != 0 ||
		fread(host, 1, bytes, f->f) != bytes)
		return cg__fail(f->ctx, CG_ERR_FILE, "%s: %s: cannot be read", f->path, e->name);
	return CG_OK;
}

const char *cg_file_meta(const cg_file *f, const char *key)
{
	for (int i = 0; i < f->metas; i++)
		if (f->meta[i].key && strcmp(f->meta[i].key, key) == 0)
			return f->meta[i].value;
	return NULL;
}
