/*
 * page_tables.c: the tables of report.html.
 */
#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "svg.h"

/* "64.9", "-" for NaN */
static void number(FILE *out, int digits, double x)
{
	if (isnan(x))
		page__element(out, "td", "-");
	else
		page__element(out, "td", "%.*f", digits, x);
}

static void with_interval(FILE *out, int digits, double scale, double x, struct interval i)
{
	if (isnan(x) || isnan(i.low))
		number(out, digits, scale * x);
	else
		page__element(out, "td", "%.*f [%.*f, %.*f]", digits, scale * x, digits,
			scale * i.low, digits, scale * i.high);
}

/* --- results --- */

static void result_row(FILE *out, const struct run *r)
{
	const struct metrics *clean = &r->without_twins;

	fputs("<tr>", out);
	page__element(out, "td", "%s", r->name);
	page__element(out, "td class=\"text\"", "%s", r->model);
	page__element(out, "td class=\"text\"", "%s", r->split);
	number(out, 0, r->all.n);
	with_interval(out, 1, 100, r->all.accuracy, r->all.accuracy95);
	if (clean->n)
		with_interval(out, 1, 100, clean->accuracy, clean->accuracy95);
	else
		page__element(out, "td", "-");
	with_interval(out, 1, 100, r->all.macro_f1, r->bootstrap.macro_f1);
	with_interval(out, 3, 1, r->all.macro_auc, r->bootstrap.macro_auc);
	number(out, 4, r->all.ece);
	fputs("</tr>\n", out);
}

static bool is_pair(const struct run *a, const struct run *b, struct predictions_pair *pair)
{
	return !strcmp(a->data_hash, b->data_hash) &&
		!predictions_compare(&a->predictions, &b->predictions, pair) && pair->n > 0;
}

static void pair_row(
	FILE *out, const struct run *a, const struct run *b, const struct predictions_pair *pair)
{
	double p = metrics_mcnemar(pair->a_only, pair->b_only);

	fputs("<tr>", out);
	page__element(out, "td", "%s and %s", a->name, b->name);
	number(out, 0, pair->n);
	number(out, 0, pair->a_only);
	number(out, 0, pair->b_only);
	page__element(out, "td", p < 1e-4 ? "%.1e" : "%.4f", p);
	fputs("</tr>\n", out);
}

/* Every two runs that judged the same images. */
static void pairs(FILE *out, const struct page_run *runs, int n)
{
	static const char *const heads[] = { "runs", "images of both", "only the first is right",
		"only the second is right", "p" };
	struct predictions_pair pair;
	int count = 0;

	for (int i = 0; i < n; i++)
		for (int j = i + 1; j < n; j++) {
			if (!is_pair(&runs[i].run, &runs[j].run, &pair))
				continue;
			if (!count++)
				page__table(out,
					"McNemar's test: are two runs as good as each other?",
					heads, 5);
			pair_row(out, &runs[i].run, &runs[j].run, &pair);
		}
	if (count)
		page__table_end(out);
}

void page__results(FILE *out, const struct page_run *runs, int n)
{
	static const char *const heads[] = { "run", "-model", "-rows", "images", "accuracy %",
		"without twins %", "macro F1 %", "macro AUC", "ECE" };

	page__table(out, "Results, with 95 % intervals", heads, 9);
	for (int i = 0; i < n; i++)
		result_row(out, &runs[i].run);
	page__table_end(out);
	pairs(out, runs, n);
	page__element(out, "p class=\"soft\"",
		"Intervals: Wilson for accuracy, bootstrap for F1 and AUC. Without twins: leaves "
		"out "
		"images that an earlier split has pixel for pixel. Rows that chose the weights "
		"(PublicTest) flatter them; PrivateTest is for the end.");
}

/* --- one run --- */

static void measure_row(
	FILE *out, const char *name, int digits, double scale, double all, double clean, bool both)
{
	fputs("<tr>", out);
	page__element(out, "td", "%s", name);
	number(out, digits, scale * all);
	if (both)
		number(out, digits, scale * clean);
	fputs("</tr>\n", out);
}

/* Agreement with FER+, where fer-eval measured it. */
static void ferplus_rows(FILE *out, const struct run *r, bool both)
{
	static const char *const keys[][2] = { { "accuracy",
						       "prediction is FER+'s first choice %" },
		{ "label_agreement", "label is FER+'s first choice %" },
		{ "vote_share", "FER+ votes for the prediction %" },
		{ "label_vote_share", "FER+ votes for the label %" } };
	char path[RUNDIR_PATH], value[64];

	for (int i = 0; i < 4; i++)
		if (json_lookup(rundir_path(path, r->dir, "metrics.json"), "ferplus", keys[i][0],
			    value, sizeof(value)))
			measure_row(out, keys[i][1], 2, 100, strtod(value, NULL), NAN, both);
}

void page__measures(FILE *out, const struct run *r)
{
	static const char *const heads[] = { "measure", "all images", "without twins" };
	const struct metrics *a = &r->all, *b = &r->without_twins;
	bool both = b->n > 0;

#define ROW(name, digits, scale, field) \
	measure_row(out, name, digits, scale, a->field, b->field, both)
	page__table(out, "All measures", heads, 2 + both);
	ROW("images", 0, 1, n);
	ROW("accuracy %", 2, 100, accuracy);
	ROW("macro precision %", 2, 100, macro_precision);
	ROW("macro recall %", 2, 100, macro_recall);
	ROW("macro F1 %", 2, 100, macro_f1);
	ROW("weighted precision %", 2, 100, weighted_precision);
	ROW("weighted recall %", 2, 100, weighted_recall);
	ROW("weighted F1 %", 2, 100, weighted_f1);
	ROW("balanced accuracy %", 2, 100, balanced_accuracy);
	ROW("macro AUC", 4, 1, macro_auc);
	ROW("AUC of hard labels", 4, 1, hard_auc);
	ROW("Cohen's kappa", 4, 1, kappa);
	ROW("log-loss", 4, 1, log_loss);
	ROW("ECE (15 bins)", 4, 1, ece);
#undef ROW
	if (!isnan(r->temperature))
		measure_row(out, "temperature", 4, 1, r->temperature, r->temperature, both);
	ferplus_rows(out, r, both);
	page__table_end(out);
}

void page__classes(FILE *out, const struct run *r)
{
	static const char *const heads[] = { "class", "images", "precision %", "recall %", "F1 %",
		"AUC" };
	const struct metrics *m = &r->all;

	page__table(out, "Each class", heads, 6);
	for (int c = 0; c < m->classes; c++) {
		fputs("<tr>", out);
		page__element(out, "td", "%s", r->names[c]);
		number(out, 0, (double)m->support[c]);
		number(out, 1, 100 * m->precision[c]);
		number(out, 1, 100 * m->recall[c]);
		number(out, 1, 100 * m->f1[c]);
		number(out, 3, m->auc[c]);
		fputs("</tr>\n", out);
	}
	page__table_end(out);
}

/* --- the paper --- */

static const struct claim {
	const char *model, *name, *settings;
	double accuracy, precision, recall, auc;
} claims[] = {
	{ "vit", "ViT (called \"LLaVa\")",
		"12 layers, 768 wide, 8 heads, dropout 0.1; AdamW, rate 2e-5 with warm-up, batch "
		"16",
		.78, .77, .76, .86 },
	{ "resnet50v2", "ResNet50V2",
		"Adam with weight decay, rate 0.001, batch 32, 50 epochs, cross-entropy", .76, .75,
		.74, .84 },
	{ "alexnet", "AlexNet-like CNN", "not told", .75, .74, .73, .83 },
};

enum { CLAIMS = sizeof(claims) / sizeof(*claims) };

bool page_is_fer2013(const struct predictions *p, const char *data)
{
	bool is = p->classes == DATA_CLASSES && strncmp(data, "synth", 5) != 0;

	for (int i = 0; is && i < DATA_CLASSES; i++)
		is = !strcmp(p->class_names[i], data_class_names[i]);
	return is;
}

double page_claim(const char *model, const struct predictions *p, const char *data)
{
	for (int i = 0; i < CLAIMS && page_is_fer2013(p, data); i++)
		if (!strcmp(claims[i].model, model))
			return claims[i].accuracy;
	return NAN;
}

static void paper_settings(FILE *out, const struct page_run *runs, int n)
{
	static const char *const heads[] = { "model", "-who", "-hyperparameters" };
	static const char *const options[] = { "opt", "lr", "sched", "batch-size", "epochs",
		"weight-decay", "crop", "img-size", "pretrained", "preset" };

	page__table(out, "Hyperparameters", heads, 3);
	for (int i = 0; i < CLAIMS; i++) {
		fputs("<tr class=\"claim\">", out);
		page__element(out, "td", "%s", claims[i].name);
		page__element(out, "td class=\"text\"", "paper");
		page__element(out, "td class=\"wide\"", "%s", claims[i].settings);
		fputs("</tr>\n", out);
	}
	for (int i = 0; i < n; i++) {
		char value[RUN_TEXT], line[1000] = "";

		for (size_t k = 0; k < sizeof(options) / sizeof(*options); k++)
			if (*run_option(&runs[i].run, options[k], value) && strlen(line) < 700)
				snprintf(line + strlen(line), sizeof(line) - strlen(line),
					"%s%s %s", *line ? ", " : "", options[k], value);
		fputs("<tr>", out);
		page__element(out, "td", "%s", runs[i].run.model);
		page__element(out, "td class=\"text\"", "%s", runs[i].run.name);
		page__element(out, "td class=\"wide\"", "%s", *line ? line : "-");
		fputs("</tr>\n", out);
	}
	page__table_end(out);
}

/* Epochs, losses of the best epoch, seconds of an epoch; of a cross-validation their means over the folds. */
enum { EPOCHS, TRAINING_LOSS, VALIDATION_LOSS, SECONDS, COURSE };

static bool add_course(double sum[COURSE], const struct report_epoch *e, int n)
{
	double seconds = 0;
	int best = n - 1;

	while (best >= 0 && !e[best].best)
		best--;
	if (best < 0)
		return false;
	for (int i = 0; i < n; i++)
		seconds += e[i].epoch_seconds / n;
	sum[EPOCHS] += e[n - 1].epoch;
	sum[TRAINING_LOSS] += e[best].train_loss;
	sum[VALIDATION_LOSS] += e[best].val_loss;
	sum[SECONDS] += seconds;
	return true;
}

/* false where there are no epochs, as of an evaluation. */
static bool find_course(double mean[COURSE], const struct run *r)
{
	int n = add_course(mean, r->epoch, r->epochs);

	for (int i = 0; i < r->folds; i++)
		n += add_course(mean, r->fold[i].row, r->fold[i].n);
	for (int i = 0; i < COURSE && n; i++)
		mean[i] /= n;
	return n > 0;
}

static void paper_epochs(FILE *out, const struct page_run *runs, int n)
{
	static const char *const heads[] = { "model", "-who", "epochs", "training loss",
		"validation loss", "seconds an epoch", "-device" };

	page__table(out, "Loss and time of an epoch", heads, 7);
	fputs("<tr class=\"claim\">", out);
	page__element(out, "td", "ViT and ResNet50V2");
	page__element(out, "td class=\"text\"", "paper");
	page__element(out, "td", "50 (ResNet50V2)");
	page__element(out, "td", "-");
	page__element(out, "td", "down to 0.01");
	page__element(out, "td", "55 to 58");
	page__element(out, "td class=\"wide\"", "NVIDIA A100");
	fputs("</tr>\n", out);
	for (int i = 0; i < n; i++) {
		const struct run *r = &runs[i].run;
		double mean[COURSE] = { 0 };

		if (!find_course(mean, r))
			continue;
		fputs("<tr>", out);
		page__element(out, "td", "%s", r->model);
		page__element(out, "td class=\"text\"", r->folds ? "%s, mean of folds" : "%s", r->name);
		number(out, mean[EPOCHS] == floor(mean[EPOCHS]) ? 0 : 1, mean[EPOCHS]);
		number(out, 4, mean[TRAINING_LOSS]);
		number(out, 4, mean[VALIDATION_LOSS]);
		number(out, 1, mean[SECONDS]);
		page__element(out, "td class=\"wide\"", "%s", r->device);
		fputs("</tr>\n", out);
	}
	page__table_end(out);
}

static void paper_results(FILE *out, const struct page_run *runs, int n)
{
	static const char *const heads[] = { "model", "-who", "accuracy %", "precision %",
		"recall %", "AUC", "AUC of hard labels", "images" };

	page__table(out, "Accuracy, precision, recall, AUC", heads, 8);
	for (int i = 0; i < CLAIMS; i++) {
		const struct claim *c = &claims[i];

		fputs("<tr class=\"claim\">", out);
		page__element(out, "td", "%s", c->name);
		page__element(out, "td class=\"text\"", "paper");
		number(out, 0, 100 * c->accuracy);
		number(out, 0, 100 * c->precision);
		number(out, 0, 100 * c->recall);
		page__element(out, "td", "-");
		number(out, 2, c->auc);
		page__element(out, "td", strcmp(c->model, "alexnet") ? "1666 or 431" : "-");
		fputs("</tr>\n", out);
	}
	for (int i = 0; i < n; i++) {
		const struct metrics *m = &runs[i].run.all;

		fputs("<tr>", out);
		page__element(out, "td", "%s", runs[i].run.model);
		page__element(out, "td class=\"text\"", "%s", runs[i].run.name);
		with_interval(out, 1, 100, m->accuracy, m->accuracy95);
		number(out, 1, 100 * m->macro_precision);
		number(out, 1, 100 * m->macro_recall);
		number(out, 3, m->macro_auc);
		number(out, 3, m->hard_auc);
		number(out, 0, m->n);
		fputs("</tr>\n", out);
	}
	page__table_end(out);
}

void page__paper(FILE *out, const struct page_run *runs, int n)
{
	page__element(out, "h2", "What a paper claims, and what we measured");
	page__element(out, "p class=\"note\"",
		"Rows marked \"paper\" are claims of \"Deep Neural Network and Transformer Models "
		"for Emotion "
		"Recognition\" (2025), whose tables contradict each other: its confusion matrices "
		"add up to "
		"1,666 and 431 images, not to the 3,589 of a FER2013 split, at 76.8 and 77.5 %%, "
		"with the order "
		"of the models reversed; its AUC of 0.86 is that of hard labels, so it stands in "
		"that column; "
		"and a validation loss of 0.01 cannot be had at 78 %% accuracy (the least is "
		"0.1525). They are "
		"shown because people will compare, not as a mark to reach. Ours are macro means "
		"over the "
		"classes, on the rows named above.");
	paper_settings(out, runs, n);
	paper_epochs(out, runs, n);
	paper_results(out, runs, n);
}
