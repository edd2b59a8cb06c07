/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <string.h>

#include "age.h"

/** Operations between two calls of the progress callback. */
#define TICKS_A_REPORT 4096UL

/* -------------------------------------------------------- who else is there */

static void
mark_others(struct age_run *run, unsigned long pfn, unsigned long pages)
{
	unsigned long end = pfn + pages < run->t->spanned ? pfn + pages : run->t->spanned;

	for (; pfn < end; pfn++)
		run->others[pfn / 64] |= 1ULL << (pfn % 64);
}

static int
note_block(const struct lab_block *b, void *arg)
{
	struct age_run *run = arg;
	struct hold_ref r;

	if (b->state == LAB_BLOCK_OFFLINE ||
		(b->state == LAB_BLOCK_ALLOCATED && !hold_at(run->t, b->pfn, &r))) {
		mark_others(run, b->pfn, order_pages(b->order));
		if (b->state == LAB_BLOCK_ALLOCATED)
			run->foreign += order_pages(b->order);
	}
	return 0;
}

int
run_init(struct age_run *run)
{
	unsigned int order = run->cfg->order;

	run->others = calloc(run->t->spanned / 64 + 1, sizeof(*run->others));
	if (run->others == NULL)
		return -ENOMEM;
	lab_rng_seed(&run->rng, run->cfg->seed);
	run->weight_sum = 0;
	for (int o = 0; o < LAB_NR_ORDERS; o++)
		run->weight_sum += run->cfg->order_weight[o];
	run_sync(run);
	lab_zone_walk(run->zone, note_block, run);
	run->nr_regions = (run->t->spanned + order_pages(order) - 1) >> order;
	for (unsigned long i = 0; i < run->nr_regions; i++)
		run->whole_regions += !region_scan(run, i).others;
	return 0;
}

void
run_fini(struct age_run *run)
{
	free(run->others);
}

void
run_sync(struct age_run *run)
{
	struct lab_free_counts counts;

	lab_zone_free_counts(run->zone, &counts);
	run->used = run->managed - counts.nr_free;
}

bool
run_tick(struct age_run *run)
{
	/* With a target of the index it is the steering that says where blocks go. */
	if (!run_has_unusable(run))
		tenants_compact_due(run->t);
	if (++run->ticks >= TICKS_A_REPORT) {
		run->ticks = 0;
		if (run->progress != NULL && run->progress(run->arg, run->done, PROGRESS_TOTAL))
			run->cancelled = true;
	}
	return !run->cancelled;
}

/* ------------------------------------------------------------- get and put */

bool
run_get(struct age_run *run, enum lab_migratetype mt, unsigned int order, uint32_t death,
	struct hold_ref *out)
{
	int rc = tenants_get(run->t, mt, order, death, out);

	if (rc == -ENOMEM && run->t->last_cause == LAB_CAUSE_WATERMARK) {
		/* A boosted mark goes down when kswapd has run, as it would have by now. */
		lab_zone_kswapd(run->zone);
		rc = tenants_get(run->t, mt, order, death, out);
	}
	run->no_slot = run->no_slot || rc == -ENOBUFS;
	if (rc == 0)
		run->used += order_pages(order);
	return rc == 0;
}

void
run_put(struct age_run *run, struct hold_ref r)
{
	run->used -= tenants_put(run->t, r);
}

enum lab_migratetype
run_draw_type(struct age_run *run)
{
	double x = lab_rng_double(&run->rng);

	if (x < run->cfg->unmovable)
		return LAB_MIGRATE_UNMOVABLE;
	if (x < run->cfg->unmovable + run->cfg->reclaimable)
		return LAB_MIGRATE_RECLAIMABLE;
	return LAB_MIGRATE_MOVABLE;
}

unsigned int
run_draw_order(struct age_run *run)
{
	double x = lab_rng_double(&run->rng) * run->weight_sum;
	unsigned int last = 0;

	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
		if (run->cfg->order_weight[o] <= 0)
			continue;
		last = o;
		x -= run->cfg->order_weight[o];
		if (x < 0)
			break;
	}
	return last;
}

/* ---------------------------------------------------------- fill and drain */

/** Allocate one block of at most this order. @return false if not even a frame was to be had. */
static bool
fill_one(struct age_run *run, enum lab_migratetype mt, unsigned int order, uint32_t death)
{
	for (;; order--) {
		if (run_get(run, mt, order, death, NULL))
			return true;
		if (order == 0 || run->no_slot)
			return false;
	}
}

bool
run_fill(struct age_run *run, unsigned long used, enum lab_migratetype mt, run_death_fn death)
{
	while (run->used < used && run_tick(run)) {
		unsigned int order = run_draw_order(run);
		enum lab_migratetype type = mt < LAB_MIGRATE_TYPES ? mt : run_draw_type(run);
		uint32_t d = death ? death(run) : HOLD_IMMORTAL;

		while (order_pages(order) > used - run->used)
			order--;
		/* Only movable blocks are had from CMA. */
		if (!fill_one(run, type, order, d) &&
			(mt < LAB_MIGRATE_TYPES || !fill_one(run, LAB_MIGRATE_MOVABLE, order, d)))
			break;
	}
	return run->used >= used;
}

void
run_drain(struct age_run *run, unsigned long used)
{
	while (run->used > used && run->t->blocks > 0 && run_tick(run))
		run_put(run, hold_random(run->t, &run->rng));
}

/* ----------------------------------------------------------------- measures */

bool
run_has_unusable(const struct age_run *run)
{
	return run->cfg->unusable != LAB_AGE_NO_UNUSABLE;
}

unsigned long
run_goal_suitable(const struct age_run *run)
{
	double free_pages = (double)(run->managed - run->goal);
	double usable = free_pages * (1000 - run->cfg->unusable) / 1000;

	return (unsigned long)(usable / (double)order_pages(run->cfg->order) + 0.5);
}

unsigned long
run_suitable(struct age_run *run)
{
	struct lab_frag_row rows[LAB_NR_ORDERS];

	lab_frag_table(run->zone, rows);
	return rows[run->cfg->order].suitable;
}

int
run_unusable(struct age_run *run)
{
	struct lab_free_counts counts;

	lab_zone_free_counts(run->zone, &counts);
	return lab_unusable_free_index(&counts, run->cfg->order);
}
