/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_fallback.c
 * Claim, steal, NOFRAGMENT, boost and CMA, from states written down by hand.
 */
#include "zone_fixture.h"

#include "buddy.h"
#include "gate.h"
#include "zone.h"

#define U LAB_MIGRATE_UNMOVABLE
#define M LAB_MIGRATE_MOVABLE
#define R LAB_MIGRATE_RECLAIMABLE

#define GFP_U (LAB_GFP_NOWAIT)
#define GFP_M (LAB_GFP_NOWAIT | __LAB_GFP_MOVABLE)
#define GFP_R (LAB_GFP_NOWAIT | __LAB_GFP_RECLAIMABLE)

static struct state s;

/** A test that failed leaves no state behind. */
static int
setup(void **state)
{
	memset(&s, 0, sizeof(s));
	return 0;
}

/** Eight pageblocks, of which the test fills the first and movable pages the rest. */
static struct lab_zone *
make_boosting_zone(unsigned long min)
{
	struct lab_zone_config cfg = plain_config(8 * PAGEBLOCK, min);

	cfg.watermark_boost_factor = 15000;
	return make_zone(&cfg);
}

static void
fill_others(struct state *st)
{
	while (st->pfn < 8 * PAGEBLOCK)
		state_used_pageblock(st, M, M);
}

static unsigned long
alloc_pfn(struct lab_zone *z, lab_gfp_t gfp, unsigned int order)
{
	void *page = lab_alloc_pages(z, gfp, order);

	assert_non_null(page);
	assert_valid(z);
	return lab_page_to_pfn(z, page);
}

/** A fresh zone is movable throughout: the first unmovable page takes the whole block of order 10. */
static void
test_claim_whole(void **state)
{
	struct lab_zone *z = make_boosting_zone(0);

	assert_int_equal(alloc_pfn(z, GFP_U, 0), 0);
	assert_int_equal(lab_pageblock_migratetype(z, 0), U);
	assert_int_equal(lab_pageblock_migratetype(z, PAGEBLOCK), U);
	assert_int_equal(lab_pageblock_migratetype(z, 2 * PAGEBLOCK), M);
	assert_int_equal(zone_stats(z).claim, 2);
	assert_int_equal(zone_stats(z).boost, 0);
	/* the next ones come from it; a reclaimable one claims the next two */
	assert_int_equal(alloc_pfn(z, GFP_U, 0), 1);
	assert_int_equal(alloc_pfn(z, GFP_R, 0), 2 * PAGEBLOCK);
	assert_int_equal(lab_pageblock_migratetype(z, 3 * PAGEBLOCK), R);
	assert_int_equal(zone_stats(z).claim, 4);
	assert_int_equal(zone_stats(z).steal, 0);
	lab_zone_destroy(z);
}

/** 255 + `extra` free, `movable` movable pages, the rest unmovable, in a movable pageblock. */
static struct lab_zone *
half_free(unsigned long extra, unsigned long movable)
{
	struct lab_zone *z = make_boosting_zone(0);

	state_pageblock(&s, M);
	for (unsigned int order = 7; order > 0; order--)
		state_free(&s, order, M);
	state_free(&s, 0, M); /* 128 + 64 + ... + 1 = 255 pages, the last one's buddy in use */
	state_used(&s, 1, M);
	if (extra) {
		state_free(&s, 0, M);
		state_used(&s, 1, M);
	}
	state_used(&s, movable - 1 - extra, M);
	state_fill(&s, U);
	fill_others(&s);
	state_apply(z, &s);
	assert_int_equal(free_pages(z), 255 + extra);
	return z;
}

/** An unmovable request claims at free + alike >= 256, alike = what is neither free nor movable. */
static void
test_claim_half(void **state)
{
	const struct {
		unsigned long extra, movable;
		bool claims;
	} cases[] = {
		{1, 256, true},  /* 256 free, none alike */
		{0, 257, false}, /* 255 free, none alike */
		{0, 256, true},  /* 255 free, one alike */
		{0, 2, true},
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(cases); i++) {
		struct lab_zone *z = half_free(cases[i].extra, cases[i].movable);
		unsigned long pfn = alloc_pfn(z, GFP_U, 0);

		assert_int_equal(lab_pageblock_migratetype(z, pfn), cases[i].claims ? U : M);
		assert_int_equal(zone_stats(z).claim, cases[i].claims);
		assert_int_equal(zone_stats(z).steal, !cases[i].claims);
		/* either way it is the first of the smallest blocks */
		assert_int_equal(pfn, 254);
		lab_zone_destroy(z);
	}
}

/* From reclaimable to unmovable, or the other way, nothing counts as alike but the free pages. */
static void
test_claim_not_alike(void **state)
{
	struct lab_zone *z = make_boosting_zone(0);

	state_pageblock(&s, R);
	for (unsigned int order = 7; order > 0; order--)
		state_free(&s, order, R);
	state_free(&s, 0, R);
	state_fill(&s, U);
	fill_others(&s);
	state_apply(z, &s);
	assert_int_equal(alloc_pfn(z, GFP_U, 0), 254);
	assert_int_equal(zone_stats(z).claim, 0);
	assert_int_equal(zone_stats(z).steal, 1);
	lab_zone_destroy(z);
}

/** A movable request is alike with the movable pages, and tries only blocks of order 4 and more. */
static void
test_movable_claim(void **state)
{
	for (unsigned int order = 3; order <= 4; order++) {
		for (unsigned long movable = 239; movable <= 240; movable++) {
			struct lab_zone *z = make_boosting_zone(0);
			bool tries = order == 4, claims = tries && movable == 240;

			state_pageblock(&s, U);
			state_free(&s, order, U);
			state_used(&s, 16 - (1U << order) + 16, U);
			if (order == 3) /* as many free pages, in two blocks that cannot merge */
				s.nr_blocks -= 8, s.pfn -= 8, state_free(&s, 3, U);
			state_used(&s, movable, M);
			state_fill(&s, U);
			fill_others(&s);
			state_apply(z, &s);
			assert_int_equal(free_pages(z), 16);
			alloc_pfn(z, GFP_M, 0);
			/* 16 free + 240 movable = 256 */
			assert_int_equal(zone_stats(z).claim, claims);
			assert_int_equal(zone_stats(z).steal, !claims);
			assert_int_equal(zone_stats(z).boost, tries);
			assert_int_equal(lab_pageblock_migratetype(z, 0), claims ? M : U);
			lab_zone_destroy(z);
		}
	}
}

/** U falls back to R and then M, M to R and then U, R to U and then M: steals of single pages. */
static void
test_fallback_order(void **state)
{
	const lab_gfp_t gfp[] = {GFP_U, GFP_M, GFP_R};
	const uint8_t first[] = {R, R, U}, second[] = {M, U, M};

	for (unsigned int mt = 0; mt < LAB_MIGRATE_PCPTYPES; mt++) {
		struct lab_zone *z = make_plain_zone(8 * PAGEBLOCK, 0);

		for (unsigned int other = 0; other < LAB_MIGRATE_PCPTYPES; other++) {
			state_pageblock(&s, other);
			if (other != mt)
				state_free(&s, 0, other);
			/* movable pages never let an unmovable request claim, nor U ones M */
			state_fill(&s, mt == M ? U : M);
		}
		fill_others(&s);
		state_apply(z, &s);
		assert_int_equal(alloc_pfn(z, gfp[mt], 0), first[mt] * PAGEBLOCK);
		assert_int_equal(alloc_pfn(z, gfp[mt], 0), second[mt] * PAGEBLOCK);
		assert_int_equal(zone_stats(z).steal, 2);
		lab_zone_destroy(z);
	}
}

/** A steal takes from the smallest block that will do, so that large ones stay whole. */
static void
test_steal_smallest(void **state)
{
	struct lab_zone *z = make_plain_zone(8 * PAGEBLOCK, 0);

	state_pageblock(&s, U);
	state_free(&s, 3, U);
	state_used(&s, 8, U);
	state_free(&s, 1, U);
	state_used(&s, 2, U);
	state_fill(&s, U);
	fill_others(&s);
	state_apply(z, &s);
	assert_int_equal(alloc_pfn(z, GFP_M, 0), 16);
	assert_int_equal(alloc_pfn(z, GFP_M, 0), 17);
	assert_int_equal(alloc_pfn(z, GFP_M, 0), 0);
	assert_int_equal(zone_stats(z).steal, 3);
	assert_int_equal(lab_pageblock_migratetype(z, 0), U);
	lab_zone_destroy(z);
}

static uint32_t
take(struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags)
{
	uint32_t pfn;

	lab_spin_lock(&z->lock);
	pfn = lab_buddy_take(z, order, mt, alloc_flags);
	if (pfn != LAB_NO_PFN)
		lab_frame_set(z, pfn, lab_word(LAB_FRAME_ALLOCATED, order, mt, 0));
	lab_spin_unlock(&z->lock);
	assert_valid(z);
	return pfn;
}

/** NOFRAGMENT, which a Normal zone's first pass asks for, forbids parts of others' pageblocks. */
static void
test_nofragment(void **state)
{
	struct lab_zone *z = make_plain_zone(8 * PAGEBLOCK, 0);
	const struct lab_request rq = {.gfp = GFP_M, .mt = M};

	assert_true(lab_first_pass_flags(z, &rq) & LAB_ALLOC_NOFRAGMENT);
	state_pageblock(&s, U);
	state_free(&s, 8, U); /* large enough to be claimed */
	state_used(&s, 256, M);
	fill_others(&s);
	state_apply(z, &s);
	assert_int_equal(take(z, 0, M, LAB_ALLOC_NOFRAGMENT), LAB_NO_PFN);
	assert_int_equal(zone_stats(z).claim + zone_stats(z).steal, 0);
	assert_int_equal(take(z, 0, M, 0), 0);
	assert_int_equal(zone_stats(z).claim, 1);
	lab_zone_destroy(z);
}

/** A whole pageblock may be claimed even so. */
static void
test_nofragment_whole(void **state)
{
	struct lab_zone *z = make_plain_zone(8 * PAGEBLOCK, 0);

	assert_int_equal(take(z, 0, U, LAB_ALLOC_NOFRAGMENT), 0);
	assert_int_equal(zone_stats(z).claim, 2);
	lab_zone_destroy(z);
}

/** Only a Normal zone does: there is no lower one to protect otherwise. */
static void
test_nofragment_zones(void **state)
{
	const struct lab_request rq = {.gfp = GFP_M, .mt = M};

	for (int type = 0; type < LAB_NR_ZONE_TYPES; type++) {
		struct lab_zone_config cfg = plain_config(PAGEBLOCK, 0);
		struct lab_zone *z;

		cfg.type = type;
		z = make_zone(&cfg);
		assert_int_equal(!!(lab_first_pass_flags(z, &rq) & LAB_ALLOC_NOFRAGMENT),
			type == LAB_ZONE_NORMAL);
		lab_zone_destroy(z);
	}
}

/** Free single pages of a movable pageblock that an unmovable request cannot claim. */
static struct lab_zone *
unclaimable(unsigned long nr_pageblocks, unsigned long min, unsigned int factor)
{
	struct lab_zone_config cfg = plain_config(nr_pageblocks * PAGEBLOCK, min);
	struct lab_zone *z;

	cfg.watermark_boost_factor = (int)factor;
	z = make_zone(&cfg);
	for (unsigned long i = 0; i < nr_pageblocks; i++) {
		state_pageblock(&s, M);
		for (int j = 0; j < 240; j++) {
			state_free(&s, 0, M);
			state_used(&s, 1, M);
		}
		state_fill(&s, M);
	}
	state_apply(z, &s);
	return z;
}

/* Each attempt adds a pageblock, up to 1.5 times the high mark. min = 400: gap = max(100, 4096*10/
 * 10000) = 100, high = 600, so 512 and then 900. */
static void
test_boost(void **state)
{
	struct lab_zone *z = unclaimable(8, 400, 15000);

	assert_int_equal(zone_info(z).wmark.high, 600);
	alloc_pfn(z, GFP_U, 0);
	assert_int_equal(zone_info(z).boost, 512);
	assert_true(lab_zone_kswapd_wanted(z));
	assert_int_equal(zone_stats(z).kswapd_wake, 1);
	alloc_pfn(z, GFP_U, 0);
	assert_int_equal(zone_info(z).boost, 900);
	alloc_pfn(z, GFP_U, 0);
	assert_int_equal(zone_info(z).boost, 900);
	assert_int_equal(zone_stats(z).boost, 3);
	/* kswapd takes away what it met */
	lab_zone_kswapd(z);
	assert_int_equal(zone_info(z).boost, 0);
	assert_false(lab_zone_kswapd_wanted(z));
	/* and nobody is woken again for a boost that is gone */
	alloc_pfn(z, GFP_M, 0);
	assert_false(lab_zone_kswapd_wanted(z));
	lab_zone_destroy(z);
}

/** With a low high mark a boost is at least one pageblock. */
static void
test_boost_least(void **state)
{
	struct lab_zone *z = unclaimable(8, 10, 15000);

	alloc_pfn(z, GFP_U, 0);
	assert_int_equal(zone_info(z).boost, 512);
	alloc_pfn(z, GFP_U, 0);
	assert_int_equal(zone_info(z).boost, 512);
	lab_zone_destroy(z);
}

static void
test_no_boost(void **state)
{
	struct lab_zone *z = unclaimable(8, 400, 0); /* switched off */

	alloc_pfn(z, GFP_U, 0);
	assert_int_equal(zone_info(z).boost, 0);
	lab_zone_destroy(z);
	z = unclaimable(3, 100, 15000); /* under four pageblocks */
	alloc_pfn(z, GFP_U, 0);
	assert_int_equal(zone_info(z).boost, 0);
	lab_zone_destroy(z);
	z = unclaimable(4, 100, 15000); /* four are enough */
	alloc_pfn(z, GFP_U, 0);
	assert_int_equal(zone_info(z).boost, 512);
	lab_zone_destroy(z);
}

/* CMA: the last pages of the zone, for movable requests only; used in turn while it holds more than
 * half of what is free. */
static void
test_cma(void **state)
{
	struct lab_zone_config cfg = plain_config(8 * PAGEBLOCK, 0);
	struct lab_zone_info info;
	struct lab_zone *z;

	cfg.cma_pages = 3 * PAGEBLOCK - 5; /* rounded up */
	z = make_zone(&cfg);
	info = zone_info(z);
	assert_int_equal(info.nr_free_cma, 3 * PAGEBLOCK);
	assert_int_equal(lab_pageblock_migratetype(z, 5 * PAGEBLOCK), LAB_MIGRATE_CMA);
	assert_int_equal(lab_pageblock_migratetype(z, 5 * PAGEBLOCK - 1), M);
	assert_true(alloc_pfn(z, GFP_M, 9) < 5 * PAGEBLOCK);  /* 3 of 8 free blocks are CMA */
	assert_true(alloc_pfn(z, GFP_M, 9) < 5 * PAGEBLOCK);  /* 3 of 7 */
	assert_true(alloc_pfn(z, GFP_M, 9) < 5 * PAGEBLOCK);  /* 3 of 6: not more than half */
	assert_true(alloc_pfn(z, GFP_M, 9) >= 5 * PAGEBLOCK); /* 3 of 5 */
	assert_true(alloc_pfn(z, GFP_U, 9) < 5 * PAGEBLOCK);  /* 2 of 4 */
	assert_true(alloc_pfn(z, GFP_U, 9) < 5 * PAGEBLOCK); /* unmovable ones never, to the last */
	assert_int_equal(zone_info(z).nr_free_cma, zone_info(z).nr_free);
	assert_null(lab_alloc_pages(z, GFP_U, 0));
	assert_int_equal(errno, EBUSY); /* CMA is kept from it */
	assert_null(lab_alloc_pages(z, LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC, 0));
	assert_int_equal(errno, EBUSY);
	alloc_pfn(z, GFP_M | __LAB_GFP_MEMALLOC, 9);
	alloc_pfn(z, GFP_M | __LAB_GFP_MEMALLOC, 9);
	assert_int_equal(free_pages(z), 0);
	lab_zone_destroy(z);
}

/** Movable and CMA pageblocks next to each other never merge, whatever their order. */
static void
test_cma_no_merge(void **state)
{
	struct lab_zone_config cfg = plain_config(2 * PAGEBLOCK, 0);
	struct lab_free_counts counts;
	struct lab_zone *z;

	cfg.cma_pages = PAGEBLOCK;
	z = make_zone(&cfg);
	lab_zone_free_counts(z, &counts);
	assert_int_equal(counts.blocks[10][M], 0);
	assert_int_equal(counts.blocks[9][M], 1);
	assert_int_equal(counts.blocks[9][LAB_MIGRATE_CMA], 1);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_claim_whole, setup),
		cmocka_unit_test_setup(test_claim_half, setup),
		cmocka_unit_test_setup(test_claim_not_alike, setup),
		cmocka_unit_test_setup(test_movable_claim, setup),
		cmocka_unit_test_setup(test_fallback_order, setup),
		cmocka_unit_test_setup(test_steal_smallest, setup),
		cmocka_unit_test_setup(test_nofragment, setup),
		cmocka_unit_test_setup(test_nofragment_whole, setup),
		cmocka_unit_test_setup(test_nofragment_zones, setup),
		cmocka_unit_test_setup(test_boost, setup),
		cmocka_unit_test_setup(test_boost_least, setup),
		cmocka_unit_test_setup(test_no_boost, setup),
		cmocka_unit_test_setup(test_cma, setup),
		cmocka_unit_test_setup(test_cma_no_merge, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
