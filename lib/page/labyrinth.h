/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_LABYRINTH_H
#define LAB_LABYRINTH_H

/**
 * @file labyrinth.h
 * What the files of the labyrinth allocator share.
 */

#include "zone.h"

#pragma GCC visibility push(hidden)

static inline uint32_t
lab_pfn_of(const struct lab_zone *z, const void *page)
{
	return (uint32_t)(((uintptr_t)page - (uintptr_t)z->base) >> LAB_PAGE_SHIFT);
}

/** Counters that any thread writes. */
static inline void
lab_add(_Atomic uint64_t *n, uint64_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

/**
 * The free pages changed: open or close the short way of requests, which stands open while they would
 * pass the gate; a request that finds it closed asks the gate. kswapd is woken at the low mark, for
 * those who go the short way do not.
 */
void lab_free_changed(struct lab_zone *z, long pages);

#pragma GCC visibility pop

#endif /* LAB_LABYRINTH_H */
