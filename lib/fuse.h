/* Fusion: a table of pairs that may become one node. */
#ifndef CG_FUSE_H
#define CG_FUSE_H

#include "graph.h"

/* Rewrites the nodes of `g` in place; `keep` (indexed by node id) marks tensors that must stay as they are because
 * somebody reads them. CG_FUSE=-name leaves a row out. */
cg_status cg__fuse(cg_graph *g, const bool *keep);

/* Whether CG_FUSE leaves what has this name as it is: a rewrite, "keep" (keep.c) or "matmul-update"
 * (optim_update.c). */
bool cg__fuse_has(const cg_ctx *ctx, const char *name);

/* Whether an effect behind t may write an array that t reads: then t cannot be computed later. */
bool cg__effect_since(const cg_tensor *t);

/* The names of the rewrites, some more than once; NULL behind the last. */
const char *cg__fuse_name(int i);

/* CG_ERR_ARGUMENT where CG_FUSE has a word that names no row. */
cg_status cg__fuse_check(cg_ctx *ctx);

#endif
