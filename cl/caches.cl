/* What kernels tell processors of their memory: what to fetch ahead, what to write past caches. */

/*
 * CPU family: what a kernel reads or writes at p, it will read or write 1.5 KB further on. By
 * themselves, processors fetch less ahead than memory can take, above all of what is written. Only a
 * hint, also beyond the end of an array, and for PoCL alone: other compilers may not know the
 * builtin. Mesa's, a clang that hides __SPIR__, ends the program.
 */
#if CG_CPU && defined(POCL_DEVICE_ADDRESS_BITS)
#define CG_FETCH(p, write) __builtin_prefetch((const void *)(size_t)((p) + 384), write, 3)
#else
#define CG_FETCH(p, write)
#endif
#define CG_READS(p) CG_FETCH(p, 0)
#define CG_WRITES(p) CG_FETCH(p, 1)

#if CG_CPU
/*
 * A result of CG_FAR floats is no longer in a cache when it is read next: cg_put, else as cg_store,
 * writes it past them, which saves reading its lines first. far: cg_is_far of all of it, n floats,
 * the vectors beginning at multiples of `step`. (CG_BUILD=-DCG_FAR=1 does so with small ones: tests.)
 */
#ifndef CG_FAR
#define CG_FAR (1 << 24)
#endif
static inline int cg_is_far(__global const float *p, size_t n, int step)
{
	return n >= CG_FAR && ((size_t)p / sizeof(*p) | step) % CG_VW == 0;
}

static inline void cg_put(vfloat v, __global float *p, int n, int far)
{
	if (n < CG_VW) {
		cg_store(v, p, n);
		return;
	}
#ifdef POCL_DEVICE_ADDRESS_BITS
	if (far) {
		__builtin_nontemporal_store(v, (__global vfloat *)p);
		return;
	}
#endif
	CG_WRITES(p);
	VSTORE(v, 0, p);
}
#endif
