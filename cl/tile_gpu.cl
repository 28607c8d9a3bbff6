/*
 * What matrix products in the GPU style share. A work-group of 16 x 16 items computes a BM x BN tile of the result, BK
 * terms at a time from two tiles in local memory; an item has TM x TN results, ITEMS_M rows and ITEMS_N columns apart.
 * -D: BM, BN, BK, TM, TN.
 */
#ifndef BM
#define BM 64
#define BN 64
#define BK 16
#define TM 4
#define TN 4
#endif
#define ITEMS_M (BM / TM)
#define ITEMS_N (BN / TN)
#define ITEMS (ITEMS_M * ITEMS_N)
/* A tile's rows are so much longer than needed: 32 items that write 16 k of 2 rows then hit 32 banks, as do those that
 * write along a row. */
#define PAD 2

/* acc += As' Bs */
static inline void multiply(__local const float (*As)[BM + PAD], __local const float (*Bs)[BN + PAD], int tm, int tn,
			    float acc[TM][TN])
{
	for (int k = 0; k < BK; k++) {
		float a[TM], b[TN];

		for (int i = 0; i < TM; i++)
			a[i] = As[k][tm + i * ITEMS_M];
		for (int j = 0; j < TN; j++)
			b[j] = Bs[k][tn + j * ITEMS_N];
		for (int i = 0; i < TM; i++)
			for (int j = 0; j < TN; j++)
				acc[i][j] = mad(a[i], b[j], acc[i][j]);
	}
}

static inline float epilogue(float v, __global const float *bias, int column, int act)
{
	typedef float T;

	if (bias)
		v += bias[column];
	if (act == 1)
		v = v < 0.0f ? 0.0f : v; /* NaN stays */
	else if (act == 2) {
		float e;

		CG_GELU_CDF(e, v)
		v *= e;
	} else if (act == 3) {
		float e;

		CG_GELU_TANH_CDF(e, v)
		v *= e;
	}
	return v;
}
