/*
 * alexnet: AlexNet (Krizhevsky et al. 2012) in three forms:
 *
 *	face	the one-column widths of Krizhevsky 2014 with a 5x5 stem, for 48x48
 *	torch	the same widths as torchvision has them, for images of 63x63 and more: 61,100,840
 *		parameters at 224 with 1000 classes and 3 channels
 *	caffe	the original's widths and two groups, with local response normalisation and pools
 *		that round up (bvlc_alexnet): 60,965,224 parameters at 227
 *
 *	face				torch			caffe
 *	5x5/2 pad 2, 64   48 -> 24	11x11/4 pad 2, 64	11x11/4, 96
 *	max 3/2		     -> 11	max 3/2			norm, max 3/2
 *	5x5 pad 2, 192			5x5 pad 2, 192		5x5 pad 2, 256, 2 groups
 *	max 3/2		     -> 5	max 3/2			norm, max 3/2
 *	3x3 pad 1, 384			3x3 pad 1, 384		3x3 pad 1, 384
 *	3x3 pad 1, 256			3x3 pad 1, 256		3x3 pad 1, 384, 2 groups
 *	3x3 pad 1, 256			3x3 pad 1, 256		3x3 pad 1, 256, 2 groups
 *	max 3/2		     -> 2	max 3/2, average 6x6	max 3/2
 *	dropout, linear 1024		dropout, linear 4096	linear 4096, dropout
 *	dropout, linear 1024		dropout, linear 4096	linear 4096, dropout
 *	linear to the classes
 *
 * each convolution and hidden linear layer with bias and ReLU. At 48 the /2 stem makes 94 million
 * multiply-adds an image, a /1 stem 432; torch makes 157 at 96 and 710 at 224. Names of the
 * parameters are torchvision's; the flattened order is H W C, theirs is C H W.
 *
 * Names of outputs: conv1 .. conv5 (pooled where there is a pool), features and logits.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>

enum { CONVS = 5, LINEARS = 3 };
enum { VARIANT, STEM_STRIDE, FC, DIVISOR, DROPOUT };
enum { FACE, TORCH, CAFFE };

struct alexnet {
	const struct form *form;
	cg_nn_conv2d conv[CONVS];
	cg_nn_linear linear[LINEARS];
	float dropout;
};

/* The numbers are torchvision's, its ReLUs, pools and dropouts counted. */
static const char *const conv_names[CONVS] = { "features.0", "features.3", "features.6",
					       "features.8", "features.10" };
static const char *const linear_names[LINEARS] = { "classifier.1", "classifier.4", "classifier.6" };

static const struct form {
	struct layer {
		int window, pad;
		int64_t width;
		int groups;
		bool norm, pool;
	} conv[CONVS];
	int average;		/* size that the last feature map is averaged to; 0: as it is */
	bool drops_input;	/* dropout comes before the hidden layers, not after */
	bool ceil;		/* pools round up */
} forms[] = {
	[FACE] = { { { 5, 2, 64, 1, false, true },
		     { 5, 2, 192, 1, false, true },
		     { 3, 1, 384, 1, false, false },
		     { 3, 1, 256, 1, false, false },
		     { 3, 1, 256, 1, false, true } },
		   0, true, false },
	[TORCH] = { { { 11, 2, 64, 1, false, true },
		      { 5, 2, 192, 1, false, true },
		      { 3, 1, 384, 1, false, false },
		      { 3, 1, 256, 1, false, false },
		      { 3, 1, 256, 1, false, true } },
		    6, true, false },
	[CAFFE] = { { { 11, 0, 96, 1, true, true },
		      { 5, 2, 256, 2, true, true },
		      { 3, 1, 384, 1, false, false },
		      { 3, 1, 384, 2, false, false },
		      { 3, 1, 256, 2, false, true } },
		    0, false, true },
};

/* ---- sizes ------------------------------------------------------------------------------- */

/* Widths stay even: two groups must part them. */
static int64_t divided(int64_t width, double divisor)
{
	int64_t narrow = width / (int64_t)divisor / 2 * 2;

	return narrow > 0 ? narrow : 2;
}

/* Height of the last feature map; 0 where the input is too small. */
static int64_t final_size(const struct form *f, int64_t size, int stem_stride)
{
	size += 2 * f->conv[0].pad - f->conv[0].window;
	size = size < 0 ? 0 : size / stem_stride + 1;
	for (int i = 0; i < CONVS; i++)
		if (f->conv[i].pool)
			size = size < 3 ? 0 : (size - 3 + f->ceil) / 2 + 1;
	return size;
}

static const char *check(const struct model_config *config)
{
	const struct form *f = &forms[(int)config->value[VARIANT]];

	return final_size(f, config->size, (int)config->value[STEM_STRIDE]) ? NULL :
	       "the images are too small for this form";
}

/* ---- parameters -------------------------------------------------------------------------- */

static cg_status init_convs(struct alexnet *m, cg_params *p, const struct model_config *config)
{
	int64_t C = config->channels;

	for (int i = 0; i < CONVS; i++) {
		const struct layer *l = &m->form->conv[i];
		int64_t M = divided(l->width, config->value[DIVISOR]);
		int stride = i ? 1 : (int)config->value[STEM_STRIDE];
		cg_status status = cg_nn_conv2d_init(&m->conv[i], p, conv_names[i], l->window,
						     C / l->groups, M, stride, l->pad, true,
						     CG_INIT_HE_NORMAL);

		if (status != CG_OK)
			return status;
		m->conv[i].config.groups = l->groups;
		C = M;
	}
	return CG_OK;
}

static cg_status init(void *self, cg_params *p, const struct model_config *config)
{
	struct alexnet *m = self;
	const struct form *f = m->form = &forms[(int)config->value[VARIANT]];
	int64_t size = final_size(f, config->size, (int)config->value[STEM_STRIDE]);
	int64_t hidden = divided((int64_t)config->value[FC], config->value[DIVISOR]);
	int64_t side = f->average ? f->average : size;
	int64_t D = side * side * divided(f->conv[CONVS - 1].width, config->value[DIVISOR]);
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

/* ---- forward ----------------------------------------------------------------------------- */

static cg_tensor *flatten(cg_tensor *x)
{
	return x ? CG_RESHAPE(x, cg_tensor_shape(x)[0], -1) : NULL;
}

static cg_tensor *convolutions(const struct alexnet *m, cg_tensor *x)
{
	const struct form *f = m->form;
	const cg_pool_config pool = { .window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 2,
				      .ceil_mode = f->ceil };

	for (int i = 0; i < CONVS; i++) {
		x = cg_relu(cg_nn_conv2d_forward(&m->conv[i], x));
		if (f->conv[i].norm)
			x = cg_local_response_norm(x, 5, 1e-4f, .75f, 1);
		if (f->conv[i].pool)
			x = cg_max_pool(x, &pool);
		cg_name(x, "conv%d", i + 1);
	}
	return f->average ? cg_adaptive_avg_pool(x, f->average, f->average) : x;
}

static cg_tensor *hidden(const struct alexnet *m, const cg_nn_linear *l, cg_tensor *x)
{
	if (m->form->drops_input)
		return cg_relu(cg_nn_linear_forward(l, cg_dropout(x, m->dropout)));
	return cg_dropout(cg_relu(cg_nn_linear_forward(l, x)), m->dropout);
}

static cg_tensor *forward(const void *self, cg_tensor *x)
{
	const struct alexnet *m = self;

	x = flatten(convolutions(m, x));
	x = hidden(m, &m->linear[1], hidden(m, &m->linear[0], x));
	cg_name(x, "features");
	return cg_name(cg_nn_linear_forward(&m->linear[2], x), "logits");
}

/* Each layer but the last is a block. */
static int block(const char *parameter)
{
	for (int i = 0; i < CONVS; i++)
		if (!strncmp(parameter, conv_names[i], strlen(conv_names[i])) &&
		    parameter[strlen(conv_names[i])] == '.')
			return i + 1;
	for (int i = 0; i < LINEARS - 1; i++)
		if (!strncmp(parameter, linear_names[i], strlen(linear_names[i])))
			return CONVS + i + 1;
	return -1;
}

static const struct model_setting settings[] = {
	[VARIANT] = { "variant", "face|torch|caffe", 0, 0, 0, true, "form of the network" },
	[STEM_STRIDE] = { "stem-stride", NULL, 2, 1, 4, true, "stride of the first convolution" },
	[FC] = { "fc", NULL, 1024, 1, 8192, true, "width of the hidden linear layers" },
	[DIVISOR] = { "divisor", NULL, 1, 1, 64, true, "divide all widths (for tests)" },
	[DROPOUT] = { "dropout", NULL, .5, 0, .95, false, "dropout before linear layers" },
	{ .name = NULL }
};

static const struct model_variant variants[] = {
	{ "face", "stem-stride=2 fc=1024" },
	{ "torch", "stem-stride=4 fc=4096" },
	{ "caffe", "stem-stride=4 fc=4096" },
	{ NULL, NULL }
};

static const struct model_recipe recipes[] = {
	{ "smoke", "divisor = 4" },
	{ "cpu-20min", "epochs = 18" },	/* slow to begin: no norm */
	{ "gpu-10min", "lr = 0.05" },
	{ NULL, "opt = sgd\n"
		"lr = 0.02\n"
		"weight-decay = 5e-4\n" },
	{ NULL, NULL }
};

extern const struct model alexnet;
const struct model alexnet = {
	.name = "alexnet",
	.summary = "AlexNet, 5 convolutions, 3 linear layers",
	.settings = settings,
	.variants = variants,
	.recipes = recipes,
	.input = 48,
	.mean = 129.5f,
	.sd = 65,
	.head = "classifier.6.",
	.blocks = "layers",
	.bytes = sizeof(struct alexnet),
	.check = check,
	.block = block,
	.init = init,
	.forward = forward,
};
