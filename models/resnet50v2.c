/*
 * resnet50v2: ResNet-50 with pre-activation (He et al. 2016, Identity Mappings), in three forms:
 *
 *	keras	keras/src/applications/resnet_v2.py: the stride is in a stage's last block, whose
 *		shortcut takes every other pixel; stem, shortcut and last convolution have
 *		biases; eps 1.001e-5, momentum .99
 *	tfslim	the same, but the stem's pool is padded as TensorFlow's SAME: resnet_v2_50 of TF-Slim
 *	gluon	the paper's and MXNet Gluon's: the stride is in a stage's first block, no biases; the
 *		input and the stem are normalised; eps 1e-5, momentum .9
 *
 *	stem: [norm] 7x7/2, 64 [norm, ReLU], max 3/2	    48 -> 24 -> 12    96 -> 24    224 -> 56
 *	stage 1: 3 blocks of 64-64-256				   6		12	    28
 *	stage 2: 4 blocks of 128-128-512			   3		 6	    14
 *	stage 3: 6 blocks of 256-256-1024			   2		 3	     7
 *	stage 4: 3 blocks of 512-512-2048			   2		 3	     7
 *	norm, ReLU, global average, linear
 *
 * (sizes after a stage in the keras form; gluon's stage 1 has no stride and stage 4 has one).
 * 25,613,800 parameters with 1000 classes and 3 channels in the keras form, of which 45,440 are
 * running statistics; 187 million multiply-adds an image at 48x48, 3.5 thousand million at 224.
 *
 * Names of outputs: stem, stage1.0 stage1.1 stage1 stage2.0 .. stage4 (after the last block of
 * each), in a block stage1.0.relu1 (the activated input) .relu2 .relu3, at the end features, logits.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>

enum { STAGES = 4, BLOCKS = 6 };
enum { VARIANT, NORMS, DIVISOR };
enum { KERAS, GLUON, TFSLIM };

struct block {
	cg_nn_batch_norm norm1, norm2, norm3;
	cg_nn_conv2d conv1, conv2, conv3, shortcut;
	bool project;	/* the shortcut is a convolution */
	int stride;
};

struct resnet {
	int variant;
	cg_nn_batch_norm input_norm, stem_norm;	/* gluon */
	cg_nn_conv2d stem;
	struct block block[STAGES][BLOCKS];
	cg_nn_batch_norm norm;
	cg_nn_linear head;
};

static const struct {
	int64_t width;
	int blocks;
} stages[STAGES] = { { 64, 3 }, { 128, 4 }, { 256, 6 }, { 512, 3 } };

/* How the forms differ in arithmetic. */
static const struct form {
	float eps, momentum;
	bool bias;
	cg_init init;
} forms[] = {
	[KERAS] = { 1.001e-5f, .99f, true, CG_INIT_GLOROT_UNIFORM },
	[GLUON] = { 1e-5f, .9f, false, CG_INIT_HE_NORMAL },
	[TFSLIM] = { 1.001e-5f, .99f, true, CG_INIT_GLOROT_UNIFORM },
};

/* ---- parameters -------------------------------------------------------------------------- */

/* What making the layers needs; after a failure nothing more is made. */
struct maker {
	cg_params *p;
	const struct form *form;
	bool frozen;
	cg_status status;
};

static void make_norm(struct maker *k, cg_nn_batch_norm *l, const char *name, int64_t C)
{
	if (k->status == CG_OK)
		k->status = cg_nn_batch_norm_init(l, k->p, name, C, k->form->eps,
						  k->form->momentum);
	l->frozen = k->frozen;
}

static void make_conv(struct maker *k, cg_nn_conv2d *l, const char *name, int window, int64_t C,
		      int64_t M, int stride, bool bias)
{
	if (k->status == CG_OK)
		k->status = cg_nn_conv2d_init(l, k->p, name, window, C, M, stride, window / 2,
					      bias && k->form->bias, k->form->init);
}

/* C channels to 4f. */
static void make_block(struct maker *k, struct block *b, const char *name, int64_t C, int64_t f)
{
	char layer[32];

#define LAYER(part) (snprintf(layer, sizeof(layer), "%s.%s", name, part), layer)
	make_norm(k, &b->norm1, LAYER("norm1"), C);
	if (b->project)
		make_conv(k, &b->shortcut, LAYER("shortcut"), 1, C, 4 * f, b->stride, true);
	make_conv(k, &b->conv1, LAYER("conv1"), 1, C, f, 1, false);
	make_norm(k, &b->norm2, LAYER("norm2"), f);
	make_conv(k, &b->conv2, LAYER("conv2"), 3, f, f, b->stride, false);
	make_norm(k, &b->norm3, LAYER("norm3"), f);
	make_conv(k, &b->conv3, LAYER("conv3"), 1, f, 4 * f, 1, true);
#undef LAYER
}

static int block_stride(int variant, int stage, int block)
{
	if (variant == GLUON)
		return stage > 0 && block == 0 ? 2 : 1;
	return stage < STAGES - 1 && block == stages[stage].blocks - 1 ? 2 : 1;
}

static int64_t make_stages(struct maker *k, struct resnet *m, int64_t C, int64_t divisor)
{
	char name[16];

	for (int stage = 0; stage < STAGES; stage++) {
		int64_t f = (stages[stage].width + divisor - 1) / divisor;

		for (int i = 0; i < stages[stage].blocks; i++) {
			struct block *b = &m->block[stage][i];

			b->project = i == 0;
			b->stride = block_stride(m->variant, stage, i);
			snprintf(name, sizeof(name), "stage%d.%d", stage + 1, i);
			make_block(k, b, name, C, f);
			C = 4 * f;
		}
	}
	return C;
}

/* Gluon's norm of the input scales and shifts by constants. */
static void make_input_norm(struct maker *k, cg_nn_batch_norm *l, int64_t C)
{
	static const char *const parts[] = { "gamma", "beta", "running_mean", "running_var" };
	cg_array **array[] = { &l->gamma, &l->beta, &l->running_mean, &l->running_var };
	char name[32];

	*l = (cg_nn_batch_norm){ .eps = k->form->eps, .momentum = k->form->momentum,
				 .frozen = k->frozen };
	for (int i = 0; i < 4 && k->status == CG_OK; i++) {
		snprintf(name, sizeof(name), "input_norm.%s", parts[i]);
		*array[i] = cg_params_add(k->p, name, 1, &C, i % 3 ? CG_INIT_ZERO : CG_INIT_ONE,
					  CG_PARAM_STATISTIC);
		if (!*array[i])
			k->status = CG_ERR_ARGUMENT;
	}
}

static cg_status init(void *self, cg_params *p, const struct model_config *config)
{
	struct resnet *m = self;
	int variant = (int)config->value[VARIANT];
	int64_t divisor = (int64_t)config->value[DIVISOR], C = (64 + divisor - 1) / divisor;
	struct maker k = { p, &forms[variant], config->value[NORMS] > 0, CG_OK };

	m->variant = variant;
	if (variant == GLUON)
		make_input_norm(&k, &m->input_norm, config->channels);
	make_conv(&k, &m->stem, "stem", 7, config->channels, C, 2, true);
	if (variant == GLUON)
		make_norm(&k, &m->stem_norm, "stem_norm", C);
	C = make_stages(&k, m, C, divisor);
	make_norm(&k, &m->norm, "norm", C);
	if (k.status != CG_OK)
		return k.status;
	return cg_nn_linear_init(&m->head, p, "head", C, config->classes, true,
				 CG_INIT_GLOROT_UNIFORM);
}

/* ---- forward ----------------------------------------------------------------------------- */

static cg_tensor *activate(const cg_nn_batch_norm *norm, cg_tensor *x)
{
	return cg_relu(cg_nn_batch_norm_forward(norm, x));
}

/* Padded with zeros in the keras form: no ReLU came before, so that is not the same as -inf. */
static cg_tensor *stem_pool(const struct resnet *m, cg_tensor *x)
{
	cg_pool_config pool = { .window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 2,
				.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1 };

	if (!x)
		return NULL;
	pool.pad_zero = m->variant == KERAS;
	if (m->variant == TFSLIM) { /* an even size is padded behind only */
		pool.pad_top = (int)(cg_tensor_shape(x)[1] % 2);
		pool.pad_left = (int)(cg_tensor_shape(x)[2] % 2);
	}
	return cg_max_pool(x, &pool);
}

/* x + conv3(act(conv2(act(conv1(act(x)))))); the shortcut is projected from the activated input
 * where the width changes, and takes every other pixel where only the size does. */
static cg_tensor *bottleneck(const struct block *b, cg_tensor *x, const char *name)
{
	const cg_pool_config subsample = { .window_h = 1, .window_w = 1, .stride_h = b->stride,
					   .stride_w = b->stride };
	cg_tensor *a = cg_name(activate(&b->norm1, x), "%s.relu1", name), *shortcut = x, *y;

	if (b->project)
		shortcut = cg_nn_conv2d_forward(&b->shortcut, a);
	else if (b->stride > 1)
		shortcut = cg_max_pool(x, &subsample);
	y = cg_nn_conv2d_forward(&b->conv1, a);
	y = cg_name(activate(&b->norm2, y), "%s.relu2", name);
	y = cg_nn_conv2d_forward(&b->conv2, y);
	y = cg_name(activate(&b->norm3, y), "%s.relu3", name);
	return cg_add(cg_nn_conv2d_forward(&b->conv3, y), shortcut);
}

static cg_tensor *stem(const struct resnet *m, cg_tensor *x)
{
	if (m->variant != GLUON)
		return stem_pool(m, cg_nn_conv2d_forward(&m->stem, x));
	x = cg_nn_conv2d_forward(&m->stem, cg_nn_batch_norm_forward(&m->input_norm, x));
	return stem_pool(m, activate(&m->stem_norm, x));
}

static cg_tensor *forward(const void *self, cg_tensor *x)
{
	const struct resnet *m = self;
	char name[16];

	x = cg_name(stem(m, x), "stem");
	for (int stage = 0; stage < STAGES; stage++) {
		for (int i = 0; i < stages[stage].blocks; i++) {
			snprintf(name, sizeof(name), "stage%d.%d", stage + 1, i);
			x = cg_name(bottleneck(&m->block[stage][i], x, name), "%s", name);
		}
		cg_name(x, "stage%d", stage + 1);
	}
	x = cg_name(cg_global_avg_pool(activate(&m->norm, x)), "features");
	return cg_name(cg_nn_linear_forward(&m->head, x), "logits");
}

static int block(const char *parameter)
{
	int stage;

	if (sscanf(parameter, "stage%d", &stage) == 1)
		return stage;
	return strncmp(parameter, "stem", 4) && strncmp(parameter, "input_norm", 10) ? -1 : 0;
}

static const struct model_setting settings[] = {
	[VARIANT] = { "variant", "keras|gluon|tfslim", 0, 0, 0, true, "form of the network" },
	[NORMS] = { "norms", "batch|frozen", 0, 0, 0, true,
		    "frozen: batch norms keep the running statistics they began with" },
	[DIVISOR] = { "divisor", NULL, 1, 1, 64, true, "divide all widths (for tests)" },
	{ .name = NULL }
};

static const struct model_recipe recipes[] = {
	{ "smoke", "divisor = 8" },
	{ "paper", "opt = adam\n"
		   "lr = 0.001\n"
		   "weight-decay = 1e-4\n"
		   "batch-size = 32\n"
		   "clip-norm = 0\n" },
	{ "gpu-10min", "img-size = 96\n"
		       "epochs = 35\n"
		       "lr = 0.1\n" },
	{ "finetune", "img-size = 96\n"
		      "opt = adamw\n"
		      "lr = 5e-4\n"
		      "weight-decay = 0.05\n"
		      "batch-size = 32\n"
		      "head-lr-mult = 1\n" },
	{ NULL, "opt = sgd\n"
		"lr = 0.05\n"
		"weight-decay = 5e-4\n" },
	{ NULL, NULL }
};

extern const struct model resnet50v2;
const struct model resnet50v2 = {
	.name = "resnet50v2",
	.summary = "ResNet-50 with pre-activation, 53 convolutions",
	.settings = settings,
	.recipes = recipes,
	.input = 48,
	.mean = 127.5f,
	.sd = 127.5f,
	.head = "head.",
	.blocks = "stages",
	.bytes = sizeof(struct resnet),
	.block = block,
	.init = init,
	.forward = forward,
};
