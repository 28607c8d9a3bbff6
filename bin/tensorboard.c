#include "tensorboard.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto.h"

enum {
	WALL_TIME = 1,
	STEP = 2,
	FILE_VERSION = 3,
	SUMMARY = 5,
	VALUE = 1,
	TAG = 1,
	SIMPLE_VALUE = 2
};

uint32_t tensorboard_crc32c(const void *data, size_t n)
{
	const unsigned char *at = data;
	uint32_t crc = 0xffffffff;

	while (n--) {
		crc ^= *at++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* A CRC of data that hold CRCs is weak: TFRecord turns and shifts it. */
static uint32_t masked(const void *data, size_t n)
{
	uint32_t crc = tensorboard_crc32c(data, n);

	return (crc >> 15 | crc << 17) + 0xa282ead8;
}

static void little_endian(unsigned char *to, uint64_t x, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (unsigned char)(x >> 8 * i);
}

static int write_record(FILE *file, const struct proto *p)
{
	unsigned char head[12], tail[4];

	if (p->failed)
		return -1;
	little_endian(head, p->size, 8);
	little_endian(head + 8, masked(head, 8), 4);
	little_endian(tail, masked(p->data, p->size), 4);
	fwrite(head, 1, sizeof(head), file);
	fwrite(p->data, 1, p->size, file);
	fwrite(tail, 1, sizeof(tail), file);
	return fflush(file) || ferror(file) ? -1 : 0;
}

static double wall_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int tensorboard_open(struct tensorboard *t, const char *dir)
{
	struct proto p = { 0 };
	char path[1200];
	int failed;

	snprintf(path, sizeof(path), "%s/events.out.tfevents.%010" PRId64 ".clgrad", dir,
		(int64_t)time(NULL));
	t->file = fopen(path, "ab");
	if (!t->file)
		return -1;
	proto_double(&p, WALL_TIME, wall_time());
	proto_text(&p, FILE_VERSION, "brain.Event:2");
	failed = write_record(t->file, &p);
	free(p.data);
	return failed;
}

int tensorboard_close(struct tensorboard *t)
{
	int failed = t->file && fclose(t->file);

	t->file = NULL;
	return failed ? -1 : 0;
}

static void scalar(struct proto *p, const char *tag, double x)
{
	size_t begun;

	if (isnan(x))
		return;
	begun = proto_begin(p, VALUE);
	proto_text(p, TAG, tag);
	proto_float(p, SIMPLE_VALUE, (float)x);
	proto_end(p, begun);
}

int tensorboard_epoch(struct tensorboard *t, const struct report_epoch *r)
{
	struct proto p = { 0 };
	size_t begun;
	int failed;

	proto_double(&p, WALL_TIME, wall_time());
	proto_int(&p, STEP, r->step);
	begun = proto_begin(&p, SUMMARY);
	scalar(&p, "loss/training", r->train_loss);
	scalar(&p, "loss/validation", r->val_loss);
	scalar(&p, "accuracy/training", r->train_acc);
	scalar(&p, "accuracy/validation", r->val_acc);
	scalar(&p, "validation/precision", r->val_precision);
	scalar(&p, "validation/recall", r->val_recall);
	scalar(&p, "validation/f1", r->val_f1);
	scalar(&p, "validation/auc", r->val_auc);
	scalar(&p, "learning_rate", r->lr);
	scalar(&p, "epoch", r->epoch);
	scalar(&p, "speed/images_per_second", r->train_img_per_s);
	proto_end(&p, begun);
	failed = write_record(t->file, &p);
	free(p.data);
	return failed;
}
