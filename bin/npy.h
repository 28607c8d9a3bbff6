/*
 * npy.h: NumPy's .npy files of float32, little-endian, in C order.
 */
#ifndef FER_NPY_H
#define FER_NPY_H

#include <stddef.h>
#include <stdint.h>

enum { NPY_DIM = 5 };

struct npy {
	int ndim;
	int64_t shape[NPY_DIM], count;
	float *value;	/* to be freed */
};

/* NULL, or what is wrong: "not a .npy file", "its type is <f8, expected <f4". */
const char *npy_read(const char *path, struct npy *a);
/* The same of a file's bytes. */
const char *npy_parse(const void *bytes, size_t size, struct npy *a);
/* 0, or -1 and errno. */
int npy_write(const char *path, const struct npy *a);

#endif
