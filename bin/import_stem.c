/*
 * What came treats a pixel of channel c as
 *
 *	y_c = gamma_c (in_c - mean_c) / sqrt(var_c + eps) + beta_c	(with a norm of the input; else y_c = in_c)
 *	in_c = a_c x + b_c
 *
 * where x is what our model makes of a pixel and in_c what the origin does. a and b go into mean and
 * var, or into weight and bias. With one channel instead of three, y_c = k_c (x - z_c) becomes
 * k (x - z) with the mean k and z, the weights' sum carries the shares k_c / k, and what the zero
 * points differ by is constant: it is taken off the mean of the norm that follows. (Within the
 * padding of the first convolution that constant is not quite it: 3 pixels at the border of Gluon's
 * ResNet.)
 */
#include "import_stem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum { RGB = 3 };
static const double eps = 1e-5; /* of input_norm */

void import_stem_find(struct import_stem *s, const struct network *n)
{
	static const char *const names[] = { "input_norm.gamma", "input_norm.beta",
					     "input_norm.running_mean", "input_norm.running_var" };
	char name[128];

	*s = (struct import_stem){ .network = n };
	for (int i = 0; i < cg_params_count(n->params) && !s->weight; i++)
		if (cg_array_ndim(cg_params_at(n->params, i)) == 4)
			s->weight = cg_params_at(n->params, i);
	s->part[STEM_WEIGHT] = s->weight;
	for (int i = 0; i < STEM_WEIGHT; i++)
		s->part[i] = cg_params_find(n->params, names[i]);
	if (!s->weight)
		return;
	snprintf(name, sizeof(name), "%s", cg_array_name(s->weight));
	strcpy(strrchr(name, '.'), ".bias");
	s->bias = cg_params_find(n->params, name);
}

void import_stem_free(struct import_stem *s)
{
	for (int i = 0; i < STEM_PARTS; i++)
		free(s->value[i]);
}

static int part_of(const struct import_stem *s, const cg_array *a)
{
	for (int i = 0; i < STEM_PARTS; i++)
		if (s->part[i] == a)
			return i;
	return -1;
}

bool import_stem_has(const struct import_stem *s, const cg_array *a)
{
	return part_of(s, a) >= 0;
}

void import_stem_take(struct import_stem *s, const cg_array *a, float *value, int64_t count)
{
	int i = part_of(s, a);
	const int64_t *shape = cg_array_shape(s->weight);

	s->value[i] = value;
	s->channels = i == STEM_WEIGHT ? count / (shape[0] * shape[1] * shape[3]) : count;
}

/* ---- arithmetic ---------------------------------------------------------------------------- */

/* in_c = a[c] x + b[c] */
struct line {
	double a[RGB], b[RGB];
};

static struct line input_of(const struct model *m, const struct import_origin *o)
{
	struct line l = { { 1, 1, 1 }, { 0, 0, 0 } };

	for (int c = 0; c < RGB && o && o->sd[0] > 0; c++) {
		l.a[c] = (double)m->sd / 255 / (double)o->sd[c];
		l.b[c] = ((double)m->mean / 255 - (double)o->mean[c]) / (double)o->sd[c];
	}
	return l;
}

/* y_c = k[c] (x - z[c]) with a norm of the input. */
static void slopes(const struct import_stem *s, const struct line *l, double k[RGB], double z[RGB])
{
	for (int64_t c = 0; c < s->channels; c++) {
		double root = sqrt((double)s->value[STEM_VAR][c] + eps);

		k[c] = (double)s->value[STEM_GAMMA][c] * l->a[c] / root;
		z[c] = ((double)s->value[STEM_MEAN][c] - l->b[c]) / l->a[c] -
		       (double)s->value[STEM_BETA][c] / k[c];
	}
}

/* Adds x [n] to a parameter. */
static cg_status add_to(cg_array *p, const double *x)
{
	int64_t n = cg_array_count(p);
	float *value = malloc((size_t)n * sizeof(*value));
	cg_status status = value ? cg_array_read(p, value, (size_t)n * sizeof(*value)) :
				   CG_ERR_HOST_MEMORY;

	for (int64_t i = 0; status == CG_OK && i < n; i++)
		value[i] = (float)((double)value[i] + x[i]);
	if (status == CG_OK)
		status = cg_array_write(p, value, (size_t)n * sizeof(*value));
	free(value);
	return status;
}

/* sum[m] = sum over r, s, c of weight[r,s,c,m] factor[c] */
static void sum_weights(const struct import_stem *s, const double *factor, double *sum)
{
	const int64_t *shape = cg_array_shape(s->weight);
	const float *w = s->value[STEM_WEIGHT];

	for (int64_t i = 0; i < shape[0] * shape[1] * s->channels; i++)
		for (int64_t m = 0; m < shape[3]; m++)
			sum[m] += (double)*w++ * factor[i % s->channels];
}

/* weight[r,s,c,m] factor[c], summed to one channel or spread over three where ours has so many. */
static cg_status write_weight(struct import_stem *s, const double *factor)
{
	const int64_t *shape = cg_array_shape(s->weight);
	int64_t C = shape[2], M = shape[3], n = cg_array_count(s->weight);
	float *w = calloc((size_t)n, sizeof(*w)), *from = s->value[STEM_WEIGHT];
	cg_status status = CG_ERR_HOST_MEMORY;

	for (int64_t i = 0; w && i < shape[0] * shape[1]; i++)
		for (int64_t m = 0; m < M; m++) {
			double sum = 0;

			for (int64_t c = 0; c < s->channels; c++) {
				double x = (double)from[(i * s->channels + c) * M + m] * factor[c];

				sum += x;
				if (s->channels == C)
					w[(i * C + c) * M + m] = (float)x;
			}
			for (int64_t c = 0; c < C && s->channels != C; c++)
				w[(i * C + c) * M + m] = (float)(sum / (double)C);
		}
	if (w)
		status = cg_array_write(s->weight, w, (size_t)n * sizeof(*w));
	free(w);
	return status;
}

/* ---- the two kinds of first layer ------------------------------------------------------------- */

static cg_status write_conv(struct import_stem *s, const struct line *l)
{
	double *sum = calloc((size_t)cg_array_shape(s->weight)[3], sizeof(*sum));
	cg_status status = sum ? write_weight(s, l->a) : CG_ERR_HOST_MEMORY;

	if (status == CG_OK && s->bias) {
		sum_weights(s, l->b, sum);
		status = add_to(s->bias, sum);
	}
	free(sum);
	return status;
}

static cg_status write_norm(struct import_stem *s, const float *gamma, const float *beta,
			    const double *mean, const double *var)
{
	int64_t C = cg_array_count(s->part[STEM_MEAN]);
	float value[STEM_WEIGHT][RGB];
	cg_status status = CG_OK;

	for (int64_t c = 0; c < C; c++) {
		int64_t from = s->channels == C ? c : 0;

		value[STEM_GAMMA][c] = gamma[from];
		value[STEM_BETA][c] = beta[from];
		value[STEM_MEAN][c] = (float)mean[from];
		value[STEM_VAR][c] = (float)var[from];
	}
	for (int i = 0; i < STEM_WEIGHT && status == CG_OK; i++)
		status = cg_array_write(s->part[i], value[i], (size_t)C * sizeof(float));
	return status;
}

/* As many channels as came, or three of one. */
static cg_status keep_norm(struct import_stem *s, const struct line *l)
{
	const double one[RGB] = { 1, 1, 1 };
	double mean[RGB], var[RGB];
	cg_status status;

	for (int64_t c = 0; c < s->channels; c++) {
		mean[c] = ((double)s->value[STEM_MEAN][c] - l->b[c]) / l->a[c];
		var[c] = ((double)s->value[STEM_VAR][c] + eps) / (l->a[c] * l->a[c]) - eps;
	}
	status = write_norm(s, s->value[STEM_GAMMA], s->value[STEM_BETA], mean, var);
	return status == CG_OK ? write_weight(s, one) : status;
}

/* One channel of three. */
static cg_status join_norm(struct import_stem *s, const struct line *l)
{
	const float gamma = 1, beta = 0;
	cg_array *next = cg_params_find(s->network->params, "stem_norm.running_mean");
	double k[RGB], z[RGB], mean_k = 0, mean_z = 0, share[RGB], shift[RGB], var;
	double *sum = calloc((size_t)cg_array_shape(s->weight)[3], sizeof(*sum));
	cg_status status = CG_ERR_HOST_MEMORY;

	slopes(s, l, k, z);
	for (int c = 0; c < RGB; c++) {
		mean_k += k[c] / RGB;
		mean_z += k[c] * z[c];
	}
	mean_z /= RGB * mean_k;
	var = 1 / (mean_k * mean_k) - eps;
	for (int c = 0; c < RGB; c++) {
		share[c] = k[c] / mean_k;
		shift[c] = -k[c] * (mean_z - z[c]);
	}
	if (sum)
		status = write_norm(s, &gamma, &beta, &mean_z, &var);
	if (status == CG_OK)
		status = write_weight(s, share);
	if (status == CG_OK && next) {
		sum_weights(s, shift, sum);
		status = add_to(next, sum);
	}
	free(sum);
	return status;
}

int import_stem_write(struct import_stem *s, const struct cli *c, const struct import_origin *origin)
{
	struct line l = input_of(s->network->model, origin);
	bool norm = s->part[STEM_MEAN] != NULL, shifts = !norm && (l.b[0] != 0);
	cg_status status;

	if (!s->value[STEM_WEIGHT])
		return -1;
	for (int i = 0; i < STEM_WEIGHT && norm; i++)
		if (!s->value[i])
			return cli_fail(c, CLI_CHECKPOINT, "%s is missing", cg_array_name(s->part[i]));
	if (shifts && !s->bias)
		return cli_fail(c, CLI_CHECKPOINT, "the normalisation of %s cannot be folded: the first "
				"convolution has no bias", origin->name);
	if (!norm)
		status = write_conv(s, &l);
	else if (s->channels == RGB && cg_array_count(s->part[STEM_MEAN]) == 1)
		status = join_norm(s, &l);
	else
		status = keep_norm(s, &l);
	return status == CG_OK ? -1 : engine_fail(c, s->network->ctx, "first layer");
}
