/*
 * page.h: report.html: one file without anything from elsewhere, of one run or of several side by side.
 */
#ifndef FER_PAGE_H
#define FER_PAGE_H

#include "gallery.h"
#include "runs.h"

/* A run with its pictures. */
struct page_run {
	struct run run;
	struct gallery gallery;
};

/* 0, or -1 where memory is short. */
int page_write(FILE *out, const struct page_run *runs, int n);

/* Writes it to a file, whole or not at all. -1, or the exit code after a message. */
int page_save(const struct cli *c, const char *path, const struct page_run *runs, int n);

/* DIR/report.html of the run in DIR; d, network and images (of d, on the device) for its pictures, or d NULL:
 * none. Without a network there are mistakes, but no maps. -1, or the exit code after a message. */
int page_save_run(const struct cli *c, const char *dir, const struct dataset *d,
		  const struct network *network, cg_array *images);

/* Whether what was judged has FER2013's classes, by name and in order, and was not drawn. */
bool page_is_fer2013(const struct predictions *p, const char *data);
/* The accuracy that the paper claims for a model on FER2013; NaN if none, and for other data. */
double page_claim(const char *model, const struct predictions *p, const char *data);

/* --- for page*.c alone --- */

/* A cell, a head or a paragraph: the tag, text of a format, escaped, and the end tag. */
void page__element(FILE *out, const char *tag, const char *format, ...) CLI_PRINTF(3, 4);
/* A head that begins with - is of a column of texts (class "text"). */
void page__table(FILE *out, const char *caption, const char *const *heads, int n);
void page__table_end(FILE *out);

/* Results of all runs; with several, which of them differ. */
void page__results(FILE *out, const struct page_run *runs, int n);
/* The source paper's numbers beside ours. */
void page__paper(FILE *out, const struct page_run *runs, int n);
/* All measures, and those of each class. */
void page__measures(FILE *out, const struct run *r);
void page__classes(FILE *out, const struct run *r);
/* kfold.csv, where the run is a cross-validation. */
void page__folds(FILE *out, const struct run *r);

#endif
