/*
 * Event files read back by a decoder of its own: framing, checksums, fields.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"
#include "tensorboard.h"

static const char *const dir = "tests/test_tensorboard.tmp";

static uint64_t little_endian(const unsigned char *at, int bytes)
{
	uint64_t x = 0;

	for (int i = bytes - 1; i >= 0; i--)
		x = x << 8 | at[i];
	return x;
}

static uint32_t unmasked(uint32_t x)
{
	x -= 0xa282ead8;
	return x << 15 | x >> 17;
}

/* The file in the folder; its bytes. */
static size_t slurp(unsigned char *data, size_t room, char path[600])
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t n = 0;

	while (d && (entry = readdir(d)) != NULL) {
		FILE *file;

		if (strncmp(entry->d_name, "events.out.tfevents.", 20))
			continue;
		snprintf(path, 600, "%s/%s", dir, entry->d_name);
		file = fopen(path, "rb");
		n = fread(data, 1, room, file);
		fclose(file);
	}
	if (d)
		closedir(d);
	return n;
}

/* The record at data[*at]; its length, 0 where the frame is wrong. */
static size_t next_record(
	const unsigned char *data, size_t n, size_t *at, const unsigned char **record)
{
	size_t length;

	if (*at + 16 > n)
		return 0;
	length = (size_t)little_endian(data + *at, 8);
	if (length > n - *at - 16 ||
		unmasked((uint32_t)little_endian(data + *at + 8, 4)) !=
			tensorboard_crc32c(data + *at, 8) ||
		unmasked((uint32_t)little_endian(data + *at + 12 + length, 4)) !=
			tensorboard_crc32c(data + *at + 12, length))
		return 0;
	*record = data + *at + 12;
	*at += 16 + length;
	return length;
}

/* The float behind a tag: value = { 0x0a length tag, 0x15 float }. NaN without it. */
static double value_of(const unsigned char *record, size_t n, const char *tag)
{
	size_t length = strlen(tag);
	uint32_t bits;
	float x;

	for (size_t i = 2; i + length + 5 <= n; i++) {
		if (record[i - 1] != length || record[i - 2] != 0x0a ||
			memcmp(record + i, tag, length) || record[i + length] != 0x15)
			continue;
		bits = (uint32_t)little_endian(record + i + length + 1, 4);
		memcpy(&x, &bits, sizeof(x));
		return (double)x;
	}
	return NAN;
}

int main(void)
{
	static unsigned char data[4096];
	const struct report_epoch row = { .epoch = 3,
		.step = 300,
		.lr = .125,
		.train_loss = 1.5,
		.val_acc = .625,
		.val_auc = NAN };
	const unsigned char *record;
	struct tensorboard t;
	char path[600] = "";
	size_t n, at = 0, length;

	ok(tensorboard_crc32c("123456789", 9) == 0xe3069283 && tensorboard_crc32c("", 0) == 0,
		"CRC-32C of the check value");
	mkdir(dir, 0777);
	ok(!tensorboard_open(&t, dir) && !tensorboard_epoch(&t, &row) && !tensorboard_close(&t),
		"written");
	n = slurp(data, sizeof(data), path);
	length = next_record(data, n, &at, &record);
	ok(length == 24 && record[0] == 0x09 &&
			!memcmp(record + 9,
				"\x1a\x0d"
				"brain.Event:2",
				15),
		"the first record names the version");
	length = next_record(data, n, &at, &record);
	ok(length > 0 && at == n, "the second is whole, and the last");
	/* wall_time: 9 bytes; step: 0x10, 300 = 0xac 0x02 */
	ok(length && !memcmp(record + 9, "\x10\xac\x02\x2a", 4), "step 300, then a summary");
	ok(length && value_of(record, length, "loss/training") == 1.5 &&
			value_of(record, length, "accuracy/validation") == .625 &&
			value_of(record, length, "learning_rate") == .125 &&
			value_of(record, length, "epoch") == 3,
		"scalars by their tags");
	ok(length && isnan(value_of(record, length, "validation/auc")), "NaN is left out");
	unlink(path);
	rmdir(dir);
	return done();
}
