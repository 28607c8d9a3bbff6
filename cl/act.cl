/* Activations, elementwise; formulas on the prototypes in clgrad.h. dx may be dy, y may be x. A NaN stays one. */

__kernel CG_SINGLE void relu(__global const float *x, __global float *y, int n)
{
	CG_MAP1(y, n, x, R = X < 0.0f ? (T)(0.0f) : X;)
}

/* dx = dy where y > 0 */
__kernel CG_SINGLE void relu_grad(__global const float *dy, __global const float *y, __global float *dx, int n)
{
	CG_MAP2(dx, n, dy, y, R = Y > 0.0f ? X : (T)(0.0f);)
}

__kernel CG_SINGLE void gelu(__global const float *x, __global float *y, int n)
{
	CG_MAP1(y, n, x, T e; CG_GELU_CDF(e, X) R = X * e;)
}

/* and its derivative */
__kernel CG_SINGLE void gelu_both(__global const float *x, __global float *y, __global float *slope, int n)
{
	CG_MAP1_TWO(y, slope, n, x, T e; CG_GELU_BOTH(e, S, X) R = X * e;)
}

__kernel CG_SINGLE void gelu_tanh(__global const float *x, __global float *y, int n)
{
	CG_MAP1(y, n, x, T e; CG_GELU_TANH_CDF(e, X) R = X * e;)
}

__kernel CG_SINGLE void gelu_tanh_both(__global const float *x, __global float *y, __global float *slope, int n)
{
	CG_MAP1_TWO(y, slope, n, x, T e; CG_GELU_TANH_CDF(e, X) R = X * e; S = CG_GELU_TANH_SLOPE(X, e);)
}
