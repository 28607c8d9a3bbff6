/*
 * report_csv.c: evaluations as CSV: for each a row of all its images, one of those without twins, and one for
 * each network of an ensemble. What a row does not tell is empty.
 */
#include <inttypes.h>
#include <math.h>

#include "csv.h"
#include "report.h"

static void text(FILE *out, const char *t)
{
	fputc(',', out);
	csv_field(out, t ? t : "");
}

static void number(FILE *out, double x)
{
	char t[32];

	fprintf(out, ",%s", isnan(x) ? "" : json_number(t, x));
}

static void empty(FILE *out, int n)
{
	while (n-- > 0)
		fputc(',', out);
}

/* What is told of a set of images. */
static const char measure_heads[] =
	",accuracy,accuracy_low,accuracy_high,macro_precision,macro_recall,macro_f1,macro_auc,"
	"weighted_precision,weighted_recall,weighted_f1,balanced_accuracy,kappa,log_loss,ece";
enum { MEASURES = 14 };

static void measures(FILE *out, const struct metrics *m)
{
	const double values[MEASURES] = { m->accuracy, m->accuracy95.low, m->accuracy95.high,
		m->macro_precision, m->macro_recall, m->macro_f1, m->macro_auc,
		m->weighted_precision, m->weighted_recall, m->weighted_f1, m->balanced_accuracy,
		m->kappa, m->log_loss, m->ece };

	for (int i = 0; i < MEASURES; i++)
		number(out, values[i]);
	for (int c = 0; c < m->classes; c++)
		number(out, m->recall[c]);
}

/* What is told of an evaluation, in its first row. */
static const char more_heads[] =
	",temperature,ece_before_temperature,log_loss_before_temperature,ferplus_n,ferplus_accuracy,"
	"ferplus_label_agreement,ferplus_vote_share,ferplus_label_vote_share,compared_with,compared_n,"
	"compared_accuracy,other_accuracy,only_this_right,only_other_right,mcnemar_p";
enum { MORE = 15 };

static void more(FILE *out, const struct report_evaluation *e)
{
	const struct report_ferplus *f = &e->ferplus;
	const struct report_comparison *c = &e->comparison;
	const double before[] = { e->temperature, e->ece_before, e->log_loss_before };
	const double votes[] = { f->metrics.n, f->metrics.accuracy, f->label_agreement, f->vote_share,
		f->label_vote_share };
	const double compared[] = { c->n, c->accuracy, c->other_accuracy, c->only_this, c->only_other,
		c->p };

	for (int i = 0; i < 3; i++)
		number(out, before[i]);
	for (int i = 0; i < 5; i++)
		number(out, f->metrics.n ? votes[i] : NAN);
	text(out, c->other);
	for (int i = 0; i < 6; i++)
		number(out, c->other ? compared[i] : NAN);
}

static void names(FILE *out, const char *model, const struct report_evaluation *e, const char *rows,
	int32_t n)
{
	csv_field(out, model ? model : "");
	text(out, e->split);
	text(out, rows);
	fprintf(out, ",%" PRId32, n);
}

static void origins(FILE *out, const char *checkpoint, const struct report_evaluation *e)
{
	text(out, checkpoint);
	text(out, e->data);
	fprintf(out, ",%016" PRIx64, e->data_hash);
	text(out, e->tta);
	fputc('\n', out);
}

static void evaluation(FILE *out, const struct report_evaluation *e)
{
	names(out, e->model, e, "all", e->all.n);
	measures(out, &e->all);
	more(out, e);
	origins(out, e->checkpoint, e);
	if (e->without_twins.n) {
		names(out, e->model, e, "without_twins", e->without_twins.n);
		measures(out, &e->without_twins);
		empty(out, MORE);
		origins(out, e->checkpoint, e);
	}
	for (int i = 0; i < e->members && e->members > 1; i++) {
		names(out, e->member[i].model, e, "member", e->all.n);
		number(out, e->member[i].accuracy);
		empty(out, MEASURES - 1 + e->all.classes + MORE);
		origins(out, e->member[i].checkpoint, e);
	}
}

void report__csv(FILE *out, const struct report_evaluation *e, int n)
{
	char head[80];

	fprintf(out, "model,split,rows,n%s", measure_heads);
	for (int c = 0; n > 0 && c < e->all.classes; c++) {
		snprintf(head, sizeof(head), "recall_%s", e->class_names[c]);
		text(out, head);
	}
	fprintf(out, "%s,checkpoint,data,data_hash,tta\n", more_heads);
	for (; n > 0; n--, e++)
		evaluation(out, e);
}
