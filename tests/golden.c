#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static double worst;

cg_file *golden_open(cg_ctx *ctx, const char *file)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/golden/%s", srcdir ? srcdir : ".", file);
	return cg_file_open(ctx, path);
}

/* splitmix64 of a counter that begins at the FNV-1a hash of the name */
double golden_uniform(const char *name, int64_t i)
{
	uint64_t z = 14695981039346656037u;

	for (; *name; name++)
		z = (z ^ (unsigned char)*name) * 1099511628211u;
	z += (uint64_t)(i + 1) * 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	z ^= z >> 31;
	return ((double)(z >> 40) + .5) * 0x1p-23 - 1;
}

static bool ends_in(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n >= m && !strcmp(name + n - m, end);
}

void golden_initial(const char *name, int ndim, const int64_t *shape, float *value)
{
	bool scale = ends_in(name, "gamma") || ends_in(name, "running_var");
	double range = .1, centre = 0;
	int64_t fan_in = 1;

	for (int i = 0; i < ndim - 1; i++)
		fan_in *= shape[i];
	if (ndim > 1) {
		range = sqrt(6. / (double)fan_in);
	} else if (scale) {
		range = .2;
		centre = 1;
	}
	for (int64_t i = 0; i < fan_in * shape[ndim - 1]; i++)
		value[i] = (float)(centre + range * golden_uniform(name, i));
}

cg_status golden_init_params(cg_params *p)
{
	cg_status status = cg_params_init(p, 1);

	for (int i = 0; i < cg_params_count(p) && status == CG_OK; i++) {
		cg_array *a = cg_params_at(p, i);
		size_t bytes = (size_t)cg_array_count(a) * sizeof(float);
		float *value = malloc(bytes);

		if (!value)
			return CG_ERR_HOST_MEMORY;
		golden_initial(cg_array_name(a), cg_array_ndim(a), cg_array_shape(a), value);
		status = cg_array_write(a, value, bytes);
		free(value);
	}
	return status;
}

static int64_t count_of(const cg_file *f, int i)
{
	int64_t shape[CG_MAX_DIM], n = 1;
	int ndim = cg_file_shape(f, i, shape);

	for (int k = 0; k < ndim; k++)
		n *= shape[k];
	return n;
}

float *golden_read(cg_file *f, const char *name, int64_t count)
{
	int i = cg_file_find(f, name);
	size_t bytes = (size_t)count * sizeof(float);
	float *value;

	if (i < 0 || count_of(f, i) != count) {
		ok(false, "%s: %s", name,
			i < 0 ? "not in the fixture" : "of another size than in the fixture");
		return NULL;
	}
	value = malloc(bytes);
	if (value && cg_file_read(f, i, value, bytes) == CG_OK)
		return value;
	ok(false, "%s: cannot be read from the fixture", name);
	free(value);
	return NULL;
}

static bool filtered;

void golden_allow_filtering(bool allow)
{
	filtered = allow;
}

static double tolerance(cg_file *f, const char *prefix, const char *name)
{
	const char *text =
		cg_file_meta(f, *prefix ? (filtered ? "full_kinks" : "full_floor") : "small_floor");
	char error_name[128];
	double result, chance = 0;
	float *error;

	if (text && !strncmp(name, "grad/", 5))
		chance = GOLDEN_CHANCE * atof(text);
	snprintf(error_name, sizeof(error_name), "%serror/%s", prefix, name);
	error = golden_read(f, error_name, 1);
	result = fmax((filtered ? GOLDEN_FILTERED : GOLDEN_FACTOR) *
			fmax(error ? (double)*error : 0, GOLDEN_FLOOR), chance);
	free(error);
	return result;
}

static bool judge(const char *name, double distance, double allowed)
{
	worst = worse_of(worst, distance / allowed);
	return ok(distance <= allowed, "%s: error %.1e of %.1e", name, distance, allowed);
}

bool golden_compare(cg_file *f, const char *name, const float *value, int64_t count)
{
	float *golden = golden_read(f, name, count);
	double distance = 0, norm = 0;

	if (!golden)
		return false;
	for (int64_t i = 0; i < count; i++) {
		double d = (double)value[i] - (double)golden[i];

		distance += d * d;
		norm += (double)golden[i] * (double)golden[i];
	}
	free(golden);
	return judge(name, sqrt(distance / norm), tolerance(f, "", name));
}

/* A difference of norm e in no particular direction changes the dot product with numbers of
 * variance 1/3 by about e / sqrt 3: allowed is three times that. */
bool golden_compare_digest(cg_file *f, const char *name, const float *value, int64_t count)
{
	char full[128], dot_name[128];
	double norm = 0, dot = 0, norm_error, dot_error;
	float *golden;

	snprintf(full, sizeof(full), "full/%s", name);
	snprintf(dot_name, sizeof(dot_name), "dot %s", name);
	golden = golden_read(f, full, 2);
	if (!golden)
		return false;
	for (int64_t i = 0; i < count; i++) {
		norm += (double)value[i] * (double)value[i];
		dot += (double)value[i] * golden_uniform(dot_name, i);
	}
	norm_error = fabs(sqrt(norm) - (double)golden[0]) / (double)golden[0];
	dot_error = fabs(dot - (double)golden[1]) / (double)golden[0] / sqrt(3);
	free(golden);
	return judge(full, worse_of(norm_error, dot_error), tolerance(f, "full/", name));
}

double golden_worst(void)
{
	return worst;
}
