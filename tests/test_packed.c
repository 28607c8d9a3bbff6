/*
 * test_packed.c: packing a data set and reading it again; damaged files; an .npz that NumPy wrote
 * (golden/images.npz, by golden/make_pictures.py).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "data_packed.h"
#include "random.h"
#include "tap.h"

static const char *const path = "tests/test_packed.npz";

/* Noise on a slope, so that the differences are of use; some images black. */
static void make(struct dataset *d, int n, int side, int channels, bool named)
{
	size_t size = (size_t)(side * side * channels);

	data_alloc(d, n, side, side, channels);
	d->name = named ? calloc((size_t)n, sizeof(*d->name)) : NULL;
	for (int i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof(name), "a/%d, x.png", i * i);
		d->usage[i] = (uint8_t)(i % 3);
		d->label[i] = (uint8_t)(i % (named ? 3 : 7));
		for (size_t j = 0; j < size && i % 50; j++)
			d->pixels[(size_t)i * size + j] =
				(uint8_t)(j / 3 + random_bits(1, (uint64_t)i, j) % 9);
		if (named)
			d->name[i] = strdup(name);
	}
	if (named)
		data_set_classes(d, (const char *const[]){ "fox", "Elk", "\xc3\xa4" }, 3);
	data_finish(d);
}

static bool same(const struct dataset *a, const struct dataset *b)
{
	bool yes = a->n == b->n && a->h == b->h && a->w == b->w && a->channels == b->channels &&
		   a->classes == b->classes && a->hash == b->hash && !a->name == !b->name &&
		   !memcmp(a->pixels, b->pixels, (size_t)a->n * data_image_size(a)) &&
		   !memcmp(a->label, b->label, (size_t)a->n) && !memcmp(a->usage, b->usage, (size_t)a->n);

	for (int i = 0; yes && i < a->classes; i++)
		yes = !strcmp(a->class_names[i], b->class_names[i]);
	for (int i = 0; yes && a->name && i < a->n; i++)
		yes = !strcmp(a->name[i], b->name[i]);
	return yes;
}

static void test_again(const char *what, int n, int side, int channels, bool named)
{
	struct dataset d, again;
	struct data_error error = { "" };

	make(&d, n, side, channels, named);
	ok(data_save_packed(&d, path, &error) == DATA_OK, "%s: packed %s", what, error.text);
	ok(data_is_packed(path), "%s: known as such", what);
	if (ok(data_load(&again, path, NULL, &error) == DATA_OK, "%s: read %s", what, error.text))
		ok(same(&d, &again), "%s: the same", what);
	data_free(&again);
	data_free(&d);
}

/* Of a file that was changed anywhere nothing is read, or just what was packed. */
static void test_damaged(void)
{
	struct dataset d, again;
	struct data_error error;
	static uint8_t bytes[1 << 16];
	FILE *f;
	size_t n;
	int wrong = 0, refused = 0, changes = 0;

	make(&d, 30, 12, 1, true);
	data_save_packed(&d, path, &error);
	f = fopen(path, "rb");
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	for (size_t i = 0; i < n; i += n / 600 + 1, changes++) {
		bytes[i] ^= 0x41;
		f = fopen(path, "wb");
		fwrite(bytes, 1, n, f);
		fclose(f);
		bytes[i] ^= 0x41;
		if (data_load_packed(&again, path, NULL, &error) != DATA_OK)
			refused++;
		else
			wrong += again.hash != d.hash;
		data_free(&again);
	}
	ok(!wrong && refused > changes / 2, "%d of %d changes of a byte are noticed, %d pass as others",
	   refused, changes, wrong);
	data_free(&d);
}

static void test_classes(void)
{
	struct dataset d, again;
	struct data_error error;
	struct data_options options = { .classes = "\xc3\xa4,owl,Fox,elk" };

	make(&d, 60, 8, 1, true);
	data_save_packed(&d, path, &error);
	ok(data_load(&again, path, &options, &error) == DATA_OK && again.classes == 4 &&
	   again.label[0] == 2 && again.label[1] == 3 && again.label[2] == 0,
	   "classes are matched by name");
	data_free(&again);
	options.classes = "fox,elk";
	ok(data_load(&again, path, &options, &error) == DATA_MALFORMED &&
	   strstr(error.text, "is none of fox, elk"), "others are refused: %s", error.text);
	data_free(&d);
}

static void test_foreign(void)
{
	struct dataset d;
	struct data_error error = { "" };
	char file[512];
	const char *srcdir = getenv("srcdir");
	bool right = true;

	snprintf(file, sizeof(file), "%s/tests/golden/images.npz", srcdir ? srcdir : ".");
	ok(data_load(&d, file, NULL, &error) == DATA_OK, "NumPy's .npz with images and labels %s",
	   error.text);
	ok(d.n == 6 && d.h == 5 && d.channels == 1 && !d.own_names, "its shape");
	for (int i = 0; d.n && i < 6 * 25; i++)
		right = right && d.pixels[i] == i;
	ok(d.n && right && d.label[5] == 5 && d.usage[5] == SPLIT_TRAIN, "its pixels and labels");
	data_free(&d);
}

int main(void)
{
	struct data_error error;

	test_again("grey", 1000, 48, 1, false);
	test_again("RGB with names and classes", 100, 20, 3, true);
	test_again("one image", 1, 1, 1, false);
	test_damaged();
	test_classes();
	test_foreign();
	ok(data_save_packed(&(struct dataset){ 0 }, "nowhere/x.npz", &error) != DATA_OK &&
	   strstr(error.text, "nowhere/x.npz: "), "a folder that is not there: %s", error.text);
	remove(path);
	return done();
}
