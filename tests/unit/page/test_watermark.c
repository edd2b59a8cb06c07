/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_page.h"

#define MARK 1001UL

/** Counts of a zone with n free pages, all of them order-10 blocks of Unmovable and single pages.
 */
static struct lab_free_counts
free_pages(unsigned long n)
{
	struct lab_free_counts c = {.nr_free = n};

	c.blocks[LAB_MAX_ORDER][LAB_MIGRATE_UNMOVABLE] = n >> LAB_MAX_ORDER;
	for (unsigned int o = 0; o < LAB_MAX_ORDER; o++)
		c.blocks[o][LAB_MIGRATE_UNMOVABLE] = n >> o & 1;
	return c;
}

static enum lab_cause
check(unsigned long nr_free, lab_gfp_t gfp, unsigned int order, unsigned long lowmem,
	struct lab_verdict *v)
{
	struct lab_free_counts c = free_pages(nr_free);

	return lab_watermark_ok(&c, order, MARK, lowmem, lab_gfp_to_alloc_flags(gfp, order), v);
}

/*
 * MARK is odd so that each truncation shows: 1001 - 500 = 501, 501 - 125 = 376. A request
 * passes with one page more than its share of the mark.
 */
static const struct {
	lab_gfp_t gfp;
	unsigned long min;
} shares[] = {
	{LAB_GFP_KERNEL, 1001},
	{LAB_GFP_NOWAIT, 1001},
	{LAB_GFP_HIGHUSER_MOVABLE, 1001},
	{LAB_GFP_KERNEL | __LAB_GFP_HIGH, 501},
	{LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, 501},
	{LAB_GFP_ATOMIC, 376},
	{LAB_GFP_ATOMIC | __LAB_GFP_ATOMIC | __LAB_GFP_NOWARN, 376},
	{LAB_GFP_KERNEL | __LAB_GFP_OOM_VICTIM, 501},
	{LAB_GFP_ATOMIC | __LAB_GFP_OOM_VICTIM, 501},
	{LAB_GFP_KERNEL | __LAB_GFP_OOM_VICTIM | __LAB_GFP_NOMEMALLOC, 1001},
};

static void
test_shares_of_the_mark(void **state)
{
	for (size_t i = 0; i < LAB_ARRAY_SIZE(shares); i++) {
		lab_gfp_t gfp = shares[i].gfp;
		unsigned long min = shares[i].min;
		struct lab_verdict v;

		assert_int_equal(check(min - 1, gfp, 0, 0, &v), LAB_CAUSE_WATERMARK);
		assert_int_equal(check(min, gfp, 0, 0, &v), LAB_CAUSE_WATERMARK);
		assert_int_equal(v.cause, LAB_CAUSE_WATERMARK);
		assert_int_equal(v.min, min);
		assert_int_equal(v.mark, MARK);
		assert_int_equal(v.free, min);
		assert_int_equal(check(min + 1, gfp, 0, 0, &v), LAB_CAUSE_NONE);
		assert_int_equal(v.cause, LAB_CAUSE_NONE);
		assert_int_equal(v.free, min + 1);
	}
}

/* The block asked for must leave the mark untouched: 2^order - 1 pages more are needed. */
static void
test_order_counts_against_free(void **state)
{
	for (unsigned int order = 1; order <= LAB_MAX_ORDER; order++) {
		unsigned long limit = 376 + (1UL << order) - 1;
		struct lab_free_counts c = {.nr_free = limit};
		unsigned int flags = lab_gfp_to_alloc_flags(LAB_GFP_ATOMIC, order);
		struct lab_verdict v;

		c.blocks[LAB_MAX_ORDER][LAB_MIGRATE_MOVABLE] = 1;
		assert_int_equal(lab_watermark_ok(&c, order, MARK, 0, flags, &v),
			limit < 1UL << order ? LAB_CAUSE_EXHAUSTED : LAB_CAUSE_WATERMARK);
		assert_int_equal(v.free, 376);
		c.nr_free++;
		assert_int_equal(lab_watermark_ok(&c, order, MARK, 0, flags, NULL), LAB_CAUSE_NONE);
	}
}

static void
test_exhausted(void **state)
{
	struct lab_free_counts c = free_pages(0);
	struct lab_verdict v;
	unsigned int flags = lab_gfp_to_alloc_flags(LAB_GFP_ATOMIC, 0);

	/* With no mark at all the last page can be had. */
	assert_int_equal(lab_watermark_ok(&c, 0, 0, 0, flags, &v), LAB_CAUSE_EXHAUSTED);
	c = free_pages(1);
	assert_int_equal(lab_watermark_ok(&c, 0, 0, 0, flags, &v), LAB_CAUSE_NONE);
	/* Exhaustion is named before the mark that also failed. */
	c = free_pages(7);
	assert_int_equal(lab_watermark_ok(&c, 3, MARK, 0, flags, &v), LAB_CAUSE_EXHAUSTED);
	assert_int_equal(v.free, 0);
	assert_int_equal(v.nr_free, 7);
	c = free_pages(8);
	assert_int_equal(lab_watermark_ok(&c, 3, MARK, 0, flags, &v), LAB_CAUSE_WATERMARK);
	assert_int_equal(lab_watermark_ok(&c, 3, 0, 0, flags, &v), LAB_CAUSE_NONE);
}

static void
test_lowmem_reserve(void **state)
{
	struct lab_verdict v;

	/* Over the mark but not over mark and reserve: 376 + 100. */
	assert_int_equal(check(376, LAB_GFP_ATOMIC, 0, 100, &v), LAB_CAUSE_WATERMARK);
	assert_int_equal(check(377, LAB_GFP_ATOMIC, 0, 100, &v), LAB_CAUSE_RESERVE);
	assert_int_equal(check(476, LAB_GFP_ATOMIC, 0, 100, &v), LAB_CAUSE_RESERVE);
	assert_int_equal(v.lowmem_reserve, 100);
	assert_int_equal(check(477, LAB_GFP_ATOMIC, 0, 100, &v), LAB_CAUSE_NONE);
	/* No overflow, whatever is asked for. */
	assert_int_equal(check(2000, LAB_GFP_KERNEL, 0, ULONG_MAX, &v), LAB_CAUSE_RESERVE);
}

/* Highatomic pages are kept from those without a right to reserves; the caller says how many:
 * the reserved ones (6.1) or of these the free ones (6.12). */
static void
test_highatomic_pages(void **state)
{
	struct lab_free_counts c = free_pages(1600);
	const unsigned long reserved = 1024, free_of_them = 500;
	unsigned int kernel = lab_gfp_to_alloc_flags(LAB_GFP_KERNEL, 0);
	struct lab_verdict v;

	c.highatomic = reserved; /* 1600 - 1024 = 576 */
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, kernel, &v), LAB_CAUSE_RESERVE);
	assert_int_equal(v.unusable, 1024);
	assert_int_equal(v.free, 576);
	c.highatomic = free_of_them; /* 1600 - 500 = 1100 */
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, kernel, &v), LAB_CAUSE_NONE);
	assert_int_equal(v.free, 1100);
	c.highatomic = 599; /* 1001 */
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, kernel, &v), LAB_CAUSE_RESERVE);
	c.highatomic = 598; /* 1002 */
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, kernel, &v), LAB_CAUSE_NONE);

	/* Any reserve bit does, also NON_BLOCK alone: NOWAIT sees these pages at its full mark. */
	c.highatomic = 1600;
	assert_int_equal(
		lab_watermark_ok(&c, 0, MARK, 0, lab_gfp_to_alloc_flags(LAB_GFP_NOWAIT, 0), &v),
		LAB_CAUSE_NONE);
	assert_int_equal(v.unusable, 0);
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, LAB_ALLOC_OOM, &v), LAB_CAUSE_NONE);
}

static void
test_cma_pages(void **state)
{
	struct lab_free_counts c = free_pages(1500);
	unsigned int flags = lab_gfp_to_alloc_flags(LAB_GFP_ATOMIC, 0);
	struct lab_verdict v;

	c.nr_free_cma = 1124; /* leaves 376: reserves do not open CMA */
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, flags, &v), LAB_CAUSE_RESERVE);
	assert_int_equal(v.unusable, 1124);
	c.nr_free_cma = 1123;
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, flags, &v), LAB_CAUSE_NONE);
	c.nr_free_cma = 1500;
	flags = lab_gfp_to_alloc_flags(LAB_GFP_HIGHUSER_MOVABLE, 0);
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, flags, &v), LAB_CAUSE_NONE);
	assert_int_equal(v.unusable, 0);
}

/* 8000 pages are free, the blocks of order 4 and more are on one list only. */
static void
expect_list(enum lab_migratetype mt, lab_gfp_t gfp, enum lab_cause cause)
{
	struct lab_free_counts c = {.nr_free = 8000};
	unsigned int flags = lab_gfp_to_alloc_flags(gfp, 3);

	c.blocks[0][LAB_MIGRATE_UNMOVABLE] = 6000;
	c.blocks[2][LAB_MIGRATE_MOVABLE] = 100;
	c.blocks[4][mt] = 100;
	assert_int_equal(lab_watermark_ok(&c, 3, MARK, 0, flags, NULL), cause);
	c.blocks[4][mt] = 0;
	c.blocks[10][mt] = 1;
	assert_int_equal(lab_watermark_ok(&c, 3, MARK, 0, flags, NULL), cause);
	/* A block too small does not help. */
	c.blocks[10][mt] = 0;
	c.blocks[2][mt] += 400;
	assert_int_equal(lab_watermark_ok(&c, 3, MARK, 0, flags, NULL), LAB_CAUSE_ORDER);
}

static void
test_lists_that_serve(void **state)
{
	const lab_gfp_t oom = LAB_GFP_KERNEL | __LAB_GFP_OOM_VICTIM;
	const lab_gfp_t atomic_movable = LAB_GFP_ATOMIC | __LAB_GFP_MOVABLE;

	for (int mt = 0; mt < LAB_MIGRATE_PCPTYPES; mt++) {
		expect_list(mt, LAB_GFP_KERNEL, LAB_CAUSE_NONE);
		expect_list(mt, LAB_GFP_ATOMIC, LAB_CAUSE_NONE);
	}
	expect_list(LAB_MIGRATE_HIGHATOMIC, LAB_GFP_KERNEL, LAB_CAUSE_ORDER);
	expect_list(LAB_MIGRATE_HIGHATOMIC, LAB_GFP_NOWAIT, LAB_CAUSE_ORDER);
	expect_list(LAB_MIGRATE_HIGHATOMIC, LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, LAB_CAUSE_ORDER);
	expect_list(LAB_MIGRATE_HIGHATOMIC, LAB_GFP_ATOMIC, LAB_CAUSE_NONE);
	expect_list(LAB_MIGRATE_HIGHATOMIC, oom, LAB_CAUSE_NONE);
	expect_list(LAB_MIGRATE_CMA, LAB_GFP_ATOMIC, LAB_CAUSE_ORDER);
	expect_list(LAB_MIGRATE_CMA, atomic_movable, LAB_CAUSE_NONE);
	expect_list(LAB_MIGRATE_CMA, LAB_GFP_HIGHUSER_MOVABLE, LAB_CAUSE_NONE);
	expect_list(LAB_MIGRATE_ISOLATE, atomic_movable, LAB_CAUSE_ORDER);
	expect_list(LAB_MIGRATE_ISOLATE, oom, LAB_CAUSE_ORDER);
}

/* For order 0 the lists are not looked at: the page counts alone decide. */
static void
test_order_0_looks_at_no_list(void **state)
{
	struct lab_free_counts c = {.nr_free = 5000};

	assert_int_equal(
		lab_watermark_ok(&c, 0, MARK, 0, LAB_ALLOC_WMARK_MIN, NULL), LAB_CAUSE_NONE);
	assert_int_equal(
		lab_watermark_ok(&c, 1, MARK, 0, LAB_ALLOC_WMARK_MIN, NULL), LAB_CAUSE_ORDER);
}

/* MEMALLOC takes the last page but cannot take what is not there. */
static void
test_no_watermarks(void **state)
{
	const lab_gfp_t gfp = LAB_GFP_KERNEL | __LAB_GFP_MEMALLOC;
	unsigned int flags = lab_gfp_to_alloc_flags(gfp, 0);
	struct lab_free_counts c;
	struct lab_verdict v;

	assert_int_equal(check(1, gfp, 0, 500, &v), LAB_CAUSE_NONE);
	assert_int_equal(v.min, 0);
	assert_int_equal(v.mark, MARK);
	assert_int_equal(v.lowmem_reserve, 0);
	assert_int_equal(check(0, gfp, 0, 0, &v), LAB_CAUSE_EXHAUSTED);
	assert_int_equal(check(8, gfp, 3, 0, &v), LAB_CAUSE_NONE);
	assert_int_equal(check(7, gfp, 3, 0, &v), LAB_CAUSE_EXHAUSTED);

	c = free_pages(7);
	c.nr_free = 13;
	c.blocks[1][LAB_MIGRATE_RECLAIMABLE] = 4;
	assert_int_equal(lab_watermark_ok(&c, 3, MARK, 0, flags, &v), LAB_CAUSE_ORDER);
	c.blocks[1][LAB_MIGRATE_RECLAIMABLE] = 0; /* nor does one page come from no list */
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, flags, &v), LAB_CAUSE_NONE);
	c.blocks[0][LAB_MIGRATE_UNMOVABLE] = c.blocks[1][LAB_MIGRATE_UNMOVABLE] =
		c.blocks[2][LAB_MIGRATE_UNMOVABLE] = 0;
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, flags, &v), LAB_CAUSE_ORDER);
	/* All that is left is kept for highatomic. */
	c = (struct lab_free_counts){.nr_free = 32, .highatomic = 32};
	c.blocks[5][LAB_MIGRATE_HIGHATOMIC] = 1;
	assert_int_equal(lab_watermark_ok(&c, 0, MARK, 0, flags, &v), LAB_CAUSE_RESERVE);
}

static void
test_odd_arguments(void **state)
{
	struct lab_free_counts c = free_pages(100000);
	struct lab_verdict v;

	assert_int_equal(lab_watermark_ok(&c, LAB_MAX_ORDER + 1, 0, 0, 0, &v), LAB_CAUSE_ORDER);
	assert_int_equal(lab_watermark_ok(&c, UINT_MAX, 0, 0, 0, &v), LAB_CAUSE_ORDER);
	assert_int_equal(lab_watermark_ok(&c, 0, ULONG_MAX, ULONG_MAX, LAB_ALLOC_RESERVES, &v),
		LAB_CAUSE_WATERMARK);
	/* More kept back than is free: a negative count, as in Linux. */
	c = free_pages(100);
	c.highatomic = 512;
	assert_int_equal(lab_watermark_ok(&c, 0, 10, 0, 0, &v), LAB_CAUSE_RESERVE);
	assert_int_equal(v.free, -412);
}

/* A request that passes still passes with one page more, and with any reserve opened to it. */
static void
test_monotone(void **state)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, 99);
	for (int i = 0; i < 20000; i++) {
		unsigned int order = lab_rng_below(&rng, LAB_NR_ORDERS);
		unsigned int flags = lab_rng_u64(&rng) & LAB_ALLOC_RESERVES;
		struct lab_free_counts c = free_pages(lab_rng_below(&rng, 6000));
		unsigned long mark = lab_rng_below(&rng, 4000);
		unsigned long lowmem = lab_rng_below(&rng, 500);

		c.highatomic = lab_rng_below(&rng, 600);
		if (lab_watermark_ok(&c, order, mark, lowmem, flags, NULL) != LAB_CAUSE_NONE)
			continue;
		assert_int_equal(
			lab_watermark_ok(&c, order, mark, lowmem, flags | LAB_ALLOC_RESERVES, NULL),
			LAB_CAUSE_NONE);
		c.nr_free++;
		assert_int_equal(
			lab_watermark_ok(&c, order, mark, lowmem, flags, NULL), LAB_CAUSE_NONE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares_of_the_mark),
		cmocka_unit_test(test_order_counts_against_free),
		cmocka_unit_test(test_exhausted),
		cmocka_unit_test(test_lowmem_reserve),
		cmocka_unit_test(test_highatomic_pages),
		cmocka_unit_test(test_cma_pages),
		cmocka_unit_test(test_lists_that_serve),
		cmocka_unit_test(test_order_0_looks_at_no_list),
		cmocka_unit_test(test_no_watermarks),
		cmocka_unit_test(test_odd_arguments),
		cmocka_unit_test(test_monotone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
