#include "overlay.h"

#include <math.h>
#include <stdlib.h>

/* Dark violet, red, orange, pale yellow: rising in lightness, also to the colour-blind ("inferno"). */
static void heat(double v, double rgb[3])
{
	static const double stop[5][3] = { { 0, 0, 4 }, { 87, 16, 110 }, { 188, 55, 84 },
		{ 249, 142, 9 }, { 252, 255, 164 } };
	double at = fmin(fmax(v, 0), 1) * 4;
	int i = at < 3 ? (int)at : 3;

	for (int k = 0; k < 3; k++)
		rgb[k] = stop[i][k] + (at - i) * (stop[i + 1][k] - stop[i][k]);
}

/* The more a place counts, the more of its colour covers the picture. */
static void lay_over(uint8_t *out, const uint8_t *pixel, int32_t channels, float v)
{
	double rgb[3], share = .25 + .45 * (double)v;

	heat((double)v, rgb);
	for (int k = 0; k < 3; k++)
		out[k] =
			(uint8_t)((1 - share) * pixel[channels == 3 ? k : 0] + share * rgb[k] + .5);
}

uint8_t *overlay_paint(const uint8_t *pixels, int32_t side, int32_t channels, int64_t size,
	int64_t image, const float *map, int64_t h, int64_t w, int32_t scale, int32_t *out)
{
	/* the network's centre crop of a picture brought to image x image, in the picture's own pixels */
	int32_t seen = (int32_t)((double)size / (double)(image ? image : side) * side + .5);
	int32_t margin = (side - seen) / 2, large = *out = scale * seen;
	uint8_t *rgb = malloc((size_t)large * (size_t)large * 3);
	float *values = malloc((size_t)large * (size_t)large * sizeof(*values));

	if (rgb && values) {
		explain_enlarge(map, h, w, values, large, large);
		for (int32_t y = 0; y < large; y++)
			for (int32_t x = 0; x < large; x++)
				lay_over(rgb + 3 * (y * large + x),
					pixels +
						((margin + y / scale) * side + margin + x / scale) *
							channels,
					channels, values[y * large + x]);
	} else {
		free(rgb);
		rgb = NULL;
	}
	free(values);
	return rgb;
}
