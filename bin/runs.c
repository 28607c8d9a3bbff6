#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RESAMPLES = 1000, SEED = 42, LARGEST = 1 << 24 };

/* --- texts --- */

char *run_file(const struct run *r, const char *name)
{
	char path[RUNDIR_PATH], *text = NULL;
	FILE *file = fopen(rundir_path(path, r->dir, name), "r");
	size_t n = 0, room = 0;

	if (!file)
		return NULL;
	do {
		char *more = realloc(text, (room += 1 << 16) + 1);

		if (!more)
			break;
		text = more;
		n += fread(text + n, 1, room - n, file);
	} while (n == room && room < LARGEST);
	if (text)
		text[n] = 0;
	fclose(file);
	return text;
}

const char *run_option(const struct run *r, const char *name, char value[RUN_TEXT])
{
	size_t n = strlen(name);

	value[0] = 0;
	for (const char *line = r->options; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, n) && !strncmp(line + n, " = ", 3)) {
			snprintf(value, RUN_TEXT, "%.*s", (int)strcspn(line + n + 3, "\n"),
				line + n + 3);
			break;
		}
	}
	return value;
}

static void look_up(const struct run *r, const char *file, const char *object, const char *key,
	char *value, size_t size)
{
	char path[RUNDIR_PATH];

	if (!json_lookup(rundir_path(path, r->dir, file), object, key, value, size) ||
		!strcmp(value, "null"))
		value[0] = 0;
}

static double number(const char *text)
{
	char *end;
	double x = strtod(text, &end);

	return end == text ? NAN : x;
}

static void read_facts(struct run *r)
{
	char value[RUN_TEXT], path[RUNDIR_PATH];

#define METRICS(key, to) look_up(r, "metrics.json", NULL, key, to, sizeof(to))
#define DEVICE(key, to) look_up(r, "env.json", "device", key, to, sizeof(to))
	METRICS("model", r->model);
	METRICS("data", r->data);
	METRICS("data_hash", r->data_hash);
	METRICS("split", r->split);
	METRICS("tta", r->tta);
	METRICS("checkpoint", r->checkpoint);
	METRICS("temperature", value);
	r->temperature = number(value);
	METRICS("seconds", value);
	r->seconds = number(value);
	DEVICE("name", r->device);
	DEVICE("platform", r->platform);
	DEVICE("driver", r->driver);
	DEVICE("kernels", r->family);
	look_up(r, "env.json", NULL, "clgrad", r->version, sizeof(r->version));
#undef METRICS
#undef DEVICE
	if (!access(rundir_path(path, r->dir, "best.safetensors"), R_OK))
		snprintf(r->checkpoint, sizeof(r->checkpoint), "%s", path);
	else if (strlen(r->checkpoint) < 12 || access(r->checkpoint, R_OK) ||
		strcmp(r->checkpoint + strlen(r->checkpoint) - 12, ".safetensors"))
		r->checkpoint[0] = 0;
}

/* --- numbers --- */

static int measure(struct run *r)
{
	const struct predictions *s = &r->predictions;
	size_t k = (size_t)s->classes;
	double *p = malloc(((size_t)s->n * k + 1) * sizeof(*p));
	uint8_t *label = malloc((size_t)s->n + 1);
	int32_t n = 0;
	int failed = !p || !label || metrics_compute(&r->all, s->p, s->label, s->n, s->classes);

	for (int32_t i = 0; !failed && i < s->n; i++) {
		if (s->twin[i])
			continue;
		memcpy(p + (size_t)n * k, s->p + (size_t)i * k, k * sizeof(*p));
		label[n++] = s->label[i];
	}
	if (!failed && n < s->n)
		failed = metrics_compute(&r->without_twins, p, label, n, s->classes);
	if (!failed)
		failed = metrics_bootstrap(
			&r->bootstrap, s->p, s->label, s->n, s->classes, RESAMPLES, SEED);
	free(p);
	free(label);
	return failed;
}

/* "runs/vgg/" -> "vgg" */
static void name_run(struct run *r, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	snprintf(r->dir, sizeof(r->dir), "%.*s", (int)n, dir);
	dir = strrchr(r->dir, '/');
	snprintf(r->name, sizeof(r->name), "%.*s", RUN_TEXT - 1, dir && dir[1] ? dir + 1 : r->dir);
}

int run_read(struct run *r, const struct cli *c, const char *dir)
{
	char path[RUNDIR_PATH], error[READBACK_ERROR];

	*r = (struct run){ .temperature = NAN, .seconds = NAN };
	name_run(r, dir);
	if (access(rundir_path(path, r->dir, "metrics.json"), R_OK))
		return cli_fail(c, CLI_DATA,
			"%s: no metrics.json in it; fer-train and fer-eval --out leave one",
			r->dir);
	if (predictions_read(&r->predictions, rundir_path(path, r->dir, "predictions.csv"), error))
		return cli_fail(c, CLI_DATA, "%s", error);
	for (int i = 0; i < r->predictions.classes; i++)
		r->names[i] = r->predictions.class_names[i];
	read_facts(r);
	r->epochs = report_summary_read(rundir_path(path, r->dir, "summary.csv"), &r->epoch);
	r->epochs = r->epochs < 0 ? 0 : r->epochs;
	r->kfold = run_file(r, "kfold.csv");
	r->folds = r->kfold ? readback_folds(r->dir, &r->fold) : 0;
	r->options = run_file(r, "args.ini");
	return measure(r) ? cli_fail(c, CLI_RUNTIME, "out of memory") : -1;
}

void run_free(struct run *r)
{
	predictions_free(&r->predictions);
	free(r->epoch);
	readback_folds_free(r->fold, r->folds);
	free(r->kfold);
	free(r->options);
	*r = (struct run){ 0 };
}

int run_best(const struct run *r)
{
	for (int i = r->epochs - 1; i >= 0; i--)
		if (r->epoch[i].best)
			return i;
	return -1;
}
