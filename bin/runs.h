/*
 * runs.h: a folder that fer-train or fer-eval --out wrote, read back for a report.
 */
#ifndef FER_RUNS_H
#define FER_RUNS_H

#include "readback.h"
#include "report.h"
#include "rundir.h"

enum { RUN_TEXT = 256 };

struct run {
	char dir[RUNDIR_PATH], name[RUN_TEXT];	/* the folder, and its last part */
	/* of metrics.json and env.json; "" where they do not say */
	char model[RUN_TEXT], data[RUNDIR_PATH], data_hash[RUN_TEXT], split[RUN_TEXT], tta[RUN_TEXT];
	char checkpoint[RUNDIR_PATH];		/* a file that is there, else "" */
	char device[RUN_TEXT], platform[RUN_TEXT], driver[RUN_TEXT], family[RUN_TEXT],
	     version[RUN_TEXT];
	double temperature, seconds;
	struct predictions predictions;
	const char *names[METRICS_CLASSES];
	struct metrics all, without_twins;
	struct metrics_bootstrap bootstrap;	/* of all */
	struct report_epoch *epoch;		/* [epochs]; none of an evaluation */
	int epochs;
	struct report_epochs *fold;		/* [folds]; of a cross-validation */
	int folds;
	char *kfold;				/* kfold.csv, or NULL */
	char *options;				/* args.ini, or NULL */
};

/* Reads DIR; predictions.csv and metrics.json must be there. -1, or the exit code after a message;
 * run_free() is due in both cases. */
int run_read(struct run *r, const struct cli *c, const char *dir);
void run_free(struct run *r);

/* The value of an option in args.ini, "" without it. */
const char *run_option(const struct run *r, const char *name, char value[RUN_TEXT]);

/* The index of the last epoch that was a best one, -1 without epochs. */
int run_best(const struct run *r);

/* The text of DIR/NAME, to be freed; NULL where it cannot be read. */
char *run_file(const struct run *r, const char *name);

#endif
