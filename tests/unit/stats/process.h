/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef TEST_PROCESS_H
#define TEST_PROCESS_H

/* Seeded processes whose truth is known, for tests of the statistics. */

#include "lab_base.h"

/* Poisson by Knuth's product of uniforms: fine for the small means of the tests. */
static inline double
process_poisson(struct lab_rng *r, double mean)
{
	double limit = exp(-mean), p = 1;
	unsigned int k = 0;

	do {
		p *= 1 - lab_rng_double(r);
		k++;
	} while (p > limit);
	return k - 1;
}

/* A two-state Markov chain: bursts and gaps of geometric length with these means. */
struct process_bursts {
	struct lab_rng rng;
	double burst, gap;
	int on;
};

static inline void
process_bursts_init(struct process_bursts *b, double burst, double gap, uint64_t seed)
{
	lab_rng_seed(&b->rng, seed);
	b->burst = burst;
	b->gap = gap;
	b->on = lab_rng_double(&b->rng) < burst / (burst + gap);
}

static inline int
process_bursts_next(struct process_bursts *b)
{
	int on = b->on;

	if (lab_rng_double(&b->rng) < 1 / (on ? b->burst : b->gap))
		b->on = !on;
	return on;
}

/*
 * The Markov-modulated Poisson series of the method's measurements: bursts of 20 bins, gaps of 100, 30 events a
 * bin in a burst and 0.05 outside.
 */
static inline void
process_mmpp(double *x, size_t n, uint64_t seed)
{
	struct process_bursts b;

	process_bursts_init(&b, 20, 100, seed);
	for (size_t i = 0; i < n; i++)
		x[i] = process_poisson(&b.rng, process_bursts_next(&b) ? 30 : 0.05);
}

static inline double
process_normal(struct lab_rng *r)
{
	double u = 1 - lab_rng_double(r), v = lab_rng_double(r);

	return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

/* A run's own seed from a test's seed and the run's number. */
static inline uint64_t
process_seed(uint64_t seed, uint64_t run)
{
	uint64_t s = seed * 0x9e3779b97f4a7c15ULL + run;

	return lab_splitmix64(&s);
}

#endif /* TEST_PROCESS_H */
