/*
 * PNG written by png_write.c and read back by picture.c (libpng), where that is built in; and as a data URI.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"
#include "png_write.h"
#include "tap.h"

static void round_trip(int32_t w, int32_t h, int32_t channels)
{
	size_t n = (size_t)(w * h * channels), size;
	uint8_t *pixels = malloc(n), *file;
	struct picture p = { 0 };
	char error[PICTURE_ERROR];

	for (size_t i = 0; i < n; i++)
		pixels[i] = (uint8_t)(i * 37 + i / 7);
	file = png_encode(pixels, w, h, channels, &size);
	if (picture_decode(&p, file, size, error) && strstr(error, "without"))
		skip("%s", error);
	else
		ok(p.pixels && p.w == w && p.h == h && p.channels == channels &&
				!memcmp(p.pixels, pixels, n),
			"%dx%dx%d comes back", (int)w, (int)h, (int)channels);
	picture_free(&p);
	free(pixels);
	free(file);
}

/* Base64 of 1, 2 and 3 bytes more than a multiple of three must end as it should: decoded again. */
static void test_uri(void)
{
	static const uint8_t pixel[] = { 7, 8, 9, 10 };
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[1000] = "", *at;
	uint8_t *file, back[1000];
	size_t size, n = 0;

	for (int32_t w = 1; w <= 4; w++) {
		FILE *out = tmpfile();
		uint32_t bits = 0;
		int held = 0;

		file = png_encode(pixel, w, 1, 1, &size);
		png_uri(out, pixel, w, 1, 1);
		rewind(out);
		text[fread(text, 1, sizeof(text) - 1, out)] = 0;
		fclose(out);
		at = strchr(text, ',');
		n = 0;
		for (at++; *at && *at != '='; at++) {
			bits = bits << 6 | (uint32_t)(strchr(digits, *at) - digits);
			held += 6;
			if (held >= 8)
				back[n++] = (uint8_t)(bits >> (held -= 8));
		}
		ok(!strncmp(text, "data:image/png;base64,", 22) && n == size &&
				!memcmp(back, file, n) && strlen(text + 22) % 4 == 0,
			"a data URI of %zu bytes", size);
		free(file);
	}
}

int main(void)
{
	round_trip(48, 48, 1);
	round_trip(5, 3, 3);
	round_trip(1, 1, 1);
	test_uri();
	return done();
}
