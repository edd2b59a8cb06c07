/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/** @file pattern.c The columns: each is a loop of loops.h and what it starts from. */
#include "bench.h"

#define BOTH(loop)                                                                                 \
	{                                                                                          \
		loop, loop                                                                         \
	}
#define CHUNK 1024

#define REPLACE(title, share, says)                                                                \
	{                                                                                          \
		.name = title, .what = says, .unit = "a page, put + get",                          \
		.loop = BOTH(BENCH_REPLACE), .min_threads = 1, .max_threads = 2, .fill = share,    \
		.chunk = CHUNK,                                                                    \
	}

const struct bench_pattern bench_patterns[] = {
	{
		.name = "repeat",
		.what = "get one, put it back; at order 0 to 9",
		.unit = "a block, get + put",
		.loop = BOTH(BENCH_REPEAT),
		.min_threads = 1,
		.max_threads = 2,
		.max_order = 9,
		.chunk = CHUNK,
	},
	{
		.name = "burst32",
		.what = "get 32 in one call where there is one, put them back likewise",
		.unit = "a page, get + put",
		.loop = BOTH(BENCH_BURSTS),
		.min_threads = 1,
		.max_threads = 2,
		.chunk = CHUNK,
	},
	{
		.name = "fill",
		.what = "get all pages one by one, put them all back in random order",
		.unit = "a page, get + put",
		.loop = BOTH(BENCH_FILL),
		.min_threads = 1,
		.max_threads = 2,
		.phased = true,
	},
	REPLACE("rand50", 0.5, "half of the pages held: put a random one, get another"),
	REPLACE("rand90", 0.9, "the same with 90% held"),
	REPLACE("rand95", 0.95, "the same with 95% held"),
	REPLACE("rand999", 0.999, "the same with 99.9% held"),
	{
		.name = "aged95",
		.what = "95% held: get up to 64 pages, put up to 64 random ones, by turns",
		.unit = "a page, get + put",
		.loop = BOTH(BENCH_WALK),
		.min_threads = 1,
		.max_threads = 2,
		.fill = 0.95,
		.chunk = CHUNK,
	},
	{
		.name = "xfer32",
		.what = "one core gets 32 and sends them over a ring, the other puts them",
		.unit = "a page, get + put, the ring apart",
		.loop = {BENCH_SEND, BENCH_RECEIVE},
		.min_threads = 2,
		.max_threads = 2,
		.chunk = CHUNK,
		.phased = true,
	},
	{
		.name = "nozero",
		.what = "64 pages requested; putting them is not timed",
		.unit = "a page, get",
		.loop = BOTH(BENCH_NOZERO),
		.min_threads = 1,
		.max_threads = 1,
		.chunk = CHUNK,
		.phased = true,
		.writes = true,
	},
	{
		.name = "zero",
		.what = "the same with pages that are zero, and dirty when they are put",
		.unit = "a page, get",
		.loop = BOTH(BENCH_ZERO),
		.min_threads = 1,
		.max_threads = 1,
		.chunk = CHUNK,
		.phased = true,
		.writes = true,
	},
};
const unsigned int bench_nr_patterns = LAB_ARRAY_SIZE(bench_patterns);
