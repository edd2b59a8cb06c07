/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file named.c
 * Taking a block that the caller names: what another allocator did is done again.
 */
#include "buddy.h"
#include "gate.h"
#include "gfp.h"
#include "warning.h"
#include "zone.h"

/** ALLOC_* of the pass that a request would have been served in, had a gate let it in at all. */
static unsigned int
flags_of(struct lab_zone *z, const struct lab_request *rq)
{
	unsigned int flags = lab_first_pass_flags(z, rq);

	if (lab_gate_open(z, rq, lab_mark(z, flags), flags))
		return flags;
	return lab_gfp_min_flags(rq->gfp, rq->order);
}

static uint32_t
take(struct lab_zone *z, const struct lab_request *rq, uint32_t pfn, unsigned int alloc_flags)
{
	lab_spin_lock(&z->lock);
	pfn = lab_buddy_take_named(z, pfn, rq->order, rq->mt, alloc_flags);
	if (pfn != LAB_NO_PFN) {
		lab_frame_set(z, pfn,
			lab_word(LAB_FRAME_ALLOCATED, rq->order, rq->mt, lab_request_comp(rq)));
		inc(&z->n.alloc[rq->order], 1);
	}
	lab_spin_unlock(&z->lock);
	return pfn;
}

int
lab_zone_take(struct lab_zone *z, unsigned long pfn, unsigned int order, lab_gfp_t gfp)
{
	struct lab_request rq;
	unsigned int alloc_flags;

	if (z->store != NULL)
		return -ENOTSUP;
	if (!lab_request_init(z, &rq, gfp, order) || pfn >= z->spanned ||
		z->spanned - pfn < 1UL << order || pfn & ((1UL << order) - 1))
		return -EINVAL;
	alloc_flags = flags_of(z, &rq);
	lab_warning_before(z);
	if (take(z, &rq, (uint32_t)pfn, alloc_flags) == LAB_NO_PFN)
		return -EBUSY;
	lab_warning_check(z, rd(&z->nr_free), 0);
	if (alloc_flags & LAB_ALLOC_HIGHATOMIC)
		lab_highatomic_reserve(z, (uint32_t)pfn, order);
	lab_alloc_finish(z, (uint32_t)pfn, order, gfp);
	return 0;
}
