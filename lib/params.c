#include "params.h"

#include "arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- arrays ---------------------------------------------------------------------------------- */

size_t cg_dtype_size(cg_dtype type)
{
	return type == CG_UINT8 ? 1 : 4;
}

static cg_array *describe(
	cg_ctx *ctx, const char *name, cg_dtype type, int ndim, const int64_t *shape)
{
	cg_array *a;
	int64_t n = 1;

	for (int i = 0; i < ndim && i < CG_MAX_DIM; i++) {
		if (shape[i] < 1 || n > INT32_MAX / shape[i]) {
			cg__fail(ctx, CG_ERR_SHAPE,
				"%s: dimension %d is %lld (an array has 1 to 2^31-1 elements)",
				name, i, (long long)shape[i]);
			return NULL;
		}
		n *= shape[i];
	}
	if (ndim < 1 || ndim > CG_MAX_DIM) {
		cg__fail(ctx, CG_ERR_SHAPE, "%s: %d dimensions, expected 1 to %d", name, ndim,
			CG_MAX_DIM);
		return NULL;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL) {
		cg__fail(ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", name);
		return NULL;
	}
	a->ctx = ctx;
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->dtype = type;
	a->ndim = ndim;
	memcpy(a->shape, shape, (size_t)ndim * sizeof(*shape));
	a->count = n;
	a->bytes = (size_t)n * cg_dtype_size(type);
	a->grad_offset = -1;
	return a;
}

static cg_status allocate(cg_array *a)
{
	cg_status status = cg__mem_new(a->ctx, a->bytes, &a->mem);

	return status != CG_OK ? status : cg__mem_fill(a->ctx, a->mem, 0, a->bytes, 0);
}

cg_array *cg_array_new(cg_ctx *ctx, const char *name, cg_dtype type, int ndim, const int64_t *shape)
{
	cg_array *a = describe(ctx, name, type, ndim, shape);

	if (a && allocate(a) != CG_OK) {
		cg_array_free(a);
		return NULL;
	}
	return a;
}

void cg_array_free(cg_array *a)
{
	if (a == NULL)
		return;
	if (a->mem && a->borrowed)
		clReleaseMemObject(a->mem);
	else
		cg__mem_free(a->ctx, a->mem, a->bytes);
	free(a);
}

static cg_status check_transfer(const cg_array *a, size_t bytes)
{
	if (a->mem == NULL)
		return cg__fail(a->ctx, CG_ERR_STATE,
			"%s: not allocated (cg_params_init comes first)", a->name);
	if (bytes != a->bytes)
		return cg__fail(a->ctx, CG_ERR_ARGUMENT, "%s: %zu bytes given, it has %zu", a->name,
			bytes, a->bytes);
	return CG_OK;
}

cg_status cg_array_write(cg_array *a, const void *host, size_t bytes)
{
	TRY(check_transfer(a, bytes));
	a->ctx->parameter_writes += a->params != NULL;
	return cg__mem_write(a->ctx, a->mem, 0, host, bytes);
}

cg_status cg_array_read(cg_array *a, void *host, size_t bytes)
{
	TRY(check_transfer(a, bytes));
	return cg__mem_read(a->ctx, a->mem, 0, host, bytes);
}

const char *cg_array_name(const cg_array *a)
{
	return a->name;
}

cg_dtype cg_array_dtype(const cg_array *a)
{
	return a->dtype;
}

int cg_array_ndim(const cg_array *a)
{
	return a->ndim;
}

const int64_t *cg_array_shape(const cg_array *a)
{
	return a->shape;
}

int64_t cg_array_count(const cg_array *a)
{
	return a->count;
}

/* ---- the list -------------------------------------------------------------------------------- */

cg_params *cg_params_new(cg_ctx *ctx)
{
	cg_params *p = calloc(1, sizeof(*p));

	if (p == NULL)
		cg__fail(ctx, CG_ERR_HOST_MEMORY, "params: out of host memory");
	else
		p->ctx = ctx;
	return p;
}

void cg_params_free(cg_params *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < p->count; i++)
		cg_array_free(p->array[i]);
	cg_array_free(p->weights);
	cg_array_free(p->grads);
	free(p->array);
	free(p);
}

cg_array *cg_params_add(cg_params *p, const char *name, int ndim, const int64_t *shape,
	cg_init init, unsigned flags)
{
	cg_array *a;

	if (p->ready || cg_params_find(p, name) != NULL) {
		cg__fail(p->ctx, CG_ERR_STATE, "%s: %s", name,
			p->ready ? "added after cg_params_init"
				 : "there is a parameter of this name already");
		return NULL;
	}
	if (p->count == p->size) {
		int size = p->size ? 2 * p->size : 64;
		cg_array **bigger = realloc(p->array, (size_t)size * sizeof(*bigger));

		if (bigger == NULL) {
			cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "%s: out of host memory", name);
			return NULL;
		}
		p->array = bigger;
		p->size = size;
	}
	a = describe(p->ctx, name, CG_FLOAT32, ndim, shape);
	if (a == NULL)
		return NULL;
	a->params = p;
	a->borrowed = true;
	a->flags = flags;
	a->init = init;
	a->rate = 1;
	a->trainable = !(flags & CG_PARAM_STATISTIC);
	p->array[p->count++] = a;
	return a;
}

cg_array *cg_params_find(const cg_params *p, const char *name)
{
	for (int i = 0; i < p->count; i++)
		if (strcmp(p->array[i]->name, name) == 0)
			return p->array[i];
	return NULL;
}

int cg_params_count(const cg_params *p)
{
	return p->count;
}

cg_array *cg_params_at(const cg_params *p, int i)
{
	return p->array[i];
}

unsigned cg_params_flags(const cg_params *p, int i)
{
	return p->array[i]->flags;
}

cg_status cg_array_set_rate(cg_array *a, float factor)
{
	if (a->params == NULL || !(factor >= 0) || isinf(factor))
		return cg__fail(a->ctx, CG_ERR_ARGUMENT, "%s: %s (rate %g)", a->name,
			a->params ? "a rate is finite and not negative" : "is no parameter",
			(double)factor);
	a->rate = factor;
	a->trainable = factor > 0 && !(a->flags & CG_PARAM_STATISTIC);
	return CG_OK;
}

float cg_array_rate(const cg_array *a)
{
	return a->rate;
}

int64_t cg_params_size(const cg_params *p, bool trainable_only)
{
	int64_t n = 0;

	for (int i = 0; i < p->count; i++)
		if (!trainable_only || p->array[i]->trainable)
			n += p->array[i]->count;
	return n;
}

/* ---- initial values -------------------------------------------------------------------------- */

static uint64_t hash_name(const char *name)
{
	uint64_t h = 14695981039346656037u;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return h;
}

/* AHEAD calls are drawn at once: their ten rounds do not wait for each other. */
enum { AHEAD = 32 };

struct draw {
	uint32_t key[2], counter[4];
	uint32_t first[AHEAD], second[AHEAD];
	int left;
};

/* The first two words of the same Philox4x32-10 as in random.cl, for counter[0] and those that follow. */
static void philox(struct draw *d)
{
	uint32_t k0 = d->key[0], k1 = d->key[1], x[AHEAD], y[AHEAD], z[AHEAD], w[AHEAD];

	for (uint32_t i = 0; i < AHEAD; i++) {
		x[i] = d->counter[0] + i;
		y[i] = d->counter[1];
		z[i] = d->counter[2];
		w[i] = d->counter[3];
	}
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < AHEAD; i++) {
			uint64_t a = (uint64_t)0xD2511F53u * x[i], b = (uint64_t)0xCD9E8D57u * z[i];

			x[i] = (uint32_t)(b >> 32) ^ y[i] ^ k0;
			y[i] = (uint32_t)b;
			z[i] = (uint32_t)(a >> 32) ^ w[i] ^ k1;
			w[i] = (uint32_t)a;
		}
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	memcpy(d->first, x, sizeof(x));
	memcpy(d->second, y, sizeof(y));
	d->counter[0] += AHEAD;
	d->left = AHEAD;
}

/* Two uniforms, the first in (0,1], the second in [0,1). */
static inline void uniforms(struct draw *d, double u[2])
{
	if (d->left == 0)
		philox(d);
	u[0] = (d->first[AHEAD - d->left] + 1.0) / 4294967296.0;
	u[1] = d->second[AHEAD - d->left] / 4294967296.0;
	d->left--;
}

static double normal(struct draw *d)
{
	double u[2];

	uniforms(d, u);
	return sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]);
}

static double truncated(struct draw *d)
{
	double x;

	do
		x = normal(d);
	while (fabs(x) > 2);
	return x;
}

static void fans(const cg_array *a, double *in, double *out)
{
	int64_t receptive = 1;

	for (int i = 0; i < a->ndim - 2; i++)
		receptive *= a->shape[i];
	*out = (double)(receptive * a->shape[a->ndim - 1]);
	*in = a->ndim > 1 ? (double)(receptive * a->shape[a->ndim - 2]) : *out;
}

static void draw_values(const cg_array *a, uint64_t seed, float *value)
{
	uint64_t h = hash_name(a->name);
	struct draw d = { .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
		.counter = { 0, 0, (uint32_t)h, (uint32_t)(h >> 32) } };
	double in, out, u[2];

	fans(a, &in, &out);
	for (int64_t i = 0; i < a->count; i++)
		switch (a->init) {
		case CG_INIT_ZERO: value[i] = 0; break;
		case CG_INIT_ONE: value[i] = 1; break;
		case CG_INIT_HE_NORMAL: value[i] = (float)(sqrt(2 / in) * normal(&d)); break;
		case CG_INIT_GLOROT_UNIFORM:
			uniforms(&d, u);
			value[i] = (float)(sqrt(6 / (in + out)) * (2 * u[1] - 1));
			break;
		case CG_INIT_TRUNC_NORMAL: value[i] = (float)(.02 * truncated(&d)); break;
		}
}

static int64_t align_up(int64_t n, int64_t align)
{
	return (n + align - 1) / align * align;
}

/* One buffer for all: the optimiser runs over it in one launch. */
static cg_status allocate_all(cg_params *p)
{
	int64_t align = p->ctx->info.align_bytes / 4, n = 0;

	for (int i = 0; i < p->count; i++) {
		p->array[i]->offset = n;
		n = align_up(n + p->array[i]->count, align);
	}
	p->weights = cg_array_new(p->ctx, "parameters", CG_FLOAT32, 1, &n);
	if (p->weights == NULL)
		return cg_error_status(p->ctx);
	p->weights->params = p;
	for (int i = 0; i < p->count; i++)
		TRY(cg__mem_sub(p->ctx, p->weights->mem, (size_t)p->array[i]->offset * 4,
			p->array[i]->bytes, &p->array[i]->mem));
	p->ready = true;
	return CG_OK;
}

cg_status cg_params_init(cg_params *p, uint64_t seed)
{
	float *host;
	cg_status status = CG_OK;

	if (p->count == 0)
		return cg__fail(p->ctx, CG_ERR_STATE, "params: nothing was added");
	if (!p->ready)
		TRY(allocate_all(p));
	host = calloc((size_t)p->weights->count, sizeof(*host));
	if (host == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "params: out of host memory");
	for (int i = 0; i < p->count; i++)
		draw_values(p->array[i], seed, host + p->array[i]->offset);
	status = cg_array_write(p->weights, host, p->weights->bytes);
	free(host);
	return status;
}

/* ---- gradients ------------------------------------------------------------------------------- */

static int64_t room_of_grad(const cg_params *p, const cg_array *a)
{
	return align_up(a->count, p->ctx->info.align_bytes / 4);
}

cg_status cg__params_grad_missing(cg_params *p, const cg_array *a)
{
	if (!p->grads_used_up || !a->trainable)
		return cg__fail(p->ctx, CG_ERR_STATE, "%s: there is no gradient yet", a->name);
	return cg__fail(p->ctx, CG_ERR_STATE,
		"%s: its gradient is gone, an optimiser has used it (cg_optim_config.keep_grads)",
		a->name);
}

void cg__params_grad_place(cg_params *p, cg_array *a)
{
	if (a->grad_offset >= 0 || (a->grad_dropped && p->grads && p->grads->mem))
		return;
	a->grad_dropped = false;
	a->grad_offset = p->grads_used;
	p->grads_used += room_of_grad(p, a);
}

bool cg__params_grad_drop(cg_params *p, cg_array *a)
{
	if (a->grad_dropped || p->grads)
		return a->grad_dropped;
	for (int i = 0; i < p->count; i++)
		if (p->array[i]->grad_offset > a->grad_offset)
			p->array[i]->grad_offset -= room_of_grad(p, a);
	p->grads_used -= room_of_grad(p, a);
	a->grad_offset = -1;
	a->grad_dropped = true;
	return true;
}

cg_status cg__params_make_grads(cg_params *p)
{
	int64_t n = 0;

	if (p->grads && p->grads->mem)
		return CG_OK;
	for (int i = 0; i < p->count; i++)
		if (p->array[i]->trainable && !p->array[i]->grad_dropped)
			n += room_of_grad(p, p->array[i]);
	if (n == 0)
		n = 1;
	if (p->grads == NULL)
		p->grads = describe(p->ctx, "gradients", CG_FLOAT32, 1, &n);
	if (p->grads == NULL)
		return cg_error_status(p->ctx);
	p->grads->shape[0] = p->grads->count = n; /* a further graph may have brought some back */
	p->grads->bytes = (size_t)n * sizeof(float);
	return CG_OK;
}

cg_status cg__params_alloc_grads(cg_params *p)
{
	TRY(cg__params_make_grads(p));
	return p->grads->mem ? CG_OK : allocate(p->grads);
}

cg_status cg_params_read_grad(cg_params *p, const cg_array *a, void *host, size_t bytes)
{
	if (a->params != p || a->grad_offset < 0 || p->grads == NULL || p->grads->mem == NULL)
		return cg__params_grad_missing(p, a);
	if (bytes != a->bytes)
		return cg__fail(p->ctx, CG_ERR_ARGUMENT, "%s: %zu bytes given, it has %zu", a->name,
			bytes, a->bytes);
	return cg__mem_read(p->ctx, p->grads->mem, (size_t)a->grad_offset * 4, host, bytes);
}
