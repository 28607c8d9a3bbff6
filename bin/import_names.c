#include "import_names.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Vision Transformers of timm ----------------------------------------------------------- */

static const struct import_rule timm_vit_rules[] = {
	{ "cls_token", "cls_token", 0, NULL },
	{ "pos_embed", "pos_embed", 0, NULL },
	{ "blocks.#.norm#.gamma", "blocks.#1.norm#2.weight", 0, NULL },
	{ "blocks.#.norm#.beta", "blocks.#1.norm#2.bias", 0, NULL },
	{ "norm.gamma", "norm.weight", 0, NULL },
	{ "norm.beta", "norm.bias", 0, NULL },
	{ "*", "*", 0, NULL },
	{ NULL, NULL, 0, NULL }
};

static const struct import_hint timm_vit_hints[] = {
	{ "classes", "head.bias", 0 },
	{ "channels", "patch_embed.proj.weight", 1 },
	{ "patch", "patch_embed.proj.weight", 2 },
	{ "size", "pos_embed", IMPORT_SQUARE },
	{ "dim", "cls_token", 2 },
	{ "mlp", "blocks.0.mlp.fc1.bias", 0 },
	{ "depth", "blocks.#1.norm1.bias", IMPORT_COUNT },
	{ NULL, NULL, 0 }
};

static const struct import_origin timm_vit = {
	.name = "timm",
	.model = "vit",
	.anchor = "blocks.0.attn.qkv.weight",
	.layout = IMPORT_OIHW,
	.hints = timm_vit_hints,
	.rules = timm_vit_rules,
	.head_size = 64,
	.torch = true,
};

/* ---- Vision Transformers of Google (flax) --------------------------------------------------- */

#define BLOCK "Transformer/encoderblock_#1/"
#define ATTENTION BLOCK "MultiHeadDotProductAttention_1/"

static const struct import_rule flax_vit_rules[] = {
	{ "cls_token", "cls", 0, NULL },
	{ "pos_embed", "Transformer/posembed_input/pos_embedding", 0, NULL },
	{ "patch_embed.proj.weight", "embedding/kernel", 0, NULL },
	{ "patch_embed.proj.bias", "embedding/bias", 0, NULL },
	{ "blocks.#.norm1.gamma", BLOCK "LayerNorm_0/scale", 0, NULL },
	{ "blocks.#.norm1.beta", BLOCK "LayerNorm_0/bias", 0, NULL },
	{ "blocks.#.attn.qkv.weight", ATTENTION "qkv/kernel", 0, NULL },
	{ "blocks.#.attn.qkv.bias", ATTENTION "qkv/bias", 0, NULL },
	{ "blocks.#.attn.proj.weight", ATTENTION "out/kernel", 0, NULL },
	{ "blocks.#.attn.proj.bias", ATTENTION "out/bias", 0, NULL },
	{ "blocks.#.norm2.gamma", BLOCK "LayerNorm_2/scale", 0, NULL },
	{ "blocks.#.norm2.beta", BLOCK "LayerNorm_2/bias", 0, NULL },
	{ "blocks.#.mlp.fc#.weight", BLOCK "MlpBlock_3/Dense_(1#2+-1)/kernel", 0, NULL },
	{ "blocks.#.mlp.fc#.bias", BLOCK "MlpBlock_3/Dense_(1#2+-1)/bias", 0, NULL },
	{ "norm.gamma", "Transformer/encoder_norm/scale", 0, NULL },
	{ "norm.beta", "Transformer/encoder_norm/bias", 0, NULL },
	{ "head.weight", "head/kernel", 0, NULL },
	{ "head.bias", "head/bias", 0, NULL },
	{ NULL, NULL, 0, NULL }
};

static const struct import_hint flax_vit_hints[] = {
	{ "classes", "head/bias", 0 },
	{ "channels", "embedding/kernel", 2 },
	{ "patch", "embedding/kernel", 0 },
	{ "size", "Transformer/posembed_input/pos_embedding", IMPORT_SQUARE },
	{ "dim", "cls", 2 },
	{ "heads", "Transformer/encoderblock_0/MultiHeadDotProductAttention_1/qkv/kernel", 2 },
	{ "mlp", "Transformer/encoderblock_0/MlpBlock_3/Dense_0/bias", 0 },
	{ "depth", BLOCK "LayerNorm_0/bias", IMPORT_COUNT },
	{ NULL, NULL, 0 }
};

static const struct import_origin flax_vit = {
	.name = "Google's ViT",
	.model = "vit",
	.anchor = "Transformer/encoder_norm/scale",
	.layout = IMPORT_HWIO,
	.settings = "gelu=tanh",
	.hints = flax_vit_hints,
	.rules = flax_vit_rules,
	.before_head = "pre_logits/",	/* of ImageNet-21k: a layer that its authors, too, leave out when they fine-tune */
};

/* ---- resnet50_v2 of MXNet Gluon ------------------------------------------------------------ */

/* Numbers run through a stage; its first block has the shortcut's convolution as fourth. */
static const struct import_rule gluon_rules[] = {
	{ "input_norm.*", "batchnorm0_*", 0, NULL },
	{ "stem.weight", "conv0_weight", 0, NULL },
	{ "stem_norm.*", "batchnorm1_*", 0, NULL },
	{ "stage#.0.conv1.weight", "stage#1_conv0_weight", 0, NULL },
	{ "stage#.0.conv2.weight", "stage#1_conv1_weight", 0, NULL },
	{ "stage#.0.conv3.weight", "stage#1_conv2_weight", 0, NULL },
	{ "stage#.0.shortcut.weight", "stage#1_conv3_weight", 0, NULL },
	{ "stage#.#.conv#.weight", "stage#1_conv(3#2+#3)_weight", 0, NULL },
	{ "stage#.#.norm1.*", "stage#1_batchnorm(3#2+0)_*", 0, NULL },
	{ "stage#.#.norm2.*", "stage#1_batchnorm(3#2+1)_*", 0, NULL },
	{ "stage#.#.norm3.*", "stage#1_batchnorm(3#2+2)_*", 0, NULL },
	{ "norm.*", "batchnorm2_*", 0, NULL },
	{ "head.*", "dense0_*", 0, NULL },
	{ NULL, NULL, 0, NULL }
};

static const struct import_hint gluon_hints[] = {
	{ "classes", "dense0_bias", 0 },
	{ "channels", "conv0_weight", 1 },
	{ NULL, NULL, 0 }
};

static const struct import_origin gluon = {
	.name = "gluon",
	.model = "resnet50v2",
	.anchor = "stage1_batchnorm0_gamma",
	.layout = IMPORT_OIHW,
	.settings = "variant=gluon size=224",
	.hints = gluon_hints,
	.rules = gluon_rules,
	.mean = { .485f, .456f, .406f },
	.sd = { .229f, .224f, .225f },
};

/* ---- resnet_v2_50 of TF-Slim, as TFLite has it ----------------------------------------------- */

#define UNIT "block#1_unit_(1#2+1)_bottleneck_v2_"

/* Norms after convolutions are folded into weights and bias, the others are scale and shift: with
 * mean 0 and variance 1 - eps our norms do just that. */
static const struct import_rule tfslim_rules[] = {
	{ "stem.weight", "conv1_weights", 0, NULL },
	{ "stem.bias", "conv1_Conv2D_bias", 0, NULL },
	{ "stage#.#.norm1.gamma", UNIT "preact_FusedBatchNorm_mul_0_param", 0, NULL },
	{ "stage#.#.norm1.beta", UNIT "preact_FusedBatchNorm_add_param", 0, NULL },
	{ "stage#.#.norm2.beta", UNIT "conv1_Conv2D_bias", 0, NULL },
	{ "stage#.#.norm3.beta", UNIT "conv2_Conv2D_bias", 0, NULL },
	{ "stage#.#.conv3.bias", UNIT "conv3_Conv2D_bias", 0, NULL },
	{ "stage#.#.conv#.weight", UNIT "conv#3_weights", 0, NULL },
	{ "stage#.0.shortcut.weight", "block#1_unit_1_bottleneck_v2_shortcut_weights", 0, NULL },
	{ "stage#.0.shortcut.bias", "block#1_unit_1_bottleneck_v2_shortcut_Conv2D_bias", 0, NULL },
	{ "stage#.#.norm#.gamma", NULL, 1, NULL },
	{ "stage#.#.norm#.running_mean", NULL, 0, NULL },
	{ "stage#.#.norm#.running_var", NULL, 1 - 1.001e-5f, NULL },
	{ "norm.gamma", "postnorm_FusedBatchNorm_mul_0_param", 0, NULL },
	{ "norm.beta", "postnorm_FusedBatchNorm_add_param", 0, NULL },
	{ "norm.running_mean", NULL, 0, NULL },
	{ "norm.running_var", NULL, 1 - 1.001e-5f, NULL },
	{ "head.weight", "logits_weights", 0, NULL },
	{ "head.bias", "logits_Conv2D_bias", 0, NULL },
	{ NULL, NULL, 0, NULL }
};

static const struct import_hint tfslim_hints[] = {
	{ "classes", "logits_Conv2D_bias", 0 },
	{ "channels", "conv1_weights", 3 },
	{ NULL, NULL, 0 }
};

static const struct import_origin tfslim = {
	.name = "tfslim",
	.model = "resnet50v2",
	.anchor = "block1_unit_1_bottleneck_v2_conv1_weights",
	.layout = IMPORT_OHWI,
	.settings = "variant=tfslim size=224 norms=frozen",
	.hints = tfslim_hints,
	.rules = tfslim_rules,
};

/* ---- ResNet50V2 of Keras (HDF5) ----------------------------------------------------------------- */

/* Two forms of the file, one network: what a layer is called, then its parts. */
#define KERAS_RULES(LAYER, KERNEL, BIAS, GAMMA, BETA, MEAN, VARIANCE)                                  \
	{ "stem.weight", LAYER("conv1_conv") KERNEL, 0, NULL },                                        \
	{ "stem.bias", LAYER("conv1_conv") BIAS, 0, NULL },                                            \
	{ "stage#.#.norm1.gamma", LAYER(KERAS_BLOCK "preact_bn") GAMMA, 0, NULL },                     \
	{ "stage#.#.norm1.beta", LAYER(KERAS_BLOCK "preact_bn") BETA, 0, NULL },                       \
	{ "stage#.#.norm1.running_mean", LAYER(KERAS_BLOCK "preact_bn") MEAN, 0, NULL },               \
	{ "stage#.#.norm1.running_var", LAYER(KERAS_BLOCK "preact_bn") VARIANCE, 0, NULL },            \
	{ "stage#.#.norm#.gamma", LAYER(KERAS_BLOCK "(1#3+-1)_bn") GAMMA, 0, NULL },                   \
	{ "stage#.#.norm#.beta", LAYER(KERAS_BLOCK "(1#3+-1)_bn") BETA, 0, NULL },                     \
	{ "stage#.#.norm#.running_mean", LAYER(KERAS_BLOCK "(1#3+-1)_bn") MEAN, 0, NULL },             \
	{ "stage#.#.norm#.running_var", LAYER(KERAS_BLOCK "(1#3+-1)_bn") VARIANCE, 0, NULL },          \
	{ "stage#.#.shortcut.weight", LAYER(KERAS_BLOCK "0_conv") KERNEL, 0, NULL },                   \
	{ "stage#.#.shortcut.bias", LAYER(KERAS_BLOCK "0_conv") BIAS, 0, NULL },                       \
	{ "stage#.#.conv#.weight", LAYER(KERAS_BLOCK "#3_conv") KERNEL, 0, NULL },                     \
	{ "stage#.#.conv#.bias", LAYER(KERAS_BLOCK "#3_conv") BIAS, 0, NULL },                         \
	{ "norm.gamma", LAYER("post_bn") GAMMA, 0, NULL },                                             \
	{ "norm.beta", LAYER("post_bn") BETA, 0, NULL },                                               \
	{ "norm.running_mean", LAYER("post_bn") MEAN, 0, NULL },                                       \
	{ "norm.running_var", LAYER("post_bn") VARIANCE, 0, NULL },                                    \
	{ "head.weight", LAYER("predictions") KERNEL, 0, NULL },                                       \
	{ "head.bias", LAYER("predictions") BIAS, 0, NULL },                                           \
	{ NULL, NULL, 0, NULL }
#define KERAS_BLOCK "conv(1#1+1)_block(1#2+1)_"
/* .h5 as always: each layer is a group in a group of the same name. */
#define TWICE(layer) layer "/" layer
/* Keras 3's .weights.h5, see weights_h5.c. */
#define ONCE(layer) layer

static const struct import_rule keras_rules[] = {
	KERAS_RULES(TWICE, "/kernel", "/bias", "/gamma", "/beta", "/moving_mean", "/moving_variance")
};

static const struct import_rule keras3_rules[] = {
	KERAS_RULES(ONCE, "/vars/0", "/vars/1", "/vars/0", "/vars/1", "/vars/2", "/vars/3")
};

static const struct import_hint keras_hints[] = {
	{ "classes", TWICE("predictions") "/bias", 0 },
	{ "channels", TWICE("conv1_conv") "/kernel", 2 },
	{ NULL, NULL, 0 }
};

static const struct import_origin keras = {
	.name = "Keras",
	.model = "resnet50v2",
	.anchor = TWICE("conv2_block1_preact_bn") "/gamma",
	.layout = IMPORT_HWIO,
	.settings = "variant=keras size=224",
	.hints = keras_hints,
	.rules = keras_rules,
};

static const struct import_hint keras3_hints[] = {
	{ "classes", "predictions/vars/1", 0 },
	{ "channels", "conv1_conv/vars/0", 2 },
	{ NULL, NULL, 0 }
};

static const struct import_origin keras3 = {
	.name = "Keras 3",
	.model = "resnet50v2",
	.anchor = "conv2_block1_preact_bn/vars/0",
	.layout = IMPORT_HWIO,
	.settings = "variant=keras size=224",
	.hints = keras3_hints,
	.rules = keras3_rules,
};

/* ---- AlexNet of torchvision ------------------------------------------------------------------ */

static const struct import_rule torch_alexnet_rules[] = {
	{ "classifier.1.weight", "classifier.1.weight", 0, "features.10.weight" },
	{ "*", "*", 0, NULL },
	{ NULL, NULL, 0, NULL }
};

static const struct import_hint torch_alexnet_hints[] = {
	{ "classes", "classifier.6.bias", 0 },
	{ "channels", "features.0.weight", 1 },
	{ "fc", "classifier.1.bias", 0 },
	{ NULL, NULL, 0 }
};

static const struct import_origin torch_alexnet = {
	.name = "torchvision",
	.model = "alexnet",
	.anchor = "features.10.weight",
	.layout = IMPORT_OIHW,
	.settings = "variant=torch size=224",
	.hints = torch_alexnet_hints,
	.rules = torch_alexnet_rules,
	.torch = true,
	.mean = { .485f, .456f, .406f },
	.sd = { .229f, .224f, .225f },
};

/* ---- our ResNet and VGG as modules of PyTorch (bench/torch_models.py) --------------------------- */

static const struct import_rule torch_resnet_rules[] = {
	{ "stage#.#.norm#.gamma", "stage#1.#2.norm#3.weight", 0, NULL },
	{ "stage#.#.norm#.beta", "stage#1.#2.norm#3.bias", 0, NULL },
	{ "norm.gamma", "norm.weight", 0, NULL },
	{ "norm.beta", "norm.bias", 0, NULL },
	{ "stem_norm.gamma", "stem_norm.weight", 0, NULL },
	{ "stem_norm.beta", "stem_norm.bias", 0, NULL },
	{ "input_norm.gamma", "input_norm.weight", 0, NULL },
	{ "input_norm.beta", "input_norm.bias", 0, NULL },
	{ "*", "*", 0, NULL },
	{ NULL, NULL, 0, NULL }
};

static const struct import_hint torch_resnet_hints[] = {
	{ "classes", "head.bias", 0 },
	{ "channels", "stem.weight", 1 },
	{ NULL, NULL, 0 }
};

static const struct import_origin torch_resnet = {
	.name = "PyTorch",
	.model = "resnet50v2",
	.anchor = "stage1.0.norm1.weight",
	.layout = IMPORT_OIHW,
	.hints = torch_resnet_hints,
	.rules = torch_resnet_rules,
	.torch = true,
};

static const struct import_origin torch_resnet_gluon = {
	.name = "PyTorch",
	.model = "resnet50v2",
	.anchor = "stem_norm.weight",
	.layout = IMPORT_OIHW,
	.settings = "variant=gluon",
	.hints = torch_resnet_hints,
	.rules = torch_resnet_rules,
};

static const struct import_rule torch_vgg_rules[] = {
	{ "features.#.gamma", "features.#1.weight", 0, NULL },
	{ "features.#.beta", "features.#1.bias", 0, NULL },
	{ "*", "*", 0, NULL },
	{ NULL, NULL, 0, NULL }
};

static const struct import_hint torch_vgg_hints[] = {
	{ "classes", "classifier.bias", 0 },
	{ "channels", "features.0.weight", 1 },
	{ "width", "features.0.weight", 0 },
	{ NULL, NULL, 0 }
};

static const struct import_origin torch_vgg = {
	.name = "PyTorch",
	.model = "vgg",
	.anchor = "features.1.running_mean",
	.layout = IMPORT_OIHW,
	.hints = torch_vgg_hints,
	.rules = torch_vgg_rules,
	.torch = true,
};

/* The first whose anchor is found: a VGG has AlexNet's too. */
const struct import_origin *const import_origins[] = {
	&timm_vit, &flax_vit, &gluon, &tfslim, &keras, &keras3,
	&torch_resnet_gluon, &torch_resnet, &torch_vgg, &torch_alexnet, NULL
};

const struct import_origin *import_torch(const char *model)
{
	for (int i = 0; import_origins[i]; i++)
		if (import_origins[i]->torch && !strcmp(import_origins[i]->model, model))
			return import_origins[i];
	return NULL;
}

/* ---- patterns ------------------------------------------------------------------------------ */

bool import_match(const char *pattern, const char *name, long number[IMPORT_NUMBERS],
		  const char **rest)
{
	int numbers = 0;

	*rest = "";
	for (; *pattern; pattern++) {
		char *end;

		if (*pattern == '*') {
			*rest = name;
			return true;
		}
		if (*pattern != '#') {
			if (*pattern != *name++)
				return false;
			continue;
		}
		if (!isdigit((unsigned char)*name) || numbers == IMPORT_NUMBERS)
			return false;
		number[numbers++] = strtol(name, &end, 10);
		name = end;
	}
	return !*name;
}

/* "#2", where *at is the 2; the number it stands for. */
static long numbered(const char **at, const long number[IMPORT_NUMBERS])
{
	int i = *(*at)++ - '1';

	return i >= 0 && i < IMPORT_NUMBERS ? number[i] : 0;
}

/* "3#2+1)" or "3#2+#3)", after the bracket. */
static long computed(const char **at, const long number[IMPORT_NUMBERS])
{
	char *end;
	long value = strtol(*at, &end, 10);

	*at = end + 1;
	value *= numbered(at, number);
	(*at)++;
	if (**at == '#') {
		(*at)++;
		value += numbered(at, number);
	} else {
		value += strtol(*at, &end, 10);
		*at = end;
	}
	(*at)++;
	return value;
}

bool import_expand(const char *prefix, const char *theirs, const long number[IMPORT_NUMBERS],
		   const char *rest, char name[IMPORT_NAME])
{
	size_t n = (size_t)snprintf(name, IMPORT_NAME, "%s", prefix);

	while (*theirs && n < IMPORT_NAME) {
		char c = *theirs++;

		if (c == '#')
			n += (size_t)snprintf(name + n, IMPORT_NAME - n, "%ld",
					      numbered(&theirs, number));
		else if (c == '(')
			n += (size_t)snprintf(name + n, IMPORT_NAME - n, "%ld",
					      computed(&theirs, number));
		else if (c == '*')
			n += (size_t)snprintf(name + n, IMPORT_NAME - n, "%s", rest);
		else
			n += (size_t)snprintf(name + n, IMPORT_NAME - n, "%c", c);
	}
	return n < IMPORT_NAME;
}
