/*
 * rundir.h: the folder of a run: args.ini env.json train.log summary.csv last.safetensors
 * best.safetensors epoch-NNN.safetensors metrics.json confusion.csv predictions.csv; classes.svg
 * confusion.svg curves.svg reliability.svg roc.svg report.html; of a cross-validation: kfold.csv beside
 * args.ini env.json train.log metrics.json confusion.csv predictions.csv and their figures, the rest in
 * fold1 fold2 ...
 */
#ifndef FER_RUNDIR_H
#define FER_RUNDIR_H

#include <stdbool.h>
#include <stdio.h>

#include "cli.h"
#include "clgrad.h"
#include "data.h"

enum { RUNDIR_PATH = 1024 };

/* "dir/name" in `path`; returns it. */
const char *rundir_path(char path[RUNDIR_PATH], const char *dir, const char *name);

/* "dir/fold2" in `path`; returns it. */
const char *rundir_fold(char path[RUNDIR_PATH], const char *dir, int fold);

/* "runs/<model>-<YYYYmmdd-HHMMSS>" */
void rundir_name(char path[RUNDIR_PATH], const char *model);

/* The folder below runs/ whose last.safetensors is newest; false if there is none. */
bool rundir_newest(char path[RUNDIR_PATH]);

/* Says CLI_USAGE where the folder holds something and `overwrite` is false; else -1. */
int rundir_check(const struct cli *c, const char *dir, bool overwrite);

/* Makes the folder and its parents where they are missing. -1, or the exit code. */
int rundir_folder(const struct cli *c, const char *dir);

/* Makes the folder of a run; `overwrite` removes the files of an earlier run, those of the names
 * above and what a write that was cut off left of them, and no others. -1, or the exit code after
 * a message. */
int rundir_make(const struct cli *c, const char *dir, bool overwrite);

/* Opens train.log as c->log, to append. Close it with fclose(). -1, or the exit code. */
int rundir_log(struct cli *c, const char *dir);

/* Writes args.ini and env.json: what was asked for and what it runs on. -1, or the exit code. */
int rundir_describe(const struct cli *c, const char *dir, const cg_ctx *ctx,
		    const struct dataset *d);

#endif
