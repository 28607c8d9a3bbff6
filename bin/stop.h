/*
 * stop.h: signals of a long run. The first SIGINT, SIGTERM or SIGHUP is remembered, the second one
 * ends the process at once; SIGUSR1 asks for a checkpoint.
 */
#ifndef FER_STOP_H
#define FER_STOP_H

#include <stdbool.h>

void stop_watch(void);		/* from now on */
int stop_asked(void);		/* 0, or the exit code: 130 for SIGINT, 143 for the others */
bool stop_checkpoint(void);	/* SIGUSR1 came since the last call */

#endif
