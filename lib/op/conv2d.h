/* What the files of convolution share. */
#ifndef CG_CONV2D_H
#define CG_CONV2D_H

#include "../gemm.h"

struct cg__conv {
	cg_conv_config c; /* complete: no 0 for 1 */
	enum cg__act act;
	int64_t B, H, W, C, P, Q, M, R, S; /* C and M of all groups */
};

/* y, dx or dw of a convolution that is no plain product. */
cg_status cg__conv_cpu(struct cg__emit *e, const cg_tensor *y);
cg_status cg__conv_cpu_dx(struct cg__emit *e, const cg_tensor *dx);
cg_status cg__conv_cpu_dw(struct cg__emit *e, const cg_tensor *dw);
cg_status cg__conv_gpu(struct cg__emit *e, const cg_tensor *y);
cg_status cg__conv_gpu_dx(struct cg__emit *e, const cg_tensor *dx);
cg_status cg__conv_gpu_dw(struct cg__emit *e, const cg_tensor *dw);

#endif
