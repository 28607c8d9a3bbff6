/*
 * Pooling. x [B,H,W,C] -> y [B,P,Q,C], P = (H + pad_top + pad_bottom - window_h) / stride_h + 1, Q
 * alike; cl/pool.cl has the formulas.
 *
 * Max pooling's gradient needs to know which element of the window won: `index`, a further output
 * that is written only where a gradient is asked for; one byte an element while the window has at
 * most 256.
 */
#include "op.h"

enum { NO_PAD_COUNT, PAD_COUNT, ADAPTIVE };

/* What both directions need to know. */
struct geometry {
	int64_t H, W, C, P, Q;
	int32_t R, S, stride_h, stride_w, top, left, bottom, right;
	int32_t flag;
};

/* GEOMETRY of cl/window.cl. */
#define GEOMETRY(B, g) \
	INT(B), INT((g)->H), INT((g)->W), INT((g)->C), INT((g)->P), INT((g)->Q), INT((g)->R), \
		INT((g)->S), INT((g)->stride_h), INT((g)->stride_w), INT((g)->top), \
		INT((g)->left), INT((g)->bottom), INT((g)->right), INT((g)->flag)

/* A task is a row of x or y on CPUs; an element elsewhere. */
static struct cg__range range(const struct cg__emit *e, const cg_tensor *y)
{
	if (cg__is_cpu(e))
		return cg__range_tasks(e, y->shape[0] * y->shape[1], 1);
	return cg__range_elements(e, cg__count(y));
}

/* ---- shapes ------------------------------------------------------------------------------ */

static int64_t outputs(int64_t H, int R, int stride, int before, int after, bool up)
{
	int64_t room = H + before + after - R, P;

	if (room < 0)
		return 0;
	P = (room + (up ? stride - 1 : 0)) / stride + 1;
	return up && (P - 1) * stride - before >= H ? P - 1 : P;
}

static bool bad_config(const cg_pool_config *c)
{
	return c->window_h < 1 || c->window_w < 1 || c->stride_h < 0 || c->stride_w < 0 ||
		c->pad_top < 0 || c->pad_left < 0 || c->pad_bottom < 0 || c->pad_right < 0 ||
		c->pad_top >= c->window_h || c->pad_bottom >= c->window_h ||
		c->pad_left >= c->window_w || c->pad_right >= c->window_w;
}

/* Fills *g and the shape of y; false with the error recorded. */
static bool lay_out(cg_tensor *x, const char *op, const cg_pool_config *c, struct geometry *g)
{
	char text[64];

	if (x->ndim != 4 || x->dtype != CG_FLOAT32) {
		cg__fail_tensor(x, CG_ERR_SHAPE, "%s: x is %s, not B x H x W x C floats", op,
			cg__shape_text(x, text));
		return false;
	}
	if (bad_config(c)) {
		cg__fail_tensor(x, CG_ERR_ARGUMENT,
			"%s: window %dx%d, stride %dx%d, padding %d,%d,%d,%d do not go together",
			op, c->window_h, c->window_w, c->stride_h, c->stride_w, c->pad_top,
			c->pad_left, c->pad_bottom, c->pad_right);
		return false;
	}
	*g = (struct geometry){ .H = x->shape[1],
		.W = x->shape[2],
		.C = x->shape[3],
		.R = c->window_h,
		.S = c->window_w,
		.stride_h = c->stride_h ? c->stride_h : c->window_h,
		.stride_w = c->stride_w ? c->stride_w : c->window_w,
		.top = c->pad_top,
		.left = c->pad_left,
		.bottom = c->pad_bottom,
		.right = c->pad_right };
	g->P = outputs(g->H, g->R, g->stride_h, g->top, g->bottom, c->ceil_mode);
	g->Q = outputs(g->W, g->S, g->stride_w, g->left, g->right, c->ceil_mode);
	if (g->P < 1 || g->Q < 1) {
		cg__fail_tensor(x, CG_ERR_SHAPE, "%s: window %dx%d is larger than x %s", op, g->R,
			g->S, cg__shape_text(x, text));
		return false;
	}
	return true;
}

/* g begins the attributes. */
static cg_tensor *pooled(
	const struct cg_op *op, cg_tensor *x, const struct geometry *g, size_t bytes)
{
	int64_t shape[] = { x->shape[0], g->P, g->Q, g->C };

	return cg__node(op, CG_FLOAT32, 4, shape, CG__SRC(x), g, bytes);
}

/* `flag` is the last one. */
#define ATTRS(flag_name) \
	{ \
		CG__ATTR("window_h", struct geometry, R), \
			CG__ATTR("window_w", struct geometry, S), \
			CG__ATTR("stride_h", struct geometry, stride_h), \
			CG__ATTR("stride_w", struct geometry, stride_w), \
			CG__ATTR("pad_top", struct geometry, top), \
			CG__ATTR("pad_left", struct geometry, left), \
			CG__ATTR("pad_bottom", struct geometry, bottom), \
			CG__ATTR("pad_right", struct geometry, right), \
			CG__ATTR(flag_name, struct geometry, flag), \
		{ \
			.name = NULL \
		} \
	}

/* ---- maximum ----------------------------------------------------------------------------- */

/* What is pooled may be a batch norm of src[0], then relu if asked for: src 1 .. 3 are its statistics,
 * gamma, beta. */
struct max {
	struct geometry g;
	int32_t norm, relu;
};

static bool small_index(const struct geometry *g)
{
	return g->R * g->S <= 256;
}

static const char *index_option(const struct geometry *g)
{
	return small_index(g) ? NULL : "-DINDEX=int";
}

/* Windows that do not overlap, the first at the beginning of x. */
static bool apart(const struct geometry *g)
{
	return g->stride_h >= g->R && g->stride_w >= g->S && g->top == 0 && g->left == 0;
}

static bool by_twos(const struct geometry *g)
{
	return g->stride_h == 2 && g->stride_w == 2 && g->R <= 4 && g->S <= 4;
}

/* src: dy, index; where a relu came before the pool, y. */
static cg_status max_grad_emit(struct cg__emit *e, const cg_tensor *dx)
{
	const struct geometry *g = cg__attr(dx);
	const cg_tensor *dy = dx->src[0], *y = dx->nsrc > 2 ? dx->src[2] : NULL;
	const bool cells = cg__is_cpu(e) && apart(g), twos = cg__is_cpu(e) && by_twos(g);
	const char *kernel = cells ? "max_pool_grad_cells" : twos ? "max_pool_grad_twos" : "max_pool_grad";

	return CG__LAUNCH(e, "pool", index_option(g), kernel, range(e, cells ? dy : dx), IN(dy),
		IN(dx->src[1]), IN(y), OUT(dx), GEOMETRY(dx->shape[0], g));
}

/* The gradient of the relu whose result was pooled: what won is above zero where y is. */
static bool max_grad_absorb(cg_tensor *dx, const cg_tensor *consumer)
{
	cg_tensor *pool = dx->src[1]->src[0];

	if (dx->nsrc > 2 || pool->src[0] != consumer->src[1] || pool->nsrc > 1)
		return false;
	dx->src[dx->nsrc++] = pool;
	return true;
}

static const struct cg_op max_pool_grad = {
	.name = "max_pool_grad", .emit = max_grad_emit, .absorb = max_grad_absorb
};

static cg_status max_emit(struct cg__emit *e, const cg_tensor *y)
{
	const struct max *a = cg__attr(y);
	cg_tensor *const *s = y->src + 1;
	const char *options = !a->norm ? index_option(&a->g)
		: small_index(&a->g) ? "-DNORM" : "-DNORM -DINDEX=int";

	return CG__LAUNCH(e, "pool", options, "max_pool", range(e, y), IN(y->src[0]),
		IN(a->norm ? s[0] : NULL), IN(a->norm ? s[1] : NULL),
		IN(a->norm ? s[2] : NULL), OUT(y), OUT(y->aux[0]), INT(a->relu),
		GEOMETRY(y->shape[0], &a->g));
}

static void max_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	const struct max *a = cg__attr(y);
	cg_tensor *index = cg__aux(y, 0, small_index(&a->g) ? CG_UINT8 : CG_INT32, 4, y->shape);

	dx[0] = cg__node_like(&max_pool_grad, y->src[0], CG__SRC(dy, index), &a->g, sizeof(a->g));
}

/* A norm, with relu if it has one, by statistics of the batch. */
static bool max_take(cg_tensor *y, const cg_tensor *norm)
{
	struct max *a = (struct max *)y->attr;

	if (a->norm || norm->nsrc != 4)
		return false;
	a->norm = true;
	a->relu = (int32_t)cg_tensor_attr(norm, "relu");
	y->nsrc = norm->nsrc;
	for (int i = 0; i < norm->nsrc; i++)
		y->src[i] = norm->src[i];
	return true;
}

static const struct cg__attr_entry max_attrs[] = ATTRS("pad_zero");

static const struct cg_op max_pool = {
	.name = "max_pool", .emit = max_emit, .grad = max_grad, .take = max_take, .attrs = max_attrs
};

cg_tensor *cg_max_pool(cg_tensor *x, const cg_pool_config *config)
{
	struct max a = { .norm = false };

	if (!x || !lay_out(x, "max_pool", config, &a.g))
		return NULL;
	a.g.flag = config->pad_zero;
	return pooled(&max_pool, x, &a.g, sizeof(a));
}

/* ---- mean -------------------------------------------------------------------------------- */

static cg_status avg_grad_emit(struct cg__emit *e, const cg_tensor *dx)
{
	return CG__LAUNCH(e, "pool", NULL, "avg_pool_grad", range(e, dx), IN(dx->src[0]), OUT(dx),
		GEOMETRY(dx->shape[0], (const struct geometry *)cg__attr(dx)));
}

static const struct cg_op avg_pool_grad = { .name = "avg_pool_grad", .emit = avg_grad_emit };

static cg_status avg_emit(struct cg__emit *e, const cg_tensor *y)
{
	return CG__LAUNCH(e, "pool", NULL, "avg_pool", range(e, y), IN(y->src[0]), OUT(y),
		GEOMETRY(y->shape[0], (const struct geometry *)cg__attr(y)));
}

static void avg_grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	dx[0] = cg__node_like(
		&avg_pool_grad, y->src[0], CG__SRC(dy), cg__attr(y), sizeof(struct geometry));
}

static const struct cg__attr_entry avg_attrs[] = ATTRS("mode");

static const struct cg_op avg_pool = {
	.name = "avg_pool", .emit = avg_emit, .grad = avg_grad, .attrs = avg_attrs
};

cg_tensor *cg_avg_pool(cg_tensor *x, const cg_pool_config *config)
{
	struct geometry g;

	if (!x || !lay_out(x, "avg_pool", config, &g))
		return NULL;
	g.flag = config->count_pad ? PAD_COUNT : NO_PAD_COUNT;
	return pooled(&avg_pool, x, &g, sizeof(g));
}

cg_tensor *cg_adaptive_avg_pool(cg_tensor *x, int64_t P, int64_t Q)
{
	struct geometry g = {
		.P = P, .Q = Q, .R = 1, .S = 1, .stride_h = 1, .stride_w = 1, .flag = ADAPTIVE
	};
	char text[64];

	if (!x)
		return NULL;
	if (x->ndim != 4 || x->dtype != CG_FLOAT32)
		return cg__fail_tensor(x, CG_ERR_SHAPE,
			"adaptive_avg_pool: x is %s, not B x H x W x C floats",
			cg__shape_text(x, text));
	if (P < 1 || Q < 1)
		return cg__fail_tensor(x, CG_ERR_ARGUMENT,
			"adaptive_avg_pool: the output is %lldx%lld", (long long)P, (long long)Q);
	if (P == x->shape[1] && Q == x->shape[2])
		return x;
	g.H = x->shape[1];
	g.W = x->shape[2];
	g.C = x->shape[3];
	return pooled(&avg_pool, x, &g, sizeof(g));
}

cg_tensor *cg_global_avg_pool(cg_tensor *x)
{
	cg_tensor *y = cg_adaptive_avg_pool(x, 1, 1);

	return y ? CG_RESHAPE(y, y->shape[0], y->shape[3]) : NULL;
}
