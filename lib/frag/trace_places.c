/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The zone of the beginning, with its free blocks where the trace says. What it does not say is which pageblocks were set
 * aside for atomic requests: those whose free blocks are most like the recorded ones of that type are taken for it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "trace_replay.h"

int
trace_place_add(struct places *p, unsigned long rel, unsigned int order)
{
	if (p->nr == p->max) {
		size_t max = p->max > 0 ? 2 * p->max : 1024;
		struct place *more = realloc(p->at, max * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		p->at = more;
		p->max = max;
	}
	p->at[p->nr++] = (struct place){(uint32_t)rel, order};
	return 0;
}

/* -------------------------------------------------------------- highatomic */

/** How far a pageblock's free blocks are from an n-th of the recorded highatomic ones, in pages. */
static unsigned long
unlike(const struct replay *r, const struct place *p, size_t nr, unsigned long n)
{
	unsigned long blocks[LAB_NR_ORDERS] = {0}, sum = 0;

	for (size_t i = 0; i < nr; i++)
		blocks[p[i].order]++;
	for (int order = 0; order < LAB_NR_ORDERS; order++) {
		unsigned long want = r->head.free[LAB_MIGRATE_HIGHATOMIC][order] / n;

		sum += (blocks[order] > want ? blocks[order] - want : want - blocks[order])
		       << order;
	}
	return sum;
}

/** Of the pageblocks with free blocks of no more than a pageblock the one that is most alike and no highatomic one yet. */
static unsigned long
most_alike(const struct replay *r, const uint8_t *pageblock_mt, unsigned long n)
{
	const struct places *p = &r->places;
	unsigned long best = 0, least = ULONG_MAX;

	for (size_t i = 0, end; i < p->nr; i = end) {
		unsigned long block = p->at[i].rel / LAB_PAGEBLOCK_PAGES, far;

		for (end = i; end < p->nr && p->at[end].rel / LAB_PAGEBLOCK_PAGES == block;)
			end++;
		far = unlike(r, &p->at[i], end - i, n);
		if (p->at[i].order > LAB_PAGEBLOCK_ORDER ||
			pageblock_mt[block] == LAB_MIGRATE_HIGHATOMIC || far >= least ||
			(block + 1) * LAB_PAGEBLOCK_PAGES > r->nr_frames ||
			block * LAB_PAGEBLOCK_PAGES < r->head.start - r->origin)
			continue;
		least = far;
		best = block + 1;
	}
	return best;
}

static void
choose_highatomic(const struct replay *r, struct trace_layout *l)
{
	unsigned long n = r->head.pageblocks[LAB_MIGRATE_HIGHATOMIC];

	for (unsigned long i = 0; i < n; i++) {
		unsigned long block = most_alike(r, l->pageblock_mt, n);

		if (block == 0)
			return;
		l->pageblock_mt[block - 1] = LAB_MIGRATE_HIGHATOMIC;
	}
}

/* ------------------------------------------------------------------ blocks */

/** Fill in the largest aligned blocks of [from, end), all of which is free, or held; without room for them they are only
 *  counted. @param most largest order */
static void
add_blocks(struct trace_layout *l, unsigned long from, unsigned long end, uint8_t state,
	unsigned int most)
{
	while (from < end) {
		unsigned int order = 0;

		while (order < most && !(from & ((2UL << order) - 1)) && end - from >= 2UL << order)
			order++;
		if (l->blocks != NULL)
			l->blocks[l->nr] = (struct lab_block){
				.pfn = from, .order = (uint8_t)order, .state = state};
		l->nr++;
		from += 1UL << order;
	}
}

static uint8_t
type_of(const struct trace_layout *l, unsigned long rel)
{
	return l->pageblock_mt[rel / LAB_PAGEBLOCK_PAGES];
}

static void
type_blocks(struct trace_layout *l)
{
	for (size_t i = 0; i < l->nr; i++) {
		struct lab_block *b = &l->blocks[i];

		b->migratetype = type_of(l, b->pfn);
		if (b->state == LAB_BLOCK_ALLOCATED)
			b->migratetype = LAB_MIGRATE_UNMOVABLE;
	}
}

/** Buddies that lie apart in the trace, which was recorded while it changed, are one block here, but for those that are apart by
 *  their types. */
static size_t
run_end(const struct places *p, const struct trace_layout *l, size_t i)
{
	unsigned long end = p->at[i].rel + (1UL << p->at[i].order);

	for (i++; i < p->nr && p->at[i].rel == end && type_of(l, end) == type_of(l, end - 1); i++)
		end += 1UL << p->at[i].order;
	return i;
}

static void
cover(const struct replay *r, struct trace_layout *l)
{
	unsigned long at = r->head.start - r->origin;

	for (size_t i = 0, next; i < r->places.nr; i = next) {
		const struct place *first = &r->places.at[i], *last;

		next = run_end(&r->places, l, i);
		last = &r->places.at[next - 1];
		add_blocks(l, at, first->rel, LAB_BLOCK_ALLOCATED, LAB_PAGEBLOCK_ORDER);
		at = last->rel + (1UL << last->order);
		add_blocks(l, first->rel, at, LAB_BLOCK_FREE, LAB_MAX_ORDER);
	}
	add_blocks(l, at, r->nr_frames, LAB_BLOCK_ALLOCATED, LAB_PAGEBLOCK_ORDER);
}

int
trace_places_lay_out(struct replay *r, struct trace_layout *l)
{
	*l = (struct trace_layout){0};
	l->nr_pageblocks = (r->nr_frames + LAB_PAGEBLOCK_PAGES - 1) / LAB_PAGEBLOCK_PAGES;
	l->pageblock_mt = malloc(l->nr_pageblocks + 1);
	if (l->pageblock_mt == NULL)
		return -ENOMEM;
	memset(l->pageblock_mt, LAB_MIGRATE_MOVABLE, l->nr_pageblocks);
	choose_highatomic(r, l);
	cover(r, l);
	l->blocks = malloc(l->nr * sizeof(*l->blocks));
	if (l->blocks == NULL) {
		trace_layout_fini(l);
		return -ENOMEM;
	}
	l->nr = 0;
	cover(r, l);
	type_blocks(l);
	return 0;
}
