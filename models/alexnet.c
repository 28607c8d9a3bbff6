/*
 * AlexNet (Krizhevsky et al. 2012; the one-column widths of Krizhevsky 2014, as torchvision has
 * them), its form for 48x48 faces: a 5x5 stem in place of the 11x11 one with stride 4.
 *
 *	5x5/2 pad 2, 64    ReLU   max 3/2      48 -> 24 -> 11
 *	5x5   pad 2, 192   ReLU   max 3/2      11 -> 5
 *	3x3   pad 1, 384   ReLU
 *	3x3   pad 1, 256   ReLU
 *	3x3   pad 1, 256   ReLU   max 3/2       5 -> 2
 *	dropout, linear 1024, ReLU
 *	dropout, linear 1024, ReLU
 *	linear to the classes
 *
 * No normalisation. With the /2 stem 94 million multiply-adds an image, with the /1 stem 432. Names
 * of the parameters are torchvision's; its flattened order is C H W, here H W C.
 */
#include "model.h"

#include <stdio.h>

enum { CONVS = 5, LINEARS = 3 };
enum { STEM_STRIDE, FC, DIVISOR, DROPOUT };

struct alexnet {
	cg_nn_conv2d conv[CONVS];
	cg_nn_linear linear[LINEARS];
	float dropout;
};

/* The number is torchvision's, its ReLUs, pools and dropouts counted. */
static const struct {
	const char *name;
	int window;
	int64_t width;
	bool pool;
} plan[CONVS] = {
	{ "features.0", 5, 64, true },
	{ "features.3", 5, 192, true },
	{ "features.6", 3, 384, false },
	{ "features.8", 3, 256, false },
	{ "features.10", 3, 256, true },
};

static const char *const linear_names[LINEARS] = { "classifier.1", "classifier.4", "classifier.6" };

static const cg_pool_config pool = { .window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 2 };

/* Height of the last feature map. */
static int64_t final_size(int64_t size, int stem_stride)
{
	size = (size - 1) / stem_stride + 1;
	for (int i = 0; i < CONVS; i++)
		if (plan[i].pool)
			size = (size - 3) / 2 + 1;
	return size;
}

static int64_t divided(int64_t width, double divisor)
{
	int64_t narrow = width / (int64_t)divisor;

	return narrow > 0 ? narrow : 1;
}

static cg_status init_convs(struct alexnet *m, cg_params *p, const struct model_config *config)
{
	int64_t C = config->channels;

	for (int i = 0; i < CONVS; i++) {
		int64_t M = divided(plan[i].width, config->value[DIVISOR]);
		int stride = i ? 1 : (int)config->value[STEM_STRIDE];
		cg_status status =
			cg_nn_conv2d_init(&m->conv[i], p, plan[i].name, plan[i].window, C, M, stride,
					  plan[i].window / 2, true, CG_INIT_HE_NORMAL);

		if (status != CG_OK)
			return status;
		C = M;
	}
	return CG_OK;
}

static cg_status init(void *self, cg_params *p, const struct model_config *config)
{
	struct alexnet *m = self;
	int64_t size = final_size(config->size, (int)config->value[STEM_STRIDE]);
	int64_t hidden = divided((int64_t)config->value[FC], config->value[DIVISOR]);
	int64_t D = size * size * divided(plan[CONVS - 1].width, config->value[DIVISOR]);
	cg_status status = init_convs(m, p, config);

	m->dropout = (float)config->value[DROPOUT];
	for (int i = 0; i < LINEARS && status == CG_OK; i++) {
		bool last = i == LINEARS - 1;

		status = cg_nn_linear_init(&m->linear[i], p, linear_names[i], D,
					   last ? config->classes : hidden, true,
					   last ? CG_INIT_TRUNC_NORMAL : CG_INIT_HE_NORMAL);
		D = hidden;
	}
	return status;
}

static cg_tensor *flatten(cg_tensor *x)
{
	return x ? CG_RESHAPE(x, cg_tensor_shape(x)[0], -1) : NULL;
}

static cg_tensor *forward(const void *self, cg_tensor *x)
{
	const struct alexnet *m = self;

	for (int i = 0; i < CONVS; i++) {
		x = cg_relu(cg_nn_conv2d_forward(&m->conv[i], x));
		if (plan[i].pool)
			x = cg_max_pool(x, &pool);
		cg_name(x, "conv%d", i + 1);
	}
	x = flatten(x);
	x = cg_relu(cg_nn_linear_forward(&m->linear[0], cg_dropout(x, m->dropout)));
	x = cg_relu(cg_nn_linear_forward(&m->linear[1], cg_dropout(x, m->dropout)));
	cg_name(x, "features");
	return cg_name(cg_nn_linear_forward(&m->linear[2], x), "logits");
}

static const struct model_setting settings[] = {
	[STEM_STRIDE] = { "stem-stride", NULL, 2, 1, 4, true, "stride of the first convolution" },
	[FC] = { "fc", NULL, 1024, 1, 8192, true, "width of the hidden linear layers" },
	[DIVISOR] = { "divisor", NULL, 1, 1, 64, true, "divide all widths (for tests)" },
	[DROPOUT] = { "dropout", NULL, .5, 0, .95, false, "dropout before linear layers" },
	{ .name = NULL }
};

static const struct model_recipe recipes[] = {
	{ "smoke", "divisor = 4" },
	{ NULL, "opt = sgd\n"
		"lr = 0.02\n"
		"weight-decay = 5e-4\n" },
	{ NULL, NULL }
};

extern const struct model alexnet;
const struct model alexnet = {
	.name = "alexnet",
	.summary = "AlexNet for 48x48: 5 convolutions, 3 linear layers",
	.settings = settings,
	.recipes = recipes,
	.input = 48,
	.mean = 129.5f,
	.sd = 65,
	.head = "classifier.6.",
	.bytes = sizeof(struct alexnet),
	.init = init,
	.forward = forward,
};
