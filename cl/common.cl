/*
 * Included before every kernel file. Given by -D: CG_CPU (1: CPU family, 0: GPU family), CG_VW
 * (native float vector width 16, 8 or 4), CG_GROUP (GPU family: items of a work-group).
 *
 * CPU family: a work-item is a thread's task (local size 1, no barriers; local memory, which only
 * minimal filtering has, is its own). GPU family: tasks are work-groups, with local memory and
 * barriers.
 */
#if CG_VW == 16
typedef float16 vfloat;
typedef int16 vint;
#define AS_VINT as_int16
#define AS_VFLOAT as_float16
#define CONVERT_VINT convert_int16
#elif CG_VW == 8
typedef float8 vfloat;
typedef int8 vint;
#define AS_VINT as_int8
#define AS_VFLOAT as_float8
#define CONVERT_VINT convert_int8
#else
typedef float4 vfloat;
typedef int4 vint;
#define AS_VINT as_int4
#define AS_VFLOAT as_float4
#define CONVERT_VINT convert_int4
#endif

#if CG_CPU
/* Vectors at any address: PoCL 3.1's vstore16 takes them apart into four. */
#define CG_MOVES(vector, scalar, space) \
	static inline vector __attribute__((overloadable)) VLOAD(size_t i, const space scalar *p) \
	{ \
		typedef vector __attribute__((aligned(4))) anywhere; \
		return *(const space anywhere *)(p + i * CG_VW); \
	} \
	static inline void __attribute__((overloadable)) VSTORE(vector v, size_t i, space scalar *p) \
	{ \
		typedef vector __attribute__((aligned(4))) anywhere; \
		*(space anywhere *)(p + i * CG_VW) = v; \
	}
CG_MOVES(vfloat, float, __global)
CG_MOVES(vfloat, float, __local)
CG_MOVES(vfloat, float, __private)
CG_MOVES(vint, int, __global)
CG_MOVES(vint, int, __private)
#endif

/*
 * Code written once for both families: CG_LANES neighbouring values, a vector on CPUs and one
 * elsewhere. Where fewer than CG_LANES are left at the end of a row, cg_load fills up with zeros and
 * cg_store writes only those n. From CPU kernels n may be 0 or less: cg_load gives zeros.
 */
#if CG_CPU
typedef vfloat cg_lanes;
typedef vint cg_ilanes;
#define CG_LANES CG_VW
#else
typedef float cg_lanes;
typedef int cg_ilanes;
#define CG_LANES 1
#endif

#if CG_CPU
/* Moves n < 16 floats by halves; for the ends of rows. */
#define CG_MOVE_SOME(from, to, n) \
	{ \
		int at = 0; \
		if ((n) & 8) { \
			vstore8(vload8(0, (from)), 0, (to)); \
			at = 8; \
		} \
		if ((n) & 4) { \
			vstore4(vload4(0, (from) + at), 0, (to) + at); \
			at += 4; \
		} \
		if ((n) & 2) { \
			vstore2(vload2(0, (from) + at), 0, (to) + at); \
			at += 2; \
		} \
		if ((n) & 1) \
			(to)[at] = (from)[at]; \
	}
#endif

/* cg_load that fills up with another value */
static inline cg_lanes cg_load_or(__global const float *p, int n, float fill)
{
#if CG_CPU
	float some[16];

	if (n >= CG_LANES)
		return VLOAD(0, p);
	VSTORE((vfloat)fill, 0, some);
	n = max(n, 0);
	CG_MOVE_SOME(p, some, n)
	return VLOAD(0, some);
#else
	return *p;
#endif
}

static inline cg_lanes cg_load(__global const float *p, int n)
{
	return cg_load_or(p, n, 0);
}

/* v with zeros from lane n on */
static inline cg_lanes cg_keep(cg_lanes v, int n)
{
#if CG_VW == 16 && CG_CPU
	const vint lane = (vint)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif CG_VW == 8 && CG_CPU
	const vint lane = (vint)(0, 1, 2, 3, 4, 5, 6, 7);
#elif CG_CPU
	const vint lane = (vint)(0, 1, 2, 3);
#endif
#if CG_CPU
	return n >= CG_LANES ? v : AS_VFLOAT(AS_VINT(v) & (lane < n));
#else
	return v;
#endif
}

static inline void cg_store(cg_lanes v, __global float *p, int n)
{
#if CG_CPU
	float some[16];

	if (n >= CG_LANES) {
		VSTORE(v, 0, p);
		return;
	}
	VSTORE(v, 0, some);
	CG_MOVE_SOME(some, p, n)
#else
	*p = v;
#endif
}

/* The gradient before a relu that gave y, if there was one: dy where y > 0. */
static inline cg_lanes cg_through_relu(cg_lanes dy, cg_lanes y, int relu)
{
#if CG_CPU
	return relu ? select((vfloat)0, dy, y > 0) : dy;
#else
	return !relu || y > 0 ? dy : 0;
#endif
}

#if CG_CPU
/* Sum of the lanes, in a fixed order. */
static inline float cg_lane_sum(vfloat v)
{
#if CG_VW == 16
	const float8 v8 = v.lo + v.hi;
	const float4 v4 = v8.lo + v8.hi;
#elif CG_VW == 8
	const float4 v4 = v.lo + v.hi;
#else
	const float4 v4 = v;
#endif
	const float2 v2 = v4.lo + v4.hi;

	return v2.x + v2.y;
}

/* The highest lane; a NaN may go unseen. */
static inline float cg_lane_max(vfloat v)
{
#define CG_HIGHER(a, b) ((a) > (b) ? (a) : (b))
#if CG_VW == 16
	const float8 v8 = CG_HIGHER(v.lo, v.hi);
	const float4 v4 = CG_HIGHER(v8.lo, v8.hi);
#elif CG_VW == 8
	const float4 v4 = CG_HIGHER(v.lo, v.hi);
#else
	const float4 v4 = v;
#endif
	const float2 v2 = CG_HIGHER(v4.lo, v4.hi);

	return CG_HIGHER(v2.x, v2.y);
}
#endif

/* for each of n elements, whatever the launch's size: a contiguous piece for each work-item on CPUs,
 * strided on GPUs */
#if CG_CPU
#define CG_SINGLE __attribute__((reqd_work_group_size(1, 1, 1)))
#define CG_PIECE(n) ((((n) + (int)get_global_size(0) - 1) / (int)get_global_size(0) + 15) & ~15)
#define CG_FOR(i, n) \
	for (int i = (int)get_global_id(0) * CG_PIECE(n), i##_end = min((int)(n), i + CG_PIECE(n)); \
		i < i##_end; i++)
#else
#define CG_SINGLE
#define CG_FOR(i, n) for (int i = (int)get_global_id(0); i < (int)(n); i += (int)get_global_size(0))
#endif

/* for each of n tasks: cg__range_tasks */
#if CG_CPU
#define CG_TASK(t, n) \
	for (int t = (int)get_global_id(0); t < (int)(n); t += (int)get_global_size(0))
#else
#define CG_TASK(t, n) \
	for (int t = (int)get_group_id(0); t < (int)(n); t += (int)get_num_groups(0))
#endif

#if CG_CPU
/* the same for rows, neighbours for a work-item */
#define CG_NEAR_ROWS(r, n) \
	for (int r##_per = ((n) + (int)get_global_size(0) - 1) / (int)get_global_size(0), \
		 r = (int)get_global_id(0) * r##_per, r##_end = min((int)(n), r + r##_per); \
		r < r##_end; r++)
#endif

/* for each of n rows of a matrix: cg__range_rows; inside it CG_FOR or CG_MAP run along the row */
#define CG_ROW(r, n) for (int r = (int)get_global_id(1); r < (int)(n); r += (int)get_global_size(1))

#define UNROLL _Pragma("unroll")

#if !CG_CPU
/* Sum and maximum over the items of a one-dimensional work-group of 2^k items, for all of them, in a
 * fixed order; `part` holds a float an item. */
static inline float cg_group_sum(__local float *part, float v)
{
	const int l = (int)get_local_id(0);

	barrier(CLK_LOCAL_MEM_FENCE);
	part[l] = v;
	for (int step = (int)get_local_size(0) / 2; step > 0; step /= 2) {
		barrier(CLK_LOCAL_MEM_FENCE);
		if (l < step)
			part[l] += part[l + step];
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	return part[0];
}

static inline float cg_group_max(__local float *part, float v)
{
	const int l = (int)get_local_id(0);

	barrier(CLK_LOCAL_MEM_FENCE);
	part[l] = v;
	for (int step = (int)get_local_size(0) / 2; step > 0; step /= 2) {
		barrier(CLK_LOCAL_MEM_FENCE);
		if (l < step)
			part[l] = fmax(part[l], part[l + step]);
	}
	barrier(CLK_LOCAL_MEM_FENCE);
	return part[0];
}
#endif

#include "caches.cl"
#include "exp.cl"
#include "maps.cl"
#include "random.cl"
