/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file gate.c
 * Whether a request may have pages, and if not, why. The arithmetic is lab_watermark_ok()'s; here it
 * meets a zone.
 */
#include "buddy.h"
#include "frame_ops.h"
#include "gate.h"
#include "reserve.h"
#include "zone.h"

static unsigned long
kept_for_highatomic(const struct lab_zone *z)
{
	return z->linux_version == LAB_LINUX_6_1 ? rd(&z->nr_reserved_highatomic)
						 : rd(&z->nr_free_highatomic);
}

void
lab_gate_counts(const struct lab_zone *z, struct lab_free_counts *out)
{
	out->nr_free = rd(&z->nr_free);
	out->nr_free_cma = rd(&z->nr_free_cma);
	out->highatomic = kept_for_highatomic(z);
	lab_frame_ops(z)->gate_blocks(z, out);
}

/** The counts that decide. Of a lock-free zone they are read one by one: a request may come from a signal
 *  handler that interrupted the holder of the lock, and no walk of the zone belongs on its way. */
static void
counts_for_request(struct lab_zone *z, struct lab_free_counts *out)
{
	if (z->store == NULL)
		lab_spin_lock(&z->lock);
	lab_gate_counts(z, out);
	if (z->store == NULL)
		lab_spin_unlock(&z->lock);
}

/** The boost is there to wake kswapd early, not to refuse the urgent. */
static bool
ignores_boost(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags)
{
	return rq->order == 0 && (alloc_flags & LAB_ALLOC_MIN_RESERVE) && rd(&z->boost) != 0 &&
	       (alloc_flags & LAB_ALLOC_WMARK_MASK) == LAB_ALLOC_WMARK_MIN;
}

enum lab_cause
lab_gate_check(struct lab_zone *z, const struct lab_request *rq, unsigned long mark,
	unsigned int alloc_flags, struct lab_verdict *v)
{
	unsigned long reserve = rd(&z->lowmem_reserve[rq->highest]);
	struct lab_free_counts counts;
	enum lab_cause cause;

	counts_for_request(z, &counts);
	cause = lab_watermark_ok(&counts, rq->order, mark, reserve, alloc_flags, v);
	if (cause != LAB_CAUSE_NONE && ignores_boost(z, rq, alloc_flags))
		cause = lab_watermark_ok(&counts, rq->order, rd(&z->wmark[LAB_ALLOC_WMARK_MIN]),
			reserve, alloc_flags, v);
	return cause;
}

void
lab_gate_no_block(struct lab_zone *z, const struct lab_request *rq, struct lab_verdict *v)
{
	uint32_t kept =
		rd(&z->nonempty[LAB_MIGRATE_HIGHATOMIC]) | rd(&z->nonempty[LAB_MIGRATE_CMA]);

	v->nr_free = rd(&z->nr_free);
	if (v->nr_free < 1UL << rq->order)
		v->cause = LAB_CAUSE_EXHAUSTED;
	else if (kept >> rq->order)
		v->cause = LAB_CAUSE_RESERVE;
	else
		v->cause = LAB_CAUSE_ORDER;
}

void
lab_zone_free_counts(struct lab_zone *z, struct lab_free_counts *out)
{
	lab_spin_lock(&z->lock);
	lab_gate_counts(z, out);
	lab_frame_ops(z)->count(z, out);
	lab_spin_unlock(&z->lock);
}

/** One pass, as the request would make it. */
static enum lab_cause
explain_pass(struct lab_zone *z, const struct lab_request *rq, unsigned int alloc_flags,
	struct lab_verdict *v)
{
	unsigned long mark = alloc_flags & LAB_ALLOC_NO_WATERMARKS ? 0 : lab_mark(z, alloc_flags);
	enum lab_cause cause = lab_gate_check(z, rq, mark, alloc_flags, v);

	if (cause == LAB_CAUSE_NONE && !lab_pcp_has(z, rq->order, rq->mt) &&
		!lab_frame_ops(z)->can_take(z, rq->order, rq->mt, alloc_flags)) {
		lab_gate_no_block(z, rq, v);
		cause = v->cause;
	}
	return cause;
}

enum lab_cause
lab_zone_explain(struct lab_zone *z, lab_gfp_t gfp, unsigned int order, struct lab_verdict *v)
{
	unsigned int reserves = lab_gfp_reserve_flags(gfp);
	struct lab_verdict verdict = {.cause = LAB_CAUSE_ORDER};
	struct lab_request rq;

	if (lab_request_init(z, &rq, gfp, order)) {
		if (explain_pass(z, &rq, lab_first_pass_flags(z, &rq), &verdict) &&
			explain_pass(z, &rq, lab_gfp_min_flags(gfp, order), &verdict) && reserves)
			explain_pass(z, &rq, reserves, &verdict);
		if (verdict.cause != LAB_CAUSE_NONE && lab_reserve_has(z, &rq))
			verdict.cause = LAB_CAUSE_NONE;
	}
	if (v != NULL)
		*v = verdict;
	return verdict.cause;
}
