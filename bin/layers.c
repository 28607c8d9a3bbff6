#include "layers.h"

#include <inttypes.h>
#include <string.h>

#include "engine.h"

static bool is(const cg_tensor *x, const char *op)
{
	return !strcmp(cg_tensor_op(x), op);
}

static int64_t last(const cg_tensor *x)
{
	return cg_tensor_shape(x)[cg_tensor_ndim(x) - 1];
}

/* A convolution's weight is R S C/groups M, a matrix K M: each output is a sum over all but M. */
static int64_t multiply_adds(const cg_tensor *y)
{
	if (is(y, "conv2d") || is(y, "matmul"))
		return cg_tensor_count(y) / last(y) * cg_tensor_count(cg_tensor_source(y, 1));
	if (is(y, "attention"))		/* q k' and the weighted sum of v */
		return 2 * cg_tensor_count(y) * cg_tensor_shape(y)[1];
	return 0;
}

static bool is_trained(const struct network *n, const cg_array *a)
{
	for (int i = 0; i < cg_params_count(n->params); i++)
		if (cg_params_at(n->params, i) == a)
			return !(cg_params_flags(n->params, i) & CG_PARAM_STATISTIC);
	return false;
}

/* Trained values that y uses directly; *name is that of the first, up to its last dot. */
static int64_t parameters(const struct network *n, const cg_tensor *y, char name[64])
{
	int64_t count = 0;

	for (int i = 0; i < cg_tensor_sources(y); i++) {
		const cg_array *a = cg_tensor_array(cg_tensor_source(y, i));

		if (!a || !is_trained(n, a))
			continue;
		if (!count)
			snprintf(name, 64, "%s", cg_array_name(a));
		count += cg_array_count(a);
	}
	if (strrchr(name, '.'))
		*strrchr(name, '.') = 0;
	return count;
}

static void shape_text(const cg_tensor *y, char text[64])
{
	size_t n = 0;

	for (int i = 1; i < cg_tensor_ndim(y) && n < 64; i++)
		n += (size_t)snprintf(text + n, 64 - n, "%s%" PRId64, i > 1 ? "x" : "",
				      cg_tensor_shape(y)[i]);
}

static void print_graph(const struct network *n, const cg_graph *g, FILE *out)
{
	int64_t all_parameters = 0, all_macs = 0;

	fprintf(out, "%-28s %-14s %14s %12s %16s\n", "layer", "", "output", "parameters",
		"multiply-adds");
	for (int i = 0; i < cg_graph_count(g); i++) {
		const cg_tensor *y = cg_graph_at(g, i);
		char name[64] = "", shape[64] = "";
		int64_t count = parameters(n, y, name), macs = multiply_adds(y);

		all_parameters += count;
		all_macs += macs;
		if (!count && !macs && !strstr(cg_tensor_op(y), "pool"))
			continue;
		shape_text(y, shape);
		fprintf(out, "%-28s %-14s %14s %12" PRId64 " %16" PRId64 "\n", name,
			is(y, "bn_apply") ? "batch_norm" : cg_tensor_op(y), shape, count, macs);
	}
	fprintf(out, "%-28s %-14s %14s %12" PRId64 " %16" PRId64 "\n", "all", "", "",
		all_parameters, all_macs);
}

int layers_print(const struct network *n, const struct cli *c, FILE *out)
{
	int64_t shape[] = { 1, n->config.size, n->config.size, n->config.channels };
	cg_array *image = cg_array_new(n->ctx, "image", CG_FLOAT32, 4, shape);
	cg_graph *g = cg_graph_new(n->ctx, CG_INFER);
	bool good = image && g && network_forward(n, cg_use(g, image));

	if (good)
		print_graph(n, g, out);
	cg_graph_free(g);
	cg_array_free(image);
	return good ? -1 : engine_fail(c, n->ctx, n->model->name);
}
