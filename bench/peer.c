/* A child process that reads lines "N row" and answers "row<TAB>seconds<TAB>how". */
#include "bench.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct peer {
	pid_t pid;
	FILE *to, *from;
	char version[BENCH_TEXT];
};

static void run_child(
	const char *python, const char *script, bool compile, const int in[2], const int out[2])
{
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
	execlp(python, python, "-B", script, "--serve", compile ? "--compile" : NULL, (char *)NULL);
	_exit(127);
}

static bool spawn(struct peer *p, const char *python, const char *script, bool compile)
{
	int in[2], out[2];

	if (pipe(in) || pipe(out))
		return false;
	fflush(stdout);
	p->pid = fork();
	if (p->pid == 0)
		run_child(python, script, compile, in, out);
	close(in[0]);
	close(out[1]);
	p->to = fdopen(in[1], "w");
	p->from = fdopen(out[0], "r");
	return p->pid > 0 && p->to && p->from;
}

struct peer *peer_open(
	const char *python, const char *script, bool compile, char why[BENCH_TEXT])
{
	struct peer *p = calloc(1, sizeof(*p));
	char line[256];

	if (!p)
		return NULL;
	signal(SIGPIPE, SIG_IGN);
	if (spawn(p, python, script, compile) && fgets(line, sizeof(line), p->from) &&
		sscanf(line, "version\t%95[^\n]", p->version) == 1) {
		for (char *tab; (tab = strchr(p->version, '\t'));)
			*tab = ' ';
		return p;
	}
	snprintf(why, BENCH_TEXT, "PyTorch cannot be imported by %s", python);
	peer_close(p);
	return NULL;
}

void peer_close(struct peer *p)
{
	if (!p)
		return;
	if (p->to)
		fclose(p->to);
	if (p->from)
		fclose(p->from);
	if (p->pid > 0)
		waitpid(p->pid, NULL, 0);
	free(p);
}

const char *peer_version(const struct peer *p)
{
	return p->version;
}

double peer_time(struct peer *p, const char *row, int n, char how[BENCH_TEXT])
{
	char line[512], text[64];

	fprintf(p->to, "%d %s\n", n, row);
	if (fflush(p->to) || !fgets(line, sizeof(line), p->from) ||
		sscanf(line, "%*[^\t]\t%63[^\t]\t%95[^\n]", text, how) != 2)
		return NAN;
	return atof(text);
}
