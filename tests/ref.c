#include "ref.h"

#include <math.h>
#include <stdlib.h>

/* ---- elementwise ------------------------------------------------------------------------- */

void ref_add(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < y->count; i++) {
		y->v[i] = in[0].v[i] + in[1].v[i];
		y->mag[i] = fabs(in[0].v[i]) + fabs(in[1].v[i]);
	}
}

void ref_mul(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < y->count; i++) {
		y->v[i] = in[0].v[i] * in[1].v[i];
		y->mag[i] = fabs(y->v[i]);
	}
}

/* config: the factor, a float */
void ref_scale(const void *config, const struct ref *in, struct ref *y)
{
	for (int64_t i = 0; i < y->count; i++) {
		y->v[i] = in[0].v[i] * (double)*(const float *)config;
		y->mag[i] = fabs(y->v[i]);
	}
}

void ref_bias(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < y->count; i++) {
		double b = in[1].v[i % in[1].count];

		y->v[i] = in[0].v[i] + b;
		y->mag[i] = fabs(in[0].v[i]) + fabs(b);
	}
}

void ref_relu(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < y->count; i++) {
		y->v[i] = fmax(in[0].v[i], 0);
		y->mag[i] = fabs(in[0].v[i]);
	}
}

void ref_gelu(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < y->count; i++) {
		double x = in[0].v[i];

		y->v[i] = x / 2 * (1 + erf(x * 0.70710678118654752));
		y->mag[i] = fabs(x);
	}
}

void ref_gelu_tanh(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < y->count; i++) {
		double x = in[0].v[i];

		y->v[i] = x / 2 * (1 + tanh(0.79788456080286536 * (x + 0.044715 * x * x * x)));
		y->mag[i] = fabs(x);
	}
}

void ref_sum(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < in[0].count; i++) {
		y->v[0] += in[0].v[i];
		y->mag[0] += fabs(in[0].v[i]);
	}
}

void ref_mean(const void *config, const struct ref *in, struct ref *y)
{
	ref_sum(config, in, y);
	y->v[0] /= (double)in[0].count;
	y->mag[0] /= (double)in[0].count;
}

/* ---- shape ------------------------------------------------------------------------------- */

static void put(struct ref *y, int64_t i, double v)
{
	y->v[i] = v;
	y->mag[i] = fabs(v);
}

/* Views: the same values in the same order. */
void ref_copy(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < y->count; i++)
		put(y, i, in[0].v[i]);
}

/* config: int order[ndim] */
void ref_transpose(const void *config, const struct ref *in, struct ref *y)
{
	const int *order = config;
	int64_t stride[CG_MAX_DIM], n = 1;

	for (int d = in[0].ndim - 1; d >= 0; d--) {
		stride[d] = n;
		n *= in[0].shape[d];
	}
	for (int64_t i = 0; i < y->count; i++) {
		int64_t rest = i, from = 0;

		for (int d = y->ndim - 1; d >= 0; d--) {
			from += rest % y->shape[d] * stride[order[d]];
			rest /= y->shape[d];
		}
		put(y, i, in[0].v[from]);
	}
}

/* Elements of the dimensions after `dim`. */
static int64_t inner(const struct ref *x, int dim)
{
	int64_t n = 1;

	for (int d = dim + 1; d < x->ndim; d++)
		n *= x->shape[d];
	return n;
}

/* config: int, the dimension */
void ref_concat(const void *config, const struct ref *in, struct ref *y)
{
	int dim = *(const int *)config;
	int64_t n = inner(&in[0], dim), A = in[0].shape[dim], Z = in[1].shape[dim];

	for (int64_t i = 0; i < y->count; i++) {
		int64_t outer = i / (n * (A + Z)), k = i / n % (A + Z), last = i % n;

		put(y, i,
			k < A ? in[0].v[(outer * A + k) * n + last]
			      : in[1].v[(outer * Z + k - A) * n + last]);
	}
}

void ref_slice(const void *config, const struct ref *in, struct ref *y)
{
	const struct ref_slice *s = config;
	int64_t n = inner(&in[0], s->dim), A = in[0].shape[s->dim];

	for (int64_t i = 0; i < y->count; i++) {
		int64_t outer = i / (n * s->count), k = i / n % s->count + s->start;

		put(y, i, in[0].v[(outer * A + k) * n + i % n]);
	}
}

void ref_repeat(const void *config, const struct ref *in, struct ref *y)
{
	(void)config;
	for (int64_t i = 0; i < y->count; i++)
		put(y, i, in[0].v[i % in[0].count]);
}

/* table, index; indices outside are clamped */
void ref_gather(const void *config, const struct ref *in, struct ref *y)
{
	int64_t N = in[0].shape[0], n = in[0].count / N;

	(void)config;
	for (int64_t i = 0; i < y->count; i++) {
		double row = fmin(fmax(in[1].v[i / n], 0), (double)(N - 1));

		put(y, i, in[0].v[(int64_t)row * n + i % n]);
	}
}

/* ---- matrices and convolutions ----------------------------------------------------------- */

void ref_matmul(const void *config, const struct ref *in, struct ref *y)
{
	int64_t K = ref_last(&in[0]), M = ref_last(&in[1]);

	(void)config;
	for (int64_t i = 0; i < y->count; i++)
		for (int64_t k = 0; k < K; k++) {
			double term = in[0].v[i / M * K + k] * in[1].v[k * M + i % M];

			y->v[i] += term;
			y->mag[i] += fabs(term);
		}
}

static double pixel(const struct ref *x, int64_t b, int64_t h, int64_t w, int64_t c)
{
	if (h < 0 || h >= x->shape[1] || w < 0 || w >= x->shape[2])
		return 0;
	return x->v[((b * x->shape[1] + h) * x->shape[2] + w) * x->shape[3] + c];
}

/* config: cg_conv_config */
void ref_conv2d(const void *config, const struct ref *in, struct ref *y)
{
	const cg_conv_config *f = config;
	const int64_t *w = in[1].shape; /* R S C/groups M */
	int64_t P = y->shape[1], Q = y->shape[2], M = y->shape[3];
	int64_t groups = f->groups ? f->groups : 1, step_h = f->stride_h ? f->stride_h : 1;
	int64_t step_w = f->stride_w ? f->stride_w : 1, terms = w[0] * w[1] * w[2];

	for (int64_t i = 0; i < y->count; i++) {
		int64_t m = i % M, q = i / M % Q, p = i / (M * Q) % P, b = i / (M * Q * P);
		int64_t first = m / (M / groups) * w[2];

		for (int64_t k = 0; k < terms; k++) {
			int64_t c = k % w[2], s = k / w[2] % w[1], r = k / (w[2] * w[1]);
			double x = pixel(&in[0], b, p * step_h - f->pad_top + r,
				q * step_w - f->pad_left + s, first + c);

			y->v[i] += x * in[1].v[k * M + m];
			y->mag[i] += fabs(x * in[1].v[k * M + m]);
		}
	}
}

/* ---- softmax, attention, loss ------------------------------------------------------------ */

/* out = softmax(in), n values; returns the largest distance to the maximum: exp's relative error
 * grows with it. */
static double softmax(const double *in, int64_t n, double *out)
{
	double top = in[0], low = in[0], sum = 0;

	for (int64_t i = 1; i < n; i++) {
		top = fmax(top, in[i]);
		low = fmin(low, in[i]);
	}
	for (int64_t i = 0; i < n; i++)
		sum += out[i] = exp(in[i] - top);
	for (int64_t i = 0; i < n; i++)
		out[i] /= sum;
	return top - low;
}

void ref_softmax(const void *config, const struct ref *in, struct ref *y)
{
	int64_t n = ref_last(y);

	(void)config;
	for (int64_t row = 0; row < y->count; row += n) {
		double range = softmax(in[0].v + row, n, y->v + row);

		for (int64_t i = row; i < row + n; i++)
			y->mag[i] = y->v[i] * (1 + range);
	}
}

/* One head of one sample: q, k, v begin at column 0, D, 2D of rows of 3D values. */
static void attend(const double *qkv, int64_t T, int64_t D, int64_t width, double *v, double *mag)
{
	double *p = malloc((size_t)T * sizeof(double));

	for (int64_t t = 0; t < T; t++) {
		double range;

		for (int64_t u = 0; u < T; u++) {
			p[u] = 0;
			for (int64_t i = 0; i < width; i++)
				p[u] += qkv[t * 3 * D + i] * qkv[u * 3 * D + D + i];
			p[u] /= sqrt((double)width);
		}
		range = softmax(p, T, p);
		for (int64_t i = 0; i < width; i++)
			for (int64_t u = 0; u < T; u++) {
				double term = p[u] * qkv[u * 3 * D + 2 * D + i];

				v[t * D + i] += term;
				mag[t * D + i] += fabs(term) * (1 + range);
			}
	}
	free(p);
}

void ref_attention(const void *config, const struct ref *in, struct ref *y)
{
	int heads = ((const struct ref_attention *)config)->heads;
	int64_t T = y->shape[1], D = y->shape[2], width = D / heads;

	for (int64_t b = 0; b < y->shape[0]; b++)
		for (int h = 0; h < heads; h++)
			attend(in[0].v + b * T * 3 * D + h * width, T, D, width,
				y->v + b * T * D + h * width, y->mag + b * T * D + h * width);
}

/* logits, target, weight if config says so */
void ref_cross_entropy(const void *config, const struct ref *in, struct ref *y)
{
	const struct ref_loss *f = config;
	int64_t n = ref_last(&in[0]), B = ref_rows(&in[0]);
	double *p = malloc((size_t)n * sizeof(double));

	for (int64_t b = 0; b < B; b++) {
		double range = softmax(in[0].v + b * n, n, p);

		for (int64_t i = 0; i < n; i++) {
			double t =
				(1 - f->smoothing) * in[1].v[b * n + i] + f->smoothing / (double)n;
			double w = f->weighted ? in[2].v[i] : 1;

			y->v[0] -= w * t * log(p[i]) / (double)B;
			y->mag[0] += fabs(w * t) * (1 + range) / (double)B;
		}
	}
	free(p);
}

static int64_t argmax(const double *v, int64_t n)
{
	int64_t best = 0;

	for (int64_t i = 1; i < n; i++)
		if (v[i] > v[best])
			best = i;
	return best;
}

void ref_correct(const void *config, const struct ref *in, struct ref *y)
{
	int64_t n = ref_last(&in[0]);

	(void)config;
	for (int64_t b = 0; b < y->count; b++)
		put(y, b, argmax(in[0].v + b * n, n) == argmax(in[1].v + b * n, n));
}
