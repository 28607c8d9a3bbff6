/* Facts of a device -> one row of parameters. No file above kernel.c and gemm.c names a vendor. */
#ifndef CG_TUNE_H
#define CG_TUNE_H

#include "error.h"

struct cg__tune {
	bool cpu_family;	/* CPU style: work-items are tasks; GPU style: work-groups are */
	bool clblast;		/* matrix products by CLBlast, else our kernels */
	int vector_width;	/* CPU family: floats in one vector register */
	int group;		/* GPU family: items in a work-group */
	bool keep_binaries;	/* the runtime has no kernel cache of its own */
	int winograd;		/* CPU family, convolutions by minimal filtering: 0 never, 1 where they gain, wherever they
				   can 2 by tiles, 3 by panels (winograd.c) */
	int conv;		/* GPU family, convolutions unless tuning knows better: 0 and 1 gather windows into tiles of
				   64 and 128 squared, 2 copies them for a matrix product */
	int groups_per_unit;	/* how many groups (GPU) or tasks (CPU) a launch offers each compute unit at most */
};

/* The row of this device: the generic one, what differs laid over it, then CG_FAMILY, CG_GEMM and the file CG_TUNE
 * (`name value` a line; CG_ERR_FILE, CG_ERR_FORMAT). A device whose work-groups are too small for the GPU family gets the
 * CPU family; forced to the other it is refused (CG_ERR_NO_DEVICE). */
cg_status cg__tune_choose(cg_ctx *ctx, const cg_device_info *info, struct cg__tune *tune);

#endif
