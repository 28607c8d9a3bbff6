/*
 * layers.h: what a network is made of, read from its graph for one image.
 */
#ifndef FER_LAYERS_H
#define FER_LAYERS_H

#include <stdio.h>

#include "network.h"

/*
 * A row for each layer that has parameters, multiplies matrices or pools: name, operation, shape of
 * its output, parameters, multiply-adds; and the sums. Multiply-adds are those of convolutions, of
 * linear layers and of attention. -1, or the exit code after a message.
 */
int layers_print(const struct network *n, const struct cli *c, FILE *out);

#endif
