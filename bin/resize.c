#include "resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What each output pixel of one axis is made of. */
struct axis {
	int32_t *first, *count;
	float *weight;		/* [size][most] */
	int32_t most;
};

static void axis_free(struct axis *a)
{
	free(a->first);
	free(a->count);
	free(a->weight);
}

/* The weights of output pixel i over the source pixels that it covers; they add up to 1. */
static void weigh(struct axis *a, int32_t i, int32_t from, double scale, double support)
{
	float *weight = a->weight + (size_t)i * (size_t)a->most;
	double centre = (i + .5) * scale, sum = 0;
	int32_t first = (int32_t)fmax(centre - support + .5, 0);
	int32_t end = (int32_t)fmin(centre + support + .5, from);

	for (int32_t j = first; j < end; j++)
		sum += fmax(1 - fabs(j + .5 - centre) / support, 0);
	for (int32_t j = first; j < end; j++)
		weight[j - first] = (float)(fmax(1 - fabs(j + .5 - centre) / support, 0) / sum);
	a->first[i] = first;
	a->count[i] = end - first;
}

static int axis_init(struct axis *a, int32_t from, int32_t to)
{
	double scale = (double)from / to, support = fmax(scale, 1);
	size_t n = (size_t)to;

	a->most = 2 * (int32_t)ceil(support) + 1;
	a->first = malloc(n * sizeof(*a->first));
	a->count = malloc(n * sizeof(*a->count));
	a->weight = malloc(n * (size_t)a->most * sizeof(*a->weight));
	if (!a->first || !a->count || !a->weight)
		return -1;
	for (int32_t i = 0; i < to; i++)
		weigh(a, i, from, scale, support);
	return 0;
}

static uint8_t rounded(float x)
{
	return x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + .5f);
}

/* Each row of [rows][..][channels] along its columns. */
static void resize_columns(const struct axis *a, const uint8_t *in, int32_t w, int32_t channels,
			   int32_t rows, uint8_t *out, int32_t to_w)
{
	for (int32_t y = 0; y < rows; y++) {
		const uint8_t *line = in + (size_t)y * (size_t)w * (size_t)channels;

		for (int32_t x = 0; x < to_w; x++) {
			const float *weight = a->weight + (size_t)x * (size_t)a->most;

			for (int32_t c = 0; c < channels; c++) {
				const uint8_t *p = line + (size_t)a->first[x] * (size_t)channels + c;
				float sum = 0;

				for (int32_t j = 0; j < a->count[x]; j++)
					sum += weight[j] * p[(size_t)j * (size_t)channels];
				*out++ = rounded(sum);
			}
		}
	}
}

/* Each of `width` columns along its rows; `sum` holds a row. */
static void resize_rows(const struct axis *a, const uint8_t *in, size_t width, uint8_t *out, int32_t to_h,
			float *sum)
{
	for (int32_t y = 0; y < to_h; y++, out += width) {
		const float *weight = a->weight + (size_t)y * (size_t)a->most;
		const uint8_t *p = in + (size_t)a->first[y] * width;

		memset(sum, 0, width * sizeof(*sum));
		for (int32_t j = 0; j < a->count[y]; j++, p += width)
			for (size_t x = 0; x < width; x++)
				sum[x] += weight[j] * p[x];
		for (size_t x = 0; x < width; x++)
			out[x] = rounded(sum[x]);
	}
}

int resize_image(const uint8_t *in, int32_t h, int32_t w, int32_t channels, uint8_t *out, int32_t to_h,
		 int32_t to_w)
{
	struct axis across = { 0 }, down = { 0 };
	size_t width = (size_t)to_w * (size_t)channels;
	uint8_t *middle = malloc((size_t)h * width);
	float *sum = malloc(width * sizeof(*sum));
	int failed = !middle || !sum || axis_init(&across, w, to_w) || axis_init(&down, h, to_h);

	if (!failed) {
		resize_columns(&across, in, w, channels, h, middle, to_w);
		resize_rows(&down, middle, width, out, to_h, sum);
	}
	axis_free(&across);
	axis_free(&down);
	free(middle);
	free(sum);
	return failed ? -1 : 0;
}
