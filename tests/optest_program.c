/* What a program of operations' tests does around its cases: the context, which cases, the end. */
#include <stdlib.h>
#include <string.h>

#include "optest.h"
#include "tap.h"

enum { TINY = 700 }; /* elements of a case that is tiny */

static int status;

int optest_status(void)
{
	return status;
}

bool optest_tiny(void)
{
	const char *tiny = getenv("CG_TINY");

	return tiny && *tiny && strcmp(tiny, "0") != 0;
}

cg_ctx *optest_open(void)
{
	cg_ctx *ctx;

	setenv("CG_GUARD", "1", 0);
	status = 0;
	if (cg_open(NULL, &ctx) == CG_OK)
		return ctx;
	if (ctx && cg_error_status(ctx) == CG_ERR_NO_DEVICE) {
		status = skip_all("no OpenCL device");
	} else {
		ok(false, "cg_open: %s", ctx ? cg_error(ctx) : "out of memory");
		status = done();
	}
	cg_close(ctx);
	return NULL;
}

void optest_run(cg_ctx *ctx, const struct op_case *cases, int count)
{
	const char *only = getenv("OPTEST");

	for (int i = 0; i < count; i++) {
		int64_t elements = 0;

		for (int k = 0; k < OPTEST_INPUTS && cases[i].in[k].shape[0] > 0; k++)
			elements += optest_count(&cases[i].in[k]);
		if (only && !strstr(cases[i].name, only))
			continue;
		if (!optest_tiny() || elements <= TINY)
			optest_case(ctx, &cases[i]);
	}
}

int optest_main(const struct op_case *cases, int count)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	optest_run(ctx, cases, count);
	cg_close(ctx);
	return done();
}
