/*
 * fer-data: what is in a data set, whether it is well formed, and other forms of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "data.h"
#include "json.h"
#include "rework.h"

static const struct cli_option options[] = {
	{ "ferplus", 0, CLI_TEXT, NULL, "data", "FILE",
		"fer2013new.csv: also compare the labels with those of FER+", 0 },
	{ "class-names", 0, CLI_TEXT, NULL, "data", "A,B,...",
		"names and order of the classes [as found; FER2013's seven]", 0 },
	{ "img-size", 0, CLI_COUNT, NULL, "data", "N",
		"bring larger images to NxN, pictures of unequal sizes in any case", 0 },
	{ "channels", 0, CLI_CHOICE, NULL, "data", "1|3", "1: make colour pictures grey", 0 },
	{ "val-fraction", 0, CLI_FRACTION, "0", "data", "X",
		"share of Training to hold out where the data have no validation rows", 0 },
	{ "seed", 0, CLI_INT, "42", "data", "N", "of the drawn faces, and of the folds", 0 },
	{ "drop-blank", 0, CLI_FLAG, "false", "rows", NULL, "dedup, folds: without images of one value", 0 },
	{ "drop-conflicts", 0, CLI_FLAG, "false", "rows", NULL,
		"dedup: without images that have several labels", 0 },
	{ "kfold", 0, CLI_COUNT, "5", "rows", "K", "folds: how many", 0 },
	{ "out", 'o', CLI_TEXT, NULL, "output", "FILE",
		"convert, dedup: the data set, packed (.npz), or its rows (.csv); folds: instead of stdout",
		CLI_TRANSIENT },
	{ "json", 0, CLI_FLAG, "false", "output", NULL, "one JSON object on stdout",
		CLI_TRANSIENT },
	CLI_COMMON_OPTIONS, { .name = NULL }
};

static const char *const examples[] = { "fer-data info fer2013.csv.gz",
	"fer-data check photos/ fer2013.csv.gz", "fer-data convert fer2013.csv.gz -o fer2013.npz",
	"fer-data dedup fer2013.npz -o clean.npz >dropped.csv", NULL };

static void print_version(FILE *out)
{
	fprintf(out, "fer-data (clgrad) %s\n", PACKAGE_VERSION);
}

static const struct cli_program program = {
	.name = "fer-data",
	.synopsis = "info|check FILE... | convert|dedup|folds FILE [-o OUT]",
	.summary = "Describe data sets (info), or say for each whether it is well formed (check); pack one "
		   "(convert), without duplicates (dedup), or divide it (folds). FILE is a .csv or .csv.gz of pixels or paths, "
		   "a folder of pictures SPLIT/CLASS/*.jpg|png or a zip of it, a packed .npz, or synth or "
		   "synth:N.",
	.options = options,
	.examples = examples,
	.version = print_version,
};

/* What is known of one file. */
struct file {
	const char *name;
	struct dataset data;
	struct data_facts facts;
	uint64_t hash;
	bool has_ferplus;
	struct data_ferplus_counts votes;
};

/* --- reading --- */

static enum data_status read_file(const struct cli *c, struct file *f, struct data_error *error)
{
	const char *ferplus = cli_text(c, "ferplus");
	const struct data_options wanted = {
		.seed = (uint64_t)cli_int(c, "seed"),
		.classes = cli_text(c, "class-names"),
		.side = (int32_t)cli_int(c, "img-size"),
		.channels = cli_is(c, "channels", "1") ? 1 : 0,
		.validation = cli_real(c, "val-fraction"),
	};
	enum data_status status = data_load(&f->data, f->name, &wanted, error);

	if (status != DATA_OK)
		return status;
	f->hash = f->data.hash;
	status = data_facts(&f->data, &f->facts);
	if (status != DATA_OK)
		snprintf(error->text, sizeof(error->text), "%s: out of memory", f->name);
	else if (ferplus)
		status = data_ferplus_count(&f->data, ferplus, &f->votes, error);
	f->has_ferplus = ferplus && status == DATA_OK;
	return status;
}

/* --- as JSON --- */

static void json_counts(struct json *j, const struct dataset *d, const struct data_facts *f)
{
	json_row(j, "classes");
	for (int c = 0; c < d->classes; c++)
		json_text(j, NULL, d->class_names[c]);
	json_end(j);
	json_object(j, "splits");
	for (int s = 0; s < SPLITS; s++) {
		json_object(j, data_split_names[s]);
		json_int(j, "images", f->n[s]);
		for (int c = 0; c < d->classes; c++)
			json_int(j, d->class_names[c], f->count[s][c]);
		json_int(j, "repeats_within", f->repeats_within[s]);
		for (int t = 0; t < s; t++) {
			char key[40];

			snprintf(key, sizeof(key), "twins_of_%s", data_split_names[t]);
			json_int(j, key, f->twins[s][t]);
		}
		json_int(j, "without_twins", f->without_twins[s]);
		json_end(j);
	}
	json_end(j);
}

static void json_ferplus(struct json *j, const struct file *f)
{
	json_object(j, "ferplus_same_label");
	for (int s = 0; s < SPLITS; s++) {
		json_object(j, data_split_names[s]);
		for (int c = 0; c < DATA_CLASSES; c++)
			json_int(j, data_class_names[c], f->votes.same[s][c]);
		json_end(j);
	}
	json_end(j);
	json_object(j, "ferplus_highest_vote");
	for (int s = 0; s < SPLITS; s++) {
		json_object(j, data_split_names[s]);
		for (int v = 0; v < FERPLUS_VOTES; v++)
			json_int(j, data_ferplus_names[v], f->votes.highest[s][v]);
		json_int(j, "ties", f->votes.ties[s]);
		json_end(j);
	}
	json_end(j);
}

static void json_file(struct json *j, const struct file *f, bool describe, const char *error)
{
	char hash[20];

	json_object(j, NULL);
	json_text(j, "file", f->name);
	json_bool(j, "ok", !error);
	if (error) {
		json_text(j, "error", error);
	} else {
		snprintf(hash, sizeof(hash), "%016" PRIx64, f->hash);
		json_int(j, "images", f->data.n);
		json_int(j, "height", f->data.h);
		json_int(j, "width", f->data.w);
		json_int(j, "channels", f->data.channels);
		json_text(j, "hash", hash);
	}
	if (!error && describe) {
		json_counts(j, &f->data, &f->facts);
		json_int(j, "blank", f->facts.blank);
		json_int(j, "distinct", f->facts.distinct);
		json_int(j, "repeats", f->facts.repeats);
		json_int(j, "repeated_images", f->facts.groups);
		json_int(j, "contradicting", f->facts.conflict_groups);
	}
	if (!error && f->has_ferplus)
		json_ferplus(j, f);
	json_end(j);
}

/* --- as text --- */

/* Bytes of UTF-8 that begin a character: columns on a screen, nearly. */
static int columns(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_counts(const char *name, int width, const struct data_facts *f, int c)
{
	int32_t sum = 0;

	printf("%s%*s", name, width - columns(name), "");
	for (int s = 0; s < SPLITS; s++) {
		int32_t count = c < 0 ? f->n[s] : f->count[s][c];

		printf(" %11" PRId32, count);
		sum += count;
	}
	printf(" %9" PRId32 "\n", sum);
}

/* A row for each class, so that any names fit. */
static void print_classes(const struct dataset *d, const struct data_facts *f)
{
	int width = 12;

	for (int c = 0; c < d->classes; c++)
		if (columns(d->class_names[c]) > width)
			width = columns(d->class_names[c]);
	printf("%-*s", width, "");
	for (int s = 0; s < SPLITS; s++)
		printf(" %11s", data_split_names[s]);
	printf(" %9s\n", "all");
	for (int c = 0; c < d->classes; c++)
		print_counts(d->class_names[c], width, f, c);
	print_counts("all", width, f, -1);
}

static void print_flaws(const struct data_facts *f)
{
	printf("blank          %" PRId32 " images of one value\n", f->blank);
	printf("duplicates     %" PRId32 " rows repeat another: %" PRId32
	       " distinct images, %" PRId32 " of them repeated, %" PRId32
	       " with contradicting labels\n",
		f->repeats, f->distinct, f->groups, f->conflict_groups);
	for (int s = 0; s < SPLITS; s++)
		printf("within         %s: %" PRId32 " rows repeat another of it\n",
			data_split_names[s], f->repeats_within[s]);
	for (int s = 1; s < SPLITS; s++)
		for (int t = 0; t < s; t++)
			printf("across         %s: %" PRId32 " rows have the pixels of a %s row\n",
				data_split_names[s], f->twins[s][t], data_split_names[t]);
	for (int s = 1; s < SPLITS; s++)
		printf("without twins  %s: %" PRId32 " rows\n", data_split_names[s],
			f->without_twins[s]);
}

static double share_of(int32_t same, int32_t rows)
{
	return rows ? 100. * same / rows : 0;
}

/* c < 0: all classes together. */
static void print_agreement(const struct file *f, int c)
{
	int32_t all = 0, all_same = 0;

	printf("%-12s", c < 0 ? "all" : data_class_names[c]);
	for (int s = 0; s < SPLITS; s++) {
		int32_t rows = 0, same = 0;

		for (int i = 0; i < DATA_CLASSES; i++) {
			rows += c < 0 || c == i ? f->votes.rows[s][i] : 0;
			same += c < 0 || c == i ? f->votes.same[s][i] : 0;
		}
		printf(" %11.1f", share_of(same, rows));
		all += rows;
		all_same += same;
	}
	printf(" %9.1f\n", share_of(all_same, all));
}

/* v = FERPLUS_VOTES: ties. */
static void print_votes(const struct data_ferplus_counts *c, int v)
{
	int32_t sum = 0;

	printf("%-12s", v < FERPLUS_VOTES ? data_ferplus_names[v] : "ties");
	for (int s = 0; s < SPLITS; s++) {
		int32_t count = v < FERPLUS_VOTES ? c->highest[s][v] : c->ties[s];

		printf(" %11" PRId32, count);
		sum += count;
	}
	printf(" %9" PRId32 "\n", sum);
}

static void print_ferplus(const struct file *f)
{
	printf("\nhighest vote of FER+, the first of a tie\n");
	for (int v = 0; v <= FERPLUS_VOTES; v++)
		print_votes(&f->votes, v);
	printf("\nlabels that have the highest vote, alone or in a tie, %% of their rows\n");
	for (int c = 0; c < DATA_CLASSES; c++)
		print_agreement(f, c);
	print_agreement(f, -1);
}

static void print_file(const struct file *f, bool describe)
{
	const struct dataset *d = &f->data;

	if (!describe) {
		printf("%s: ok, %" PRId32 " images of %" PRId32 "x%" PRId32 "%s\n", f->name, d->n,
			d->h, d->w, d->channels == 3 ? " RGB" : "");
		return;
	}
	printf("%s: %" PRId32 " images of %" PRId32 "x%" PRId32 "%s, hash %016" PRIx64 "\n\n",
		f->name, d->n, d->h, d->w, d->channels == 3 ? " RGB" : "", f->hash);
	print_classes(d, &f->facts);
	putchar('\n');
	print_flaws(&f->facts);
	if (f->has_ferplus)
		print_ferplus(f);
}

/* --- the whole --- */

/* CLI_OK, or the exit code after a message. `json` may be NULL. */
static int one_file(const struct cli *c, const char *name, bool describe, struct json *json)
{
	struct file f = { .name = name };
	struct data_error error;
	enum data_status status = read_file(c, &f, &error);

	if (json)
		json_file(json, &f, describe, status == DATA_OK ? NULL : error.text);
	else if (status == DATA_OK)
		print_file(&f, describe);
	data_free(&f.data);
	if (status == DATA_OK)
		return CLI_OK;
	return cli_fail(c, status == DATA_MEMORY ? CLI_RUNTIME : CLI_DATA, "%s", error.text);
}

static int all_files(const struct cli *c, bool describe)
{
	struct json json, *j = cli_flag(c, "json") ? &json : NULL;
	int failed = 0, status = CLI_OK;

	if (j) {
		json_open(j, stdout);
		json_object(j, NULL);
		json_array(j, "files");
	}
	for (int i = 1; i < c->n_args; i++) {
		int code = one_file(c, c->args[i], describe, j);

		failed += code != CLI_OK;
		status = code != CLI_OK ? code : status;
		if (!j && describe && i + 1 < c->n_args)
			putchar('\n');
	}
	if (j) {
		json_end(j);
		json_end(j);
		json_close(j);
	}
	if (fflush(stdout) || ferror(stdout))
		return cli_fail(c, CLI_RUNTIME, "standard output: %s", strerror(errno));
	return failed && failed < c->n_args - 1 ? CLI_SOME_FAILED : status;
}

/* --- other forms --- */

static int rework(const struct cli *c, int (*verb)(const struct cli *c, struct dataset *d))
{
	struct file f = { .name = c->args[1] };
	struct data_error error;
	enum data_status status;
	int code;

	if (c->n_args > 2)
		return cli_fail(c, CLI_USAGE, "%s: one file, %d given", c->args[0], c->n_args - 1);
	status = read_file(c, &f, &error);
	if (status == DATA_OK)
		code = verb(c, &f.data);
	else
		code = cli_fail(c, status == DATA_MEMORY ? CLI_RUNTIME : CLI_DATA, "%s", error.text);
	data_free(&f.data);
	return code;
}

static int run(const struct cli *c)
{
	static const struct {
		const char *name;
		int (*make)(const struct cli *c, struct dataset *d);
	} verbs[] = { { "convert", rework_convert }, { "dedup", rework_dedup },
		{ "folds", rework_folds } };
	const char *verb = c->n_args ? c->args[0] : "";
	bool describe = !strcmp(verb, "info");

	for (int i = 0; i < 3; i++)
		if (!strcmp(verb, verbs[i].name) && c->n_args > 1)
			return rework(c, verbs[i].make);
		else if (!strcmp(verb, verbs[i].name))
			return cli_fail(c, CLI_USAGE, "%s: no file given", verb);
	if (!describe && strcmp(verb, "check"))
		return cli_fail(c, CLI_USAGE,
			"\"%s\" given, expected info, check, convert, dedup or folds", verb);
	if (c->n_args < 2)
		return cli_fail(c, CLI_USAGE, "%s: no file given", verb);
	return all_files(c, describe);
}

int main(int argc, char **argv)
{
	struct cli c;
	int status = cli_parse(&c, &program, argc, argv);

	if (status < 0)
		status = run(&c);
	cli_free(&c);
	return status;
}
