/*
 * Noise must not win: what is there already is timed several times, the best of it counts, and a set that seems quicker
 * is timed again in turn with the second best of its kernel.
 */
#include "tune_clblast.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "progress.h"

enum { RUNS = 7, PASSES = 3 };
static const double tolerance = 1e-3, gain_least = 1.1, far_slower = 5, seconds_most = 1;

/* All trials once: time in CLBlast, and their outputs one after the other. */
struct pass {
	double most;		/* beyond these seconds it is of no interest */
	double seconds;
	bool direct, indirect;	/* which kernels of CLBlast ran */
	float *value;
	size_t n;
};

struct search {
	const struct cli *cli;
	cg_ctx *ctx;
	const struct model *model;
	const struct model_config *config;
	double deadline;	/* of progress_clock() */
	double before;		/* seconds, with what was kept so far */
	struct pass first;	/* with CLBlast's own */
	struct tune_set *row;
	int n;
};

/* --- a pass --- */

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

/* Of one run; "clblast_direct" needs no copies of its operands. */
static double seconds_in_clblast(const cg_plan *plan, struct pass *p)
{
	double sum = 0;

	for (int i = 0; i < cg_plan_launches(plan); i++) {
		cg_launch l = cg_plan_launch(plan, i);
		bool direct = !strcmp(l.kernel, "clblast_direct");
		bool indirect = !strcmp(l.kernel, "clblast");

		p->direct |= direct;
		p->indirect |= indirect;
		sum += direct || indirect ? l.seconds : 0;
	}
	return sum;
}

static int measure(struct trial *t, const struct cli *c, void *arg)
{
	struct pass *p = arg;
	double least = INFINITY, begin = progress_clock();
	bool good = append(p, t);

	(void)c;
	for (int run = 0; good && run < RUNS && p->seconds < p->most; run++) {
		if (run > 1 && (progress_clock() - begin > seconds_most || p->seconds + least > p->most))
			break;
		good = cg_plan_profile(t->plan) == CG_OK;
		least = fmin(least, seconds_in_clblast(t->plan, p));
	}
	p->seconds += least;
	return good ? -1 : CLI_RUNTIME;
}

static int run_pass(const struct search *s, struct pass *p)
{
	return trial_each(s->cli, s->ctx, s->model, s->config, measure, p);
}

/* What is in use, several times; seconds of the quickest, and the outputs of one. */
static int run_passes(const struct search *s, struct pass *best)
{
	int status = -1;

	*best = (struct pass){ .seconds = INFINITY };
	for (int i = 0; i < PASSES && status < 0; i++) {
		struct pass p = { .most = INFINITY };

		status = run_pass(s, &p);
		free(best->value);
		p.seconds = fmin(p.seconds, best->seconds);
		*best = p;
	}
	return status;
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

/* --- the sets of one kernel --- */

static bool in_time(const struct search *s)
{
	return progress_clock() < s->deadline;
}

/* What the device refuses is a row without a time, as is what is not right. */
static void try_set(struct search *s, struct tune_set *row)
{
	struct pass p = { .most = far_slower * s->before };

	if (cg_gemm_use(s->ctx, &row->set) != CG_OK || run_pass(s, &p) >= 0) {
		row->why = "refused";
	} else {
		row->error = difference(&s->first, &p);
		row->why = !(row->error <= tolerance) ? "wrong" : p.seconds > p.most ? "far slower" : NULL;
		row->seconds = row->why ? NAN : p.seconds;
	}
	cg_clear_error(s->ctx);
	free(p.value);
}

/* The quickest of rows from..to-1 but `other`; -1 where none has a time. */
static int quickest(const struct search *s, int from, int to, int other)
{
	int best = -1;

	for (int i = from; i < to; i++)
		if (i != other && isfinite(s->row[i].seconds) &&
		    (best < 0 || s->row[i].seconds < s->row[best].seconds))
			best = i;
	return best;
}

/* Times two rows (second -1: one) again in turn, each by its best pass; false where one fails. */
static bool time_again(struct search *s, int best, int second)
{
	const int both[2] = { best, second };
	double seconds[2] = { INFINITY, INFINITY };

	for (int i = 0; i < 2 * PASSES; i++) {
		struct pass p = { .most = INFINITY };
		int row = both[i % 2], status = -1;

		if (row < 0)
			continue;
		if (cg_gemm_use(s->ctx, &s->row[row].set) != CG_OK)
			return false;
		status = run_pass(s, &p);
		free(p.value);
		if (status >= 0)
			return false;
		seconds[i % 2] = fmin(seconds[i % 2], p.seconds);
	}
	for (int i = 0; i < 2; i++)
		if (both[i] >= 0)
			s->row[both[i]].seconds = seconds[i];
	return true;
}

static bool is_quick(const struct search *s, int i)
{
	return i >= 0 && s->row[i].seconds * gain_least <= s->before;
}

static int keep(struct search *s, struct tune_set *row)
{
	row->taken = true;
	s->before = row->seconds;
	cg_tune(s->ctx, CG_AUTOTUNE_ON, 0, 0);	/* which has the file */
	if (cg_gemm_keep(s->ctx, &row->set) != CG_OK)
		return CLI_RUNTIME;
	cg_tune(s->ctx, CG_AUTOTUNE_OFF, 0, 0);
	return -1;
}

/* The quickest, if it is quick enough also when timed again, is kept. There is no way back to CLBlast's own: where none is,
 * the quickest of those that are right stays in use, so that what follows is held back least. */
static int choose(struct search *s, int from, int to)
{
	int best = quickest(s, from, to, -1);

	if (best < 0) {
		cli_warn(s->cli, "CLBlast: no set for %s works, nothing else is tried",
			 s->row[from].set.kernel);
		s->deadline = -INFINITY;
		return -1;
	}
	if (is_quick(s, best) && !in_time(s)) {
		s->row[best].why = "not timed again";
	} else if (is_quick(s, best)) {
		if (!time_again(s, best, quickest(s, from, to, best)))
			return CLI_RUNTIME;
		best = quickest(s, from, to, -1);
		if (is_quick(s, best))
			s->row[best].taken = true;
	}
	if (cg_gemm_use(s->ctx, &s->row[best].set) != CG_OK)
		return CLI_RUNTIME;
	return s->row[best].taken ? keep(s, &s->row[best]) : -1;
}

static void leave(struct search *s, int from, int to, const char *why)
{
	for (int i = from; i < to; i++)
		s->row[i].why = why;
}

static bool is_used(const struct pass *p, const char *kernel)
{
	return !strcmp(kernel, "Xgemm")	      ? p->indirect :
	       !strcmp(kernel, "XgemmDirect") ? p->direct :
						p->direct || p->indirect;
}

/* What is in use is timed anew first: what else the machine does may have changed. */
static int try_kernel(struct search *s, int from, int to)
{
	struct pass p;
	int status = -1;

	if (!in_time(s)) {
		leave(s, from, to, "not timed");
		return -1;
	}
	status = run_passes(s, &p);
	free(p.value);
	s->before = fmin(s->before, p.seconds);
	if (from == 1)
		s->row[0].seconds = s->before;
	if (status >= 0)
		return status;
	if (!is_used(&p, s->row[from].set.kernel)) {
		leave(s, from, to, "not used");
		return -1;
	}
	for (int i = from; i < to; i++)
		if (in_time(s))
			try_set(s, &s->row[i]);
		else
			s->row[i].why = "not timed";
	return choose(s, from, to);
}

static int last_of_kernel(const struct search *s, int from)
{
	int to = from + 1;

	while (to < s->n && !strcmp(s->row[to].set.kernel, s->row[from].set.kernel))
		to++;
	return to;
}

int tune_clblast(const struct cli *c, cg_ctx *ctx, const struct model *model,
		 const struct model_config *config, double deadline, struct tune_set row[TUNE_SETS],
		 int *n)
{
	struct search s = { .cli = c, .ctx = ctx, .model = model, .config = config,
			    .deadline = deadline, .first = { .most = INFINITY }, .row = row, .n = 1 };
	int status = -1;

	cg_tune(ctx, CG_AUTOTUNE_OFF, 0, 0);	/* as usual: products by CLBlast */
	if (in_time(&s))
		status = run_pass(&s, &s.first);
	s.before = s.first.seconds;
	row[0] = (struct tune_set){ .seconds = NAN, .error = NAN, .why = "not timed" };
	for (int i = 0; i < cg_gemm_set_count() && s.n < TUNE_SETS; i++)
		row[s.n++] = (struct tune_set){ .set = cg_gemm_set_at(i), .seconds = NAN, .error = NAN };
	for (int from = 1; from < s.n && status < 0; from = last_of_kernel(&s, from))
		status = try_kernel(&s, from, last_of_kernel(&s, from));
	free(s.first.value);
	*n = s.n;
	return status < 0 || !cg_error_status(ctx) ? status : engine_fail(c, ctx, "clblast");
}
