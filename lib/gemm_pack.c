/* CPU family: weights laid out as the panels that register tiles read, made once by plans that keep them (keep.c). */
#include "choice.h"
#include "ctx.h"
#include "gemm.h"

enum { PIECE = 768 }; /* KC of gemm_cpu.cl */
/* So many rows of a result repay the memory of another copy of the weights: beyond, copying panels is a small part. */
enum { ROWS_MOST = 600 };

static int64_t up(int64_t n, int64_t d)
{
	return (n + d - 1) / d;
}

bool cg__packs(const struct cg__emit *e, const cg_tensor *b, int64_t rows)
{
	return cg__keeps(e, b) && rows <= ROWS_MOST;
}

const cg_tensor *cg__pack(struct cg__emit *e, struct cg__tile t, const cg_tensor *b, int64_t offset,
	int64_t ldb, bool transposed, int64_t K, int64_t N)
{
	const int64_t panels = up(N, t.cols), piece = K < PIECE ? K : PIECE;
	const cg_tensor *packed = cg__temp(e, CG_FLOAT32, panels * K * t.cols);

	if (packed == NULL ||
		CG__LAUNCH(e, "gemm_cpu", t.options, "gemm_pack",
			cg__range_2d((size_t)panels, (size_t)up(K, piece), 1, 1), IN(b), OUT(packed),
			INT(offset), INT(ldb), INT(transposed), INT(K), INT(N), INT(piece)) != CG_OK)
		return NULL;
	return packed;
}
