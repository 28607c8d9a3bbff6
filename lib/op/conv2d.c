/*
 * Convolution. y = conv(x, w), dx = conv2d_dx(dy, w), dw = conv2d_dw(x, dy). A 1x1 window at
 * stride 1 is one matrix product of [B H W, C] with [C, M]. Others: conv2d_gpu.c and conv2d_cpu.c,
 * or on CPUs minimal filtering where that is quicker (winograd.h).
 */
#include "../winograd.h"
#include "batch_norm.h"
#include "conv2d.h"

#include <string.h>

/* ---- what fusion added --------------------------------------------------------------- */

struct cg__norm cg__conv_norm(const cg_tensor *y)
{
	const struct cg__conv *a = cg__attr(y);
	cg_tensor *const *s = y->src + 2 + a->bias;

	return a->norm ? (struct cg__norm){ s[0], s[1], s[2], s[3], .eps = a->eps }
		       : (struct cg__norm){ .stats = y->aux[0], .eps = a->eps };
}

struct cg__norm cg__conv_norm_grad(const cg_tensor *dx)
{
	const struct cg__conv *a = cg__attr(dx);
	cg_tensor *const *s = dx->src + dx->nsrc - a->behind;
	struct cg__norm n = { .eps = 0 };

	if (a->behind)
		n.grad = (struct cg__norm_grad){ s[0], s[1], a->behind > 2 ? s[2] : NULL,
			a->behind > 2 ? s[3] : NULL, dx->aux[0], dx->aux[1] };
	return n;
}

static struct cg__before norm_before(const cg_tensor *y)
{
	const struct cg__conv *a = cg__attr(y);
	cg_tensor *const *s = y->src + y->nsrc - 3;

	return a->before ? (struct cg__before){ s[0], s[1], s[2], a->before > 1 }
			 : (struct cg__before){ .stats = NULL };
}

static const cg_tensor *summand(const cg_tensor *y)
{
	const struct cg__conv *a = cg__attr(y);

	return a->act == CG__ACT_ADD ? y->src[y->nsrc - 1 - a->behind] : NULL;
}

static bool is_pointwise(const struct cg__conv *a)
{
	const cg_conv_config *c = &a->c;

	return a->R == 1 && a->S == 1 && c->stride_h == 1 && c->stride_w == 1 && c->groups == 1 &&
		c->pad_top == 0 && c->pad_left == 0 && c->pad_bottom == 0 && c->pad_right == 0;
}

/* ---- minimal filtering ------------------------------------------------------------------ */

static bool is_square(const struct cg__conv *a)
{
	return a->R == a->S && a->c.stride_h == 1 && a->c.stride_w == 1 && a->c.groups == 1;
}

static struct cg__winograd winograd_forward(const struct cg__conv *a, const cg_tensor *y)
{
	return (struct cg__winograd){ y->src[0], y->src[1], y, cg__conv_bias(y), cg__conv_norm(y),
		a->act, false, a->B, a->H, a->W, a->C, a->P, a->Q, a->M, a->R, a->c.pad_top,
		a->c.pad_left, norm_before(y) };
}

static struct cg__winograd winograd_dx(const struct cg__conv *a, const cg_tensor *dx)
{
	return (struct cg__winograd){ dx->src[0], dx->src[1], dx, NULL, cg__conv_norm_grad(dx), CG__ACT_NONE, true, a->B,
		a->P, a->Q, a->M, a->H, a->W, a->C, a->R, a->R - 1 - a->c.pad_top,
		a->S - 1 - a->c.pad_left, { 0 } };
}

static struct cg__winograd winograd_dw(const struct cg__conv *a, const cg_tensor *dw)
{
	return (struct cg__winograd){ dw->src[0], dw->src[1], dw, NULL, { 0 }, CG__ACT_NONE, false,
		a->B, a->H, a->W, a->C, a->P, a->Q, a->M, a->R, a->c.pad_top, a->c.pad_left,
		norm_before(dw) };
}

/* ---- emit ------------------------------------------------------------------------------- */

/* src[0], or that normalised, where the convolution itself cannot: tuning may choose so. NULL on failure. */
static const cg_tensor *ready_x(struct cg__emit *e, const cg_tensor *y)
{
	const cg_tensor *x = y->src[0], *t = x;
	const struct cg__before b = norm_before(y);

	if (b.stats)
		t = cg__temp(e, CG_FLOAT32, cg__count(x));
	if (t == NULL || t == x || cg__batch_norm_apply(e, x, b.stats, b.gamma, b.beta, b.relu, t) == CG_OK)
		return t;
	return NULL;
}

static cg_status emit_forward(struct cg__emit *e, const cg_tensor *y)
{
	const struct cg__conv *a = cg__attr(y);
	const struct cg__winograd f = winograd_forward(a, y);
	const cg_tensor *x;

	if (is_pointwise(a))
		return cg__gemm(e,
			&(struct cg__gemm){ .M = a->B * a->H * a->W,
				.N = a->M,
				.K = a->C,
				.a = y->src[0],
				.b = y->src[1],
				.c = y,
				.bias = cg__conv_bias(y),
				.norm = cg__conv_norm(y),
				.act = a->act,
				.other = summand(y) });
	if (is_square(a) && cg__winograd_suits(e, &f))
		return cg__winograd(e, &f);
	if (!cg__is_cpu(e))
		return cg__conv_gpu(e, y);
	x = ready_x(e, y);
	return x ? cg__conv_cpu(e, y, x) : cg_error_status(cg__emit_ctx(e));
}

static cg_status emit_dx(struct cg__emit *e, const cg_tensor *dx)
{
	const struct cg__conv *a = cg__attr(dx);
	const struct cg__winograd f = winograd_dx(a, dx);

	if (is_pointwise(a))
		return cg__gemm(e,
			&(struct cg__gemm){ .M = a->B * a->H * a->W,
				.N = a->C,
				.K = a->M,
				.trans_b = true,
				.a = dx->src[0],
				.b = dx->src[1],
				.c = dx,
				.norm = cg__conv_norm_grad(dx),
				.act = a->act,
				.other = summand(dx) });
	if (is_square(a) && cg__winograd_suits(e, &f))
		return cg__winograd(e, &f);
	return cg__is_cpu(e) ? cg__conv_cpu_dx(e, dx) : cg__conv_gpu_dx(e, dx);
}

static cg_status emit_dw(struct cg__emit *e, const cg_tensor *dw)
{
	const struct cg__conv *a = cg__attr(dw);
	const struct cg__winograd f = winograd_dw(a, dw);
	const cg_tensor *x;

	if (is_pointwise(a))
		return cg__gemm(e,
			&(struct cg__gemm){ .M = a->C,
				.N = a->M,
				.K = a->B * a->H * a->W,
				.trans_a = true,
				.a = dw->src[0],
				.b = dw->src[1],
				.c = dw,
				.sums = dw->aux[0] });
	if (is_square(a) && cg__winograd_suits_dw(e, &f))
		return cg__winograd_dw(e, &f);
	if (!cg__is_cpu(e))
		return cg__conv_gpu_dw(e, dw);
	x = ready_x(e, dw);
	return x ? cg__conv_cpu_dw(e, dw, x) : cg_error_status(cg__emit_ctx(e));
}

/* ---- the nodes -------------------------------------------------------------------------- */

static bool absorb_bias(cg_tensor *y, struct cg__conv *a, const cg_tensor *bias)
{
	if (a->bias || a->norm || bias->src[0]->id != y->id || bias->src[1]->ndim != 1)
		return false;
	a->bias = true;
	y->src[y->nsrc++] = bias->src[1];
	return true;
}

/* Of a norm of running statistics, which another node may still use as well. */
static bool absorb_norm(cg_tensor *y, struct cg__conv *a, const cg_tensor *norm)
{
	const cg_tensor *stats = norm->src[1];

	if (a->norm || norm->src[0]->id != y->id || strcmp(stats->op->name, "bn_frozen_stats") != 0 ||
		!cg__gemm_takes_operands(cg__ctx(y)))
		return false;
	a->norm = true;
	a->eps = (float)cg_tensor_attr(stats, "eps");
	y->src[y->nsrc++] = stats->src[0];
	y->src[y->nsrc++] = stats->src[1];
	y->src[y->nsrc++] = norm->src[2];
	y->src[y->nsrc++] = norm->src[3];
	return true;
}

/* The other operand of a sum, where the convolution is one product. */
static bool absorb_add(cg_tensor *y, struct cg__conv *a, const cg_tensor *sum)
{
	if (!is_pointwise(a) || !cg__gemm_takes_operands(cg__ctx(y)))
		return false;
	a->act = CG__ACT_ADD;
	y->src[y->nsrc++] = sum->src[sum->src[0]->id == y->id];
	return true;
}

/* What else is a gradient of x. */
static bool absorb_dx(cg_tensor *dx, const cg_tensor *sum)
{
	struct cg__conv *a = (struct cg__conv *)dx->attr;

	return a->act == CG__ACT_NONE && absorb_add(dx, a, sum);
}

/* The gradients of gamma and beta of the norm whose result, perhaps through a relu, was convolved. */
static bool adopt_norm_grad(cg_tensor *dx, const cg_tensor *dgamma)
{
	struct cg__conv *a = (struct cg__conv *)dx->attr;

	if (dgamma->src[0] != dx || a->behind || a->c.groups != 1 ||
		!cg__gemm_takes_operands(cg__ctx(dx)))
		return false;
	a->behind = (int8_t)(dgamma->nsrc - 1);
	for (int s = 1; s < dgamma->nsrc; s++)
		dx->src[dx->nsrc++] = dgamma->src[s];
	return true;
}

/* The gradient of the bias, as sums over dy. */
static bool adopt_sums(cg_tensor *dw, const cg_tensor *sums)
{
	return is_pointwise(cg__attr(dw)) && dw->src[1] == sums->src[0] && sums->ndim == 1 &&
		cg__gemm_takes_operands(cg__ctx(dw));
}

/* Normalises x, where minimal filtering reads it anyhow. */
static bool take(cg_tensor *y, const cg_tensor *norm, const struct cg__winograd *f)
{
	struct cg__conv *a = (struct cg__conv *)y->attr;

	if (a->before || !is_square(a) || norm->nsrc != 4 || y->nsrc + 3 > CG__MAX_SRC ||
		!cg__winograd_is_usual(cg__ctx(y), f))
		return false;
	a->before = cg_tensor_attr(norm, "relu") != 0 ? 2 : 1;
	y->src[0] = norm->src[0];
	for (int s = 1; s < 4; s++)
		y->src[y->nsrc++] = norm->src[s];
	return true;
}

static bool take_forward(cg_tensor *y, const cg_tensor *norm)
{
	const struct cg__winograd f = winograd_forward(cg__attr(y), y);

	return take(y, norm, &f);
}

static bool take_dw(cg_tensor *dw, const cg_tensor *norm)
{
	const struct cg__winograd f = winograd_dw(cg__attr(dw), dw);

	return take(dw, norm, &f);
}

static const struct cg_op dx_op = { .name = "conv2d_dx", .emit = emit_dx, .absorb = absorb_dx, .adopt = adopt_norm_grad };
static const struct cg_op dw_op = { .name = "conv2d_dw", .emit = emit_dw, .adopt = adopt_sums, .take = take_dw };

static void grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	cg_tensor *x = y->src[0], *w = y->src[1];

	if (x->wants_grad)
		dx[0] = cg__node_like(
			&dx_op, x, CG__SRC(dy, w), cg__attr(y), sizeof(struct cg__conv));
	if (w->wants_grad)
		dx[1] = cg__node_like(
			&dw_op, w, CG__SRC(x, dy), cg__attr(y), sizeof(struct cg__conv));
}

/* Takes a bias first, a norm, then relu or a sum; not with groups, whose products see only some of the channels. */
static bool absorb(cg_tensor *y, const cg_tensor *consumer)
{
	struct cg__conv *a = (struct cg__conv *)y->attr;
	const char *name = consumer->op->name;

	if (a->act != CG__ACT_NONE || a->c.groups != 1)
		return false;
	if (strcmp(name, "bias") == 0)
		return absorb_bias(y, a, consumer);
	if (strcmp(name, "bn_apply") == 0)
		return absorb_norm(y, a, consumer);
	if (strcmp(name, "add") == 0)
		return absorb_add(y, a, consumer);
	if (strcmp(name, "relu") != 0)
		return false;
	a->act = CG__ACT_RELU;
	return true;
}

/* The statistics of the batch norm behind, of more than a row. */
static bool adopt(cg_tensor *y, const cg_tensor *stats)
{
	struct cg__conv *a = (struct cg__conv *)y->attr;

	if (stats->src[0] != y || a->norm || a->act == CG__ACT_RELU || a->c.groups != 1 ||
		cg__rows(y) < 2 || !cg__gemm_takes_operands(cg__ctx(y)))
		return false;
	a->eps = (float)cg_tensor_attr(stats, "eps");
	return true;
}

static const struct cg__attr_entry attrs[] = { CG__ATTR("stride_h", struct cg__conv, c.stride_h),
	CG__ATTR("stride_w", struct cg__conv, c.stride_w),
	CG__ATTR("pad_top", struct cg__conv, c.pad_top),
	CG__ATTR("pad_left", struct cg__conv, c.pad_left),
	CG__ATTR("pad_bottom", struct cg__conv, c.pad_bottom),
	CG__ATTR("pad_right", struct cg__conv, c.pad_right),
	CG__ATTR("groups", struct cg__conv, c.groups), { .name = NULL } };

static const struct cg_op op = {
	.name = "conv2d", .emit = emit_forward, .grad = grad, .absorb = absorb, .adopt = adopt, .take = take_forward, .attrs = attrs
};

static cg_tensor *check(const cg_tensor *x, const cg_tensor *w, const struct cg__conv *a)
{
	char sx[64], sw[64];

	if (x->ndim != 4 || w->ndim != 4 || a->C % a->c.groups || a->M % a->c.groups ||
		w->shape[2] != a->C / a->c.groups)
		return cg__fail_tensor(x, CG_ERR_SHAPE, "conv2d: x is %s, w is %s, %d groups",
			cg__shape_text(x, sx), cg__shape_text(w, sw), a->c.groups);
	if (a->P < 1 || a->Q < 1)
		return cg__fail_tensor(x, CG_ERR_SHAPE,
			"conv2d: x is %s: the window %lldx%lld does not fit", cg__shape_text(x, sx),
			(long long)a->R, (long long)a->S);
	return (cg_tensor *)x;
}

cg_tensor *cg_conv2d_ex(cg_tensor *x, cg_tensor *w, const cg_conv_config *config)
{
	struct cg__conv a = { .c = *config };
	cg_conv_config *c = &a.c;

	if (x == NULL || w == NULL)
		return NULL;
	c->stride_h += c->stride_h == 0;
	c->stride_w += c->stride_w == 0;
	c->groups += c->groups == 0;
	if (x->ndim == 4 && w->ndim == 4) {
		a.B = x->shape[0];
		a.H = x->shape[1];
		a.W = x->shape[2];
		a.C = x->shape[3];
		a.R = w->shape[0];
		a.S = w->shape[1];
		a.M = w->shape[3];
		a.P = a.H + c->pad_top + c->pad_bottom < a.R
			? 0
			: (a.H + c->pad_top + c->pad_bottom - a.R) / c->stride_h + 1;
		a.Q = a.W + c->pad_left + c->pad_right < a.S
			? 0
			: (a.W + c->pad_left + c->pad_right - a.S) / c->stride_w + 1;
	}
	if (check(x, w, &a) == NULL)
		return NULL;
	return cg__node(&op, CG_FLOAT32, 4, (int64_t[]){ a.B, a.P, a.Q, a.M }, CG__SRC(x, w), &a,
		sizeof(a));
}

cg_tensor *cg_conv2d(cg_tensor *x, cg_tensor *w, int stride, int pad)
{
	return cg_conv2d_ex(x, w, &(cg_conv_config){ stride, stride, pad, pad, pad, pad, 1 });
}
