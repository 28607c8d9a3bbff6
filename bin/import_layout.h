/*
 * import_layout.h: the same weights in another order of dimensions, and positions of another grid.
 */
#ifndef FER_IMPORT_LAYOUT_H
#define FER_IMPORT_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "import_names.h"

/* The sizes R S C M of a convolution whose shape is given in a layout. */
void layout_sizes(enum import_layout layout, const int64_t shape[4], int64_t rscm[4]);
/* Any layout to R S C M. */
void layout_conv(enum import_layout layout, const float *from, const int64_t rscm[4], float *to);
/* And from R S C M to O I H W. */
void layout_to_oihw(const float *from, const int64_t rscm[4], float *to);
/* [M,K] to [K,M]. */
void layout_transpose(const float *from, int64_t M, int64_t K, float *to);
/* [M, C H W] to [H W C, M]: a linear layer on flattened maps of C channels; K = C H W. */
void layout_flattened(const float *from, int64_t M, int64_t K, int64_t C, float *to);
/* And from [H W C, M] to [M, C H W]. */
void layout_to_flattened(const float *from, int64_t M, int64_t K, int64_t C, float *to);

/*
 * Position embeddings [1 + n n, D] of a class token and a square grid to [1 + m m, D]: the class token
 * as it is, the grid by bicubic interpolation (a = -1/2), widened where it shrinks (antialiased): what
 * timm's resample_abs_pos_embed does. False when out of memory.
 */
bool layout_positions(const float *from, int64_t n, int64_t m, int64_t D, float *to);

#endif
