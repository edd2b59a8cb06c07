/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file highatomic.c
 * Pageblocks set aside for atomic requests of a higher order, made from where one was served.
 */
#include "buddy.h"
#include "zone.h"

static unsigned long
pages_of(unsigned int order)
{
	return order > LAB_PAGEBLOCK_ORDER ? 1UL << order : LAB_PAGEBLOCK_PAGES;
}

void
lab_highatomic_set_aside(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt)
{
	if (order < LAB_PAGEBLOCK_ORDER)
		lab_buddy_move_pageblock(z, pfn, mt, LAB_MIGRATE_HIGHATOMIC);
	else
		lab_buddy_retype(z, pfn, order, LAB_MIGRATE_HIGHATOMIC);
	inc(&z->nr_reserved_highatomic, pages_of(order));
	lab_event_add(z, highatomic_reserve, pages_of(order) >> LAB_PAGEBLOCK_ORDER);
}

/** Does a block of the largest order, free or not, lie over this pageblock and its buddy? Then one of them alone cannot change. */
static bool
is_half_of_a_block(const struct lab_zone *z, uint32_t pfn)
{
	uint32_t w = lab_frame_word(z, pfn & ~((1U << LAB_MAX_ORDER) - 1));
	unsigned int state = lab_word_state(w);

	return state != LAB_FRAME_INSIDE && state != LAB_FRAME_OFFLINE &&
	       lab_word_order(w) > LAB_PAGEBLOCK_ORDER;
}

static bool
may_set_aside(const struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	unsigned int mt = lab_pageblock_mt(z, pfn);

	if (!lab_mt_mergeable(mt) || !lab_pageblock_is_whole(z, pfn))
		return false;
	return order > LAB_PAGEBLOCK_ORDER ? lab_pageblock_mt(z, pfn + (1U << order) - 1) == mt
					   : !is_half_of_a_block(z, pfn);
}

/** [reserve_highatomic_pageblock] */
void
lab_highatomic_reserve(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	unsigned long cap = lab_highatomic_cap(z->linux_version, rd(&z->managed));

	if (rd(&z->nr_reserved_highatomic) >= cap)
		return;
	lab_spin_lock(&z->lock);
	if (rd(&z->nr_reserved_highatomic) < cap && may_set_aside(z, pfn, order))
		lab_highatomic_set_aside(z, pfn, order, lab_pageblock_mt(z, pfn));
	lab_spin_unlock(&z->lock);
}

void
lab_zone_reserve_highatomic(struct lab_zone *z, unsigned long pfn)
{
	if (z->store != NULL || pfn >= z->spanned)
		return;
	lab_highatomic_reserve(z, (uint32_t)pfn, 0);
	lab_assert_zone(z);
}

void
lab_highatomic_give_up(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt)
{
	if (order < LAB_PAGEBLOCK_ORDER)
		lab_buddy_move_pageblock(z, pfn, LAB_MIGRATE_HIGHATOMIC, mt);
	else
		lab_buddy_convert(z, pfn, order, LAB_MIGRATE_HIGHATOMIC, mt);
	dec(&z->nr_reserved_highatomic, pages_of(order));
	lab_event_add(z, highatomic_unreserve, pages_of(order) >> LAB_PAGEBLOCK_ORDER);
}

/** [unreserve_highatomic_pageblock] Only blocks with a free page can be given back: the others are on no list. */
unsigned int
lab_highatomic_unreserve_one(struct lab_zone *z, bool force, unsigned int mt)
{
	unsigned int blocks = 0;
	uint32_t orders;

	lab_spin_lock(&z->lock);
	orders = rd(&z->nonempty[LAB_MIGRATE_HIGHATOMIC]);
	if (orders != 0 && (force || rd(&z->nr_reserved_highatomic) > LAB_PAGEBLOCK_PAGES)) {
		unsigned int order = __builtin_ctz(orders);

		lab_highatomic_give_up(
			z, z->free_list[LAB_MIGRATE_HIGHATOMIC][order].head, order, mt);
		blocks = pages_of(order) >> LAB_PAGEBLOCK_ORDER;
	}
	lab_spin_unlock(&z->lock);
	return blocks;
}

unsigned int
lab_zone_unreserve_highatomic(struct lab_zone *z, bool force)
{
	unsigned int blocks = 0, n;

	while ((n = lab_highatomic_unreserve_one(z, force, LAB_MIGRATE_MOVABLE)) != 0)
		blocks += n;
	lab_assert_zone(z);
	return blocks;
}
