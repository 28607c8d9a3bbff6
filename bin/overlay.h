/*
 * overlay.h: a picture under the map of where a network looked, in colour.
 */
#ifndef FER_OVERLAY_H
#define FER_OVERLAY_H

#include "explain.h"

/*
 * Of a picture [side][side][channels] the part that the network sees (its centre crop), `scale` times as large,
 * under map [h][w], enlarged: RGB [*out][*out][3], to be freed; NULL where memory is short. size and image are
 * those of struct model_config.
 */
uint8_t *overlay_paint(const uint8_t *pixels, int32_t side, int32_t channels, int64_t size, int64_t image,
		       const float *map, int64_t h, int64_t w, int32_t scale, int32_t *out);

#endif
