/*
 * test_synth.c: drawn faces: the same for the same seed, balanced, different from each other, and
 * with something to learn: the nearest mean face is right more often than chance.
 */
#include <math.h>
#include <string.h>

#include "synth.h"
#include "tap.h"

enum { SIZE = SYNTH_SIZE * SYNTH_SIZE, SAMPLE = 200 };

static void test_parse(void)
{
	struct synth_counts c;

	ok(synth_parse("synth", &c) && c.train == 4000 && c.public_test == 500 &&
			c.private_test == 500,
		"synth");
	ok(synth_parse("synth:8000", &c) && c.train == 8000 && c.public_test == 1000, "synth:8000");
	ok(synth_parse("synth:70", &c) && c.train == 70 && c.private_test == 70, "synth:70");
	ok(!synth_parse("synth:", &c) && !synth_parse("synth:6", &c) &&
			!synth_parse("synth:9x", &c) && !synth_parse("synth:-70", &c) &&
			!synth_parse("synth:1000001", &c) &&
			!synth_parse("synth:99999999999999999999", &c),
		"what is not synth");
}

static void test_repeats(void)
{
	static uint8_t a[SIZE], b[SIZE], c[SIZE], d[SIZE];

	synth_face(a, HAPPY, 42, 7);
	synth_face(c, SAD, 42, 8);
	synth_face(b, HAPPY, 42, 7);
	ok(!memcmp(a, b, SIZE), "the same face for the same seed and number");
	synth_face(c, HAPPY, 43, 7);
	synth_face(d, HAPPY, 42, 8);
	ok(memcmp(a, c, SIZE) && memcmp(a, d, SIZE), "another for another seed or number");
}

static void test_set(void)
{
	struct synth_counts counts = { 140, 70, 77 };
	struct dataset a, b;
	struct data_facts f;
	bool balanced = true;

	if (!ok(synth_make(&a, &counts, 1) == DATA_OK && synth_make(&b, &counts, 1) == DATA_OK,
		    "two sets"))
		return;
	ok(a.n == 287 && a.h == 48 && a.w == 48 && a.channels == 1 && a.classes == 7, "sizes");
	ok(a.hash == b.hash && !memcmp(a.pixels, b.pixels, (size_t)a.n * SIZE), "are the same");
	data_facts(&a, &f);
	for (int c = 0; c < DATA_CLASSES; c++)
		balanced = balanced && f.count[SPLIT_TRAIN][c] == 20 &&
			f.count[SPLIT_PUBLIC][c] == 10 && f.count[SPLIT_PRIVATE][c] == 11;
	ok(balanced, "classes are balanced in every split");
	ok(f.repeats == 0 && f.blank == 0, "no face twice, none blank");
	data_free(&b);
	synth_make(&b, &counts, 2);
	ok(a.hash != b.hash, "another seed, other faces");
	data_free(&a);
	data_free(&b);
}

/* Mean face of an expression. */
static void mean_face(enum data_class expression, uint64_t first, double *mean)
{
	uint8_t pixels[SIZE];

	memset(mean, 0, SIZE * sizeof(*mean));
	for (uint64_t i = first; i < first + SAMPLE; i++) {
		synth_face(pixels, expression, 42, i);
		for (int j = 0; j < SIZE; j++)
			mean[j] += pixels[j] / (double)SAMPLE;
	}
}

/* The expression whose mean face correlates most with an image. */
static int nearest_mean(const double (*mean)[SIZE], const uint8_t *pixels)
{
	double best = -2;
	int nearest = 0;

	for (int c = 0; c < DATA_CLASSES; c++) {
		double sx = 0, sy = 0, xx = 0, yy = 0, xy = 0, r;

		for (int j = 0; j < SIZE; j++) {
			double x = mean[c][j], y = pixels[j];

			sx += x;
			sy += y;
			xx += x * x;
			yy += y * y;
			xy += x * y;
		}
		r = (xy - sx * sy / SIZE) / sqrt((xx - sx * sx / SIZE) * (yy - sy * sy / SIZE));
		if (r > best) {
			best = r;
			nearest = c;
		}
	}
	return nearest;
}

static void test_learnable(void)
{
	static double mean[DATA_CLASSES][SIZE];
	uint8_t pixels[SIZE];
	int hits = 0;

	for (int c = 0; c < DATA_CLASSES; c++)
		mean_face((enum data_class)c, 0, mean[c]);
	for (int i = 0; i < 50 * DATA_CLASSES; i++) {
		synth_face(pixels, (enum data_class)(i % DATA_CLASSES), 42, 1000 + (uint64_t)i);
		hits += nearest_mean((const double(*)[SIZE])mean, pixels) == i % DATA_CLASSES;
	}
	ok(hits > 70 && hits < 245, "nearest mean face: %d of 350 right, chance is 50", hits);
}

int main(void)
{
	test_parse();
	test_repeats();
	test_set();
	test_learnable();
	return done();
}
