/*
 * Moving elements of every type, against plain loops: all permutations of five dimensions, bytes
 * and integers, views that take no launch, wrong arguments. (Values and gradients of floats:
 * gradcheck.)
 */
#include "optest.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

#undef IN /* op.h has its own */
#include "op.h"

/* An array whose element i is i (bytes: i mod 251). */
static cg_array *counting(cg_ctx *ctx, cg_dtype type, int ndim, const int64_t *shape)
{
	cg_array *a = cg_array_new(ctx, "x", type, ndim, shape);
	size_t n = (size_t)cg_array_count(a), size = cg_dtype_size(type);
	unsigned char *host = calloc(n, size);

	for (size_t i = 0; i < n; i++)
		if (type == CG_UINT8)
			host[i] = (unsigned char)(i % 251);
		else if (type == CG_INT32)
			((int32_t *)(void *)host)[i] = (int32_t)i;
		else
			((float *)(void *)host)[i] = (float)i;
	cg_array_write(a, host, n * size);
	free(host);
	return a;
}

static int64_t element(cg_dtype type, const void *host, int64_t i)
{
	return type == CG_UINT8    ? ((const uint8_t *)host)[i]
		: type == CG_INT32 ? ((const int32_t *)host)[i]
				   : (int64_t)((const float *)host)[i];
}

/* Runs y and counts the elements that are not x's element from[i]. Frees `from`. */
static int wrong_elements(cg_graph *g, cg_tensor *y, int64_t *from, int *launches)
{
	cg_plan *plan = y ? cg_plan_new(g, &y, 1) : NULL;
	int64_t n = y ? cg__count(y) : 0;
	size_t bytes = y ? (size_t)n * cg_dtype_size(y->dtype) : 0;
	void *host = malloc(bytes + 1);
	int bad = 0;

	if (!plan || cg_plan_run(plan) != CG_OK || cg_plan_read(plan, y, host, bytes) != CG_OK)
		bad = -1;
	for (int64_t i = 0; bad >= 0 && i < n; i++)
		bad += element(y->dtype, host, i) !=
			(y->dtype == CG_UINT8 ? from[i] % 251 : from[i]);
	if (plan && launches)
		*launches = cg_plan_launches(plan);
	cg_plan_free(plan);
	free(host);
	free(from);
	return bad;
}

static int transpose_wrong(cg_ctx *ctx, cg_array *x, const int *order)
{
	const int ndim = cg_array_ndim(x);
	const int64_t n = cg_array_count(x), *shape = cg_array_shape(x);
	int64_t *from = malloc((size_t)n * sizeof(*from)), stride[CG_MAX_DIM], step = 1;
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	int bad;

	for (int d = ndim - 1; d >= 0; d--) {
		stride[d] = step;
		step *= shape[d];
	}
	for (int64_t i = 0; i < n; i++) {
		int64_t rest = i;

		from[i] = 0;
		for (int d = ndim - 1; d >= 0; d--) {
			from[i] += rest % shape[order[d]] * stride[order[d]];
			rest /= shape[order[d]];
		}
	}
	bad = wrong_elements(g, cg_transpose(cg_use(g, x), order), from, NULL);
	cg_graph_free(g);
	return bad;
}

/* Every k-th of the 120 permutations. */
static void test_permutations(cg_ctx *ctx, const int64_t *shape, int every)
{
	cg_array *x = counting(ctx, CG_FLOAT32, 5, shape);
	int tried = 0, bad = 0;

	for (int code = 0; code < 3125; code++) {
		int order[5], used = 0, rest = code;

		for (int d = 0; d < 5; d++, rest /= 5) {
			order[d] = rest % 5;
			used |= 1 << order[d];
		}
		if (used == 31 && tried++ % every == 0)
			bad += transpose_wrong(ctx, x, order) != 0;
	}
	ok(bad == 0 && tried == 120, "permutations of %dx%dx%dx%dx%d (%d are wrong)", (int)shape[0],
		(int)shape[1], (int)shape[2], (int)shape[3], (int)shape[4], bad);
	cg_array_free(x);
}

static void test_type(cg_ctx *ctx, cg_dtype type)
{
	static const char *const name[] = { "float32", "int32", "uint8" };
	cg_array *x = counting(ctx, type, 3, (int64_t[]){ 3, 19, 5 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *t = cg_use(g, x), *y;
	int64_t *from = malloc(3 * 19 * 5 * sizeof(*from));

	/* halves exchanged and put together again, twice */
	y = cg_concat(cg_slice(t, 1, 7, 12), cg_slice(t, 1, 0, 7), 1);
	y = cg__copy(cg_concat(cg_slice(y, 1, 12, 7), cg_slice(y, 1, 0, 12), 1));
	for (int i = 0; i < 3 * 19 * 5; i++)
		from[i] = i;
	ok(wrong_elements(g, y, from, NULL) == 0, "%s: slice, concat, copy", name[type]);
	cg_graph_free(g);
	ok(transpose_wrong(ctx, x, (int[]){ 0, 2, 1 }) == 0, "%s: inner dimensions exchanged",
		name[type]);
	ok(transpose_wrong(ctx, x, (int[]){ 2, 1, 0 }) == 0, "%s: dimensions reversed", name[type]);
	g = cg_graph_new(ctx, CG_INFER);
	from = malloc(4 * 3 * 19 * 5 * sizeof(*from));
	for (int i = 0; i < 4 * 3 * 19 * 5; i++)
		from[i] = i % (3 * 19 * 5);
	ok(wrong_elements(g, cg_repeat(cg_use(g, x), 4), from, NULL) == 0, "%s: repeat",
		name[type]);
	cg_graph_free(g);
	cg_array_free(x);
}

static void test_gather(cg_ctx *ctx, cg_dtype type, int64_t N, int64_t n)
{
	const int32_t index[6] = { 2, 0, -1, 2, 1000, 1 };
	const int64_t row[6] = { 2, 0, 0, 2, N - 1, 1 };
	cg_array *x = counting(ctx, type, 2, (int64_t[]){ N, n });
	cg_array *a = cg_array_new(ctx, "index", CG_INT32, 1, (int64_t[]){ 6 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	int64_t *from = malloc((size_t)(6 * n) * sizeof(*from));

	cg_array_write(a, index, sizeof(index));
	for (int64_t i = 0; i < 6 * n; i++)
		from[i] = row[i / n] * n + i % n;
	ok(wrong_elements(g, cg_gather(cg_use(g, x), cg_use(g, a)), from, NULL) == 0,
		"rows of %d gathered from %d, indices kept in range", (int)n, (int)N);
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(x);
}

/* Reshapes, moves of dimensions of 1 and whole slices are views: one launch, the copy. */
static void test_views(cg_ctx *ctx)
{
	cg_array *x = counting(ctx, CG_FLOAT32, 4, (int64_t[]){ 4, 1, 6, 1 });
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *y = cg_transpose(cg_use(g, x), (int[]){ 1, 0, 3, 2 });
	int64_t *from = malloc(24 * sizeof(*from));
	int launches = 0;

	y = cg_slice(cg_repeat(CG_RESHAPE(y, -1, 3), 1), 1, 0, 8);
	for (int i = 0; i < 24; i++)
		from[i] = i;
	ok(y && y->ndim == 3 && y->shape[0] == 1 && y->shape[1] == 8 && y->shape[2] == 3,
		"shapes of views follow");
	ok(wrong_elements(g, cg__copy(y), from, &launches) == 0 && launches == 1,
		"views keep the elements and take no launch");
	cg_graph_free(g);
	cg_array_free(x);
}

static void expect(cg_ctx *ctx, cg_tensor *y, cg_status status)
{
	ok(y == NULL && cg_error_status(ctx) == status, "%s", cg_error(ctx));
	cg_clear_error(ctx);
}

static void test_wrong(cg_ctx *ctx)
{
	cg_array *a = counting(ctx, CG_FLOAT32, 2, (int64_t[]){ 4, 6 });
	cg_array *b = counting(ctx, CG_FLOAT32, 2, (int64_t[]){ 4, 5 });
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(g, a), *z = cg_use(g, b);

	expect(ctx, CG_RESHAPE(x, 5, -1), CG_ERR_SHAPE);
	expect(ctx, CG_RESHAPE(x, 5, 5), CG_ERR_SHAPE);
	expect(ctx, CG_RESHAPE(x, -1, -1), CG_ERR_ARGUMENT);
	expect(ctx, CG_RESHAPE(x, 0, 24), CG_ERR_ARGUMENT);
	expect(ctx, cg_transpose(x, (int[]){ 1, 1 }), CG_ERR_ARGUMENT);
	expect(ctx, cg_transpose(x, (int[]){ 0, 2 }), CG_ERR_ARGUMENT);
	expect(ctx, cg_slice(x, 1, 5, 2), CG_ERR_ARGUMENT);
	expect(ctx, cg_slice(x, 2, 0, 1), CG_ERR_ARGUMENT);
	expect(ctx, cg_concat(x, z, 0), CG_ERR_SHAPE);
	expect(ctx, cg_repeat(x, 0), CG_ERR_ARGUMENT);
	expect(ctx, cg_gather(x, z), CG_ERR_SHAPE);
	ok(cg_concat(x, z, 1) != NULL, "4x6 and 4x5 join along 1");
	cg_graph_free(g);
	cg_array_free(a);
	cg_array_free(b);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	test_permutations(ctx, (int64_t[]){ 2, 3, 2, 1, 3 }, optest_tiny() ? 17 : 1);
	test_type(ctx, CG_FLOAT32);
	test_type(ctx, CG_INT32);
	test_type(ctx, CG_UINT8);
	test_gather(ctx, CG_UINT8, 5, 13);
	test_gather(ctx, CG_INT32, 3, 1);
	test_views(ctx);
	test_wrong(ctx);
	if (!optest_tiny()) {
		test_permutations(ctx, (int64_t[]){ 3, 18, 2, 17, 5 }, 7);
		test_gather(ctx, CG_UINT8, 7, 2304);
		test_gather(ctx, CG_FLOAT32, 7, 67);
	}
	cg_close(ctx);
	return done();
}
