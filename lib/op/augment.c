/*
 * Augmentation on the device: images gathered by index, transformed, normalised; and mixup.
 *
 * cg_augment is two launches: the draws of each image (a dozen numbers), then the pixels. Its
 * random numbers depend on seed, step, node and place in the batch; mixup's on seed, step and the
 * caller's id.
 */
#include "../op.h"

enum { DRAWN = 12 }; /* as in augment.cl */

/* ---- augment --------------------------------------------------------------------------------- */

/* Only crop, flip_all and normalisation act where nothing is drawn. */
static bool is_random(const cg_augment_config *a)
{
	return a->random_crop || a->hflip > 0 || a->rotate != 0 || a->shift != 0 || a->zoom != 0 ||
		a->brightness != 0 || a->contrast != 0 || a->erase > 0;
}

static struct cg__range sample_range(const struct cg__emit *e, const cg_tensor *y)
{
	const size_t B = (size_t)y->shape[0], h = (size_t)y->shape[1], w = (size_t)y->shape[2];

	if (cg__is_cpu(e))
		return cg__range_3d(1, h, B, 1, 1, 1);
	return cg__range_3d((w + 31) / 32 * 32, (h + 3) / 4 * 4, B < 65535 ? B : 65535, 32, 4, 1);
}

/* src: images, index[, rng] */
static cg_status emit_augment(struct cg__emit *e, const cg_tensor *y)
{
	const cg_augment_config *a = cg__attr(y);
	const cg_tensor *images = y->src[0], *rng = y->nsrc > 2 ? y->src[2] : NULL;
	const int64_t H = images->shape[1], W = images->shape[2];
	const bool resized = a->image_h != H || a->image_w != W;
	const int64_t B = y->shape[0], h = y->shape[1], w = y->shape[2];
	const bool warp =
		resized || (rng != NULL && (a->rotate != 0 || a->shift != 0 || a->zoom != 0));
	cg_tensor *drawn = cg__temp(e, CG_FLOAT32, B * DRAWN);

	if (drawn == NULL)
		return CG_ERR_HOST_MEMORY;
	TRY(CG__LAUNCH(e, "augment", NULL, "augment_draw", cg__range_elements(e, B), IN(rng),
		OUT(drawn), INT(B), INT(y->id), INT(a->image_h), INT(a->image_w),
		FLT((double)H / a->image_h), FLT((double)W / a->image_w), INT(h), INT(w),
		INT(a->crop_y), INT(a->crop_x), INT(a->random_crop), INT(a->flip_all),
		FLT(a->hflip), FLT(a->rotate), FLT(a->shift), FLT(a->zoom), FLT(a->brightness),
		FLT(a->contrast), FLT(a->erase)));
	return CG__LAUNCH(e, "augment", NULL, "augment_sample", sample_range(e, y), IN(images),
		IN(y->src[1]), IN(drawn), OUT(y), INT(images->shape[0]), INT(H), INT(W),
		INT(images->shape[3]), INT(B), INT(h), INT(w), INT(warp), FLT(a->mean), FLT(a->sd));
}

static const struct cg_op augment_op = {
	.name = "augment",
	.emit = emit_augment,
};

static bool is_probability(float p)
{
	return p >= 0 && p <= 1;
}

static const char *wrong(const cg_augment_config *a)
{
	if (!is_probability(a->hflip) || !is_probability(a->erase))
		return "a probability is not in 0..1";
	if (!(a->zoom >= 0 && a->zoom < 1))
		return "zoom is not in 0..1";
	if (a->image_h < 0 || a->image_w < 0 || a->crop_h < 0 || a->crop_w < 0 || !(a->sd >= 0))
		return "a size or sd is negative";
	return NULL;
}

cg_tensor *cg_augment(cg_tensor *images, cg_tensor *index, const cg_augment_config *config)
{
	cg_augment_config a = *config;
	char text[2][64];
	int nsrc = 2;

	if (images == NULL || index == NULL)
		return NULL;
	if (images->dtype != CG_UINT8 || images->ndim != 4 || index->dtype != CG_INT32 ||
		index->ndim != 1)
		return cg__fail_tensor(images, CG_ERR_SHAPE,
			"augment: images are %s, index is %s, expected uint8 [N,H,W,C] and int32 "
			"[B]",
			cg__shape_text(images, text[0]), cg__shape_text(index, text[1]));
	if (wrong(&a) != NULL)
		return cg__fail_tensor(images, CG_ERR_ARGUMENT, "augment: %s", wrong(&a));
	a.image_h = a.image_h ? a.image_h : (int)images->shape[1];
	a.image_w = a.image_w ? a.image_w : (int)images->shape[2];
	a.crop_h = a.crop_h ? a.crop_h : a.image_h;
	a.crop_w = a.crop_w ? a.crop_w : a.image_w;
	a.sd = a.sd != 0 ? a.sd : 1;
	a.flip_all = a.flip_all != 0;
	if (cg__training(images) && is_random(&a))
		nsrc = 3;
	return cg__node(&augment_op, CG_FLOAT32, 4,
		(int64_t[]){ index->shape[0], a.crop_h, a.crop_w, images->shape[3] }, nsrc,
		(cg_tensor *[]){ images, index, nsrc > 2 ? cg__rng(images) : NULL }, &a, sizeof(a));
}

/* ---- mixup ----------------------------------------------------------------------------------- */

struct mixup {
	float alpha;
	unsigned id;
};

static cg_status emit_mixup(struct cg__emit *e, const cg_tensor *y)
{
	const struct mixup *a = cg__attr(y);
	const int64_t B = y->shape[0], n = cg__count(y) / B;

	/* the upper half of the keys is mixup's, nodes have the lower */
	return CG__LAUNCH(e, "augment", NULL, "mixup", cg__range_rows(e, n, B), IN(y->src[0]),
		IN(y->src[1]), OUT(y), INT(B), INT(n), INT(0x80000000u | a->id), FLT(a->alpha));
}

static const struct cg_op mixup_op = {
	.name = "mixup",
	.emit = emit_mixup,
};

cg_tensor *cg_mixup(cg_tensor *x, float alpha, unsigned id)
{
	struct mixup a = { .alpha = alpha, .id = id };

	if (x == NULL)
		return NULL;
	if (x->dtype != CG_FLOAT32 || !(alpha >= 0 && alpha <= 1e4f))
		return cg__fail_tensor(x, CG_ERR_ARGUMENT, "mixup: alpha is %g", (double)alpha);
	if (!cg__training(x) || alpha == 0)
		return x;
	return cg__node_like(&mixup_op, x, CG__SRC(x, cg__rng(x)), &a, sizeof(a));
}
