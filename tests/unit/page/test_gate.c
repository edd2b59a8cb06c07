/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_gate.c
 * The gate of a zone, at each boundary and one page either side. The values are worked by hand from
 * __zone_watermark_ok(): a request is served if free - (2^order - 1) > its share of min + reserve.
 */
#include "zone_fixture.h"

#define ZONE_PAGES 32768UL
#define MIN        1000UL

/** A request is served at `least` free pages and refused, for `cause`, at one less. */
static void
check_boundary(const struct lab_zone_config *cfg, lab_gfp_t gfp, unsigned int order,
	unsigned long least, enum lab_cause cause)
{
	for (unsigned long free = least + 1; free + 1 >= least && free <= least + 1; free--) {
		struct lab_zone *z = make_zone(cfg);
		struct lab_verdict v;
		bool served = free >= least;
		void *page;

		take_down_to(z, free);
		assert_int_equal(lab_zone_explain(z, gfp, order, &v), served ? 0 : cause);
		assert_int_equal(v.nr_free, free);
		errno = 0;
		page = lab_alloc_pages(z, gfp, order);
		assert_int_equal(page != NULL, served);
		assert_int_equal(errno, served ? 0 : lab_cause_errno(cause));
		assert_int_equal(zone_stats(z).refused[cause], !served);
		assert_int_equal(free_pages(z), served ? free - (1UL << order) : free);
		assert_valid(z);
		lab_zone_destroy(z);
	}
}

static void
check_plain(lab_gfp_t gfp, unsigned int order, unsigned long least, enum lab_cause cause)
{
	struct lab_zone_config cfg = plain_config(ZONE_PAGES, MIN);

	check_boundary(&cfg, gfp, order, least, cause);
}

/** The table of effective minima, min = 1000. */
static void
test_effective_min(void **state)
{
	const enum lab_cause wmark = LAB_CAUSE_WATERMARK;
	const lab_gfp_t atomic_6_1 = LAB_GFP_ATOMIC | __LAB_GFP_ATOMIC;

	/* min whole: free > 1000 */
	check_plain(LAB_GFP_NOWAIT, 0, 1001, wmark);
	check_plain(LAB_GFP_KERNEL, 0, 1001, wmark);
	check_plain(LAB_GFP_KERNEL | __LAB_GFP_NORETRY, 0, 1001, wmark);
	check_plain(LAB_GFP_HIGHUSER_MOVABLE, 0, 1001, wmark);
	/* HIGH that may reclaim, or without memalloc: min - min/2 = 500 */
	check_plain(LAB_GFP_KERNEL | __LAB_GFP_HIGH, 0, 501, wmark);
	check_plain(LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, 0, 501, wmark);
	/* GFP_ATOMIC: 500 - 500/4 = 375 */
	check_plain(LAB_GFP_ATOMIC, 0, 376, wmark);
	check_plain(atomic_6_1, 0, 376, wmark);
	check_plain(LAB_GFP_ATOMIC | __LAB_GFP_NOWARN | __LAB_GFP_ZERO, 0, 376, wmark);
	/* OOM victim: 500, and never a share of a share; the atomic one's 375 came before it */
	check_plain(LAB_GFP_KERNEL | __LAB_GFP_OOM_VICTIM, 0, 501, wmark);
	check_plain(LAB_GFP_ATOMIC | __LAB_GFP_OOM_VICTIM, 0, 376, wmark);
	check_plain(LAB_GFP_KERNEL | __LAB_GFP_OOM_VICTIM | __LAB_GFP_NOMEMALLOC, 0, 1001, wmark);
	/* MEMALLOC: down to the last page; NOMEMALLOC overrides it */
	check_plain(LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC, 0, 1, LAB_CAUSE_EXHAUSTED);
	check_plain(LAB_GFP_KERNEL | __LAB_GFP_MEMALLOC, 0, 1, LAB_CAUSE_EXHAUSTED);
	check_plain(LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC | __LAB_GFP_NOMEMALLOC, 0, 501, wmark);
}

/** The fractions truncate: min = 1003 gives 1003 - 501 = 502, 502 - 125 = 377. */
static void
test_truncation(void **state)
{
	struct lab_zone_config cfg = plain_config(ZONE_PAGES, 1003);

	check_boundary(&cfg, LAB_GFP_ATOMIC, 0, 378, LAB_CAUSE_WATERMARK);
	check_boundary(&cfg, LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, 0, 503, LAB_CAUSE_WATERMARK);
}

/** A block of order o counts as if its other 2^o - 1 pages were gone already. */
static void
test_order_arithmetic(void **state)
{
	check_plain(LAB_GFP_ATOMIC, 1, 375 + 1 + 1, LAB_CAUSE_WATERMARK);
	check_plain(LAB_GFP_ATOMIC, 3, 375 + 7 + 1, LAB_CAUSE_WATERMARK);
	check_plain(LAB_GFP_NOWAIT, 3, 1000 + 7 + 1, LAB_CAUSE_WATERMARK);
	/* as page_frag asks: half of min */
	check_plain(LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC | __LAB_GFP_COMP | __LAB_GFP_NOWARN |
			    __LAB_GFP_NORETRY,
		3, 500 + 7 + 1, LAB_CAUSE_WATERMARK);
}

static void
test_lowmem_reserve(void **state)
{
	struct lab_zone_config cfg = plain_config(ZONE_PAGES, MIN);
	const lab_gfp_t movable = LAB_GFP_NOWAIT | __LAB_GFP_HIGHMEM | __LAB_GFP_MOVABLE;

	cfg.type = LAB_ZONE_DMA32;
	cfg.lowmem_reserve[LAB_ZONE_NORMAL] = 2000;
	cfg.lowmem_reserve[LAB_ZONE_MOVABLE] = 3000;
	check_boundary(&cfg, LAB_GFP_ATOMIC, 0, 2376, LAB_CAUSE_RESERVE);
	check_boundary(&cfg, LAB_GFP_NOWAIT, 0, 3001, LAB_CAUSE_RESERVE);
	check_boundary(&cfg, movable, 0, 4001, LAB_CAUSE_RESERVE);
	/* a request for this very zone is not held back by it */
	check_boundary(&cfg, LAB_GFP_ATOMIC | __LAB_GFP_DMA32, 0, 376, LAB_CAUSE_WATERMARK);
}

/** One boundary, two causes: at 375 the watermark itself is missed, reserve or not. */
static void
test_reserve_then_watermark(void **state)
{
	struct lab_zone *z = make_plain_zone(ZONE_PAGES, MIN);
	struct lab_verdict v;

	assert_int_equal(lab_zone_set_lowmem_reserve(z, LAB_ZONE_NORMAL, 100), 0);
	assert_int_equal(lab_zone_set_lowmem_reserve(z, LAB_NR_ZONE_TYPES, 100), -EINVAL);
	take_down_to(z, 376);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_ATOMIC, 0, &v), LAB_CAUSE_RESERVE);
	assert_int_equal(v.mark, 1000);
	assert_int_equal(v.min, 375);
	assert_int_equal(v.lowmem_reserve, 100);
	assert_int_equal(v.free, 376);
	take_down_to(z, 375);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_ATOMIC, 0, &v), LAB_CAUSE_WATERMARK);
	take_down_to(z, 0);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_ATOMIC, 0, &v), LAB_CAUSE_EXHAUSTED);
	lab_zone_destroy(z);
}

/** LOW first: gap = max(1000/4, 32768 * 10/10000 = 32) = 250, LOW = 1250. */
static void
test_two_passes(void **state)
{
	struct lab_zone *z = make_plain_zone(ZONE_PAGES, MIN);

	assert_int_equal(zone_info(z).wmark.low, 1250);
	assert_int_equal(zone_info(z).wmark.high, 1500);
	take_down_to(z, 1251);
	lab_zone_kswapd(z);
	lab_zone_stats_reset(z);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_int_equal(zone_stats(z).slowpath, 0);
	assert_false(lab_zone_kswapd_wanted(z));
	assert_int_equal(free_pages(z), 1250);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_int_equal(zone_stats(z).slowpath, 1);
	assert_int_equal(zone_stats(z).kswapd_wake, 1);
	assert_true(lab_zone_kswapd_wanted(z));
	lab_zone_destroy(z);
}

/** Without KSWAPD_RECLAIM nobody is woken. */
static void
test_no_kswapd(void **state)
{
	struct lab_zone *z = make_plain_zone(ZONE_PAGES, MIN);

	take_down_to(z, 1200);
	lab_zone_kswapd(z);
	assert_non_null(lab_alloc_pages(z, __LAB_GFP_HIGH, 0));
	assert_false(lab_zone_kswapd_wanted(z));
	lab_zone_destroy(z);
}

/** Pages enough, but every second one is in use: no block of order 1. */
static void
test_order_cause(void **state)
{
	struct lab_zone *z = make_plain_zone(4096, 100);
	static void *pages[4096];

	for (unsigned int i = 0; i < 4096; i++)
		pages[i] = lab_alloc_pages(z, GFP_ANY, 0);
	for (unsigned int i = 0; i < 4096; i++) {
		if (lab_page_to_pfn(z, pages[i]) % 2 == 0)
			assert_int_equal(lab_free_pages(z, pages[i], 0), 0);
	}
	assert_int_equal(free_pages(z), 2048);
	lab_zone_kswapd(z);
	lab_zone_stats_reset(z);
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 1));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(zone_stats(z).refused[LAB_CAUSE_ORDER], 1);
	assert_int_equal(zone_stats(z).refused_order[1], 1);
	assert_int_equal(zone_stats(z).refused_with_free, 1);
	/* balanced but in pieces: compaction is wanted, not reclaim */
	assert_int_equal(zone_stats(z).kcompactd_wake, 1);
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC, 1));
	assert_int_equal(errno, ENOSPC);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	lab_zone_destroy(z);
}

/* A boost of 512 pages: an order-0 HIGH request at the min mark is asked a second time without it,
 * others are not. */
static void
test_boost_recheck(void **state)
{
	static struct state s;
	struct lab_zone_config cfg = plain_config(8 * PAGEBLOCK, MIN);
	struct lab_zone *z;

	cfg.watermark_boost_factor = 15000;
	z = make_zone(&cfg);
	/* 1536 free pages, in movable blocks of order 4: an unmovable request tries to claim */
	for (int i = 0; i < 8; i++) {
		state_pageblock(&s, LAB_MIGRATE_MOVABLE);
		for (int j = 0; j < 12 && i < 8; j++) {
			state_free(&s, 4, LAB_MIGRATE_MOVABLE);
			state_used(&s, 16, LAB_MIGRATE_MOVABLE);
		}
		state_fill(&s, LAB_MIGRATE_MOVABLE);
	}
	state_apply(z, &s);
	assert_int_equal(free_pages(z), 1536);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 0));
	assert_int_equal(free_pages(z), 1535);
	/* orders 4, 3, 2, 1 and 0 each... only order 4 is there: one attempt, 512 pages */
	assert_int_equal(zone_info(z).boost, 512);
	take_down_to(z, 1001);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0)); /* 1512 * 3/8 = 567 < 1001 */
	assert_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 0));     /* 1000 <= 1512 */
	take_down_to(z, 568);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	take_down_to(z, 376);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	lab_zone_destroy(z);
}

/** Order 1 is not asked a second time: with the boost 1512 - 756 - 189 = 567. */
static void
test_boost_order1(void **state)
{
	static struct state s;
	struct lab_zone_config cfg = plain_config(8 * PAGEBLOCK, MIN);
	struct lab_verdict v;
	struct lab_zone *z;

	cfg.watermark_boost_factor = 15000;
	z = make_zone(&cfg);
	for (int i = 0; i < 8; i++) {
		state_pageblock(&s, LAB_MIGRATE_MOVABLE);
		for (int j = 0; j < 12; j++) {
			state_free(&s, 4, LAB_MIGRATE_MOVABLE);
			state_used(&s, 16, LAB_MIGRATE_MOVABLE);
		}
		state_fill(&s, LAB_MIGRATE_MOVABLE);
	}
	state_apply(z, &s);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 0));
	assert_int_equal(zone_info(z).boost, 512);
	take_down_to(z, 569);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_ATOMIC, 1, &v), LAB_CAUSE_NONE);
	take_down_to(z, 568);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_ATOMIC, 1, &v), LAB_CAUSE_WATERMARK);
	assert_int_equal(v.mark, 1512);
	assert_int_equal(v.min, 567);
	lab_zone_destroy(z);
}

static void
test_contradictions(void **state)
{
	struct lab_zone *z = make_plain_zone(4096, 100);
	const lab_gfp_t bad[] = {
		__LAB_GFP_MOVABLE | __LAB_GFP_RECLAIMABLE,
		__LAB_GFP_DMA | __LAB_GFP_DMA32,
		__LAB_GFP_DMA | __LAB_GFP_HIGHMEM,
		LAB_GFP_ATOMIC | __LAB_GFP_NOFAIL,
		LAB_GFP_ATOMIC | __LAB_GFP_DMA, /* a Normal zone is too high for these two */
		LAB_GFP_ATOMIC | __LAB_GFP_DMA32,
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(bad); i++) {
		errno = 0;
		assert_null(lab_alloc_pages(z, bad[i], 0));
		assert_int_equal(errno, EINVAL);
	}
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, LAB_MAX_ORDER + 1));
	assert_int_equal(errno, EINVAL);
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, UINT32_MAX));
	assert_int_equal(zone_stats(z).bad_request, LAB_ARRAY_SIZE(bad) + 2);
	assert_int_equal(free_pages(z), 4096);
	assert_int_equal(lab_zone_explain(z, bad[0], 0, NULL), LAB_CAUSE_ORDER);
	lab_zone_destroy(z);
}

/** The ring keeps the newest 64, newest first, with the arithmetic of each. */
static void
test_refusal_ring(void **state)
{
	struct lab_zone *z = make_plain_zone(4096, MIN);
	struct lab_refusal r[100];

	take_down_to(z, 375);
	assert_int_equal(lab_zone_refusals(z, r, 100), 0);
	for (uint64_t i = 1; i <= 70; i++) {
		lab_zone_set_time(z, i * 1000);
		assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_NOWARN, 0));
		assert_int_equal(errno, EAGAIN);
	}
	assert_int_equal(lab_zone_refusals(z, r, 3), 3);
	assert_int_equal(lab_zone_refusals(z, r, 100), 64);
	for (unsigned int i = 0; i < 64; i++) {
		assert_int_equal(r[i].seq, 70 - i);
		assert_int_equal(r[i].time_ns, (70 - i) * 1000);
		assert_int_equal(r[i].gfp, LAB_GFP_ATOMIC | __LAB_GFP_NOWARN);
		assert_int_equal(r[i].verdict.cause, LAB_CAUSE_WATERMARK);
		assert_int_equal(r[i].verdict.min, 375);
		assert_int_equal(r[i].verdict.free, 375);
	}
	assert_int_equal(zone_stats(z).refused_atomic, 70);
	assert_int_equal(zone_stats(z).refused_nowarn, 70);
	assert_int_equal(zone_stats(z).refused_with_free, 70);
	lab_zone_stats_reset(z);
	assert_int_equal(zone_stats(z).refused_atomic, 0);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_effective_min),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_order_arithmetic),
		cmocka_unit_test(test_lowmem_reserve),
		cmocka_unit_test(test_reserve_then_watermark),
		cmocka_unit_test(test_two_passes),
		cmocka_unit_test(test_no_kswapd),
		cmocka_unit_test(test_order_cause),
		cmocka_unit_test(test_boost_recheck),
		cmocka_unit_test(test_boost_order1),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_refusal_ring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
