/*
 * gallery.h: pictures for a report: the most confident mistakes, and where the network looked.
 */
#ifndef FER_GALLERY_H
#define FER_GALLERY_H

#include "data.h"
#include "explain.h"
#include "runs.h"

enum { GALLERY_WRONG = 24, GALLERY_EXPLAINED = 14 };

struct gallery {
	int32_t side, channels;		/* pictures are side x side */
	uint8_t *pixels;		/* [wrong_count + count][side][side][channels], copies */
	int wrong_count;
	int32_t wrong[GALLERY_WRONG];	/* indices into the run's predictions, most confident first */
	int count;			/* of the explained ones */
	int32_t explained[GALLERY_EXPLAINED];
	enum explain_kind kind;
	int64_t h, w;			/* of a map */
	int64_t size, image;		/* what the network sees of a picture, see struct model_config */
	float *map;			/* [count][h][w] */
};

/*
 * Chooses pictures of d, of the same picture only one, and copies them. gallery_free() is due in every case. 0, or -1 where
 * memory is short.
 */
int gallery_choose(struct gallery *g, const struct run *r, const struct dataset *d);

/* Explains some: of each class the most confident one that is right, then the first mistakes; `source` are
 * the images of gallery_choose()'s data on the device. -1, or the exit code after a message. */
int gallery_explain(struct gallery *g, const struct cli *c, const struct run *r, const struct network *n,
		    cg_array *source);
void gallery_free(struct gallery *g);

/* Picture i as an img of HTML: the mistakes, then the explained ones. `overlay`, of an explained one: the
 * part that the network sees, under its map. 0, or -1 where memory is short. */
int gallery_picture(FILE *out, const struct gallery *g, int i, const char *alt);
int gallery_overlay(FILE *out, const struct gallery *g, int explained, const char *alt);

#endif
