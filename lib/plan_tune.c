/*
 * Tunes a plan: of each node that asked for a choice a graph of its own is made, with values of its own, once for each
 * way. A way whose result differs from the usual one's by more than rounding is out; the others are timed in turn,
 * but those that take far longer than the quickest, and one replaces the usual only if it is quicker by 3 % in the
 * median of the rounds.
 */
#include "plan.h"

#include "choice.h"
#include "tuned.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS_LEAST = 3, ROUNDS_MOST = 50 };
/* Of the largest value: sums of some 10^5 products in another order, and minimal filtering, stay far below. */
static const double tolerance = 2e-4;
static const double gain_least = 1.03, far_slower = 5;

struct copy {
	cg_graph *graph;
	cg_tensor *y;
	cg_plan *plan;
	int calls; /* in a bundle; 0: a call took so long that it is not repeated */
	double seconds[ROUNDS_MOST];
};

struct tuning {
	cg_ctx *ctx;
	struct cg__choice *choice;
	cg_array *src[CG__MAX_SRC];
	struct copy copy[CG_WAYS];
	float *usual, *other; /* results */
	int rounds;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- copies of the node ------------------------------------------------------------------------ */

/* Values in -1..1, of vectors in .5..1.5, as one may be a variance; zeros where they are no floats. */
static cg_status fill(cg_array *a, uint32_t state)
{
	const size_t n = (size_t)cg_array_count(a);
	float *value;
	cg_status status;

	if (cg_array_dtype(a) != CG_FLOAT32)
		return CG_OK;
	value = malloc(n * sizeof(*value));
	if (value == NULL)
		return CG_ERR_HOST_MEMORY;
	for (size_t i = 0; i < n; i++) {
		state = state * 1664525u + 1013904223u;
		value[i] = (float)(int32_t)state * 0x1p-31f;
		if (a->ndim == 1)
			value[i] = 1 + value[i] / 2;
	}
	status = cg_array_write(a, value, n * sizeof(*value));
	free(value);
	return status;
}

/* What stands for a parameter is one too: plans may keep what they make of it. */
static cg_status make_sources(struct tuning *t, const cg_tensor *node)
{
	for (int i = 0; i < node->nsrc; i++) {
		const cg_tensor *s = node->src[i];
		const cg_array *array = cg__root(s)->array;

		t->src[i] = cg_array_new(t->ctx, "tuning", s->dtype, s->ndim, s->shape);
		if (t->src[i] == NULL)
			return CG_ERR_DEVICE_MEMORY;
		TRY(fill(t->src[i], (uint32_t)i + 1));
		t->src[i]->params = array ? array->params : NULL;
	}
	return CG_OK;
}

static cg_status make_copy(struct tuning *t, const cg_tensor *node, int way)
{
	struct copy *c = &t->copy[way];
	cg_tensor *src[CG__MAX_SRC];

	c->graph = cg_graph_new(t->ctx, node->graph->mode);
	if (c->graph == NULL)
		return CG_ERR_HOST_MEMORY;
	for (int i = 0; i < node->nsrc; i++)
		src[i] = cg_use(c->graph, t->src[i]);
	c->y = cg__node(node->op, node->dtype, node->ndim, node->shape, node->nsrc, src, node->attr,
		CG__ATTR_BYTES);
	if (c->y == NULL)
		return CG_ERR_HOST_MEMORY;
	t->ctx->choices->forced = t->choice->key;
	t->ctx->choices->forced_way = way;
	c->plan = cg_plan_new(c->graph, &c->y, 1);
	t->ctx->choices->forced = NULL;
	return c->plan ? CG_OK : CG_ERR_STATE;
}

static void free_copy(struct copy *c)
{
	cg_plan_free(c->plan);
	cg_graph_free(c->graph);
	*c = (struct copy){ 0 };
}

/* ---- right? ------------------------------------------------------------------------------------ */

static double difference(const float *usual, const float *other, size_t n)
{
	double most = 0, largest = 0;

	for (size_t i = 0; i < n; i++) {
		const double d = fabs((double)usual[i] - (double)other[i]);

		if (d > most || isnan(d))
			most = d; /* NaN stays */
		if (fabs((double)usual[i]) > largest)
			largest = fabs((double)usual[i]);
	}
	return most / (largest > 0 ? largest : 1);
}

static cg_status check_way(struct tuning *t, int way, bool *right)
{
	struct copy *c = &t->copy[way];
	const size_t n = (size_t)cg__count(c->y), bytes = n * sizeof(float);
	float *result = way == t->choice->public.usual ? t->usual : t->other;

	TRY(cg_plan_run(c->plan));
	TRY(cg_plan_read(c->plan, c->y, result, bytes));
	t->choice->public.error[way] = difference(t->usual, result, n);
	*right = t->choice->public.error[way] <= tolerance;
	return CG_OK;
}

/* Makes and checks a way; one that is wrong, or cannot be made, is freed again. */
static void try_way(struct tuning *t, const cg_tensor *node, int way)
{
	bool right = false;

	if (make_copy(t, node, way) != CG_OK || check_way(t, way, &right) != CG_OK || !right)
		free_copy(&t->copy[way]);
	cg_clear_error(t->ctx);
}

/* ---- quick? ------------------------------------------------------------------------------------ */

static bool time_bundle(struct tuning *t, struct copy *c, int calls, double *seconds)
{
	const double begin = now();

	for (int i = 0; i < calls; i++)
		if (cg_plan_run(c->plan) != CG_OK)
			return false;
	if (cg_finish(t->ctx) != CG_OK)
		return false;
	*seconds = (now() - begin) / calls;
	return true;
}

/* One call of each; a short one may have been held up, and is made again before the way is given up. A bundle lasts a
 * fifteenth of a way's time, but a call at least. */
static bool time_once(struct tuning *t, double once[CG_WAYS])
{
	const double each = t->ctx->choices->candidate_seconds;
	const int ways = t->choice->public.ways;
	double best = INFINITY, again;

	for (int w = 0; w < ways; w++) {
		if (t->copy[w].plan && !time_bundle(t, &t->copy[w], 1, &once[w]))
			return false;
		best = t->copy[w].plan ? fmin(best, once[w]) : best;
	}
	for (int w = 0; w < ways; w++) {
		struct copy *c = &t->copy[w];

		if (c->plan && once[w] > far_slower * best && once[w] < each) {
			if (!time_bundle(t, c, 1, &again))
				return false;
			once[w] = fmin(once[w], again);
		}
		c->calls = once[w] > far_slower * best ? 0 : (int)(each / 15 / (once[w] + 1e-7)) + 1;
	}
	return true;
}

/* Each once; a way that is not repeated has taken in every round what its only call took. */
static bool time_round(struct tuning *t, const double once[CG_WAYS])
{
	for (int w = 0; w < t->choice->public.ways; w++) {
		struct copy *c = &t->copy[w];

		c->seconds[t->rounds] = once[w];
		if (c->plan && c->calls > 0 &&
			!time_bundle(t, c, c->calls, &c->seconds[t->rounds]))
			return false;
	}
	return true;
}

static bool time_ways(struct tuning *t)
{
	const double each = t->ctx->choices->candidate_seconds;
	double once[CG_WAYS] = { 0 }, begin;

	if (!time_once(t, once))
		return false;
	begin = now();
	for (t->rounds = 0; t->rounds < ROUNDS_MOST; t->rounds++) {
		if (!time_round(t, once))
			return false;
		if (now() - begin > each * t->choice->public.ways && t->rounds + 1 >= ROUNDS_LEAST)
			return ++t->rounds > 0;
	}
	return true;
}

static int by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *value, int n)
{
	double sorted[ROUNDS_MOST];

	memcpy(sorted, value, (size_t)n * sizeof(*value));
	qsort(sorted, (size_t)n, sizeof(*sorted), by_value);
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

/* Ratios within a round: what slows all of a round down does not count. */
static void decide(struct tuning *t)
{
	cg_choice *p = &t->choice->public;
	double best = gain_least;

	p->taken = p->usual;
	for (int w = 0; w < p->ways; w++) {
		double ratio[ROUNDS_MOST];

		if (t->copy[w].plan == NULL)
			continue;
		p->seconds[w] = median(t->copy[w].seconds, t->rounds);
		for (int i = 0; i < t->rounds; i++)
			ratio[i] = t->copy[p->usual].seconds[i] / t->copy[w].seconds[i];
		if (w != p->usual && median(ratio, t->rounds) >= best) {
			best = median(ratio, t->rounds);
			p->taken = w;
		}
	}
}

/* "winograd 4.063 direct 7.1": the way taken first, ms. */
static cg_status keep(struct tuning *t)
{
	const cg_choice *p = &t->choice->public;
	char text[512];
	int n = snprintf(text, sizeof(text), "%s %.4g", p->way[p->taken],
		1e3 * p->seconds[p->taken]);

	for (int w = 0; w < p->ways; w++)
		if (w != p->taken && isfinite(p->seconds[w]))
			n += snprintf(text + n, sizeof(text) - (size_t)n, " %s %.4g", p->way[w],
				1e3 * p->seconds[w]);
	return cg__tuned_set(t->ctx, t->choice->key, text);
}

/* ---- a plan ------------------------------------------------------------------------------------ */

static void tune_choice(cg_ctx *ctx, struct cg__choice *choice)
{
	struct tuning t = { .ctx = ctx, .choice = choice };
	const cg_tensor *node = choice->node;
	const size_t bytes = (size_t)cg__count(node) * sizeof(float);
	const int usual = choice->public.usual;

	t.usual = malloc(bytes);
	t.other = malloc(bytes);
	if (t.usual && t.other && make_sources(&t, node) == CG_OK) {
		try_way(&t, node, usual);
		for (int w = 0; t.copy[usual].plan && w < choice->public.ways; w++)
			if (w != usual)
				try_way(&t, node, w);
		if (t.copy[usual].plan && time_ways(&t)) {
			decide(&t);
			choice->public.known = choice->public.timed = keep(&t) == CG_OK;
		}
	}
	cg_clear_error(ctx);
	for (int w = 0; w < choice->public.ways; w++)
		free_copy(&t.copy[w]);
	for (int i = 0; i < node->nsrc; i++)
		cg_array_free(t.src[i]);
	free(t.usual);
	free(t.other);
}

/* What a copy can compute: floats, without effect. It has none of the node's further outputs: nobody asks for them, and
 * emit must then not write them. */
static bool can_copy(const cg_tensor *node)
{
	return node->dtype == CG_FLOAT32 && !(node->op->flags & CG__EFFECT);
}

static bool is_checked(const struct cg__env *e)
{
	return e->guard_on || e->nan_on || e->sync_on || e->fault_at > 0;
}

bool cg__plan_tune(cg_plan *p, double *spent)
{
	struct cg__choices *all = p->ctx->choices;
	const double begin = now() - *spent;
	bool tuned = false;

	if (all == NULL || all->busy || p->ctx->autotune < CG_AUTOTUNE_ON || is_checked(&p->ctx->env))
		return false;
	all->busy = true;
	for (int i = 0; i < all->n && now() - begin < all->plan_seconds; i++) {
		struct cg__choice *c = &all->item[i];

		if (c->node && !c->public.timed && can_copy(c->node) &&
			(!c->public.known || p->ctx->autotune == CG_AUTOTUNE_AGAIN)) {
			tune_choice(p->ctx, c);
			tuned |= c->public.timed;
		}
	}
	all->busy = false;
	*spent = now() - begin;
	if (tuned)
		cg__tuned_save(p->ctx);
	return tuned;
}
