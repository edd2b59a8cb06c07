/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file walk.c
 * Looking at a zone block by block.
 */
#include <limits.h>

#include "frame_ops.h"
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

int
lab_zone_walk(struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg), void *arg)
{
	int ret = 0;

	/* a page on a stack of the labyrinth allocator bears no mark of it */
	if (z->store != NULL)
		lab_frame_ops(z)->drain(z);
	lab_zone_freeze(z);
	for (unsigned long pfn = 0; pfn < z->spanned && ret == 0;) {
		struct lab_block b = lab_frame_ops(z)->block_at(z, pfn);

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

unsigned long
lab_drain_all_pages(struct lab_zone *z)
{
	unsigned long pages = lab_frame_ops(z)->drain(z);

	lab_assert_zone(z);
	return pages;
}
