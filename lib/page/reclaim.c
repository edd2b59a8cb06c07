/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file reclaim.c
 * Waking kswapd, its round, and the processes' reclaimers.
 */
#include <unistd.h>

#include "gate.h"
#include "zone.h"

/** Linux's PF_MEMALLOC: this thread is inside a reclaimer. */
static __thread bool in_reclaim __attribute__((tls_model("initial-exec")));

bool
lab_in_reclaim(void)
{
	return in_reclaim;
}

/* ------------------------------------------------------------- reclaimers */

/** This process's entry, or one to use for it; NULL if all are taken. */
static struct lab_reclaimer *
find_reclaimer(struct lab_zone *z, pid_t pid)
{
	struct lab_reclaimer *vacant = NULL;

	for (unsigned int i = 0; i < LAB_NR_RECLAIMERS; i++) {
		struct lab_reclaimer *r = &z->reclaimers[i];

		if (r->pid == pid)
			return r;
		if (vacant == NULL && lab_process_is_gone(r->pid))
			vacant = r;
	}
	return vacant;
}

/** Change this process's entry: each non-NULL argument replaces its half. */
static int
set_entry(struct lab_zone *z, const struct lab_reclaimer *reclaim, const struct lab_reclaimer *move)
{
	pid_t pid = getpid();
	struct lab_reclaimer *r, new = {0};

	lab_spin_lock(&z->ring_lock);
	r = find_reclaimer(z, pid);
	if (r != NULL) {
		if (r->pid == pid)
			new = *r;
		if (reclaim != NULL) {
			new.fn = reclaim->fn;
			new.arg = reclaim->arg;
		}
		if (move != NULL) {
			new.move = move->move;
			new.move_arg = move->move_arg;
		}
		/* an entry of a process that died is counted till it is used again */
		if ((r->move != NULL) != (new.move != NULL))
			atomic_fetch_add(&z->nr_movers, new.move != NULL ? 1 : UINT32_MAX);
		new.pid = new.fn != NULL || new.move != NULL ? pid : 0;
		*r = new;
	}
	lab_spin_unlock(&z->ring_lock);
	return r == NULL ? -ENOSPC : 0;
}

int
lab_zone_set_reclaim(struct lab_zone *z, lab_reclaim_fn fn, void *arg)
{
	const struct lab_reclaimer set = {.fn = fn, .arg = fn != NULL ? arg : NULL};

	return set_entry(z, &set, NULL);
}

int
lab_zone_set_move(struct lab_zone *z, lab_move_fn fn, void *arg)
{
	const struct lab_reclaimer set = {.move = fn, .move_arg = fn != NULL ? arg : NULL};

	return set_entry(z, NULL, &set);
}

struct lab_reclaimer
lab_own_reclaimer(struct lab_zone *z)
{
	struct lab_reclaimer own = {0};
	pid_t pid = getpid();

	lab_spin_lock(&z->ring_lock);
	for (unsigned int i = 0; i < LAB_NR_RECLAIMERS; i++) {
		if (z->reclaimers[i].pid == pid)
			own = z->reclaimers[i];
	}
	lab_spin_unlock(&z->ring_lock);
	return own;
}

unsigned long
lab_reclaim(struct lab_zone *z, unsigned long nr_pages, unsigned int order)
{
	struct lab_reclaimer r = lab_own_reclaimer(z);
	unsigned long freed;

	if (r.fn == NULL || in_reclaim)
		return 0;
	in_reclaim = true;
	freed = r.fn(r.arg, nr_pages, order);
	in_reclaim = false;
	lab_event_add(z, reclaimed_pages, freed);
	return freed;
}

/* ----------------------------------------------------------------- kswapd */

/** Pages enough for everybody, in whatever pieces. [pgdat_balanced] */
static bool
is_balanced(struct lab_zone *z, unsigned int highest)
{
	const struct lab_request rq = {.order = 0, .highest = highest};

	return lab_gate_open(z, &rq, lab_mark(z, LAB_ALLOC_WMARK_HIGH), 0);
}

/** Balanced but fragmented is kcompactd's task, which a caller that may wait does itself.
 *  [wakeup_kswapd] */
void
lab_kswapd_wake(struct lab_zone *z, lab_gfp_t gfp, unsigned int highest)
{
	if (rd(&z->managed) == 0 || rd(&z->kswapd_wanted))
		return;
	if (is_balanced(z, highest) && rd(&z->boost) == 0) {
		if (gfp & __LAB_GFP_DIRECT_RECLAIM)
			return;
		lab_event(z, kcompactd_wake);
	} else {
		lab_event(z, kswapd_wake);
	}
	wr(&z->kswapd_wanted, true);
}

bool
lab_zone_kswapd_wanted(const struct lab_zone *z)
{
	return rd(&z->kswapd_wanted);
}

/** Pages missing to the high mark, boost included. */
static unsigned long
missing_pages(struct lab_zone *z)
{
	unsigned long high = lab_mark(z, LAB_ALLOC_WMARK_HIGH);
	unsigned long free = rd(&z->nr_free);

	return free > high ? 0 : high - free + 1;
}

static void
take_boost_away(struct lab_zone *z, unsigned long met)
{
	lab_spin_lock(&z->lock);
	wr(&z->boost, rd(&z->boost) > met ? rd(&z->boost) - met : 0);
	lab_spin_unlock(&z->lock);
}

unsigned long
lab_zone_kswapd(struct lab_zone *z)
{
	unsigned long boost = rd(&z->boost), total = 0, freed = 1, want;

	wr(&z->kswapd_wanted, false);
	wr(&z->reclaim_active, true);
	for (int i = 0; i < LAB_RECLAIM_RETRIES && freed > 0; i++) {
		want = missing_pages(z);
		if (want == 0)
			break;
		freed = lab_reclaim(z, want, 0);
		total += freed;
	}
	wr(&z->reclaim_active, false);
	take_boost_away(z, boost);
	lab_assert_zone(z);
	return total;
}
