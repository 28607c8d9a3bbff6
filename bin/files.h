/*
 * files.h: whole files in memory, and the files of a folder. 0, or -1 with errno.
 */
#ifndef FER_FILES_H
#define FER_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes, to be freed; NULL with errno. */
uint8_t *files_read(const char *path, size_t *size);
bool files_is_folder(const char *path);

struct files {
	char **name;
	int32_t n, capacity;
};

/* Copies the name. */
int files_add(struct files *f, const char *name);
/* Adds the files of a folder, with `deep` of those in it too, by their names within it ("train/1.jpg").
 * What begins with a dot is left out. */
int files_list(struct files *f, const char *folder, bool deep);
void files_sort(struct files *f);
void files_free(struct files *f);

#endif
