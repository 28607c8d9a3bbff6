#include "rundir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "json.h"

const char *rundir_path(char path[RUNDIR_PATH], const char *dir, const char *name)
{
	snprintf(path, RUNDIR_PATH, "%s/%s", dir, name);
	return path;
}

const char *rundir_fold(char path[RUNDIR_PATH], const char *dir, int fold)
{
	snprintf(path, RUNDIR_PATH, "%s/fold%d", dir, fold);
	return path;
}

void rundir_name(char path[RUNDIR_PATH], const char *model)
{
	time_t now = time(NULL);
	struct tm local;
	char stamp[32];

	localtime_r(&now, &local);
	strftime(stamp, sizeof(stamp), "%Y%m%d-%H%M%S", &local);
	snprintf(path, RUNDIR_PATH, "runs/%s-%s", model, stamp);
}

bool rundir_newest(char path[RUNDIR_PATH])
{
	struct timespec newest = { 0 };
	bool found = false;
	glob_t g = { 0 };

	glob("runs/*/last.safetensors", 0, NULL, &g);
	glob("runs/*/fold*/last.safetensors", GLOB_APPEND, NULL, &g);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		const char *name = g.gl_pathv[i] + strlen("runs/");
		struct stat st;

		if (stat(g.gl_pathv[i], &st) ||
		    (found && (st.st_mtim.tv_sec < newest.tv_sec ||
			       (st.st_mtim.tv_sec == newest.tv_sec &&
				st.st_mtim.tv_nsec < newest.tv_nsec))))
			continue;
		snprintf(path, RUNDIR_PATH, "runs/%.*s", (int)strcspn(name, "/"), name);
		newest = st.st_mtim;
		found = true;
	}
	globfree(&g);
	return found;
}

/* --- making the folder --- */

static bool is_empty(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool empty = true;

	while (d && (entry = readdir(d)) != NULL)
		empty = empty && (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."));
	if (d)
		closedir(d);
	return empty;
}

int rundir_check(const struct cli *c, const char *dir, bool overwrite)
{
	struct stat st;

	if (stat(dir, &st))
		return -1;
	if (!S_ISDIR(st.st_mode))
		return cli_fail(c, CLI_USAGE, "%s: exists and is no folder", dir);
	if (!overwrite && !is_empty(dir))
		return cli_fail(c, CLI_USAGE,
				"%s: is not empty; --resume goes on with it, --overwrite replaces it",
				dir);
	return -1;
}

static int make_parents(char *path)
{
	for (char *p = path + 1; *p; p++) {
		int failed;

		if (*p != '/')
			continue;
		*p = 0;
		failed = mkdir(path, 0777) && errno != EEXIST;
		*p = '/';
		if (failed)
			return -1;
	}
	return mkdir(path, 0777) && errno != EEXIST ? -1 : 0;
}

int rundir_folder(const struct cli *c, const char *dir)
{
	char path[RUNDIR_PATH];

	snprintf(path, sizeof(path), "%s", dir);
	return make_parents(path) ? cli_fail(c, CLI_RUNTIME, "%s: %s", dir, strerror(errno)) : -1;
}

/* The length of what stands before `.tmp` or `.PID.tmp`, where a write was cut off. */
static size_t finished_length(const char *name)
{
	size_t n = strlen(name);

	if (n < 4 || strcmp(name + n - 4, ".tmp"))
		return n;
	n -= 4;
	for (size_t i = n; i > 0; i--) {
		if (name[i - 1] == '.' && i < n)
			return i - 1;
		if (!isdigit((unsigned char)name[i - 1]))
			break;
	}
	return n;
}

/* epoch-NNN.safetensors */
static bool is_epoch(const char *name, size_t n)
{
	static const char end[] = ".safetensors";
	size_t digits = 0;

	if (strncmp(name, "epoch-", 6))
		return false;
	while (isdigit((unsigned char)name[6 + digits]))
		digits++;
	return digits >= 3 && n == 6 + digits + strlen(end) &&
	       !strncmp(name + 6 + digits, end, strlen(end));
}

/* Whether a run writes a file of this name. */
static bool is_own(const char *name)
{
	static const char *const files[] = { "args.ini", "env.json", "train.log", "summary.csv",
					     "metrics.json", "confusion.csv", "predictions.csv",
					     "kfold.csv", "last.safetensors", "best.safetensors",
					     "classes.svg", "confusion.svg", "curves.svg",
					     "reliability.svg", "roc.svg", "report.html" };
	size_t n = finished_length(name);

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (n == strlen(files[i]) && !strncmp(name, files[i], n))
			return true;
	return is_epoch(name, n) || !strncmp(name, "events.out.tfevents.", 20);
}

static int remove_run(const struct cli *c, const char *dir)
{
	DIR *d = opendir(dir);
	char path[RUNDIR_PATH];
	struct dirent *entry;
	int status = -1;

	if (!d)
		return cli_fail(c, CLI_RUNTIME, "%s: %s", dir, strerror(errno));
	while (status < 0 && (entry = readdir(d)) != NULL)
		if (is_own(entry->d_name) && unlink(rundir_path(path, dir, entry->d_name)) &&
		    errno != ENOENT)
			status = cli_fail(c, CLI_RUNTIME, "%s: %s", path, strerror(errno));
	closedir(d);
	return status;
}

int rundir_make(const struct cli *c, const char *dir, bool overwrite)
{
	char folder[RUNDIR_PATH];
	int status = rundir_check(c, dir, overwrite);

	if (status < 0)
		status = rundir_folder(c, dir);
	if (status < 0 && overwrite)
		status = remove_run(c, dir);
	for (int fold = 1; overwrite && fold < 256 && status < 0; fold++)
		if (!access(rundir_fold(folder, dir, fold), F_OK))
			status = remove_run(c, folder);
	return status;
}

int rundir_log(struct cli *c, const char *dir)
{
	char path[RUNDIR_PATH];

	c->log = fopen(rundir_path(path, dir, "train.log"), "a");
	return c->log ? -1 : cli_fail(c, CLI_RUNTIME, "%s: %s", path, strerror(errno));
}

/* --- args.ini and env.json --- */

static void device_json(struct json *j, const cg_ctx *ctx)
{
	const cg_device_info *d = cg_device(ctx);

	json_object(j, "device");
	json_text(j, "name", d->name);
	json_text(j, "vendor", d->vendor);
	json_text(j, "platform", d->platform_name);
	json_text(j, "version", d->version);
	json_text(j, "driver", d->driver);
	json_int(j, "compute_units", d->compute_units);
	json_int(j, "global_bytes", (int64_t)d->global_bytes);
	json_text(j, "kernels", cg_family(ctx));
	json_text(j, "matrix_products", cg_gemm_backend(ctx));
	json_end(j);
}

static void data_json(struct json *j, const struct cli *c, const struct dataset *d,
		      const struct data_facts *facts)
{
	char hash[17];

	snprintf(hash, sizeof(hash), "%016" PRIx64, d->hash);
	json_object(j, "data");
	json_text(j, "source", cli_text(c, "data"));
	json_text(j, "hash", hash);
	json_object(j, "rows");
	for (int i = 0; i < SPLITS; i++)
		json_int(j, data_split_names[i], facts->n[i]);
	json_end(j);
	json_int(j, "blank", facts->blank);
	json_int(j, "distinct", facts->distinct);
	json_int(j, "repeats", facts->repeats);
	json_int(j, "groups_of_repeats", facts->groups);
	json_int(j, "groups_with_contradicting_labels", facts->conflict_groups);
	json_object(j, "without_twins");
	for (int i = 0; i < SPLITS; i++)
		json_int(j, data_split_names[i], facts->without_twins[i]);
	json_end(j);
	json_end(j);
}

static int write_env(const struct cli *c, const char *path, const cg_ctx *ctx,
		     const struct dataset *d)
{
	struct data_facts facts;
	struct json j;
	FILE *file;
	int failed;

	if (data_facts(d, &facts) != DATA_OK)
		return cli_fail(c, CLI_RUNTIME, "out of memory");
	file = fopen(path, "w");
	if (!file)
		return cli_fail(c, CLI_RUNTIME, "%s: %s", path, strerror(errno));
	json_open(&j, file);
	json_object(&j, NULL);
	json_text(&j, "program", c->program->name);
	json_text(&j, "clgrad", cg_version());
	device_json(&j, ctx);
	data_json(&j, c, d, &facts);
	json_end(&j);
	failed = json_close(&j);
	if (fclose(file) || failed)
		return cli_fail(c, CLI_RUNTIME, "%s: %s", path, strerror(errno));
	return -1;
}

int rundir_describe(const struct cli *c, const char *dir, const cg_ctx *ctx,
		    const struct dataset *d)
{
	char path[RUNDIR_PATH];

	if (cli_write_ini(c, rundir_path(path, dir, "args.ini")))
		return cli_fail(c, CLI_RUNTIME, "%s: %s", path, strerror(errno));
	return write_env(c, rundir_path(path, dir, "env.json"), ctx, d);
}
