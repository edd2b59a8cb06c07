/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_bulk.c
 * Bulk requests: all at the mark LOW plus what is asked for, no reserves, else one page the normal way.
 */
#include "zone_fixture.h"

#define PAGES 32768UL
#define MIN   1000UL
#define LOW   1250UL /* gap = max(250, 32) */

static void *pages[4096];

/** With and without per-CPU lists: 8 pages are served over 1258 free ones, one page at 1258. */
static void
test_mark(void **state)
{
	for (int with_pcp = 0; with_pcp <= 1; with_pcp++) {
		for (unsigned long free = LOW + 7; free <= LOW + 9; free++) {
			struct lab_zone *z = make_plain_zone(PAGES, MIN);
			bool all = free > LOW + 8;

			take_down_to(z, free);
			lab_zone_stats_reset(z);
			assert_int_equal(lab_zone_set_pcp(z, with_pcp), 0);
			assert_int_equal(
				lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 8, pages), all ? 8 : 1);
			assert_int_equal(zone_stats(z).alloc[0], all ? 8 : 1);
			assert_valid(z);
			lab_zone_destroy(z);
		}
	}
}

/** The one page is asked for with all its rights: 376, 375. */
static void
test_single(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	take_down_to(z, 376);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 1, pages), 1);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 1, pages), 0);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 64, pages), 0);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(zone_stats(z).refused[LAB_CAUSE_WATERMARK], 2);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 0, pages), 0);
	lab_zone_destroy(z);
}

/** MEMALLOC has no say in the mass, lowmem_reserve neither: it is read for the zone's own type. */
static void
test_rights(void **state)
{
	struct lab_zone_config cfg = plain_config(PAGES, MIN);
	struct lab_zone *z;

	cfg.type = LAB_ZONE_DMA32;
	cfg.lowmem_reserve[LAB_ZONE_NORMAL] = 5000;
	z = make_zone(&cfg);
	take_down_to(z, LOW + 9);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 8, pages), 8);
	assert_int_equal(lab_alloc_pages_bulk(z, GFP_ANY, 8, pages), 1);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 8, pages), 0);
	assert_int_equal(errno, EBUSY);
	lab_zone_destroy(z);
}

/** It may fragment: where its own type ends it goes on with another's. */
static void
test_steals(void **state)
{
	static struct state s;

	for (int with_pcp = 0; with_pcp <= 1; with_pcp++) {
		struct lab_zone *z = make_plain_zone(2 * PAGEBLOCK, 0);

		state_pageblock(&s, LAB_MIGRATE_UNMOVABLE);
		for (int i = 0; i < 3; i++) {
			state_free(&s, 0, LAB_MIGRATE_UNMOVABLE);
			state_used(&s, 1, LAB_MIGRATE_MOVABLE);
		}
		state_fill(&s, LAB_MIGRATE_MOVABLE);
		state_pageblock(&s, LAB_MIGRATE_MOVABLE);
		for (int i = 0; i < 20; i++) {
			state_free(&s, 0, LAB_MIGRATE_MOVABLE);
			state_used(&s, 1, LAB_MIGRATE_MOVABLE);
		}
		state_fill(&s, LAB_MIGRATE_MOVABLE);
		state_apply(z, &s);
		assert_int_equal(lab_zone_set_pcp(z, with_pcp), 0);
		assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 8, pages), 8);
		assert_true(zone_stats(z).steal >= 5);
		assert_valid(z);
		lab_zone_destroy(z);
	}
}

static void
test_distinct_and_zero(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);
	struct lab_zone *z = make_zone(&cfg);
	static bool seen[PAGES];

	memset(seen, 0, sizeof(seen));
	for (int round = 0; round < 2; round++) {
		unsigned int n =
			lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC | __LAB_GFP_ZERO, 1000, pages);

		assert_int_equal(n, 1000);
		for (unsigned int i = 0; i < n; i++) {
			unsigned long pfn = lab_page_to_pfn(z, pages[i]);

			assert_in_range(pfn, 0, PAGES - 1);
			assert_false(seen[pfn]);
			seen[pfn] = true;
			for (int k = 0; k < 512; k++)
				assert_int_equal(((uint64_t *)pages[i])[k], 0);
			memset(pages[i], 0xff, LAB_PAGE_SIZE);
		}
		for (unsigned int i = 0; i < n; i++) {
			seen[lab_page_to_pfn(z, pages[i])] = false;
			assert_int_equal(lab_free_pages(z, pages[i], 0), 0);
		}
	}
	assert_int_equal(zone_stats(z).zero_inline, 2000);
	assert_int_equal(lab_zone_destroy(z), 0);
}

static void
test_bad(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	assert_int_equal(lab_alloc_pages_bulk(z, __LAB_GFP_DMA | __LAB_GFP_DMA32, 8, pages), 0);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(zone_stats(z).bad_request, 1);
	lab_zone_destroy(z);
}

/** A refusal on order meets the whole bulk, once. */
static void
test_inject(void **state)
{
	struct lab_inject in = {.probability_ppm = 1000000, .times = 1};
	struct lab_zone *z = make_plain_zone(PAGES, MIN);

	assert_int_equal(lab_zone_inject(z, &in), 0);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 8, pages), 0);
	assert_int_equal(errno, EIO);
	assert_int_equal(zone_stats(z).refused[LAB_CAUSE_INJECTED], 1);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 8, pages), 8);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_rights),
		cmocka_unit_test(test_steals),
		cmocka_unit_test(test_distinct_and_zero),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_inject),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
