/*
 * vit: Vision Transformer (Dosovitskiy et al. 2021; models_vit.py of google-research/vision_transformer,
 * vision_transformer.py of timm), pre-norm, of any depth, width, heads, patch and image size:
 *
 *	patches: PxP/P convolution with bias to T = (size/P)^2 tokens of width D
 *	[class token; tokens] + learned positions, dropout
 *	depth times:  x += drop(attention(norm1(x)));  x += drop(mlp(norm2(x)))
 *	norm, class token, linear
 *
 * attention: N heads of D/N, scale 1/sqrt(D/N), q, k, v and the joining projection with biases;
 * mlp: linear to `mlp`, GELU, dropout, linear back, dropout. eps of the norms 1e-6. GELU is the exact
 * one (timm, torchvision); weights trained with flax want gelu=tanh. drop-path leaves out branches at
 * random, linearly more often with depth (Huang et al. 2016).
 *
 * ViT-B/16 at 224 with 1000 classes and 3 channels has 86,567,656 parameters, ViT-Ti/16 5,717,416.
 * The number of heads changes no shape: it is kept with the settings of a checkpoint and compared.
 *
 * Names of outputs: patches, blocks.0 .. (after each block), blocks.0.attention (the branch), norm,
 * features (the class token of it) and logits.
 */
#include "model.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 64 };
enum { VARIANT, PATCH, DEPTH, DIM, HEADS, MLP, DROPOUT, DROP_PATH, GELU };

struct block {
	cg_nn_layer_norm norm1, norm2;
	cg_nn_linear qkv, projection, fc1, fc2;
};

struct vit {
	cg_nn_conv2d patches;
	cg_array *class_token, *positions;
	struct block block[MAX_DEPTH];
	int depth, heads;
	float dropout, drop_path;
	bool gelu_tanh;
	cg_nn_layer_norm norm;
	cg_nn_linear head;
};

static const char *check(const struct model_config *config)
{
	if (config->size % (int64_t)config->value[PATCH])
		return "the image's size is no multiple of the patch";
	if ((int64_t)config->value[DIM] % (int64_t)config->value[HEADS])
		return "the width is no multiple of the heads";
	return NULL;
}

/* ---- parameters -------------------------------------------------------------------------- */

/* What making the layers needs; after a failure nothing more is made. */
struct maker {
	cg_params *p;
	cg_status status;
};

static void make_linear(struct maker *k, cg_nn_linear *l, const char *name, int64_t in, int64_t out)
{
	if (k->status == CG_OK)
		k->status = cg_nn_linear_init(l, k->p, name, in, out, true, CG_INIT_TRUNC_NORMAL);
}

static void make_norm(struct maker *k, cg_nn_layer_norm *l, const char *name, int64_t D)
{
	if (k->status == CG_OK)
		k->status = cg_nn_layer_norm_init(l, k->p, name, D, 1e-6f);
}

static void make_block(struct maker *k, struct block *b, int i, int64_t D, int64_t hidden)
{
	char name[32];

#define LAYER(part) (snprintf(name, sizeof(name), "blocks.%d.%s", i, part), name)
	make_norm(k, &b->norm1, LAYER("norm1"), D);
	make_linear(k, &b->qkv, LAYER("attn.qkv"), D, 3 * D);
	make_linear(k, &b->projection, LAYER("attn.proj"), D, D);
	make_norm(k, &b->norm2, LAYER("norm2"), D);
	make_linear(k, &b->fc1, LAYER("mlp.fc1"), D, hidden);
	make_linear(k, &b->fc2, LAYER("mlp.fc2"), hidden, D);
#undef LAYER
}

static cg_status make_embedding(struct vit *m, cg_params *p, const struct model_config *config)
{
	int patch = (int)config->value[PATCH];
	int64_t D = (int64_t)config->value[DIM], grid = config->size / patch;
	cg_status status = cg_nn_conv2d_init(&m->patches, p, "patch_embed.proj", patch,
					     config->channels, D, patch, 0, true,
					     CG_INIT_TRUNC_NORMAL);

	if (status != CG_OK)
		return status;
	m->class_token = cg_params_add(p, "cls_token", 3, (int64_t[]){ 1, 1, D },
				       CG_INIT_TRUNC_NORMAL, CG_PARAM_NO_DECAY);
	m->positions = cg_params_add(p, "pos_embed", 2, (int64_t[]){ 1 + grid * grid, D },
				     CG_INIT_TRUNC_NORMAL, CG_PARAM_NO_DECAY);
	return m->class_token && m->positions ? CG_OK : CG_ERR_ARGUMENT;
}

static cg_status init(void *self, cg_params *p, const struct model_config *config)
{
	struct vit *m = self;
	int64_t D = (int64_t)config->value[DIM], hidden = (int64_t)config->value[MLP];
	struct maker k = { p, make_embedding(m, p, config) };

	m->depth = (int)config->value[DEPTH];
	m->heads = (int)config->value[HEADS];
	m->dropout = (float)config->value[DROPOUT];
	m->drop_path = (float)config->value[DROP_PATH];
	m->gelu_tanh = config->value[GELU] > 0;
	for (int i = 0; i < m->depth; i++)
		make_block(&k, &m->block[i], i, D, hidden ? hidden : 4 * D);
	make_norm(&k, &m->norm, "norm", D);
	if (k.status != CG_OK)
		return k.status;
	return cg_nn_linear_init(&m->head, p, "head", D, config->classes, true, CG_INIT_ZERO);
}

/* ---- forward ----------------------------------------------------------------------------- */

/* [B,size,size,C] -> [B,1+T,D] */
static cg_tensor *embed(const struct vit *m, cg_tensor *x)
{
	cg_tensor *tokens = cg_nn_conv2d_forward(&m->patches, x), *class_token;
	cg_graph *g = cg_tensor_graph(tokens);

	if (!tokens)
		return NULL;
	tokens = CG_RESHAPE(tokens, cg_tensor_shape(tokens)[0], -1, cg_tensor_shape(tokens)[3]);
	cg_name(tokens, "patches");
	class_token = cg_repeat(cg_use(g, m->class_token), cg_tensor_shape(x)[0]);
	x = cg_bias(cg_concat(class_token, tokens, 1), cg_use(g, m->positions));
	return cg_dropout(x, m->dropout);
}

static cg_tensor *attention(const struct vit *m, const struct block *b, cg_tensor *x)
{
	x = cg_nn_linear_forward(&b->qkv, cg_nn_layer_norm_forward(&b->norm1, x));
	x = cg_nn_linear_forward(&b->projection, cg_attention(x, m->heads, 0));
	return cg_dropout(x, m->dropout);
}

static cg_tensor *mlp(const struct vit *m, const struct block *b, cg_tensor *x)
{
	x = cg_nn_linear_forward(&b->fc1, cg_nn_layer_norm_forward(&b->norm2, x));
	x = m->gelu_tanh ? cg_gelu_tanh(x) : cg_gelu(x);
	x = cg_nn_linear_forward(&b->fc2, cg_dropout(x, m->dropout));
	return cg_dropout(x, m->dropout);
}

static cg_tensor *class_of(cg_tensor *x)
{
	x = cg_slice(x, 1, 0, 1);
	return x ? CG_RESHAPE(x, cg_tensor_shape(x)[0], cg_tensor_shape(x)[2]) : NULL;
}

static cg_tensor *forward(const void *self, cg_tensor *x)
{
	const struct vit *m = self;

	x = embed(m, x);
	for (int i = 0; i < m->depth; i++) {
		float p = m->depth > 1 ? m->drop_path * (float)i / (float)(m->depth - 1) : 0;
		cg_tensor *branch = attention(m, &m->block[i], x);

		cg_name(branch, "blocks.%d.attention", i);
		x = cg_add(x, cg_drop_path(branch, p));
		x = cg_add(x, cg_drop_path(mlp(m, &m->block[i], x), p));
		cg_name(x, "blocks.%d", i);
	}
	x = cg_name(cg_nn_layer_norm_forward(&m->norm, x), "norm");
	x = cg_name(class_of(x), "features");
	return cg_name(cg_nn_linear_forward(&m->head, x), "logits");
}

static int block(const char *parameter)
{
	int i;

	if (sscanf(parameter, "blocks.%d", &i) == 1)
		return i + 1;
	return strncmp(parameter, "norm", 4) && strncmp(parameter, "head", 4) ? 0 : -1;
}

static const struct model_setting settings[] = {
	[VARIANT] = { "variant", "ti|s|b|paper", 0, 0, 0, true, "form of the network" },
	[PATCH] = { "patch", NULL, 8, 1, 64, true, "side of a patch" },
	[DEPTH] = { "depth", NULL, 12, 1, MAX_DEPTH, true, "blocks" },
	[DIM] = { "dim", NULL, 192, 1, 8192, true, "width of a token" },
	[HEADS] = { "heads", NULL, 3, 1, 128, true, "heads of attention" },
	[MLP] = { "mlp", NULL, 0, 0, 65536, true, "hidden width of the MLPs; 0: four times dim" },
	[DROPOUT] = { "dropout", NULL, 0, 0, .95, false, "dropout before linear layers" },
	[DROP_PATH] = { "drop-path", NULL, 0, 0, .95, false,
			"share of the last block's branches left out in training" },
	[GELU] = { "gelu", "erf|tanh", 0, 0, 0, true, "exact, or as in flax" },
	{ .name = NULL }
};

static const struct model_variant variants[] = {
	{ "ti", "depth=12 dim=192 heads=3" },
	{ "s", "depth=12 dim=384 heads=6" },
	{ "b", "depth=12 dim=768 heads=12" },
	{ "paper", "depth=12 dim=768 heads=8 dropout=0.1" },
	{ NULL, NULL }
};

static const struct model_recipe recipes[] = {
	{ "smoke", "depth = 4\n"
		   "dim = 96\n" },
	{ "paper", "variant = paper\n"
		   "opt = adamw\n"
		   "lr = 2e-5\n"
		   "batch-size = 16\n"
		   "clip-norm = 0\n" },
	{ "gpu-10min", "lr = 1e-3" },
	{ "finetune", "img-size = 96\n"
		      "lr = 3e-4\n"
		      "layer-decay = 0.75\n"
		      "head-lr-mult = 1\n"
		      "drop-path = 0.1\n" },
	{ NULL, "opt = adamw\n"
		"lr = 5e-4\n"
		"weight-decay = 0.05\n"
		"sched = cosine\n"
		"warmup-epochs = 2\n" },
	{ NULL, NULL }
};

extern const struct model vit;
const struct model vit = {
	.name = "vit",
	.summary = "Vision Transformer",
	.settings = settings,
	.variants = variants,
	.recipes = recipes,
	.input = 48,
	.mean = 127.5f,
	.sd = 127.5f,
	.head = "head.",
	.blocks = "blocks",
	.bytes = sizeof(struct vit),
	.check = check,
	.block = block,
	.init = init,
	.forward = forward,
};
