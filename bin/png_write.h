/*
 * png_write.h: writes small pictures as PNG.
 */
#ifndef FER_PNG_H
#define FER_PNG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* pixels [h][w][channels], 1 (grey) or 3 (RGB) channels. The file's bytes, to be freed; NULL: no memory. */
uint8_t *png_encode(const uint8_t *pixels, int32_t w, int32_t h, int32_t channels, size_t *size);

/* The same as "data:image/png;base64,...", for the src of an img. 0, or -1 where memory is short. */
int png_uri(FILE *out, const uint8_t *pixels, int32_t w, int32_t h, int32_t channels);

#endif
