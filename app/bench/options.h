/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

/** @file options.h What the command line says. */

#include <stdbool.h>
#include <stdint.h>

struct bench_options {
	uint64_t allocs;      /**< bit i: bench_allocs[i] */
	uint64_t patterns;    /**< bit i: bench_patterns[i] */
	unsigned int threads; /**< bit n: with n threads */
	unsigned int orders;  /**< bit o: order o, of patterns that have orders */
	unsigned long pages;
	unsigned int rounds, retries;
	double time_ms;
	uint64_t seed;
	bool shuffled; /**< pools are brought into a random order first */
	bool latency;  /**< with the second pass */
	bool check, markdown;
	bool only_targets; /**< of all patterns those that the targets need */
	const char *json;  /**< path, "-" for stdout, or NULL */
};

/** Read the arguments, argv[0] apart. Problems are printed. @return 0, -EINVAL, or -ECANCELED when
 *  all that was wanted is shown. */
int options_parse(struct bench_options *o, int argc, char **argv);

void options_list(void);

#endif /* BENCH_OPTIONS_H */
