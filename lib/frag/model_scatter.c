/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Contiguitas (Zhao et al., ISCA'23) found in Meta's fleet that unmovable pages scattered over the
 * address space, by fallback into movable pageblocks, are what breaks contiguity, and that it comes
 * within the first hour. So: movable memory fills the zone, single pages of it are replaced by
 * unmovable ones, and then the movable memory goes. */
#include <string.h>

#include "age.h"

#define BATCH 64

/** Marks the unmovable pages that went where the zone had been free, not among movable ones. */
#define BALLAST 1U

struct scatter {
	unsigned long goal, done; /* unmovable frames among movable ones */
	uint8_t *spared;          /* a byte a region: no unmovable page goes there */
	uint8_t *unfilled;        /* a byte a region: it had free frames when the fill ended */
	uint8_t *kept;            /* a byte a region: an unmovable page of it counts */
	uint32_t *order;          /* the regions in a random order */
};

static void
defaults(struct lab_age_config *cfg)
{
	cfg->unmovable = 0.1;
	cfg->reclaimable = 0;
	cfg->rounds = 1;
}

static int
check(const struct lab_age_config *cfg, char *err, size_t len)
{
	if (cfg->unmovable > 0 && cfg->rounds > 0)
		return 0;
	spec_error(err, len, "scatter: needs unmovable > 0 and rounds > 0");
	return -1;
}

static void
scatter_free(struct scatter *s)
{
	free(s->spared);
	free(s->unfilled);
	free(s->kept);
	free(s->order);
	free(s);
}

static struct scatter *
scatter_new(struct age_run *run)
{
	struct scatter *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->spared = calloc(run->nr_regions, 1);
	s->unfilled = calloc(run->nr_regions, 1);
	s->kept = calloc(run->nr_regions, 1);
	s->order = region_permutation(run);
	if (s->spared != NULL && s->unfilled != NULL && s->kept != NULL && s->order != NULL)
		return s;
	scatter_free(s);
	return NULL;
}

/** The regions that shall be free in the end are chosen before anything is put between. */
static void
spare_regions(struct age_run *run, struct scatter *s)
{
	unsigned long left = run_has_unusable(run) ? run_goal_suitable(run) : 0;

	for (unsigned long i = 0; i < run->nr_regions && left > 0; i++) {
		struct region g = region_scan(run, s->order[i]);

		if (g.others || g.held < g.pages)
			continue;
		s->spared[s->order[i]] = 1;
		left--;
	}
}

static void
start(struct age_run *run)
{
	struct scatter *s = scatter_new(run);
	unsigned long held;

	run->model_data = s;
	if (s == NULL)
		return;
	run_fill(run, run->managed, LAB_MIGRATE_MOVABLE, NULL);
	run_sync(run);
	for (unsigned long i = 0; i < run->nr_regions; i++) {
		struct region g = region_scan(run, i);

		s->unfilled[i] = g.held < g.pages && !g.others;
	}
	spare_regions(run, s);
	held = run->goal > run->foreign ? run->goal - run->foreign : 0;
	s->goal = (unsigned long)(run->cfg->unmovable * (double)held + 0.5);
}

/** Free movable blocks where unmovable pages may go. @return blocks freed. */
static unsigned int
make_holes(struct age_run *run, const struct scatter *s, unsigned int n)
{
	struct lab_tenants *t = run->t;
	unsigned int holes = 0;

	for (unsigned int tries = 0; tries < 64 * n && holes < n; tries++) {
		struct hold_ref r = {LAB_MIGRATE_MOVABLE, 0};
		const struct hold *h;
		bool single;

		if (t->nr[LAB_MIGRATE_MOVABLE] == 0)
			break;
		r.i = lab_rng_below(&run->rng, t->nr[LAB_MIGRATE_MOVABLE]);
		h = hold_of(t, r);
		if (s->spared[h->pfn >> run->cfg->order] || h->order > run->cfg->order)
			continue;
		single = h->order == 0;
		run_put(run, r);
		holes++;
		/* One at a time, or the pages would flock in the first block that is split. */
		if (!single)
			break;
	}
	return holes;
}

static bool
scatter_one(struct age_run *run, struct scatter *s)
{
	struct hold_ref r;
	unsigned long region;

	if (!run_get(run, LAB_MIGRATE_UNMOVABLE, 0, HOLD_IMMORTAL, &r))
		return false;
	region = hold_of(run->t, r)->pfn >> run->cfg->order;
	if (s->unfilled[region] && (s->kept[region] || s->spared[region])) {
		hold_of(run->t, r)->death = BALLAST;
	} else {
		s->kept[region] = 1;
		s->done++;
	}
	return true;
}

static void
one_round(struct age_run *run, unsigned int i)
{
	struct scatter *s = run->model_data;
	unsigned long goal, level = run->used;

	if (s == NULL)
		return;
	goal = (unsigned long)((double)s->goal * (i + 1) / run->cfg->rounds + 0.5);
	while (s->done < goal && run_tick(run)) {
		unsigned long want = goal - s->done;
		unsigned int n = make_holes(run, s, want < BATCH ? (unsigned int)want : BATCH);

		for (unsigned int k = 0; k < n; k++)
			if (!scatter_one(run, s))
				return;
		if (n == 0)
			return;
		run_fill(run, level, LAB_MIGRATE_MOVABLE, NULL);
	}
}

/** Free what the region has of movable memory, as far as the goal allows. */
static void
free_movable(struct age_run *run, unsigned long region)
{
	unsigned long pfn = region << run->cfg->order, end = pfn + order_pages(run->cfg->order);
	struct hold_ref r;

	for (; pfn < end && run->used > run->goal; pfn++)
		if (hold_at(run->t, pfn, &r) && r.mt == LAB_MIGRATE_MOVABLE &&
			order_pages(hold_of(run->t, r)->order) <= run->used - run->goal)
			run_put(run, r);
}

static void
free_ballast(struct age_run *run)
{
	struct hold_ref r = {LAB_MIGRATE_UNMOVABLE, run->t->nr[LAB_MIGRATE_UNMOVABLE]};

	while (r.i-- > 0)
		if (hold_of(run->t, r)->death == BALLAST)
			run_put(run, r);
}

static void
finish(struct age_run *run)
{
	struct scatter *s = run->model_data;

	if (s == NULL)
		return;
	free_ballast(run);
	for (int spared = 1; spared >= 0; spared--)
		for (unsigned long i = 0; i < run->nr_regions && run_tick(run); i++)
			if (s->spared[s->order[i]] == spared)
				free_movable(run, s->order[i]);
	scatter_free(s);
}

const struct age_model age_scatter = {
	.name = "scatter",
	.help = "unmovable pages scattered under movable memory, which is then freed (Contiguitas)",
	.defaults = defaults,
	.check = check,
	.start = start,
	.round = one_round,
	.finish = finish,
};
