#include "proto.h"

#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5, LONGEST_VARINT = 10 };

/* Room for n more bytes; NULL and failed without. */
static unsigned char *room(struct proto *p, size_t n)
{
	size_t want = p->size + n, larger = p->room ? p->room : 256;
	unsigned char *data;

	if (p->failed || want < n) {
		p->failed = true;
		return NULL;
	}
	while (larger < want)
		larger = larger > SIZE_MAX / 2 ? want : 2 * larger;
	if (larger > p->room) {
		data = realloc(p->data, larger);
		if (!data) {
			p->failed = true;
			return NULL;
		}
		p->data = data;
		p->room = larger;
	}
	return p->data + p->size;
}

/* Seven bits a byte, the lowest first; the highest bit says that more follow. */
static size_t encode(uint64_t value, unsigned char out[LONGEST_VARINT])
{
	size_t n = 0;

	for (; value > 127; value >>= 7)
		out[n++] = (unsigned char)(value | 128);
	out[n++] = (unsigned char)value;
	return n;
}

static void varint(struct proto *p, uint64_t value)
{
	unsigned char *to = room(p, LONGEST_VARINT);

	if (to)
		p->size += encode(value, to);
}

static void tag(struct proto *p, int field, int type)
{
	varint(p, (uint64_t)field << 3 | (uint64_t)type);
}

void proto_int(struct proto *p, int field, int64_t value)
{
	tag(p, field, VARINT);
	varint(p, (uint64_t)value);
}

void proto_float(struct proto *p, int field, float value)
{
	unsigned char *to;
	uint32_t bits;

	tag(p, field, FIXED32);
	to = room(p, 4);
	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; to && i < 4; i++)
		to[i] = (unsigned char)(bits >> 8 * i);
	p->size += to ? 4 : 0;
}

void proto_double(struct proto *p, int field, double value)
{
	unsigned char *to;
	uint64_t bits;

	tag(p, field, FIXED64);
	to = room(p, 8);
	memcpy(&bits, &value, sizeof(bits));
	for (int i = 0; to && i < 8; i++)
		to[i] = (unsigned char)(bits >> 8 * i);
	p->size += to ? 8 : 0;
}

void proto_head(struct proto *p, int field, size_t n)
{
	tag(p, field, BYTES);
	varint(p, n);
}

void *proto_space(struct proto *p, int field, size_t n)
{
	unsigned char *to;

	proto_head(p, field, n);
	to = room(p, n);
	p->size += to ? n : 0;
	return to;
}

void proto_bytes(struct proto *p, int field, const void *bytes, size_t n)
{
	void *to = proto_space(p, field, n);

	if (to && n)
		memcpy(to, bytes, n);
}

void proto_text(struct proto *p, int field, const char *text)
{
	proto_bytes(p, field, text, strlen(text));
}

size_t proto_begin(struct proto *p, int field)
{
	tag(p, field, BYTES);
	return p->size;
}

void proto_end(struct proto *p, size_t begun)
{
	unsigned char length[LONGEST_VARINT];
	size_t bytes = p->size - begun, n = encode(bytes, length);

	if (!room(p, n))
		return;
	memmove(p->data + begun + n, p->data + begun, bytes);
	memcpy(p->data + begun, length, n);
	p->size += n;
}
