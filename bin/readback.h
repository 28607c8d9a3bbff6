/*
 * readback.h: reads what runs and evaluations wrote: predictions.csv, summary.csv, and single values
 * of metrics.json.
 */
#ifndef FER_READBACK_H
#define FER_READBACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics.h"
#include "report.h"

enum { READBACK_NAME = 64, READBACK_ERROR = 512 };

/* predictions.csv: one row an image that was judged. */
struct predictions {
	int32_t n, classes;
	int32_t *row;		/* [n] rows of the data set */
	uint8_t *label;		/* [n] true class */
	uint8_t *predicted;	/* [n] */
	uint8_t *twin;		/* [n] an earlier split, or training, has the same image */
	double *p;		/* [n][classes] */
	char class_names[METRICS_CLASSES][READBACK_NAME];
};

/* 0, or -1 with the reason in `error` ("DIR/predictions.csv:3: ..."). Free it in both cases. */
int predictions_read(struct predictions *s, const char *path, char error[READBACK_ERROR]);
/* "DIR/name": DIR is the folder `run`, or the one in which the file `run` lies. */
void readback_beside(char path[READBACK_ERROR], const char *run, const char *name);

/*
 * The predictions of a run's folder, or beside a metrics.json: predictions.csv, else
 * predictions-SPLIT.csv where `split` is not NULL. `hash` is what data_hash in metrics.json must be; 0: any.
 */
int predictions_of(struct predictions *s, const char *run, const char *split, uint64_t hash,
		   char error[READBACK_ERROR]);
void predictions_free(struct predictions *s);

/*
 * Two models on the same images, for McNemar's test: how many the first has right, the second, only
 * the first, only the second. Uses n, row, label and predicted. 0, or -1 where memory is short.
 */
struct predictions_pair {
	int32_t n;		/* images that both judged */
	int32_t a_right, b_right, a_only, b_only;
};
int predictions_compare(const struct predictions *a, const struct predictions *b,
			struct predictions_pair *pair);

/* What summary.csv says of a run; times in seconds. */
struct run_summary {
	int32_t epochs, best_epoch;
	double best_acc;	/* val_acc of the best epoch */
	double elapsed;
	double epoch_seconds;	/* mean */
};

/* 0, or -1 where the file is missing or has no row. */
int run_summary_read(struct run_summary *s, const char *path);

/* The epochs of DIR/fold1, fold2 .. of a cross-validation into *folds. How many folds: 0 where there are none, or no
 * memory. */
int readback_folds(const char *dir, struct report_epochs **folds);
void readback_folds_free(struct report_epochs *folds, int k);

/*
 * The first value of a key in a JSON file of ours, without quotes; within the first object called
 * `object` if that is not NULL. false where there is none.
 */
bool json_lookup(const char *path, const char *object, const char *key, char *value, size_t size);

#endif
