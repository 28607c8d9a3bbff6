/*
 * Convolution. y = conv(x, w), dx = conv2d_dx(dy, w), dw = conv2d_dw(x, dy). A 1x1 window at
 * stride 1 is one matrix product of [B H W, C] with [C, M]. GPU style: windows are copied to rows
 * (im2col), some images at a time, and multiplied. CPU style: register tiles that find the pixels
 * under each tap themselves.
 */
#include "../gemm.h"

#include <string.h>

enum { COL_BYTES = 256 << 20 }; /* of windows at a time */

struct attr {
	cg_conv_config c; /* complete: no 0 for 1 */
	enum cg__act act;
	int64_t B, H, W, C, P, Q, M, R, S; /* C and M of all groups */
};

/* ---- matrix products on windows --------------------------------------------------------- */

static bool is_pointwise(const struct attr *a)
{
	const cg_conv_config *c = &a->c;

	return a->R == 1 && a->S == 1 && c->stride_h == 1 && c->stride_w == 1 && c->groups == 1 &&
		c->pad_top == 0 && c->pad_left == 0 && c->pad_bottom == 0 && c->pad_right == 0;
}

static int64_t images_at_once(const struct attr *a)
{
	int64_t one = a->P * a->Q * a->R * a->S * a->C / a->c.groups * 4, n = COL_BYTES / one;

	return n < 1 ? 1 : n > a->B ? a->B : n;
}

/* im2col or col2im of `images` images for group g */
static cg_status windows(struct cg__emit *e, const struct attr *a, const char *kernel,
	const cg_tensor *from, const cg_tensor *to, bool part, int64_t images, int64_t first,
	int64_t g)
{
	int64_t C = a->C / a->c.groups, cells = images * a->P * a->Q * a->R * a->S;
	struct cg__range r = cg__range_rows(e, C, from->ndim == 4 ? cells : images * a->H * a->W);

	return CG__LAUNCH(e, "conv2d_gpu", NULL, kernel, r, IN(from), part ? UPDATE(to) : OUT(to),
		INT(images), INT(first), INT(a->H), INT(a->W), INT(a->C), INT(g * C), INT(C),
		INT(a->P), INT(a->Q), INT(a->R), INT(a->S), INT(a->c.stride_h), INT(a->c.stride_w),
		INT(a->c.pad_top), INT(a->c.pad_left));
}

/* Calls fn for each group and each piece of the batch. */
typedef cg_status (*piece_fn)(struct cg__emit *e, const struct attr *a, const cg_tensor *y,
	const cg_tensor *col, int64_t images, int64_t first, int64_t g);

static cg_status for_pieces(
	struct cg__emit *e, const struct attr *a, const cg_tensor *y, piece_fn fn)
{
	int64_t step = images_at_once(a);
	cg_tensor *col =
		cg__temp(e, CG_FLOAT32, step * a->P * a->Q * a->R * a->S * a->C / a->c.groups);

	if (col == NULL)
		return CG_ERR_HOST_MEMORY;
	for (int64_t g = 0; g < a->c.groups; g++)
		for (int64_t first = 0; first < a->B; first += step) {
			int64_t images = a->B - first < step ? a->B - first : step;

			TRY(fn(e, a, y, col, images, first, g));
		}
	return CG_OK;
}

static cg_status forward_piece(struct cg__emit *e, const struct attr *a, const cg_tensor *y,
	const cg_tensor *col, int64_t images, int64_t first, int64_t g)
{
	int64_t N = a->M / a->c.groups, K = a->R * a->S * a->C / a->c.groups, pixels = a->P * a->Q;

	TRY(windows(e, a, "im2col", y->src[0], col, false, images, first, g));
	return cg__gemm(e,
		&(struct cg__gemm){ .M = images * pixels,
			.N = N,
			.K = K,
			.a = col,
			.b = y->src[1],
			.c = y,
			.ldb = a->M,
			.b_offset = g * N,
			.ldc = a->M,
			.c_offset = first * pixels * a->M + g * N,
			.bias = a->c.groups == 1 && y->nsrc > 2 ? y->src[2] : NULL,
			.act = a->act });
}

static cg_status dx_piece(struct cg__emit *e, const struct attr *a, const cg_tensor *dx,
	const cg_tensor *col, int64_t images, int64_t first, int64_t g)
{
	int64_t K = a->M / a->c.groups, N = a->R * a->S * a->C / a->c.groups, pixels = a->P * a->Q;

	TRY(cg__gemm(e,
		&(struct cg__gemm){ .M = images * pixels,
			.N = N,
			.K = K,
			.trans_b = true,
			.a = dx->src[0],
			.b = dx->src[1],
			.c = col,
			.lda = a->M,
			.a_offset = first * pixels * a->M + g * K,
			.ldb = a->M,
			.b_offset = g * K }));
	return windows(e, a, "col2im", col, dx, first > 0 || g > 0, images, first, g);
}

static cg_status dw_piece(struct cg__emit *e, const struct attr *a, const cg_tensor *dw,
	const cg_tensor *col, int64_t images, int64_t first, int64_t g)
{
	int64_t N = a->M / a->c.groups, M = a->R * a->S * a->C / a->c.groups, pixels = a->P * a->Q;

	TRY(windows(e, a, "im2col", dw->src[0], col, false, images, first, g));
	return cg__gemm(e,
		&(struct cg__gemm){ .M = M,
			.N = N,
			.K = images * pixels,
			.trans_a = true,
			.a = col,
			.b = dw->src[1],
			.c = dw,
			.ldb = a->M,
			.b_offset = first * pixels * a->M + g * N,
			.ldc = a->M,
			.c_offset = g * N,
			.beta = first > 0 });
}

/* ---- register tiles on the image -------------------------------------------------------- */

/* as in conv2d_cpu.cl, conv2d_dw_cpu.cl */
enum { FEW = 576, COLS = 192, PIXELS = 256, ROWS = 64 };

static int64_t up(int64_t n, int64_t d)
{
	return (n + d - 1) / d;
}

/* Channels of one group, and where group g begins. */
struct part {
	int64_t C, M, x, y, w;
};

static struct part part_of(const struct attr *a, int64_t g)
{
	int64_t C = a->C / a->c.groups, M = a->M / a->c.groups;

	return (struct part){ C, M, g * C, g * M, g * M };
}

/* Writes a group's channels of t, or all of it. */
static struct cg__arg arg_part(const struct attr *a, const cg_tensor *t)
{
	return a->c.groups > 1 ? UPDATE(t) : OUT(t);
}

#define WINDOW(a) \
	INT((a)->R), INT((a)->S), INT((a)->c.stride_h), INT((a)->c.stride_w), INT((a)->c.pad_top), \
		INT((a)->c.pad_left)

/* A tile over images skips taps that are outside; over 8x8 pixels too few are. */
static bool by_image(int64_t B, int64_t pixels)
{
	return B >= 12 && pixels <= 64;
}

static const cg_tensor *zeros(struct cg__emit *e, int64_t n)
{
	const cg_tensor *zero = cg__temp(e, CG_FLOAT32, n);

	return zero && cg__launch_zero(e, zero) == CG_OK ? zero : NULL;
}

static cg_status cpu_forward(struct cg__emit *e, const struct attr *a, const cg_tensor *y,
	const cg_tensor *zero, struct part p)
{
	const struct cg__tile t = cg__tile_of(e, p.M);
	const int64_t pixels = a->B * a->P * a->Q, panels = up(p.M, t.cols),
		      block = cg__tile_block(e, t, pixels, panels);
	const cg_tensor *x = y->src[0], *w = y->src[1], *bias = y->nsrc > 2 ? y->src[2] : NULL;
	const struct cg__range r = cg__range_2d((size_t)up(pixels, block), (size_t)panels, 1, 1);

	if (zero == NULL)
		return CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d_few", r, IN(x), IN(w),
			arg_part(a, y), IN(bias), INT(p.x), INT(a->C), INT(p.w), INT(a->M),
			INT(p.y), INT(a->M), INT(bias != NULL), INT(a->act), INT(a->B), INT(a->H),
			INT(a->W), INT(p.C), INT(a->P), INT(a->Q), INT(p.M), WINDOW(a),
			INT(cg__count(x)), INT(block));
	return CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d", r, IN(x), IN(w), arg_part(a, y),
		IN(bias), IN(zero), INT(p.x), INT(a->C), INT(p.w), INT(a->M), INT(p.y), INT(a->M),
		INT(0), INT(bias != NULL), INT(a->act), INT(a->B), INT(a->H), INT(a->W), INT(p.C),
		INT(a->P), INT(a->Q), INT(p.M), WINDOW(a), INT(by_image(a->B, a->P * a->Q)),
		INT(block));
}

static cg_status emit_cpu_forward(struct cg__emit *e, const cg_tensor *y)
{
	const struct attr *a = cg__attr(y);
	const int64_t C = a->C / a->c.groups;
	const bool few = C < 8 && a->R * a->S * C <= FEW;
	const cg_tensor *zero = few ? NULL : zeros(e, C);

	if (!few && zero == NULL)
		return CG_ERR_HOST_MEMORY;
	for (int64_t g = 0; g < a->c.groups; g++) {
		TRY(cpu_forward(e, a, y, zero, part_of(a, g)));
		cg__flops(e,
			2.0 * (double)(a->B * a->P * a->Q * a->R * a->S * C) *
				(double)(a->M / a->c.groups));
	}
	return CG_OK;
}

/* The same kernel: dy in the place of x, and a phase for each pixel of a stride. */
static cg_status cpu_dx(struct cg__emit *e, const struct attr *a, const cg_tensor *dx,
	const cg_tensor *zero, struct part p)
{
	const struct cg__tile t = cg__tile_of(e, p.C);
	const int64_t phases = a->c.stride_h * a->c.stride_w, panels = up(p.C, t.cols);
	const int64_t pixels = up(a->H, a->c.stride_h) * up(a->W, a->c.stride_w);
	const int64_t block = cg__tile_block(e, t, a->B * pixels, panels * phases);

	TRY(CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d",
		cg__range_3d(
			(size_t)up(a->B * pixels, block), (size_t)panels, (size_t)phases, 1, 1, 1),
		IN(dx->src[0]), IN(dx->src[1]), arg_part(a, dx), IN(NULL), IN(zero), INT(p.y),
		INT(a->M), INT(p.w), INT(a->M), INT(p.x), INT(a->C), INT(1), INT(0),
		INT(CG__ACT_NONE), INT(a->B), INT(a->P), INT(a->Q), INT(p.M), INT(a->H), INT(a->W),
		INT(p.C), WINDOW(a), INT(by_image(a->B, pixels)), INT(block)));
	cg__flops(e, 2.0 * (double)(a->B * a->P * a->Q * a->R * a->S * p.C) * (double)p.M);
	return CG_OK;
}

static cg_status emit_cpu_dx(struct cg__emit *e, const cg_tensor *dx)
{
	const struct attr *a = cg__attr(dx);
	const cg_tensor *zero = zeros(e, a->M / a->c.groups);

	if (zero == NULL)
		return CG_ERR_HOST_MEMORY;
	for (int64_t g = 0; g < a->c.groups; g++)
		TRY(cpu_dx(e, a, dx, zero, part_of(a, g)));
	return CG_OK;
}

/* How many taps and channels a work-item takes: whole windows, rows of them, or a tap, as many
 * as fit. */
struct taps {
	int64_t R, S, C, groups;
};

static struct taps choose_taps(const struct attr *a, struct part p)
{
	struct taps t = { 1, 1, p.C, 0 };

	if (a->c.groups == 1 && a->S * p.C <= COLS) {
		t.S = a->S;
		t.R = a->R * a->S * p.C <= COLS ? a->R : 1;
	} else {
		t.C = up(p.C, up(p.C, COLS));
	}
	t.groups = a->R / t.R * (a->S / t.S) * up(p.C, t.C);
	return t;
}

/* How the work on dw is cut, a function of the shapes alone: blocks of channels (groups of taps
 * where windows are copied) by panels, and, where that is few items, parts of the pixels, whole rows
 * of y, whose sums are added up afterwards. */
struct cut {
	bool in_place;
	struct taps taps;
	int64_t blocks, panels, rows, parts;
};

enum { ITEMS = 16, FEW_CHANNELS = 36, FEW_PIXELS = 1024 };

static int64_t at_least_1(int64_t n)
{
	return n < 1 ? 1 : n;
}

static struct cut cut_dw(const struct attr *a, struct part p, struct cg__tile t)
{
	const int64_t rows = a->B * a->P, most = at_least_1(rows * a->Q / FEW_PIXELS);
	/* few channels fill no tile a tap, short rows are no segments */
	struct cut c = { .in_place = p.C >= 8 && a->Q >= 4 && a->Q <= PIXELS,
		.panels = up(p.M, t.cols) };
	int64_t parts;

	if (c.in_place) {
		const int64_t want = up(ITEMS, c.panels), can = at_least_1(p.C / FEW_CHANNELS);

		c.taps.C = up(up(p.C, want < can ? want : can), t.rows) * t.rows;
		c.blocks = up(p.C, c.taps.C);
	} else {
		c.taps = choose_taps(a, p);
		c.blocks = c.taps.groups;
	}
	parts = up(ITEMS, c.blocks * c.panels);
	parts = parts < most ? parts : most;
	c.rows = up(rows, parts < rows ? parts : rows);
	c.parts = up(rows, c.rows);
	return c;
}

static cg_status cpu_dw(
	struct cg__emit *e, const struct attr *a, const cg_tensor *dw, struct part p)
{
	const struct cg__tile t = cg__tile_of(e, p.M);
	const struct cut c = cut_dw(a, p, t);
	const int64_t K = a->R * a->S * p.C, rows = a->B * a->P;
	const int64_t together = at_least_1(192 / a->Q < ROWS ? 192 / a->Q : ROWS);
	const cg_tensor *part = c.parts > 1 ? cg__temp(e, CG_FLOAT32, c.parts * K * p.M) : NULL;
	const struct cg__range r = cg__range_3d(
		(size_t)c.blocks, (size_t)c.panels, (size_t)c.parts, 1, 1, 1);
	const struct cg__arg out = part ? OUT(part) : arg_part(a, dw);

	if (c.parts > 1 && part == NULL)
		return CG_ERR_HOST_MEMORY;
#define TENSORS \
	IN(dw->src[0]), IN(dw->src[1]), out, INT(p.x), INT(a->C), INT(p.y), INT(a->M), \
		INT(part ? 0 : p.w), INT(part ? p.M : a->M), INT(K * p.M)
	if (c.in_place)
		TRY(CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d_dw_rows", r, TENSORS, INT(a->H),
			INT(a->W), INT(p.C), INT(a->P), INT(a->Q), INT(p.M), WINDOW(a),
			INT(c.taps.C), INT(c.rows), INT(rows), INT(together)));
	else
		TRY(CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d_dw", r, TENSORS, INT(a->B),
			INT(a->H), INT(a->W), INT(p.C), INT(a->P), INT(a->Q), INT(p.M), WINDOW(a),
			INT(c.taps.R), INT(c.taps.S), INT(c.taps.C), INT(c.rows),
			INT(cg__count(dw->src[0]))));
#undef TENSORS
	cg__flops(e, 2.0 * (double)(rows * a->Q * K) * (double)p.M);
	return part ? cg__sum_parts(e, part, c.parts, arg_part(a, dw), p.w, a->M, false, K, p.M)
		    : CG_OK;
}

static cg_status emit_cpu_dw(struct cg__emit *e, const cg_tensor *dw)
{
	const struct attr *a = cg__attr(dw);

	for (int64_t g = 0; g < a->c.groups; g++)
		TRY(cpu_dw(e, a, dw, part_of(a, g)));
	return CG_OK;
}

/* ---- emit ------------------------------------------------------------------------------- */

static cg_status emit_forward(struct cg__emit *e, const cg_tensor *y)
{
	const struct attr *a = cg__attr(y);

	if (is_pointwise(a))
		return cg__gemm(e,
			&(struct cg__gemm){ .M = a->B * a->H * a->W,
				.N = a->M,
				.K = a->C,
				.a = y->src[0],
				.b = y->src[1],
				.c = y,
				.bias = y->nsrc > 2 ? y->src[2] : NULL,
				.act = a->act });
	return cg__is_cpu(e) ? emit_cpu_forward(e, y) : for_pieces(e, a, y, forward_piece);
}

static cg_status emit_dx(struct cg__emit *e, const cg_tensor *dx)
{
	const struct attr *a = cg__attr(dx);

	if (is_pointwise(a))
		return cg__gemm(e,
			&(struct cg__gemm){ .M = a->B * a->H * a->W,
				.N = a->C,
				.K = a->M,
				.trans_b = true,
				.a = dx->src[0],
				.b = dx->src[1],
				.c = dx });
	return cg__is_cpu(e) ? emit_cpu_dx(e, dx) : for_pieces(e, a, dx, dx_piece);
}

static cg_status emit_dw(struct cg__emit *e, const cg_tensor *dw)
{
	const struct attr *a = cg__attr(dw);

	if (is_pointwise(a))
		return cg__gemm(e,
			&(struct cg__gemm){ .M = a->C,
				.N = a->M,
				.K = a->B * a->H * a->W,
				.trans_a = true,
				.a = dw->src[0],
				.b = dw->src[1],
				.c = dw });
	return cg__is_cpu(e) ? emit_cpu_dw(e, dw) : for_pieces(e, a, dw, dw_piece);
}

/* ---- the nodes -------------------------------------------------------------------------- */

static const struct cg_op dx_op = { .name = "conv2d_dx", .emit = emit_dx };
static const struct cg_op dw_op = { .name = "conv2d_dw", .emit = emit_dw };

static void grad(cg_tensor *y, cg_tensor *dy, cg_tensor **dx)
{
	cg_tensor *x = y->src[0], *w = y->src[1];

	if (x->wants_grad)
		dx[0] = cg__node_like(&dx_op, x, CG__SRC(dy, w), cg__attr(y), sizeof(struct attr));
	if (w->wants_grad)
		dx[1] = cg__node_like(&dw_op, w, CG__SRC(x, dy), cg__attr(y), sizeof(struct attr));
}

/* Takes a bias first, then relu; not with groups, whose products see only some of the channels. */
static bool absorb(cg_tensor *y, const cg_tensor *consumer)
{
	struct attr *a = (struct attr *)y->attr;

	if (a->act != CG__ACT_NONE || a->c.groups != 1)
		return false;
	if (strcmp(consumer->op->name, "bias") == 0) {
		if (y->nsrc > 2 || consumer->src[1]->ndim != 1)
			return false;
		y->src[y->nsrc++] = consumer->src[1];
		return true;
	}
	if (strcmp(consumer->op->name, "relu") != 0)
		return false;
	a->act = CG__ACT_RELU;
	return true;
}

static const struct cg__attr_entry attrs[] = {
	CG__ATTR("stride_h", struct attr, c.stride_h),
	CG__ATTR("stride_w", struct attr, c.stride_w),
	CG__ATTR("pad_top", struct attr, c.pad_top),
	CG__ATTR("pad_left", struct attr, c.pad_left),
	CG__ATTR("pad_bottom", struct attr, c.pad_bottom),
	CG__ATTR("pad_right", struct attr, c.pad_right),
	CG__ATTR("groups", struct attr, c.groups),
	{ .name = NULL }
};

static const struct cg_op op = {
	.name = "conv2d", .emit = emit_forward, .grad = grad, .absorb = absorb, .attrs = attrs
};

static cg_tensor *check(const cg_tensor *x, const cg_tensor *w, const struct attr *a)
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
	struct attr a = { .c = *config };
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
