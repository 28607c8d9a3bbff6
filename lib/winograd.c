/* cl/winograd_cpu.cl and cl/winograd_dw_cpu.cl have the formulas. */
#include "winograd.h"

#include <stdio.h>

#include "choice.h"
#include "ctx.h"

enum { SIDE = 6, POINTS = SIDE * SIDE, DEPTH = 16 }; /* as in winograd_cpu.cl */

static int64_t up(int64_t n, int64_t d)
{
	return (n + d - 1) / d;
}

/* How the work is cut: tiles of the image, so many a work-item, whose transforms fit its memory. */
struct cut {
	struct cg__tile t;
	int64_t down, across, tiles, block, panels, ldv, bytes;
};

static int64_t bytes_of(const struct cut *k, int64_t block, int64_t lanes)
{
	return POINTS * (block * (k->ldv + k->t.cols) + 2 * lanes) * 4;
}

static struct cut cut(const struct cg__emit *e, const struct cg__winograd *f)
{
	const int64_t m = SIDE + 1 - f->side, lanes = cg__vector_width(e);
	const int64_t cache = cg__emit_ctx(e)->info.local_bytes / 2;
	struct cut k = { .t = cg__tile_of(e, f->M),
		.down = up(f->P, m),
		.across = up(f->Q, m),
		.ldv = up(f->C, lanes) * lanes };
	const int64_t step = k.t.rows, least = up(24, step) * step;

	k.tiles = f->B * k.down * k.across;
	k.panels = up(f->M, k.t.cols);
	k.block = up(up(k.tiles, 4 * cg__compute_units(e)), step) * step;
	k.block = k.block < least ? least : k.block;
	while (k.block > step && bytes_of(&k, k.block, lanes) > cache)
		k.block -= step;
	k.bytes = bytes_of(&k, k.block, lanes);
	return k;
}

/* Pads of x that no window lies in alone: there the plain sum is exactly zero. */
static bool pads_are_narrow(const struct cg__winograd *f)
{
	const int64_t most = f->side - 1;
	const int64_t bottom = f->P + most - f->H - f->pad_top;
	const int64_t right = f->Q + most - f->W - f->pad_left;

	return f->pad_top >= 0 && f->pad_top <= most && bottom <= most && f->pad_left >= 0 &&
		f->pad_left <= most && right <= most;
}

static bool possible(const struct cg__emit *e, const struct cg__winograd *f)
{
	return cg__is_cpu(e) && (f->side == 3 || f->side == 5) && pads_are_narrow(f) &&
		(uint64_t)cut(e, f).bytes <= cg__emit_ctx(e)->info.local_bytes;
}

/* Below these, tiles that are mostly outside, transforms for few products and filters for few tiles
 * cost more than they save (doc/performance.md). */
enum { CHANNELS_LEAST = 16, TILES_LEAST = 64, SIZE_LEAST_3 = 7, SIZE_LEAST_5 = 6 };

static bool suits(struct cg__emit *e, const struct cg__winograd *f, const char *part)
{
	static const char *const ways[] = { "direct", "winograd" };
	const int64_t least = f->side == 3 ? SIZE_LEAST_3 : SIZE_LEAST_5;
	const bool usual = f->C >= CHANNELS_LEAST && f->M >= CHANNELS_LEAST && f->P >= least &&
		f->Q >= least && cut(e, f).tiles >= TILES_LEAST;
	char key[128];

	if (cg__emit_ctx(e)->tune.winograd > 1)
		return true;
	snprintf(key, sizeof(key), "conv2d %s B%d H%d W%d C%d P%d Q%d M%d R%d pad %d %d", part,
		(int)f->B, (int)f->H, (int)f->W, (int)f->C, (int)f->P, (int)f->Q, (int)f->M,
		(int)f->side, (int)f->pad_top, (int)f->pad_left);
	return cg__choose(e, key, ways, 2, usual) == 1;
}

bool cg__winograd_suits(struct cg__emit *e, const struct cg__winograd *f)
{
	return cg__emit_ctx(e)->tune.winograd && possible(e, f) &&
		suits(e, f, f->transposed ? "dx" : "y");
}

/* -DWINDOW and the tile's, in the caller's text. */
static const char *options_of(const struct cg__winograd *f, struct cg__tile t, char text[64])
{
	snprintf(text, 64, "-DWINDOW=%d%s%s", (int)f->side, t.options ? " " : "",
		t.options ? t.options : "");
	return text;
}

static void count_flops(struct cg__emit *e, const struct cg__winograd *f)
{
	cg__flops(e, 2.0 * (double)(f->B * f->P * f->Q * f->side * f->side * f->C) * (double)f->M);
}

cg_status cg__winograd(struct cg__emit *e, const struct cg__winograd *f)
{
	const struct cut k = cut(e, f);
	char text[64];
	const char *options = options_of(f, k.t, text);
	cg_tensor *u = cg__temp(e, CG_FLOAT32, POINTS * k.panels * f->C * k.t.cols);

	if (u == NULL)
		return CG_ERR_HOST_MEMORY;
	TRY(CG__LAUNCH(e, "winograd_cpu", options, "winograd_filter",
		cg__range_2d((size_t)k.panels, (size_t)up(f->C, DEPTH), 1, 1), IN(f->w), OUT(u),
		INT(f->transposed), INT(f->C), INT(f->M)));
	TRY(CG__LAUNCH(e, "winograd_cpu", options, "winograd",
		cg__range_1d((size_t)up(k.tiles, k.block), 1), IN(f->x), IN(u), OUT(f->y),
		IN(f->bias), LOCALMEM(k.bytes), INT(f->bias != NULL), INT(f->act), INT(f->H),
		INT(f->W), INT(f->C), INT(f->P), INT(f->Q), INT(f->M), INT(f->pad_top),
		INT(f->pad_left), INT(k.down), INT(k.across), INT(k.tiles), INT(k.block),
		INT(k.ldv)));
	count_flops(e, f);
	return CG_OK;
}

/* ---- gradient of the weights ------------------------------------------------------------- */

enum { CHANNELS = 64, ITEMS_A_UNIT = 2 };

/* Blocks of cb channels (cr rows of whole tiles) by panels of M by parts of the tiles, `per` of
 * them, `block` at a time. Each part more is another o to write and to add up. */
struct cut_dw {
	struct cg__tile t;
	int64_t down, across, tiles, block, panels, cb, cr, blocks, ldv, per, parts, bytes;
};

static int64_t at_least_1(int64_t n)
{
	return n < 1 ? 1 : n;
}

static struct cut_dw cut_dw(const struct cg__emit *e, const struct cg__winograd *f)
{
	const int64_t m = SIDE + 1 - f->side, lanes = cg__vector_width(e);
	const int64_t cache = cg__emit_ctx(e)->info.local_bytes / 2;
	struct cut_dw k = { .t = cg__tile_of(e, f->M), .down = up(f->P, m), .across = up(f->Q, m) };
	int64_t row, parts;

	k.tiles = f->B * k.down * k.across;
	k.panels = up(f->M, k.t.cols);
	k.cb = up(up(f->C, up(f->C, CHANNELS)), lanes) * lanes;
	k.cr = up(k.cb, k.t.rows) * k.t.rows;
	k.blocks = up(f->C, k.cb);
	k.ldv = up(k.cr, lanes) * lanes;
	parts = up(ITEMS_A_UNIT * cg__compute_units(e), k.blocks * k.panels);
	k.per = up(k.tiles, parts < k.tiles / 64 ? parts : at_least_1(k.tiles / 64));
	k.parts = up(k.tiles, k.per);
	/* beside v and d, o should find room in the cache */
	row = POINTS * (k.ldv + k.t.cols) * 4;
	k.block = at_least_1((cache - POINTS * k.cr * k.t.cols * 4) / row);
	k.block = up(k.per, up(k.per, k.block));
	k.bytes = k.block * row + 2 * POINTS * lanes * 4;
	return k;
}

bool cg__winograd_suits_dw(struct cg__emit *e, const struct cg__winograd *f)
{
	return cg__emit_ctx(e)->tune.winograd && possible(e, f) &&
		(uint64_t)cut_dw(e, f).bytes <= cg__emit_ctx(e)->info.local_bytes &&
		suits(e, f, "dw");
}

cg_status cg__winograd_dw(struct cg__emit *e, const struct cg__winograd *f)
{
	const struct cut_dw k = cut_dw(e, f);
	const int64_t rows = k.blocks * k.cr;
	char text[64];
	const char *options = options_of(f, k.t, text);
	cg_tensor *o = cg__temp(e, CG_FLOAT32, k.parts * k.panels * POINTS * rows * k.t.cols);

	if (o == NULL)
		return CG_ERR_HOST_MEMORY;
	TRY(CG__LAUNCH(e, "winograd_cpu", options, "winograd_dw",
		cg__range_3d((size_t)k.blocks, (size_t)k.panels, (size_t)k.parts, 1, 1, 1),
		IN(f->x), IN(f->w), OUT(o), LOCALMEM(k.bytes), INT(f->H), INT(f->W), INT(f->C),
		INT(f->P), INT(f->Q), INT(f->M), INT(f->pad_top), INT(f->pad_left), INT(k.down),
		INT(k.across), INT(k.tiles), INT(k.per), INT(k.block), INT(k.cb), INT(k.cr),
		INT(k.ldv)));
	count_flops(e, f);
	return CG__LAUNCH(e, "winograd_cpu", options, "winograd_dw_join",
		cg__range_2d((size_t)k.panels, (size_t)f->C, 1, 1), IN(o), OUT(f->y), INT(f->C),
		INT(f->M), INT(rows), INT(k.parts), INT(k.cb), INT(k.cr));
}
