#include "net.h"

#include <stdlib.h>

#include "values.h"

#define TRY(call) \
	do { \
		cg_status try_status_ = (call); \
		if (try_status_ != CG_OK) \
			return try_status_; \
	} while (0)

void net_image(uint64_t seed, int b, float image[NET_IMAGE], float target[NET_CLASSES])
{
	struct optest_rng rng = { seed * 1000 + (uint64_t)b };

	for (int i = 0; i < NET_IMAGE; i++)
		image[i] = (float)optest_normal(&rng);
	for (int i = 0; i < NET_CLASSES; i++)
		target[i] = i == b % NET_CLASSES;
}

static cg_status make_inputs(struct net *n, int B, uint64_t seed)
{
	float *x = malloc((size_t)B * NET_IMAGE * sizeof(float));
	float *t = malloc((size_t)B * NET_CLASSES * sizeof(float));
	cg_status status = x && t ? CG_OK : CG_ERR_HOST_MEMORY;

	n->x = cg_array_new(
		n->ctx, "x", CG_FLOAT32, 4, (int64_t[]){ B, NET_SIZE, NET_SIZE, NET_CHANNELS });
	n->t = cg_array_new(n->ctx, "t", CG_FLOAT32, 2, (int64_t[]){ B, NET_CLASSES });
	for (int b = 0; x && t && b < B; b++)
		net_image(seed, b, x + b * NET_IMAGE, t + b * NET_CLASSES);
	if (status == CG_OK)
		status = cg_error_status(n->ctx);
	if (status == CG_OK)
		status = cg_array_write(n->x, x, (size_t)B * NET_IMAGE * sizeof(float));
	if (status == CG_OK)
		status = cg_array_write(n->t, t, (size_t)B * NET_CLASSES * sizeof(float));
	free(x);
	free(t);
	return status;
}

static cg_status make_layers(struct net *n)
{
	cg_params *p = n->params = cg_params_new(n->ctx);

	if (!p)
		return CG_ERR_HOST_MEMORY;
	TRY(cg_nn_conv2d_init(
		&n->conv1, p, "conv1", 3, NET_CHANNELS, 6, 1, 1, false, CG_INIT_HE_NORMAL));
	TRY(cg_nn_batch_norm_init(&n->norm, p, "norm", 6, 1e-3f, .9f));
	TRY(cg_nn_conv2d_init(&n->conv2, p, "conv2", 3, 6, 8, 1, 1, true, CG_INIT_HE_NORMAL));
	TRY(cg_nn_linear_init(&n->head, p, "head", 8, NET_CLASSES, true, CG_INIT_GLOROT_UNIFORM));
	return cg_params_init(p, 42);
}

static cg_tensor *forward(struct net *n, cg_tensor *x)
{
	cg_pool_config two = { .window_h = 2, .window_w = 2 };

	x = cg_nn_batch_norm_forward(&n->norm, cg_nn_conv2d_forward(&n->conv1, x));
	x = cg_max_pool(cg_relu(x), &two);
	x = cg_gelu(cg_nn_conv2d_forward(&n->conv2, x));
	return cg_nn_linear_forward(&n->head, cg_dropout(cg_global_avg_pool(x), .25f));
}

static cg_status make_step(struct net *n, cg_mode mode)
{
	cg_optim_config sgd = { .kind = CG_SGD,
		.momentum = .9f,
		.nesterov = true,
		.clip_norm = 1,
		.weight_decay = 1e-3f };

	n->graph = cg_graph_new(n->ctx, mode);
	n->logits = forward(n, cg_use(n->graph, n->x));
	n->loss = cg_cross_entropy(n->logits, cg_use(n->graph, n->t), NULL, .1f);
	if (!n->loss)
		return cg_error_status(n->ctx);
	if (mode == CG_TRAIN) {
		n->optim = cg_optim_new(n->params, &sgd);
		if (!n->optim)
			return cg_error_status(n->ctx);
		TRY(cg_backward(n->loss, n->params));
		TRY(cg_optim_update(n->optim, n->graph));
	}
	n->plan = cg_plan_new(n->graph, (cg_tensor *[]){ n->loss, n->logits }, 2);
	return n->plan ? CG_OK : cg_error_status(n->ctx);
}

cg_status net_open(struct net *n, cg_ctx *ctx, cg_mode mode, int B, uint64_t seed)
{
	*n = (struct net){ .ctx = ctx };
	TRY(make_inputs(n, B, seed));
	TRY(make_layers(n));
	return make_step(n, mode);
}

void net_close(struct net *n)
{
	cg_plan_free(n->plan);
	cg_graph_free(n->graph);
	cg_optim_free(n->optim);
	cg_params_free(n->params);
	cg_array_free(n->x);
	cg_array_free(n->t);
	*n = (struct net){ .ctx = n->ctx };
}

cg_status net_run(struct net *n, uint64_t step)
{
	TRY(cg_graph_set_step(n->graph, 5, step));
	if (n->optim)
		TRY(cg_optim_step(n->optim, .05f));
	return cg_plan_run(n->plan);
}

float *net_weights(const struct net *n, int64_t *count)
{
	int64_t at = 0;
	float *w;

	*count = cg_params_size(n->params, false);
	w = malloc((size_t)*count * sizeof(float));
	for (int i = 0; w && i < cg_params_count(n->params); i++) {
		cg_array *a = cg_params_at(n->params, i);
		size_t size = (size_t)cg_array_count(a);

		if (cg_array_read(a, w + at, size * sizeof(float)) != CG_OK) {
			free(w);
			return NULL;
		}
		at += (int64_t)size;
	}
	return w;
}
