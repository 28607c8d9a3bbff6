/*
 * Random numbers: Philox4x32-10 (Salmon et al. 2011), by counters.
 */

/* rng = {seed low, seed high, step low, step high}. */
static inline uint4 cg_philox(__global const uint *rng, uint node, uint element)
{
	uint4 c = (uint4)(element, node, rng[2], rng[3]);
	uint2 k = (uint2)(rng[0], rng[1]);

	for (int i = 0; i < 10; i++) {
		uint hi0 = mul_hi(0xD2511F53u, c.x), lo0 = 0xD2511F53u * c.x;
		uint hi1 = mul_hi(0xCD9E8D57u, c.z), lo1 = 0xCD9E8D57u * c.z;

		c = (uint4)(hi1 ^ c.y ^ k.x, lo1, hi0 ^ c.w ^ k.y, lo0);
		k += (uint2)(0x9E3779B9u, 0xBB67AE85u);
	}
	return c;
}

#if CG_CPU
/*
 * cg_philox of 16 elements at a time, from `element` on: their first words, their second words, ... Elements of even
 * and of odd number are a vector each, of words in the lower halves of 64 bits: a product of those is one instruction,
 * and nothing has to be narrowed on the way. rng: what it points to elsewhere.
 */
static inline void cg_philox16(uint4 rng, uint node, uint element, uint16 word[4])
{
	const ulong8 low = 0xFFFFFFFF, each = (ulong8)(0, 2, 4, 6, 8, 10, 12, 14);
	ulong8 x[2] = { each + element, each + (element + 1) }, y[2], z[2], w[2];

	UNROLL for (int h = 0; h < 2; h++) {
		uint k0 = rng.x, k1 = rng.y;

		y[h] = node;
		z[h] = rng.z;
		w[h] = rng.w;
		UNROLL for (int i = 0; i < 10; i++) {
			const ulong8 p = (x[h] & low) * 0xD2511F53ul, q = (z[h] & low) * 0xCD9E8D57ul;

			x[h] = q >> 32 ^ y[h] ^ k0;
			y[h] = q;
			z[h] = p >> 32 ^ w[h] ^ k1;
			w[h] = p;
			k0 += 0x9E3779B9u;
			k1 += 0xBB67AE85u;
		}
	}
	word[0] = as_uint16((x[0] & low) | x[1] << 32);
	word[1] = as_uint16((y[0] & low) | y[1] << 32);
	word[2] = as_uint16((z[0] & low) | z[1] << 32);
	word[3] = as_uint16((w[0] & low) | w[1] << 32);
}
#endif

/* [0, 1) with 24 bits */
static inline float cg_uniform(uint x)
{
	return (float)(x >> 8) * 0x1p-24f;
}
