#include "export.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "import_layout.h"
#include "import_names.h"
#include "onnx.h"

enum { BATCH = 2, TEXT = 32 };

/* ---- PyTorch's names
 * ------------------------------------------------------------------------------ */

/* The row of a parameter; and its name there. */
static const struct import_rule *rule_of(const struct import_origin *o, const cg_array *a,
					 char name[IMPORT_NAME])
{
	long number[IMPORT_NUMBERS];
	const char *rest;

	for (const struct import_rule *r = o->rules; r->ours; r++)
		if (import_match(r->ours, cg_array_name(a), number, &rest) && r->theirs)
			return import_expand("", r->theirs, number, rest, name) ? r : NULL;
	return NULL;
}

static bool is_positions(const cg_array *a)
{
	return !strcmp(cg_array_name(a), "pos_embed");
}

/* R S C M to M C R S, [K,M] to [M,K], positions [T,D] to [1,T,D]; returns the number of
 * dimensions. */
static int torch_shape(const cg_array *a, int64_t shape[CG_MAX_DIM])
{
	const int64_t *ours = cg_array_shape(a);
	int ndim = cg_array_ndim(a);

	memcpy(shape, ours, (size_t)ndim * sizeof(*shape));
	if (is_positions(a)) {
		memcpy(shape, (int64_t[]){ 1, ours[0], ours[1] }, 3 * sizeof(*shape));
		return 3;
	}
	for (int i = 0; i < ndim && (ndim == 2 || ndim == 4); i++)
		shape[i] = ours[ndim == 2 ? 1 - i : (int[]){ 3, 2, 0, 1 }[i]];
	return ndim;
}

static void to_torch(const struct network *n, const cg_array *a, const struct import_rule *r,
		     const float *from, float *to)
{
	const int64_t *shape = cg_array_shape(a);
	const cg_array *maps = r->maps ? cg_params_find(n->params, r->maps) : NULL;

	if (cg_array_ndim(a) == 4)
		layout_to_oihw(from, shape, to);
	else if (cg_array_ndim(a) != 2 || is_positions(a))
		memcpy(to, from, (size_t)cg_array_count(a) * sizeof(*to));
	else if (maps)
		layout_to_flattened(from, shape[1], shape[0], cg_array_shape(maps)[3], to);
	else
		layout_transpose(from, shape[0], shape[1], to);	/* the way back is the same */
}

static cg_status add_torch(const struct network *n, cg_writer *w, const struct import_origin *o,
			   cg_array *a)
{
	size_t count = (size_t)cg_array_count(a), bytes = count * sizeof(float);
	float *value = malloc(2 * bytes);
	char name[IMPORT_NAME];
	const struct import_rule *r = rule_of(o, a, name);
	int64_t shape[CG_MAX_DIM];
	int ndim = torch_shape(a, shape);
	cg_status status = !value ? CG_ERR_HOST_MEMORY : r ? CG_OK : CG_ERR_ARGUMENT;

	if (status == CG_OK)
		status = cg_array_read(a, value, bytes);
	if (status == CG_OK) {
		to_torch(n, a, r, value, value + count);
		status = cg_writer_add(w, name, CG_FLOAT32, ndim, shape, value + count);
	}
	free(value);
	return status;
}

int export_torch(const struct network *n, const struct cli *c, const char *path)
{
	const struct import_origin *o = import_torch(n->model->name);
	cg_writer *w = cg_writer_new(n->ctx, path);
	char settings[MODEL_TEXT];
	cg_status status;

	if (!w)
		return engine_fail(c, n->ctx, path);
	model_config_text(n->model, &n->config, settings);
	status = cg_writer_meta(w, "format", "pt");
	if (status == CG_OK)
		status = cg_writer_meta(w, "fer.settings", settings);
	for (int i = 0; i < cg_params_count(n->params) && status == CG_OK; i++)
		status = add_torch(n, w, o, cg_params_at(n->params, i));
	if (status == CG_OK)
		return cg_writer_close(w) == CG_OK ? -1 : engine_fail(c, n->ctx, path);
	cg_writer_abort(w);
	return engine_fail(c, n->ctx, path);
}

/* ---- ONNX
 * ------------------------------------------------------------------------------------------- */

static bool write_onnx(const struct network *n, struct onnx *o, const char *path,
		       const cg_tensor *out)
{
	char settings[MODEL_TEXT], mean[TEXT], sd[TEXT];
	const char *const meta[] = { "fer.model", n->model->name, "fer.config", settings,
				     "fer.classes", n->file_classes, "fer.mean", mean,
				     "fer.sd", sd };

	model_config_text(n->model, &n->config, settings);
	snprintf(mean, sizeof(mean), "%.9g", (double)n->model->mean);
	snprintf(sd, sizeof(sd), "%.9g", (double)n->model->sd);
	return onnx_write(o, path, meta, sizeof(meta) / sizeof(*meta) / 2, out);
}

int export_onnx(const struct network *n, const struct cli *c, const char *path)
{
	const int64_t shape[] = { BATCH, n->config.size, n->config.size, n->config.channels };
	cg_array *a = cg_array_new(n->ctx, "input", CG_FLOAT32, 4, shape);
	cg_graph *g = cg_graph_new(n->ctx, CG_INFER);
	cg_tensor *out = a && g ? network_forward(n, cg_use(g, a)) : NULL;
	struct onnx o = { 0 };
	int status = -1;

	if (!out)
		status = engine_fail(c, n->ctx, n->model->name);
	else if (!onnx_convert(&o, g, n->params, out, BATCH) || !write_onnx(n, &o, path, out))
		status = cli_fail(c, CLI_RUNTIME, "%s: %s", path, o.error);
	onnx_free(&o);
	cg_graph_free(g);
	cg_array_free(a);
	return status;
}
