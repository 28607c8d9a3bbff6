/*
 * explain_map.c: the arithmetic of maps, on the host.
 */
#include "explain.h"

#include <math.h>
#include <string.h>

/* A [T,T]: the mean over the heads of softmax(q k' / sqrt(D/N)); row[i]: qkv of token i. */
static void mean_attention(
	const float *qkv, int64_t T, int64_t D, int heads, double *A, double *row)
{
	int64_t d = D / heads;
	double scale = 1 / sqrt((double)d);

	memset(A, 0, (size_t)(T * T) * sizeof(*A));
	for (int64_t i = 0; i < T * heads; i++) {
		int64_t t = i / heads, head = i % heads;
		const float *q = qkv + t * 3 * D + head * d;
		double greatest = -INFINITY, sum = 0;

		for (int64_t j = 0; j < T; j++) {
			const float *k = qkv + j * 3 * D + D + head * d;

			row[j] = 0;
			for (int64_t x = 0; x < d; x++)
				row[j] += (double)q[x] * (double)k[x];
			row[j] *= scale;
			greatest = fmax(greatest, row[j]);
		}
		for (int64_t j = 0; j < T; j++)
			sum += row[j] = exp(row[j] - greatest);
		for (int64_t j = 0; j < T; j++)
			A[t * T + j] += row[j] / sum / heads;
	}
}

/* From the last layer to the first, one row times a matrix each: r S_L ... S_1. */
void explain_rollout(const float *const *qkv, int layers, int64_t T, int64_t D, int heads,
	int64_t token, double *out, double *room)
{
	double *A = room, *next = room + T * T;

	for (int64_t j = 0; j < T; j++)
		out[j] = j == token;
	for (int l = layers - 1; l >= 0; l--) {
		mean_attention(qkv[l], T, D, heads, A, next);
		for (int64_t j = 0; j < T; j++) {
			next[j] = out[j] / 2;
			for (int64_t i = 0; i < T; i++)
				next[j] += out[i] * A[i * T + j] / 2;
		}
		memcpy(out, next, (size_t)T * sizeof(*out));
	}
}

void explain_gradcam(const float *A, const float *dA, int64_t cells, int64_t M, float *map)
{
	for (int64_t i = 0; i < cells; i++)
		map[i] = 0;
	for (int64_t m = 0; m < M; m++) {
		double weight = 0;

		for (int64_t i = 0; i < cells; i++)
			weight += (double)dA[i * M + m];
		weight /= (double)cells;
		for (int64_t i = 0; i < cells; i++)
			map[i] += (float)(weight * (double)A[i * M + m]);
	}
	for (int64_t i = 0; i < cells; i++)
		map[i] = fmaxf(0, map[i]);
}

/* Where pixel i of n lies between m cells: the lower one, and how far it is to the next. */
static int64_t between(int64_t i, int64_t n, int64_t m, double *part)
{
	double at = ((double)i + .5) * (double)m / (double)n - .5;

	at = fmin(fmax(at, 0), (double)(m - 1));
	*part = at - floor(at);
	return (int64_t)at;
}

void explain_enlarge(const float *map, int64_t h, int64_t w, float *out, int64_t H, int64_t W)
{
	double greatest = 0;

	for (int64_t i = 0; i < h * w; i++)
		greatest = fmax(greatest, (double)map[i]);
	greatest = greatest > 0 ? greatest : 1;
	for (int64_t y = 0; y < H; y++)
		for (int64_t x = 0; x < W; x++) {
			double a, b;
			int64_t i = between(y, H, h, &a), j = between(x, W, w, &b);
			const float *up = map + i * w + j, *low = up + (i + 1 < h ? w : 0);
			int right = j + 1 < w;
			double top = (1 - b) * (double)up[0] + b * (double)up[right];
			double bottom = (1 - b) * (double)low[0] + b * (double)low[right];

			*out++ = (float)(((1 - a) * top + a * bottom) / greatest);
		}
}
