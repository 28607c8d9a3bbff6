/*
 * random.h: counter-based random numbers for the programs: the value depends on (seed, stream,
 * counter) alone, so that what is drawn for one row does not depend on the rows before it.
 */
#ifndef FER_RANDOM_H
#define FER_RANDOM_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Two rounds of the splitmix64 finaliser (Steele, Lea, Flood 2014) over the three words. */
static inline uint64_t random_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static inline uint64_t random_bits(uint64_t seed, uint64_t stream, uint64_t counter)
{
	return random_mix(random_mix(random_mix(seed) ^ stream) ^ counter);
}

/* Uniform in [0, 1), 53 bits. */
static inline double random_unit(uint64_t bits)
{
	return (double)(bits >> 11) * 0x1p-53;
}

/* Uniform in 0..n-1 (n > 0); the bias is below n/2^32. */
static inline uint32_t random_below(uint64_t bits, uint32_t n)
{
	return (uint32_t)(((bits >> 32) * n) >> 32);
}

/* A stream of draws, one after the other. */
struct lots {
	uint64_t seed, stream, counter;
};

static inline float lots_uniform(struct lots *l, float low, float high)
{
	return low +
		(high - low) * (float)random_unit(random_bits(l->seed, l->stream, l->counter++));
}

static inline bool lots_chance(struct lots *l, float probability)
{
	return lots_uniform(l, 0, 1) < probability;
}

/* Normal, mean 0 and deviation 1 (Box, Muller). */
static inline float lots_normal(struct lots *l)
{
	float r = sqrtf(-2 * logf(1 - lots_uniform(l, 0, 1)));

	return r * cosf(6.2831853f * lots_uniform(l, 0, 1));
}

/* Nearly normal, mean 0 and deviation 1: the sum of four uniform numbers. */
static inline float lots_grain(struct lots *l)
{
	uint64_t bits = random_bits(l->seed, l->stream, l->counter++);
	int32_t sum = (int32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) +
		(bits >> 48));

	return (float)(sum - 2 * 0xffff) * (1.7320508f / 0x10000);
}

#endif
