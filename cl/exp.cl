/*
 * cg_exp(x) for scalars and vectors up to x = 88; libm's takes one float at a time on CPUs. With n the integer
 * nearest to x log2 e: 2^n p(x - n ln 2), p of degree 7 as in Cephes' expf; at most 2 units in the last place off,
 * 0 where the result would be denormal. A NaN stays one.
 */
#if CG_CPU
/* 1.5 2^23: added to a small float, its lowest bits are the nearest integer */
#define CG_EXP_BODY(T, AS_INT, AS_FLOAT) \
	const T c = clamp(x, (T)(-87.3365f), (T)(88.7f)), m = c * 1.44269504088896341f + 12582912.0f; \
	const T n = m - 12582912.0f; \
	const T r = c - n * 0.693359375f + n * 2.12194440e-4f; \
	T p = r * 1.9875691500e-4f + 1.3981999507e-3f; \
	p = p * r + 8.3334519073e-3f; \
	p = p * r + 4.1665795894e-2f; \
	p = p * r + 1.6666665459e-1f; \
	p = p * r + 5.0000001201e-1f; \
	p = p * r * r + r + 1.0f; \
	p = AS_FLOAT(AS_INT(p) + (AS_INT(m) << 23)); \
	p = select(p, (T)(0.0f), x < -87.3365f); \
	return select(p, x, x != x);

static inline __attribute__((overloadable)) float cg_exp(float x)
{
	CG_EXP_BODY(float, as_int, as_float)
}

static inline __attribute__((overloadable)) vfloat cg_exp(vfloat x)
{
	CG_EXP_BODY(vfloat, AS_VINT, AS_VFLOAT)
}
#else
#define cg_exp exp
#endif
