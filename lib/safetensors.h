/* What reading and writing safetensors files share. */
#ifndef CG_SAFETENSORS_H
#define CG_SAFETENSORS_H

#include "error.h"

enum { CG__FILE_NAME = 256 };

struct cg__file_entry {
	char name[CG__FILE_NAME];
	cg_dtype dtype;
	int ndim;
	int64_t shape[CG_MAX_DIM];
	uint64_t begin, end;	/* of its bytes in the data */
};

struct cg__file_meta {
	char *key, *value;
};

#endif
