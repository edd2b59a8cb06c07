/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_free.c
 * Blocks given back rightly and wrongly. A wrong free changes nothing but its counter.
 */
#include "zone_fixture.h"

/** Everything of a zone that a refused free must not change. */
struct snapshot {
	struct lab_free_counts counts;
	struct lab_zone_stats stats;
	unsigned long pcp;
};

static void
snap(struct lab_zone *z, struct snapshot *s)
{
	memset(s, 0, sizeof(*s));
	lab_zone_free_counts(z, &s->counts);
	lab_zone_stats_get(z, &s->stats);
	s->pcp = zone_info(z).nr_pcp;
}

static void
check_bad(struct lab_zone *z, void *page, unsigned int order, int ret)
{
	struct snapshot before, after;

	snap(z, &before);
	assert_int_equal(lab_free_pages(z, page, order), ret);
	snap(z, &after);
	before.stats.bad_free++;
	assert_memory_equal(&before, &after, sizeof(before));
	assert_valid(z);
}

static char *
at(struct lab_zone *z, unsigned long pfn)
{
	return (char *)zone_info(z).base + pfn * LAB_PAGE_SIZE;
}

static void
test_not_a_block(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 0);
	char *page = lab_alloc_pages(z, GFP_ANY_MOVABLE, 2);
	int local;

	assert_int_equal(lab_free_pages(z, NULL, 0), 0);
	assert_int_equal(zone_stats(z).bad_free, 0);
	check_bad(z, &local, 0, -EINVAL);
	check_bad(z, at(z, 0) - LAB_PAGE_SIZE, 0, -EINVAL);
	check_bad(z, at(z, 1024), 0, -EINVAL);
	check_bad(z, page + 1, 2, -EINVAL);
	check_bad(z, page + 64, 0, -EINVAL);
	check_bad(z, page, LAB_MAX_ORDER + 1, -EINVAL);
	check_bad(z, page, 64, -EINVAL);
	check_bad(z, page, UINT32_MAX, -EINVAL);
	check_bad(z, page, 1, -EINVAL);                 /* wrong order: too small */
	check_bad(z, page, 3, -EINVAL);                 /* too large */
	check_bad(z, page + LAB_PAGE_SIZE, 0, -EINVAL); /* a part of a block */
	check_bad(z, page + 2 * LAB_PAGE_SIZE, 1, -EINVAL);
	check_bad(z, page + LAB_PAGE_SIZE, 2, -EINVAL); /* misaligned for the order */
	assert_int_equal(lab_free_pages(z, page, 2), 0);
	assert_int_equal(free_pages(z), 1024);
	lab_zone_destroy(z);
}

/** Twice is once too often, whatever became of the block meanwhile. */
static void
test_double_free(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 0);
	char *a = lab_alloc_pages(z, GFP_ANY_MOVABLE, 1);
	char *b = lab_alloc_pages(z, GFP_ANY_MOVABLE, 1);

	assert_int_equal(lab_page_to_pfn(z, a), 0);
	assert_int_equal(lab_page_to_pfn(z, b), 2);
	assert_int_equal(lab_free_pages(z, b, 1), 0); /* merges upwards */
	check_bad(z, b, 1, -EALREADY);
	assert_int_equal(lab_free_pages(z, a, 1), 0);
	check_bad(z, a, 1, -EALREADY); /* the head of a block of order 10 */
	check_bad(z, b, 1, -EALREADY); /* inside of it */
	check_bad(z, a, 0, -EALREADY);
	a = lab_alloc_pages(z, GFP_ANY_MOVABLE, 0); /* split again */
	check_bad(z, b, 1, -EALREADY);
	check_bad(z, a + LAB_PAGE_SIZE, 0, -EALREADY);
	assert_int_equal(lab_free_pages(z, a, 0), 0);
	lab_zone_destroy(z);
}

static void
test_double_free_pcp(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(65536);
	struct lab_zone *z = make_zone(&cfg);
	const unsigned int orders[] = {0, 1, 2, 3, 9};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(orders); i++) {
		void *page = lab_alloc_pages(z, LAB_GFP_ATOMIC, orders[i]);

		assert_int_equal(lab_free_pages(z, page, orders[i]), 0);
		check_bad(z, page, orders[i], -EALREADY); /* it waits on the list */
		check_bad(z, page, orders[i] == 0 ? 1 : 0, -EALREADY);
		lab_drain_all_pages(z);
		check_bad(z, page, orders[i], -EALREADY);
	}
	/* the ones that a refill has put on the list, never handed out */
	assert_non_null(lab_alloc_pages(z, LAB_GFP_ATOMIC, 0));
	assert_true(zone_info(z).nr_pcp > 0);
	check_bad(z, at(z, 1), 0, -EALREADY);
	lab_zone_destroy(z);
}

static void
test_comp_and_split(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 0);
	char *comp = lab_alloc_pages(z, GFP_ANY | __LAB_GFP_COMP, 2);
	char *plain = lab_alloc_pages(z, GFP_ANY, 2);

	check_bad(z, comp + LAB_PAGE_SIZE, 0, -EINVAL);
	assert_int_equal(lab_split_page(z, comp, 2), -EINVAL);
	assert_int_equal(lab_split_page(z, plain, 1), -EINVAL);
	assert_int_equal(lab_split_page(z, plain + LAB_PAGE_SIZE, 0), -EINVAL);
	assert_int_equal(lab_split_page(z, NULL, 0), -EINVAL);
	assert_int_equal(lab_split_page(z, plain, 11), -EINVAL);
	assert_int_equal(lab_split_page(z, plain, 2), 0);
	assert_valid(z);
	check_bad(z, plain, 2, -EINVAL); /* it is four blocks now */
	for (int i = 3; i >= 0; i--)
		assert_int_equal(lab_free_pages(z, plain + i * LAB_PAGE_SIZE, 0), 0);
	assert_int_equal(lab_split_page(z, plain, 0), -EINVAL); /* free */
	assert_int_equal(lab_free_pages(z, comp, 2), 0);
	assert_int_equal(free_pages(z), 1024);
	lab_zone_destroy(z);
}

/** Every order: aligned, disjoint, and back to one whole. */
static void
test_orders(void **state)
{
	for (unsigned int order = 0; order <= LAB_MAX_ORDER; order++) {
		struct lab_zone *z = make_plain_zone(4096, 0);
		unsigned int n = 4096 >> order;
		static char *pages[4096];

		for (unsigned int i = 0; i < n; i++) {
			pages[i] = lab_alloc_pages(z, GFP_ANY_MOVABLE, order);
			assert_int_equal(lab_page_to_pfn(z, pages[i]), (unsigned long)i << order);
		}
		assert_null(lab_alloc_pages(z, GFP_ANY_MOVABLE, 0));
		assert_int_equal(zone_stats(z).alloc[order], n);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(lab_free_pages(z, pages[(i * 7) % n], order), 0);
		assert_int_equal(zone_stats(z).free[order], n);
		assert_valid(z);
		assert_int_equal(free_pages(z), 4096);
		lab_zone_destroy(z);
	}
}

/* [buddy_merge_likely] A freed page whose pair's own buddy is free goes to the tail: it will soon be
 * part of something larger. */
static void
test_tail(void **state)
{
	static struct state s;
	struct lab_zone *z = make_plain_zone(1024, 0);

	state_pageblock(&s, LAB_MIGRATE_MOVABLE);
	state_used(&s, 2, LAB_MIGRATE_MOVABLE);
	state_free(&s, 1, LAB_MIGRATE_MOVABLE); /* 0 and 1 in use, 2-3 free */
	state_used(&s, 4, LAB_MIGRATE_MOVABLE);
	state_fill(&s, LAB_MIGRATE_MOVABLE);
	state_used_pageblock(&s, LAB_MIGRATE_MOVABLE, LAB_MIGRATE_MOVABLE);
	state_apply(z, &s);
	assert_int_equal(lab_free_pages(z, at(z, 4), 0), 0);  /* 6-7 in use: head */
	assert_int_equal(lab_free_pages(z, at(z, 0), 0), 0);  /* 2-3 free: tail */
	assert_int_equal(lab_free_pages(z, at(z, 20), 0), 0); /* head */
	assert_int_equal(lab_page_to_pfn(z, lab_alloc_pages(z, GFP_ANY_MOVABLE, 0)), 20);
	assert_int_equal(lab_page_to_pfn(z, lab_alloc_pages(z, GFP_ANY_MOVABLE, 0)), 4);
	assert_int_equal(lab_page_to_pfn(z, lab_alloc_pages(z, GFP_ANY_MOVABLE, 0)), 0);
	lab_zone_destroy(z);
}

static void
test_zero(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 0);
	unsigned char *page = lab_alloc_pages(z, GFP_ANY_MOVABLE, 2);

	memset(page, 0xff, 4 * LAB_PAGE_SIZE);
	assert_int_equal(lab_free_pages(z, page, 2), 0);
	assert_int_equal(page[0], 0xff); /* a free frame is never written */
	assert_ptr_equal(lab_alloc_pages(z, GFP_ANY_MOVABLE | __LAB_GFP_ZERO, 2), page);
	for (size_t i = 0; i < 4 * LAB_PAGE_SIZE; i++)
		assert_int_equal(page[i], 0);
	assert_int_equal(zone_stats(z).zero_inline, 1);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_a_block),
		cmocka_unit_test(test_double_free),
		cmocka_unit_test(test_double_free_pcp),
		cmocka_unit_test(test_comp_and_split),
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
