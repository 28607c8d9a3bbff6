#include "checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

/* Metadata "fer.run" and "fer.state"; hexadecimal floating point keeps every bit. */
enum { TEXT = 512 };

static void run_text(const struct run_identity *r, char text[TEXT])
{
	snprintf(text, TEXT, "seed=%" PRIu64 " rows=%" PRId32 " (%016" PRIx64 ") batch=%" PRId32
		 " accum=%" PRId32, r->seed, r->rows, r->row_hash, r->batch, r->accumulate);
}

static void state_text(const struct run_state *s, char text[TEXT])
{
	snprintf(text, TEXT,
		 "epoch=%" PRId32 " step=%" PRId32 " sum=%a,%a best=%a best_epoch=%" PRId32
		 " elapsed=%a plateau=%a,%a,%d,%d",
		 s->epoch, s->step, (double)s->sum[0], (double)s->sum[1], s->best, s->best_epoch,
		 s->elapsed, (double)s->sched.best, (double)s->sched.scale, s->sched.bad_epochs,
		 s->sched.seen);
}

static bool read_state(struct run_state *s, const char *text)
{
	int seen, n;

	n = sscanf(text,
		   "epoch=%" SCNd32 " step=%" SCNd32 " sum=%a,%a best=%la best_epoch=%" SCNd32
		   " elapsed=%la plateau=%a,%a,%d,%d",
		   &s->epoch, &s->step, &s->sum[0], &s->sum[1], &s->best, &s->best_epoch,
		   &s->elapsed, &s->sched.best, &s->sched.scale, &s->sched.bad_epochs, &seen);
	s->sched.seen = seen;
	return n == 11 && s->epoch >= 0 && s->step >= 0;
}

static cg_status write_all(const struct checkpoint *p, const struct network *n, cg_optim *optim,
			   cg_writer *w)
{
	char text[TEXT];
	cg_status status;

	run_text(&p->run, text);
	status = cg_writer_meta(w, "fer.run", text);
	state_text(&p->state, text);
	if (status == CG_OK)
		status = cg_writer_meta(w, "fer.state", text);
	if (status == CG_OK)
		status = network_write(n, w);
	return status == CG_OK ? cg_optim_save(optim, w, "optim.") : status;
}

int checkpoint_save(const struct checkpoint *p, const struct cli *c, const struct network *n,
		    cg_optim *optim, const char *path)
{
	cg_writer *w = cg_writer_new(n->ctx, path);

	if (!w)
		return engine_fail(c, n->ctx, path);
	if (write_all(p, n, optim, w) != CG_OK) {
		cg_writer_abort(w);
		return engine_fail(c, n->ctx, path);
	}
	return cg_writer_close(w) == CG_OK ? -1 : engine_fail(c, n->ctx, path);
}

/* The cheap refusals come before anything is loaded. */
static int check_run(const struct checkpoint *p, const struct cli *c, const struct network *n,
		     const cg_file *f, const char *path)
{
	const char *run = cg_file_meta(f, "fer.run"), *data = cg_file_meta(f, "fer.data");
	char wanted[TEXT], hash[17];

	if (!run || !data)
		return cli_fail(c, CLI_CHECKPOINT, "%s: weights only; a run goes on from "
				"last.safetensors", path);
	snprintf(hash, sizeof(hash), "%016" PRIx64, n->data_hash);
	if (strcmp(data, hash))
		return cli_fail(c, CLI_CHECKPOINT,
				"%s: the run's data have hash %s, those given now %s", path, data, hash);
	run_text(&p->run, wanted);
	if (strcmp(run, wanted))
		return cli_fail(c, CLI_CHECKPOINT, "%s: the run has %s, now %s", path, run, wanted);
	return -1;
}

static int load(struct checkpoint *p, const struct cli *c, struct network *n, cg_optim *optim,
		cg_file *f, const char *path)
{
	const char *state = cg_file_meta(f, "fer.state");
	int status = check_run(p, c, n, f, path);

	if (status >= 0)
		return status;
	if (!state || !read_state(&p->state, state))
		return cli_fail(c, CLI_CHECKPOINT, "%s: its fer.state cannot be read", path);
	status = network_read(n, c, f, path);
	if (status >= 0)
		return status;
	if (cg_optim_load(optim, f, "optim.") != CG_OK)
		return network_file_fail(c, n->ctx, path);
	return -1;
}

int checkpoint_load(struct checkpoint *p, const struct cli *c, struct network *n, cg_optim *optim,
		    const char *path)
{
	cg_file *f = cg_file_open(n->ctx, path);
	int status = f ? load(p, c, n, optim, f, path) : network_file_fail(c, n->ctx, path);

	cg_file_close(f);
	return status;
}
