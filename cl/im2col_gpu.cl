/*
 * Convolution as a plain matrix product, GPU style: rows of windows (im2col) and back (col2im, which gathers: each x
 * looks for the windows that hold it). col [rows, R, S, C] for the output pixels of the images first .. first + images - 1;
 * x has row stride XC and the C channels start at channel c0 (groups).
 */

/* id 0: channel, id 1: row and window cell */
__kernel void im2col(__global const float *x, __global float *col, int images, int first, int H, int W, int XC, int c0,
		     int C, int P, int Q, int R, int S, int stride_h, int stride_w, int pad_top, int pad_left)
{
	const int cells = images * P * Q * R * S;

	for (int t = (int)get_global_id(1); t < cells; t += (int)get_global_size(1)) {
		const int s = t % S, r = t / S % R, row = t / (S * R), q = row % Q, p = row / Q % P, b = row / (Q * P);
		const int h = p * stride_h - pad_top + r, w = q * stride_w - pad_left + s;
		const bool inside = h >= 0 && h < H && w >= 0 && w < W;
		__global const float *in = x + ((size_t)((first + b) * H + h) * W + w) * XC + c0;

		for (int c = (int)get_global_id(0); c < C; c += (int)get_global_size(0))
			col[(size_t)t * C + c] = inside ? in[c] : 0.0f;
	}
}

/* dx[b,h,w,c] = sum over the windows (p,r), (q,s) that hold (h,w) of col */
__kernel void col2im(__global const float *col, __global float *dx, int images, int first, int H, int W, int XC, int c0,
		     int C, int P, int Q, int R, int S, int stride_h, int stride_w, int pad_top, int pad_left)
{
	const int pixels = images * H * W;

	for (int t = (int)get_global_id(1); t < pixels; t += (int)get_global_size(1)) {
		const int w = t % W, h = t / W % H, b = t / (W * H);

		for (int c = (int)get_global_id(0); c < C; c += (int)get_global_size(0)) {
			float sum = 0.0f;

			for (int r = (h + pad_top) % stride_h; r < R; r += stride_h) {
				const int p = (h + pad_top - r) / stride_h;

				if (h + pad_top < r || p >= P)
					continue;
				for (int s = (w + pad_left) % stride_w; s < S; s += stride_w) {
					const int q = (w + pad_left - s) / stride_w;

					if (w + pad_left >= s && q < Q)
						sum += col[((((size_t)b * P + p) * Q + q) * R * S + r * S + s) * C + c];
				}
			}
			dx[((size_t)(first + b) * H * W + t % (H * W)) * XC + c0 + c] = sum;
		}
	}
}
