/*
 * Fixtures made with PyTorch by golden/make_golden.py, and what is compared with them.
 *
 * The truth is PyTorch in double precision. The fixture also says how far PyTorch's own float32 is
 * from it, relative in the 2-norm of a tensor. Both that distance and ours come from the same
 * roundings taken in another order, so ours may be GOLDEN_FACTOR times as large: sums of K terms
 * in blocks (theirs) err by about sqrt(log K) u, in sequence by sqrt(K) u. GOLDEN_FLOOR stands for
 * the places where theirs happens to be near nothing. What is wrong by a factor, an index or a
 * forgotten edge is off by 1e-3 and more.
 *
 * In a deep network with ReLUs some ReLU's input is so near 0 that its side is chance, and one
 * such change moves all gradients before it. Fixtures of such networks say how far gradients moved
 * when the input moved by 1e-6, in a few runs; GOLDEN_CHANCE times that is allowed of gradients
 * there. Another input would not help: of the 10^5 to 10^6 ReLUs of such a network some are within
 * a float32 rounding of 0 whatever it is shown. Tight bounds on the same operations come from
 * gradcheck, and from the fixtures of networks that are smooth (ViT) or small.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "clgrad.h"

#define GOLDEN_FACTOR 6.
#define GOLDEN_FILTERED 10.
#define GOLDEN_FLOOR 0x1p-23
#define GOLDEN_CHANCE 3.

/* Opens tests/golden/FILE of the source tree. */
cg_file *golden_open(cg_ctx *ctx, const char *file);

/* Number i >= 0 of a named sequence, in (-1, 1). */
double golden_uniform(const char *name, int64_t i);
/* The first value of a parameter: uniform of variance 2 / fan_in; vectors near 0, scales near 1. */
void golden_initial(const char *name, int ndim, const int64_t *shape, float *value);
/* Sets all parameters to that. */
cg_status golden_init_params(cg_params *p);

/* Copies a tensor of the fixture to the host, to be freed; NULL (and a failed test) without it. */
float *golden_read(cg_file *f, const char *name, int64_t count);
/* One test: the values against the fixture's tensor of this name. */
bool golden_compare(cg_file *f, const char *name, const float *value, int64_t count);
/* From now on values are those of convolutions by minimal filtering, whose roundings are some ten times those of plain
 * sums: GOLDEN_FILTERED instead of GOLDEN_FACTOR, and gradients of full models as far off as the fixture's "full_kinks"
 * says. */
void golden_allow_filtering(bool allow);
/* One test where the fixture has only [norm, dot with golden_uniform("dot NAME")], "full/NAME". */
bool golden_compare_digest(cg_file *f, const char *name, const float *value, int64_t count);
/* The largest share of its tolerance that a comparison has used so far. */
double golden_worst(void);

#endif
