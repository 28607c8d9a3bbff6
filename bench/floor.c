/*
 * The floor of a step: the time its arithmetic takes at the device's peak, plus the time its unavoidable bytes
 * take at the triad's bandwidth over as many bytes as take part in the step.
 *
 * Arithmetic: the plan's (cg_plan_flops): products, convolutions (as plain sums, also where filtering needs fewer
 * multiplications), attention; of the gradient of attention four products of the five, as one is a repetition.
 *
 * Bytes of a training step, for N trained parameters in float32 with Adam:
 *	weights: read by the forward pass, read by the backward pass	 2 x 4 N
 *	gradient written; read by the update, but not that of a weight
 *	which is updated where its gradient is made (matmul_update)	 2 x 4 N
 *	weights and both moments read and written by the update	 6 x 4 N
 *	each result of a product, convolution or attention of the forward pass: written once, and
 *	read once by the backward pass, which needs all of them (what lies between two of them,
 *	norms, activations, sums, pools, is made again from them)	 2 x 4 x its elements
 *	images: read once						 4 x theirs
 * Bytes of inference: weights and images, read once. Left out are gradients of activations, and everything that is
 * stored for speed alone: the floor is that of the mathematics, not of this engine's plan.
 *
 * What takes part: weights, gradients, moments and those results, or weights alone.
 */
#include "bench.h"

#include <string.h>

static const char *const product_ops[] = { "matmul", "conv2d", "attention" };

bool is_product(const char *op, bool gradients)
{
	for (int i = 0; i < 3; i++) {
		size_t n = strlen(product_ops[i]);

		if (strncmp(op, product_ops[i], n) == 0 &&
			(op[n] == 0 || (gradients && op[n] == '_')))
			return true;
	}
	return false;
}

struct work work_of_graph(const cg_graph *g, const cg_params *p, bool train)
{
	const double weights = 4. * (double)cg_params_size(p, true);
	double results = 0, images = 0, no_gradient = 0;

	for (int i = 0; i < cg_graph_count(g); i++) {
		const cg_tensor *t = cg_graph_at(g, i);
		const cg_array *a = cg_tensor_array(t);

		if (is_product(cg_tensor_op(t), false))
			results += 4. * (double)cg_tensor_count(t);
		if (a && strcmp(cg_array_name(a), "images") == 0)
			images = 4. * (double)cg_tensor_count(t);
		if (strcmp(cg_tensor_op(t), "matmul_update") == 0)
			no_gradient += 4. * (double)cg_tensor_count(t);
	}
	if (!train)
		return (struct work){ .bytes = weights + images, .held = weights + images };
	return (struct work){ .bytes = 10 * weights - 2 * no_gradient + 2 * results + images,
		.held = 4 * weights - no_gradient + results + images };
}

double work_flops(const cg_plan *p)
{
	double flops = 0;

	for (int i = 0; i < cg_plan_launches(p); i++) {
		const cg_launch l = cg_plan_launch(p, i);

		flops += l.flops * (strcmp(l.op, "attention_grad") ? 1 : .8);
	}
	return flops;
}

double floor_seconds(const struct work *w, double flops_per_s, double bytes_per_s)
{
	return w->flops / flops_per_s + w->bytes / bytes_per_s;
}

bool plan_has(const cg_plan *p, const char *kernel)
{
	for (int i = 0; i < cg_plan_launches(p); i++)
		if (strncmp(cg_plan_launch(p, i).kernel, kernel, strlen(kernel)) == 0)
			return true;
	return false;
}
