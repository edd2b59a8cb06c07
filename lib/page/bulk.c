/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file bulk.c
 * Many frames of order 0 at once, which Linux serves above the low mark only.
 */
#include "frame_ops.h"
#include "gate.h"
#include "warning.h"
#include "zero.h"
#include "zone.h"

/** All at once, while LOW plus what is asked for is free. lowmem_reserve is read for the zone's own
 *  type, as Linux does for its preferred zone. */
static inline __attribute__((always_inline)) unsigned int
bulk_pass(struct lab_zone *z, const struct lab_request *rq, unsigned int n, void **pages,
	unsigned int *zeroed)
{
	/* Not a first pass: it may fragment, and wakes nobody. */
	unsigned int alloc_flags =
		lab_first_pass_flags(z, rq) & (LAB_ALLOC_WMARK_MASK | LAB_ALLOC_CMA);
	struct lab_request own = *rq;
	unsigned int got;

	own.highest = z->type;
	if (!lab_gate_open(z, &own, lab_mark(z, alloc_flags) + n, alloc_flags))
		return 0;
	lab_warning_before(z);
	got = lab_frame_ops(z)->bulk(z, rq, alloc_flags, n, pages, zeroed);
	lab_warning_check(z, rd(&z->nr_free), 0);
	return got;
}

static unsigned int
bulk_one(struct lab_zone *z, lab_gfp_t gfp, void **pages)
{
	pages[0] = lab_alloc_pages(z, gfp, 0);
	return pages[0] != NULL;
}

/** What a pass gave is the caller's: clear it if asked to; nothing is tried as a single page. */
static inline unsigned int
finish(struct lab_zone *z, const struct lab_request *rq, unsigned int got, void **pages,
	unsigned int zeroed)
{
	if (got == 0)
		return bulk_one(z, rq->gfp, pages);
	for (unsigned int i = zeroed; i < got && (rq->gfp & __LAB_GFP_ZERO); i++)
		lab_zero_block(z, lab_page_to_pfn(z, pages[i]), 0);
	lab_assert_zone(z);
	return got;
}

/** Something looks at each request. */
static __attribute__((noinline)) unsigned int
bulk_watched(struct lab_zone *z, const struct lab_request *rq, unsigned int n, void **pages)
{
	unsigned int got, zeroed = 0;

	if (rd(&z->watched) & LAB_WATCH_INJECT && lab_inject_hit(z, rq->gfp, 0)) {
		lab_refuse_injected(z, rq);
		return 0;
	}
	got = bulk_pass(z, rq, n, pages, &zeroed);
	for (unsigned int i = 0; i < got; i++)
		lab_watch_handed_out(z, lab_page_to_pfn(z, pages[i]), 0);
	return finish(z, rq, got, pages, zeroed);
}

unsigned int
lab_alloc_pages_bulk(struct lab_zone *z, lab_gfp_t gfp, unsigned int n, void **pages)
{
	unsigned int got, zeroed = 0;
	struct lab_request rq;

	if (n == 0)
		return 0;
	if (!lab_request_init(z, &rq, gfp, 0)) {
		lab_event(z, bad_request);
		errno = EINVAL;
		return 0;
	}
	if (n == 1)
		return bulk_one(z, gfp, pages);
	if (lab_unlikely(rd(&z->watched)))
		return bulk_watched(z, &rq, n, pages);
	got = bulk_pass(z, &rq, n, pages, &zeroed);
	return finish(z, &rq, got, pages, zeroed);
}
