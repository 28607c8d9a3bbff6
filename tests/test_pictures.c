/*
 * test_pictures.c: a data set out of pictures in a folder and in a zip: golden/own.zip, which
 * golden/make_pictures.py drew, and FER2013's JPEG form where a sample of it is beside the source tree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data.h"
#include "files.h"
#include "tap.h"
#include "zip.h"

static const char *const folder = "tests/test_pictures.tmp";
static char own[512];

static void write_file(const char *name, const void *data, size_t size)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0777);
		*slash = '/';
	}
	f = fopen(path, "wb");
	if (f && fwrite(data, 1, size, f) != size)
		diag("%s: cannot be written", path);
	if (f)
		fclose(f);
}

static void unpack(const char *archive)
{
	struct zip z;
	int status = zip_open(&z, archive);

	for (int32_t i = 0; status == 0 && i < z.n; i++) {
		size_t size;
		uint8_t *data = zip_read(&z, i, &size);

		if (data && *z.entry[i].name && !strstr(z.entry[i].name, "MACOSX"))
			write_file(z.entry[i].name, data, size);
		free(data);
	}
	zip_close(&z);
}

static void remove_all(void)
{
	if (system("rm -rf tests/test_pictures.tmp"))
		diag("%s is left", folder);
}

static int32_t count(const struct dataset *d, int split, int label)
{
	int32_t n = 0;

	for (int32_t i = 0; i < d->n; i++)
		n += d->usage[i] == split && d->label[i] == label;
	return n;
}

/* The library that this build is without. */
static bool cannot_read(void)
{
	struct dataset d;
	struct data_error error;
	bool without = data_load(&d, own, &(struct data_options){ .side = 24 }, &error) != DATA_OK &&
		       strstr(error.text, "this build is without");

	data_free(&d);
	return without;
}

static void test_own(void)
{
	struct data_options options = { .side = 20, .validation = .2 };
	struct dataset zip, dir;
	struct data_error error = { "" };
	int32_t n[SPLITS] = { 0 };

	ok(data_load(&zip, own, &options, &error) == DATA_OK, "own.zip is read %s", error.text);
	ok(zip.n == 42 && zip.h == 20 && zip.w == 20 && zip.channels == 3, "42 images of 20x20 RGB");
	ok(zip.classes == 3 && !strcmp(zip.class_names[0], "Stripes") &&
	   !strcmp(zip.class_names[2], "square"), "classes in the order of their names");
	for (int s = 0; s < SPLITS; s++)
		for (int c = 0; c < 3; c++)
			n[s] += count(&zip, s, c);
	ok(n[SPLIT_PUBLIC] >= 5 && n[SPLIT_PUBLIC] <= 7 && n[SPLIT_PRIVATE] == 12,
	   "a fifth of Training is held out: %d", (int)n[SPLIT_PUBLIC]);
	ok(zip.name && !strcmp(zip.name[0], "shapes/test/Stripes/10.JPG"), "rows know their files");
	ok(data_load(&dir, folder, &options, &error) == DATA_OK && dir.hash == zip.hash,
	   "the folder holds the same %s", error.text);
	data_free(&dir);
	options.classes = "disc,square,STRIPES,other";
	ok(data_load(&dir, folder, &options, &error) == DATA_OK && dir.classes == 4 &&
	   dir.label[0] == 2, "names and order given %s", error.text);
	data_free(&dir);
	options = (struct data_options){ .side = 20, .channels = 1 };
	ok(data_load(&dir, own, &options, &error) == DATA_OK && dir.channels == 1 &&
	   count(&dir, SPLIT_PUBLIC, 0) == 0, "grey, and nothing held out %s", error.text);
	data_free(&dir);
	data_free(&zip);
}

static bool refused(const char *what, const struct data_options *options, const char *text)
{
	struct dataset d;
	struct data_error error = { "" };
	enum data_status status = data_load(&d, what, options, &error);
	bool as_said = status == DATA_MALFORMED && strstr(error.text, text);

	if (!as_said)
		diag("status %d: %s", (int)status, error.text);
	data_free(&d);
	return as_said;
}

static void test_refusals(void)
{
	static const struct data_options options = { .side = 20 },
					 few = { .side = 20, .classes = "disc,square" };
	uint8_t *data;
	size_t size;
	char path[512];

	ok(refused(own, NULL, "own.zip:shapes/test/Stripes/10.JPG: 31x24 pixels, not square: a size"),
	   "unequal sizes need a size");
	ok(refused(own, &few, "class \"Stripes\" is none of disc, square"), "another class");
	write_file("a/loose.bmp", "BM", 2);
	ok(refused(folder, &options, "/a/loose.bmp: only JPEG and PNG pictures are read"),
	   "another format is not left out in silence");
	snprintf(path, sizeof(path), "%s/a/loose.bmp", folder);
	remove(path);
	snprintf(path, sizeof(path), "%s/shapes/train/disc/1.png", folder);
	data = files_read(path, &size);
	write_file("shapes/train/disc/1.png", data, size / 2);
	ok(refused(folder, &options, "/shapes/train/disc/1.png: damaged: "), "a picture cut short");
	write_file("shapes/train/disc/1.png", data, size);
	write_file("loose.png", data, size);
	ok(refused(folder, &options, "/loose.png: lies in no folder of a class"), "no class");
	snprintf(path, sizeof(path), "%s/loose.png", folder);
	remove(path);
	write_file("shapes/train/loose.png", data, size);
	ok(refused(folder, &options, "/shapes/train/loose.png: lies in no folder of a class"),
	   "no class below the split");
	free(data);
}

/* --- FER2013 --- */

static bool right_splits(const struct dataset *d)
{
	static const int32_t expected[SPLITS] = { 20, 10, 10 };

	for (int s = 0; s < SPLITS; s++)
		for (int c = 0; c < DATA_CLASSES; c++)
			if (count(d, s, c) != expected[s])
				return false;
	return true;
}

/* The rows of fer2013.csv that the pictures are, by file name; -1 where the list is not as expected. */
static int32_t row_of(FILE *list, const char *name)
{
	char line[300], file[200];
	int row;

	rewind(list);
	while (fgets(line, sizeof(line), list))
		if (sscanf(line, "%199[^,],%d", file, &row) == 2 && strstr(name, file))
			return row;
	return -1;
}

/* As data/README.md has measured: 1.3 off on average, 11 at most; labels and splits agree. */
static void compare(const struct dataset *d, const struct dataset *csv, FILE *list)
{
	double sum = 0;
	int most = 0, wrong = 0, n = 48 * 48;

	for (int32_t i = 0; i < d->n; i++) {
		int32_t row = row_of(list, d->name[i]);

		if (row < 0 || d->label[i] != csv->label[row] || d->usage[i] != csv->usage[row]) {
			wrong++;
			continue;
		}
		for (int j = 0; j < n; j++) {
			int off = abs(d->pixels[i * n + j] - csv->pixels[row * n + j]);

			sum += off;
			most = off > most ? off : most;
		}
	}
	ok(wrong == 0, "labels and splits are those of the CSV (%d are not)", wrong);
	sum /= (double)d->n * n;
	ok(sum < 1.5 && most <= 11, "pixels differ by %.2f on average, %d at most", sum, most);
}

static void test_fer2013(const char *shared)
{
	struct dataset dir, zip, csv;
	struct data_error error;
	char path[600];
	FILE *list;

	snprintf(path, sizeof(path), "%s/data/fer2013-jpeg-sample", shared);
	if (!files_is_folder(path)) {
		skip("no FER2013 at %s; FER_SHARED names the folder that holds data/", path);
		return;
	}
	if (!ok(data_load(&dir, path, NULL, &error) == DATA_OK, "FER2013's folder"))
		return;
	ok(dir.n == 280 && dir.channels == 1 && dir.h == 48 && !dir.own_names, "48x48 grey, seven classes");
	ok(right_splits(&dir), "splits by file name, classes by name");
	strcat(path, ".zip");
	ok(data_load(&zip, path, NULL, &error) == DATA_OK && zip.hash == dir.hash, "the zip of it");
	snprintf(path, sizeof(path), "%s/data/fer2013-jpeg-sample-rows.csv", shared);
	list = fopen(path, "r");
	snprintf(path, sizeof(path), "%s/data/fer2013.csv.gz", shared);
	if (list && data_load(&csv, path, NULL, &error) == DATA_OK) {
		compare(&dir, &csv, list);
		data_free(&csv);
	}
	if (list)
		fclose(list);
	data_free(&zip);
	data_free(&dir);
}

int main(void)
{
	const char *srcdir = getenv("srcdir"), *shared = getenv("FER_SHARED");
	char beside[512];

	srcdir = srcdir ? srcdir : ".";
	snprintf(own, sizeof(own), "%s/tests/golden/own.zip", srcdir);
	snprintf(beside, sizeof(beside), "%s/../shared", srcdir);
	if (cannot_read())
		return skip_all("built without libjpeg or libpng");
	remove_all();
	unpack(own);
	test_own();
	test_refusals();
	test_fer2013(shared ? shared : beside);
	remove_all();
	return done();
}
