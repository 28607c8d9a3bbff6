#include "gallery.h"

#include <stdlib.h>
#include <string.h>

#include "overlay.h"
#include "png_write.h"
#include "svg.h"

void gallery_free(struct gallery *g)
{
	free(g->map);
	free(g->pixels);
	*g = (struct gallery){ 0 };
}

/* --- which --- */

struct ranked {
	double p;
	int32_t i;
};

static int by_falling_p(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	return x->p != y->p ? (x->p < y->p) - (x->p > y->p) : x->i - y->i;
}

static double confidence(const struct predictions *s, int32_t i)
{
	return s->p[(size_t)i * (size_t)s->classes + s->predicted[i]];
}

/* Is the picture of prediction i one of those already chosen? */
static bool is_chosen(
	const struct dataset *d, const struct predictions *s, const int32_t *list, int n, int32_t i)
{
	for (int j = 0; j < n; j++)
		if (d->group[s->row[list[j]]] == d->group[s->row[i]])
			return true;
	return false;
}

static void choose_explained(
	struct gallery *g, const struct predictions *s, const struct ranked *order)
{
	int n = 0;

	for (int c = 0; c < s->classes && n < GALLERY_EXPLAINED / 2; c++)
		for (int32_t i = 0; i < s->n; i++) {
			int32_t at = order[i].i;

			if (s->label[at] == c && s->predicted[at] == c) {
				g->explained[n++] = at;
				break;
			}
		}
	for (int i = 0; i < g->wrong_count && n < GALLERY_EXPLAINED; i++)
		g->explained[n++] = g->wrong[i];
	g->count = n;
}

static int copy(struct gallery *g, const struct predictions *s, const struct dataset *d)
{
	size_t size = data_image_size(d);
	int n = g->wrong_count + g->count;

	g->pixels = malloc((size_t)n * size + 1);
	for (int i = 0; g->pixels && i < n; i++) {
		int32_t at = i < g->wrong_count ? g->wrong[i] : g->explained[i - g->wrong_count];

		memcpy(g->pixels + (size_t)i * size, d->pixels + (size_t)s->row[at] * size, size);
	}
	return g->pixels ? 0 : -1;
}

int gallery_choose(struct gallery *g, const struct run *r, const struct dataset *d)
{
	const struct predictions *s = &r->predictions;
	struct ranked *order = malloc(((size_t)s->n + 1) * sizeof(*order));

	*g = (struct gallery){ .side = d->w, .channels = d->channels };
	if (!order)
		return -1;
	for (int32_t i = 0; i < s->n; i++)
		order[i] = (struct ranked){ confidence(s, i), i };
	qsort(order, (size_t)s->n, sizeof(*order), by_falling_p);
	for (int32_t i = 0; i < s->n && g->wrong_count < GALLERY_WRONG; i++) {
		int32_t at = order[i].i;

		if (s->label[at] != s->predicted[at] &&
			!is_chosen(d, s, g->wrong, g->wrong_count, at))
			g->wrong[g->wrong_count++] = at;
	}
	choose_explained(g, s, order);
	free(order);
	return copy(g, s, d);
}

/* --- where the network looked --- */

int gallery_explain(struct gallery *g, const struct cli *c, const struct run *r,
	const struct network *n, cg_array *source)
{
	int32_t row[GALLERY_EXPLAINED], target[GALLERY_EXPLAINED];
	float logits[GALLERY_EXPLAINED * METRICS_CLASSES];
	struct explain e;
	int status;

	if (!g->count)
		return -1;
	for (int i = 0; i < g->count; i++) {
		row[i] = r->predictions.row[g->explained[i]];
		target[i] = r->predictions.predicted[g->explained[i]];
	}
	g->kind = explain_suits(n);
	g->size = n->config.size;
	g->image = n->config.image;
	status = explain_open(&e, c, n, source, g->count, g->kind);
	if (status < 0) {
		g->h = e.h;
		g->w = e.w;
		g->map = calloc((size_t)(g->count * g->h * g->w), sizeof(*g->map));
		status = g->map ? explain_run(&e, c, row, target, g->count, logits, g->map)
				: cli_fail(c, CLI_RUNTIME, "out of memory");
	}
	explain_close(&e);
	return status;
}

/* --- as HTML --- */

static const uint8_t *pixels_of(const struct gallery *g, int i)
{
	return g->pixels + (size_t)i * (size_t)(g->side * g->side * g->channels);
}

static int image(
	FILE *out, const uint8_t *pixels, int32_t w, int32_t h, int32_t channels, const char *alt)
{
	int failed;

	fputs("<img width=\"96\" height=\"96\" alt=\"", out);
	svg_escape(out, alt);
	fputs("\" src=\"", out);
	failed = png_uri(out, pixels, w, h, channels);
	fputs("\">", out);
	return failed;
}

int gallery_picture(FILE *out, const struct gallery *g, int i, const char *alt)
{
	return image(out, pixels_of(g, i), g->side, g->side, g->channels, alt);
}

int gallery_overlay(FILE *out, const struct gallery *g, int explained, const char *alt)
{
	int32_t side;
	uint8_t *rgb = overlay_paint(pixels_of(g, g->wrong_count + explained), g->side, g->channels,
		g->size, g->image, g->map + explained * g->h * g->w, g->h, g->w, 2, &side);
	int failed = rgb ? image(out, rgb, side, side, 3, alt) : -1;

	free(rgb);
	return failed;
}
