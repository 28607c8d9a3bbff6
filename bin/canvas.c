/*
 * canvas.c: shapes as signed distances; half a pixel on either side of an edge is blended.
 */
#include "canvas.h"

#include <math.h>

struct point {
	float x, y;
};

/* As fminf and fmaxf, which are calls where NaN matters. */
static inline float least_of(float a, float b)
{
	return a < b ? a : b;
}

static inline float most_of(float a, float b)
{
	return a > b ? a : b;
}

static inline float length_of(float x, float y)
{
	return sqrtf(x * x + y * y);
}

/* A shape: its distance from a point, negative inside, and a circle around it. */
struct shape {
	float (*distance)(const void *shape, struct point p);
	const void *data;
	float x, y, radius;
};

void canvas_place(struct canvas *c, float x, float y, float scale, float turn)
{
	c->x = x;
	c->y = y;
	c->scale = scale;
	c->cosine = cosf(turn);
	c->sine = sinf(turn);
}

static struct point to_picture(const struct canvas *c, int row, int column)
{
	float dx = ((float)column + .5f - c->x) / c->scale;
	float dy = ((float)row + .5f - c->y) / c->scale;

	return (struct point){ dx * c->cosine + dy * c->sine, dy * c->cosine - dx * c->sine };
}

struct box {
	int top, bottom, left, right;
};

static int within(float x)
{
	return x < 0 ? 0 : x > CANVAS_SIZE ? CANVAS_SIZE : (int)x;
}

/* The pixels that a circle of the picture touches. */
static struct box box_of(const struct canvas *c, float x, float y, float radius)
{
	float column = c->x + c->scale * (x * c->cosine - y * c->sine);
	float row = c->y + c->scale * (x * c->sine + y * c->cosine);
	float r = radius * c->scale + 1;

	return (struct box){ within(row - r), within(row + r + 1), within(column - r),
		within(column + r + 1) };
}

static void fill(struct canvas *c, const struct shape *s, struct paint paint)
{
	struct box b = box_of(c, s->x, s->y, s->radius);

	if (paint.alpha <= .01f)
		return;
	for (int i = b.top; i < b.bottom; i++) {
		for (int j = b.left; j < b.right; j++) {
			float d = s->distance(s->data, to_picture(c, i, j)) * c->scale;
			float cover = paint.alpha * least_of(1, most_of(0, .5f - d));

			c->v[i][j] += cover * (paint.tone - c->v[i][j]);
		}
	}
}

/* p as seen from (x, y), turned back by `turn`. */
static struct point relative(struct point p, float x, float y, float turn)
{
	float dx = p.x - x, dy = p.y - y, cosine, sine;

	if (turn == 0)
		return (struct point){ dx, dy };
	cosine = cosf(turn);
	sine = sinf(turn);
	return (struct point){ dx * cosine + dy * sine, dy * cosine - dx * sine };
}

/* Exact on the axes, near elsewhere: (|p/r| - 1) |p/r| / |p/r^2|. */
static float ellipse_distance(const void *data, struct point p)
{
	const struct ellipse *e = data;
	struct point q = relative(p, e->x, e->y, e->turn);
	float a = length_of(q.x / e->rx, q.y / e->ry);
	float b = length_of(q.x / (e->rx * e->rx), q.y / (e->ry * e->ry));

	return b > 0 ? (a - 1) * a / b : -least_of(e->rx, e->ry);
}

static float lens_distance(const void *data, struct point p)
{
	const struct lens *l = data;
	struct point q = relative(p, l->x, l->y, l->turn);
	float t = q.x / l->half, rest = 1 - t * t, profile, middle;

	if (rest <= 0)
		return length_of(fabsf(q.x) - l->half, q.y - l->bend);
	profile = l->round * sqrtf(rest) + (1 - l->round) * rest;
	middle = q.y - l->bend * t * t;
	return most_of(-l->up * profile - middle, middle - l->down * profile);
}

static float both_distance(const void *data, struct point p)
{
	const struct shape *pair = data;

	return most_of(pair[0].distance(pair[0].data, p), pair[1].distance(pair[1].data, p));
}

/* A stroke as straight pieces: their ends, and the width at each. */
enum { PIECES = 6 };

struct pieces {
	struct point end[PIECES + 1];
	float width[PIECES + 1];
};

static struct pieces pieces_of(const struct stroke *s)
{
	struct pieces p;

	for (int i = 0; i <= PIECES; i++) {
		float t = (float)i / PIECES, a = (1 - t) * (1 - t), b = 2 * t * (1 - t), c = t * t;

		p.end[i].x = a * s->x0 + b * s->x1 + c * s->x2;
		p.end[i].y = a * s->y0 + b * s->y1 + c * s->y2;
		p.width[i] = s->w0 + t * (s->w2 - s->w0);
	}
	return p;
}

/* The least distance from the pieces, less half the width there. */
static float pieces_distance(const void *data, struct point p)
{
	const struct pieces *s = data;
	float least = INFINITY;

	for (int i = 0; i < PIECES; i++) {
		struct point a = s->end[i], b = s->end[i + 1];
		float dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
		float t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
		float off, width;

		t = least_of(1, most_of(0, t));
		width = s->width[i] + t * (s->width[i + 1] - s->width[i]);
		off = length_of(p.x - a.x - t * dx, p.y - a.y - t * dy);
		least = least_of(least, off - width / 2);
	}
	return least;
}

static struct shape ellipse_shape(const struct ellipse *e)
{
	return (struct shape){ ellipse_distance, e, e->x, e->y, most_of(e->rx, e->ry) };
}

static struct shape lens_shape(const struct lens *l)
{
	float height = most_of(most_of(fabsf(l->up), fabsf(l->down)), fabsf(l->bend));

	return (struct shape){ lens_distance, l, l->x, l->y, length_of(l->half, height) };
}

void canvas_ellipse(struct canvas *c, const struct ellipse *e, struct paint paint)
{
	struct shape s = ellipse_shape(e);

	fill(c, &s, paint);
}

void canvas_lens(struct canvas *c, const struct lens *l, struct paint paint)
{
	struct shape s = lens_shape(l);

	fill(c, &s, paint);
}

void canvas_within(
	struct canvas *c, const struct ellipse *e, const struct lens *l, struct paint paint)
{
	struct shape pair[2] = { ellipse_shape(e), lens_shape(l) };
	struct shape s = pair[0];

	s.distance = both_distance;
	s.data = pair;
	fill(c, &s, paint);
}

void canvas_stroke(struct canvas *c, const struct stroke *s, struct paint paint)
{
	float x = (s->x0 + s->x2) / 2, y = (s->y0 + s->y2) / 2;
	float radius = most_of(length_of(s->x0 - x, s->y0 - y), length_of(s->x1 - x, s->y1 - y));
	struct pieces pieces = pieces_of(s);
	struct shape shape = { pieces_distance, &pieces, x, y, radius + most_of(s->w0, s->w2) / 2 };

	fill(c, &shape, paint);
}

void canvas_glow(struct canvas *c, const struct ellipse *e, float tone)
{
	struct box b = box_of(c, e->x, e->y, 3 * most_of(e->rx, e->ry));

	for (int i = b.top; i < b.bottom; i++) {
		for (int j = b.left; j < b.right; j++) {
			struct point q = relative(to_picture(c, i, j), e->x, e->y, e->turn);
			float x = q.x / e->rx, y = q.y / e->ry;

			c->v[i][j] += tone * expf(-(x * x + y * y) / 2);
		}
	}
}
