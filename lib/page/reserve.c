/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file reserve.c
 * A reserve of whole blocks of each order, in the manner of the kernel's mempool_t: taken at boot, refilled
 * in the background, used by atomic requests alone and only once they would be refused. A watermark keeps
 * pages back; this keeps back blocks of an order, which no number of free pages promises.
 *
 * Nobody waits for anybody: who swaps a slot's content out has the block. `held` is counted up before a
 * block is put into a slot and down after it was taken out, so that there are never more blocks than it says.
 */
#include "reserve.h"

#include "gate.h"
#include "labyrinth.h"
#include "orders.h"

/** May a request have what is kept for the atomic ones? As with the kernel's reserves NOMEMALLOC says no. */
static inline bool
is_for(const struct lab_request *rq)
{
	return lab_gfp_is_atomic(rq->gfp) && !(rq->gfp & __LAB_GFP_NOMEMALLOC);
}

bool
lab_reserve_has(const struct lab_zone *z, const struct lab_request *rq)
{
	return is_for(rq) && lab_zone_reserve_held(z, rq->order) > 0;
}

/** Take a block out of a slot. @return LAB_NO_PFN: no slot has one. */
static uint32_t
take_out(struct lab_reserve *r)
{
	for (unsigned int i = 0; i < LAB_RESERVE_MAX && rd(&r->held) > 0; i++) {
		uint32_t was = rd(&r->slot[i]);

		PERCPU_STEP();
		if (was != 0)
			was = atomic_exchange_explicit(&r->slot[i], 0, memory_order_acq_rel);
		if (was != 0) {
			atomic_fetch_sub_explicit(&r->held, 1, memory_order_relaxed);
			return was - 1;
		}
	}
	return LAB_NO_PFN;
}

/** @return false: others were faster in every slot. */
static bool
put_in(struct lab_reserve *r, uint32_t pfn)
{
	for (unsigned int i = 0; i < LAB_RESERVE_MAX; i++) {
		uint32_t vacant = 0;

		if (rd(&r->slot[i]) == 0 &&
			atomic_compare_exchange_strong_explicit(&r->slot[i], &vacant, pfn + 1,
				memory_order_acq_rel, memory_order_relaxed))
			return true;
	}
	return false;
}

static void
give_back(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	lab_unname_block(z, pfn, order);
	if (frames_free(z->store, pfn, order) == 0)
		lab_free_changed(z, 1L << order);
	else
		lab_event(z, bad_free);
}

uint32_t
lab_reserve_take(struct lab_zone *z, const struct lab_request *rq)
{
	uint32_t pfn;

	if (!is_for(rq))
		return LAB_NO_PFN;
	pfn = take_out(&z->reserve[rq->order]);
	if (pfn != LAB_NO_PFN) {
		lab_event(z, reserve_hit);
		lab_add(&lab_pcp_here(z)->n.alloc[rq->order], 1);
	}
	return pfn;
}

/** What a request needs that may use no reserve of pages: refilling is to wake nobody and warn nobody. */
static bool
can_spare(const struct lab_zone *z, unsigned int order)
{
	return rd(&z->nr_free) > lab_mark(z, LAB_ALLOC_WMARK_LOW) + (1UL << order) &&
	       frames_largest(z->store) > order;
}

/** @return false: it has all that it is to have, or no block can be spared. */
static bool
add_block(struct lab_zone *z, unsigned int order)
{
	struct lab_reserve *r = &z->reserve[order];
	uint32_t pfn = FRAMES_NONE;

	if (atomic_fetch_add_explicit(&r->held, 1, memory_order_relaxed) < rd(&r->target) &&
		can_spare(z, order))
		pfn = frames_alloc(z->store, order, FRAMES_UNMOVABLE, &lab_pcp_here(z)->cursor);
	if (pfn < FRAMES_LOST) {
		lab_free_changed(z, -(1L << order));
		lab_name_block(z, pfn, order);
		if (put_in(r, pfn)) {
			lab_event(z, reserve_refill);
			return true;
		}
		give_back(z, pfn, order);
	}
	atomic_fetch_sub_explicit(&r->held, 1, memory_order_relaxed);
	return false;
}

unsigned int
lab_reserve_round(struct lab_zone *z, unsigned int budget)
{
	unsigned int pages = 0;

	for (unsigned int order = 0; order < LAB_NR_ORDERS && z->store != NULL; order++) {
		struct lab_reserve *r = &z->reserve[order];

		while (rd(&r->held) < rd(&r->target) && pages < budget && add_block(z, order))
			pages += 1U << order;
	}
	return pages;
}

void
lab_reserve_fill(struct lab_zone *z)
{
	while (lab_reserve_round(z, UINT32_MAX) > 0)
		;
}

static unsigned long
trim(struct lab_zone *z, unsigned int order, unsigned int keep)
{
	struct lab_reserve *r = &z->reserve[order];
	unsigned long pages = 0;

	while (rd(&r->held) > keep) {
		uint32_t pfn = take_out(r);

		if (pfn == LAB_NO_PFN)
			break;
		give_back(z, pfn, order);
		pages += 1UL << order;
	}
	return pages;
}

unsigned long
lab_reserve_drain(struct lab_zone *z)
{
	unsigned long pages = 0;

	for (unsigned int order = 0; order < LAB_NR_ORDERS && z->store != NULL; order++)
		pages += trim(z, order, 0);
	return pages;
}

int
lab_zone_set_reserve(struct lab_zone *z, unsigned int order, unsigned int blocks)
{
	if (order > LAB_MAX_ORDER || blocks > LAB_RESERVE_MAX)
		return -EINVAL;
	if (z->store == NULL)
		return blocks > 0 ? -ENOTSUP : 0;
	wr(&z->reserve[order].target, blocks);
	trim(z, order, blocks);
	lab_reserve_fill(z);
	return 0;
}

/** The slots tell; `held` counts what is on its way, too. */
unsigned int
lab_zone_reserve_held(const struct lab_zone *z, unsigned int order)
{
	unsigned int n = 0;

	if (order > LAB_MAX_ORDER)
		return 0;
	for (unsigned int i = 0; i < LAB_RESERVE_MAX; i++)
		n += rd(&z->reserve[order].slot[i]) != 0;
	return n;
}

unsigned int
lab_zone_reserve(const struct lab_zone *z, unsigned int order)
{
	return order <= LAB_MAX_ORDER ? rd(&z->reserve[order].target) : 0;
}
