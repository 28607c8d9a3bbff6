/*
 * parallel.h: the same work on many pieces, by as many threads as there are processors.
 */
#ifndef FER_PARALLEL_H
#define FER_PARALLEL_H

/* work(state, i) for each i < count, each once, in any order; returns when all are done. */
void parallel_for(int count, void (*work)(void *state, int i), void *state);

#endif
