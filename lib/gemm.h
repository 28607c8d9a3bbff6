/*
 * Matrix products. CPU family: our microkernel; GPU family: CLBlast or our tile kernel
 * (CG_GEMM=own|clblast). Only gemm_clblast.c and gemm_sets.c include CLBlast's header.
 */
#ifndef CG_GEMM_H
#define CG_GEMM_H

#include "op.h"

enum cg__act {
	CG__ACT_NONE,
	CG__ACT_RELU,
	CG__ACT_GELU,
	CG__ACT_GELU_TANH,
	/* with an operand; only where cg__gemm_takes_operands */
	CG__ACT_ADD,
	CG__ACT_MUL
};

/* The gradients of gamma and beta, [N], of a batch norm whose dy is C; x, dense as C, and stats [3,N] are the norm's.
 * Where a relu came after it, dy counts where y, from its gamma and beta, is above zero. */
struct cg__norm_grad {
	const cg_tensor *x, *stats, *gamma, *beta, *dgamma, *dbeta;
};
/* A frozen batch norm of each column, gamma (c - mean) / sqrt(var + eps) + beta, [N] each; or the statistics of a batch
 * norm, as op/batch_norm.c has them, of C as it is written; or those gradients. */
struct cg__norm {
	const cg_tensor *mean, *var, *gamma, *beta; /* all NULL: none */
	const cg_tensor *stats; /* [3,N] or NULL */
	float eps;
	struct cg__norm_grad grad; /* all NULL: none */
};
/* Arguments of a CPU kernel (NORM_ARGS of norm_cpu.cl); `items` work-items of `cols` columns, part of cg__moments. */
#define CG__NORM_ARGS(e, n, items, cols, part) \
	IN((n).mean), IN((n).var), IN((n).gamma), IN((n).beta), FLT((n).eps), \
		OUT((n).gamma ? cg__temp((e), CG_FLOAT32, (items) * 2 * (cols)) : NULL), OUT(part), \
		IN((n).grad.x), IN((n).grad.stats), IN((n).grad.gamma), IN((n).grad.beta)
/* Room for the moments or sums of `items` x W columns, NULL where neither is asked for; and these, of `rows` rows, from
 * there, after the launch. */
const cg_tensor *cg__moments(struct cg__emit *e, struct cg__norm n, int64_t items, int64_t W);
cg_status cg__join_moments(struct cg__emit *e, struct cg__norm n, const cg_tensor *part, int64_t items,
	int64_t W, int64_t rows);

/* C[M,N] = act(norm(op(A) op(B) + beta C + bias)), row-major. op(A) is [M,K]: A is [M,K] with row stride lda, or with trans_a [K,M]. op(B) is
 * [K,N]: B is [K,N], or with trans_b [N,K]. Offsets in elements; ld 0 means dense.
 * beta 0 never reads C. */
struct cg__gemm {
	int64_t M, N, K;
	bool trans_a, trans_b;
	const cg_tensor *a, *b, *c;
	const cg_tensor *bias; /* [N] or NULL */
	struct cg__norm norm; /* as `other`, and not with sums; statistics of more than a row */
	enum cg__act act;
	const cg_tensor *other; /* [M,N]: operand of ADD, MUL; GELU: gets the derivative, or NULL */
	const cg_tensor *sums; /* with trans_a, where operands are: [N] gets the sums of B's columns */
	int64_t a_offset, b_offset, c_offset;
	int64_t lda, ldb, ldc;
	float beta; /* 0 or 1 */
};

cg_status cg__gemm(struct cg__emit *e, const struct cg__gemm *g);
/* Whether products of this context know `other` and `norm`. C is then dense, and A not transposed. */
bool cg__gemm_takes_operands(const cg_ctx *ctx);

/* CPU family: the register tile (tile_cpu.cl) for results of N columns, and how to build it. */
struct cg__tile {
	int64_t rows, cols;
	const char *options;
};
struct cg__tile cg__tile_of(const struct cg__emit *e, int64_t N);
/* Rows of a result of `rows` x `panels` tiles' columns that make a work-item: enough items for
 * all units, but at least some tiles each, and no more rows than the near cache holds. */
int64_t cg__tile_block(const struct cg__emit *e, struct cg__tile t, int64_t rows, int64_t panels, bool packed);
/* Whether a result of so many rows is worth a kept copy of its weights b, [K,N], or transposed [N,K]; and that copy,
 * panels [K][t.cols], which gemm_nx and conv2d read where the row stride of b is 0. NULL on failure. */
bool cg__packs(const struct cg__emit *e, const cg_tensor *b, int64_t rows);
const cg_tensor *cg__pack(struct cg__emit *e, struct cg__tile t, const cg_tensor *b, int64_t offset,
	int64_t ldb, bool transposed, int64_t K, int64_t N);
/* c[M,N], row stride ldc, = (beta c +) the sum of `parts` dense matrices, in order. */
cg_status cg__sum_parts(struct cg__emit *e, const cg_tensor *part, int64_t parts, struct cg__arg c,
	int64_t c_offset, int64_t ldc, bool beta, int64_t M, int64_t N);

/* GPU family: in how many pieces a sum of K terms is cut where the result has so many tiles. */
int64_t cg__splits(int64_t tiles, int64_t K);

/* Whether t is a product a' b as the gradient of a weight is, with nothing merged into it; which. */
bool cg__matmul_factors(const cg_tensor *t, cg_tensor **a, cg_tensor **b);

/* The name of a status of CLBlast, or of OpenCL: they share numbers. */
const char *cg__gemm_error_name(int code);

/* gemm.c, gemm_clblast.c: C as an argument, and a product by CLBlast, of a gemm whose zeros have been filled in. */
struct cg__arg cg__gemm_c(const struct cg__gemm *g);
cg_status cg__gemm_clblast(struct cg__emit *e, const struct cg__gemm *g);

/* CLBlast's caches and parameters for this context. */
cg_status cg__gemm_open(cg_ctx *ctx);
void cg__gemm_close(cg_ctx *ctx);

#endif
