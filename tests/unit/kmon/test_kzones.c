/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab_base.h"
#include "lab_kmon.h"

static void
test_indices(void **state)
{
	/* 8 single pages: nothing of order 3, though there are pages enough */
	const unsigned long blocks[LAB_NR_ORDERS] = {8};
	int unusable, extfrag;

	(void)state;
	lab_kzones_indices(blocks, 3, &unusable, &extfrag);
	assert_int_equal(unusable, 1000);
	assert_int_equal(extfrag, 1000 - (1000 + 1000) / 8);
	lab_kzones_indices(blocks, 0, &unusable, &extfrag);
	assert_int_equal(unusable, 0);
	assert_int_equal(extfrag, -1000);
}

/* No index is outside its scale, and one block of the order, or larger, is all that the kernel's asks for. */
static void
test_scales(void **state)
{
	struct lab_rng rng;

	(void)state;
	lab_rng_seed(&rng, 3);
	for (int i = 0; i < 20000; i++) {
		unsigned long blocks[LAB_NR_ORDERS] = {0}, suitable = 0;
		unsigned int order = (unsigned int)lab_rng_below(&rng, LAB_NR_ORDERS);
		unsigned int highest = (unsigned int)lab_rng_below(&rng, LAB_NR_ORDERS);
		int unusable, extfrag;

		for (unsigned int o = 0; o <= highest; o++) {
			blocks[o] = lab_rng_below(&rng, 5) ? lab_rng_below(&rng, 1000) : 0;
			suitable += o >= order ? blocks[o] : 0;
		}
		lab_kzones_indices(blocks, order, &unusable, &extfrag);
		assert_in_range(unusable, 0, 1000);
		assert_in_range(1000 + extfrag, 0, 2000);
		assert_int_equal(extfrag == -1000, suitable > 0);
		assert_int_equal(unusable<1000, suitable> 0);
	}
}

/* Figures that no machine has must not overflow. */
static void
test_nonsense(void **state)
{
	unsigned long blocks[LAB_NR_ORDERS];
	int unusable, extfrag;

	(void)state;
	memset(blocks, 0xff, sizeof(blocks));
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
		lab_kzones_indices(blocks, o, &unusable, &extfrag);
		assert_in_range(unusable, 0, 1000);
		assert_int_equal(extfrag, -1000);
	}
}

static void
test_this_machine(void **state)
{
	static struct lab_diag_report r;
	unsigned long sum[LAB_NR_ORDERS], pages = 0;

	(void)state;
	if (access("/proc/buddyinfo", R_OK) || access("/proc/zoneinfo", R_OK))
		skip();
	assert_int_equal(lab_kzones_read(&r), 0);
	assert_true(r.nr_zones > 0);
	for (unsigned int i = 0; i < r.nr_zones; i++) {
		assert_true(r.zones[i].has_blocks);
		assert_true(r.zones[i].min >= 0 && r.zones[i].min <= r.zones[i].high);
	}
	lab_kzones_sum(&r, sum);
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		pages += sum[o] << o;
	assert_true(pages > 0);
}

/* The blocks alone: no zone more, and the marks stay. */
static void
test_update(void **state)
{
	static struct lab_diag_report r, before;

	(void)state;
	if (access("/proc/buddyinfo", R_OK) || access("/proc/zoneinfo", R_OK))
		skip();
	assert_int_equal(lab_kzones_read(&r), 0);
	for (unsigned int i = 0; i < r.nr_zones; i++)
		memset(r.zones[i].blocks, 0xff, sizeof(r.zones[i].blocks));
	before = r;
	assert_int_equal(lab_kzones_update(&r), 0);
	assert_int_equal(r.nr_zones, before.nr_zones);
	for (unsigned int i = 0; i < r.nr_zones; i++) {
		assert_true(r.zones[i].blocks[0] < before.zones[i].blocks[0]);
		assert_int_equal(r.zones[i].high, before.zones[i].high);
		assert_int_equal(r.zones[i].managed, before.zones[i].managed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_indices),
		cmocka_unit_test(test_scales),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_update),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
