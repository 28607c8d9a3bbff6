/* What the device can do at best, as the library measures it; NaN where it cannot. */
#include "bench.h"

#include <math.h>

static double or_nan(cg_ctx *ctx, cg_status status, double value)
{
	if (status == CG_OK)
		return value;
	cg_clear_error(ctx);
	return NAN;
}

double ceiling_fma(cg_ctx *ctx)
{
	double flops = NAN;
	cg_status status = cg_ceiling_flops(ctx, &flops);

	return or_nan(ctx, status, flops);
}

double ceiling_triad(cg_ctx *ctx, double bytes)
{
	const double most = 768e6, least = 3e4;
	double rate = NAN;
	cg_status status;

	bytes = bytes > most ? most : bytes < least ? least : bytes;
	status = cg_ceiling_bandwidth(ctx, (size_t)(bytes / 3) / 64 * 64, &rate);
	return or_nan(ctx, status, rate);
}
