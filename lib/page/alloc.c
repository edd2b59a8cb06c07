/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file alloc.c
 * The passes of a request: at the low mark; at the min mark with what its flags give it of the
 * reserves; then, if it may wait, after reclaim.
 */
#include "buddy.h"
#include "frame_ops.h"
#include "gate.h"
#include "labyrinth.h"
#include "reserve.h"
#include "warning.h"
#include "zero.h"
#include "zone.h"

/* --------------------------------------------------------------- one pass */

/** Take a block; the gate is open. [rmqueue] */
static inline uint32_t
take_block(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags)
{
	uint32_t pfn;

	lab_warning_before(z);
	pfn = lab_frame_ops(z)->take(z, rq, alloc_flags);
	lab_warning_check(z, rd(&z->nr_free), 0);
	if (lab_unlikely(rd(&z->boosted)) && (alloc_flags & LAB_ALLOC_KSWAPD)) {
		wr(&z->boosted, false);
		lab_kswapd_wake(z, 0, z->type);
	}
	/* the labyrinth allocator has a reserve of blocks instead */
	if (lab_unlikely(alloc_flags & LAB_ALLOC_HIGHATOMIC) && pfn != LAB_NO_PFN &&
		z->store == NULL)
		lab_highatomic_reserve(z, pfn, rq->order);
	return pfn;
}

/** Only a Normal zone avoids fragmentation: what would be lent from are the zones below it. */
unsigned int
lab_first_pass_flags(const struct lab_zone *z, const struct lab_request *rq)
{
	unsigned int flags = LAB_ALLOC_WMARK_LOW | (rq->gfp & __LAB_GFP_KSWAPD_RECLAIM);

	if (rq->mt == LAB_MIGRATE_MOVABLE)
		flags |= LAB_ALLOC_CMA;
	if (z->type == LAB_ZONE_NORMAL)
		flags |= LAB_ALLOC_NOFRAGMENT;
	return flags;
}

/** The first pass's gate. The high mark comes first, and missing it is remembered: the PCP lists
 *  stop growing then. */
static inline bool
low_gate_open(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags)
{
	if (!rd(&z->below_high)) {
		if (lab_likely(
			    lab_gate_open(z, rq, lab_mark(z, LAB_ALLOC_WMARK_HIGH), alloc_flags)))
			return true;
		wr(&z->below_high, true);
	}
	return lab_gate_open(z, rq, lab_mark(z, alloc_flags), alloc_flags);
}

/** [get_page_from_freelist at the low mark, with and then without NOFRAGMENT] Inlined though others than the
 *  fast path call it, which is to have no call for their sake. */
static inline __attribute__((always_inline)) uint32_t
first_pass(struct lab_zone *z, const struct lab_request *rq)
{
	unsigned int alloc_flags = lab_first_pass_flags(z, rq);
	uint32_t pfn;

	if (lab_unlikely(!low_gate_open(z, rq, alloc_flags)))
		return LAB_NO_PFN;
	pfn = take_block(z, rq, alloc_flags);
	if (lab_unlikely(pfn == LAB_NO_PFN) && (alloc_flags & LAB_ALLOC_NOFRAGMENT) &&
		low_gate_open(z, rq, alloc_flags))
		pfn = take_block(z, rq, alloc_flags & ~LAB_ALLOC_NOFRAGMENT);
	return pfn;
}

/** [get_page_from_freelist in the slow path] */
static uint32_t
try_pass(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags,
	struct lab_verdict *v)
{
	unsigned long mark = alloc_flags & LAB_ALLOC_NO_WATERMARKS ? 0 : lab_mark(z, alloc_flags);
	enum lab_cause cause = lab_gate_check(z, rq, mark, alloc_flags, v);
	uint32_t pfn;

	if (cause != LAB_CAUSE_NONE && !(alloc_flags & LAB_ALLOC_NO_WATERMARKS))
		return LAB_NO_PFN;
	pfn = take_block(z, rq, alloc_flags);
	if (pfn == LAB_NO_PFN && cause == LAB_CAUSE_NONE)
		lab_gate_no_block(z, rq, v);
	return pfn;
}

/* -------------------------------------------------------------- slow path */

/** What the slow path remembers between its rounds. */
struct slow {
	unsigned int alloc_flags;
	unsigned int fruitless; /**< rounds of reclaim without progress */
	bool progress;
	struct lab_verdict verdict;
};

/** [__alloc_pages_direct_reclaim] */
static uint32_t
direct_reclaim(struct lab_zone *z, const struct lab_request *rq, struct slow *s)
{
	unsigned long want = lab_mark(z, LAB_ALLOC_WMARK_HIGH) + (1UL << rq->order);
	unsigned long free = rd(&z->nr_free);
	uint32_t pfn;

	lab_event(z, direct_reclaim);
	s->progress = lab_reclaim(z, want > free ? want - free : 1UL << rq->order, rq->order) > 0;
	if (!s->progress)
		return LAB_NO_PFN;
	pfn = try_pass(z, rq, s->alloc_flags, &s->verdict);
	if (pfn != LAB_NO_PFN)
		return pfn;
	/* What was freed may be held by the lists or by the highatomic blocks. */
	lab_highatomic_unreserve_one(z, false, rq->mt);
	lab_drain_all_pages(z);
	return try_pass(z, rq, s->alloc_flags, &s->verdict);
}

/** Is another round worth it? Before giving up, highatomic is emptied. [should_reclaim_retry] */
static bool
should_retry(struct lab_zone *z, const struct lab_request *rq, struct slow *s)
{
	bool costly = rq->order > LAB_PCP_COSTLY_ORDER;
	struct lab_verdict v;

	s->fruitless = s->progress && !costly ? 0 : s->fruitless + 1;
	if (s->fruitless <= LAB_RECLAIM_RETRIES && s->progress)
		return true;
	if (s->fruitless <= LAB_RECLAIM_RETRIES &&
		lab_gate_check(z, rq, rd(&z->wmark[LAB_ALLOC_WMARK_MIN]), s->alloc_flags, &v) ==
			LAB_CAUSE_NONE)
		return true;
	return lab_highatomic_unreserve_one(z, true, rq->mt) > 0;
}

/** May it, after a fruitless round, go round again at all? */
static bool
may_loop(const struct lab_request *rq)
{
	bool costly = rq->order > LAB_PCP_COSTLY_ORDER;

	if (rq->gfp & __LAB_GFP_NORETRY)
		return false;
	return !costly || (rq->gfp & __LAB_GFP_RETRY_MAYFAIL);
}

static uint32_t
reclaim_rounds(struct lab_zone *z, const struct lab_request *rq, struct slow *s)
{
	uint32_t pfn;

	do {
		pfn = direct_reclaim(z, rq, s);
		if (pfn != LAB_NO_PFN || !may_loop(rq) || !should_retry(z, rq, s))
			return pfn;
		lab_kswapd_wake(z, rq->gfp, rq->highest);
		pfn = try_pass(z, rq, s->alloc_flags, &s->verdict);
	} while (pfn == LAB_NO_PFN);
	return pfn;
}

/** A request that must not fail waits for others to free; it is given the min reserve. Bounded, for
 *  nobody may ever free. */
static uint32_t
nofail_rounds(struct lab_zone *z, const struct lab_request *rq, struct slow *s)
{
	uint32_t pfn = LAB_NO_PFN;

	for (unsigned int i = 0; i < LAB_RECLAIM_RETRIES && pfn == LAB_NO_PFN; i++) {
		sched_yield();
		lab_drain_all_pages(z);
		pfn = try_pass(z, rq, s->alloc_flags | LAB_ALLOC_MIN_RESERVE, &s->verdict);
		if (pfn == LAB_NO_PFN)
			pfn = direct_reclaim(z, rq, s);
	}
	return pfn;
}

/** The caches of the labyrinth allocator never cost anybody a page: it is refused what was not there. */
static uint32_t
settle_passes(struct lab_zone *z, const struct lab_request *rq, struct slow *s)
{
	struct percpu_sum before = {.held = 1};
	uint32_t pfn;

	for (unsigned int i = 0; i < LAB_SETTLE_PASSES; i++) {
		if (lab_frame_ops(z)->settle(z, &before))
			return LAB_NO_PFN;
		pfn = try_pass(z, rq, s->alloc_flags, &s->verdict);
		if (pfn != LAB_NO_PFN)
			return pfn;
	}
	lab_event(z, contended);
	return LAB_NO_PFN;
}

/** [__alloc_pages_slowpath] */
static uint32_t
slow_path(struct lab_zone *z, const struct lab_request *rq, struct lab_verdict *v)
{
	unsigned int reserves = lab_gfp_reserve_flags(rq->gfp);
	bool can_reclaim = (rq->gfp & __LAB_GFP_DIRECT_RECLAIM) && !lab_in_reclaim();
	struct slow s = {.alloc_flags = lab_gfp_min_flags(rq->gfp, rq->order)};
	uint32_t pfn;

	lab_event(z, slowpath);
	if (s.alloc_flags & LAB_ALLOC_KSWAPD)
		lab_kswapd_wake(z, rq->gfp, rq->highest);
	pfn = try_pass(z, rq, s.alloc_flags, &s.verdict);
	/* A reclaimer that allocates is what reclaim waits for: it has all there is. */
	if (lab_in_reclaim() && !(rq->gfp & __LAB_GFP_NOMEMALLOC))
		reserves = LAB_ALLOC_NO_WATERMARKS |
			   (s.alloc_flags & (LAB_ALLOC_CMA | LAB_ALLOC_KSWAPD));
	if (pfn == LAB_NO_PFN && reserves != 0) {
		s.alloc_flags = reserves;
		pfn = try_pass(z, rq, s.alloc_flags, &s.verdict);
	}
	if (pfn == LAB_NO_PFN && z->store != NULL)
		pfn = settle_passes(z, rq, &s);
	if (pfn == LAB_NO_PFN && z->store != NULL)
		pfn = lab_reserve_take(z, rq);
	if (pfn == LAB_NO_PFN && can_reclaim)
		pfn = reclaim_rounds(z, rq, &s);
	if (pfn == LAB_NO_PFN && can_reclaim && (rq->gfp & __LAB_GFP_NOFAIL))
		pfn = nofail_rounds(z, rq, &s);
	if (pfn == LAB_NO_PFN)
		lab_warning_check(z, s.verdict.nr_free, rq->order);
	*v = s.verdict;
	return pfn;
}

/* ------------------------------------------------------------------ entry */

/** The block is the caller's: clear it if asked to, and name it. */
static inline void *
finish(struct lab_zone *z, uint32_t pfn, unsigned int order, lab_gfp_t gfp)
{
	void *page = lab_frame_address(z, pfn);

	if (lab_unlikely(gfp & __LAB_GFP_ZERO))
		lab_zero_block(z, pfn, order);
	lab_assert_zone(z);
	return page;
}

void *
lab_alloc_finish(struct lab_zone *z, uint32_t pfn, unsigned int order, lab_gfp_t gfp)
{
	lab_watch_handed_out(z, pfn, order);
	return finish(z, pfn, order, gfp);
}

static void *
bad_request(struct lab_zone *z)
{
	lab_event(z, bad_request);
	errno = EINVAL;
	return NULL;
}

static void *
refuse(struct lab_zone *z, const struct lab_request *rq, const struct lab_verdict *v)
{
	lab_refuse(z, rq, v);
	errno = lab_cause_errno(v->cause);
	return NULL;
}

void *
lab_alloc_attempt(struct lab_zone *z, lab_gfp_t gfp, unsigned int order)
{
	struct lab_request rq;
	struct lab_verdict v;
	uint32_t pfn;

	if (!lab_request_init(z, &rq, gfp, order))
		return NULL;
	if ((rd(&z->watched) & LAB_WATCH_INJECT) && lab_inject_hit(z, gfp, order))
		return NULL;
	pfn = first_pass(z, &rq);
	if (pfn == LAB_NO_PFN)
		pfn = slow_path(z, &rq, &v);
	return pfn == LAB_NO_PFN ? NULL : lab_alloc_finish(z, pfn, order, gfp);
}

void *
lab_refuse_injected(struct lab_zone *z, const struct lab_request *rq)
{
	struct lab_verdict v;

	lab_gate_check(z, rq, lab_mark(z, LAB_ALLOC_WMARK_LOW), lab_first_pass_flags(z, rq), &v);
	v.cause = LAB_CAUSE_INJECTED;
	return refuse(z, rq, &v);
}

/** Not the first choice any more: kept apart so that the fast path stays small. */
static __attribute__((noinline)) void *
alloc_slow(struct lab_zone *z, const struct lab_request *rq)
{
	struct lab_verdict v;
	uint32_t pfn = slow_path(z, rq, &v);

	if (pfn == LAB_NO_PFN)
		return refuse(z, rq, &v);
	return lab_alloc_finish(z, pfn, rq->order, rq->gfp);
}

/** Something looks at each request. */
static __attribute__((noinline)) void *
alloc_watched(struct lab_zone *z, const struct lab_request *rq)
{
	uint32_t pfn;

	if (rd(&z->watched) & LAB_WATCH_INJECT && lab_inject_hit(z, rq->gfp, rq->order))
		return lab_refuse_injected(z, rq);
	pfn = first_pass(z, rq);
	if (pfn == LAB_NO_PFN)
		return alloc_slow(z, rq);
	return lab_alloc_finish(z, pfn, rq->order, rq->gfp);
}

lab_on_line void *
lab_alloc_pages(struct lab_zone *z, lab_gfp_t gfp, unsigned int order)
{
	const struct percpu *stack = lab_short_way(z, gfp, order);
	struct lab_request rq;
	uint32_t pfn;
	void *page;

	if (lab_likely(stack != NULL)) {
		page = percpu_pop_one(stack);
		if (lab_likely(page != NULL))
			return page;
		if (gfp & __LAB_GFP_ZERO)
			page = lab_zero_short_way(z, !!(gfp & __LAB_GFP_MOVABLE));
		if (page != NULL)
			return page;
	}
	if (lab_unlikely(!lab_request_init(z, &rq, gfp, order)))
		return bad_request(z);
	if (lab_unlikely(rd(&z->watched)))
		return alloc_watched(z, &rq);
	pfn = first_pass(z, &rq);
	if (lab_unlikely(pfn == LAB_NO_PFN))
		return alloc_slow(z, &rq);
	return finish(z, pfn, order, gfp);
}

lab_on_line void *
lab_alloc_page_gfp_atomic(struct lab_zone *z)
{
	/* the short way of lab_alloc_pages() with all that is known here: atomic requests go it whenever it
	 * is open at all */
	if (lab_likely(rd(&z->open) != 0)) {
		struct lab_stack_set *set = lab_known_set(z);
		void *page = NULL;

		if (lab_likely(set != NULL))
			page = percpu_pop_one(
				&set->stack[lab_stack_index(0, LAB_MIGRATE_UNMOVABLE)]);
		if (lab_likely(page != NULL))
			return page;
	}
	return lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
}
