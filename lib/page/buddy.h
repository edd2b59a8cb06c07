/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_BUDDY_H
#define LAB_BUDDY_H

/**
 * @file buddy.h
 * What the files of the buddy allocator share: free lists, fallback, highatomic, per-CPU lists.
 */

#include "zone.h"

#pragma GCC visibility push(hidden)

/** Beside Linux's ALLOC_*: this refill has had to steal, so it claims nothing. [RMQUEUE_STEAL] */
#define LAB_ALLOC_STEAL 0x1000U

/* valid.c */
bool lab_buddy_is_valid(struct lab_zone *z, char *why, size_t len);

/* buddy.c: free lists. The zone's lock is held for every call but can_take(). */
/** Take a block, LAB_NO_PFN if there is none. Its head's word is the caller's. [rmqueue_buddy] */
uint32_t lab_buddy_take(
	struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags);
/** Give a block back; its head's word is anything but free. */
void lab_buddy_give(struct lab_zone *z, uint32_t pfn, unsigned int order, bool to_tail);
bool lab_buddy_can_take(
	const struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags);
int lab_buddy_walk_free(
	struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg), void *arg);
void lab_buddy_reset(struct lab_zone *z);
/** Put a free block at the end of the order of handing out, without merging. */
void lab_buddy_place(struct lab_zone *z, uint32_t pfn, unsigned int order);
void lab_buddy_account(struct lab_zone *z, unsigned int mt, long pages);
/** Take a block off its list, uncounted. Its head's word stays for the caller to set. */
void lab_buddy_del(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt);
uint32_t lab_buddy_smallest(struct lab_zone *z, unsigned int order, unsigned int mt);
/** The free block that holds all of [pfn, pfn + 1 << order), LAB_NO_PFN if none does. @param found out: its order */
uint32_t lab_buddy_around(
	const struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int *found);
/** Take a block out of the free one around it, as the tracepoint says of a request; LAB_NO_PFN if it is not free. */
uint32_t lab_buddy_take_named(
	struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt);
void lab_buddy_expand(
	struct lab_zone *z, uint32_t pfn, unsigned int low, unsigned int high, unsigned int mt);
/** Move the free blocks of a whole pageblock to another type and change the pageblock's. */
void lab_buddy_move_pageblock(struct lab_zone *z, uint32_t pfn, unsigned int from, unsigned int to);
/** Change the type of every pageblock that a block of pageblock_order or more covers. */
void lab_buddy_retype(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt);
/** Change the type of a free block of pageblock_order or more, and of its pageblocks. */
void lab_buddy_convert(
	struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int from, unsigned int to);
/** False for a pageblock that the zone's end cuts: such a one is never converted. */
bool lab_pageblock_is_whole(const struct lab_zone *z, uint32_t pfn);

/* fallback.c */
/** Before a block of another type is split: claim its pageblock, or boost the marks, where Linux would.
 *  @param pfn a free block of order `found`, of type `from`. @return the type that it is of then */
unsigned int lab_fallback_claim(
	struct lab_zone *z, uint32_t pfn, unsigned int found, unsigned int mt, unsigned int from);
uint32_t lab_fallback_take(
	struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags);

/* highatomic.c */
void lab_highatomic_reserve(struct lab_zone *z, uint32_t pfn, unsigned int order);
/** Make the pageblocks of a block of type mt highatomic, free or in use. The zone's lock is held. */
void lab_highatomic_set_aside(
	struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt);
/** Convert the pageblocks of a free highatomic block to `mt`. The zone's lock is held. */
void lab_highatomic_give_up(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt);
/** Convert the pageblocks of one block with free pages to `mt`. @return pageblocks. */
unsigned int lab_highatomic_unreserve_one(struct lab_zone *z, bool force, unsigned int mt);

/* pcp.c */
void lab_pcp_setup(struct lab_zone *z);
unsigned int lab_pcp_list_order(unsigned int index);
void lab_pcp_init(struct lab_zone *z);
uint32_t lab_pcp_take(struct lab_zone *z, struct lab_pcp *p, unsigned int order, unsigned int mt,
	unsigned int alloc_flags);
bool lab_pcp_has(struct lab_zone *z, unsigned int order, unsigned int mt);
void lab_pcp_put(
	struct lab_zone *z, struct lab_pcp *p, uint32_t pfn, unsigned int order, unsigned int mt);
unsigned long lab_pcp_pages(const struct lab_zone *z);
/** Give back what the lists hold. @return pages. */
unsigned long lab_pcp_drain_all(struct lab_zone *z);

static inline bool
lab_pcp_order(unsigned int order)
{
	return order <= LAB_PCP_COSTLY_ORDER || order == LAB_PAGEBLOCK_ORDER;
}

#pragma GCC visibility pop

#endif /* LAB_BUDDY_H */
