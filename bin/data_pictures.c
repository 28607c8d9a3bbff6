/*
 * data_pictures.c: a data set out of pictures: files in folders, the same in a zip archive, or files that a CSV
 * lists. First the names are listed and say class and split, or the CSV does; then each picture is looked at where its size or colour must be
 * known beforehand; then all are read.
 */
#include "data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data_classes.h"
#include "data_list.h"
#include "files.h"
#include "picture.h"
#include "zip.h"

struct album {
	const char *path;
	const struct data_options *options;
	struct zip zip;
	bool zipped;
	bool listed;
	struct data_list list;	/* what the CSV says; its files have moved to: */
	struct files files;	/* names of the pictures, in order */
	struct class_table classes;
	struct dataset *d;
	struct data_error *error;
};

static enum data_status malformed(struct album *a)
{
	for (char *c = a->error->text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	return DATA_MALFORMED;
}

static enum data_status fail(struct album *a, const char *name, const char *reason)
{
	snprintf(a->error->text, sizeof(a->error->text), "%s%s%s: %s", a->path,
		 name ? a->zipped ? ":" : "/" : "", name ? name : "", reason);
	return malformed(a);
}

/* The same of picture i. */
static enum data_status fail_at(struct album *a, int32_t i, const char *reason)
{
	if (!a->listed)
		return fail(a, a->files.name[i], reason);
	snprintf(a->error->text, sizeof(a->error->text), "%s:%ld: %s: %s", a->path, a->list.line[i],
		 a->files.name[i], reason);
	return malformed(a);
}

static enum data_status out_of_memory(struct album *a)
{
	fail(a, NULL, "out of memory");
	return DATA_MEMORY;
}

/* --- names --- */

/* Pictures in another format are not left out in silence; other files are. */
static bool is_foreign(const char *name)
{
	static const char *const suffixes[] = { ".bmp", ".gif", ".webp", ".tif", ".tiff", ".jfif",
						".avif", ".heic", ".pgm", ".ppm" };
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && i < sizeof(suffixes) / sizeof(*suffixes); i++)
		if (!strcasecmp(dot, suffixes[i]))
			return true;
	return false;
}

static bool is_hidden(const char *name)
{
	return *name == '.' || strstr(name, "/.") || !strncmp(name, "__MACOSX/", 9);
}

static enum data_status add_name(struct album *a, const char *name)
{
	if (is_hidden(name))
		return DATA_OK;
	if (is_foreign(name))
		return fail(a, name, "only JPEG and PNG pictures are read");
	if (!picture_named(name))
		return DATA_OK;
	return files_add(&a->files, name) ? out_of_memory(a) : DATA_OK;
}

static enum data_status list_names(struct album *a)
{
	enum data_status status = DATA_OK;
	struct files all = { 0 };

	if (a->listed) {
		status = data_list_read(&a->list, a->path, a->options->classes, a->error);
		a->files = a->list.files;
		a->classes = a->list.classes;
		a->list.files = (struct files){ 0 };
		return status;
	}
	if (a->zipped && zip_open(&a->zip, a->path))
		return fail(a, NULL, a->zip.error);
	if (!a->zipped && files_list(&all, a->path, true)) {
		fail(a, NULL, strerror(errno));
		files_free(&all);
		return DATA_MISSING;
	}
	for (int32_t i = 0; i < a->zip.n && status == DATA_OK; i++)
		status = add_name(a, a->zip.entry[i].name);
	for (int32_t i = 0; i < all.n && status == DATA_OK; i++)
		status = add_name(a, all.name[i]);
	files_free(&all);
	files_sort(&a->files);
	if (status == DATA_OK && !a->files.n)
		return fail(a, NULL, "no JPEG or PNG picture in it");
	return status;
}

/* --- class and split of a name --- */

struct span {
	const char *begin;
	size_t length;
};

/* The folders of a name, the outermost first; how many. */
static int folders_of(const char *name, struct span *span, int most)
{
	int n = 0;

	for (const char *slash; (slash = strchr(name, '/')) != NULL; name = slash + 1)
		if (slash > name && n < most)
			span[n++] = (struct span){ name, (size_t)(slash - name) };
	return n;
}

/* "PublicTest_123.jpg": FER2013's form, where the folder "test" holds two splits. */
static void split_of_file(const char *name, uint8_t *split)
{
	const char *file = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;

	for (int s = 0; s < SPLITS; s++) {
		size_t n = strlen(data_split_names[s]);

		if (!strncmp(file, data_split_names[s], n) && file[n] == '_')
			*split = (uint8_t)s;
	}
}

static enum data_status place(struct album *a, int32_t i)
{
	const char *name = a->files.name[i];
	struct span folder[32];
	int n = folders_of(name, folder, 32), class = n - 1, label;
	uint8_t *split = &a->d->usage[i];
	char wrong[CLASS_ERROR];

	for (int f = n - 1; f >= 0; f--) {
		if (!data_split_parse(folder[f].begin, folder[f].length, split))
			continue;
		class = f + 1 < n ? f + 1 : -1;
		break;
	}
	if (class < 0)
		return fail(a, name, "lies in no folder of a class");
	label = classes_find(&a->classes, folder[class].begin, folder[class].length, wrong);
	if (label < 0)
		return fail(a, name, wrong);
	a->d->label[i] = (uint8_t)label;
	split_of_file(name, split);
	return DATA_OK;
}

/* --- pictures --- */

/* Behind the folder of a path. */
static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static uint8_t *bytes_of(struct album *a, int32_t i, size_t *size)
{
	const char *name = a->files.name[i];
	char path[4096];
	uint8_t *data;

	if (a->listed && *name != '/')
		snprintf(path, sizeof(path), "%.*s%s", (int)(base_of(a->path) - a->path), a->path, name);
	else if (a->listed)
		snprintf(path, sizeof(path), "%s", name);
	else
		snprintf(path, sizeof(path), "%s/%s", a->path, name);
	if (a->zipped) {
		data = zip_read(&a->zip, zip_find(&a->zip, name), size);
		if (!data)
			fail(a, NULL, a->zip.error);
		return data;
	}
	data = files_read(path, size);
	if (!data)
		fail_at(a, i, strerror(errno));
	return data;
}

/* Reads picture i, only its header or all of it. */
static enum data_status read_one(struct album *a, int32_t i, bool whole, struct picture *p)
{
	char wrong[PICTURE_ERROR];
	size_t size;
	uint8_t *data = bytes_of(a, i, &size);
	int failed;

	if (!data)
		return DATA_MALFORMED;
	failed = whole ? picture_decode(p, data, size, wrong) : picture_look(p, data, size, wrong);
	free(data);
	return failed ? fail_at(a, i, wrong) : DATA_OK;
}

/* The side and the channels of the data set, from all headers. */
static enum data_status find_shape(struct album *a)
{
	struct dataset *d = a->d;
	struct picture first = { 0 }, p = { 0 };
	int32_t wanted = a->options->side, odd = -1;
	enum data_status status = DATA_OK;
	char wrong[200], others[40];

	d->channels = 1;
	for (int32_t i = 0; i < a->files.n && status == DATA_OK; i++) {
		status = read_one(a, i, false, &p);
		if (i == 0)
			first = p;
		if (p.channels == 3 && a->options->channels != 1)
			d->channels = 3;
		if (odd < 0 && (p.w != p.h || p.w != first.w)) {
			odd = i;
			snprintf(others, sizeof(others), "others %dx%d", (int)first.w, (int)first.h);
			snprintf(wrong, sizeof(wrong),
				 "%dx%d pixels, %s: a size to bring all to is needed (--img-size)",
				 (int)p.w, (int)p.h, i ? others : "not square");
		}
	}
	if (status == DATA_OK && odd >= 0 && !wanted)
		return fail_at(a, odd, wrong);
	d->h = d->w = odd >= 0 || (wanted && wanted < first.w) ? wanted : first.w;
	return status;
}

static enum data_status read_all(struct album *a)
{
	struct dataset *d = a->d;
	enum data_status status = DATA_OK;

	d->pixels = malloc(((size_t)d->n + 1) * data_image_size(d));
	if (!d->pixels)
		return out_of_memory(a);
	for (int32_t i = 0; i < d->n && status == DATA_OK; i++) {
		struct picture p;

		status = read_one(a, i, true, &p);
		if (status != DATA_OK)
			break;
		if (picture_square(&p, d->h, d->channels,
				   d->pixels + (size_t)i * data_image_size(d)))
			status = out_of_memory(a);
		picture_free(&p);
	}
	return status;
}

static enum data_status load(struct album *a)
{
	struct dataset *d = a->d;
	enum data_status status = list_names(a);

	if (status != DATA_OK)
		return status;
	if (data_alloc(d, a->files.n, 0, 0, 1) != DATA_OK)
		return out_of_memory(a);
	free(d->pixels);
	d->pixels = NULL;
	if (a->listed) {
		memcpy(d->label, a->list.label, (size_t)d->n);
		memcpy(d->usage, a->list.usage, (size_t)d->n);
	}
	for (int32_t i = 0; i < d->n && status == DATA_OK && !a->listed; i++)
		status = place(a, i);
	if (status == DATA_OK)
		status = find_shape(a);
	if (status == DATA_OK)
		status = read_all(a);
	if (status == DATA_OK && (!a->listed || classes_named(&a->classes)) && classes_finish(&a->classes, d))
		status = out_of_memory(a);
	if (status == DATA_OK && data_finish(d))
		status = out_of_memory(a);
	return status;
}

enum data_status data_load_pictures(struct dataset *d, const char *path,
	const struct data_options *options, struct data_error *error)
{
	static const struct data_options none;
	struct album a = { .path = path, .options = options ? options : &none, .d = d, .error = error };
	enum data_status status;
	char wrong[CLASS_ERROR];

	memset(d, 0, sizeof(*d));
	a.zipped = zip_is(path);
	a.listed = !a.zipped && !files_is_folder(path);
	if (classes_init(&a.classes, a.options->classes, wrong))
		status = fail(&a, NULL, wrong);
	else
		status = load(&a);
	if (status == DATA_OK) {
		d->name = a.files.name;
		a.files = (struct files){ 0 };
	} else {
		data_free(d);
	}
	data_list_free(&a.list);
	files_free(&a.files);
	zip_close(&a.zip);
	return status;
}
