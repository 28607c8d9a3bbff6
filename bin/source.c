#include "source.h"

#include <string.h>

#include "network.h"

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
	return source_load_as(c, d, &(struct source_shape){ 0 });
}

int source_load_as(const struct cli *c, struct dataset *d, const struct source_shape *shape)
{
	struct data_options options = {
		.seed = (uint64_t)cli_int(c, "seed"),
		.classes = cli_text(c, "class-names") ? cli_text(c, "class-names") : shape->classes,
		.side = shape->side,
		.channels = shape->channels,
		.validation = cli_real(c, "val-fraction"),
	};
	const char *source = cli_text(c, "data");
	struct data_error error;
	enum data_status status;
	int code;

	if (!source || !*source)
		return cli_fail(c, CLI_USAGE, "--data is missing: a FER2013 csv, a folder of pictures, or synth");
	status = data_load(d, source, &options, &error);
	if (status != DATA_OK)
		return fail(c, status, &error);
	code = read_ferplus(c, d);
	if (code >= 0)
		data_free(d);
	return code;
}

int source_load_for(const struct cli *c, struct dataset *d, cg_ctx *ctx, const char *checkpoint)
{
	struct network_origin origin;
	struct source_shape shape;
	int status = network_origin(c, ctx, checkpoint, &origin);

	if (status >= 0)
		return status;
	shape = (struct source_shape){ origin.side, origin.channels, origin.classes };
	status = source_load_as(c, d, &shape);
	if (status < 0 && !origin.enlarges && data_fit(d, origin.side, 0) != DATA_OK)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	return status;
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
