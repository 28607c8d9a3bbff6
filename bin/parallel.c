#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

enum { MOST_THREADS = 16 };

struct crew {
	void (*work)(void *state, int i);
	void *state;
	int count;
	atomic_int next;
};

static void *help(void *arg)
{
	struct crew *c = arg;

	for (int i; (i = atomic_fetch_add(&c->next, 1)) < c->count;)
		c->work(c->state, i);
	return NULL;
}

/* A thread that cannot be had is done without. */
void parallel_for(int count, void (*work)(void *state, int i), void *state)
{
	struct crew crew = { .work = work, .state = state, .count = count };
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int wanted = processors < MOST_THREADS ? (int)processors : MOST_THREADS, have = 0;
	pthread_t thread[MOST_THREADS];

	wanted = wanted < count ? wanted : count;
	atomic_init(&crew.next, 0);
	while (have < wanted - 1 && !pthread_create(&thread[have], NULL, help, &crew))
		have++;
	help(&crew);
	while (have > 0)
		pthread_join(thread[--have], NULL);
}
