/* cl/winograd_cpu.cl and cl/winograd_dw_cpu.cl have the formulas. */
#include "winograd.h"

#include <stdio.h>

#include "choice.h"
#include "ctx.h"

enum { DEPTH = 16, DEPTHS = 64 }; /* as in winograd_cpu.cl */

static int64_t up(int64_t n, int64_t d)
{
	return (n + d - 1) / d;
}

/* Tiles of so many pixels of x, to a side and in all, make out² of y. */
struct size {
	int64_t side, points, out, down, across;
};

static struct size size_by(const struct cg__winograd *f, int64_t side)
{
	const int64_t out = side + 1 - f->side;

	return (struct size){ side, side * side, out, up(f->P, out), up(f->Q, out) };
}

static int64_t products_of(struct size s)
{
	return s.down * s.across * s.points;
}

/* Larger tiles take less work a result, but stand further over the edges of small images, and the largest, whose
 * transforms do not find room in the registers, must save a quarter. */
static struct size size_of(const struct cg__winograd *f)
{
	const struct size seven = size_by(f, 7), eight = size_by(f, 8);
	struct size best = size_by(f, 6);

	if (products_of(seven) * 8 <= products_of(best) * 7)
		best = seven;
	return products_of(eight) * 4 <= products_of(best) * 3 ? eight : best;
}

/* How the work is cut: tiles of the image, so many a work-item, whose transforms fit its memory. */
struct cut {
	struct cg__tile t;
	struct size s;
	int64_t tiles, block, panels, ldv, bytes;
};

static int64_t bytes_of(const struct cut *k, int64_t block, int64_t lanes)
{
	return k->s.points * (block * (k->ldv + k->t.cols) + 2 * lanes) * 4;
}

static int64_t between(int64_t low, int64_t n, int64_t high)
{
	return n < low ? low : n > high ? high : n;
}

/* Up to four items a unit, of 24 tiles or more if there is room. The filter
 * is read once an item: below LEAST tiles that costs more than what no longer fits half the cache. */
enum { LEAST = 18 };

static struct cut cut(const struct cg__emit *e, const struct cg__winograd *f)
{
	const int64_t lanes = cg__vector_width(e), units = cg__compute_units(e);
	const int64_t room = cg__emit_ctx(e)->info.local_bytes;
	struct cut k = {
		.t = cg__tile_of(e, f->M), .s = size_of(f), .ldv = up(f->C, lanes) * lanes
	};
	const int64_t step = k.t.rows;
	int64_t items;

	k.tiles = f->B * k.s.down * k.s.across;
	k.panels = up(f->M, k.t.cols);
	items = units * between(1, k.tiles / (24 * units), 4);
	k.block = up(up(k.tiles, items), step) * step;
	while (k.block > step &&
		bytes_of(&k, k.block, lanes) > (k.block > LEAST ? room / 2 : room * 7 / 8))
		k.block -= step;
	items = up(up(k.tiles, k.block), units) * units; /* so that units finish together */
	k.block = up(up(k.tiles, items), step) * step;
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
enum { CHANNELS_LEAST = 16, SIZE_LEAST = 4, PIXELS_LEAST = 480, PIXELS_LEAST_KEPT = 100 };

static bool is_large(const struct cg__winograd *f, int64_t pixels)
{
	return f->C >= CHANNELS_LEAST && f->M >= CHANNELS_LEAST && f->P >= SIZE_LEAST &&
		f->Q >= SIZE_LEAST && f->B * f->P * f->Q >= pixels;
}

bool cg__winograd_is_usual(const cg_ctx *ctx, const struct cg__winograd *f)
{
	return ctx->tune.cpu_family && ctx->tune.winograd && (f->side == 3 || f->side == 5) &&
		pads_are_narrow(f) && (ctx->tune.winograd > 1 || is_large(f, PIXELS_LEAST));
}

static bool suits(struct cg__emit *e, const struct cg__winograd *f, const char *part)
{
	static const char *const ways[] = { "direct", "winograd" };
	/* what filters of 5x5 save is much, where they need not be transformed each time */
	const int64_t least = f->side == 5 && cg__keeps(e, f->w) ? PIXELS_LEAST_KEPT : PIXELS_LEAST;
	const bool usual = is_large(f, least);
	char key[128];

	if (cg__emit_ctx(e)->tune.winograd > 1)
		return true;
	snprintf(key, sizeof(key), "conv2d %s%s%s B%d H%d W%d C%d P%d Q%d M%d R%d pad %d %d", part,
		cg__keeps(e, f->w) ? " kept" : "", f->before.stats ? " of norm" : "",
		(int)f->B, (int)f->H, (int)f->W, (int)f->C, (int)f->P, (int)f->Q, (int)f->M,
		(int)f->side, (int)f->pad_top, (int)f->pad_left);
	return cg__choose(e, key, ways, 2, usual) == 1;
}

bool cg__winograd_suits(struct cg__emit *e, const struct cg__winograd *f)
{
	return cg__emit_ctx(e)->tune.winograd && possible(e, f) &&
		suits(e, f, f->transposed ? "dx" : "y");
}

/* ---- few tiles: by panels of M ----------------------------------------------------------- */

/* An item does a panel for a block of tiles, `depth` channels at a time. */
struct panels {
	struct cg__tile t;
	int64_t count, rows, block, blocks, depth, step, bytes;
	bool ready; /* the filters are kept from the run before */
};

/* How many tiles' products take as long as to transform the filters for them; what is few where
 * filters are large. */
enum { FILTER_ROWS = 15, FEW = 256 };

/* Tiles whose o finds room in half the cache. */
static int64_t most_tiles(const struct cg__emit *e, struct size s, struct cg__tile t)
{
	const int64_t room = cg__emit_ctx(e)->info.local_bytes / 2;

	return room / (s.points * t.cols * 4) / t.rows * t.rows;
}

/* Blocks that take the least time, in any unit: that of the slowest unit of the device. */
static int64_t cut_blocks(const struct cg__emit *e, const struct cut *k, struct panels *p)
{
	const int64_t units = cg__compute_units(e), most = most_tiles(e, k->s, p->t);
	int64_t lowest = INT64_MAX;

	for (int64_t n = 1; n <= 2 * units || p->blocks == 0; n++) {
		const int64_t block = up(up(k->tiles, n), p->t.rows) * p->t.rows;
		const int64_t blocks = up(k->tiles, block);
		const int64_t time = up(p->count * blocks, units) * p->t.cols *
			(block + (p->ready ? 0 : FILTER_ROWS));

		if ((block <= most || block == p->t.rows) && time < lowest) {
			lowest = time;
			p->block = block;
			p->blocks = blocks;
		}
	}
	return lowest;
}

static struct panels cut_panels(
	const struct cg__emit *e, const struct cg__winograd *f, const struct cut *k)
{
	const int64_t lanes = cg__vector_width(e), room = cg__emit_ctx(e)->info.local_bytes * 7 / 8;
	const struct cg__tile tile[] = { k->t, { 8, 48, "-DTILE_MIDDLE" } };
	struct panels best = { 0 };
	int64_t lowest = INT64_MAX, column;

	for (int i = 0; i < (lanes == 16 ? 2 : 1); i++) {
		struct panels p = {
			.t = tile[i], .count = up(f->M, tile[i].cols), .ready = cg__keeps(e, f->w)
		};
		const int64_t time = cut_blocks(e, k, &p);

		/* other kernels to build: these should be worth it */
		if (i == 0 || 10 * time < 9 * lowest) {
			lowest = time;
			best = p;
		}
	}
	column = k->s.points * best.t.cols * 4; /* bytes of a tile's o, or of a channel's u */
	best.rows = up(k->tiles, best.t.rows) * best.t.rows;
	best.bytes = best.block * column + 2 * k->s.points * lanes * 4;
	best.depth = k->ldv;
	if (!best.ready) {
		best.depth = (room - best.bytes) / column / lanes * lanes;
		best.depth = between(lanes, best.depth, k->ldv < DEPTHS ? k->ldv : DEPTHS);
		best.bytes += best.depth * column;
	}
	best.step = best.rows * best.depth + lanes;
	return best;
}

/* Where filters do not stay in the cache, and are read for few tiles. */
static bool suits_panels(
	const struct cg__emit *e, const struct cg__winograd *f, const struct cut *k)
{
	const int64_t room = cg__emit_ctx(e)->info.local_bytes;
	const int64_t few = k->block > LEAST ? most_tiles(e, k->s, k->t) : FEW;
	const bool usual = k->tiles <= few && k->s.points * f->C * f->M * 4 > room / 2;
	const int way = cg__emit_ctx(e)->tune.winograd;

	return (way == 1 ? usual : way > 2) && cut_panels(e, f, k).bytes <= room;
}

/* ---- y and dx ---------------------------------------------------------------------------- */

#define BEFORE(f) \
	IN((f)->before.stats), IN((f)->before.gamma), IN((f)->before.beta), INT((f)->before.relu)

/* -DWINDOW, -DSIDE and the tile's, in the caller's text. */
static const char *options_of(
	const struct cg__winograd *f, struct size s, struct cg__tile t, char text[64])
{
	snprintf(text, 64, "-DWINDOW=%d -DSIDE=%d%s%s", (int)f->side, (int)s.side,
		t.options ? " " : "", t.options ? t.options : "");
	return text;
}

static void count_flops(struct cg__emit *e, const struct cg__winograd *f)
{
	cg__flops(e, 2.0 * (double)(f->B * f->P * f->Q * f->side * f->side * f->C) * (double)f->M);
}

/* Transforms all filters, for so many panels. */
static cg_status make_filters(struct cg__emit *e, const struct cg__winograd *f, int64_t panels,
	const char *options, const cg_tensor *u)
{
	if (u == NULL)
		return CG_ERR_HOST_MEMORY;
	return CG__LAUNCH(e, "winograd_cpu", options, "winograd_filter",
		cg__range_2d((size_t)panels, (size_t)up(f->C, DEPTH), 1, 1), IN(f->w), OUT(u),
		INT(f->transposed), INT(f->C), INT(f->M));
}

static cg_status emit_panels(struct cg__emit *e, const struct cg__winograd *f, const struct cut *k)
{
	const struct panels p = cut_panels(e, f, k);
	const int64_t W = p.count * p.t.cols;
	char text[64];
	const char *options = options_of(f, k->s, p.t, text);
	const cg_tensor *part = cg__moments(e, f->norm, p.blocks, W);
	const cg_tensor *u = p.ready ? cg__temp(e, CG_FLOAT32, k->s.points * f->C * W) : NULL;
	cg_tensor *v = cg__temp(e, CG_FLOAT32, k->s.points * p.step * up(f->C, p.depth));

	if (v == NULL)
		return CG_ERR_HOST_MEMORY;
	if (p.ready)
		TRY(make_filters(e, f, p.count, options, u));
	TRY(CG__LAUNCH(e, "winograd_cpu", options, "winograd_tiles",
		cg__range_1d((size_t)p.rows, 1), IN(f->x), OUT(v), INT(f->H), INT(f->W), INT(f->C),
		INT(f->P), INT(f->Q), INT(f->pad_top), INT(f->pad_left), INT(k->s.down),
		INT(k->s.across), INT(k->tiles), INT(p.depth), INT(p.step), BEFORE(f)));
	TRY(CG__LAUNCH(e, "winograd_cpu", options, "winograd_panels",
		cg__range_2d((size_t)p.blocks, (size_t)p.count, 1, 1), IN(v), IN(f->w), IN(u),
		OUT(f->y), IN(f->bias), LOCALMEM(p.bytes), INT(f->transposed), INT(f->bias != NULL),
		INT(f->act), INT(f->C), INT(f->P), INT(f->Q), INT(f->M), INT(k->s.down),
		INT(k->s.across), INT(k->tiles), INT(p.block), INT(p.depth), INT(p.step),
		CG__NORM_ARGS(e, f->norm, p.blocks * p.count, p.t.cols, part)));
	count_flops(e, f);
	return cg__join_moments(e, f->norm, part, p.blocks, W, f->B * f->P * f->Q);
}

static cg_status emit_blocks(struct cg__emit *e, const struct cg__winograd *f, const struct cut *of)
{
	const struct cut k = *of;
	char text[64];
	const char *options = options_of(f, k.s, k.t, text);
	const int64_t items = up(k.tiles, k.block), W = k.panels * k.t.cols;
	const cg_tensor *part = cg__moments(e, f->norm, items, W);
	const cg_tensor *u = cg__temp(e, CG_FLOAT32, k.s.points * f->C * W);

	TRY(make_filters(e, f, k.panels, options, u));
	TRY(CG__LAUNCH(e, "winograd_cpu", options, "winograd", cg__range_1d((size_t)items, 1),
		IN(f->x), IN(u), OUT(f->y), IN(f->bias), LOCALMEM(k.bytes), INT(f->bias != NULL),
		INT(f->act), INT(f->H), INT(f->W), INT(f->C), INT(f->P), INT(f->Q), INT(f->M),
		INT(f->pad_top), INT(f->pad_left), INT(k.s.down), INT(k.s.across), INT(k.tiles),
		INT(k.block), INT(k.ldv), BEFORE(f), CG__NORM_ARGS(e, f->norm, items, k.t.cols, part)));
	count_flops(e, f);
	return cg__join_moments(e, f->norm, part, items, W, f->B * f->P * f->Q);
}

cg_status cg__winograd(struct cg__emit *e, const struct cg__winograd *f)
{
	const struct cut k = cut(e, f);

	return suits_panels(e, f, &k) ? emit_panels(e, f, &k) : emit_blocks(e, f, &k);
}

/* ---- gradient of the weights ------------------------------------------------------------- */

/* PART_LEAST: points of a part's tiles that repay it, where units would else have nothing to do. */
enum { CHANNELS = 64, ITEMS_A_UNIT = 2, PART_LEAST = 1024 };

/* Blocks of cb channels (cr rows of whole tiles) by panels of M by parts of the tiles, `per` of
 * them, `block` at a time. Each part more is another o to write and to add up. */
struct cut_dw {
	struct cg__tile t;
	struct size s;
	int64_t tiles, block, panels, cb, cr, blocks, ldv, per, parts, bytes;
};

/* ROWS of winograd_dw_cpu.cl */
static struct cg__tile tile_of_dw(const struct cg__emit *e, int64_t M)
{
	struct cg__tile t = cg__tile_of(e, M);

	if (cg__vector_width(e) == 16)
		t.rows = 256 / t.cols;
	return t;
}

static struct cut_dw cut_dw(const struct cg__emit *e, const struct cg__winograd *f)
{
	const int64_t lanes = cg__vector_width(e), units = cg__compute_units(e);
	const int64_t room = cg__emit_ctx(e)->info.local_bytes;
	struct cut_dw k = { .t = tile_of_dw(e, f->M), .s = size_of(f) };
	int64_t row, parts, least;

	k.tiles = f->B * k.s.down * k.s.across;
	k.panels = up(f->M, k.t.cols);
	k.cb = up(up(f->C, up(f->C, CHANNELS)), lanes) * lanes;
	k.cr = up(k.cb, k.t.rows) * k.t.rows;
	k.blocks = up(f->C, k.cb);
	k.ldv = up(k.cr, lanes) * lanes;
	parts = up(ITEMS_A_UNIT * units, k.blocks * k.panels);
	least = between(1, k.tiles * k.s.points / PART_LEAST, up(units, k.blocks * k.panels));
	k.per = up(k.tiles, between(least, k.tiles / 64, parts));
	k.parts = up(k.tiles, k.per);
	/* beside v and d, o should find room in the cache */
	row = k.s.points * (k.ldv + k.t.cols) * 4;
	least = between(1, room * 3 / 4 / row, 32);
	k.block = between(least, (room / 2 - k.s.points * k.cr * k.t.cols * 4) / row, k.per);
	k.block = up(k.per, up(k.per, k.block));
	k.bytes = k.block * row + 2 * k.s.points * lanes * 4;
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
	const char *options = options_of(f, k.s, k.t, text);
	cg_tensor *o = cg__temp(e, CG_FLOAT32, k.parts * k.panels * k.s.points * rows * k.t.cols);

	if (o == NULL)
		return CG_ERR_HOST_MEMORY;
	TRY(CG__LAUNCH(e, "winograd_cpu", options, "winograd_dw",
		cg__range_3d((size_t)k.blocks, (size_t)k.panels, (size_t)k.parts, 1, 1, 1),
		IN(f->x), IN(f->w), OUT(o), LOCALMEM(k.bytes), INT(f->H), INT(f->W), INT(f->C),
		INT(f->P), INT(f->Q), INT(f->M), INT(f->pad_top), INT(f->pad_left), INT(k.s.down),
		INT(k.s.across), INT(k.tiles), INT(k.per), INT(k.block), INT(k.cb), INT(k.cr),
		INT(k.ldv), BEFORE(f)));
	count_flops(e, f);
	return CG__LAUNCH(e, "winograd_cpu", options, "winograd_dw_join",
		cg__range_2d((size_t)k.panels, (size_t)f->C, 1, 1), IN(o), OUT(f->y), INT(f->C),
		INT(f->M), INT(rows), INT(k.parts), INT(k.cb), INT(k.cr));
}
