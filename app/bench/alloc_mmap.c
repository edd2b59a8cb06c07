/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file alloc_mmap.c
 * The system call for each block.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "loops.h"

static inline void *
mmap_get(struct bench_thread *t)
{
	void *page = mmap(NULL, LAB_PAGE_SIZE << t->order, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

static inline void
mmap_put(struct bench_thread *t, void *page)
{
	/* refused only when it would split a mapping beyond the system's limit; see create() */
	t->beyond += munmap(page, LAB_PAGE_SIZE << t->order) != 0;
}

BENCH_ONE_BY_ONE(mmap_get, mmap_put)

/** The kernel clears a page when it is touched, which is part of the price. */
static inline void *
mmap_get_zero(struct bench_thread *t)
{
	volatile char *page = mmap_get(t);

	if (page != NULL)
		*page = 0;
	return (void *)page;
}

static const struct bench_calls calls = {
	.get = mmap_get,
	.put = mmap_put,
	.get_zero = mmap_get_zero,
	.get_n = mmap_get_n,
	.put_n = mmap_put_n,
};
BENCH_LOOPS(calls)
static const bench_loops loops = BENCH_TABLE;

static unsigned long
max_map_count(void)
{
	unsigned long n = 65530;
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");

	if (f != NULL) {
		if (fscanf(f, "%lu", &n) != 1)
			n = 65530;
		fclose(f);
	}
	return n;
}

/** Every other page given back makes each remaining one a mapping: half of the limit is safe. */
static int
create(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
	unsigned long *capacity, char *why)
{
	unsigned long most = max_map_count() / 2;

	(void)a;
	(void)need;
	(void)why;
	if (*capacity > most)
		*capacity = most;
	*ctx = NULL;
	return 0;
}

static void
destroy(void *ctx)
{
	(void)ctx;
}

const struct bench_alloc bench_mmap = {
	.name = "mmap",
	.what = "mmap() and munmap() for each block; at most half of vm.max_map_count at once",
	.flags = BENCH_ORDERLESS,
	.loops = &loops,
	.create = create,
	.destroy = destroy,
};
