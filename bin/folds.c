#include "folds.h"

#include <stdlib.h>
#include <string.h>

#include "source.h"

static int out_of_memory(const struct cli *c)
{
	return cli_fail(c, CLI_RUNTIME, "out of memory");
}

static int read_which(struct folds *f, const struct cli *c)
{
	const char *text = cli_text(c, "fold");
	char *end;
	long which = strtol(text, &end, 10);

	f->k = (int)cli_int(c, "kfold");
	if (f->k < 2 || f->k > 255)
		return cli_fail(c, CLI_USAGE, "--kfold: \"%s\" given, expected 2..255",
				cli_text(c, "kfold"));
	f->first = 1;
	f->last = f->k;
	if (!strcmp(text, "all"))
		return -1;
	if (*end || which < 1 || which > f->k)
		return cli_fail(c, CLI_USAGE, "--fold: \"%s\" given, expected all or 1..%d", text, f->k);
	f->first = f->last = (int)which;
	return -1;
}

/* Folds as data_folds() makes them; each image is a group of its own unless `grouped`. */
static int divide(struct folds *f, const struct cli *c, const struct dataset *d, bool grouped)
{
	struct dataset apart = *d;
	uint64_t seed = (uint64_t)cli_int(c, "seed");
	enum data_status status = DATA_MEMORY;

	f->fold = calloc((size_t)f->all.n + 1, 1);
	apart.group = calloc((size_t)d->n + 1, sizeof(*apart.group));
	for (int32_t i = 0; apart.group && i < d->n; i++)
		apart.group[i] = grouped ? d->group[i] : i;
	if (f->fold && apart.group)
		status = data_folds(&apart, &f->all, f->k, seed, f->fold);
	free(apart.group);
	return status == DATA_OK ? -1 : out_of_memory(c);
}

int folds_open(struct folds *f, const struct cli *c, const struct dataset *d,
	       const struct data_filter *filter)
{
	struct data_filter labelled = { .without = FLAW_NO_LABEL };
	int status;

	*f = (struct folds){ .drop_leaks = cli_flag(c, "drop-leaks") };
	status = read_which(f, c);
	if (status < 0)
		status = source_rows(c, d, SPLIT_TRAIN, filter, &f->all);
	if (status < 0 && data_rows(d, SPLIT_PUBLIC, &labelled, &f->choice) != DATA_OK)
		status = out_of_memory(c);
	if (status < 0 && f->all.n < f->k)
		status = cli_fail(c, CLI_DATA, "%s: %d rows for %d folds", cli_text(c, "data"),
				  (int)f->all.n, f->k);
	if (status < 0 && !f->choice.n && f->k < 3)
		status = cli_fail(c, CLI_USAGE, "--kfold 2: the data have no PublicTest rows, one more "
				  "fold is needed to choose by");
	return status < 0 ? divide(f, c, d, cli_flag(c, "group-duplicates")) : status;
}

void folds_close(struct folds *f)
{
	data_rows_free(&f->all);
	data_rows_free(&f->choice);
	free(f->fold);
	*f = (struct folds){ 0 };
}

static void add(struct data_rows *rows, int32_t row)
{
	rows->row[rows->n++] = row;
}

static bool allocate(struct data_rows *rows, int32_t n)
{
	rows->n = 0;
	rows->row = malloc(((size_t)n + 1) * sizeof(*rows->row));
	return rows->row != NULL;
}

/* The three sets; rows of the fold that chooses, if there is one, are in `choice`. */
static void deal(const struct folds *f, int fold, struct data_rows *train, struct data_rows *choice,
		 struct data_rows *held)
{
	int held_out = fold - 1, chooses = f->choice.n ? -1 : fold % f->k;

	for (int32_t i = 0; i < f->choice.n; i++)
		add(choice, f->choice.row[i]);
	for (int32_t i = 0; i < f->all.n; i++)
		add(f->fold[i] == held_out ? held : f->fold[i] == chooses ? choice : train,
		    f->all.row[i]);
}

/* Leaves out training rows that have the image of a row held out; group [d->n] is zeroed. */
static void drop_leaks(const struct dataset *d, struct data_rows *train,
		       const struct data_rows *held, uint8_t *group)
{
	int32_t n = 0;

	for (int32_t i = 0; i < held->n; i++)
		group[d->group[held->row[i]]] = 1;
	for (int32_t i = 0; i < train->n; i++)
		if (!group[d->group[train->row[i]]])
			train->row[n++] = train->row[i];
	train->n = n;
}

int folds_rows(const struct folds *f, const struct cli *c, const struct dataset *d, int fold,
	       struct data_rows *train, struct data_rows *choice, struct data_rows *held)
{
	uint8_t *group = calloc((size_t)d->n + 1, 1);
	bool good = allocate(train, f->all.n);

	good = allocate(choice, f->all.n + f->choice.n) && good;
	good = allocate(held, f->all.n) && good && group;
	if (good) {
		deal(f, fold, train, choice, held);
		if (f->drop_leaks)
			drop_leaks(d, train, held, group);
	}
	free(group);
	if (!good)
		return out_of_memory(c);
	if (train->n && choice->n && held->n)
		return -1;
	return cli_fail(c, CLI_DATA, "%s: too few rows for %d folds", cli_text(c, "data"), f->k);
}

int folds_mark(const struct cli *c, struct dataset *d, const struct data_rows *train,
	       const struct data_rows *held)
{
	bool *trained = calloc((size_t)d->n + 1, sizeof(*trained));

	if (!trained)
		return out_of_memory(c);
	for (int32_t i = 0; i < train->n; i++)
		trained[d->group[train->row[i]]] = true;
	for (int32_t i = 0; i < held->n; i++) {
		uint8_t *flaw = &d->flaw[held->row[i]];

		*flaw = (uint8_t)(*flaw & ~FLAW_TWIN_BEFORE);
		if (trained[d->group[held->row[i]]])
			*flaw |= FLAW_TWIN_BEFORE;
	}
	free(trained);
	return -1;
}
