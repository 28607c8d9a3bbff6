/*
 * Attention with dropout: the mask is taken out of a forward pass whose values are the unit matrix,
 * compared with the host's draws, and used in plain loops for values and gradients. And properties:
 * samples do not meet, tokens may be permuted, scores may be large. (Without dropout: gradcheck.)
 */
#include "optest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "philox.h"
#include "tap.h"

#undef IN /* op.h has its own */
#include "op.h"

static const uint64_t seed = 0xabcdef0123456789u;

struct size {
	int B, T, N, width;
};

static size_t tokens(const struct size *s)
{
	return (size_t)(s->B * s->T * s->N * s->width);
}

/* y and, if dqkv is given, the gradient for dy, at a step; returns the id of the node, -1 on
 * failure. */
static int attend(cg_ctx *ctx, const struct size *s, const float *qkv, const float *dy,
	float dropout, uint64_t step, float *y, float *dqkv)
{
	const int64_t D = s->N * s->width, shape[3] = { s->B, s->T, 3 * D };
	const size_t n = tokens(s);
	cg_array *a = cg_array_new(ctx, "qkv", CG_FLOAT32, 3, shape);
	cg_array *g = cg_array_new(ctx, "dy", CG_FLOAT32, 3, (int64_t[]){ s->B, s->T, D });
	cg_graph *graph = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(graph, a), *out[2];
	cg_plan *plan;
	int id = -1;

	cg_array_write(a, qkv, 3 * n * sizeof(float));
	if (dqkv)
		cg_array_write(g, dy, n * sizeof(float));
	cg_graph_set_step(graph, seed, step);
	cg_want_grad(x);
	out[0] = cg_attention(x, s->N, dropout);
	if (dqkv)
		cg_backward_from(out[0], cg_use(graph, g), NULL);
	out[1] = cg_grad(x);
	plan = cg_plan_new(graph, out, dqkv ? 2 : 1);
	if (plan && cg_plan_run(plan) == CG_OK &&
		cg_plan_read(plan, out[0], y, n * sizeof(float)) == CG_OK &&
		(!dqkv || cg_plan_read(plan, out[1], dqkv, 3 * n * sizeof(float)) == CG_OK))
		id = out[0]->id;
	else
		ok(false, "a step: %s", cg_error(ctx));
	cg_plan_free(plan);
	cg_graph_free(graph);
	cg_array_free(a);
	cg_array_free(g);
	return id;
}

static float *normal(size_t n, uint64_t state, double scale)
{
	float *x = malloc(n * sizeof(float));
	struct optest_rng rng = { state };

	for (size_t i = 0; i < n; i++)
		x[i] = (float)(scale * optest_normal(&rng));
	return x;
}

/* ---- the mask ------------------------------------------------------------------------ */

/* As the kernels: query i takes word i mod 4 of a draw for four queries and key j. */
static bool is_kept(
	const struct size *s, int id, uint64_t step, double dropout, int head, int i, int j)
{
	int rows = (s->T + 3) / 4, columns = (s->T + 15) / 16 * 16;
	struct philox r =
		philox(seed, step, (uint32_t)id, (uint32_t)((head * rows + i / 4) * columns + j));

	return r.w[i % 4] < (uint32_t)((1 - (double)(float)dropout) * 4294967296.0);
}

/* m [B,N,T,T] of 0 and 1: with q = 0 all probabilities are 1/T, with v the unit matrix (columns
 * j0.. of it, as many as fit a head) y_ij is m_ij / (1-dropout) / T. */
static int find_mask(cg_ctx *ctx, const struct size *s, float dropout, uint64_t step, float *m)
{
	const int D = s->N * s->width;
	float *qkv = malloc(3 * tokens(s) * sizeof(float)), *y = malloc(tokens(s) * sizeof(float));
	int id = -1;

	for (int j0 = 0; j0 < s->T; j0 += s->width) {
		memset(qkv, 0, 3 * tokens(s) * sizeof(float));
		for (int b = 0; b < s->B; b++)
			for (int h = 0; h < s->N; h++)
				for (int d = 0; d < s->width && j0 + d < s->T; d++)
					qkv[((b * s->T + j0 + d) * 3 + 2) * D + h * s->width + d] =
						1;
		id = attend(ctx, s, qkv, NULL, dropout, step, y, NULL);
		for (int bh = 0; bh < s->B * s->N; bh++)
			for (int i = 0; i < s->T; i++)
				for (int d = 0; d < s->width && j0 + d < s->T; d++)
					m[(bh * s->T + i) * s->T + j0 + d] =
						y[(bh / s->N * s->T + i) * D +
							bh % s->N * s->width + d] *
						(float)s->T * (1 - dropout);
	}
	free(qkv);
	free(y);
	return id;
}

/* ---- the same by plain loops --------------------------------------------------------- */

/* Values beside the sums of the absolute values of what they were added up from. */
struct sums {
	double *v, *mag;
};

static struct sums sums_new(size_t n)
{
	return (struct sums){ calloc(n, sizeof(double)), calloc(n, sizeof(double)) };
}

static void add(struct sums *s, int i, double term)
{
	s->v[i] += term;
	s->mag[i] += fabs(term);
}

static double dot(const float *a, const float *b, int n)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

/* One query of one head: q, k, v at offsets of 0, D, 2D in rows of 3D; p and m are its rows. */
static void one_query(const struct size *s, const float *qkv, const float *dy, const float *m,
	double keep, int i, struct sums *y, struct sums *dqkv)
{
	const int T = s->T, w = s->width, D = s->N * w;
	const double scale = 1 / sqrt(w);
	double *p = malloc((size_t)T * sizeof(*p)), *dp = malloc((size_t)T * sizeof(*dp));
	double highest = -INFINITY, total = 0, delta = 0;

	for (int j = 0; j < T; j++) {
		p[j] = scale * dot(qkv + i * 3 * D, qkv + j * 3 * D + D, w);
		highest = fmax(highest, p[j]);
	}
	for (int j = 0; j < T; j++)
		total += p[j] = exp(p[j] - highest);
	for (int j = 0; j < T; j++) {
		p[j] /= total;
		dp[j] = keep * (double)m[j] * dot(dy + i * D, qkv + j * 3 * D + 2 * D, w);
		delta += p[j] * dp[j];
	}
	for (int j = 0; j < T; j++)
		for (int d = 0; d < w; d++) {
			const double weight = keep * (double)m[j] * p[j],
				     ds = scale * p[j] * (dp[j] - delta);

			add(y, i * D + d, weight * (double)qkv[j * 3 * D + 2 * D + d]);
			add(dqkv, i * 3 * D + d, ds * (double)qkv[j * 3 * D + D + d]);
			add(dqkv, j * 3 * D + D + d, ds * (double)qkv[i * 3 * D + d]);
			add(dqkv, j * 3 * D + 2 * D + d, weight * (double)dy[i * D + d]);
		}
	free(p);
	free(dp);
}

/* The largest difference as a part of its bound, 4 sqrt(terms) u times the sum of absolute values;
 * a part of the largest sum stands for what cancelled inside the terms. */
static double worst(const float *x, const struct sums *want, size_t n, double terms)
{
	double top = 0, w = 0;

	for (size_t i = 0; i < n; i++)
		top = fmax(top, want->mag[i]);
	for (size_t i = 0; i < n; i++)
		w = worse_of(w,
			fabs((double)x[i] - want->v[i]) /
				(4 * sqrt(terms) * 0x1p-24 * (want->mag[i] + top / 16)));
	return w;
}

static void test_dropout(cg_ctx *ctx, struct size s, float dropout)
{
	const int D = s.N * s.width, heads = s.B * s.N;
	const size_t n = tokens(&s), scores = (size_t)(heads * s.T * s.T);
	float *m = malloc(scores * sizeof(float)), *y = malloc(n * sizeof(float));
	float *dqkv = malloc(3 * n * sizeof(float)), *qkv = normal(3 * n, 1, 1),
	      *dy = normal(n, 2, 1);
	struct sums want_y = sums_new(n), want_dqkv = sums_new(3 * n);
	double kept = 0, p = 1 - (double)dropout;
	int id = find_mask(ctx, &s, dropout, 6, m), bad = 0;

	for (int bh = 0; bh < heads; bh++)
		for (int i = 0; i < s.T; i++)
			for (int j = 0; j < s.T; j++) {
				float want = is_kept(&s, id, 6, (double)dropout, bh, i, j);

				bad += fabsf(m[(bh * s.T + i) * s.T + j] - want) > 1e-5f;
				m[(bh * s.T + i) * s.T + j] = want;
				kept += (double)want;
			}
	ok(bad == 0, "%dx%d, %d heads of %d, dropout %g: the host's mask (%d differ)", s.B, s.T,
		s.N, s.width, (double)dropout, bad);
	ok(fabs(kept - p * (double)scores) <= 4.5 * sqrt((double)scores * p * (1 - p)),
		"%g of the probabilities are kept", kept / (double)scores);
	attend(ctx, &s, qkv, dy, dropout, 6, y, dqkv);
	for (int b = 0; b < s.B; b++)
		for (int h = 0; h < s.N; h++)
			for (int i = 0; i < s.T; i++) {
				const int at = b * s.T * D + h * s.width;
				const float *row = m + ((b * s.N + h) * s.T + i) * s.T;
				struct sums part = { want_y.v + at, want_y.mag + at };
				struct sums dpart = { want_dqkv.v + 3 * b * s.T * D + h * s.width,
					want_dqkv.mag + 3 * b * s.T * D + h * s.width };

				one_query(&s, qkv + 3 * b * s.T * D + h * s.width, dy + at, row,
					1 / p, i, &part, &dpart);
			}
	ok(worst(y, &want_y, n, s.T) <= 1, "values, %.2g of the bound", worst(y, &want_y, n, s.T));
	ok(worst(dqkv, &want_dqkv, 3 * n, s.T + s.width) <= 1, "gradients, %.2g of the bound",
		worst(dqkv, &want_dqkv, 3 * n, s.T + s.width));
	free(m);
	free(y);
	free(dqkv);
	free(qkv);
	free(dy);
	free(want_y.v);
	free(want_y.mag);
	free(want_dqkv.v);
	free(want_dqkv.mag);
}

/* ---- properties ---------------------------------------------------------------------- */

/* The same step gives the same bits, values and gradients; another step others. */
static void test_repeats(cg_ctx *ctx, struct size s)
{
	const size_t n = tokens(&s);
	float *qkv = normal(3 * n, 3, 1), *dy = normal(n, 4, 1), *y[3], *d[3];
	const uint64_t steps[3] = { 8, 8, 9 };

	for (int i = 0; i < 3; i++) {
		y[i] = malloc(n * sizeof(float));
		d[i] = malloc(3 * n * sizeof(float));
		attend(ctx, &s, qkv, dy, .3f, steps[i], y[i], d[i]);
	}
	ok(memcmp(y[0], y[1], n * sizeof(float)) == 0 &&
			memcmp(d[0], d[1], 3 * n * sizeof(float)) == 0,
		"the same step gives the same bits");
	ok(memcmp(y[0], y[2], n * sizeof(float)) != 0 &&
			memcmp(d[0], d[2], 3 * n * sizeof(float)) != 0,
		"another step draws another mask");
	for (int i = 0; i < 3; i++) {
		free(y[i]);
		free(d[i]);
	}
	free(qkv);
	free(dy);
}

/* A batch of two is two of one, bit for bit; the tokens of the second are those of the first in
 * reverse order, and so is what comes of them, but for rounding. */
static void test_batch(cg_ctx *ctx, int T, int N, int width)
{
	struct size two = { 2, T, N, width }, one = { 1, T, N, width };
	const size_t n = tokens(&one);
	const int D = N * width;
	float *qkv = normal(6 * n, 5, 1), *dy = normal(2 * n, 6, 1);
	float *y = malloc(2 * n * sizeof(float)), *d = malloc(6 * n * sizeof(float));
	float *y1 = malloc(n * sizeof(float)), *d1 = malloc(3 * n * sizeof(float));
	double far = 0;

	for (int t = 0; t < T; t++) {
		memcpy(qkv + 3 * n + (size_t)(T - 1 - t) * 3 * D, qkv + (size_t)t * 3 * D, 12u * D);
		memcpy(dy + n + (size_t)(T - 1 - t) * D, dy + (size_t)t * D, 4u * D);
	}
	attend(ctx, &two, qkv, dy, 0, 1, y, d);
	for (int b = 0; b < 2; b++) {
		attend(ctx, &one, qkv + b * 3 * n, dy + b * n, 0, 1, y1, d1);
		ok(memcmp(y1, y + b * n, n * sizeof(float)) == 0 &&
				memcmp(d1, d + b * 3 * n, 3 * n * sizeof(float)) == 0,
			"%d tokens: sample %d of a batch is the same bits alone", T, b);
	}
	for (int t = 0; t < T; t++) {
		for (int i = 0; i < D; i++)
			far = worse_of(
				far, fabs((double)(y[t * D + i] - y[(2 * T - 1 - t) * D + i])));
		for (int i = 0; i < 3 * D; i++)
			far = worse_of(far,
				fabs((double)(d[t * 3 * D + i] - d[(2 * T - 1 - t) * 3 * D + i])));
	}
	ok(far < 1e-5, "tokens in another order give the same, to %.2g", far);
	free(qkv);
	free(dy);
	free(y);
	free(d);
	free(y1);
	free(d1);
}

/* Scores of thousands: each query takes the value of the key it points at; nothing overflows. */
static void test_large(cg_ctx *ctx)
{
	enum { T = 20, WIDTH = 32 };
	struct size s = { 1, T, 1, WIDTH };
	float qkv[T * 3 * WIDTH] = { 0 }, dy[T * WIDTH] = { 0 }, y[T * WIDTH], d[T * 3 * WIDTH];
	int bad = 0;

	for (int t = 0; t < T; t++) {
		qkv[t * 3 * WIDTH + (t * 7 + 3) % T] = 300;
		qkv[(t * 3 + 1) * WIDTH + t] = 300;
		qkv[(t * 3 + 2) * WIDTH + t] = (float)(t + 1);
		dy[t * WIDTH] = 1;
	}
	attend(ctx, &s, qkv, dy, 0, 1, y, d);
	for (int t = 0; t < T; t++)
		for (int i = 0; i < WIDTH; i++) {
			float want = i == (t * 7 + 3) % T ? (float)(i + 1) : 0;

			bad += fabsf(y[t * WIDTH + i] - want) > 1e-5f;
		}
	for (int i = 0; i < T * 3 * WIDTH; i++)
		bad += !isfinite(d[i]);
	ok(bad == 0, "scores of 16,000 pick one key each (%d are wrong)", bad);
}

static void expect(cg_ctx *ctx, cg_tensor *y, cg_status status)
{
	ok(y == NULL && cg_error_status(ctx) == status, "%s", cg_error(ctx));
	cg_clear_error(ctx);
}

static void test_wrong(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, 3, (int64_t[]){ 1, 2, 24 });
	cg_array *wide = cg_array_new(ctx, "wide", CG_FLOAT32, 3, (int64_t[]){ 1, 1, 771 });
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(g, a);

	expect(ctx, cg_attention(x, 3, 0), CG_ERR_SHAPE);
	expect(ctx, cg_attention(x, 0, 0), CG_ERR_SHAPE);
	expect(ctx, cg_attention(cg_use(g, wide), 1, 0), CG_ERR_ARGUMENT);
	expect(ctx, cg_attention(x, 2, 1), CG_ERR_ARGUMENT);
	expect(ctx, cg_attention(CG_RESHAPE(x, 2, 24), 2, 0), CG_ERR_SHAPE);
	ok(cg_attention(x, 4, .5f) != NULL, "24 = 3 x 4 heads of 2");
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(wide);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	test_wrong(ctx);
	test_dropout(ctx, (struct size){ 2, 5, 3, 7 }, .3f);
	test_repeats(ctx, (struct size){ 2, 5, 3, 7 });
	test_batch(ctx, 5, 3, 7);
	if (!optest_tiny()) {
		test_large(ctx);
		test_dropout(ctx, (struct size){ 2, 65, 2, 24 }, .2f);
		test_dropout(ctx, (struct size){ 1, 197, 1, 64 }, .1f);
		test_batch(ctx, 65, 2, 24);
	}
	cg_close(ctx);
	return done();
}
