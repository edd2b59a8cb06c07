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

static void
test_min_free_kbytes(void **state)
{
	assert_int_equal(lab_min_free_kbytes(0), 128);
	assert_int_equal(lab_min_free_kbytes(1024), 128);
	assert_int_equal(lab_min_free_kbytes(1040), 128); /* 16640, one below 129 squared */
	assert_int_equal(lab_min_free_kbytes(1041), 129);
	assert_int_equal(lab_min_free_kbytes(1UL << 20), 4096);  /* 1 GiB */
	assert_int_equal(lab_min_free_kbytes(1UL << 24), 16384); /* 16 GiB */
	/* The upper bound is met at 4 TiB exactly. */
	assert_int_equal(lab_min_free_kbytes((1UL << 32) - 1), 262143);
	assert_int_equal(lab_min_free_kbytes(1UL << 32), 262144);
	assert_int_equal(lab_min_free_kbytes(ULONG_MAX), 262144);
}

static void
test_min_free_kbytes_is_the_integer_root(void **state)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, 7);
	for (int i = 0; i < 10000; i++) {
		unsigned long kb = 1024 + lab_rng_below(&rng, (1UL << 32) - 1024);
		unsigned long root = lab_min_free_kbytes(kb);

		assert_true(root * root <= kb * 16);
		assert_true((root + 1) * (root + 1) > kb * 16);
	}
}

static void
test_thp_min_free_kbytes(void **state)
{
	assert_int_equal(
		lab_thp_min_free_kbytes(3, 4194304), 67584); /* what 16 GiB machines show */
	assert_int_equal(lab_thp_min_free_kbytes(1, 1UL << 20), 22528);
	assert_int_equal(lab_thp_min_free_kbytes(1, 10000), 2000); /* bounded by a twentieth */
	assert_int_equal(lab_thp_min_free_kbytes(0, 10000), 0);
}

static void
expect_marks(unsigned long managed, unsigned long min, unsigned int factor, unsigned long gap)
{
	struct lab_watermarks w = lab_watermarks(managed, min, factor);

	assert_int_equal(w.min, min);
	assert_int_equal(w.low, min + gap);
	assert_int_equal(w.high, min + 2 * gap);
	assert_int_equal(w.promo, min + 3 * gap);
}

static void
test_watermarks(void **state)
{
	expect_marks(3840, 55, 10, 13);        /* a DMA zone: a quarter of min */
	expect_marks(772808, 11161, 10, 2790); /* a DMA32 zone likewise */
	expect_marks(4194304, 1024, 10, 4194); /* a large zone: the scale factor */
	expect_marks(4194304, 1024, 3000, 1258291);
	expect_marks(9999, 3, 1, 0); /* both truncate to nothing */
	expect_marks(10000, 3, 1, 1);
	expect_marks(0, 0, 10, 0);
	/* The product does not fit 64 bits. */
	expect_marks(1UL << 62, 0, 1000, 461168601842738790);
}

static void
test_lowmem_reserve(void **state)
{
	assert_int_equal(lab_lowmem_reserve(772808, 256), 3018);
	assert_int_equal(lab_lowmem_reserve(255, 256), 0);
	assert_int_equal(lab_lowmem_reserve(1000, 32), 31);
	assert_int_equal(lab_lowmem_reserve(1000, 0), 0);
}

static void
test_batchsize(void **state)
{
	static const struct {
		unsigned long managed;
		unsigned int batch;
	} rows[] = {
		{0, 1},
		{3840, 1},    /* b = 0 */
		{8191, 1},    /* b = 1: the formula's 0, and a list's least batch is 1 */
		{8192, 1},    /* b = 2: 3 -> 2 - 1 */
		{12288, 3},   /* b = 3: 4 -> 4 - 1 */
		{16384, 3},   /* b = 4: 6 -> 4 - 1 */
		{32768, 7},   /* b = 8: 12 -> 8 - 1 */
		{131072, 31}, /* b = 32: 48 -> 32 - 1 */
		{262144, 63}, /* b = 64, the most */
		{258047, 63}, /* b = 62: 93 -> 64 - 1 */
		{ULONG_MAX, 63},
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(rows); i++)
		assert_int_equal(lab_zone_batchsize(rows[i].managed), rows[i].batch);
}

static void
test_pcp_high(void **state)
{
	assert_int_equal(lab_pcp_high(68, 2, 1), 34);
	assert_int_equal(lab_pcp_high(13951, 2, 63), 6975);
	assert_int_equal(lab_pcp_high(100, 4, 63), 252);
	assert_int_equal(lab_pcp_high(100, 0, 1), 100);
	assert_int_equal(lab_pcp_high(ULONG_MAX, 1, 63), UINT_MAX);
}

static void
test_highatomic_cap(void **state)
{
	/* 6.12: nothing below 51200 pages (200 MiB), then 1% rounded up to whole blocks. */
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_12, 0), 0);
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_12, 51199), 0);
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_12, 51200), 512);
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_12, 51299), 512);
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_12, 51300), 1024);
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_12, 262144), 3072); /* 2621 */
	/* 6.1: 1% and one block. */
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_1, 0), 512);
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_1, 51199), 1023);
	assert_int_equal(lab_highatomic_cap(LAB_LINUX_6_1, 262144), 3133);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_min_free_kbytes),
		cmocka_unit_test(test_min_free_kbytes_is_the_integer_root),
		cmocka_unit_test(test_thp_min_free_kbytes),
		cmocka_unit_test(test_watermarks),
		cmocka_unit_test(test_lowmem_reserve),
		cmocka_unit_test(test_batchsize),
		cmocka_unit_test(test_pcp_high),
		cmocka_unit_test(test_highatomic_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
