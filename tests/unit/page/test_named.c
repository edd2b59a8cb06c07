/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_named.c
 * Blocks that are taken by name: which ones, what is left of the block around them, and what Linux does
 * when such a block is of another type.
 */
#include <limits.h>

#include "zone_fixture.h"

#define HIGHATOMIC LAB_MIGRATE_HIGHATOMIC
#define M          LAB_MIGRATE_MOVABLE
#define U          LAB_MIGRATE_UNMOVABLE

static struct state s;

static unsigned long
free_blocks(struct lab_zone *z, unsigned int order)
{
	struct lab_free_counts c;
	unsigned long n = 0;

	lab_zone_free_counts(z, &c);
	for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
		n += c.blocks[order][mt];
	return n;
}

static int
take(struct lab_zone *z, unsigned long pfn, unsigned int order, enum lab_migratetype mt)
{
	int ret = lab_zone_take(z, pfn, order, mt);

	assert_valid(z);
	return ret;
}

static void
give(struct lab_zone *z, unsigned long pfn, unsigned int order)
{
	assert_int_equal(lab_free_pages(z, lab_pfn_to_page(z, pfn), order), 0);
	assert_valid(z);
}

/** Of the largest block one frame in its midst: on each side a block of each order is left. */
static void
test_the_rest_stays_free(void **state)
{
	struct lab_zone *z = make_plain_zone(2048, 0);

	(void)state;
	assert_int_equal(take(z, 1024 + 341, 0, M), 0);
	for (unsigned int order = 0; order < LAB_MAX_ORDER; order++)
		assert_int_equal(free_blocks(z, order), 1);
	assert_int_equal(free_pages(z), 2047);
	assert_int_equal(zone_stats(z).alloc[0], 1);
	assert_int_equal(take(z, 1024 + 344, 3, M), 0);
	assert_int_equal(free_pages(z), 2039);
	give(z, 1024 + 341, 0);
	give(z, 1024 + 344, 3);
	assert_int_equal(free_blocks(z, LAB_MAX_ORDER), 2);
	lab_zone_destroy(z);
}

static void
test_what_cannot_be_taken(void **state)
{
	struct lab_zone_config cfg = plain_config(2000, 0);
	struct lab_zone *z = make_zone(&cfg);

	(void)state;
	assert_int_equal(take(z, 512, 4, M), 0);
	assert_int_equal(take(z, 512, 4, M), -EBUSY);
	assert_int_equal(take(z, 520, 0, M), -EBUSY);
	assert_int_equal(take(z, 512, 5, M), -EBUSY); /* half of it is free */
	assert_int_equal(take(z, 2000, 0, M), -EINVAL);
	assert_int_equal(take(z, 1984, 5, M), -EINVAL); /* over the end */
	assert_int_equal(take(z, 3, 1, M), -EINVAL);
	assert_int_equal(take(z, 0, LAB_MAX_ORDER + 1, M), -EINVAL);
	assert_int_equal(take(z, 0, 0, LAB_MIGRATE_TYPES), -EINVAL);
	assert_int_equal(take(z, 1999, 0, M), 0);
	assert_int_equal(free_pages(z), 1983);
	lab_zone_destroy(z);
	cfg.allocator = LAB_ALLOCATOR_LABYRINTH;
	z = make_zone(&cfg);
	assert_int_equal(take(z, 0, 0, M), -ENOTSUP);
	lab_zone_destroy(z);
}

/** The marks are not asked: the last page may be taken. */
static void
test_no_mark_is_in_the_way(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 256);

	(void)state;
	for (unsigned long pfn = 0; pfn < 1024; pfn++)
		assert_int_equal(lab_zone_take(z, pfn ^ 0x155, 0, U), 0);
	assert_valid(z);
	assert_int_equal(free_pages(z), 0);
	lab_zone_destroy(z);
}

static void
two_pageblocks(struct lab_zone *z, uint8_t first, unsigned long used)
{
	state_pageblock(&s, first);
	state_used(&s, used, U);
	while (s.pfn < PAGEBLOCK)
		state_free(&s, (unsigned int)__builtin_ctzl(s.pfn), first);
	state_used_pageblock(&s, M, M);
	state_apply(z, &s);
}

/** What was taken from a highatomic list lies in such a pageblock, and nothing else does. */
static void
test_highatomic(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 16);

	(void)state;
	two_pageblocks(z, HIGHATOMIC, 256);
	assert_int_equal(take(z, 256, 0, HIGHATOMIC), 0);
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	assert_int_equal(zone_info(z).nr_free_highatomic, 255);
	assert_int_equal(take(z, 258, 1, M), 0); /* so it had been given up */
	assert_int_equal(zone_info(z).nr_highatomic, 0);
	assert_int_equal(zone_info(z).nr_free_highatomic, 0);
	assert_int_equal(lab_pageblock_migratetype(z, 0), M);
	assert_int_equal(take(z, 260, 1, HIGHATOMIC), 0); /* and this had been made one */
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	assert_int_equal(zone_info(z).nr_free_highatomic, 251);
	assert_int_equal(lab_pageblock_migratetype(z, 0), HIGHATOMIC);
	lab_zone_destroy(z);
}

/** After an atomic block of a higher order was served below the low mark. */
static void
test_highatomic_is_made(void **state)
{
	struct lab_zone *z = make_plain_zone(51200, 64);

	(void)state;
	assert_int_equal(take(z, 512, 1, U), 0);
	lab_zone_reserve_highatomic(z, 512, 1);
	assert_valid(z);
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	assert_int_equal(zone_info(z).nr_free_highatomic, PAGEBLOCK - 2);
	lab_zone_reserve_highatomic(z, 1024, 1); /* as many as there may be */
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	lab_zone_reserve_highatomic(z, 51200, 1);
	lab_zone_destroy(z);
}

static void
test_boost_is_said(void **state)
{
	struct lab_zone *z = make_plain_zone(4096, 64);
	unsigned long low = zone_info(z).wmark.low;

	(void)state;
	take_down_to(z, low + 100);
	assert_int_equal(
		lab_zone_explain(z, LAB_GFP_KERNEL & ~__LAB_GFP_DIRECT_RECLAIM, 0, NULL), 0);
	lab_zone_set_boost(z, 512);
	assert_int_equal(zone_info(z).boost, 512);
	assert_int_not_equal(
		lab_zone_explain(z, LAB_GFP_KERNEL & ~__LAB_GFP_DIRECT_RECLAIM, 0, NULL), 0);
	lab_zone_set_boost(z, ULONG_MAX);
	assert_int_equal(zone_info(z).boost, 4096);
	lab_zone_set_boost(z, 0);
	assert_int_equal(
		lab_zone_explain(z, LAB_GFP_KERNEL & ~__LAB_GFP_DIRECT_RECLAIM, 0, NULL), 0);
	lab_zone_destroy(z);
}

/** A block of another type: the pageblock is claimed where most of it is free, and the marks are boosted. */
static void
test_claim(void **state)
{
	struct lab_zone_config cfg = plain_config(16 * PAGEBLOCK, 64);
	struct lab_zone *z;

	(void)state;
	cfg.watermark_boost_factor = 15000;
	z = make_zone(&cfg);
	assert_int_equal(take(z, 0, 0, U), 0); /* off a whole block */
	assert_int_equal(lab_pageblock_migratetype(z, 0), U);
	assert_int_equal(zone_stats(z).claim, 2);
	assert_int_equal(zone_stats(z).boost, 0);
	assert_int_equal(take(z, 4096, 0, M), 0);
	assert_int_equal(take(z, 4096 + 300, 0, U), 0); /* all but one page is free */
	assert_int_equal(lab_pageblock_migratetype(z, 4096), U);
	assert_int_equal(zone_stats(z).claim, 3);
	assert_int_equal(zone_stats(z).boost, 1);
	/* a movable page in another's block does no harm: a small one is only taken */
	assert_int_equal(take(z, 4096 + 301, 0, M), 0);
	assert_int_equal(lab_pageblock_migratetype(z, 4096), U);
	assert_int_equal(zone_stats(z).steal, 1);
	assert_int_equal(zone_stats(z).boost, 1);
	lab_zone_destroy(z);
}

#define FRAMES 4096U

/** What is taken and given at random lies where a list of frames says. */
static void
test_random(void **state)
{
	static uint8_t order_of
		[FRAMES]; /* 0: free; of a block's first frame: its order + 1; 255: inside */
	struct lab_zone *z = make_plain_zone(FRAMES, 64);
	struct lab_rng rng;

	(void)state;
	lab_rng_seed(&rng, 1);
	memset(order_of, 0, sizeof(order_of));
	for (int i = 0; i < 20000; i++) {
		unsigned int order = (unsigned int)lab_rng_below(&rng, 4);
		unsigned long size = 1UL << order, pfn = lab_rng_below(&rng, FRAMES / size) * size;
		bool is_free = true;

		if (order_of[pfn] != 0 && order_of[pfn] != 255 && lab_rng_below(&rng, 2)) {
			order = order_of[pfn] - 1U;
			assert_int_equal(lab_free_pages(z, lab_pfn_to_page(z, pfn), order), 0);
			memset(&order_of[pfn], 0, 1UL << order);
			continue;
		}
		for (unsigned long k = 0; k < size; k++)
			is_free = is_free && order_of[pfn + k] == 0;
		assert_int_equal(
			lab_zone_take(z, pfn, order, (enum lab_migratetype)lab_rng_below(&rng, 4)),
			is_free ? 0 : -EBUSY);
		if (is_free) {
			memset(&order_of[pfn], 255, size);
			order_of[pfn] = (uint8_t)(order + 1);
		}
		if (i % 100 == 0)
			assert_valid(z);
	}
	assert_valid(z);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_rest_stays_free),
		cmocka_unit_test(test_what_cannot_be_taken),
		cmocka_unit_test(test_no_mark_is_in_the_way),
		cmocka_unit_test(test_highatomic),
		cmocka_unit_test(test_highatomic_is_made),
		cmocka_unit_test(test_boost_is_said),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
