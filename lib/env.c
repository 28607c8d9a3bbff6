#include "env.h"

#include "ctx.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static cg_status copy(cg_ctx *ctx, const char *name, char *field, size_t size)
{
	const char *value = getenv(name);

	if (value == NULL)
		value = "";
	if (strlen(value) >= size)
		return cg__fail(
			ctx, CG_ERR_ARGUMENT, "%s: longer than %zu characters", name, size - 1);
	strcpy(field, value);
	return CG_OK;
}

static cg_status parse_bool(cg_ctx *ctx, const char *name, const char *value, bool *on)
{
	*on = strcmp(value, "1") == 0;
	if (*on || value[0] == '\0' || strcmp(value, "0") == 0)
		return CG_OK;
	return cg__fail(ctx, CG_ERR_ARGUMENT, "%s=%s: expected 0 or 1", name, value);
}

static cg_status parse_guard(cg_ctx *ctx, struct cg__env *env)
{
	env->guard_exact = strcmp(env->guard, "exact") == 0;
	env->guard_on = env->guard_exact || strcmp(env->guard, "1") == 0;
	if (env->guard_on || env->guard[0] == '\0' || strcmp(env->guard, "0") == 0)
		return CG_OK;
	return cg__fail(ctx, CG_ERR_ARGUMENT, "CG_GUARD=%s: expected 0, 1 or exact", env->guard);
}

static cg_status parse_trace(cg_ctx *ctx, struct cg__env *env)
{
	static const char *const names[] = { "op", "launch", "mem", "build" };
	char list[256], *save = NULL;

	strcpy(list, env->trace);
	for (char *w = strtok_r(list, ",", &save); w != NULL; w = strtok_r(NULL, ",", &save)) {
		unsigned bit = 0;

		for (int i = 0; i < 4; i++)
			if (strcmp(w, names[i]) == 0)
				bit = 1u << i;
		if (bit == 0)
			return cg__fail(ctx, CG_ERR_ARGUMENT,
				"CG_TRACE=%s: %s is none of op, launch, mem, build", env->trace, w);
		env->trace_mask |= bit;
	}
	return CG_OK;
}

static cg_status parse_fault(cg_ctx *ctx, struct cg__env *env)
{
	static const char *const kinds[] = { "", "alloc:", "build:", "launch:", "write:" };
	const char *number = env->fault;
	char *end;

	env->fault_kind = CG__FAULT_ANY;
	if (number[0] == '\0')
		return CG_OK;
	for (int i = 1; i < 5; i++)
		if (strncmp(env->fault, kinds[i], strlen(kinds[i])) == 0) {
			env->fault_kind = (enum cg__fault)i;
			number = env->fault + strlen(kinds[i]);
		}
	errno = 0;
	env->fault_at = strtoull(number, &end, 10);
	if (!isdigit((unsigned char)number[0]) || *end != '\0' || errno != 0)
		return cg__fail(ctx, CG_ERR_ARGUMENT,
			"CG_FAULT=%s: expected N or KIND:N, KIND one of alloc, build, launch, write",
			env->fault);
	return CG_OK;
}

static cg_status parse_choice(
	cg_ctx *ctx, const char *name, const char *value, const char *a, const char *b)
{
	if (value[0] == '\0' || strcmp(value, a) == 0 || strcmp(value, b) == 0)
		return CG_OK;
	return cg__fail(ctx, CG_ERR_ARGUMENT, "%s=%s: expected %s or %s", name, value, a, b);
}

/* Without a cache nothing is known, and nothing kept: off. */
static cg_status parse_autotune(cg_ctx *ctx, struct cg__env *env)
{
	const char *word = env->autotune;

	if (word[0] == '\0' || strcmp(word, "cache") == 0)
		env->autotune_mode = CG_AUTOTUNE_CACHE;
	else if (strcmp(word, "on") == 0)
		env->autotune_mode = CG_AUTOTUNE_ON;
	else if (strcmp(word, "off") == 0)
		env->autotune_mode = CG_AUTOTUNE_OFF;
	else
		return cg__fail(ctx, CG_ERR_ARGUMENT, "CG_AUTOTUNE=%s: expected off, cache or on",
			word);
	if (strcmp(env->cache, "off") == 0)
		env->autotune_mode = CG_AUTOTUNE_OFF;
	return CG_OK;
}

cg_status cg__env_read(cg_ctx *ctx, struct cg__env *env)
{
	memset(env, 0, sizeof(*env));
#define X(name, field, help) TRY(copy(ctx, name, env->field, sizeof(env->field)));
	CG__ENV_LIST(X)
#undef X
	TRY(parse_bool(ctx, "CG_SYNC", env->sync, &env->sync_on));
	TRY(parse_bool(ctx, "CG_NAN", env->nan, &env->nan_on));
	TRY(parse_guard(ctx, env));
	TRY(parse_choice(ctx, "CG_FAMILY", env->family, "cpu", "gpu"));
	TRY(parse_choice(ctx, "CG_GEMM", env->gemm, "own", "clblast"));
	TRY(parse_autotune(ctx, env));
	TRY(parse_trace(ctx, env));
	return parse_fault(ctx, env);
}

void cg_print_env_help(const cg_ctx *ctx, FILE *f)
{
#define X(name, field, help) \
	fprintf(f, "%-16s %s%s%s%s\n", name, help, ctx && ctx->env.field[0] ? " (now: " : "", \
		ctx ? ctx->env.field : "", ctx && ctx->env.field[0] ? ")" : "");
	CG__ENV_LIST(X)
#undef X
}
