/*
 * Batch normalisation over all but the last dimension; x is n rows of C channels.
 *
 *	stats = bn_stats(x) or bn_frozen_stats(running)		[3,C]: mean, 1/sqrt(var + eps), var
 *	y = bn_apply(x, stats, gamma, beta)			may take a relu along, or frozen statistics
 *	bn_update(running, stats)				an effect of training steps
 *
 * bn_apply knows the gradient of the whole, so none flows through stats:
 *	dgamma, dbeta = bn_grad(dy, x, stats)			both may take a relu's gradient along
 *	dx = bn_grad_input(dy, x, stats, gamma, dgamma, dbeta) or bn_grad_frozen(dy, stats, gamma)
 * (bn_grad_input also adds what else is a gradient of x, if asked to)
 * cl/batch_norm.cl and cl/batch_norm_sums.cl have the formulas.
 */
#include "batch_norm.h"

#include <string.h>

struct norm {
	float eps, momentum;
	bool frozen;
	int32_t relu;
};

enum { BLOCK = 8, COLUMNS = 512 }; /* as in batch_norm_sums.cl */

/* How x is cut up. CPU family: rows of W = fold C columns, the last of them `last` columns. */
struct cut {
	int64_t n, C;
	int64_t W, rows, last;
	int64_t per, chunks; /* rows of a chunk, number of chunks */
	int across, down; /* local size, GPU family */
};

static int64_t divide_up(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
	return v > high ? high : v < low ? low : v;
}

static struct cut whole(const struct cg__emit *e, const cg_tensor *x)
{
	struct cut k = { .n = cg__rows(x), .C = cg__last(x), .across = 32 };
	int64_t fold = 1, lanes = cg__vector_width(e);
	int group = (int)cg__range_tasks(e, 1, INT32_MAX).local[0];

	while (cg__is_cpu(e) && k.C * fold % lanes != 0)
		fold *= 2;
	while (k.across / 2 >= k.C || k.across > group)
		k.across /= 2;
	k.down = group / k.across; /* at least 1: both are powers of 2 */
	k.W = fold * k.C;
	k.rows = divide_up(k.n, fold);
	k.last = k.n * k.C - (k.rows - 1) * k.W;
	return k;
}

static void into_chunks(struct cut *k, int64_t chunks)
{
	k->per = divide_up(k->rows, clamp(chunks, 1, k->rows));
	k->chunks = divide_up(k->rows, k->per);
}

/* Chunks for a reduction: at least 64 rows each, so that joining them costs little. */
static struct cut for_sums(const struct cg__emit *e, const cg_tensor *x)
{
	struct cut k = whole(e, x);
	int64_t cpu = cg__is_cpu(e), units = cg__compute_units(e);
	int64_t across = divide_up(k.W, cpu ? COLUMNS : k.across);
	int64_t least = cpu ? 8 * BLOCK : BLOCK * k.down;

	into_chunks(&k, clamp(k.rows / least, 1, (cpu ? 8 : 16) * units / across));
	if (cpu) {
		k.per = divide_up(k.per, BLOCK) * BLOCK;
		k.chunks = divide_up(k.rows, k.per);
	}
	return k;
}

static struct cg__range sums_range(const struct cg__emit *e, const struct cut *k)
{
	size_t across = (size_t)k->across, down = (size_t)k->down;

	if (cg__is_cpu(e))
		return cg__range_2d((size_t)k->chunks, (size_t)divide_up(k->W, COLUMNS), 1, 1);
	return cg__range_2d((size_t)divide_up(k->C, k->across) * across, (size_t)k->chunks * down,
		across, down);
}

/* To join the chunks: a task is a vector of channels, or `across` of them. */
static struct cg__range join_range(const struct cg__emit *e, const struct cut *k)
{
	size_t across = (size_t)k->across, down = (size_t)k->down;

	if (cg__is_cpu(e))
		return cg__range_tasks(e, divide_up(k->C, cg__vector_width(e)), 1);
	return cg__range_2d((size_t)divide_up(k->C, k->across) * across, down, across, down);
}

/* Chunks and range of what is elementwise: on CPUs a task is a chunk. */
static struct cut for_elements(const struct cg__emit *e, const cg_tensor *x, struct cg__range *r)
{
	struct cut k = whole(e, x);
	int64_t units = cg__compute_units(e);
	size_t across = (size_t)k.across, down = (size_t)k.down;

	into_chunks(&k, clamp(k.n * k.C / 16384, 1, 8 * units));
	if (cg__is_cpu(e))
		*r = cg__range_1d((size_t)k.chunks, 1);
	else
		*r = cg__range_2d((size_t)divide_up(k.C, k.across) * across,
			(size_t)clamp(divide_up(k.rows, 8 * k.down), 1, 64 * units) * down, across,
			down);
	return k;
}

/* What every kernel is told of the cut. */
#define CUT(k) INT((k).rows), INT((k).W), INT((k).last), INT((k).per)

/* ---- statistics -------------------------------------------------------------------------- */

static cg_status stats_emit(struct cg__emit *e, const cg_tensor *stats)
{
	const struct norm *f = cg__attr(stats);
	const cg_tensor *x = stats->src[0];
	struct cut k = for_sums(e, x);
	cg_tensor *part = cg__temp(e, CG_FLOAT32, k.chunks * 2 * k.W);

	TRY(CG__LAUNCH(e, "batch_norm_sums", NULL, "bn_stats_part", sums_range(e, &k), IN(x),
		OUT(part), CUT(k)));
	return CG__LAUNCH(e, "batch_norm_sums", NULL, "bn_stats_join", join_range(e, &k), IN(part),
		OUT(stats), CUT(k), INT(k.chunks), INT(k.C), FLT(k.n), FLT(f->eps));
}

static cg_status frozen_stats_emit(struct cg__emit *e, const cg_tensor *stats)
{
	const struct norm *f = cg__attr(stats);
	int64_t C = cg__last(stats);

	return CG__LAUNCH(e, "batch_norm", NULL, "bn_frozen_stats", cg__range_elements(e, C),
		IN(stats->src[0]), IN(stats->src[1]), OUT(stats), INT(C), FLT(f->eps));
}

static const struct cg__attr_entry stats_attrs[] = { CG__ATTR("eps", struct norm, eps),
	{ .name = NULL } };

static const struct cg_op stats_op = { .name = "bn_stats", .emit = stats_emit, .attrs = stats_attrs };
static const struct cg_op apply_op;

/* The norm itself makes what it needs of the running mean and variance. */
static bool frozen_absorb(cg_tensor *stats, const cg_tensor *y)
{
	cg_tensor *const src[] = { y->src[0], stats->src[0], stats->src[1], y->src[2], y->src[3] };

	stats->op = &apply_op;
	stats->nsrc = 5;
	memcpy(stats->src, src, sizeof(src));
	memcpy(stats->attr, y->attr, sizeof(stats->attr));
	return true;
}

static const struct cg_op frozen_stats_op = { .name = "bn_frozen_stats",
	.emit = frozen_stats_emit,
	.absorb = frozen_absorb,
	.attrs = stats_attrs };

static cg_tensor *statistics(cg_tensor *x, cg_tensor *mean, cg_tensor *var, const struct norm *f)
{
	int64_t shape[] = { 3, cg__last(x) };

	if (f->frozen)
		return cg__node(
			&frozen_stats_op, CG_FLOAT32, 2, shape, CG__SRC(mean, var), f, sizeof(*f));
	return cg__node(&stats_op, CG_FLOAT32, 2, shape, CG__SRC(x), f, sizeof(*f));
}

/* ---- running statistics ------------------------------------------------------------------ */

struct update {
	float momentum, unbiased;
};

/* src: running mean, running variance, stats */
static cg_status update_emit(struct cg__emit *e, const cg_tensor *y)
{
	const struct update *u = cg__attr(y);
	int64_t C = cg__last(y);

	return CG__LAUNCH(e, "batch_norm", NULL, "bn_update", cg__range_elements(e, C),
		UPDATE(y->src[0]), UPDATE(y->src[1]), IN(y->src[2]), INT(C), FLT(u->momentum),
		FLT(u->unbiased));
}

static const struct cg_op update_op = {
	.name = "bn_update", .flags = CG__EFFECT, .emit = update_emit
};

static cg_status update(
	cg_tensor *x, cg_tensor *mean, cg_tensor *var, cg_tensor *stats, const struct norm *f)
{
	double n = (double)cg__rows(x);
	struct update u = { f->momentum, n > 1 ? (float)(n / (n - 1)) : 1 };

	return cg__effect(
		cg__node_like(&update_op, mean, CG__SRC(mean, var, stats), &u, sizeof(u)));
}

/* ---- gradient ---------------------------------------------------------------------------- */

/* y is dgamma, aux[0] dbeta; src: dy, x, stats; where a relu came after the norm, gamma, beta */
static cg_status grad_emit(struct cg__emit *e, const cg_tensor *y)
{
	const cg_tensor *dy = y->src[0], *x = y->src[1], *stats = y->src[2];
	const bool relu = y->nsrc > 3;
	struct cut k = for_sums(e, x);
	cg_tensor *part = cg__temp(e, CG_FLOAT32, k.chunks * 5 * k.W);

	TRY(CG__LAUNCH(e, "batch_norm_sums", NULL, "bn_grad_part", sums_range(e, &k), IN(dy), IN(x),
		IN(stats), IN(relu ? y->src[3] : NULL), IN(relu ? y->src[4] : NULL), OUT(part),
		CUT(k), INT(k.C), INT(relu)));
	return CG__LAUNCH(e, "batch_norm_sums", NULL, "bn_grad_join", join_range(e, &k), IN(part),
		IN(stats), OUT(y), OUT(y->aux[0]), INT(k.W), INT(k.chunks), INT(k.C));
}

/* src: dy, x, stats, gamma, dgamma, dbeta; where a relu came after the norm, beta; perhaps what is added to dx */
struct input {
	int32_t relu, add;
};

static cg_status grad_input_emit(struct cg__emit *e, const cg_tensor *dx)
{
	const struct input *a = cg__attr(dx);
	cg_tensor *const *s = dx->src;
	struct cg__range r;
	struct cut k = for_elements(e, dx, &r);
	cg_tensor *table = cg__temp(e, CG_FLOAT32, cg__is_cpu(e) ? k.chunks * 5 * k.W : 1);

	return CG__LAUNCH(e, "batch_norm", NULL, "bn_grad_input", r, IN(s[0]), IN(s[1]), IN(s[2]),
		IN(s[3]), IN(s[4]), IN(s[5]), IN(a->relu ? s[6] : NULL),
		IN(a->add ? s[6 + a->relu] : NULL), OUT(dx), OUT(table), CUT(k), INT(k.C),
		FLT(k.n), INT(a->relu));
}

/* src: dy, stats, gamma */
static cg_status grad_frozen_emit(struct cg__emit *e, const cg_tensor *dx)
{
	struct cg__range r;
	struct cut k = for_elements(e, dx, &r);
	cg_tensor *table = cg__temp(e, CG_FLOAT32, cg__is_cpu(e) ? k.chunks * k.W : 1);

	return CG__LAUNCH(e, "batch_norm", NULL, "bn_grad_frozen", r, IN(dx->src[0]),
		IN(dx->src[1]), IN(dx->src[2]), OUT(dx), OUT(table), CUT(k), INT(k.C));
}

/* Instead of the relu's gradient: zero for dy where y, computed once more, is not above zero. */
static bool take_relu_grad(cg_tensor *y, const cg_tensor *producer)
{
	const cg_tensor *out = producer->src[1];
	const bool first = strcmp(y->op->name, "bn_grad") == 0;
	const int plain = first ? 3 : 6;

	if (y->nsrc != plain || strcmp(out->op->name, "bn_apply") != 0 ||
		!((const struct norm *)cg__attr(out))->relu || out->src[0] != y->src[1] ||
		out->src[1] != y->src[2])
		return false;
	y->src[0] = producer->src[0];
	if (first)
		y->src[y->nsrc++] = out->src[2];
	else
		((struct input *)y->attr)->relu = true;
	y->src[y->nsrc++] = out->src[3];
	return true;
}

/* The other operand of a sum. */
static bool input_absorb(cg_tensor *dx, const cg_tensor *sum)
{
	struct input *a = (struct input *)dx->attr;

	if (a->add)
		return false;
	a->add = true;
	dx->src[dx->nsrc++] = sum->src[sum->src[0]->id == dx->id];
	return true;
}

static const struct cg_op grad_op = {
	.name = "bn_grad", .emit = grad_emit, .take = take_relu_grad
};
static const struct cg_op grad_input_op = { .name = "bn_grad_input",
	.flags = CG__INPLACE,
	.emit = grad_input_emit,
	.absorb = input_absorb,
	.take = take_relu_grad };
static const struct cg_op grad_frozen_op = {
	.name = "bn_grad_frozen", .flags = CG__INPLACE, .emit = grad_frozen_emit
};

static void apply_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const struct norm *f = cg__attr(y);
	cg_tensor *x = y->src[0], *stats = y->src[1], *gamma = y->src[2], *dgamma, *dbeta;

	if (f->frozen && x->wants_grad)
		dx[0] = cg__node_like(&grad_frozen_op, x, CG__SRC(dy, stats, gamma), NULL, 0);
	if (f->frozen && !gamma->wants_grad && !y->src[3]->wants_grad)
		return;
	dgamma = cg__node(&grad_op, CG_FLOAT32, 1, gamma->shape, CG__SRC(dy, x, stats), NULL, 0);
	dbeta = cg__aux(dgamma, 0, CG_FLOAT32, 1, gamma->shape);
	if (gamma->wants_grad)
		dx[2] = dgamma;
	if (y->src[3]->wants_grad)
		dx[3] = dbeta;
	if (!f->frozen && x->wants_grad)
		dx[0] = cg__node_like(&grad_input_op, x,
			CG__SRC(dy, x, stats, gamma, dgamma, dbeta), &(struct input){ 0 },
			sizeof(struct input));
}

/* ---- the operation ----------------------------------------------------------------------- */

/* stats, or with var the running mean */
static cg_status launch_apply(struct cg__emit *e, const cg_tensor *x, const cg_tensor *stats,
	const cg_tensor *var, const cg_tensor *gamma, const cg_tensor *beta,
	const struct norm *f, const cg_tensor *y)
{
	struct cg__range r;
	struct cut k = for_elements(e, x, &r);
	cg_tensor *table = cg__temp(e, CG_FLOAT32, cg__is_cpu(e) ? k.chunks * 2 * k.W : 1);

	return CG__LAUNCH(e, "batch_norm", NULL, "bn_apply", r, IN(x), IN(stats), IN(var),
		IN(gamma), IN(beta), OUT(y), OUT(table), CUT(k), INT(k.C), INT(f->relu),
		FLT(f->eps));
}

cg_status cg__batch_norm_apply(struct cg__emit *e, const cg_tensor *x, const cg_tensor *stats,
	const cg_tensor *gamma, const cg_tensor *beta, bool relu, const cg_tensor *y)
{
	return launch_apply(e, x, stats, NULL, gamma, beta, &(struct norm){ .relu = relu }, y);
}

/* src: x, stats or running mean and variance, gamma, beta */
static cg_status apply_emit(struct cg__emit *e, const cg_tensor *y)
{
	cg_tensor *const *s = y->src;
	const bool running = y->nsrc > 4;

	return launch_apply(e, s[0], s[1], running ? s[2] : NULL, s[2 + running], s[3 + running],
		cg__attr(y), y);
}

static bool apply_absorb(cg_tensor *y, const cg_tensor *consumer)
{
	struct norm *f = (struct norm *)y->attr;

	if (f->relu || strcmp(consumer->op->name, "relu") != 0)
		return false;
	f->relu = true;
	return true;
}

static const struct cg__attr_entry apply_attrs[] = { CG__ATTR("relu", struct norm, relu),
	{ .name = NULL } };

static const struct cg_op apply_op = { .name = "bn_apply",
	.flags = CG__INPLACE,
	.emit = apply_emit,
	.grad = apply_grad,
	.absorb = apply_absorb,
	.attrs = apply_attrs };

static bool one_per_channel(const cg_tensor *x, const cg_tensor *p, const char *name)
{
	char sx[64], sp[64];

	if (p->ndim == 1 && p->shape[0] == cg__last(x) && p->dtype == CG_FLOAT32)
		return true;
	cg__fail_tensor(x, CG_ERR_SHAPE, "batch_norm: x is %s, %s is %s", cg__shape_text(x, sx),
		name, cg__shape_text(p, sp));
	return false;
}

cg_tensor *cg_batch_norm(cg_tensor *x, cg_tensor *gamma, cg_tensor *beta, cg_array *running_mean,
	cg_array *running_var, float eps, float momentum, bool frozen)
{
	struct norm f = { .eps = eps, .momentum = momentum };
	cg_tensor *mean, *var, *stats;

	if (!x || !gamma || !beta)
		return NULL;
	f.frozen = frozen || !cg__training(x);
	mean = cg_use(x->graph, running_mean);
	var = cg_use(x->graph, running_var);
	if (!mean || !var)
		return NULL;
	if (x->dtype != CG_FLOAT32)
		return cg__fail_tensor(x, CG_ERR_ARGUMENT, "batch_norm: x is not float32");
	if (!one_per_channel(x, gamma, "gamma") || !one_per_channel(x, beta, "beta") ||
		!one_per_channel(x, mean, "running_mean") ||
		!one_per_channel(x, var, "running_var"))
		return NULL;
	stats = statistics(x, mean, var, &f);
	if (!stats || (!f.frozen && update(x, mean, var, stats, &f) != CG_OK))
		return NULL;
	return cg__node_like(&apply_op, x, CG__SRC(x, stats, gamma, beta), &f, sizeof(f));
}
