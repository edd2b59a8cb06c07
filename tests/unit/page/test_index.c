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

/** Free blocks of one zone, by order; spread over the types, for the indices know none. */
static struct lab_free_counts
blocks(const unsigned long n[LAB_NR_ORDERS])
{
	struct lab_free_counts c = {0};

	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
		c.blocks[o][o % LAB_MIGRATE_TYPES] = n[o] / 2;
		c.blocks[o][(o + 1) % LAB_MIGRATE_TYPES] = n[o] - n[o] / 2;
		c.nr_free += n[o] << o;
	}
	return c;
}

static void
test_nothing_free(void **state)
{
	struct lab_free_counts c = {0};

	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
		assert_int_equal(lab_fragmentation_index(&c, o), 0);
		assert_int_equal(lab_unusable_free_index(&c, o), 1000);
	}
}

static void
test_by_hand(void **state)
{
	static const struct {
		unsigned long n[LAB_NR_ORDERS];
		unsigned int order;
		int fragmentation, unusable;
	} rows[] = {
		/* F = 8, B = 8: 1000 - (1000 + 8000/8)/8 */
		{{8}, 0, -1000, 0}, {{8}, 3, 750, 1000},
		/* F = 1, B = 1: 1000/1024 is 0, so 1000 - 1000 */
		{{1}, 10, 0, 1000},
		/* One block of half the size: 1000 - (1000 + 500). The index may be below 0. */
		{{[9] = 1}, 10, -500, 1000},
		/* F = 1040, B = 1010: 1000 - (1000 + 130000)/1010, 129.7 truncated */
		{{1000, 0, 10}, 3, 871, 1000},
		/* F = 3 + 4 + 16 = 23; at order 2 and 4 the 16 can be used: 7000/23 = 304.3 */
		{{3, 2, 0, 0, 1}, 1, -1000, 130}, /* (23 - 20)/23 */
		{{3, 2, 0, 0, 1}, 2, -1000, 304}, {{3, 2, 0, 0, 1}, 4, -1000, 304},
		/* B = 6: 23000/32 = 718, 1718/6 = 286 */
		{{3, 2, 0, 0, 1}, 5, 714, 1000}, {{[10] = 5}, 10, -1000, 0},
		{{[10] = 5}, 0, -1000, 0},
		/* F = 1024 + 1 */
		{{1, [10] = 1}, 10, -1000, 0}, /* 1000/1025 */
		{{2, [10] = 1}, 10, -1000, 1}, /* 2000/1026 */
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(rows); i++) {
		struct lab_free_counts c = blocks(rows[i].n);

		assert_int_equal(lab_fragmentation_index(&c, rows[i].order), rows[i].fragmentation);
		assert_int_equal(lab_unusable_free_index(&c, rows[i].order), rows[i].unusable);
	}
}

/* 64 PiB in single pages and one block: products beyond 32 and 53 bits. */
static void
test_huge_zone(void **state)
{
	unsigned long n[LAB_NR_ORDERS] = {1UL << 44};
	struct lab_free_counts c = blocks(n);

	/* (1000 + 1000 * 2^44 / 2) / 2^44 = 500 */
	assert_int_equal(lab_fragmentation_index(&c, 1), 500);
	assert_int_equal(lab_fragmentation_index(&c, 10), 1000);
	assert_int_equal(lab_unusable_free_index(&c, 1), 1000);
	n[10] = 1;
	c = blocks(n);
	assert_int_equal(lab_fragmentation_index(&c, 10), -1000);
	assert_int_equal(lab_unusable_free_index(&c, 10), 999);
	/* 2^55 pages: 1000 times that is more than 64 bits hold. */
	n[0] = 0;
	n[10] = 1UL << 45;
	c = blocks(n);
	assert_int_equal(lab_unusable_free_index(&c, 10), 0);
	n[9] = 1UL << 46;
	c = blocks(n);
	assert_int_equal(lab_unusable_free_index(&c, 10), 500);
}

static void
test_order_too_large(void **state)
{
	unsigned long n[LAB_NR_ORDERS] = {4};
	struct lab_free_counts c = blocks(n);

	assert_int_equal(lab_fragmentation_index(&c, LAB_MAX_ORDER + 1), 0);
	assert_int_equal(lab_fragmentation_index(&c, UINT_MAX), 0);
	assert_int_equal(lab_unusable_free_index(&c, LAB_MAX_ORDER + 1), 1000);
	assert_int_equal(lab_unusable_free_index(&c, UINT_MAX), 1000);
}

/* Whatever is free: both stay in their ranges, and no share grows usable at a higher order. */
static void
test_ranges(void **state)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, 4711);
	for (int i = 0; i < 20000; i++) {
		unsigned long n[LAB_NR_ORDERS] = {0};
		struct lab_free_counts c;
		int before = 0;

		for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
			if (lab_rng_below(&rng, 3) == 0)
				n[o] = lab_rng_below(&rng, 1000);
		}
		c = blocks(n);
		for (unsigned int o = 0; o < LAB_NR_ORDERS && c.nr_free > 0; o++) {
			int unusable = lab_unusable_free_index(&c, o);
			int fragmentation = lab_fragmentation_index(&c, o);

			assert_in_range(unusable, before, 1000);
			assert_true(fragmentation == -1000 ||
				    (fragmentation >= -500 && fragmentation <= 1000));
			/* -1000 says that the request would be served: then not all is unusable. */
			assert_int_equal(
				fragmentation == -1000, lab_unusable_free_index(&c, o) < 1000);
			before = unusable;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_free),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_huge_zone),
		cmocka_unit_test(test_order_too_large),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
