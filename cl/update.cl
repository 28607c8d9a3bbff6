/*
 * What an optimiser does to an element, or a vector: W weight, G gradient (clipped), M and V moments, of the type T; lr,
 * decay (0 where there is none), mu and what ADAM_NUMBERS and ADAM_DECAY declare from the numbers h of the step.
 */
enum { LR, DECAY, BETA1, BETA2, EPS, BIAS1, BIAS2, CLIP, EMA, UPDATE, FIRST, SHARE };

/* m = mu m + g + wd w;  w -= lr m, or with Nesterov's momentum lr (g + wd w + mu m) */
#define SGD_STEP G += decay * W; M = mu * M + G; W -= lr * M;
#define NESTEROV_STEP G += decay * W; M = mu * M + G; W -= lr * (G + mu * M);

/* Adam, with weight decay in the gradient or (decoupled) beside it */
#define ADAM_NUMBERS \
	const float b1 = h[BETA1], b2 = h[BETA2], eps = h[EPS], c1 = 1.0f / h[BIAS1], c2 = 1.0f / h[BIAS2];
#define ADAM_DECAY \
	const float coupled = decoupled ? 0.0f : decay, shrink = decoupled ? 1.0f - lr * decay : 1.0f;
#define ADAM_STEP \
	G += coupled * W; \
	M = b1 * M + (1.0f - b1) * G; \
	V = b2 * V + (1.0f - b2) * G * G; \
	W = W * shrink - lr * c1 * M / (sqrt(V * c2) + eps);
