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

/* -------------------------------------------------------------------- holes */

/** Is there a free block of this type of at least the order, but less than a region? */
static bool
has_hole(const struct age_run *run, const struct lab_free_counts *c, int mt, unsigned int order)
{
	for (unsigned int o = order; o < run->cfg->order; o++)
		if (c->blocks[o][mt] > 0)
			return true;
	return false;
}

/** The type and the order, at most the given one, of the largest piece that fits into a hole: in one
 *  of its own type, else of another, whose pageblocks a request of that type does not leave. */
static void
find_hole(struct age_run *run, enum lab_migratetype *mt, unsigned int *order)
{
	struct lab_free_counts c;

	lab_zone_free_counts(run->zone, &c);
	for (int other = -1; other < TENANT_TYPES; other++)
		for (int o = (int)*order; o >= 0; o--) {
			int type = other < 0 ? (int)*mt : other;

			if (!has_hole(run, &c, type, (unsigned int)o))
				continue;
			*mt = (enum lab_migratetype)type;
			*order = (unsigned int)o;
			return;
		}
}

/** Allocate 1 << order frames in holes, so that no free region is broken for them as long as there
 *  are any. */
static bool
get_in_holes(struct age_run *run, enum lab_migratetype mt, unsigned int order)
{
	unsigned long left = order_pages(order);

	while (left > 0) {
		enum lab_migratetype type = mt;

		while (order_pages(order) > left)
			order--;
		find_hole(run, &type, &order);
		if (!run_get(run, type, order, HOLD_IMMORTAL, NULL))
			return false;
		left -= order_pages(order);
	}
	return true;
}

/* ------------------------------------------------------------------- trim */

/** Split a hold into frames, which can be freed one by one. */
static bool
split_some(struct age_run *run, struct hold_ref *out)
{
	for (int tries = 0; tries < CANDIDATES; tries++) {
		struct hold_ref r = hold_random(run->t, &run->rng);

		if (hold_of(run->t, r)->order == 0 || tenants_split(run->t, r) != 0)
			continue;
		*out = (struct hold_ref){r.mt, run->t->nr[r.mt] - 1};
		return true;
	}
	return false;
}

/** A hold that fits into the surplus and, where the index is to be met, leaves no region free. */
static struct hold_ref
find_surplus(struct age_run *run)
{
	unsigned long surplus = run->used - run->goal;
	struct hold_ref r, any = hold_random(run->t, &run->rng);

	for (int tries = 0; tries < 4 * CANDIDATES; tries++) {
		r = hold_random(run->t, &run->rng);
		if (order_pages(hold_of(run->t, r)->order) > surplus)
			continue;
		if (!run_has_unusable(run) || region_stays_used(run, r))
			return r;
		any = r;
	}
	return run_has_unusable(run) && split_some(run, &r) ? r : any;
}

/** Bring the used frames to the goal. */
static void
trim(struct age_run *run)
{
	while (run->used > run->goal && run->t->blocks > 0 && run_tick(run))
		run_put(run, find_surplus(run));
	if (!run_has_unusable(run)) {
		run_fill(run, run->goal, LAB_MIGRATE_TYPES, NULL);
		return;
	}
	while (run->used < run->goal && run_tick(run))
		if (!get_in_holes(run, run_draw_type(run), 0))
			break;
}

/* ---------------------------------------------------------- raise and lower */

/** Free as much as a block of the order takes above the mark, from regions that stay in use. What is
 *  freed too much is allocated again when the used frames are trimmed. */
static void
make_room(struct age_run *run)
{
	unsigned long want = order_pages(run->cfg->order), low = run->used - want;

	if (run->used < want)
		return;
	for (unsigned long tries = 8 * want; tries > 0 && run->used > low; tries--) {
		struct hold_ref r;

		if (run->t->blocks == 0)
			return;
		r = hold_random(run->t, &run->rng);
		if (region_stays_used(run, r))
			run_put(run, r);
	}
}

static bool
break_one(struct age_run *run)
{
	if (region_break(run, false))
		return true;
	if (run->t->last_cause != LAB_CAUSE_WATERMARK && run->t->last_cause != LAB_CAUSE_EXHAUSTED)
		return false;
	make_room(run);
	return region_break(run, false);
}

static unsigned long
raise(struct age_run *run, unsigned long n)
{
	unsigned long i;

	for (i = 0; i < n && run_tick(run); i++)
		if (!break_one(run))
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

/** Empty a region and allocate as much elsewhere. */
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
				get_in_holes(run, (enum lab_migratetype)mt, (unsigned int)o);
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
