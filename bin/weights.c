#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "zip.h"

/* ---- tensors in memory
 * ------------------------------------------------------------------------- */

bool weights_add(struct weights *w, const char *name, int ndim, const int64_t *shape, float *value)
{
	struct weights_tensor *t;

	if (w->count == w->room) {
		int room = w->room ? 2 * w->room : 64;

		t = realloc(w->tensor, (size_t)room * sizeof(*t));
		if (!t)
			return false;
		w->tensor = t;
		w->room = room;
	}
	t = &w->tensor[w->count];
	*t = (struct weights_tensor){ .name = strdup(name), .ndim = ndim, .count = 1 };
	if (!t->name)
		return false;
	for (int i = 0; i < ndim; i++)
		t->count *= t->shape[i] = shape[i];
	t->value = value;
	w->count++;
	return true;
}

/* ---- any
 * --------------------------------------------------------------------------------------- */

static bool begins(const char *path, const char *with)
{
	char head[8] = "";
	FILE *f = fopen(path, "rb");
	bool good = f && fread(head, 1, strlen(with), f) == strlen(with);

	if (f)
		fclose(f);
	return good && !memcmp(head, with, strlen(with));
}

int weights_open(struct weights *w, const struct cli *c, cg_ctx *ctx, const char *path)
{
	*w = (struct weights){ .path = path, .ctx = ctx };
	if (zip_is(path))
		return weights_read_npz(w, c);
	if (begins(path, "\x89HDF\r\n\x1a\n"))
		return weights_read_h5(w, c);
	w->file = cg_file_open(ctx, path);
	return w->file ? -1 : network_file_fail(c, ctx, path);
}

void weights_close(struct weights *w)
{
	for (int i = 0; i < w->count; i++) {
		free(w->tensor[i].name);
		free(w->tensor[i].value);
	}
	free(w->tensor);
	cg_file_close(w->file);
	*w = (struct weights){ 0 };
}

int weights_count(const struct weights *w)
{
	return w->file ? cg_file_count(w->file) : w->count;
}

const char *weights_name(const struct weights *w, int i)
{
	return w->file ? cg_file_name(w->file, i) : w->tensor[i].name;
}

int weights_find(const struct weights *w, const char *name)
{
	for (int i = 0; !w->file && i < w->count; i++)
		if (!strcmp(w->tensor[i].name, name))
			return i;
	return w->file ? cg_file_find(w->file, name) : -1;
}

int weights_shape(const struct weights *w, int i, int64_t shape[CG_MAX_DIM])
{
	if (w->file)
		return cg_file_shape(w->file, i, shape);
	memcpy(shape, w->tensor[i].shape, sizeof(w->tensor[i].shape));
	return w->tensor[i].ndim;
}

bool weights_are_floats(const struct weights *w, int i)
{
	return !w->file || cg_file_dtype(w->file, i) == CG_FLOAT32;
}

int weights_read(const struct weights *w, const struct cli *c, int i, float *value, int64_t count)
{
	size_t bytes = (size_t)count * sizeof(*value);

	if (!w->file)
		memcpy(value, w->tensor[i].value, bytes);
	else if (cg_file_read(w->file, i, value, bytes) != CG_OK)
		return network_file_fail(c, w->ctx, w->path);
	return -1;
}

const char *weights_meta(const struct weights *w, const char *key)
{
	return w->file ? cg_file_meta(w->file, key) : NULL;
}
