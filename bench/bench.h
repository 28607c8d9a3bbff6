/*
 * The benchmark: rows that are checked, then timed, alternating with PyTorch in the same run.
 *
 *	bench.c		options, tables, which bars were missed
 *	ceiling.c	what the device can do: multiply-adds from registers, memory bandwidth
 *	product.c	matrix products and convolutions, forward and both gradients
 *	step.c		whole training steps and inference of models
 *	peer.c		the child process bench/peer_torch.py
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "clgrad.h"

enum { BENCH_ROWS = 256, BENCH_TEXT = 96 };

/* One line of a table. NaN: not measured, or no bar. */
struct row {
	char name[BENCH_TEXT]; /* as bench/peer_torch.py knows it */
	double flops;
	double seconds, peer_seconds; /* medians */
	double share; /* of the peak that was measured beside it */
	double ratio; /* the peer's time / ours */
	double score, bar; /* what must not be less than the bar */
	bool wrong;
	char note[BENCH_TEXT]; /* what is wrong, or in what form the peer was quickest */
};

struct bench {
	cg_ctx *ctx;
	struct ceiling *ceiling;
	struct peer *peer; /* NULL: no PyTorch here */
	int rounds;
	bool profile; /* of steps, to stderr */
	double gemm, gemm_dw; /* median shares of the peak that matrix products reached */
	struct row row[BENCH_ROWS];
	int rows;
};

typedef cg_status call_fn(void *arg);

double median(double *values, int count); /* reorders them */
/* Seconds of a call: the median of n bundles, each of so many calls that it lasts 2 ms, and then a
 * wait for the device. */
double seconds_of(cg_ctx *ctx, call_fn *fn, void *arg, int n);
/* Times fn, the peak and the peer's row of that name in turn: seconds, peer_seconds, share. */
void time_row(struct bench *b, call_fn *fn, void *arg, struct row *row);

/* ---- ceiling.c: flop/s and bytes/s, NaN if the device refuses ----------------------------- */

struct ceiling *ceiling_new(cg_ctx *ctx);
void ceiling_free(struct ceiling *c);
double ceiling_fma(struct ceiling *c);
double ceiling_triad(struct ceiling *c, int64_t floats);

/* ---- product.c ------------------------------------------------------------------------------- */

/* y = x w, dx = dy w', dw = x' dy. A product [M,K] x [K,N] is the convolution of M images of 1x1
 * with K channels to N. */
enum part { PART_Y, PART_DX, PART_DW };
struct product {
	int64_t B, H, W, C, M;
	int R, stride, pad;
	bool gemm;
};
/* Fills the row but for score and bar; false if the result is wrong, as row->note says. */
bool product_run(struct bench *b, const struct product *p, enum part part, struct row *row);

/* ---- step.c ---------------------------------------------------------------------------------- */

/* `settings` as in "width=32 dropout=0": else the model's defaults. */
struct step {
	const char *row; /* the peer's name of it, "train vgg" */
	const char *model, *settings;
	int64_t batch;
	bool train;
};
/* Fills the row but for score and bar; false if it does not train, as row->note says. */
bool step_run(struct bench *b, const struct step *s, struct row *row);

/* ---- peer.c ---------------------------------------------------------------------------------- */

/* Starts python; NULL with the reason in `why` if there is none, or no PyTorch in it. */
struct peer *peer_open(const char *python, const char *script, char why[BENCH_TEXT]);
void peer_close(struct peer *p);
const char *peer_version(const struct peer *p);
/* Median seconds of n iterations of a row, NaN if the peer has failed; how: which of its variants
 * was quickest. */
double peer_time(struct peer *p, const char *row, int n, char how[BENCH_TEXT]);

#endif
