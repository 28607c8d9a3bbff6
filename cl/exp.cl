/*
 * cg_exp(x) for scalars and vectors up to x = 88; libm's takes one float at a time on CPUs. With n the integer
 * nearest to x log2 e: 2^n e^r, r = x - n ln 2, e^r = 1 + r + r^2 q(r) with the q of degree 4 that minimises the
 * greatest relative error (3e-9); at most 1.3 units in the last place off, 0 from -87.7 down. A NaN stays one.
 */
#if CG_CPU
/* 1.5 2^23: added to a small float, its lowest bits are the nearest integer */
#define CG_EXP_BODY(T, I, AS_INT, AS_FLOAT) \
	const T above = x < -104.0f ? (T)(-104.0f) : x, c = above > 88.37f ? (T)(88.37f) : above; \
	const T m = c * 1.44269504088896341f + 12582912.0f, n = m - 12582912.0f; \
	const T r = c - n * 0.693359375f + n * 2.12194440e-4f; \
	T p = r * 1.3814539e-3f + 8.3687454e-3f; \
	p = p * r + 4.1668389e-2f; \
	p = p * r + 1.6666521e-1f; \
	p = p * r + 0.5f; \
	p = p * r + 1.0f; \
	p = p * r + 1.0f; \
	return p * AS_FLOAT(max((AS_INT(m) << 23) + 0x3F800000, (I)(0)));

/* cg_power2(x) = 2^x for -250 < x < 127.5, to one unit in the last place; 0 from -127 down. */
#define CG_POWER2_BODY(T, I, AS_INT, AS_FLOAT) \
	const T m = x + 12582912.0f, r = x - (m - 12582912.0f); \
	T p = r * 1.5353362e-4f + 1.3398875e-3f; \
	p = p * r + 9.6184369e-3f; \
	p = p * r + 5.5503324e-2f; \
	p = p * r + 2.4022648e-1f; \
	p = p * r + 6.9314718e-1f; \
	p = p * r + 1.0f; \
	return p * AS_FLOAT(max((AS_INT(m) << 23) + 0x3F800000, (I)(0)));

static inline __attribute__((overloadable)) float cg_power2(float x)
{
	CG_POWER2_BODY(float, int, as_int, as_float)
}

static inline __attribute__((overloadable)) vfloat cg_power2(vfloat x)
{
	CG_POWER2_BODY(vfloat, vint, AS_VINT, AS_VFLOAT)
}

static inline __attribute__((overloadable)) float cg_exp(float x)
{
	CG_EXP_BODY(float, int, as_int, as_float)
}

static inline __attribute__((overloadable)) vfloat cg_exp(vfloat x)
{
	CG_EXP_BODY(vfloat, vint, AS_VINT, AS_VFLOAT)
}
#else
#define cg_exp exp
#define cg_power2 exp2
#endif
