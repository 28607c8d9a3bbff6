/* What is measured, and the bars. */
#include "bench.h"

const double gemm_bar = .80, gemm_dw_bar = .65, filter_bar = 2., step_bar = 1.7, floor_bar = .75,
	     rest_bar = .15, kernel_bar = .9;
const double memory_bar = 1., cold_bar = 45., warm_bar = 1., epoch_bar = .02;

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

#define GEMM(m, k, n) \
	{ \
		.B = (m), .H = 1, .W = 1, .C = (k), .M = (n), .R = 1, .stride = 1, .gemm = true \
	}
const struct product gemms[] = {
	/* ResNet50V2 at 48x48: the 1x1 convolutions of its stages */
	GEMM(4608, 64, 64),
	GEMM(4608, 64, 256),
	GEMM(4608, 256, 64),
	GEMM(1152, 64, 256),
	GEMM(1152, 256, 128),
	GEMM(1152, 128, 512),
	GEMM(1152, 512, 128),
	GEMM(1152, 256, 512),
	GEMM(288, 128, 512),
	GEMM(288, 512, 256),
	GEMM(288, 256, 1024),
	GEMM(288, 1024, 256),
	GEMM(288, 512, 1024),
	GEMM(128, 256, 1024),
	GEMM(128, 1024, 512),
	GEMM(128, 512, 2048),
	GEMM(128, 2048, 512),
	GEMM(128, 1024, 2048),
	/* ViT-B/8 at 48x48, ViT-Ti/16 at 96x96 */
	GEMM(592, 768, 768),
	GEMM(592, 768, 2304),
	GEMM(592, 768, 3072),
	GEMM(592, 3072, 768),
	GEMM(1184, 192, 192),
	GEMM(1184, 192, 576),
	GEMM(1184, 192, 768),
	GEMM(1184, 768, 192),
	/* AlexNet with a stem of stride 1, at 48x48 */
	GEMM(32, 6400, 4096),
	GEMM(32, 4096, 4096),
	GEMM(64, 1024, 1024),
};
const int gemm_count = COUNT(gemms);

#define CONV(b, side, c, m, r, s) \
	{ \
		(b), (side), (side), (c), (m), (r), (s), (r) / 2, false \
	}
const struct product convs[] = {
	/* VGG at 44x44 */
	CONV(64, 44, 1, 32, 3, 1),
	CONV(64, 44, 32, 32, 3, 1),
	CONV(64, 22, 32, 64, 3, 1),
	CONV(64, 22, 64, 64, 3, 1),
	CONV(64, 11, 64, 128, 3, 1),
	CONV(64, 11, 128, 128, 3, 1),
	CONV(64, 5, 128, 256, 3, 1),
	CONV(64, 5, 256, 256, 3, 1),
	/* AlexNet at 48x48; its last is VGG's */
	CONV(64, 48, 1, 64, 5, 2),
	CONV(64, 11, 64, 192, 5, 1),
	CONV(64, 5, 192, 384, 3, 1),
	CONV(64, 5, 384, 256, 3, 1),
	/* AlexNet with a stem of stride 1 */
	CONV(32, 48, 1, 64, 5, 1),
	CONV(32, 23, 64, 192, 5, 1),
	CONV(32, 11, 192, 384, 3, 1),
	CONV(32, 11, 384, 256, 3, 1),
	CONV(32, 11, 256, 256, 3, 1),
	/* ResNet50V2 at 48x48 */
	CONV(32, 48, 1, 64, 7, 2),
	CONV(32, 12, 64, 64, 3, 1),
	CONV(32, 12, 64, 64, 3, 2),
	CONV(32, 6, 128, 128, 3, 1),
	CONV(32, 6, 128, 128, 3, 2),
	CONV(32, 3, 256, 256, 3, 1),
	CONV(32, 3, 256, 256, 3, 2),
	CONV(32, 2, 512, 512, 3, 1),
};
const int conv_count = COUNT(convs);

const struct step steps[] = {
	{ "vgg", "vgg", "", 64 },
	{ "alexnet", "alexnet", "", 64 },
	{ "alexnet-s1", "alexnet", "stem-stride=1 fc=4096", 32 },
	{ "resnet50v2", "resnet50v2", "size=48", 32 },
	{ "vit-b8", "vit", "size=48 variant=b patch=8", 16 },
	{ "vit-ti16", "vit", "size=96 variant=ti patch=16", 32 },
};
const int step_count = COUNT(steps);
