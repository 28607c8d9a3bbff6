/*
 * Convolutions on CPU devices, with the register tile (tile_cpu.cl) and no matrix of windows in
 * memory. x [B,H,W,ldx], w [R,S,C,ldw], y [B,P,Q,ldy]; C and M are those of one group, which may
 * be a part of the rows.
 *
 *	conv2d		y, or dx: rows of a tile are pixels of the result, the reduction runs over
 *			taps and channels, and a tap only moves the pointers to the rows
 *	conv2d_few	y where C is small: the reduction runs over whole windows, copied for
 *			each tile: conv2d_few_cpu.cl
 *	conv2d_dw...	dw: conv2d_dw_cpu.cl
 */
#include "tile_cpu.cl"

#define KC 576 /* longest piece of the reduction; FEW in conv2d.c */
#define KC_PACKED 2304 /* of packed weights, which are read in place */
#define TAPS 64 /* most taps in it */

/* A grid of pixels: all of a result, or one phase of dx. */
struct grid {
	int B, h, w; /* images, rows, columns */
	int by_image; /* neighbours are the same pixel of different images, else along a row */
};

struct pixel {
	int b, i, j;
};

static inline struct pixel pixel_at(int n, struct grid g)
{
	struct pixel p;

	if (g.by_image) {
		p.b = n % g.B;
		n /= g.B;
	}
	p.j = n % g.w;
	n /= g.w;
	if (g.by_image) {
		p.i = n;
	} else {
		p.i = n % g.h;
		p.b = n / g.h;
	}
	return p;
}

static inline struct pixel next_pixel(struct pixel p, struct grid g)
{
	if (g.by_image) {
		if (++p.b < g.B)
			return p;
		p.b = 0;
	}
	if (++p.j < g.w)
		return p;
	p.j = 0;
	if (++p.i < g.h || g.by_image)
		return p;
	p.i = 0;
	p.b++;
	return p;
}

/*
 * One dimension: tap number t of `taps` is row first + t·every of the window and reads input row
 * i·step + from + t·dir for pixel i of the grid, which is row offset + i·spread of the result.
 */
struct axis {
	int taps, first, every, step, from, dir, offset, spread;
};

/* y: input row p·stride - pad + r */
static inline struct axis forward_axis(int R, int stride, int pad)
{
	return (struct axis){ R, 0, 1, stride, -pad, 1, 0, 1 };
}

/* dx in `phase` (h % stride): of the rows r of the window only those for which h + pad - r is a
 * multiple of stride */
static inline struct axis transposed_axis(int R, int stride, int pad, int phase)
{
	const int first = (phase + pad) % stride;
	const int taps = first < R ? (R - 1 - first) / stride + 1 : 0;

	return (struct axis){ taps, first, stride, 1, (phase + pad - first) / stride, -1, phase,
		stride };
}

/* What a kernel is given; of x and of the result it knows the rows of its group. */
struct conv {
	int H, W, C, ldx, P, Q, M, ldy, S, ldw, transposed;
};

/* Taps t0 .. of a window, for channels c0 ..: where each lies from the origin of a pixel's
 * window. */
struct taps {
	int n, c0, channels;
	int dh[TAPS], dw[TAPS];
};

/* Chooses `n` taps from t0 on and, unless w is packed, copies their part of it, columns n0 .., into the panel. */
static void load_taps(struct taps *k, float *panel, __global const float *w, struct conv f,
	struct axis v, struct axis u, int t0, int n0, int cols)
{
	for (int t = 0; t < k->n; t++, panel += k->channels * NR) {
		const int i = (t0 + t) / u.taps, j = (t0 + t) % u.taps;
		const int tap = (v.first + i * v.every) * f.S + u.first + j * u.every;

		k->dh[t] = i * v.dir;
		k->dw[t] = j * u.dir;
		if (f.ldw == 0)
			continue;
		if (f.transposed)
			panel_transpose(panel, w + (size_t)(tap * f.M + n0) * f.ldw + k->c0, f.ldw,
				k->channels, cols);
		else
			panel_copy(panel, w + (size_t)(tap * f.C + k->c0) * f.ldw + n0, f.ldw,
				k->channels, cols);
	}
}

/* Whether no tap is outside for any of the rows with origins h, l. */
static int all_inside(const struct taps *k, const int *h, const int *l, int H, int W)
{
	int top = h[0], bottom = h[0], left = l[0], right = l[0];
	int up = 0, down = 0, before = 0, after = 0;

	for (int i = 1; i < MR; i++) {
		top = min(top, h[i]);
		bottom = max(bottom, h[i]);
		left = min(left, l[i]);
		right = max(right, l[i]);
	}
	for (int t = 0; t < k->n; t++) {
		up = min(up, k->dh[t]);
		down = max(down, k->dh[t]);
		before = min(before, k->dw[t]);
		after = max(after, k->dw[t]);
	}
	return top + up >= 0 && bottom + down < H && left + before >= 0 && right + after < W;
}

/*
 * The segments of a tile, `stride` apart in the panel: a[s][i] is the input of row i under tap s; image[i] and h[i], l[i] are
 * its image and the origin of its window. `zero` where that is outside; taps outside for all rows
 * are left out.
 */
static int aim(__global const float **a, int *at, const struct taps *k, int stride,
	__global const float *const *image, const int *h, const int *l, __global const float *zero,
	struct conv f)
{
	__global const float *origin[MR];
	const int inside = all_inside(k, h, l, f.H, f.W);
	int segments = 0;

	for (int i = 0; i < MR; i++)
		origin[i] = image[i] + (h[i] * f.W + l[i]) * f.ldx;
	for (int t = 0; t < k->n; t++) {
		const int delta = (k->dh[t] * f.W + k->dw[t]) * f.ldx;
		int any = inside;

		if (inside)
			UNROLL for (int i = 0; i < MR; i++)
				a[segments * MR + i] = origin[i] + delta;
		else
			UNROLL for (int i = 0; i < MR; i++) {
				const int here = ((uint)(h[i] + k->dh[t]) < (uint)f.H) &
					((uint)(l[i] + k->dw[t]) < (uint)f.W);

				a[segments * MR + i] = here ? origin[i] + delta : zero;
				any |= here;
			}
		at[segments] = t * stride;
		segments += any;
	}
	return segments;
}

/*
 * y[B,P,Q,M] = act(norm(conv(x, w) + bias)); with `transposed` x is dy [B,H,W,C] (C: channels of y), the
 * result dx [B,P,Q,M] (M: channels of x) and w is read as [R,S,M,C]. With ldw 0 and one group w is panels [R,S,C][NR], as
 * gemm_pack makes them. `zero` holds at least C zeros.
 *
 * Where images are small, by_image makes the rows of a tile the same pixel of different images: a
 * tap that is outside is then outside for all of them, and left out.
 *
 * Global size: blocks of mb pixels of the result (of a phase), panels of M, phases
 * (stride_h·stride_w of dx, else 1).
 */
__kernel CG_SINGLE void conv2d(__global const float *restrict x, __global const float *restrict w,
	__global float *restrict y, __global const float *restrict bias,
	__global const float *restrict zero, int x_off, int ldx, int w_off, int ldw, int y_off,
	int ldy, int transposed, int has_bias, int act, int B, int H, int W, int C, int P, int Q,
	int M, int R, int S, int stride_h, int stride_w, int pad_h, int pad_w, int by_image, int mb,
	NORM_ARGS)
{
	vfloat panel_[KC * NV];
	float *panel = (float *)panel_;
	const struct conv f = { H, W, C, ldx, P, Q, M, ldy, S, ldw, transposed };
	const int phase = get_global_id(2), n0 = get_global_id(1) * NR;
	const struct axis v = transposed ? transposed_axis(R, stride_h, pad_h, phase / stride_w) :
					   forward_axis(R, stride_h, pad_h);
	const struct axis u = transposed ? transposed_axis(S, stride_w, pad_w, phase % stride_w) :
					   forward_axis(S, stride_w, pad_w);
	const struct grid g = { B, (P - v.offset + v.spread - 1) / v.spread,
		(Q - u.offset + u.spread - 1) / u.spread, by_image };
	const int m0 = get_global_id(0) * mb, m1 = min(g.B * g.h * g.w, m0 + mb);
	const int packed = ldw == 0, most = packed ? KC_PACKED : KC;
	const int pieces = (C + most - 1) / most, piece = (C + pieces - 1) / pieces;
	const int taps = v.taps * u.taps, together = min(TAPS, most / piece);
	struct result r = { .cols = min(NR, M - n0), .add = 0 };
	const struct norm norm = NORM;
	struct moments s = MOMENTS_OF(get_global_id(0) + get_global_size(0) * phase, n0, M, y);

	y += y_off + n0;
	bias = bias_of(norm, bias, has_bias, n0, r.cols);
	/* without any tap (a phase no window reaches) once, to write zeros */
	for (int c0 = 0; c0 < C; c0 += piece)
		for (int t0 = 0; t0 == 0 || t0 < taps; t0 += together) {
			struct taps k = { .n = min(together, taps - t0), .c0 = c0,
				.channels = min(piece, C - c0) };
			const int last = c0 + k.channels == C && t0 + k.n == taps;
			struct pixel p = pixel_at(m0, g);

			load_taps(&k, panel, w + w_off, f, v, u, t0, n0, r.cols);
			r.norm = last && gamma;
			r.bias = last && (has_bias || gamma);
			r.act = last ? act : ACT_NONE;
			for (int m = m0; m < m1; m += MR) {
				__global const float *a[TAPS * MR], *image[MR];
				__global float *out[MR];
				int h[MR], l[MR], at[TAPS], segments;

				r.rows = min(MR, m1 - m);
				for (int i = 0; i < MR; i++) {
					const size_t row = p.b * P + v.offset + p.i * v.spread;

					out[i] = y + (row * Q + u.offset + p.j * u.spread) * ldy;
					image[i] = x + x_off + (size_t)p.b * H * W * ldx + c0;
					h[i] = p.i * v.step + v.from;
					l[i] = p.j * u.step + u.from;
					if (i < r.rows - 1)	/* the rest repeats the last */
						p = next_pixel(p, g);
				}
				p = next_pixel(p, g);
				if (last)
					grads_fetch(&s, out, r.cols);
				segments = aim(a, at, &k, (packed ? C : k.channels) * NR, image, h, l,
					zero, f);
				if (packed)
					tile_direct(a, at, segments, k.channels, 1,
						w + (size_t)n0 * R * S * C + (size_t)(t0 * C + c0) * NR,
						NR, out, bias, r);
				else
					tile(a, at, segments, k.channels, 1, panel, out, bias, r);
				if (last && part)
					moments_add(&s, out, r.rows, r.cols);
			}
			r.add = 1;
		}
	moments_end(&s);
}

#include "conv2d_few_cpu.cl"
#include "conv2d_dw_cpu.cl"
