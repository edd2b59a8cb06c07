/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include "bench.h"

/** The rows, in the order in which they are printed. */
const struct bench_alloc *const bench_allocs[] = {
	&bench_empty,
	&bench_array,
	&bench_pools[0],
	&bench_pools[1],
	&bench_pools[2],
	&bench_pools[3],
	&bench_pools[4],
	&bench_pools[5],
	&bench_zones[0],
	&bench_zones[1],
	&bench_zones[2],
	&bench_zones[3],
	&bench_zones[4],
	&bench_zones[5],
	&bench_drivers[0],
	&bench_drivers[1],
	&bench_drivers[2],
	&bench_drivers[3],
	&bench_heaps[0],
	&bench_heaps[1],
	&bench_heaps[2],
	&bench_mmap,
};
const unsigned int bench_nr_allocs = LAB_ARRAY_SIZE(bench_allocs);
_Static_assert(LAB_ARRAY_SIZE(bench_allocs) <= BENCH_MAX_ROWS, "rows");
