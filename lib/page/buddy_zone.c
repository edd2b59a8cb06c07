/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file buddy_zone.c
 * The buddy frame allocator as a zone uses it: the per-CPU lists before the free lists, and the word
 * of every frame, which proves what is given back.
 */
#include "buddy.h"
#include "frame_ops.h"
#include "gate.h"
#include "zone.h"

static size_t
buddy_layout(struct lab_zone *z, unsigned char *meta, unsigned int nr_cpus,
	const struct lab_zone_config *cfg)
{
	(void)nr_cpus;
	if (z != NULL) {
		z->frames = (void *)meta;
		lab_buddy_reset(z);
	}
	return cfg->nr_pages * sizeof(struct lab_frame);
}

/* --------------------------------------------------------------- requests */

static uint32_t
take_from_pcp(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags)
{
	struct lab_pcp *p = lab_pcp_here(z);
	uint32_t pfn = LAB_NO_PFN;

	if (lab_unlikely(!lab_spin_trylock(&p->lock)))
		return LAB_NO_PFN;
	if (lab_likely(p->on)) {
		p->free_count >>= 1;
		p->free_factor >>= 1;
		pfn = lab_pcp_take(z, p, rq->order, rq->mt, alloc_flags);
	}
	if (lab_likely(pfn != LAB_NO_PFN)) {
		lab_frame_set(z, pfn,
			lab_word(LAB_FRAME_ALLOCATED, rq->order, rq->mt, lab_request_comp(rq)));
		inc(&p->n.alloc[rq->order], 1);
	}
	lab_spin_unlock(&p->lock);
	return pfn;
}

static uint32_t
take_from_lists(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags)
{
	uint32_t pfn;

	lab_spin_lock(&z->lock);
	pfn = lab_buddy_take(z, rq->order, rq->mt, alloc_flags);
	if (pfn != LAB_NO_PFN) {
		lab_frame_set(z, pfn,
			lab_word(LAB_FRAME_ALLOCATED, rq->order, rq->mt, lab_request_comp(rq)));
		inc(&z->n.alloc[rq->order], 1);
	}
	lab_spin_unlock(&z->lock);
	return pfn;
}

static uint32_t
buddy_zone_take(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags)
{
	uint32_t pfn = LAB_NO_PFN;

	if (lab_pcp_order(rq->order) && lab_likely(rd(&z->pcp_on)))
		pfn = take_from_pcp(z, rq, alloc_flags);
	if (lab_unlikely(pfn == LAB_NO_PFN))
		pfn = take_from_lists(z, rq, alloc_flags);
	return pfn;
}

/** Fill `pages` from this CPU's list. [the loop of alloc_pages_bulk] */
static unsigned int
bulk_from_pcp(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags,
	unsigned int n, void **pages)
{
	uint32_t word = lab_word(LAB_FRAME_ALLOCATED, 0, rq->mt, 0);
	struct lab_pcp *p = lab_pcp_here(z);
	unsigned int i = 0;

	if (!lab_spin_trylock(&p->lock))
		return 0;
	for (; p->on && i < n; i++) {
		uint32_t pfn = lab_pcp_take(z, p, 0, rq->mt, alloc_flags);

		if (pfn == LAB_NO_PFN)
			break;
		lab_frame_set(z, pfn, word);
		pages[i] = lab_frame_address(z, pfn);
	}
	inc(&p->n.alloc[0], i);
	lab_spin_unlock(&p->lock);
	return i;
}

static unsigned int
bulk_from_lists(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags,
	unsigned int n, void **pages)
{
	uint32_t word = lab_word(LAB_FRAME_ALLOCATED, 0, rq->mt, 0);
	unsigned int i;

	lab_spin_lock(&z->lock);
	for (i = 0; i < n; i++) {
		uint32_t pfn = lab_buddy_take(z, 0, rq->mt, alloc_flags);

		if (pfn == LAB_NO_PFN)
			break;
		lab_frame_set(z, pfn, word);
		pages[i] = lab_frame_address(z, pfn);
	}
	inc(&z->n.alloc[0], i);
	lab_spin_unlock(&z->lock);
	return i;
}

static unsigned int
buddy_zone_bulk(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags,
	unsigned int n, void **pages, unsigned int *zeroed)
{
	(void)zeroed;
	return rd(&z->pcp_on) ? bulk_from_pcp(z, rq, alloc_flags, n, pages)
			      : bulk_from_lists(z, rq, alloc_flags, n, pages);
}

/* ------------------------------------------------------------------ frees */

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

/** Why a block cannot be freed: it is free already, or it was never one like that. */
static int
not_allocated(struct lab_zone *z, uint32_t pfn)
{
	unsigned int state;

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
		lab_buddy_give(z, pfn, order, false);
		inc(&z->n.free[order], 1);
		ret = 0;
	}
	lab_spin_unlock(&z->lock);
	return ret;
}

/** Only the head of an allocated block of that very order is taken. */
static int
buddy_zone_give(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	uint32_t word = lab_frame_word(z, pfn);
	int ret = 0;

	if (lab_unlikely(
		    lab_word_key(word) != lab_word_key(lab_word(LAB_FRAME_ALLOCATED, order, 0, 0))))
		return not_allocated(z, pfn);
	if (lab_pcp_order(order) && lab_likely(rd(&z->pcp_on)))
		ret = free_to_pcp(z, pfn, order, word);
	if (lab_unlikely(ret == 0))
		ret = free_to_lists(z, pfn, order, word);
	return lab_unlikely(ret < 0) ? not_allocated(z, pfn) : 0;
}

static int
buddy_zone_split(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	uint32_t word;
	int ret = -EINVAL;

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

/* ------------------------------------------------------------ the whole zone */

/** The largest order, within a pageblock, of a block that starts at pfn and ends by `end`. */
static unsigned int
largest_order(uint32_t pfn, uint32_t end)
{
	unsigned int order = 0;

	while (order < LAB_PAGEBLOCK_ORDER && !(pfn & ((2U << order) - 1)) &&
		end - pfn >= 2U << order)
		order++;
	return order;
}

/** Hand frames to the allocator, in rising order so that they are used in it. Locked. */
static void
buddy_zone_online(struct lab_zone *z, uint32_t start, uint32_t end)
{
	for (uint32_t pfn = start; pfn < end; pfn++)
		lab_frame_set(z, pfn, lab_word(LAB_FRAME_INSIDE, 0, 0, 0));
	for (uint32_t pfn = start; pfn < end;) {
		unsigned int order = largest_order(pfn, end);

		lab_buddy_give(z, pfn, order, true);
		pfn += 1U << order;
	}
}

static bool
buddy_zone_is_offline(const struct lab_zone *z, uint32_t pfn)
{
	return lab_word_state(lab_frame_word(z, pfn)) == LAB_FRAME_OFFLINE;
}

static void
buddy_zone_set_offline(struct lab_zone *z)
{
	for (uint32_t pfn = 0; pfn < z->spanned; pfn++)
		lab_frame_set(z, pfn, lab_word(LAB_FRAME_OFFLINE, 0, 0, 0));
}

static void
buddy_zone_count(const struct lab_zone *z, struct lab_free_counts *out)
{
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			out->blocks[order][mt] = rd(&z->free_list[mt][order].count);
	}
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
buddy_zone_block_at(const struct lab_zone *z, uint32_t pfn)
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

static void
buddy_zone_reset(struct lab_zone *z)
{
	lab_buddy_reset(z);
	for (uint32_t pfn = 0; pfn < z->spanned; pfn++) {
		if (!buddy_zone_is_offline(z, pfn))
			lab_frame_set(z, pfn, lab_word(LAB_FRAME_INSIDE, 0, 0, 0));
	}
}

static void
buddy_zone_place(struct lab_zone *z, const struct lab_block *b)
{
	if (b->state == LAB_BLOCK_FREE)
		lab_buddy_place(z, b->pfn, b->order);
	else if (b->state == LAB_BLOCK_ALLOCATED)
		lab_frame_set(
			z, b->pfn, lab_word(LAB_FRAME_ALLOCATED, b->order, b->migratetype, 0));
}

const struct lab_frame_ops lab_buddy_ops = {
	.layout = buddy_layout,
	.take = buddy_zone_take,
	.bulk = buddy_zone_bulk,
	.give = buddy_zone_give,
	.split = buddy_zone_split,
	.drain = lab_pcp_drain_all,
	.can_take = lab_buddy_can_take,
	.online = buddy_zone_online,
	.is_offline = buddy_zone_is_offline,
	.set_offline = buddy_zone_set_offline,
	.gate_blocks = buddy_zone_count,
	.count = buddy_zone_count,
	.block_at = buddy_zone_block_at,
	.walk_free = lab_buddy_walk_free,
	.reset = buddy_zone_reset,
	.place = buddy_zone_place,
	.is_valid = lab_buddy_is_valid,
};
