/*
 * Multi-head attention of packed queries, keys and values: for each sample and head, with rows q_i,
 * k_j, v_j of width d = D/N and scale = 1/sqrt(d),
 *
 *	s_ij = scale q_i k_j,  p_ij = exp(s_ij - lse_i),  lse_i = log sum_j exp(s_ij),
 *	y_i = sum_j m_ij p_ij v_j,  m_ij = 1/(1-dropout) where kept, else 0 (m = 1 without dropout).
 *
 * The scores live a block at a time (Dao et al. 2022): the forward pass keeps the highest score and
 * the sum of a row and brings what it has to the new highest with each block; the backward pass
 * computes a block again from lse, which the forward pass writes only if there is one:
 *
 *	dp_ij = m_ij dy_i v_j,  delta_i = y_i dy_i (= sum_j p_ij dp_ij),
 *	ds_ij = p_ij (dp_ij - delta_i),
 *	dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i,  dv_j = sum_i m_ij p_ij dy_i.
 *
 * On CPUs a task owns a head and computes a block once; on GPUs one work-group owns rows of dq,
 * another rows of dk and dv, and each computes the block. So nothing is added up by two, and
 * results repeat bit for bit. In memory lse is in powers of 2: log2 e times the above.
 */
#include "../op.h"

#include <math.h>
#include <stdio.h>

enum { MAX_WIDTH = 256 };

struct attention {
	int heads;
	float dropout;
	int key; /* of the draws: the forward node */
};

/* Sizes of one launch. */
struct sizes {
	int64_t B, T, heads, N; /* heads: of all samples; N: of one */
	int width;
	float scale;
};

static struct sizes sizes_of(const cg_tensor *qkv, const struct attention *a)
{
	const int64_t B = qkv->shape[0], width = qkv->shape[2] / 3 / a->heads;

	return (struct sizes){ B, qkv->shape[1], B * a->heads, a->heads, (int)width,
		1 / sqrtf((float)width) };
}

static const double log2_e = 1.4426950408889634;

/* Of 2^32 draws, how many keep. */
static uint32_t kept(const struct attention *a)
{
	return (uint32_t)((1 - (double)a->dropout) * 4294967296.0);
}

static float keep_scale(const struct attention *a)
{
	return 1 / (1 - a->dropout);
}

static int round_up(int64_t n, int to)
{
	return (int)((n + to - 1) / to * to);
}

/* n in parts of at most `most`, as even as can be, each a multiple of `to`. */
static int even_part(int64_t n, int64_t most, int to)
{
	const int64_t parts = (n + most - 1) / most;

	return round_up((n + parts - 1) / parts, to);
}

/* ---- CPU family ---------------------------------------------------------------------- */

/* KB: all keys, if their columns and rows take at most 64 KB each; the gradient, which holds more
 * of them, blocks of up to 128. QB: a multiple of 4, up to 52. MR: the rows of the widest tile,
 * such that few are wasted. */
static void cpu_options(char text[128], const struct cg__emit *e, const struct sizes *s,
	const struct attention *a, bool grad)
{
	const int width = round_up(s->width, cg__vector_width(e)), limit = grad ? 128 : 256;
	const int fit = 16384 / width / 16 * 16;
	const int KB = even_part(s->T, fit > limit ? limit : fit, 16), QB = even_part(s->T, 52, 4);
	int MR = 6;

	for (int rows = 5; rows >= 4; rows--)
		if (round_up(s->T, rows) < round_up(s->T, MR))
			MR = rows;
	snprintf(text, 128, "-DDH=%d -DKB=%d -DQB=%d -DMR=%d -DDROPOUT=%d", s->width, KB, QB, MR,
		a->dropout > 0);
}

static cg_status emit_cpu(struct cg__emit *e, const cg_tensor *y, const cg_tensor *rng)
{
	const struct attention *a = cg__attr(y);
	const struct sizes s = sizes_of(y->src[0], a);
	const int64_t wanted = 4 * cg__compute_units(e), most = (s.T + 51) / 52;
	const int64_t parts = (wanted + s.heads - 1) / s.heads;
	char options[128];

	cpu_options(options, e, &s, a, false);
	return CG__LAUNCH(e, "attention_cpu", options, "attention",
		cg__range_tasks(e, s.heads * (parts < most ? parts : most), 1), IN(y->src[0]),
		IN(rng), OUT(y), OUT(y->aux[0]), INT(s.heads), INT(s.T), INT(s.N),
		INT(parts < most ? parts : most), FLT(s.scale * log2_e), INT(a->key), INT(kept(a)),
		FLT(keep_scale(a)));
}

static cg_status emit_grad_cpu(struct cg__emit *e, const cg_tensor *dx, const cg_tensor *rng)
{
	const struct attention *a = cg__attr(dx);
	const struct sizes s = sizes_of(dx, a);
	char options[128];

	cpu_options(options, e, &s, a, true);
	return CG__LAUNCH(e, "attention_cpu", options, "attention_grad",
		cg__range_tasks(e, s.heads, 1), IN(dx->src[0]), IN(rng), IN(dx->src[1]),
		IN(dx->src[2]), IN(dx->src[3]), OUT(dx), INT(s.heads), INT(s.T), INT(s.N),
		FLT(s.scale), INT(a->key), INT(kept(a)), FLT(keep_scale(a)));
}

/* ---- GPU family ---------------------------------------------------------------------- */

/* A work-group of 16 x Y items has tiles of 4 Y rows and 16 RK columns. */
struct tiles {
	int Y, RK;
};

/* Bytes of local memory, as attention_gpu.cl declares it. */
static int64_t local_bytes(struct tiles t, int width, bool grad)
{
	const int64_t rows = 4 * t.Y, columns = 16 * t.RK, length = width + 1;
	const int64_t scores = rows * (columns + 1);

	return 4 *
		(grad ? 2 * (rows + columns) * length + 2 * scores
		      : (rows + columns) * length + scores + rows * 17);
}

/* The cheapest tiles that fit: a product of 4 by RK values takes 4 + RK loads, half-empty tiles are
 * worked through to the end, and less than 128 items hide little. Y = 0 if none fits. */
static struct tiles choose_tiles(const struct cg__emit *e, const struct sizes *s, bool grad)
{
	const cg_device_info *d = cg_device(cg__emit_ctx(e));
	const int64_t limit = d->local_bytes < 49152 ? (int64_t)d->local_bytes : 49152;
	struct tiles best = { 0, 0 };
	double lowest = INFINITY;

	for (int RK = 1; RK <= 4 && 16 * (RK - 1) < s->T; RK++)
		for (int Y = 1; Y <= 16 && 4 * (Y - 1) < s->T; Y++) {
			const struct tiles t = { Y, RK };
			const double work = (double)round_up(s->T, 4 * Y) * round_up(s->T, 16 * RK);
			const double cost = work * (4 + RK) / RK * (Y < 8 ? 8. / Y : 1);

			if (local_bytes(t, s->width, grad) <= limit &&
				(size_t)(16 * Y) <= d->max_work_group && cost < lowest) {
				lowest = cost;
				best = t;
			}
		}
	return best;
}

static cg_status gpu_options(char text[128], struct tiles *t, const struct cg__emit *e,
	const struct sizes *s, const struct attention *a, bool grad)
{
	*t = choose_tiles(e, s, grad);
	if (t->Y == 0)
		return cg__fail(cg__emit_ctx(e), CG_ERR_ARGUMENT,
			"attention: heads of width %d do not fit the device's local memory",
			s->width);
	snprintf(text, 128, "-DDH=%d -DY=%d -DRK=%d -DDROPOUT=%d -DGRAD=%d", s->width, t->Y, t->RK,
		a->dropout > 0, grad);
	return CG_OK;
}

static cg_status emit_gpu(struct cg__emit *e, const cg_tensor *y, const cg_tensor *rng)
{
	const struct attention *a = cg__attr(y);
	const struct sizes s = sizes_of(y->src[0], a);
	struct tiles t;
	char options[128];
	int64_t parts;

	TRY(gpu_options(options, &t, e, &s, a, false));
	parts = round_up(s.T, 4 * t.Y) / (4 * t.Y);
	return CG__LAUNCH(e, "attention_gpu", options, "attention",
		cg__range_2d((size_t)(16 * parts * s.heads), (size_t)t.Y, 16, (size_t)t.Y),
		IN(y->src[0]), IN(rng), OUT(y), OUT(y->aux[0]), INT(s.heads), INT(s.T), INT(s.N),
		INT(parts), FLT(s.scale * log2_e), INT(a->key), INT(kept(a)), FLT(keep_scale(a)));
}

static cg_status emit_grad_gpu(struct cg__emit *e, const cg_tensor *dx, const cg_tensor *rng)
{
	const struct attention *a = cg__attr(dx);
	const struct sizes s = sizes_of(dx, a);
	cg_tensor *delta = cg__temp(e, CG_FLOAT32, s.heads * s.T);
	struct tiles t;
	char options[128];
	int64_t parts;

	if (delta == NULL)
		return CG_ERR_HOST_MEMORY;
	TRY(gpu_options(options, &t, e, &s, a, true));
	parts = round_up(s.T, 4 * t.Y) / (4 * t.Y);
	TRY(CG__LAUNCH(e, "attention_gpu", options, "attention_delta",
		cg__range_elements(e, s.heads * s.T), IN(dx->src[1]), IN(dx->src[2]), OUT(delta),
		INT(s.heads * s.T), INT(s.T), INT(s.N)));
	/* dq by groups of the first half, dk and dv by those of the second */
	return CG__LAUNCH(e, "attention_gpu", options, "attention_grad",
		cg__range_2d((size_t)(16 * parts * s.heads), (size_t)(2 * t.Y), 16, (size_t)t.Y),
		IN(dx->src[0]), IN(rng), IN(dx->src[2]), IN(dx->src[3]), IN(delta), OUT(dx),
		INT(s.heads), INT(s.T), INT(s.N), INT(parts), FLT(s.scale), INT(a->key),
		INT(kept(a)), FLT(keep_scale(a)));
}

/* ---- the operation ------------------------------------------------------------------- */

static double flops(const cg_tensor *qkv, const struct attention *a, int products)
{
	const struct sizes s = sizes_of(qkv, a);

	return 2. * products * (double)(s.heads * s.T * s.T) * s.width;
}

/* src: qkv[, rng] */
static cg_status emit_attention(struct cg__emit *e, const cg_tensor *y)
{
	const cg_tensor *rng = y->nsrc > 1 ? y->src[1] : NULL;

	TRY(cg__is_cpu(e) ? emit_cpu(e, y, rng) : emit_gpu(e, y, rng));
	cg__flops(e, flops(y->src[0], cg__attr(y), 2));
	return CG_OK;
}

/* src: qkv, y, dy, lse[, rng] */
static cg_status emit_attention_grad(struct cg__emit *e, const cg_tensor *dx)
{
	const cg_tensor *rng = dx->nsrc > 4 ? dx->src[4] : NULL;

	TRY(cg__is_cpu(e) ? emit_grad_cpu(e, dx, rng) : emit_grad_gpu(e, dx, rng));
	cg__flops(e, flops(dx, cg__attr(dx), 5));
	return CG_OK;
}

static const struct cg_op attention_grad_op = {
	.name = "attention_grad",
	.emit = emit_attention_grad,
};

static void grad_attention(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const struct attention *a = cg__attr(y);
	const int64_t shape[3] = { y->shape[0], a->heads, y->shape[1] };
	cg_tensor *lse = cg__aux(y, 0, CG_FLOAT32, 3, shape);

	dx[0] = cg__node_like(&attention_grad_op, y->src[0], 3 + y->nsrc,
		(cg_tensor *[]){ y->src[0], y, dy, lse, y->src[1] }, a, sizeof(*a));
}

static const struct cg__attr_entry attention_attrs[] = { CG__ATTR("heads", struct attention, heads),
	{ .name = NULL } };

static const struct cg_op attention_op = {
	.name = "attention",
	.emit = emit_attention,
	.grad = grad_attention,
	.attrs = attention_attrs,
};

cg_tensor *cg_attention(cg_tensor *qkv, int heads, float dropout)
{
	struct attention a = { .heads = heads, .dropout = dropout };
	cg_tensor *y;
	char text[64];

	if (qkv == NULL)
		return NULL;
	if (qkv->dtype != CG_FLOAT32 || qkv->ndim != 3 || heads < 1 ||
		qkv->shape[2] % (3 * (int64_t)heads) != 0)
		return cg__fail_tensor(qkv, CG_ERR_SHAPE,
			"attention: qkv is %s, expected [B,T,3D] with D a multiple of %d heads",
			cg__shape_text(qkv, text), heads);
	if (qkv->shape[2] / 3 / heads > MAX_WIDTH)
		return cg__fail_tensor(qkv, CG_ERR_ARGUMENT,
			"attention: heads of width %d, at most %d are supported",
			(int)(qkv->shape[2] / 3 / heads), MAX_WIDTH);
	if (!(dropout >= 0 && dropout < 1))
		return cg__fail_tensor(qkv, CG_ERR_ARGUMENT,
			"attention: dropout is %g, not in 0..1", (double)dropout);
	if (!cg__training(qkv))
		a.dropout = 0;
	y = cg__node(&attention_op, CG_FLOAT32, 3,
		(int64_t[]){ qkv->shape[0], qkv->shape[1], qkv->shape[2] / 3 },
		a.dropout > 0 ? 2 : 1, (cg_tensor *[]){ qkv, a.dropout > 0 ? cg__rng(qkv) : NULL },
		&a, sizeof(a));
	if (y != NULL)
		((struct attention *)y->attr)->key = y->id;
	return y;
}
