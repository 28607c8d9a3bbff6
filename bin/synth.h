/*
 * synth.h: drawn faces in the seven expressions, 48x48 grey, for trying the programs without data.
 *
 * A face is a head with hair, brows, eyes, nose and mouth whose shapes follow the expression
 * (happy: mouth corners up, cheeks raised; angry: brows low and slanted inwards, lips pressed; ...)
 * with a strength drawn per face, under nuisance variation: position, turn, size, proportions,
 * light, contrast, noise, blur, glasses, a hat or a hand in front. Neighbouring expressions
 * overlap, so that not everything can be told apart.
 *
 * Face number i of a seed is the same whatever else is drawn.
 */
#ifndef FER_SYNTH_H
#define FER_SYNTH_H

#include "data.h"

enum { SYNTH_SIZE = 48, SYNTH_MOST = 1000000 };

/* How many faces; the classes are balanced within each split. */
struct synth_counts {
	int32_t train, public_test, private_test;
};

/*
 * "synth" -> 4000/500/500; "synth:N", N in 7..SYNTH_MOST -> N, and N/8 but at least 70 in each of
 * the other splits. False where it is neither.
 */
bool synth_parse(const char *source, struct synth_counts *counts);

/* Draw a data set. DATA_OK or DATA_MEMORY; data_free() is due on success. */
enum data_status synth_make(struct dataset *d, const struct synth_counts *counts, uint64_t seed);

/* Draw face number `index` of a seed in one expression into SYNTH_SIZE * SYNTH_SIZE bytes. */
void synth_face(uint8_t *pixels, enum data_class expression, uint64_t seed, uint64_t index);

#endif
