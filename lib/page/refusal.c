/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file refusal.c
 * The record of refusals, and the counters.
 */
#include <assert.h>
#include <time.h>

#include "frame_ops.h"
#include "gate.h"
#include "zone.h"

uint64_t
lab_zone_now(const struct lab_zone *z)
{
	uint64_t virtual_ns = rd(&z->now_ns);
	struct timespec t;

	if (virtual_ns != 0)
		return virtual_ns;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void
count(struct lab_zone *z, const struct lab_request *rq, const struct lab_verdict *v)
{
	lab_event(z, refused[v->cause]);
	lab_event(z, refused_order[rq->order]);
	if (lab_gfp_is_atomic(rq->gfp))
		lab_event(z, refused_atomic);
	if (rq->gfp & __LAB_GFP_NOWARN)
		lab_event(z, refused_nowarn);
	if (v->nr_free >= 1UL << rq->order)
		lab_event(z, refused_with_free);
}

/** Acquire loads and release stores where fences would do: ThreadSanitizer does not know those. */
static void
record(struct lab_refusal_ring *ring, struct lab_refusal *r)
{
	uint64_t word[LAB_REFUSAL_WORDS], version;
	unsigned int i;

	r->seq = atomic_fetch_add(&ring->seq, 1) + 1;
	i = r->seq % LAB_NR_REFUSALS;
	memcpy(word, r, sizeof(word));
	version = rd(&ring->slot[i].version);
	if (version & 1 ||
		!atomic_compare_exchange_strong(&ring->slot[i].version, &version, version + 1))
		return;
	for (unsigned int w = 0; w < LAB_REFUSAL_WORDS; w++)
		atomic_store_explicit(&ring->slot[i].word[w], word[w], memory_order_release);
	atomic_store_explicit(&ring->slot[i].version, version + 2, memory_order_release);
}

void
lab_refuse(struct lab_zone *z, const struct lab_request *rq, const struct lab_verdict *v)
{
	struct lab_refusal r = {.time_ns = lab_zone_now(z),
		.gfp = rq->gfp,
		.order = rq->order,
		.cpu = lab_cpu(z),
		.verdict = *v};

	count(z, rq, v);
	record(&z->refusals, &r);
}

/** @return false if the slot holds another one by now, or is being written. */
static bool
look_up(const struct lab_refusal_ring *ring, uint64_t seq, struct lab_refusal *out)
{
	uint64_t word[LAB_REFUSAL_WORDS], version;
	unsigned int i = seq % LAB_NR_REFUSALS;

	version = atomic_load_explicit(&ring->slot[i].version, memory_order_acquire);
	for (unsigned int w = 0; w < LAB_REFUSAL_WORDS; w++)
		word[w] = atomic_load_explicit(&ring->slot[i].word[w], memory_order_acquire);
	if (version & 1 || rd(&ring->slot[i].version) != version)
		return false;
	memcpy(out, word, sizeof(word));
	return out->seq == seq;
}

unsigned int
lab_zone_refusals(struct lab_zone *z, struct lab_refusal *out, unsigned int n)
{
	uint64_t newest = rd(&z->refusals.seq);
	unsigned int filled = 0;

	for (uint64_t back = 0; back < LAB_NR_REFUSALS && back < newest && filled < n; back++)
		filled += look_up(&z->refusals, newest - back, &out[filled]);
	return filled;
}

void
lab_zone_set_time(struct lab_zone *z, uint64_t ns)
{
	wr(&z->now_ns, ns);
}

/* --------------------------------------------------------------- counters */

static void
add_counts(struct lab_zone_stats *out, const struct lab_counts *n)
{
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		out->alloc[order] += rd(&n->alloc[order]);
		out->free[order] += rd(&n->free[order]);
	}
}

static void
add_pcp(struct lab_zone_stats *out, const struct lab_pcp *p)
{
	add_counts(out, &p->n);
	out->pcp_hit += rd(&p->hit);
	out->pcp_refill += rd(&p->refill);
	out->pcp_drain_pages += rd(&p->drain_pages);
}

static void
add_refusals(struct lab_zone_stats *out, const struct lab_events *ev)
{
	for (unsigned int i = 0; i < LAB_NR_CAUSES; i++)
		out->refused[i] = rd(&ev->refused[i]);
	for (unsigned int i = 0; i < LAB_NR_ORDERS; i++)
		out->refused_order[i] = rd(&ev->refused_order[i]);
	out->refused_atomic = rd(&ev->refused_atomic);
	out->refused_nowarn = rd(&ev->refused_nowarn);
	out->refused_with_free = rd(&ev->refused_with_free);
}

static void
add_events(struct lab_zone_stats *out, const struct lab_events *ev)
{
	out->bad_free = rd(&ev->bad_free);
	out->bad_request = rd(&ev->bad_request);
	out->slowpath = rd(&ev->slowpath);
	out->kswapd_wake = rd(&ev->kswapd_wake);
	out->kcompactd_wake = rd(&ev->kcompactd_wake);
	out->boost = rd(&ev->boost);
	out->direct_reclaim = rd(&ev->direct_reclaim);
	out->reclaimed_pages = rd(&ev->reclaimed_pages);
	out->claim = rd(&ev->claim);
	out->steal = rd(&ev->steal);
	out->highatomic_reserve = rd(&ev->highatomic_reserve);
	out->highatomic_unreserve = rd(&ev->highatomic_unreserve);
	out->zero_inline = rd(&ev->zero_inline);
	out->contended = rd(&ev->contended);
	out->lost_pages = rd(&ev->lost_pages);
	for (unsigned int i = 0; i < LAB_NR_ORDERS; i++)
		out->graceful_order[i] = rd(&ev->graceful_order[i]);
	out->graceful_scattered = rd(&ev->graceful_scattered);
	out->graceful_partial = rd(&ev->graceful_partial);
	out->graceful_missed = rd(&ev->graceful_missed);
	out->zero_inline_pages = rd(&ev->zero_inline_pages);
	out->zero_hit = rd(&ev->zero_hit) - rd(&ev->zero_long_way);
	out->zeroed_pages = rd(&ev->zeroed_pages);
	out->background_rounds = rd(&ev->background_rounds);
	out->reserve_hit = rd(&ev->reserve_hit);
	out->reserve_refill = rd(&ev->reserve_refill);
	out->compact_moves = rd(&ev->compact_moves);
	out->compact_pages = rd(&ev->compact_pages);
	out->compact_refused = rd(&ev->compact_refused);
	out->compact_whole = rd(&ev->compact_whole);
}

void
lab_zone_stats_get(const struct lab_zone *z, struct lab_zone_stats *out)
{
	memset(out, 0, sizeof(*out));
	add_counts(out, &z->n);
	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++)
		add_pcp(out, &z->pcp[cpu]);
	add_refusals(out, &z->ev);
	add_events(out, &z->ev);
	if (lab_frame_ops(z)->stats != NULL)
		lab_frame_ops(z)->stats(z, out);
}

static void
zero_counts(struct lab_counts *n)
{
	for (unsigned int order = 0; order < LAB_NR_ORDERS; order++) {
		wr(&n->alloc[order], 0);
		wr(&n->free[order], 0);
	}
}

void
lab_zone_stats_reset(struct lab_zone *z)
{
	_Atomic uint64_t *ev = (_Atomic uint64_t *)&z->ev;

	lab_zone_freeze(z);
	zero_counts(&z->n);
	for (unsigned int cpu = 0; cpu < z->nr_cpus; cpu++) {
		zero_counts(&z->pcp[cpu].n);
		wr(&z->pcp[cpu].hit, 0);
		wr(&z->pcp[cpu].refill, 0);
		wr(&z->pcp[cpu].drain_pages, 0);
	}
	for (size_t i = 0; i < sizeof(z->ev) / sizeof(*ev); i++)
		wr(&ev[i], 0);
	lab_zone_thaw(z);
}
