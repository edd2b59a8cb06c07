/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_BASE_H
#define LAB_BASE_H

/**
 * @file lab_base.h
 * What every module needs and no library gives: a seeded generator and assertion tiers.
 * Header only, C11, any context.
 */

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** Elements of an array (not of a pointer). */
#define LAB_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
/** Bytes of a cache line on the machines that this is built for. */
#define LAB_CACHE_LINE 64

/* ------------------------------------------------------- assertion tiers */

/** Ends the program with file, line and the condition if it does not hold; in every build. */
#define lab_assert_always(cond)                                                                    \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0)) {                                                \
			fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", __FILE__, __LINE__,   \
				__func__, #cond);                                                  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/** Compiled, never evaluated: what a tier that is off becomes. */
#define lab_assert_never(cond) ((void)sizeof(!(cond)))

/** Checks one operation; on in the tests' builds (meson -Dasserts=internal). */
#if LAB_ASSERT_TIER >= 1
#define lab_assert(cond) lab_assert_always(cond)
#else
#define lab_assert(cond) lab_assert_never(cond)
#endif

/** Validates a whole structure (meson -Dasserts=expensive). */
#if LAB_ASSERT_TIER >= 2
#define lab_assert_expensive(cond) lab_assert_always(cond)
#else
#define lab_assert_expensive(cond) lab_assert_never(cond)
#endif

/* ------------------------------------------------------------- randomness */

/** xoshiro256** (Blackman and Vigna, doi 10.1145/3460772). The same seed, the same sequence. */
struct lab_rng {
	uint64_t s[4]; /**< the state; not all zero, which lab_rng_seed() sees to */
};

/** splitmix64: one step, for seeding and for deriving a stream's seed from a run's. */
static inline uint64_t
lab_splitmix64(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/** Start the sequence of a seed; any value is good. */
static inline void
lab_rng_seed(struct lab_rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		r->s[i] = lab_splitmix64(&seed);
}

/** The next 64 random bits. One thread per generator. */
static inline uint64_t
lab_rng_u64(struct lab_rng *r)
{
	uint64_t *s = r->s, m = s[1] * 5, out = ((m << 7) | (m >> 57)) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = (s[3] << 45) | (s[3] >> 19);
	return out;
}

/** Uniform in [0, n); 0 for n = 0. Multiply-shift: no division, bias below n / 2^64. */
static inline uint64_t
lab_rng_below(struct lab_rng *r, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)lab_rng_u64(r) * n) >> 64);
}

/** Uniform in [0, 1) with 53 bits. */
static inline double
lab_rng_double(struct lab_rng *r)
{
	return (double)(lab_rng_u64(r) >> 11) * 0x1.0p-53;
}

/** Exponential with the given mean. */
static inline double
lab_rng_exp(struct lab_rng *r, double mean)
{
	return -mean * log1p(-lab_rng_double(r));
}

#endif /* LAB_BASE_H */
