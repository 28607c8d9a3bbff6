/*
 * resize.h: images of 8 bits to another size by the triangle filter, whose support grows with the
 * reduction, so that a shrunk image is antialiased; enlarging is bilinear interpolation. It is what
 * Pillow calls BILINEAR: weights of output pixel i fall linearly from its centre (i + 1/2) s in the
 * source, s = source / output size, to 0 at a distance of max(s, 1); columns first, then rows, rounded
 * to 8 bits after each.
 */
#ifndef FER_RESIZE_H
#define FER_RESIZE_H

#include <stdint.h>

/* in [h][w][channels] to out [to_h][to_w][channels]. 0, or -1 where memory is short. */
int resize_image(const uint8_t *in, int32_t h, int32_t w, int32_t channels, uint8_t *out, int32_t to_h,
		 int32_t to_w);

#endif
