#include "zip_write.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MOST_ENTRIES = 64, NAME = 128, LOCAL = 30, CENTRAL = 46, END = 22 };

struct entry {
	char name[NAME];
	uint32_t crc, packed, size, offset;
};

struct zip_writer {
	FILE *file;
	char *name, *temporary;
	struct entry entry[MOST_ENTRIES];
	int n;
	uint64_t written;
};

static void writer_free(struct zip_writer *w)
{
	free(w->name);
	free(w->temporary);
	free(w);
}

struct zip_writer *zip_writer_new(const char *path)
{
	struct zip_writer *w = calloc(1, sizeof(*w));
	size_t size = strlen(path) + sizeof(".tmp");

	if (!w)
		return NULL;
	w->name = strdup(path);
	w->temporary = malloc(size);
	if (w->name && w->temporary) {
		snprintf(w->temporary, size, "%s.tmp", path);
		w->file = fopen(w->temporary, "wb");
	}
	if (w->file)
		return w;
	writer_free(w);
	return NULL;
}

static void put(uint8_t **p, int bytes, uint32_t value)
{
	for (; bytes--; value >>= 8)
		*(*p)++ = (uint8_t)value;
}

static int write_bytes(struct zip_writer *w, const void *data, size_t size)
{
	w->written += size;
	return fwrite(data, 1, size, w->file) == size ? 0 : -1;
}

/* What the local header and the directory have in common: version 2.0, deflated, 1980-01-01. */
static void put_common(uint8_t **p, const struct entry *e)
{
	put(p, 2, 20);
	put(p, 2, 0);
	put(p, 2, 8);
	put(p, 4, 0x00210000);
	put(p, 4, e->crc);
	put(p, 4, e->packed);
	put(p, 4, e->size);
	put(p, 2, (uint32_t)strlen(e->name));
	put(p, 2, 0);
}

static int write_local(struct zip_writer *w, const struct entry *e)
{
	uint8_t head[LOCAL], *p = head;

	put(&p, 4, 0x04034b50);
	put_common(&p, e);
	return write_bytes(w, head, LOCAL) || write_bytes(w, e->name, strlen(e->name)) ? -1 : 0;
}

static int write_central(struct zip_writer *w, const struct entry *e)
{
	uint8_t head[CENTRAL], *p = head;

	put(&p, 4, 0x02014b50);
	put(&p, 2, 20);
	put_common(&p, e);
	put(&p, 2, 0);	/* comment */
	put(&p, 2, 0);	/* disk */
	put(&p, 2, 0);	/* attributes */
	put(&p, 4, 0);
	put(&p, 4, e->offset);
	return write_bytes(w, head, CENTRAL) || write_bytes(w, e->name, strlen(e->name)) ? -1 : 0;
}

static int write_end(struct zip_writer *w)
{
	uint8_t head[END], *p = head;
	uint32_t begin = (uint32_t)w->written;
	int failed = 0;

	for (int i = 0; i < w->n; i++)
		failed = failed || write_central(w, &w->entry[i]);
	put(&p, 4, 0x06054b50);
	put(&p, 4, 0);	/* disks */
	put(&p, 2, (uint32_t)w->n);
	put(&p, 2, (uint32_t)w->n);
	put(&p, 4, (uint32_t)w->written - begin);
	put(&p, 4, begin);
	put(&p, 2, 0);
	return failed || write_bytes(w, head, END) ? -1 : 0;
}

/* Deflates in parts, behind the local header. */
static int write_packed(struct zip_writer *w, struct entry *e, const uint8_t *data, size_t size,
			size_t block, uint64_t *at)
{
	uint8_t out[1 << 16];
	uint64_t begin = w->written;
	z_stream s = { 0 };
	size_t part = block ? block : 1 << 20;
	int failed = deflateInit2(&s, block ? 1 : 6, Z_DEFLATED, -MAX_WBITS, 9,
				  block ? Z_RLE : Z_DEFAULT_STRATEGY) != Z_OK;

	for (size_t done = 0; !failed && (done < size || (!size && !done)); done += part) {
		size_t left = size - done;

		if (block)
			at[done / block] = w->written - begin;
		s.next_in = (Bytef *)data + done;
		s.avail_in = (uInt)(left < part ? left : part);
		do {
			s.next_out = out;
			s.avail_out = sizeof(out);
			deflate(&s, left <= part ? Z_FINISH : block ? Z_FULL_FLUSH : Z_NO_FLUSH);
			failed = write_bytes(w, out, sizeof(out) - s.avail_out);
		} while (!failed && !s.avail_out);
		e->crc = (uint32_t)crc32(e->crc, data + done, (uInt)(left < part ? left : part));
	}
	deflateEnd(&s);
	e->packed = (uint32_t)(w->written - begin);
	return failed;
}

int zip_add(struct zip_writer *w, const char *name, const uint8_t *data, size_t size, size_t block,
	    uint64_t *at)
{
	struct entry *e = &w->entry[w->n];
	uint64_t packed_at;

	if (w->n == MOST_ENTRIES || size > INT32_MAX || w->written > INT32_MAX) {
		errno = EFBIG;
		return -1;
	}
	*e = (struct entry){ .size = (uint32_t)size, .offset = (uint32_t)w->written };
	snprintf(e->name, sizeof(e->name), "%s", name);
	packed_at = w->written;
	w->n++;
	if (write_local(w, e) || write_packed(w, e, data, size, block, at))
		return -1;
	/* once more, with sizes and sum */
	if (fseeko(w->file, (off_t)packed_at, SEEK_SET) || write_local(w, e) ||
	    fseeko(w->file, 0, SEEK_END))
		return -1;
	w->written -= LOCAL + strlen(name);
	return 0;
}

int zip_writer_close(struct zip_writer *w, int failed)
{
	int kept;

	failed = failed || write_end(w);
	kept = errno;
	if (fclose(w->file) && !failed) {
		kept = errno;
		failed = 1;
	}
	if (!failed && rename(w->temporary, w->name)) {
		kept = errno;
		failed = 1;
	}
	if (failed)
		remove(w->temporary);
	writer_free(w);
	errno = kept;
	return failed ? -1 : 0;
}
