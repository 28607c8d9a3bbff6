/*
 * Dropout: y = x / (1-p) where kept, else 0. Nothing is stored: the backward pass draws the same
 * mask again from the same key. y may be x.
 *
 * A block of 64 elements has 16 Philox counters; counter 16 q + l gives four words, word k for
 * element 64 q + 16 k + l, so that a vector of 16 counters makes four vectors of neighbours.
 */
#define BLOCK 64

#if CG_CPU
/* kept: draws below this, of 2^32 */
CG_SINGLE __kernel void dropout(__global const float *x, __global const uint *rng,
	__global float *y, int n, int key, uint kept, float scale)
{
	CG_FOR(q, (n + BLOCK - 1) / BLOCK) {
		const int start = q * BLOCK;
		uint16 word[4];

		cg_philox16(rng, (uint)key, (uint)q * 16, word);
		if (start + BLOCK <= n) {
			for (int k = 0; k < 4; k++) {
				const float16 v = vload16(0, x + start + 16 * k) * scale;

				vstore16(select((float16)0, v, as_int16(word[k] < kept)), 0,
					y + start + 16 * k);
			}
		} else {
			uint draw[BLOCK];

			for (int k = 0; k < 4; k++)
				vstore16(word[k], k, draw);
			for (int i = start; i < n; i++)
				y[i] = draw[i - start] < kept ? x[i] * scale : 0;
		}
	}
}
#else
CG_SINGLE __kernel void dropout(__global const float *x, __global const uint *rng,
	__global float *y, int n, int key, uint kept, float scale)
{
	CG_FOR(counter, (n + BLOCK - 1) / BLOCK * 16) {
		const uint4 r = cg_philox(rng, (uint)key, (uint)counter);
		const uint draw[4] = { r.x, r.y, r.z, r.w };
		const int start = counter / 16 * BLOCK + counter % 16;

		for (int k = 0; k < 4; k++)
			if (start + 16 * k < n)
				y[start + 16 * k] = draw[k] < kept ? x[start + 16 * k] * scale : 0;
	}
}
#endif

/* One draw for a row: y [rows, n] = x scale where the row is kept, else 0. */
CG_SINGLE __kernel void drop_rows(__global const float *x,
	__global const uint *rng, __global float *y, int rows, int n, int key,
	uint kept, float scale)
{
	CG_ROW(r, rows) {
		const float factor = cg_philox(rng, (uint)key, (uint)r).x < kept ? scale : 0;
		__global const float *in = x + (size_t)r * n;
		__global float *out = y + (size_t)r * n;

		CG_FOR(i, n)
			out[i] = factor != 0 ? in[i] * factor : 0;
	}
}
