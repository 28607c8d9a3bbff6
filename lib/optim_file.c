/* In files moments lie like the weights, whatever is frozen. */
#include "optim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int moments(const cg_optim *o, cg_array *array[4], const char *name[4])
{
	cg_array *all[] = { o->m, o->v, o->average, o->grad_sum };
	static const char *const names[] = { "m", "v", "ema", "grad_sum" };
	int n = 0;

	for (int i = 0; i < 4; i++)
		if (all[i]) {
			array[n] = all[i];
			name[n++] = names[i];
		}
	return n;
}

static int64_t count_in_file(const cg_optim *o, const cg_array *a)
{
	return a == o->m || a == o->v ? o->params->weights->count : a->count;
}

/* Between a moment as it lies in a file, and here. */
static void move_moment(const cg_optim *o, float *file, float *here, bool to_file)
{
	const cg_params *p = o->params;

	for (int i = 0; i < p->count; i++) {
		const cg_array *a = p->array[i];

		if (o->place[i] >= 0 && to_file)
			memcpy(file + a->offset, here + o->place[i], a->bytes);
		else if (o->place[i] >= 0)
			memcpy(here + o->place[i], file + a->offset, a->bytes);
	}
}

/* What is frozen has zeros in a file. */
static cg_status read_for_file(cg_optim *o, cg_array *a, float *host)
{
	float *here = malloc(a->bytes);
	cg_status status = here ? cg_array_read(a, here, a->bytes) : CG_ERR_HOST_MEMORY;

	if (status == CG_OK && (a == o->m || a == o->v))
		move_moment(o, host, here, true);
	else if (status == CG_OK)
		memcpy(host, here, a->bytes);
	free(here);
	return status;
}

static cg_status write_from_file(cg_optim *o, cg_array *a, float *host)
{
	float *here = calloc(1, a->bytes);
	cg_status status;

	if (here == NULL)
		return cg__fail(o->params->ctx, CG_ERR_HOST_MEMORY, "optim: out of host memory");
	if (a == o->m || a == o->v)
		move_moment(o, host, here, false);
	else
		memcpy(here, host, a->bytes);
	status = cg_array_write(a, here, a->bytes);
	free(here);
	return status;
}

cg_status cg_optim_save(cg_optim *o, cg_writer *w, const char *prefix)
{
	cg_array *array[4];
	const char *name[4];
	char key[160], value[64];
	int n = moments(o, array, name);

	snprintf(key, sizeof(key), "%sstate", prefix);
	snprintf(value, sizeof(value), "%d %llu %llu", o->config.kind, (unsigned long long)o->runs,
		(unsigned long long)o->updates);
	TRY(cg_writer_meta(w, key, value));
	for (int i = 0; i < n; i++) {
		int64_t count = count_in_file(o, array[i]);
		float *host = calloc((size_t)count, sizeof(*host));
		cg_status status = host ? read_for_file(o, array[i], host) : CG_ERR_HOST_MEMORY;

		snprintf(key, sizeof(key), "%s%s", prefix, name[i]);
		if (status == CG_OK)
			status = cg_writer_add(w, key, CG_FLOAT32, 1, &count, host);
		free(host);
		TRY(status);
	}
	return CG_OK;
}

static cg_status read_moment(cg_ctx *ctx, cg_file *f, const char *key, int64_t count, float *host)
{
	int i = cg_file_find(f, key);
	int64_t shape[CG_MAX_DIM];

	if (i < 0)
		return cg__fail(ctx, CG_ERR_MISMATCH, "%s: not in the file", key);
	if (cg_file_dtype(f, i) != CG_FLOAT32 || cg_file_shape(f, i, shape) != 1 ||
		shape[0] != count)
		return cg__fail(ctx, CG_ERR_MISMATCH,
			"%s: not the %lld numbers of this optimiser", key, (long long)count);
	TRY(cg_file_read(f, i, host, (size_t)count * sizeof(*host)));
	for (int64_t k = 0; k < count; k++)
		if (!isfinite(host[k]))
			return cg__fail(ctx, CG_ERR_NOT_FINITE, "%s: element %lld is %g", key,
				(long long)k, (double)host[k]);
	return CG_OK;
}

/* Everything is read and checked before the first value changes. */
static cg_status load_moments(cg_optim *o, cg_file *f, const char *prefix)
{
	cg_ctx *ctx = o->params->ctx;
	cg_array *array[4];
	const char *name[4];
	float *host[4] = { NULL };
	int n = moments(o, array, name);
	cg_status status = CG_OK;

	for (int i = 0; i < n && status == CG_OK; i++) {
		char key[160];

		snprintf(key, sizeof(key), "%s%s", prefix, name[i]);
		host[i] = malloc((size_t)count_in_file(o, array[i]) * sizeof(*host[i]));
		status = host[i] ? read_moment(ctx, f, key, count_in_file(o, array[i]), host[i])
				 : cg__fail(ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", key);
	}
	for (int i = 0; i < n && status == CG_OK; i++)
		status = write_from_file(o, array[i], host[i]);
	for (int i = 0; i < n; i++)
		free(host[i]);
	return status;
}

cg_status cg_optim_load(cg_optim *o, cg_file *f, const char *prefix)
{
	cg_ctx *ctx = o->params->ctx;
	const char *value;
	char key[160];
	unsigned long long runs, updates;
	int kind;

	snprintf(key, sizeof(key), "%sstate", prefix);
	value = cg_file_meta(f, key);
	if (value == NULL || sscanf(value, "%d %llu %llu", &kind, &runs, &updates) != 3)
		return cg__fail(ctx, CG_ERR_MISMATCH, "%s: missing: no optimiser was saved", key);
	if (kind != (int)o->config.kind)
		return cg__fail(ctx, CG_ERR_MISMATCH, "%s: of another optimiser", key);
	TRY(load_moments(o, f, prefix));
	o->runs = runs;
	o->updates = updates;
	return CG_OK;
}
