/* References of pooling and normalisation. */
#include "ref.h"

#include <math.h>
#include <stdlib.h>

/* ---- pooling ----------------------------------------------------------------------------- */

static int64_t at(const struct ref *x, int64_t b, int64_t h, int64_t w, int64_t c)
{
	return ((b * x->shape[1] + h) * x->shape[2] + w) * x->shape[3] + c;
}

/* A window clipped to x, and its number of elements with the padding (but not beyond it). */
struct box {
	int64_t h0, h1, w0, w1, padded;
};

static struct box box_of(const cg_pool_config *f, const struct ref *x, int64_t p, int64_t q)
{
	int64_t step_h = f->stride_h ? f->stride_h : f->window_h;
	int64_t step_w = f->stride_w ? f->stride_w : f->window_w;
	int64_t h = p * step_h - f->pad_top, w = q * step_w - f->pad_left;
	int64_t H = x->shape[1], W = x->shape[2];
	int64_t end_h = h + f->window_h, end_w = w + f->window_w;
	struct box box;

	end_h = end_h < H + f->pad_bottom ? end_h : H + f->pad_bottom;
	end_w = end_w < W + f->pad_right ? end_w : W + f->pad_right;
	box.padded = (end_h - h) * (end_w - w);
	box.h0 = h > 0 ? h : 0;
	box.w0 = w > 0 ? w : 0;
	box.h1 = end_h < H ? end_h : H;
	box.w1 = end_w < W ? end_w : W;
	return box;
}

static int64_t area(const struct box *box)
{
	return (box->h1 - box->h0) * (box->w1 - box->w0);
}

static void average(const struct ref *x, struct ref *y, int64_t i, const struct box *box, double n)
{
	int64_t b = i / (y->shape[1] * y->shape[2] * y->shape[3]), c = i % y->shape[3];

	for (int64_t h = box->h0; h < box->h1; h++)
		for (int64_t w = box->w0; w < box->w1; w++) {
			double v = x->v[at(x, b, h, w, c)];

			y->v[i] += v / n;
			y->mag[i] += fabs(v) / n;
		}
}

void ref_max_pool(const void *config, const struct ref *in, struct ref *y)
{
	const cg_pool_config *f = config;
	int64_t P = y->shape[1], Q = y->shape[2], C = y->shape[3];

	for (int64_t i = 0; i < y->count; i++) {
		struct box box = box_of(f, in, i / (C * Q) % P, i / C % Q);
		bool zero = f->pad_zero && area(&box) < box.padded;

		y->v[i] = zero ? 0 : -INFINITY;
		for (int64_t h = box.h0; h < box.h1; h++)
			for (int64_t w = box.w0; w < box.w1; w++)
				y->v[i] =
					fmax(y->v[i], in->v[at(in, i / (C * Q * P), h, w, i % C)]);
		y->mag[i] = fabs(y->v[i]);
	}
}

void ref_avg_pool(const void *config, const struct ref *in, struct ref *y)
{
	const cg_pool_config *f = config;
	int64_t P = y->shape[1], Q = y->shape[2], C = y->shape[3];

	for (int64_t i = 0; i < y->count; i++) {
		struct box box = box_of(f, in, i / (C * Q) % P, i / C % Q);

		average(in, y, i, &box, (double)(f->count_pad ? box.padded : area(&box)));
	}
}

/* Global average pooling too, whose y is [B,C]. */
void ref_adaptive_avg_pool(const void *config, const struct ref *in, struct ref *y)
{
	int64_t shape[4] = { y->shape[0], 1, 1, y->shape[1] };
	struct ref out = *y;

	(void)config;
	if (y->ndim == 2)
		out.shape = shape;
	for (int64_t i = 0; i < y->count; i++) {
		int64_t P = out.shape[1], Q = out.shape[2], C = out.shape[3];
		int64_t p = i / (C * Q) % P, q = i / C % Q, H = in->shape[1], W = in->shape[2];
		struct box box = { p * H / P, ((p + 1) * H + P - 1) / P, q * W / Q,
			((q + 1) * W + Q - 1) / Q, 0 };

		average(in, &out, i, &box, (double)area(&box));
	}
}

/* ---- normalisation ----------------------------------------------------------------------- */

/* Mean and biased variance of n values, `stride` apart. */
static void moments(const double *x, int64_t n, int64_t stride, double *mean, double *var)
{
	*mean = *var = 0;
	for (int64_t i = 0; i < n; i++)
		*mean += x[i * stride] / (double)n;
	for (int64_t i = 0; i < n; i++)
		*var += (x[i * stride] - *mean) * (x[i * stride] - *mean) / (double)n;
}

/* gamma (x - mean) / sd + beta; mag allows for the rounding of the mean. */
static void normalise(
	struct ref *y, int64_t i, double x, double mean, double sd, double gamma, double beta)
{
	y->v[i] = gamma * (x - mean) / sd + beta;
	y->mag[i] = fabs(gamma) * (fabs(x) + fabs(mean)) / sd + fabs(beta);
}

/* x, gamma, beta */
void ref_batch_norm(const void *config, const struct ref *in, struct ref *y)
{
	int64_t C = ref_last(y);

	for (int64_t c = 0; c < C; c++) {
		double mean, var, sd;

		moments(in[0].v + c, ref_rows(y), C, &mean, &var);
		sd = sqrt(var + ((const struct ref_norm *)config)->eps);
		for (int64_t i = c; i < y->count; i += C)
			normalise(y, i, in[0].v[i], mean, sd, in[1].v[c], in[2].v[c]);
	}
}

/* x, gamma, beta, running mean, running variance */
void ref_batch_norm_frozen(const void *config, const struct ref *in, struct ref *y)
{
	double eps = ((const struct ref_norm *)config)->eps;
	int64_t C = ref_last(y);

	for (int64_t i = 0; i < y->count; i++)
		normalise(y, i, in[0].v[i], in[3].v[i % C], sqrt(in[4].v[i % C] + eps),
			in[1].v[i % C], in[2].v[i % C]);
}

void ref_layer_norm(const void *config, const struct ref *in, struct ref *y)
{
	int64_t D = ref_last(y);

	for (int64_t row = 0; row < y->count; row += D) {
		double mean, var, sd;

		moments(in[0].v + row, D, 1, &mean, &var);
		sd = sqrt(var + ((const struct ref_norm *)config)->eps);
		for (int64_t i = 0; i < D; i++)
			normalise(y, row + i, in[0].v[row + i], mean, sd, in[1].v[i], in[2].v[i]);
	}
}

void ref_local_response_norm(const void *config, const struct ref *in, struct ref *y)
{
	const struct ref_lrn *f = config;
	int64_t C = ref_last(y);

	for (int64_t i = 0; i < y->count; i++) {
		int64_t c = i % C, from = c - f->size / 2, to = c + (f->size - 1) / 2;
		double sum = 0;

		for (int64_t j = from > 0 ? from : 0; j <= to && j < C; j++)
			sum += in->v[i - c + j] * in->v[i - c + j];
		y->v[i] = in->v[i] * pow(f->k + f->alpha / f->size * sum, -f->beta);
		y->mag[i] = fabs(y->v[i]);
	}
}

static void conv2d_of(const void *config, const struct ref *in, bool relu, struct ref *y)
{
	const struct ref *x = &in[0];
	const int64_t C = ref_last(x), n = ref_rows(x);
	double *v = malloc((size_t)x->count * sizeof(*v));
	struct ref both[2] = { *x, in[1] };

	both[0].v = v;
	for (int64_t c = 0; c < C; c++) {
		double mean, var;

		moments(x->v + c, n, C, &mean, &var);
		for (int64_t i = c; i < x->count; i += C) {
			v[i] = (x->v[i] - mean) / sqrt(var + REF_EPS) * in[2].v[c] + in[3].v[c];
			v[i] = relu && v[i] < 0 ? 0 : v[i];
		}
	}
	ref_conv2d(config, both, y);
	free(v);
}

void ref_conv2d_of_norm(const void *config, const struct ref *in, struct ref *y)
{
	conv2d_of(config, in, false, y);
}

void ref_conv2d_of_relu(const void *config, const struct ref *in, struct ref *y)
{
	conv2d_of(config, in, true, y);
}
