/*
 * What an operation's file sees: nodes, how they are made, and how they turn into launches.
 *
 * An operation is a constructor (checks shapes, makes a node), `emit` (appends launches to a plan) and
 * `grad` (extends the graph with the nodes of its gradient). Nothing here knows any operation.
 */
#ifndef CG_OP_H
#define CG_OP_H

#include "clgrad.h"
#include "error.h"

struct cg__emit;

enum { CG__MAX_SRC = 8, CG__MAX_AUX = 2, CG__ATTR_BYTES = 128 };

enum {
	CG__VIEW = 1,		/* y is src[0]'s memory under another shape: no launch */
	CG__INPLACE = 2,	/* elementwise: y may overwrite src[0] where that is no longer needed */
	CG__EFFECT = 4,		/* writes an array: always run */
	CG__LEAF = 8,		/* memory of an array */
	CG__AUX = 16		/* a further output, written by the launches of src[0] */
};

/* An attribute as cg_tensor_attr shows it: a name and where the node's attr has it. */
struct cg__attr_entry {
	const char *name;
	size_t offset;
	enum { CG__ATTR_INT, CG__ATTR_INT64, CG__ATTR_FLOAT } type;
};
#define CG__ATTR(text, type, member) \
	{ text, offsetof(type, member), \
		_Generic(((type *)0)->member, \
			int: CG__ATTR_INT, int64_t: CG__ATTR_INT64, float: CG__ATTR_FLOAT) }

struct cg_op {
	const char *name;
	unsigned flags;
	/* Appends the launches that compute y. */
	cg_status (*emit)(struct cg__emit *e, const cg_tensor *y);
	/* Sets dx[i] to the gradient of src[i] for those i whose src[i]->wants_grad; leaves the others NULL.
	 * NULL: no gradient flows through. Failures are those of the constructors called (sticky). */
	void (*grad)(cg_tensor *y, cg_tensor *dy, cg_tensor **dx);
	/* Fusion (fuse.c has the table of allowed pairs): y is a copy of a node of this operation whose only user is
	 * `consumer`; make y compute what consumer computes (e.g. take its bias as a further source, note its
	 * activation in attr) and return true, or return false and change nothing. NULL: absorbs nothing. */
	bool (*absorb)(cg_tensor *y, const cg_tensor *consumer);
	/* The other direction: y is a copy of a node of this operation whose src[0] is `producer`; make y do from
	 * producer's sources what producer does first, whoever else uses producer, or return false. */
	bool (*take)(cg_tensor *y, const cg_tensor *producer);
	/* Fusion of neighbours: t, which nobody else of the step reads, shares a source with y, or t is made of y and what was there
	 * before. Return true if y's emit will write it too, as y->aux[0], and what t->aux[0] was as y->aux[1]; what that
	 * needs of t goes to y's attr and sources. NULL: never. */
	bool (*adopt)(cg_tensor *y, const cg_tensor *t);
	/* Called once when the plan has its memory: for tables of places in it (cg__grad_place). */
	cg_status (*place)(const cg_plan *p, const cg_tensor *y);
	/* What others may know of attr, closed by a row without a name; NULL: nothing. */
	const struct cg__attr_entry *attrs;
};

struct cg_tensor {
	cg_graph *graph;
	const struct cg_op *op;
	int id;			/* position in the graph: sources come before */
	cg_dtype dtype;
	int ndim, nsrc;
	int64_t shape[CG_MAX_DIM];
	cg_tensor *src[CG__MAX_SRC];
	cg_tensor *aux[CG__MAX_AUX];	/* NULL unless somebody asked: emit must then not write it */
	cg_tensor *grad;	/* after cg_backward */
	cg_array *array;	/* leaf: where the data is */
	cg_array *grad_of;	/* the parameter whose final gradient this is, kept to the plan's end; or NULL */
	bool wants_grad;	/* a parameter or computed from one */
	char name[48];
	_Alignas(16) unsigned char attr[CG__ATTR_BYTES];
};

/* ---- making nodes -------------------------------------------------------------------------- */

/* A node of the graph of src[0]. `attr` is copied (at most CG__ATTR_BYTES), read back with cg__attr. Any NULL among
 * src gives NULL. wants_grad follows from the sources where op->grad is set. */
cg_tensor *cg__node(const struct cg_op *op, cg_dtype type, int ndim, const int64_t *shape, int nsrc,
		    cg_tensor *const *src, const void *attr, size_t attr_bytes);
/* The common case: float32, shape and sources as given. */
#define CG__SRC(...) (int)(sizeof((cg_tensor *[]){__VA_ARGS__}) / sizeof(cg_tensor *)), (cg_tensor *[]){__VA_ARGS__}
/* A node shaped as `like`. */
cg_tensor *cg__node_like(const struct cg_op *op, const cg_tensor *like, int nsrc, cg_tensor *const *src,
			 const void *attr, size_t attr_bytes);
static inline const void *cg__attr(const cg_tensor *y)
{
	return y->attr;
}
/* Output number i besides y itself (max pooling's index, attention's log-sum): made on first demand, then y's emit
 * sees it as y->aux[i] and must write it. */
cg_tensor *cg__aux(cg_tensor *y, int i, cg_dtype type, int ndim, const int64_t *shape);

/* Makes t, which must have no users yet, that output. */
void cg__make_aux(cg_tensor *y, int i, cg_tensor *t);

cg_ctx *cg__ctx(const cg_tensor *x);
bool cg__training(const cg_tensor *x);
/* {seed low, seed high, step low, step high} as uint32 (dtype int32) [4]: key of every random draw of the graph. */
cg_tensor *cg__rng(cg_tensor *any);

static inline int64_t cg__last(const cg_tensor *x)
{
	return x->shape[x->ndim - 1];
}
/* Product of all dimensions but the last. */
static inline int64_t cg__rows(const cg_tensor *x)
{
	int64_t n = 1;

	for (int i = 0; i < x->ndim - 1; i++)
		n *= x->shape[i];
	return n;
}
static inline int64_t cg__count(const cg_tensor *x)
{
	return cg__rows(x) * cg__last(x);
}
bool cg__same_shape(const cg_tensor *a, const cg_tensor *b);
/* "3x48x48x1", in a buffer of the caller. */
const char *cg__shape_text(const cg_tensor *x, char buf[64]);
/* Records `op: message` and returns NULL. */
cg_tensor *cg__fail_tensor(const cg_tensor *any, cg_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Sum over all but the last `keep` dimensions: the gradient of a broadcast. In fixed order. */
cg_tensor *cg__sum_leading(cg_tensor *x, int ndim, const int64_t *shape);
/* A copy (e.g. to detach a view from its memory). */
cg_tensor *cg__copy(cg_tensor *x);

/* ---- launches -------------------------------------------------------------------------------- */

enum cg__arg_kind { CG__IN, CG__OUT, CG__UPDATE, CG__INT, CG__FLOAT, CG__LOCAL, CG__ARENA };

struct cg__arg {
	enum cg__arg_kind kind;
	const cg_tensor *t;	/* IN, OUT, UPDATE; NULL passes a null buffer */
	int32_t i;		/* INT; LOCAL: bytes; ARENA: numbers read */
	float f;
};
#define IN(x) ((struct cg__arg){.kind = CG__IN, .t = (x)})
#define OUT(x) ((struct cg__arg){.kind = CG__OUT, .t = (x)})	/* written whole, not read */
#define UPDATE(x) ((struct cg__arg){.kind = CG__UPDATE, .t = (x)})	/* read and written */
#define INT(v) ((struct cg__arg){.kind = CG__INT, .i = (int32_t)(v)})
#define FLT(v) ((struct cg__arg){.kind = CG__FLOAT, .f = (float)(v)})
#define ARENA(count) ((struct cg__arg){.kind = CG__ARENA, .i = (int32_t)(count)})	/* all of it: op->place knows places */
#define LOCALMEM(bytes) ((struct cg__arg){.kind = CG__LOCAL, .i = (int32_t)(bytes)})

struct cg__range {
	int ndim;
	size_t global[3], local[3];	/* local 0: whatever the device likes */
};

/* What a device is like, for choosing launches. CG_FAMILY can force either family on any device. */
bool cg__is_cpu(const struct cg__emit *e);
int cg__vector_width(const struct cg__emit *e);	/* 16, 8 or 4: floats in a native vector */
int cg__compute_units(const struct cg__emit *e);

/* For kernels whose loop is CG_FOR(i, n) (common.cl): any n elements. */
struct cg__range cg__range_elements(const struct cg__emit *e, int64_t n);
/* For kernels with one task per group (CG_TASK, common.cl): on CPU devices a work-item is a task, on GPUs a work-group of
 * 64..256 items is (local size `group`); loops over tasks are strided, so any count is right. */
struct cg__range cg__range_tasks(const struct cg__emit *e, int64_t tasks, int group);
/* For kernels over rows of n elements: id 0 runs along a row (CG_FOR, CG_MAP), id 1 over the rows (CG_ROW). */
struct cg__range cg__range_rows(const struct cg__emit *e, int64_t n, int64_t rows);
/* Exact ranges; local sizes 0 leave the choice to the device. */
struct cg__range cg__range_1d(size_t g, size_t l);
struct cg__range cg__range_2d(size_t g0, size_t g1, size_t l0, size_t l1);
struct cg__range cg__range_3d(size_t g0, size_t g1, size_t g2, size_t l0, size_t l1, size_t l2);

/* Scratch that lives only among the launches that name it. */
cg_tensor *cg__temp(struct cg__emit *e, cg_dtype type, int64_t count);
/* At least so many zeros, to read only: filled once a plan. NULL without memory. */
const cg_tensor *cg__zeros(struct cg__emit *e, int64_t count);

/* Appends a launch of `kernel` in cl/<file>.cl built with `options` (e.g. "-DR=3", or NULL). The number and the types
 * of the arguments are checked against the kernel when the plan is prepared. */
cg_status cg__launch_args(struct cg__emit *e, const char *file, const char *options, const char *kernel,
			  struct cg__range range, const struct cg__arg *arg, int count);
#define CG__LAUNCH(e, file, options, kernel, range, ...) \
	cg__launch_args((e), (file), (options), (kernel), (range), (struct cg__arg[]){__VA_ARGS__}, \
			(int)(sizeof((struct cg__arg[]){__VA_ARGS__}) / sizeof(struct cg__arg)))
/* Declares how much arithmetic the last launch does, for profiles. */
void cg__flops(struct cg__emit *e, double flops);

/* Appends a call of a function at replay (CLBlast). `blob` is copied; mem[i] are the buffers of the arguments. */
typedef cg_status (*cg__call_fn)(cg_ctx *ctx, const void *blob, void *const *mem);
cg_status cg__launch_call(struct cg__emit *e, const char *name, cg__call_fn fn, const void *blob, size_t blob_bytes,
			  const struct cg__arg *arg, int count);
/* Appends a fill of a whole tensor with zeros. */
cg_status cg__launch_zero(struct cg__emit *e, const cg_tensor *x);
/* Appends a copy of all of x to y, of the same type and count. */
cg_status cg__launch_copy(struct cg__emit *e, const cg_tensor *x, const cg_tensor *y);
/* Whether launches that read nothing but t are made once, not in every run (keep.c): a parameter of a plan that infers. */
bool cg__keeps(const struct cg__emit *e, const cg_tensor *t);
cg_ctx *cg__emit_ctx(const struct cg__emit *e);
const cg_tensor *cg__emit_node(const struct cg__emit *e);

/* Several tensors written by one node beside y (an update): declares an effect of the graph. */
cg_status cg__effect(cg_tensor *node);

/* emit: return early */
#define TRY(call) \
	do { \
		cg_status try_status_ = (call); \
		if (try_status_ != CG_OK) \
			return try_status_; \
	} while (0)

#endif
