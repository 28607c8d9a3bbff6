/*
 * predict.c: from names to pictures to batches to rows.
 */
#include "predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "infer.h"
#include "overlay.h"
#include "png_write.h"
#include "metrics.h"

/* --- which pictures --- */

static int out_of_memory(const struct cli *c)
{
	return cli_fail(c, CLI_RUNTIME, "out of memory");
}

/* A folder's pictures, in the order of their names. One without any is an input that cannot be read. */
static int add_folder(struct files *f, const char *folder, bool deep)
{
	struct files all = { 0 };
	char path[4096];
	int failed = files_list(&all, folder, deep), pictures = 0;

	files_sort(&all);
	for (int32_t i = 0; !failed && i < all.n; i++) {
		size_t length = strlen(folder);

		if (!picture_named(all.name[i]))
			continue;
		pictures++;
		snprintf(path, sizeof(path), "%s%s%s", folder,
			 length && folder[length - 1] == '/' ? "" : "/", all.name[i]);
		failed = files_add(f, path);
	}
	files_free(&all);
	return pictures && !failed ? 0 : files_add(f, folder);
}

static int add_input(struct files *f, const char *name, bool deep)
{
	return files_is_folder(name) ? add_folder(f, name, deep) : files_add(f, name);
}

/* The lines of a text, each a name; empty ones are passed over. */
static int add_lines(struct files *f, char *text, size_t size, bool deep)
{
	int failed = 0;

	for (char *at = text, *end = text + size; at < end && !failed;) {
		char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
		char *next = stop + 1;

		if (stop > at && stop[-1] == '\r')
			stop--;
		*stop = 0;
		if (*at)
			failed = add_input(f, at, deep);
		at = next;
	}
	return failed;
}

static bool is_picture(const uint8_t *data, size_t size)
{
	return size > 3 && ((data[0] == 0xff && data[1] == 0xd8) || !memcmp(data, "\x89PNG", 4));
}

/* The bytes of a file, of standard input for "-", with room for a byte behind them. */
static uint8_t *read_all(const char *path, size_t *size)
{
	uint8_t *data = files_read(strcmp(path, "-") ? path : "/dev/stdin", size), *larger;

	larger = data ? realloc(data, *size + 1) : NULL;
	if (data && !larger)
		free(data);
	return larger;
}

static int add_list(struct files *f, const struct cli *c, const char *path, bool deep, uint8_t **bytes,
		    size_t *size)
{
	size_t n;
	uint8_t *data = read_all(path, &n);
	int failed;

	if (!data)
		return cli_fail(c, CLI_DATA, "%s: %s", path, strerror(errno));
	if (!strcmp(path, "-") && !*bytes && is_picture(data, n)) {
		*bytes = data;
		*size = n;
		return files_add(f, "-") ? out_of_memory(c) : -1;
	}
	failed = add_lines(f, (char *)data, n, deep);
	free(data);
	return failed ? out_of_memory(c) : -1;
}

int predict_inputs(struct files *f, const struct cli *c, const char *list, bool deep, uint8_t **bytes,
		   size_t *size)
{
	int status = -1;

	*bytes = NULL;
	for (int i = 0; i < c->n_args && status < 0; i++) {
		if (!strcmp(c->args[i], "-"))
			status = add_list(f, c, "-", deep, bytes, size);
		else if (add_input(f, c->args[i], deep))
			status = out_of_memory(c);
	}
	if (status < 0 && list)
		status = add_list(f, c, list, deep, bytes, size);
	if (status < 0 && !f->n)
		return cli_fail(c, CLI_DATA, "%s: names no picture", list ? list : "-");
	return status;
}

/* --- a batch --- */

struct batch {
	const struct predict_job *job;
	cg_array *images;	/* [batch][side][side][channels] */
	struct infer infer;
	struct explain explain;
	float *map;		/* [batch][h][w] of explain */
	int32_t done;		/* pictures before this batch */
	uint8_t *pixels;	/* the same on the host */
	char (*error)[PICTURE_ERROR];	/* [batch], "" where the picture was read */
	int32_t *row;		/* [batch] 0, 1, 2, ... */
	float *logits;
	double *p;
};

/* The plan for maps gives the logits too. */
static int maps_open(struct batch *b)
{
	const struct predict_job *j = b->job;
	int status = explain_open(&b->explain, j->cli, j->network, b->images, j->batch, j->kind);

	if (status >= 0)
		return status;
	b->map = calloc((size_t)(j->batch * b->explain.h * b->explain.w), sizeof(*b->map));
	return b->map ? -1 : out_of_memory(j->cli);
}

/* Picture i of the batch under its map: MAPS/0001-face-gradcam.png */
static int save_map(const struct batch *b, int32_t i, const char *name)
{
	const struct predict_job *j = b->job;
	const struct model_config *config = &j->network->config;
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
	int32_t side = j->origin->side, large;
	uint8_t *rgb = overlay_paint(b->pixels + (size_t)i * (size_t)(side * side * j->origin->channels),
				     side, j->origin->channels, config->size, config->image,
				     b->map + i * b->explain.h * b->explain.w, b->explain.h, b->explain.w,
				     side < 128 ? 4 : 1, &large);
	size_t n;
	uint8_t *file = rgb ? png_encode(rgb, large, large, 3, &n) : NULL;
	char path[4096];
	FILE *out;
	int failed;

	free(rgb);
	if (!file)
		return out_of_memory(j->cli);
	snprintf(path, sizeof(path), "%s/%04d-%.*s-%s.png", j->maps, (int)(b->done + i + 1),
		 (int)strcspn(base, "."), base, explain_name(j->kind));
	out = fopen(path, "wb");
	failed = !out || fwrite(file, 1, n, out) != n;
	failed = (out && fclose(out)) || failed;
	free(file);
	return failed ? cli_fail(j->cli, CLI_RUNTIME, "%s: %s", path, strerror(errno)) : -1;
}

static int batch_open(struct batch *b)
{
	const struct predict_job *j = b->job;
	const int64_t side = j->origin->side, shape[] = { j->batch, side, side, j->origin->channels };
	size_t n = (size_t)j->batch, classes = (size_t)j->network->config.classes;

	b->pixels = calloc(n * (size_t)(side * side), (size_t)j->origin->channels);
	b->error = calloc(n, sizeof(*b->error));
	b->row = calloc(n, sizeof(*b->row));
	b->logits = calloc(n * classes, sizeof(*b->logits));
	b->p = calloc(n * classes, sizeof(*b->p));
	if (!b->pixels || !b->error || !b->row || !b->logits || !b->p)
		return out_of_memory(j->cli);
	for (int32_t i = 0; i < j->batch; i++)
		b->row[i] = i;
	b->images = cg_array_new(j->network->ctx, "images", CG_UINT8, 4, shape);
	if (!b->images)
		return engine_fail(j->cli, j->network->ctx, "images");
	return j->maps ? maps_open(b) : infer_open(&b->infer, j->cli, j->network, b->images, j->batch, NULL);
}

static void batch_close(struct batch *b)
{
	infer_close(&b->infer);
	explain_close(&b->explain);
	free(b->map);
	cg_array_free(b->images);
	free(b->pixels);
	free(b->error);
	free(b->row);
	free(b->logits);
	free(b->p);
}

/* The picture into place i of the batch, or why not into its error. */
static void read_picture(struct batch *b, int32_t i, const char *name)
{
	const struct predict_job *j = b->job;
	const int32_t side = j->origin->side, channels = j->origin->channels;
	uint8_t *out = b->pixels + (size_t)i * (size_t)(side * side * channels);
	bool given = j->bytes && !strcmp(name, "-");
	size_t size = j->size;
	const uint8_t *data = given ? j->bytes : files_read(name, &size);
	struct picture p = { 0 };

	b->error[i][0] = 0;
	if (!data)
		snprintf(b->error[i], sizeof(b->error[i]), "%s",
			 errno == EISDIR ? "a folder without JPEG or PNG pictures" :
					   strerror(errno));
	else if (!picture_decode(&p, data, size, b->error[i]) &&
		 picture_square(&p, side, channels, out))
		snprintf(b->error[i], sizeof(b->error[i]), "out of memory");
	picture_free(&p);
	if (!given)
		free((void *)data);
}

static int run_batch(struct batch *b, const char *const *name, int32_t n, int32_t *failed)
{
	const struct predict_job *j = b->job;
	const int32_t classes = (int32_t)j->network->config.classes;
	size_t bytes = (size_t)j->batch * (size_t)j->origin->side * (size_t)j->origin->side *
		       (size_t)j->origin->channels;
	int status;

	for (int32_t i = 0; i < n; i++)
		read_picture(b, i, name[i]);
	if (cg_array_write(b->images, b->pixels, bytes) != CG_OK)
		return engine_fail(j->cli, j->network->ctx, "images");
	status = j->maps ? explain_run(&b->explain, j->cli, b->row, NULL, n, b->logits, b->map) :
			   infer_run(&b->infer, j->cli, b->row, n, b->logits, NULL);
	if (status >= 0)
		return status;
	metrics_softmax(b->logits, n, classes, 1, b->p);
	for (int32_t i = 0; i < n; i++) {
		bool bad = b->error[i][0];

		predict_row(&j->output, name[i], bad ? NULL : b->p + (size_t)i * (size_t)classes,
			    bad ? b->error[i] : NULL);
		*failed += bad;
		if (j->maps && !bad && (status = save_map(b, i, name[i])) >= 0)
			return status;
	}
	b->done += n;
	return fflush(j->output.file) ? cli_fail(j->cli, CLI_RUNTIME, "output: %s", strerror(errno)) : -1;
}

int predict_pictures(const struct predict_job *j, int32_t *failed)
{
	struct batch b = { .job = j };
	int status = batch_open(&b);

	*failed = 0;
	if (status < 0)
		predict_header(&j->output);
	for (int32_t done = 0; done < j->inputs->n && status < 0; done += j->batch) {
		int32_t left = j->inputs->n - done;

		status = run_batch(&b, (const char *const *)j->inputs->name + done,
				   left < j->batch ? left : j->batch, failed);
	}
	batch_close(&b);
	return status;
}
