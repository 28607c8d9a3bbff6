/*
 * measure.h: rows of measurements beside the device's ceiling: whole runs of a plan, its products and
 * convolutions, its nodes; as a table, CSV or JSON, and as a trace for Perfetto.
 */
#ifndef FER_MEASURE_H
#define FER_MEASURE_H

#include "json.h"
#include "trial.h"

struct measure_ceiling {
	double flops, bytes;	/* a second */
};

/* seconds, flops, bytes, floor: of all `count` alike together. floor: what the launches would take at the
 * ceiling, each by its arithmetic or its bytes, whichever is more. */
struct measure_row {
	char kind[16];		/* "train", "infer", "gemm", "conv"; "product", "node": part of a run */
	char name[320];
	int count;
	double seconds, images, flops, bytes, floor;
	double part;		/* share of the run it is part of, else NaN */
	double mib;		/* arena of a run, else NaN */
};

struct measure {
	struct measure_ceiling ceiling;
	struct measure_row *row;
	int n, size;
	struct json trace;	/* open if `traced` */
	FILE *traced;
	int tracks;
};

enum measure_parts { MEASURE_PRODUCTS = 1, MEASURE_NODES = 2 };

int measure_open(struct measure *m, const struct cli *c, cg_ctx *ctx, const char *trace);
/* A row for a run, then for its parts, each kind sorted by time. */
int measure_trial(struct measure *m, const struct cli *c, struct trial *t, int rounds,
		  unsigned parts);
/* Ends the trace; the exit code. */
int measure_close(struct measure *m, const struct cli *c, int status);

/* "table", "csv" or "json". 0, or -1 where stdout cannot be written. */
int measure_print(const struct measure *m, const cg_ctx *ctx, const char *format);

#endif
