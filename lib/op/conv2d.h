/* What the files of convolution share. */
#ifndef CG_CONV2D_H
#define CG_CONV2D_H

#include "../gemm.h"

/* y's sources: x, w, then what fusion added, where it did: bias; mean, var, gamma, beta; what is added; or stats, gamma, beta
 * of the norm before. dw's: x, dy; those of the norm before. dx's: dy, w, what is added; x, stats and perhaps gamma and beta of
 * the norm whose result was convolved, for aux dgamma and dbeta. */
struct cg__conv {
	cg_conv_config c; /* complete: no 0 for 1 */
	enum cg__act act;
	int64_t B, H, W, C, P, Q, M, R, S; /* C and M of all groups */
	float eps; /* of the norm, or of the one whose statistics are aux[0] */
	bool bias, norm;
	int8_t behind; /* how many sources of that norm */
	int8_t before; /* of y and dw: x is normalised first; 2: with a relu */
};

static inline const cg_tensor *cg__conv_bias(const cg_tensor *y)
{
	return ((const struct cg__conv *)cg__attr(y))->bias ? y->src[2] : NULL;
}

struct cg__norm cg__conv_norm(const cg_tensor *y);
struct cg__norm cg__conv_norm_grad(const cg_tensor *dx);

/* y, dx or dw of a convolution that is no plain product; x is the source, or that normalised. */
cg_status cg__conv_cpu(struct cg__emit *e, const cg_tensor *y, const cg_tensor *x);
cg_status cg__conv_cpu_dx(struct cg__emit *e, const cg_tensor *dx);
cg_status cg__conv_cpu_dw(struct cg__emit *e, const cg_tensor *dw, const cg_tensor *x);
cg_status cg__conv_gpu(struct cg__emit *e, const cg_tensor *y);
cg_status cg__conv_gpu_dx(struct cg__emit *e, const cg_tensor *dx);
cg_status cg__conv_gpu_dw(struct cg__emit *e, const cg_tensor *dw);

#endif
