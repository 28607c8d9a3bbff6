#include "measure.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"

enum { TRIAD_BYTES = 64 << 20 };

/* --- the trace: Chrome's format, complete events --- */

static void begin_event(struct json *j, const char *name, const char *phase, int track)
{
	json_line(j, NULL);
	json_text(j, "name", name);
	json_text(j, "ph", phase);
	json_int(j, "pid", 1);
	json_int(j, "tid", track);
}

static void trace_begin(struct measure *m, const cg_ctx *ctx)
{
	struct json *j = &m->trace;

	json_open(j, m->traced);
	json_object(j, NULL);
	json_text(j, "displayTimeUnit", "ms");
	json_array(j, "traceEvents");
	begin_event(j, "process_name", "M", 0);
	json_line(j, "args");
	json_text(j, "name", cg_device(ctx)->name);
	json_end(j);
	json_end(j);
}

static void trace_launch(struct json *j, const cg_launch *l, int track)
{
	char name[128];

	snprintf(name, sizeof(name), "%.60s %.60s", l->op, l->kernel);
	begin_event(j, name, "X", track);
	json_text(j, "cat", l->op);
	json_real(j, "ts", 1e6 * l->start);
	json_real(j, "dur", 1e6 * l->seconds);
	json_line(j, "args");
	if (*l->name)
		json_text(j, "tensor", l->name);
	json_text(j, "shapes", l->shapes);
	json_real(j, "flops", l->flops);
	json_real(j, "bytes", l->bytes);
	json_end(j);
	json_end(j);
}

static void trace_plan(struct measure *m, const struct trial *t)
{
	int track = ++m->tracks;

	begin_event(&m->trace, "thread_name", "M", track);
	json_line(&m->trace, "args");
	json_text(&m->trace, "name", t->name);
	json_end(&m->trace);
	json_end(&m->trace);
	for (int i = 0; i < cg_plan_launches(t->plan); i++) {
		cg_launch l = cg_plan_launch(t->plan, i);

		if (!l.kept)
			trace_launch(&m->trace, &l, track);
	}
}

/* --- opening and closing --- */

int measure_open(struct measure *m, const struct cli *c, cg_ctx *ctx, const char *trace)
{
	*m = (struct measure){ 0 };
	if (cg_ceiling_flops(ctx, &m->ceiling.flops) != CG_OK ||
	    cg_ceiling_bandwidth(ctx, TRIAD_BYTES, &m->ceiling.bytes) != CG_OK)
		return engine_fail(c, ctx, "ceiling");
	if (!trace)
		return -1;
	m->traced = fopen(trace, "w");
	if (!m->traced)
		return cli_fail(c, CLI_RUNTIME, "%s: %s", trace, strerror(errno));
	trace_begin(m, ctx);
	return -1;
}

int measure_close(struct measure *m, const struct cli *c, int status)
{
	if (m->traced) {
		json_end(&m->trace);
		json_end(&m->trace);
		if (json_close(&m->trace) + fclose(m->traced) && status == CLI_OK)
			status = cli_fail(c, CLI_RUNTIME, "%s: cannot be written",
					  cli_text(c, "trace"));
	}
	free(m->row);
	*m = (struct measure){ 0 };
	return status;
}

/* --- rows --- */

static struct measure_row *add_row(struct measure *m, const char *kind, const char *name)
{
	struct measure_row *r;

	if (m->n == m->size) {
		int size = 2 * m->size + 256;
		struct measure_row *bigger = realloc(m->row, (size_t)size * sizeof(*bigger));

		if (!bigger)
			return NULL;
		m->row = bigger;
		m->size = size;
	}
	r = &m->row[m->n++];
	*r = (struct measure_row){ .part = NAN, .mib = NAN };
	snprintf(r->kind, sizeof(r->kind), "%s", kind);
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

static struct measure_row *find_row(struct measure *m, int from, const char *kind, const char *name)
{
	for (int i = from; i < m->n; i++)
		if (!strcmp(m->row[i].kind, kind) && !strcmp(m->row[i].name, name))
			return &m->row[i];
	return add_row(m, kind, name);
}

/* What the run took over from one before cost it nothing. */
static void add_launch(struct measure_row *r, const struct measure_ceiling *c, const cg_launch *l)
{
	if (l->kept)
		return;
	r->seconds += l->seconds;
	r->flops += l->flops;
	r->bytes += l->bytes;
	r->floor += fmax(l->flops / c->flops, l->bytes / c->bytes);
}

static bool is_product(const cg_launch *l)
{
	return !strncmp(l->op, "conv2d", 6) || !strncmp(l->op, "matmul", 6);
}

/* Launches of one node are neighbours; nodes that do the same product share a row. */
static int add_part(struct measure *m, int from, const char *kind, const cg_launch *l, bool begins)
{
	bool node = !strcmp(kind, "node");
	struct measure_row *r;
	char name[320], number[16] = "";

	if (node)
		snprintf(number, sizeof(number), "%d ", l->node);
	snprintf(name, sizeof(name), "%s%s %s%s%s", number, l->op, node ? l->name : "",
		 node && *l->name ? " " : "", l->shapes);
	r = find_row(m, from, kind, name);
	if (!r)
		return -1;
	r->count += begins;
	add_launch(r, &m->ceiling, l);
	return 0;
}

static int add_parts(struct measure *m, const struct trial *t, const cg_launch *launch,
		     unsigned parts)
{
	int from = m->n, before = -1;
	double whole = 0;

	for (int i = 0; i < cg_plan_launches(t->plan); i++) {
		const cg_launch *l = &launch[i];
		bool begins = l->node != before;

		if (l->kept)
			continue;
		if ((parts & MEASURE_PRODUCTS) && is_product(l) &&
		    add_part(m, from, "product", l, begins))
			return -1;
		if ((parts & MEASURE_NODES) && add_part(m, from, "node", l, begins))
			return -1;
		before = l->node;
		whole += l->seconds;
	}
	for (int i = from; i < m->n; i++)
		m->row[i].part = m->row[i].seconds / whole;
	return 0;
}

static int by_time(const void *a, const void *b)
{
	const struct measure_row *x = a, *y = b;
	int kind = strcmp(y->kind, x->kind);	/* products first */

	return kind ? kind : (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

/* Launch by launch the median over the rounds; the first makes the plan's memory warm. */
static cg_status profile(struct trial *t, int rounds, cg_launch *launch)
{
	int n = cg_plan_launches(t->plan);
	double *times = calloc((size_t)rounds * (size_t)n + 1, sizeof(*times));
	cg_status status = times ? cg_plan_profile(t->plan) : CG_ERR_HOST_MEMORY;

	for (int round = 0; round < rounds && status == CG_OK; round++) {
		status = cg_plan_profile(t->plan);
		for (int i = 0; i < n; i++)
			times[i * rounds + round] = cg_plan_launch(t->plan, i).seconds;
	}
	for (int i = 0; i < n && status == CG_OK; i++) {
		launch[i] = cg_plan_launch(t->plan, i);
		launch[i].seconds = trial_median(times + i * rounds, rounds);
	}
	free(times);
	return status;
}

static const char *kind_of(const struct trial *t, char kind[16])
{
	snprintf(kind, 16, "%.*s", (int)strcspn(t->name, " "), t->name);
	return kind;
}

/* Of a run: flops, bytes and floor from its launches, the time as it ran without being watched. */
static int add_run(struct measure *m, const struct trial *t, const cg_launch *launch, double seconds)
{
	char kind[16];
	struct measure_row *r = add_row(m, kind_of(t, kind), t->name + strcspn(t->name, " ") + 1);

	if (!r)
		return -1;
	for (int i = 0; i < cg_plan_launches(t->plan); i++)
		add_launch(r, &m->ceiling, &launch[i]);
	r->count = 1;
	r->seconds = seconds;
	r->images = t->network.self ? (double)t->batch : NAN;
	r->mib = (double)cg_plan_peak(t->plan) / (1 << 20);
	return 0;
}

int measure_trial(struct measure *m, const struct cli *c, struct trial *t, int rounds, unsigned parts)
{
	cg_launch *launch = calloc((size_t)cg_plan_launches(t->plan) + 1, sizeof(*launch));
	double seconds;
	int from, status = launch ? trial_time(t, c, rounds, &seconds) :
				    cli_fail(c, CLI_RUNTIME, "out of memory");

	if (status < 0 && profile(t, rounds, launch) != CG_OK)
		status = engine_fail(c, t->ctx, t->name);
	if (status < 0 && m->traced)
		trace_plan(m, t);
	from = m->n + 1;
	if (status < 0 && (add_run(m, t, launch, seconds) || add_parts(m, t, launch, parts)))
		status = cli_fail(c, CLI_RUNTIME, "out of memory");
	if (status < 0)
		qsort(m->row + from, (size_t)(m->n - from), sizeof(*m->row), by_time);
	free(launch);
	return status;
}
