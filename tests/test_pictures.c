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

/* --- a CSV that lists them --- */

static const char *const list = "tests/test_pictures.tmp/list.csv";

static bool list_refused(const char *csv, const char *text)
{
	static const struct data_options options = { .side = 20, .classes = "disc,square" };

	write_file("list.csv", csv, strlen(csv));
	return refused(list, &options, text);
}

/* The rows of the folder, in its order. */
static void write_list(const struct dataset *d)
{
	static const char *const splits[SPLITS] = { "train", "Val", "test" };
	FILE *f = fopen(list, "w");

	fputs("\xef\xbb\xbfsplit, Filename ,note,class\r\n", f);
	for (int32_t i = 0; i < d->n; i++)
		fprintf(f, "%s,\"%s\",,%s\r\n", splits[d->usage[i]], d->name[i],
			d->class_names[d->label[i]]);
	fclose(f);
}

static void test_list(void)
{
	static const char number[] = "path,label\nshapes/test/Stripes/10.JPG,6\n";
	struct data_options options = { .side = 20 };
	struct dataset dir, listed;
	struct data_error error = { "" };

	ok(data_load(&dir, folder, &options, &error) == DATA_OK, "a folder %s", error.text);
	write_list(&dir);
	ok(data_load(&listed, list, &options, &error) == DATA_OK && listed.hash == dir.hash,
	   "a CSV that lists it holds the same %s", error.text);
	ok(listed.name && !strcmp(listed.name[3], dir.name[3]), "rows know their files");
	data_free(&listed);
	data_free(&dir);
	write_file("list.csv", number, strlen(number));
	ok(data_load(&listed, list, &options, &error) == DATA_OK && listed.label[0] == NEUTRAL &&
	   listed.usage[0] == SPLIT_TRAIN && listed.classes == DATA_CLASSES && listed.h == 20,
	   "numbers are FER2013's classes, no split is Training %s", error.text);
	data_free(&listed);
	ok(list_refused("path,label\nshapes/train/disc/1.png,disc\nnone.png,disc\n",
			"list.csv:3: none.png: No such file"), "a file that is not there, by its row");
	ok(list_refused("path,label\nlist.csv,disc\n", "list.csv:2: list.csv: "), "no picture");
	ok(list_refused("path,label\na.png,cat\n", "list.csv:2: class \"cat\" is none of disc, square"),
	   "another class");
	ok(list_refused("path,label\na.png,2\n", "list.csv:2: label \"2\", expected 0..1"), "a number too large");
	ok(list_refused("path,label,split\na.png,disc,late\n", "list.csv:2: split \"late\", expected train"),
	   "another split");
	ok(list_refused("path,label\na.png\n", "list.csv:2: 1 fields, expected 2"), "a field too few");
	ok(list_refused("path,label\n,disc\n", "list.csv:2: no path"), "no path");
	ok(list_refused("path,note\na.png,disc\n", "list.csv:1: no column \"label\""), "no labels");
	ok(list_refused("path,label\n", "list.csv: no rows below the header"), "no rows");
	remove(list);
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
static int32_t row_of(FILE *rows, const char *name)
{
	char line[300], file[200];
	int row;

	rewind(rows);
	while (fgets(line, sizeof(line), rows))
		if (sscanf(line, "%199[^,],%d", file, &row) == 2 && strstr(name, file))
			return row;
	return -1;
}

/* As data/README.md has measured: 1.3 off on average, 11 at most; labels and splits agree. */
static void compare(const struct dataset *d, const struct dataset *csv, FILE *rows)
{
	double sum = 0;
	int most = 0, wrong = 0, n = 48 * 48;

	for (int32_t i = 0; i < d->n; i++) {
		int32_t row = row_of(rows, d->name[i]);

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
	FILE *rows;

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
	rows = fopen(path, "r");
	snprintf(path, sizeof(path), "%s/data/fer2013.csv.gz", shared);
	if (rows && data_load(&csv, path, NULL, &error) == DATA_OK) {
		compare(&dir, &csv, rows);
		data_free(&csv);
	}
	if (rows)
		fclose(rows);
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
	test_list();
	test_refusals();
	test_fer2013(shared ? shared : beside);
	remove_all();
	return done();
}
