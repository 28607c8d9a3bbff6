/*
 * synth_face.c: one face. Coordinates: the origin between eyes and nose, x to the right, y down,
 * the chin near y = 1, the eyes at y = -.15; a face is then about 1.5 wide.
 *
 * What the expression does is in synth_pose.c; who it is, how it is lit and what is in front of it
 * is drawn here.
 */
#include "synth.h"

#include <math.h>
#include <string.h>

#include "canvas.h"
#include "random.h"
#include "synth_pose.h"

/* --- who it is --- */

struct person {
	float width, jaw; /* half the head's width; how square the jaw is, 0..1 */
	float eye_distance, eye_size, eye_height, iris;
	float brow_width, brow_length, brow_height;
	float nose_length, nose_width;
	float mouth_half, mouth_y, lips;
	float skin, hair, brow_tone, lip_tone; /* tones 0..255 */
	float hairline, hair_side; /* where hair begins; how far it falls, 0: short */
	bool bald, moustache, beard;
	float lines; /* age: 0..1 */
};

static void draw_person(struct lots *l, struct person *p)
{
	p->width = lots_uniform(l, .68f, .82f);
	p->jaw = lots_uniform(l, 0, 1);
	p->eye_distance = lots_uniform(l, .31f, .37f);
	p->eye_size = lots_uniform(l, .145f, .18f);
	p->eye_height = lots_uniform(l, 1, 1.35f);
	p->iris = lots_uniform(l, .06f, .075f);
	p->brow_width = lots_uniform(l, .045f, .085f);
	p->brow_length = lots_uniform(l, .36f, .44f);
	p->brow_height = lots_uniform(l, -.43f, -.37f);
	p->nose_length = lots_uniform(l, .2f, .29f);
	p->nose_width = lots_uniform(l, .08f, .13f);
	p->mouth_half = lots_uniform(l, .26f, .34f);
	p->mouth_y = lots_uniform(l, .51f, .59f);
	p->lips = lots_uniform(l, .035f, .075f);
	p->skin = lots_uniform(l, 90, 215);
	p->hair = lots_chance(l, .25f) ? lots_uniform(l, 120, 225) : lots_uniform(l, 15, 80);
	p->brow_tone = fminf(p->hair, p->skin * lots_uniform(l, .3f, .65f));
	p->lip_tone = p->skin * lots_uniform(l, .55f, .85f);
	p->hairline = lots_uniform(l, -.85f, -.6f);
	p->hair_side = lots_chance(l, .45f) ? lots_uniform(l, .4f, 1.3f) : 0;
	p->bald = lots_chance(l, .1f);
	p->moustache = lots_chance(l, .1f);
	p->beard = lots_chance(l, .08f);
	p->lines = lots_uniform(l, 0, 1) * lots_uniform(l, 0, 1);
}

/* --- the parts of a face --- */

struct face {
	struct canvas *c;
	struct person p;
	float action[ACTIONS];
	float yaw, pitch; /* how far the features are turned aside and down */
};

/* Where a feature at x stands on the turned head: the far side is narrower. */
static float turned(const struct face *f, float x)
{
	return x * (1 - .3f * fabsf(f->yaw)) + .55f * f->yaw * (1 - .9f * x * x);
}

static float lowered(const struct face *f, float y)
{
	return y + f->pitch;
}

/* A line in face coordinates, darker than the skin. */
static void crease(const struct face *f, struct stroke s, float amount)
{
	float *x[] = { &s.x0, &s.x1, &s.x2 }, *y[] = { &s.y0, &s.y1, &s.y2 };

	for (int i = 0; i < 3; i++) {
		*x[i] = turned(f, *x[i]);
		*y[i] = lowered(f, *y[i]);
	}
	amount = fminf(1, fmaxf(0, amount));
	canvas_stroke(f->c, &s, (struct paint){ .45f * f->p.skin, .75f * amount });
}

static void draw_head(const struct face *f, const struct ellipse *head)
{
	const struct person *p = &f->p;
	struct ellipse hair = { 0, -.28f, p->width + .1f, .95f, 0 };
	struct ellipse jaw = { .5f * f->yaw * .3f, .42f + f->action[JAW],
		p->width * (.78f + .14f * p->jaw), .64f, 0 };
	struct paint skin = { p->skin, 1 };

	if (!p->bald) {
		canvas_ellipse(f->c, &hair, (struct paint){ p->hair, 1 });
		if (p->hair_side > 0) {
			struct ellipse fall = { 0, .1f, p->width + .17f, .3f + p->hair_side, 0 };

			canvas_ellipse(f->c, &fall, (struct paint){ p->hair, 1 });
		}
	}
	for (int side = -1; side <= 1; side += 2) {
		struct ellipse ear = { (float)side * (p->width + .02f), .05f, .09f, .2f, 0 };

		if (p->hair_side <= 0)
			canvas_ellipse(f->c, &ear, (struct paint){ .85f * p->skin, 1 });
	}
	canvas_ellipse(f->c, &(struct ellipse){ 0, 1.2f, .42f, .7f, 0 },
		(struct paint){ .7f * p->skin, 1 });
	canvas_ellipse(f->c, head, skin);
	canvas_ellipse(f->c, &jaw, skin);
}

/* Hair above the forehead, as a crescent between two arcs. */
static void draw_hair(const struct face *f)
{
	const struct person *p = &f->p;
	struct lens fringe = { .2f * f->yaw, p->hairline, p->width + .06f, .42f, .6f, .03f, .8f,
		0 };

	if (!p->bald)
		canvas_lens(f->c, &fringe, (struct paint){ p->hair, 1 });
}

/* Light from one side on a head that is about a sphere. */
static void shade_head(
	const struct face *f, const struct ellipse *head, float light_x, float light_y, float depth)
{
	struct ellipse bright = { head->x + light_x, head->y + light_y, .6f, .75f, 0 };
	struct ellipse dark = { head->x - 1.6f * light_x, head->y - 1.2f * light_y, .45f, .8f, 0 };

	canvas_glow(f->c, &bright, depth * .25f * f->p.skin);
	canvas_glow(f->c, &dark, -depth * .45f * f->p.skin);
}

static void draw_eye(const struct face *f, int side)
{
	const struct person *p = &f->p;
	float s = (float)side, open = fmaxf(.12f, 1 + f->action[EYE_OPEN]) * p->eye_height;
	float x = turned(f, s * p->eye_distance), y = lowered(f, -.15f);
	float half = p->eye_size * (1 - .35f * fmaxf(0, s * f->yaw));
	struct lens eye = { x, y, half, .015f, .055f * open, .042f * open, .5f,
		s * (f->action[EYE_SLANT] - .01f) * 4 };
	struct lens lid = eye, crease_line = eye, below = eye;
	struct ellipse socket = { x, y - .03f, 1.2f * half, .1f, 0 };
	struct ellipse iris = { x + .25f * f->yaw * half, y - .008f, p->iris, p->iris, 0 };
	float white = fminf(245, 120 + .6f * p->skin);

	canvas_glow(f->c, &socket, -.18f * p->skin);
	canvas_lens(f->c, &eye, (struct paint){ white, 1 });
	canvas_within(f->c, &iris, &eye, (struct paint){ .22f * p->skin, 1 });
	lid.half *= 1.08f;
	lid.up += .03f;
	lid.down = -eye.up;
	canvas_lens(f->c, &lid, (struct paint){ .22f * p->skin, .9f });
	crease_line.up += .085f;
	crease_line.down = -crease_line.up + .02f;
	canvas_lens(f->c, &crease_line, (struct paint){ .5f * p->skin, .5f });
	below.up = -(eye.down + .04f + .02f * f->action[CHEEK]);
	below.down = -below.up + .022f;
	canvas_lens(f->c, &below,
		(struct paint){ .5f * p->skin, .25f + .5f * fmaxf(0, f->action[CHEEK]) * .8f });
}

static void draw_brow(const struct face *f, int side)
{
	const struct person *p = &f->p;
	const float *a = f->action;
	float s = (float)side, inner = .13f - a[BROW_NEAR], outer = inner + p->brow_length;
	float y = lowered(f, p->brow_height);
	struct stroke brow = { turned(f, s * inner), y + a[BROW_IN],
		turned(f, s * (inner + outer) / 2),
		y + (a[BROW_IN] + a[BROW_OUT]) / 2 - .09f - 1.6f * a[BROW_ARCH],
		turned(f, s * outer), y + a[BROW_OUT] + .03f, p->brow_width, .4f * p->brow_width };

	canvas_stroke(f->c, &brow, (struct paint){ p->brow_tone, .92f });
}

static void draw_forehead(const struct face *f)
{
	const float *a = f->action;

	for (int i = 0; i < 2; i++) {
		float y = -.56f - .1f * (float)i + .5f * a[BROW_IN];
		struct stroke line = { -.34f, y + .02f, 0, y - .03f, .34f, y + .02f, .025f, .025f };

		crease(f, line, .65f * a[FOREHEAD] + .2f * f->p.lines);
	}
	for (int side = -1; side <= 1; side += 2) {
		float x = .045f * (float)side;
		struct stroke line = { x * .8f, -.44f, x * 1.3f, -.36f, x, -.27f + .3f * a[BROW_IN],
			.035f, .025f };

		crease(f, line, .9f * a[FROWN]);
	}
}

static void draw_nose(const struct face *f)
{
	const struct person *p = &f->p;
	float wrinkle = fmaxf(0, f->action[WRINKLE]);
	float tip = p->nose_length - .05f * wrinkle, wide = p->nose_width * (1 + .25f * wrinkle);
	struct ellipse bridge = { turned(f, 0), lowered(f, .05f), .035f, .16f, 0 };
	struct ellipse ball = { turned(f, 0), lowered(f, tip - .04f), .05f, .045f, 0 };

	canvas_glow(f->c, &bridge, .12f * p->skin);
	canvas_glow(f->c, &ball, .13f * p->skin);
	for (int side = -1; side <= 1; side += 2) {
		float s = (float)side;
		struct ellipse nostril = { turned(f, s * .55f * wide), lowered(f, tip + .015f),
			.035f, .02f, s * .2f };
		struct stroke wing = { s * .8f * wide, tip - .09f, s * 1.35f * wide, tip - .02f,
			s * .85f * wide, tip + .03f, .02f, .025f };
		struct stroke edge = { s * .06f, -.2f, s * .05f, -.02f, s * .07f, tip - .12f, .03f,
			.02f };

		canvas_ellipse(f->c, &nostril, (struct paint){ .3f * p->skin, .85f });
		crease(f, wing, .55f + .35f * wrinkle);
		crease(f, edge, .25f);
	}
	for (int i = 0; i < 3; i++) {
		float y = -.2f + .085f * (float)i;
		struct stroke line = { -.1f, y + .03f, 0, y - .05f, .1f, y + .03f, .028f, .028f };

		crease(f, line, .85f * wrinkle);
	}
}

static void draw_cheeks(const struct face *f)
{
	const struct person *p = &f->p;
	float folds = f->action[FOLDS] + .4f * p->lines, cheek = fmaxf(0, f->action[CHEEK]);
	float corner = p->mouth_half + f->action[MOUTH_WIDE] + .07f;

	for (int side = -1; side <= 1; side += 2) {
		float s = (float)side;
		struct ellipse bulge = { turned(f, s * .42f), lowered(f, .16f), .14f, .09f, 0 };
		struct stroke fold = { s * (p->nose_width + .03f), p->nose_length - .06f,
			s * (corner + .04f), p->nose_length + .05f, s * corner,
			p->mouth_y + f->action[MOUTH_BEND] + .02f, .025f, .03f };

		canvas_glow(f->c, &bulge, .16f * cheek * p->skin);
		crease(f, fold, .7f * folds);
	}
}

static void draw_inner_mouth(const struct face *f, const struct lens *gap)
{
	struct lens teeth = *gap, tongue = *gap;
	float show = fminf(1, fmaxf(0, f->action[TEETH])), height = gap->up + gap->down;

	canvas_lens(f->c, gap, (struct paint){ .16f * f->p.skin, 1 });
	tongue.half *= .7f;
	tongue.up = -gap->down + .3f * height;
	canvas_lens(f->c, &tongue, (struct paint){ .45f * f->p.skin, .8f });
	teeth.half *= .92f;
	teeth.down = -gap->up + fminf(.09f, .75f * height);
	canvas_lens(f->c, &teeth, (struct paint){ fminf(250, 150 + .5f * f->p.skin), show });
}

static void draw_mouth(const struct face *f)
{
	const struct person *p = &f->p;
	const float *a = f->action;
	float press = fminf(1, fmaxf(0, a[LIPS_PRESS])), lips = p->lips * (1 - .6f * press);
	float half = (p->mouth_half + a[MOUTH_WIDE]) * (1 - .2f * fabsf(f->yaw));
	struct lens gap = { turned(f, 0), lowered(f, p->mouth_y + a[MOUTH_LOW] + .3f * a[JAW]),
		half, a[MOUTH_BEND], a[MOUTH_UP], a[MOUTH_DOWN], fminf(1, fmaxf(0, a[MOUTH_ROUND])),
		0 };
	struct lens outer = gap, line = gap;
	struct ellipse shadow = { gap.x, gap.y + gap.down + lips + .08f, .14f, .035f, 0 };

	gap.y -= .5f * a[MOUTH_BEND];
	outer.y = line.y = gap.y;
	outer.up = fmaxf(gap.up, -gap.down) + .8f * lips;
	outer.down = fmaxf(gap.down, -gap.up) + lips;
	outer.half *= 1.06f;
	canvas_lens(f->c, &outer, (struct paint){ p->lip_tone, .9f });
	canvas_glow(f->c, &shadow, -.2f * p->skin);
	line.up = line.down = .018f + .01f * press;
	line.half *= 1.08f;
	if (gap.up + gap.down > .035f)
		draw_inner_mouth(f, &gap);
	else
		canvas_lens(f->c, &line, (struct paint){ .2f * p->skin, .95f });
}

static void draw_beard(const struct face *f)
{
	const struct person *p = &f->p;
	float y = lowered(f, p->mouth_y);
	struct lens moustache = { turned(f, 0), y - .1f, .26f, .06f, .05f, .04f, .5f, 0 };
	struct lens beard = { turned(f, 0), .62f + f->action[JAW], .95f * p->width, -.3f, -.12f,
		.48f, 1, 0 };

	if (p->beard)
		canvas_lens(f->c, &beard, (struct paint){ p->hair, .75f });
	if (p->moustache)
		canvas_lens(f->c, &moustache, (struct paint){ p->hair, .85f });
}

/* --- what is in front of it --- */

static void draw_glasses(const struct face *f, struct lots *l)
{
	float tone = lots_chance(l, .7f) ? lots_uniform(l, 10, 60) : lots_uniform(l, 150, 230);
	float r = lots_uniform(l, .19f, .24f), y = lowered(f, -.13f),
	      w = lots_uniform(l, .025f, .05f);
	float left = turned(f, -f->p.eye_distance), right = turned(f, f->p.eye_distance);
	float centre[2] = { left, right };
	struct stroke bridge = { left + r, y - .03f, (left + right) / 2, y - .07f, right - r,
		y - .03f, w, w };

	for (int i = 0; i < 2; i++) {
		struct stroke top = { centre[i] - r, y, centre[i], y - 1.6f * r, centre[i] + r, y,
			w, w };
		struct stroke bottom = { centre[i] - r, y, centre[i], y + 1.7f * r, centre[i] + r,
			y, w, w };

		canvas_stroke(f->c, &top, (struct paint){ tone, .9f });
		canvas_stroke(f->c, &bottom, (struct paint){ tone, .9f });
	}
	canvas_stroke(f->c, &bridge, (struct paint){ tone, .9f });
}

static void draw_hat(const struct face *f, struct lots *l)
{
	float y = lots_uniform(l, -.66f, -.56f), tone = lots_uniform(l, 15, 230);
	struct lens hat = { .3f * f->yaw, y, f->p.width + .14f, .12f, .8f, .02f, .9f, 0 };
	struct lens brim = { .3f * f->yaw, y, f->p.width + .18f, .12f, .03f, .06f, .5f, 0 };

	canvas_lens(f->c, &hat, (struct paint){ tone, 1 });
	canvas_lens(f->c, &brim, (struct paint){ .6f * tone, 1 });
}

/* Fingers from one side over a cheek and part of the chin. */
static void draw_hand(const struct face *f, struct lots *l)
{
	float side = lots_chance(l, .5f) ? 1 : -1, y = lots_uniform(l, .45f, .95f),
	      reach = lots_uniform(l, .3f, .5f);

	for (int i = 0; i < 4; i++) {
		float at = y + .13f * (float)i;
		struct stroke finger = { side * 1.2f, at + .35f, side * .8f, at + .05f,
			side * reach, at, .15f, .11f };
		struct stroke edge = finger;

		edge.y0 -= .07f;
		edge.y1 -= .07f;
		edge.y2 -= .06f;
		edge.w0 = edge.w2 = .025f;
		canvas_stroke(f->c, &finger, (struct paint){ .93f * f->p.skin, 1 });
		canvas_stroke(f->c, &edge, (struct paint){ .5f * f->p.skin, .6f });
	}
}

/* --- the photograph --- */

static void draw_background(struct canvas *c, struct lots *l)
{
	float tone = lots_uniform(l, 20, 220), across = lots_uniform(l, -1, 1),
	      down = lots_uniform(l, -1, 1);

	for (int i = 0; i < CANVAS_SIZE; i++)
		for (int j = 0; j < CANVAS_SIZE; j++)
			c->v[i][j] = tone + across * (float)(j - 24) + down * (float)(i - 24);
}

/* One pass of a [w 1 w] filter along rows, or along columns. */
static void blur(struct canvas *c, float w, bool columns)
{
	float line[CANVAS_SIZE];

	for (int i = 0; i < CANVAS_SIZE; i++) {
		for (int j = 0; j < CANVAS_SIZE; j++)
			line[j] = columns ? c->v[j][i] : c->v[i][j];
		for (int j = 0; j < CANVAS_SIZE; j++) {
			float before = line[j > 0 ? j - 1 : j];
			float after = line[j < CANVAS_SIZE - 1 ? j + 1 : j];
			float v = (line[j] + w * (before + after)) / (1 + 2 * w);

			*(columns ? &c->v[j][i] : &c->v[i][j]) = v;
		}
	}
}

static void expose(struct canvas *c, struct lots *l, uint8_t *pixels)
{
	float soft = lots_chance(l, .4f) ? lots_uniform(l, 0, .5f) : 0;
	float gain = lots_uniform(l, .7f, 1.25f), middle = lots_uniform(l, 95, 150);
	float noise = lots_chance(l, .7f) ? lots_uniform(l, 0, 6) : lots_uniform(l, 6, 14);
	float across = lots_uniform(l, -1.1f, 1.1f), down = lots_uniform(l, -.6f, .6f);

	blur(c, soft, false);
	blur(c, soft, true);
	for (int i = 0; i < CANVAS_SIZE; i++) {
		for (int j = 0; j < CANVAS_SIZE; j++) {
			float light = across * (float)(j - 24) + down * (float)(i - 24);
			float v =
				middle + gain * (c->v[i][j] - 120) + light + noise * lots_grain(l);

			*pixels++ = (uint8_t)lrintf(fminf(255, fmaxf(0, v)));
		}
	}
}

static void draw_face(struct face *f, struct lots *l)
{
	struct ellipse head = { .15f * f->yaw, -.12f, f->p.width, .88f, 0 };
	float light_x = lots_uniform(l, -.45f, .45f), light_y = lots_uniform(l, -.5f, .1f);

	draw_head(f, &head);
	shade_head(f, &head, light_x, light_y, lots_uniform(l, .3f, 1));
	draw_beard(f);
	draw_cheeks(f);
	draw_nose(f);
	draw_mouth(f);
	draw_forehead(f);
	for (int side = -1; side <= 1; side += 2) {
		draw_eye(f, side);
		draw_brow(f, side);
	}
	draw_hair(f);
	if (lots_chance(l, .17f))
		draw_glasses(f, l);
	if (lots_chance(l, .1f))
		draw_hat(f, l);
	if (lots_chance(l, .08f))
		draw_hand(f, l);
}

void synth_face(uint8_t *pixels, enum data_class expression, uint64_t seed, uint64_t index)
{
	struct lots l = { seed, 64 + index, 0 };
	struct canvas c;
	struct face f = { .c = &c };
	float x, y, size;

	draw_person(&l, &f.p);
	synth_action(f.action, expression, &l);
	f.yaw = .16f * lots_normal(&l);
	f.yaw = fminf(.4f, fmaxf(-.4f, f.yaw));
	f.pitch = lots_uniform(&l, -.06f, .06f);
	draw_background(&c, &l);
	x = 24 + 1.4f * lots_normal(&l);
	y = 22.5f + 1.2f * lots_normal(&l);
	size = lots_uniform(&l, 23.5f, 29.5f);
	canvas_place(&c, x, y, size, .09f * lots_normal(&l));
	draw_face(&f, &l);
	expose(&c, &l, pixels);
}
