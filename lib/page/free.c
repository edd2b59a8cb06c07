/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file free.c
 * Giving back. What cannot be a block is refused here, what is none by the frame allocator. Watched
 * frees leave by the check that every free makes: for it no frame is there then, so those that are not
 * watched do not pay.
 */
#include "frame_ops.h"
#include "labyrinth.h"
#include "orders.h"
#include "zone.h"

/** No plain free: frees are watched, which then all come here, or it is no block. */
static __attribute__((noinline)) int
free_watched(struct lab_zone *z, uintptr_t off, unsigned int order)
{
	uint32_t pfn = lab_block_pfn_at(off, z->spanned, order);

	if (rd(&z->watched) & LAB_WATCH_TAGS)
		return lab_watch_free(z, z->base + off, pfn, order);
	return pfn != LAB_NO_PFN ? lab_frame_ops(z)->give(z, pfn, order) : -EINVAL;
}

static __attribute__((noinline)) int
free_long(struct lab_zone *z, void *page, unsigned int order)
{
	uintptr_t off;
	uint32_t pfn;
	int ret;

	if (page == NULL)
		return 0;
	off = lab_offset_of(z, page);
	pfn = lab_block_pfn_at(off, rd(&z->unwatched), order);
	ret = lab_likely(pfn != LAB_NO_PFN) ? lab_frame_ops(z)->give(z, pfn, order)
					    : free_watched(z, off, order);
	if (lab_unlikely(ret < 0))
		lab_event(z, bad_free);
	if (ret == 0)
		lab_assert_zone(z);
	return ret;
}

/** The way of most frames of a labyrinth zone: onto this CPU's stack. No frame is there while frees are
 *  watched. */
static inline bool
free_short(struct lab_zone *z, void *page)
{
	uintptr_t pfn = lab_pfn_rotated(z, page);
	struct lab_stack_set *set;
	unsigned int mt;

	if (lab_unlikely(!rd(&z->open) || pfn >= rd(&z->unwatched)))
		return false;
	set = lab_known_set(z);
	if (lab_unlikely(set == NULL || lab_check_page(z, (uint32_t)pfn) != 0))
		return false;
	/* A branch, which is guessed: as an index the page's class would have the stack wait for the page, and
	 * the next request, which reads what this writes, for both. */
	mt = lab_class_of(z, (uint32_t)pfn);
	if (lab_likely(mt == LAB_MIGRATE_UNMOVABLE))
		return percpu_push_one(
			&set->stack[lab_stack_index(0, LAB_MIGRATE_UNMOVABLE)], page);
	return percpu_push_one(&set->stack[lab_stack_index(0, mt)], page);
}

lab_on_line int
lab_free_pages(struct lab_zone *z, void *page, unsigned int order)
{
	if (lab_likely(order == 0 && free_short(z, page)))
		return 0;
	return free_long(z, page, order);
}

int
lab_split_page(struct lab_zone *z, void *page, unsigned int order)
{
	uint32_t pfn = lab_block_pfn(z, page, order);
	int ret = pfn == LAB_NO_PFN ? -EINVAL : lab_frame_ops(z)->split(z, pfn, order);

	if (ret == 0 && rd(&z->watched) & LAB_WATCH_TAGS)
		lab_watch_split(z, pfn, order);
	return ret;
}
