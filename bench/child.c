/*
 * What only a process of its own can show: memory, and how long it takes to start. The parent runs this program
 * again with -x WHAT:MODEL; the child makes the model, takes some training steps and prints two numbers: by how many
 * bytes its resident memory grew at most since the device was opened, and the device memory it held at most.
 */
#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A line of /proc/self/status, in bytes. */
static double status_bytes(const char *name)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	double kilobytes = NAN;
	size_t n = strlen(name);

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, name, n) == 0)
			kilobytes = atof(line + n);
	if (f)
		fclose(f);
	return 1024 * kilobytes;
}

/* So that VmHWM is the highest from here on. */
static void forget_peak(void)
{
	FILE *f = fopen("/proc/self/clear_refs", "w");

	if (!f)
		return;
	fputs("5", f);
	fclose(f);
}

int child_main(cg_ctx *ctx, const char *what)
{
	const char *name = strchr(what, ':');
	int runs = strncmp(what, "start", 5) == 0 ? 1 : 3;
	double before;

	forget_peak();
	before = status_bytes("VmRSS:");
	for (int i = 0; name && i < step_count; i++)
		if (strcmp(steps[i].name, name + 1) == 0 && step_once(ctx, &steps[i], runs)) {
			printf("%.0f %.0f\n", status_bytes("VmHWM:") - before,
				(double)cg_get_stats(ctx).bytes_peak);
			fflush(stdout);
			_exit(0);
		}
	fprintf(stderr, "bench -x %s: %s\n", what, cg_error(ctx));
	return 3;
}

/* The first line of a command's output: one or two numbers, and how many seconds it took to come. */
struct answer {
	double first, second, seconds;
};

/* All NaN if the command fails. */
static struct answer ask(const char *command)
{
	const struct answer failed = { NAN, NAN, NAN };
	struct answer a = failed;
	double begin = now();
	char line[256];
	FILE *f;

	fflush(stdout);
	f = popen(command, "r");
	if (!f)
		return failed;
	if (fgets(line, sizeof(line), f) && sscanf(line, "%lf %lf", &a.first, &a.second) >= 1)
		a.seconds = now() - begin;
	return pclose(f) || isnan(a.seconds) ? failed : a;
}

static void self_command(
	char text[BENCH_COMMAND], const char *setup, const char *what, const char *name)
{
	char self[512] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	snprintf(text, BENCH_COMMAND, "%s '%s' -x %s:%s 2>/dev/null", setup, n > 0 ? self : "false",
		what, name);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The first of two children fills the cache of kernels: compilers need memory, too. Where the device
 * is a processor, its memory is the process's. */
double child_memory(const struct bench *b, const struct step *s)
{
	char command[BENCH_COMMAND];
	struct answer a;

	self_command(command, "", "memory", s->name);
	ask(command);
	a = ask(command);
	return cg_device(b->ctx)->is_cpu ? a.first : a.first + a.second;
}

double peer_memory(const struct bench *b, const struct step *s)
{
	char command[BENCH_COMMAND];

	if (!b->peer)
		return NAN;
	snprintf(command, sizeof(command), "'%s' -B '%s' --memory 'train %s'", b->python, b->script,
		s->name);
	return ask(command).first;
}

/* ---- start ----------------------------------------------------------------------------------- */

static double start_seconds(const char *caches, const struct step *s)
{
	char command[BENCH_COMMAND], setup[512];

	snprintf(setup, sizeof(setup), "POCL_CACHE_DIR='%s' CG_CACHE='%s' XDG_CACHE_HOME='%s'",
		caches, caches, caches);
	self_command(command, setup, "start", s->name);
	return ask(command).seconds;
}

bool child_start(const struct step *s, int n, double *cold, double *warm)
{
	char caches[] = "/tmp/bench-caches-XXXXXX", command[64];
	double seconds[MAX_ROUNDS];
	bool made = mkdtemp(caches) != NULL;

	*cold = made ? start_seconds(caches, s) : NAN;
	for (int i = 0; i < n; i++)
		seconds[i] = isfinite(*cold) ? start_seconds(caches, s) : NAN;
	*warm = median(seconds, n);
	snprintf(command, sizeof(command), "rm -rf '%s'", caches);
	return made && system(command) == 0 && isfinite(*cold) && isfinite(*warm);
}
