/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file alloc_empty.c
 * No allocator: what the loop itself costs, and how often the machine interrupts it.
 */
#include "loops.h"

static void *
empty_get(struct bench_thread *t)
{
	return t->ctx;
}

static void
empty_put(struct bench_thread *t, void *page)
{
	(void)t;
	BENCH_USED(page);
}

BENCH_ONE_BY_ONE(empty_get, empty_put)

/* What the memset alone costs, of a page that is at hand. */
static void *
empty_get_zero(struct bench_thread *t)
{
	memset(t->ctx, 0, LAB_PAGE_SIZE);
	return t->ctx;
}

static const struct bench_calls calls = {
	.get = empty_get,
	.put = empty_put,
	.get_zero = empty_get_zero,
	.get_n = empty_get_n,
	.put_n = empty_put_n,
};
BENCH_LOOPS(calls)
static const bench_loops loops = BENCH_TABLE;

static int
create(const struct bench_alloc *a, const struct bench_need *need, void **ctx,
	unsigned long *capacity, char *why)
{
	(void)a;
	(void)capacity;
	(void)why;
	*ctx = need->arena;
	return 0;
}

static void
destroy(void *ctx)
{
	(void)ctx;
}

const struct bench_alloc bench_empty = {
	.name = BENCH_ROW_EMPTY,
	.what = "no allocator: the loop's own cost and the machine's interruptions",
	.flags = BENCH_ORDERLESS | BENCH_SAME,
	.loops = &loops,
	.create = create,
	.destroy = destroy,
};
