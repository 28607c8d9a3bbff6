/*
 * canvas.h: antialiased drawing of soft shapes into a small grey image.
 *
 * Shapes are given in the picture's own coordinates, x to the right, y down, which the canvas
 * turns, enlarges and moves onto its pixels. A pixel takes of a shape's tone (0..255) as much as
 * the shape covers of it, times `alpha`.
 */
#ifndef FER_CANVAS_H
#define FER_CANVAS_H

enum { CANVAS_SIZE = 48 };

struct canvas {
	float v[CANVAS_SIZE][CANVAS_SIZE];
	float x, y;		/* pixel position of the picture's origin */
	float scale;		/* pixels of one unit */
	float cosine, sine;	/* of the turn */
};

struct paint {
	float tone, alpha;
};

struct ellipse {
	float x, y, rx, ry;
	float turn;		/* radians */
};

/*
 * The area between two arcs that meet in two corners, like an eye or a mouth: `half` is half the
 * distance of the corners, which lie `bend` below the middle; the arcs rise `up` above and sink
 * `down` below the line that the bend gives. `round` 0: pointed corners, 1: like an ellipse.
 * A negative `down` (or `up`) leaves a crescent along the other arc.
 */
struct lens {
	float x, y, half, bend, up, down, round;
	float turn;
};

/* A line from (x0, y0) to (x2, y2), pulled towards (x1, y1); its width goes from w0 to w2. */
struct stroke {
	float x0, y0, x1, y1, x2, y2, w0, w2;
};

void canvas_place(struct canvas *c, float x, float y, float scale, float turn);
void canvas_ellipse(struct canvas *c, const struct ellipse *e, struct paint paint);
void canvas_lens(struct canvas *c, const struct lens *l, struct paint paint);
/* The part of an ellipse that lies within a lens. */
void canvas_within(struct canvas *c, const struct ellipse *e, const struct lens *l,
		   struct paint paint);
void canvas_stroke(struct canvas *c, const struct stroke *s, struct paint paint);
/* Adds `tone` in the middle, fading out like a Gaussian whose deviations are rx and ry. */
void canvas_glow(struct canvas *c, const struct ellipse *e, float tone);

#endif
