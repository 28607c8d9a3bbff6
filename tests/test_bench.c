/* The arithmetic of `make bench`: a step's floor, and which rows fall short. */
#include <math.h>
#include <stdlib.h>

#include "../bench/bench.h"
#include "gemm.h"
#include "tap.h"

static double share(double a, double b)
{
	return fabs(a - b) / b;
}

/* 2 images of 4x4: convolution 3x3 to 8 channels, relu, product 128 x 7; weights 72 + 896. */
struct net {
	cg_params *params;
	cg_graph *graph;
	cg_tensor *loss;
};

static void make_net(struct net *n, cg_ctx *ctx, cg_array *images, cg_array *target)
{
	cg_array *filter, *weight;
	cg_tensor *x;

	n->params = cg_params_new(ctx);
	filter = cg_params_add(
		n->params, "filter", 4, (int64_t[]){ 3, 3, 1, 8 }, CG_INIT_HE_NORMAL, 0);
	weight = cg_params_add(n->params, "weight", 2, (int64_t[]){ 128, 7 }, CG_INIT_HE_NORMAL, 0);
	cg_params_add(
		n->params, "statistic", 1, (int64_t[]){ 5 }, CG_INIT_ZERO, CG_PARAM_STATISTIC);
	cg_params_init(n->params, 1);
	n->graph = cg_graph_new(ctx, CG_TRAIN);
	x = cg_relu(cg_conv2d(cg_use(n->graph, images), cg_use(n->graph, filter), 1, 1));
	x = cg_matmul(CG_RESHAPE(x, 2, 128), cg_use(n->graph, weight));
	n->loss = cg_cross_entropy(x, cg_use(n->graph, target), NULL, 0);
}

static void test_floor(cg_ctx *ctx)
{
	const double weights = 72 + 896, results = 2 * 16 * 8 + 2 * 7, images = 2 * 16;
	const double conv = 2. * 2 * 16 * 9 * 8, product = 2. * 2 * 128 * 7;
	cg_array *x = cg_array_new(ctx, "images", CG_FLOAT32, 4, (int64_t[]){ 2, 4, 4, 1 });
	cg_array *t = cg_array_new(ctx, "targets", CG_FLOAT32, 2, (int64_t[]){ 2, 7 });
	struct work train, infer;
	struct net n;
	cg_plan *plan;

	make_net(&n, ctx, x, t);
	train = work_of_graph(n.graph, n.params, true);
	infer = work_of_graph(n.graph, n.params, false);
	ok(train.bytes == 40 * weights + 8 * results + 4 * images,
		"a training step moves weights ten times, stored results twice, images once");
	ok(train.held == 16 * weights + 4 * results + 4 * images, "and holds them");
	ok(infer.bytes == 4 * (weights + images), "inference reads weights and images once");
	cg_backward(n.loss, n.params);
	plan = cg_plan_new(n.graph, &n.loss, 1);
	ok(plan && work_flops(plan) == 2 * conv + 3 * product,
		"arithmetic: no gradient by the images, three products of the second layer");
	train = (struct work){ .flops = 3e9, .bytes = 5e8 };
	ok(share(floor_seconds(&train, 1e11, 1e10), .03 + .05) < 1e-12, "floor: both times added");
	cg_plan_free(plan);
	cg_graph_free(n.graph);
	cg_params_free(n.params);
	cg_array_free(x);
	cg_array_free(t);
}

/* Of a weight that is updated in its gradient's product, no gradient is written and read. */
static void test_updated_in_product(cg_ctx *ctx)
{
	enum { ROWS = 4, M = 1024, N = 300 };
	const cg_optim_config adam = { .kind = CG_ADAM };
	cg_params *p = cg_params_new(ctx);
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_array *w = cg_params_add(p, "w", 2, (int64_t[]){ M, N }, CG_INIT_GLOROT_UNIFORM, 0);
	cg_array *x = cg_array_new(ctx, "x", CG_FLOAT32, 2, (int64_t[]){ ROWS, M });
	cg_tensor *loss;
	cg_optim *o;
	struct work work;

	cg_params_init(p, 1);
	loss = cg_sum(cg_matmul(cg_use(g, x), cg_use(g, w)));
	o = cg_optim_new(p, &adam);
	cg_backward(loss, p);
	ok(cg_optim_update(o, g) == CG_OK, "a weight alone has an update %s", cg_error(ctx));
	work = work_of_graph(g, p, true);
	ok(work.bytes == (cg__gemm_takes_operands(ctx) ? 32. : 40.) * M * N + 8. * ROWS * N,
		"and moves eight times where its gradient is not written");
	cg_graph_free(g);
	cg_optim_free(o);
	cg_params_free(p);
	cg_array_free(x);
}

/* The gradient of attention repeats one of its five products. */
static void test_attention(cg_ctx *ctx)
{
	const double product = 2. * 2 * 3 * 5 * 5 * 4; /* 2 samples, 3 heads, 5 tokens, width 4 */
	cg_array *a = cg_array_new(ctx, "qkv", CG_FLOAT32, 3, (int64_t[]){ 2, 5, 36 });
	cg_array *d = cg_array_new(ctx, "dy", CG_FLOAT32, 3, (int64_t[]){ 2, 5, 12 });
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(g, a), *y, *dx;
	cg_plan *plan = NULL;

	cg_want_grad(x);
	y = cg_attention(x, 3, 0);
	if (cg_backward_from(y, cg_use(g, d), NULL) == CG_OK) {
		dx = cg_grad(x);
		plan = cg_plan_new(g, &dx, 1);
	}
	ok(plan && share(work_flops(plan), 6 * product) < 1e-12,
		"attention: two products forward, four backward");
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(d);
}

static void test_products(void)
{
	ok(is_product("matmul", false) && is_product("conv2d", false) &&
			is_product("attention", false),
		"products");
	ok(!is_product("conv2d_dw", false) && is_product("conv2d_dw", true) &&
			is_product("matmul_grad", true),
		"their gradients only where asked for");
	ok(!is_product("bias", true) && !is_product("max_pool", true), "nothing else");
}

static void test_bars(void)
{
	struct row r = { .of_peak = { .value = .5 }, .ratio = { .value = NAN } };

	ok(judge(&r) == MET, "no bar: not short");
	r.ratio.bar = 1.7;
	ok(judge(&r) == OPEN, "nothing to hold against its bar: open");
	r.of_floor = (struct goal){ .7, .75, false };
	ok(judge(&r) == OPEN, "below one bar, nothing to hold against the other: open");
	r.ratio.value = 1.6;
	ok(judge(&r) == SHORT, "below both: short");
	r.of_floor = (struct goal){ .75, .75, false };
	ok(judge(&r) == MET, "one bar of two is met: not short");
	r.wrong = true;
	ok(judge(&r) == SHORT, "a wrong result: short");
	r = (struct row){ .share = { .2, .15, true } };
	ok(judge(&r) == SHORT, "above a bar that is a limit: short");
	r.share.value = .15;
	ok(judge(&r) == MET, "at the limit: not short");
}

int main(void)
{
	cg_ctx *ctx;
	int status;

	if (cg_open(NULL, &ctx) != CG_OK) {
		cg_close(ctx);
		return skip_all("no OpenCL device");
	}
	test_floor(ctx);
	test_updated_in_product(ctx);
	test_attention(ctx);
	test_products();
	test_bars();
	status = done();
	cg_close(ctx);
	return status;
}
