/*
 * Attention on CPU devices (lib/op/attention.c has the formulas). A task is one head, in the
 * forward pass a part of its queries. Blocks of QB queries and KB keys are copied into private
 * memory, and everything is products of small matrices there (attention_tile_cpu.cl). What lies
 * behind the head's width, the last key or the last query is zero or not used.
 */
#include "attention_tile_cpu.cl"

#define QR (QB + 12) /* rows of queries and keys in memory: a tile has up to 12 */
#define KR (KB + 12)

/* ---- rows of scores ---------------------------------------------------------------------- */

/* 2^x for x <= 127, at least 2^-126. A polynomial for the fraction, -1/2..1/2: 2e-9. */
static inline vfloat power2(vfloat x)
{
	x = x < -126 ? (vfloat)-126 : x; /* NaN stays */
	const vfloat t = x + 0x1.8p23f, f = x - (t - 0x1.8p23f); /* t's last bits: the whole part */
	vfloat p = 1.535336188e-4f;

	p = p * f + 1.339887441e-3f;
	p = p * f + 9.618437358e-3f;
	p = p * f + 5.550332471e-2f;
	p = p * f + 2.402264791e-1f;
	p = p * f + 6.931472029e-1f;
	p = p * f + 1;
	return AS_VFLOAT(AS_VINT(p) + (AS_VINT(t) << 23));
}

/* The four lanes that are left when a vector is folded in halves. */
#if CG_VW == 16
#define VUINT uint16
#define FOLD(v, OP) OP(OP((v).s0123, (v).s4567), OP((v).s89ab, (v).scdef))
#define LANE (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#elif CG_VW == 8
#define VUINT uint8
#define FOLD(v, OP) OP((v).lo, (v).hi)
#define LANE (int8)(0, 1, 2, 3, 4, 5, 6, 7)
#else
#define VUINT uint4
#define FOLD(v, OP) (v)
#define LANE (int4)(0, 1, 2, 3)
#endif
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define PLUS(a, b) ((a) + (b))

static inline float lanes_max(vfloat v)
{
	const float4 u = FOLD(v, LARGER);
	const float2 w = LARGER(u.lo, u.hi);

	return LARGER(w.x, w.y);
}

static inline float lanes_sum(vfloat v)
{
	const float4 u = FOLD(v, PLUS);

	return (u.x + u.y) + (u.z + u.w);
}

/* Scores s [nq,KB] of a block of nk keys -> powers of 2 of their distance to the row's highest so
 * far; `total` sums them, o and total are brought to the new highest. */
APART void soften(vfloat *s, vfloat *o, float *highest, float *total, int nq, int nk, bool first)
{
	for (int i = 0; i < nq; i++, s += KV, o += WV) {
		vfloat top = -INFINITY, sum = 0;
		float m, fade;

		for (int n = nk / CG_VW; n < KV; n++)
			s[n] = LANE + n * CG_VW < nk ? s[n] : (vfloat)-INFINITY;
		for (int n = 0; n < KV; n++)
			top = LARGER(top, s[n]);
		m = lanes_max(top);
		if (!first) {
			m = LARGER(m, highest[i]);
			fade = exp2(highest[i] - m);
			total[i] *= fade;
			for (int n = 0; n < WV; n++)
				o[n] *= fade;
		}
		for (int n = 0; n < KV; n++) {
			s[n] = power2(s[n] - m);
			sum += s[n];
		}
		highest[i] = m;
		total[i] = (first ? 0 : total[i]) + lanes_sum(sum);
	}
}

/* Dropout's draws for keys k..k+15 of four queries from q on, q a multiple of 4: one word each. */
static inline void draw(
	__global const uint *rng, uint key, int head, int T, int q, int k, uint16 word[4])
{
	cg_philox16(vload4(0, rng), key,
		((uint)head * ((T + 3) / 4) + q / 4) * ((T + 15) / 16 * 16) + k, word);
}

/* v where the n-th vector of draws is below `kept`, else 0 */
static inline vfloat keep_drawn(vfloat v, const uint16 *word, int n, uint kept)
{
	return AS_VFLOAT(AS_VINT(v) & AS_VINT(((const VUINT *)word)[n] < (VUINT)kept));
}

/* Zeroes what is dropped of p [nq,KB]: queries from q, keys from k on. */
APART void drop(vfloat *p, __global const uint *rng, uint key, uint kept, int head, int T, int q,
	int nq, int k, int nk)
{
	for (int i = 0; i < nq; i += 4)
		for (int j = 0; j < nk; j += 16) {
			uint16 word[4];

			draw(rng, key, head, T, q + i, k + j, word);
			UNROLL for (int r = 0; r < 4; r++) {
				vfloat *at = p + (i + r) * KV + j / CG_VW;

				UNROLL for (int n = 0; n < 16 / CG_VW; n++)
					at[n] = keep_drawn(at[n], &word[r], n, kept);
			}
		}
}

/* ---- kernels ------------------------------------------------------------------------- */

/* Each head's queries in `parts` parts. scale: of the scores, times log2 e. lse null: unwanted. */
CG_SINGLE __kernel void attention(__global const float *restrict qkv,
	__global const uint *restrict rng, __global float *restrict y, __global float *restrict lse,
	int heads, int T, int N, int parts, float scale, int key, uint kept, float keep)
{
	vfloat kt[DH * KV], v[KB * WV], q[QR * WV], p[QR * KV], o[QR * WV];
	float highest[QB], total[QB];
	const int D = N * DH, share = ((T + parts - 1) / parts + QB - 1) / QB * QB;

	for (int i = 0; i < QR * WV; i++)
		q[i] = o[i] = 0;
	for (int i = 0; i < QR * KV; i++)
		p[i] = 0;
	CG_TASK(t, heads * parts) {
		const int head = t / parts, b = head / N, from = (t - head * parts) * share;
		__global const float *in = qkv + (size_t)b * T * 3 * D + (head - b * N) * DH;
		__global float *out = y + (size_t)b * T * D + (head - b * N) * DH;
		int held = -1;

		for (int q0 = from; q0 < min(T, from + share); q0 += QB) {
			const int nq = min(QB, T - q0);

			load_rows(q, in + (size_t)q0 * 3 * D, 3 * D, nq, scale);
			for (int k0 = 0; k0 < T; k0 += KB) {
				const int nk = min(KB, T - k0);

				if (held != k0) {
					load_columns(kt, in + (size_t)k0 * 3 * D + D, 3 * D, nk);
					load_rows(v, in + (size_t)k0 * 3 * D + 2 * D, 3 * D, nk, 1);
					held = k0;
				}
				product(KV, p, (const float *)q, DP, 1, kt, nq, DH, false);
				soften(p, o, highest, total, nq, nk, k0 == 0);
				if (DROPOUT)
					drop(p, rng, (uint)key, kept, head, T, q0, nq, k0, nk);
				product(WV, o, (const float *)p, KB, 1, v, nq, nk, k0 > 0);
			}
			for (int i = 0; i < nq; i++) {
				store_row(o + i * WV, out + (size_t)(q0 + i) * D, keep / total[i],
					false);
				if (lse)
					lse[(size_t)head * T + q0 + i] =
						highest[i] + log2(total[i]);
			}
		}
	}
}

/* p, ds [nq,KB]: from scores and dp to probabilities, dropped and scaled, and dscores. */
APART void soften_grad(vfloat *p, vfloat *ds, const float *lse, const float *delta,
	__global const uint *rng, uint key, uint kept, float keep, int head, int T, int q, int nq,
	int k, int nk)
{
	if (!DROPOUT) {
		for (int i = 0; i < nq; i++)
			for (int n = 0; n < KV; n++) {
				const vfloat e = power2(p[i * KV + n] - lse[i]);

				p[i * KV + n] = e;
				ds[i * KV + n] = e * (ds[i * KV + n] - delta[i]);
			}
		return;
	}
	for (int i = 0; i < nq; i++)
		for (int n = 0; n < KV; n++)
			p[i * KV + n] = power2(p[i * KV + n] - lse[i]);
	for (int i = 0; i < nq; i += 4)
		for (int j = 0; j < nk; j += 16) {
			uint16 word[4];

			draw(rng, key, head, T, q + i, k + j, word);
			UNROLL for (int r = 0; r < 4; r++) {
				const int at = (i + r) * KV + j / CG_VW;

				UNROLL for (int n = 0; n < 16 / CG_VW; n++) {
					const vfloat e = p[at + n],
						     mask = keep_drawn(keep, &word[r], n, kept);

					ds[at + n] = e * (ds[at + n] * mask - delta[i + r]);
					p[at + n] = e * mask;
				}
			}
		}
}

/* dqkv of whole heads. scale: of the scores. */
CG_SINGLE __kernel void attention_grad(__global const float *restrict qkv,
	__global const uint *restrict rng, __global const float *restrict y,
	__global const float *restrict dy, __global const float *restrict lse,
	__global float *restrict dqkv, int heads, int T, int N, float scale, int key, uint kept,
	float keep)
{
	vfloat kt[DH * KV], vt[DH * KV], k[KB * WV], q[QR * WV], g[QR * WV], p[QR * KV],
		ds[QR * KV], dq[QR * WV];
	vfloat dk[KR * WV], dv[KR * WV];
	float highest[QR], delta[QR];
	const int D = N * DH;

	for (int i = 0; i < QR * WV; i++)
		q[i] = g[i] = 0;
	for (int i = 0; i < QR * KV; i++)
		p[i] = ds[i] = 0;
	for (int i = 0; i < QR; i++)
		highest[i] = delta[i] = 0;
	CG_TASK(head, heads) {
		const int b = head / N;
		const size_t first = (size_t)b * T * 3 * D + (head - b * N) * DH;
		const size_t first_y = (size_t)b * T * D + (head - b * N) * DH;

		for (int k0 = 0; k0 < T; k0 += KB) {
			const int nk = min(KB, T - k0);
			const size_t row = first + (size_t)k0 * 3 * D;

			load_columns(kt, qkv + row + D, 3 * D, nk);
			load_columns(vt, qkv + row + 2 * D, 3 * D, nk);
			load_rows(k, qkv + row + D, 3 * D, nk, scale);
			for (int q0 = 0; q0 < T; q0 += QB) {
				const int nq = min(QB, T - q0);
				const size_t at = first_y + (size_t)q0 * D;

				load_rows(q, qkv + first + (size_t)q0 * 3 * D, 3 * D, nq,
					scale * M_LOG2E_F);
				load_rows(g, dy + at, D, nq, 1);
				load_rows(dq, y + at, D, nq, 1);
				for (int i = 0; i < nq; i++) {
					vfloat sum = 0;

					for (int n = 0; n < WV; n++)
						sum += g[i * WV + n] * dq[i * WV + n];
					delta[i] = lanes_sum(sum);
					highest[i] = lse[(size_t)head * T + q0 + i];
				}
				product(KV, p, (const float *)q, DP, 1, kt, nq, DH, false);
				product(KV, ds, (const float *)g, DP, 1, vt, nq, DH, false);
				soften_grad(p, ds, highest, delta, rng, (uint)key, kept, keep, head,
					T, q0, nq, k0, nk);
				product(WV, dv, (const float *)p, 1, KB, g, nk, nq, q0 > 0);
				product(WV, dk, (const float *)ds, 1, KB, q, nk, nq, q0 > 0);
				product(WV, dq, (const float *)ds, KB, 1, k, nq, nk, false);
				for (int i = 0; i < nq; i++)
					store_row(dq + i * WV,
						dqkv + first + (size_t)(q0 + i) * 3 * D, 1, k0 > 0);
			}
			for (int j = 0; j < nk; j++) {
				/* q has the factor scale log2 e */
				store_row(dk + j * WV, dqkv + row + D + (size_t)j * 3 * D, M_LN2_F,
					false);
				store_row(dv + j * WV, dqkv + row + 2 * D + (size_t)j * 3 * D, 1,
					false);
			}
		}
	}
}
