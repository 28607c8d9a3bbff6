/*
 * synth_pose.c: a table of poses, and drawing one.
 */
#include "synth_pose.h"

#include <stddef.h>

struct pose {
	enum data_class expression;
	float share; /* of the faces of this expression; they add up to 1 */
	float action[ACTIONS];
};

static const struct pose poses[] = {
	{ ANGRY, .7f,
		{ [BROW_IN] = .15f,
			[BROW_OUT] = -.05f,
			[BROW_ARCH] = -.03f,
			[BROW_NEAR] = .05f,
			[FROWN] = 1,
			[EYE_OPEN] = -.25f,
			[WRINKLE] = .2f,
			[FOLDS] = .2f,
			[MOUTH_WIDE] = -.04f,
			[MOUTH_BEND] = .04f,
			[LIPS_PRESS] = 1 } },
	{ ANGRY, .3f,
		{ [BROW_IN] = .15f,
			[BROW_OUT] = -.05f,
			[BROW_ARCH] = -.03f,
			[BROW_NEAR] = .05f,
			[FROWN] = 1,
			[EYE_OPEN] = -.1f,
			[CHEEK] = .3f,
			[WRINKLE] = .4f,
			[FOLDS] = .6f,
			[MOUTH_WIDE] = .03f,
			[MOUTH_UP] = .08f,
			[MOUTH_DOWN] = .14f,
			[MOUTH_BEND] = .05f,
			[MOUTH_ROUND] = .8f,
			[TEETH] = 1,
			[JAW] = .06f } },
	{ DISGUST, 1,
		{ [BROW_IN] = .09f,
			[BROW_OUT] = .05f,
			[BROW_ARCH] = -.02f,
			[BROW_NEAR] = .03f,
			[FROWN] = .4f,
			[EYE_OPEN] = -.5f,
			[CHEEK] = .6f,
			[WRINKLE] = 1,
			[FOLDS] = 1,
			[MOUTH_UP] = .1f,
			[MOUTH_DOWN] = -.01f,
			[MOUTH_BEND] = .09f,
			[MOUTH_ROUND] = .2f,
			[MOUTH_LOW] = -.03f,
			[TEETH] = .8f } },
	{ FEAR, 1,
		{ [BROW_IN] = -.14f,
			[BROW_OUT] = -.01f,
			[BROW_ARCH] = -.05f,
			[BROW_NEAR] = .04f,
			[FROWN] = .3f,
			[FOREHEAD] = .6f,
			[EYE_OPEN] = .6f,
			[EYE_SLANT] = .02f,
			[FOLDS] = .2f,
			[MOUTH_WIDE] = .11f,
			[MOUTH_UP] = .04f,
			[MOUTH_DOWN] = .08f,
			[MOUTH_BEND] = .06f,
			[MOUTH_ROUND] = .6f,
			[TEETH] = .7f,
			[JAW] = .04f } },
	{ HAPPY, .65f,
		{ [BROW_ARCH] = .02f,
			[EYE_OPEN] = -.35f,
			[EYE_SLANT] = .02f,
			[CHEEK] = 1,
			[FOLDS] = 1,
			[MOUTH_WIDE] = .1f,
			[MOUTH_UP] = -.02f,
			[MOUTH_DOWN] = .19f,
			[MOUTH_BEND] = -.15f,
			[MOUTH_ROUND] = .1f,
			[MOUTH_LOW] = -.01f,
			[TEETH] = 1,
			[JAW] = .03f } },
	{ HAPPY, .35f,
		{ [BROW_ARCH] = .02f,
			[EYE_OPEN] = -.25f,
			[CHEEK] = .8f,
			[FOLDS] = .9f,
			[MOUTH_WIDE] = .11f,
			[MOUTH_BEND] = -.13f,
			[LIPS_PRESS] = .3f } },
	{ SAD, 1,
		{ [BROW_IN] = -.14f,
			[BROW_OUT] = .07f,
			[BROW_ARCH] = -.04f,
			[BROW_NEAR] = .03f,
			[FROWN] = .3f,
			[FOREHEAD] = .3f,
			[EYE_OPEN] = -.3f,
			[EYE_SLANT] = .05f,
			[FOLDS] = .3f,
			[MOUTH_WIDE] = -.03f,
			[MOUTH_BEND] = .12f,
			[MOUTH_LOW] = .01f,
			[LIPS_PRESS] = .2f } },
	{ SURPRISE, 1,
		{ [BROW_IN] = -.16f,
			[BROW_OUT] = -.13f,
			[BROW_ARCH] = .06f,
			[FOREHEAD] = 1,
			[EYE_OPEN] = .6f,
			[MOUTH_WIDE] = -.11f,
			[MOUTH_UP] = .12f,
			[MOUTH_DOWN] = .18f,
			[MOUTH_ROUND] = 1,
			[MOUTH_LOW] = .04f,
			[TEETH] = .2f,
			[JAW] = .12f } },
	{ NEUTRAL, 1, { 0 } },
};

enum { POSES = sizeof(poses) / sizeof(*poses) };

static const struct pose *pick_pose(struct lots *l, enum data_class expression)
{
	float left = lots_uniform(l, 0, 1);
	const struct pose *last = NULL;

	for (const struct pose *p = poses; p < poses + POSES; p++) {
		if (p->expression != expression)
			continue;
		last = p;
		left -= p->share;
		if (left < 0)
			break;
	}
	return last;
}

void synth_action(float action[ACTIONS], enum data_class expression, struct lots *l)
{
	const struct pose *main = pick_pose(l, expression);
	const struct pose *other =
		&poses[random_below(random_bits(l->seed, l->stream, l->counter++), POSES)];
	float strength = lots_uniform(l, .3f, 1.15f);
	float mixed = lots_chance(l, .4f) ? lots_uniform(l, 0, .4f) : 0;
	static const float spread[ACTIONS] = { [BROW_IN] = .03f,
		[BROW_OUT] = .03f,
		[BROW_ARCH] = .02f,
		[BROW_NEAR] = .015f,
		[FROWN] = .1f,
		[FOREHEAD] = .1f,
		[EYE_OPEN] = .13f,
		[EYE_SLANT] = .015f,
		[CHEEK] = .1f,
		[WRINKLE] = .1f,
		[FOLDS] = .15f,
		[MOUTH_WIDE] = .025f,
		[MOUTH_UP] = .01f,
		[MOUTH_DOWN] = .015f,
		[MOUTH_BEND] = .025f,
		[MOUTH_LOW] = .015f,
		[LIPS_PRESS] = .1f,
		[JAW] = .015f };

	for (int a = 0; a < ACTIONS; a++)
		action[a] = strength * main->action[a] + mixed * other->action[a] +
			spread[a] * lots_normal(l);
}
