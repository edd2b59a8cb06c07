/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Steering: where a model ends beside the target, blocks are moved one by one. To raise the
 * unusable free index a suitable block is broken as the adversary does it, and a frame that breaks
 * nothing elsewhere is freed for it; to lower it a region is emptied, as compaction does it, and its
 * blocks are allocated anew elsewhere. The occupancy stays. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "age.h"

#define STEER_ITERATIONS 64
#define STEER_STALE      6
#define CANDIDATES       16

/* ------------------------------------------------------------------- trim */

/** A hold that fits into the surplus and, if that can be found, leaves no region free. */
static bool
find_surplus(struct age_run *run, struct hold_ref *out)
{
	unsigned long surplus = run->used - run->goal;
	bool found = false;

	for (int tries = 0; tries < 4 * CANDIDATES; tries++) {
		struct hold_ref r = hold_random(run->t, &run->rng);

		if (order_pages(hold_of(run->t, r)->order) > surplus)
			continue;
		*out = r;
		found = true;
		if (!run_has_unusable(run) || region_stays_used(run, r))
			break;
	}
	if (!found)
		*out = hold_random(run->t, &run->rng);
	return true;
}

/** Bring the used frames to the goal. */
static void
trim(struct age_run *run)
{
	struct hold_ref r;

	while (run->used > run->goal && run->t->blocks > 0 && run_tick(run))
		if (find_surplus(run, &r))
			run_put(run, r);
	if (!run_has_unusable(run)) {
		run_fill(run, run->goal, LAB_MIGRATE_TYPES, NULL);
		return;
	}
	while (run->used < run->goal && run_tick(run))
		if (!run_get(run, run_draw_type(run), 0, HOLD_IMMORTAL, NULL))
			break;
}

/* ---------------------------------------------------------- raise and lower */

static unsigned long
raise(struct age_run *run, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n && run_tick(run); i++)
		if (!region_break(run, false))
			break;
	return i;
}

/** Of some random regions the one that is emptied with the fewest frames moved. */
static bool
find_sparse(struct age_run *run, unsigned long *out)
{
	unsigned long best = ULONG_MAX;

	for (int tries = 0; tries < 4 * CANDIDATES; tries++) {
		unsigned long i = lab_rng_below(&run->rng, run->nr_regions);
		struct region g = region_scan(run, i);

		if (g.others || g.one_block || g.held == 0 || g.held >= best)
			continue;
		best = g.held;
		*out = i;
		if (tries >= CANDIDATES)
			break;
	}
	return best != ULONG_MAX;
}

/** Empty a region and allocate as much, in blocks alike, elsewhere: as the smallest blocks that fit
 *  are handed out first, they fill holes as long as there are any. */
static void
evacuate(struct age_run *run, unsigned long region)
{
	unsigned long n[TENANT_TYPES][LAB_NR_ORDERS] = {{0}};
	unsigned long pfn = region << run->cfg->order, end = pfn + order_pages(run->cfg->order);
	struct hold_ref r;

	for (; pfn < end; pfn++)
		if (hold_at(run->t, pfn, &r)) {
			n[r.mt][hold_of(run->t, r)->order]++;
			run_put(run, r);
		}
	for (int o = LAB_MAX_ORDER; o >= 0; o--)
		for (int mt = 0; mt < TENANT_TYPES; mt++)
			for (; n[mt][o] > 0; n[mt][o]--)
				run_get_pieces(run, (enum lab_migratetype)mt, (unsigned int)o);
}

static unsigned long
lower(struct age_run *run, unsigned long n)
{
	unsigned long i, region;

	for (i = 0; i < n && run_tick(run) && find_sparse(run, &region); i++)
		evacuate(run, region);
	return i;
}

/* ------------------------------------------------------------------- steer */

static int
unusable_error(struct age_run *run)
{
	return abs(run_unusable(run) - run->cfg->unusable);
}

static unsigned long
move(struct age_run *run)
{
	unsigned long have = run_suitable(run), want = run_goal_suitable(run);

	if (have == want)
		return 0;
	return have > want ? raise(run, have - want) : lower(run, want - have);
}

void
age_steer(struct age_run *run)
{
	int best = INT_MAX, stale = 0;

	for (int i = 0; i < STEER_ITERATIONS && !run->cancelled; i++) {
		unsigned long moved;
		int error;

		run_sync(run);
		trim(run);
		run_sync(run);
		if (!run_has_unusable(run) || !run->cfg->steer)
			return;
		error = unusable_error(run);
		stale = error < best ? 0 : stale + 1;
		best = error < best ? error : best;
		if (error <= run->cfg->unusable_tolerance || stale >= STEER_STALE)
			return;
		moved = move(run);
		run->out->steered += moved;
		if (moved == 0)
			return;
	}
}
