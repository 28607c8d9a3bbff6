/*
 * Attention on GPUs (lib/op/attention.c has the formulas). A work-group of 16 x Y items has a tile
 * of 4 Y rows, four consecutive ones an item, and walks over tiles of 16 RK columns, of which an
 * item has every 16th: of the scores, and likewise of a head's width. Tiles lie in local memory,
 * their rows one element longer than needed, so that items side by side meet different banks.
 */
#define X 16
#define ROWS (4 * Y)
#define COLS (X * RK)
#define LD (DH + 1)
#define WD (COLS + 1)
#define DN ((DH + X - 1) / X)
#define SHAPE __attribute__((reqd_work_group_size(X, Y, 1)))
/* At once: an optimiser that finds a function only ever called with one local array may put that in
 * place of the argument, and PoCL 3.1 then shares the array among its threads. */
#define INLINE __attribute__((always_inline)) static

/* tile [n][LD] = scale in, whose rows are `stride` apart; rows from `limit` on are zero */
INLINE void load_tile(
	__local float *tile, __global const float *in, int stride, int n, int limit, float scale)
{
	for (int e = (int)(get_local_id(1) * X + get_local_id(0)); e < n * DH; e += X * Y) {
		const int r = e / DH, d = e - r * DH;

		tile[r * LD + d] = r < limit ? in[(size_t)r * stride + d] * scale : 0;
	}
}

/* s = a b' for this item's rows of a and columns: rows of b */
INLINE void multiply_rows(float s[4][RK], __local const float *a, __local const float *b)
{
	__local const float *ar = a + get_local_id(1) * 4 * LD, *bc = b + get_local_id(0) * LD;

	UNROLL for (int r = 0; r < 4; r++)
		UNROLL for (int c = 0; c < RK; c++)
			s[r][c] = 0;
	for (int d = 0; d < DH; d++) {
		float v[RK];

		UNROLL for (int c = 0; c < RK; c++)
			v[c] = bc[c * X * LD + d];
		UNROLL for (int r = 0; r < 4; r++)
			UNROLL for (int c = 0; c < RK; c++)
				s[r][c] += ar[r * LD + d] * v[c];
	}
}

/* o += w b for this item's rows of w [ROWS,COLS] and columns of b [COLS,DH] */
INLINE void add_product(float o[4][DN], __local const float *w, __local const float *b)
{
	__local const float *wr = w + get_local_id(1) * 4 * WD;

	for (int j = 0; j < COLS; j++)
		UNROLL for (int n = 0; n < DN; n++) {
			const float v = b[j * LD + min((int)get_local_id(0) + n * X, DH - 1)];

			UNROLL for (int r = 0; r < 4; r++)
				o[r][n] += wr[r * WD + j] * v;
		}
}

/* rows of `out`, `stride` apart, from this item's part */
INLINE void store_part(
	float o[4][DN], __global float *out, int stride, int limit, const float scale[4])
{
	UNROLL for (int r = 0; r < 4; r++) {
		const int row = (int)get_local_id(1) * 4 + r;

		UNROLL for (int n = 0; n < DN; n++) {
			const int d = (int)get_local_id(0) + n * X;

			if (row < limit && d < DH)
				out[(size_t)row * stride + d] = o[r][n] * scale[r];
		}
	}
}

/* The sum or maximum of v[r] over the items that share a row, for all of them. */
INLINE void reduce_rows(__local float *part, float v[4], bool maximum)
{
	__local float *row = part + get_local_id(1) * 4 * (X + 1);

	UNROLL for (int r = 0; r < 4; r++)
		row[r * (X + 1) + get_local_id(0)] = v[r];
	barrier(CLK_LOCAL_MEM_FENCE);
	UNROLL for (int r = 0; r < 4; r++) {
		v[r] = row[r * (X + 1)];
		for (int i = 1; i < X; i++)
			v[r] = maximum ? fmax(v[r], row[r * (X + 1) + i])
				       : v[r] + row[r * (X + 1) + i];
	}
	barrier(CLK_LOCAL_MEM_FENCE);
}

/* Whether the probability of key j for query i is kept: word i mod 4 of a draw for four queries. */
static bool is_kept(__global const uint *rng, uint key, uint kept, int head, int T, int i, int j)
{
#if DROPOUT
	const uint4 r = cg_philox(
		rng, key, ((uint)head * ((T + 3) / 4) + i / 4) * ((T + 15) / 16 * 16) + j);

	return (i & 2 ? (i & 1 ? r.w : r.z) : (i & 1 ? r.y : r.x)) < kept;
#else
	return true;
#endif
}

#if !GRAD /* one of the two: tiles that fit one do not fit the other's local memory */
/* Groups: tiles of queries, in each head. scale: of the scores, times log2 e. lse null: not wanted.
 * */
SHAPE __kernel void attention(__global const float *restrict qkv, __global const uint *restrict rng,
	__global float *restrict y, __global float *restrict lse, int heads, int T, int N,
	int parts, float scale, int key, uint kept, float keep)
{
	__local float q[ROWS * LD], kv[COLS * LD], p[ROWS * WD], part[ROWS * (X + 1)];
	const int lane = (int)get_local_id(0), first = (int)get_local_id(1) * 4, D = N * DH;
	const int head = (int)get_group_id(0) / parts, b = head / N,
		  q0 = ((int)get_group_id(0) - head * parts) * ROWS;
	__global const float *in = qkv + (size_t)b * T * 3 * D + (head - b * N) * DH;
	float o[4][DN], highest[4], total[4], scales[4];

	UNROLL for (int r = 0; r < 4; r++) {
		highest[r] = -INFINITY;
		total[r] = 0;
		UNROLL for (int n = 0; n < DN; n++)
			o[r][n] = 0;
	}
	load_tile(q, in + (size_t)q0 * 3 * D, 3 * D, ROWS, T - q0, scale);
	for (int k0 = 0; k0 < T; k0 += COLS) {
		float s[4][RK], top[4], sum[4];

		load_tile(kv, in + (size_t)k0 * 3 * D + D, 3 * D, COLS, T - k0, 1);
		barrier(CLK_LOCAL_MEM_FENCE);
		multiply_rows(s, q, kv);
		UNROLL for (int r = 0; r < 4; r++) {
			top[r] = -INFINITY;
			UNROLL for (int c = 0; c < RK; c++) {
				s[r][c] = k0 + lane + c * X < T ? s[r][c] : -INFINITY;
				top[r] = fmax(top[r], s[r][c]);
			}
		}
		reduce_rows(part, top, true);
		load_tile(kv, in + (size_t)k0 * 3 * D + 2 * D, 3 * D, COLS, T - k0, 1);
		UNROLL for (int r = 0; r < 4; r++) {
			top[r] = fmax(top[r], highest[r]);
			sum[r] = 0;
			UNROLL for (int c = 0; c < RK; c++) {
				const int j = lane + c * X;
				const float e = exp2(s[r][c] - top[r]);

				sum[r] += e;
				p[(first + r) * WD + j] = is_kept(rng, (uint)key, kept, head, T,
								  q0 + first + r, k0 + j)
					? e
					: 0;
			}
		}
		reduce_rows(part, sum, false);
		UNROLL for (int r = 0; r < 4; r++) {
			const float fade = exp2(highest[r] - top[r]);

			highest[r] = top[r];
			total[r] = total[r] * fade + sum[r];
			UNROLL for (int n = 0; n < DN; n++)
				o[r][n] *= fade;
		}
		add_product(o, p, kv);
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	UNROLL for (int r = 0; r < 4; r++) {
		scales[r] = keep / total[r];
		if (lse && lane == 0 && q0 + first + r < T)
			lse[(size_t)head * T + q0 + first + r] = highest[r] + log2(total[r]);
	}
	store_part(o, y + ((size_t)b * T + q0) * D + (head - b * N) * DH, D, T - q0, scales);
}

#else
/* delta [B,N,T] = sum over a head's width of y dy */
__kernel void attention_delta(__global const float *restrict y, __global const float *restrict dy,
	__global float *restrict delta, int count, int T, int N)
{
	CG_FOR(i, count) {
		const int head = i / T, b = head / N;
		const size_t at = ((size_t)b * T + (i - head * T)) * N * DH + (head - b * N) * DH;
		float sum = 0;

		for (int d = 0; d < DH; d++)
			sum += y[at + d] * dy[at + d];
		delta[i] = sum;
	}
}

/*
 * The gradient of a tile of rows of one head: queries (dq = ds k) or keys (dk = ds' q, dv = p' dy).
 * `a` and `b` are q and dy of the rows and k and v of the columns, or the other way round.
 */
SHAPE __kernel void attention_grad(__global const float *restrict qkv,
	__global const uint *restrict rng, __global const float *restrict dy,
	__global const float *restrict lse, __global const float *restrict delta,
	__global float *restrict dqkv, int heads, int T, int N, int parts, float scale, int key,
	uint kept, float keep)
{
	__local float a[ROWS * LD], b[ROWS * LD], ac[COLS * LD], bc[COLS * LD], ds[ROWS * WD],
		p[ROWS * WD];
	const int lane = (int)get_local_id(0), first = (int)get_local_id(1) * 4, D = N * DH;
	const bool by_key = get_group_id(1) > 0;
	const int head = (int)get_group_id(0) / parts,
		  r0 = ((int)get_group_id(0) - head * parts) * ROWS;
	const int sample = head / N, h = head - sample * N, near = by_key ? D : 0, far = D - near;
	__global const float *in = qkv + (size_t)sample * T * 3 * D + h * DH,
			     *g = dy + (size_t)sample * T * D + h * DH;
	__global float *out = dqkv + (size_t)sample * T * 3 * D + h * DH;
	float da[4][DN], db[4][DN], sa[4], sb[4];

	UNROLL for (int r = 0; r < 4; r++) {
		sa[r] = scale;
		sb[r] = 1;
		UNROLL for (int n = 0; n < DN; n++)
			da[r][n] = db[r][n] = 0;
	}
	load_tile(a, in + (size_t)r0 * 3 * D + near, 3 * D, ROWS, T - r0, 1);
	load_tile(b, by_key ? in + (size_t)r0 * 3 * D + 2 * D : g + (size_t)r0 * D,
		by_key ? 3 * D : D, ROWS, T - r0, 1);
	for (int c0 = 0; c0 < T; c0 += COLS) {
		float s[4][RK], dp[4][RK];

		load_tile(ac, in + (size_t)c0 * 3 * D + far, 3 * D, COLS, T - c0, 1);
		load_tile(bc, by_key ? g + (size_t)c0 * D : in + (size_t)c0 * 3 * D + 2 * D,
			by_key ? D : 3 * D, COLS, T - c0, 1);
		barrier(CLK_LOCAL_MEM_FENCE);
		multiply_rows(s, a, ac);
		multiply_rows(dp, b, bc);
		UNROLL for (int r = 0; r < 4; r++)
			UNROLL for (int c = 0; c < RK; c++) {
				const int row = r0 + first + r, col = c0 + lane + c * X;
				const int i = by_key ? col : row, j = by_key ? row : col;
				const bool real = i < T && j < T;
				const size_t at = (size_t)head * T + min(i, T - 1);
				const float e =
					real ? exp2(s[r][c] * scale * M_LOG2E_F - lse[at]) : 0;
				const float mask =
					is_kept(rng, (uint)key, kept, head, T, i, j) ? keep : 0;

				ds[(first + r) * WD + lane + c * X] =
					e * (dp[r][c] * mask - delta[at]);
				p[(first + r) * WD + lane + c * X] = e * mask;
			}
		barrier(CLK_LOCAL_MEM_FENCE);
		add_product(da, ds, ac);
		if (by_key)
			add_product(db, p, bc);
		barrier(CLK_LOCAL_MEM_FENCE);
	}
	store_part(da, out + (size_t)r0 * 3 * D + near, 3 * D, T - r0, sa);
	if (by_key)
		store_part(db, out + (size_t)r0 * 3 * D + 2 * D, 3 * D, T - r0, sb);
}
#endif
