/*
 * TAP, the test protocol that automake reads: one numbered line a test.
 *
 *	int main(void)
 *	{
 *		if (!device)
 *			return skip_all("no OpenCL device");
 *		plan(2);             (or none: done() then says how many there were)
 *		ok(x == 1, "x is %d", x);       -> "ok 1 - x is 1"
 *		skip("no fp64 here");           -> "ok 2 # SKIP no fp64 here"
 *		return done();
 *	}
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>

void plan(int tests);

/* One test: passed if cond; the text names it. Returns cond. */
#define ok(cond, ...) tap_ok((cond), #cond, __FILE__, __LINE__, __VA_ARGS__)

/* A test that cannot be run here. */
__attribute__((format(printf, 1, 2))) void skip(const char *format, ...);

/* A program that cannot be run here, before any test or plan; for return from main. */
__attribute__((format(printf, 1, 2))) int skip_all(const char *format, ...);

/* The larger of two errors, NaN where one is: fmax would hide it, and then no test fails. */
double worse_of(double a, double b);

/* A remark for the log. */
__attribute__((format(printf, 1, 2))) void diag(const char *format, ...);

/* The end, for return from main: the plan if there was none, and 0 if all passed. */
int done(void);

__attribute__((format(printf, 5, 6))) bool tap_ok(
	bool passed, const char *cond, const char *file, int line, const char *format, ...);

#endif
