/*
 * zip_write.h: writing a zip archive: deflated entries, one after the other. The file appears whole, or not
 * at all.
 */
#ifndef FER_ZIP_WRITE_H
#define FER_ZIP_WRITE_H

#include <stddef.h>
#include <stdint.h>

struct zip_writer;

/* NULL with errno. */
struct zip_writer *zip_writer_new(const char *path);

/*
 * Adds an entry. With `block` > 0 its compression starts afresh at each multiple of so many bytes, so that
 * the parts can be unpacked at once; at[i] is then the place of the i-th in the compressed data, for each of
 * the size / block parts, rounded up. The data are taken as differences: Huffman codes and runs alone.
 * 0, or -1 with errno.
 */
int zip_add(struct zip_writer *w, const char *name, const uint8_t *data, size_t size, size_t block,
	    uint64_t *at);

/* Ends the archive, or with `failed` removes it, and frees w. 0, or -1 with errno. */
int zip_writer_close(struct zip_writer *w, int failed);

#endif
