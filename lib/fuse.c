/*
 * A row names a producer and a consumer. Where the producer has no other user, and its operation agrees (absorb),
 * the consumer's node takes over the producer's sources and computes both; the producer is no longer reached. Or the
 * consumer's operation does cheaply what the producer does (take): then the producer may have several users, and is
 * no longer reached when all of them have taken it over. The second table is of those where all must, or none does.
 * The third table is of neighbours, with a source in common or the consumer made of the producer's result, and of what was
 * there before: the producer writes the consumer's tensor too.
 * CG_FUSE=-name switches a row off, tests compare both; doc/performance.md has what rows gain.
 */
#include "fuse.h"

#include "params.h"

#include <stdlib.h>
#include <string.h>

static const struct rewrite {
	const char *name, *producer, *consumer;
} table[] = { /* producers take what their consumer does */
	{ "conv-bias", "conv2d", "bias" },
	{ "conv-norm", "conv2d", "bn_apply" },
	{ "conv-relu", "conv2d", "relu" },
	{ "conv-add", "conv2d", "add" },
	{ "conv-add", "conv2d_dx", "add" },
	{ "matmul-bias", "matmul", "bias" },
	{ "matmul-relu", "matmul", "relu" },
	{ "matmul-gelu", "matmul", "gelu" },
	{ "matmul-gelu-tanh", "matmul", "gelu_tanh" },
	{ "matmul-add", "matmul", "add" },
	{ "matmul-mul", "matmul_grad", "mul" },
	{ "norm-frozen", "bn_frozen_stats", "bn_apply" },
	{ "norm-relu", "bn_apply", "relu" },
	{ "norm-relu-grad", "relu_grad", "bn_grad" },
	{ "norm-relu-grad", "relu_grad", "bn_grad_input" },
	{ "norm-add", "bn_grad_input", "add" },
	{ "norm-pool", "bn_apply", "max_pool" },
	{ "pool-relu-grad", "max_pool_grad", "relu_grad" },
};

/* All users of the producer do it, or none: it would be computed all the same. */
static const struct rewrite shared[] = {
	{ "norm-conv", "bn_apply", "conv2d" },
	{ "norm-conv", "bn_apply", "conv2d_dw" },
};

static const struct rewrite neighbours[] = {
	{ "matmul-sum", "matmul_grad", "sum_leading" }, /* the gradients of a weight and of its bias */
	{ "conv-sum", "conv2d_dw", "sum_leading" },
	{ "conv-stats", "conv2d", "bn_stats" },
	{ "conv-norm-grad", "conv2d_dx", "bn_grad" },
};

/* keep.c: launches of parameters alone are not repeated in every run of a plan that infers; optim_update.c */
static const char *const elsewhere[] = { "keep", "matmul-update" };

enum {
	ROWS = sizeof(table) / sizeof(table[0]),
	SHARED = sizeof(shared) / sizeof(shared[0]),
	NEIGHBOURS = sizeof(neighbours) / sizeof(neighbours[0])
};

const char *cg__fuse_name(int i)
{
	if (i < ROWS)
		return table[i].name;
	if (i < ROWS + SHARED)
		return shared[i - ROWS].name;
	return i < ROWS + SHARED + NEIGHBOURS ? neighbours[i - ROWS - SHARED].name : NULL;
}

static bool is_known(const char *word)
{
	for (int i = 0; cg__fuse_name(i); i++)
		if (strcmp(word, cg__fuse_name(i)) == 0)
			return true;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (strcmp(word, elsewhere[i]) == 0)
			return true;
	return strcmp(word, "all") == 0;
}

cg_status cg__fuse_check(cg_ctx *ctx)
{
	char list[sizeof(ctx->env.fuse)], *save = NULL;

	strcpy(list, ctx->env.fuse);
	for (char *w = strtok_r(list, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save))
		if (w[0] != '-' || !is_known(w + 1))
			return cg__fail(ctx, CG_ERR_ARGUMENT,
				"CG_FUSE=%s: %s is not - and a rewrite's name or all",
				ctx->env.fuse, w);
	return CG_OK;
}

static bool is_off(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = list; (at = strchr(at, '-')) != NULL; at++) {
		bool starts = at == list || at[-1] == ',';

		if (starts && strncmp(at + 1, "all", 3) == 0 && (at[4] == '\0' || at[4] == ','))
			return true;
		if (starts && strncmp(at + 1, name, n) == 0 &&
			(at[n + 1] == '\0' || at[n + 1] == ','))
			return true;
	}
	return false;
}

bool cg__fuse_has(const cg_ctx *ctx, const char *name)
{
	return !is_off(ctx->env.fuse, name);
}

static bool allowed(const struct rewrite *row, int rows, const cg_tensor *producer, const cg_tensor *consumer)
{
	for (; rows > 0; rows--, row++)
		if (strcmp(producer->op->name, row->producer) == 0 &&
			strcmp(consumer->op->name, row->consumer) == 0)
			return !is_off(producer->graph->ctx->env.fuse, row->name);
	return false;
}

static int *count_users(const cg_graph *g, const bool *needed)
{
	int *users = calloc((size_t)g->count + 1, sizeof(*users));

	for (int i = 0; users && i < g->count; i++)
		for (int s = 0; needed[i] && s < g->node[i]->nsrc; s++)
			users[g->node[i]->src[s]->id]++;
	return users;
}

/* Whether they have memory in common: parameters lie in a buffer that is an array too. */
static bool overlap(const cg_array *a, const cg_array *b)
{
	const cg_params *p = a ? a->params : NULL;

	return a && b && (a == b || (p && p == b->params && (a == p->weights || b == p->weights)));
}

/* Whether an effect may write an array that t reads. */
static bool may_write(const cg_tensor *effect, const cg_tensor *t)
{
	for (int i = 0; i < effect->nsrc; i++)
		for (int s = 0; s < t->nsrc; s++)
			if (overlap(cg__root(effect->src[i])->array, cg__root(t->src[s])->array))
				return true;
	return false;
}

/* Whether an array that either reads may have changed between their turns. */
static bool effect_between(const cg_graph *g, const cg_tensor *producer, const cg_tensor *consumer)
{
	for (int i = 0; i < g->effects; i++)
		if (g->effect[i]->id > producer->id && g->effect[i]->id < consumer->id &&
			(may_write(g->effect[i], producer) || may_write(g->effect[i], consumer)))
			return true;
	return false;
}

bool cg__effect_since(const cg_tensor *t)
{
	const cg_graph *g = t->graph;

	for (int i = 0; i < g->effects; i++)
		if (g->effect[i]->id > t->id && may_write(g->effect[i], t))
			return true;
	return false;
}

/* One user less; without users a node uses its sources no more. */
static void release(cg_tensor *t, const bool *keep, int *users)
{
	if (--users[t->id] > 0 || keep[t->id])
		return;
	for (int s = 0; s < t->nsrc; s++)
		release(t->src[s], keep, users);
}

static bool can_take(const cg_tensor *consumer, const cg_tensor *producer, cg_tensor *merged)
{
	*merged = *consumer;
	return consumer->op->take && consumer->src[0] == producer &&
		!effect_between(consumer->graph, producer, consumer) &&
		consumer->op->take(merged, producer);
}

static void try_take(cg_tensor *consumer, const bool *keep, int *users)
{
	cg_tensor merged;

	if (!can_take(consumer, consumer->src[0], &merged))
		return;
	for (int s = 0; s < merged.nsrc; s++)
		users[merged.src[s]->id]++;
	for (int s = 0; s < consumer->nsrc; s++)
		release(consumer->src[s], keep, users);
	*consumer = merged;
}

/* The producer is a source of the consumer, any one. */
static bool try_fuse(cg_tensor *producer, cg_tensor *consumer, const bool *keep, int *users)
{
	cg_tensor merged;

	if (users[producer->id] != 1 || keep[producer->id] || producer->grad_of || consumer->grad_of ||
		effect_between(consumer->graph, producer, consumer))
		return false;
	if (producer->op->absorb == NULL || producer->aux[0] || producer->aux[1])
		return false;
	merged = *producer;
	if (!producer->op->absorb(&merged, consumer))
		return false;
	for (int s = 0; s < consumer->nsrc; s++)
		users[consumer->src[s]->id]--;
	for (int s = 0; s < merged.nsrc; s++)
		users[merged.src[s]->id]++;
	for (int s = 0; s < producer->nsrc; s++)
		users[producer->src[s]->id]--;
	consumer->op = merged.op;
	consumer->nsrc = merged.nsrc;
	memcpy(consumer->src, merged.src, sizeof(merged.src));
	memcpy(consumer->attr, merged.attr, sizeof(merged.attr));
	return true;
}

static int uses(const cg_tensor *t, const cg_tensor *source)
{
	int n = 0;

	for (int s = 0; s < t->nsrc; s++)
		n += t->src[s] == source;
	return n;
}

/* If all that use the producer can take it, they do. */
static void try_take_all(const cg_graph *g, cg_tensor *producer, const bool *keep, int *users)
{
	int taken = 0, left = users[producer->id];

	for (int i = producer->id + 1; i < g->count && left > 0; i++) {
		cg_tensor *t = g->node[i], merged;

		if (users[i] + keep[i] == 0 || !uses(t, producer))
			continue;
		if (!allowed(shared, SHARED, producer, t) || !can_take(t, producer, &merged))
			return;
		taken++;
		left -= uses(t, producer);
	}
	if (taken == 0 || keep[producer->id] || producer->grad_of)
		return;
	for (int i = producer->id + 1; i < g->count && users[producer->id] > 0; i++)
		if (users[i] + keep[i] > 0 && uses(g->node[i], producer))
			try_take(g->node[i], keep, users);
}

/* With what t writes besides. */
static bool adopts(const cg_graph *g, cg_tensor *y, cg_tensor *t, const bool *keep, int *users)
{
	cg_tensor *second = t->aux[0];
	const int before = y->nsrc;

	if (users[y->id] + keep[y->id] == 0 || y->aux[0] || y->op->adopt == NULL ||
		!allowed(neighbours, NEIGHBOURS, y, t) || effect_between(g, y, t) ||
		effect_between(g, t, y) || !y->op->adopt(y, t))
		return false;
	for (int s = 0; s < t->nsrc; s++)
		users[t->src[s]->id]--;
	for (int s = before; s < y->nsrc; s++)
		users[y->src[s]->id]++;
	users[y->id]++;
	cg__make_aux(y, 0, t);
	if (second == NULL)
		return true;
	t->aux[0] = NULL;
	users[t->id]--;
	users[y->id]++;
	cg__make_aux(y, 1, second);
	return true;
}

static bool is_last_source(const cg_tensor *t)
{
	for (int s = 1; s < t->nsrc; s++)
		if (t->src[s]->id > t->src[0]->id)
			return false;
	return true;
}

/* t can be written as soon as y is, or is only kept, so that it does not matter when. */
static void try_adopt(const cg_graph *g, cg_tensor *t, const bool *keep, int *users)
{
	if (users[t->id] > 0 && t->nsrc > 0 && is_last_source(t))
		adopts(g, t->src[0], t, keep, users);
	for (int i = 0; users[t->id] == 0 && keep[t->id] && i < g->count; i++)
		if (adopts(g, g->node[i], t, keep, users))
			return;
}

cg_status cg__fuse(cg_graph *g, const bool *keep)
{
	bool *needed = calloc((size_t)g->count + 1, sizeof(*needed));
	int *users;

	if (needed == NULL)
		return cg__fail(g->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	for (int i = g->count - 1; i >= 0; i--) {
		needed[i] |= keep[i];
		for (int s = 0; needed[i] && s < g->node[i]->nsrc; s++)
			needed[g->node[i]->src[s]->id] = true;
	}
	users = count_users(g, needed);
	free(needed);
	if (users == NULL)
		return cg__fail(g->ctx, CG_ERR_HOST_MEMORY, "plan: out of host memory");
	for (int i = 0; i < g->count; i++) {
		cg_tensor *t = g->node[i];

		if (users[i] + keep[i] > 0 && t->op->take && allowed(table, ROWS, t->src[0], t))
			try_take(t, keep, users);
		for (int s = 0; users[i] + keep[i] > 0 && t->op->take == NULL && s < t->nsrc; s++)
			if (allowed(table, ROWS, t->src[s], t) && try_fuse(t->src[s], t, keep, users))
				break;
	}
	for (int i = 0; i < g->count; i++)
		if (users[i] > 0)
			try_take_all(g, g->node[i], keep, users);
	for (int i = 0; i < g->count; i++)
		try_adopt(g, g->node[i], keep, users);
	free(users);
	return CG_OK;
}
