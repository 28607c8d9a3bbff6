#include "gemm.h"

#include "choice.h"
#include "ctx.h"

#include <math.h>
#include <stdlib.h>

/* Fills in what 0 stands for. */
static struct cg__gemm complete(const struct cg__gemm *g)
{
	struct cg__gemm f = *g;

	f.lda = f.lda ? f.lda : f.trans_a ? f.M : f.K;
	f.ldb = f.ldb ? f.ldb : f.trans_b ? f.K : f.N;
	f.ldc = f.ldc ? f.ldc : f.N;
	return f;
}

struct cg__arg cg__gemm_c(const struct cg__gemm *g)
{
	bool part = g->ldc != g->N || g->c_offset != 0 || g->M * g->N != cg__count(g->c);

	return g->beta != 0 || part ? UPDATE(g->c) : OUT(g->c);
}

/* ---- our tile kernel: GPU style --------------------------------------------------------- */

/* Ways of our kernels: more or fewer pieces than usual. */
enum cut { USUAL, FINER, COARSER };

static int64_t recut(int64_t pieces, enum cut cut)
{
	return cut == FINER ? 2 * pieces : cut == COARSER ? (pieces + 1) / 2 : pieces;
}

/* Long products of few tiles (weight gradients) are cut along K. */
static int64_t splits_of(int64_t tiles, int64_t K, enum cut cut)
{
	int64_t splits = recut(512 / tiles, cut), most = K / 256;

	splits = splits < most ? splits : most;
	return splits < 1 ? 1 : splits > 64 ? 64 : splits;
}

int64_t cg__splits(int64_t tiles, int64_t K)
{
	return splits_of(tiles, K, USUAL);
}

static cg_status emit_tiles(struct cg__emit *e, const struct cg__gemm *g, enum cut cut)
{
	int64_t across = (g->N + 63) / 64, down = (g->M + 63) / 64,
		splits = splits_of(across * down, g->K, cut);
	cg_tensor *part =
		splits > 1 ? cg__temp(e, CG_FLOAT32, splits * g->M * g->N) : NULL;
	static const char *const options[4] = { NULL, "-DTRANS_B=1", "-DTRANS_A=1",
		"-DTRANS_A=1 -DTRANS_B=1" };
	struct cg__range r = cg__range_3d(
		(size_t)across * 16, (size_t)down * 16, (size_t)splits, 16, 16, 1);
	struct cg__arg c = part ? OUT(part) : cg__gemm_c(g);

	TRY(CG__LAUNCH(e, "gemm_gpu", options[2 * g->trans_a + g->trans_b], "gemm", r, IN(g->a),
		IN(g->b), c, IN(part ? NULL : g->bias), INT(g->M), INT(g->N), INT(g->K),
		INT(g->a_offset), INT(g->b_offset), INT(part ? 0 : g->c_offset), INT(g->lda),
		INT(g->ldb), INT(g->ldc),
		INT(splits), INT(!part && g->beta != 0), INT(part ? CG__ACT_NONE : g->act)));
	cg__flops(e, 2.0 * (double)(g->M * g->N * g->K));
	if (part == NULL)
		return CG_OK;
	return CG__LAUNCH(e, "gemm_gpu", NULL, "gemm_join",
		cg__range_rows(e, g->N, g->M), IN(part), cg__gemm_c(g), IN(g->bias),
		INT(g->M), INT(g->N), INT(g->c_offset), INT(g->ldc), INT(0), INT(splits),
		INT(1), INT(g->beta != 0), INT(g->act));
}

/* ---- our register tiles: CPU style ------------------------------------------------------ */

/* KC, KC_TN, PANELS, MB_TN, ROW_COLS of gemm_cpu.cl, ldb and n of tile_cpu.cl's reads_in_place */
enum { BLOCK = 768, BLOCK_TN = 192, PANELS = 1024, ROWS_TN = 192, ROW_COLS = 1024, IN_PLACE = 768, SHORT = 128 };
/* What else takes as long as multiply-adds do: copying an element of B as COPY_ROWS of them, reading one of A' first
 * as READ_COLUMNS, writing and adding up one of a part of C as SUM_PART, a launch LAUNCH. Measured with AVX-512. */
enum { COPY_ROWS = 32, READ_COLUMNS = 24, SUM_PART = 48, LAUNCH = 1600000 };

static int64_t up(int64_t n, int64_t d)
{
	return (n + d - 1) / d;
}

static int64_t clamped(int64_t v, int64_t low, int64_t high)
{
	return v > high ? high : v < low ? low : v;
}

/* tile_cpu.cl. Where panels are few, a half-empty last one costs more than the narrow tile's
 * lower rate. */
struct cg__tile cg__tile_of(const struct cg__emit *e, int64_t N)
{
	const int width = cg__vector_width(e);
	const int64_t cols = width == 16 ? 64 : 2 * width, rest = N % cols;

	if (rest > 0 && rest <= cols / 2 && N < 5 * cols / 2)
		return (struct cg__tile){ 12, cols / 2, "-DTILE_NARROW" };
	return (struct cg__tile){ 6, cols, NULL };
}

/* How long `items` alike ones take, in units of one: at the end some threads may wait. */
static double rounds(const struct cg__emit *e, int64_t items)
{
	return (double)up(items, cg__compute_units(e)) + .25;
}

/* How long an item takes, in rows: it copies its part of B first, or reads it packed while it multiplies. */
static double item_cost(int64_t block, bool packed)
{
	enum { READ_ROWS = 24, BEGIN = 2 };

	if (!packed)
		return (double)(block + COPY_ROWS / 2);
	return (double)((block < READ_ROWS ? READ_ROWS : block) + BEGIN);
}

int64_t cg__tile_block(const struct cg__emit *e, struct cg__tile t, int64_t rows, int64_t panels, bool packed)
{
	const int64_t items = up(4 * cg__compute_units(e), panels);
	/* copying B pays from some 24 rows on */
	const int64_t least = packed ? up(rows, 600) : clamped(items, up(rows, 600), up(rows, 24));
	const int64_t most = 2 * (packed && items > least ? items : least);
	int64_t best = rows;
	double lowest = INFINITY;

	for (int64_t n = least; n <= most; n++) {
		const int64_t block = up(up(rows, n), t.rows) * t.rows;
		const double cost = rounds(e, panels * up(rows, block)) * item_cost(block, packed);

		if (cost < lowest) {
			lowest = cost;
			best = block;
		}
	}
	return best;
}

/* A piece of the reduction: about equal ones, whole vectors. */
static int64_t block_of(int64_t K, int64_t most)
{
	return clamped(up(up(K, up(K, most)), 16) * 16, 16, most);
}

static struct cg__arg operand(const struct cg__gemm *g)
{
	return g->act >= CG__ACT_ADD ? IN(g->other) : OUT(g->other);
}

#define PRODUCT(g, c) \
	IN((g)->a), IN((g)->b), c, IN((g)->bias), operand(g), INT((g)->a_offset), INT((g)->lda), \
		INT((g)->b_offset), INT((g)->ldb), INT((g)->trans_b), INT((g)->c_offset), INT((g)->ldc), \
		INT((g)->bias != NULL), INT((g)->act), INT((g)->beta != 0), INT((g)->M), \
		INT((g)->N), INT((g)->K)

const cg_tensor *cg__moments(struct cg__emit *e, struct cg__norm n, int64_t items, int64_t W)
{
	return n.stats || n.grad.x ? cg__temp(e, CG_FLOAT32, items * 3 * W) : NULL;
}

cg_status cg__join_moments(struct cg__emit *e, struct cg__norm n, const cg_tensor *part, int64_t items,
	int64_t W, int64_t rows)
{
	const cg_tensor *stats = n.grad.x ? n.grad.stats : n.stats;
	const int64_t C = stats ? cg__last(stats) : 0;
	const struct cg__range r = cg__range_tasks(e, up(C, cg__vector_width(e)), 1);

	if (n.grad.x)
		return CG__LAUNCH(e, "batch_norm_sums", NULL, "bn_items_grad_join", r, IN(part),
			IN(stats), OUT(n.grad.dgamma), OUT(n.grad.dbeta), INT(items), INT(W), INT(C));
	if (stats == NULL)
		return CG_OK;
	return CG__LAUNCH(e, "batch_norm_sums", NULL, "bn_items_join", r, IN(part), OUT(n.stats),
		INT(items), INT(W), INT(C), FLT(rows), FLT(n.eps));
}

/* gemm_row's */
static bool is_row(const struct cg__gemm *g)
{
	return g->M == 1 && !g->trans_b && g->N >= 64;
}

/* Not where a few rows do as well with B in place. */
static bool packs(const struct cg__emit *e, const struct cg__gemm *g)
{
	const bool in_place = !g->trans_b && g->ldb <= IN_PLACE && g->K > SHORT &&
		g->N % cg__tile_of(e, g->N).cols == 0;

	return cg__is_cpu(e) && !g->trans_a && !in_place && !is_row(g) &&
		cg__packs(e, g->b, g->M);
}

static cg_status emit_cpu_nx(struct cg__emit *e, const struct cg__gemm *g, enum cut cut)
{
	const struct cg__tile t = cg__tile_of(e, g->N);
	const bool packed = packs(e, g);
	const int64_t panels = up(g->N, t.cols),
		      usual = cg__tile_block(e, t, g->M, panels, packed),
		      down = up(up(g->M, recut(up(g->M, usual), cut)), t.rows) * t.rows;

	const int64_t blocks = up(g->M, down);
	const cg_tensor *part = cg__moments(e, g->norm, blocks, panels * t.cols);
	struct cg__gemm f = *g;

	if (packed) {
		f.b = cg__pack(e, t, g->b, g->b_offset, g->ldb, g->trans_b, g->K, g->N);
		f.b_offset = f.ldb = 0;
		f.trans_b = false;
		if (f.b == NULL)
			return cg_error_status(cg__emit_ctx(e));
	}
	TRY(CG__LAUNCH(e, "gemm_cpu", t.options, "gemm_nx",
		cg__range_2d((size_t)panels, (size_t)blocks, 1, 1),
		PRODUCT(&f, cg__gemm_c(g)), INT(down), INT(block_of(g->K, BLOCK)),
		CG__NORM_ARGS(e, g->norm, panels * blocks, t.cols, part)));
	cg__flops(e, 2.0 * (double)(g->M * g->N * g->K));
	return cg__join_moments(e, g->norm, part, blocks, panels * t.cols, g->M);
}

/* One row: about four items a unit, of 64 columns or more. */
static cg_status emit_cpu_row(struct cg__emit *e, const struct cg__gemm *g, enum cut cut)
{
	const int64_t usual = 4 * cg__compute_units(e),
		      items = clamped(recut(usual, cut), up(g->N, ROW_COLS), up(g->N, 64));
	const int64_t cols = up(up(g->N, items), 64) * 64;

	TRY(CG__LAUNCH(e, "gemm_cpu", NULL, "gemm_row", cg__range_1d((size_t)up(g->N, cols), 1),
		IN(g->a), IN(g->b), cg__gemm_c(g), IN(g->bias), operand(g), INT(g->a_offset),
		INT(g->b_offset), INT(g->ldb), INT(g->c_offset), INT(g->bias != NULL), INT(g->act),
		INT(g->beta != 0), INT(g->N), INT(g->K), INT(cols), CG__NORM_ARGS(e, g->norm, 0, 0, NULL)));
	cg__flops(e, 2.0 * (double)(g->N * g->K));
	return CG_OK;
}

static cg_status emit_cpu_plain(struct cg__emit *e, const struct cg__gemm *g, enum cut cut)
{
	return is_row(g) ? emit_cpu_row(e, g, cut) : emit_cpu_nx(e, g, cut);
}

/* How A' B is divided: `parts` pieces of K, blocks of rows and of columns. */
struct division {
	int64_t piece, parts, rows, cols;
};

static double cost_of(const struct cg__emit *e, const struct cg__gemm *g, struct division d)
{
	const int64_t items = up(g->M, d.rows) * up(g->N, d.cols) * d.parts;
	const double item = (double)d.piece *
		(double)(d.rows * d.cols + COPY_ROWS * d.cols + READ_COLUMNS * d.rows);
	const double sum = (double)(d.parts * g->M * g->N * SUM_PART) / cg__compute_units(e);

	return rounds(e, items) * item + (d.parts > 1 ? LAUNCH + sum : 0);
}

static struct division try_blocks(const struct cg__emit *e, const struct cg__gemm *g,
	struct cg__tile t, struct division best, int64_t parts)
{
	const int64_t piece = parts > 1 ? up(up(g->K, parts), 16) * 16 : g->K;
	const int64_t wide = clamped(PANELS / block_of(piece, BLOCK_TN), 1, up(g->N, t.cols));
	const int64_t least = up(g->M, ROWS_TN);

	for (int64_t n = least; n <= 2 * least; n++)
		for (int64_t panels = 1; panels <= wide; panels++) {
			struct division d = { piece, up(g->K, piece),
				up(up(g->M, n), t.rows) * t.rows, panels * t.cols };

			if (best.piece == 0 || cost_of(e, g, d) < cost_of(e, g, best))
				best = d;
		}
	return best;
}

/* Of one product a long K may be cut. The division, and with it the result's last bits, is a function of the shape and
 * of the number of compute units. */
static struct division divide(const struct cg__emit *e, const struct cg__gemm *g, enum cut cut)
{
	const bool whole = g->bias || g->act != CG__ACT_NONE;
	const int64_t most = whole ? 1 : clamped(g->K / 256, 1, 32);
	struct division best = { 0 };

	for (int64_t parts = 1; parts <= most; parts++)
		best = try_blocks(e, g, cg__tile_of(e, g->N), best, parts);
	if (cut != USUAL)
		best = try_blocks(e, g, cg__tile_of(e, g->N), (struct division){ 0 },
			clamped(recut(best.parts, cut), 1, most));
	return best;
}

/* Parts have the sums of the columns as a row more. */
static cg_status emit_cpu_tn(
	struct cg__emit *e, const struct cg__gemm *g, struct cg__arg c, struct division d)
{
	const bool copy = g->lda > 1024; /* a page */
	const int64_t part = d.parts > 1 ? (g->M + (g->sums != NULL)) * g->N : 0;

	return CG__LAUNCH(e, "gemm_cpu", cg__tile_of(e, g->N).options, "gemm_tn",
		cg__range_3d((size_t)up(g->N, d.cols), (size_t)up(g->M, d.rows),
			(size_t)d.parts, 1, 1, 1),
		PRODUCT(g, c), INT(part), INT(d.rows), INT(block_of(d.piece, BLOCK_TN)), INT(d.piece),
		INT(copy), INT(d.cols), d.parts > 1 && g->sums ? c : OUT(g->sums),
		INT(d.parts > 1 ? g->M * g->N : 0), INT(part));
}

static cg_status sum_parts(struct cg__emit *e, const cg_tensor *part, int64_t parts, struct cg__arg c,
	int64_t c_offset, int64_t ldc, bool beta, int64_t M, int64_t N, const cg_tensor *sums)
{
	return CG__LAUNCH(e, "gemm_cpu", NULL, "gemm_sum", cg__range_rows(e, N, M), IN(part), c,
		OUT(sums), INT(c_offset), INT(ldc), INT(beta), INT(M), INT(N), INT(parts));
}

cg_status cg__sum_parts(struct cg__emit *e, const cg_tensor *part, int64_t parts, struct cg__arg c,
	int64_t c_offset, int64_t ldc, bool beta, int64_t M, int64_t N)
{
	return sum_parts(e, part, parts, c, c_offset, ldc, beta, M, N, NULL);
}

static cg_status emit_cpu_parts(struct cg__emit *e, const struct cg__gemm *g, struct division d)
{
	const int64_t count = (g->M + (g->sums != NULL)) * g->N;
	cg_tensor *part = cg__temp(e, CG_FLOAT32, d.parts * count);
	struct cg__gemm f = *g;

	if (part == NULL)
		return CG_ERR_HOST_MEMORY;
	f.c_offset = 0;
	f.ldc = g->N;
	f.beta = 0;
	TRY(emit_cpu_tn(e, &f, OUT(part), d));
	cg__flops(e, 2.0 * (double)(g->M * g->N * g->K));
	return sum_parts(e, part, d.parts, cg__gemm_c(g), g->c_offset, g->ldc, g->beta != 0, g->M, g->N,
		g->sums);
}

static cg_status emit_cpu(struct cg__emit *e, const struct cg__gemm *g, enum cut cut)
{
	struct division d = { 0 };

	if (g->trans_a)
		d = divide(e, g, cut);
	if (d.parts > 1)
		return emit_cpu_parts(e, g, d);
	if (!g->trans_a)
		return emit_cpu_plain(e, g, cut);
	TRY(emit_cpu_tn(e, g, cg__gemm_c(g), d));
	cg__flops(e, 2.0 * (double)(g->M * g->N * g->K));
	return CG_OK;
}

/* ---- which ------------------------------------------------------------------------------- */

enum { CLBLAST = COARSER + 1, WAYS };

/* On GPUs another cut is a way only where it makes another number of pieces. */
static bool cuts_otherwise(const struct cg__emit *e, const struct cg__gemm *g, enum cut cut)
{
	const int64_t tiles = (g->N + 63) / 64 * ((g->M + 63) / 64);

	return cg__is_cpu(e) || splits_of(tiles, g->K, cut) != splits_of(tiles, g->K, USUAL);
}

/* USUAL first, CLBLAST last. */
static int list_ways(const struct cg__emit *e, const struct cg__gemm *g, bool clblast,
	const char *name[WAYS], int way[WAYS])
{
	static const char *const names[] = { "own", "finer", "coarser", "clblast" };
	int n = 0;

	for (int w = USUAL; w < WAYS; w++)
		if (w == USUAL || (w == CLBLAST ? clblast : cuts_otherwise(e, g, (enum cut)w))) {
			name[n] = names[w];
			way[n++] = w;
		}
	return n;
}

/* CLBlast is a way on GPUs, unless CG_GEMM says who multiplies. */
static int choose(struct cg__emit *e, const struct cg__gemm *g)
{
	const cg_ctx *ctx = cg__emit_ctx(e);
	const bool forced = ctx->env.gemm[0] != '\0', either = !cg__is_cpu(e) && !forced;
	const char *name[WAYS];
	int way[WAYS], ways, usual;
	char key[128];

	if (ctx->tune.clblast && !either)
		return CLBLAST;
	snprintf(key, sizeof(key), "gemm%s%s M%lld N%lld K%lld lda%lld ldb%lld%s%s%s",
		g->trans_a ? " a'" : "", g->trans_b ? " b'" : "", (long long)g->M, (long long)g->N,
		(long long)g->K, (long long)g->lda, (long long)g->ldb,
		g->bias || g->norm.gamma || g->act != CG__ACT_NONE ? " epilogue" : "", g->beta != 0 ? " beta" : "",
		packs(e, g) ? " packed" : "");
	ways = list_ways(e, g, either, name, way);
	usual = ctx->tune.clblast ? ways - 1 : 0;
	return way[cg__choose(e, key, name, ways, usual)];
}

bool cg__gemm_takes_operands(const cg_ctx *ctx)
{
	return ctx->tune.cpu_family && !ctx->tune.clblast;
}

cg_status cg__gemm(struct cg__emit *e, const struct cg__gemm *g)
{
	struct cg__gemm f = complete(g);
	const int way = choose(e, &f);

	if (way == CLBLAST)
		return cg__gemm_clblast(e, &f);
	return cg__is_cpu(e) ? emit_cpu(e, &f, (enum cut)way) : emit_tiles(e, &f, (enum cut)way);
}
