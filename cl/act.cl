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
	CG_MAP1(y, n, x, T e; CG_ERF(e, X * 0.70710678118654752f) R = 0.5f * X * (1.0f + e);)
}

/* dx = dy (Phi(x) + x phi(x)) */
__kernel CG_SINGLE void gelu_grad(__global const float *dy, __global const float *x, __global float *dx, int n)
{
	CG_MAP2(dx, n, dy, x, T e; CG_ERF(e, Y * 0.70710678118654752f)
		R = X * (0.5f * (1.0f + e) + Y * 0.39894228040143268f * cg_exp(-0.5f * Y * Y));)
}

__kernel CG_SINGLE void gelu_tanh(__global const float *x, __global float *y, int n)
{
	CG_MAP1(y, n, x, T t; CG_TANH(t, 0.79788456080286536f * X * (1.0f + 0.044715f * X * X))
		R = 0.5f * X * (1.0f + t);)
}

/* With t = tanh(u): dx = dy ((1 + t) / 2 + x/2 (1 - t^2) du/dx) */
__kernel CG_SINGLE void gelu_tanh_grad(__global const float *dy, __global const float *x, __global float *dx, int n)
{
	CG_MAP2(dx, n, dy, x, T t; CG_TANH(t, 0.79788456080286536f * Y * (1.0f + 0.044715f * Y * Y))
		R = X * (0.5f * (1.0f + t) +
			 0.5f * Y * (1.0f - t * t) * 0.79788456080286536f * (1.0f + 0.134145f * Y * Y));)
}
