/*
 * How much of an epoch fer-train spends on anything but waiting for the device: loading batches, logging, validation's
 * measures, checkpoints. The device runs ahead of the program, so this is more than the time that the device stands idle.
 * Its main thread is looked at 200 times a second, from the line of the first epoch to that of the last: it waits for
 * the device where it sleeps in futex(2). That holds while no thread of fer-train's own works during an epoch for which
 * it could wait there: such a one must be counted here, too.
 */
#include "bench.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct run {
	pid_t pid;
	int out; /* what it prints; reads do not wait */
	char line[1024];
	size_t length;
};

static bool start(struct run *r, const char *model, const char *folder)
{
	char out[256];
	int pipes[2];

	snprintf(out, sizeof(out), "%s/run", folder);
	if (pipe(pipes))
		return false;
	fflush(stdout);
	r->pid = fork();
	if (r->pid == 0) {
		dup2(pipes[1], STDOUT_FILENO);
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[0]);
		close(pipes[1]);
		execl("bin/fer-train", "fer-train", "-m", model, "-d", "synth:4000", "-e", "3",
			"--out", out, (char *)NULL);
		_exit(127);
	}
	close(pipes[1]);
	r->out = pipes[0];
	fcntl(r->out, F_SETFL, O_NONBLOCK);
	return r->pid > 0;
}

/* Whether the line of an epoch has come ("epoch 2/3  loss ..."; not a line of progress, "epoch 2/3  10/62"): its
 * number, 0 if not, -1 at the end. */
static int epoch_line(struct run *r)
{
	char c, *at;
	ssize_t n;

	while ((n = read(r->out, &c, 1)) == 1) {
		if (c != '\n' && c != '\r') {
			if (r->length < sizeof(r->line) - 1)
				r->line[r->length++] = c;
			continue;
		}
		r->line[r->length] = 0;
		r->length = 0;
		at = strstr(r->line, "epoch ");
		if (at && strstr(at, " | val loss "))
			return atoi(at + 6);
	}
	return n == 0 ? -1 : 0;
}

static bool waits(const struct run *r)
{
	char path[64], text[16] = "";
	int file;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)r->pid);
	file = open(path, O_RDONLY);
	if (file < 0)
		return false;
	n = read(file, text, sizeof(text) - 1);
	close(file);
	return n > 0 && atoi(text) == SYS_futex; /* "running" gives 0 */
}

double epoch_outside(const char *model)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	char folder[] = "/tmp/bench-epoch-XXXXXX", command[64];
	struct run r = { .pid = -1 };
	int epoch = 0, looks = 0, waiting = 0, line = 0, status = -1;

	if (!mkdtemp(folder) || !start(&r, model, folder))
		return NAN;
	while ((line = epoch_line(&r)) >= 0) {
		nanosleep(&pause, NULL);
		epoch = line ? line : epoch;
		if (epoch == 0 || epoch == 3)
			continue;
		looks++;
		waiting += waits(&r);
	}
	close(r.out);
	waitpid(r.pid, &status, 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	if (system(command) || status || looks == 0)
		return NAN;
	return 1 - (double)waiting / looks;
}
