#include "optest.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

enum { PROBES = 6 };

static const double unit = 0x1p-24; /* u: half a unit in the last place of 1 */

/* ---- one case ---------------------------------------------------------------------------- */

/* A case in the making: host copies of all inputs, the graph, and what came out of it. */
struct run {
	cg_ctx *ctx;
	const struct op_case *c;
	int inputs;
	cg_array *array[OPTEST_INPUTS], *dy_array;
	float *x[OPTEST_INPUTS]; /* integers too */
	float *dx[OPTEST_INPUTS]; /* NULL where no gradient is asked for */
	float *v[OPTEST_INPUTS]; /* the random direction, +-1 */
	double *wide[OPTEST_INPUTS]; /* x for the reference */
	int64_t n[OPTEST_INPUTS];
	float *y, *dy;
	int64_t y_count;
	cg_graph *graph;
	cg_tensor *out[OPTEST_INPUTS + 1];
	int outs;
	cg_plan *plan;
};

static cg_dtype dtype_of(const struct op_input *in)
{
	return in->fill == INDEX ? CG_INT32 : in->fill == BYTES ? CG_UINT8 : CG_FLOAT32;
}

static cg_status upload(struct run *r, int i, const float *values)
{
	cg_dtype type = dtype_of(&r->c->in[i]);
	size_t bytes = (size_t)r->n[i] * cg_dtype_size(type);
	void *host = malloc(bytes);
	cg_status status;

	if (!host)
		return CG_ERR_HOST_MEMORY;
	for (int64_t k = 0; k < r->n[i]; k++)
		if (type == CG_INT32)
			((int32_t *)host)[k] = (int32_t)values[k];
		else if (type == CG_UINT8)
			((uint8_t *)host)[k] = (uint8_t)values[k];
		else
			((float *)host)[k] = values[k];
	status = cg_array_write(r->array[i], host, bytes);
	free(host);
	return status;
}

static bool wants_grad(const struct run *r, int i)
{
	return !r->c->no_grad && !r->c->in[i].fixed && dtype_of(&r->c->in[i]) == CG_FLOAT32;
}

static void make_input(struct run *r, int i, struct optest_rng *rng)
{
	const struct op_input *in = &r->c->in[i];
	size_t n = (size_t)optest_count(in);
	char name[16];

	snprintf(name, sizeof(name), "in%d", i);
	r->n[i] = (int64_t)n;
	r->array[i] = cg_array_new(r->ctx, name, dtype_of(in), optest_ndim(in), in->shape);
	r->x[i] = calloc(n, sizeof(float));
	r->wide[i] = calloc(n, sizeof(double));
	r->v[i] = calloc(n, sizeof(float));
	r->dx[i] = wants_grad(r, i) ? calloc(n, sizeof(float)) : NULL;
	optest_fill(rng, in, r->x[i]);
	for (size_t k = 0; k < n; k++)
		r->v[i][k] = optest_uniform(rng) < .5 ? -1 : 1;
	if (r->array[i])
		upload(r, i, r->x[i]);
}

static bool begin(struct run *r, cg_ctx *ctx, const struct op_case *c)
{
	struct optest_rng rng = { 1 };

	*r = (struct run){ .ctx = ctx, .c = c };
	for (const char *p = c->name; *p; p++)
		rng.state = rng.state * 31 + (unsigned char)*p;
	while (r->inputs < OPTEST_INPUTS && c->in[r->inputs].shape[0] > 0)
		make_input(r, r->inputs++, &rng);
	return cg_error_status(ctx) == CG_OK;
}

static void drop_graph(struct run *r)
{
	cg_plan_free(r->plan);
	cg_graph_free(r->graph);
	r->plan = NULL;
	r->graph = NULL;
}

static void end(struct run *r)
{
	drop_graph(r);
	for (int i = 0; i < r->inputs; i++) {
		cg_array_free(r->array[i]);
		free(r->x[i]);
		free(r->wide[i]);
		free(r->v[i]);
		free(r->dx[i]);
	}
	cg_array_free(r->dy_array);
	free(r->y);
	free(r->dy);
}

static cg_tensor *describe(struct run *r)
{
	cg_tensor *in[OPTEST_INPUTS] = { NULL };

	r->graph = cg_graph_new(r->ctx, r->c->infer ? CG_INFER : CG_TRAIN);
	cg_graph_set_step(r->graph, 7, 3);
	for (int i = 0; i < r->inputs; i++) {
		in[i] = cg_use(r->graph, r->array[i]);
		if (in[i] && wants_grad(r, i))
			cg_want_grad(in[i]);
	}
	return r->c->build(in, r->c->config);
}

/* An upstream gradient of the shape of y, once. */
static void make_dy(struct run *r, const cg_tensor *y)
{
	struct optest_rng rng = { 99 };
	size_t n = (size_t)cg_tensor_count(y);

	if (r->dy)
		return;
	r->dy = calloc(n, sizeof(float));
	r->y = calloc(n, sizeof(float));
	r->y_count = (int64_t)n;
	for (size_t i = 0; i < n; i++)
		r->dy[i] = (float)optest_normal(&rng);
	r->dy_array = cg_array_new(r->ctx, "dy", CG_FLOAT32, cg_tensor_ndim(y), cg_tensor_shape(y));
	if (r->dy_array)
		cg_array_write(r->dy_array, r->dy, n * sizeof(float));
}

/* The graph of y, with the gradients of the inputs if `backward`. */
static bool compile(struct run *r, bool backward)
{
	cg_tensor *y = describe(r);

	if (!y)
		return false;
	make_dy(r, y);
	r->out[0] = y;
	r->outs = 1;
	if (backward && cg_backward_from(y, cg_use(r->graph, r->dy_array), NULL) != CG_OK)
		return false;
	for (int i = 0; backward && i < r->inputs; i++) {
		cg_tensor *dx = cg_grad(cg_use(r->graph, r->array[i]));

		if (wants_grad(r, i) && !dx) {
			diag("%s: input %d has no gradient", r->c->name, i);
			return false;
		}
		if (wants_grad(r, i))
			r->out[r->outs++] = dx;
	}
	r->plan = cg_plan_new(r->graph, r->out, r->outs);
	return r->plan != NULL;
}

static bool run_plan(struct run *r)
{
	int k = 1;

	if (cg_plan_run(r->plan) != CG_OK)
		return false;
	cg_plan_read(r->plan, r->out[0], r->y, (size_t)r->y_count * sizeof(float));
	for (int i = 0; i < r->inputs && k < r->outs; i++)
		if (wants_grad(r, i))
			cg_plan_read(
				r->plan, r->out[k++], r->dx[i], (size_t)r->n[i] * sizeof(float));
	return cg_error_status(r->ctx) == CG_OK;
}

/* ---- checks ------------------------------------------------------------------------------ */

static double factor(const struct op_case *c)
{
	return (c->c > 0 ? c->c : 4) * sqrt(c->K > 0 ? c->K : 1) * unit;
}

/* Once it is NaN it stays so. */
static bool worse(double e, double worst)
{
	return !(e <= worst) && !isnan(worst);
}

/* y and mag of the reference at x + step v; the caller frees both. */
static struct ref reference(struct run *r, double step, int only, int64_t element)
{
	struct ref in[OPTEST_INPUTS] = { { 0 } }, y = { 0 };

	for (int i = 0; i < r->inputs; i++) {
		const struct op_input *spec = &r->c->in[i];

		in[i] = (struct ref){ optest_ndim(spec), spec->shape, r->n[i], r->wide[i], NULL };
		for (int64_t k = 0; k < r->n[i]; k++)
			r->wide[i][k] = (double)r->x[i][k];
		for (int64_t k = 0; only < 0 && wants_grad(r, i) && k < r->n[i]; k++)
			r->wide[i][k] += step * (double)r->v[i][k];
		if (only == i)
			r->wide[i][element] += step;
	}
	y.ndim = cg_tensor_ndim(r->out[0]);
	y.shape = cg_tensor_shape(r->out[0]);
	y.count = r->y_count;
	y.v = calloc((size_t)y.count, sizeof(double));
	y.mag = calloc((size_t)y.count, sizeof(double));
	r->c->ref(r->c->config, in, &y);
	return y;
}

static void free_ref(struct ref *y)
{
	free(y->v);
	free(y->mag);
}

static void check_forward(struct run *r, const char *when)
{
	struct ref want = reference(r, 0, -1, 0);
	double worst = 0, bound = factor(r->c);
	int64_t at = 0;

	for (int64_t i = 0; i < r->y_count; i++) {
		double e = fabs((double)r->y[i] - want.v[i]) / (bound * want.mag[i] + FLT_MIN);

		if (worse(e, worst)) {
			worst = e;
			at = i;
		}
	}
	if (!ok(worst <= 1, "%s: forward%s, %.2g of the bound", r->c->name, when, worst))
		diag("y[%lld] = %.9g, want %.9g", (long long)at, (double)r->y[at], want.v[at]);
	free_ref(&want);
}

/* Sum of dy (y(+) - y(-)) / 2 step, and of its absolute values. */
static double difference(struct run *r, double step, int only, int64_t element, double *mag)
{
	struct ref up = reference(r, step, only, element);
	struct ref down = reference(r, -step, only, element);
	double sum = 0;

	*mag = 0;
	for (int64_t i = 0; i < r->y_count; i++) {
		double term = (double)r->dy[i] * (up.v[i] - down.v[i]) / (2 * step);

		sum += term;
		*mag += fabs(term);
	}
	free_ref(&up);
	free_ref(&down);
	return sum;
}

static double dot_grad(const struct run *r, double *mag)
{
	double sum = 0;

	*mag = 0;
	for (int i = 0; i < r->inputs; i++)
		for (int64_t k = 0; r->dx[i] && k < r->n[i]; k++) {
			sum += (double)r->dx[i][k] * (double)r->v[i][k];
			*mag += fabs((double)r->dx[i][k]);
		}
	return sum;
}

static double largest(const float *x, int64_t n)
{
	double m = 0;

	for (int64_t i = 0; i < n; i++)
		m = worse_of(m, fabs((double)x[i]));
	return m;
}

/* Single elements of input i: the first, the last and some between. */
static void probe(struct run *r, int i, struct optest_rng *rng)
{
	double top = largest(r->dx[i], r->n[i]), worst = 0, want_worst = 0;
	int64_t at = 0;

	for (int p = 0; p < PROBES && p < r->n[i]; p++) {
		int64_t k = p == 0 ? 0
			: p == 1   ? r->n[i] - 1
				   : (int64_t)(optest_uniform(rng) * (double)r->n[i]);
		double mag, want = difference(r, 1e-5, i, k, &mag);
		double bound = factor(r->c) * (mag + top) + 1e-8 * mag + FLT_MIN;
		double e = fabs(want - (double)r->dx[i][k]) / bound;

		if (worse(e, worst)) {
			worst = e;
			at = k;
			want_worst = want;
		}
	}
	if (!ok(worst <= 1, "%s: d in%d by element, %.2g of the bound", r->c->name, i, worst))
		diag("dx[%lld] = %.9g, want %.9g", (long long)at, (double)r->dx[i][at], want_worst);
}

static void check_grad_by_reference(struct run *r)
{
	struct optest_rng rng = { 5 };
	double mag_j, mag_g;
	double want = difference(r, 1e-5, -1, 0, &mag_j), got = dot_grad(r, &mag_g);
	double bound = factor(r->c) * (mag_j + mag_g) + 1e-8 * mag_j + FLT_MIN;

	ok(fabs(want - got) <= bound, "%s: gradient, <dy, Jv> %.7g, <J'dy, v> %.7g, bound %.2g",
		r->c->name, want, got, bound);
	for (int i = 0; i < r->inputs; i++)
		if (r->dx[i])
			probe(r, i, &rng);
}

/* <dy, y(x + step v)> of the operation itself, and how large its rounding error may be. */
static double shifted(struct run *r, double step, double *noise)
{
	double sum = 0, square = 0;

	for (int i = 0; i < r->inputs; i++) {
		float *moved = malloc((size_t)r->n[i] * sizeof(float));

		for (int64_t k = 0; k < r->n[i]; k++)
			moved[k] = r->x[i][k] + (r->dx[i] ? (float)step * r->v[i][k] : 0);
		upload(r, i, moved);
		free(moved);
	}
	cg_plan_run(r->plan);
	cg_plan_read(r->plan, r->out[0], r->y, (size_t)r->y_count * sizeof(float));
	for (int64_t i = 0; i < r->y_count; i++) {
		double term = (double)r->dy[i] * (double)r->y[i];

		sum += term;
		square += term * term;
	}
	*noise += factor(r->c) * sqrt(square);
	return sum;
}

/* Central differences with steps h and 2h of the operation itself, joined to fourth order
 * (Richardson). */
static void check_grad_by_itself(struct run *r)
{
	const double h = 1. / 64;
	double mag, noise = 0, got = dot_grad(r, &mag);
	double near = (shifted(r, h, &noise) - shifted(r, -h, &noise)) / (2 * h);
	double far = (shifted(r, 2 * h, &noise) - shifted(r, -2 * h, &noise)) / (4 * h);
	double want = (4 * near - far) / 3;
	double bound = noise / h + .1 * fabs(near - far) + factor(r->c) * mag;

	for (int i = 0; i < r->inputs; i++)
		upload(r, i, r->x[i]);
	ok(fabs(want - got) <= bound, "%s: gradient, <dy, Jv> %.6g, <J'dy, v> %.6g, bound %.2g",
		r->c->name, want, got, bound);
}

/* <dy, A x> = <A'dy, x>: of all inputs together, or of each. */
static void check_adjoint(struct run *r)
{
	double left = 0, left_mag = 0, right = 0, right_mag = 0;
	bool good = true;

	for (int64_t i = 0; i < r->y_count; i++) {
		left += (double)r->dy[i] * (double)r->y[i];
		left_mag += fabs((double)r->dy[i] * (double)r->y[i]);
	}
	for (int i = 0; i < r->inputs; i++) {
		for (int64_t k = 0; r->dx[i] && k < r->n[i]; k++) {
			right += (double)r->dx[i][k] * (double)r->x[i][k];
			right_mag += fabs((double)r->dx[i][k] * (double)r->x[i][k]);
		}
		if (r->c->linear == EACH && r->dx[i]) {
			good &= fabs(left - right) <= factor(r->c) * (left_mag + right_mag);
			right = right_mag = 0;
		}
	}
	if (r->c->linear == JOINTLY)
		good = fabs(left - right) <= factor(r->c) * (left_mag + right_mag);
	ok(good, "%s: adjoint, <dy, Ax> = <A'dy, x>", r->c->name);
}

static void check_replay(struct run *r)
{
	size_t bytes = (size_t)r->y_count * sizeof(float);
	float *y = malloc(bytes), *dx[OPTEST_INPUTS] = { NULL };
	bool same = true;

	memcpy(y, r->y, bytes);
	for (int i = 0; i < r->inputs; i++)
		if (r->dx[i]) {
			dx[i] = malloc((size_t)r->n[i] * sizeof(float));
			memcpy(dx[i], r->dx[i], (size_t)r->n[i] * sizeof(float));
		}
	same = run_plan(r) && memcmp(y, r->y, bytes) == 0;
	for (int i = 0; i < r->inputs; i++)
		if (dx[i]) {
			same &= memcmp(dx[i], r->dx[i], (size_t)r->n[i] * sizeof(float)) == 0;
			free(dx[i]);
		}
	free(y);
	ok(same, "%s: replay gives the same bits", r->c->name);
}

static void fail(struct run *r, const char *what)
{
	ok(false, "%s: %s", r->c->name, what);
	diag("%s", cg_error(r->ctx));
	cg_clear_error(r->ctx);
}

void optest_case(cg_ctx *ctx, const struct op_case *c)
{
	struct run r;

	if (!begin(&r, ctx, c) || !compile(&r, false) || !run_plan(&r)) {
		fail(&r, "forward runs");
		end(&r);
		return;
	}
	if (c->ref)
		check_forward(&r, "");
	if (c->no_grad) {
		check_replay(&r);
		end(&r);
		return;
	}
	drop_graph(&r);
	if (!compile(&r, true) || !run_plan(&r)) {
		fail(&r, "backward runs");
		end(&r);
		return;
	}
	if (c->ref)
		check_forward(&r, " in training");
	if (c->linear)
		check_adjoint(&r);
	check_replay(&r);
	if (c->ref)
		check_grad_by_reference(&r);
	else
		check_grad_by_itself(&r);
	if (cg_error_status(ctx) != CG_OK)
		fail(&r, "no error");
	end(&r);
}
