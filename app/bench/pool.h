/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

/** @file pool.h What all rows that are an rte_mempool have in common. ctx is the mempool. */

#include "bench.h"

struct pool_variant {
	const char *ops;
	unsigned int cache;
};

/** Of a pool whatever its ops. */
extern const bench_loops bench_pool_loops;

/** An empty pool of the ops with n objects to come. @return NULL with the reason in why. */
struct rte_mempool *pool_create_empty(
	const struct pool_variant *v, unsigned long n, size_t elt_size, char *why);

#endif /* BENCH_POOL_H */
