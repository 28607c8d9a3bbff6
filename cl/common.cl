/*
 * Included before every kernel file. Given by -D: CG_CPU (1: CPU family, 0: GPU family), CG_VW (native float vector
 * width 16, 8 or 4), CG_WARP (GPU family: items that run together, at least 1).
 *
 * CPU family: a work-item is a thread's task (local size 1, no barriers, no local memory). GPU family: tasks are
 * work-groups, with local memory and barriers.
 */
#if CG_VW == 16
typedef float16 vfloat;
typedef int16 vint;
#define VLOAD vload16
#define VSTORE vstore16
#define AS_VINT as_int16
#define AS_VFLOAT as_float16
#define CONVERT_VINT convert_int16
#elif CG_VW == 8
typedef float8 vfloat;
typedef int8 vint;
#define VLOAD vload8
#define VSTORE vstore8
#define AS_VINT as_int8
#define AS_VFLOAT as_float8
#define CONVERT_VINT convert_int8
#else
typedef float4 vfloat;
typedef int4 vint;
#define VLOAD vload4
#define VSTORE vstore4
#define AS_VINT as_int4
#define AS_VFLOAT as_float4
#define CONVERT_VINT convert_int4
#endif

/* for each of n elements, whatever the launch's size: a contiguous piece for each work-item on CPUs, strided on GPUs */
#if CG_CPU
#define CG_SINGLE __attribute__((reqd_work_group_size(1, 1, 1)))
#define CG_PIECE(n) ((((n) + (int)get_global_size(0) - 1) / (int)get_global_size(0) + 15) & ~15)
#define CG_FOR(i, n) \
	for (int i = (int)get_global_id(0) * CG_PIECE(n), i##_end = min((int)(n), i + CG_PIECE(n)); i < i##_end; i++)
#else
#define CG_SINGLE
#define CG_FOR(i, n) for (int i = (int)get_global_id(0); i < (int)(n); i += (int)get_global_size(0))
#endif

/* for each of n tasks: cg__range_tasks */
#if CG_CPU
#define CG_TASK(t, n) for (int t = (int)get_global_id(0); t < (int)(n); t += (int)get_global_size(0))
#else
#define CG_TASK(t, n) for (int t = (int)get_group_id(0); t < (int)(n); t += (int)get_num_groups(0))
#endif

/* Philox4x32-10 (Salmon et al. 2011). rng = {seed low, seed high, step low, step high}. */
inline uint4 cg_philox(__global const uint *rng, uint node, uint element)
{
	uint4 c = (uint4)(element, node, rng[2], rng[3]);
	uint2 k = (uint2)(rng[0], rng[1]);

	for (int i = 0; i < 10; i++) {
		uint hi0 = mul_hi(0xD2511F53u, c.x), lo0 = 0xD2511F53u * c.x;
		uint hi1 = mul_hi(0xCD9E8D57u, c.z), lo1 = 0xCD9E8D57u * c.z;

		c = (uint4)(hi1 ^ c.y ^ k.x, lo1, hi0 ^ c.w ^ k.y, lo0);
		k += (uint2)(0x9E3779B9u, 0xBB67AE85u);
	}
	return c;
}

/* [0, 1) with 24 bits */
inline float cg_uniform(uint x)
{
	return (float)(x >> 8) * 0x1p-24f;
}
