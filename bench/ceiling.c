/* What the device can do at best, as the library measures it. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>

struct ceiling {
	cg_ctx *ctx;
};

struct ceiling *ceiling_new(cg_ctx *ctx)
{
	struct ceiling *c = calloc(1, sizeof(*c));

	if (c)
		c->ctx = ctx;
	return c;
}

void ceiling_free(struct ceiling *c)
{
	free(c);
}

static double or_nan(cg_ctx *ctx, cg_status status, double value)
{
	if (status == CG_OK)
		return value;
	cg_clear_error(ctx);
	return NAN;
}

double ceiling_fma(struct ceiling *c)
{
	double flops = NAN;
	cg_status status = cg_ceiling_flops(c->ctx, &flops);

	return or_nan(c->ctx, status, flops);
}

double ceiling_triad(struct ceiling *c, int64_t floats)
{
	double rate = NAN;
	cg_status status = cg_ceiling_bandwidth(c->ctx, (size_t)floats * sizeof(float), &rate);

	return or_nan(c->ctx, status, rate);
}
