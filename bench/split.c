/* Where the time of a step goes: into products or into the rest. Each launch counts as the median of some profiles. */
#include "bench.h"

#include <stdlib.h>

bool split_time(cg_plan *p, int n, struct split *split)
{
	const int launches = cg_plan_launches(p);
	double *seconds = malloc((size_t)(launches * n) * sizeof(*seconds));
	bool good = seconds != NULL;

	for (int k = 0; good && k < n; k++) {
		good = cg_plan_profile(p) == CG_OK;
		for (int i = 0; i < launches; i++)
			seconds[i * n + k] = cg_plan_launch(p, i).seconds;
	}
	*split = (struct split){ 0, 0 };
	for (int i = 0; good && i < launches; i++) {
		bool product = is_product(cg_plan_launch(p, i).op, true);

		*(product ? &split->products : &split->rest) += median(&seconds[i * n], n);
	}
	free(seconds);
	return good;
}
