/*
 * test_zip.c: archives that Python's zipfile wrote (golden/make_zips.py), and what is wrong with one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "zip.h"

static const char *const other = "tests/test_zip.tmp";

enum { LINES = 300, MOST = 1 << 16 };

static const char *golden(const char *name)
{
	static char path[512];
	const char *srcdir = getenv("srcdir");

	snprintf(path, sizeof(path), "%s/tests/golden/%s", srcdir ? srcdir : ".", name);
	return path;
}

/* What folder/text.txt holds. */
static size_t expected_text(char *text)
{
	size_t n = 0;

	for (int i = 0; i < LINES; i++)
		n += (size_t)sprintf(text + n, "line %d\n", i);
	return n;
}

static bool holds(struct zip *z, const char *name, const void *expected, size_t size)
{
	int32_t i = zip_find(z, name);
	size_t got = 0;
	uint8_t *data = i < 0 ? NULL : zip_read(z, i, &got);
	bool same = data && got == size && !memcmp(data, expected, size);

	if (!same)
		diag("%s: %zu bytes, expected %zu; %s", name, got, size, z->error);
	free(data);
	return same;
}

static void test_archive(const char *name)
{
	char text[LINES * 10];
	size_t size = expected_text(text);
	struct zip z;

	ok(zip_is(golden(name)), "%s looks like an archive", name);
	ok(zip_open(&z, golden(name)) == 0 && z.n == 4, "%s is opened (%s)", name, z.error);
	ok(holds(&z, "empty.txt", "", 0), "an empty entry");
	ok(holds(&z, "folder/text.txt", text, size), "a deflated entry");
	ok(holds(&z, "folder/short", "abc", 3), "a stored entry");
	ok(zip_find(&z, "folder") < 0 && zip_find(&z, "folder/") == 1, "names");
	zip_close(&z);
}

static size_t read_file(const char *path, uint8_t *data)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(data, 1, MOST, f) : 0;

	if (f)
		fclose(f);
	return n;
}

static void write_file(const uint8_t *data, size_t n)
{
	FILE *f = fopen(other, "wb");

	fwrite(data, 1, n, f);
	fclose(f);
}

/* Opens `other` and reads all of it: 0, or -1 with the reason in `error`. */
static int read_all(char error[256])
{
	struct zip z;
	int status = zip_open(&z, other);

	for (int32_t i = 0; status == 0 && i < z.n; i++) {
		size_t size;
		uint8_t *data = zip_read(&z, i, &size);

		status = data ? 0 : -1;
		free(data);
	}
	snprintf(error, 256, "%s", z.error);
	zip_close(&z);
	return status;
}

/* The text of the error after the byte at `at` became `value`. */
static const char *changed(const uint8_t *data, size_t n, size_t at, uint8_t value)
{
	static char error[256];
	uint8_t *copy = malloc(n);

	memcpy(copy, data, n);
	copy[at] = value;
	write_file(copy, n);
	free(copy);
	read_all(error);
	return error;
}

static size_t find(const uint8_t *data, size_t n, const char *what, size_t length, int nth)
{
	for (size_t i = 0; i + length <= n; i++)
		if (!memcmp(data + i, what, length) && nth-- == 0)
			return i;
	return 0;
}

static void test_refusals(void)
{
	static uint8_t data[MOST];
	size_t n = read_file(golden("plain.zip"), data);
	size_t third = find(data, n, "PK\1\2", 4, 2), text = find(data, n, "folder/text.txt", 15, 0);
	char error[256];

	ok(strstr(changed(data, n, text + 40, data[text + 40] ^ 16),
		  "folder/text.txt: its data are damaged") != NULL, "damaged data");
	ok(!strcmp(changed(data, n, third + 16, data[third + 16] ^ 1),
		   "folder/text.txt: its data are damaged (CRC)"), "another CRC");
	ok(!strcmp(changed(data, n, third + 8, 1), "folder/text.txt: is encrypted"), "encryption");
	ok(!strcmp(changed(data, n, third + 10, 12),
		   "folder/text.txt: compressed by method 12; stored and deflated are read"),
	   "bzip2");
	ok(!strcmp(changed(data, n, third + 27, 0x40),
		   "folder/text.txt: damaged: its sizes contradict each other"),
	   "a size that cannot be is not allocated");
	write_file(data, n - 60);
	ok(read_all(error) < 0 && !strcmp(error, "not a whole zip archive: no end record"),
	   "a file cut short");
	write_file(data, 0);
	ok(read_all(error) < 0, "an empty file");
	remove(other);
	ok(read_all(error) < 0 && !strcmp(error, "No such file or directory"), "no file");
	ok(!zip_is(other), "is no archive");
}

/* Whatever byte is wrong, nothing is read that is not there (under AddressSanitizer). */
static void test_every_byte(const char *name)
{
	static uint8_t data[MOST];
	size_t n = read_file(golden(name), data);
	int refused = 0;

	for (size_t i = 0; i < n; i++)
		for (int value = 0; value < 256; value += 85)
			refused += *changed(data, n, i, (uint8_t)value) != 0;
	ok(refused > 0, "%s: %d of %zu changes of a byte are noticed", name, refused, 4 * n);
	remove(other);
}

int main(void)
{
	test_archive("plain.zip");
	test_archive("stream.zip");
	test_archive("zip64.zip");
	test_refusals();
	test_every_byte("plain.zip");
	test_every_byte("zip64.zip");
	return done();
}
