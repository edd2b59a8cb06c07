/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Which zone an object belongs to: a sorted table that is read without a lock.
 */
#include <errno.h>

#include "mempool_private.h"

/* Index of the first extent that ends after addr. */
static uint32_t
extent_after(const struct lab_extents *x, uint32_t nr, uintptr_t addr)
{
	uint32_t lo = 0, hi = nr;

	while (lo < hi) {
		uint32_t mid = (lo + hi) / 2;

		if (__atomic_load_n(&x->e[mid].end, __ATOMIC_RELAXED) > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

static bool
extent_look(const struct lab_extents *x, uintptr_t addr, struct lab_extent *out)
{
	uint32_t nr = __atomic_load_n(&x->nr, __ATOMIC_RELAXED);
	uint32_t i = nr == 1 ? 0 : extent_after(x, nr, addr);

	if (i >= nr)
		return false;
	out->start = __atomic_load_n(&x->e[i].start, __ATOMIC_RELAXED);
	out->end = __atomic_load_n(&x->e[i].end, __ATOMIC_RELAXED);
	out->zone = __atomic_load_n(&x->e[i].zone, __ATOMIC_RELAXED);
	return addr - out->start < out->end - out->start;
}

/* The extent that holds addr; an empty one if there is none. Waits only for a change under way, which is a few hundred stores. */
bool
lab_extent_find(const struct lab_extents *x, uintptr_t addr, struct lab_extent *out)
{
	for (;;) {
		uint32_t seq = __atomic_load_n(&x->seq, __ATOMIC_ACQUIRE);
		bool found = extent_look(x, addr, out);

		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if ((seq & 1) != 0 || __atomic_load_n(&x->seq, __ATOMIC_RELAXED) != seq)
			continue;
		if (!found)
			*out = (struct lab_extent){0};
		return found;
	}
}

bool
lab_extent_overlaps(const struct lab_extents *x, uintptr_t start, uintptr_t end)
{
	uint32_t i = extent_after(x, x->nr, start);

	return i < x->nr && x->e[i].start < end;
}

static void
extent_write(struct lab_extent *e, uintptr_t start, uintptr_t end, uint32_t zone)
{
	__atomic_store_n(&e->start, start, __ATOMIC_RELAXED);
	__atomic_store_n(&e->end, end, __ATOMIC_RELAXED);
	__atomic_store_n(&e->zone, zone, __ATOMIC_RELAXED);
}

static void
extent_insert(struct lab_extents *x, uint32_t i, uintptr_t start, uintptr_t end, uint32_t zone)
{
	for (uint32_t k = x->nr; k > i; k--)
		extent_write(&x->e[k], x->e[k - 1].start, x->e[k - 1].end, x->e[k - 1].zone);
	extent_write(&x->e[i], start, end, zone);
	__atomic_store_n(&x->nr, x->nr + 1, __ATOMIC_RELAXED);
}

/*
 * Add a run that overlaps none; one that continues its left neighbour in the same zone becomes part of
 * it. Two neighbours that a run joins stay apart: rare, and harmless.
 */
int
lab_extent_add(struct lab_extents *x, uintptr_t start, uintptr_t end, uint32_t zone)
{
	uint32_t i = extent_after(x, x->nr, start);
	bool grow = i > 0 && x->e[i - 1].end == start && x->e[i - 1].zone == zone;

	if (!grow && x->nr == LAB_POOL_MAX_EXTENTS)
		return -ENOSPC;
	__atomic_store_n(&x->seq, x->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (grow)
		extent_write(&x->e[i - 1], x->e[i - 1].start, end, zone);
	else
		extent_insert(x, i, start, end, zone);
	__atomic_store_n(&x->seq, x->seq + 1, __ATOMIC_RELEASE);
	return 0;
}
