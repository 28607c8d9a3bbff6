/*
 * data.h: a labelled set of images in memory: FER2013 or other data as CSV (plain or gzip), as pictures in
 * a folder or a zip, or packed; or drawn faces.
 *
 * Rows keep the order of the file; a row number here is the row number of the file counted from 0,
 * header not counted. Nothing here prints or exits: a function that can fail returns a status and
 * fills a `struct data_error` with one line that names file, line and reason.
 */
#ifndef FER_DATA_H
#define FER_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* FER2013's classes. A data set may have others, at most DATA_MOST_CLASSES of them. */
enum { DATA_CLASSES = 7, DATA_MOST_CLASSES = 64, DATA_CLASS_NAME = 60 };
enum data_class { ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL };
extern const char *const data_class_names[DATA_CLASSES];

enum data_split { SPLIT_TRAIN, SPLIT_PUBLIC, SPLIT_PRIVATE, SPLITS, SPLIT_ALL = SPLITS };
extern const char *const data_split_names[SPLITS];	/* Training, PublicTest, PrivateTest */

/* Facts of a row, in dataset.flaw. */
enum data_flaw {
	FLAW_BLANK = 1,		/* all pixels have one value */
	FLAW_REPEAT = 2,	/* same pixels as an earlier row of the file */
	FLAW_TWIN_BEFORE = 4,	/* same pixels as a row of an earlier split: a leak */
	FLAW_TWIN_AFTER = 8,	/* same pixels as a row of a later split */
	FLAW_CONFLICT = 16,	/* same pixels as a row with another label */
	FLAW_NO_LABEL = 32	/* FER+ gives it no label of the seven classes */
};

struct dataset {
	uint8_t *pixels;	/* [n][h][w][channels] */
	int32_t n, h, w, channels;
	int32_t classes;
	const char *const *class_names;	/* [classes]; data_class_names, or own_names */
	char **own_names;	/* [classes] where they are not FER2013's seven, else NULL */
	char **name;		/* [n] files that the rows come from, or NULL */
	uint8_t *label;		/* [n], 0..classes-1 */
	uint8_t *usage;		/* [n], enum data_split */
	uint8_t *flaw;		/* [n], sum of enum data_flaw */
	int32_t *group;		/* [n], first row of the file with the same pixels */
	float *soft;		/* [n][classes] label distribution, or NULL (see data_ferplus) */
	uint64_t hash;		/* of sizes, pixels, labels, usage: another hash is other data */
};

/* Bytes of one image. */
static inline size_t data_image_size(const struct dataset *d)
{
	return (size_t)d->h * (size_t)d->w * (size_t)d->channels;
}

enum data_status {
	DATA_OK,
	DATA_MISSING,		/* cannot be opened or read */
	DATA_MALFORMED,		/* opened, but not what it should be */
	DATA_MEMORY		/* out of memory */
};

struct data_error {
	char text[512];		/* "fer2013.csv:1203: 2303 pixels, expected 2304" */
};

/* What is wanted of a data set, for all of data_load*(). Zero: as it is. */
struct data_options {
	uint64_t seed;		/* of drawn faces */
	const char *classes;	/* names "a,b,c" in order: there are no others; NULL: as found */
	int32_t side;		/* bring images to side x side; equally large smaller ones are left */
	int32_t channels;	/* 1: grey; else as they are */
	double validation;	/* share of Training for PublicTest where that has no rows */
};

/*
 * Load a data set: `source` is a folder, a file (told apart by content), or "synth" or "synth:N" for
 * drawn faces with N training images (see synth.h). On success data_free() is due; on failure *d is
 * empty. `options` may be NULL.
 *
 * CSV, plain or gzip: a header that names columns in any order (blanks around the names are ignored,
 * case too; other columns are skipped): emotion, label or class; pixels; Usage or split, which may be
 * missing: all is Training. Then a row per image: the label, side*side values 0..255 separated by
 * blanks (3*side*side: RGB, interleaved), the split in a word of data_split_parse(). Images are square,
 * the first row says how large. LF or CRLF; fields may be in double quotes. Labels are numbers, 0..6 for
 * FER2013's classes or the places of options->classes; or, if the first one is no number, names.
 *
 * Pictures, in a folder or a zip archive: JPEG or PNG files SPLIT/CLASS/... or CLASS/NAME, below
 * anything; SPLIT is a word of data_split_parse(), without it all is Training. A name that begins with
 * Training_, PublicTest_ or PrivateTest_ tells the split better than its folder. The middle square of
 * each is taken. Pictures of unequal sizes need options->side. Rows are in the order of the names.
 *
 * A CSV that lists pictures: columns path (or file, filename, image), relative to the CSV's folder; label (emotion,
 * class) and split (Usage) as above, and no pixels. Rows keep its order.
 *
 * Packed: an .npz of data_save_packed(), see data_packed.h.
 */
enum data_status data_load(struct dataset *d, const char *source, const struct data_options *options,
			   struct data_error *error);
enum data_status data_load_csv(struct dataset *d, const char *path,
			       const struct data_options *options, struct data_error *error);
enum data_status data_load_pictures(struct dataset *d, const char *path,
				    const struct data_options *options, struct data_error *error);
void data_free(struct dataset *d);

/*
 * Training, train; PublicTest, public, validation, valid, val, dev; PrivateTest, private, test, testing;
 * in any case. `public` and `private` are the challenge's names: what models are chosen on, and what
 * they are judged by at the end.
 */
bool data_split_parse(const char *word, size_t length, uint8_t *split);

/* Brings images to side x side (0: as they are) and, with channels 1, to grey. Flaws, groups and hash stay
 * those of the images as they came. */
enum data_status data_fit(struct dataset *d, int32_t side, int32_t channels);

/*
 * For those who fill a data set themselves: allocate it (zeroed), then, when pixels, label and
 * usage are filled, let data_finish() compute flaw, group and hash.
 */
enum data_status data_alloc(struct dataset *d, int32_t n, int32_t h, int32_t w, int32_t channels);
/* Copies the names; without this call they are FER2013's. data_finish() comes after it. */
enum data_status data_set_classes(struct dataset *d, const char *const *names, int32_t n);
enum data_status data_finish(struct dataset *d);

/*
 * Take labels from FER+ (fer2013new.csv, joined by position): `soft` false sets label to the
 * highest vote (first of a tie in FER2013's order of classes), true fills d->soft with the votes
 * for the seven classes over their sum and sets label as well. Rows whose highest vote is contempt,
 * unknown or not-a-face get FLAW_NO_LABEL and keep their label. The hash changes.
 */
enum data_status data_ferplus(struct dataset *d, const char *path, bool soft,
			      struct data_error *error);

/*
 * What its votes come to, beside the labels of d, which stay: for each split the rows by their highest vote (first
 * of a tie in FER+'s order of columns), those in which several have it, and for each label its rows and those where
 * it has the highest vote, alone or in a tie.
 */
enum { FERPLUS_VOTES = 10 };
extern const char *const data_ferplus_names[FERPLUS_VOTES];	/* neutral .. contempt, unknown, not a face */
struct data_ferplus_counts {
	int32_t highest[SPLITS][FERPLUS_VOTES], ties[SPLITS];
	int32_t rows[SPLITS][DATA_CLASSES], same[SPLITS][DATA_CLASSES];
};
enum data_status data_ferplus_count(struct dataset *d, const char *path, struct data_ferplus_counts *c,
				    struct data_error *error);

/* Which rows of a split to take. */
struct data_filter {
	unsigned without;	/* leave out rows that have any of these enum data_flaw */
	int32_t limit;		/* at most so many, classes in proportion; 0: all */
	uint64_t seed;		/* which ones, under a limit */
};

struct data_rows {
	int32_t *row;		/* row numbers, ascending */
	int32_t n;
};

/*
 * The rows of a split (or SPLIT_ALL) that pass the filter. For training: FLAW_NO_LABEL always,
 * FLAW_BLANK with --exclude-blank, FLAW_TWIN_AFTER with --drop-leaks. For an evaluation without
 * twins: FLAW_TWIN_BEFORE. `filter` may be NULL. DATA_OK or DATA_MEMORY; n may be 0.
 */
enum data_status data_rows(const struct dataset *d, enum data_split split,
			   const struct data_filter *filter, struct data_rows *rows);
void data_rows_free(struct data_rows *rows);

/* A data set of these rows alone. On success data_free(to) is due. */
enum data_status data_select(struct dataset *to, const struct dataset *d, const struct data_rows *rows);

/* Rows per class, and mean and standard deviation of all pixels (0..255), of the rows given. */
void data_class_counts(const struct dataset *d, const struct data_rows *rows,
		       int32_t counts[DATA_MOST_CLASSES]);
void data_mean_std(const struct dataset *d, const struct data_rows *rows, double *mean,
		   double *std);

/*
 * K-fold over groups of identical images: fold[i] in 0..k-1 for the i-th of `rows`. A group goes to
 * one fold; groups are placed largest first, each where its classes are most wanted; groups of the
 * same size in an order drawn from the seed. 2 <= k <= 255.
 */
enum data_status data_folds(const struct dataset *d, const struct data_rows *rows, int k,
			    uint64_t seed, uint8_t *fold);

/*
 * Makes a share (0..1) of the Training rows PublicTest rows: groups of identical images together, the
 * classes in proportion; which ones depends on the data alone. The hash changes.
 */
enum data_status data_hold_out(struct dataset *d, double share);

/* Counts of the flaws, for `fer-data info` and env.json. */
struct data_facts {
	int32_t count[SPLITS][DATA_MOST_CLASSES];
	int32_t n[SPLITS];
	int32_t blank;
	int32_t distinct;		/* different images */
	int32_t repeats;		/* rows that repeat an earlier row: n - distinct */
	int32_t groups;			/* images that occur more than once */
	int32_t conflict_groups;	/* of these, with contradicting labels */
	int32_t twins[SPLITS][SPLITS];	/* rows of split i whose pixels occur in split j < i */
	int32_t without_twins[SPLITS];	/* rows of split i without FLAW_TWIN_BEFORE */
	int32_t repeats_within[SPLITS];	/* rows that repeat an earlier row of their own split */
};
enum data_status data_facts(const struct dataset *d, struct data_facts *facts);

#endif
