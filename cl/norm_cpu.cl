/*
 * Batch norms in the kernels that come before them: frozen ones of what a tile holds, and the statistics
 * of what an item writes; in a convolution's gradient, the sums that the gradient of the norm before that
 * convolution needs. A part of tile_cpu.cl.
 */
#include "moments.cl"

/*
 * A frozen batch norm of sum + bias, as NORM_ARGS of a kernel: gamma (sum + bias - mean) / sqrt(var + eps) + beta.
 * gamma 0: there is none. `table` holds 2 NR floats for each work-item. `part`, if any, gets moments of the result; or,
 * where the result is dy of a norm of g_x, sums over dy and dy (g_x - mean), for g_stats, of those whose norm is above
 * zero if there is a g_gamma.
 */
#define NORM_ARGS \
	__global const float *restrict mean, __global const float *restrict var, \
		__global const float *restrict gamma, __global const float *restrict beta, \
		float eps, __global float *restrict table, __global float *restrict part, \
		__global const float *restrict g_x, __global const float *restrict g_stats, \
		__global const float *restrict g_gamma, __global const float *restrict g_beta
#define NORM { mean, var, gamma, beta, eps, table }
struct norm {
	__global const float *mean, *var, *gamma, *beta;
	float eps;
	__global float *table;
};

/* Of n columns from c on: what the sum is multiplied by, and what is then added. */
static inline vfloat norm_factor(struct norm f, int c, int n)
{
	return cg_load(f.gamma + c, n) * (1 / sqrt(cg_load_or(f.var + c, n, 1) + f.eps));
}

static inline vfloat norm_summand(struct norm f, vfloat bias, vfloat factor, int c, int n)
{
	return cg_load(f.beta + c, n) + (bias - cg_load(f.mean + c, n)) * factor;
}

/* The bias of a panel of columns from n0 on; with a norm that of its table, behind the factors. */
static inline __global const float *bias_of(
	struct norm f, __global const float *bias, int has_bias, int n0, int cols)
{
	const size_t item = get_global_id(0) + get_global_size(0) *
			(get_global_id(1) + get_global_size(1) * get_global_id(2));
	__global float *factors = f.table + item * 2 * NR;

	if (f.gamma == 0)
		return has_bias ? bias + n0 : bias;
	for (int j = 0; j < NR; j += CG_VW) {
		const vfloat b = has_bias ? cg_load(bias + n0 + j, cols - j) : (vfloat)0.f;
		const vfloat factor = norm_factor(f, n0 + j, cols - j);

		VSTORE(factor, 0, factors + j);
		VSTORE(norm_summand(f, b, factor, n0 + j, cols - j), 0, factors + NR + j);
	}
	return factors + NR;
}

/* Mean, sum of squared distances to it (M2) and count of each column, of the rows so far; or, with x, those sums. */
struct moments {
	__global float *mean; /* of NR columns; M2 is W behind it, and the count 2 W; 0: not asked for */
	int W;
	float count;
	__global const float *y, *x; /* the result and x begin here, */
	__global const float *stats, *gamma, *beta; /* these at the item's columns */
	int M;
};

/* Those of an item's columns n0 .. of M: part [items][mean, M2, count][W]. */
#define MOMENTS_OF(item, n0, M, y) \
	moments_of(part, item, n0, M, y, g_x, g_stats + (n0), g_gamma ? g_gamma + (n0) : 0, g_beta + (n0))
static inline struct moments moments_of(__global float *part, int item, int n0, int M,
	__global const float *y, __global const float *x, __global const float *stats,
	__global const float *gamma, __global const float *beta)
{
	const int W = (M + NR - 1) / NR * NR;
	struct moments s = { part ? part + (size_t)item * 3 * W + n0 : 0, W, 0, y, x, stats, gamma,
		beta, M };

	for (int j = 0; part && j < NR; j += CG_VW) {
		VSTORE((vfloat)0.f, 0, s.mean + j);
		VSTORE((vfloat)0.f, 0, s.mean + W + j);
	}
	return s;
}

/* Joins n rows' moments to those of columns j ..; their number changes when all columns have been seen. */
static inline void moments_join(const struct moments *s, int j, float n, vfloat mean, vfloat m2)
{
	vfloat a = VLOAD(0, s->mean + j), b = VLOAD(0, s->mean + s->W + j);

	cg_join(s->count, &a, &b, n, mean, m2);
	VSTORE(a, 0, s->mean + j);
	VSTORE(b, 0, s->mean + s->W + j);
}

/* The sums of n columns j .., and what belongs to these columns. */
struct grads {
	vfloat sum, dot, mean, scale, shift;
};

static inline struct grads grads_of(const struct moments *s, int j, int n)
{
	struct grads g = { VLOAD(0, s->mean + j), VLOAD(0, s->mean + s->W + j),
		cg_load(s->stats + j, n), 0.f, 0.f };

	if (s->gamma) {
		g.scale = cg_load(s->gamma + j, n) * cg_load(s->stats + s->M + j, n);
		g.shift = cg_load(s->beta + j, n) - g.mean * g.scale;
	}
	return g;
}

/* Of d, which is written at p. */
static inline void grads_row(const struct moments *s, struct grads *g, vfloat d,
	__global const float *p, int n)
{
	const vfloat x = cg_load(s->x + (p - s->y), n);

	d = cg_through_relu(d, x * g->scale + g->shift, s->gamma != 0);
	g->sum += d;
	g->dot += d * (x - g->mean);
}

static inline void grads_end(const struct moments *s, const struct grads *g, int j)
{
	VSTORE(g->sum, 0, s->mean + j);
	VSTORE(g->dot, 0, s->mean + s->W + j);
}

static inline void grads_add(
	const struct moments *s, __global float *const *c, int rows, int cols)
{
	for (int j = 0; j < cols; j += CG_VW) {
		struct grads g = grads_of(s, j, cols - j);

		for (int i = 0; i < rows; i++)
			grads_row(s, &g, cg_load(c[i] + j, cols - j), c[i] + j, cols - j);
		grads_end(s, &g, j);
	}
}

/* Brings nearer what that will read. */
static inline void grads_fetch(const struct moments *s, __global float *const *c, int cols)
{
	for (int i = 0; s->x && i < MR; i++)
		for (int j = 0; j < cols; j += 16)
			FETCH(s->x + (c[i] - s->y) + j);
}

/* Of the tile that has just been written at c. */
static inline void moments_add(struct moments *s, __global float *const *c, int rows, int cols)
{
	if (s->x) {
		grads_add(s, c, rows, cols);
		return;
	}
	for (int j = 0; j < cols; j += CG_VW) {
		vfloat v[MR], sum = 0.f, squares = 0.f;

		if (rows == MR && cols - j >= CG_VW) {
			UNROLL for (int i = 0; i < MR; i++)
				sum += v[i] = VLOAD(0, c[i] + j);
			sum *= 1.f / MR;
			UNROLL for (int i = 0; i < MR; i++)
				squares += (v[i] - sum) * (v[i] - sum);
		} else {
			for (int i = 0; i < rows; i++)
				sum += cg_load(c[i] + j, cols - j);
			sum /= rows;
			for (int i = 0; i < rows; i++) {
				const vfloat d = cg_load(c[i] + j, cols - j) - sum;

				squares += d * d;
			}
		}
		moments_join(s, j, rows, sum, squares);
	}
	s->count += rows;
}

static inline void moments_end(const struct moments *s)
{
	for (int j = 0; s->mean && j < NR; j += CG_VW)
		VSTORE((vfloat)s->count, 0, s->mean + 2 * s->W + j);
}
