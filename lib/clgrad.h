/*
 * clgrad: a tensor engine with reverse-mode differentiation on OpenCL.
 *
 * How a program uses it:
 *
 *	cg_ctx *ctx;
 *	if (cg_open(NULL, &ctx) != CG_OK)              // a context even on failure
 *		die(cg_error(ctx));
 *	cg_params *p = cg_params_new(ctx);             // owns weights and running statistics
 *	struct my_model m;  my_model_init(&m, p);      // layers add their parameters to p
 *	cg_params_init(p, 42);                         // allocates and draws the initial values
 *
 *	cg_graph *g = cg_graph_new(ctx, CG_TRAIN);     // describe one step ...
 *	cg_tensor *x = cg_use(g, images), *t = cg_use(g, targets);
 *	cg_tensor *loss = cg_cross_entropy(my_model_forward(&m, x), t, NULL, .1f);
 *	cg_backward(loss, p);                          // ... extend it with the gradient nodes
 *	cg_optim_update(optimizer, g);                 // ... and with the update
 *	cg_plan *step = cg_plan_new(g, &loss, 1);      // fuse, assign memory, prepare launches
 *	for (...)
 *		cg_plan_run(step);                     // replay: no allocation, build or wait
 *
 * Sizes: B batch, H W C input height, width, channels, P Q M output height, width, channels,
 * R S window, T tokens, D width, N heads. Tensors are dense and row-major: images B H W C,
 * convolution weights R S C M, sequences B T D. `dx` is the derivative of the loss by x.
 *
 * Errors: a function that makes a tensor returns NULL on failure and takes NULL for NULL, so
 * that expressions nest; everything else returns a cg_status. The first failure stays in the
 * context (cg_error) until cg_clear_error. Nothing prints, exits or aborts.
 *
 * Threads: a context and all that was made from it is used by one thread at a time.
 * Ownership: _new/_free and _open/_close come in pairs; free(NULL) does nothing. Tensors belong
 * to their graph, which outlives its plan. Everything made from a context must be freed before cg_close.
 */
#ifndef CLGRAD_H
#define CLGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- status ------------------------------------------------------------------------------ */

/* name, text */
#define CG_STATUS_LIST(X) \
	X(CG_OK, "no error") \
	X(CG_ERR_ARGUMENT, "invalid argument") \
	X(CG_ERR_SHAPE, "shapes do not fit") \
	X(CG_ERR_STATE, "call out of order") \
	X(CG_ERR_HOST_MEMORY, "out of host memory") \
	X(CG_ERR_DEVICE_MEMORY, "out of device memory") \
	X(CG_ERR_NO_DEVICE, "no such OpenCL device") \
	X(CG_ERR_BUILD, "kernel does not build") \
	X(CG_ERR_LAUNCH, "kernel launch failed") \
	X(CG_ERR_OPENCL, "OpenCL call failed") \
	X(CG_ERR_GEMM, "matrix product failed") \
	X(CG_ERR_FILE, "file cannot be read or written") \
	X(CG_ERR_FORMAT, "malformed file") \
	X(CG_ERR_MISMATCH, "file does not fit the model") \
	X(CG_ERR_NOT_FINITE, "result is not finite") \
	X(CG_ERR_GUARD, "a kernel wrote outside its tensor")

typedef enum cg_status {
#define X(name, text) name,
	CG_STATUS_LIST(X)
#undef X
	CG_STATUS_COUNT
} cg_status;

/* The text of a status, e.g. "out of device memory". Never NULL. */
const char *cg_status_text(cg_status status);

/* ---- context ----------------------------------------------------------------------------- */

typedef struct cg_ctx cg_ctx;

/* `device`: NULL or "auto" (the first GPU, else the first CPU, else anything), "cpu", "gpu", "N" (as numbered by
 * cg_device_list), "P:D" (platform and device), or a part of the name. CG_DEVICE in the environment is
 * taken where this is NULL. */
typedef struct cg_options {
	const char *device;
} cg_options;

/* Opens a device. *ctx is set even on failure (NULL only when out of host memory), so that cg_error can
 * explain; it must be closed in any case. CG_ERR_NO_DEVICE, CG_ERR_OPENCL, CG_ERR_ARGUMENT (environment). */
cg_status cg_open(const cg_options *options, cg_ctx **ctx);
void cg_close(cg_ctx *ctx);

/* The first failure since cg_open or cg_clear_error: "conv2d: x has 3 channels, w has 4"; "" if none. */
const char *cg_error(const cg_ctx *ctx);
cg_status cg_error_status(const cg_ctx *ctx);
void cg_clear_error(cg_ctx *ctx);

/* Waits until the device has done everything. */
cg_status cg_finish(cg_ctx *ctx);

/* The environment variables the library reads, one per line with its meaning and value. */
void cg_print_env_help(const cg_ctx *ctx, FILE *f);

const char *cg_version(void);

typedef struct cg_device_info {
	int platform, device;		/* position as OpenCL lists them */
	char platform_name[128], name[128], vendor[128], version[128], driver[128];
	bool is_cpu, is_gpu, has_fp16, has_fp64, local_is_real;
	unsigned compute_units, clock_mhz, vector_width;	/* native float vector width */
	size_t max_work_group;		/* items of a work-group */
	size_t max_items[2];		/* of them along its first two dimensions */
	uint64_t global_bytes, max_alloc_bytes, local_bytes;
	unsigned align_bytes;		/* sub-buffers start at multiples of this */
} cg_device_info;

/* Fills at most `max` entries and returns how many devices there are (0 without an OpenCL platform). */
int cg_device_list(cg_device_info *list, int max);
const cg_device_info *cg_device(const cg_ctx *ctx);
/* "cpu" or "gpu": which family of kernels runs; "own" or "clblast": what multiplies matrices. */
const char *cg_family(const cg_ctx *ctx);
const char *cg_gemm_backend(const cg_ctx *ctx);

/* Counters since cg_open, for tests and reports. */
typedef struct cg_stats {
	uint64_t builds, cache_hits, launches, allocations, waits;
	uint64_t bytes_now, bytes_peak;	/* device memory held by this context */
} cg_stats;
cg_stats cg_get_stats(const cg_ctx *ctx);

/* What the device can do at best, measured now in some hundredths of a second: float32 multiply-adds between
 * registers, in flop/s; and y = a + s b over three arrays of `bytes` each, in bytes/s. CG_ERR_DEVICE_MEMORY where the
 * arrays do not fit, CG_ERR_BUILD, CG_ERR_LAUNCH. */
cg_status cg_ceiling_flops(cg_ctx *ctx, double *flops);
cg_status cg_ceiling_bandwidth(cg_ctx *ctx, size_t bytes, double *rate);

/* ---- arrays: device memory that outlives a step ------------------------------------------- */

typedef enum cg_dtype { CG_FLOAT32, CG_INT32, CG_UINT8 } cg_dtype;
#define CG_MAX_DIM 5

/* Bytes of one element. */
size_t cg_dtype_size(cg_dtype type);

typedef struct cg_array cg_array;

/* A zero-filled array. CG_ERR_DEVICE_MEMORY, CG_ERR_ARGUMENT. */
cg_array *cg_array_new(cg_ctx *ctx, const char *name, cg_dtype type, int ndim, const int64_t *shape);
void cg_array_free(cg_array *a);
/* Copies the whole array; `bytes` must be its size. Writing up to 64 KiB does not wait for the device (the
 * bytes are copied first); larger writes and reading wait. */
cg_status cg_array_write(cg_array *a, const void *host, size_t bytes);
cg_status cg_array_read(cg_array *a, void *host, size_t bytes);
const char *cg_array_name(const cg_array *a);
cg_dtype cg_array_dtype(const cg_array *a);
int cg_array_ndim(const cg_array *a);
const int64_t *cg_array_shape(const cg_array *a);
int64_t cg_array_count(const cg_array *a);

/* ---- parameters --------------------------------------------------------------------------- */

typedef struct cg_params cg_params;

typedef enum cg_init {
	CG_INIT_ZERO,
	CG_INIT_ONE,
	CG_INIT_HE_NORMAL,	/* normal, sd = sqrt(2 / fan_in) (He et al. 2015) */
	CG_INIT_GLOROT_UNIFORM,	/* uniform in +-sqrt(6 / (fan_in + fan_out)) (Glorot, Bengio 2010) */
	CG_INIT_TRUNC_NORMAL	/* normal, sd .02, cut at +-2 sd (ViT) */
} cg_init;

enum {
	CG_PARAM_NO_DECAY = 1,	/* biases and norms: no weight decay */
	CG_PARAM_STATISTIC = 2	/* running statistics: saved, not trained */
};

cg_params *cg_params_new(cg_ctx *ctx);
void cg_params_free(cg_params *p);
/* Adds a named float32 parameter; the name must be new. fan_in and fan_out follow from the shape: for [I,O]
 * they are I and O, for R S C M they are R*S*C and R*S*M. Before cg_params_init only. */
cg_array *cg_params_add(cg_params *p, const char *name, int ndim, const int64_t *shape, cg_init init,
			unsigned flags);
/* Allocates all of them in one buffer and draws the initial values: Philox keyed by seed and name, so
 * a parameter's start does not depend on the others. */
cg_status cg_params_init(cg_params *p, uint64_t seed);
cg_array *cg_params_find(const cg_params *p, const char *name);	/* NULL if there is none */
int cg_params_count(const cg_params *p);
cg_array *cg_params_at(const cg_params *p, int i);
unsigned cg_params_flags(const cg_params *p, int i);
/* The learning rate of a parameter is `factor` times that of cg_optim_step (1 unless set). 0 freezes it: no
 * gradient is computed for it, nor for what only frozen parameters need, and a cg_nn_batch_norm with a frozen gamma runs on its
 * running statistics. Set it before graphs use the parameter. CG_ERR_ARGUMENT where it is no parameter. */
cg_status cg_array_set_rate(cg_array *a, float factor);
float cg_array_rate(const cg_array *a);
/* How many values: trainable ones (neither statistics nor frozen), or all of them. */
int64_t cg_params_size(const cg_params *p, bool trainable_only);
/* The gradient of a parameter after a step, `bytes` = its size. CG_ERR_STATE before any cg_backward, and where an optimiser
 * without keep_grads needed it no more. */
cg_status cg_params_read_grad(cg_params *p, const cg_array *a, void *host, size_t bytes);

/* ---- graphs and tensors ------------------------------------------------------------------- */

typedef struct cg_graph cg_graph;
typedef struct cg_tensor cg_tensor;

typedef enum cg_mode { CG_INFER, CG_TRAIN } cg_mode;	/* dropout and batch norm ask for it */

cg_graph *cg_graph_new(cg_ctx *ctx, cg_mode mode);
void cg_graph_free(cg_graph *g);
/* Random numbers of a run depend on seed, step, the node and the element alone. Does not wait. */
cg_status cg_graph_set_step(cg_graph *g, uint64_t seed, uint64_t step);

/* The tensor of an array in this graph (the same one each time). */
cg_tensor *cg_use(cg_graph *g, cg_array *a);
/* Names a tensor for traces, profiles and fer-predict --layer; returns it. */
cg_tensor *cg_name(cg_tensor *x, const char *format, ...);

cg_graph *cg_tensor_graph(const cg_tensor *x);
cg_dtype cg_tensor_dtype(const cg_tensor *x);
int cg_tensor_ndim(const cg_tensor *x);
const int64_t *cg_tensor_shape(const cg_tensor *x);
int64_t cg_tensor_count(const cg_tensor *x);
const char *cg_tensor_name(const cg_tensor *x);

/* Looking through a graph: its tensors in the order they were made, sources before what is made of them; all of
 * that before cg_plan_new, which rewrites. */
int cg_graph_count(const cg_graph *g);
cg_tensor *cg_graph_at(const cg_graph *g, int i);
/* The tensor that was given this name last, NULL if there is none. */
cg_tensor *cg_graph_find(const cg_graph *g, const char *name);
const char *cg_tensor_op(const cg_tensor *x);	/* "conv2d"; "leaf" where an array is used */
int cg_tensor_sources(const cg_tensor *x);
cg_tensor *cg_tensor_source(const cg_tensor *x, int i);
cg_array *cg_tensor_array(const cg_tensor *x);	/* of a leaf, else NULL */
/* What an operation was given beside its sources, by name; NAN where it has nothing of that name:
 *	conv2d			the members of cg_conv_config
 *	max_pool		those of cg_pool_config but count_pad and ceil_mode (P and Q show that)
 *	avg_pool		the same with `mode` for pad_zero: 0, 1 with count_pad, 2 adaptive
 *	bn_frozen_stats, layer_norm	eps
 *	local_response_norm	size, alpha, beta, k
 *	attention		heads
 *	concat, slice		dim; slice also start
 *	transpose		order0 order1 ..
 *	scale			s */
double cg_tensor_attr(const cg_tensor *x, const char *name);

/* Extends the graph of the scalar `loss` with the gradients of all trainable parameters of `p` that it depends
 * on; they lie contiguous in the order in which the backward pass finishes them. `p` may be NULL:
 * then only cg_grad of tensors marked with cg_want_grad is available. CG_ERR_ARGUMENT if not a scalar. */
cg_status cg_backward(cg_tensor *loss, cg_params *p);
/* Backward from any tensor y with a given dy of its shape: what gradient checks use. Either is called once
 * for a graph, else CG_ERR_STATE. */
cg_status cg_backward_from(cg_tensor *y, cg_tensor *dy, cg_params *p);
/* Asks cg_backward for the gradient of a leaf that is no parameter. */
void cg_want_grad(cg_tensor *x);
/* After cg_backward: the gradient of x, NULL if it has none. */
cg_tensor *cg_grad(const cg_tensor *x);

/* ---- plans -------------------------------------------------------------------------------- */

typedef struct cg_plan cg_plan;

/* Fuses, orders and assigns memory for `out` and all updates of the graph; allocates nothing on the device.
 * A graph has one plan. */
cg_plan *cg_plan_new(cg_graph *g, cg_tensor *const *out, int count);
void cg_plan_free(cg_plan *p);
/* Allocates and builds what is still missing; cg_plan_run does so itself the first time. */
cg_status cg_plan_prepare(cg_plan *p);
/* Enqueues all launches; returns without waiting. */
cg_status cg_plan_run(cg_plan *p);
/* Waits and copies an `out` tensor. */
cg_status cg_plan_read(cg_plan *p, const cg_tensor *x, void *host, size_t bytes);
/* Device bytes for activations, gradients of activations and scratch. */
uint64_t cg_plan_peak(const cg_plan *p);
/* What the same tensors would take if none shared memory. */
uint64_t cg_plan_unshared(const cg_plan *p);
int cg_plan_launches(const cg_plan *p);
/* Floating point operations of a run, in matrix products, convolutions and attention. */
double cg_plan_flops(const cg_plan *p);
/* One line a launch: node, shapes, kernel, bytes; and time if profiled. */
void cg_plan_dump(const cg_plan *p, FILE *f);
/* Runs once and keeps when the device began and ended each launch, for the next three. Devices that keep no times are
 * waited for after each launch. */
cg_status cg_plan_profile(cg_plan *p);
/* What is known of launch i of cg_plan_launches. Texts belong to the plan. */
typedef struct cg_launch {
	int node;			/* number of its tensor in the graph */
	const char *op, *kernel, *name;	/* operation, and name of the tensor */
	char shapes[256];		/* "64x44x44x1 3x3x1x32 > 64x44x44x32": sources, result */
	double flops;			/* as cg_plan_flops counts */
	double bytes;			/* of all tensors named, scratch too; twice what is updated */
	double start, seconds;		/* since the run began; 0 unless profiled */
	bool kept;			/* not made in the run profiled: of parameters alone, and there since a run before */
} cg_launch;
cg_launch cg_plan_launch(const cg_plan *p, int i);
/* One line a kernel of a profiled plan, the longest first: launches but those kept, time and its share, GFLOP/s of
 * products and convolutions, GB/s of all tensors named, scratch too. */
cg_status cg_plan_summary(const cg_plan *p, FILE *f);

/* ---- tuning ------------------------------------------------------------------------------------- */

/* Some operations can be computed in several ways, which differ in speed and in rounding. Without tuning the way is a
 * function of the shape and of the device's compute units, vectors and local memory, and results repeat bit for bit. Tuning times the ways on this device and keeps what
 * it found in a file of the cache folder; later contexts take what the file says, so results repeat as long as it
 * stays. It is for this very device, driver and version of the kernels, and is ignored where they are others.
 *
 * Ways are checked first: one whose result differs from the usual one's by more than 2e-4 of the largest value is
 * out. Another way than the usual is taken if it is quicker by 3 % or more. */
typedef enum cg_autotune {
	CG_AUTOTUNE_OFF,	/* the usual ways */
	CG_AUTOTUNE_CACHE,	/* what the file says (unless CG_AUTOTUNE in the environment says otherwise) */
	CG_AUTOTUNE_ON,		/* cg_plan_new also times what the file does not say, and writes it */
	CG_AUTOTUNE_AGAIN	/* and what it says, anew */
} cg_autotune;
/* For the plans made from now on; 0 stands for .05 and 4 seconds. A way is timed for way_seconds, but in three rounds at
 * least, and only once where a call takes five times as long as the quickest way's. After plan_seconds what is being
 * timed is finished, and the rest is left for the next plan. */
void cg_tune(cg_ctx *ctx, cg_autotune mode, double way_seconds, double plan_seconds);

#define CG_WAYS 8
typedef struct cg_choice {
	const char *key;		/* what is computed: "conv2d y B64 H44 ..." */
	int ways, usual, taken;		/* indices */
	const char *way[CG_WAYS];	/* "direct", "winograd"; "tiles64", "im2col" */
	double seconds[CG_WAYS];	/* NAN: not timed, or out */
	double error[CG_WAYS];		/* largest difference from the usual way / largest value */
	bool known, timed;		/* from the file or timed; timed by this context */
} cg_choice;
/* What plans made by this context asked for while tuning was on. */
int cg_choice_count(const cg_ctx *ctx);
cg_choice cg_choice_at(const cg_ctx *ctx, int i);
/* The file, "" where there is none; and what was wrong with it, "" if nothing. */
const char *cg_tune_file(cg_ctx *ctx);
const char *cg_tune_note(cg_ctx *ctx);

/* CLBlast's kernels can be given other parameters than those of its table; sets that may suit a GPU it does not know. */
typedef struct cg_gemm_set {
	const char *kernel;		/* "Xgemm", "XgemmDirect", "GemmRoutine": sets of one are neighbours */
	const char *parameters;		/* "MWG=64 NWG=64 ...": all that the kernel has */
} cg_gemm_set;
int cg_gemm_set_count(void);
cg_gemm_set cg_gemm_set_at(int i);
/* For this device, in the whole process, for plans made from now on; there is no way back to CLBlast's own.
 * CG_ERR_GEMM where it refuses. */
cg_status cg_gemm_use(cg_ctx *ctx, const cg_gemm_set *set);
/* Writes one of cg_gemm_set_at to the file, from which later contexts take it. CG_ERR_FILE where that fails,
 * CG_ERR_ARGUMENT where it is none of these. */
cg_status cg_gemm_keep(cg_ctx *ctx, const cg_gemm_set *set);

/* ---- operations: elementwise ---------------------------------------------------------------- */

cg_tensor *cg_add(cg_tensor *a, cg_tensor *b);		/* y = a + b, same shapes */
cg_tensor *cg_mul(cg_tensor *a, cg_tensor *b);		/* y = a * b elementwise, same shapes */
cg_tensor *cg_scale(cg_tensor *x, float s);		/* y = s x */
/* y[.., i] = x[.., i] + b[i]; the shape of b is the last dimensions of x: a bias [C] on B H W C, position
 * embeddings [T,D] on B T D. db = sum of dy over the leading dimensions. */
cg_tensor *cg_bias(cg_tensor *x, cg_tensor *b);
cg_tensor *cg_relu(cg_tensor *x);			/* y = max(x, 0); dx = dy where y > 0 */
cg_tensor *cg_gelu(cg_tensor *x);			/* y = x/2 (1 + erf(x / sqrt 2)) */
cg_tensor *cg_gelu_tanh(cg_tensor *x);	/* y = x/2 (1 + tanh(sqrt(2/pi) (x + .044715 x^3))) */
/* Sum and mean of all elements: a scalar, shape [1]. Fixed order of summation. */
cg_tensor *cg_sum(cg_tensor *x);
cg_tensor *cg_mean(cg_tensor *x);

/* ---- operations: shape ---------------------------------------------------------------------- */

/* A view with other dimensions; one of them may be -1. */
cg_tensor *cg_reshape(cg_tensor *x, int ndim, const int64_t *shape);
#define CG_RESHAPE(x, ...) \
	cg_reshape((x), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})
/* y's dimension i is x's dimension order[i]. */
cg_tensor *cg_transpose(cg_tensor *x, const int *order);
/* Joins along dimension `dim`; the others must agree. */
cg_tensor *cg_concat(cg_tensor *a, cg_tensor *b, int dim);
/* y = x[.., start : start + count, ..] along `dim`. */
cg_tensor *cg_slice(cg_tensor *x, int dim, int64_t start, int64_t count);
/* Repeats a tensor of shape [1, ..] or [..] B times along a new first dimension: [1,T,D] -> [B,T,D]. */
cg_tensor *cg_repeat(cg_tensor *x, int64_t B);
/* Rows of a table: y[b] = table[index[b]]; table [N, ..], index int32 [B]. No gradient. Indices
 * outside 0..N-1 are clamped. */
cg_tensor *cg_gather(cg_tensor *table, cg_tensor *index);

/* ---- operations: matrices and convolutions --------------------------------------------------- */

/* y = x w: x [.., K], w [K, M] -> [.., M]. */
cg_tensor *cg_matmul(cg_tensor *x, cg_tensor *w);

typedef struct cg_conv_config {
	int stride_h, stride_w;			/* 0 means 1 */
	int pad_top, pad_left, pad_bottom, pad_right;	/* zeros around x */
	int groups;				/* 0 means 1 */
} cg_conv_config;

/* y[b,p,q,m] = sum over r,s,c of x[b, p*stride_h - pad_top + r, q*stride_w - pad_left + s, c] w[r,s,c,m]
 * (cross-correlation); x B H W C, w R S C/groups M. P = (H + pad_top + pad_bottom - R) / stride_h + 1, Q alike. */
cg_tensor *cg_conv2d_ex(cg_tensor *x, cg_tensor *w, const cg_conv_config *config);
/* The same stride and padding on all sides. */
cg_tensor *cg_conv2d(cg_tensor *x, cg_tensor *w, int stride, int pad);

/* ---- operations: pooling --------------------------------------------------------------------- */

typedef struct cg_pool_config {
	int window_h, window_w;
	int stride_h, stride_w;			/* 0 means the window */
	int pad_top, pad_left, pad_bottom, pad_right;
	bool pad_zero;		/* max: padding counts as 0 (Keras' ZeroPadding2D); else as -inf */
	bool count_pad;		/* average: padding counts in the divisor */
	bool ceil_mode;		/* round P and Q up (Caffe, torch ceil_mode); windows that begin outside x are dropped */
} cg_pool_config;

/* The gradient of max pooling goes to the first maximum of the window in row order. */
cg_tensor *cg_max_pool(cg_tensor *x, const cg_pool_config *config);
cg_tensor *cg_avg_pool(cg_tensor *x, const cg_pool_config *config);
/* B H W C -> B P Q C; cell p averages rows floor(pH/P) .. ceil((p+1)H/P) - 1 (torch AdaptiveAvgPool2d). */
cg_tensor *cg_adaptive_avg_pool(cg_tensor *x, int64_t P, int64_t Q);
/* B H W C -> B C. */
cg_tensor *cg_global_avg_pool(cg_tensor *x);

/* ---- operations: normalisation --------------------------------------------------------------- */

/* Batch normalisation over all but the last dimension (Ioffe, Szegedy 2015):
 *   y = gamma (x - mean) / sqrt(var + eps) + beta.
 * In a CG_TRAIN graph, unless `frozen`: mean and biased variance of the batch, and the step moves
 *   running_mean = momentum running_mean + (1 - momentum) mean,
 *   running_var  = momentum running_var  + (1 - momentum) var n / (n - 1)   (unbiased)
 * (torch's momentum is 1 - ours, Keras' is ours). Else mean and variance are the running ones. */
cg_tensor *cg_batch_norm(cg_tensor *x, cg_tensor *gamma, cg_tensor *beta, cg_array *running_mean,
			 cg_array *running_var, float eps, float momentum, bool frozen);
/* y = gamma (x - mean) / sqrt(var + eps) + beta over the last dimension D (Ba et al. 2016). */
cg_tensor *cg_layer_norm(cg_tensor *x, cg_tensor *gamma, cg_tensor *beta, float eps);
/* y = x / (k + alpha/size * sum of x^2 over `size` neighbouring channels)^beta (Krizhevsky et al. 2012,
 * alpha divided by size as in Caffe and torch). */
cg_tensor *cg_local_response_norm(cg_tensor *x, int size, float alpha, float beta, float k);

/* ---- operations: softmax, attention, loss ----------------------------------------------------- */

cg_tensor *cg_softmax(cg_tensor *x);			/* over the last dimension */
/* Multi-head attention of packed q, k, v: qkv [B,T,3D], each row q|k|v, each of them N heads of D/N:
 *   y = dropout(softmax(q k' scale)) v per head, joined to [B,T,D]; scale = 1/sqrt(D/N).
 * The T x T scores are never stored; dropout acts in CG_TRAIN graphs. */
cg_tensor *cg_attention(cg_tensor *qkv, int heads, float dropout);
/* Cross-entropy of logits [B,n] with target distributions [B,n], label smoothing s and class weights
 * [n] or NULL: mean over b of -sum_c weight_c t'_bc log softmax(logits_b)_c, t' = (1-s) t + s/n. A scalar.
 * (torch.nn.CrossEntropyLoss with probabilities.) */
cg_tensor *cg_cross_entropy(cg_tensor *logits, cg_tensor *target, cg_tensor *weight, float smoothing);
/* 1 where argmax of logits [B,n] is argmax of target [B,n] (ties to the lowest index), else 0: [B]. No gradient. */
cg_tensor *cg_correct(cg_tensor *logits, cg_tensor *target);

/* ---- operations: randomness ------------------------------------------------------------------- */

/* In CG_TRAIN graphs: y = x / (1-p) with probability 1-p, else 0; identity otherwise. A p above 0 is rounded to a
 * multiple of 2^-16 from 2^-16 to 1 - 2^-16, for draws of 16 bits (Philox4x32-10, Salmon et al. 2011). The mask is
 * drawn again in the backward pass, not stored. */
cg_tensor *cg_dropout(cg_tensor *x, float p);
/* Drop-path (stochastic depth): one draw for each sample, the first dimension. */
cg_tensor *cg_drop_path(cg_tensor *x, float p);
/* Mixup (Zhang et al. 2018): y[b] = l x[b] + (1-l) x[B-1-b], one l ~ Beta(alpha, alpha) a step; call it with the
 * same `id` on images and targets for the same l. In CG_INFER graphs the identity. No gradient. */
cg_tensor *cg_mixup(cg_tensor *x, float alpha, unsigned id);

typedef struct cg_augment_config {
	int image_h, image_w;	/* size that images are brought to first, for enlarging; 0: as they are */
	int crop_h, crop_w;	/* output size; 0 means the image's */
	bool random_crop;	/* else the centre */
	float hflip;		/* probability */
	float rotate;		/* +- degrees, uniform */
	float shift;		/* +- fraction of the size, uniform */
	float zoom;		/* scale by 1 +- zoom, uniform */
	float brightness;	/* add +- this much of 255 */
	float contrast;		/* multiply the distance to 127.5 by 1 +- this */
	float erase;		/* probability of one grey rectangle (2-20 % of the area) */
	float mean, sd;		/* y = (pixel - mean) / sd; sd 0 means 1 */
	int flip_all;		/* 1: mirror every image (test-time augmentation) */
	int crop_y, crop_x;	/* with random_crop false: offset from the centre crop, in pixels */
} cg_augment_config;

/* Images [N,H,W,C] uint8, index int32 [B] -> float [B,crop_h,crop_w,C]: gathered, transformed by one bilinear
 * sampling with edge replication, normalised. In CG_INFER graphs only image_h and image_w, crop, flip_all and
 * normalisation act. */
cg_tensor *cg_augment(cg_tensor *images, cg_tensor *index, const cg_augment_config *config);

/* ---- updates: nodes that write arrays ---------------------------------------------------------- */

/* Each run: a += x (same shape). For losses and counts that are read now and then. */
cg_status cg_accumulate(cg_array *a, cg_tensor *x);
/* Each run: a = x (same number of elements and type). */
cg_status cg_store(cg_array *a, cg_tensor *x);

/* ---- optimisers --------------------------------------------------------------------------------- */

typedef struct cg_optim cg_optim;

typedef enum cg_optim_kind {
	CG_SGD,		/* m = mu m + g + wd w;  w -= lr (g + wd w + mu m) with Nesterov, lr m without (torch.optim.SGD) */
	CG_ADAM,	/* g += wd w; Adam (Kingma, Ba 2015) with bias correction */
	CG_ADAMW	/* w -= lr wd w, then Adam (Loshchilov, Hutter 2019) */
} cg_optim_kind;

typedef struct cg_optim_config {
	cg_optim_kind kind;
	float momentum;		/* mu */
	bool nesterov;
	float beta1, beta2, eps;	/* 0 means .9, .999, 1e-8 */
	float weight_decay;	/* wd; parameters with CG_PARAM_NO_DECAY have none */
	float clip_norm;	/* g *= min(1, clip / |g|), |g| over all parameters; 0: off */
	bool no_norm;		/* and clip_norm 0: |g| is not computed, and no update left out where it is not finite */
	float ema;		/* decay of the average of the weights; 0: off */
	int accumulate;		/* add the gradients of this many runs before an update; 0 and 1: each run updates */
	bool keep_grads;	/* gradients stay in a buffer of their own, for cg_params_read_grad (cg_optim_update) */
} cg_optim_config;

cg_optim *cg_optim_new(cg_params *p, const cg_optim_config *config);
void cg_optim_free(cg_optim *o);
/* Adds the update to a graph, one for each optimiser, after cg_backward. A step whose gradient norm is not finite changes nothing.
 * Where it fails for lack of memory, the graph is of no more use.
 * Unless keep_grads, gradients share the memory of the graph's other tensors, and are gone when the update has used them.
 * On CPUs large weights of products of few rows, G = X' D, are updated as G is made, which is then never written; its
 * share in |g|^2 is the sum of all elements of (X X') * (D D'). Not with keep_grads, accumulate, or CG_FUSE=-matmul-update. */
cg_status cg_optim_update(cg_optim *o, cg_graph *g);
/* Before each run: the learning rate of this update. Counts the step. Does not wait. */
cg_status cg_optim_step(cg_optim *o, float lr);
uint64_t cg_optim_steps(const cg_optim *o);
/* The norm of the last step's gradient before clipping. Waits. */
cg_status cg_optim_grad_norm(cg_optim *o, float *norm);
/* How many updates were left out since cg_optim_new because the norm was not finite. Waits. */
cg_status cg_optim_skipped(cg_optim *o, uint64_t *updates);
/* Exchanges the weights and their average (call again to change back). CG_ERR_STATE without ema. */
cg_status cg_optim_swap_ema(cg_optim *o);

typedef enum cg_sched_kind { CG_SCHED_CONST, CG_SCHED_ONECYCLE, CG_SCHED_COSINE, CG_SCHED_PLATEAU } cg_sched_kind;

typedef struct cg_sched {
	cg_sched_kind kind;
	float lr;		/* peak */
	float min_lr;		/* floor of cosine and plateau; onecycle ends at lr/25e4 or this */
	uint64_t steps, warmup;	/* whole length and linear warm-up, in steps; onecycle's rise is 30 % of steps */
	float factor;		/* plateau: lr *= factor (0 means .5) after `patience` epochs without a better value */
	int patience;
	/* state of plateau */
	float best, scale;	/* scale 0 means 1 */
	int bad_epochs;
	bool seen;
} cg_sched;

/* The learning rate at a step. A pure function but for plateau's state. */
float cg_sched_lr(const cg_sched *s, uint64_t step);
/* Plateau: tell the monitored value of an epoch (greater is better). Does nothing for the others. */
void cg_sched_epoch(cg_sched *s, float value);

/* ---- files: safetensors --------------------------------------------------------------------------- */

typedef struct cg_file cg_file;

/* Reads and checks the header: types, lengths, names that are there twice, and that the tensors fill the file without
 * overlaps and holes. The message names file and tensor. CG_ERR_FILE, CG_ERR_FORMAT. */
cg_file *cg_file_open(cg_ctx *ctx, const char *path);
void cg_file_close(cg_file *f);
int cg_file_count(const cg_file *f);
const char *cg_file_name(const cg_file *f, int i);
int cg_file_find(const cg_file *f, const char *name);	/* -1 if there is none */
int cg_file_shape(const cg_file *f, int i, int64_t shape[CG_MAX_DIM]);	/* returns ndim */
cg_dtype cg_file_dtype(const cg_file *f, int i);
cg_status cg_file_read(cg_file *f, int i, void *host, size_t bytes);
/* A value of __metadata__, NULL if there is none. */
const char *cg_file_meta(const cg_file *f, const char *key);

/* Writes to a temporary name and renames: a failure leaves the old file. */
typedef struct cg_writer cg_writer;
cg_writer *cg_writer_new(cg_ctx *ctx, const char *path);
cg_status cg_writer_meta(cg_writer *w, const char *key, const char *value);
cg_status cg_writer_add(cg_writer *w, const char *name, cg_dtype type, int ndim, const int64_t *shape,
			const void *host);
/* Writes and frees the writer; on failure nothing but the old file remains. */
cg_status cg_writer_close(cg_writer *w);
void cg_writer_abort(cg_writer *w);

/* Parameters to and from a file, under `prefix` + name. Loading checks names, shapes and that all values are
 * finite before it changes anything. */
cg_status cg_params_save(cg_params *p, cg_writer *w, const char *prefix);
cg_status cg_params_load(cg_params *p, cg_file *f, const char *prefix);
/* The optimiser's moments, average and step count. Loading replaces all or, where a tensor is missing, of another shape
 * (CG_ERR_MISMATCH) or not finite (CG_ERR_NOT_FINITE), nothing; the message names it. */
cg_status cg_optim_save(cg_optim *o, cg_writer *w, const char *prefix);
cg_status cg_optim_load(cg_optim *o, cg_file *f, const char *prefix);

/* ---- layers: an operation with its parameters ------------------------------------------------------- */

typedef struct cg_nn_conv2d {
	cg_array *weight, *bias;	/* bias NULL: none */
	cg_conv_config config;
} cg_nn_conv2d;
cg_status cg_nn_conv2d_init(cg_nn_conv2d *l, cg_params *p, const char *name, int window, int64_t C, int64_t M,
			    int stride, int pad, bool bias, cg_init init);
cg_tensor *cg_nn_conv2d_forward(const cg_nn_conv2d *l, cg_tensor *x);

typedef struct cg_nn_linear {
	cg_array *weight, *bias;
} cg_nn_linear;
cg_status cg_nn_linear_init(cg_nn_linear *l, cg_params *p, const char *name, int64_t in, int64_t out, bool bias,
			    cg_init init);
cg_tensor *cg_nn_linear_forward(const cg_nn_linear *l, cg_tensor *x);

typedef struct cg_nn_batch_norm {
	cg_array *gamma, *beta, *running_mean, *running_var;
	float eps, momentum;
	bool frozen;
} cg_nn_batch_norm;
cg_status cg_nn_batch_norm_init(cg_nn_batch_norm *l, cg_params *p, const char *name, int64_t C, float eps,
				float momentum);
cg_tensor *cg_nn_batch_norm_forward(const cg_nn_batch_norm *l, cg_tensor *x);

typedef struct cg_nn_layer_norm {
	cg_array *gamma, *beta;
	float eps;
} cg_nn_layer_norm;
cg_status cg_nn_layer_norm_init(cg_nn_layer_norm *l, cg_params *p, const char *name, int64_t D, float eps);
cg_tensor *cg_nn_layer_norm_forward(const cg_nn_layer_norm *l, cg_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
