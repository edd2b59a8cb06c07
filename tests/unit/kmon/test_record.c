/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The head of a recording from the texts of /proc. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "lab_record.h"

static const char zoneinfo[] = "Node 0, zone    DMA32\n"
			       "  pages free     770000\n"
			       "        boost    0\n"
			       "        min      3000\n"
			       "        low      3750\n"
			       "        high     4500\n"
			       "        spanned  1044480\n"
			       "        managed  772000\n"
			       "        protection: (0, 0, 12160, 12160)\n"
			       "  pagesets\n"
			       "    cpu: 0\n"
			       "              count:    1\n"
			       "              high:     2\n"
			       "              batch:    3\n"
			       "  node_unreclaimable:  0\n"
			       "  start_pfn:           4096\n"
			       "Node 0, zone   Normal\n"
			       "  pages free     1733491\n"
			       "        boost    512\n"
			       "        min      14033\n"
			       "        low      17413\n"
			       "        high     20793\n"
			       "        promo    24173\n"
			       "        spanned  5505024\n"
			       "        present  5505024\n"
			       "        managed  3112960\n"
			       "        protection: (0, 0, 0, 0)\n"
			       "      nr_free_pages 1733491\n"
			       "  pagesets\n"
			       "    cpu: 0\n"
			       "              count:    7651\n"
			       "              high:     48300\n"
			       "              batch:    63\n"
			       "              high_min: 8450\n"
			       "  vm stats threshold: 32\n"
			       "    cpu: 1\n"
			       "              count:    3598\n"
			       "              high:     29380\n"
			       "              batch:    63\n"
			       "  node_unreclaimable:  0\n"
			       "  start_pfn:           1048576\n";

static const char types[] =
	"Page block order: 9\n"
	"Free pages count per migrate type at order 0 1 2 3 4 5 6 7 8 9 10 \n"
	"Node    0, zone   Normal, type    Unmovable    656 167 155 398 52 302 33 12 22 0 0 \n"
	"Node    0, zone   Normal, type      Movable >100000 6568 1636 127 188 49 8 2 124 1 1589 \n"
	"Node    0, zone   Normal, type      Isolate      0 0 0 0 0 0 0 0 0 0 2 \n"
	"\n"
	"Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic      Isolate \n"
	"Node 0, zone   Normal          193         5725          162            0            3 \n";

static void
the_largest_zone_or_the_named_one(void **state)
{
	static struct lab_trace_head h;

	(void)state;
	strcpy(h.kernel, "6.18");
	assert_int_equal(lab_record_parse_zoneinfo(zoneinfo, NULL, -1, &h), 0);
	assert_string_equal(h.zone, "Normal");
	assert_string_equal(h.kernel, "6.18");
	assert_int_equal(h.start, 1048576);
	assert_int_equal(h.spanned, 5505024);
	assert_int_equal(h.managed, 3112960);
	assert_int_equal(h.min, 13521); /* without the boost */
	assert_int_equal(h.low, 16901);
	assert_int_equal(h.high, 20281);
	assert_int_equal(h.nr_reserves, 4);
	assert_int_equal(h.nr_cpus, 2);
	assert_true(h.has_pcp);
	assert_int_equal(h.pcp[0].count, 7651);
	assert_int_equal(h.pcp[1].high, 29380);
	assert_int_equal(h.pcp[1].batch, 63);
	assert_int_equal(lab_record_parse_boost(zoneinfo, &h), 512);
	assert_int_equal(lab_record_parse_zoneinfo(zoneinfo, "DMA32", 0, &h), 0);
	assert_int_equal(lab_record_parse_boost(zoneinfo, &h), 0);
	assert_int_equal(lab_record_parse_boost("", &h), 0);
	assert_int_equal(h.start, 4096);
	assert_int_equal(h.reserve[2], 12160);
	assert_int_equal(lab_record_parse_zoneinfo(zoneinfo, "DMA", -1, &h), -ENOENT);
	assert_int_equal(lab_record_parse_zoneinfo(zoneinfo, "Normal", 1, &h), -ENOENT);
	assert_int_equal(lab_record_parse_zoneinfo("", NULL, -1, &h), -ENOENT);
}

static void
free_blocks_by_type_add_up_to_the_later_buddyinfo(void **state)
{
	static const char buddy[] = "Node 0, zone   Normal 200000 6000 1 0 0 0 0 0 0 0 1592 \n";
	static struct lab_trace_head h;
	unsigned long blocks[LAB_NR_ORDERS];

	(void)state;
	assert_int_equal(lab_record_parse_zoneinfo(zoneinfo, NULL, -1, &h), 0);
	assert_int_equal(lab_record_parse_pagetypeinfo(types, &h), 0);
	assert_true(h.has_types);
	assert_int_equal(h.pageblocks[LAB_MIGRATE_MOVABLE], 5725);
	assert_int_equal(h.pageblocks[LAB_MIGRATE_ISOLATE], 3);
	assert_int_equal(h.pageblocks[LAB_MIGRATE_CMA], 0);
	assert_int_equal(h.free[LAB_MIGRATE_UNMOVABLE][3], 398);
	assert_int_equal(h.free[LAB_MIGRATE_MOVABLE][0], 100000);
	assert_int_equal(lab_record_parse_buddyinfo(buddy, &h, blocks), 0);
	lab_record_adjust(&h, blocks);
	assert_int_equal(h.free[LAB_MIGRATE_MOVABLE][0], 200000 - 656);
	assert_int_equal(h.free[LAB_MIGRATE_MOVABLE][1], 6000 - 167);
	assert_int_equal(h.free[LAB_MIGRATE_MOVABLE][2], 0);
	assert_int_equal(h.free[LAB_MIGRATE_UNMOVABLE][2], 1);
	assert_int_equal(h.free[LAB_MIGRATE_MOVABLE][10], 1590);
	assert_int_equal(h.free[LAB_MIGRATE_ISOLATE][10], 2);
	assert_int_equal(lab_record_parse_pagetypeinfo("nothing\n", &h), 0); /* stays as it was */
	assert_int_equal(lab_record_parse_buddyinfo("", &h, blocks), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_zone_or_the_named_one),
		cmocka_unit_test(free_blocks_by_type_add_up_to_the_later_buddyinfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
