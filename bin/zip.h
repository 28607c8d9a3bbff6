/*
 * zip.h: reading entries of a zip archive: stored and deflated ones, sizes of zip64, checked by their
 * CRC-32. What is in it is told by its central directory, so that archives written as a stream are
 * read too. Encrypted, split and otherwise compressed archives are refused by name.
 */
#ifndef FER_ZIP_H
#define FER_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct zip_entry {
	char *name;		/* as in the archive: "train/happy/1.jpg"; a folder ends in '/' */
	uint64_t offset;	/* of its local header */
	uint64_t packed, size;	/* bytes in the archive, and as a file */
	uint32_t crc;
	unsigned method, flags;
};

struct zip {
	FILE *file;
	uint64_t bytes;		/* of the archive */
	struct zip_entry *entry;	/* in the order of their names */
	int32_t n;
	char error[256];	/* "x/1.jpg: its data are damaged (CRC)"; the archive's path is not in it */
};

/* Does the file begin as a zip archive does? */
bool zip_is(const char *path);

/* 0, or -1 with `error`; after errno's failures it is errno's text. zip_close() is due in both cases. */
int zip_open(struct zip *z, const char *path);
void zip_close(struct zip *z);

/* The entry with this name, or -1. */
int32_t zip_find(const struct zip *z, const char *name);

/* Where the data of entry i begin in the file. 0, or -1 with `error`. */
int zip_data(struct zip *z, int32_t i, uint64_t *offset);

/* The bytes of entry i, to be freed, and how many; NULL with `error`. */
uint8_t *zip_read(struct zip *z, int32_t i, size_t *size);

#endif
