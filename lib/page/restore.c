/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file restore.c
 * Putting an empty zone into a recorded state. Everything is checked before anything is changed.
 */
#include "buddy.h"
#include "frame_ops.h"
#include "reserve.h"
#include "zone.h"

/** What the blocks say of a frame: nothing yet, covered, or the head of a free block of an order. */
enum { UNCOVERED, COVERED, FREE_HEAD };

/** Mark a block's frames; false if one is offline or in another block. */
static bool
cover(const struct lab_zone *z, uint8_t *map, const struct lab_block *b)
{
	for (uint32_t pfn = b->pfn; pfn < b->pfn + (1U << b->order); pfn++) {
		if (map[pfn] != UNCOVERED || lab_frame_ops(z)->is_offline(z, pfn))
			return false;
		map[pfn] = COVERED;
	}
	if (b->state == LAB_BLOCK_FREE)
		map[b->pfn] = FREE_HEAD + b->order;
	return true;
}

/** Two free buddies apart: no buddy allocator is ever in that state. */
static bool
is_apart(const struct lab_zone *z, const uint8_t *map, const struct lab_block *b, const uint8_t *mt)
{
	unsigned int own = b->migratetype, other;
	unsigned long buddy;

	/* what is not free was not looked at: its order may be anything */
	if (b->state != LAB_BLOCK_FREE || b->order == LAB_MAX_ORDER)
		return false;
	buddy = b->pfn ^ (1UL << b->order);
	if (buddy >= z->spanned || map[buddy] != FREE_HEAD + b->order)
		return false;
	other = mt[buddy >> LAB_PAGEBLOCK_ORDER];
	return own == other || (lab_mt_mergeable(own) && lab_mt_mergeable(other));
}

/** Pageblocks under one block are of one type, and a free block lies on that type's list. */
static bool
types_fit(const struct lab_block *b, const uint8_t *pageblock_mt)
{
	uint32_t first = b->pfn >> LAB_PAGEBLOCK_ORDER;
	uint32_t last = (b->pfn + (1U << b->order) - 1) >> LAB_PAGEBLOCK_ORDER;

	if (pageblock_mt[first] != pageblock_mt[last])
		return false;
	if (b->state == LAB_BLOCK_ALLOCATED)
		return b->migratetype < LAB_MIGRATE_PCPTYPES;
	return b->migratetype == pageblock_mt[first];
}

static bool
is_block_ok(const struct lab_zone *z, const struct lab_block *b, const uint8_t *pageblock_mt)
{
	if (b->state != LAB_BLOCK_FREE && b->state != LAB_BLOCK_ALLOCATED)
		return false;
	if (b->order > LAB_MAX_ORDER || b->pfn >= z->spanned ||
		z->spanned - b->pfn < 1UL << b->order || b->pfn & ((1UL << b->order) - 1))
		return false;
	return types_fit(b, pageblock_mt);
}

/** Highatomic pageblocks are whole ones; isolated ones are of no use to anybody. */
static bool
are_types_ok(const struct lab_zone *z, const uint8_t *mt, size_t n)
{
	if (n != lab_nr_pageblocks(z))
		return false;
	for (size_t i = 0; i < n; i++) {
		uint32_t pfn = i << LAB_PAGEBLOCK_ORDER;

		if (mt[i] >= LAB_MIGRATE_ISOLATE ||
			(mt[i] == LAB_MIGRATE_HIGHATOMIC && !lab_pageblock_is_whole(z, pfn)))
			return false;
	}
	return true;
}

static int
check_blocks(const struct lab_zone *z, const struct lab_block *b, size_t n, const uint8_t *mt,
	uint8_t *map)
{
	unsigned long pages = 0;

	for (size_t i = 0; i < n; i++) {
		if (b[i].state == LAB_BLOCK_OFFLINE)
			continue;
		if (!is_block_ok(z, &b[i], mt) || !cover(z, map, &b[i]))
			return -EINVAL;
		pages += 1UL << b[i].order;
	}
	for (size_t i = 0; i < n; i++) {
		if (is_apart(z, map, &b[i], mt))
			return -EINVAL;
	}
	return pages == rd(&z->managed) ? 0 : -EINVAL;
}

/** @return 0, -EINVAL; -ENOMEM. */
static int
check(const struct lab_zone *z, const struct lab_block *b, size_t n, const uint8_t *mt,
	size_t nr_pageblocks)
{
	uint8_t *map;
	int ret;

	if (!are_types_ok(z, mt, nr_pageblocks))
		return -EINVAL;
	map = calloc(z->spanned, sizeof(*map));
	if (map == NULL)
		return -ENOMEM;
	ret = check_blocks(z, b, n, mt, map);
	free(map);
	return ret;
}

static bool
is_allocated(struct lab_zone *z)
{
	return rd(&z->nr_free) != rd(&z->managed);
}

static void
set_types(struct lab_zone *z, const uint8_t *mt, size_t n)
{
	unsigned long reserved = 0;

	for (size_t i = 0; i < n; i++) {
		wr(&z->pageblock_mt[i], mt[i]);
		if (mt[i] == LAB_MIGRATE_HIGHATOMIC)
			reserved += LAB_PAGEBLOCK_PAGES;
	}
	wr(&z->nr_reserved_highatomic, reserved);
}

int
lab_zone_restore(struct lab_zone *z, const struct lab_block *blocks, size_t nr_blocks,
	const uint8_t *pageblock_mt, size_t nr_pageblocks)
{
	int ret;

	lab_reserve_drain(z);
	lab_drain_all_pages(z);
	lab_zone_freeze(z);
	ret = is_allocated(z) ? -EBUSY : check(z, blocks, nr_blocks, pageblock_mt, nr_pageblocks);
	if (ret == 0) {
		lab_frame_ops(z)->reset(z);
		set_types(z, pageblock_mt, nr_pageblocks);
		for (size_t i = 0; i < nr_blocks; i++) {
			lab_frame_ops(z)->place(z, &blocks[i]);
			if (blocks[i].state == LAB_BLOCK_ALLOCATED)
				lab_watch_handed_out(z, blocks[i].pfn, blocks[i].order);
		}
		wr(&z->boost, 0);
	}
	lab_zone_thaw(z);
	lab_reserve_fill(z);
	if (ret == 0)
		lab_assert_zone(z);
	return ret;
}
