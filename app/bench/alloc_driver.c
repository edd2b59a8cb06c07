/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/**
 * @file alloc_driver.c
 * Mempools of this project's driver. They are populated as any other one is, each with memory of its
 * own, because a pool keeps its headers in it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <lab_mempool.h>
#include <rte_memory.h>
#include <rte_mempool.h>

#include "pool.h"

/** One object a frame, headers included, and room for the driver's own colouring. */
#define ELT_SIZE(order) (((size_t)LAB_PAGE_SIZE << (order)) * 3 / 4)
#define ALIGN           (4UL << 20)

/**
 * Memory is kept for the pool of the next column: to touch it for the first time takes longer than to
 * measure. Only the main thread makes pools.
 */
struct region {
	char *map, *start;
	size_t len; /**< from the start */
	bool used;
};

static struct region regions[BENCH_NR_DRIVERS];

static void
region_put(struct rte_mempool_memhdr *chunk, void *opaque)
{
	(void)chunk;
	((struct region *)opaque)->used = false;
}

static int
region_map(struct region *r, size_t len)
{
	char *map;

	if (r->map != NULL)
		munmap(r->map, r->len + ALIGN);
	r->map = NULL;
	map = mmap(NULL, len + ALIGN, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		return -errno;
	r->map = map;
	r->start = (char *)(((uintptr_t)map + ALIGN - 1) & ~(ALIGN - 1));
	r->len = len;
	/* as EAL's own memory usually is, and populated in less time */
	madvise(r->start, len, MADV_HUGEPAGE);
	return 0;
}

static struct region *
region_get(size_t len)
{
	for (unsigned int i = 0; i < BENCH_NR_DRIVERS; i++) {
		struct region *r = &regions[i];

		if (r->used)
			continue;
		if ((r->map == NULL || r->len < len) && region_map(r, len) < 0)
			return NULL;
		r->used = true;
		return r;
	}
	return NULL;
}

static int
populate(struct rte_mempool *mp, unsigned long pages)
{
	size_t len = pages * LAB_PAGE_SIZE;
	struct region *r = region_get(len);
	int ret;

	if (r == NULL)
		return -ENOMEM;
	ret = rte_mempool_populate_iova(mp, r->start, RTE_BAD_IOVA, len, region_put, r);
	if (ret < 0)
		r->used = false;
	return ret;
}

static int
create(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
	unsigned long *capacity, char *why)
{
	const struct pool_variant *v = a->variant;
	struct rte_mempool *mp = pool_create_empty(v, *capacity, ELT_SIZE(need->order), why);
	int ret;

	if (mp == NULL)
		return -EINVAL;
	ret = populate(mp, need->pages);
	if (ret < 0)
		snprintf(why, BENCH_WHY, "mempool ops \"%s\": %s", v->ops, strerror(-ret));
	else if ((unsigned long)ret != *capacity || lab_mempool_order(mp) != (int)need->order)
		snprintf(why, BENCH_WHY, "%d of %lu objects, of order %d", ret, *capacity,
			lab_mempool_order(mp));
	if (why[0] == '\0') {
		*ctx = mp;
		return 0;
	}
	rte_mempool_free(mp);
	return -EINVAL;
}

static void
destroy(void *ctx)
{
	rte_mempool_free(ctx);
}

#define DRIVER(ops_name, cache, says)                                                              \
	{                                                                                          \
		.name = "ops:" ops_name "/" #cache, .what = says,                                  \
		.flags = BENCH_BOUNDED | BENCH_KEEPS, .loops = &bench_pool_loops,                  \
		.variant = &(const struct pool_variant){ops_name, cache}, .create = create,        \
		.destroy = destroy, .bytes_a_page = LAB_PAGE_SIZE,                                 \
	}

const struct bench_alloc bench_drivers[BENCH_NR_DRIVERS] = {
	DRIVER("labyrinth", 0, "rte_mempool, this project's driver, no cache"),
	DRIVER("labyrinth", 256, "rte_mempool, this project's driver, cache of 256"),
	DRIVER("labyrinth_buddy", 0, "the same, always buddy, no cache"),
	DRIVER("labyrinth_buddy", 256, "the same, always buddy, cache of 256"),
};
