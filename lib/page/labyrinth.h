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

/** The frame at an address; for one that is within a page, or below the zone, a number that no zone's frame has. */
static inline uintptr_t
lab_pfn_rotated(const struct lab_zone *z, const void *page)
{
	uintptr_t off = lab_offset_of(z, page);

	return off >> LAB_PAGE_SHIFT | off << (64 - LAB_PAGE_SHIFT);
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

/** The stack of which a block needs no asking, while such requests would pass the gate. */
static inline struct percpu *
lab_short_way(struct lab_zone *z, lab_gfp_t gfp, unsigned int order)
{
	const lab_gfp_t plain = LAB_GFP_ATOMIC | LAB_GFP_KERNEL | __LAB_GFP_ATOMIC |
				__LAB_GFP_NOWARN | __LAB_GFP_NORETRY | __LAB_GFP_NOMEMALLOC |
				__LAB_GFP_COMP | __LAB_GFP_MOVABLE | __LAB_GFP_HIGHMEM |
				__LAB_GFP_ZERO;
	unsigned int mt = !!(gfp & __LAB_GFP_MOVABLE);
	uint8_t open = rd(&z->open);
	struct lab_stack_set *set;

	if (lab_unlikely(open == 0 || order > LAB_STACK_MAX_ORDER || (gfp & ~plain)))
		return NULL;
	if (lab_unlikely(!(open & LAB_OPEN_ALL)) &&
		(!lab_gfp_is_atomic(gfp) || (gfp & __LAB_GFP_NOMEMALLOC)))
		return NULL;
	set = lab_known_set(z);
	if (lab_unlikely(set == NULL))
		return NULL;
	if (lab_unlikely(gfp & __LAB_GFP_ZERO)) /* larger blocks are zeroed by parts */
		return order == 0 ? &set->stack[lab_zero_stack_index(mt)] : NULL;
	return &set->stack[lab_stack_index(order, mt)];
}

/** The kind of lifetime that a frame's neighbours have. */
static inline unsigned int
lab_class_of(const struct lab_zone *z, uint32_t pfn)
{
	return rd(&z->classes[pfn >> FRAMES_CHILD_ORDER]);
}

/** May blocks be given to this CPU's stacks? While requests go the short way. @return them, or NULL. */
static inline struct lab_stack_set *
lab_short_way_back(struct lab_zone *z, unsigned int order)
{
	return lab_likely(rd(&z->open)) && order <= LAB_STACK_MAX_ORDER ? lab_own_set(z) : NULL;
}

#pragma GCC visibility pop

#endif /* LAB_LABYRINTH_H */
