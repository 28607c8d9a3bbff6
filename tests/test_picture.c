/*
 * test_picture.c: pictures that Pillow wrote and what it sees in them (golden/make_pictures.py):
 * decoding, EXIF orientation, resizing; and files that are damaged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"
#include "resize.h"
#include "tap.h"
#include "zip.h"

static struct zip golden;

static uint8_t *member(const char *name, size_t *size)
{
	int32_t i = zip_find(&golden, name);
	uint8_t *data = i < 0 ? NULL : zip_read(&golden, i, size);

	if (!data)
		diag("%s: %s", name, i < 0 ? "not in pictures.zip" : golden.error);
	return data;
}

/* A .raw file: sizes and pixels; pixels NULL where it is missing. */
static struct picture expected(const char *name)
{
	struct picture p = { 0 };
	size_t size;
	uint8_t *data = member(name, &size);
	int32_t head[3];

	if (!data)
		return p;
	memcpy(head, data, sizeof(head));
	p = (struct picture){ data, head[0], head[1], head[2] };
	memmove(data, data + sizeof(head), size - sizeof(head));
	return p;
}

/* The greatest difference, 256 where the sizes differ. */
static int difference(const struct picture *a, const struct picture *b)
{
	int most = 0;

	if (!a->pixels || !b->pixels || a->h != b->h || a->w != b->w || a->channels != b->channels)
		return 256;
	for (int32_t i = 0; i < a->h * a->w * a->channels; i++)
		if (abs(a->pixels[i] - b->pixels[i]) > most)
			most = abs(a->pixels[i] - b->pixels[i]);
	return most;
}

static struct picture decoded(const char *name, char error[PICTURE_ERROR])
{
	struct picture p = { 0 };
	size_t size;
	uint8_t *data = member(name, &size);

	if (data)
		picture_decode(&p, data, size, error);
	free(data);
	return p;
}

/* Skips where the build is without the library. */
static bool built_without(const char *name, const char *error)
{
	if (!strstr(error, "this build is without"))
		return false;
	skip("%s: %s", name, error);
	return true;
}

static void test_decoding(const char *name, int most)
{
	char raw[64], error[PICTURE_ERROR] = "";
	struct picture p = decoded(name, error), wanted;
	int d;

	snprintf(raw, sizeof(raw), "%s.raw", name);
	wanted = expected(raw);
	d = difference(&p, &wanted);
	if (!built_without(name, error))
		ok(d <= most, "%s: off by %d of at most %d%s%s", name, d, most, *error ? ": " : "",
		   error);
	picture_free(&p);
	picture_free(&wanted);
}

static void test_look(void)
{
	struct picture p;
	char error[PICTURE_ERROR];
	size_t size;
	uint8_t *data = member("turn6.jpg", &size);

	if (picture_look(&p, data, size, error) && built_without("a look", error)) {
		free(data);
		return;
	}
	ok(p.h == 20 && p.w == 12 && p.channels == 1 && !p.pixels, "sizes as turned, without pixels");
	free(data);
	ok(picture_named("a.JPG") && picture_named("x/y.jpeg") && picture_named("b.png") &&
	   !picture_named(".png") && !picture_named("a.bmp"), "names of pictures");
}

/* As Pillow's BILINEAR, which antialiases. */
static void test_resize(const char *kind, int h, int w)
{
	char name[64], error[PICTURE_ERROR] = "";
	struct picture big = decoded("gradient.png", error), wanted, got;
	int32_t channels = strcmp(kind, "grey") ? 3 : 1;
	uint8_t *flat;

	snprintf(name, sizeof(name), "resize-%s-%dx%d.raw", kind, h, w);
	if (built_without(name, error))
		return;
	flat = malloc((size_t)(big.h * big.w * 3));
	for (int32_t i = 0; i < big.h * big.w; i++) {
		const uint8_t *p = big.pixels + 3 * i;

		if (channels == 3)
			memcpy(flat + 3 * i, p, 3);
		else
			flat[i] = (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
	}
	wanted = expected(name);
	got = (struct picture){ malloc((size_t)(h * w * channels)), h, w, channels };
	ok(!resize_image(flat, big.h, big.w, channels, got.pixels, h, w) &&
	   difference(&got, &wanted) <= 1, "%s: off by %d of at most 1", name,
	   difference(&got, &wanted));
	free(flat);
	picture_free(&big);
	picture_free(&got);
	picture_free(&wanted);
}

static void test_square(int side)
{
	char name[64], error[PICTURE_ERROR] = "";
	struct picture big = decoded("gradient.png", error), wanted, got;

	snprintf(name, sizeof(name), "square-%d.raw", side);
	if (built_without(name, error))
		return;
	wanted = expected(name);
	got = (struct picture){ malloc((size_t)(side * side)), side, side, 1 };
	ok(!picture_square(&big, side, 1, got.pixels) && difference(&got, &wanted) <= 1,
	   "the middle square, grey, at %d: off by %d of at most 1", side, difference(&got, &wanted));
	picture_free(&big);
	picture_free(&got);
	picture_free(&wanted);
}

/* Cut anywhere, a file is an error and gives no picture. */
static void test_cut(const char *name)
{
	struct picture p;
	char error[PICTURE_ERROR];
	size_t size;
	uint8_t *data = member(name, &size);
	int read = 0;

	if (picture_decode(&p, data, size, error) && built_without(name, error)) {
		free(data);
		return;
	}
	picture_free(&p);
	for (size_t n = 0; n < size - 20; n++) {
		uint8_t *part = malloc(n + 1);	/* of its own size, so that a sanitizer sees reads behind */

		memcpy(part, data, n);
		read += !picture_decode(&p, part, n, error) || !*error || p.pixels;
		picture_free(&p);
		free(part);
	}
	ok(read == 0, "%s: cut short it is no picture (%d of %zu were)", name, read, size - 20);
	free(data);
}

/* With any byte changed it is read or refused, and nothing else happens (under AddressSanitizer). */
static void test_changed(const char *name)
{
	struct picture p;
	char error[PICTURE_ERROR];
	size_t size;
	uint8_t *data = member(name, &size);
	int refused = 0;

	if (picture_decode(&p, data, size, error) && built_without(name, error)) {
		free(data);
		return;
	}
	picture_free(&p);
	for (size_t i = 0; i < size; i++) {
		uint8_t kept = data[i];

		data[i] ^= (uint8_t)(1 + i % 255);
		refused += picture_decode(&p, data, size, error) != 0;
		picture_free(&p);
		data[i] = kept;
	}
	ok(refused > 0, "%s: %d of %zu changes of a byte are noticed", name, refused, size);
	free(data);
}

static void test_refusals(void)
{
	char error[PICTURE_ERROR] = "";
	struct picture p = decoded("cmyk.jpg", error);

	if (!built_without("cmyk.jpg", error))
		ok(!p.pixels && !strcmp(error, "a JPEG in CMYK; grey and RGB are read"), "CMYK: %s",
		   error);
	ok(picture_decode(&p, (const uint8_t *)"GIF89a", 6, error) &&
	   !strcmp(error, "neither JPEG nor PNG"), "another format");
	ok(picture_decode(&p, (const uint8_t *)"", 0, error) && !strcmp(error, "empty file"),
	   "an empty file");
}

int main(void)
{
	static const char *const exact[] = { "grey.png", "rgb.png", "palette.png", "bit.png",
					     "grey16.png", "alpha.png" };
	static const int sizes[][2] = { { 24, 24 }, { 7, 5 }, { 37, 20 }, { 50, 71 }, { 1, 1 } };
	const char *srcdir = getenv("srcdir");
	char path[512], name[32];

	snprintf(path, sizeof(path), "%s/tests/golden/pictures.zip", srcdir ? srcdir : ".");
	if (zip_open(&golden, path))
		return diag("%s: %s", path, golden.error), 1;
	for (int how = 1; how <= 8; how++) {
		snprintf(name, sizeof(name), "turn%d.jpg", how);
		test_decoding(name, 2);
	}
	test_decoding("rgb.jpg", 2);
	test_decoding("progressive.jpg", 2);
	for (size_t i = 0; i < sizeof(exact) / sizeof(*exact); i++)
		test_decoding(exact[i], 0);
	test_look();
	for (int i = 0; i < 5; i++) {
		test_resize("rgb", sizes[i][0], sizes[i][1]);
		test_resize("grey", sizes[i][0], sizes[i][1]);
	}
	test_square(24);
	test_square(37);
	test_square(48);
	test_cut("rgb.jpg");
	test_cut("progressive.jpg");
	test_cut("rgb.png");
	test_changed("turn6.jpg");
	test_changed("progressive.jpg");
	test_changed("palette.png");
	test_refusals();
	zip_close(&golden);
	return done();
}
