/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_MIRROR_H
#define LAB_MIRROR_H

/**
 * @file lab_mirror.h
 * Having a zone do what another allocator did, a recorded kernel's for one: the state that it was in, which block it
 * took, and what followed.
 *
 * Included by lab_page.h, whose words on contexts and errors hold here too.
 */

#include <stddef.h>
#include <stdint.h>

#include "lab_formula.h"

#ifdef __cplusplus
extern "C" {
#endif

struct lab_zone;
struct lab_block;

/**
 * Put a zone with nothing allocated into a given state: pageblock types, allocated blocks, and the free
 * blocks in the order in which they are to be handed out.
 * @param blocks free and allocated ones, which must tile the managed frames exactly; offline ones, as a
 * walk reports them, are passed over; blocks of PCP lists are -EINVAL, as are free buddies that lie apart.
 * @param pageblock_mt one entry a pageblock of the span; LAB_MIGRATE_ISOLATE is -EINVAL.
 * @return 0; -EBUSY if something is allocated; -ENOMEM; -EINVAL if the blocks do not tile the zone (nothing is
 * changed then).
 */
int lab_zone_restore(struct lab_zone *zone, const struct lab_block *blocks, size_t nr_blocks,
	const uint8_t *pageblock_mt, size_t nr_pageblocks);

/**
 * Take this very block out of the free ones, whatever the marks say: to do again what another allocator did. Where the block is of
 * another type, what Linux does with it follows: a whole pageblock is claimed; of a part the marks are boosted, and the
 * pageblock is claimed if enough of it is free or alike.
 * Pages that lie in per-CPU lists are not free. Any thread; not from a signal handler.
 * @param pfn frame number in the zone, aligned to the order.
 * @param mt  whose free lists it was taken from or for, as mm_page_alloc_zone_locked says it. LAB_MIGRATE_HIGHATOMIC makes the
 * pageblock one of these, where it is not free as a whole; any other type has one given up. CMA and ISOLATE claim nothing.
 * @return 0: it is the caller's, to be given back by lab_free_pages(); -EBUSY: not all of it is free; -EINVAL: no block of the
 * zone; -ENOTSUP: a zone of the `labyrinth` allocator.
 */
int lab_zone_take(
	struct lab_zone *zone, unsigned long pfn, unsigned int order, enum lab_migratetype mt);

/** Set the pageblock around a frame aside for atomic requests of a higher order: what follows when such a request was served
 *  there below the low mark. Nothing happens if the zone has as many as it may, the pageblock is no whole one of a type that can be
 *  claimed, or half of a block, or on a zone of the `labyrinth` allocator. [reserve_highatomic_pageblock] */
void lab_zone_reserve_highatomic(struct lab_zone *zone, unsigned long pfn);

/** Say how much the marks are boosted by, in pages, at most the zone's: what is known of another allocator's. */
void lab_zone_set_boost(struct lab_zone *zone, unsigned long pages);

#ifdef __cplusplus
}
#endif

#endif /* LAB_MIRROR_H */
