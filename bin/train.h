/*
 * train.h: the loop of a training: updates, validation, log, checkpoints, early stop.
 *
 * Functions return -1 to go on, or the exit code after a message.
 */
#ifndef FER_TRAIN_H
#define FER_TRAIN_H

#include "checkpoint.h"
#include "cli.h"
#include "clgrad.h"
#include "data.h"
#include "infer.h"
#include "metrics.h"
#include "network.h"
#include "progress.h"
#include "report.h"
#include "rundir.h"
#include "step.h"
#include "tensorboard.h"

enum train_monitor { MONITOR_ACC, MONITOR_LOSS, MONITOR_F1 };

struct train_config {
	int32_t epochs;
	double warmup_epochs;
	int32_t patience;	/* epochs without a better value before the end; 0: never */
	enum train_monitor monitor;
	double time_limit;	/* seconds; 0: none */
	int32_t save_every;	/* keep epoch-N.safetensors every so many epochs; 0: never */
	int32_t val_batch;
	cg_sched sched;		/* steps and warmup are filled in */
	struct step_config step;
};

struct trainer {
	struct cli *cli;
	struct train_config config;
	const struct dataset *data;
	const struct data_rows *train, *validation;
	struct network *network;
	cg_array *images, *targets;	/* the data set on the device */
	struct step step;
	struct infer infer;		/* of the validation rows */
	struct checkpoint at;		/* where the run stands */
	int32_t updates;		/* of an epoch; rows that fill no whole update are left out,
					 * other ones in each epoch */
	int32_t *order;			/* [train->n] rows of this epoch */
	float *logits;			/* [validation->n][classes] */
	double *p;			/* the same as probabilities */
	struct report_summary summary;
	struct tensorboard tensorboard;	/* file NULL: none */
	struct progress progress;
	const char *dir;		/* NULL until train_run() */
	const char *root;		/* what --resume takes: dir, or the folder of all folds */
	double begun, counted;		/* clock: of this session, of what elapsed knows */
	uint64_t skipped;		/* updates left out so far: gradient not finite */
	bool stopped_early;
};

/* Puts the data on the device and builds the plans; writes nothing. train_close() is due. */
int train_open(struct trainer *t, struct cli *c, const struct train_config *config,
	       struct network *n, const struct dataset *d, const struct data_rows *train,
	       const struct data_rows *validation);
void train_close(struct trainer *t);

/* Reads dir/last.safetensors. */
int train_resume(struct trainer *t, const char *dir);

/* Goes on from where the run stands until it is done (-1), interrupted (after saving) or failed. */
int train_run(struct trainer *t, const char *root, const char *dir);

/* Logits and probabilities of the validation rows, into t->logits and t->p, and what follows. */
int train_validate(struct trainer *t, struct metrics *m);

/* One update on the first rows, without a trace in `at`: its loss and seconds. */
int train_probe(struct trainer *t, float *loss, double *seconds);

#endif
