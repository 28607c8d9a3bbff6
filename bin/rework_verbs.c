/*
 * rework_verbs.c: fer-data's convert, dedup and folds.
 */
#include "rework.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data_packed.h"

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && !strcmp(text + n - m, end);
}

static int save(const struct cli *c, const struct dataset *d)
{
	struct data_error error;

	if (data_save_packed(d, cli_text(c, "out"), &error) != DATA_OK)
		return cli_fail(c, CLI_RUNTIME, "%s", error.text);
	cli_note(c, "%s: %d images of %dx%d%s, hash %016" PRIx64, cli_text(c, "out"), (int)d->n, (int)d->h,
		(int)d->w, d->channels == 3 ? " RGB" : "", d->hash);
	return CLI_OK;
}

/* A list of rows: to --out, or to stdout. */
static int print_rows(const struct cli *c, const struct dataset *d, const struct data_rows *rows,
	const uint8_t *fold)
{
	const char *path = cli_text(c, "out");
	FILE *out = path ? fopen(path, "w") : stdout;
	int failed;

	if (!out)
		return cli_fail(c, CLI_RUNTIME, "%s: %s", path, strerror(errno));
	rework_print_rows(out, d, rows, fold);
	failed = fflush(out) || ferror(out);
	failed = (path && fclose(out)) || failed;
	return failed ? cli_fail(c, CLI_RUNTIME, "%s: %s", path ? path : "standard output",
				strerror(errno)) :
			CLI_OK;
}

int rework_convert(const struct cli *c, struct dataset *d)
{
	if (!cli_text(c, "out") || !ends_in(cli_text(c, "out"), ".npz"))
		return cli_fail(c, CLI_USAGE, "convert: --out FILE.npz is needed");
	return save(c, d);
}

static int save_kept(const struct cli *c, const struct dataset *d, const struct data_rows *rows)
{
	struct dataset kept;
	int status;

	if (ends_in(cli_text(c, "out"), ".csv"))
		return print_rows(c, d, rows, NULL);
	if (data_select(&kept, d, rows) != DATA_OK)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	status = save(c, &kept);
	data_free(&kept);
	return status;
}

int rework_dedup(const struct cli *c, struct dataset *d)
{
	const struct rework_choice how = { cli_flag(c, "drop-conflicts"), cli_flag(c, "drop-blank") };
	const char *out = cli_text(c, "out");
	struct rework_kept kept;
	int status = CLI_OK;

	if (out && !ends_in(out, ".npz") && !ends_in(out, ".csv"))
		return cli_fail(c, CLI_USAGE, "dedup: --out is FILE.npz or FILE.csv");
	if (rework_choose(d, &how, &kept) != DATA_OK)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	rework_print_dropped(stdout, d, &kept);
	if (out)
		status = save_kept(c, d, &kept.rows);
	if (fflush(stdout) || ferror(stdout))
		status = cli_fail(c, CLI_RUNTIME, "standard output: %s", strerror(errno));
	cli_note(c, "%d of %d rows are left; dropped: Training %d, PublicTest %d, PrivateTest %d",
		(int)kept.rows.n, (int)d->n, (int)kept.dropped[0], (int)kept.dropped[1],
		(int)kept.dropped[2]);
	rework_kept_free(&kept);
	return status;
}

int rework_folds(const struct cli *c, struct dataset *d)
{
	struct data_filter filter = { .without = cli_flag(c, "drop-blank") ? FLAW_BLANK : 0 };
	int64_t k = cli_int(c, "kfold");
	struct data_rows rows;
	uint8_t *fold;
	int status;

	if (k < 2 || k > 255)
		return cli_fail(c, CLI_USAGE, "--kfold: \"%s\" given, expected 2..255",
			cli_text(c, "kfold"));
	if (data_rows(d, SPLIT_TRAIN, &filter, &rows) != DATA_OK)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	fold = calloc((size_t)rows.n + 1, 1);
	if (!fold || data_folds(d, &rows, (int)k, (uint64_t)cli_int(c, "seed"), fold) != DATA_OK)
		status = cli_fail(c, CLI_RUNTIME, "out of memory");
	else
		status = print_rows(c, d, &rows, fold);
	free(fold);
	data_rows_free(&rows);
	return status;
}
