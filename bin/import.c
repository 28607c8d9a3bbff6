#include "import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "import_layout.h"
#include "import_names.h"
#include "import_stem.h"
#include "weights.h"

/* What becomes of one parameter. */
struct pair {
	cg_array *to;
	const struct import_rule *rule;
	int from;	/* tensor of the file; -1: none */
	bool fresh;	/* keeps what it was drawn with */
};

struct import {
	struct network *network;
	const struct cli *cli;
	const char *path;
	struct weights file;
	const struct import_origin *origin;
	char prefix[IMPORT_NAME];
	struct pair *pair;	/* one a parameter */
	bool *used;		/* by tensor of the file */
	struct import_stem stem;
};

/* Our own names, for checkpoints. */
static const struct import_rule own_rules[] = { { "*", "*", 0, NULL }, { NULL, NULL, 0, NULL } };
static const struct import_origin own = { .name = "fer-train", .layout = IMPORT_HWIO,
					  .rules = own_rules };

static const char *shape_text(int ndim, const int64_t *shape, char text[64])
{
	size_t n = 0;

	text[0] = 0;
	for (int i = 0; i < ndim && n < 60; i++)
		n += (size_t)snprintf(text + n, 64 - n, "%s%lld", i ? "x" : "", (long long)shape[i]);
	return text;
}

/* ---- where the file comes from ---------------------------------------------------------------- */

/* Finds the tensor whose name ends in the anchor and keeps what is before it. */
static bool has_anchor(const struct weights *f, const char *anchor, char prefix[IMPORT_NAME])
{
	size_t m = strlen(anchor);

	for (int i = 0; i < weights_count(f); i++) {
		const char *name = weights_name(f, i);
		size_t n = strlen(name);

		if (n < m || n - m >= IMPORT_NAME || strcmp(name + n - m, anchor))
			continue;
		snprintf(prefix, IMPORT_NAME, "%.*s", (int)(n - m), name);
		return true;
	}
	return false;
}

static const struct import_origin *find_origin(const struct weights *f, char prefix[IMPORT_NAME])
{
	prefix[0] = 0;
	if (weights_meta(f, "fer.model"))
		return &own;
	for (int i = 0; import_origins[i]; i++)
		if (has_anchor(f, import_origins[i]->anchor, prefix))
			return import_origins[i];
	return NULL;
}

static int unknown_file(const struct cli *c, const char *path)
{
	return cli_fail(c, CLI_CHECKPOINT, "%s: names of no origin that is known (timm, Google's ViT, "
			"gluon, tfslim, Keras, torchvision, or our own)", path);
}

/* ---- settings that the file tells ---------------------------------------------------------------- */

static int64_t hinted(const struct weights *f, const char *prefix, const struct import_hint *h)
{
	int64_t shape[CG_MAX_DIM];
	char name[IMPORT_NAME];
	long number[IMPORT_NUMBERS] = { 0 };
	int64_t count = 0;
	int i;

	if (h->at == IMPORT_COUNT) {
		while (import_expand(prefix, h->theirs, number, "", name) &&
		       weights_find(f, name) >= 0)
			number[0] = (long)++count;
		return count;
	}
	import_expand(prefix, h->theirs, number, "", name);
	i = weights_find(f, name);
	if (i < 0 || weights_shape(f, i, shape) <= (h->at < 0 ? 1 : h->at))
		return 0;
	return h->at < 0 ? (int64_t)llround(sqrt((double)(shape[1] - 1))) : shape[h->at];
}

static void set_number(const struct model *m, struct model_config *config, const char *name,
		       int64_t value)
{
	char text[32], expected[MODEL_TEXT];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	if (value > 0)
		model_set(m, config, name, text, expected);
}

/* "variant=gluon size=224" over what there is. */
static void set_words(const struct model *m, struct model_config *config, const char *settings)
{
	char copy[MODEL_TEXT], expected[MODEL_TEXT];

	snprintf(copy, sizeof(copy), "%s", settings ? settings : "");
	for (char *word, *rest = copy; (word = strtok_r(rest, " ", &rest)) != NULL;) {
		char *value = strchr(word, '=');

		if (!value)
			continue;
		*value = 0;
		model_set(m, config, word, value + 1, expected);
	}
}

static void read_hints(const struct weights *f, const char *prefix, const struct import_origin *o,
		       const struct model *m, struct model_config *config)
{
	int64_t patch = 1, width = 0;

	set_words(m, config, o->settings);
	for (const struct import_hint *h = o->hints; h && h->setting; h++) {
		int64_t value = hinted(f, prefix, h);

		if (!strcmp(h->setting, "patch"))
			patch = value;
		if (!strcmp(h->setting, "dim"))
			width = value;
		set_number(m, config, h->setting, h->at == IMPORT_SQUARE ? value * patch : value);
	}
	if (o->head_size)
		set_number(m, config, "heads", width / o->head_size);
	set_words(m, config, weights_meta(f, "fer.settings"));	/* fer-export's */
}

int import_settings(const struct cli *c, cg_ctx *ctx, const char *path, const struct model **model,
		    struct model_config *config)
{
	struct weights f;
	const struct import_origin *o = NULL;
	char prefix[IMPORT_NAME];
	int status = weights_open(&f, c, ctx, path);

	if (status < 0)
		o = find_origin(&f, prefix);
	if (status < 0 && !o) {
		status = unknown_file(c, path);
	} else if (o == &own) {
		status = network_settings(c, f.file, path, model, config);
	} else if (o) {
		*model = model_find(o->model);
		model_defaults(*model, config);
		read_hints(&f, prefix, o, *model, config);
		config->image = config->size;
	}
	weights_close(&f);
	return status;
}

/* ---- what belongs to what -------------------------------------------------------------------------- */

static bool is_head(const struct import *m, const char *name)
{
	const char *head = m->network->model->head;

	return !strncmp(name, head, strlen(head));
}

static void find_pair(struct import *m, struct pair *p)
{
	const char *ours = cg_array_name(p->to), *rest;
	long number[IMPORT_NUMBERS];
	char theirs[IMPORT_NAME];

	p->from = -1;
	for (const struct import_rule *r = m->origin->rules; r->ours; r++) {
		if (!import_match(r->ours, ours, number, &rest))
			continue;
		p->rule = r;
		if (r->theirs && import_expand(m->prefix, r->theirs, number, rest, theirs))
			p->from = weights_find(&m->file, theirs);
		break;
	}
	p->fresh = p->from < 0 && !(p->rule && !p->rule->theirs);
	if (p->from >= 0)
		m->used[p->from] = true;
}

/* Without dimensions of 1; how many remain. */
static int squeezed(int ndim, const int64_t *shape, int64_t out[CG_MAX_DIM])
{
	int n = 0;

	for (int i = 0; i < ndim; i++)
		if (shape[i] != 1)
			out[n++] = shape[i];
	return n;
}

static bool conv_fits(const struct import *m, const struct pair *p, int ndim, const int64_t *shape)
{
	const int64_t *want = cg_array_shape(p->to);
	int64_t rscm[4];

	if (ndim != 4)
		return false;
	layout_sizes(m->origin->layout, shape, rscm);
	return rscm[0] == want[0] && rscm[1] == want[1] && rscm[3] == want[3] &&
	       (rscm[2] == want[2] || (p->to == m->stem.weight && rscm[2] * want[2] == 3));
}

static int64_t side(int64_t tokens)
{
	int64_t n = (int64_t)llround(sqrt((double)(tokens - 1)));

	return n * n == tokens - 1 ? n : 0;
}

static bool is_positions(const struct pair *p)
{
	return !strcmp(cg_array_name(p->to), "pos_embed");
}

/* Are some first dimensions want[0] in all and the others want[1]? Flax has heads as one of their own. */
static bool splits(int ndim, const int64_t *shape, const int64_t want[2])
{
	int64_t K = 1, M = 1;
	int i = 0;

	while (i < ndim && K < want[0])
		K *= shape[i++];
	while (i < ndim)
		M *= shape[i++];
	return K == want[0] && M == want[1];
}

static bool matrix_fits(const struct import *m, const struct pair *p, int ndim, const int64_t *shape)
{
	const int64_t *want = cg_array_shape(p->to);
	int64_t two[CG_MAX_DIM];

	if (m->origin->layout == IMPORT_HWIO && !is_positions(p))
		return splits(ndim, shape, want);
	if (squeezed(ndim, shape, two) != 2)
		return false;
	if (is_positions(p))
		return two[1] == want[1] && (two[0] == want[0] || (side(two[0]) && side(want[0])));
	return two[0] == want[1] && two[1] == want[0];
}

static bool fits(const struct import *m, const struct pair *p)
{
	int64_t shape[CG_MAX_DIM], n = 1;
	int ndim = weights_shape(&m->file, p->from, shape);

	if (!weights_are_floats(&m->file, p->from))
		return false;
	if (cg_array_ndim(p->to) == 4)
		return conv_fits(m, p, ndim, shape);
	if (cg_array_ndim(p->to) == 2)
		return matrix_fits(m, p, ndim, shape);
	for (int i = 0; i < ndim; i++)
		n *= shape[i];
	return n == cg_array_count(p->to) || (import_stem_has(&m->stem, p->to) && n == 3);
}

static int check_pairs(struct import *m)
{
	char have[64], want[64];
	int64_t shape[CG_MAX_DIM];

	for (int i = 0; i < cg_params_count(m->network->params); i++) {
		struct pair *p = &m->pair[i];
		int ndim;

		if (p->from < 0 || fits(m, p))
			continue;
		p->fresh = is_head(m, cg_array_name(p->to));
		if (p->fresh)
			continue;
		ndim = weights_shape(&m->file, p->from, shape);
		return cli_fail(m->cli, CLI_CHECKPOINT, "%s: %s is %s, %s wants %s", m->path,
				weights_name(&m->file, p->from), shape_text(ndim, shape, have),
				cg_array_name(p->to), shape_text(cg_array_ndim(p->to),
								 cg_array_shape(p->to), want));
	}
	return -1;
}

static bool draws_head(const struct import *m)
{
	for (int i = 0; i < cg_params_count(m->network->params); i++)
		if (!m->pair[i].fresh && is_head(m, cg_array_name(m->pair[i].to)))
			return false;
	return true;
}

static bool before_head(const struct import *m, const char *name)
{
	const char *begin = m->origin->before_head;

	return begin && !strncmp(name, begin, strlen(begin));
}

static int check_unexpected(const struct import *m)
{
	bool fresh = draws_head(m), other_head = false;
	char names[300] = "";
	int count = 0;

	for (int i = 0; i < weights_count(&m->file); i++) {
		const char *name = weights_name(&m->file, i);
		size_t n = strlen(names);

		if (m->used[i] || (m->origin == &own && !strncmp(name, "optim.", 6)))
			continue;
		if (before_head(m, name) && fresh) {
			cli_note(m->cli, "left out, as the classifier is drawn afresh: %s", name);
			continue;
		}
		other_head |= before_head(m, name);
		if (count++ < 4)
			snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", name);
	}
	if (!count)
		return -1;
	return cli_fail(m->cli, CLI_CHECKPOINT, "%s: %d tensors that %s has no place for: %s%s%s", m->path,
			count, m->network->model->name, names, count > 4 ? ", .." : "",
			other_head ? "; with another number of --classes they are left out" : "");
}

/* ---- settings that change no shape ------------------------------------------------------------------- */

static double setting(const struct model *m, const struct model_config *config, const char *name)
{
	for (int i = 0; m->settings[i].name; i++)
		if (!strcmp(m->settings[i].name, name))
			return config->value[i];
	return -1;
}

/* Weights of another form, or for another number of heads, would be taken and compute nonsense. */
static int check_settings(const struct import *m)
{
	static const char *const names[] = { "variant", "heads", "gelu" };
	const struct model *model = m->network->model, *theirs = model;
	struct model_config config;
	char a[MODEL_TEXT], b[MODEL_TEXT];
	int status = -1;

	model_defaults(model, &config);
	if (m->origin == &own)
		status = network_settings(m->cli, m->file.file, m->path, &theirs, &config);
	else
		read_hints(&m->file, m->prefix, m->origin, theirs = model_find(m->origin->model), &config);
	if (status >= 0)
		return status;
	if (theirs != model)
		return cli_fail(m->cli, CLI_CHECKPOINT, "%s: weights of %s, not of %s", m->path,
				theirs->name, model->name);
	for (int i = model->variants != NULL; i < 3; i++) {
		if (setting(model, &config, names[i]) == setting(model, &m->network->config, names[i]))
			continue;
		model_config_text(model, &config, a);
		model_config_text(model, &m->network->config, b);
		return cli_fail(m->cli, CLI_CHECKPOINT, "%s: not the same %s: the weights are of (%s), "
				"the network is (%s)", m->path, names[i], a, b);
	}
	return -1;
}

/* ---- values ------------------------------------------------------------------------------------------ */

static bool convert_matrix(const struct import *m, const struct pair *p, const float *from,
			   const int64_t *shape, float *to)
{
	const int64_t *want = cg_array_shape(p->to);
	cg_array *maps = p->rule->maps ? cg_params_find(m->network->params, p->rule->maps) : NULL;

	if (is_positions(p) && shape[0] != want[0])
		return layout_positions(from, side(shape[0]), side(want[0]), want[1], to);
	if (is_positions(p) || m->origin->layout == IMPORT_HWIO)
		memcpy(to, from, (size_t)(want[0] * want[1]) * sizeof(*to));
	else if (maps)
		layout_flattened(from, want[1], want[0], cg_array_shape(maps)[3], to);
	else
		layout_transpose(from, want[1], want[0], to);
	return true;
}

/* From the file's order to ours; what belongs to the first layer waits there for import_stem_write. */
static cg_status convert(struct import *m, const struct pair *p, const float *from, int64_t count)
{
	int64_t shape[CG_MAX_DIM], two[CG_MAX_DIM], rscm[4];
	int ndim = weights_shape(&m->file, p->from, shape);
	size_t room = (size_t)(cg_array_count(p->to) > count ? cg_array_count(p->to) : count);
	float *to = malloc(room * sizeof(*to));
	bool good = to != NULL;
	cg_status status = CG_OK;

	if (good && cg_array_ndim(p->to) == 4) {
		layout_sizes(m->origin->layout, shape, rscm);
		layout_conv(m->origin->layout, from, rscm, to);
	} else if (good && cg_array_ndim(p->to) == 2) {
		squeezed(ndim, shape, two);
		good = convert_matrix(m, p, from, two, to);
	} else if (good) {
		memcpy(to, from, (size_t)count * sizeof(*to));
	}
	if (good && import_stem_has(&m->stem, p->to)) {
		import_stem_take(&m->stem, p->to, to, count);
		return CG_OK;
	}
	if (good)
		status = cg_array_write(p->to, to, (size_t)cg_array_count(p->to) * sizeof(*to));
	free(to);
	return good ? status : CG_ERR_HOST_MEMORY;
}

static cg_status fill(const struct pair *p)
{
	int64_t count = cg_array_count(p->to);
	float *value = malloc((size_t)count * sizeof(*value));
	cg_status status = CG_ERR_HOST_MEMORY;

	for (int64_t i = 0; value && i < count; i++)
		value[i] = p->rule->fill;
	if (value)
		status = cg_array_write(p->to, value, (size_t)count * sizeof(*value));
	free(value);
	return status;
}

static bool finite(const float *x, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

static int take(struct import *m, const struct pair *p)
{
	int64_t shape[CG_MAX_DIM], count = 1;
	int ndim = weights_shape(&m->file, p->from, shape), status;
	float *from;

	for (int i = 0; i < ndim; i++)
		count *= shape[i];
	from = malloc((size_t)count * sizeof(*from));
	if (!from)
		return cli_fail(m->cli, CLI_RUNTIME, "out of memory");
	status = weights_read(&m->file, m->cli, p->from, from, count);
	if (status < 0 && !finite(from, count))
		status = cli_fail(m->cli, CLI_CHECKPOINT, "%s: %s is not finite", m->path,
				  weights_name(&m->file, p->from));
	if (status < 0 && convert(m, p, from, count) != CG_OK)
		status = engine_fail(m->cli, m->network->ctx, cg_array_name(p->to));
	free(from);
	return status;
}

static int take_all(struct import *m)
{
	int status = -1, taken = 0, fresh = 0;
	char text[64];

	for (int i = 0; i < cg_params_count(m->network->params) && status < 0; i++) {
		const struct pair *p = &m->pair[i];

		if (p->fresh) {
			cli_note(m->cli, "not in the file, freshly drawn: %s %s", cg_array_name(p->to),
				 shape_text(cg_array_ndim(p->to), cg_array_shape(p->to), text));
			fresh++;
		} else if (p->from >= 0) {
			status = take(m, p);
			taken++;
		} else if (fill(p) != CG_OK) {
			status = engine_fail(m->cli, m->network->ctx, cg_array_name(p->to));
		}
	}
	if (status < 0)
		cli_note(m->cli, "%s: %d tensors taken from %s, %d freshly drawn", m->network->model->name,
			 taken, m->origin->name, fresh);
	return status;
}

static int import_all(struct import *m, bool fold)
{
	cg_params *params = m->network->params;
	int status = check_settings(m);

	if (status >= 0)
		return status;
	import_stem_find(&m->stem, m->network);
	m->pair = calloc((size_t)cg_params_count(params), sizeof(*m->pair));
	m->used = calloc((size_t)weights_count(&m->file) + 1, sizeof(*m->used));
	if (!m->pair || !m->used)
		return cli_fail(m->cli, CLI_RUNTIME, "out of memory");
	for (int i = 0; i < cg_params_count(params); i++) {
		m->pair[i].to = cg_params_at(params, i);
		find_pair(m, &m->pair[i]);
	}
	status = check_pairs(m);
	if (status < 0)
		status = check_unexpected(m);
	if (status < 0)
		status = take_all(m);
	if (weights_meta(&m->file, "fer.settings"))	/* fer-export's: pixels are ours already */
		fold = false;
	if (status < 0)
		status = import_stem_write(&m->stem, m->cli, fold ? m->origin : NULL);
	return status;
}

int import_weights(struct network *n, const struct cli *c, const char *path, bool fold)
{
	struct import m = { .network = n, .cli = c, .path = path };
	int status = weights_open(&m.file, c, n->ctx, path);

	if (status < 0) {
		m.origin = find_origin(&m.file, m.prefix);
		status = m.origin ? import_all(&m, fold) : unknown_file(c, path);
	}
	import_stem_free(&m.stem);
	free(m.pair);
	free(m.used);
	weights_close(&m.file);
	return status;
}
