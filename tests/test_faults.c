/*
 * Fails the first, second, third ... allocation, build, launch and write of a small training run with
 * a checkpoint, until one passes: each failure comes out as the status of its kind with a message,
 * gives all memory back, and leaves the last checkpoint as it was.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net.h"
#include "optest.h"
#include "tap.h"

enum { B = 3, STEPS = 2, MOST = 2000 };

static char path[] = "/tmp/clgrad-faults-XXXXXX";

static cg_status save(struct net *n)
{
	cg_writer *w = cg_writer_new(n->ctx, path);
	cg_status status;

	if (!w)
		return cg_error_status(n->ctx);
	status = cg_params_save(n->params, w, "model.");
	if (status == CG_OK)
		status = cg_optim_save(n->optim, w, "optim.");
	if (status != CG_OK) {
		cg_writer_abort(w);
		return status;
	}
	return cg_writer_close(w);
}

static cg_status load(struct net *n)
{
	cg_file *f = cg_file_open(n->ctx, path);
	cg_status status;

	if (!f)
		return cg_error_status(n->ctx);
	status = cg_params_load(n->params, f, "model.");
	if (status == CG_OK)
		status = cg_optim_load(n->optim, f, "optim.");
	cg_file_close(f);
	return status;
}

static cg_status train(struct net *n, cg_ctx *ctx)
{
	float loss;
	cg_status status = net_open(n, ctx, CG_TRAIN, B, 1);

	for (uint64_t i = 0; status == CG_OK && i < STEPS; i++)
		status = net_run(n, i);
	if (status == CG_OK)
		status = cg_plan_read(n->plan, n->loss, &loss, sizeof(loss));
	if (status == CG_OK)
		status = save(n);
	return status == CG_OK ? load(n) : status;
}

/* What became of one run: its status, whether there is a message, and what is still held. */
struct attempt {
	cg_status status;
	bool named;
	uint64_t held;
};

static struct attempt attempt(const char *kind, int number)
{
	char fault[32];
	struct attempt a;
	struct net n;
	cg_ctx *ctx;

	snprintf(fault, sizeof(fault), "%s:%d", kind, number);
	setenv("CG_FAULT", fault, 1);
	a.status = cg_open(NULL, &ctx);
	unsetenv("CG_FAULT");
	if (a.status == CG_OK) {
		a.status = train(&n, ctx);
		net_close(&n);
	}
	a.named = a.status == cg_error_status(ctx) && (a.status == CG_OK || *cg_error(ctx));
	a.held = cg_get_stats(ctx).bytes_now;
	if (a.status == CG_OK && number == 1)
		diag("no %s to fail", kind);
	cg_close(ctx);
	return a;
}

/* The bytes of the checkpoint; the caller frees them. */
static char *contents(long *size)
{
	FILE *f = fopen(path, "rb");
	char *bytes = NULL;

	*size = 0;
	if (f && fseek(f, 0, SEEK_END) == 0 && (*size = ftell(f)) > 0) {
		bytes = malloc((size_t)*size);
		rewind(f);
		if (bytes && fread(bytes, 1, (size_t)*size, f) != (size_t)*size)
			*size = -1;
	}
	if (f)
		fclose(f);
	return bytes;
}

static void fail_each(const char *kind, cg_status expected)
{
	int number = 1, wrong = 0, silent = 0, leaks = 0, damaged = 0;
	long size, now;
	char *before = contents(&size), *after;
	struct attempt a = attempt(kind, number);

	for (; a.status != CG_OK && number < MOST; a = attempt(kind, ++number)) {
		wrong += a.status != expected;
		silent += !a.named;
		leaks += a.held != 0;
		after = contents(&now);
		damaged += now != size || memcmp(before, after, (size_t)size) != 0;
		free(after);
	}
	free(before);
	ok(number > 1 && number < MOST && wrong == 0, "%s 1 to %d fail by name: %s", kind,
		number - 1, cg_status_text(expected));
	ok(silent == 0, "each has a message");
	ok(leaks == 0 && a.held == 0, "each gives all memory back");
	ok(damaged == 0, "none touches the checkpoint");
}

int main(void)
{
	cg_ctx *ctx = optest_open();
	int file;

	if (!ctx)
		return optest_status();
	cg_close(ctx);
	setenv("CG_GUARD", "0", 1);
	file = mkstemp(path);
	if (file < 0)
		return skip_all("no temporary file");
	close(file);
	ok(attempt("alloc", 0).status == CG_OK, "a run without a fault");
	fail_each("alloc", CG_ERR_DEVICE_MEMORY);
	fail_each("launch", CG_ERR_LAUNCH);
	fail_each("write", CG_ERR_FILE);
	setenv("CG_CACHE", "off", 1);
	fail_each("build", CG_ERR_BUILD);
	remove(path);
	return done();
}
