/*
 * picture_png.c: PNG by libpng's simplified interface, which needs no setjmp.
 */
#include "picture.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef HAVE_LIBPNG
#include <png.h>

/* Pixels with opacity behind their channels to those pixels on black, in place. */
static void lay_on_black(uint8_t *pixels, size_t n, size_t channels)
{
	const uint8_t *in = pixels;
	uint8_t *out = pixels;

	for (size_t i = 0; i < n; i++, in += channels + 1, out += channels)
		for (size_t c = 0; c < channels; c++)
			out[c] = (uint8_t)((in[c] * in[channels] + 127) / 255);
}

static int read_pixels(struct picture *p, png_image *image, char error[PICTURE_ERROR])
{
	const int32_t channels = p->channels;
	const bool alpha = image->format & PNG_FORMAT_FLAG_ALPHA;

	image->format = (channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY) |
			(alpha ? PNG_FORMAT_FLAG_ALPHA : 0);
	p->channels += alpha;
	if (picture__alloc(p, error))
		return -1;
	p->channels = channels;
	if (!png_image_finish_read(image, NULL, p->pixels, 0, NULL)) {
		snprintf(error, PICTURE_ERROR, "damaged: %s", image->message);
		return -1;
	}
	if (alpha)
		lay_on_black(p->pixels, (size_t)p->h * (size_t)p->w, (size_t)channels);
	return 0;
}

int picture__png(struct picture *p, const uint8_t *data, size_t size, bool decode,
		 char error[PICTURE_ERROR])
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	int status = 0;

	if (!png_image_begin_read_from_memory(&image, data, size)) {
		snprintf(error, PICTURE_ERROR, "damaged: %s", image.message);
		return -1;
	}
	image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
	p->h = image.height <= INT32_MAX ? (int32_t)image.height : 0;
	p->w = image.width <= INT32_MAX ? (int32_t)image.width : 0;
	p->channels = image.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1;
	if (decode)
		status = read_pixels(p, &image, error);
	png_image_free(&image);
	return status;
}

#else

int picture__png(struct picture *p, const uint8_t *data, size_t size, bool decode,
		 char error[PICTURE_ERROR])
{
	(void)p, (void)data, (void)size, (void)decode;
	snprintf(error, PICTURE_ERROR, "a PNG, and this build is without libpng");
	return -1;
}

#endif
