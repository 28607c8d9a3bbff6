/*
 * synth_pose.h: what an expression does to a face, as displacements of its features; after the
 * facial action units of Ekman and Friesen.
 */
#ifndef FER_SYNTH_POSE_H
#define FER_SYNTH_POSE_H

#include "data.h"
#include "random.h"

/* Lengths in units of the face, of which it is about 1.5 wide; the rest from 0 to 1. */
enum action {
	BROW_IN,	/* inner ends of the brows, downwards */
	BROW_OUT,	/* outer ends, downwards */
	BROW_ARCH,	/* middle, upwards */
	BROW_NEAR,	/* towards each other */
	FROWN,		/* upright lines between the brows */
	FOREHEAD,	/* lines across the forehead */
	EYE_OPEN,	/* height of the eye, as a part of its own */
	EYE_SLANT,	/* outer corner, downwards */
	CHEEK,		/* raised cheeks: a bulge, a line below the eye */
	WRINKLE,	/* lines across the bridge of the nose */
	FOLDS,		/* from the nose to the mouth corners */
	MOUTH_WIDE,
	MOUTH_UP,	/* opening above the line of the lips */
	MOUTH_DOWN,	/* and below */
	MOUTH_BEND,	/* corners, downwards */
	MOUTH_ROUND,
	MOUTH_LOW,	/* the whole mouth, downwards */
	LIPS_PRESS,
	TEETH,
	JAW,		/* the chin, downwards */
	ACTIONS
};

/* An expression with a drawn strength, sometimes a little of another one, and noise. */
void synth_action(float action[ACTIONS], enum data_class expression, struct lots *lots);

#endif
