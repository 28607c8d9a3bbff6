#include "infer.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"

cg_array *infer_images(cg_ctx *ctx, const struct dataset *d)
{
	int64_t shape[] = { d->n, d->h, d->w, d->channels };
	size_t bytes = (size_t)d->n * (size_t)d->h * (size_t)d->w * (size_t)d->channels;
	cg_array *images = cg_array_new(ctx, "images", CG_UINT8, 4, shape);

	if (images && cg_array_write(images, d->pixels, bytes) != CG_OK) {
		cg_array_free(images);
		return NULL;
	}
	return images;
}

static cg_status describe(struct infer *v, cg_array *images, const struct infer_view *view)
{
	const struct network *n = v->network;
	cg_augment_config look = {
		.crop_y = view->dy,
		.crop_x = view->dx,
		.flip_all = view->flip,
	};
	int64_t shape[] = { v->batch };

	network_look(n, &look);
	v->graph = cg_graph_new(n->ctx, CG_INFER);
	v->index = cg_array_new(n->ctx, "rows", CG_INT32, 1, shape);
	if (!v->graph || !v->index)
		return cg_error_status(n->ctx);
	v->logits = network_forward(n, cg_augment(cg_use(v->graph, images),
						  cg_use(v->graph, v->index), &look));
	if (v->logits)
		v->plan = cg_plan_new(v->graph, &v->logits, 1);
	return v->plan ? cg_plan_prepare(v->plan) : cg_error_status(n->ctx);
}

int infer_open(struct infer *v, const struct cli *c, const struct network *n, cg_array *images,
	       int32_t batch, const struct infer_view *view)
{
	const struct infer_view centre = { 0 };

	*v = (struct infer){ .network = n, .batch = batch };
	v->row = calloc((size_t)batch, sizeof(*v->row));
	v->out = calloc((size_t)(batch * n->config.classes), sizeof(*v->out));
	if (!v->row || !v->out)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	if (describe(v, images, view ? view : &centre) != CG_OK)
		return engine_fail(c, n->ctx, n->model->name);
	return -1;
}

void infer_close(struct infer *v)
{
	cg_plan_free(v->plan);
	cg_graph_free(v->graph);
	cg_array_free(v->index);
	free(v->row);
	free(v->out);
	*v = (struct infer){ 0 };
}

/* One batch of count <= batch rows. */
static cg_status run_batch(struct infer *v, const int32_t *row, int32_t count, float *logits)
{
	size_t classes = (size_t)v->network->config.classes, batch = (size_t)v->batch;
	cg_status status;

	for (int32_t i = 0; i < v->batch; i++)
		v->row[i] = row[i < count ? i : count - 1];
	status = cg_array_write(v->index, v->row, batch * sizeof(*v->row));
	if (status == CG_OK)
		status = cg_plan_run(v->plan);
	if (status == CG_OK)
		status = cg_plan_read(v->plan, v->logits, v->out, batch * classes * sizeof(*v->out));
	if (status == CG_OK)
		memcpy(logits, v->out, (size_t)count * classes * sizeof(*logits));
	return status;
}

int infer_run(struct infer *v, const struct cli *c, const int32_t *row, int32_t n, float *logits,
	      struct progress *progress)
{
	int64_t classes = v->network->config.classes;

	for (int32_t done = 0; done < n; done += v->batch) {
		int32_t count = n - done < v->batch ? n - done : v->batch;

		if (run_batch(v, row + done, count, logits + done * classes) != CG_OK)
			return engine_fail(c, v->network->ctx, v->network->model->name);
		if (progress)
			progress_step(progress, progress->done + count, "%s", "");
	}
	return -1;
}

/* --- test-time augmentation --- */

bool infer_tta_parse(const char *word, enum infer_tta *tta)
{
	static const char *const words[] = { "none", "flip", "tencrop" };

	for (int i = 0; i < 3; i++) {
		if (!strcmp(word, words[i])) {
			*tta = (enum infer_tta)i;
			return true;
		}
	}
	return false;
}

enum { MAX_VIEWS = 10 };

static int list_views(enum infer_tta tta, int margin, struct infer_view view[MAX_VIEWS])
{
	static const int corner[5][2] = { { 0, 0 }, { -1, -1 }, { -1, 1 }, { 1, -1 }, { 1, 1 } };
	int crops = tta == TTA_TENCROP ? 5 : 1, n = 0;

	for (int i = 0; i < crops; i++)
		for (int flip = 0; flip <= (tta != TTA_NONE); flip++)
			view[n++] = (struct infer_view){ margin * corner[i][0],
							 margin * corner[i][1], flip };
	return n;
}

static int add_view(const struct cli *c, const struct network *n, cg_array *images, int32_t batch,
		    const struct infer_view *view, const int32_t *row, int32_t rows, float *logits,
		    struct progress *progress)
{
	struct infer v;
	int status = infer_open(&v, c, n, images, batch, view);

	if (status < 0)
		status = infer_run(&v, c, row, rows, logits, progress);
	infer_close(&v);
	return status;
}

int infer_mean(const struct cli *c, const struct network *n, cg_array *images, int32_t batch,
	       enum infer_tta tta, const int32_t *row, int32_t rows, float *logits,
	       struct progress *progress)
{
	int64_t size = n->config.image ? n->config.image : cg_array_shape(images)[1];
	int64_t count = rows * n->config.classes;
	int margin = (int)((size > n->config.size ? size - n->config.size : size / 12) / 2);
	struct infer_view view[MAX_VIEWS];
	int views = list_views(tta, margin, view), status = -1;
	float *one = calloc((size_t)count + 1, sizeof(*one));

	if (!one)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	memset(logits, 0, (size_t)count * sizeof(*logits));
	for (int i = 0; i < views && status < 0; i++) {
		status = add_view(c, n, images, batch, &view[i], row, rows, one, progress);
		for (int64_t j = 0; j < count; j++)
			logits[j] += one[j] / (float)views;
	}
	free(one);
	return status;
}
