#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, DEPTH = 16 };

static uint8_t *read_stream(FILE *f, size_t *size)
{
	size_t capacity = 1 << 14;
	uint8_t *data = malloc(capacity), *larger;

	for (*size = 0; data;) {
		*size += fread(data + *size, 1, capacity - *size, f);
		if (*size < capacity)
			break;
		capacity *= 2;
		larger = realloc(data, capacity);
		if (!larger)
			free(data);
		data = larger;
	}
	if (data && ferror(f)) {
		free(data);
		data = NULL;
	}
	return data;
}

uint8_t *files_read(const char *path, size_t *size)
{
	FILE *f;
	uint8_t *data;
	int kept;

	if (files_is_folder(path)) {
		errno = EISDIR;
		return NULL;
	}
	f = fopen(path, "rb");
	if (!f)
		return NULL;
	data = read_stream(f, size);
	kept = errno;
	fclose(f);
	errno = kept;
	return data;
}

bool files_is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

int files_add(struct files *f, const char *name)
{
	if (f->n == f->capacity) {
		int32_t capacity = f->capacity ? 2 * f->capacity : 256;
		char **larger = realloc(f->name, (size_t)capacity * sizeof(*larger));

		if (!larger)
			return -1;
		f->name = larger;
		f->capacity = capacity;
	}
	f->name[f->n] = strdup(name);
	return f->name[f->n] ? f->n++, 0 : -1;
}

static int list_below(struct files *f, const char *folder, const char *within, int depth);

/* One entry of the folder: `within` is the folder's own name below the first one. */
static int list_entry(struct files *f, const char *folder, const char *within, const char *entry,
		      int depth)
{
	char path[PATH_BYTES], name[PATH_BYTES];

	snprintf(name, sizeof(name), "%s%s%s", within, *within ? "/" : "", entry);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (!files_is_folder(path))
		return files_add(f, name);
	return depth > 0 ? list_below(f, folder, name, depth - 1) : 0;
}

static int list_below(struct files *f, const char *folder, const char *within, int depth)
{
	char path[PATH_BYTES];
	struct dirent *entry;
	int failed = 0, kept;
	DIR *d;

	snprintf(path, sizeof(path), "%s%s%s", folder, *within ? "/" : "", within);
	d = opendir(path);
	if (!d)
		return -1;
	while (!failed && (entry = readdir(d)) != NULL)
		if (entry->d_name[0] != '.')
			failed = list_entry(f, folder, within, entry->d_name, depth);
	kept = errno;
	closedir(d);
	errno = kept;
	return failed;
}

int files_list(struct files *f, const char *folder, bool deep)
{
	return list_below(f, folder, "", deep ? DEPTH : 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void files_sort(struct files *f)
{
	if (f->n)
		qsort(f->name, (size_t)f->n, sizeof(*f->name), by_name);
}

void files_free(struct files *f)
{
	for (int32_t i = 0; i < f->n; i++)
		free(f->name[i]);
	free(f->name);
	*f = (struct files){ 0 };
}
