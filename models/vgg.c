/*
 * vgg: a small VGG with batch normalisation (Simonyan, Zisserman 2015; Ioffe, Szegedy 2015), made
 * for 44x44 crops of 48x48 faces:
 *
 *	4 stages of two 3x3 convolutions, each with batch norm and ReLU; widths w, 2w, 4w, 8w
 *	2x2 max pooling between the stages:  44 -> 22 -> 11 -> 5
 *	global average, dropout, linear
 *
 * With w = 32: 1,174,439 parameters that train, 94 million multiply-adds an image. Parameter names
 * are those of torchvision's vgg13_bn up to the number of stages.
 */
#include "model.h"

#include <stdio.h>

enum { STAGES = 4, UNITS = 2 };
enum { WIDTH, DROPOUT };

struct unit {
	cg_nn_conv2d conv;
	cg_nn_batch_norm norm;
};

struct vgg {
	struct unit unit[STAGES][UNITS];
	cg_nn_linear classifier;
	float dropout;
};

static const cg_pool_config halve = { .window_h = 2, .window_w = 2 };

/* Layer numbers as in torch: a unit is convolution, norm, ReLU; a stage is two units and a pool. */
static cg_status unit_init(struct unit *u, cg_params *p, int layer, int64_t C, int64_t M)
{
	char name[32];
	cg_status status;

	snprintf(name, sizeof(name), "features.%d", layer);
	status = cg_nn_conv2d_init(&u->conv, p, name, 3, C, M, 1, 1, false, CG_INIT_HE_NORMAL);
	if (status != CG_OK)
		return status;
	snprintf(name, sizeof(name), "features.%d", layer + 1);
	return cg_nn_batch_norm_init(&u->norm, p, name, M, 1e-5f, .9f);
}

static cg_status init(void *self, cg_params *p, const struct model_config *config)
{
	struct vgg *m = self;
	int64_t C = config->channels, M = (int64_t)config->value[WIDTH];

	m->dropout = (float)config->value[DROPOUT];
	for (int stage = 0; stage < STAGES; stage++, M *= 2) {
		for (int i = 0; i < UNITS; i++) {
			int layer = stage * (3 * UNITS + 1) + 3 * i;
			cg_status status = unit_init(&m->unit[stage][i], p, layer, C, M);

			if (status != CG_OK)
				return status;
			C = M;
		}
	}
	return cg_nn_linear_init(&m->classifier, p, "classifier", C, config->classes, true,
				 CG_INIT_GLOROT_UNIFORM);
}

static cg_tensor *unit(const struct unit *u, cg_tensor *x)
{
	return cg_relu(cg_nn_batch_norm_forward(&u->norm, cg_nn_conv2d_forward(&u->conv, x)));
}

static cg_tensor *forward(const void *self, cg_tensor *x)
{
	const struct vgg *m = self;

	for (int stage = 0; stage < STAGES; stage++) {
		if (stage)
			x = cg_max_pool(x, &halve);
		x = unit(&m->unit[stage][1], unit(&m->unit[stage][0], x));
		cg_name(x, "stage%d", stage + 1);
	}
	x = cg_name(cg_global_avg_pool(x), "features");
	return cg_name(cg_nn_linear_forward(&m->classifier, cg_dropout(x, m->dropout)), "logits");
}

static int block(const char *parameter)
{
	int layer;

	return sscanf(parameter, "features.%d", &layer) == 1 ? layer / (3 * UNITS + 1) + 1 : -1;
}

static const struct model_setting settings[] = {
	[WIDTH] = { "width", NULL, 32, 1, 512, true, "channels of the first stage" },
	[DROPOUT] = { "dropout", NULL, .25, 0, .95, false, "dropout before linear layers" },
	{ .name = NULL }
};

static const struct model_recipe recipes[] = {
	{ "smoke", "width = 24" },
	{ "gpu-10min", "width = 64\n"
		       "lr = 0.1\n" },
	{ NULL, "opt = sgd\n"
		"lr = 0.05\n"
		"weight-decay = 5e-4\n" },
	{ NULL, NULL }
};

extern const struct model vgg;
const struct model vgg = {
	.name = "vgg",
	.summary = "VGG with batch norm, 8 convolutions",
	.settings = settings,
	.recipes = recipes,
	.input = 44,
	.mean = 129.5f,
	.sd = 65,
	.head = "classifier.",
	.blocks = "stages",
	.bytes = sizeof(struct vgg),
	.block = block,
	.init = init,
	.forward = forward,
};
