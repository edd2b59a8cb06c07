/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * A second, slow implementation of what Linux 6.12 does without per-CPU lists, written from the rules
 * alone: every answer of a zone, the very frame of each block and the cause of each refusal, must be
 * the model's over long random histories.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_page.h"

#define NONE  UINT32_MAX
#define BLOCK LAB_PAGEBLOCK_PAGES

enum kind { INSIDE, FREE, USED };

struct frame {
	enum kind kind;
	unsigned int order, mt;
	uint32_t next, prev;
};

struct model {
	uint32_t nr;
	struct frame *f;
	uint8_t *block_mt;
	struct list {
		uint32_t head, tail;
		unsigned long n;
	} lists[LAB_MIGRATE_TYPES][LAB_NR_ORDERS];
	unsigned long free, free_of[LAB_MIGRATE_TYPES], reserved;
	unsigned long min, low, high, boost, lowmem;
	bool normal; /* the zone's type is Normal: the first pass avoids fragmentation */
};

/* ------------------------------------------------------------------ lists */

static void
list_add(struct model *m, uint32_t p, unsigned int order, unsigned int mt, bool tail)
{
	struct list *l = &m->lists[mt][order];
	struct frame *f = &m->f[p];

	*f = (struct frame){FREE, order, mt, NONE, NONE};
	if (l->head == NONE) {
		l->head = l->tail = p;
	} else if (tail) {
		f->prev = l->tail;
		m->f[l->tail].next = p;
		l->tail = p;
	} else {
		f->next = l->head;
		m->f[l->head].prev = p;
		l->head = p;
	}
	l->n++;
	m->free += 1UL << order;
	m->free_of[mt] += 1UL << order;
}

static void
list_del(struct model *m, uint32_t p)
{
	struct frame *f = &m->f[p];
	struct list *l = &m->lists[f->mt][f->order];

	*(f->prev == NONE ? &l->head : &m->f[f->prev].next) = f->next;
	*(f->next == NONE ? &l->tail : &m->f[f->next].prev) = f->prev;
	l->n--;
	m->free -= 1UL << f->order;
	m->free_of[f->mt] -= 1UL << f->order;
	f->kind = INSIDE;
}

static void
split(struct model *m, uint32_t p, unsigned int want, unsigned int have, unsigned int mt)
{
	while (have-- > want)
		list_add(m, p + (1U << have), have, mt, false);
}

static uint32_t
smallest(struct model *m, unsigned int order, unsigned int mt)
{
	for (unsigned int o = order; o < LAB_NR_ORDERS; o++) {
		uint32_t p = m->lists[mt][o].head;

		if (p == NONE)
			continue;
		list_del(m, p);
		split(m, p, order, o, mt);
		return p;
	}
	return NONE;
}

static bool
is_free(const struct model *m, uint32_t p, unsigned int order)
{
	return p < m->nr && m->f[p].kind == FREE && m->f[p].order == order;
}

static bool
normal_type(unsigned int mt)
{
	return mt <= LAB_MIGRATE_RECLAIMABLE;
}

static void
give(struct model *m, uint32_t p, unsigned int order, bool tail)
{
	unsigned int mt = m->block_mt[p / BLOCK];
	uint32_t up;

	m->f[p].kind = INSIDE;
	while (order < LAB_MAX_ORDER && is_free(m, p ^ 1U << order, order)) {
		uint32_t buddy = p ^ 1U << order;
		unsigned int other = m->block_mt[buddy / BLOCK];

		if (order >= LAB_PAGEBLOCK_ORDER && mt != other &&
			!(normal_type(mt) && normal_type(other)))
			break;
		list_del(m, buddy);
		if (other != mt)
			m->block_mt[buddy / BLOCK] = mt;
		p &= ~(1U << order);
		order++;
	}
	up = p & ~(1U << order);
	if (order < LAB_MAX_ORDER - 1 && is_free(m, up ^ 2U << order, order + 1))
		tail = true;
	list_add(m, p, order, mt, tail);
}

static void
retype(struct model *m, uint32_t p, unsigned int to)
{
	uint32_t start = p - p % BLOCK;

	for (uint32_t i = start; i < start + BLOCK; i++) {
		unsigned int order = m->f[i].order;

		if (m->f[i].kind != FREE)
			continue;
		list_del(m, i);
		list_add(m, i, order, to, true);
	}
	m->block_mt[start / BLOCK] = to;
}

/* --------------------------------------------------------------- fallback */

static int
lender(const struct model *m, unsigned int order, unsigned int mt)
{
	static const int from[3][2] = {{2, 1}, {2, 0}, {0, 1}};

	for (int i = 0; i < 2; i++) {
		if (m->lists[from[mt][i]][order].head != NONE)
			return from[mt][i];
	}
	return -1;
}

static void
boost(struct model *m)
{
	unsigned long most = m->high * 15000 / 10000;

	if (4 * BLOCK > m->nr || most == 0)
		return;
	if (most < BLOCK)
		most = BLOCK;
	m->boost = m->boost + BLOCK < most ? m->boost + BLOCK : most;
}

/** Free pages of the block, and those that suit the request. */
static unsigned long
suitable(const struct model *m, uint32_t p, unsigned int mt, unsigned int from)
{
	uint32_t start = p - p % BLOCK;
	unsigned long free = 0, movable = 0;

	for (uint32_t i = start; i < start + BLOCK; i++) {
		if (m->f[i].kind == FREE)
			free += 1UL << m->f[i].order;
		if (m->f[i].kind == USED && m->f[i].mt == LAB_MIGRATE_MOVABLE)
			movable += 1UL << m->f[i].order;
	}
	if (mt == LAB_MIGRATE_MOVABLE)
		return free + movable;
	return from == LAB_MIGRATE_MOVABLE ? BLOCK - movable : free;
}

static uint32_t
claim(struct model *m, unsigned int order, unsigned int mt, bool whole_only)
{
	int least = whole_only && order < LAB_PAGEBLOCK_ORDER ? LAB_PAGEBLOCK_ORDER : (int)order;

	for (int o = LAB_MAX_ORDER; o >= least; o--) {
		int from = lender(m, o, mt);
		uint32_t p;

		if (from < 0)
			continue;
		if (o < LAB_PAGEBLOCK_ORDER / 2 && mt == LAB_MIGRATE_MOVABLE)
			break;
		p = m->lists[from][o].head;
		if (o >= LAB_PAGEBLOCK_ORDER) {
			list_del(m, p);
			for (uint32_t i = 0; i < 1U << o; i += BLOCK)
				m->block_mt[(p + i) / BLOCK] = mt;
			split(m, p, order, o, mt);
			return p;
		}
		boost(m);
		if (p - p % BLOCK + BLOCK > m->nr || suitable(m, p, mt, from) < BLOCK / 2)
			continue;
		retype(m, p, mt);
		return smallest(m, order, mt);
	}
	return NONE;
}

static uint32_t
steal(struct model *m, unsigned int order, unsigned int mt)
{
	for (unsigned int o = order; o < LAB_NR_ORDERS; o++) {
		int from = lender(m, o, mt);
		uint32_t p;

		if (from < 0)
			continue;
		p = m->lists[from][o].head;
		list_del(m, p);
		split(m, p, order, o, from);
		return p;
	}
	return NONE;
}

/* --------------------------------------------------------------- requests */

/** What one pass may do. */
struct pass {
	unsigned long mark;
	bool half, non_block, highatomic, oom, any, cma, nofragment;
	bool at_min;
};

static bool
has_block(const struct model *m, const struct pass *a, unsigned int order)
{
	for (unsigned int o = order; o < LAB_NR_ORDERS; o++) {
		if (m->lists[0][o].n || m->lists[1][o].n || m->lists[2][o].n ||
			(a->cma && m->lists[LAB_MIGRATE_CMA][o].n) ||
			((a->highatomic || a->oom) && m->lists[LAB_MIGRATE_HIGHATOMIC][o].n))
			return true;
	}
	return false;
}

static bool
gate(const struct model *m, const struct pass *a, unsigned int order)
{
	bool reserves = a->half || a->non_block || a->highatomic || a->oom;
	long free = m->free, min = a->mark + m->boost;

	if (a->at_min && a->half && order == 0)
		min = a->mark; /* the boost is for kswapd, not for the urgent */
	free -= (1L << order) - 1;
	if (!reserves)
		free -= m->free_of[LAB_MIGRATE_HIGHATOMIC];
	if (!a->cma)
		free -= m->free_of[LAB_MIGRATE_CMA];
	if (a->half)
		min -= min / 2;
	if (a->half && a->non_block)
		min -= min / 4;
	if (a->oom)
		min -= min / 2;
	return free > min + (long)m->lowmem && (order == 0 || has_block(m, a, order));
}

static uint32_t
by_type(struct model *m, const struct pass *a, unsigned int order, unsigned int mt)
{
	uint32_t p = NONE;

	if (a->cma && m->free_of[LAB_MIGRATE_CMA] > m->free / 2)
		p = smallest(m, order, LAB_MIGRATE_CMA);
	if (p == NONE)
		p = smallest(m, order, mt);
	if (p == NONE && a->cma)
		p = smallest(m, order, LAB_MIGRATE_CMA);
	if (p == NONE)
		p = claim(m, order, mt, a->nofragment);
	if (p == NONE && !a->nofragment)
		p = steal(m, order, mt);
	return p;
}

static void
reserve(struct model *m, uint32_t p, unsigned int order)
{
	unsigned long share = m->nr / 100, cap = (share + BLOCK - 1) / BLOCK * BLOCK;

	if (share < BLOCK || m->reserved >= cap || !normal_type(m->block_mt[p / BLOCK]) ||
		p - p % BLOCK + BLOCK > m->nr)
		return;
	if (order < LAB_PAGEBLOCK_ORDER) {
		retype(m, p, LAB_MIGRATE_HIGHATOMIC);
		m->reserved += BLOCK;
		return;
	}
	for (uint32_t i = 0; i < 1U << order; i += BLOCK)
		m->block_mt[(p + i) / BLOCK] = LAB_MIGRATE_HIGHATOMIC;
	m->reserved += 1UL << order;
}

static uint32_t
try(struct model *m, const struct pass *a, unsigned int order, unsigned int mt)
{
	uint32_t p = NONE;

	if (!a->any && !gate(m, a, order))
		return NONE;
	if (a->highatomic)
		p = smallest(m, order, LAB_MIGRATE_HIGHATOMIC);
	if (p == NONE)
		p = by_type(m, a, order, mt);
	if (p == NONE && (a->oom || a->non_block))
		p = smallest(m, order, LAB_MIGRATE_HIGHATOMIC);
	if (p == NONE)
		return NONE;
	m->f[p].kind = USED;
	m->f[p].order = order;
	m->f[p].mt = mt;
	if (a->highatomic)
		reserve(m, p, order);
	return p;
}

/** Requests that cannot reclaim, and those of others where there is nothing to reclaim. */
static uint32_t
model_alloc(struct model *m, lab_gfp_t gfp, unsigned int order)
{
	unsigned int mt = gfp & __LAB_GFP_MOVABLE ? 1 : gfp & __LAB_GFP_RECLAIMABLE ? 2 : 0;
	bool wait = gfp & __LAB_GFP_DIRECT_RECLAIM, nomem = gfp & __LAB_GFP_NOMEMALLOC;
	struct pass low = {.mark = m->low, .cma = mt == 1, .nofragment = m->normal};
	struct pass min = {.mark = m->min, .at_min = true, .cma = mt == 1};
	struct pass last = {.mark = m->min, .at_min = true, .cma = mt == 1};
	uint32_t p = try(m, &low, order, mt);

	if (p == NONE && low.nofragment) {
		low.nofragment = false;
		p = try(m, &low, order, mt);
	}
	min.half = gfp & __LAB_GFP_HIGH;
	min.non_block = !wait && !nomem;
	min.highatomic = min.non_block && min.half && order > 0;
	if (p == NONE)
		p = try(m, &min, order, mt);
	last.any = !nomem && (gfp & __LAB_GFP_MEMALLOC);
	last.oom = !nomem && !last.any && (gfp & __LAB_GFP_OOM_VICTIM);
	if (p == NONE && (last.any || last.oom))
		p = try(m, &last, order, mt);
	return p;
}

/* ------------------------------------------------------------- comparison */

struct pair {
	struct lab_zone *zone;
	struct model m;
	struct held {
		uint32_t pfn;
		unsigned int order;
	} * held;
	size_t nr_held;
	struct lab_rng rng;
	unsigned long refused, allocated;
};

static void
make_pair(struct pair *x, const struct lab_zone_config *cfg, uint64_t seed)
{
	struct lab_zone_info info;
	uint32_t nr = cfg->nr_pages;

	memset(x, 0, sizeof(*x));
	assert_int_equal(lab_zone_create(&x->zone, cfg), 0);
	lab_zone_info_get(x->zone, &info);
	x->m = (struct model){.nr = nr,
		.f = calloc(nr, sizeof(*x->m.f)),
		.block_mt = malloc(nr / BLOCK + 1),
		.min = info.wmark.min,
		.low = info.wmark.low,
		.high = info.wmark.high,
		.lowmem = cfg->lowmem_reserve[LAB_ZONE_NORMAL],
		.normal = cfg->type == LAB_ZONE_NORMAL};
	memset(x->m.block_mt, LAB_MIGRATE_MOVABLE, nr / BLOCK + 1);
	for (uint32_t p = nr - cfg->cma_pages; cfg->cma_pages && p < nr; p += BLOCK)
		x->m.block_mt[p / BLOCK] = LAB_MIGRATE_CMA;
	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++) {
		for (int o = 0; o < LAB_NR_ORDERS; o++)
			x->m.lists[mt][o] = (struct list){NONE, NONE, 0};
	}
	/* Boot hands frames over in rising order and to the tails. */
	for (uint32_t p = 0, o; p < nr; p += 1U << o) {
		for (o = LAB_PAGEBLOCK_ORDER; p % (1U << o) || p + (1U << o) > nr;)
			o--;
		give(&x->m, p, o, true);
	}
	x->held = calloc(nr, sizeof(*x->held));
	lab_rng_seed(&x->rng, seed);
}

static void
drop_pair(struct pair *x)
{
	lab_zone_destroy(x->zone);
	free(x->m.f);
	free(x->m.block_mt);
	free(x->held);
}

static void
compare_counts(struct pair *x)
{
	struct lab_free_counts c;
	struct lab_zone_info info;

	lab_zone_info_get(x->zone, &info);
	lab_zone_free_counts(x->zone, &c);
	assert_int_equal(c.nr_free, x->m.free);
	assert_int_equal(c.nr_free_cma, x->m.free_of[LAB_MIGRATE_CMA]);
	assert_int_equal(c.highatomic, x->m.free_of[LAB_MIGRATE_HIGHATOMIC]);
	assert_int_equal(info.nr_highatomic, x->m.reserved);
	assert_int_equal(info.boost, x->m.boost);
	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++) {
		for (int o = 0; o < LAB_NR_ORDERS; o++)
			assert_int_equal(c.blocks[o][mt], x->m.lists[mt][o].n);
	}
	for (uint32_t p = 0; p < x->m.nr; p += BLOCK)
		assert_int_equal(lab_pageblock_migratetype(x->zone, p), x->m.block_mt[p / BLOCK]);
}

static void
step_alloc(struct pair *x, lab_gfp_t gfp, unsigned int order)
{
	enum lab_cause told = lab_zone_explain(x->zone, gfp, order, NULL);
	void *page = lab_alloc_pages(x->zone, gfp, order);
	int err = errno;
	uint32_t pfn = model_alloc(&x->m, gfp, order);

	if (pfn == NONE) {
		assert_null(page);
		assert_int_not_equal(told, LAB_CAUSE_NONE);
		assert_int_equal(lab_errno_cause(err), told);
		x->refused++;
		return;
	}
	assert_non_null(page);
	assert_int_equal(told, LAB_CAUSE_NONE);
	assert_int_equal(lab_page_to_pfn(x->zone, page), pfn);
	x->held[x->nr_held++] = (struct held){pfn, order};
	x->allocated++;
}

static void
step_free(struct pair *x)
{
	size_t i = lab_rng_below(&x->rng, x->nr_held);
	struct held h;

	if (x->nr_held == 0)
		return;
	h = x->held[i];
	x->held[i] = x->held[--x->nr_held];
	assert_int_equal(lab_free_pages(x->zone, lab_pfn_to_page(x->zone, h.pfn), h.order), 0);
	give(&x->m, h.pfn, h.order, false);
}

/** One type is asked for more than the others, so that it has to borrow from them. */
static lab_gfp_t
random_gfp(struct lab_rng *rng, unsigned int phase)
{
	/* NORETRY: reclaim, which has nothing to give here, is not tried again and again. */
	static const lab_gfp_t some[] = {LAB_GFP_ATOMIC, LAB_GFP_ATOMIC, LAB_GFP_NOWAIT,
		LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, LAB_GFP_KERNEL | __LAB_GFP_NORETRY,
		LAB_GFP_KERNEL | __LAB_GFP_HIGH | __LAB_GFP_NORETRY,
		LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC, LAB_GFP_NOWAIT | __LAB_GFP_OOM_VICTIM,
		LAB_GFP_ATOMIC | __LAB_GFP_OOM_VICTIM, __LAB_GFP_HIGH, 0};
	static const lab_gfp_t types[] = {0, __LAB_GFP_MOVABLE, __LAB_GFP_RECLAIMABLE};

	return some[lab_rng_below(rng, LAB_ARRAY_SIZE(some))] |
	       types[lab_rng_below(rng, LAB_ARRAY_SIZE(types))];
}

/** A history that never fell back or met a mark would prove little. */
static void
expect_all_met(struct pair *x)
{
	struct lab_zone_stats stats;

	lab_zone_stats_get(x->zone, &stats);
	assert_true(stats.claim > 10 && (stats.steal > 0 || x->m.nr >= 100 * BLOCK));
	assert_int_equal(stats.boost > 0, x->m.nr >= 4 * BLOCK);
	assert_int_equal(stats.highatomic_reserve > 0, x->m.nr >= 100 * BLOCK);
	assert_true(stats.refused[LAB_CAUSE_EXHAUSTED] && stats.refused[LAB_CAUSE_WATERMARK] &&
		    stats.refused[LAB_CAUSE_ORDER]);
	assert_true(x->allocated > 1000 && x->refused > 100);
}

/** Small orders most of the time; the mix of requests and frees swings so that the zone fills up. */
static void
run(struct pair *x, unsigned int steps)
{
	for (unsigned int i = 0; i < steps; i++) {
		bool filling = i / 4000 % 3 != 2;
		unsigned int order = lab_rng_below(&x->rng, 4);

		if (lab_rng_below(&x->rng, 100) < (filling ? 65 : 30)) {
			if (lab_rng_below(&x->rng, 8) == 0)
				order = lab_rng_below(&x->rng, LAB_NR_ORDERS);
			step_alloc(x, random_gfp(&x->rng, i / 1500), order);
		} else {
			step_free(x);
		}
		if (i % 500 == 0)
			compare_counts(x);
	}
	compare_counts(x);
	assert_true(lab_zone_is_valid(x->zone, NULL, 0));
	expect_all_met(x);
	while (x->nr_held > 0)
		step_free(x);
	compare_counts(x);
}

static void
run_all(struct lab_zone_config cfg, unsigned int steps)
{
	cfg.no_pcp = true;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct pair x;

		make_pair(&x, &cfg, seed);
		run(&x, steps);
		drop_pair(&x);
	}
}

static void
test_normal_zone(void **state)
{
	run_all(lab_zone_config_default(6000), 24000);
}

static void
test_dma32_zone(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(8192);

	cfg.type = LAB_ZONE_DMA32;
	cfg.lowmem_reserve[LAB_ZONE_NORMAL] = 300;
	run_all(cfg, 24000);
}

static void
test_zone_with_cma(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(8192);

	cfg.cma_pages = 2048;
	run_all(cfg, 24000);
}

/* Below four pageblocks nothing is boosted. */
static void
test_small_zone(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(2000);

	cfg.min_free_kbytes = 400;
	run_all(cfg, 24000);
}

/* Large enough for two highatomic blocks; most of it is taken away so that the marks are met. */
static void
test_zone_with_highatomic(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(60000);
	struct pair x;

	cfg.no_pcp = true;
	for (uint64_t seed = 1; seed <= 2; seed++) {
		make_pair(&x, &cfg, seed);
		while (x.m.free > 6000)
			step_alloc(&x, LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE, LAB_MAX_ORDER);
		run(&x, 40000);
		drop_pair(&x);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal_zone),
		cmocka_unit_test(test_dma32_zone),
		cmocka_unit_test(test_zone_with_cma),
		cmocka_unit_test(test_small_zone),
		cmocka_unit_test(test_zone_with_highatomic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
