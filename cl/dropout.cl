/*
 * Dropout: y = x scale where kept, else 0. Nothing is stored: the backward pass draws the same
 * mask again from the same key. y may be x.
 *
 * A draw has 16 bits. Those below `kept` keep, given as bound = kept 2^16: a word's upper half
 * does if word < bound, its lower half if word << 16 < bound.
 *
 * A block of 128 elements has 16 Philox counters; counter 16 q + l gives four words, word k for
 * elements 128 q + 32 k + l (lower half) and 16 further on (upper half), so that a vector of 16
 * counters makes eight vectors of neighbours.
 */
#define BLOCK 128

/* draw k of 8 for comparing with bound */
#define DRAW(word, k) ((k) % 2 ? (word)[(k) / 2] : (word)[(k) / 2] << 16)

#if CG_CPU
typedef float16 __attribute__((aligned(4))) anywhere;

CG_SINGLE __kernel void dropout(__global const float *x, __global const uint *rng,
	__global float *y, int n, int key, uint bound, float scale)
{
	const uint4 seed = vload4(0, rng);

	CG_FOR(q, (n + BLOCK - 1) / BLOCK) {
		const int start = q * BLOCK;
		uint16 word[4];

		cg_philox16(seed, (uint)key, (uint)q * 16, word);
		if (start + BLOCK <= n) {
			UNROLL for (int k = 0; k < 8; k++) {
				const int at = start + 16 * k;
				const float16 v = *(__global const anywhere *)(x + at) * scale;

				CG_READS(x + at);
				CG_WRITES(y + at);
				*(__global anywhere *)(y + at) =
					select((float16)0, v, as_int16(DRAW(word, k) < bound));
			}
		} else {
			uint draw[BLOCK];

			for (int k = 0; k < 8; k++)
				vstore16(DRAW(word, k), k, draw);
			for (int i = start; i < n; i++)
				y[i] = draw[i - start] < bound ? x[i] * scale : 0;
		}
	}
}
#else
CG_SINGLE __kernel void dropout(__global const float *x, __global const uint *rng,
	__global float *y, int n, int key, uint bound, float scale)
{
	CG_FOR(counter, (n + BLOCK - 1) / BLOCK * 16) {
		const uint4 r = cg_philox(rng, (uint)key, (uint)counter);
		const uint word[4] = { r.x, r.y, r.z, r.w };
		const int start = counter / 16 * BLOCK + counter % 16;

		for (int k = 0; k < 8; k++) {
			const int i = start + 16 * k;

			if (i < n)
				y[i] = DRAW(word, k) < bound ? x[i] * scale : 0;
		}
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
