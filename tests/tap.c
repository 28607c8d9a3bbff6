#include "tap.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static struct {
	int planned, run, failed;
} tap;

static void say(const char *before, const char *format, va_list args)
{
	fputs(before, stdout);
	vprintf(format, args);
	putchar('\n');
	fflush(stdout);
}

void plan(int tests)
{
	tap.planned = tests;
	printf("1..%d\n", tests);
	fflush(stdout);
}

bool tap_ok(bool passed, const char *cond, const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("%sok %d", passed ? "" : "not ", ++tap.run);
	va_start(args, format);
	say(" - ", format, args);
	va_end(args);
	if (!passed) {
		tap.failed++;
		diag("%s:%d: %s", file, line, cond);
	}
	return passed;
}

double worse_of(double a, double b)
{
	return isnan(a) || a > b ? a : b;
}

void skip(const char *format, ...)
{
	va_list args;

	printf("ok %d", ++tap.run);
	va_start(args, format);
	say(" # SKIP ", format, args);
	va_end(args);
}

int skip_all(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("1..0 # SKIP ", format, args);
	va_end(args);
	return 0;
}

void diag(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("# ", format, args);
	va_end(args);
}

int done(void)
{
	if (!tap.planned)
		printf("1..%d\n", tap.run);
	fflush(stdout);	/* LeakSanitizer ends a program before stdio does */
	return tap.failed || (tap.planned && tap.planned != tap.run);
}
