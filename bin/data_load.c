/*
 * data_load.c: where data come from: a file or drawn faces.
 */
#include "data.h"

#include <stdio.h>
#include <string.h>

#include "synth.h"

enum data_status data_load(
	struct dataset *d, const char *source, uint64_t seed, struct data_error *error)
{
	struct synth_counts counts;
	enum data_status status;

	if (!strncmp(source, "synth", 5) && (!source[5] || source[5] == ':')) {
		if (!synth_parse(source, &counts)) {
			snprintf(error->text, sizeof(error->text),
				"%s: expected synth or synth:N with N in 7..%d", source,
				SYNTH_MOST);
			return DATA_MISSING;
		}
		status = synth_make(d, &counts, seed);
		if (status != DATA_OK)
			snprintf(error->text, sizeof(error->text), "%s: out of memory", source);
		return status;
	}
	return data_load_csv(d, source, error);
}
