#include "rework.h"

#include <stdlib.h>
#include <string.h>

#include "csv.h"

enum { NOTHING = -1 };

void rework_kept_free(struct rework_kept *kept)
{
	data_rows_free(&kept->rows);
	free(kept->instead);
	*kept = (struct rework_kept){ 0 };
}

/* best[group]: the row that is kept of it. */
static void choose(const struct dataset *d, const struct rework_choice *how, int32_t *best)
{
	const unsigned without = (how->drop_conflicts ? FLAW_CONFLICT : 0) |
				 (how->drop_blank ? FLAW_BLANK : 0);

	for (int32_t i = 0; i < d->n; i++)
		best[i] = NOTHING;
	for (int32_t i = 0; i < d->n; i++) {
		int32_t *b = &best[d->group[i]];

		if (!(d->flaw[i] & without) && (*b == NOTHING || d->usage[i] > d->usage[*b]))
			*b = i;
	}
}

enum data_status rework_choose(const struct dataset *d, const struct rework_choice *how,
			      struct rework_kept *kept)
{
	size_t n = (size_t)d->n + 1;
	int32_t *best = malloc(n * sizeof(*best));

	*kept = (struct rework_kept){ 0 };
	kept->instead = malloc(n * sizeof(*kept->instead));
	kept->rows.row = malloc(n * sizeof(*kept->rows.row));
	if (!best || !kept->instead || !kept->rows.row) {
		free(best);
		rework_kept_free(kept);
		return DATA_MEMORY;
	}
	choose(d, how, best);
	for (int32_t i = 0; i < d->n; i++) {
		kept->instead[i] = best[d->group[i]];
		if (kept->instead[i] == i)
			kept->rows.row[kept->rows.n++] = i;
		else
			kept->dropped[d->usage[i]]++;
	}
	free(best);
	return DATA_OK;
}

/* --- CSV --- */

static void print_row(FILE *out, const struct dataset *d, int32_t row)
{
	fprintf(out, "%d,%s,%s", (int)row, data_split_names[d->usage[row]], d->class_names[d->label[row]]);
	if (d->name) {
		fputc(',', out);
		csv_field(out, d->name[row]);
	}
}

void rework_print_dropped(FILE *out, const struct dataset *d, const struct rework_kept *kept)
{
	fprintf(out, "row,split,label%s,why,kept\n", d->name ? ",file" : "");
	for (int32_t i = 0; i < d->n; i++) {
		if (kept->instead[i] == i)
			continue;
		print_row(out, d, i);
		if (kept->instead[i] != NOTHING)
			fprintf(out, ",repeats,%d\n", (int)kept->instead[i]);
		else
			fprintf(out, ",%s,\n", d->flaw[i] & FLAW_BLANK ? "blank" : "contradicting");
	}
}

void rework_print_rows(FILE *out, const struct dataset *d, const struct data_rows *rows,
		       const uint8_t *fold)
{
	fprintf(out, "row,split,label%s%s\n", d->name ? ",file" : "", fold ? ",fold" : "");
	for (int32_t i = 0; i < rows->n; i++) {
		print_row(out, d, rows->row[i]);
		if (fold)
			fprintf(out, ",%d", fold[i] + 1);
		fputc('\n', out);
	}
}
