/* Parameters for CLBlast's kernels: sets to try, how they are given to it, and what tuning kept of them. */
#include "gemm.h"

#include "ctx.h"
#include "tuned.h"

#include <clblast_c.h>
#include <stdlib.h>
#include <string.h>

/* Its own table has 16x32 tiles for GPUs that it does not know, and 4 results an item for all but large products on
 * some that it does. Tiles here have 16 to 64 results an item. */
static const cg_gemm_set sets[] = {
	{ "Xgemm", "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=16 MDIMC=16 MWG=128 NDIMB=16 NDIMC=16 NWG=128 "
		   "SA=1 SB=1 STRM=0 STRN=0 VWM=4 VWN=4" },
	{ "Xgemm", "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=16 MDIMC=16 MWG=128 NDIMB=16 NDIMC=8 NWG=64 "
		   "SA=1 SB=1 STRM=0 STRN=0 VWM=4 VWN=4" },
	{ "Xgemm", "GEMMK=0 KREG=1 KWG=16 KWI=2 MDIMA=8 MDIMC=8 MWG=64 NDIMB=8 NDIMC=8 NWG=64 "
		   "SA=1 SB=1 STRM=0 STRN=0 VWM=4 VWN=4" },
	{ "Xgemm", "GEMMK=0 KREG=1 KWG=32 KWI=2 MDIMA=16 MDIMC=16 MWG=64 NDIMB=16 NDIMC=16 NWG=64 "
		   "SA=1 SB=1 STRM=0 STRN=0 VWM=2 VWN=2" },
	{ "XgemmDirect", "KWID=2 MDIMAD=16 MDIMCD=16 NDIMBD=16 NDIMCD=16 PADA=1 PADB=1 VWMD=4 VWND=4 "
			 "WGD=64" },
	{ "XgemmDirect", "KWID=2 MDIMAD=8 MDIMCD=8 NDIMBD=8 NDIMCD=8 PADA=1 PADB=1 VWMD=4 VWND=4 "
			 "WGD=32" },
	{ "XgemmDirect", "KWID=2 MDIMAD=16 MDIMCD=16 NDIMBD=16 NDIMCD=16 PADA=1 PADB=1 VWMD=2 VWND=2 "
			 "WGD=32" },
	{ "GemmRoutine", "XGEMM_MIN_INDIRECT_SIZE=64" },
	{ "GemmRoutine", "XGEMM_MIN_INDIRECT_SIZE=256" },
	{ "GemmRoutine", "XGEMM_MIN_INDIRECT_SIZE=1024" },
};
enum { SETS = sizeof(sets) / sizeof(sets[0]), PARAMETERS = 24 };

#ifdef CLBLAST_VERSION_MAJOR
#define TEXT(x) #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)
static const char version[] =
	VERSION(CLBLAST_VERSION_MAJOR, CLBLAST_VERSION_MINOR, CLBLAST_VERSION_PATCH);
#else
static const char version[] = "before 1.5.3";
#endif

int cg_gemm_set_count(void)
{
	return SETS;
}

cg_gemm_set cg_gemm_set_at(int i)
{
	return sets[i];
}

cg_status cg_gemm_use(cg_ctx *ctx, const cg_gemm_set *set)
{
	const char *name[PARAMETERS];
	size_t value[PARAMETERS];
	char text[512], *rest = text;
	CLBlastStatusCode code;
	int n = 0;

	snprintf(text, sizeof(text), "%s", set->parameters);
	for (char *word; n < PARAMETERS && (word = strtok_r(rest, " ", &rest)); n++) {
		char *equals = strchr(word, '=');

		if (equals == NULL)
			return cg__fail(ctx, CG_ERR_FORMAT, "gemm: %s: no NAME=VALUE", word);
		*equals = '\0';
		name[n] = word;
		value[n] = (size_t)strtoul(equals + 1, NULL, 10);
	}
	ctx->clblast_used = true;
	code = CLBlastOverrideParameters(
		ctx->device, set->kernel, CLBlastPrecisionSingle, (size_t)n, name, value);
	return code == CLBlastSuccess
		? CG_OK
		: cg__fail(ctx, CG_ERR_GEMM, "gemm: CLBlast refuses parameters of %s: %s",
			  set->kernel, cg__gemm_error_name((int)code));
}

static const char *key_of(const char *kernel, char key[64])
{
	snprintf(key, 64, "clblast %s", kernel);
	return key;
}

/* One of ours: what a file says beyond these is not trusted. */
static bool is_known(const cg_gemm_set *set)
{
	for (int i = 0; i < SETS; i++)
		if (strcmp(sets[i].kernel, set->kernel) == 0 &&
			strcmp(sets[i].parameters, set->parameters) == 0)
			return true;
	return false;
}

cg_status cg_gemm_keep(cg_ctx *ctx, const cg_gemm_set *set)
{
	char key[64];

	if (!is_known(set))
		return cg__fail(ctx, CG_ERR_ARGUMENT, "gemm: %s is no set for %s",
			set->parameters, set->kernel);
	TRY(cg__tuned_set(ctx, key_of(set->kernel, key), set->parameters));
	cg__tuned_save(ctx);
	return cg_tune_note(ctx)[0] ? cg__fail(ctx, CG_ERR_FILE, "%s", cg_tune_note(ctx)) : CG_OK;
}

/* What was kept for this device; what is none of the sets, or CLBlast refuses, is left. */
cg_status cg__gemm_open(cg_ctx *ctx)
{
	char key[64];

	ctx->clblast_version = version;
	for (int i = 0; !ctx->tune.cpu_family && i < SETS; i++) {
		cg_gemm_set kept = { sets[i].kernel, NULL };

		if (i > 0 && strcmp(sets[i].kernel, sets[i - 1].kernel) == 0)
			continue;
		kept.parameters = cg__tuned_find(ctx, key_of(kept.kernel, key));
		if (kept.parameters && is_known(&kept) && cg_gemm_use(ctx, &kept) != CG_OK)
			cg_clear_error(ctx);
	}
	return CG_OK;
}
