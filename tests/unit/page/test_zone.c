/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_zone.c
 * Making zones, bringing frames online, settings; and what is not a zone.
 */
#include <sys/mman.h>

#include "zone_fixture.h"

static int
create(const struct lab_zone_config *cfg)
{
	struct lab_zone *z = (struct lab_zone *)0x1;
	int ret = lab_zone_create(&z, cfg);

	if (ret == 0)
		lab_zone_destroy(z);
	else
		assert_ptr_equal(z, (struct lab_zone *)0x1); /* untouched on error */
	return ret;
}

static void
test_default(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(65536);
	struct lab_zone *z = make_zone(&cfg);
	struct lab_zone_info info = zone_info(z);

	assert_string_equal(info.name, "Normal");
	assert_int_equal(info.type, LAB_ZONE_NORMAL);
	assert_int_equal(info.spanned, 65536);
	assert_int_equal(info.present, 65536);
	assert_int_equal(info.managed, 65536);
	assert_int_equal(info.nr_free, 65536);
	assert_int_equal((uintptr_t)info.base % (2 << 20), 0);
	/* sqrt(16 * 262144 kB) = 2048 kB = 512 pages; gap = max(128, 65) */
	assert_int_equal(info.min_free_kbytes, 2048);
	assert_int_equal(info.wmark.min, 512);
	assert_int_equal(info.wmark.low, 640);
	assert_int_equal(info.wmark.high, 768);
	assert_int_equal(info.wmark.promo, 896);
	assert_int_equal(info.pcp_batch, 15); /* b = 64 / 4 = 16, 24 -> 16 - 1 */
	assert_int_equal(info.nr_cpus, 1);
	assert_int_equal(lab_zone_destroy(z), 0);
	assert_int_equal(lab_zone_destroy(NULL), 0);
}

static void
test_all_zero_config(void **state)
{
	struct lab_zone_config cfg = {.nr_pages = 2048};
	struct lab_zone *z = make_zone(&cfg);
	struct lab_zone_info info = zone_info(z);

	assert_string_equal(info.name, "DMA");
	assert_int_equal(info.watermark_scale_factor, 10);
	assert_int_equal(info.watermark_boost_factor, 0);
	assert_int_equal(info.min_free_kbytes, 0);
	lab_zone_destroy(z);
}

static void
test_bad_config(void **state)
{
	struct lab_zone_config good = lab_zone_config_default(1024), cfg;

	assert_int_equal(lab_zone_create(NULL, &good), -EINVAL);
	assert_int_equal(create(NULL), -EINVAL);
#define CHECK(field, value, ret)                                                                   \
	do {                                                                                       \
		cfg = good;                                                                        \
		cfg.field = (value);                                                               \
		assert_int_equal(create(&cfg), (ret));                                             \
	} while (0)
	CHECK(nr_pages, 0, -EINVAL);
	CHECK(nr_pages, UINT32_MAX, -EINVAL);
	CHECK(nr_pages, ~0UL, -EINVAL);
	CHECK(type, LAB_NR_ZONE_TYPES, -EINVAL);
	CHECK(allocator, LAB_NR_ALLOCATORS, -EINVAL);
	CHECK(linux_version, 2, -EINVAL);
	CHECK(nr_cpus, LAB_MAX_CPUS + 1, -EINVAL);
	CHECK(node, -1, -EINVAL);
	CHECK(name, "sixteen letters!", -EINVAL);
	CHECK(name, "fifteen letters", 0);
	CHECK(min_free_kbytes, KB(512) + 4, -EINVAL);
	CHECK(min_free_kbytes, KB(512), 0);
	CHECK(min_free_kbytes, -2, -EINVAL);
	CHECK(watermark_scale_factor, 3001, -EINVAL);
	CHECK(watermark_scale_factor, 3000, 0);
	CHECK(watermark_boost_factor, -1, -EINVAL);
	CHECK(cma_pages, 1025, -EINVAL);
	CHECK(cma_pages, 1024, 0);
	CHECK(base, (void *)0x1001, -EINVAL);
	CHECK(base, (void *)(UINTPTR_MAX - 4095), -EINVAL);
	CHECK(meta, (void *)0x1020, -EINVAL);
#undef CHECK
}

/** A zone in memory of the caller's: too small, on top of its frames, just fitting. */
static void
test_callers_memory(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(256);
	size_t size = lab_zone_meta_size(&cfg);
	unsigned char *mem = aligned_alloc(4096, 3 << 20);
	struct lab_zone *z;

	assert_non_null(mem);
	memset(mem, 0xa5, 3 << 20); /* metadata need not be zero */
	cfg.base = mem;
	cfg.meta = mem + (1 << 20);
	cfg.meta_len = size - 1;
	assert_int_equal(create(&cfg), -ENOSPC);
	cfg.meta_len = size;
	cfg.meta = mem + (1 << 20) - 64;
	assert_int_equal(create(&cfg), -EINVAL);
	cfg.base = mem + 4096;
	cfg.meta = mem;
	assert_int_equal(create(&cfg), -EINVAL);
	cfg.base = mem;
	cfg.meta = mem + (1 << 20);
	z = make_zone(&cfg);
	assert_ptr_equal((void *)z, cfg.meta);
	assert_ptr_equal(zone_info(z).base, mem);
	assert_int_equal(mem[(1 << 20) + size], 0xa5);
	assert_non_null(lab_alloc_pages(z, GFP_ANY, 3));
	assert_int_equal(lab_zone_destroy(z), 1);
	assert_int_equal(lab_zone_destroy(z), 0); /* it is no zone any more */
	/* no frame was ever written */
	for (size_t i = 0; i < 1 << 20; i++)
		assert_int_equal(mem[i], 0xa5);
	free(mem);
}

static void
test_meta_bounds(void **state)
{
	for (unsigned long pages = 1; pages < 1UL << 31; pages = pages * 3 + 1) {
		for (unsigned int cpus = 1; cpus <= LAB_MAX_CPUS; cpus += 127) {
			struct lab_zone_config cfg = lab_zone_config_default(pages);

			cfg.nr_cpus = cpus;
			assert_in_range(
				lab_zone_meta_size(&cfg), pages, LAB_ZONE_META_BYTES(pages, cpus));
		}
	}
}

/** Zones of awkward sizes: all their pages can be had, and come back. */
static void
test_sizes(void **state)
{
	static void *pages[5000];

	for (unsigned long n = 1; n < 4000; n = n * 2 + n % 3) {
		struct lab_zone *z = make_plain_zone(n, 0);

		for (unsigned long i = 0; i < n; i++) {
			pages[i] = lab_alloc_pages(z, GFP_ANY, 0);
			assert_non_null(pages[i]);
		}
		assert_null(lab_alloc_pages(z, GFP_ANY, 0));
		assert_int_equal(errno, ENOMEM);
		assert_valid(z);
		for (unsigned long i = 0; i < n; i++)
			assert_int_equal(lab_free_pages(z, pages[i], 0), 0);
		assert_valid(z);
		assert_int_equal(free_pages(z), n);
		assert_int_equal(lab_zone_destroy(z), 0);
	}
}

static void *
frame(struct lab_zone *z, unsigned long pfn)
{
	return (char *)zone_info(z).base + pfn * LAB_PAGE_SIZE;
}

/** Frames come online in odd pieces; buddies meet only across managed frames. */
static void
test_online(void **state)
{
	struct lab_zone_config cfg = plain_config(1500, 0);
	struct lab_free_counts counts;
	struct lab_zone *z;

	cfg.offline = true;
	z = make_zone(&cfg);
	assert_int_equal(zone_info(z).managed, 0);
	assert_null(lab_alloc_pages(z, GFP_ANY, 0));
	assert_int_equal(lab_zone_online(z, frame(z, 5), 3), 0); /* 5 and 6-7 */
	assert_valid(z);
	lab_zone_free_counts(z, &counts);
	assert_int_equal(counts.blocks[0][LAB_MIGRATE_MOVABLE], 1);
	assert_int_equal(counts.blocks[1][LAB_MIGRATE_MOVABLE], 1);
	assert_int_equal(lab_zone_online(z, frame(z, 4), 1), 0); /* now 4-7 */
	lab_zone_free_counts(z, &counts);
	assert_int_equal(counts.blocks[2][LAB_MIGRATE_MOVABLE], 1);
	assert_int_equal(lab_zone_online(z, frame(z, 7), 1), -EEXIST);
	assert_int_equal(lab_zone_online(z, frame(z, 0), 5), -EEXIST);
	assert_int_equal(zone_info(z).managed, 4);
	assert_int_equal(lab_zone_online(z, frame(z, 1499), 2), -EINVAL);
	assert_int_equal(lab_zone_online(z, frame(z, 1500), 1), -EINVAL);
	assert_int_equal(lab_zone_online(z, frame(z, 0), 0), -EINVAL);
	assert_int_equal(lab_zone_online(z, frame(z, 0), ~0UL), -EINVAL);
	assert_int_equal(lab_zone_online(z, (char *)frame(z, 0) + 8, 1), -EINVAL);
	assert_int_equal(lab_zone_online(z, (char *)frame(z, 0) - LAB_PAGE_SIZE, 1), -EINVAL);
	assert_int_equal(lab_free_pages(z, frame(z, 3), 0), -EINVAL); /* offline */
	assert_int_equal(lab_zone_online(z, frame(z, 8), 1492), 0);
	assert_int_equal(lab_zone_online(z, frame(z, 0), 4), 0);
	assert_valid(z);
	assert_int_equal(zone_info(z).managed, 1500);
	assert_int_equal(zone_info(z).present, 1500);
	lab_zone_free_counts(z, &counts);
	assert_int_equal(counts.blocks[10][LAB_MIGRATE_MOVABLE], 1);
	lab_zone_destroy(z);
}

/** The marks follow the managed pages: sqrt(16 * 64 MiB) = 1024 kB = 256 pages. */
static void
test_online_marks(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(32768);
	struct lab_zone *z;

	cfg.offline = true;
	z = make_zone(&cfg);
	assert_int_equal(zone_info(z).min_free_kbytes, 128);
	assert_int_equal(lab_zone_online(z, frame(z, 0), 16384), 0);
	assert_int_equal(zone_info(z).wmark.min, 256);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_setters(void **state)
{
	struct lab_zone_config cfg = lab_zone_config_default(100000);
	struct lab_zone *z = make_zone(&cfg);

	assert_int_equal(lab_zone_set_min_free_kbytes(z, KB(1000)), 0);
	assert_int_equal(zone_info(z).wmark.low, 1250);
	assert_int_equal(lab_zone_set_watermark_scale_factor(z, 100), 0);
	assert_int_equal(zone_info(z).wmark.low, 2000); /* 100000 * 1% */
	assert_int_equal(zone_info(z).wmark.high, 3000);
	assert_int_equal(lab_zone_set_watermark_scale_factor(z, 0), -EINVAL);
	assert_int_equal(lab_zone_set_watermark_scale_factor(z, 3001), -EINVAL);
	assert_int_equal(lab_zone_set_min_free_kbytes(z, KB(50000)), 0);
	assert_int_equal(lab_zone_set_min_free_kbytes(z, KB(50001)), -EINVAL);
	assert_int_equal(lab_zone_set_min_free_kbytes(z, -2), -EINVAL);
	assert_int_equal(zone_info(z).wmark.min, 50000);
	assert_int_equal(lab_zone_set_min_free_kbytes(z, -1), 0);
	assert_int_equal(zone_info(z).wmark.min, 632); /* sqrt(6400000) = 2529 kB */
	assert_int_equal(lab_zone_set_watermark_boost_factor(z, ~0U), -EINVAL);
	assert_int_equal(lab_zone_set_watermark_boost_factor(z, 5000), 0);
	assert_int_equal(zone_info(z).watermark_boost_factor, 5000);
	assert_valid(z);
	lab_zone_destroy(z);
}

static void
test_addresses(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 0);

	assert_int_equal(lab_page_to_pfn(z, frame(z, 7)), 7);
	assert_ptr_equal(lab_pfn_to_page(z, 7), frame(z, 7));
	assert_null(lab_pfn_to_page(z, 1024));
	assert_int_equal(lab_page_to_pfn(z, frame(z, 1024)), ~0UL);
	assert_int_equal(lab_page_to_pfn(z, (char *)frame(z, 0) - 1), ~0UL);
	assert_int_equal(lab_pageblock_migratetype(z, 1024), LAB_MIGRATE_TYPES);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_all_zero_config),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_callers_memory),
		cmocka_unit_test(test_meta_bounds),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_online),
		cmocka_unit_test(test_online_marks),
		cmocka_unit_test(test_setters),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
