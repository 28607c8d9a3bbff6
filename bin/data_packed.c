/*
 * data_packed.c: reading the packed form; see data_packed.h. The images are unpacked in parts at once,
 * where the file says where parts begin, then summed up image by image.
 */
#include "data_packed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data_classes.h"
#include "parallel.h"
#include "zip.h"

/* A .npy file in memory. */
struct array {
	uint8_t *bytes;		/* of the whole file, to be freed */
	size_t size;
	const uint8_t *data;
	size_t item;		/* bytes of an element */
	char kind;		/* 'u', 'i', 'S' */
	int ndim;
	int64_t shape[4], count;
};

struct packed {
	const char *path;
	struct zip zip;
	struct dataset *d;
	const struct data_options *options;
	struct data_error *error;
};

static enum data_status fail(struct packed *p, const char *name, const char *what)
{
	snprintf(p->error->text, sizeof(p->error->text), "%s%s%s: %s", p->path, *name ? ":" : "", name, what);
	return DATA_MALFORMED;
}

static enum data_status out_of_memory(struct packed *p)
{
	fail(p, "", "out of memory");
	return DATA_MEMORY;
}

/* --- arrays --- */

/* The text of the header; 0 where it is none. */
static size_t header_text(const struct array *a, char *text, size_t room)
{
	size_t head = a->size > 8 && a->bytes[6] == 1 ? 10 : 12, length;

	if (a->size < 12 || memcmp(a->bytes, "\x93NUMPY", 6))
		return 0;
	length = a->bytes[8] | (size_t)a->bytes[9] << 8;
	if (length >= room || length > a->size - head || (head == 12 && (a->bytes[10] || a->bytes[11])))
		return 0;
	memcpy(text, a->bytes + head, length);
	text[length] = 0;
	return head + length;
}

static bool read_shape(struct array *a, const char *text)
{
	const char *at = strstr(text, "'shape': (");
	char *end;

	a->count = 1;
	for (at = at ? at + 10 : ")x"; *at && *at != ')'; at = end + strspn(end, ", ")) {
		long long n = strtoll(at, &end, 10);

		if (end == at || n < 0 || a->ndim == 4 || (n && a->count > INT64_MAX / 8 / n))
			return false;
		a->shape[a->ndim++] = n;
		a->count *= n;
	}
	return at[1] != 'x';
}

static bool parse(struct array *a)
{
	char text[2048];
	const char *type;
	size_t head = header_text(a, text, sizeof(text));

	if (!head || !(type = strstr(text, "'descr': '")) || !strstr(text, "'fortran_order': False"))
		return false;
	type += 10;
	a->kind = type[1];
	a->item = (size_t)strtoul(type + 2, NULL, 10);
	if (*type == '>' || !a->item || a->item > 4096 || !strchr("uiS", a->kind) || !read_shape(a, text))
		return false;
	a->data = a->bytes + head;
	return (uint64_t)a->count <= (a->size - head) / a->item;
}

static void array_free(struct array *a)
{
	free(a->bytes);
	*a = (struct array){ 0 };
}

/* An array that may be missing: then its bytes are NULL. */
static enum data_status read_array(struct packed *p, const char *name, struct array *a)
{
	int32_t i = zip_find(&p->zip, name);

	*a = (struct array){ 0 };
	if (i < 0)
		return DATA_OK;
	a->bytes = zip_read(&p->zip, i, &a->size);
	if (!a->bytes)
		return fail(p, "", p->zip.error);
	return parse(a) ? DATA_OK : fail(p, name, "not an array of integers or texts that is read here");
}

/* Element i of an array of integers, little-endian. */
static uint64_t element(const struct array *a, int64_t i)
{
	const uint8_t *at = a->data + (size_t)i * a->item;
	uint64_t value = 0;

	for (size_t b = a->item < 8 ? a->item : 8; b-- > 0;)
		value = value << 8 | at[b];
	return value;
}

/* --- images --- */

struct unpacking {
	const uint8_t *in;	/* compressed */
	size_t packed, size;
	uint8_t *out;
	const struct array *restart;
	uint32_t *crc;		/* [parts]; of what came out, 0 bytes have crc 0 */
	bool *wrong;		/* [parts] */
};

static void unpack_part(void *state, int i)
{
	struct unpacking *u = state;
	uint64_t from = element(u->restart, i), to = u->packed;
	size_t begin = (size_t)i * PACKED_BLOCK, left = u->size - begin;
	z_stream s = { 0 };

	if (i + 1 < u->restart->count)
		to = element(u->restart, i + 1);
	u->wrong[i] = true;
	if (from > to || to > u->packed || inflateInit2(&s, -MAX_WBITS) != Z_OK)
		return;
	s.next_in = (Bytef *)u->in + from;
	s.avail_in = (uInt)(to - from);
	s.next_out = u->out + begin;
	s.avail_out = (uInt)(left < PACKED_BLOCK ? left : PACKED_BLOCK);
	inflate(&s, Z_SYNC_FLUSH);
	u->wrong[i] = s.avail_out != 0;
	u->crc[i] = (uint32_t)crc32(0, u->out + begin, (uInt)(left < PACKED_BLOCK ? left : PACKED_BLOCK));
	inflateEnd(&s);
}

/* All parts; false where they are not those of the entry. */
static bool unpack_parts(struct unpacking *u, uint32_t crc)
{
	int parts = (int)u->restart->count;
	uint32_t sum = 0;
	bool right = true;

	parallel_for(parts, unpack_part, u);
	for (int i = 0; i < parts; i++) {
		size_t left = u->size - (size_t)i * PACKED_BLOCK;

		sum = (uint32_t)crc32_combine(sum, u->crc[i],
					      (z_off_t)(left < PACKED_BLOCK ? left : PACKED_BLOCK));
		right = right && !u->wrong[i];
	}
	return right && sum == crc;
}

/* The entry's compressed bytes, in one go. */
static uint8_t *read_packed(struct packed *p, int32_t i)
{
	const struct zip_entry *e = &p->zip.entry[i];
	uint64_t offset;
	uint8_t *in;

	if (zip_data(&p->zip, i, &offset))
		return NULL;
	in = malloc((size_t)e->packed + 1);
	if (in && (fseeko(p->zip.file, (off_t)offset, SEEK_SET) ||
		   fread(in, 1, (size_t)e->packed, p->zip.file) != e->packed)) {
		free(in);
		in = NULL;
	}
	return in;
}

static bool unpack(struct packed *p, int32_t i, const struct array *restart, struct array *a)
{
	const struct zip_entry *e = &p->zip.entry[i];
	size_t parts = (size_t)restart->count;
	struct unpacking u = { .packed = (size_t)e->packed, .size = (size_t)e->size,
			       .restart = restart };
	uint8_t *in = read_packed(p, i);
	bool right = false;

	u.in = in;
	u.out = a->bytes = in ? malloc(u.size + 1) : NULL;
	a->size = u.size;
	u.crc = calloc(parts, sizeof(*u.crc));
	u.wrong = calloc(parts, sizeof(*u.wrong));
	if (u.out && u.crc && u.wrong)
		right = unpack_parts(&u, e->crc);
	free(in);
	free(u.crc);
	free(u.wrong);
	return right;
}

/* delta.npy: by parts where restart.npy fits it, else as any other entry. */
static enum data_status read_delta(struct packed *p, struct array *a)
{
	int32_t i = zip_find(&p->zip, "delta.npy");
	const struct zip_entry *e = &p->zip.entry[i];
	struct array restart;
	enum data_status status = read_array(p, "restart.npy", &restart);

	if (status != DATA_OK) {
		array_free(&restart);
		return status;
	}
	if (restart.bytes && e->method == 8 && restart.kind == 'u' && restart.item == 8 &&
	    (uint64_t)restart.count == (e->size + PACKED_BLOCK - 1) / PACKED_BLOCK) {
		*a = (struct array){ 0 };
		if (!unpack(p, i, &restart, a))
			status = fail(p, "delta.npy", *p->zip.error ? p->zip.error : "its data are damaged");
		else if (!parse(a))
			status = fail(p, "delta.npy", "not an array that is read here");
	} else {
		status = read_array(p, "delta.npy", a);
	}
	array_free(&restart);
	return status;
}

struct summing {
	const uint8_t *delta;
	struct dataset *d;
};

enum { IMAGES = 256 };	/* summed at once */

/* Along a row, then onto the row above. The running sums stay in registers: read back from `out` they
 * would cost a store's way through memory for each pixel. */
static void sum_row(const uint8_t *in, size_t row, size_t channels, const uint8_t *above, uint8_t *out)
{
	uint8_t sum[3] = { 0 };

	if (channels == 1) {
		for (size_t x = 0; x < row; x++)
			out[x] = sum[0] = (uint8_t)(sum[0] + in[x]);
	} else {
		for (size_t x = 0; x < row; x += 3)
			for (size_t c = 0; c < 3; c++)
				out[x + c] = sum[c] = (uint8_t)(sum[c] + in[x + c]);
	}
	for (size_t x = 0; above && x < row; x++)
		out[x] = (uint8_t)(out[x] + above[x]);
}

static void sum_images(void *state, int part)
{
	const struct summing *s = state;
	const struct dataset *d = s->d;
	const size_t channels = (size_t)d->channels, row = (size_t)d->w * channels;
	const size_t size = data_image_size(d);

	for (int32_t i = part * IMAGES; i < d->n && i < (part + 1) * IMAGES; i++) {
		const uint8_t *in = s->delta + (size_t)i * size;
		uint8_t *out = d->pixels + (size_t)i * size;

		for (int32_t y = 0; y < d->h; y++, in += row, out += row)
			sum_row(in, row, channels, y ? out - row : NULL, out);
	}
}

static enum data_status take_images(struct packed *p, const char *name, const struct array *a, bool delta)
{
	const int64_t *s = a->shape, channels = a->ndim == 4 ? s[3] : 1;
	struct summing sum = { .delta = a->data, .d = p->d };

	if (a->kind != 'u' || a->item != 1 || a->ndim < 3 || (channels != 1 && channels != 3) ||
	    s[1] != s[2] || s[1] < 1 || s[1] > 4096 || s[0] < 1 || s[0] > INT32_MAX / 2)
		return fail(p, name, "not uint8 [N,H,W] or [N,H,W,C] of squares with 1 or 3 channels");
	if (data_alloc(p->d, (int32_t)s[0], (int32_t)s[1], (int32_t)s[2], (int32_t)channels) != DATA_OK)
		return out_of_memory(p);
	if (delta)
		parallel_for((p->d->n + IMAGES - 1) / IMAGES, sum_images, &sum);
	else
		memcpy(p->d->pixels, a->data, (size_t)a->count);
	return DATA_OK;
}

static enum data_status read_images(struct packed *p)
{
	bool delta = zip_find(&p->zip, "delta.npy") >= 0;
	const char *name = delta ? "delta.npy" : "images.npy";
	struct array a = { 0 };
	enum data_status status = delta ? read_delta(p, &a) : read_array(p, name, &a);

	if (status == DATA_OK)
		status = take_images(p, name, &a, delta);
	array_free(&a);
	return status;
}

/* --- the rest --- */

/* One number below `end` for each row, or, where the array may be missing, 0. */
static enum data_status read_numbers(struct packed *p, const char *name, bool needed, uint64_t end,
				     uint8_t *out)
{
	struct array a;
	enum data_status status = read_array(p, name, &a);

	if (status == DATA_OK && !a.bytes && needed)
		status = fail(p, name, "is missing");
	if (status == DATA_OK && a.bytes && (a.kind == 'S' || a.count != p->d->n))
		status = fail(p, name, "not an integer for each image");
	for (int32_t i = 0; status == DATA_OK && a.bytes && i < p->d->n; i++) {
		if (element(&a, i) >= end)
			status = fail(p, name, "a number is out of range");
		out[i] = (uint8_t)element(&a, i);
	}
	array_free(&a);
	return status;
}

static char *text_of(const struct array *a, int64_t i)
{
	const char *at = (const char *)a->data + (size_t)i * a->item;

	return strndup(at, a->item);
}

/* The file's classes, matched by name with those that are wanted. */
static enum data_status read_classes(struct packed *p, struct class_table *t)
{
	struct array a;
	enum data_status status = read_array(p, "classes.npy", &a);
	uint8_t now[DATA_MOST_CLASSES];
	char wrong[CLASS_ERROR];

	if (status == DATA_OK && a.bytes && (a.kind != 'S' || a.count > DATA_MOST_CLASSES))
		status = fail(p, "classes.npy", "not up to 64 names");
	for (int64_t i = 0; status == DATA_OK && a.bytes && i < a.count; i++) {
		const char *name = (const char *)a.data + (size_t)i * a.item;
		int class = classes_find(t, name, strnlen(name, a.item), wrong);

		if (class < 0)
			status = fail(p, "classes.npy", wrong);
		now[i] = (uint8_t)class;
	}
	if (status == DATA_OK)
		status = read_numbers(p, "labels.npy", true,
				      a.bytes ? (uint64_t)a.count : t->n ? (uint64_t)t->n : DATA_CLASSES,
				      p->d->label);
	for (int32_t i = 0; status == DATA_OK && a.bytes && i < p->d->n; i++)
		p->d->label[i] = now[p->d->label[i]];
	array_free(&a);
	return status;
}

static enum data_status read_names(struct packed *p)
{
	struct array a;
	enum data_status status = read_array(p, "names.npy", &a);

	if (status == DATA_OK && a.bytes && (a.kind != 'S' || a.count != p->d->n))
		status = fail(p, "names.npy", "not a text for each image");
	if (status == DATA_OK && a.bytes)
		p->d->name = calloc((size_t)p->d->n + 1, sizeof(*p->d->name));
	for (int32_t i = 0; p->d->name && i < p->d->n; i++) {
		p->d->name[i] = text_of(&a, i);
		if (!p->d->name[i])
			status = out_of_memory(p);
	}
	array_free(&a);
	return status;
}

static enum data_status check_hash(struct packed *p)
{
	struct array a;
	enum data_status status = read_array(p, "hash.npy", &a);

	if (status == DATA_OK && a.bytes && a.count == 1 && a.kind == 'u' && a.item == 8 &&
	    !p->options->classes && element(&a, 0) != p->d->hash)
		status = fail(p, "hash.npy", "the data are not those that were packed");
	array_free(&a);
	return status;
}

/* Names keep the file's order, unless others are wanted. */
static enum data_status load(struct packed *p)
{
	struct class_table t;
	char wrong[CLASS_ERROR];
	enum data_status status;

	if (zip_open(&p->zip, p->path))
		return fail(p, "", p->zip.error);
	if (classes_init(&t, p->options->classes, wrong))
		return fail(p, "", wrong);
	status = read_images(p);
	if (status == DATA_OK)
		status = read_classes(p, &t);
	if (status == DATA_OK)
		status = read_numbers(p, "splits.npy", false, SPLITS, p->d->usage);
	if (status == DATA_OK)
		status = read_names(p);
	t.given = true;
	if (status == DATA_OK && ((t.n && classes_finish(&t, p->d)) || data_finish(p->d)))
		status = out_of_memory(p);
	return status == DATA_OK ? check_hash(p) : status;
}

bool data_is_packed(const char *path)
{
	struct zip z;
	bool is;

	if (!zip_is(path))
		return false;
	is = !zip_open(&z, path);
	is = is && (zip_find(&z, "delta.npy") >= 0 || zip_find(&z, "images.npy") >= 0);
	zip_close(&z);
	return is;
}

enum data_status data_load_packed(struct dataset *d, const char *path,
				  const struct data_options *options, struct data_error *error)
{
	static const struct data_options none;
	struct packed p = { .path = path, .d = d, .options = options ? options : &none, .error = error };
	enum data_status status;

	memset(d, 0, sizeof(*d));
	status = load(&p);
	zip_close(&p.zip);
	if (status != DATA_OK)
		data_free(d);
	return status;
}
