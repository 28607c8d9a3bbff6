/* Medians, bundles of calls, and rows that are timed in turn with the peak and with the peer. */
#include "bench.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, int count)
{
	if (count == 0)
		return NAN;
	qsort(values, (size_t)count, sizeof(*values), by_value);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void settle(void)
{
	const struct timespec t = { .tv_nsec = 20000000 };

	nanosleep(&t, NULL);
}

static double bundle_seconds(cg_ctx *ctx, call_fn *fn, void *arg, int calls)
{
	double begin = now();

	for (int i = 0; i < calls; i++)
		if (fn(arg) != CG_OK)
			return NAN;
	cg_finish(ctx);
	return (now() - begin) / calls;
}

double seconds_of(cg_ctx *ctx, call_fn *fn, void *arg, int n)
{
	double times[MAX_ROUNDS], once = bundle_seconds(ctx, fn, arg, 1);
	int calls = once < 2e-3 ? (int)(2e-3 / once) + 1 : 1;

	for (int i = 0; i < n; i++)
		times[i] = bundle_seconds(ctx, fn, arg, calls);
	return median(times, n);
}

void time_row(struct bench *b, call_fn *fn, void *arg, struct row *row)
{
	double ours[MAX_ROUNDS], peers[MAX_ROUNDS], peaks[MAX_ROUNDS], shares[MAX_ROUNDS],
		ratios[MAX_ROUNDS];
	int n = b->rounds;

	for (int i = 0; i < n; i++) {
		settle();
		peaks[i] = ceiling_fma(b->ctx);
		ours[i] = seconds_of(b->ctx, fn, arg, 3);
		shares[i] = row->flops / peaks[i] / ours[i];
		peers[i] = b->peer ? peer_time(b->peer, row->name, 3, row->note) : NAN;
		ratios[i] = peers[i] / ours[i];
	}
	row->seconds = median(ours, n);
	row->peer_seconds = median(peers, n);
	row->peak = median(peaks, n);
	row->of_peak.value = median(shares, n);
	row->ratio.value = median(ratios, n);
}
