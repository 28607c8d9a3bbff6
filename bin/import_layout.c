#include "import_layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void layout_sizes(enum import_layout layout, const int64_t shape[4], int64_t rscm[4])
{
	static const int at[][4] = {
		[IMPORT_HWIO] = { 0, 1, 2, 3 },
		[IMPORT_OIHW] = { 2, 3, 1, 0 },
		[IMPORT_OHWI] = { 1, 2, 3, 0 },
	};

	for (int i = 0; i < 4; i++)
		rscm[i] = shape[at[layout][i]];
}

void layout_conv(enum import_layout layout, const float *from, const int64_t rscm[4], float *to)
{
	const int64_t R = rscm[0], S = rscm[1], C = rscm[2], M = rscm[3];

	for (int64_t r = 0; r < R; r++)
		for (int64_t s = 0; s < S; s++)
			for (int64_t c = 0; c < C; c++)
				for (int64_t m = 0; m < M; m++)
					*to++ = layout == IMPORT_OIHW ? from[((m * C + c) * R + r) * S + s] :
						layout == IMPORT_OHWI ? from[((m * R + r) * S + s) * C + c] :
						from[((r * S + s) * C + c) * M + m];
}

void layout_to_oihw(const float *from, const int64_t rscm[4], float *to)
{
	const int64_t R = rscm[0], S = rscm[1], C = rscm[2], M = rscm[3];

	for (int64_t m = 0; m < M; m++)
		for (int64_t c = 0; c < C; c++)
			for (int64_t place = 0; place < R * S; place++)
				*to++ = from[(place * C + c) * M + m];
}

void layout_transpose(const float *from, int64_t M, int64_t K, float *to)
{
	for (int64_t k = 0; k < K; k++)
		for (int64_t m = 0; m < M; m++)
			*to++ = from[m * K + k];
}

void layout_flattened(const float *from, int64_t M, int64_t K, int64_t C, float *to)
{
	for (int64_t place = 0; place < K / C; place++)
		for (int64_t c = 0; c < C; c++)
			for (int64_t m = 0; m < M; m++)
				*to++ = from[m * K + c * (K / C) + place];
}

void layout_to_flattened(const float *from, int64_t M, int64_t K, int64_t C, float *to)
{
	for (int64_t m = 0; m < M; m++)
		for (int64_t c = 0; c < C; c++)
			for (int64_t place = 0; place < K / C; place++)
				*to++ = from[(place * C + c) * M + m];
}

/* ---- positions ------------------------------------------------------------------------------ */

/* Keys' cubic convolution with a = -1/2. */
static double cubic(double x)
{
	x = fabs(x);
	if (x < 1)
		return (1.5 * x - 2.5) * x * x + 1;
	return x < 2 ? ((-.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* weight[i][j]: the share of input j in output i. */
static void weights(int64_t n, int64_t m, double *weight)
{
	double scale = (double)n / (double)m, wide = scale > 1 ? scale : 1;

	for (int64_t i = 0; i < m; i++, weight += n) {
		double centre = ((double)i + .5) * scale, sum = 0;

		for (int64_t j = 0; j < n; j++) {
			weight[j] = cubic(((double)j + .5 - centre) / wide);
			sum += weight[j];
		}
		for (int64_t j = 0; j < n; j++)
			weight[j] /= sum;
	}
}

bool layout_positions(const float *from, int64_t n, int64_t m, int64_t D, float *to)
{
	double *weight = calloc((size_t)(m * n), sizeof(*weight));
	float *rows = calloc((size_t)(m * n * D), sizeof(*rows));
	bool good = weight && rows;

	if (good) {
		weights(n, m, weight);
		memcpy(to, from, (size_t)D * sizeof(*to));
		from += D;
		to += D;
		/* rows[i][x] = sum over y of weight[i][y] from[y][x] */
		for (int64_t i = 0; i < m; i++)
			for (int64_t k = 0; k < n * D; k++) {
				double sum = 0;

				for (int64_t y = 0; y < n; y++)
					sum += weight[i * n + y] * (double)from[y * n * D + k];
				rows[i * n * D + k] = (float)sum;
			}
		for (int64_t i = 0; i < m * m; i++)
			for (int64_t d = 0; d < D; d++) {
				double sum = 0;

				for (int64_t x = 0; x < n; x++)
					sum += weight[i % m * n + x] * (double)rows[(i / m * n + x) * D + d];
				to[i * D + d] = (float)sum;
			}
	}
	free(rows);
	free(weight);
	return good;
}
