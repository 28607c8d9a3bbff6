/*
 * picture.h: JPEG and PNG pictures in memory to 8-bit pixels, grey or RGB.
 *
 * JPEG by libjpeg-turbo: grey or colour, turned as its EXIF orientation says; CMYK is refused. PNG by
 * libpng: any depth, palette or interlacing; what is transparent is laid on black. A file that breaks
 * off or is damaged is an error, not a picture with a grey end. What a build was made without is named
 * in the error.
 */
#ifndef FER_PICTURE_H
#define FER_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct picture {
	uint8_t *pixels;		/* [h][w][channels], to be freed */
	int32_t h, w, channels;		/* 1 or 3 channels */
};

enum { PICTURE_SIDE = 32768, PICTURE_PIXELS = 1 << 28, PICTURE_ERROR = 256 };	/* at most */

/* Is it a name with a suffix that is read: .jpg, .jpeg, .png, in any case? */
bool picture_named(const char *name);

/* Sizes (as it will be turned) and channels without decoding; p->pixels is NULL. 0, or -1. */
int picture_look(struct picture *p, const uint8_t *data, size_t size, char error[PICTURE_ERROR]);
/* 0, or -1 with what is wrong: "breaks off: Premature end of JPEG file". */
int picture_decode(struct picture *p, const uint8_t *data, size_t size, char error[PICTURE_ERROR]);
void picture_free(struct picture *p);

/*
 * The middle square of the picture, brought to side x side (see resize.h), into out
 * [side][side][channels]; colour becomes grey by (299 R + 587 G + 114 B) / 1000 where channels is 1, and
 * grey is repeated where it is 3. 0, or -1 where memory is short.
 */
int picture_square(const struct picture *p, int32_t side, int32_t channels, uint8_t *out);

/* --- for picture*.c alone --- */

int picture__jpeg(struct picture *p, const uint8_t *data, size_t size, bool decode,
		  char error[PICTURE_ERROR]);
int picture__png(struct picture *p, const uint8_t *data, size_t size, bool decode,
		 char error[PICTURE_ERROR]);
/* The orientation 1..8 that the EXIF data of an APP1 segment ("Exif\0\0...") give; else 1. */
int picture__orientation(const uint8_t *segment, size_t size);
/* Allocates pixels for h, w, channels. 0, or -1 with what is wrong. */
int picture__alloc(struct picture *p, char error[PICTURE_ERROR]);

#endif
