/*
 * Elementwise maps. CG_MAP1(y, n, x, BODY) runs BODY for all n elements with X = x[i] and expects the result in R;
 * CG_MAP2 has X and Y of two inputs, CG_MAP2_ROW is for one of `rows` such rows. On CPUs BODY sees whole vectors first and
 * single floats for the tail: T is the type, so BODY uses only what OpenCL defines for both.
 */
#define CG_VECTOR_STEP(out, ...) \
	{ \
		typedef vfloat T; \
		T R; \
		__VA_ARGS__ \
		cg_put(R, (out) + i, CG_VW, cg_is_far(out, all, 16)); \
	}
#define CG_SCALAR_STEP(out, ...) \
	{ \
		typedef float T; \
		T R; \
		__VA_ARGS__ \
		(out)[i] = R; \
	}
#if CG_CPU
#define CG_LOOP(n, rows, VECTOR, SCALAR) \
	const size_t all = (size_t)(n) * (rows); \
	int i = (int)get_global_id(0) * CG_PIECE(n); \
	const int end = min((int)(n), i + CG_PIECE(n)); \
	for (; i + CG_VW <= end; i += CG_VW) \
		VECTOR \
	for (; i < end; i++) \
		SCALAR
#else
#define CG_LOOP(n, rows, VECTOR, SCALAR) \
	for (int i = (int)get_global_id(0); i < (int)(n); i += (int)get_global_size(0)) \
		SCALAR
#endif
#define CG_MAP1(y, n, x, ...) \
	CG_LOOP(n, 1, CG_VECTOR_STEP(y, T X = VLOAD(0, (x) + i); CG_READS((x) + i); __VA_ARGS__), \
		CG_SCALAR_STEP(y, T X = (x)[i]; __VA_ARGS__))
#define CG_MAP2(y, n, x0, x1, ...) CG_MAP2_ROW(y, n, 1, x0, x1, __VA_ARGS__)
#define CG_MAP2_ROW(y, n, rows, x0, x1, ...) \
	CG_LOOP(n, rows, CG_VECTOR_STEP(y, T X = VLOAD(0, (x0) + i); T Y = VLOAD(0, (x1) + i); CG_READS((x0) + i); \
			CG_READS((x1) + i); __VA_ARGS__), \
		CG_SCALAR_STEP(y, T X = (x0)[i]; T Y = (x1)[i]; __VA_ARGS__))
/* Two results, R and S. */
#define CG_TWO_RESULTS(y, z, STORE, ...) \
	{ \
		T R, S; \
		__VA_ARGS__ \
		STORE(R, y) \
		STORE(S, z) \
	}
#define CG_VECTOR_STORE(v, p) \
	cg_put(v, (p) + i, CG_VW, cg_is_far(p, all, 16));
#define CG_SCALAR_STORE(v, p) (p)[i] = v;
#define CG_MAP1_TWO(y, z, n, x, ...) \
	CG_LOOP(n, 1, { typedef vfloat T; T X = VLOAD(0, (x) + i); CG_READS((x) + i); \
			CG_TWO_RESULTS(y, z, CG_VECTOR_STORE, __VA_ARGS__) }, \
		{ typedef float T; T X = (x)[i]; CG_TWO_RESULTS(y, z, CG_SCALAR_STORE, __VA_ARGS__) })

/* tanh as a rational function, for scalars and vectors (libm's takes one float at a time on CPUs); a few units in the
 * last place of 1. U is a name for the squared, clamped argument. */
#define CG_HORNER(U, a, b) ((a) * (U) + (b))
#define CG_TANH(result, x) \
	{ \
		T c_ = clamp((x), (T)(-7.90531110763549805f), (T)(7.90531110763549805f)), U_ = c_ * c_; \
		T p_ = CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, \
			(T)(-2.76076847742355e-16f), 2.00018790482477e-13f), -8.60467152213735e-11f), \
			5.12229709037114e-08f), 1.48572235717979e-05f), 6.37261928875436e-04f), 4.89352455891786e-03f); \
		T q_ = CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, (T)(1.19825839466702e-06f), 1.18534705686654e-04f), \
			2.26843463243900e-03f), 4.89352518554385e-03f); \
		result = c_ * p_ / q_; \
	}

/* GELU is x times this, Phi(x), or its approximation by tanh; and its derivative, given that. (Phi(x) - 1/2) / x is a
 * polynomial of x^2 to |x| = 5.6, from where on Phi is 0 or 1 to float32; 1.4e-7. A division takes as long as 30
 * multiply-adds. */
#define CG_GELU_CDF(result, x) \
	{ \
		T c_ = clamp((x), (T)(-5.6f), (T)(5.6f)), U_ = c_ * c_ * 0.0637755102f - 1.0f; \
		T p_ = CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, \
			(T)(7.317090058e-4f), -1.805890817e-3f), 1.162363682e-3f), -1.192349242e-3f), 4.879068583e-3f), \
			-8.747430518e-3f), 1.126430090e-2f), -1.529011410e-2f); \
		p_ = CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, \
			p_, 2.085362189e-2f), -2.640322968e-2f), 3.198302910e-2f), -3.833762556e-2f), \
			4.698015377e-2f), -6.305148453e-2f), 1.262595952e-1f); \
		result = (x) <= -5.6f ? (T)(0.0f) : (x) >= 5.6f ? (T)(1.0f) : c_ * p_ + 0.5f; \
	}
/* Both at once, to 1.5e-7: Phi(-c) = e^(-c^2/2) r(c), r a polynomial of degree 10 with the least greatest error of
 * Phi(-c) up to c = 5.6; further on, next to nothing is left of the power. */
#define CG_GELU_BOTH(cdf, slope, x) \
	{ \
		const T abs_ = fabs(x), c_ = abs_ > 16.0f ? (T)(16.0f) : abs_; \
		const T e_ = cg_power2(c_ * c_ * -0.72134752f); \
		T r_ = CG_HORNER(c_, CG_HORNER(c_, CG_HORNER(c_, CG_HORNER(c_, CG_HORNER(c_, (T)(1.631680500e-6f), \
			-3.520765608e-5f), 3.397378417e-4f), -1.974626562e-3f), 7.939393238e-3f), -2.431394198e-2f); \
		r_ = CG_HORNER(c_, CG_HORNER(c_, CG_HORNER(c_, CG_HORNER(c_, CG_HORNER(c_, r_, 6.115490582e-2f), \
			-1.325138141e-1f), 2.499167998e-1f), -3.989365159e-1f), 4.9999993e-1f); \
		const T tail_ = r_ * e_, part_ = tail_ - c_ * (e_ * 0.39894228f); \
		cdf = (x) < 0.0f ? tail_ : 1.0f - tail_; \
		slope = (x) < 0.0f ? part_ : 1.0f - part_; \
	}
#define CG_GELU_TANH_CDF(result, x) \
	{ \
		CG_TANH(result, 0.79788456080286536f * (x) * (1.0f + 0.044715f * (x) * (x))) \
		result = 0.5f * (1.0f + result); \
	}
#define CG_GELU_TANH_SLOPE(x, cdf) \
	((cdf) + 2.0f * (x) * (cdf) * (1.0f - (cdf)) * 0.79788456080286536f * (1.0f + 0.134145f * (x) * (x)))
