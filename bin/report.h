/*
 * report.h: numbers to files and tables. Functions that write a file return 0, or -1 with errno.
 * A whole file is written beside its place and renamed, so that a reader never sees half of it.
 */
#ifndef FER_REPORT_H
#define FER_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "data.h"
#include "json.h"
#include "metrics.h"

/*
 * summary.csv: one row an epoch, flushed. NaN is an empty field. Accuracies, precision, recall, F1
 * and AUC are fractions 0..1; times are seconds; epoch counts from 1.
 */
struct report_epoch {
	int32_t epoch;
	int64_t step;
	double lr;
	double train_loss, train_acc;
	double val_loss, val_acc, val_precision, val_recall, val_f1, val_auc;
	double epoch_seconds, train_img_per_s, val_seconds;
	bool best;		/* a new best: written 1, else 0 */
	double elapsed_seconds;	/* of the whole run, over all resumes */
};

/* The epochs of one of several runs. */
struct report_epochs {
	struct report_epoch *row;	/* [n] */
	int n;
};

struct report_summary {
	FILE *file;
};

/*
 * Open for a new run (`after` 0), or to go on after epoch `after`: rows of later epochs, which the
 * checkpoint does not know, are dropped. A file without rows gets the header.
 */
int report_summary_open(struct report_summary *s, const char *path, int32_t after);
int report_summary_row(struct report_summary *s, const struct report_epoch *row);
int report_summary_close(struct report_summary *s);

/* The rows of such a file into *rows, to be freed. How many; -1 where it cannot be read. */
int report_summary_read(const char *path, struct report_epoch **rows);

/* "epoch 12/60  loss 0.9921 acc 63.10 | val loss 0.9730 acc 64.25* f1 61.9 auc 0.908 | lr ..." */
void report_epoch_line(char *text, size_t size, const struct report_epoch *row, int32_t epochs,
		       double eta_seconds);

/* Agreement with the votes of FER+, on the rows whose highest vote is one of the seven classes. */
struct report_ferplus {
	struct metrics metrics;		/* with that vote as the true label; n = 0: not known */
	double label_agreement;		/* share of rows whose FER2013 label is the highest vote */
	double vote_share;		/* mean share of the votes that the prediction has, */
	double label_vote_share;	/* that FER2013's label has */
};

/* A network of an ensemble, alone, without a temperature. */
struct report_member {
	char checkpoint[512];
	const char *model;
	double accuracy;
};

/* McNemar's test against other predictions, on the images that both have. */
struct report_comparison {
	const char *other;	/* NULL: there was none */
	int32_t n, only_this, only_other;	/* images; those that one alone has right */
	double accuracy, other_accuracy;	/* on these */
	double p;		/* exact, two-sided */
};

/* One evaluated split. Texts are borrowed; NULL texts and NaN numbers are left out. */
struct report_evaluation {
	const char *model, *checkpoint, *data, *split, *tta;
	uint64_t data_hash;
	int64_t parameters;		/* 0: not known */
	double temperature;
	double ece_before, log_loss_before;	/* at temperature 1, all rows */
	const char *const *class_names;
	struct metrics all;		/* the whole split */
	struct metrics without_twins;	/* n = 0: not known */
	bool has_bootstrap;
	struct metrics_bootstrap bootstrap, bootstrap_without_twins;
	struct report_ferplus ferplus;
	const struct report_member *member;
	int members;			/* 0 or 1: no ensemble */
	struct report_comparison comparison;
	double seconds, img_per_s;
};

enum report_format { REPORT_TABLE, REPORT_CSV, REPORT_JSON, REPORT_MD };

/* "table", "csv", "json" or "md"; false for another word. */
bool report_format_parse(const char *word, enum report_format *format);

/* Print evaluations (one per split). 0, or -1 where writing failed. */
int report_print(FILE *out, enum report_format format, const struct report_evaluation *e, int n);

/* For report_print.c alone. */
void report__csv(FILE *out, const struct report_evaluation *e, int n);

/* metrics.json: what report_print() gives as JSON. */
int report_metrics_json(const char *path, const struct report_evaluation *e, int n);

/* One evaluation or one set of metrics as a JSON object, for a larger document. */
void report_json(struct json *j, const char *key, const struct report_evaluation *e);
void report_json_metrics(struct json *j, const char *key, const struct metrics *m,
			 const char *const *class_names);

/* confusion.csv: header `true\predicted,angry,...`, a row per true class. */
int report_confusion(const char *path, const struct metrics *m, const char *const *class_names);

/*
 * predictions.csv: `row,usage,label,predicted,correct,twin,p_angry,...`: the i-th of `rows` has the
 * probabilities p[i][classes], with all their digits. twin is 1 for FLAW_TWIN_BEFORE.
 */
int report_predictions(const char *path, const struct dataset *d, const struct data_rows *rows,
		       const double *p);

#endif
