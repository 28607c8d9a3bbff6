#include "npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC = 6, MAX_HEADER = 65535 };

/* ---- reading ---------------------------------------------------------------------------------- */

/* "(1, 224, 224, 3)" */
static const char *read_shape(const char *text, struct npy *a)
{
	const char *at = strstr(text, "'shape':");
	char *end;

	at = at ? strchr(at, '(') : NULL;
	if (!at)
		return "its header has no shape";
	a->ndim = 0;
	a->count = 1;
	for (at++; *at && *at != ')'; at = end + strspn(end, ", ")) {
		long long n = strtoll(at, &end, 10);

		if (end == at || n < 1 || a->ndim == NPY_DIM || n > INT32_MAX / a->count)
			return "its shape is empty or too large";
		a->shape[a->ndim++] = n;
		a->count *= n;
	}
	if (!a->ndim)
		a->shape[a->ndim++] = 1;
	return NULL;
}

/* Where the values begin, into *at. */
static const char *read_header(const unsigned char *bytes, size_t size, struct npy *a, size_t *at)
{
	size_t wide = size > MAGIC && bytes[MAGIC] == 1 ? 2 : 4, length = 0;
	const char *wrong;
	char *text;

	if (size < MAGIC + 2 + wide || memcmp(bytes, magic, MAGIC))
		return "not a .npy file";
	for (size_t i = wide; i > 0; i--)
		length = length << 8 | bytes[MAGIC + 1 + i];
	*at = MAGIC + 2 + wide + length;
	if (length > MAX_HEADER)
		return "its header is too long";
	if (*at > size)
		return "cut short";
	text = calloc(length + 1, 1);
	if (!text)
		return "too large for the memory";
	memcpy(text, bytes + *at - length, length);
	if (!strstr(text, "'<f4'"))
		wrong = "its type is not float32 ('<f4')";
	else if (!strstr(text, "'fortran_order': False"))
		wrong = "its order is Fortran's";
	else
		wrong = read_shape(text, a);
	free(text);
	return wrong;
}

const char *npy_parse(const void *bytes, size_t size, struct npy *a)
{
	size_t at;
	const char *wrong;

	*a = (struct npy){ 0 };
	wrong = read_header(bytes, size, a, &at);
	if (wrong)
		return wrong;
	if ((size - at) / sizeof(*a->value) < (size_t)a->count)
		return "cut short";
	a->value = malloc((size_t)a->count * sizeof(*a->value));
	if (!a->value)
		return "too large for the memory";
	memcpy(a->value, (const char *)bytes + at, (size_t)a->count * sizeof(*a->value));
	return NULL;
}

const char *npy_read(const char *path, struct npy *a)
{
	FILE *f = fopen(path, "rb");
	const char *wrong = "cannot be read";
	char *bytes = NULL;
	long size;

	*a = (struct npy){ 0 };
	if (!f)
		return "cannot be opened";
	if (!fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET)) {
		bytes = malloc((size_t)size + 1);
		if (!bytes)
			wrong = "too large for the memory";
		else if (fread(bytes, 1, (size_t)size, f) == (size_t)size)
			wrong = npy_parse(bytes, (size_t)size, a);
	}
	free(bytes);
	fclose(f);
	return wrong;
}

/* ---- writing ---------------------------------------------------------------------------------- */

int npy_write(const char *path, const struct npy *a)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "{'descr': '<f4', 'fortran_order': False, 'shape': (");
	unsigned char length[2];
	FILE *f = fopen(path, "wb");
	int failed;

	if (!f)
		return -1;
	for (int i = 0; i < a->ndim; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%lld%s", (long long)a->shape[i],
			      i < a->ndim - 1 ? ", " : a->ndim == 1 ? "," : "");
	n += snprintf(text + n, sizeof(text) - (size_t)n, "), }");
	while ((MAGIC + 4 + n + 1) % 64)
		text[n++] = ' ';
	text[n++] = '\n';
	length[0] = (unsigned char)(n & 255);
	length[1] = (unsigned char)(n >> 8);
	fwrite(magic, 1, MAGIC, f);
	fwrite("\1", 1, 2, f);
	fwrite(length, 1, 2, f);
	fwrite(text, 1, (size_t)n, f);
	fwrite(a->value, sizeof(*a->value), (size_t)a->count, f);
	failed = ferror(f);
	return fclose(f) || failed ? -1 : 0;
}
