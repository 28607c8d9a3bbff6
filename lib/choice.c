#include "choice.h"

#include "tuned.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double default_candidate = .05, default_plan = 4;

struct cg__choices *cg__choices(cg_ctx *ctx)
{
	if (ctx->choices == NULL) {
		ctx->choices = calloc(1, sizeof(*ctx->choices));
		if (ctx->choices) {
			ctx->choices->candidate_seconds = default_candidate;
			ctx->choices->plan_seconds = default_plan;
		}
	}
	return ctx->choices;
}

void cg__choices_forget_nodes(cg_ctx *ctx)
{
	struct cg__choices *all = ctx->choices;

	for (int i = 0; all && !all->busy && i < all->n; i++)
		all->item[i].node = NULL;
}

void cg__choices_close(cg_ctx *ctx)
{
	if (ctx->choices)
		free(ctx->choices->item);
	free(ctx->choices);
	ctx->choices = NULL;
}

/* The way that a value "winograd 4.063 direct 7.1" begins with; -1 where it is none of them. */
static int parse(const char *value, const char *const *way, int ways)
{
	const size_t n = value ? strcspn(value, " ") : 0;

	for (int i = 0; n > 0 && i < ways; i++)
		if (strlen(way[i]) == n && strncmp(way[i], value, n) == 0)
			return i;
	return -1;
}

static struct cg__choice *find(struct cg__choices *all, const char *key)
{
	for (int i = 0; i < all->n; i++)
		if (strcmp(all->item[i].key, key) == 0)
			return &all->item[i];
	return NULL;
}

static struct cg__choice *add(struct cg__choices *all, const char *key)
{
	struct cg__choice *c;

	if (all->n == all->size) {
		int size = 2 * all->size + 64;
		struct cg__choice *bigger = realloc(all->item, (size_t)size * sizeof(*bigger));

		if (bigger == NULL)
			return NULL;
		all->item = bigger;
		all->size = size;
	}
	c = &all->item[all->n++];
	*c = (struct cg__choice){ .key = "" };
	snprintf(c->key, sizeof(c->key), "%s", key);
	return c;
}

/* Notes the question for tuning. */
static void note(cg_ctx *ctx, const cg_tensor *node, const char *key, const char *const *way,
	int ways, int usual, int known)
{
	struct cg__choice *c = find(ctx->choices, key);

	if (c == NULL) {
		c = add(ctx->choices, key);
		if (c == NULL)
			return;
		c->public.ways = ways;
		c->public.usual = usual;
		c->public.taken = known >= 0 ? known : usual;
		c->public.known = known >= 0;
		for (int i = 0; i < ways; i++) {
			c->public.way[i] = way[i];
			c->public.seconds[i] = c->public.error[i] = NAN;
		}
	}
	c->node = node;
}

int cg__choose(struct cg__emit *e, const char *key, const char *const *way, int ways, int usual)
{
	cg_ctx *ctx = cg__emit_ctx(e);
	struct cg__choices *all = ctx->autotune == CG_AUTOTUNE_OFF ? NULL : cg__choices(ctx);
	int known;

	if (all == NULL || ways < 2 || ways > CG_WAYS || strlen(key) >= sizeof(all->item->key))
		return usual;
	if (all->forced && strcmp(all->forced, key) == 0)
		return all->forced_way;
	known = parse(cg__tuned_find(ctx, key), way, ways);
	if (ctx->autotune >= CG_AUTOTUNE_ON && !all->busy)
		note(ctx, cg__emit_node(e), key, way, ways, usual, known);
	return known >= 0 ? known : usual;
}

void cg_tune(cg_ctx *ctx, cg_autotune mode, double candidate_seconds, double plan_seconds)
{
	struct cg__choices *all = cg__choices(ctx);
	const bool has = ctx->autotune != CG_AUTOTUNE_OFF;

	ctx->autotune = mode;
	if (has != (mode != CG_AUTOTUNE_OFF)) /* from which follows whether there is a file */
		cg__tuned_close(ctx);
	if (all == NULL)
		return;
	all->candidate_seconds = candidate_seconds > 0 ? candidate_seconds : default_candidate;
	all->plan_seconds = plan_seconds > 0 ? plan_seconds : default_plan;
}

int cg_choice_count(const cg_ctx *ctx)
{
	return ctx->choices ? ctx->choices->n : 0;
}

cg_choice cg_choice_at(const cg_ctx *ctx, int i)
{
	cg_choice c = ctx->choices->item[i].public;

	c.key = ctx->choices->item[i].key;
	return c;
}
