/* Elementwise arithmetic, broadcasts over leading dimensions and their reductions. */

__kernel CG_SINGLE void fill(__global float *y, float value, int n)
{
	CG_FOR(i, n)
		y[i] = value;
}

/* y = s x[0] */
__kernel CG_SINGLE void spread(__global const float *x, float s, __global float *y, int n)
{
	const float value = s * x[0];

	CG_FOR(i, n)
		y[i] = value;
}

/* Any 4-byte element. */
__kernel CG_SINGLE void copy(__global const float *x, __global float *y, int n)
{
	CG_MAP1(y, n, x, R = X;)
}

__kernel CG_SINGLE void copy_bytes(__global const uchar *x, __global uchar *y, int n)
{
	CG_FOR(i, n)
		y[i] = x[i];
}

__kernel CG_SINGLE void add(__global const float *a, __global const float *b, __global float *y, int n)
{
	CG_MAP2(y, n, a, b, R = X + Y;)
}

__kernel CG_SINGLE void mul(__global const float *a, __global const float *b, __global float *y, int n)
{
	CG_MAP2(y, n, a, b, R = X * Y;)
}

__kernel CG_SINGLE void scale(__global const float *x, float s, __global float *y, int n)
{
	CG_MAP1(y, n, x, R = X * s;)
}

/* y[r,j] = x[r,j] + b[j] */
__kernel CG_SINGLE void bias(__global const float *x, __global const float *b, __global float *y, int rows, int n)
{
	CG_ROW(r, rows) {
		__global const float *xr = x + (size_t)r * n;
		__global float *yr = y + (size_t)r * n;

		CG_MAP2_ROW(yr, n, rows, xr, b, R = X + Y;)
	}
}

/*
 * part[c,j] = sum of x[r,j] over the rows r of chunk c. CPU: a task is a chunk and `wide` columns, a multiple of the
 * vector; eight rows at a time are read side by side and added to what the chunk has.
 */
__kernel CG_SINGLE void sum_rows_part(
	__global const float *x, __global float *part, int rows, int n, int chunks, int wide)
{
	const int per = (rows + chunks - 1) / chunks;

#if CG_CPU
	const int blocks = (n + wide - 1) / wide;

	CG_TASK(t, chunks * blocks) {
		const int c = t / blocks, j0 = t % blocks * wide, j1 = min(n, j0 + wide);
		const int first = c * per, last = min(rows, first + per);
		__global float *sum = part + (size_t)c * n;
		int r = first;

		for (int j = j0; j < j1; j += CG_VW)
			cg_store((vfloat)0, sum + j, n - j);
		for (; r + 8 <= last; r += 8)
			for (int j = j0; j < j1; j += CG_VW) {
				__global const float *p = x + (size_t)r * n + j;
				vfloat v[8];

				for (int i = 0; i < 8; i++)
					v[i] = cg_load(p + (size_t)i * n, n - j);
				v[0] = ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
				cg_store(cg_load(sum + j, n - j) + v[0], sum + j, n - j);
			}
		for (; r < last; r++)
			for (int j = j0; j < j1; j += CG_VW) {
				const vfloat v = cg_load(x + (size_t)r * n + j, n - j);

				cg_store(cg_load(sum + j, n - j) + v, sum + j, n - j);
			}
	}
#else
	for (int c = (int)get_global_id(1); c < chunks; c += (int)get_global_size(1))
		for (int j = (int)get_global_id(0); j < n; j += (int)get_global_size(0)) {
			float s = 0;

			for (int r = c * per; r < min(rows, (c + 1) * per); r++)
				s += x[(size_t)r * n + j];
			part[(size_t)c * n + j] = s;
		}
#endif
}

/* y[j] = sum over c of part[c,j] */
__kernel CG_SINGLE void sum_rows_final(__global const float *part, __global float *y, int chunks, int n)
{
	const int step = (int)get_global_size(0) * CG_LANES;

	for (int j = (int)get_global_id(0) * CG_LANES; j < n; j += step) {
		cg_lanes s = 0;

		for (int c = 0; c < chunks; c++)
			s += cg_load(part + (size_t)c * n + j, n - j);
		cg_store(s, y + j, n - j);
	}
}

/* part[c] = sum of x over chunk c of n elements. */
__kernel
#if CG_CPU
CG_SINGLE
#else
__attribute__((reqd_work_group_size(CG_GROUP, 1, 1)))
#endif
void sum_part(__global const float *x, __global float *part, int n, int chunks)
{
	const int per = ((n + chunks - 1) / chunks + 15) & ~15;
#if CG_CPU
	CG_TASK(c, chunks) {
		int i = c * per;
		const int end = min(n, i + per);
		vfloat v = 0;
		float s = 0;

		for (; i + CG_VW <= end; i += CG_VW)
			v += VLOAD(0, x + i);
		for (; i < end; i++)
			s += x[i];
		float lane[CG_VW];

		VSTORE(v, 0, lane);
		for (int k = 0; k < CG_VW; k++)
			s += lane[k];
		part[c] = s;
	}
#else
	__local float lane[CG_GROUP];
	const int id = (int)get_local_id(0);

	CG_TASK(c, chunks) {
		float s = 0;

		for (int i = c * per + id; i < min(n, (c + 1) * per); i += CG_GROUP)
			s += x[i];
		lane[id] = s;
		barrier(CLK_LOCAL_MEM_FENCE);
		for (int k = CG_GROUP, h = (k + 1) / 2; k > 1; k = h, h = (k + 1) / 2) {
			if (id < k - h)
				lane[id] += lane[id + h];
			barrier(CLK_LOCAL_MEM_FENCE);
		}
		if (id == 0)
			part[c] = lane[0];
		barrier(CLK_LOCAL_MEM_FENCE);
	}
#endif
}

/* y[0] = s * sum of part */
__kernel CG_SINGLE void sum_final(__global const float *part, __global float *y, int chunks, float s)
{
	float sum = 0;

	if (get_global_id(0) == 0) {
		for (int c = 0; c < chunks; c++)
			sum += part[c];
		y[0] = s * sum;
	}
}

/* a += x */
__kernel CG_SINGLE void accumulate(__global float *a, __global const float *x, int n)
{
	CG_MAP2(a, n, a, x, R = X + Y;)
}
