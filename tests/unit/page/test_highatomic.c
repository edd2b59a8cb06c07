/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_highatomic.c
 * The reserve for atomic requests of a higher order: when pageblocks enter it, how many, who may use
 * them, who takes them back.
 */
#include "zone_fixture.h"

#define HIGHATOMIC LAB_MIGRATE_HIGHATOMIC
#define M          LAB_MIGRATE_MOVABLE

/** 200 MiB, of which 1% is just one pageblock. */
#define PAGES_200M 51200UL

/** A zone whose free pages are between min and LOW, so that atomic requests make the MIN pass. */
static struct lab_zone *
make_low_zone(unsigned long nr_pages, enum lab_linux version)
{
	struct lab_zone_config cfg = plain_config(nr_pages, nr_pages / 4);
	struct lab_zone *z;

	cfg.linux_version = version;
	z = make_zone(&cfg);
	take_down_to(z, nr_pages / 4 + nr_pages / 32);
	lab_zone_stats_reset(z);
	return z;
}

static unsigned long
alloc_pfn(struct lab_zone *z, lab_gfp_t gfp, unsigned int order)
{
	void *page = lab_alloc_pages(z, gfp, order);

	assert_non_null(page);
	assert_valid(z);
	return lab_page_to_pfn(z, page);
}

/** 6.12: ALIGN(managed / 100, pageblock), nothing below one pageblock. */
static void
test_reserve_6_12(void **state)
{
	struct lab_zone *z = make_low_zone(PAGES_200M, LAB_LINUX_6_12);
	unsigned long pfn = alloc_pfn(z, LAB_GFP_ATOMIC, 1);

	assert_int_equal(lab_pageblock_migratetype(z, pfn), HIGHATOMIC);
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	assert_int_equal(zone_info(z).nr_free_highatomic, PAGEBLOCK - 2);
	assert_int_equal(zone_stats(z).highatomic_reserve, 1);
	lab_zone_destroy(z);
	z = make_low_zone(PAGES_200M - 1, LAB_LINUX_6_12);
	pfn = alloc_pfn(z, LAB_GFP_ATOMIC, 1);
	assert_int_not_equal(lab_pageblock_migratetype(z, pfn), HIGHATOMIC);
	assert_int_equal(zone_info(z).nr_highatomic, 0);
	lab_zone_destroy(z);
	/* 51300 / 100 = 513, aligned up 1024: two blocks, and no third */
	z = make_low_zone(51300, LAB_LINUX_6_12);
	for (int i = 0; i < 6; i++)
		alloc_pfn(z, LAB_GFP_ATOMIC, 8);
	assert_int_equal(zone_info(z).nr_highatomic, 2 * PAGEBLOCK);
	lab_zone_destroy(z);
}

/** 6.1: while fewer than managed / 100 + pageblock are reserved, in zones of every size. */
static void
test_reserve_6_1(void **state)
{
	const struct {
		unsigned long pages, blocks;
	} cases[] = {
		{8192, 2},           /* 81 + 512: reserved at 0 and at 512 */
		{PAGES_200M - 1, 2}, /* 511 + 512 = 1023 */
		{PAGES_200M, 2},     /* 512 + 512 = 1024 */
		{51300, 3},          /* 513 + 512 = 1025: also at 1024 */
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(cases); i++) {
		struct lab_zone *z = make_low_zone(cases[i].pages, LAB_LINUX_6_1);

		for (int k = 0; k < 6; k++)
			alloc_pfn(z, LAB_GFP_ATOMIC, 8);
		assert_int_equal(zone_info(z).nr_highatomic, cases[i].blocks * PAGEBLOCK);
		lab_zone_destroy(z);
	}
}

/** Only requests with HIGHATOMIC reserve: not order 0, not NOMEMALLOC, not those of the LOW pass. */
static void
test_who_reserves(void **state)
{
	struct lab_zone *z = make_low_zone(PAGES_200M, LAB_LINUX_6_12);
	struct lab_zone *fresh = make_plain_zone(PAGES_200M, 1000);

	alloc_pfn(z, LAB_GFP_ATOMIC, 0);
	alloc_pfn(z, LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, 3);
	alloc_pfn(z, LAB_GFP_KERNEL | __LAB_GFP_HIGH, 3);
	alloc_pfn(z, LAB_GFP_NOWAIT, 3);
	assert_int_equal(zone_info(z).nr_highatomic, 0);
	alloc_pfn(fresh, LAB_GFP_ATOMIC, 3);
	assert_int_equal(zone_info(fresh).nr_highatomic, 0);
	lab_zone_destroy(z);
	lab_zone_destroy(fresh);
}

/* Four pageblocks of 2^9: one highatomic with free blocks, the rest in use but for `others` free
 * movable pages. */
static struct lab_zone *
make_reserved(enum lab_linux version, unsigned long min, unsigned int others)
{
	static struct state s;
	struct lab_zone_config cfg = plain_config(4 * PAGEBLOCK, min);
	struct lab_zone *z;

	cfg.linux_version = version;
	z = make_zone(&cfg);
	memset(&s, 0, sizeof(s));
	state_pageblock(&s, HIGHATOMIC);
	state_free(&s, 8, HIGHATOMIC);
	state_block(&s, 8, M, LAB_BLOCK_ALLOCATED);
	state_pageblock(&s, M);
	for (unsigned int i = 0; i < others; i++) {
		state_free(&s, 0, M);
		state_used(&s, 1, M);
	}
	state_fill(&s, M);
	state_used_pageblock(&s, M, M);
	state_used_pageblock(&s, M, M);
	state_apply(z, &s);
	return z;
}

/* What is kept from a request without reserves: the free pages of the reserve (6.12) or all that is
 * reserved, in use or not (6.1). Free: 256 + others. */
static void
test_kept_back(void **state)
{
	struct lab_verdict v;
	struct lab_zone *z = make_reserved(LAB_LINUX_6_12, 100, 101);

	assert_int_equal(lab_zone_explain(z, LAB_GFP_KERNEL, 0, &v), LAB_CAUSE_NONE);
	assert_int_equal(v.unusable, 256);
	assert_int_equal(v.free, 101);
	lab_zone_destroy(z);
	z = make_reserved(LAB_LINUX_6_12, 100, 100);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_KERNEL, 0, &v), LAB_CAUSE_RESERVE);
	/* one that may not block has a right to it */
	assert_int_equal(lab_zone_explain(z, LAB_GFP_NOWAIT, 0, &v), LAB_CAUSE_NONE);
	assert_int_equal(v.unusable, 0);
	lab_zone_destroy(z);
	z = make_reserved(LAB_LINUX_6_1, 100, 101);
	assert_int_equal(lab_zone_explain(z, LAB_GFP_KERNEL, 0, &v), LAB_CAUSE_RESERVE);
	assert_int_equal(v.unusable, 512);
	assert_int_equal(v.free, 256 + 101 - 512);
	lab_zone_destroy(z);
}

/** HIGHATOMIC requests take from the reserve first, non-blocking ones last, others never. */
static void
test_who_uses(void **state)
{
	struct lab_zone *z = make_reserved(LAB_LINUX_6_12, 20, 3);

	/* LOW = 20 + max(5, 2) = 25: 256 free pages are over it, so squeeze by the reserve */
	assert_int_equal(alloc_pfn(z, LAB_GFP_ATOMIC, 1), 0); /* 3 + 256 - 256 <= 25: MIN pass */
	assert_int_equal(alloc_pfn(z, LAB_GFP_NOWAIT, 0), PAGEBLOCK);
	assert_int_equal(alloc_pfn(z, LAB_GFP_ATOMIC, 0), PAGEBLOCK + 2);
	assert_int_equal(alloc_pfn(z, LAB_GFP_NOWAIT, 0), PAGEBLOCK + 4);
	/* the others' pages are gone */
	assert_int_equal(alloc_pfn(z, LAB_GFP_NOWAIT, 0), 2);
	assert_int_equal(alloc_pfn(z, LAB_GFP_ATOMIC, 0), 3);
	assert_int_equal(alloc_pfn(z, LAB_GFP_NOWAIT | __LAB_GFP_OOM_VICTIM, 0), 4);
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL | __LAB_GFP_NORETRY, 0));
	assert_int_equal(errno, EBUSY);
	/* HIGH with reclaim passes the gate but finds no block of its own */
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL | __LAB_GFP_HIGH | __LAB_GFP_NORETRY, 0));
	assert_int_equal(errno, EBUSY);
	assert_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 1));
	assert_int_equal(errno, ENOSPC); /* at any order, but the gate looks for a block first */
	lab_zone_destroy(z);
}

/** Given back one by one; the last one only when forced. */
static void
test_unreserve(void **state)
{
	struct lab_zone *z = make_low_zone(PAGES_200M * 2, LAB_LINUX_6_12);

	for (int i = 0; i < 6; i++)
		alloc_pfn(z, LAB_GFP_ATOMIC, 8);
	assert_int_equal(zone_info(z).nr_highatomic, 2 * PAGEBLOCK); /* 1024 is aligned already */
	/* each block has served two requests: nothing is free in it, so nothing can be found */
	assert_int_equal(zone_info(z).nr_free_highatomic, 0);
	assert_int_equal(lab_zone_unreserve_highatomic(z, true), 0);
	lab_zone_destroy(z);
	z = make_low_zone(PAGES_200M * 2, LAB_LINUX_6_12);
	alloc_pfn(z, LAB_GFP_ATOMIC, 9);
	alloc_pfn(z, LAB_GFP_ATOMIC, 8);
	assert_int_equal(zone_info(z).nr_highatomic, 2 * PAGEBLOCK);
	assert_int_equal(lab_zone_unreserve_highatomic(z, false), 1);
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	assert_int_equal(lab_zone_unreserve_highatomic(z, false), 0);
	assert_int_equal(lab_zone_unreserve_highatomic(z, true), 0); /* all in use */
	assert_int_equal(zone_stats(z).highatomic_unreserve, 1);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** A whole free pageblock that leaves the reserve merges with its neighbour. */
static void
test_unreserve_merges(void **state)
{
	static struct state s;
	struct lab_zone *z = make_plain_zone(4 * PAGEBLOCK, 0);
	struct lab_free_counts counts;

	state_pageblock(&s, M);
	state_free(&s, 9, M);
	state_pageblock(&s, HIGHATOMIC);
	state_free(&s, 9, HIGHATOMIC);
	state_used_pageblock(&s, M, M);
	state_used_pageblock(&s, M, M);
	state_apply(z, &s);
	assert_int_equal(zone_info(z).nr_free_highatomic, PAGEBLOCK);
	assert_int_equal(lab_zone_unreserve_highatomic(z, true), 1);
	lab_zone_free_counts(z, &counts);
	assert_int_equal(counts.blocks[10][M], 1);
	assert_int_equal(zone_info(z).nr_free_highatomic, 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** Before a request that may wait gives up, the reserve is emptied for it. */
static void
test_forced_by_reclaimer(void **state)
{
	struct lab_zone *z = make_reserved(LAB_LINUX_6_12, 20, 3);

	assert_null(lab_alloc_pages(z, LAB_GFP_NOWAIT | __LAB_GFP_NOMEMALLOC, 2));
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	assert_int_equal(alloc_pfn(z, LAB_GFP_KERNEL, 2), 0);
	assert_int_equal(zone_info(z).nr_highatomic, 0);
	assert_int_equal(lab_pageblock_migratetype(z, 0), LAB_MIGRATE_UNMOVABLE);
	lab_zone_destroy(z);
}

/** A freed highatomic page enters the per-CPU lists as a movable one. */
static void
test_freed_to_pcp(void **state)
{
	struct lab_zone *z = make_reserved(LAB_LINUX_6_12, 20, 30);
	void *page = lab_alloc_pages(z, LAB_GFP_ATOMIC, 1);

	assert_int_equal(lab_page_to_pfn(z, page), 0);
	assert_int_equal(lab_zone_set_pcp(z, true), 0);
	assert_int_equal(lab_split_page(z, page, 1), 0);
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	assert_int_equal(zone_info(z).nr_pcp, 1);
	assert_ptr_equal(lab_alloc_pages(z, LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE, 0), page);
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	assert_int_equal(lab_free_pages(z, (char *)page + LAB_PAGE_SIZE, 0), 0);
	lab_drain_all_pages(z); /* and goes back to where it came from */
	assert_int_equal(zone_info(z).nr_free_highatomic, 256);
	assert_valid(z);
	lab_zone_destroy(z);
}

/** Five pageblocks: two highatomic ones, 20 pairs of movable pages, the rest in use. */
static struct lab_zone *
make_two_reserved(unsigned long min)
{
	static struct state s;
	struct lab_zone *z = make_plain_zone(5 * PAGEBLOCK, min);

	memset(&s, 0, sizeof(s));
	for (int i = 0; i < 2; i++) {
		state_pageblock(&s, HIGHATOMIC);
		state_free(&s, 8, HIGHATOMIC);
		state_block(&s, 8, M, LAB_BLOCK_ALLOCATED);
	}
	state_pageblock(&s, M);
	for (int i = 0; i < 20; i++) {
		state_free(&s, 1, M);
		state_used(&s, 2, M);
	}
	state_fill(&s, M);
	state_used_pageblock(&s, M, M);
	state_used_pageblock(&s, M, M);
	state_apply(z, &s);
	return z;
}

/** The per-CPU lists come first, and are never filled from the reserve. */
static void
test_refill_leaves_reserve(void **state)
{
	struct lab_zone *z = make_two_reserved(40);

	assert_int_equal(lab_zone_set_pcp(z, true), 0);
	assert_true(alloc_pfn(z, LAB_GFP_ATOMIC, 1) >= 2 * PAGEBLOCK);
	assert_int_equal(zone_info(z).nr_free_highatomic, PAGEBLOCK);
	assert_int_equal(zone_stats(z).slowpath, 1);
	lab_zone_destroy(z);
}

static unsigned long
free_one(void *arg, unsigned long nr_pages, unsigned int order)
{
	struct lab_zone *z = arg;

	/* the last page of the zone's fourth block is in use, in a block of its own */
	return lab_free_pages(z, lab_pfn_to_page(z, 2 * PAGEBLOCK + 500), 0) == 0;
}

/** Reclaim that freed something, yet not enough, takes one pageblock back, never the last. */
static void
test_after_failed_reclaim(void **state)
{
	struct lab_zone *z = make_two_reserved(200);

	assert_int_equal(lab_zone_set_reclaim(z, free_one, z), 0);
	assert_int_equal(alloc_pfn(z, LAB_GFP_KERNEL | __LAB_GFP_NORETRY, 3), 0);
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	assert_int_equal(lab_pageblock_migratetype(z, 0), LAB_MIGRATE_UNMOVABLE);
	take_down_to(z, 256); /* all of the rest */
	assert_null(lab_alloc_pages(z, LAB_GFP_KERNEL | __LAB_GFP_NORETRY, 3));
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reserve_6_12),
		cmocka_unit_test(test_reserve_6_1),
		cmocka_unit_test(test_who_reserves),
		cmocka_unit_test(test_kept_back),
		cmocka_unit_test(test_who_uses),
		cmocka_unit_test(test_unreserve),
		cmocka_unit_test(test_unreserve_merges),
		cmocka_unit_test(test_forced_by_reclaimer),
		cmocka_unit_test(test_freed_to_pcp),
		cmocka_unit_test(test_refill_leaves_reserve),
		cmocka_unit_test(test_after_failed_reclaim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
