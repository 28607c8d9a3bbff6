/*
 * What the device can do at best: multiply-adds between registers, and y = a + s b over arrays.
 *
 * Twelve independent chains of float16: more than latency times throughput of any CPU's units. Written as
 * x * a + b, which compilers contract: the function fma() of PoCL 3.1 takes vectors of 16 apart into halves, and
 * reaches half the speed.
 */
#define STEP(x) x = x * a + b;

__kernel void fma_peak(__global float *out, float a, float b, int n)
{
	float16 x0 = (float)get_global_id(0), x1 = x0 + 1, x2 = x0 + 2, x3 = x0 + 3;
	float16 x4 = x0 + 4, x5 = x0 + 5, x6 = x0 + 6, x7 = x0 + 7;
	float16 x8 = x0 + 8, x9 = x0 + 9, x10 = x0 + 10, x11 = x0 + 11;

	for (int i = 0; i < n; i++) {
		STEP(x0) STEP(x1) STEP(x2) STEP(x3) STEP(x4) STEP(x5)
		STEP(x6) STEP(x7) STEP(x8) STEP(x9) STEP(x10) STEP(x11)
	}
	x0 += x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11;
	float8 y = x0.lo + x0.hi;
	float4 z = y.lo + y.hi;
	out[get_global_id(0)] = z.x + z.y + z.z + z.w;
}

/* n vectors: a stretch of them a work-item on CPUs, one after the other across work-items elsewhere. */
__kernel void triad(__global float16 *y, __global const float16 *a, __global const float16 *b, float s,
	int n)
{
	int size = (int)get_global_size(0);
#if CG_CPU
	int piece = (n + size - 1) / size, i = (int)get_global_id(0) * piece;
	int end = min(n, i + piece), step = 1;
#else
	int i = (int)get_global_id(0), end = n, step = size;
#endif

	for (; i < end; i += step)
		y[i] = a[i] + s * b[i];
}
