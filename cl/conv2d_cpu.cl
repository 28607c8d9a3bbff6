/*
 * Convolution and its gradient by the input on CPU devices, with the register tile (tile_cpu.cl) and no
 * matrix of windows in memory: rows of a tile are pixels of the result, the reduction runs over taps
 * and channels, and a tap only moves the pointers to the rows. x [B,H,W,ldx], w [R,S,C,ldw],
 * y [B,P,Q,ldy]; C and M are those of one group, which may be a part of the rows.
 *
 * Where images are small, the rows of a tile are the same pixel of different images: a tap that is
 * outside is then outside for all of them, and left out.
 */
#include "tile_cpu.cl"

#define KC 576		/* longest piece of the reduction */
#define TAPS 64		/* most taps in it */

/* A grid of pixels: all of a result, or one phase of dx. */
struct grid {
	int B, h, w;		/* images, rows, columns */
	int by_image;		/* neighbours are the same pixel of different images, else along a row */
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

/* dx in `phase` (h % stride): of the rows r of the window only those for which h + pad - r is a multiple of stride */
static inline struct axis transposed_axis(int R, int stride, int pad, int phase)
{
	const int first = (phase + pad) % stride;
	const int taps = first < R ? (R - 1 - first) / stride + 1 : 0;

	return (struct axis){ taps, first, stride, 1, (phase + pad - first) / stride, -1, phase, stride };
}

/*
 * The segments of a tile: a[s][i] is the input of row i under tap s, which lies dh, dw from the row's origin h, l.
 * `zero` where that is outside; taps that are outside for all rows are left out.
 */
static int point(__global const float **a, int *at, __global const float *const *image, const int *h, const int *l,
	const int *dh, const int *dw, int taps, __global const float *zero, int H, int W, int ldx, int stride)
{
	__global const float *origin[MR];
	int segments = 0, top = h[0], bottom = h[0], left = l[0], right = l[0];
	int dh0 = dh[0], dh1 = dh[0], dw0 = dw[0], dw1 = dw[0];

	for (int i = 0; i < MR; i++) {
		top = min(top, h[i]);
		bottom = max(bottom, h[i]);
		left = min(left, l[i]);
		right = max(right, l[i]);
		origin[i] = image[i] + (h[i] * W + l[i]) * ldx;
	}
	for (int t = 0; t < taps; t++) {
		dh0 = min(dh0, dh[t]);
		dh1 = max(dh1, dh[t]);
		dw0 = min(dw0, dw[t]);
		dw1 = max(dw1, dw[t]);
	}
	if (top + dh0 >= 0 && bottom + dh1 < H && left + dw0 >= 0 && right + dw1 < W) {
		for (int t = 0; t < taps; t++) {
			const int delta = (dh[t] * W + dw[t]) * ldx;

			UNROLL for (int i = 0; i < MR; i++)
				a[t * MR + i] = origin[i] + delta;
			at[t] = t * stride;
		}
		return taps;
	}
	for (int t = 0; t < taps; t++) {
		const int delta = (dh[t] * W + dw[t]) * ldx;
		int any = 0;

		UNROLL for (int i = 0; i < MR; i++) {
			const int inside = ((uint)(h[i] + dh[t]) < (uint)H) & ((uint)(l[i] + dw[t]) < (uint)W);

			a[segments * MR + i] = inside ? origin[i] + delta : zero;
			any |= inside;
		}
		at[segments] = t * stride;
		segments += any;
	}
	return segments;
}

/*
 * y[B,P,Q,M] = act(conv(x, w) + bias); with `transposed` x is dy [B,H,W,C] (C: channels of y), the result dx
 * [B,P,Q,M] (M: channels of x) and w is read as [R,S,M,C]. `zero` holds at least C zeros.
 * Global size: blocks of mb pixels of the result (of a phase), panels of M, phases (stride_h·stride_w of dx, else 1).
 */
__kernel CG_SINGLE void conv2d(__global const float *restrict x, __global const float *restrict w,
	__global float *restrict y, __global const float *restrict bias, __global const float *restrict zero, int x_off,
	int ldx, int w_off, int ldw, int y_off, int ldy, int transposed, int has_bias, int act, int B, int H, int W, int C,
	int P, int Q, int M, int R, int S, int stride_h, int stride_w, int pad_h, int pad_w, int by_image, int mb)
{
	vfloat panel_[KC * NV];
	float *panel = (float *)panel_;
	const int phase = get_global_id(2), n0 = get_global_id(1) * NR;
	const struct axis v = transposed ? transposed_axis(R, stride_h, pad_h, phase / stride_w) :
		forward_axis(R, stride_h, pad_h);
	const struct axis u = transposed ? transposed_axis(S, stride_w, pad_w, phase % stride_w) :
		forward_axis(S, stride_w, pad_w);
	const struct grid g = { B, (P - v.offset + v.spread - 1) / v.spread, (Q - u.offset + u.spread - 1) / u.spread,
		by_image };
	const int m0 = get_global_id(0) * mb, m1 = min(g.B * g.h * g.w, m0 + mb), taps = v.taps * u.taps;
	const int parts = (C + KC - 1) / KC, cs = (C + parts - 1) / parts, together = min(TAPS, KC / cs);
	struct result r = { .cols = min(NR, M - n0), .add = 0 };

	x += x_off;
	y += y_off + n0;
	w += w_off;
	if (has_bias)
		bias += n0;
	for (int c0 = 0; c0 < C; c0 += cs)
		for (int t0 = 0; t0 == 0 || t0 < taps; t0 += together) {
			const int cn = min(cs, C - c0), tn = min(together, taps - t0);
			const int last = c0 + cn == C && t0 + tn == taps;
			struct pixel p = pixel_at(m0, g);
			int dh[TAPS], dw[TAPS];

			for (int t = 0; t < tn; t++) {
				const int row = v.first + (t0 + t) / u.taps * v.every;
				const int tap = row * S + u.first + (t0 + t) % u.taps * u.every;

				dh[t] = (t0 + t) / u.taps * v.dir;
				dw[t] = (t0 + t) % u.taps * u.dir;

				if (transposed)
					panel_transpose(panel + t * cn * NR, w + (size_t)(tap * M + n0) * ldw + c0, ldw, cn,
						r.cols);
				else
					panel_copy(panel + t * cn * NR, w + (size_t)(tap * C + c0) * ldw + n0, ldw, cn, r.cols);
			}
			r.bias = last && has_bias;
			r.act = last ? act : ACT_NONE;
			for (int m = m0; m < m1; m += MR) {
				__global const float *a[TAPS * MR], *image[MR];
				__global float *out[MR];
				int h[MR], l[MR], at[TAPS], segments;

				r.rows = min(MR, m1 - m);
				for (int i = 0; i < MR; i++) {
					out[i] = y + ((size_t)(p.b * P + v.offset + p.i * v.spread) * Q + u.offset +
						p.j * u.spread) * ldy;
					image[i] = x + (size_t)p.b * H * W * ldx + c0;
					h[i] = p.i * v.step + v.from;
					l[i] = p.j * u.step + u.from;
					if (i < r.rows - 1)
						p = next_pixel(p, g);
				}
				p = next_pixel(p, g);
				segments = point(a, at, image, h, l, dh, dw, tn, zero, H, W, ldx, cn * NR);
				tile(a, at, segments, cn, 1, panel, out, bias, r);
			}
			r.add = 1;
		}
}
