/*
 * infer.h: logits of rows of a data set that lies on the device. One view is one plan; test-time
 * augmentation is the mean of the logits over several views.
 *
 * Functions return -1 to go on, or the exit code after a message.
 */
#ifndef FER_INFER_H
#define FER_INFER_H

#include "data.h"
#include "network.h"
#include "progress.h"

/* All rows of a data set, [n,h,w,channels] uint8. NULL on failure (see cg_error). */
cg_array *infer_images(cg_ctx *ctx, const struct dataset *d);

/* How an image is looked at: the centre crop moved by (dy, dx) pixels, mirrored or not. */
struct infer_view {
	int dy, dx;
	bool flip;
};

struct infer {
	const struct network *network;
	int32_t batch;
	cg_graph *graph;
	cg_plan *plan;
	cg_array *index;
	cg_tensor *logits;
	int32_t *row;		/* [batch] on the host */
	float *out;		/* [batch][classes] */
};

/* `view` may be NULL: the centre. infer_close() is due in every case. */
int infer_open(struct infer *v, const struct cli *c, const struct network *n, cg_array *images,
	       int32_t batch, const struct infer_view *view);
void infer_close(struct infer *v);

/* logits[i][classes] of rows row[i], i < n. The last batch is filled up with its last row. */
int infer_run(struct infer *v, const struct cli *c, const int32_t *row, int32_t n, float *logits,
	      struct progress *progress);

enum infer_tta {
	TTA_NONE,	/* the centre */
	TTA_FLIP,	/* and its mirror image */
	TTA_TENCROP	/* centre and corners, and their mirror images */
};

/* "none", "flip", "tencrop" */
bool infer_tta_parse(const char *word, enum infer_tta *tta);

/* Mean logits over the views of `tta`. Where the network looks at the whole image, the corners are
 * the image moved by a 24th of its size, edges repeated. */
int infer_mean(const struct cli *c, const struct network *n, cg_array *images, int32_t batch,
	       enum infer_tta tta, const int32_t *row, int32_t rows, float *logits,
	       struct progress *progress);

#endif
