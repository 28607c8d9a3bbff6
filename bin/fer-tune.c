/*
 * fer-tune: times the ways in which a model's products and convolutions can be computed here, and keeps the quickest.
 */
#include <math.h>
#include <string.h>

#include "csv.h"
#include "engine.h"
#include "json.h"
#include "model_options.h"
#include "progress.h"
#include "tune_clblast.h"

enum { MAX_OPTIONS = 96 };

static const struct cli_option rows[] = {
	{ "model", 'm', CLI_TEXT, NULL, "what", "MODEL",
	  "the products of a model's inference and training step; all: of each model", 0 },
	TRIAL_OPTIONS,
	MODEL_OPTIONS,
	{ "clblast", 0, CLI_FLAG, "true", "how", NULL,
	  "where CLBlast multiplies, also try parameters for its kernels, checked by logits, loss and "
	  "what --gemm and --conv give; not with all", 0 },
	{ "again", 0, CLI_FLAG, "false", "how", NULL, "also what is known already", 0 },
	{ "way-time", 't', CLI_DURATION, "0.3", "how", "TIME", "for each way of each shape", 0 },
	{ "time-limit", 0, CLI_DURATION, "10m", "how", "TIME",
	  "begin nothing else after so long", 0 },
	{ "output", 'o', CLI_CHOICE, "table", "output", "table|csv|json", "form of stdout", 0 },
	ENGINE_OPTIONS,
	CLI_COMMON_OPTIONS,
	{ .name = NULL }
};

static const char *const examples[] = {
	"fer-tune -m resnet50v2 --img-size 48 -b 32",
	"fer-tune -m all -b 64 --again",
	"fer-tune --gemm 592x768x3072 --conv 64x7x7x128x128x3 -o csv",
	NULL
};

static const struct cli_program *tune_program(void)
{
	static struct cli_option table[MAX_OPTIONS];
	static char names[MODEL_TEXT + 8];
	static const struct cli_program program = {
		.name = "fer-tune",
		.synopsis = "-m MODEL|all [option]...",
		.summary = "Time the ways in which products and convolutions can be computed on a device, "
			   "and keep the quickest of those that are right for all programs.",
		.options = table,
		.examples = examples,
		.version = engine_version,
	};
	char listed[MODEL_TEXT];
	int n = 0;

	model_names(listed);
	snprintf(names, sizeof(names), "%s|all", listed);
	for (; strcmp(rows[n].name, "clblast"); n++)
		table[n] = rows[n];
	table[0].arg = names;
	for (int i = model_options_rows(table, n, MAX_OPTIONS / 2), from = n; rows[from].name; i++)
		table[i] = rows[from++];
	return &program;
}

static struct tune_set sets[TUNE_SETS];	/* the first is CLBlast's own */
static int n_sets;
static char unkept[2048];	/* why the file could not be written; "" */

/* --- rows --- */

/* How much less time it takes than the usual way: .25 for a quarter. */
static double gain(const cg_choice *c)
{
	return 1 - c->seconds[c->taken] / c->seconds[c->usual];
}

static const char *way_text(const cg_choice *c, int i, char text[64])
{
	if (isfinite(c->seconds[i]))
		snprintf(text, 64, "%s %.3f", c->way[i], 1e3 * c->seconds[i]);
	else
		snprintf(text, 64, "%s -", c->way[i]);
	return text;
}

static void print_sets(void)
{
	if (n_sets)
		printf("\n%-12s %10s  %s\n", "CLBlast", "ms of all", "parameters");
	for (int i = 0; i < n_sets; i++) {
		const struct tune_set *s = &sets[i];

		printf("%-12s ", s->set.kernel ? s->set.kernel : "as it comes");
		isfinite(s->seconds) ? printf("%10.3f ", 1e3 * s->seconds) :
				       printf("%10s ", s->why ? s->why : "-");
		printf("%c%s\n", s->taken ? '*' : ' ', s->set.parameters ? s->set.parameters : "");
	}
}

static void csv_sets(void)
{
	for (int i = 1; i < n_sets; i++) {
		const struct tune_set *s = &sets[i];

		printf("clblast %s,%s,", s->set.kernel, s->set.parameters);
		isfinite(s->seconds) ? printf("%.5g,%.3g", 1e3 * s->seconds, s->error) : printf(",");
		printf(",0,%d,%d\n", s->taken, isfinite(s->seconds) != 0);
	}
}

static void json_sets(struct json *j)
{
	json_array(j, "clblast");
	for (int i = 0; i < n_sets; i++) {
		json_line(j, NULL);
		json_text(j, "kernel", sets[i].set.kernel);
		json_text(j, "parameters", sets[i].set.parameters);
		json_real(j, "seconds", sets[i].seconds);
		json_real(j, "error", sets[i].error);
		json_bool(j, "taken", sets[i].taken);
		json_text(j, "why", sets[i].why);
		json_end(j);
	}
	json_end(j);
}

/* Ways with ms; a dash: not right, or it could not be made. A star: not the usual way. */
static void print_table(const cg_ctx *ctx)
{
	char text[64];

	printf("%-62s  %-10s %7s  %s\n", "shape", "winner", "gain", "ms of each way");
	for (int i = 0; i < cg_choice_count(ctx); i++) {
		cg_choice c = cg_choice_at(ctx, i);

		printf("%-62s %c%-10s ", c.key, c.taken == c.usual ? ' ' : '*', c.way[c.taken]);
		if (!c.timed) {
			printf("%7s  %s\n", "-", c.known ? "known" : "not timed");
			continue;
		}
		printf("%6.1f%%", 100 * gain(&c));
		for (int k = 0; k < c.ways; k++)
			printf("  %s", way_text(&c, k, text));
		putchar('\n');
	}
	print_sets();
}

static void print_csv(const cg_ctx *ctx)
{
	printf("shape,way,ms,error,usual,taken,timed\n");
	for (int i = 0; i < cg_choice_count(ctx); i++) {
		cg_choice c = cg_choice_at(ctx, i);

		for (int k = 0; k < c.ways; k++) {
			csv_field(stdout, c.key);
			printf(",%s,", c.way[k]);
			isfinite(c.seconds[k]) ? printf("%.5g,", 1e3 * c.seconds[k]) : printf(",");
			isfinite(c.error[k]) ? printf("%.3g", c.error[k]) : 0;
			printf(",%d,%d,%d\n", k == c.usual, k == c.taken, c.timed);
		}
	}
	csv_sets();
}

static void json_choice(struct json *j, const cg_choice *c)
{
	json_object(j, NULL);
	json_text(j, "shape", c->key);
	json_text(j, "usual", c->way[c->usual]);
	json_text(j, "taken", c->way[c->taken]);
	json_bool(j, "timed", c->timed);
	json_real(j, "gain", gain(c));
	json_array(j, "ways");
	for (int k = 0; k < c->ways; k++) {
		json_line(j, NULL);
		json_text(j, "way", c->way[k]);
		json_real(j, "seconds", c->seconds[k]);
		json_real(j, "error", c->error[k]);
		json_end(j);
	}
	json_end(j);
	json_end(j);
}

static void print_json(cg_ctx *ctx)
{
	struct json j;

	json_open(&j, stdout);
	json_object(&j, NULL);
	json_text(&j, "device", cg_device(ctx)->name);
	json_text(&j, "file", cg_tune_file(ctx));
	json_array(&j, "choices");
	for (int i = 0; i < cg_choice_count(ctx); i++) {
		cg_choice c = cg_choice_at(ctx, i);

		json_choice(&j, &c);
	}
	json_end(&j);
	json_sets(&j);
	json_end(&j);
	json_close(&j);
}

static int print(const struct cli *c, cg_ctx *ctx)
{
	if (cli_is(c, "output", "csv"))
		print_csv(ctx);
	else if (cli_is(c, "output", "json"))
		print_json(ctx);
	else
		print_table(ctx);
	if (fflush(stdout) || ferror(stdout))
		return cli_fail(c, CLI_RUNTIME, "stdout cannot be written");
	if (*unkept)
		return cli_fail(c, CLI_RUNTIME, "not kept: %s", unkept);
	cg_tune(ctx, CG_AUTOTUNE_CACHE, 0, 0);	/* the file may have been out of use */
	if (*cg_tune_file(ctx))
		cli_note(c, "kept in %s", cg_tune_file(ctx));
	else
		cli_warn(c, "not kept: there is no cache folder (CG_CACHE, XDG_CACHE_HOME, HOME)");
	return CLI_OK;
}

/* --- tuning --- */

struct tuning {
	cg_autotune mode;
	double deadline;	/* of progress_clock() */
	int told;		/* shapes */
};

/* The next plan may take what is left of the time. */
static void allow(const struct tuning *t, const struct cli *c, cg_ctx *ctx)
{
	cg_tune(ctx, t->mode, cli_real(c, "way-time"), fmax(1e-9, t->deadline - progress_clock()));
}

/* Making the plan has tuned it. */
static int tell(struct trial *trial, const struct cli *c, void *arg)
{
	struct tuning *t = arg;
	int n = cg_choice_count(trial->ctx);

	cli_note(c, "%s: %d shapes that were not met before", trial->name, n - t->told);
	t->told = n;
	allow(t, c, trial->ctx);
	return -1;
}

static void tell_what_is_left(const struct tuning *t, const struct cli *c, const cg_ctx *ctx)
{
	int shapes = 0, n = 0;

	for (int i = 0; i < cg_choice_count(ctx); i++) {
		cg_choice choice = cg_choice_at(ctx, i);

		shapes += !choice.timed && (!choice.known || t->mode == CG_AUTOTUNE_AGAIN);
	}
	for (int i = 1; i < n_sets; i++)
		n += sets[i].why && !strncmp(sets[i].why, "not timed", 9);
	if (shapes + n && progress_clock() >= t->deadline)
		cli_warn(c, "--time-limit %s: %d shapes and %d sets of CLBlast are not timed",
			 cli_text(c, "time-limit"), shapes, n);
}

static int tune(struct cli *c, cg_ctx *ctx)
{
	const struct model *model = NULL;
	struct model_config config;
	struct tuning t = {
		.mode = cli_flag(c, "again") ? CG_AUTOTUNE_AGAIN : CG_AUTOTUNE_ON,
		.deadline = progress_clock() + cli_real(c, "time-limit"),
	};
	bool all = cli_is(c, "model", "all");
	int status = -1;

	allow(&t, c, ctx);

	for (int i = 0; status < 0 && (all ? models[i] != NULL : i == 0); i++) {
		if (all)
			status = cli_set(c, "model", models[i]->name);
		if (status < 0)
			status = trial_settle(c, &model, &config);
		if (status < 0)
			status = trial_each(c, ctx, model, &config, tell, &t);
	}
	for (int i = 0; i < cg_choice_count(ctx); i++)	/* else the note is of reading */
		if (cg_choice_at(ctx, i).timed)
			snprintf(unkept, sizeof(unkept), "%s", cg_tune_note(ctx));
	if (status < 0 && !*unkept && !all && cli_flag(c, "clblast") &&
	    !strcmp(cg_family(ctx), "gpu") && !strcmp(cg_gemm_backend(ctx), "clblast"))
		status = tune_clblast(c, ctx, model, &config, t.deadline, sets, &n_sets);
	tell_what_is_left(&t, c, ctx);
	for (int i = 0; i < n_sets; i++)
		if (sets[i].taken)
			cli_note(c, "CLBlast's %s has other parameters now: --again compares it anew",
				 sets[i].set.kernel);
	return status;
}

static int run(struct cli *c)
{
	cg_ctx *ctx = NULL;
	int status = engine_asked(c);

	if (status < 0)
		status = engine_open(c, &ctx);
	if (status < 0)
		status = tune(c, ctx);
	if (status < 0)
		status = print(c, ctx);
	cg_close(ctx);
	return status;
}

int main(int argc, char **argv)
{
	struct cli c;
	int status = cli_parse(&c, tune_program(), argc, argv);

	if (status < 0)
		status = run(&c);
	cli_free(&c);
	return status;
}
