/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* A region is a block of the index's order, free, held or mixed. The unusable free index counts the
 * free frames outside of regions that are entirely free, so whole regions are what models and steering
 * open and break. */
#include <string.h>

#include "age.h"

static bool
is_others(const struct age_run *run, unsigned long pfn)
{
	return run->others[pfn / 64] >> (pfn % 64) & 1;
}

struct region
region_scan(const struct age_run *run, unsigned long i)
{
	unsigned int order = run->cfg->order;
	struct region g = {.first = i << order, .pages = order_pages(order)};
	unsigned long end = g.first + g.pages, pfn = g.first;
	struct hold_ref r;

	if (end > run->t->spanned) {
		g.others = true;
		g.pages = run->t->spanned - g.first;
		end = run->t->spanned;
	}
	if (hold_covering(run->t, g.first, &r) && hold_of(run->t, r)->order >= order) {
		g.one_block = true;
		g.held = g.pages;
		return g;
	}
	while (pfn < end) {
		if (hold_at(run->t, pfn, &r)) {
			g.held += order_pages(hold_of(run->t, r)->order);
			pfn += order_pages(hold_of(run->t, r)->order);
		} else {
			g.others = is_others(run, pfn++) || g.others;
		}
	}
	return g;
}

unsigned long
region_clear(struct age_run *run, unsigned long i)
{
	unsigned int order = run->cfg->order;
	unsigned long pfn = i << order, end = pfn + order_pages(order), before = run->used;
	struct hold_ref r;

	if (hold_covering(run->t, pfn, &r) && hold_of(run->t, r)->order > order)
		run_put(run, r);
	for (; pfn < end && pfn < run->t->spanned; pfn++)
		if (hold_at(run->t, pfn, &r))
			run_put(run, r);
	return before - run->used;
}

uint32_t *
region_permutation(struct age_run *run)
{
	uint32_t *p = calloc(run->nr_regions + 1, sizeof(*p));

	for (unsigned long i = 0; p != NULL && i < run->nr_regions; i++) {
		unsigned long j = lab_rng_below(&run->rng, i + 1);

		p[i] = p[j];
		p[j] = (uint32_t)i;
	}
	return p;
}

bool
region_stays_used(const struct age_run *run, struct hold_ref r)
{
	unsigned int order = run->cfg->order;
	const struct hold *h = hold_of(run->t, r);
	unsigned long end, pfn = h->pfn & ~(order_pages(order) - 1);
	struct hold_ref other;

	if (h->order >= order)
		return false;
	for (end = pfn + order_pages(order); pfn < end; pfn++)
		if (pfn >= run->t->spanned || is_others(run, pfn) ||
			(pfn != h->pfn && hold_at(run->t, pfn, &other)))
			return true;
	return false;
}

void
region_open(struct age_run *run, unsigned long suitable, unsigned long used)
{
	unsigned long have = run_suitable(run), freed;
	uint32_t *order = region_permutation(run);

	for (unsigned long i = 0; order != NULL && i < run->nr_regions && have < suitable; i++) {
		struct region g = region_scan(run, order[i]);

		if (g.others || g.held == 0)
			continue;
		if (run->used < used + g.held || !run_tick(run))
			break;
		freed = region_clear(run, order[i]) >> run->cfg->order;
		have += freed > 1 ? freed : 1;
	}
	free(order);
}

bool
region_break(struct age_run *run, bool keep_first)
{
	unsigned int order = run->cfg->order;
	unsigned long keep = keep_first ? 0 : lab_rng_below(&run->rng, order_pages(order));
	struct lab_tenants *t = run->t;
	struct hold_ref r, last;

	if (t->blocks + order_pages(order) > t->max_blocks) {
		run->no_slot = true;
		return false;
	}
	/* Movable blocks are had from CMA too. */
	if (!run_get(run, run_draw_type(run), order, HOLD_IMMORTAL, &r) &&
		!run_get(run, LAB_MIGRATE_MOVABLE, order, HOLD_IMMORTAL, &r))
		return false;
	if (tenants_split(t, r) != 0)
		return false;
	/* The frames are the last ones of the array, in order. */
	last.mt = r.mt;
	last.i = t->nr[r.mt];
	for (unsigned long i = order_pages(order); i-- > 0;) {
		last.i--;
		if (i != keep)
			run_put(run, last);
	}
	return true;
}
