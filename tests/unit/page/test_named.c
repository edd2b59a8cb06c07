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
	lab_zone_reserve_highatomic(z, 512);
	assert_valid(z);
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	assert_int_equal(zone_info(z).nr_free_highatomic, PAGEBLOCK - 2);
	lab_zone_reserve_highatomic(z, 2048); /* as many as there may be */
	assert_valid(z);
	assert_int_equal(zone_info(z).nr_highatomic, PAGEBLOCK);
	lab_zone_reserve_highatomic(z, 51200);
	lab_zone_destroy(z);
}

/** A block over two pageblocks, in use or free, keeps them of one type. */
static void
test_half_of_a_block_is_not_set_aside(void **state)
{
	struct lab_zone *z = make_plain_zone(102400, 64);

	(void)state;
	assert_int_equal(take(z, 1024, LAB_MAX_ORDER, U), 0);
	lab_zone_reserve_highatomic(z, 1024);
	lab_zone_reserve_highatomic(z, 2048 + PAGEBLOCK);
	assert_valid(z);
	assert_int_equal(zone_info(z).nr_highatomic, 0);
	assert_int_equal(take(z, 4096, LAB_PAGEBLOCK_ORDER, U), 0);
	lab_zone_reserve_highatomic(z, 4096);
	lab_zone_reserve_highatomic(z, 4096 + PAGEBLOCK); /* free as a whole */
	assert_valid(z);
	assert_int_equal(zone_info(z).nr_highatomic, 2 * PAGEBLOCK);
	assert_int_equal(zone_info(z).nr_free_highatomic, PAGEBLOCK);
	give(z, 1024, LAB_MAX_ORDER);
	give(z, 4096, LAB_PAGEBLOCK_ORDER);
	lab_zone_destroy(z);
}

/** A highatomic pageblock that was free as a whole merges with its buddy once it is given up, and the block is cut out of both. */
static void
test_given_up_beside_a_free_one(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 16);

	(void)state;
	state_pageblock(&s, HIGHATOMIC);
	state_free(&s, LAB_PAGEBLOCK_ORDER, HIGHATOMIC);
	state_pageblock(&s, M);
	state_free(&s, LAB_PAGEBLOCK_ORDER, M);
	state_apply(z, &s);
	assert_int_equal(take(z, 8, 3, M), 0);
	assert_int_equal(free_blocks(z, LAB_PAGEBLOCK_ORDER), 1);
	assert_int_equal(free_pages(z), 1016);
	give(z, 8, 3);
	assert_int_equal(free_blocks(z, LAB_MAX_ORDER), 1);
	lab_zone_destroy(z);
}

/** Types that the emulated zone has none of come from a highatomic pageblock as from one given up to movable pages. */
static void
test_types_that_claim_nothing(void **state)
{
	static const enum lab_migratetype types[] = {LAB_MIGRATE_CMA, LAB_MIGRATE_ISOLATE};

	(void)state;
	for (size_t i = 0; i < LAB_ARRAY_SIZE(types); i++) {
		struct lab_zone *z = make_plain_zone(1024, 16);

		two_pageblocks(z, HIGHATOMIC, 256);
		assert_int_equal(take(z, 256, 0, types[i]), 0);
		assert_int_equal(lab_pageblock_migratetype(z, 0), M);
		assert_int_equal(zone_info(z).nr_highatomic, 0);
		assert_int_equal(take(z, 258, 1, types[i]), 0);
		assert_int_equal(lab_pageblock_migratetype(z, 0), M);
		assert_int_equal(zone_info(z).nr_free, 253);
		lab_zone_destroy(z);
	}
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

#define FRAMES 8192U
#define FREE   0
#define INSIDE 255

/** What is known of the frames: FREE; of a block's first frame its order + 1; INSIDE. */
static uint8_t known[FRAMES];

static bool
is_free(unsigned long pfn, unsigned int order)
{
	for (unsigned long i = pfn; i < pfn + (1UL << order); i++)
		if (known[i] != FREE)
			return false;
	return true;
}

static void
random_take(struct lab_zone *z, struct lab_rng *rng)
{
	unsigned int order =
		(unsigned int)lab_rng_below(rng, lab_rng_below(rng, 8) == 0 ? LAB_NR_ORDERS : 4);
	unsigned long pfn = lab_rng_below(rng, FRAMES >> order) << order;
	enum lab_migratetype mt = (enum lab_migratetype)lab_rng_below(rng, LAB_MIGRATE_TYPES);

	assert_int_equal(lab_zone_take(z, pfn, order, mt), is_free(pfn, order) ? 0 : -EBUSY);
	if (!is_free(pfn, order))
		return;
	memset(&known[pfn], INSIDE, 1UL << order);
	known[pfn] = (uint8_t)(order + 1);
}

static void
random_give(struct lab_zone *z, struct lab_rng *rng)
{
	unsigned long pfn = lab_rng_below(rng, FRAMES);
	unsigned int order;

	while (pfn > 0 && known[pfn] == INSIDE)
		pfn--;
	if (known[pfn] == FREE)
		return;
	order = known[pfn] - 1U;
	assert_int_equal(lab_free_pages(z, lab_pfn_to_page(z, pfn), order), 0);
	memset(&known[pfn], FREE, 1UL << order);
}

/** What is taken and given at random lies where a list of frames says, whatever pageblocks are claimed, set aside and given up. */
static void
test_random(void **state)
{
	struct lab_zone *z = make_plain_zone(FRAMES, 64);
	struct lab_rng rng;

	(void)state;
	lab_rng_seed(&rng, 1);
	memset(known, FREE, sizeof(known));
	for (int i = 0; i < 20000; i++) {
		unsigned long pfn = lab_rng_below(&rng, FRAMES);

		if (lab_rng_below(&rng, 2))
			random_take(z, &rng);
		else
			random_give(z, &rng);
		if (lab_rng_below(&rng, 50) == 0)
			lab_zone_reserve_highatomic(z, pfn);
		if (i % 50 == 0)
			assert_valid(z);
	}
	assert_valid(z);
	assert_true(zone_stats(z).highatomic_reserve > 20);
	assert_true(zone_stats(z).highatomic_unreserve > 20);
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
		cmocka_unit_test(test_half_of_a_block_is_not_set_aside),
		cmocka_unit_test(test_given_up_beside_a_free_one),
		cmocka_unit_test(test_types_that_claim_nothing),
		cmocka_unit_test(test_boost_is_said),
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
