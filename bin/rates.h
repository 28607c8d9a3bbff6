/*
 * rates.h: which parts of a network are trained, and how fast: --freeze, --head-lr-mult and
 * --layer-decay as factors of the learning rate of each parameter.
 */
#ifndef FER_RATES_H
#define FER_RATES_H

#include "cli.h"
#include "network.h"

/* Rows for a program's table. */
#define RATES_OPTIONS \
	{ "freeze", 0, CLI_TEXT, "none", "model", "PART", \
	  "none, backbone (all but the classifier) or N: the first N stages, blocks or layers, and " \
	  "what comes before; frozen batch norms keep their statistics", 0 }, \
	{ "head-lr-mult", 0, CLI_REAL, "1", "optimisation", "X", \
	  "learning rate of the classifier, times X", 0 }, \
	{ "layer-decay", 0, CLI_FRACTION, "1", "optimisation", "X", \
	  "learning rate of block i of n times X^(n+1-i); 1: the same for all", 0 }

/* Blocks of the network (see struct model). */
int rates_blocks(const struct network *n);

/* Sets the factors of all parameters, before a graph uses them. -1, or CLI_USAGE. */
int rates_set(const struct network *n, const struct cli *c);

#endif
