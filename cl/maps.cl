/*
 * Elementwise maps. CG_MAP1(y, n, x, BODY) runs BODY for all n elements with X = x[i] and expects the result in R;
 * CG_MAP2 has X and Y of two inputs. On CPUs BODY sees whole vectors first and single floats for the tail: T is the
 * type, so BODY uses only what OpenCL defines for both.
 */
#define CG_VECTOR_STEP(out, ...) \
	{ \
		typedef vfloat T; \
		T R; \
		__VA_ARGS__ \
		VSTORE(R, 0, (out) + i); \
	}
#define CG_SCALAR_STEP(out, ...) \
	{ \
		typedef float T; \
		T R; \
		__VA_ARGS__ \
		(out)[i] = R; \
	}
#if CG_CPU
#define CG_LOOP(n, VECTOR, SCALAR) \
	int i = (int)get_global_id(0) * CG_PIECE(n); \
	const int end = min((int)(n), i + CG_PIECE(n)); \
	for (; i + CG_VW <= end; i += CG_VW) \
		VECTOR \
	for (; i < end; i++) \
		SCALAR
#else
#define CG_LOOP(n, VECTOR, SCALAR) \
	for (int i = (int)get_global_id(0); i < (int)(n); i += (int)get_global_size(0)) \
		SCALAR
#endif
#define CG_MAP1(y, n, x, ...) \
	CG_LOOP(n, CG_VECTOR_STEP(y, T X = VLOAD(0, (x) + i); __VA_ARGS__), \
		CG_SCALAR_STEP(y, T X = (x)[i]; __VA_ARGS__))
#define CG_MAP2(y, n, x0, x1, ...) \
	CG_LOOP(n, CG_VECTOR_STEP(y, T X = VLOAD(0, (x0) + i); T Y = VLOAD(0, (x1) + i); __VA_ARGS__), \
		CG_SCALAR_STEP(y, T X = (x0)[i]; T Y = (x1)[i]; __VA_ARGS__))

/* erf and tanh as rational functions, for scalars and vectors (libm's take one float at a time on CPUs); a few units
 * in the last place of 1. U is a name for the squared, clamped argument. */
#define CG_HORNER(U, a, b) ((a) * (U) + (b))
#define CG_ERF(result, x) \
	{ \
		T c_ = clamp((x), (T)(-4.0f), (T)(4.0f)), U_ = c_ * c_; \
		T p_ = CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, \
			(T)(-2.72614225801306e-10f), 2.77068142495902e-08f), -2.10102402082508e-06f), \
			-5.69250639462346e-05f), -7.34990630326855e-04f), -2.95459980854025e-03f), \
			-1.60960333262415e-02f); \
		T q_ = CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, CG_HORNER(U_, (T)(-1.45660718464996e-05f), \
			-2.13374055278905e-04f), -1.68282697438203e-03f), -7.37332916720468e-03f), \
			-1.42647390514189e-02f); \
		result = c_ * p_ / q_; \
	}
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
