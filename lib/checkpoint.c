/* Parameters to and from files. */
#include "params.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

cg_status cg_params_save(cg_params *p, cg_writer *w, const char *prefix)
{
	for (int i = 0; i < p->count; i++) {
		cg_array *a = p->array[i];
		char name[256];
		void *host = malloc(a->bytes);
		cg_status status = host
			? cg_array_read(a, host, a->bytes)
			: cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", a->name);

		snprintf(name, sizeof(name), "%s%s", prefix, a->name);
		if (status == CG_OK)
			status = cg_writer_add(w, name, a->dtype, a->ndim, a->shape, host);
		free(host);
		TRY(status);
	}
	return CG_OK;
}

static cg_status load_one(
	cg_params *p, cg_file *f, const char *prefix, const cg_array *a, float *host)
{
	char name[256];
	int64_t shape[CG_MAX_DIM];
	int i, ndim;

	snprintf(name, sizeof(name), "%s%s", prefix, a->name);
	i = cg_file_find(f, name);
	if (i < 0)
		return cg__fail(p->ctx, CG_ERR_MISMATCH, "%s: not in the file", name);
	ndim = cg_file_shape(f, i, shape);
	if (cg_file_dtype(f, i) != CG_FLOAT32 || ndim != a->ndim ||
		memcmp(shape, a->shape, (size_t)ndim * sizeof(*shape)) != 0)
		return cg__fail(
			p->ctx, CG_ERR_MISMATCH, "%s: its shape or type is not the model's", name);
	TRY(cg_file_read(f, i, host, a->bytes));
	for (int64_t k = 0; k < a->count; k++)
		if (!isfinite(host[k]))
			return cg__fail(p->ctx, CG_ERR_NOT_FINITE, "%s: element %lld is %g", name,
				(long long)k, (double)host[k]);
	return CG_OK;
}

/* Everything is read and checked before the first value changes. */
cg_status cg_params_load(cg_params *p, cg_file *f, const char *prefix)
{
	float *host;
	cg_status status = CG_OK;

	if (!p->ready)
		return cg__fail(
			p->ctx, CG_ERR_STATE, "params: cg_params_init comes before loading");
	host = calloc((size_t)p->weights->count, sizeof(*host));
	if (host == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "params: out of host memory");
	for (int i = 0; i < p->count && status == CG_OK; i++)
		status = load_one(p, f, prefix, p->array[i], host + p->array[i]->offset);
	if (status == CG_OK)
		status = cg_array_write(p->weights, host, p->weights->bytes);
	free(host);
	return status;
}
