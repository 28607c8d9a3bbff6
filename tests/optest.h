/*
 * Tests of operations from a table, one line a case:
 *
 *	static cg_tensor *bias(cg_tensor *const *in, const void *config)
 *	{
 *		return cg_bias(in[0], in[1]);
 *	}
 *	static const struct op_case cases[] = {
 *		{ "bias 3x33", bias, ref_bias, .in = { IN(3, 33), IN(33) }, .linear = JOINTLY },
 *	};
 *	int main(void)
 *	{
 *		return optest_main(cases, sizeof(cases) / sizeof(cases[0]));
 *	}
 *
 * Each case is checked for
 *	forward		every value against the double-precision reference, within c sqrt(K) u mag
 *			(ref.h); once in a graph without gradients and once in one with them
 *	replay		a second run of the plan gives the same bits
 *	gradient	<dy, J v> = <J'dy, v> for one random direction v of +-1, and for single
 *			elements of each input. J v by central differences: of the reference where
 *			there is one, so that the bound is that of the forward test; else of the
 *			operation itself with two steps, where the bound is what rounding makes of
 *			the step and what the two steps disagree by
 *	adjoint		linear operations: <dy, A x> = <A'dy, x>, no step size
 *
 * The program says SKIP where there is no OpenCL device. OPTEST=text runs only the cases whose names
 * contain it. CG_TINY=1 leaves out all cases with more than a few hundred elements. Guard bytes and
 * the NaN fill (CG_GUARD) are on unless the environment says otherwise.
 */
#ifndef OPTEST_H
#define OPTEST_H

#include <stdbool.h>
#include <stdint.h>

#include "clgrad.h"
#include "ref.h"
#include "values.h"

enum { OPTEST_INPUTS = 7 };

enum linear {
	NOT_LINEAR,
	JOINTLY,	/* in all inputs together: bias, add */
	EACH		/* in each input with the others fixed: matmul, conv2d */
};

struct op_case {
	const char *name;
	cg_tensor *(*build)(cg_tensor *const *in, const void *config);
	ref_fn *ref;		/* NULL: gradient by differences of the operation itself */
	const void *config;	/* handed to build and ref */
	struct op_input in[OPTEST_INPUTS];
	double K;		/* terms of the longest sum, forward or backward; 0 means 1 */
	double c;		/* factor of all bounds; 0 means 4 */
	enum linear linear;
	bool infer;		/* in a CG_INFER graph */
	bool no_grad;		/* the operation has no gradient */
};

/* A context with the checking modes on, or NULL after having said SKIP (or failed): then return
 * optest_status. */
cg_ctx *optest_open(void);
int optest_status(void);
bool optest_tiny(void);

/* All checks of the cases; results go to TAP. */
void optest_run(cg_ctx *ctx, const struct op_case *cases, int count);
/* One of them, whatever its size. */
void optest_case(cg_ctx *ctx, const struct op_case *c);
/* The same as a whole program. */
int optest_main(const struct op_case *cases, int count);

#endif
