/*
 * Augmentation and mixup: every configuration against plain loops that draw the same numbers,
 * exactness where nothing is interpolated, geometry and rates.
 */
#include "optest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "philox.h"
#include "tap.h"

#undef IN /* op.h has its own */
#include "op.h"

static const uint64_t seed = 0xfeedface12345678u;

/* ---- images ---------------------------------------------------------------------------------- */

struct images {
	int N, H, W, C;
	uint8_t *pixel;
	cg_array *array;
};

static struct images images_of(cg_ctx *ctx, int N, int H, int W, int C)
{
	struct images m = { N, H, W, C, malloc((size_t)(N * H * W * C)), NULL };
	struct optest_rng rng = { 11 };

	for (int i = 0; i < N * H * W * C; i++)
		m.pixel[i] = (uint8_t)(256 * optest_uniform(&rng));
	m.array = cg_array_new(ctx, "images", CG_UINT8, 4, (int64_t[]){ N, H, W, C });
	cg_array_write(m.array, m.pixel, (size_t)(N * H * W * C));
	return m;
}

static void free_images(struct images *m)
{
	free(m->pixel);
	cg_array_free(m->array);
}

static int clamped(int i, int n)
{
	return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static int pixel(const struct images *m, int n, int row, int column, int c)
{
	row = clamped(row, m->H);
	column = clamped(column, m->W);
	return m->pixel[((clamped(n, m->N) * m->H + row) * m->W + column) * m->C + c];
}

/* ---- one batch ------------------------------------------------------------------------------- */

struct batch {
	int B, h, w, C, id;
	float *y;
};

static float *at(const struct batch *y, int b, int i, int j, int c)
{
	return &y->y[((b * y->h + i) * y->w + j) * y->C + c];
}

static struct batch augment(cg_ctx *ctx, const struct images *m, int B, const int32_t *index,
	cg_mode mode, uint64_t step, const cg_augment_config *config)
{
	cg_array *a = cg_array_new(ctx, "index", CG_INT32, 1, (int64_t[]){ B });
	cg_graph *g = cg_graph_new(ctx, mode);
	cg_tensor *y;
	cg_plan *plan;
	struct batch out = { .B = B, .C = m->C, .id = -1 };

	cg_array_write(a, index, (size_t)B * sizeof(*index));
	cg_graph_set_step(g, seed, step);
	y = cg_augment(cg_use(g, m->array), cg_use(g, a), config);
	plan = cg_plan_new(g, &y, 1);
	if (plan) {
		out.id = y->id;
		out.h = (int)y->shape[1];
		out.w = (int)y->shape[2];
		out.y = calloc((size_t)cg__count(y), sizeof(float));
		cg_plan_run(plan);
		cg_plan_read(plan, y, out.y, (size_t)cg__count(y) * sizeof(float));
	}
	if (cg_error_status(ctx) != CG_OK)
		ok(false, "augment: %s", cg_error(ctx));
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(a);
	return out;
}

/* ---- the same by plain loops --------------------------------------------------------- */

static float either(uint32_t x)
{
	return 2 * philox_uniform(x) - 1;
}

static int between(uint32_t x, int lo, int hi)
{
	return lo + (int)((uint64_t)x * (uint64_t)(hi - lo + 1) >> 32);
}

/* What is drawn for image b of the batch: three of four words a draw, in the order of augment.cl.
 * */
struct drawn {
	int top, left;
	bool mirror, erased;
	double angle, scale, shift_y, shift_x, factor, offset;
	int row0, row1, column0, column1;
};

static void draw_erased(struct drawn *d, struct philox r, int h, int w)
{
	float area = (.02f + .18f * philox_uniform(r.w[0])) * (float)h * (float)w;
	float ratio = expf(either(r.w[1]) * logf(10.f / 3));
	int rows = (int)rintf(sqrtf(area * ratio)), columns = (int)rintf(sqrtf(area / ratio));

	rows = rows < 1 ? 1 : rows > h ? h : rows;
	columns = columns < 1 ? 1 : columns > w ? w : columns;
	d->row0 = between(r.w[2], 0, h - rows);
	d->row1 = d->row0 + rows;
	d->column0 = between(r.w[3], 0, w - columns);
	d->column1 = d->column0 + columns;
}

static struct drawn draw(const cg_augment_config *a, bool random, const struct images *m,
	const struct batch *y, uint64_t step, int b)
{
	struct drawn d = { .scale = 1, .factor = 1 };
	struct philox r[4];

	d.top = (m->H - y->h) / 2 + a->crop_y;
	d.left = (m->W - y->w) / 2 + a->crop_x;
	d.mirror = a->flip_all;
	if (!random)
		return d;
	for (int k = 0; k < 4; k++)
		r[k] = philox(seed, step, (uint32_t)y->id, (uint32_t)(4 * b + k));
	if (a->random_crop) {
		d.top = between(
			r[0].w[0], m->H < y->h ? m->H - y->h : 0, m->H > y->h ? m->H - y->h : 0);
		d.left = between(
			r[0].w[1], m->W < y->w ? m->W - y->w : 0, m->W > y->w ? m->W - y->w : 0);
	}
	d.mirror ^= philox_uniform(r[0].w[2]) < a->hflip;
	d.angle = (double)(a->rotate * either(r[0].w[3])) * acos(-1) / 180;
	d.scale = 1 + (double)(a->zoom * either(r[1].w[0]));
	d.shift_y = (double)(a->shift * either(r[1].w[1])) * y->h;
	d.shift_x = (double)(a->shift * either(r[1].w[2])) * y->w;
	d.factor = 1 + (double)(a->contrast * either(r[2].w[0]));
	d.offset = 127.5 * (1 - d.factor) + 255 * (double)(a->brightness * either(r[2].w[1]));
	d.erased = philox_uniform(r[2].w[2]) < a->erase;
	if (d.erased)
		draw_erased(&d, r[3], y->h, y->w);
	return d;
}

static double sample(const struct drawn *d, const struct images *m, const struct batch *y, int n,
	int i, int j, int c)
{
	double u = i - .5 * (y->h - 1), v = (j - .5 * (y->w - 1)) * (d->mirror ? -1 : 1);
	double row = d->top + .5 * (y->h - 1) + d->shift_y +
		(u * cos(d->angle) + v * sin(d->angle)) / d->scale;
	double column = d->left + .5 * (y->w - 1) + d->shift_x +
		(v * cos(d->angle) - u * sin(d->angle)) / d->scale;
	double y0 = floor(row), x0 = floor(column), below = row - y0, right = column - x0, p = 0;

	for (int k = 0; k < 4; k++)
		p += (k / 2 ? below : 1 - below) * (k % 2 ? right : 1 - right) *
			pixel(m, n, (int)y0 + k / 2, (int)x0 + k % 2, c);
	return p;
}

/* The largest difference in units of grey levels. */
static double compare(const struct batch *y, const struct images *m, const int32_t *index,
	bool random, uint64_t step, const cg_augment_config *a)
{
	double worst = 0, sd = a->sd != 0 ? (double)a->sd : 1;

	for (int b = 0; b < y->B; b++) {
		struct drawn d = draw(a, random, m, y, step, b);

		for (int i = 0; i < y->h; i++)
			for (int j = 0; j < y->w; j++)
				for (int c = 0; c < y->C; c++) {
					double p = sample(&d, m, y, index[b], i, j, c);
					double want = d.factor * p + d.offset;

					if (i >= d.row0 && i < d.row1 && j >= d.column0 &&
						j < d.column1)
						want = 127.5;
					worst = worse_of(worst,
						fabs(want - (double)a->mean -
							(double)*at(y, b, i, j, c) * sd));
				}
	}
	return worst;
}

/* Coordinates of up to 64 are exact to 2^-18 or so, times slopes of up to 255 levels in two
 * directions. */
static const double levels = 64 * 4 * 0x1p-24 * 2 * 255;

static void test_against_loops(
	cg_ctx *ctx, const char *name, int H, int W, int C, cg_mode mode, cg_augment_config a)
{
	const int32_t index[9] = { 3, 0, 4, 1, 1, 2, 0, 3, 2 };
	struct images m = images_of(ctx, 5, H, W, C);
	struct batch y = augment(ctx, &m, 9, index, mode, 6, &a);
	double worst = y.y ? compare(&y, &m, index, mode == CG_TRAIN, 6, &a) : INFINITY;

	ok(worst <= levels, "%s, %dx%dx%d to %dx%d: within %.2g of %.2g grey levels", name, H, W, C,
		y.h, y.w, worst, levels);
	free(y.y);
	free_images(&m);
}

#define CONFIG(...) \
	(cg_augment_config) \
	{ \
		__VA_ARGS__ \
	}

static void test_configurations(cg_ctx *ctx)
{
	const cg_augment_config all = { .crop_h = 11,
		.crop_w = 9,
		.random_crop = true,
		.hflip = .5f,
		.rotate = 20,
		.shift = .1f,
		.zoom = .2f,
		.brightness = .2f,
		.contrast = .3f,
		.erase = .7f,
		.mean = 120,
		.sd = 60 };

	test_against_loops(ctx, "nothing", 7, 5, 1, CG_INFER, CONFIG(0));
	test_against_loops(ctx, "normalised", 8, 9, 3, CG_TRAIN, CONFIG(.mean = 99, .sd = 51));
	test_against_loops(ctx, "everything", 13, 12, 1, CG_TRAIN, all);
	test_against_loops(ctx, "everything", 13, 17, 3, CG_TRAIN, all);
	test_against_loops(ctx, "everything, but not in inference", 13, 17, 2, CG_INFER, all);
	test_against_loops(ctx, "a larger crop", 5, 6, 1, CG_TRAIN,
		CONFIG(.crop_h = 9, .crop_w = 7, .random_crop = true));
	test_against_loops(ctx, "crop with an offset, mirrored", 9, 8, 2, CG_INFER,
		CONFIG(.crop_h = 4, .crop_w = 5, .crop_y = -2, .crop_x = 3, .flip_all = 1));
	if (optest_tiny())
		return;
	test_against_loops(ctx, "flip", 48, 48, 1, CG_TRAIN, CONFIG(.hflip = .5f));
	test_against_loops(ctx, "rotation", 48, 48, 1, CG_TRAIN, CONFIG(.rotate = 15));
	test_against_loops(ctx, "shift", 48, 44, 1, CG_TRAIN, CONFIG(.shift = .1f));
	test_against_loops(ctx, "zoom", 41, 48, 1, CG_TRAIN, CONFIG(.zoom = .3f));
	test_against_loops(ctx, "brightness and contrast", 48, 48, 1, CG_TRAIN,
		CONFIG(.brightness = .1f, .contrast = .2f));
	test_against_loops(ctx, "erased", 48, 48, 1, CG_TRAIN, CONFIG(.erase = 1));
	test_against_loops(ctx, "everything", 63, 65, 3, CG_TRAIN, all);
}

/* Where pixels are only copied, y is (pixel - mean) / sd to the last bit, if sd is a power of two.
 * */
static void test_exact(cg_ctx *ctx)
{
	const int32_t index[4] = { 1, -7, 99, 0 };
	struct images m = images_of(ctx, 3, 9, 11, 2);
	struct batch y = augment(ctx, &m, 4, index, CG_TRAIN, 1,
		&CONFIG(.crop_h = 7, .crop_w = 6, .flip_all = 1, .mean = 127.5f, .sd = 64));
	int bad = 0;

	for (int b = 0; b < 4; b++)
		for (int i = 0; i < y.h; i++)
			for (int j = 0; j < y.w; j++)
				for (int c = 0; c < 2; c++) {
					int p = pixel(&m, index[b], 1 + i, 2 + y.w - 1 - j, c);

					bad += *at(&y, b, i, j, c) != ((float)p - 127.5f) / 64;
				}
	ok(bad == 0, "copied pixels are exact, indices are kept in range (%d differ)", bad);
	free(y.y);
	free_images(&m);
}

/* ---- geometry and rates -------------------------------------------------------------- */

/* n draws of probability p lie within 4.5 standard deviations (1 in 150,000) of n p. */
static bool is_likely(double count, double n, double p)
{
	return fabs(count - n * p) <= 4.5 * sqrt(n * p * (1 - p));
}

/* Slopes of image b by rows and columns, between pixels `by` from its centre. */
static void slopes(const struct batch *y, int b, int by, double *down, double *across)
{
	int i = y->h / 2, j = y->w / 2;

	*down = (double)(*at(y, b, i + by, j, 0) - *at(y, b, i - by, j, 0)) / (2 * by);
	*across = (double)(*at(y, b, i, j + by, 0) - *at(y, b, i, j - by, 0)) / (2 * by);
}

/* A ramp of 4 levels a column, turned and zoomed: the slope's length tells the zoom, its direction
 * the angle. */
static void test_geometry(cg_ctx *ctx)
{
	enum { B = 200, SIZE = 48 };
	int32_t index[B] = { 0 };
	struct images m = images_of(ctx, 1, SIZE, SIZE, 1);
	struct batch y;
	double angle_lo = 0, angle_hi = 0, zoom_lo = 9, zoom_hi = 0;

	for (int i = 0; i < SIZE * SIZE; i++)
		m.pixel[i] = (uint8_t)(4 * (i % SIZE));
	cg_array_write(m.array, m.pixel, SIZE * SIZE);
	y = augment(ctx, &m, B, index, CG_TRAIN, 3, &CONFIG(.rotate = 30, .zoom = .25f));
	for (int b = 0; y.y && b < B; b++) {
		double down, across, angle, zoom;

		slopes(&y, b, 8, &down, &across);
		angle = atan2(down, across) * 180 / acos(-1);
		zoom = 4 / hypot(down, across);
		angle_lo = fmin(angle_lo, angle);
		angle_hi = fmax(angle_hi, angle);
		zoom_lo = fmin(zoom_lo, zoom);
		zoom_hi = fmax(zoom_hi, zoom);
	}
	ok(angle_lo > -30.1 && angle_lo < -27 && angle_hi < 30.1 && angle_hi > 27,
		"angles are %.1f..%.1f of +-30 degrees", angle_lo, angle_hi);
	ok(zoom_lo > .749 && zoom_lo < .78 && zoom_hi < 1.251 && zoom_hi > 1.22,
		"zooms are %.2f..%.2f of 1 +- .25", zoom_lo, zoom_hi);
	free(y.y);
	free_images(&m);
}

static void test_rates(cg_ctx *ctx)
{
	enum { B = 2000, SIZE = 20 };
	int32_t *index = calloc(B, sizeof(*index));
	struct images m = images_of(ctx, 1, SIZE, SIZE, 1);
	struct batch y;
	double flipped = 0, erased = 0, small = 1, large = 0;

	for (int i = 0; i < SIZE * SIZE; i++)
		m.pixel[i] = (uint8_t)(10 * (i % SIZE));
	cg_array_write(m.array, m.pixel, SIZE * SIZE);
	y = augment(ctx, &m, B, index, CG_TRAIN, 3, &CONFIG(.hflip = .3f, .erase = .6f));
	for (int b = 0; y.y && b < B; b++) {
		int grey = 0, down = 0;

		for (int i = 0; i < SIZE; i++)
			for (int j = 0; j < SIZE; j++) {
				grey += *at(&y, b, i, j, 0) == 127.5f;
				down += *at(&y, b, i, j, 0) == (float)(10 * (SIZE - 1 - j));
			}
		flipped += down > SIZE * SIZE / 2;
		erased += grey > 0;
		if (grey > 0) {
			small = fmin(small, grey / (double)(SIZE * SIZE));
			large = fmax(large, grey / (double)(SIZE * SIZE));
		}
	}
	ok(is_likely(flipped, B, .3), "%g of the images are mirrored", flipped / B);
	ok(is_likely(erased, B, .6), "%g have a grey rectangle", erased / B);
	ok(small > .01 && small < .03 && large > .18 && large < .23, "of %.3f to %.3f of the area",
		small, large);
	free(y.y);
	free(index);
	free_images(&m);
}

static void test_repeats(cg_ctx *ctx)
{
	const int32_t index[3] = { 0, 1, 2 };
	const cg_augment_config a = { .random_crop = true, .crop_h = 5, .crop_w = 5, .rotate = 9 };
	struct images m = images_of(ctx, 3, 8, 8, 1);
	struct batch y = augment(ctx, &m, 3, index, CG_TRAIN, 3, &a);
	struct batch again = augment(ctx, &m, 3, index, CG_TRAIN, 3, &a);
	struct batch other = augment(ctx, &m, 3, index, CG_TRAIN, 4, &a);

	ok(memcmp(y.y, again.y, 75 * sizeof(float)) == 0, "the same step gives the same bits");
	ok(memcmp(y.y, other.y, 75 * sizeof(float)) != 0, "another step gives others");
	free(y.y);
	free(again.y);
	free(other.y);
	free_images(&m);
}

/* ---- mixup --------------------------------------------------------------------------- */

/* x_b = 1, 2, .. B: l = (y_0 - B) / (1 - B). -1 unless all rows of all three tensors say so. */
static double mixed(const float *y, int B)
{
	double l = ((double)y[0] - B) / (1 - B);

	for (int b = 0; b < B; b++)
		if (fabs((double)y[b] - (l * (b + 1) + (1 - l) * (B - b))) > 8 * 0x1p-24 * B)
			return -1;
	return l;
}

/* Mean and variance of Beta(a, a) are 1/2 and 1 / (4 (2a + 1)). */
static void test_mixup(cg_ctx *ctx, float alpha, int steps)
{
	enum { B = 5 };
	cg_array *a = cg_array_new(ctx, "x", CG_FLOAT32, 2, (int64_t[]){ B, 1 });
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);
	cg_tensor *x = cg_use(g, a), *y[3];
	cg_plan *plan;
	double sum = 0, square = 0, var = 1 / (4 * (2 * (double)alpha + 1));
	int bad = 0, same = 0;

	cg_array_write(a, (float[B]){ 1, 2, 3, 4, 5 }, B * sizeof(float));
	y[0] = cg_mixup(x, alpha, 3);
	y[1] = cg_mixup(cg_scale(x, 1), alpha, 3);
	y[2] = cg_mixup(x, alpha, 4);
	plan = cg_plan_new(g, y, 3);
	for (int s = 0; s < steps; s++) {
		float v[3][B];
		double l;

		cg_graph_set_step(g, seed, (uint64_t)s);
		cg_plan_run(plan);
		for (int i = 0; i < 3; i++)
			cg_plan_read(plan, y[i], v[i], sizeof(v[i]));
		l = mixed(v[0], B);
		bad += !(l >= 0 && l <= 1) || mixed(v[2], B) < 0 ||
			memcmp(v[0], v[1], sizeof(v[0])) != 0;
		same += memcmp(v[0], v[2], sizeof(v[0])) == 0;
		sum += l - .5;
		square += (l - .5) * (l - .5);
	}
	ok(bad == 0, "mixup %g: one l of 0..1 for all that have the same id (%d of %d not)",
		(double)alpha, bad, steps);
	ok(same <= steps / 10, "another id has another l");
	if (steps >= 100) {
		ok(fabs(sum / steps) <= 4.5 * sqrt(var / steps), "its mean is %.3f",
			sum / steps + .5);
		/* (l - 1/2)^2 lies in 0..1/4: its deviation is below sqrt(var / 4) */
		ok(fabs(square / steps - var) <= 4.5 * sqrt(var / 4 / steps),
			"its variance is %.4f of %.4f", square / steps, var);
	}
	cg_plan_free(plan);
	cg_graph_free(g);
	cg_array_free(a);
}

static void test_wrong(cg_ctx *ctx)
{
	cg_array *a = cg_array_new(ctx, "x", CG_FLOAT32, 4, (int64_t[]){ 2, 3, 3, 1 });
	cg_graph *g = cg_graph_new(ctx, CG_TRAIN), *infer = cg_graph_new(ctx, CG_INFER);
	cg_tensor *x = cg_use(g, a);

	ok(!cg_augment(x, x, &CONFIG(0)) && cg_error_status(ctx) == CG_ERR_SHAPE, "%s",
		cg_error(ctx));
	cg_clear_error(ctx);
	x = cg_use(infer, a);
	ok(cg_mixup(x, 1, 0) == x, "no mixup in inference");
	cg_graph_free(g);
	cg_graph_free(infer);
	cg_array_free(a);
}

int main(void)
{
	cg_ctx *ctx = optest_open();

	if (!ctx)
		return optest_status();
	test_exact(ctx);
	test_configurations(ctx);
	test_repeats(ctx);
	test_wrong(ctx);
	test_mixup(ctx, .4f, 3);
	test_mixup(ctx, 3, 3);
	if (!optest_tiny()) {
		test_geometry(ctx);
		test_rates(ctx);
		test_mixup(ctx, .2f, 800);
		test_mixup(ctx, 1, 800);
		test_mixup(ctx, 8, 800);
	}
	cg_close(ctx);
	return done();
}
