/*
 * Matrix products and convolutions as the engine's users call them, packing included. Before a row
 * is timed, elements of its result are compared with plain loops in double precision.
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 512, EDGE = 64 };

static const char *const part_names[] = { "y", "dx", "dw" };

/* The row in the making. Arrays and their values: x, w, dy. */
struct trial {
	const struct product *p;
	enum part part;
	int64_t P, Q, count[3];
	cg_array *array[3];
	float *value[3];
	cg_graph *graph;
	cg_tensor *out;
	cg_plan *plan;
};
enum { X, W, DY };

static double uniform(uint64_t i)
{
	i = (i ^ i >> 30) * 0xBF58476D1CE4E5B9u;
	i = (i ^ i >> 27) * 0x94D049BB133111EBu;
	return (double)((i ^ i >> 31) >> 40) * 0x1p-23 - 1;
}

static bool make_array(struct trial *t, cg_ctx *ctx, int which, int ndim, const int64_t *shape)
{
	int64_t n = 1;

	for (int i = 0; i < ndim; i++)
		n *= shape[i];
	t->count[which] = n;
	t->array[which] = cg_array_new(ctx, "operand", CG_FLOAT32, ndim, shape);
	t->value[which] = malloc((size_t)n * sizeof(float));
	if (!t->array[which] || !t->value[which])
		return false;
	for (int64_t i = 0; i < n; i++)
		t->value[which][i] =
			(float)uniform(0x9E3779B97F4A7C15u * (uint64_t)(3 * i + which + 1));
	return cg_array_write(t->array[which], t->value[which], (size_t)n * sizeof(float)) == CG_OK;
}

static bool make_arrays(struct trial *t, cg_ctx *ctx)
{
	const struct product *p = t->p;

	if (p->gemm)
		return make_array(t, ctx, X, 2, (int64_t[]){ p->B, p->C }) &&
			make_array(t, ctx, W, 2, (int64_t[]){ p->C, p->M }) &&
			make_array(t, ctx, DY, 2, (int64_t[]){ p->B, p->M });
	return make_array(t, ctx, X, 4, (int64_t[]){ p->B, p->H, p->W, p->C }) &&
		make_array(t, ctx, W, 4, (int64_t[]){ p->R, p->R, p->C, p->M }) &&
		make_array(t, ctx, DY, 4, (int64_t[]){ p->B, t->P, t->Q, p->M });
}

/* The gradients that nobody asks for are not computed: a plan runs only what its output needs. */
static bool describe(struct trial *t, cg_ctx *ctx)
{
	cg_tensor *x, *w, *y;

	t->graph = cg_graph_new(ctx, CG_TRAIN);
	x = cg_use(t->graph, t->array[X]);
	w = cg_use(t->graph, t->array[W]);
	if (t->part == PART_DX)
		cg_want_grad(x);
	if (t->part == PART_DW)
		cg_want_grad(w);
	y = t->p->gemm ? cg_matmul(x, w) : cg_conv2d(x, w, t->p->stride, t->p->pad);
	if (t->part != PART_Y && cg_backward_from(y, cg_use(t->graph, t->array[DY]), NULL) != CG_OK)
		return false;
	t->out = !y || t->part == PART_Y ? y : cg_grad(t->part == PART_DX ? x : w);
	t->plan = t->out ? cg_plan_new(t->graph, &t->out, 1) : NULL;
	return t->plan && cg_plan_run(t->plan) == CG_OK;
}

static void trial_free(struct trial *t)
{
	cg_plan_free(t->plan);
	cg_graph_free(t->graph);
	for (int i = 0; i < 3; i++) {
		cg_array_free(t->array[i]);
		free(t->value[i]);
	}
}

/* A sum of products in double precision, and the sum of their squares. */
struct sum {
	double value, squares;
	int64_t terms;
};

static void add(
	struct sum *s, const struct trial *t, int which_a, int64_t a, int which_b, int64_t b)
{
	double term = (double)t->value[which_a][a] * (double)t->value[which_b][b];

	s->value += term;
	s->squares += term * term;
	s->terms++;
}

/* Index of x[b, h, w, c], or -1 in the padding. */
static int64_t x_at(const struct product *p, int64_t b, int64_t h, int64_t w, int64_t c)
{
	return h < 0 || h >= p->H || w < 0 || w >= p->W ? -1
							: ((b * p->H + h) * p->W + w) * p->C + c;
}

static struct sum element_y(const struct trial *t, int64_t i)
{
	const struct product *p = t->p;
	int64_t m = i % p->M, pixel = i / p->M, q = pixel % t->Q, row = pixel / t->Q;
	struct sum s = { 0 };

	for (int64_t k = 0; k < p->R * p->R * p->C; k++) {
		int64_t c = k % p->C, tap = k / p->C;
		int64_t at = x_at(p, row / t->P, row % t->P * p->stride - p->pad + tap / p->R,
			q * p->stride - p->pad + tap % p->R, c);

		if (at >= 0)
			add(&s, t, X, at, W, k * p->M + m);
	}
	return s;
}

static struct sum element_dx(const struct trial *t, int64_t i)
{
	const struct product *p = t->p;
	int64_t c = i % p->C, w = i / p->C % p->W, h = i / p->C / p->W % p->H;
	int64_t b = i / p->C / p->W / p->H;
	struct sum s = { 0 };

	for (int64_t tap = 0; tap < p->R * p->R; tap++) {
		int64_t y = h + p->pad - tap / p->R, x = w + p->pad - tap % p->R;
		int64_t row = y / p->stride, q = x / p->stride;

		if (y < 0 || x < 0 || y % p->stride || x % p->stride || row >= t->P || q >= t->Q)
			continue;
		for (int64_t m = 0; m < p->M; m++)
			add(&s, t, DY, ((b * t->P + row) * t->Q + q) * p->M + m, W,
				(tap * p->C + c) * p->M + m);
	}
	return s;
}

static struct sum element_dw(const struct trial *t, int64_t i)
{
	const struct product *p = t->p;
	int64_t m = i % p->M, c = i / p->M % p->C, tap = i / p->M / p->C;
	struct sum s = { 0 };

	for (int64_t pixel = 0; pixel < p->B * t->P * t->Q; pixel++) {
		int64_t q = pixel % t->Q, row = pixel / t->Q;
		int64_t at = x_at(p, row / t->P, row % t->P * p->stride - p->pad + tap / p->R,
			q * p->stride - p->pad + tap % p->R, c);

		if (at >= 0)
			add(&s, t, X, at, DY, pixel * p->M + m);
	}
	return s;
}

/* Which element of n is looked at k-th: both ends, then some spread over all. */
static int64_t sample(int64_t k, int64_t n)
{
	if (k < EDGE)
		return k < n ? k : 0;
	if (k < 2 * EDGE)
		return k - EDGE < n ? n - 1 - (k - EDGE) : 0;
	return (k - 2 * EDGE) * n / SAMPLES;
}

/* Minimal filtering's roundings (cl/winograd_cpu.cl): the transforms let them grow at the worst
 * place by 46 (3x3; 30: 5x5), for dw by 28 (45); a sum has 9 (25), for dw 16 (4) times fewer terms. At a corner
 * only some of the taps are inside, but the error is that of the whole tile. */
static double growth(const struct trial *t, int64_t terms)
{
	const struct product *p = t->p;
	const enum part part = t->part;
	const int64_t whole = p->R * p->R * (part == PART_Y ? p->C : p->M);

	if (!plan_has(t->plan, "winograd"))
		return 1;
	if (part == PART_DW)
		return p->R == 3 ? 28. / 4 : 45. / 2;
	return (p->R == 3 ? 46. / 3 : 30. / 5) * (double)whole / (double)terms;
}

/* The error of a float32 sum in sequence is a random walk of roundings of partial sums, about
 * u sqrt(K sum of squares / 2): six times that is allowed. */
static bool correct(struct trial *t, char note[BENCH_TEXT])
{
	struct sum (*const element[])(
		const struct trial *, int64_t) = { element_y, element_dx, element_dw };
	int64_t n = cg_tensor_count(t->out);
	float *result = malloc((size_t)n * sizeof(float));
	bool good =
		result && cg_plan_read(t->plan, t->out, result, (size_t)n * sizeof(float)) == CG_OK;

	for (int64_t k = 0; good && k < SAMPLES + 2 * EDGE; k++) {
		int64_t i = sample(k, n);
		struct sum s = element[t->part](t, i);

		good = fabs((double)result[i] - s.value) <= 4 * growth(t, s.terms) *
					0x1p-24 * sqrt((double)s.terms * s.squares) +
				1e-30;
		if (!good)
			snprintf(note, BENCH_TEXT, "wrong: element %lld is %.9g, not %.9g",
				(long long)i, (double)result[i], s.value);
	}
	free(result);
	return good;
}

static cg_status run(void *arg)
{
	const struct trial *t = arg;

	return cg_plan_run(t->plan);
}

static void name_row(const struct trial *t, struct row *row)
{
	const struct product *p = t->p;
	const char *part = part_names[t->part];

	if (p->gemm)
		snprintf(row->name, BENCH_TEXT, "gemm %d %d %d %s", (int)p->B, (int)p->C, (int)p->M,
			part);
	else
		snprintf(row->name, BENCH_TEXT, "conv %d %d %d %d %d %d %d %d %s", (int)p->B,
			(int)p->H, (int)p->W, (int)p->C, (int)p->M, p->R, p->stride, p->pad, part);
}

bool product_filters(const struct product *p)
{
	return !p->gemm && p->R == 3 && p->stride == 1 && p->C > 1 && p->H >= 4 && p->W >= 4 &&
		p->B * p->H * p->W >= 480;
}

bool product_run(struct bench *b, const struct product *p, enum part part, struct row *row)
{
	struct trial t = { .p = p, .part = part };
	bool good;

	t.P = (p->H + 2 * p->pad - p->R) / p->stride + 1;
	t.Q = (p->W + 2 * p->pad - p->R) / p->stride + 1;
	name_row(&t, row);
	row->flops = 2. * (double)(p->B * t.P * t.Q * p->M * p->R * p->R * p->C);
	good = make_arrays(&t, b->ctx) && describe(&t, b->ctx) && correct(&t, row->note);
	if (good)
		time_row(b, run, &t, row);
	else if (cg_error_status(b->ctx))
		snprintf(row->note, BENCH_TEXT, "%.95s", cg_error(b->ctx));
	cg_clear_error(b->ctx);
	trial_free(&t);
	return good;
}
