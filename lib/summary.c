/* Where the time of a profiled plan goes: its launches by kernel, the longest first. */
#include <stdlib.h>
#include <string.h>

#include "plan.h"

struct total {
	const struct cg__launch *first;
	int launches;
	double seconds, flops, bytes;
};

static bool is_alike(const struct cg__launch *a, const struct cg__launch *b)
{
	return strcmp(a->node->op->name, b->node->op->name) == 0 && strcmp(a->name, b->name) == 0;
}

static int by_seconds(const void *a, const void *b)
{
	const double x = ((const struct total *)a)->seconds, y = ((const struct total *)b)->seconds;

	return (x < y) - (x > y);
}

static int sum_up(const cg_plan *p, struct total *total)
{
	int n = 0;

	for (int i = 0; i < p->launches; i++) {
		const struct cg__launch *l = &p->launch[i];
		int k = 0;

		if (l->skipped)
			continue;
		while (k < n && !is_alike(total[k].first, l))
			k++;
		if (k == n)
			total[n++].first = l;
		total[k].launches++;
		total[k].seconds += l->seconds;
		total[k].flops += l->flops;
		total[k].bytes += cg_plan_launch(p, i).bytes;
	}
	qsort(total, (size_t)n, sizeof(*total), by_seconds);
	return n;
}

cg_status cg_plan_summary(const cg_plan *p, FILE *f)
{
	struct total *total = calloc((size_t)p->launches + 1, sizeof(*total));
	double all = 0;
	int launches = 0, n;

	if (total == NULL)
		return cg__fail(p->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	n = sum_up(p, total);
	for (int i = 0; i < n; i++) {
		all += total[i].seconds;
		launches += total[i].launches;
	}
	fprintf(f, "%8s %9s %6s %8s %8s  %-18s %s\n", "launches", "ms", "share", "GFLOP/s", "GB/s",
		"op", "kernel");
	for (int i = 0; i < n; i++) {
		const struct total *t = &total[i];
		const double s = t->seconds > 0 ? t->seconds : 1e-9;

		fprintf(f, "%8d %9.3f %5.1f%% %8.1f %8.1f  %-18s %s\n", t->launches,
			1e3 * t->seconds, all > 0 ? 100 * t->seconds / all : 0, 1e-9 * t->flops / s,
			1e-9 * t->bytes / s, t->first->node->op->name, t->first->name);
	}
	fprintf(f, "%8d %9.3f\n", launches, 1e3 * all);
	free(total);
	return CG_OK;
}
