/*
 * data_load.c: where data come from: a file, a folder, or drawn faces.
 */
#include "data.h"

#include <stdio.h>
#include <string.h>

#include "data_list.h"
#include "data_packed.h"
#include "files.h"
#include "synth.h"
#include "zip.h"

static enum data_status out_of_memory(const char *source, struct data_error *error)
{
	snprintf(error->text, sizeof(error->text), "%s: out of memory", source);
	return DATA_MEMORY;
}

static enum data_status load_synth(
	struct dataset *d, const char *source, uint64_t seed, struct data_error *error)
{
	struct synth_counts counts;

	if (!synth_parse(source, &counts)) {
		snprintf(error->text, sizeof(error->text),
			"%s: expected synth or synth:N with N in 7..%d", source, SYNTH_MOST);
		return DATA_MISSING;
	}
	return synth_make(d, &counts, seed) == DATA_OK ? DATA_OK : out_of_memory(source, error);
}

static bool has_split(const struct dataset *d, enum data_split split)
{
	for (int32_t i = 0; i < d->n; i++)
		if (d->usage[i] == split)
			return true;
	return false;
}

/* What is wanted of all data, wherever they come from. */
static enum data_status settle(struct dataset *d, const struct data_options *o)
{
	enum data_status status = DATA_OK;

	if (o->validation > 0 && !has_split(d, SPLIT_PUBLIC) && has_split(d, SPLIT_TRAIN))
		status = data_hold_out(d, o->validation);
	if (status == DATA_OK)
		status = data_fit(d, o->side && d->h > o->side ? o->side : 0, o->channels);
	return status;
}

enum data_status data_load(struct dataset *d, const char *source, const struct data_options *options,
	struct data_error *error)
{
	static const struct data_options none;
	const struct data_options *o = options ? options : &none;
	enum data_status status;

	if (!strncmp(source, "synth", 5) && (!source[5] || source[5] == ':'))
		status = load_synth(d, source, o->seed, error);
	else if (data_is_packed(source))
		status = data_load_packed(d, source, o, error);
	else if (files_is_folder(source) || zip_is(source) || data_is_list(source))
		status = data_load_pictures(d, source, o, error);
	else
		status = data_load_csv(d, source, o, error);
	if (status != DATA_OK)
		return status;
	if (settle(d, o) == DATA_OK)
		return DATA_OK;
	data_free(d);
	return out_of_memory(source, error);
}
