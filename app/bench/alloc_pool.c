/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/**
 * @file alloc_pool.c
 * DPDK's own mempools, used as a store of frames: a pool is made, and instead of being populated, which
 * would write a header into every page, it is handed the addresses of the arena's blocks.
 */
#include <errno.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_mempool.h>

#include "loops.h"
#include "pool.h"

static inline void *
pool_get(struct bench_thread *t)
{
	void *page;

	return rte_mempool_get(t->ctx, &page) == 0 ? page : NULL;
}

static inline void
pool_put(struct bench_thread *t, void *page)
{
	rte_mempool_put(t->ctx, page);
}

/** All or nothing is the pool's way; what there is less of is fetched one by one. */
static inline unsigned int
pool_get_n(struct bench_thread *t, void **pages, unsigned int n)
{
	unsigned int got = 0;

	if (likely(rte_mempool_get_bulk(t->ctx, pages, n) == 0))
		return n;
	while (got < n && (pages[got] = pool_get(t)) != NULL)
		got++;
	return got;
}

static inline void
pool_put_n(struct bench_thread *t, void **pages, unsigned int n)
{
	rte_mempool_put_bulk(t->ctx, pages, n);
}

BENCH_ZERO_BY_HAND(pool_get)

static const struct bench_calls calls = {
	.get = pool_get,
	.put = pool_put,
	.get_zero = pool_get_zero,
	.get_n = pool_get_n,
	.put_n = pool_put_n,
};
BENCH_LOOPS(calls)
const bench_loops bench_pool_loops = BENCH_TABLE;

struct rte_mempool *
pool_create_empty(const struct pool_variant *v, unsigned long n, size_t elt_size, char *why)
{
	static unsigned int serial; /* EAL knows pools by name */
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *mp;
	int ret;

	snprintf(name, sizeof(name), "bench_%u", serial++);
	/* EAL's rule for caches; its error says nothing of it */
	if (v->cache * 3 / 2 > n) {
		snprintf(why, BENCH_WHY, "a cache of %u takes a pool of %u objects, not of %lu",
			v->cache, v->cache * 3 / 2, n);
		return NULL;
	}
	mp = rte_mempool_create_empty(name, n, elt_size, v->cache, 0, SOCKET_ID_ANY, 0);
	if (mp == NULL) {
		snprintf(why, BENCH_WHY, "no mempool of %lu objects with a cache of %u: %s", n,
			v->cache, rte_strerror(rte_errno));
		return NULL;
	}
	ret = rte_mempool_set_ops_byname(mp, v->ops, NULL);
	if (ret < 0) {
		snprintf(why, BENCH_WHY, "EAL has no mempool ops \"%s\"", v->ops);
		rte_mempool_free(mp);
		return NULL;
	}
	return mp;
}

/** What rte_mempool_populate_iova() does at first; without populating nobody else would. */
static int
alloc_ops(struct rte_mempool *mp)
{
	int ret = rte_mempool_get_ops(mp->ops_index)->alloc(mp);

	if (ret == 0)
		mp->flags |= RTE_MEMPOOL_F_POOL_CREATED;
	return ret;
}

static int
create(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
	unsigned long *capacity, char *why)
{
	const struct pool_variant *v = a->variant;
	struct rte_mempool *mp = pool_create_empty(v, *capacity, LAB_PAGE_SIZE, why);
	int ret;

	if (mp == NULL)
		return -EINVAL;
	ret = alloc_ops(mp);
	if (ret < 0) {
		snprintf(why, BENCH_WHY, "mempool ops \"%s\": %s", v->ops, strerror(-ret));
		rte_mempool_free(mp);
		return ret;
	}
	for (unsigned long i = 0; i < *capacity; i++) {
		void *page = (char *)need->arena + (i << need->order) * LAB_PAGE_SIZE;

		rte_mempool_generic_put(mp, &page, 1, NULL);
	}
	*ctx = mp;
	return 0;
}

static void
destroy(void *ctx)
{
	rte_mempool_free(ctx);
}

#define POOL(ops, cache, says)                                                                     \
	{                                                                                          \
		.name = ops "/" #cache, .what = says, .flags = BENCH_BOUNDED,                      \
		.loops = &bench_pool_loops, .variant = &(const struct pool_variant){ops, cache},   \
		.create = create, .destroy = destroy,                                              \
	}

const struct bench_alloc bench_pools[BENCH_NR_POOLS] = {
	POOL("ring_mp_mc", 0, "rte_mempool, ops ring_mp_mc, no cache"),
	POOL("ring_mp_mc", 256, "rte_mempool, ops ring_mp_mc, cache of 256"),
	POOL("stack", 0, "rte_mempool, ops stack, no cache"),
	POOL("stack", 256, "rte_mempool, ops stack, cache of 256"),
	POOL("lf_stack", 0, "rte_mempool, ops lf_stack, no cache"),
	POOL("lf_stack", 256, "rte_mempool, ops lf_stack, cache of 256"),
};
