/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file free.c
 * Giving back, with proof: only the head of an allocated block of that very order is taken.
 */
#include "zone.h"

/** The block around a frame: its head's word, with LAB_FRAME_INSIDE for none. */
static uint32_t
block_around(const struct lab_zone *z, uint32_t pfn)
{
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		uint32_t w = lab_frame_word(z, pfn & ~((1U << order) - 1));
		unsigned int state = lab_word_state(w);

		if (state != LAB_FRAME_INSIDE && (order == 0 || lab_word_order(w) >= order))
			return w;
	}
	return 0;
}

/** Why a frame cannot be freed: its block is free already, or it was never a block like that. */
static int
bad_free(struct lab_zone *z, uint32_t pfn)
{
	unsigned int state;

	lab_event(z, bad_free);
	if (pfn == LAB_NO_PFN)
		return -EINVAL;
	lab_zone_freeze(z);
	state = lab_word_state(block_around(z, pfn));
	lab_zone_thaw(z);
	return state == LAB_FRAME_FREE || state == LAB_FRAME_PCP ? -EALREADY : -EINVAL;
}

/** Of two who free the same block one wins, whatever locks they hold. */
static bool
claim_block(struct lab_zone *z, uint32_t pfn, uint32_t from, uint32_t to)
{
	return atomic_compare_exchange_strong_explicit(
		&z->frames[pfn].word, &from, to, memory_order_acq_rel, memory_order_relaxed);
}

/** @return 1: given to the list; 0: the list cannot take it; -EALREADY: somebody else freed it. */
static inline int
free_to_pcp(struct lab_zone *z, uint32_t pfn, unsigned int order, uint32_t word)
{
	unsigned int mt = lab_pageblock_mt(z, pfn);
	struct lab_pcp *p = lab_pcp_here(z);
	int ret = 0;

	if (mt == LAB_MIGRATE_ISOLATE)
		return 0;
	if (mt >= LAB_MIGRATE_PCPTYPES)
		mt = LAB_MIGRATE_MOVABLE;
	if (lab_unlikely(!lab_spin_trylock(&p->lock)))
		return 0;
	if (lab_likely(p->on)) {
		ret = -EALREADY;
		if (claim_block(z, pfn, word, lab_word(LAB_FRAME_PCP, order, mt, 0))) {
			lab_pcp_put(z, p, pfn, order, mt);
			inc(&p->n.free[order], 1);
			ret = 1;
		}
	}
	lab_spin_unlock(&p->lock);
	return ret;
}

static int
free_to_lists(struct lab_zone *z, uint32_t pfn, unsigned int order, uint32_t word)
{
	int ret = -EALREADY;

	lab_spin_lock(&z->lock);
	if (claim_block(z, pfn, word, lab_word(LAB_FRAME_INSIDE, 0, 0, 0))) {
		lab_frame_ops(z)->give(z, pfn, order, false);
		inc(&z->n.free[order], 1);
		ret = 0;
	}
	lab_spin_unlock(&z->lock);
	return ret;
}

/** The number of a frame that is the start of a possible block, LAB_NO_PFN for other addresses. */
static inline uint32_t
block_pfn(const struct lab_zone *z, const void *page, unsigned int order)
{
	uintptr_t off = (uintptr_t)page - (uintptr_t)z->base;

	if (off >> LAB_PAGE_SHIFT >= z->spanned || order > LAB_MAX_ORDER)
		return LAB_NO_PFN;
	if (off & ((LAB_PAGE_SIZE << order) - 1))
		return LAB_NO_PFN;
	return off >> LAB_PAGE_SHIFT;
}

int
lab_free_pages(struct lab_zone *z, void *page, unsigned int order)
{
	uint32_t pfn, word;
	int ret = 0;

	if (page == NULL)
		return 0;
	pfn = block_pfn(z, page, order);
	if (lab_unlikely(pfn == LAB_NO_PFN))
		return bad_free(z, pfn);
	word = lab_frame_word(z, pfn);
	if (lab_unlikely(
		    lab_word_key(word) != lab_word_key(lab_word(LAB_FRAME_ALLOCATED, order, 0, 0))))
		return bad_free(z, pfn);
	if (lab_pcp_order(order) && lab_likely(rd(&z->pcp_on)))
		ret = free_to_pcp(z, pfn, order, word);
	if (lab_unlikely(ret == 0))
		ret = free_to_lists(z, pfn, order, word);
	if (lab_unlikely(ret < 0))
		return bad_free(z, pfn);
	lab_assert_expensive(lab_zone_is_valid(z, NULL, 0));
	return 0;
}

int
lab_split_page(struct lab_zone *z, void *page, unsigned int order)
{
	uint32_t pfn = block_pfn(z, page, order), word;
	int ret = -EINVAL;

	if (pfn == LAB_NO_PFN)
		return -EINVAL;
	lab_spin_lock(&z->lock);
	word = lab_frame_word(z, pfn);
	if (lab_word_key(word) == lab_word_key(lab_word(LAB_FRAME_ALLOCATED, order, 0, 0)) &&
		!(lab_word_flags(word) & LAB_FRAME_COMP)) {
		uint32_t part = lab_word(LAB_FRAME_ALLOCATED, 0, lab_word_mt(word), 0);

		for (uint32_t i = 1U << order; i > 0; i--)
			lab_frame_set(z, pfn + i - 1, part);
		ret = 0;
	}
	lab_spin_unlock(&z->lock);
	return ret;
}
