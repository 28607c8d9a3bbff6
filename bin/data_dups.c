/*
 * data_dups.c: which images occur more than once, what that means for the splits, and folds that
 * keep identical images together.
 */
#include "data.h"

#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "random.h"

/* The bytes as little-endian words, so that the hash is the same on every machine. */
static uint64_t hash_bytes(const uint8_t *p, size_t size, uint64_t h)
{
	for (; size >= 8; p += 8, size -= 8) {
		uint64_t word = 0;

		for (int i = 0; i < 8; i++)
			word |= (uint64_t)p[i] << (8 * i);
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	for (; size > 0; p++, size--)
		h = (h ^ *p) * UINT64_C(0x9e3779b97f4a7c15);
	return random_mix(h);
}

static bool is_blank(const uint8_t *p, size_t size)
{
	return size < 2 || !memcmp(p, p + 1, size - 1);
}

/* group[i]: the first row with the pixels of row i, found through a table of hashes. */
static enum data_status find_groups(struct dataset *d, const uint64_t *hash)
{
	size_t size = data_image_size(d), slots = 16;
	int32_t *table;

	while (slots < 2 * (size_t)d->n)
		slots *= 2;
	table = malloc(slots * sizeof(*table));
	if (!table)
		return DATA_MEMORY;
	memset(table, -1, slots * sizeof(*table));
	for (int32_t i = 0; i < d->n; i++) {
		const uint8_t *p = d->pixels + (size_t)i * size;
		size_t s = hash[i] & (slots - 1);

		while (table[s] >= 0 &&
			(hash[table[s]] != hash[i] ||
				memcmp(d->pixels + (size_t)table[s] * size, p, size)))
			s = (s + 1) & (slots - 1);
		if (table[s] < 0)
			table[s] = i;
		d->group[i] = table[s];
	}
	free(table);
	return DATA_OK;
}

/* What a group holds, at the index of its first row. */
struct members {
	uint8_t splits; /* bit s: a row of split s */
	uint8_t label; /* of its first row */
	bool conflict; /* another row has another label */
	int32_t rows;
};

static struct members *find_members(const struct dataset *d)
{
	struct members *m = calloc((size_t)d->n + 1, sizeof(*m));

	for (int32_t i = 0; m && i < d->n; i++) {
		struct members *g = &m[d->group[i]];

		g->splits |= (uint8_t)(1u << d->usage[i]);
		if (g->rows++ == 0)
			g->label = d->label[i];
		g->conflict |= d->label[i] != g->label;
	}
	return m;
}

static void mark(struct dataset *d, const struct members *members)
{
	size_t size = data_image_size(d);

	for (int32_t i = 0; i < d->n; i++) {
		const struct members *m = &members[d->group[i]];
		unsigned flaw = d->flaw[i] & FLAW_NO_LABEL;

		if (is_blank(d->pixels + (size_t)i * size, size))
			flaw |= FLAW_BLANK;
		if (d->group[i] != i)
			flaw |= FLAW_REPEAT;
		if (m->splits & ((1u << d->usage[i]) - 1))
			flaw |= FLAW_TWIN_BEFORE;
		if (m->splits >> (d->usage[i] + 1))
			flaw |= FLAW_TWIN_AFTER;
		if (m->conflict)
			flaw |= FLAW_CONFLICT;
		d->flaw[i] = (uint8_t)flaw;
	}
}

static uint64_t hash_all(const struct dataset *d, const uint64_t *rows)
{
	size_t n = (size_t)d->n;
	uint64_t h = random_mix((uint64_t)d->n) ^ random_mix(data_image_size(d) + (size_t)d->h);

	for (size_t i = 0; i < n; i++)
		h = random_mix(h ^ rows[i]);
	h = hash_bytes(d->label, n, h);
	h = hash_bytes(d->usage, n, h);
	h = hash_bytes(d->flaw, n, h);
	for (int32_t i = 0; d->own_names && i < d->classes; i++)
		h = hash_bytes((const uint8_t *)d->own_names[i], strlen(d->own_names[i]) + 1, h);
	if (d->soft)
		h = hash_bytes((const uint8_t *)d->soft, n * (size_t)d->classes * sizeof(float), h);
	return h;
}

struct hashing {
	const struct dataset *d;
	uint64_t *hash;
};

enum { IMAGES = 256 }; /* hashed at once */

static void hash_images(void *state, int part)
{
	const struct hashing *h = state;
	size_t size = data_image_size(h->d);

	for (int32_t i = part * IMAGES; i < h->d->n && i < (part + 1) * IMAGES; i++)
		h->hash[i] = hash_bytes(h->d->pixels + (size_t)i * size, size, 0);
}

enum data_status data_finish(struct dataset *d)
{
	size_t n = (size_t)d->n;
	uint64_t *hash = malloc((n + 1) * sizeof(*hash));
	struct members *members = NULL;
	enum data_status status;

	if (!d->classes) {
		d->classes = DATA_CLASSES;
		d->class_names = data_class_names;
	}
	if (!d->flaw)
		d->flaw = calloc(n + 1, 1);
	if (!d->group)
		d->group = calloc(n + 1, sizeof(*d->group));
	if (hash)
		parallel_for((d->n + IMAGES - 1) / IMAGES, hash_images, &(struct hashing){ d, hash });
	if (hash && d->flaw && d->group && find_groups(d, hash) == DATA_OK)
		members = find_members(d);
	if (members) {
		mark(d, members);
		d->hash = hash_all(d, hash);
	}
	status = members ? DATA_OK : DATA_MEMORY;
	free(members);
	free(hash);
	return status;
}

/* --- facts --- */

static void count_rows(const struct dataset *d, const struct members *members, struct data_facts *f)
{
	for (int32_t i = 0; i < d->n; i++) {
		const struct members *m = &members[d->group[i]];
		int s = d->usage[i];

		f->n[s]++;
		f->count[s][d->label[i]]++;
		f->blank += (d->flaw[i] & FLAW_BLANK) != 0;
		f->without_twins[s] += !(d->flaw[i] & FLAW_TWIN_BEFORE);
		for (int t = 0; t < s; t++)
			f->twins[s][t] += m->splits >> t & 1;
	}
}

enum data_status data_facts(const struct dataset *d, struct data_facts *f)
{
	struct members *members = find_members(d);
	uint8_t *seen = calloc((size_t)d->n + 1, 1);
	bool enough = members && seen;

	memset(f, 0, sizeof(*f));
	if (enough)
		count_rows(d, members, f);
	for (int32_t i = 0; enough && i < d->n; i++) {
		unsigned bit = 1u << d->usage[i];

		f->repeats_within[d->usage[i]] += (seen[d->group[i]] & bit) != 0;
		seen[d->group[i]] |= (uint8_t)bit;
		f->distinct += d->group[i] == i;
		f->groups += members[i].rows > 1;
		f->conflict_groups += members[i].conflict;
	}
	f->repeats = d->n - f->distinct;
	free(members);
	free(seen);
	return enough ? DATA_OK : DATA_MEMORY;
}
