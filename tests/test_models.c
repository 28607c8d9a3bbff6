/*
 * The models: parameter counts, settings as text, and that a batch is the images one by one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clgrad.h"
#include "golden.h"
#include "../models/models.h"
#include "optest.h"
#include "tap.h"

static const struct count {
	const char *model, *config;
	int64_t trained, statistics;
} counts[] = {
	{ "vgg", "size=44 channels=1 classes=7 width=32 dropout=0.25", 1174439, 1920 },
	{ "vgg", "size=48 channels=3 classes=10 width=4 dropout=0", 18966, 240 },
	/* torchvision's with a 5x5 stem on 1 channel, 2x2x256 features and hidden layers of 1024 */
	{ "alexnet",
	  "size=48 channels=1 classes=7 variant=face stem-stride=2 fc=1024 divisor=1 dropout=0.5",
	  4554439, 0 },
	{ "alexnet",
	  "size=48 channels=3 classes=7 variant=face stem-stride=1 fc=4096 divisor=1 dropout=0.5",
	  45479751, 0 },
	/* torchvision.models.alexnet; Caffe's bvlc_alexnet */
	{ "alexnet",
	  "size=224 channels=3 classes=1000 variant=torch stem-stride=4 fc=4096 divisor=1 "
	  "dropout=0.5", 61100840, 0 },
	{ "alexnet",
	  "size=227 channels=3 classes=1000 variant=caffe stem-stride=4 fc=4096 divisor=1 "
	  "dropout=0.5", 60965224, 0 },
	/* keras.applications.ResNet50V2: 25,613,800 and, with 7 classes, 23,579,143 in all */
	{ "resnet50v2", "size=224 channels=3 classes=1000 variant=keras norms=batch divisor=1",
	  25568360, 45440 },
	{ "resnet50v2", "size=48 channels=3 classes=7 variant=keras norms=batch divisor=1", 23533703,
	  45440 },
	{ "resnet50v2", "size=48 channels=3 classes=7 variant=tfslim norms=frozen divisor=1", 23533703,
	  45440 },
	/* resnet50_v2 of MXNet's model zoo: 25,595,060 in all, 12 of them of the input's norm */
	{ "resnet50v2", "size=224 channels=3 classes=1000 variant=gluon norms=batch divisor=1",
	  25549480, 45580 },
	/* timm's vit_base_patch16_224 and vit_tiny_patch16_224; 8 heads are as large as 12 */
	{ "vit",
	  "size=224 channels=3 classes=1000 variant=b patch=16 depth=12 dim=768 heads=12 mlp=0 "
	  "dropout=0 drop-path=0 gelu=erf", 86567656, 0 },
	{ "vit",
	  "size=224 channels=3 classes=1000 variant=paper patch=16 depth=12 dim=768 heads=8 mlp=0 "
	  "dropout=0.1 drop-path=0 gelu=tanh", 86567656, 0 },
	{ "vit",
	  "size=224 channels=3 classes=1000 image=256 variant=ti patch=16 depth=12 dim=192 heads=3 "
	  "mlp=768 dropout=0 drop-path=0.1 gelu=erf", 5717416, 0 },
};

/* A model with its parameters drawn. */
struct net {
	const struct model *model;
	struct model_config config;
	void *self;
	cg_params *params;
};

static bool net_open(struct net *n, cg_ctx *ctx, const char *model, const char *config, bool draw)
{
	n->model = model_find(model);
	n->params = cg_params_new(ctx);
	n->self = calloc(1, n->model->bytes);
	return model_config_parse(n->model, &n->config, config) &&
	       n->model->init(n->self, n->params, &n->config) == CG_OK &&
	       (!draw || golden_init_params(n->params) == CG_OK);
}

static void net_close(struct net *n)
{
	cg_params_free(n->params);
	free(n->self);
}

static void test_count(cg_ctx *ctx, const struct count *c)
{
	struct net n;
	int64_t trained, all;
	char text[MODEL_TEXT];

	ok(net_open(&n, ctx, c->model, c->config, false), "%s is made: %s", c->model, c->config);
	trained = cg_params_size(n.params, true);
	all = cg_params_size(n.params, false);
	ok(trained == c->trained && all - trained == c->statistics,
	   "it has %lld parameters and %lld statistics", (long long)trained,
	   (long long)(all - trained));
	model_config_text(n.model, &n.config, text);
	ok(!strcmp(text, c->config), "its settings read back: %s", text);
	net_close(&n);
}

/* Blocks come in the order of the parameters, from the input to the classifier. */
static void test_blocks(cg_ctx *ctx, const char *model, const char *config, int blocks, int before)
{
	struct net n;
	int last = 0, top = 0, zero = 0;
	bool ordered = net_open(&n, ctx, model, config, false);

	for (int i = 0; ordered && i < cg_params_count(n.params); i++) {
		const char *name = cg_array_name(cg_params_at(n.params, i));
		int block = n.model->block(name);

		zero += block == 0;
		if (block < 0)
			block = 1000;
		else if (block > top)
			top = block;
		ordered = block >= last && (block <= last + 1 || block == 1000);
		last = block;
		if (!strncmp(name, n.model->head, strlen(n.model->head)))
			ordered = ordered && block == 1000;
	}
	ok(ordered && last == 1000 && top == blocks && zero == before,
	   "%s: %d %s, %d parameters before them", model, top, n.model->blocks, zero);
	net_close(&n);
}

static void test_settings(void)
{
	const struct model *m = model_find("alexnet");
	struct model_config config;
	char expected[MODEL_TEXT];

	model_defaults(m, &config);
	ok(!model_find("lenet"), "an unknown model is not found");
	ok(!model_set(m, &config, "fc", "4096", expected), "a number is set");
	ok(!strcmp(model_set(m, &config, "fc", "1.5", expected), "an integer in 1..8192"),
	   "a fraction where an integer is due: %s", expected);
	ok(*model_set(m, &config, "dropout", "2", expected), "out of range: %s", expected);
	ok(*model_set(m, &config, "fc", "12x", expected), "a word where a number is due");
	ok(!strcmp(model_set(m, &config, "depth", "3", expected), ""), "no such setting");
	ok(!model_set(m, &config, "variant", "torch", expected) && config.value[1] == 4,
	   "a variant brings settings of its own");
	ok(!strcmp(model_set(m, &config, "variant", "lenet", expected), "face|torch|caffe"),
	   "a word that is not in the list: %s", expected);
	config.size = 62;
	ok(model_check(m, &config), "62x62 is refused: %s", model_check(m, &config));
	config.size = 63;
	ok(!model_check(m, &config), "63x63 is not");
	m = model_find("vit");
	model_defaults(m, &config);
	ok(!model_check(m, &config), "a ViT for 48x48");
	config.size = 44;
	ok(model_check(m, &config), "44x44 with patches of 8 is refused: %s", model_check(m, &config));
	model_config_parse(m, &config, "size=48 variant=b heads=11");
	ok(model_check(m, &config), "so are 11 heads: %s", model_check(m, &config));
	m = model_find("alexnet");
	ok(!model_config_parse(m, &config, "size=48 depth=3"), "nor in a text");
	ok(!model_config_parse(m, &config, "size"), "a text without a value");
}

/* Logits of B images, [B,classes]; false on failure. */
static bool logits(const struct net *n, cg_ctx *ctx, const float *x, int64_t B, float *y)
{
	int64_t shape[] = { B, n->config.size, n->config.size, n->config.channels };
	size_t values = (size_t)(B * n->config.size * n->config.size * n->config.channels);
	cg_array *a = cg_array_new(ctx, "x", CG_FLOAT32, 4, shape);
	cg_graph *g = cg_graph_new(ctx, CG_INFER);
	cg_tensor *out = NULL;
	cg_plan *plan = NULL;
	bool good = a && g && cg_array_write(a, x, values * sizeof(float)) == CG_OK;

	if (good)
		out = n->model->forward(n->self, cg_use(g, a));
	if (out && cg_tensor_ndim(out) == 2 && cg_tensor_shape(out)[0] == B &&
	    cg_tensor_shape(out)[1] == n->config.classes)
		plan = cg_plan_new(g, &out, 1);
	good = plan && cg_plan_run(plan) == CG_OK &&
	       cg_plan_read(plan, out, y, (size_t)(B * n->config.classes) * sizeof(float)) == CG_OK;
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(a);
	return good;
}

static double distance(const float *a, const float *b, int64_t n)
{
	double most = 0;

	for (int64_t i = 0; i < n && !isnan(most); i++)
		if (!(fabs((double)a[i] - b[i]) <= most))
			most = fabs((double)a[i] - b[i]);
	return most;
}

static void test_batch(cg_ctx *ctx, const char *model, const char *config)
{
	struct net n;
	int64_t values;
	float *x, both[2 * 16], one[2 * 16];

	if (!ok(net_open(&n, ctx, model, config, true), "%s: %s", model, config)) {
		diag("%s", cg_error(ctx));
		net_close(&n);
		return;
	}
	values = n.config.size * n.config.size * n.config.channels;
	x = calloc((size_t)(2 * values), sizeof(*x));
	for (int64_t i = 0; i < 2 * values; i++)
		x[i] = sinf((float)(i * i % 1009));
	ok(logits(&n, ctx, x, 2, both) && logits(&n, ctx, x, 1, one) &&
	   logits(&n, ctx, x + values, 1, one + n.config.classes), "logits of two images: %s",
	   cg_error(ctx));
	ok(distance(both, one, 2 * n.config.classes) < 1e-5, "a batch of two is two of one (%g)",
	   distance(both, one, 2 * n.config.classes));
	ok(distance(both, both + n.config.classes, n.config.classes) > 1e-3,
	   "the two differ");
	free(x);
	net_close(&n);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		test_count(ctx, &counts[i]);
	test_settings();
	test_blocks(ctx, "vgg", "size=44 width=4", 4, 0);
	test_blocks(ctx, "alexnet", "size=48 divisor=16", 7, 0);
	test_blocks(ctx, "resnet50v2", "size=48 divisor=16", 4, 2);
	test_blocks(ctx, "resnet50v2", "size=48 divisor=16 variant=gluon", 4, 9);
	test_blocks(ctx, "vit", "size=48 depth=3 dim=24 heads=3", 3, 4);
	test_batch(ctx, "vgg", "size=20 width=4");
	test_batch(ctx, "vgg", "size=19 channels=3 classes=10 width=3");
	test_batch(ctx, "alexnet", "size=48 divisor=16");
	test_batch(ctx, "alexnet", "size=35 channels=3 classes=3 stem-stride=1 divisor=16");
	test_batch(ctx, "alexnet", "size=64 variant=torch divisor=16 fc=64");
	test_batch(ctx, "alexnet", "size=67 channels=3 variant=caffe divisor=16 fc=64");
	if (getenv("CG_TINY")) {
		cg_close(ctx);
		return done();
	}
	test_batch(ctx, "resnet50v2", "size=33 divisor=16");
	test_batch(ctx, "resnet50v2", "size=32 channels=3 variant=gluon divisor=16");
	test_batch(ctx, "resnet50v2", "size=40 variant=tfslim divisor=16 norms=frozen");
	test_batch(ctx, "vit", "size=24 patch=8 depth=2 dim=24 heads=2");
	test_batch(ctx, "vit", "size=30 channels=3 patch=5 depth=1 dim=16 heads=4 mlp=40 gelu=tanh");
	cg_close(ctx);
	return done();
}
