/*
 * Convolutions on CPU devices: register tiles that find the pixels under each tap themselves
 * (cl/conv2d_cpu.cl, cl/conv2d_dw_cpu.cl).
 */
#include "conv2d.h"

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

static struct part part_of(const struct cg__conv *a, int64_t g)
{
	int64_t C = a->C / a->c.groups, M = a->M / a->c.groups;

	return (struct part){ C, M, g * C, g * M, g * M };
}

/* Writes a group's channels of t, or all of it. */
static struct cg__arg arg_part(const struct cg__conv *a, const cg_tensor *t)
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

static cg_status cpu_forward(struct cg__emit *e, const struct cg__conv *a, const cg_tensor *y,
	const cg_tensor *x, const cg_tensor *zero, struct part p)
{
	const struct cg__tile t = cg__tile_of(e, p.M);
	const bool packed = zero != NULL && a->c.groups == 1 && cg__packs(e, y->src[1], a->B * a->P * a->Q);
	const int64_t pixels = a->B * a->P * a->Q, panels = up(p.M, t.cols),
		      block = cg__tile_block(e, t, pixels, panels, packed);
	const cg_tensor *w = y->src[1], *bias = cg__conv_bias(y);
	const struct cg__norm norm = cg__conv_norm(y);
	const int64_t blocks = up(pixels, block);
	const struct cg__range r = cg__range_2d((size_t)blocks, (size_t)panels, 1, 1);
	const cg_tensor *part = cg__moments(e, norm, blocks, panels * t.cols);

	if (packed)
		w = cg__pack(e, t, w, 0, a->M, false, a->R * a->S * p.C, p.M);
	if (w == NULL)
		return CG_ERR_HOST_MEMORY;
#define NORM CG__NORM_ARGS(e, norm, blocks * panels, t.cols, part)

	if (zero == NULL)
		TRY(CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d_few", r, IN(x), IN(w),
			arg_part(a, y), IN(bias), INT(p.x), INT(a->C), INT(p.w), INT(a->M),
			INT(p.y), INT(a->M), INT(bias != NULL), INT(a->act), INT(a->B), INT(a->H),
			INT(a->W), INT(p.C), INT(a->P), INT(a->Q), INT(p.M), WINDOW(a),
			INT(cg__count(x)), INT(block), NORM));
	else
		TRY(CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d", r, IN(x), IN(w),
			arg_part(a, y), IN(bias), IN(zero), INT(p.x), INT(a->C), INT(p.w),
			INT(packed ? 0 : a->M), INT(p.y), INT(a->M), INT(0), INT(bias != NULL), INT(a->act),
			INT(a->B), INT(a->H), INT(a->W), INT(p.C), INT(a->P), INT(a->Q), INT(p.M),
			WINDOW(a), INT(by_image(a->B, a->P * a->Q)), INT(block), NORM));
#undef NORM
	cg__flops(e, 2.0 * (double)(pixels * a->R * a->S * p.C) * (double)p.M);
	return cg__join_moments(e, norm, part, blocks, panels * t.cols, pixels);
}

cg_status cg__conv_cpu(struct cg__emit *e, const cg_tensor *y, const cg_tensor *x)
{
	const struct cg__conv *a = cg__attr(y);
	const int64_t C = a->C / a->c.groups;
	const bool few = C < 8 && a->R * a->S * C <= FEW;
	const cg_tensor *zero = few ? NULL : cg__zeros(e, C);

	if (!few && zero == NULL)
		return CG_ERR_HOST_MEMORY;
	for (int64_t g = 0; g < a->c.groups; g++)
		TRY(cpu_forward(e, a, y, x, zero, part_of(a, g)));
	return CG_OK;
}

/* The same kernel: dy in the place of x, and a phase for each pixel of a stride. */
static cg_status cpu_dx(struct cg__emit *e, const struct cg__conv *a, const cg_tensor *dx,
	const cg_tensor *zero, struct part p)
{
	const struct cg__tile t = cg__tile_of(e, p.C);
	const int64_t phases = a->c.stride_h * a->c.stride_w, panels = up(p.C, t.cols);
	const int64_t pixels = up(a->H, a->c.stride_h) * up(a->W, a->c.stride_w);
	const int64_t block = cg__tile_block(e, t, a->B * pixels, panels * phases, false);
	const int64_t blocks = up(a->B * pixels, block), W = panels * t.cols;
	const struct cg__norm norm = cg__conv_norm_grad(dx);
	const cg_tensor *part = cg__moments(e, norm, blocks * phases, W);

	TRY(CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d",
		cg__range_3d((size_t)blocks, (size_t)panels, (size_t)phases, 1, 1, 1),
		IN(dx->src[0]), IN(dx->src[1]), arg_part(a, dx), IN(NULL), IN(zero), INT(p.y),
		INT(a->M), INT(p.w), INT(a->M), INT(p.x), INT(a->C), INT(1), INT(0),
		INT(CG__ACT_NONE), INT(a->B), INT(a->P), INT(a->Q), INT(p.M), INT(a->H), INT(a->W),
		INT(p.C), WINDOW(a), INT(by_image(a->B, pixels)), INT(block),
		CG__NORM_ARGS(e, norm, 0, 0, part)));
	cg__flops(e, 2.0 * (double)(a->B * a->P * a->Q * a->R * a->S * p.C) * (double)p.M);
	return cg__join_moments(e, norm, part, blocks * phases, W, 0);
}

cg_status cg__conv_cpu_dx(struct cg__emit *e, const cg_tensor *dx)
{
	const struct cg__conv *a = cg__attr(dx);
	const cg_tensor *zero = cg__zeros(e, a->M / a->c.groups);

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

static struct taps choose_taps(const struct cg__conv *a, struct part p)
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

static struct cut cut_dw(const struct cg__conv *a, struct part p, struct cg__tile t)
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

static cg_status cpu_dw(struct cg__emit *e, const struct cg__conv *a, const cg_tensor *dw,
	const cg_tensor *x, struct part p)
{
	const struct cg__tile t = cg__tile_of(e, p.M);
	const struct cut c = cut_dw(a, p, t);
	const int64_t K = a->R * a->S * p.C, rows = a->B * a->P;
	const int64_t together = at_least_1(192 / a->Q < ROWS ? 192 / a->Q : ROWS);
	const cg_tensor *part = c.parts > 1 ? cg__temp(e, CG_FLOAT32, c.parts * K * p.M) : NULL;
	const struct cg__range r =
		cg__range_3d((size_t)c.blocks, (size_t)c.panels, (size_t)c.parts, 1, 1, 1);
	const struct cg__arg out = part ? OUT(part) : arg_part(a, dw);

	if (c.parts > 1 && part == NULL)
		return CG_ERR_HOST_MEMORY;
#define TENSORS \
	IN(x), IN(dw->src[1]), out, INT(p.x), INT(a->C), INT(p.y), INT(a->M), \
		INT(part ? 0 : p.w), INT(part ? p.M : a->M), INT(K *p.M)
	if (c.in_place)
		TRY(CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d_dw_rows", r, TENSORS, INT(a->H),
			INT(a->W), INT(p.C), INT(a->P), INT(a->Q), INT(p.M), WINDOW(a),
			INT(c.taps.C), INT(c.rows), INT(rows), INT(together)));
	else
		TRY(CG__LAUNCH(e, "conv2d_cpu", t.options, "conv2d_dw", r, TENSORS, INT(a->B),
			INT(a->H), INT(a->W), INT(p.C), INT(a->P), INT(a->Q), INT(p.M), WINDOW(a),
			INT(c.taps.R), INT(c.taps.S), INT(c.taps.C), INT(c.rows),
			INT(cg__count(x))));
#undef TENSORS
	cg__flops(e, 2.0 * (double)(rows * a->Q * K) * (double)p.M);
	return part ? cg__sum_parts(e, part, c.parts, arg_part(a, dw), p.w, a->M, false, K, p.M)
		    : CG_OK;
}

cg_status cg__conv_cpu_dw(struct cg__emit *e, const cg_tensor *dw, const cg_tensor *x)
{
	const struct cg__conv *a = cg__attr(dw);

	for (int64_t g = 0; g < a->c.groups; g++)
		TRY(cpu_dw(e, a, dw, x, part_of(a, g)));
	return CG_OK;
}
