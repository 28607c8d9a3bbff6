/*
 * Augmentation of uint8 images [N,H,W,C] gathered by index [B] to float [B,h,w,C], and mixup.
 *
 * augment_draw writes for each image of the batch how an output pixel (i, j) is found:
 *
 *	source row = p[0] + p[1] i + p[2] j,  source column = p[3] + p[4] i + p[5] j,
 *	y = (p[6] pixel + p[7] - mean) / sd,  grey in rows p[8]..p[9]-1, columns p[10]..p[11]-1,
 *
 * and augment_sample takes the pixels: by one bilinear interpolation with the edge repeated, or,
 * where nothing is rotated, shifted or zoomed, as they are.
 *
 * A sample is made from the output backwards: about the centre, mirror (v = -v), turn by the angle
 * a, divide by the zoom z, move by the shift, and add the centre of the crop:
 *
 *	row    = crop_y + (h-1)/2 + (u cos a + v sin a) / z + shift_y h,  u = i - (h-1)/2,
 *	column = crop_x + (w-1)/2 + (v cos a - u sin a) / z + shift_x w,  v = j - (w-1)/2.
 *
 * and where images are brought to H x W first, both are places in that size: row (r + 1/2) down - 1/2
 * of the image as it is, down = its height / H, and columns alike.
 *
 * Contrast f and brightness b: p -> 127.5 + f (p - 127.5) + 255 b.
 */
#define DRAWN 12
#define RAD (M_PI_F / 180)

/* -1 .. 1 */
static float either(uint x)
{
	return 2 * cg_uniform(x) - 1;
}

/* One of the integers lo..hi, evenly. */
static int between(uint x, int lo, int hi)
{
	return lo + (int)mul_hi(x, (uint)(hi - lo + 1));
}

/* A rectangle of 2-20 % of the area with sides in a ratio of 3/10 to 10/3 (Zhong et al. 2017), cut
 * to the image. */
static void draw_erased(__global float *p, uint4 r, int h, int w)
{
	const float area = (.02f + .18f * cg_uniform(r.x)) * h * w;
	const float ratio = exp(either(r.y) * log(10.f / 3));
	const int rows = clamp((int)rint(sqrt(area * ratio)), 1, h),
		  columns = clamp((int)rint(sqrt(area / ratio)), 1, w);
	const int top = between(r.z, 0, h - rows), left = between(r.w, 0, w - columns);

	p[8] = top;
	p[9] = top + rows;
	p[10] = left;
	p[11] = left + columns;
}

/* rng null: nothing is random. crop_y, crop_x: offset from the centre crop. key: the node. */
CG_SINGLE __kernel void augment_draw(__global const uint *restrict rng,
	__global float *restrict drawn, int B, int key, int H, int W, float down, float across,
	int h, int w, int crop_y, int crop_x, int random_crop, int flip_all, float hflip, float rotate, float shift,
	float zoom, float brightness, float contrast, float erase)
{
	CG_FOR(b, B) {
		__global float *p = drawn + b * DRAWN;
		/* without rng: the middle of every range, and nothing that is rarer than always */
		uint4 r[4] = { (uint4)(0x80000000u), (uint4)(0x80000000u), (uint4)(0x80000000u),
			(uint4)(0x80000000u) };

		if (rng)
			for (int k = 0; k < 4; k++)
				r[k] = cg_philox(rng, (uint)key, (uint)(4 * b + k));
		int top = (H - h) / 2 + crop_y, left = (W - w) / 2 + crop_x;

		if (rng && random_crop) {
			top = between(r[0].x, min(0, H - h), max(0, H - h));
			left = between(r[0].y, min(0, W - w), max(0, W - w));
		}
		const bool mirror = flip_all ^ (rng && cg_uniform(r[0].z) < hflip);
		const float angle = rotate * RAD * either(r[0].w),
			    scale = 1 / (1 + zoom * either(r[1].x));
		const float a = cos(angle) * scale, s = sin(angle) * scale, side = mirror ? -1 : 1;
		const float u = -.5f * (h - 1), v = -.5f * (w - 1) * side;

		p[0] = top - u + shift * either(r[1].y) * h + a * u + s * v;
		p[1] = a;
		p[2] = s * side;
		p[3] = left + .5f * (w - 1) + shift * either(r[1].z) * w + a * v - s * u;
		p[4] = -s;
		p[5] = a * side;
		p[0] = (p[0] + .5f) * down - .5f;
		p[3] = (p[3] + .5f) * across - .5f;
		for (int k = 1; k < 3; k++) {
			p[k] *= down;
			p[k + 3] *= across;
		}

		const float factor = 1 + contrast * either(r[2].x);

		p[6] = factor;
		p[7] = 127.5f * (1 - factor) + 255 * brightness * either(r[2].y);
		p[8] = p[9] = p[10] = p[11] = 0;
		if (rng && cg_uniform(r[2].z) < erase)
			draw_erased(p, r[3], h, w);
	}
}

/* Between two bytes. */
static float blend(uchar from, uchar to, float part)
{
	return from + part * ((float)to - from);
}

static float bilinear(
	__global const uchar *image, int H, int W, int C, int c, float row, float column)
{
	const float y = floor(row), x = floor(column), below = row - y, right = column - x;
	const int y0 = clamp((int)y, 0, H - 1), y1 = clamp((int)y + 1, 0, H - 1);
	const int x0 = clamp((int)x, 0, W - 1), x1 = clamp((int)x + 1, 0, W - 1);
	__global const uchar *upper = image + (size_t)y0 * W * C + c,
			     *lower = image + (size_t)y1 * W * C + c;
	const float first = blend(upper[x0 * C], upper[x1 * C], right);

	return first + below * (blend(lower[x0 * C], lower[x1 * C], right) - first);
}

/* Dimension 0: the w C values of a row; dimension 1: rows; dimension 2: the batch. */
CG_SINGLE __kernel void augment_sample(__global const uchar *restrict images,
	__global const int *restrict index, __global const float *restrict drawn,
	__global float *restrict y, int N, int H, int W, int C, int B, int h, int w, int warp,
	float mean, float sd)
{
	for (int b = (int)get_global_id(2); b < B; b += (int)get_global_size(2)) {
		__global const uchar *image =
			images + (size_t)clamp(index[b], 0, N - 1) * H * W * C;
		__global const float *p = drawn + b * DRAWN;
		const float factor = p[6], offset = p[7];

		for (int i = (int)get_global_id(1); i < h; i += (int)get_global_size(1)) {
			__global float *out = y + ((size_t)b * h + i) * w * C;
			const bool erased_row = i >= p[8] && i < p[9];
			const float row = p[0] + p[1] * i, column = p[3] + p[4] * i;
			__global const uchar *line =
				image + (size_t)clamp((int)rint(row), 0, H - 1) * W * C;

			for (int j = (int)get_global_id(0); j < w; j += (int)get_global_size(0)) {
				const bool erased = erased_row && j >= p[10] && j < p[11];
				const float across = column + p[5] * j;
				const int exact = clamp((int)rint(across), 0, W - 1) * C;

				for (int c = 0; c < C; c++) {
					float pixel = warp ? bilinear(image, H, W, C, c,
								     row + p[2] * j, across)
							   : line[exact + c];

					pixel = erased ? 127.5f : factor * pixel + offset;
					out[j * C + c] = (pixel - mean) / sd;
				}
			}
		}
	}
}

/* (0, 1), symmetric about a half */
static float inside(uint x)
{
	return ((float)(x >> 9) + .5f) * 0x1p-23f;
}

/* Beta(a, a) for a <= 1 (Johnk 1964): U^(1/a) / (U^(1/a) + V^(1/a)) where the sum is at most 1; in
 * logarithms, since the powers of a small a underflow. */
static float beta_johnk(__global const uint *rng, uint key, float a)
{
	for (uint k = 0; k < 64; k++) {
		const uint4 r = cg_philox(rng, key, k);
		const float u = log(inside(r.x)) / a, v = log(inside(r.y)) / a;

		if (exp(u) + exp(v) <= 1)
			return 1 / (1 + exp(v - u));
	}
	return .5f;
}

/* Beta(a, a) for a > 1 (Cheng 1978, BB). */
static float beta_cheng(__global const uint *rng, uint key, float a)
{
	const float slope = rsqrt(a), sum = 2 * a;

	for (uint k = 0; k < 64; k++) {
		const uint4 r = cg_philox(rng, key, k);
		const float u = inside(r.x), z = u * u * inside(r.y);
		const float v = slope * log(u / (1 - u)), w = a * exp(v);
		const float bound = (a + 1 / slope) * v - log(4.f);

		if (bound + sum * log(sum / (a + w)) >= log(z))
			return w / (a + w);
	}
	return .5f;
}

/* y [B,n]: y_b = l x_b + (1-l) x_(B-1-b), one l ~ Beta(alpha, alpha) a launch. */
CG_SINGLE __kernel void mixup(__global const float *restrict x, __global const uint *restrict rng,
	__global float *restrict y, int B, int n, int key, float alpha)
{
	const float l =
		alpha > 1 ? beta_cheng(rng, (uint)key, alpha) : beta_johnk(rng, (uint)key, alpha);

	CG_ROW(b, B) {
		__global const float *own = x + (size_t)b * n, *other = x + (size_t)(B - 1 - b) * n;
		__global float *out = y + (size_t)b * n;

		CG_FOR(i, n)
			out[i] = l * own[i] + (1 - l) * other[i];
	}
}
