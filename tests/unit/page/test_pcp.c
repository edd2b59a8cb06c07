/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_pcp.c
 * The per-CPU lists. A zone of 65536 pages has batch 15: b = 64 / 4, 1.5 b = 24, 16 - 1; with min 512,
 * LOW is 640 pages, which one CPU's list may hold (high_min), and 6.12 lets it grow to 65536 / 8.
 */
#include "zone_fixture.h"

#define PAGES 65536UL
#define BATCH 15

static struct lab_zone *
make_pcp_zone(enum lab_linux version, unsigned int cpus)
{
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);

	lab_cpu_set(0);
	cfg.linux_version = version;
	cfg.nr_cpus = cpus;
	return make_zone(&cfg);
}

static struct lab_pcp_info
pcp(struct lab_zone *z, unsigned int cpu)
{
	struct lab_pcp_info info;

	assert_int_equal(lab_zone_pcp_info(z, cpu, &info), 0);
	return info;
}

static void
test_sizes(void **state)
{
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 2);
	struct lab_pcp_info info = pcp(z, 1);

	assert_int_equal(info.batch, BATCH);
	assert_int_equal(info.high_min, 320);
	assert_int_equal(info.high_max, PAGES / 8 / 2);
	assert_int_equal(lab_zone_pcp_info(z, 2, &info), -EINVAL);
	lab_zone_destroy(z);
	z = make_pcp_zone(LAB_LINUX_6_1, 1);
	info = pcp(z, 0);
	assert_int_equal(info.high, 640);
	assert_int_equal(info.high_min, 640);
	assert_int_equal(info.high_max, 640);
	lab_zone_destroy(z);
	z = make_pcp_zone(LAB_LINUX_6_1, 128); /* 640 / 128 = 5 is less than 4 * 15 */
	assert_int_equal(pcp(z, 127).high, 60);
	lab_zone_destroy(z);
}

/** What one refill fetches, with the request's own pages. */
static int
refill(struct lab_zone *z, unsigned int order)
{
	int left;

	do
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, order));
	while (pcp(z, 0).count != 0 && zone_stats(z).pcp_refill == 0);
	left = pcp(z, 0).count;
	lab_zone_stats_reset(z);
	while (pcp(z, 0).count != 0)
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, order));
	lab_zone_stats_reset(z);
	assert_valid(z);
	return left + (1 << order);
}

/** 6.12: each refill not followed by a free doubles, up to batch << 5; 6.1: always the batch. */
static void
test_refill_doubles(void **state)
{
	const int sizes[] = {15, 30, 60, 120, 240, 480, 480, 480};
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 1);
	void *page;

	for (size_t i = 0; i < LAB_ARRAY_SIZE(sizes); i++)
		assert_int_equal(refill(z, 0), sizes[i]);
	/* a free halves the exponent, 5 */
	page = lab_alloc_pages(z, GFP_ANY, 4);
	assert_int_equal(lab_split_page(z, page, 4), 0);
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	assert_ptr_equal(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0), page);
	lab_zone_stats_reset(z);
	assert_int_equal(refill(z, 0), 15 << 2);
	lab_zone_destroy(z);
	z = make_pcp_zone(LAB_LINUX_6_1, 1);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(sizes); i++)
		assert_int_equal(refill(z, 0), BATCH);
	lab_zone_destroy(z);
}

/** At order o a refill is max(batch >> o, 2) blocks; orders 4 to 8 and 10 have no list. */
static void
test_refill_orders(void **state)
{
	const int blocks[LAB_NR_ORDERS] = {15, 7, 3, 2, 0, 0, 0, 0, 0, 2, 0};

	for (unsigned int order = 0; order <= LAB_MAX_ORDER; order++) {
		struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 1);
		int expect = blocks[order] ? (blocks[order] - 1) << order : 0;
		void *page = lab_alloc_pages(z, LAB_GFP_ATOMIC, order);

		assert_int_equal(pcp(z, 0).count, expect);
		assert_int_equal(free_pages(z), PAGES - expect - (1UL << order));
		assert_int_equal(lab_free_pages(z, page, order), 0);
		/* two whole pageblocks are more than the list's high: one is drained at once */
		if (order < LAB_PAGEBLOCK_ORDER)
			assert_int_equal(pcp(z, 0).count, expect ? expect + (1 << order) : 0);
		else
			assert_int_equal(pcp(z, 0).count, expect);
		assert_valid(z);
		lab_zone_destroy(z);
	}
}

/** The watermark comes before the list: full of pages it does not help a zone that fails. */
static void
test_full_list_saves_nobody(void **state)
{
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 1);

	assert_int_equal(lab_zone_set_min_free_kbytes(z, KB(1000)), 0);
	take_down_to(z, 2000);
	lab_zone_kswapd(z);
	while (free_pages(z) > 376)
		assert_non_null(lab_alloc_pages(z, GFP_ANY, 4 + (free_pages(z) > 1000)));
	while (pcp(z, 0).count < 100)
		assert_non_null(lab_alloc_pages(z, GFP_ANY, 0));
	while (free_pages(z) > 375)
		assert_non_null(lab_alloc_pages(z, GFP_ANY, 0));
	assert_true(pcp(z, 0).count > 0);
	assert_true(free_pages(z) <= 375);
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_int_equal(errno, EAGAIN);
	/* what the list holds is there for who passes */
	assert_non_null(lab_alloc_pages(z, GFP_ANY, 0));
	lab_zone_destroy(z);
}

static void
alloc_many(struct lab_zone *z, void **pages, unsigned int n, unsigned int order)
{
	for (unsigned int i = 0; i < n; i++) {
		pages[i] = lab_alloc_pages(z, LAB_GFP_ATOMIC, order);
		assert_non_null(pages[i]);
	}
}

/** 6.1 drains at high = 640 pages: first 15, then, with no request between, 30, 60 ... */
static void
test_drain_6_1(void **state)
{
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_1, 1);
	const int left[] = {640 - 15, 640 - 30, 640 - 60, 640 - 120};
	static void *pages[2000];
	unsigned int n = 1995; /* 133 refills of 15 */

	alloc_many(z, pages, n, 0);
	assert_int_equal(pcp(z, 0).count, 0);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(left); i++) {
		while (pcp(z, 0).count < 639)
			assert_int_equal(lab_free_pages(z, pages[--n], 0), 0);
		assert_int_equal(lab_free_pages(z, pages[--n], 0), 0);
		assert_int_equal(pcp(z, 0).count, left[i]);
	}
	assert_int_equal(zone_stats(z).pcp_drain_pages, 15 + 30 + 60 + 120);
	pages[n++] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0); /* halves the exponent, 4 */
	while (pcp(z, 0).count < 639)
		assert_int_equal(lab_free_pages(z, pages[--n], 0), 0);
	assert_int_equal(lab_free_pages(z, pages[--n], 0), 0);
	assert_int_equal(pcp(z, 0).count, 640 - 60);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** 6.12: the list grows with what is asked and freed, and never beyond high_max. */
static void
test_high_6_12(void **state)
{
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 1);
	static void *pages[10000];
	int most = 0;

	alloc_many(z, pages, 10000, 0);
	assert_true(pcp(z, 0).high > 640);
	for (unsigned int i = 0; i < 10000; i++) {
		assert_int_equal(lab_free_pages(z, pages[i], 0), 0);
		if (pcp(z, 0).count > most)
			most = pcp(z, 0).count;
	}
	assert_in_range(most, 641, PAGES / 8);
	assert_true(zone_stats(z).pcp_drain_pages > 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

/* 6.12 drains as many pages as were freed in a row, up to batch << 5; with requests between, just the
 * batch. A zone of 16384 pages has batch 3 (b = 4, 1.5 b = 6, 4 - 1) and lists of at most 2048. */
static void
test_drain_6_12(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(16384);
	struct lab_zone *z = make_zone(&cfg);
	static void *pages[5000];
	unsigned int n = 5000;

	lab_cpu_set(0);
	alloc_many(z, pages, n, 0);
	assert_int_equal(pcp(z, 0).high, 2048);
	lab_zone_stats_reset(z);
	while (zone_stats(z).pcp_drain_pages == 0) {
		assert_int_equal(lab_free_pages(z, pages[--n], 0), 0);
		assert_int_equal(lab_free_pages(z, pages[--n], 0), 0);
		pages[n++] = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
	}
	assert_int_equal(zone_stats(z).pcp_drain_pages, 3);
	while (zone_stats(z).pcp_drain_pages < 400)
		assert_int_equal(lab_free_pages(z, pages[--n], 0), 0);
	lab_zone_stats_reset(z);
	while (zone_stats(z).pcp_drain_pages == 0)
		assert_int_equal(lab_free_pages(z, pages[--n], 0), 0);
	assert_int_equal(zone_stats(z).pcp_drain_pages, 3 << 5);
	lab_zone_destroy(z);
}

/** Blocks of orders 1 to 3 that are freed between pages are kept. */
static void
test_mixed_frees(void **state)
{
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 1);
	static void *pages[60], *blocks[60];

	alloc_many(z, pages, 60, 0);
	alloc_many(z, blocks, 60, 3);
	for (unsigned int i = 0; i < 60; i++) {
		assert_int_equal(lab_free_pages(z, blocks[i], 3), 0);
		assert_int_equal(lab_free_pages(z, pages[i], 0), 0);
	}
	assert_int_equal(zone_stats(z).pcp_drain_pages, 0);
	assert_in_range(pcp(z, 0).count, 60 * 9, 640);
	lab_zone_destroy(z);
}

/** Blocks of orders 1 to 3 that are only freed are not kept. */
static void
test_free_high(void **state)
{
	for (int version = LAB_LINUX_6_12; version <= LAB_LINUX_6_1; version++) {
		struct lab_zone *z = make_pcp_zone(version, 1);
		static void *pages[1000];

		alloc_many(z, pages, 1000, 3);
		for (unsigned int i = 0; i < 1000; i++)
			assert_int_equal(lab_free_pages(z, pages[i], 3), 0);
		assert_true(pcp(z, 0).count < 640);
		if (version == LAB_LINUX_6_12)
			assert_true(pcp(z, 0).count <= 2 * 8);
		assert_valid(z);
		lab_zone_destroy(z);
	}
}

/** While kswapd is at work the lists are cut to 4 batches. */
static unsigned long
free_in_reclaim(void *arg, unsigned long nr_pages, unsigned int order)
{
	static void *pages[1000];
	struct lab_zone *z = arg;

	lab_zone_set_pcp(z, true);
	for (int i = 0; i < 1000; i++)
		pages[i] = lab_alloc_pages(z, GFP_ANY, 0);
	for (int i = 0; i < 1000; i++)
		lab_free_pages(z, pages[i], 0);
	assert_in_range(pcp(z, 0).count, 1, 4 * BATCH);
	return 0;
}

static void
test_short_while_reclaiming(void **state)
{
	for (int version = LAB_LINUX_6_12; version <= LAB_LINUX_6_1; version++) {
		struct lab_zone *z = make_pcp_zone(version, 1);

		take_down_to(z, 2000);
		assert_int_equal(lab_zone_set_min_free_kbytes(z, KB(4000)), 0);
		assert_int_equal(lab_zone_set_reclaim(z, free_in_reclaim, z), 0);
		assert_int_equal(lab_zone_kswapd(z), 0);
		assert_int_equal(lab_zone_set_reclaim(z, NULL, NULL), 0);
		assert_valid(z);
		lab_zone_destroy(z);
	}
}

static void
test_cpus(void **state)
{
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 2);
	void *page;

	page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);
	assert_int_equal(pcp(z, 0).count, BATCH - 1);
	assert_int_equal(pcp(z, 1).count, 0);
	lab_cpu_set(3); /* modulo 2 */
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	assert_int_equal(pcp(z, 1).count, 1);
	assert_ptr_equal(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0), page);
	assert_int_equal(zone_info(z).nr_pcp, BATCH - 1);
	assert_int_equal(lab_drain_all_pages(z), BATCH - 1);
	assert_int_equal(zone_info(z).nr_pcp, 0);
	assert_int_equal(lab_drain_all_pages(z), 0);
	lab_cpu_set(0);
	lab_zone_destroy(z);
}

static void
test_switch(void **state)
{
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 1);
	void *page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 0);

	assert_int_equal(lab_zone_set_pcp(z, false), 0);
	assert_int_equal(zone_info(z).nr_pcp, 0);
	assert_int_equal(zone_info(z).pcp_batch, 0);
	assert_int_equal(zone_info(z).pcp_high, 0);
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	assert_int_equal(free_pages(z), PAGES);
	assert_int_equal(lab_zone_set_pcp(z, true), 0);
	assert_int_equal(zone_info(z).pcp_batch, BATCH);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_int_equal(zone_info(z).nr_pcp, BATCH - 1);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** Requests of one type never get another type's pages from the lists. */
static void
test_types(void **state)
{
	struct lab_zone *z = make_pcp_zone(LAB_LINUX_6_12, 1);
	const lab_gfp_t gfp[] = {LAB_GFP_ATOMIC, LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE,
		LAB_GFP_NOWAIT | __LAB_GFP_RECLAIMABLE};
	const unsigned int orders[] = {0, 3, 9};

	for (size_t o = 0; o < LAB_ARRAY_SIZE(orders); o++) {
		for (unsigned int mt = 0; mt < LAB_MIGRATE_PCPTYPES; mt++) {
			void *page = lab_alloc_pages(z, gfp[mt], orders[o]);
			unsigned long pfn = lab_page_to_pfn(z, page);

			assert_int_equal(lab_pageblock_migratetype(z, pfn), mt);
			assert_int_equal(lab_free_pages(z, page, orders[o]), 0);
		}
	}
	assert_valid(z);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_refill_doubles),
		cmocka_unit_test(test_refill_orders),
		cmocka_unit_test(test_full_list_saves_nobody),
		cmocka_unit_test(test_drain_6_1),
		cmocka_unit_test(test_high_6_12),
		cmocka_unit_test(test_drain_6_12),
		cmocka_unit_test(test_mixed_frees),
		cmocka_unit_test(test_free_high),
		cmocka_unit_test(test_short_while_reclaiming),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
