/*
 * The benchmark: rows that are checked, then timed, alternating with PyTorch in the same run.
 *
 *	bench.c		options, groups of rows, which bars were missed
 *	cases.c		what is measured, and the bars
 *	timing.c	medians, rows timed in turn with the peak and the peer
 *	table.c		text and Markdown
 *	ceiling.c	what the device can do: multiply-adds from registers, memory bandwidth
 *	floor.c		the least time that a step's arithmetic and bytes take
 *	split.c		the time of a step in products and in the rest
 *	product.c	matrix products and convolutions, forward and both gradients
 *	kernel.c	operations that move memory
 *	step.c		whole training steps and inference of models
 *	child.c		memory of a step and start of a process, measured in one of its own
 *	epoch.c		fer-train's epochs, what is not waiting for the device
 *	peer.c		the child process bench/peer_torch.py
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "clgrad.h"

enum { BENCH_ROWS = 512, BENCH_TEXT = 96, BENCH_COMMAND = 2048, MAX_ROUNDS = 64 };

/* Something measured and what it must not be less than (or at most). NaN: not measured; bar 0: none. */
struct goal {
	double value, bar;
	bool at_most;
};

/* One line of a table. NaN: not measured. Of several bars it must meet one; see judge. */
struct row {
	char name[BENCH_TEXT]; /* as bench/peer_torch.py knows it */
	double flops, peak; /* peak: measured beside it, flop/s */
	double bytes, triad; /* moved at least; measured beside it, bytes/s */
	double seconds, peer_seconds; /* medians */
	double floor; /* seconds */
	struct goal of_peak; /* share of that peak */
	struct goal ratio; /* the peer's time / ours */
	struct goal of_floor; /* floor / our time */
	struct goal share; /* of other kinds of rows */
	bool wrong;
	char note[BENCH_TEXT]; /* what is wrong, or in what form the peer was quickest */
};

struct bench {
	cg_ctx *ctx;
	struct peer *peer; /* NULL: no PyTorch here */
	const char *python;
	char script[512];
	const char *groups, *models; /* words between commas; empty: all */
	int rounds;
	bool profile; /* of steps, to stderr */
	struct row row[BENCH_ROWS];
	int rows;
};

/* A row with nothing measured. */
struct row *new_row(struct bench *b);

/* ---- timing.c -------------------------------------------------------------------------------- */

typedef cg_status call_fn(void *arg);

double now(void); /* seconds of a clock */
double median(double *values, int count); /* reorders them */
void settle(void); /* until threads of others have stopped spinning */
/* Seconds of a call: the median of n bundles, each of so many calls that it lasts 2 ms, and then a
 * wait for the device. */
double seconds_of(cg_ctx *ctx, call_fn *fn, void *arg, int n);
/* Times fn, the peak and the peer's row of that name in turn: seconds, peer_seconds, peak, of_peak, ratio. */
void time_row(struct bench *b, call_fn *fn, void *arg, struct row *row);

/* ---- table.c --------------------------------------------------------------------------------- */

extern bool markdown;

struct cells {
	char text[10][40];
	int count;
};

/* Columns are separated by |; a last one for notes is added. */
void table_begin(const char *title, const char *columns);
void table_cell(struct cells *c, const char *format, double value); /* NaN: a dash */
void table_goal(
	struct cells *c, const char *format, double scale, struct goal goal); /* with its bar */
void table_row(const struct row *r, const struct cells *c);
/* SHORT: wrong, or below all of its bars; OPEN: it may be, but something to hold against a bar was not measured. */
enum verdict { MET, SHORT, OPEN };
enum verdict judge(const struct row *r);

/* ---- ceiling.c: flop/s and bytes/s, NaN if the device refuses ----------------------------- */

double ceiling_fma(cg_ctx *ctx);
/* Of three arrays that take so many bytes together, at most 768 MB. */
double ceiling_triad(cg_ctx *ctx, double bytes);

/* ---- floor.c --------------------------------------------------------------------------------- */

/* What a step cannot do without, see the head of floor.c. */
struct work {
	double flops;
	double bytes; /* through memory */
	double held; /* bytes that take part */
};

/* Before cg_backward and cg_plan_new, which extend and rewrite the graph: bytes. */
struct work work_of_graph(const cg_graph *g, const cg_params *p, bool train);
/* The plan's arithmetic. */
double work_flops(const cg_plan *p);
double floor_seconds(const struct work *w, double flops_per_s, double bytes_per_s);
/* Whether a plan has launches of a kernel whose name begins so. */
bool plan_has(const cg_plan *p, const char *kernel);
/* Operations that are products: matmul, conv2d, attention, and with `gradients` what differentiates them. */
bool is_product(const char *op, bool gradients);

/* ---- split.c --------------------------------------------------------------------------------- */

/* Seconds of a run in launches of products (with all that these operations launch, and what was fused into
 * them) and in the rest. */
struct split {
	double products, rest;
};
bool split_time(cg_plan *p, int n, struct split *split);

/* ---- product.c ------------------------------------------------------------------------------- */

/* y = x w, dx = dy w', dw = x' dy. A product [M,K] x [K,N] is the convolution of M images of 1x1
 * with K channels to N. */
enum part { PART_Y, PART_DX, PART_DW, PARTS };
struct product {
	int64_t B, H, W, C, M;
	int R, stride, pad;
	bool gemm;
};
/* Whether minimal filtering must pay: 3x3, stride 1, several channels, images and batches that are not small. */
bool product_filters(const struct product *p);
/* Fills the row but for its bars; false if the result is wrong, as row->note says. */
bool product_run(struct bench *b, const struct product *p, enum part part, struct row *row);

/* ---- kernel.c -------------------------------------------------------------------------------- */

extern const int kernel_count;
const char *kernel_name(int which);
/* At the size of a model's or large; fills the row but for its bar; false if it does not run, as row->note says. */
bool kernel_run(struct bench *b, int which, bool large, struct row *row);

/* ---- step.c ---------------------------------------------------------------------------------- */

/* `settings` as in "width=32 dropout=0": else the model's defaults. */
struct step {
	const char *name; /* the peer's name of it: "vgg" */
	const char *model, *settings;
	int64_t batch;
};
enum kind { TRAIN, INFER, LATENCY, KINDS }; /* LATENCY: inference with batch 1 */
extern const char *const kind_names[KINDS];
/* Fills the row but for its bars, and for training how the time of the step is split; false if it does not
 * train, as row->note says. */
bool step_run(struct bench *b, const struct step *s, enum kind kind, struct row *row,
	struct split *split);

/* Makes the model and its plan and takes `runs` training steps, waiting for the last. */
bool step_once(cg_ctx *ctx, const struct step *s, int runs);

/* ---- child.c --------------------------------------------------------------------------------- */

/* The program as a child: "memory:vgg" or "start:vgg"; the exit status. */
int child_main(cg_ctx *ctx, const char *what);
/* Bytes by which a process grows that takes training steps; NaN: it failed. */
double child_memory(const struct bench *b, const struct step *s);
double peer_memory(const struct bench *b, const struct step *s);
/* Seconds from starting a process to the end of its first training step: with empty caches, and with those that it
 * left, the median of n; false if it failed. */
bool child_start(const struct step *s, int n, double *cold, double *warm);

/* ---- epoch.c --------------------------------------------------------------------------------- */

/* The share of two epochs of bin/fer-train on synth:4000; NaN: it failed. */
double epoch_outside(const char *model);

/* ---- cases.c --------------------------------------------------------------------------------- */

extern const struct product gemms[], convs[];
extern const struct step steps[];
extern const int gemm_count, conv_count, step_count;

/* Bars: shares of the measured peak; PyTorch's time / ours; share of a step's floor; shares of the
 * step, of the triad. */
extern const double gemm_bar, gemm_dw_bar, filter_bar, step_bar, floor_bar, rest_bar, kernel_bar;
/* Limits: memory of a step / PyTorch's; seconds of a cold and a warm start; share of an epoch. */
extern const double memory_bar, cold_bar, warm_bar, epoch_bar;

/* ---- peer.c ---------------------------------------------------------------------------------- */

/* Starts python, compile: with torch.compile among its variants; NULL with the reason in `why` if there is none, or no PyTorch in it. */
struct peer *peer_open(
	const char *python, const char *script, bool compile, char why[BENCH_TEXT]);
void peer_close(struct peer *p);
const char *peer_version(const struct peer *p);
/* Median seconds of n iterations of a row, NaN if the peer has failed; how: which of its variants
 * was quickest. */
double peer_time(struct peer *p, const char *row, int n, char how[BENCH_TEXT]);

#endif
