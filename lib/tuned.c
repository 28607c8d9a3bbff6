#include "tuned.h"

#include "kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 1024, HEAD = 1024, PATH = 1024 };
/* Raise it by hand where a key or a way of gemm.c, conv2d_gpu.c or winograd.c comes to mean other launches: their
 * sources are not in the hash of the kernels. */
enum { MEANING = 3 };

struct pair {
	char *key, *value;
	bool ours; /* set by this process */
};

struct cg__tuned {
	char path[PATH], head[HEAD];
	char note[PATH + 200]; /* what was wrong with the file */
	struct pair *pair;
	int n, size;
};

/* ---- which file ------------------------------------------------------------------------------ */

static uint64_t fnv(uint64_t h, const char *text)
{
	do
		h = (h ^ (unsigned char)*text) * 1099511628211u;
	while (*text++);
	return h;
}

static uint64_t hash_of_kernels(void)
{
	uint64_t h = 14695981039346656037u;

	for (const struct cg__cl_source *s = cg__cl_sources; s->name; s++) {
		h = fnv(h, s->name);
		for (int i = 0; s->lines[i]; i++)
			h = fnv(h, s->lines[i]);
	}
	return h;
}

static void describe(cg_ctx *ctx, struct cg__tuned *t)
{
	const cg_device_info *d = &ctx->info;
	const struct cg__tune *u = &ctx->tune;

	snprintf(t->head, HEAD,
		"# clgrad %s choices %d\n# device: %s, %s, %s, driver %s, %u units, %llu bytes local\n"
		"# parameters: %s family, products by %s%s, vectors %d, group %d, groups %d, "
		"winograd %d, conv %d; build %s\n"
		"# kernels: %016llx\n",
		cg_version(), MEANING, d->platform_name, d->name, d->version, d->driver,
		d->compute_units, (unsigned long long)d->local_bytes,
		u->cpu_family ? "cpu" : "gpu", u->clblast ? "CLBlast " : "own",
		u->clblast ? ctx->clblast_version : "", u->vector_width, u->group, u->groups_per_unit, u->winograd, u->conv, ctx->env.build,
		(unsigned long long)hash_of_kernels());
}

static bool find_path(cg_ctx *ctx, struct cg__tuned *t)
{
	char name[64];

	if (ctx->env.cl_dir[0] || ctx->autotune == CG_AUTOTUNE_OFF)
		return false;
	snprintf(name, sizeof(name), "choices-%016llx.txt",
		(unsigned long long)fnv(14695981039346656037u, t->head));
	return cg__cache_path(ctx, name, t->path, sizeof(t->path));
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static struct pair *find(struct cg__tuned *t, const char *key)
{
	for (int i = 0; i < t->n; i++)
		if (strcmp(t->pair[i].key, key) == 0)
			return &t->pair[i];
	return NULL;
}

static bool put(struct cg__tuned *t, const char *key, const char *value, bool ours)
{
	struct pair *p = find(t, key);
	char *copy = strdup(value);

	if (p == NULL && t->n == t->size) {
		int size = 2 * t->size + 64;
		struct pair *bigger = realloc(t->pair, (size_t)size * sizeof(*bigger));

		if (bigger) {
			t->pair = bigger;
			t->size = size;
		}
	}
	if (copy == NULL || (p == NULL && t->n == t->size)) {
		free(copy);
		return false;
	}
	if (p == NULL) {
		p = &t->pair[t->n];
		*p = (struct pair){ .key = strdup(key) };
		t->n += p->key != NULL;
	}
	free(p->value);
	p->value = copy;
	p->ours = ours;
	if (p->key == NULL)
		free(copy);
	return p->key != NULL;
}

static void clear(struct cg__tuned *t)
{
	for (int i = 0; i < t->n; i++) {
		free(t->pair[i].key);
		free(t->pair[i].value);
	}
	t->n = 0;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* "key = value\n" cut in two; false where it is no such line. */
static bool cut_line(char *line, char **value)
{
	char *end = strchr(line, '\n'), *middle = strstr(line, " = ");

	if (end == NULL || middle == NULL || middle == line || end == middle + 3)
		return false;
	for (char *p = line; p < end; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			return false;
	*end = *middle = '\0';
	*value = middle + 3;
	return true;
}

/* What is wrong with the file, or NULL. Pairs that this process set stay. */
static const char *read_lines(struct cg__tuned *t, FILE *f)
{
	char line[LINE], head[HEAD] = "", *value;
	int lines = 0, claimed = -1;

	for (int i = 0; i < 4 && fgets(line, sizeof(line), f); i++)
		if (strlen(head) + strlen(line) < HEAD)
			strcat(head, line);
	if (strcmp(head, t->head) != 0)
		return "is of another device, driver or version";
	while (claimed < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "# end %d", &claimed) == 1)
			break;
		if (!cut_line(line, &value))
			return "has a line that is no `key = value`";
		lines++;
		if (!find(t, line) || !find(t, line)->ours)
			put(t, line, value, false);
	}
	if (claimed != lines)
		return "breaks off";
	return NULL;
}

static void drop_read(struct cg__tuned *t)
{
	int kept = 0;

	for (int i = 0; i < t->n; i++)
		if (t->pair[i].ours)
			t->pair[kept++] = t->pair[i];
		else {
			free(t->pair[i].key);
			free(t->pair[i].value);
		}
	t->n = kept;
}

static void read_file(struct cg__tuned *t)
{
	FILE *f = fopen(t->path, "r");
	const char *wrong;

	if (f == NULL)
		return;
	drop_read(t);
	wrong = read_lines(t, f);
	fclose(f);
	if (wrong == NULL)
		return;
	drop_read(t);
	snprintf(t->note, sizeof(t->note), "%s %s: ignored, until tuning writes it anew", t->path,
		wrong);
}

static struct cg__tuned *opened(cg_ctx *ctx)
{
	if (ctx->tuned == NULL) {
		ctx->tuned = calloc(1, sizeof(*ctx->tuned));
		if (ctx->tuned == NULL)
			return NULL;
		describe(ctx, ctx->tuned);
		if (find_path(ctx, ctx->tuned))
			read_file(ctx->tuned);
		else
			ctx->tuned->path[0] = '\0';
	}
	return ctx->tuned;
}

const char *cg__tuned_find(cg_ctx *ctx, const char *key)
{
	struct cg__tuned *t = opened(ctx);
	struct pair *p = t ? find(t, key) : NULL;

	return p ? p->value : NULL;
}

cg_status cg__tuned_set(cg_ctx *ctx, const char *key, const char *value)
{
	struct cg__tuned *t = opened(ctx);

	if (t && put(t, key, value, true))
		return CG_OK;
	return cg__fail(ctx, CG_ERR_HOST_MEMORY, "tune: out of host memory");
}

static bool write_lines(const struct cg__tuned *t, FILE *f)
{
	fputs(t->head, f);
	for (int i = 0; i < t->n; i++)
		fprintf(f, "%s = %s\n", t->pair[i].key, t->pair[i].value);
	fprintf(f, "# end %d\n", t->n);
	return !ferror(f);
}

void cg__tuned_save(cg_ctx *ctx)
{
	struct cg__tuned *t = opened(ctx);
	char temporary[PATH + 32];
	FILE *f;
	bool good;

	if (t == NULL || t->path[0] == '\0')
		return;
	read_file(t);
	cg__make_directories(t->path);
	snprintf(temporary, sizeof(temporary), "%s.%ld", t->path, (long)getpid());
	f = fopen(temporary, "w");
	good = f && write_lines(t, f);
	good = f && fclose(f) == 0 && good;
	if (good && rename(temporary, t->path) == 0) {
		t->note[0] = '\0';
		return;
	}
	snprintf(t->note, sizeof(t->note), "%s: %s", t->path, strerror(errno));
	remove(temporary);
}

void cg__tuned_close(cg_ctx *ctx)
{
	if (ctx->tuned == NULL)
		return;
	clear(ctx->tuned);
	free(ctx->tuned->pair);
	free(ctx->tuned);
	ctx->tuned = NULL;
}

const char *cg_tune_file(cg_ctx *ctx)
{
	const struct cg__tuned *t = opened(ctx);

	return t ? t->path : "";
}

const char *cg_tune_note(cg_ctx *ctx)
{
	const struct cg__tuned *t = opened(ctx);

	return t ? t->note : "";
}
