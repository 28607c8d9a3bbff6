/*
 * explain.h: where a network looked, as a map over its input.
 *
 * Grad-CAM (Selvaraju et al. 2017), for convolutional networks: with A [P,Q,M] the output of the last
 * convolution (behind its norm, sum and activation) and y_c the logit of class c,
 *
 *	a_m = mean over p, q of d y_c / d A[p,q,m]
 *	map[p,q] = max(0, sum over m of a_m A[p,q,m])
 *
 * Attention rollout (Abnar, Zuidema 2020), for transformers: with A_l [T,T] the mean over the heads of
 * softmax(q k' / sqrt(D/N)) in block l,
 *
 *	R = S_L ... S_2 S_1,  S_l = (A_l + I) / 2
 *
 * of which the class token's row over the patches is the map; it asks for no class. All its rows sum to 1.
 *
 * Functions return -1 to go on, or the exit code after a message.
 */
#ifndef FER_EXPLAIN_H
#define FER_EXPLAIN_H

#include "network.h"

enum explain_kind { EXPLAIN_GRADCAM, EXPLAIN_ROLLOUT };

/* "gradcam", "rollout" */
bool explain_parse(const char *word, enum explain_kind *kind);
const char *explain_name(enum explain_kind kind);

enum { EXPLAIN_LAYERS = 64 };

struct explain {
	const struct network *network;
	enum explain_kind kind;
	int32_t batch;
	int64_t h, w;		/* size of a map: P Q, or the grid of patches */
	int heads, layers;	/* of the rollout */
	cg_graph *graph;
	cg_plan *plan;
	cg_array *index, *pick;	/* rows [batch] (NULL: the source is fed as it is), classes [batch,classes] */
	cg_tensor *logits, *features, *gradient, *qkv[EXPLAIN_LAYERS];
	float *host, *host2;	/* room for a tensor each */
};

/* What suits the network: rollout where it has attention, else Grad-CAM. */
enum explain_kind explain_suits(const struct network *n);

/*
 * `source` is uint8 [N,H,W,C], images of which rows are chosen (see network_look()), or float32
 * [batch,size,size,C], the network's input as it is. A kind that the network has no means for is
 * CLI_USAGE. explain_close() is due in every case.
 */
int explain_open(struct explain *e, const struct cli *c, const struct network *n, cg_array *source,
		 int32_t batch, enum explain_kind kind);
void explain_close(struct explain *e);

/*
 * For the first n <= batch: logits [n][classes] and map [n][h][w]. row[i] is the i-th's row (NULL: the
 * source is fed as it is); target[i] the class to explain (NULL: the one with the greatest logit).
 */
int explain_run(struct explain *e, const struct cli *c, const int32_t *row, const int32_t *target,
		int32_t n, float *logits, float *map);

/*
 * For display: `map` [h][w] enlarged to out [H][W], bilinearly between the centres of its cells, and divided
 * by its maximum (where that is above 0), so that it is in 0..1.
 */
void explain_enlarge(const float *map, int64_t h, int64_t w, float *out, int64_t H, int64_t W);

/* The map from A and dA, [cells][M] each. */
void explain_gradcam(const float *A, const float *dA, int64_t cells, int64_t M, float *map);

/* The rollout alone: row `token` of R into out [T], from packed q, k, v [T][3D] of each layer; room for
 * T T + T numbers. */
void explain_rollout(const float *const *qkv, int layers, int64_t T, int64_t D, int heads, int64_t token,
		     double *out, double *room);

#endif
