/* Environment variables: what one cannot be is refused by name when a context is opened. */
#include <stdlib.h>
#include <string.h>

#include "clgrad.h"
#include "tap.h"

static cg_status try(const char *name, const char *value, char message[256])
{
	cg_status status;
	cg_ctx *ctx;

	setenv(name, value, 1);
	status = cg_open(NULL, &ctx);
	strncpy(message, cg_error(ctx), 255);
	message[255] = '\0';
	cg_close(ctx);
	unsetenv(name);
	return status;
}

static const struct {
	const char *name, *value;
} bad[] = {
	{ "CG_FAMILY", "tpu" },
	{ "CG_FAMILY", "gpu " },
	{ "CG_GEMM", "cublas" },
	{ "CG_TRACE", "op,lunch" },
	{ "CG_SYNC", "yes" },
	{ "CG_NAN", "2" },
	{ "CG_GUARD", "exactly" },
	{ "CG_FAULT", "alloc:" },
	{ "CG_FAULT", "alloc:x" },
	{ "CG_FAULT", "alloc:-1" },
	{ "CG_FAULT", "alloc: 1" },
	{ "CG_FAULT", "1x" },
	{ "CG_FAULT", "99999999999999999999" },
	{ "CG_FAULT", "free:1" },
	{ "CG_FUSE", "norm-relu" },
	{ "CG_FUSE", "-norm-relu,-norm" },
};

static const struct {
	const char *name, *value;
} good[] = {
	{ "CG_FAMILY", "cpu" },
	{ "CG_GEMM", "own" },
	{ "CG_GUARD", "exact" },
	{ "CG_GUARD", "0" },
	{ "CG_FAULT", "alloc:12" },
	{ "CG_FAULT", "3" },
	{ "CG_FUSE", "-norm-relu,-conv-bias,-keep,-matmul-update" },
	{ "CG_FUSE", "-all" },
	{ "CG_FAMILY", "" },
};

int main(void)
{
	char message[256], expected[64];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cg_status status = try(bad[i].name, bad[i].value, message);

		snprintf(expected, sizeof(expected), "%s=%s: ", bad[i].name, bad[i].value);
		ok(status == CG_ERR_ARGUMENT &&
				strncmp(message, expected, strlen(expected)) == 0,
			"%s=%s is refused: %s", bad[i].name, bad[i].value, message);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cg_status status = try(good[i].name, good[i].value, message);

		ok(status == CG_OK || status == CG_ERR_NO_DEVICE, "%s=%s is taken%s%s",
			good[i].name, good[i].value, *message ? ": " : "", message);
	}
	return done();
}
