#include "source.h"

#include <string.h>

static int fail(const struct cli *c, enum data_status status, const struct data_error *error)
{
	return cli_fail(c, status == DATA_MEMORY ? CLI_RUNTIME : CLI_DATA, "%s", error->text);
}

static int read_ferplus(const struct cli *c, struct dataset *d)
{
	const char *path = cli_text(c, "ferplus");
	struct data_error error;
	enum data_status status;

	if (cli_is(c, "labels", "fer"))
		return -1;
	if (!path)
		return cli_fail(c, CLI_USAGE, "--labels %s needs --ferplus fer2013new.csv",
				cli_text(c, "labels"));
	status = data_ferplus(d, path, cli_is(c, "labels", "ferplus-soft"), &error);
	return status == DATA_OK ? -1 : fail(c, status, &error);
}

int source_load(const struct cli *c, struct dataset *d)
{
	const char *source = cli_text(c, "data");
	struct data_error error;
	enum data_status status;
	int code;

	if (!source || !*source)
		return cli_fail(c, CLI_USAGE, "--data is missing: a FER2013 csv, or synth");
	status = data_load(d, source, (uint64_t)cli_int(c, "seed"), &error);
	if (status != DATA_OK)
		return fail(c, status, &error);
	code = read_ferplus(c, d);
	if (code >= 0)
		data_free(d);
	return code;
}

int source_rows(const struct cli *c, const struct dataset *d, enum data_split split,
		const struct data_filter *filter, struct data_rows *rows)
{
	if (data_rows(d, split, filter, rows) != DATA_OK)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	if (rows->n)
		return -1;
	data_rows_free(rows);
	return cli_fail(c, CLI_DATA, "%s: no %s rows", cli_text(c, "data"),
			split == SPLIT_ALL ? "usable" : data_split_names[split]);
}
