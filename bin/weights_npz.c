/*
 * .npz: a zip of .npy. Flax keeps query, key and value of an attention apart, kernels [D,N,D/N] and
 * biases [N,D/N]: they are joined to `qkv`, [D,3,N,D/N] and [3,N,D/N], which in memory is [D,3D]
 * and [3D].
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"
#include "weights.h"
#include "zip.h"

enum { NAME = 512 };

/* "a/query/kernel" -> "a/key/kernel" */
static bool sibling(const char *name, const char *part, char out[NAME])
{
	const char *at = strstr(name, "/query/");

	return at && snprintf(out, NAME, "%.*s/%s/%s", (int)(at - name), name, part, at + 7) < NAME;
}

/* rows of each part side by side: [rows,n] three times to [rows,3n] */
static float *side_by_side(const struct weights_tensor *const part[3], int64_t rows)
{
	size_t n = (size_t)(part[0]->count / rows);
	float *all = malloc(3 * (size_t)part[0]->count * sizeof(*all)), *to = all;

	for (int64_t row = 0; all && row < rows; row++)
		for (int i = 0; i < 3; i++, to += n)
			memcpy(to, part[i]->value + (size_t)row * n, n * sizeof(*to));
	return all;
}

/* Makes tensor `query` the joined one and empties the other two. */
static bool join(struct weights_tensor *query, struct weights_tensor *key,
		 struct weights_tensor *value, const char *name)
{
	const struct weights_tensor *const part[3] = { query, key, value };
	bool kernel = query->ndim == 3;
	float *all = side_by_side(part, kernel ? query->shape[0] : 1);
	char *copy = strdup(name);

	if (!all || !copy) {
		free(all);
		free(copy);
		return false;
	}
	free(query->name);
	free(query->value);
	query->name = copy;
	query->value = all;
	memmove(query->shape + kernel + 1, query->shape + kernel, 2 * sizeof(*query->shape));
	query->shape[kernel] = 3;
	query->ndim++;
	query->count *= 3;
	for (int i = 1; i < 3; i++) {
		free(part[i]->name);
		free(part[i]->value);
	}
	key->name = value->name = NULL;
	return true;
}

static bool same_shape(const struct weights_tensor *a, const struct weights_tensor *b)
{
	size_t bytes = (size_t)a->ndim * sizeof(*a->shape);

	return a->ndim == b->ndim && !memcmp(a->shape, b->shape, bytes);
}

/* The tensor of this name; there are holes. */
static struct weights_tensor *find(struct weights *w, const char *name)
{
	for (int i = 0; i < w->count; i++)
		if (w->tensor[i].name && !strcmp(w->tensor[i].name, name))
			return &w->tensor[i];
	return NULL;
}

static bool join_all(struct weights *w)
{
	char name[NAME];
	int kept = 0;

	for (int i = 0; i < w->count; i++) {
		struct weights_tensor *query = &w->tensor[i], *key, *value;

		if (!query->name || (query->ndim != 2 && query->ndim != 3) ||
		    !sibling(query->name, "key", name) || !(key = find(w, name)) ||
		    !sibling(query->name, "value", name) || !(value = find(w, name)) ||
		    !same_shape(query, key) || !same_shape(query, value))
			continue;
		if (!sibling(query->name, "qkv", name) || !join(query, key, value, name))
			return false;
	}
	for (int i = 0; i < w->count; i++)
		if (w->tensor[i].name)
			w->tensor[kept++] = w->tensor[i];
	w->count = kept;
	return true;
}

static int read_entry(struct weights *w, const struct cli *c, struct zip *z, int32_t i)
{
	char *name = z->entry[i].name;
	size_t size, n = strlen(name);
	struct npy a;
	const char *wrong;
	uint8_t *bytes;

	if (n < 4 || strcmp(name + n - 4, ".npy"))
		return cli_fail(c, CLI_CHECKPOINT, "%s: %s is no .npy", w->path, name);
	bytes = zip_read(z, i, &size);
	if (!bytes)
		return cli_fail(c, CLI_CHECKPOINT, "%s: %s", w->path, z->error);
	wrong = npy_parse(bytes, size, &a);
	free(bytes);
	if (wrong)
		return cli_fail(c, CLI_CHECKPOINT, "%s: %s: %s", w->path, name, wrong);
	name[n - 4] = 0;
	if (weights_add(w, name, a.ndim, a.shape, a.value))
		return -1;
	free(a.value);
	return cli_fail(c, CLI_RUNTIME, "%s: out of memory", w->path);
}

int weights_read_npz(struct weights *w, const struct cli *c)
{
	struct zip z;
	int status = -1;

	if (zip_open(&z, w->path))
		status = cli_fail(c, CLI_CHECKPOINT, "%s: %s", w->path, z.error);
	for (int32_t i = 0; status < 0 && i < z.n; i++)
		status = read_entry(w, c, &z, i);
	zip_close(&z);
	if (status < 0 && !join_all(w))
		status = cli_fail(c, CLI_RUNTIME, "%s: out of memory", w->path);
	return status;
}
