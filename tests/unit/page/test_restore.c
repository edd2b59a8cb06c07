/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_restore.c
 * Walking a zone, and putting one into a recorded state.
 */
#include "zone_fixture.h"

#define PAGES (8 * PAGEBLOCK)
#define U     LAB_MIGRATE_UNMOVABLE
#define M     LAB_MIGRATE_MOVABLE

static struct state s;

static int
reset(void **state)
{
	memset(&s, 0, sizeof(s));
	return 0;
}

static int
collect(const struct lab_block *b, void *arg)
{
	struct state *st = arg;

	st->blocks[st->nr_blocks++] = *b;
	return 0;
}

static int
collect_allocated(const struct lab_block *b, void *arg)
{
	return b->state == LAB_BLOCK_ALLOCATED ? collect(b, arg) : 0;
}

/** The walk names every frame once, in order of address. */
static void
test_walk(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(1500);
	unsigned long pfn = 0, pages[4] = {0};
	struct lab_zone *z;

	cfg.offline = true;
	z = make_zone(&cfg);
	assert_int_equal(lab_zone_online(z, lab_pfn_to_page(z, 3), 1000), 0);
	assert_non_null(lab_alloc_pages(z, GFP_ANY, 0));
	assert_non_null(lab_alloc_pages(z, GFP_ANY_MOVABLE, 5));
	lab_zone_walk(z, collect, &s);
	for (size_t i = 0; i < s.nr_blocks; i++) {
		assert_int_equal(s.blocks[i].pfn, pfn);
		assert_int_equal(pfn % (1UL << s.blocks[i].order), 0);
		pages[s.blocks[i].state] += 1UL << s.blocks[i].order;
		pfn += 1UL << s.blocks[i].order;
	}
	assert_int_equal(pfn, 1500);
	assert_int_equal(pages[LAB_BLOCK_OFFLINE], 500);
	assert_int_equal(pages[LAB_BLOCK_ALLOCATED], 33);
	assert_int_equal(pages[LAB_BLOCK_PCP], zone_info(z).nr_pcp);
	assert_int_equal(pages[LAB_BLOCK_FREE], zone_info(z).nr_free);
	lab_zone_destroy(z);
}

static int
stop_at_third(const struct lab_block *b, void *arg)
{
	return ++*(int *)arg == 3 ? 42 : 0;
}

static void
test_walk_stops(void **state)
{
	struct lab_zone *z = make_plain_zone(PAGES, 0);
	int n = 0;

	assert_int_equal(lab_zone_walk(z, stop_at_third, &n), 42);
	assert_int_equal(n, 3);
	n = 0;
	assert_int_equal(lab_zone_walk_free(z, stop_at_third, &n), 42);
	assert_int_equal(n, 3);
	lab_zone_destroy(z);
}

static void
churn(struct lab_zone *z, uint64_t seed, unsigned int steps)
{
	static void *pages[PAGES];
	static unsigned int orders[PAGES];
	struct lab_rng rng;
	unsigned int n = 0;

	lab_rng_seed(&rng, seed);
	for (unsigned int i = 0; i < steps; i++) {
		if (n < PAGES && lab_rng_below(&rng, 100) < 52) {
			unsigned int order = lab_rng_below(&rng, 4);
			lab_gfp_t gfp = GFP_ANY | lab_rng_below(&rng, 3) * __LAB_GFP_MOVABLE;

			pages[n] = lab_alloc_pages(z, gfp, order);
			orders[n] = order;
			n += pages[n] != NULL;
		} else if (n > 0) {
			unsigned int k = lab_rng_below(&rng, n--);

			assert_int_equal(lab_free_pages(z, pages[k], orders[k]), 0);
			pages[k] = pages[n];
			orders[k] = orders[n];
		}
	}
}

/** An aged zone, saved and restored into another, behaves the same from there on. */
static void
test_round_trip(void **state)
{
	struct lab_zone *a = make_plain_zone(PAGES, 0), *b = make_plain_zone(PAGES, 0);
	static struct state sa, sb;

	churn(a, 1, 20000);
	memset(&sa, 0, sizeof(sa));
	lab_zone_walk(a, collect_allocated, &sa);
	lab_zone_walk_free(a, collect, &sa);
	for (unsigned long pfn = 0; pfn < PAGES; pfn += PAGEBLOCK)
		sa.types[sa.nr_types++] = lab_pageblock_migratetype(a, pfn);
	assert_true(sa.nr_blocks > 100);
	assert_int_equal(lab_zone_restore(b, sa.blocks, sa.nr_blocks, sa.types, sa.nr_types), 0);
	assert_valid(b);
	for (int i = 0; i < 300; i++) {
		lab_gfp_t gfp = GFP_ANY | (i % 3) * __LAB_GFP_MOVABLE;
		void *pa = lab_alloc_pages(a, gfp, i % 4), *pb = lab_alloc_pages(b, gfp, i % 4);

		assert_int_equal(lab_page_to_pfn(a, pa), lab_page_to_pfn(b, pb));
	}
	memset(&sa, 0, sizeof(sa));
	memset(&sb, 0, sizeof(sb));
	lab_zone_walk(a, collect, &sa);
	lab_zone_walk(b, collect, &sb);
	assert_memory_equal(&sa, &sb, sizeof(sa));
	lab_zone_destroy(a);
	lab_zone_destroy(b);
}

/** Free blocks are handed out in the order given; allocated ones can be given back. */
static void
test_order_given(void **state)
{
	const unsigned long order[] = {300, 100, 200, 0, 400};
	struct lab_zone *z = make_plain_zone(2 * PAGEBLOCK, 0);

	s.types[0] = s.types[1] = M;
	s.nr_types = 2;
	for (size_t i = 0; i < LAB_ARRAY_SIZE(order); i++) {
		s.pfn = order[i];
		state_free(&s, 0, M);
	}
	for (s.pfn = 0; s.pfn < 2 * PAGEBLOCK;) {
		if (s.pfn <= 400 && s.pfn % 100 == 0)
			s.pfn++;
		else
			state_used(&s, 1, U);
	}
	state_apply(z, &s);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(order); i++)
		assert_int_equal(
			lab_page_to_pfn(z, lab_alloc_pages(z, GFP_ANY_MOVABLE, 0)), order[i]);
	assert_int_equal(lab_free_pages(z, lab_pfn_to_page(z, 7), 0), 0);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
good_state(void)
{
	memset(&s, 0, sizeof(s));
	state_pageblock(&s, M);
	state_free(&s, 8, M);
	state_block(&s, 8, U, LAB_BLOCK_ALLOCATED);
	state_pageblock(&s, U);
	state_block(&s, 9, U, LAB_BLOCK_ALLOCATED);
}

static int
restore(struct lab_zone *z)
{
	return lab_zone_restore(z, s.blocks, s.nr_blocks, s.types, s.nr_types);
}

/** What does not tile the zone is refused, and nothing is changed. */
static void
test_refused(void **state)
{
	struct lab_zone *z = make_plain_zone(2 * PAGEBLOCK, 0);
	struct lab_free_counts before, after;
	void *page;

	lab_zone_free_counts(z, &before);
#define CHECK(change)                                                                              \
	do {                                                                                       \
		good_state();                                                                      \
		change;                                                                            \
		assert_int_equal(restore(z), -EINVAL);                                             \
		lab_zone_free_counts(z, &after);                                                   \
		assert_memory_equal(&before, &after, sizeof(before));                              \
		assert_valid(z);                                                                   \
	} while (0)
	CHECK(s.nr_blocks--);               /* a gap */
	CHECK(s.blocks[1].pfn = 0);         /* an overlap */
	CHECK(s.blocks[2].pfn = 1024);      /* outside */
	CHECK(s.blocks[2].pfn = ~0UL << 9); /* far outside */
	CHECK(s.blocks[1].pfn = 128);       /* misaligned */
	CHECK(s.blocks[1].order = 11);      /* too large */
	CHECK(s.blocks[1].order = 255);
	CHECK(s.blocks[1].state = LAB_BLOCK_PCP); /* drain first */
	CHECK(s.blocks[1].state = 77);
	CHECK(s.blocks[1].migratetype = LAB_MIGRATE_HIGHATOMIC); /* no request's type */
	CHECK(s.blocks[0].migratetype = U);                      /* not its pageblock's type */
	CHECK(s.types[0] = U);
	CHECK(s.types[0] = LAB_MIGRATE_ISOLATE);
	CHECK(s.types[1] = 200);
	CHECK(s.nr_types = 1);
	CHECK(s.nr_types = 3);
	CHECK(state_free(&s, 0, M));
	CHECK(s.blocks[1] = s.blocks[0]); /* the same block twice */
#undef CHECK
	memset(&s, 0, sizeof(s)); /* one block in use over two types */
	state_block(&s, 10, U, LAB_BLOCK_ALLOCATED);
	s.types[s.nr_types++] = M;
	s.types[s.nr_types++] = U;
	assert_int_equal(restore(z), -EINVAL);
	good_state(); /* free buddies apart: no buddy allocator is ever in that state */
	s.blocks[1].state = LAB_BLOCK_FREE;
	s.blocks[1].migratetype = M;
	assert_int_equal(restore(z), -EINVAL);
	page = lab_alloc_pages(z, GFP_ANY, 0);
	good_state();
	assert_int_equal(restore(z), -EBUSY);
	assert_int_equal(lab_free_pages(z, page, 0), 0);
	good_state();
	assert_int_equal(restore(z), 0);
	assert_int_equal(free_pages(z), 256);
	lab_zone_destroy(z);
}

/** Offline frames stay out of it. */
static void
test_offline(void **state)
{
	struct lab_zone_config cfg = plain_config(PAGEBLOCK, 0);
	struct lab_zone *z;

	cfg.offline = true;
	z = make_zone(&cfg);
	assert_int_equal(lab_zone_online(z, lab_pfn_to_page(z, 0), 256), 0);
	state_pageblock(&s, M);
	state_free(&s, 9, M);
	assert_int_equal(restore(z), -EINVAL);
	memset(&s, 0, sizeof(s));
	state_pageblock(&s, M);
	state_free(&s, 7, M);
	state_block(&s, 7, M, LAB_BLOCK_ALLOCATED);
	state_block(&s, 8, M, LAB_BLOCK_OFFLINE); /* as a walk reports it */
	state_apply(z, &s);
	assert_int_equal(free_pages(z), 128);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_walk, reset),
		cmocka_unit_test_setup(test_walk_stops, reset),
		cmocka_unit_test_setup(test_round_trip, reset),
		cmocka_unit_test_setup(test_order_given, reset),
		cmocka_unit_test_setup(test_refused, reset),
		cmocka_unit_test_setup(test_offline, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
