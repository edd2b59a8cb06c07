/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file buddy.c
 * Linux's buddy allocator: a free list per order and migratetype. A free block is on the list of the
 * type of the pageblocks that it covers, which therefore all have the same type.
 */
#include "buddy.h"
#include "gate.h"
#include "zone.h"

/**
 * Count a change of a type's free pages. Once an operation and never in parts: requests read nr_free
 * without the lock, and a block that is only being split must not look as if it were gone.
 */
void
lab_buddy_account(struct lab_zone *z, unsigned int mt, long pages)
{
	inc(&z->nr_free, (unsigned long)pages);
	if (mt == LAB_MIGRATE_CMA)
		inc(&z->nr_free_cma, (unsigned long)pages);
	else if (mt == LAB_MIGRATE_HIGHATOMIC)
		inc(&z->nr_free_highatomic, (unsigned long)pages);
}

/** Count a move of free pages from one type to another. */
static void
account_move(struct lab_zone *z, unsigned int from, unsigned int to, unsigned long pages)
{
	if (from == LAB_MIGRATE_HIGHATOMIC)
		dec(&z->nr_free_highatomic, pages);
	if (to == LAB_MIGRATE_HIGHATOMIC)
		inc(&z->nr_free_highatomic, pages);
}

static void
list_add(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt, bool to_tail)
{
	struct lab_list *l = &z->free_list[mt][order];

	lab_frame_set(z, pfn, lab_word(LAB_FRAME_FREE, order, mt, 0));
	if (to_tail)
		lab_list_add_tail(z->frames, l, pfn);
	else
		lab_list_add_head(z->frames, l, pfn);
	wr(&z->nonempty[mt], rd(&z->nonempty[mt]) | 1U << order);
}

void
lab_buddy_del(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt)
{
	struct lab_list *l = &z->free_list[mt][order];

	lab_list_del(z->frames, l, pfn);
	if (l->head == LAB_NO_PFN)
		wr(&z->nonempty[mt], rd(&z->nonempty[mt]) & ~(1U << order));
}

/** Of a block off the lists, put the upper halves back until `low` is left. [expand] */
void
lab_buddy_expand(
	struct lab_zone *z, uint32_t pfn, unsigned int low, unsigned int high, unsigned int mt)
{
	while (high > low) {
		high--;
		list_add(z, pfn + (1U << high), high, mt, false);
	}
}

/** Split the smallest block that is large enough. [__rmqueue_smallest] */
uint32_t
lab_buddy_smallest(struct lab_zone *z, unsigned int order, unsigned int mt)
{
	uint32_t orders = rd(&z->nonempty[mt]) >> order;
	unsigned int found;
	uint32_t pfn;

	if (orders == 0)
		return LAB_NO_PFN;
	found = order + __builtin_ctz(orders);
	pfn = z->free_list[mt][found].head;
	lab_buddy_del(z, pfn, found, mt);
	lab_buddy_expand(z, pfn, order, found, mt);
	lab_buddy_account(z, mt, -(1L << order));
	return pfn;
}

bool
lab_pageblock_is_whole(const struct lab_zone *z, uint32_t pfn)
{
	return (pfn | (LAB_PAGEBLOCK_PAGES - 1)) < z->spanned;
}

void
lab_buddy_retype(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt)
{
	uint32_t first = pfn >> LAB_PAGEBLOCK_ORDER;
	uint32_t n = order > LAB_PAGEBLOCK_ORDER ? 1U << (order - LAB_PAGEBLOCK_ORDER) : 1;

	for (uint32_t i = 0; i < n; i++)
		wr(&z->pageblock_mt[first + i], mt);
}

void
lab_buddy_move_pageblock(struct lab_zone *z, uint32_t pfn, unsigned int from, unsigned int to)
{
	uint32_t start = pfn & ~(uint32_t)(LAB_PAGEBLOCK_PAGES - 1);
	uint32_t end = start + LAB_PAGEBLOCK_PAGES;
	unsigned long pages = 0;

	for (uint32_t p = start; p < end;) {
		uint32_t w = lab_frame_word(z, p);
		unsigned int state = lab_word_state(w), order = lab_word_order(w);

		if (state == LAB_FRAME_FREE) {
			lab_buddy_del(z, p, order, from);
			list_add(z, p, order, to, true);
			pages += 1U << order;
		}
		p += state == LAB_FRAME_OFFLINE || state == LAB_FRAME_INSIDE ? 1 : 1U << order;
	}
	lab_buddy_retype(z, start, LAB_PAGEBLOCK_ORDER, to);
	account_move(z, from, to, pages);
}

/** Is this the head of a free block of exactly this order? */
static bool
is_free_block(const struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	return pfn < z->spanned && lab_word_key(lab_frame_word(z, pfn)) ==
					   lab_word_key(lab_word(LAB_FRAME_FREE, order, 0, 0));
}

/** May a block of this order and type merge with its buddy? */
static bool
may_merge(const struct lab_zone *z, uint32_t buddy, unsigned int order, unsigned int mt)
{
	unsigned int buddy_mt;

	if (order >= LAB_MAX_ORDER || !is_free_block(z, buddy, order))
		return false;
	if (order < LAB_PAGEBLOCK_ORDER)
		return true;
	buddy_mt = lab_pageblock_mt(z, buddy);
	return mt == buddy_mt || (lab_mt_mergeable(mt) && lab_mt_mergeable(buddy_mt));
}

/** Will the block that has just been made soon be part of a larger one? Then it goes to the tail,
 *  not to be broken before. [buddy_merge_likely] */
static bool
merge_likely(const struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	uint32_t higher = pfn & ~(1U << order);

	if (order >= LAB_MAX_ORDER - 1)
		return false;
	return is_free_block(z, higher ^ (2U << order), order + 1);
}

/** Put a block on its list, merged with the buddies that are free. [__free_one_page] */
static void
merge(struct lab_zone *z, uint32_t pfn, unsigned int order, bool to_tail)
{
	unsigned int mt = lab_pageblock_mt(z, pfn);
	uint32_t buddy = pfn ^ (1U << order);

	while (may_merge(z, buddy, order, mt)) {
		unsigned int buddy_mt = lab_pageblock_mt(z, buddy);

		lab_buddy_del(z, buddy, order, buddy_mt);
		if (buddy_mt != mt)
			lab_buddy_retype(z, buddy, order, mt);
		lab_frame_set(z, pfn | buddy, lab_word(LAB_FRAME_INSIDE, 0, 0, 0));
		pfn &= buddy;
		order++;
		buddy = pfn ^ (1U << order);
	}
	list_add(z, pfn, order, mt, to_tail || merge_likely(z, pfn, order));
}

void
lab_buddy_give(struct lab_zone *z, uint32_t pfn, unsigned int order, bool to_tail)
{
	merge(z, pfn, order, to_tail);
	lab_buddy_account(z, lab_pageblock_mt(z, pfn), 1L << order);
}

/* A block of another type may now merge with neighbours that it was kept apart from. */
void
lab_buddy_convert(
	struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int from, unsigned int to)
{
	lab_buddy_del(z, pfn, order, from);
	lab_buddy_retype(z, pfn, order, to);
	lab_frame_set(z, pfn, lab_word(LAB_FRAME_INSIDE, 0, 0, 0));
	merge(z, pfn, order, false);
	account_move(z, from, to, 1UL << order);
}

static bool
cma_is_half(const struct lab_zone *z)
{
	return rd(&z->nr_free_cma) > rd(&z->nr_free) / 2;
}

/** Own lists, CMA, then the other types'. [__rmqueue] */
static uint32_t
take_by_type(struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags)
{
	bool cma = alloc_flags & LAB_ALLOC_CMA;
	uint32_t pfn = LAB_NO_PFN;

	/* Movable pages are the only tenants of CMA: keep both parts of the zone equally full. */
	if (cma && cma_is_half(z))
		pfn = lab_buddy_smallest(z, order, LAB_MIGRATE_CMA);
	if (pfn == LAB_NO_PFN)
		pfn = lab_buddy_smallest(z, order, mt);
	if (pfn == LAB_NO_PFN && cma)
		pfn = lab_buddy_smallest(z, order, LAB_MIGRATE_CMA);
	if (pfn == LAB_NO_PFN)
		pfn = lab_fallback_take(z, order, mt, alloc_flags);
	return pfn;
}

/** [rmqueue_buddy] */
uint32_t
lab_buddy_take(struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags)
{
	uint32_t pfn = LAB_NO_PFN;

	if (alloc_flags & LAB_ALLOC_HIGHATOMIC)
		pfn = lab_buddy_smallest(z, order, LAB_MIGRATE_HIGHATOMIC);
	if (pfn == LAB_NO_PFN)
		pfn = take_by_type(z, order, mt, alloc_flags);
	/* Failing now is worse than failing a high-order atomic request later. */
	if (pfn == LAB_NO_PFN && (alloc_flags & (LAB_ALLOC_OOM | LAB_ALLOC_NON_BLOCK)))
		pfn = lab_buddy_smallest(z, order, LAB_MIGRATE_HIGHATOMIC);
	return pfn;
}

uint32_t
lab_buddy_around(const struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int *found)
{
	for (unsigned int k = order; k <= LAB_MAX_ORDER; k++) {
		uint32_t head = pfn & ~((1U << k) - 1);

		if (is_free_block(z, head, k)) {
			*found = k;
			return head;
		}
	}
	return LAB_NO_PFN;
}

/** The type of the free block from which one is taken, once what goes with taking it from another type is done. */
static unsigned int
type_taken_from(struct lab_zone *z, uint32_t head, unsigned int found, unsigned int mt)
{
	unsigned int from = lab_pageblock_mt(z, head);

	if (from == LAB_MIGRATE_HIGHATOMIC && mt != from) {
		mt = lab_mt_mergeable(mt) ? mt : LAB_MIGRATE_MOVABLE;
		lab_highatomic_give_up(z, head, found, mt);
		return mt;
	}
	if (from == mt || !lab_mt_mergeable(from))
		return from;
	if (mt == LAB_MIGRATE_HIGHATOMIC && found < LAB_PAGEBLOCK_ORDER &&
		lab_pageblock_is_whole(z, head)) {
		lab_highatomic_set_aside(z, head, found, from);
		return mt;
	}
	return lab_mt_mergeable(mt) ? lab_fallback_claim(z, head, found, mt, from) : from;
}

/** Split a block so that [pfn, pfn + 1 << low) is off the lists, and all else of it on them. [break_down_buddy_pages] */
static void
carve(struct lab_zone *z, uint32_t head, unsigned int found, uint32_t pfn, unsigned int low,
	unsigned int mt)
{
	lab_buddy_del(z, head, found, mt);
	lab_frame_set(z, head, lab_word(LAB_FRAME_INSIDE, 0, 0, 0));
	while (found > low) {
		uint32_t half = 1U << --found;
		bool upper = pfn & half;

		list_add(z, upper ? head : head + half, found, mt, false);
		head += upper ? half : 0;
	}
}

uint32_t
lab_buddy_take_named(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt)
{
	unsigned int found, from;
	uint32_t head = lab_buddy_around(z, pfn, order, &found);

	if (head == LAB_NO_PFN)
		return LAB_NO_PFN;
	from = type_taken_from(z, head, found, mt);
	head = lab_buddy_around(z, pfn, order, &found); /* of another type it may have merged */
	carve(z, head, found, pfn, order, from);
	lab_buddy_account(z, from, -(1L << order));
	return pfn;
}

bool
lab_buddy_can_take(
	const struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags)
{
	uint32_t orders = lab_usable_orders(z, alloc_flags);

	if (alloc_flags & (LAB_ALLOC_HIGHATOMIC | LAB_ALLOC_OOM | LAB_ALLOC_NON_BLOCK))
		orders |= rd(&z->nonempty[LAB_MIGRATE_HIGHATOMIC]);
	return orders >> order;
}

static int
walk_list(struct lab_zone *z, const struct lab_list *l, unsigned int order, unsigned int mt,
	int (*fn)(const struct lab_block *b, void *arg), void *arg)
{
	struct lab_block b = {.order = order, .migratetype = mt, .state = LAB_BLOCK_FREE};
	int ret = 0;

	for (uint32_t pfn = l->head; pfn != LAB_NO_PFN && ret == 0; pfn = z->frames[pfn].next) {
		b.pfn = pfn;
		ret = fn(&b, arg);
	}
	return ret;
}

int
lab_buddy_walk_free(struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg), void *arg)
{
	int ret = 0;

	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES && ret == 0; mt++)
			ret = walk_list(z, &z->free_list[mt][order], order, mt, fn, arg);
	}
	return ret;
}

void
lab_buddy_reset(struct lab_zone *z)
{
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++) {
		for (unsigned int order = 0; order < LAB_NR_ORDERS; order++)
			lab_list_init(&z->free_list[mt][order]);
		wr(&z->nonempty[mt], 0);
	}
	wr(&z->nr_free, 0);
	wr(&z->nr_free_cma, 0);
	wr(&z->nr_free_highatomic, 0);
}

void
lab_buddy_place(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	list_add(z, pfn, order, lab_pageblock_mt(z, pfn), true);
	lab_buddy_account(z, lab_pageblock_mt(z, pfn), 1L << order);
}
