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

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* Weak: one count for all files of a program. */
__attribute__((weak)) struct tap {
	int planned, run, failed;
} tap;

static inline void plan(int tests)
{
	tap.planned = tests;
	printf("1..%d\n", tests);
}

/* One test: passed if cond; the text names it. Returns cond. */
#define ok(cond, ...) tap_ok((cond), #cond, __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 5, 6))) static inline bool tap_ok(
	bool passed, const char *cond, const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("%sok %d - ", passed ? "" : "not ", ++tap.run);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	if (!passed) {
		tap.failed++;
		printf("# %s:%d: %s\n", file, line, cond);
	}
	fflush(stdout);
	return passed;
}

/* A test that cannot be run here. */
__attribute__((format(printf, 1, 2))) static inline void skip(const char *format, ...)
{
	va_list args;

	printf("ok %d # SKIP ", ++tap.run);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* A program that cannot be run here, before any test or plan; for return from main. */
__attribute__((format(printf, 1, 2))) static inline int skip_all(const char *format, ...)
{
	va_list args;

	printf("1..0 # SKIP ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	return 0;
}

/* A remark for the log. */
__attribute__((format(printf, 1, 2))) static inline void diag(const char *format, ...)
{
	va_list args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* The end, for return from main: the plan if there was none, and 0 if all passed. */
static inline int done(void)
{
	if (!tap.planned)
		printf("1..%d\n", tap.run);
	return tap.failed || (tap.planned && tap.planned != tap.run);
}

#endif
