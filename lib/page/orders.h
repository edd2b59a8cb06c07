/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_ORDERS_H
#define LAB_ORDERS_H

/**
 * @file orders.h
 * The orders of a labyrinth zone's allocated blocks: half a byte a frame.
 */

#include "frames.h"
#include "zone.h"

/** The order of a block is kept with its first frame and "inside" with the others, 4 bits each, for
 *  blocks of two frames and more: 0 stands for a single frame, so those cost no write. */
#define LAB_ORDER_INSIDE  15U
#define LAB_ORDER_OFFLINE 14U
_Static_assert(LAB_ORDER_INSIDE == 15, "inside is all bits");

static inline unsigned int
lab_order_at(const struct lab_zone *z, uint32_t pfn)
{
	uint8_t two = __atomic_load_n(&z->orders[pfn / 2], __ATOMIC_RELAXED);

	/* no branch: half of them would be guessed wrong */
	return two >> (pfn % 2 * 4) & 15U;
}

static inline void
lab_set_order_at(struct lab_zone *z, uint32_t pfn, unsigned int value)
{
	uint8_t *two = &z->orders[pfn / 2], old = __atomic_load_n(two, __ATOMIC_RELAXED), new;

	/* the other half may be another block's */
	do
		new = pfn & 1 ? (old & 0x0f) | (uint8_t)(value << 4)
			      : (old & 0xf0) | (uint8_t)value;
	while (!__atomic_compare_exchange_n(
		two, &old, new, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/** Write the halves of all frames of a block of two or more: `first` to its first sixteen, `all` to the others. Atomic, for
 *  compaction looks at blocks of others; they are aligned to their size. In one store up to order 4: who is killed there
 *  leaves no half of it. */
static inline void
lab_fill_orders(struct lab_zone *z, uint32_t pfn, unsigned int order, uint64_t first, uint64_t all)
{
	uint8_t *at = &z->orders[pfn / 2];

	if (order == 1)
		__atomic_store_n(at, (uint8_t)first, __ATOMIC_RELAXED);
	else if (order == 2)
		__atomic_store_n((uint16_t *)at, (uint16_t)first, __ATOMIC_RELAXED);
	else if (order == 3)
		__atomic_store_n((uint32_t *)at, (uint32_t)first, __ATOMIC_RELAXED);
	else
		for (unsigned int i = (1U << order) / 16; i-- > 0;)
			__atomic_store_n((uint64_t *)at + i, i > 0 ? all : first, __ATOMIC_RELAXED);
}

/** Of the frames [pfn, pfn + nr) so many more are named, as anything but single ones, in each of their children: told
 *  before they are, and when they are no more. */
static inline void
lab_count_named(struct lab_zone *z, uint32_t pfn, uint32_t nr, int more)
{
	uint32_t last = pfn + nr;

	while (pfn < last) {
		uint32_t child = pfn >> FRAMES_CHILD_ORDER, end = (child + 1) << FRAMES_CHILD_ORDER;
		uint32_t n = (end < last ? end : last) - pfn;

		atomic_fetch_add_explicit(
			&z->named[child], (uint16_t)(more * (int)n), memory_order_relaxed);
		pfn += n;
	}
}

/** Name the frames of a block of two or more. They are the caller's: nobody else writes them. */
static inline void
lab_name_block(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (order == 0)
		return;
	lab_count_named(z, pfn, 1U << order, 1);
	lab_fill_orders(z, pfn, order, (UINT64_MAX ^ LAB_ORDER_INSIDE) | order, UINT64_MAX);
}

static inline void
lab_unname_block(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (order == 0)
		return;
	lab_fill_orders(z, pfn, order, 0, 0);
	lab_count_named(z, pfn, 1U << order, -1);
}

/** Is pfn the start of an allocated block of the order? @return 0, -EALREADY, -EINVAL. */
static inline int
lab_check_block(const struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (lab_unlikely(rd(&z->rows[pfn / 64]) >> (pfn % 64) & 1))
		return -EALREADY;
	return lab_likely(lab_order_at(z, pfn) == order) ? 0 : -EINVAL;
}

/** The same of order 0. Where a child has no larger blocks its orders are not read, which are too many for the nearest
 *  cache. */
static inline int
lab_check_page(const struct lab_zone *z, uint32_t pfn)
{
	if (lab_unlikely(rd(&z->rows[pfn / 64]) >> (pfn % 64) & 1))
		return -EALREADY;
	if (lab_likely(rd(&z->named[pfn >> FRAMES_CHILD_ORDER]) == 0))
		return 0;
	return lab_likely(lab_order_at(z, pfn) == 0) ? 0 : -EINVAL;
}

#endif /* LAB_ORDERS_H */
