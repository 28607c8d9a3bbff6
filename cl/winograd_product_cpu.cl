/*
 * Products of tiles and filters; a part of winograd_cpu.cl, which includes this once for each place
 * where these can be (TILES, FILTERS).
 */

/* o[i][:] (+)= sum over k < n of v[i·ldv + k] u[k·NR][:], i < MR; brings 64·n bytes nearer. */
__attribute__((noinline)) static void OVER product(const TILES float *v, int ldv,
	const FILTERS float *u, int n, __local float *o, int add, __global const float *next)
{
	vfloat t[MR][NV];

	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			t[i][j] = 0.f;
	_Pragma("unroll 4")
	for (int k = 0; k < n; k++) {
		vfloat b[NV];

		FETCH(next + k * 16);
		UNROLL for (int j = 0; j < NV; j++)
			b[j] = VLOAD(0, u + k * NR + j * CG_VW);
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] = multiply_add(v[i * ldv + k], b[j], t[i][j]);
	}
	if (add)
		UNROLL for (int i = 0; i < MR; i++)
			UNROLL for (int j = 0; j < NV; j++)
				t[i][j] += VLOAD(0, o + i * NR + j * CG_VW);
	UNROLL for (int i = 0; i < MR; i++)
		UNROLL for (int j = 0; j < NV; j++)
			VSTORE(t[i][j], 0, o + i * NR + j * CG_VW);
}
