/*
 * picture.c: what JPEG and PNG have in common.
 */
#include "picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "resize.h"

static const uint8_t jpeg_magic[] = { 0xff, 0xd8, 0xff };
static const uint8_t png_magic[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };

bool picture_named(const char *name)
{
	static const char *const suffixes[] = { ".jpg", ".jpeg", ".png" };
	size_t length = strlen(name);

	for (int i = 0; i < 3; i++) {
		size_t n = strlen(suffixes[i]);

		if (length > n && !strcasecmp(name + length - n, suffixes[i]))
			return true;
	}
	return false;
}

static bool begins(const uint8_t *data, size_t size, const uint8_t *magic, size_t length)
{
	return size >= length && !memcmp(data, magic, length);
}

static int fail(char error[PICTURE_ERROR], const char *text)
{
	snprintf(error, PICTURE_ERROR, "%s", text);
	return -1;
}

static int read_picture(struct picture *p, const uint8_t *data, size_t size, bool decode,
			char error[PICTURE_ERROR])
{
	*p = (struct picture){ 0 };
	error[0] = 0;
	if (begins(data, size, jpeg_magic, sizeof(jpeg_magic)))
		return picture__jpeg(p, data, size, decode, error);
	if (begins(data, size, png_magic, sizeof(png_magic)))
		return picture__png(p, data, size, decode, error);
	return fail(error, size ? "neither JPEG nor PNG" : "empty file");
}

int picture_look(struct picture *p, const uint8_t *data, size_t size, char error[PICTURE_ERROR])
{
	return read_picture(p, data, size, false, error);
}

int picture_decode(struct picture *p, const uint8_t *data, size_t size, char error[PICTURE_ERROR])
{
	int status = read_picture(p, data, size, true, error);

	if (status)
		picture_free(p);
	return status;
}

void picture_free(struct picture *p)
{
	free(p->pixels);
	*p = (struct picture){ 0 };
}

int picture__alloc(struct picture *p, char error[PICTURE_ERROR])
{
	if (p->h < 1 || p->w < 1 || p->h > PICTURE_SIDE || p->w > PICTURE_SIDE ||
	    (int64_t)p->h * p->w > PICTURE_PIXELS) {
		snprintf(error, PICTURE_ERROR, "%dx%d pixels are too many", (int)p->w, (int)p->h);
		return -1;
	}
	p->pixels = malloc((size_t)p->h * (size_t)p->w * (size_t)p->channels);
	return p->pixels ? 0 : fail(error, "out of memory");
}

/* --- EXIF --- */

static uint32_t get(const uint8_t *p, int bytes, bool little)
{
	uint32_t value = 0;

	for (int i = 0; i < bytes; i++)
		value = value << 8 | p[little ? bytes - 1 - i : i];
	return value;
}

/* A TIFF header (byte order, 42, place of the first directory), then entries of 12 bytes: tag, type,
 * count, value; tag 0x112 is the orientation, of type 3 (16 bits). */
int picture__orientation(const uint8_t *segment, size_t size)
{
	const uint8_t *p = segment + 6;
	uint32_t at, n, value;
	bool little;

	if (size < 6 + 8 || memcmp(segment, "Exif\0\0", 6))
		return 1;
	size -= 6;
	little = p[0] == 'I';
	at = get(p + 4, 4, little);
	if (get(p + 2, 2, little) != 42 || at > size - 2)
		return 1;
	n = get(p + at, 2, little);
	for (at += 2; n > 0 && size - at >= 12; at += 12, n--) {
		if (get(p + at, 2, little) != 0x112 || get(p + at + 2, 2, little) != 3)
			continue;
		value = get(p + at + 8, 2, little);
		return value >= 1 && value <= 8 ? (int)value : 1;
	}
	return 1;
}

/* --- to a square --- */

static uint8_t grey_of(const uint8_t *p)
{
	return (uint8_t)((299 * p[0] + 587 * p[1] + 114 * p[2] + 500) / 1000);
}

/* The middle square, with the channels that are wanted. */
static void cut(const struct picture *p, int32_t side, int32_t channels, uint8_t *out)
{
	const int32_t top = (p->h - side) / 2, left = (p->w - side) / 2;
	const size_t c = (size_t)p->channels;

	for (int32_t y = 0; y < side; y++) {
		const uint8_t *line =
			p->pixels + ((size_t)(top + y) * (size_t)p->w + (size_t)left) * c;

		for (int32_t x = 0; x < side; x++, line += c, out += channels) {
			if (channels == p->channels)
				memcpy(out, line, c);
			else if (channels == 1)
				*out = grey_of(line);
			else
				memset(out, *line, 3);
		}
	}
}

int picture_square(const struct picture *p, int32_t side, int32_t channels, uint8_t *out)
{
	int32_t from = p->h < p->w ? p->h : p->w;
	uint8_t *square;
	int failed;

	if (from == side) {
		cut(p, side, channels, out);
		return 0;
	}
	square = malloc((size_t)from * (size_t)from * (size_t)channels);
	if (!square)
		return -1;
	cut(p, from, channels, square);
	failed = resize_image(square, from, from, channels, out, side, side);
	free(square);
	return failed;
}
