/* Layers: an operation with its parameters and their initial values. */
#include "clgrad.h"
#include "error.h"

#include <string.h>

static cg_array *add(cg_params *p, const char *layer, const char *part, int ndim,
	const int64_t *shape, cg_init init, unsigned flags)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.%s", layer, part);
	return cg_params_add(p, name, ndim, shape, init, flags);
}

cg_status cg_nn_conv2d_init(cg_nn_conv2d *l, cg_params *p, const char *name, int window, int64_t C,
	int64_t M, int stride, int pad, bool bias, cg_init init)
{
	memset(l, 0, sizeof(*l));
	l->config = (cg_conv_config){ stride, stride, pad, pad, pad, pad, 1 };
	l->weight = add(p, name, "weight", 4, (int64_t[]){ window, window, C, M }, init, 0);
	if (bias)
		l->bias = add(p, name, "bias", 1, &M, CG_INIT_ZERO, CG_PARAM_NO_DECAY);
	return l->weight && (l->bias || !bias) ? CG_OK : CG_ERR_ARGUMENT;
}

cg_tensor *cg_nn_conv2d_forward(const cg_nn_conv2d *l, cg_tensor *x)
{
	cg_graph *g = cg_tensor_graph(x);
	cg_tensor *y = cg_conv2d_ex(x, cg_use(g, l->weight), &l->config);

	return l->bias ? cg_bias(y, cg_use(g, l->bias)) : y;
}

cg_status cg_nn_linear_init(cg_nn_linear *l, cg_params *p, const char *name, int64_t in,
	int64_t out, bool bias, cg_init init)
{
	memset(l, 0, sizeof(*l));
	l->weight = add(p, name, "weight", 2, (int64_t[]){ in, out }, init, 0);
	if (bias)
		l->bias = add(p, name, "bias", 1, &out, CG_INIT_ZERO, CG_PARAM_NO_DECAY);
	return l->weight && (l->bias || !bias) ? CG_OK : CG_ERR_ARGUMENT;
}

cg_tensor *cg_nn_linear_forward(const cg_nn_linear *l, cg_tensor *x)
{
	cg_graph *g = cg_tensor_graph(x);
	cg_tensor *y = cg_matmul(x, cg_use(g, l->weight));

	return l->bias ? cg_bias(y, cg_use(g, l->bias)) : y;
}

cg_status cg_nn_batch_norm_init(
	cg_nn_batch_norm *l, cg_params *p, const char *name, int64_t C, float eps, float momentum)
{
	memset(l, 0, sizeof(*l));
	l->eps = eps;
	l->momentum = momentum;
	l->gamma = add(p, name, "gamma", 1, &C, CG_INIT_ONE, CG_PARAM_NO_DECAY);
	l->beta = add(p, name, "beta", 1, &C, CG_INIT_ZERO, CG_PARAM_NO_DECAY);
	l->running_mean = add(p, name, "running_mean", 1, &C, CG_INIT_ZERO, CG_PARAM_STATISTIC);
	l->running_var = add(p, name, "running_var", 1, &C, CG_INIT_ONE, CG_PARAM_STATISTIC);
	return l->gamma && l->beta && l->running_mean && l->running_var ? CG_OK : CG_ERR_ARGUMENT;
}

cg_tensor *cg_nn_batch_norm_forward(const cg_nn_batch_norm *l, cg_tensor *x)
{
	cg_graph *g = cg_tensor_graph(x);

	return cg_batch_norm(x, cg_use(g, l->gamma), cg_use(g, l->beta), l->running_mean,
		l->running_var, l->eps, l->momentum,
		l->frozen || cg_array_rate(l->gamma) == 0);
}

cg_status cg_nn_layer_norm_init(
	cg_nn_layer_norm *l, cg_params *p, const char *name, int64_t D, float eps)
{
	memset(l, 0, sizeof(*l));
	l->eps = eps;
	l->gamma = add(p, name, "gamma", 1, &D, CG_INIT_ONE, CG_PARAM_NO_DECAY);
	l->beta = add(p, name, "beta", 1, &D, CG_INIT_ZERO, CG_PARAM_NO_DECAY);
	return l->gamma && l->beta ? CG_OK : CG_ERR_ARGUMENT;
}

cg_tensor *cg_nn_layer_norm_forward(const cg_nn_layer_norm *l, cg_tensor *x)
{
	cg_graph *g = cg_tensor_graph(x);

	return cg_layer_norm(x, cg_use(g, l->gamma), cg_use(g, l->beta), l->eps);
}
