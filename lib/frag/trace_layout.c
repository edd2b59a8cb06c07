/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* A trace tells how many free blocks there were, not where. They are laid out at random, so that no two free
 * buddies lie apart: free blocks of order 10 take pairs of pageblocks, the other pageblocks begin as held, and each free
 * block, large ones first, is cut out of the largest held region of its type. That spreads the free blocks and
 * uses up no more room than any other choice: a region that is cut loses one place of that order. Half of the pageblocks
 * stay whole as long as the others have room: a kernel holds huge pages and large folios, and gives them back whole. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

#define PAIR       (2 * LAB_PAGEBLOCK_PAGES)
#define NR_REGIONS (LAB_PAGEBLOCK_ORDER + 1) /* orders of held regions */
#define NO_TYPE    0xff

struct pool {
	uint32_t *pfn;
	size_t nr, max;
};

struct maker {
	struct trace_layout *l;
	const struct lab_trace_head *h;
	struct lab_rng *rng;
	uint8_t *free_order; /* of the free block that begins at a frame, + 1 */
	struct pool pool[LAB_MIGRATE_TYPES][NR_REGIONS];
	struct pool aside; /* regions whose buddy is free: not for this order */
	unsigned long free[LAB_MIGRATE_TYPES][LAB_NR_ORDERS];
	size_t keep
		[LAB_MIGRATE_TYPES]; /* pageblocks that stay held as a whole while others have room */
	size_t max_blocks;
	bool no_memory;
};

static void
push(struct maker *m, struct pool *p, unsigned long pfn)
{
	if (p->nr == p->max) {
		size_t max = p->max > 0 ? 2 * p->max : 64;
		uint32_t *more = realloc(p->pfn, max * sizeof(*more));

		if (more == NULL) {
			m->no_memory = true;
			return;
		}
		p->pfn = more;
		p->max = max;
	}
	p->pfn[p->nr++] = (uint32_t)pfn;
}

static unsigned long
pop_random(struct maker *m, struct pool *p)
{
	size_t i = lab_rng_below(m->rng, p->nr);
	unsigned long pfn = p->pfn[i];

	p->pfn[i] = p->pfn[--p->nr];
	return pfn;
}

static void
add_block(struct maker *m, unsigned long pfn, unsigned int order, unsigned int mt, uint8_t state)
{
	struct trace_layout *l = m->l;

	if (l->nr == m->max_blocks) {
		size_t max = m->max_blocks > 0 ? 2 * m->max_blocks : 1024;
		struct lab_block *more = realloc(l->blocks, max * sizeof(*more));

		if (more == NULL) {
			m->no_memory = true;
			return;
		}
		l->blocks = more;
		m->max_blocks = max;
	}
	l->blocks[l->nr++] = (struct lab_block){
		.pfn = pfn, .order = (uint8_t)order, .migratetype = (uint8_t)mt, .state = state};
}

static void
add_free(struct maker *m, unsigned long pfn, unsigned int order, unsigned int mt)
{
	m->free_order[pfn] = (uint8_t)(order + 1);
	add_block(m, pfn, order, mt, LAB_BLOCK_FREE);
}

/* -------------------------------------------------------------- pageblocks */

static void
shuffle(struct maker *m, uint32_t *v, size_t n)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = lab_rng_below(m->rng, i);
		uint32_t x = v[i - 1];

		v[i - 1] = v[j];
		v[j] = x;
	}
}

/** Whole pairs become free blocks of order 10, as many as there were. */
static int
place_pairs(struct maker *m)
{
	struct trace_layout *l = m->l;
	size_t n = m->h->managed / PAIR, next = 0;
	uint32_t *pair = malloc((n + 1) * sizeof(*pair));

	if (pair == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		pair[i] = (uint32_t)i;
	shuffle(m, pair, n);
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		for (unsigned long k = 0; k < m->free[mt][LAB_MAX_ORDER]; k++) {
			if (next == n) {
				l->missed[LAB_MAX_ORDER]++;
				continue;
			}
			l->pageblock_mt[2 * pair[next]] = l->pageblock_mt[2 * pair[next] + 1] =
				(uint8_t)mt;
			add_free(m, pair[next++] * PAIR, LAB_MAX_ORDER, mt);
		}
	free(pair);
	return 0;
}

/** How many more pageblocks a type wants: as recorded, and at least what its free blocks need. */
static unsigned long
wanted(const struct maker *m, unsigned int mt)
{
	unsigned long pages = 0, have = 2 * m->free[mt][LAB_MAX_ORDER];
	unsigned long recorded = m->h->pageblocks[mt];

	if (mt == LAB_MIGRATE_MOVABLE) /* the other ones' are joined to it */
		recorded +=
			m->h->pageblocks[LAB_MIGRATE_CMA] + m->h->pageblocks[LAB_MIGRATE_ISOLATE];
	for (int order = 0; order < LAB_MAX_ORDER; order++)
		pages += m->free[mt][order] << order;
	pages = (pages + LAB_PAGEBLOCK_PAGES - 1) / LAB_PAGEBLOCK_PAGES;
	recorded = recorded > have ? recorded - have : 0;
	return recorded > pages ? recorded : pages;
}

/** The pageblocks that are left get their types; what nobody wants is movable. */
static int
type_pageblocks(struct maker *m)
{
	static const uint8_t turn[] = {LAB_MIGRATE_HIGHATOMIC, LAB_MIGRATE_UNMOVABLE,
		LAB_MIGRATE_RECLAIMABLE, LAB_MIGRATE_MOVABLE};
	struct trace_layout *l = m->l;
	size_t n = 0, next = 0;
	uint32_t *left = malloc((l->nr_pageblocks + 1) * sizeof(*left));

	if (left == NULL)
		return -ENOMEM;
	/* a pageblock that the zone's end cuts stays movable: highatomic ones are whole */
	for (size_t i = 0; i < m->h->managed / LAB_PAGEBLOCK_PAGES; i++)
		if (l->pageblock_mt[i] == NO_TYPE)
			left[n++] = (uint32_t)i;
	shuffle(m, left, n);
	for (size_t t = 0; t < LAB_ARRAY_SIZE(turn); t++)
		for (unsigned long k = wanted(m, turn[t]); k > 0 && next < n; k--)
			l->pageblock_mt[left[next++]] = turn[t];
	free(left);
	for (size_t i = 0; i < l->nr_pageblocks; i++)
		if (l->pageblock_mt[i] == NO_TYPE)
			l->pageblock_mt[i] = LAB_MIGRATE_MOVABLE;
	return 0;
}

/** All that is not free yet is held, in the largest aligned regions up to a pageblock. */
static void
hold_rest(struct maker *m)
{
	unsigned long pfn = 0;

	while (pfn < m->h->managed && !m->no_memory) {
		unsigned int order = LAB_PAGEBLOCK_ORDER;

		if (m->free_order[pfn] > 0) {
			pfn += 1UL << (m->free_order[pfn] - 1);
			continue;
		}
		while (pfn & ((1UL << order) - 1) || pfn + (1UL << order) > m->h->managed)
			order--;
		push(m, &m->pool[m->l->pageblock_mt[pfn / LAB_PAGEBLOCK_PAGES]][order], pfn);
		pfn += 1UL << order;
	}
}

/* ------------------------------------------------------------- free blocks */

static bool
buddy_is_free(const struct maker *m, unsigned long pfn, unsigned int order)
{
	unsigned long buddy = pfn ^ (1UL << order);

	return buddy < m->h->managed && m->free_order[buddy] == order + 1;
}

/** Cut a free block out of a larger region; the halves that are not cut further stay held. */
static void
cut(struct maker *m, unsigned int mt, unsigned long pfn, unsigned int from, unsigned int order)
{
	while (from > order) {
		unsigned long half = 1UL << --from, other = pfn + half;

		if (lab_rng_below(m->rng, 2)) {
			other = pfn;
			pfn += half;
		}
		push(m, &m->pool[mt][from], other);
	}
	add_free(m, pfn, order, mt);
}

static bool
place_free(struct maker *m, unsigned int mt, unsigned int order)
{
	struct pool *exact = &m->pool[mt][order];

	for (unsigned int from = LAB_PAGEBLOCK_ORDER; from > order; from--)
		if (m->pool[mt][from].nr > (from == LAB_PAGEBLOCK_ORDER ? m->keep[mt] : 0)) {
			cut(m, mt, pop_random(m, &m->pool[mt][from]), from, order);
			return true;
		}
	while (exact->nr > 0 && !m->no_memory) {
		unsigned long pfn = pop_random(m, exact);

		if (!buddy_is_free(m, pfn, order)) {
			add_free(m, pfn, order, mt);
			return true;
		}
		push(m, &m->aside, pfn);
	}
	if (m->keep[mt] == 0)
		return false;
	m->keep[mt] = 0;
	return place_free(m, mt, order);
}

static void
back_from_aside(struct maker *m, unsigned int order)
{
	while (m->aside.nr > 0 && !m->no_memory) {
		unsigned long pfn = m->aside.pfn[--m->aside.nr];

		push(m, &m->pool[m->l->pageblock_mt[pfn / LAB_PAGEBLOCK_PAGES]][order], pfn);
	}
}

/** In a pageblock of its type, or else of any other. */
static void
place_order(struct maker *m, unsigned int order)
{
	unsigned long homeless = 0;

	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		for (unsigned long k = m->free[mt][order]; k > 0 && !m->no_memory; k--)
			homeless += !place_free(m, mt, order);
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		while (homeless > 0 && !m->no_memory && place_free(m, mt, order))
			homeless--;
	m->l->missed[order] = homeless;
	back_from_aside(m, order);
}

static void
add_held(struct maker *m)
{
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		for (unsigned int order = 0; order < NR_REGIONS; order++)
			for (size_t i = 0; i < m->pool[mt][order].nr; i++)
				add_block(m, m->pool[mt][order].pfn[i], order,
					mt < LAB_MIGRATE_PCPTYPES ? mt : LAB_MIGRATE_UNMOVABLE,
					LAB_BLOCK_ALLOCATED);
}

/** CMA and isolated blocks join the movable ones: the zone has no such pageblocks. */
static void
join_types(struct maker *m, bool highatomic)
{
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++) {
		unsigned int to = mt;

		if (mt == LAB_MIGRATE_CMA || mt == LAB_MIGRATE_ISOLATE)
			to = LAB_MIGRATE_MOVABLE;
		else if (mt == LAB_MIGRATE_HIGHATOMIC && !highatomic)
			to = LAB_MIGRATE_UNMOVABLE;
		for (int order = 0; order < LAB_NR_ORDERS; order++)
			m->free[to][order] += m->h->free[mt][order];
	}
}

static int
make(struct maker *m)
{
	int rc = place_pairs(m);

	rc = rc != 0 ? rc : type_pageblocks(m);
	if (rc != 0)
		return rc;
	hold_rest(m);
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		m->keep[mt] = m->pool[mt][LAB_PAGEBLOCK_ORDER].nr / 2;
	for (unsigned int order = LAB_MAX_ORDER; order-- > 0;)
		place_order(m, order);
	add_held(m);
	return m->no_memory ? -ENOMEM : 0;
}

static void
maker_fini(struct maker *m)
{
	for (unsigned int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		for (unsigned int order = 0; order < NR_REGIONS; order++)
			free(m->pool[mt][order].pfn);
	free(m->aside.pfn);
	free(m->free_order);
}

int
trace_layout_make(struct trace_layout *l, const struct lab_trace_head *h, bool highatomic,
	struct lab_rng *rng)
{
	struct maker m = {.l = l, .h = h, .rng = rng};
	int rc = -ENOMEM;

	*l = (struct trace_layout){0};
	l->nr_pageblocks = (h->managed + LAB_PAGEBLOCK_PAGES - 1) / LAB_PAGEBLOCK_PAGES;
	l->pageblock_mt = malloc(l->nr_pageblocks + 1);
	m.free_order = calloc(h->managed + 1, 1);
	if (l->pageblock_mt != NULL && m.free_order != NULL) {
		memset(l->pageblock_mt, NO_TYPE, l->nr_pageblocks);
		join_types(&m, highatomic);
		rc = make(&m);
	}
	maker_fini(&m);
	if (rc != 0)
		trace_layout_fini(l);
	return rc;
}

void
trace_layout_fini(struct trace_layout *l)
{
	free(l->blocks);
	free(l->pageblock_mt);
	*l = (struct trace_layout){0};
}
