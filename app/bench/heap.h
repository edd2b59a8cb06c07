/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_HEAP_H
#define BENCH_HEAP_H

/**
 * Load the allocators that are libraries of their own. One of them needs more room for thread-local
 * variables than the loader leaves for libraries that come late: the program is then started again, once,
 * with that room asked for (GLIBC_TUNABLES). To be called first in main().
 */
void heaps_load(char **argv);

#endif /* BENCH_HEAP_H */
