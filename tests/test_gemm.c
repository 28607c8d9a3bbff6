/*
 * Matrix products below cg_matmul: row strides, offsets, both transpositions, split
 * reductions, accumulation and the epilogue; then cg_matmul with its gradients. Sizes lie around
 * the edges of tiles.
 */
#include "ctx.h"
#include "gemm.h"
#undef IN /* a launch's; below it is a test's input */
#include "optest.h"
#include "tap.h"

#include <clblast_c.h>
#include <math.h>
#include <string.h>

/* C = act(op(A) op(B) + bias), `times` times into the same C; A, B and C are parts of larger
 * matrices. */
struct product {
	int M, N, K;
	bool trans_a, trans_b;
	int pad; /* columns and leading elements around each of A, B, C */
	int times; /* 0 means 1; the second time with beta 1 */
	bool bias; /* in[2] */
	enum cg__act act;
};

static struct cg__gemm gemm_of(const struct product *p)
{
	struct cg__gemm g = { .M = p->M,
		.N = p->N,
		.K = p->K,
		.trans_a = p->trans_a,
		.trans_b = p->trans_b,
		.act = p->act };

	g.a_offset = g.b_offset = g.c_offset = p->pad;
	g.lda = (p->trans_a ? p->M : p->K) + p->pad;
	g.ldb = (p->trans_b ? p->K : p->N) + p->pad;
	g.ldc = p->N + p->pad;
	return g;
}

static int64_t size_a(const struct cg__gemm *g)
{
	return g->lda * (g->trans_a ? g->K : g->M) + g->a_offset;
}

static int64_t size_b(const struct cg__gemm *g)
{
	return g->ldb * (g->trans_b ? g->N : g->K) + g->b_offset;
}

static int64_t size_c(const struct cg__gemm *g)
{
	return g->ldc * g->M + g->c_offset;
}

static cg_status emit(struct cg__emit *e, const cg_tensor *y)
{
	const struct product *p = *(const struct product *const *)cg__attr(y);
	struct cg__gemm g = gemm_of(p);

	g.a = y->src[0];
	g.b = y->src[1];
	g.c = y;
	g.bias = p->bias ? y->src[2] : NULL;
	if (p->pad)
		TRY(cg__launch_zero(e, y));
	TRY(cg__gemm(e, &g));
	g.beta = 1;
	return p->times > 1 ? cg__gemm(e, &g) : CG_OK;
}

static const struct cg_op op = { .name = "product", .emit = emit };

static cg_tensor *product(cg_tensor *const *in, const void *config)
{
	const struct product *p = config;
	const struct cg__gemm g = gemm_of(p);

	return cg__node(&op, CG_FLOAT32, 1, (int64_t[]){ size_c(&g) }, p->bias ? 3 : 2,
		(cg_tensor **)in, &config, sizeof(config));
}

static double activated(double x, enum cg__act act)
{
	switch (act) {
	case CG__ACT_RELU: return fmax(x, 0);
	case CG__ACT_GELU: return x / 2 * (1 + erf(x * sqrt(.5)));
	case CG__ACT_GELU_TANH:
		return x / 2 * (1 + tanh(.7978845608028654 * (x + .044715 * x * x * x)));
	default: return x;
	}
}

static void ref_element(const struct product *p, const struct cg__gemm *g, const struct ref *in,
	struct ref *y, int64_t m, int64_t n)
{
	const int64_t at = g->c_offset + m * g->ldc + n;
	const double *a = in[0].v + g->a_offset;
	const double *b = in[1].v + g->b_offset;
	const int times = p->times > 1 ? p->times : 1;
	double sum = p->bias ? in[2].v[n] : 0, mag = fabs(sum);

	for (int64_t k = 0; k < p->K; k++) {
		double term = (p->trans_a ? a[k * g->lda + m] : a[m * g->lda + k]) *
			(p->trans_b ? b[n * g->ldb + k] : b[k * g->ldb + n]);

		sum += term;
		mag += fabs(term);
	}
	y->v[at] = times * activated(sum, p->act);
	y->mag[at] = times * mag;
}

static void ref_product(const void *config, const struct ref *in, struct ref *y)
{
	const struct product *p = config;
	const struct cg__gemm g = gemm_of(p);

	for (int64_t m = 0; m < p->M; m++)
		for (int64_t n = 0; n < p->N; n++)
			ref_element(p, &g, in, y, m, n);
}

/* One case a combination of transpositions. */
static void run_product(cg_ctx *ctx, const char *name, struct product p)
{
	for (int t = 0; t < 4; t++) {
		struct op_case c = { .build = product,
			.ref = ref_product,
			.config = &p,
			.K = p.K,
			.no_grad = true };
		struct cg__gemm g;
		char text[128];

		p.trans_a = t & 1;
		p.trans_b = t & 2;
		g = gemm_of(&p);
		snprintf(text, sizeof(text), "gemm %c%c %dx%dx%d%s", p.trans_a ? 'T' : 'N',
			p.trans_b ? 'T' : 'N', p.M, p.N, p.K, name);
		c.name = text;
		c.in[0] = (struct op_input)IN(size_a(&g));
		c.in[1] = (struct op_input)IN(size_b(&g));
		if (p.bias)
			c.in[2] = (struct op_input)IN(p.N);
		c.c = p.act > CG__ACT_RELU ? 16 : 0;
		optest_run(ctx, &c, 1);
	}
}

static void products(cg_ctx *ctx)
{
	static const int size[][3] = {
		{ 1, 1, 1 },
		{ 1, 31, 7 },
		{ 5, 1, 33 },
		{ 6, 64, 16 },
		{ 7, 7, 65 },
		{ 12, 32, 17 },
		{ 31, 33, 32 },
		{ 32, 31, 63 },
		{ 33, 63, 64 },
		{ 63, 65, 31 },
		{ 64, 64, 64 },
		{ 65, 129, 1 },
		{ 61, 97, 101 },
		{ 128, 67, 67 },
		{ 199, 160, 37 },
		{ 64, 16, 386 },
		{ 37, 41, 1031 },
		{ 1, 64, 8 },
		{ 1, 77, 13 },
		{ 1, 9001, 19 },
	};

	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++)
		run_product(ctx, "",
			(struct product){ .M = size[i][0], .N = size[i][1], .K = size[i][2] });
	run_product(ctx, ", parts of matrices",
		(struct product){ .M = 19, .N = 37, .K = 29, .pad = 5 });
	run_product(ctx, ", parts of matrices, added",
		(struct product){ .M = 63, .N = 70, .K = 31, .pad = 3, .times = 2 });
	run_product(ctx, ", added", (struct product){ .M = 13, .N = 65, .K = 33, .times = 2 });
	run_product(
		ctx, ", added, long", (struct product){ .M = 13, .N = 65, .K = 1000, .times = 2 });
	run_product(ctx, ", a row, parts, added",
		(struct product){ .M = 1, .N = 200, .K = 29, .pad = 3, .times = 2, .bias = true });
	run_product(ctx, ", a row, bias, relu",
		(struct product){ .M = 1, .N = 90, .K = 24, .bias = true, .act = CG__ACT_RELU });
	run_product(ctx, ", a row, bias, gelu",
		(struct product){ .M = 1, .N = 90, .K = 24, .bias = true, .act = CG__ACT_GELU });
	run_product(ctx, ", parts, added",
		(struct product){ .M = 9, .N = 17, .K = 40, .pad = 2, .times = 2 });
	run_product(ctx, ", long rows of A'", (struct product){ .M = 1100, .N = 9, .K = 20 });
	run_product(ctx, ", panels together",
		(struct product){ .M = 1000, .N = 390, .K = 20, .bias = true });
	run_product(ctx, ", bias", (struct product){ .M = 13, .N = 70, .K = 21, .bias = true });
	run_product(
		ctx, ", relu", (struct product){ .M = 13, .N = 64, .K = 21, .act = CG__ACT_RELU });
	run_product(ctx, ", bias, relu",
		(struct product){ .M = 20, .N = 130, .K = 400, .bias = true, .act = CG__ACT_RELU });
	run_product(ctx, ", bias, gelu",
		(struct product){ .M = 13, .N = 70, .K = 21, .bias = true, .act = CG__ACT_GELU });
	run_product(ctx, ", bias, gelu_tanh",
		(struct product){
			.M = 7, .N = 33, .K = 600, .bias = true, .act = CG__ACT_GELU_TANH });
}

static cg_tensor *matmul(cg_tensor *const *in, const void *config)
{
	(void)config;
	return cg_matmul(in[0], in[1]);
}

#define MATMUL(k, ...) matmul, ref_matmul, .in = { __VA_ARGS__ }, .K = (k), .linear = EACH

static const struct op_case matmuls[] = {
	{ "matmul 1x1x1", MATMUL(1, IN(1, 1), IN(1, 1)) },
	{ "matmul 5x3x7", MATMUL(7, IN(5, 3), IN(3, 7)) },
	{ "matmul 2x3x33x31, four dimensions", MATMUL(33, IN(2, 3, 2, 33), IN(33, 31)) },
	{ "matmul 2x37x64x65", MATMUL(74, IN(2, 37, 64), IN(64, 65)) },
	{ "matmul 67x129x7", MATMUL(129, IN(67, 129), IN(129, 7)) },
	{ "matmul 1031x13x32", MATMUL(1031, IN(1031, 13), IN(13, 32)) },
};

/* y = x x', S x S, with a row stride of `lda`. */
struct square {
	int S, lda;
};

static cg_status emit_square(struct cg__emit *e, const cg_tensor *y)
{
	const struct square *s = cg__attr(y);
	struct cg__gemm g = { .M = s->S, .N = s->S, .K = s->S, .lda = s->lda, .trans_b = true };

	g.a = g.b = y->src[0];
	g.c = y;
	return cg__gemm(e, &g);
}

static const struct cg_op square_op = { .name = "square", .emit = emit_square };

static cg_plan *plan_square(cg_graph *g, cg_array *a, struct square s, cg_tensor **y)
{
	const int64_t shape[] = { s.S, s.S };
	cg_tensor *x = cg_use(g, a);

	*y = cg__node(&square_op, CG_FLOAT32, 2, shape, 1, &x, &s, sizeof(s));
	return cg_plan_new(g, y, 1);
}

/* What CLBlast says of a wrong stride has its own name. */
static void clblast_errors(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, 2, (int64_t[]){ 64, 64 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y;
	cg_plan *p = plan_square(g, a, (struct square){ 64, 8 }, &y);

	ok(p && cg_plan_run(p) == CG_ERR_GEMM && strstr(cg_error(ctx), "CLBlastInvalidLeadDimA") &&
			strstr(cg_error(ctx), "64x64x64"),
		"a stride that is too small: %s", cg_error(ctx));
	cg_clear_error(ctx);
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(a);
	ok(!strcmp(cg__gemm_error_name(-2050), "CLBlastInsufficientMemoryTemp") &&
			!strcmp(cg__gemm_error_name(-5), "CL_OUT_OF_RESOURCES"),
		"statuses have names");
}

enum { SIDE = 701 }; /* more than CLBlast does without copies on CPUs */

/* y = x x' of small integers, which is exact; every 37th row. */
static int wrong_squares(const float *x, const float *y)
{
	int wrong = 0;

	for (int i = 0; i < SIDE; i += 37)
		for (int j = 0; j < SIDE; j++) {
			float sum = 0;

			for (int k = 0; k < SIDE; k++)
				sum += x[i * SIDE + k] * x[j * SIDE + k];
			wrong += y[i * SIDE + j] != sum;
		}
	return wrong;
}

/* Bytes of scratch that CLBlast wants for that: none where its direct kernel takes it. */
static size_t wanted_scratch(cg_ctx *ctx)
{
	size_t bytes = 0;

	CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, SIDE,
		SIDE, SIDE, 0, SIDE, 0, SIDE, 0, SIDE, &ctx->queue, &bytes);
	return bytes;
}

/* Scratch for padded copies is part of the plan's memory. */
static void clblast_scratch(cg_ctx *ctx)
{
	static float x[SIDE * SIDE], y[SIDE * SIDE];
	cg_array *a = cg_array_new(ctx, "a", CG_FLOAT32, 2, (int64_t[]){ SIDE, SIDE });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *out;
	cg_plan *p = plan_square(g, a, (struct square){ SIDE, SIDE }, &out);
	const size_t wanted = wanted_scratch(ctx);

	for (int i = 0; i < SIDE * SIDE; i++)
		x[i] = (float)(i % 11 - 5);
	ok(p && cg_plan_peak(p) >= sizeof(y) + wanted, "%zu bytes of scratch are planned: %llu in all",
		wanted, (unsigned long long)(p ? cg_plan_peak(p) : 0));
	cg_array_write(a, x, sizeof(x));
	ok(p && cg_plan_run(p) == CG_OK && cg_plan_read(p, out, y, sizeof(y)) == CG_OK &&
			wrong_squares(x, y) == 0,
		"and serves%s%s", *cg_error(ctx) ? ": " : "", cg_error(ctx));
	cg_plan_free(p);
	cg_graph_free(g);
	cg_array_free(a);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	products(ctx);
	optest_run(ctx, matmuls, (int)(sizeof(matmuls) / sizeof(matmuls[0])));
	if (!strcmp(cg_gemm_backend(ctx), "clblast")) {
		clblast_errors(ctx);
		clblast_scratch(ctx);
	}
	cg_close(ctx);
	return done();
}
