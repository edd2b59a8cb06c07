/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file walk.c
 * Looking at a zone block by block.
 */
#include <limits.h>

#include "zone.h"

unsigned long
lab_page_to_pfn(const struct lab_zone *z, const void *page)
{
	uintptr_t pfn = ((uintptr_t)page - (uintptr_t)z->base) >> LAB_PAGE_SHIFT;

	return pfn < z->spanned ? pfn : ULONG_MAX;
}

void *
lab_pfn_to_page(const struct lab_zone *z, unsigned long pfn)
{
	return pfn < z->spanned ? lab_frame_address(z, pfn) : NULL;
}

enum lab_migratetype
lab_pageblock_migratetype(struct lab_zone *z, unsigned long pfn)
{
	return pfn < z->spanned ? lab_pageblock_mt(z, pfn) : LAB_MIGRATE_TYPES;
}

/** The order of the largest aligned block at pfn that is offline throughout. */
static unsigned int
offline_order(const struct lab_zone *z, uint32_t pfn)
{
	uint32_t end = pfn;
	unsigned int order = 0;

	while (end < z->spanned && end - pfn < 1U << LAB_MAX_ORDER &&
		lab_word_state(lab_frame_word(z, end)) == LAB_FRAME_OFFLINE)
		end++;
	while (order < LAB_MAX_ORDER && !(pfn & ((2U << order) - 1)) && end - pfn >= 2U << order)
		order++;
	return order;
}

static struct lab_block
block_at(const struct lab_zone *z, uint32_t pfn)
{
	uint32_t w = lab_frame_word(z, pfn);
	struct lab_block b = {
		.pfn = pfn, .order = lab_word_order(w), .migratetype = lab_word_mt(w)};

	switch (lab_word_state(w)) {
	case LAB_FRAME_FREE:
		b.state = LAB_BLOCK_FREE;
		break;
	case LAB_FRAME_PCP:
		b.state = LAB_BLOCK_PCP;
		break;
	case LAB_FRAME_ALLOCATED:
		b.state = LAB_BLOCK_ALLOCATED;
		break;
	default:
		b.state = LAB_BLOCK_OFFLINE;
		b.order = offline_order(z, pfn);
		b.migratetype = lab_pageblock_mt(z, pfn);
		break;
	}
	return b;
}

int
lab_zone_walk(struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg), void *arg)
{
	int ret = 0;

	lab_zone_freeze(z);
	for (unsigned long pfn = 0; pfn < z->spanned && ret == 0;) {
		struct lab_block b = block_at(z, pfn);

		ret = fn(&b, arg);
		pfn += 1UL << b.order;
	}
	lab_zone_thaw(z);
	return ret;
}

int
lab_zone_walk_free(struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg), void *arg)
{
	int ret;

	lab_spin_lock(&z->lock);
	ret = lab_frame_ops(z)->walk_free(z, fn, arg);
	lab_spin_unlock(&z->lock);
	return ret;
}
