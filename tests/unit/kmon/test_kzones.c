/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab_kmon.h"

static const char buddy[] = "Node 0, zone      DMA      1      0      0      0      2      1      "
			    "1      0      1      1      3 \n"
			    "Node 0, zone   Normal   1046    527    128     36     17      5      "
			    "26     10      4      2      0 \n"
			    "Node 1, zone   Normal      0      0      0      0      0      0      "
			    "0      0      0      0      7 \n";

static const char info[] = "Node 0, zone      DMA\n"
			   "  per-node stats\n"
			   "      nr_inactive_anon 10\n"
			   "  pages free     3840\n"
			   "        boost    0\n"
			   "        min      66\n"
			   "        low      82\n"
			   "        high     98\n"
			   "        spanned  4095\n"
			   "        managed  3840\n"
			   "      nr_free_pages 3840\n"
			   "  pagesets\n"
			   "    cpu: 0\n"
			   "              count: 0\n"
			   "              high:  9999\n"
			   "Node 0, zone   Normal\n"
			   "  pages free     9000\n"
			   "        min      1000\n"
			   "        low      1250\n"
			   "        high     1500\n"
			   "        managed  250000\n";

static void
test_zones(void **state)
{
	struct lab_kzones z;
	uint64_t sum[LAB_KZONE_ORDERS];

	(void)state;
	assert_int_equal(lab_kzones_parse_buddyinfo(&z, buddy), 0);
	assert_int_equal(z.nr, 3);
	assert_string_equal(z.zone[1].name, "Normal");
	assert_int_equal(z.zone[2].node, 1);
	assert_int_equal(z.zone[1].blocks[6], 26);
	assert_int_equal(lab_kzones_parse_zoneinfo(&z, info), 0);
	assert_int_equal(z.zone[0].free, 3840);
	assert_int_equal(z.zone[0].high, 98);
	assert_int_equal(z.zone[0].managed, 3840);
	assert_int_equal(z.zone[1].min, 1000);
	assert_int_equal(z.zone[1].boost, 0);
	assert_true(z.zone[1].has_marks);
	assert_false(z.zone[2].has_marks);
	lab_kzones_sum(&z, sum);
	assert_int_equal(sum[0], 1047);
	assert_int_equal(sum[10], 10);
}

static void
test_bad_text(void **state)
{
	static const char *const bad[] = {"", "\n", "Node 0, zone", "Node 0, zone Normal 1 2 3",
		"Node 0, zone Normal 1 2 3 4 5 6 7 8 9 10 -1", "Node x, zone Normal 1",
		"Node 0, zone Normal 1 2 3 4 5 6 7 8 9 10 99999999999999999999999",
		"Node 0, zone Normal 1 2 3 4 5 6 7 8 9 10 18446744073709551615",
		"Mem-Info:\nNode 0, zone Normal 1 2 3 4 5 6 7 8 9 10 11"};
	struct lab_kzones z;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(lab_kzones_parse_buddyinfo(&z, bad[i]), -EINVAL);
	assert_int_equal(lab_kzones_parse_buddyinfo(&z, buddy), 0);
	assert_int_equal(lab_kzones_parse_zoneinfo(&z, "nothing of the sort\n"), -EINVAL);
}

static void
test_too_many_zones(void **state)
{
	static char text[64 * (LAB_KZONES_MAX + 1)];
	struct lab_kzones z;
	size_t n = 0;

	(void)state;
	for (int i = 0; i <= LAB_KZONES_MAX; i++)
		n += snprintf(
			text + n, sizeof(text) - n, "Node %d, zone N 0 0 0 0 0 0 0 0 0 0 1\n", i);
	assert_int_equal(lab_kzones_parse_buddyinfo(&z, text), -E2BIG);
}

static void
test_indices(void **state)
{
	/* 8 single pages: nothing of order 3, though there are pages enough */
	const uint64_t blocks[LAB_KZONE_ORDERS] = {8};
	int unusable, extfrag;

	(void)state;
	lab_kzones_indices(blocks, 3, &unusable, &extfrag);
	assert_int_equal(unusable, 1000);
	assert_int_equal(extfrag, 1000 - (1000 + 1000) / 8);
	lab_kzones_indices(blocks, 0, &unusable, &extfrag);
	assert_int_equal(unusable, 0);
	assert_int_equal(extfrag, -1000);
}

static void
test_this_machine(void **state)
{
	struct lab_kzones z;
	unsigned int marked = 0;

	(void)state;
	if (access("/proc/buddyinfo", R_OK) || access("/proc/zoneinfo", R_OK))
		skip();
	assert_int_equal(lab_kzones_read(&z), 0);
	for (unsigned int i = 0; i < z.nr; i++) {
		marked += z.zone[i].has_marks;
		assert_true(!z.zone[i].has_marks || z.zone[i].min <= z.zone[i].high);
	}
	assert_int_equal(marked, z.nr);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_too_many_zones),
		cmocka_unit_test(test_indices),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
