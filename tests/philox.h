/*
 * Philox4x32-10 (Salmon et al. 2011) on the host: what random operations are compared with. Checked
 * against the known answers of the authors' library (Random123, kat_vectors).
 */
#ifndef PHILOX_H
#define PHILOX_H

#include <stdint.h>

struct philox {
	uint32_t w[4];
};

static inline struct philox philox_of(struct philox c, uint32_t k0, uint32_t k1)
{
	for (int i = 0; i < 10; i++) {
		uint64_t p = (uint64_t)0xD2511F53u * c.w[0], q = (uint64_t)0xCD9E8D57u * c.w[2];

		c = (struct philox){ { (uint32_t)(q >> 32) ^ c.w[1] ^ k0, (uint32_t)q,
			(uint32_t)(p >> 32) ^ c.w[3] ^ k1, (uint32_t)p } };
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	return c;
}

/* The draw of one element of a node, as kernels make it. */
static inline struct philox philox(uint64_t seed, uint64_t step, uint32_t node, uint32_t element)
{
	struct philox c = { { element, node, (uint32_t)step, (uint32_t)(step >> 32) } };

	return philox_of(c, (uint32_t)seed, (uint32_t)(seed >> 32));
}

/* [0, 1) with 24 bits */
static inline float philox_uniform(uint32_t x)
{
	return (float)(x >> 8) * 0x1p-24f;
}

#endif
