/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file fallback.c
 * When a type's own lists are empty: claim a pageblock of another type if most of it is free or
 * alike, else steal a single block from the smallest order, which pollutes least.
 */
#include "buddy.h"
#include "zone.h"

#define NR_FALLBACKS (LAB_MIGRATE_PCPTYPES - 1)

static const uint8_t fallbacks[LAB_MIGRATE_PCPTYPES][NR_FALLBACKS] = {
	[LAB_MIGRATE_UNMOVABLE] = {LAB_MIGRATE_RECLAIMABLE, LAB_MIGRATE_MOVABLE},
	[LAB_MIGRATE_MOVABLE] = {LAB_MIGRATE_RECLAIMABLE, LAB_MIGRATE_UNMOVABLE},
	[LAB_MIGRATE_RECLAIMABLE] = {LAB_MIGRATE_UNMOVABLE, LAB_MIGRATE_MOVABLE},
};

/** The type to take a block of this order from; -1 if none has one. */
static int
find_fallback(const struct lab_zone *z, unsigned int order, unsigned int mt)
{
	for (unsigned int i = 0; i < NR_FALLBACKS; i++) {
		unsigned int other = fallbacks[mt][i];

		if (rd(&z->nonempty[other]) >> order & 1)
			return (int)other;
	}
	return -1;
}

/** Is it worth trying to claim the pageblock around a free block of this order? A movable page does
 *  no lasting harm in another's block, so for it only large remainders are. */
static bool
should_claim(unsigned int order, unsigned int mt)
{
	return order >= LAB_PAGEBLOCK_ORDER / 2 || mt != LAB_MIGRATE_MOVABLE;
}

/** Each claim of a part of a pageblock is a sign of fragmentation: raise the marks for a while so
 *  that reclaim makes room. [boost_watermark] */
static void
boost_watermark(struct lab_zone *z, unsigned int alloc_flags)
{
	unsigned long boost = rd(&z->boost),
		      more = lab_boosted(boost, rd(&z->managed),
			      rd(&z->wmark[LAB_ALLOC_WMARK_HIGH]), rd(&z->boost_factor));

	if (more == 0) /* switched off */
		return;
	wr(&z->boost, more);
	lab_event(z, boost);
	if (alloc_flags & LAB_ALLOC_KSWAPD)
		wr(&z->boosted, true);
}

/** Free pages of a pageblock, and pages of movable requests in it. */
static void
count_pageblock(const struct lab_zone *z, uint32_t pfn, unsigned long *free, unsigned long *movable)
{
	uint32_t start = pfn & ~(uint32_t)(LAB_PAGEBLOCK_PAGES - 1);
	uint32_t end = start + LAB_PAGEBLOCK_PAGES;

	*free = *movable = 0;
	for (uint32_t p = start; p < end;) {
		uint32_t w = lab_frame_word(z, p);
		unsigned int state = lab_word_state(w);
		uint32_t pages = 1;

		if (state != LAB_FRAME_OFFLINE && state != LAB_FRAME_INSIDE)
			pages = 1U << lab_word_order(w);
		if (state == LAB_FRAME_FREE)
			*free += pages;
		else if (state == LAB_FRAME_ALLOCATED && lab_word_mt(w) == LAB_MIGRATE_MOVABLE)
			*movable += pages;
		p += pages;
	}
}

/** Pages of a pageblock of type `from` that suit a request of type `mt`. */
static unsigned long
alike_pages(unsigned int mt, unsigned int from, unsigned long free, unsigned long movable)
{
	if (mt == LAB_MIGRATE_MOVABLE)
		return movable;
	/* Not movable and not free: unmovable or reclaimable, which cannot be told apart. Between
	 * these two, therefore, none counts. */
	if (from == LAB_MIGRATE_MOVABLE)
		return LAB_PAGEBLOCK_PAGES - (free + movable);
	return 0;
}

static uint32_t
claim_whole(struct lab_zone *z, uint32_t pfn, unsigned int found, unsigned int order,
	unsigned int mt, unsigned int from)
{
	lab_buddy_del(z, pfn, found, from);
	lab_buddy_retype(z, pfn, found, mt);
	lab_buddy_expand(z, pfn, order, found, mt);
	lab_buddy_account(z, from, -(1L << order));
	lab_event_add(z, claim, 1U << (found - LAB_PAGEBLOCK_ORDER));
	return pfn;
}

/** Change the type of the pageblock around a free block, if enough of it is free or alike. */
static bool
claim_part(struct lab_zone *z, uint32_t pfn, unsigned int mt, unsigned int from,
	unsigned int alloc_flags)
{
	unsigned long free, movable;

	boost_watermark(z, alloc_flags);
	if (!lab_pageblock_is_whole(z, pfn))
		return false;
	count_pageblock(z, pfn, &free, &movable);
	if (free + alike_pages(mt, from, free, movable) < LAB_PAGEBLOCK_PAGES / 2)
		return false;
	lab_buddy_move_pageblock(z, pfn, from, mt);
	lab_event(z, claim);
	return true;
}

/** [try_to_claim_block] */
static uint32_t
try_claim(struct lab_zone *z, unsigned int found, unsigned int order, unsigned int mt,
	unsigned int from, unsigned int alloc_flags)
{
	uint32_t pfn = z->free_list[from][found].head;

	if (found >= LAB_PAGEBLOCK_ORDER)
		return claim_whole(z, pfn, found, order, mt, from);
	return claim_part(z, pfn, mt, from, alloc_flags) ? lab_buddy_smallest(z, order, mt)
							 : LAB_NO_PFN;
}

/** From the largest block down, for what is left over should be large. [__rmqueue_claim] */
static uint32_t
claim(struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags)
{
	int lowest = (int)order;

	if (order < LAB_PAGEBLOCK_ORDER && (alloc_flags & LAB_ALLOC_NOFRAGMENT))
		lowest = LAB_PAGEBLOCK_ORDER;
	for (int found = LAB_MAX_ORDER; found >= lowest && should_claim(found, mt); found--) {
		int from = find_fallback(z, found, mt);
		uint32_t pfn;

		if (from < 0)
			continue;
		pfn = try_claim(z, found, order, mt, from, alloc_flags);
		if (pfn != LAB_NO_PFN)
			return pfn;
	}
	return LAB_NO_PFN;
}

/** From the smallest block up, for large blocks should stay whole. [__rmqueue_steal] */
static uint32_t
steal(struct lab_zone *z, unsigned int order, unsigned int mt)
{
	for (unsigned int found = order; found <= LAB_MAX_ORDER; found++) {
		int from = find_fallback(z, found, mt);
		uint32_t pfn;

		if (from < 0)
			continue;
		pfn = z->free_list[from][found].head;
		lab_buddy_del(z, pfn, found, from);
		lab_buddy_expand(z, pfn, order, found, from);
		lab_buddy_account(z, from, -(1L << order));
		lab_event(z, steal);
		return pfn;
	}
	return LAB_NO_PFN;
}

unsigned int
lab_fallback_claim(
	struct lab_zone *z, uint32_t pfn, unsigned int found, unsigned int mt, unsigned int from)
{
	if (found >= LAB_PAGEBLOCK_ORDER) {
		lab_buddy_convert(z, pfn, found, from, mt);
		lab_event_add(z, claim, 1U << (found - LAB_PAGEBLOCK_ORDER));
		return mt;
	}
	if (should_claim(found, mt) && claim_part(z, pfn, mt, from, 0))
		return mt;
	lab_event(z, steal);
	return from;
}

uint32_t
lab_fallback_take(struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags)
{
	uint32_t pfn = LAB_NO_PFN;

	if (!(alloc_flags & LAB_ALLOC_STEAL))
		pfn = claim(z, order, mt, alloc_flags);
	if (pfn == LAB_NO_PFN && !(alloc_flags & LAB_ALLOC_NOFRAGMENT))
		pfn = steal(z, order, mt);
	return pfn;
}
