/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The kernel's per-CPU lists, as the trace tells of them. A refill takes a batch of blocks for one request, whose gate stood
 * before that: the takings of a CPU wait until its next event, so that a request meets the zone as it did in the
 * kernel. What the kernel took is taken whatever the marks say: they have been asked by then, or nobody asks them. */
#include <stdlib.h>

#include "trace_replay.h"

bool
trace_has_lists(unsigned int order)
{
	return order <= 3 || order == LAB_PAGEBLOCK_ORDER;
}

/* ---------------------------------------------------------------- takings */

/** What a request for this type may say, so that it gets a block if there is any. */
static lab_gfp_t
gfp_of_type(unsigned int mt)
{
	static const lab_gfp_t movable = __LAB_GFP_MOVABLE | __LAB_GFP_HIGHMEM;
	static const lab_gfp_t of[LAB_MIGRATE_TYPES] = {[LAB_MIGRATE_MOVABLE] = movable,
		[LAB_MIGRATE_RECLAIMABLE] = __LAB_GFP_RECLAIMABLE,
		[LAB_MIGRATE_HIGHATOMIC] = __LAB_GFP_HIGH,
		[LAB_MIGRATE_CMA] = movable,
		[LAB_MIGRATE_ISOLATE] = movable};

	return of[mt];
}

/** Whatever the marks are. If all that is free is kept for atomic requests, the kernel has given that up: it says so by no
 *  event. */
static void *
take_anyhow(struct replay *r, lab_gfp_t gfp, unsigned int order)
{
	void *page;

	gfp &= ~(lab_gfp_t)(CONTENT_FLAGS | __LAB_GFP_NOMEMALLOC);
	gfp |= __LAB_GFP_MEMALLOC;
	page = lab_alloc_pages(r->zone, gfp, order);
	if (page == NULL && lab_zone_unreserve_highatomic(r->zone, true) > 0)
		page = lab_alloc_pages(r->zone, gfp, order);
	return page;
}

/** Take pages one by one: they are held from then on. @return how many there were not */
static unsigned long
hold_pages(struct replay *r, unsigned long pages)
{
	for (; pages > 0; pages--) {
		void *page = take_anyhow(r, gfp_of_type(LAB_MIGRATE_MOVABLE), 0);

		if (page == NULL)
			break;
		trace_hold(r, lab_page_to_pfn(r->zone, page), 0);
	}
	return pages;
}

/** The kernel had a block of this order where the zone has none. Where the blocks held before lie is a guess: this was a wrong
 *  one. So one of them goes to where single pages are free. @return the block; NULL: there is none */
static void *
make_room(struct replay *r, unsigned int order, lab_gfp_t gfp)
{
	void *page;

	if (!trace_free_held_anywhere(r, order)) {
		r->out->not_taken += 1UL << order;
		return NULL;
	}
	page = take_anyhow(r, gfp, order);
	r->out->made++;
	r->out->not_taken += hold_pages(r, (page != NULL ? 1UL : 2UL) << order);
	return page;
}

void
trace_take(struct replay *r, unsigned long rel, unsigned int order, lab_gfp_t gfp)
{
	void *page;

	if (trace_map_frames(r, rel, order) > 0) {
		if (r->map_order[rel] & IN_LIST)
			r->out->past_lists++;
		else
			r->out->reused++;
		trace_map_free(r, rel, order);
	}
	page = take_anyhow(r, gfp, order);
	if (page == NULL)
		page = make_room(r, order, gfp);
	r->map[rel] = page != NULL ? (uint32_t)lab_page_to_pfn(r->zone, page) + 1 : ABSENT;
	r->map_order[rel] = (uint8_t)(order | IN_LIST);
}

void
trace_takings_done(struct replay *r, unsigned int cpu, const struct lab_trace_event *request)
{
	struct taking *t = &r->taking[cpu * (size_t)TAKINGS];
	unsigned int n = r->nr_takings[cpu];

	r->nr_takings[cpu] = 0;
	for (unsigned int i = 0; i < n; i++) {
		bool own;

		if (r->named) {
			trace_named_take(r, t[i].rel, t[i].order, t[i].migratetype);
			continue;
		}
		own = request != NULL && t[i].rel == request->pfn - r->origin &&
		      t[i].order == request->order;

		trace_take(r, t[i].rel, t[i].order,
			own ? request->gfp : gfp_of_type(t[i].migratetype));
	}
}

void
trace_taking_waits(struct replay *r, const struct lab_trace_event *e)
{
	struct taking *t = &r->taking[e->cpu * (size_t)TAKINGS];

	if (r->nr_takings[e->cpu] == TAKINGS)
		trace_takings_done(r, e->cpu, NULL);
	t[r->nr_takings[e->cpu]++] = (struct taking){
		(uint32_t)(e->pfn - r->origin), (uint8_t)e->order, (uint8_t)e->migratetype};
}

/* -------------------------------------------------------------- compaction */

/** An order by the seed, each as likely as its part of the free movable pages: compaction takes what lies in
 *  its way. Blocks of more than `max` pages are left. */
static int
random_order(struct replay *r, const struct lab_free_counts *c, unsigned long max)
{
	unsigned long sum = 0, at;
	int order;

	for (order = 0; order <= LAB_PAGEBLOCK_ORDER && 1UL << order <= max; order++)
		sum += c->blocks[order][LAB_MIGRATE_MOVABLE] << order;
	if (sum == 0)
		return 0;
	at = lab_rng_below(&r->rng, sum);
	for (order = 0; at >= c->blocks[order][LAB_MIGRATE_MOVABLE] << order; order++)
		at -= c->blocks[order][LAB_MIGRATE_MOVABLE] << order;
	return order;
}

void
trace_compaction_takes(struct replay *r, unsigned long pages)
{
	while (pages > 0) {
		struct lab_free_counts c;
		void *page;
		int order;

		lab_zone_free_counts(r->zone, &c);
		order = random_order(r, &c, pages);
		page = take_anyhow(r, gfp_of_type(LAB_MIGRATE_MOVABLE), (unsigned int)order);
		if (page == NULL) {
			r->out->not_taken++;
			return;
		}
		trace_hold(r, lab_page_to_pfn(r->zone, page), (unsigned int)order);
		pages -= 1UL << order;
	}
}

void
trace_correct(struct replay *r, long pages)
{
	if (pages < 0)
		trace_compaction_takes(r, (unsigned long)-pages);
	for (long i = 0; i < pages && trace_free_held_anywhere(r, 0); i++)
		;
	r->out->corrected += (uint64_t)labs(pages);
}

/* ------------------------------------------------------------------- lists */

/** What was held before is so again, and known by that to its next free. */
static void
leave_list(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long end = rel + (1UL << order);

	while (rel < end) {
		unsigned long size = r->map[rel] != 0 ? 1UL << trace_map_order(r, rel) : 1;

		if (r->map[rel] == HELD_BEFORE)
			r->map[rel] = 0;
		r->map_order[rel] &= (uint8_t)~IN_LIST;
		rel += size;
	}
}

bool
trace_list_gives(struct replay *r, const struct lab_trace_event *e, unsigned long rel)
{
	uint64_t *stock = &r->stock[e->cpu];

	if (trace_map_frames(r, rel, e->order) > 0) {
		if (!(r->map_order[rel] & IN_LIST))
			return false;
		leave_list(r, rel, e->order);
		return true;
	}
	if (!trace_has_lists(e->order) || *stock < 1UL << e->order)
		return false;
	*stock -= 1UL << e->order; /* one of those that were there at the beginning */
	return true;
}

bool
trace_list_takes(struct replay *r, unsigned long rel, unsigned int order)
{
	unsigned long end = rel + (1UL << order);

	if (!trace_has_lists(order))
		return false;
	if (trace_map_frames(r, rel, order) == 0) {
		r->map[rel] = HELD_BEFORE;
		r->map_order[rel] = (uint8_t)(order | IN_LIST);
		r->out->frees_before++;
		return true;
	}
	r->out->frees_skipped += r->map[rel] == ABSENT;
	r->out->frees += r->map[rel] != ABSENT;
	while (rel < end) {
		unsigned long size = r->map[rel] != 0 ? 1UL << trace_map_order(r, rel) : 1;

		if (r->map[rel] != 0)
			r->map_order[rel] |= IN_LIST;
		rel += size;
	}
	return true;
}

void
trace_list_drains(struct replay *r, const struct lab_trace_event *e)
{
	unsigned long rel = e->pfn - r->origin;
	uint64_t *stock = &r->stock[e->cpu], pages = UINT64_C(1) << e->order;

	if (trace_map_frames(r, rel, e->order) > 0) {
		trace_map_free(r, rel, e->order);
	} else {
		*stock -= *stock < pages ? *stock : pages;
		r->out->frees_unmatched += !trace_free_held(r, rel, e->order);
	}
}
