/*
 * picture_jpeg.c: JPEG by libjpeg-turbo. Its errors come back by longjmp to the one setjmp in
 * picture__jpeg(); what must be given back there lives in a struct that is not changed between the two
 * but through its address.
 */
#include "picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBJPEG
#include <jpeglib.h>
#include <jerror.h>
#include <setjmp.h>

struct reader {
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr manager;
	jmp_buf back;
	uint8_t *pixels;	/* as they lie in the file */
	char *error;
};

_Noreturn static void fail(j_common_ptr jpeg)
{
	struct reader *r = jpeg->client_data;
	char text[JMSG_LENGTH_MAX];

	jpeg->err->format_message(jpeg, text);
	snprintf(r->error, PICTURE_ERROR, "damaged: %s", text);
	longjmp(r->back, 1);
}

/* The library goes on after warnings with pixels that it made up; those are errors here. */
static void warn(j_common_ptr jpeg, int level)
{
	if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA &&
	    jpeg->err->msg_code != JWRN_ADOBE_XFORM && jpeg->err->msg_code != JWRN_JFIF_MAJOR)
		fail(jpeg);
}

_Noreturn static void refuse(struct reader *r, const char *text)
{
	snprintf(r->error, PICTURE_ERROR, "%s", text);
	longjmp(r->back, 1);
}

static int orientation(const struct jpeg_decompress_struct *jpeg)
{
	for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
		if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 && !memcmp(m->data, "Exif", 5))
			return picture__orientation(m->data, m->data_length);
	return 1;
}

static void read_header(struct reader *r, const uint8_t *data, size_t size)
{
	jpeg_create_decompress(&r->jpeg);
	jpeg_mem_src(&r->jpeg, data, (unsigned long)size);
	jpeg_save_markers(&r->jpeg, JPEG_APP0 + 1, 0xffff);
	jpeg_read_header(&r->jpeg, TRUE);
	switch (r->jpeg.jpeg_color_space) {
	case JCS_GRAYSCALE:
		r->jpeg.out_color_space = JCS_GRAYSCALE;
		break;
	case JCS_YCbCr:
	case JCS_RGB:
		r->jpeg.out_color_space = JCS_RGB;
		break;
	case JCS_CMYK:
	case JCS_YCCK:
		refuse(r, "a JPEG in CMYK; grey and RGB are read");
	default:
		refuse(r, "a JPEG in an unknown colour space");
	}
}

/* Pixel (y, x) of the picture as it is to be seen lies at (a, b) in the file. */
static void turn(struct picture *p, const uint8_t *in, int32_t w, int32_t h, int how)
{
	const size_t c = (size_t)p->channels;
	const bool turned = how >= 5, down = how == 3 || how == 4 || how == 6 || how == 7;
	const bool across = how == 2 || how == 3 || how == 7 || how == 8;
	uint8_t *out = p->pixels;

	for (int32_t y = 0; y < p->h; y++) {
		for (int32_t x = 0; x < p->w; x++, out += c) {
			int32_t a = turned ? x : y, b = turned ? y : x;

			a = down ? h - 1 - a : a;
			b = across ? w - 1 - b : b;
			memcpy(out, in + ((size_t)a * (size_t)w + (size_t)b) * c, c);
		}
	}
}

static void read_pixels(struct reader *r)
{
	size_t width;

	jpeg_start_decompress(&r->jpeg);
	width = (size_t)r->jpeg.output_width * (size_t)r->jpeg.output_components;
	r->pixels = malloc(width * r->jpeg.output_height);
	if (!r->pixels)
		refuse(r, "out of memory");
	while (r->jpeg.output_scanline < r->jpeg.output_height) {
		JSAMPROW line = r->pixels + width * r->jpeg.output_scanline;

		jpeg_read_scanlines(&r->jpeg, &line, 1);
	}
	jpeg_finish_decompress(&r->jpeg);
}

static int read_all(struct reader *r, struct picture *p, const uint8_t *data, size_t size, bool decode)
{
	int how;

	if (setjmp(r->back))
		return -1;
	read_header(r, data, size);
	how = orientation(&r->jpeg);
	p->channels = r->jpeg.out_color_space == JCS_RGB ? 3 : 1;
	p->h = (int32_t)(how >= 5 ? r->jpeg.image_width : r->jpeg.image_height);
	p->w = (int32_t)(how >= 5 ? r->jpeg.image_height : r->jpeg.image_width);
	if (!decode)
		return 0;
	if (picture__alloc(p, r->error))
		return -1;
	read_pixels(r);
	turn(p, r->pixels, (int32_t)r->jpeg.image_width, (int32_t)r->jpeg.image_height, how);
	return 0;
}

int picture__jpeg(struct picture *p, const uint8_t *data, size_t size, bool decode,
		  char error[PICTURE_ERROR])
{
	struct reader r = { .error = error };
	int status;

	r.jpeg.err = jpeg_std_error(&r.manager);
	r.jpeg.client_data = &r;
	r.manager.error_exit = fail;
	r.manager.emit_message = warn;
	status = read_all(&r, p, data, size, decode);
	jpeg_destroy_decompress(&r.jpeg);
	free(r.pixels);
	return status;
}

#else

int picture__jpeg(struct picture *p, const uint8_t *data, size_t size, bool decode,
		  char error[PICTURE_ERROR])
{
	(void)p, (void)data, (void)size, (void)decode;
	snprintf(error, PICTURE_ERROR, "a JPEG, and this build is without libjpeg");
	return -1;
}

#endif
