#include "stop.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t asked, checkpoint;

static void on_stop(int signal)
{
	int code = signal == SIGINT ? CLI_SIGINT : CLI_SIGTERM;

	if (asked)
		_exit(code);
	asked = code;
}

static void on_checkpoint(int signal)
{
	(void)signal;
	checkpoint = 1;
}

static void handle(int signal, void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = SA_RESTART;
	sigemptyset(&action.sa_mask);
	sigaction(signal, &action, NULL);
}

void stop_watch(void)
{
	struct sigaction hangup;

	handle(SIGINT, on_stop);
	handle(SIGTERM, on_stop);
	sigaction(SIGHUP, NULL, &hangup);
	if (hangup.sa_handler != SIG_IGN)	/* nohup(1) */
		handle(SIGHUP, on_stop);
	handle(SIGUSR1, on_checkpoint);
}

int stop_asked(void)
{
	return asked;
}

bool stop_checkpoint(void)
{
	bool was = checkpoint;

	checkpoint = 0;
	return was;
}
