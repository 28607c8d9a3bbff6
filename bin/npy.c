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

static const char *read_header(FILE *f, struct npy *a)
{
	static char text[MAX_HEADER + 1];
	unsigned char head[MAGIC + 6];
	size_t length, size;

	if (fread(head, 1, MAGIC + 4, f) != MAGIC + 4 || memcmp(head, magic, MAGIC))
		return "not a .npy file";
	size = head[MAGIC] == 1 ? 2 : 4;
	if (size == 4 && fread(head + MAGIC + 4, 1, 2, f) != 2)
		return "cut short";
	length = head[MAGIC + 2] | (size_t)head[MAGIC + 3] << 8;
	if (size == 4 && (head[MAGIC + 4] || head[MAGIC + 5]))
		return "its header is too long";
	if (fread(text, 1, length, f) != length)
		return "cut short";
	text[length] = 0;
	if (!strstr(text, "'<f4'"))
		return "its type is not float32 ('<f4')";
	if (!strstr(text, "'fortran_order': False"))
		return "its order is Fortran's";
	return read_shape(text, a);
}

const char *npy_read(const char *path, struct npy *a)
{
	FILE *f = fopen(path, "rb");
	const char *wrong;

	*a = (struct npy){ 0 };
	if (!f)
		return "cannot be opened";
	wrong = read_header(f, a);
	if (!wrong) {
		a->value = malloc((size_t)a->count * sizeof(*a->value));
		if (!a->value)
			wrong = "too large for the memory";
		else if (fread(a->value, sizeof(*a->value), (size_t)a->count, f) != (size_t)a->count)
			wrong = "cut short";
	}
	fclose(f);
	if (wrong) {
		free(a->value);
		a->value = NULL;
	}
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
