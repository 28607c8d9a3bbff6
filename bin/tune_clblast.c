#include "tune_clblast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum { RUNS = 15 };
static const double tolerance = 1e-3, gain_least = 1.1; /* not in turn: what else the machine does counts */

/* All trials once: time in CLBlast, and their outputs one after the other. */
struct pass {
	double seconds;
	float *value;
	size_t n, size;
};

static bool append(struct pass *p, struct trial *t)
{
	size_t n = (size_t)cg_tensor_count(t->out);
	float *bigger = realloc(p->value, (p->n + n) * sizeof(*bigger));

	if (!bigger)
		return false;
	p->value = bigger;
	if (cg_plan_run(t->plan) != CG_OK ||
	    cg_plan_read(t->plan, t->out, p->value + p->n, n * sizeof(float)) != CG_OK)
		return false;
	p->n += n;
	return true;
}

static int measure(struct trial *t, const struct cli *c, void *arg)
{
	struct pass *p = arg;
	double least = INFINITY;
	bool good = append(p, t);

	(void)c;
	for (int run = 0; run < RUNS && good; run++) {
		double sum = 0;

		good = cg_plan_profile(t->plan) == CG_OK;
		for (int i = 0; i < cg_plan_launches(t->plan); i++) {
			cg_launch l = cg_plan_launch(t->plan, i);

			sum += strcmp(l.kernel, "clblast") ? 0 : l.seconds;
		}
		least = fmin(least, sum);
	}
	p->seconds += least;
	return good ? -1 : CLI_RUNTIME;
}

static double difference(const struct pass *a, const struct pass *b)
{
	double most = 0, largest = 1e-30;

	for (size_t i = 0; i < a->n; i++) {
		double d = fabs((double)a->value[i] - (double)b->value[i]);

		if (d > most || isnan(d))
			most = d;	/* NaN stays */
		largest = fmax(largest, fabs((double)a->value[i]));
	}
	return a->n == b->n ? most / largest : NAN;
}

/* What the device refuses is a row without a time. */
static void try_set(const struct cli *c, cg_ctx *ctx, const struct model *model,
		    const struct model_config *config, const struct pass *first,
		    struct tune_set *row)
{
	struct pass p = { 0 };

	row->seconds = row->error = NAN;
	if (cg_gemm_use(ctx, &row->set) == CG_OK &&
	    trial_each(c, ctx, model, config, measure, &p) < 0) {
		row->error = difference(first, &p);
		row->seconds = row->error <= tolerance ? p.seconds : NAN;
	}
	cg_clear_error(ctx);
	free(p.value);
}

/* The sets of one kernel, which begin at `from`: the quickest, if it is quick enough, stays in use and is kept. */
static int choose(cg_ctx *ctx, struct tune_set *row, int from, int to, double *before)
{
	int best = -1;

	for (int i = from; i < to; i++)
		if (row[i].seconds * gain_least <= *before &&
		    (best < 0 || row[i].seconds < row[best].seconds))
			best = i;
	if (best < 0)
		return -1;
	row[best].taken = true;
	*before = row[best].seconds;
	cg_tune(ctx, CG_AUTOTUNE_ON, 0, 0);	/* which has the file */
	if (cg_gemm_use(ctx, &row[best].set) != CG_OK || cg_gemm_keep(ctx, &row[best].set) != CG_OK)
		return CLI_RUNTIME;
	cg_tune(ctx, CG_AUTOTUNE_OFF, 0, 0);
	return -1;
}

/* No set won, and there is no way back to CLBlast's own: the quickest of those that are right stays in use, so that what
 * follows is held back least. False where there is none. */
static bool stay(cg_ctx *ctx, const struct tune_set *row, int from, int to)
{
	int best = -1;

	for (int i = from; i < to; i++)
		if (isfinite(row[i].seconds) && (best < 0 || row[i].seconds < row[best].seconds))
			best = i;
	return best >= 0 && cg_gemm_use(ctx, &row[best].set) == CG_OK;
}

static bool taken(const struct tune_set *row, int from, int to)
{
	for (int i = from; i < to; i++)
		if (row[i].taken)
			return true;
	return false;
}

int tune_clblast(const struct cli *c, cg_ctx *ctx, const struct model *model,
		 const struct model_config *config, struct tune_set row[TUNE_SETS], int *n)
{
	struct pass first = { 0 };
	int status, from = 1;
	double before;

	cg_tune(ctx, CG_AUTOTUNE_OFF, 0, 0);	/* as usual: products by CLBlast */
	status = trial_each(c, ctx, model, config, measure, &first);
	before = first.seconds;
	*n = 0;
	row[(*n)++] = (struct tune_set){ .seconds = before };
	for (int i = 0; i < cg_gemm_set_count() && *n < TUNE_SETS && status < 0; i++) {
		struct tune_set *r = &row[(*n)++];

		*r = (struct tune_set){ .set = cg_gemm_set_at(i) };
		try_set(c, ctx, model, config, &first, r);
		if (i + 1 == cg_gemm_set_count() ||
		    strcmp(cg_gemm_set_at(i + 1).kernel, r->set.kernel)) {
			status = choose(ctx, row, from, *n, &before);
			if (status < 0 && !taken(row, from, *n) && i + 1 < cg_gemm_set_count() &&
			    !stay(ctx, row, from, *n)) {
				cli_warn(c, "CLBlast: no set for %s works, nothing else is tried",
					 r->set.kernel);
				break;
			}
			from = *n;
		}
	}
	free(first.value);
	return status < 0 || !cg_error_status(ctx) ? status : engine_fail(c, ctx, "clblast");
}
