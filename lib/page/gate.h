/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_GATE_H
#define LAB_GATE_H

/**
 * @file gate.h
 * A request, and whether the zone's gate lets it in.
 */

#include "zone.h"

#pragma GCC visibility push(hidden)

/** A request, taken apart once. */
struct lab_request {
	lab_gfp_t gfp;
	unsigned int order;
	unsigned int mt;      /**< asked for */
	unsigned int highest; /**< zone type: index into lowmem_reserve[] */
};

static inline unsigned int
lab_request_comp(const struct lab_request *rq)
{
	return rq->gfp & __LAB_GFP_COMP ? LAB_FRAME_COMP : 0;
}

static inline unsigned long
lab_mark(const struct lab_zone *z, unsigned int alloc_flags)
{
	return rd(&z->wmark[alloc_flags & LAB_ALLOC_WMARK_MASK]) + rd(&z->boost);
}

/** Flags that contradict each other, e.g. of two zones. */
static inline bool
lab_gfp_is_contradictory(lab_gfp_t gfp)
{
	const lab_gfp_t zones = gfp & (__LAB_GFP_DMA | __LAB_GFP_DMA32 | __LAB_GFP_HIGHMEM);
	const lab_gfp_t types = __LAB_GFP_MOVABLE | __LAB_GFP_RECLAIMABLE;

	return (zones & (zones - 1)) != 0 || (gfp & types) == types ||
	       ((gfp & __LAB_GFP_NOFAIL) && !(gfp & __LAB_GFP_DIRECT_RECLAIM));
}

/** lab_gfp_migratetype() and lab_gfp_zone() for the path that every request takes. */
static inline void
lab_request_split(struct lab_request *rq, lab_gfp_t gfp)
{
	const lab_gfp_t low = __LAB_GFP_DMA | __LAB_GFP_DMA32;
	const lab_gfp_t movable = __LAB_GFP_HIGHMEM | __LAB_GFP_MOVABLE;

	rq->mt = gfp & __LAB_GFP_MOVABLE       ? LAB_MIGRATE_MOVABLE
		 : gfp & __LAB_GFP_RECLAIMABLE ? LAB_MIGRATE_RECLAIMABLE
					       : LAB_MIGRATE_UNMOVABLE;
	rq->highest = (gfp & movable) == movable ? LAB_ZONE_MOVABLE : LAB_ZONE_NORMAL;
	if (lab_unlikely(gfp & low))
		rq->highest = gfp & __LAB_GFP_DMA ? LAB_ZONE_DMA : LAB_ZONE_DMA32;
	lab_assert(rq->mt == lab_gfp_migratetype(gfp) && rq->highest == lab_gfp_zone(gfp));
}

/** False for requests that contradict themselves or that no zone of this type may serve. */
static inline bool
lab_request_init(
	const struct lab_zone *z, struct lab_request *rq, lab_gfp_t gfp, unsigned int order)
{
	if (lab_unlikely(order > LAB_MAX_ORDER || lab_gfp_is_contradictory(gfp)))
		return false;
	rq->gfp = gfp;
	rq->order = order;
	lab_request_split(rq, gfp);
	return rq->highest >= z->type;
}

/** Copy the counts; consistent if the zone's lock is held. */
void lab_gate_counts(const struct lab_zone *z, struct lab_free_counts *out);
/** The whole check, with its reasons, on consistent counts. Not to be called with the zone's lock.
 *  [zone_watermark_fast] */
enum lab_cause lab_gate_check(struct lab_zone *z, const struct lab_request *rq, unsigned long mark,
	unsigned int alloc_flags, struct lab_verdict *v);
/** The gate opened but no block was found: say why. */
void lab_gate_no_block(struct lab_zone *z, const struct lab_request *rq, struct lab_verdict *v);

static inline uint8_t
lab_open(const struct lab_zone *z, unsigned long nr_free)
{
	return (nr_free > rd(&z->open_above[0]) ? LAB_OPEN_ATOMIC : 0) |
	       (nr_free > rd(&z->open_above[1]) ? LAB_OPEN_ALL : 0);
}

/** Bit o: a block of order o is free for a request with these flags, highatomic apart. */
static inline uint32_t
lab_usable_orders(const struct lab_zone *z, unsigned int alloc_flags)
{
	uint32_t orders = rd(&z->nonempty[LAB_MIGRATE_UNMOVABLE]) |
			  rd(&z->nonempty[LAB_MIGRATE_MOVABLE]) |
			  rd(&z->nonempty[LAB_MIGRATE_RECLAIMABLE]);

	if (alloc_flags & LAB_ALLOC_CMA)
		orders |= rd(&z->nonempty[LAB_MIGRATE_CMA]);
	return orders;
}

/**
 * The check without its reasons and without the fractions of the mark: true only if the gate is
 * open, and exact for flags without LAB_ALLOC_RESERVES.
 */
static inline bool
lab_gate_open(struct lab_zone *z, const struct lab_request *rq, unsigned long mark,
	unsigned int alloc_flags)
{
	unsigned long need = mark + rd(&z->lowmem_reserve[rq->highest]) + (1UL << rq->order) - 1;

	if (!(alloc_flags & LAB_ALLOC_RESERVES))
		need += z->linux_version == LAB_LINUX_6_1 ? rd(&z->nr_reserved_highatomic)
							  : rd(&z->nr_free_highatomic);
	if (!(alloc_flags & LAB_ALLOC_CMA))
		need += rd(&z->nr_free_cma);
	if (rd(&z->nr_free) <= need)
		return false;
	if (rq->order == 0)
		return true;
	if (z->store != NULL)
		return frames_largest(z->store) > rq->order;
	return lab_usable_orders(z, alloc_flags) >> rq->order;
}

#pragma GCC visibility pop

#endif /* LAB_GATE_H */
