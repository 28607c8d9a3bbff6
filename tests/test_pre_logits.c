/*
 * test_pre_logits.c: what a file has between network and classifier is left out with its classifier, and with that alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clgrad.h"
#include "import.h"
#include "network.h"
#include "tap.h"
#include "zip.h"
#include "zip_write.h"

static const struct cli_program program = { .name = "test_pre_logits" };
static const struct cli cli = { .program = &program, .verbosity = -1 };
static char path[] = "/tmp/clgrad-pre-logits-XXXXXX";

/* The file at `from` and, as those of ImageNet-21k have, a layer before the classifier. */
static bool with_pre_logits(const char *from, const char *to)
{
	static const uint8_t npy[] = "\x93NUMPY\1\0\x46\0"
		"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }            \n\0\0\0";
	struct zip z;
	struct zip_writer *w = zip_writer_new(to);
	bool good = w && !zip_open(&z, from);

	for (int32_t i = 0; good && i < z.n; i++) {
		size_t size;
		uint8_t *data = zip_read(&z, i, &size);

		good = data && !zip_add(w, z.entry[i].name, data, size, 0, NULL);
		free(data);
	}
	good = good && !zip_add(w, "pre_logits/bias.npy", npy, sizeof(npy), 0, NULL);
	zip_close(&z);
	return !zip_writer_close(w, !good) && good;
}

static void test_pre_logits(cg_ctx *ctx)
{
	const char *srcdir = getenv("srcdir");
	char npz[4096];
	const struct model *model;
	struct model_config config;
	struct network n = { 0 };

	snprintf(npz, sizeof(npz), "%s/tests/golden/vit-google.npz", srcdir ? srcdir : ".");
	if (!ok(with_pre_logits(npz, path) && import_settings(&cli, ctx, path, &model, &config) < 0,
		"a file with a layer before the classifier"))
		return;
	ok(network_open(&n, &cli, ctx, model, &config, 1) < 0 &&
	   import_weights(&n, &cli, path, true) == CLI_CHECKPOINT,
	   "is refused where its classifier would be taken");
	network_close(&n);
	config.classes++;
	ok(network_open(&n, &cli, ctx, model, &config, 1) < 0 && import_weights(&n, &cli, path, true) < 0,
	   "and read without that layer where another is drawn");
	network_close(&n);
}

int main(void)
{
	cg_ctx *ctx;
	cg_status status = cg_open(NULL, &ctx);

	if (status == CG_ERR_NO_DEVICE) {
		skip("no OpenCL device");
	} else if (ok(status == CG_OK, "a device") && mkstemp(path) >= 0) {
		test_pre_logits(ctx);
		unlink(path);
	}
	cg_close(ctx);
	return done();
}
