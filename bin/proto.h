/*
 * proto.h: writing the wire format of Protocol Buffers into memory: a message is fields one after
 * the other, each a number and a type, then the value (protobuf.dev/programming-guides/encoding).
 * What is embedded has its length before it.
 *
 * After a failure, which is lack of memory, nothing more is written and `failed` stays.
 */
#ifndef FER_PROTO_H
#define FER_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proto {
	unsigned char *data;	/* to be freed */
	size_t size, room;
	bool failed;
};

void proto_int(struct proto *p, int field, int64_t value);
void proto_float(struct proto *p, int field, float value);
void proto_double(struct proto *p, int field, double value);
void proto_bytes(struct proto *p, int field, const void *bytes, size_t n);
void proto_text(struct proto *p, int field, const char *text);
/* n bytes that the caller fills before the next call; NULL after a failure. */
void *proto_space(struct proto *p, int field, size_t n);
/* An embedded message is what is written between begin and end; begin's result is for its end. */
size_t proto_begin(struct proto *p, int field);
void proto_end(struct proto *p, size_t begun);
/* Only the head of an embedded message of n bytes, which are kept elsewhere. */
void proto_head(struct proto *p, int field, size_t n);

#endif
