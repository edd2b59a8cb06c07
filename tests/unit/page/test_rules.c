/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Rules that random histories seldom meet, each in a zone made for it.
 */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_page.h"

#define U LAB_MIGRATE_UNMOVABLE
#define M LAB_MIGRATE_MOVABLE
#define H LAB_MIGRATE_HIGHATOMIC

static struct lab_zone *
make(const struct lab_zone_config *cfg)
{
	struct lab_zone *z = NULL;

	assert_int_equal(lab_zone_create(&z, cfg), 0);
	return z;
}

static struct lab_zone_stats
stats_of(struct lab_zone *z)
{
	struct lab_zone_stats s;

	lab_zone_stats_get(z, &s);
	return s;
}

static void
expect_refused(struct lab_zone *z, lab_gfp_t gfp, unsigned int order, enum lab_cause cause)
{
	assert_null(lab_alloc_pages(z, gfp, order));
	assert_string_equal(lab_cause_name(lab_errno_cause(errno)), lab_cause_name(cause));
}

/* ------------------------------------------------------------- highatomic */

#define HA_PAGES (100 * LAB_PAGEBLOCK_PAGES)

/** All is allocated but the first pageblock, which is kept for highatomic. */
static struct lab_zone *
only_highatomic_is_free(void)
{
	struct lab_zone_config cfg = lab_zone_config_default(HA_PAGES);
	struct lab_block blocks[HA_PAGES / LAB_PAGEBLOCK_PAGES];
	uint8_t types[HA_PAGES / LAB_PAGEBLOCK_PAGES];
	struct lab_zone *z;

	cfg.no_pcp = true;
	cfg.min_free_kbytes = 0;
	for (size_t i = 0; i < LAB_ARRAY_SIZE(blocks); i++) {
		types[i] = i ? M : H;
		blocks[i] = (struct lab_block){i << LAB_PAGEBLOCK_ORDER, LAB_PAGEBLOCK_ORDER, M,
			i ? LAB_BLOCK_ALLOCATED : LAB_BLOCK_FREE};
	}
	blocks[0].migratetype = H;
	z = make(&cfg);
	assert_int_equal(
		lab_zone_restore(z, blocks, LAB_ARRAY_SIZE(blocks), types, LAB_ARRAY_SIZE(types)),
		0);
	return z;
}

/* Failing an order-0 atomic request now is worse than failing a larger one later. */
static void
test_who_may_have_highatomic_pages(void **state)
{
	struct lab_zone *z = only_highatomic_is_free();
	const lab_gfp_t kernel = LAB_GFP_KERNEL | __LAB_GFP_NORETRY;

	expect_refused(z, kernel, 0, LAB_CAUSE_RESERVE);
	/* The gate lets it count these pages, but it has no right to take one. */
	expect_refused(z, LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, 0, LAB_CAUSE_RESERVE);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_non_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 0));
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 3));
	expect_refused(z, LAB_GFP_NOWAIT, 3, LAB_CAUSE_ORDER);
	expect_refused(z, kernel, 3, LAB_CAUSE_RESERVE);
	assert_non_null(lab_alloc_pages(z, kernel | __LAB_GFP_OOM_VICTIM, 3));
	assert_int_equal(stats_of(z).highatomic_unreserve, 0);
	assert_true(lab_zone_is_valid(z, NULL, 0));
	lab_zone_destroy(z);
}

/* One that may retry gets the reserve before it is refused: forced, so the last block too. */
static void
test_forced_unreserve(void **state)
{
	struct lab_zone *z = only_highatomic_is_free();

	assert_int_equal(lab_zone_unreserve_highatomic(z, false), 0);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_KERNEL, 0));
	assert_int_equal(stats_of(z).highatomic_unreserve, 1);
	assert_int_equal(lab_pageblock_migratetype(z, 0), U);
	assert_true(lab_zone_is_valid(z, NULL, 0));
	lab_zone_destroy(z);
}

/** Atomic requests of whole pageblocks, all in the slow path; how much is reserved in the end. */
static unsigned long
reserved_by_requests(enum lab_linux version, unsigned long nr_pages)
{
	struct lab_zone_config cfg = lab_zone_config_default(nr_pages);
	struct lab_zone_info info;
	struct lab_zone *z;

	cfg.linux_version = version;
	cfg.no_pcp = true;
	cfg.min_free_kbytes = 32768; /* 8192 pages: low is 10240, an atomic request's share 3072 */
	cfg.watermark_boost_factor = 0;
	z = make(&cfg);
	while (lab_alloc_pages(z, LAB_GFP_NOWAIT, LAB_MAX_ORDER) != NULL)
		;
	for (int i = 0; i < 6; i++)
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, LAB_PAGEBLOCK_ORDER));
	lab_zone_info_get(z, &info);
	assert_true(lab_zone_is_valid(z, NULL, 0));
	lab_zone_destroy(z);
	return info.nr_highatomic;
}

static void
test_cap_of_highatomic(void **state)
{
	/* 6.12: nothing below 200 MiB; 600 pages are a hundredth, so two blocks. */
	assert_int_equal(reserved_by_requests(LAB_LINUX_6_12, HA_PAGES - 1), 0);
	assert_int_equal(reserved_by_requests(LAB_LINUX_6_12, HA_PAGES), 512);
	assert_int_equal(reserved_by_requests(LAB_LINUX_6_12, 60000), 1024);
	/* 6.1 compares before it adds: 600 + 512 is passed by the third block. */
	assert_int_equal(reserved_by_requests(LAB_LINUX_6_1, 60000), 1536);
	assert_int_equal(reserved_by_requests(LAB_LINUX_6_1, HA_PAGES - 1), 1024);
}

/* ------------------------------------------------------ fallback and boost */

#define SPARSE_PAGES (24 * LAB_PAGEBLOCK_PAGES)

/** Movable pageblocks with 16 single pages free in each, between single ones that are taken. */
static struct lab_zone *
make_sparse(const struct lab_zone_config *cfg)
{
	struct lab_block *blocks = calloc(SPARSE_PAGES, sizeof(*blocks)), *b = blocks;
	uint8_t types[SPARSE_PAGES / LAB_PAGEBLOCK_PAGES];
	struct lab_zone *z = make(cfg);

	for (unsigned long pfn = 0; pfn < SPARSE_PAGES;) {
		unsigned int order = pfn % LAB_PAGEBLOCK_PAGES < 480 ? 5 : 0;
		bool free = order == 0 && pfn % 2;

		*b++ = (struct lab_block){
			pfn, order, M, free ? LAB_BLOCK_FREE : LAB_BLOCK_ALLOCATED};
		pfn += 1UL << order;
	}
	memset(types, M, sizeof(types));
	assert_int_equal(lab_zone_restore(z, blocks, b - blocks, types, LAB_ARRAY_SIZE(types)), 0);
	free(blocks);
	return z;
}

static struct lab_zone_config
sparse_config(enum lab_zone_type type)
{
	struct lab_zone_config cfg = lab_zone_config_default(SPARSE_PAGES);

	cfg.type = type;
	cfg.min_free_kbytes = 0;
	return cfg;
}

/* A refill that had to steal once goes on stealing: one attempt to claim a block, one boost. */
static void
test_refill_remembers_that_it_steals(void **state)
{
	struct lab_zone_config cfg = sparse_config(LAB_ZONE_DMA32);
	struct lab_zone *z = make_sparse(&cfg);

	assert_non_null(lab_alloc_page_gfp_atomic(z));
	assert_int_equal(stats_of(z).pcp_refill, 1);
	assert_int_equal(stats_of(z).steal, lab_zone_batchsize(SPARSE_PAGES));
	assert_int_equal(stats_of(z).boost, 1);
	lab_zone_destroy(z);
}

/* A bulk request is no first pass: nothing forbids it to fragment. */
static void
test_bulk_may_fragment(void **state)
{
	struct lab_zone_config cfg = sparse_config(LAB_ZONE_NORMAL);
	void *pages[8];

	for (int pcp = 0; pcp < 2; pcp++) {
		struct lab_zone *z;

		cfg.no_pcp = !pcp;
		z = make_sparse(&cfg);
		assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 8, pages), 8);
		assert_true(stats_of(z).steal >= 8);
		lab_zone_destroy(z);
	}
}

/* LOW plus what is asked for: a page less and it is one request of the ordinary kind. */
static void
test_mark_of_bulk(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(2048);
	struct lab_zone_info info;
	struct lab_zone *z;
	void *pages[16];

	cfg.no_pcp = true;
	z = make(&cfg);
	for (lab_zone_info_get(z, &info); info.nr_free > info.wmark.low + 17;
		lab_zone_info_get(z, &info))
		assert_non_null(lab_alloc_pages(z, LAB_GFP_NOWAIT, 0));
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 16, pages), 16);
	for (int i = 0; i < 15; i++)
		assert_int_equal(lab_free_pages(z, pages[i], 0), 0);
	assert_int_equal(lab_alloc_pages_bulk(z, LAB_GFP_ATOMIC, 16, pages), 1);
	lab_zone_destroy(z);
}

/* In a zone of fewer than four pageblocks a raised mark would only refuse more. */
static void
test_boost_needs_four_pageblocks(void **state)
{
	for (unsigned long nr_pages = 2047; nr_pages <= 2048; nr_pages++) {
		struct lab_zone_config cfg = lab_zone_config_default(nr_pages);
		struct lab_zone_info info;
		struct lab_zone *z;

		cfg.no_pcp = true;
		cfg.min_free_kbytes = 64;
		z = make(&cfg);
		while (lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_MOVABLE, 4) != NULL)
			;
		assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
		lab_zone_info_get(z, &info);
		/* 512, for one and a half times the high mark of 24 is less than that. */
		assert_int_equal(info.boost, nr_pages == 2048 ? LAB_PAGEBLOCK_PAGES : 0);
		/* New marks start without one. */
		assert_int_equal(lab_zone_set_min_free_kbytes(z, 128), 0);
		lab_zone_info_get(z, &info);
		assert_int_equal(info.boost, 0);
		lab_zone_destroy(z);
	}
}

/* ------------------------------------------------------------------ marks */

/* A reserve beyond all numbers keeps everything, it does not wrap around to nothing. */
static void
test_endless_lowmem_reserve(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(2048);
	struct lab_zone *z;

	cfg.type = LAB_ZONE_DMA32;
	cfg.lowmem_reserve[LAB_ZONE_NORMAL] = ULONG_MAX;
	z = make(&cfg);
	expect_refused(z, LAB_GFP_ATOMIC, 0, LAB_CAUSE_RESERVE);
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_DMA32, 0));
	assert_int_equal(lab_zone_set_lowmem_reserve(z, LAB_ZONE_DMA32, ULONG_MAX - 5), 0);
	expect_refused(z, LAB_GFP_ATOMIC | __LAB_GFP_DMA32, 0, LAB_CAUSE_RESERVE);
	lab_zone_destroy(z);
}

/* While the zone is below its high mark each free takes the CPU's own high further down. */
static void
test_pcp_high_falls_below_the_high_mark(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(65536);
	struct lab_zone *z = make(&cfg);
	struct lab_pcp_info before, after;
	void *page = NULL;

	for (int i = 0; i < 5000; i++)
		page = lab_alloc_page_gfp_atomic(z);
	while (lab_alloc_pages(z, LAB_GFP_NOWAIT, 5) != NULL)
		;
	assert_int_equal(lab_zone_pcp_info(z, 0, &before), 0);
	assert_true(before.high > before.high_min + before.batch && before.count < before.high_min);
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	assert_int_equal(lab_zone_pcp_info(z, 0, &after), 0);
	assert_int_equal(after.count, before.count + 1);
	assert_int_equal(after.high, before.high - before.batch);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_may_have_highatomic_pages),
		cmocka_unit_test(test_forced_unreserve),
		cmocka_unit_test(test_cap_of_highatomic),
		cmocka_unit_test(test_refill_remembers_that_it_steals),
		cmocka_unit_test(test_bulk_may_fragment),
		cmocka_unit_test(test_mark_of_bulk),
		cmocka_unit_test(test_pcp_high_falls_below_the_high_mark),
		cmocka_unit_test(test_boost_needs_four_pageblocks),
		cmocka_unit_test(test_endless_lowmem_reserve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
