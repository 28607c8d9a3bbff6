/*
 * zip.c: after PKWARE's APPNOTE.TXT 6.3. At the end of the file lies the end record, which says where
 * the central directory is; each of its entries says where a local header is, with the data behind it.
 */
#include "zip.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
	LOCAL = 30, CENTRAL = 46, END = 22, LOCATOR64 = 20, END64 = 56,	/* bytes without names */
	LONGEST_COMMENT = 65535,
	MOST_ENTRIES = 1 << 26,
	STORED = 0, DEFLATED = 8,
	ENCRYPTED = 1,
	EXTRA64 = 1,
	DEFLATE_RATIO = 1032	/* no more bytes than so many come out of one */
};

static int fail(struct zip *z, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(z->error, sizeof(z->error), format, list);
	va_end(list);
	for (char *c = z->error; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	return -1;
}

static uint32_t get(const uint8_t *p, int bytes)
{
	uint32_t value = 0;

	while (bytes--)
		value = value << 8 | p[bytes];
	return value;
}

static uint64_t get64(const uint8_t *p)
{
	return get(p, 4) | (uint64_t)get(p + 4, 4) << 32;
}

static bool is(const uint8_t *p, const char signature[2])
{
	return p[0] == 'P' && p[1] == 'K' && p[2] == signature[0] && p[3] == signature[1];
}

/* `size` bytes at an offset. -1 where the file has them not. */
static int read_at(struct zip *z, uint64_t offset, void *out, size_t size)
{
	if (offset > z->bytes || size > z->bytes - offset)
		return -1;
	return fseeko(z->file, (off_t)offset, SEEK_SET) || fread(out, 1, size, z->file) != size ? -1 : 0;
}

/* --- the central directory --- */

struct directory {
	uint64_t offset, bytes, entries;
};

/* Replaces what 32 bits cannot hold by the record of zip64, whose locator lies before the end. */
static int find_directory64(struct zip *z, uint64_t end, struct directory *d)
{
	uint8_t p[END64];

	if (end < LOCATOR64 || read_at(z, end - LOCATOR64, p, LOCATOR64) || !is(p, "\6\7"))
		return 0;
	if (read_at(z, get64(p + 8), p, END64) || !is(p, "\6\6"))
		return fail(z, "damaged: no zip64 end record where it should be");
	*d = (struct directory){ .entries = get64(p + 32), .bytes = get64(p + 40),
				 .offset = get64(p + 48) };
	return 0;
}

/* The end record: the last one whose comment reaches just to the end of the file. */
static int find_directory(struct zip *z, struct directory *d)
{
	static const size_t most = END + LONGEST_COMMENT;
	size_t tail = z->bytes < most ? (size_t)z->bytes : most, i = tail - END + 1;
	uint8_t *p = z->bytes < END ? NULL : malloc(tail);
	bool found = false;

	if (p && !read_at(z, z->bytes - tail, p, tail))
		while (!found && i-- > 0)
			found = is(p + i, "\5\6") && i + END + get(p + i + 20, 2) == tail;
	if (found)
		*d = (struct directory){ .entries = get(p + i + 10, 2), .bytes = get(p + i + 12, 4),
					 .offset = get(p + i + 16, 4) };
	if (found && get(p + i + 4, 2) != 0 && get(p + i + 4, 2) != 0xffff)
		found = false;
	free(p);
	if (!found)
		return fail(z, "not a whole zip archive: no end record");
	if (find_directory64(z, z->bytes - tail + i, d))
		return -1;
	if (d->offset > z->bytes || d->bytes > z->bytes - d->offset ||
	    d->entries > d->bytes / CENTRAL || d->entries > MOST_ENTRIES)
		return fail(z, "damaged: its directory lies outside of the file");
	return 0;
}

/* The zip64 field of an entry holds those of the three that are all ones, in this order. */
static int read_extra64(struct zip_entry *e, const uint8_t *p, size_t length)
{
	uint64_t *const value[] = { &e->size, &e->packed, &e->offset };

	for (int i = 0; i < 3; i++) {
		if (*value[i] != UINT32_MAX)
			continue;
		if (length < 8)
			return -1;
		*value[i] = get64(p);
		p += 8;
		length -= 8;
	}
	return 0;
}

static int read_extra(struct zip_entry *e, const uint8_t *p, size_t length)
{
	while (length >= 4) {
		size_t size = get(p + 2, 2);

		if (size > length - 4)
			return -1;
		if (get(p, 2) == EXTRA64 && read_extra64(e, p + 4, size))
			return -1;
		p += 4 + size;
		length -= 4 + size;
	}
	return 0;
}

/* One entry of `left` bytes. How many it took; 0 after an error. */
static size_t read_entry(struct zip *z, const uint8_t *p, size_t left)
{
	struct zip_entry *e = &z->entry[z->n];
	size_t name, extra, all;

	if (left < CENTRAL || !is(p, "\1\2"))
		return fail(z, "damaged: entry %ld of its directory", (long)z->n + 1), 0;
	name = get(p + 28, 2);
	extra = get(p + 30, 2);
	all = CENTRAL + name + extra + get(p + 32, 2);
	if (all > left)
		return fail(z, "damaged: entry %ld of its directory", (long)z->n + 1), 0;
	*e = (struct zip_entry){ .flags = get(p + 8, 2), .method = get(p + 10, 2),
				 .crc = get(p + 16, 4), .packed = get(p + 20, 4),
				 .size = get(p + 24, 4), .offset = get(p + 42, 4) };
	e->name = malloc(name + 1);
	if (!e->name)
		return fail(z, "out of memory"), 0;
	memcpy(e->name, p + CENTRAL, name);
	e->name[name] = 0;
	z->n++;
	if (strlen(e->name) != name || read_extra(e, p + CENTRAL + name, extra))
		return fail(z, "damaged: entry %ld of its directory", (long)z->n), 0;
	return all;
}

static int read_directory(struct zip *z)
{
	struct directory d = { 0 };
	uint8_t *all;
	size_t used = 0;

	if (find_directory(z, &d))
		return -1;
	all = malloc((size_t)d.bytes + 1);
	z->entry = calloc((size_t)d.entries + 1, sizeof(*z->entry));
	if (!all || !z->entry)
		fail(z, "out of memory");
	else if (read_at(z, d.offset, all, (size_t)d.bytes))
		fail(z, "its directory cannot be read");
	while (!*z->error && (uint64_t)z->n < d.entries)
		used += read_entry(z, all + used, (size_t)d.bytes - used);
	free(all);
	return *z->error ? -1 : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct zip_entry *)a)->name, ((const struct zip_entry *)b)->name);
}

/* --- opening --- */

bool zip_is(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t p[4];
	bool yes = f && fread(p, 1, 4, f) == 4 && (is(p, "\3\4") || is(p, "\5\6"));

	if (f)
		fclose(f);
	return yes;
}

int zip_open(struct zip *z, const char *path)
{
	off_t end;

	memset(z, 0, sizeof(*z));
	z->file = fopen(path, "rb");
	if (!z->file || fseeko(z->file, 0, SEEK_END) || (end = ftello(z->file)) < 0)
		return fail(z, "%s", strerror(errno));
	z->bytes = (uint64_t)end;
	if (read_directory(z))
		return -1;
	if (z->n)
		qsort(z->entry, (size_t)z->n, sizeof(*z->entry), by_name);
	return 0;
}

void zip_close(struct zip *z)
{
	if (z->file)
		fclose(z->file);
	for (int32_t i = 0; i < z->n; i++)
		free(z->entry[i].name);
	free(z->entry);
	z->file = NULL;
	z->entry = NULL;
	z->n = 0;
}

int32_t zip_find(const struct zip *z, const char *name)
{
	int32_t low = 0, high = z->n;

	while (low < high) {
		int32_t middle = low + (high - low) / 2, order = strcmp(z->entry[middle].name, name);

		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

/* --- an entry's bytes --- */

int zip_data(struct zip *z, int32_t i, uint64_t *offset)
{
	const struct zip_entry *e = &z->entry[i];
	uint8_t p[LOCAL];

	if (e->flags & ENCRYPTED)
		return fail(z, "%s: is encrypted", e->name);
	if (e->method != STORED && e->method != DEFLATED)
		return fail(z, "%s: compressed by method %u; stored and deflated are read", e->name,
			    e->method);
	if (read_at(z, e->offset, p, LOCAL) || !is(p, "\3\4"))
		return fail(z, "%s: damaged: no header where it should be", e->name);
	*offset = e->offset + LOCAL + get(p + 26, 2) + get(p + 28, 2);
	if (*offset > z->bytes || e->packed > z->bytes - *offset)
		return fail(z, "%s: its data lie outside of the archive", e->name);
	if (e->size / DEFLATE_RATIO > e->packed || (e->method == STORED && e->size != e->packed))
		return fail(z, "%s: damaged: its sizes contradict each other", e->name);
	return 0;
}

/* Exactly size bytes out of `packed` in the file, which is at the first of them. */
static int unpack(FILE *file, uint64_t packed, uint8_t *out, size_t size)
{
	uint8_t in[1 << 14];
	z_stream s = { .next_out = out };
	int code = inflateInit2(&s, -MAX_WBITS);
	size_t done = 0;

	while (code == Z_OK) {
		if (!s.avail_in) {
			s.avail_in = (uInt)fread(in, 1, packed < sizeof(in) ? packed : sizeof(in), file);
			s.next_in = in;
			packed -= s.avail_in;
		}
		s.avail_out = size - done < INT32_MAX ? (uInt)(size - done) : INT32_MAX;
		done += s.avail_out;
		code = inflate(&s, Z_NO_FLUSH);
		done -= s.avail_out;
	}
	inflateEnd(&s);
	return code == Z_STREAM_END && done == size ? 0 : -1;
}

static uint32_t crc_of(const uint8_t *p, size_t size)
{
	uLong crc = crc32(0, NULL, 0);

	for (size_t done = 0; done < size;) {
		size_t part = size - done < INT32_MAX ? size - done : INT32_MAX;

		crc = crc32(crc, p + done, (uInt)part);
		done += part;
	}
	return (uint32_t)crc;
}

uint8_t *zip_read(struct zip *z, int32_t i, size_t *size)
{
	const struct zip_entry *e = &z->entry[i];
	uint64_t offset = 0;
	uint8_t *out;
	int failed;

	if (zip_data(z, i, &offset))
		return NULL;
	*size = (size_t)e->size;
	out = malloc(*size + 1);
	if (!out)
		return fail(z, "%s: out of memory", e->name), NULL;
	if (e->method == STORED)
		failed = read_at(z, offset, out, *size);
	else
		failed = fseeko(z->file, (off_t)offset, SEEK_SET) ||
			 unpack(z->file, e->packed, out, *size);
	if (failed || crc_of(out, *size) != e->crc) {
		fail(z, "%s: its data are damaged%s", e->name, failed ? "" : " (CRC)");
		free(out);
		return NULL;
	}
	return out;
}
