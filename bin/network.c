#include "network.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

int network_open(struct network *n, const struct cli *c, cg_ctx *ctx, const struct model *model,
		 const struct model_config *config, uint64_t seed)
{
	*n = (struct network){ .ctx = ctx, .model = model, .config = *config };
	n->self = calloc(1, model->bytes);
	if (!n->self)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	n->params = cg_params_new(ctx);
	if (!n->params || model->init(n->self, n->params, &n->config) != CG_OK ||
	    cg_params_init(n->params, seed) != CG_OK)
		return engine_fail(c, ctx, model->name);
	return -1;
}

void network_close(struct network *n)
{
	cg_params_free(n->params);
	free(n->self);
	*n = (struct network){ 0 };
}

int64_t network_parameters(const struct network *n)
{
	int64_t count = 0;

	for (int i = 0; i < cg_params_count(n->params); i++)
		if (!(cg_params_flags(n->params, i) & CG_PARAM_STATISTIC))
			count += cg_array_count(cg_params_at(n->params, i));
	return count;
}

void network_look(const struct network *n, cg_augment_config *look)
{
	look->image_h = look->image_w = (int)n->config.image;
	look->crop_h = look->crop_w = (int)n->config.size;
	look->mean = n->model->mean;
	look->sd = n->model->sd;
}

bool network_sees(const struct model_config *config, int64_t h, int64_t w, int64_t channels)
{
	bool shows = config->channels == channels || (config->channels == 3 && channels == 1);

	if (config->image)
		return shows && config->size <= config->image;
	return shows && config->size <= h && config->size <= w;
}

cg_tensor *network_forward(const struct network *n, cg_tensor *x)
{
	if (x && n->config.channels == 3 && cg_tensor_shape(x)[3] == 1)
		x = cg_concat(cg_concat(x, x, 3), x, 3);
	return n->model->forward(n->self, x);
}

/* --- to a file --- */

static void join_classes(const struct network *n, char text[NETWORK_CLASSES])
{
	snprintf(text, NETWORK_CLASSES, "%s", n->class_names ? "" : n->file_classes);
	for (int i = 0; n->class_names && i < n->config.classes; i++) {
		size_t end = strlen(text);

		snprintf(text + end, NETWORK_CLASSES - end, "%s%s", i ? "," : "", n->class_names[i]);
	}
}

cg_status network_write(const struct network *n, cg_writer *w)
{
	char config[MODEL_TEXT], classes[NETWORK_CLASSES], hash[17], side[16];
	cg_status status;

	model_config_text(n->model, &n->config, config);
	join_classes(n, classes);
	snprintf(hash, sizeof(hash), "%016" PRIx64, n->data_hash);
	status = cg_writer_meta(w, "fer.model", n->model->name);
	if (status == CG_OK)
		status = cg_writer_meta(w, "fer.config", config);
	if (status == CG_OK)
		status = cg_writer_meta(w, "fer.classes", classes);
	if (status == CG_OK)
		status = cg_writer_meta(w, "fer.data", hash);
	snprintf(side, sizeof(side), "%" PRId32, n->side);
	if (status == CG_OK && n->side)
		status = cg_writer_meta(w, "fer.image", side);
	return status == CG_OK ? cg_params_save(n->params, w, "") : status;
}

int network_save(const struct network *n, const struct cli *c, const char *path)
{
	cg_writer *w = cg_writer_new(n->ctx, path);

	if (!w)
		return engine_fail(c, n->ctx, path);
	if (network_write(n, w) != CG_OK) {
		cg_writer_abort(w);
		return engine_fail(c, n->ctx, path);
	}
	return cg_writer_close(w) == CG_OK ? -1 : engine_fail(c, n->ctx, path);
}

/* --- from a file --- */

int network_file_fail(const struct cli *c, const cg_ctx *ctx, const char *path)
{
	int status = engine_fail(c, ctx, path);

	switch (cg_error_status(ctx)) {
	case CG_ERR_FILE:
	case CG_ERR_FORMAT:
	case CG_ERR_MISMATCH:
	case CG_ERR_NOT_FINITE:
		return CLI_CHECKPOINT;
	default:
		return status;
	}
}

static int bad_file(const struct cli *c, const char *path, const char *what)
{
	return cli_fail(c, CLI_CHECKPOINT, "%s: %s", path, what);
}

int network_settings(const struct cli *c, const cg_file *f, const char *path,
		     const struct model **model, struct model_config *config)
{
	const char *name = cg_file_meta(f, "fer.model"), *text = cg_file_meta(f, "fer.config");

	if (!name || !text)
		return bad_file(c, path, "not a checkpoint of these programs (no fer.model in it)");
	*model = model_find(name);
	if (!*model)
		return cli_fail(c, CLI_CHECKPOINT, "%s: holds an unknown model \"%s\"", path, name);
	if (!model_config_parse(*model, config, text))
		return cli_fail(c, CLI_CHECKPOINT, "%s: unknown settings of %s: %s", path, name, text);
	return -1;
}

int network_origin(const struct cli *c, cg_ctx *ctx, const char *path, struct network_origin *o)
{
	cg_file *f = cg_file_open(ctx, path);
	const char *text;
	const struct model *model;
	struct model_config config = { 0 };
	int status = f ? network_settings(c, f, path, &model, &config) :
			 network_file_fail(c, ctx, path);

	*o = (struct network_origin){ 0 };
	if (status < 0) {
		text = cg_file_meta(f, "fer.classes");
		snprintf(o->classes, sizeof(o->classes), "%s", text ? text : "");
		text = cg_file_meta(f, "fer.image");
		o->side = text ? (int32_t)strtol(text, NULL, 10) : 0;
		if (o->side < 1 || o->side > 4096)
			o->side = config.image ? (int32_t)config.image :
				  config.size > 48 ? (int32_t)config.size : 48;
		o->channels = (int32_t)config.channels;
		o->enlarges = config.image > 0;
	}
	cg_file_close(f);
	return status;
}

static int check_classes(const struct cli *c, const cg_file *f, const char *path,
			 const struct network *n)
{
	const char *found = cg_file_meta(f, "fer.classes");
	char wanted[NETWORK_CLASSES];

	join_classes(n, wanted);
	if (found && *found && *wanted && strcmp(found, wanted))
		return cli_fail(c, CLI_CHECKPOINT, "%s: its classes are %s, the data's %s", path, found,
				wanted);
	return -1;
}

int network_load(struct network *n, const struct cli *c, cg_ctx *ctx, const char *path,
		 const char *const *class_names, int32_t classes)
{
	cg_file *f = cg_file_open(ctx, path);
	const struct model *model;
	struct model_config config;
	int status;

	*n = (struct network){ 0 };
	if (!f)
		return network_file_fail(c, ctx, path);
	status = network_settings(c, f, path, &model, &config);
	if (status < 0 && classes && config.classes != classes)
		status = cli_fail(c, CLI_CHECKPOINT, "%s: has %d classes (%s), the data has %d", path,
				  (int)config.classes, cg_file_meta(f, "fer.classes") ?
				  cg_file_meta(f, "fer.classes") : "unnamed", (int)classes);
	if (status < 0)
		status = network_open(n, c, ctx, model, &config, 0);
	if (status < 0) {
		n->class_names = class_names;
		status = network_read(n, c, f, path);
	}
	cg_file_close(f);
	return status;
}

int network_read(struct network *n, const struct cli *c, cg_file *f, const char *path)
{
	const char *hash = cg_file_meta(f, "fer.data"), *side = cg_file_meta(f, "fer.image");
	char wanted[MODEL_TEXT], found[MODEL_TEXT];
	const struct model *model;
	struct model_config config;
	int status = network_settings(c, f, path, &model, &config);

	if (status >= 0)
		return status;
	model_config_text(n->model, &n->config, wanted);
	model_config_text(model, &config, found);
	if (model != n->model || strcmp(wanted, found))
		return cli_fail(c, CLI_CHECKPOINT, "%s: holds %s (%s), not %s (%s)", path, model->name,
				found, n->model->name, wanted);
	status = check_classes(c, f, path, n);
	if (status >= 0)
		return status;
	if (cg_params_load(n->params, f, "") != CG_OK)
		return network_file_fail(c, n->ctx, path);
	n->data_hash = hash ? strtoull(hash, NULL, 16) : 0;
	n->side = side ? (int32_t)strtol(side, NULL, 10) : 0;
	if (cg_file_meta(f, "fer.classes"))
		snprintf(n->file_classes, sizeof(n->file_classes), "%s",
			 cg_file_meta(f, "fer.classes"));
	return -1;
}

int network_reload(struct network *n, const struct cli *c, const char *path)
{
	cg_file *f = cg_file_open(n->ctx, path);
	int status = f ? network_read(n, c, f, path) : network_file_fail(c, n->ctx, path);

	cg_file_close(f);
	return status;
}
