/*
 * fer-compare: runs and evaluations side by side. Everything is computed again from their predictions;
 * each is compared with the first by McNemar's test on the images that both judged.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "charts.h"
#include "cli.h"
#include "engine.h"
#include "json.h"
#include "page.h"
#include "readback.h"
#include "report.h"

static const struct cli_option options[] = {
	{ "split", 0, CLI_CHOICE, NULL, "what", "private|public|train",
	  "which predictions, where a folder has those of several splits", 0 },
	{ "format", 0, CLI_CHOICE, "table", "output", "table|csv|json|md", "of stdout", 0 },
	{ "svg", 0, CLI_TEXT, NULL, "output", "FILE",
	  "also draw it: accuracies with intervals, all images and without twins, and the source "
	  "paper's claims", CLI_TRANSIENT },
	{ "json", 0, CLI_FLAG, "false", "output", NULL, "the same as --format json", CLI_TRANSIENT },
	CLI_COMMON_OPTIONS,
	{ .name = NULL }
};

static const char *const examples[] = {
	"fer-compare runs/vgg runs/alexnet runs/vit",
	"fer-compare runs/vgg runs/alexnet --svg comparison.svg",
	"fer-compare evals/vgg/metrics.json evals/vgg-flip/metrics.json --format md",
	NULL
};

static const struct cli_program program = {
	.name = "fer-compare",
	.synopsis = "RUN|metrics.json... [option]...",
	.summary = "Put runs and evaluations side by side: size, epochs, measures, and McNemar's test "
		   "of each against the first.",
	.options = options,
	.examples = examples,
	.version = engine_version,
};

/* One line of the comparison. */
struct entry {
	const char *name;
	char model[64], data[RUNDIR_PATH], split[64], tta[32], hash[32];
	double parameters;		/* NaN: not known */
	struct predictions judged;
	struct metrics all, without_twins;
	bool has_summary;
	struct run_summary summary;
	struct predictions_pair pair;	/* the first is b; n = 0: no common images */
	double p;			/* McNemar's; NaN for the first, and without common images */
};

/* --- reading --- */

static void look_up(const struct entry *e, const char *key, char *value, size_t size)
{
	char path[READBACK_ERROR];

	readback_beside(path, e->name, "metrics.json");
	if (!json_lookup(path, NULL, key, value, size))
		*value = 0;
}

static int without_twins(struct metrics *m, const struct predictions *s)
{
	size_t k = (size_t)s->classes, n = 0;
	double *p = malloc((size_t)s->n * k * sizeof(*p));
	uint8_t *label = malloc((size_t)s->n);
	int failed = !p || !label;

	for (int32_t i = 0; !failed && i < s->n; i++) {
		if (s->twin[i])
			continue;
		memcpy(p + n * k, s->p + (size_t)i * k, k * sizeof(*p));
		label[n++] = s->label[i];
	}
	if (!failed)
		failed = metrics_compute(m, p, label, (int32_t)n, s->classes);
	free(p);
	free(label);
	return failed;
}

static int read_entry(const struct cli *c, struct entry *e)
{
	static const char *const names[] = { "private", "PrivateTest", "public", "PublicTest", "train",
					     "Training" };
	const char *split = cli_text(c, "split"), *name = NULL;
	char path[READBACK_ERROR], text[64];

	for (int i = 0; split && i < 6; i += 2)
		if (!strcmp(split, names[i]))
			name = names[i + 1];
	if (predictions_of(&e->judged, e->name, name, 0, path))
		return cli_fail(c, CLI_DATA, "%s", path);
	look_up(e, "model", e->model, sizeof(e->model));
	look_up(e, "data", e->data, sizeof(e->data));
	look_up(e, "split", e->split, sizeof(e->split));
	look_up(e, "tta", e->tta, sizeof(e->tta));
	look_up(e, "data_hash", e->hash, sizeof(e->hash));
	look_up(e, "parameters", text, sizeof(text));
	e->parameters = *text ? strtod(text, NULL) : NAN;
	if (name)
		snprintf(e->split, sizeof(e->split), "%s", name);
	readback_beside(path, e->name, "summary.csv");
	e->has_summary = !run_summary_read(&e->summary, path);
	if (metrics_compute(&e->all, e->judged.p, e->judged.label, e->judged.n, e->judged.classes) ||
	    without_twins(&e->without_twins, &e->judged))
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	return -1;
}

/* Only what was judged on the same data can be compared. */
static int against(const struct cli *c, const struct entry *first, struct entry *e)
{
	e->p = NAN;
	if (strcmp(e->hash, first->hash))
		return cli_fail(c, CLI_DATA, "%s: its data have hash %s, those of %s %s", e->name,
				e->hash, first->name, first->hash);
	if (e == first)
		return -1;
	if (predictions_compare(&e->judged, &first->judged, &e->pair))
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	if (e->pair.n)
		e->p = metrics_mcnemar(e->pair.a_only, e->pair.b_only);
	else
		cli_warn(c, "%s (%s) and %s (%s) have no images in common", e->name, e->split,
			 first->name, first->split);
	return -1;
}

/* --- printing --- */

enum { COLUMNS = 15, CELL = 64 };

static const struct column {
	const char *head;
	int width;	/* of the table; 0: the widest cell, to the left */
} columns[COLUMNS] = {
	{ "run", 0 }, { "model", 0 }, { "split", 0 }, { "tta", 0 }, { "parameters", 10 },
	{ "epoch", 7 }, { "s/epoch", 8 }, { "images", 6 }, { "accuracy %", 20 },
	{ "no twins %", 10 }, { "macro F1 %", 10 }, { "AUC", 6 }, { "log-loss", 8 }, { "ECE", 6 },
	{ "only this : first, p", 22 },
};

static void put(char cell[CELL], const char *format, double x)
{
	if (isnan(x))
		snprintf(cell, CELL, "-");
	else
		snprintf(cell, CELL, format, x);
}

static void fill(char cell[COLUMNS][CELL], const struct entry *e)
{
	const struct metrics *m = &e->all;

	snprintf(cell[0], CELL, "%s", e->name);
	snprintf(cell[1], CELL, "%s", e->model);
	snprintf(cell[2], CELL, "%s", e->split);
	snprintf(cell[3], CELL, "%s", *e->tta ? e->tta : "-");
	put(cell[4], "%.0f", e->parameters);
	snprintf(cell[5], CELL, "-");
	if (e->has_summary)
		snprintf(cell[5], CELL, "%" PRId32 "/%" PRId32, e->summary.best_epoch,
			 e->summary.epochs);
	put(cell[6], "%.1f", e->has_summary ? e->summary.epoch_seconds : NAN);
	put(cell[7], "%.0f", m->n);
	snprintf(cell[8], CELL, "%.2f [%.2f, %.2f]", 100 * m->accuracy, 100 * m->accuracy95.low,
		 100 * m->accuracy95.high);
	put(cell[9], "%.2f", e->without_twins.n ? 100 * e->without_twins.accuracy : NAN);
	put(cell[10], "%.2f", 100 * m->macro_f1);
	put(cell[11], "%.4f", m->macro_auc);
	put(cell[12], "%.4f", m->log_loss);
	put(cell[13], "%.4f", m->ece);
	snprintf(cell[14], CELL, "-");
	if (!isnan(e->p))
		snprintf(cell[14], CELL, "%" PRId32 " : %" PRId32 ", %.3g", e->pair.a_only,
			 e->pair.b_only, e->p);
}

static void print_line(char cell[COLUMNS][CELL], const int width[COLUMNS], bool md)
{
	fputs(md ? "|" : "", stdout);
	for (int i = 0; i < COLUMNS; i++)
		if (md)
			printf(" %s |", cell[i]);
		else
			printf("%*s%s", columns[i].width ? width[i] : -width[i], cell[i],
			       i < COLUMNS - 1 ? "  " : "\n");
	fputs(md ? "\n" : "", stdout);
}

/* A line for each run; `md` with the rules of Markdown. */
static void print_table(const struct entry *e, int n, bool md)
{
	char cell[COLUMNS][CELL];
	int width[COLUMNS];

	for (int i = 0; i < COLUMNS; i++)
		width[i] = columns[i].width ? columns[i].width : (int)strlen(columns[i].head);
	for (int k = 0; k < n; k++) {
		fill(cell, &e[k]);
		for (int i = 0; i < COLUMNS; i++)
			if ((int)strlen(cell[i]) > width[i])
				width[i] = (int)strlen(cell[i]);
	}
	for (int i = 0; i < COLUMNS; i++)
		snprintf(cell[i], CELL, "%s", columns[i].head);
	print_line(cell, width, md);
	for (int i = 0; md && i < COLUMNS; i++)
		printf("%s --- |%s", i ? "" : "|", i < COLUMNS - 1 ? "" : "\n");
	for (int k = 0; k < n; k++) {
		fill(cell, &e[k]);
		print_line(cell, width, md);
	}
}

/* The numbers of a run, in the order of CSV and JSON; NaN: not known. */
enum { NUMBERS = 17 };
static const char *const keys[NUMBERS] = {
	"parameters", "best_epoch", "epochs", "epoch_seconds", "n", "accuracy", "accuracy_low",
	"accuracy_high", "n_without_twins", "accuracy_without_twins", "macro_f1", "macro_auc",
	"log_loss", "ece", "only_this_right", "only_first_right", "mcnemar_p"
};

static void number(const struct entry *e, double x[NUMBERS])
{
	const struct metrics *m = &e->all, *w = &e->without_twins;
	const double all[NUMBERS] = {
		e->parameters,
		e->has_summary ? e->summary.best_epoch : NAN,
		e->has_summary ? e->summary.epochs : NAN,
		e->has_summary ? e->summary.epoch_seconds : NAN,
		m->n, m->accuracy, m->accuracy95.low, m->accuracy95.high,
		w->n, w->n ? w->accuracy : NAN, m->macro_f1, m->macro_auc, m->log_loss, m->ece,
		isnan(e->p) ? NAN : e->pair.a_only, isnan(e->p) ? NAN : e->pair.b_only, e->p
	};

	memcpy(x, all, sizeof(all));
}

static void print_csv(const struct entry *e, int n)
{
	double x[NUMBERS];
	char text[32];

	fputs("run,model,split,tta,data_hash", stdout);
	for (int i = 0; i < NUMBERS; i++)
		printf(",%s", keys[i]);
	putchar('\n');
	for (int k = 0; k < n; k++) {
		printf("%s,%s,%s,%s,%s", e[k].name, e[k].model, e[k].split, e[k].tta, e[k].hash);
		number(&e[k], x);
		for (int i = 0; i < NUMBERS; i++)
			printf(",%s", isnan(x[i]) ? "" : json_number(text, x[i]));
		putchar('\n');
	}
}

static void print_json(const struct entry *e, int n)
{
	double x[NUMBERS];
	struct json j;

	json_open(&j, stdout);
	json_object(&j, NULL);
	json_array(&j, "runs");
	for (int k = 0; k < n; k++) {
		json_object(&j, NULL);
		json_text(&j, "run", e[k].name);
		json_text(&j, "model", e[k].model);
		json_text(&j, "split", e[k].split);
		json_text(&j, "tta", *e[k].tta ? e[k].tta : NULL);
		json_text(&j, "data_hash", e[k].hash);
		number(&e[k], x);
		for (int i = 0; i < NUMBERS; i++)
			json_real(&j, keys[i], x[i]);
		json_end(&j);
	}
	json_end(&j);
	json_end(&j);
	json_close(&j);
}

static int print(const struct cli *c, const struct entry *e, int n)
{
	enum report_format format = REPORT_JSON;

	if (!cli_flag(c, "json"))
		report_format_parse(cli_text(c, "format"), &format);
	if (format == REPORT_JSON)
		print_json(e, n);
	else if (format == REPORT_CSV)
		print_csv(e, n);
	else
		print_table(e, n, format == REPORT_MD);
	if (fflush(stdout) || ferror(stdout))
		return cli_fail(c, CLI_RUNTIME, "stdout cannot be written");
	return CLI_OK;
}

/* The report's figure as a file. */
static int draw(const struct cli *c, const struct entry *e, int n)
{
	const char *path = cli_text(c, "svg");
	struct charts_run *run = path ? calloc((size_t)n, sizeof(*run)) : NULL;
	FILE *out = run ? fopen(path, "w") : NULL;
	int failed = path && !out;

	for (int i = 0; out && i < n; i++)
		run[i] = (struct charts_run){ e[i].name, &e[i].all, &e[i].without_twins,
					      page_claim(e[i].model, &e[i].judged, e[i].data) };
	if (out) {
		charts_comparison(out, run, n);
		failed = ferror(out);
		failed = fclose(out) || failed;
	}
	free(run);
	return failed ? cli_fail(c, CLI_RUNTIME, "%s: %s", path, strerror(errno)) : -1;
}

static int run(const struct cli *c)
{
	struct entry *e;
	int status = -1;

	if (!c->n_args)
		return cli_fail(c, CLI_USAGE, "no run given: folders of runs, or metrics.json of fer-eval");
	e = calloc((size_t)c->n_args, sizeof(*e));
	if (!e)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	for (int i = 0; i < c->n_args && status < 0; i++) {
		e[i].name = c->args[i];
		status = read_entry(c, &e[i]);
		if (status < 0)
			status = against(c, &e[0], &e[i]);
	}
	if (status < 0)
		status = draw(c, e, c->n_args);
	if (status < 0)
		status = print(c, e, c->n_args);
	for (int i = 0; i < c->n_args; i++)
		predictions_free(&e[i].judged);
	free(e);
	return status;
}

int main(int argc, char **argv)
{
	struct cli cli;
	int status = cli_parse(&cli, &program, argc, argv);

	if (status < 0)
		status = run(&cli);
	cli_free(&cli);
	return status;
}
