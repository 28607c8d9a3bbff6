/* Inputs of tests: reproducible values of the kinds that operations want. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "clgrad.h"

enum fill {
	NORMAL,		/* standard normal */
	AWAY,		/* normal, but |x| >= .1: away from the kink of relu */
	DISTINCT,	/* all values differ by at least 1/16: no ties for max */
	POSITIVE,	/* .5 .. 1.5 */
	SIMPLEX,	/* rows are distributions */
	INDEX,		/* int32, 0 .. limit - 1 */
	BYTES		/* uint8 */
};

struct op_input {
	int64_t shape[CG_MAX_DIM];	/* ends at the first 0 */
	enum fill fill;
	bool fixed;			/* no gradient asked for */
	int limit;			/* of INDEX */
	double scale, shift;		/* x = scale * fill + shift; scale 0 means 1 */
};
#define IN(...) { .shape = { __VA_ARGS__ } }
#define IN_AS(kind, ...) { .shape = { __VA_ARGS__ }, .fill = (kind) }
#define FIXED(kind, ...) { .shape = { __VA_ARGS__ }, .fill = (kind), .fixed = true }
#define INDICES(n, ...) { .shape = { __VA_ARGS__ }, .fill = INDEX, .fixed = true, .limit = (n) }

/* Each test begins with a state of its own. */
struct optest_rng {
	uint64_t state;
};
double optest_uniform(struct optest_rng *r); /* [0, 1) */
double optest_normal(struct optest_rng *r);

/* Fills a whole input as described; `values` holds its count of floats, integers too. */
void optest_fill(struct optest_rng *r, const struct op_input *in, float *values);
int optest_ndim(const struct op_input *in);
int64_t optest_count(const struct op_input *in);

#endif
