/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_page.h"

static void
expect_text(lab_gfp_t gfp, const char *text)
{
	char buf[512];
	lab_gfp_t back = 0xdeadbeef;

	assert_int_equal(lab_gfp_format(gfp, buf, sizeof(buf)), strlen(text));
	assert_string_equal(buf, text);
	assert_int_equal(lab_gfp_parse(text, &back), 0);
	assert_int_equal(back, gfp);
}

/* The texts are those that a 6.12 kernel prints for these masks. */
static void
test_format(void **state)
{
	expect_text(0, "none");
	expect_text(0x820, "GFP_ATOMIC");
	expect_text(0x2820, "GFP_ATOMIC|__GFP_NOWARN");
	expect_text(0xcc0, "GFP_KERNEL");
	expect_text(0x400cc0, "GFP_KERNEL_ACCOUNT");
	expect_text(0xdc0, "GFP_KERNEL|__GFP_ZERO");
	expect_text(0x2800, "GFP_NOWAIT");
	expect_text(0x800, "__GFP_KSWAPD_RECLAIM");
	expect_text(0x400, "__GFP_DIRECT_RECLAIM");
	expect_text(0xc00, "GFP_NOIO");
	expect_text(0xc40, "GFP_NOFS");
	expect_text(0x100cc0, "GFP_USER");
	expect_text(0x100cc2, "GFP_HIGHUSER");
	expect_text(0x100cca, "GFP_HIGHUSER_MOVABLE");
	expect_text(0x140dca, "GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO");
	expect_text(0x1c20ca, "GFP_TRANSHUGE_LIGHT");
	expect_text(0x1c24ca, "GFP_TRANSHUGE");
	expect_text(0xcc1, "GFP_KERNEL|GFP_DMA");
	expect_text(0xcc4, "GFP_KERNEL|GFP_DMA32");
	/* What page_frag asks for at order 3, and skb heads. */
	expect_text(0xd2820, "GFP_ATOMIC|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP|__GFP_NOMEMALLOC");
	expect_text(0x82820, "GFP_ATOMIC|__GFP_NOWARN|__GFP_NOMEMALLOC");
	/* A mask of 6.1 and one with bits that have no name here. */
	expect_text(0xa20, "GFP_ATOMIC|__GFP_ATOMIC");
	expect_text(0x1000820, "GFP_ATOMIC|0x1000000");
	expect_text(0x80000000, "0x80000000");
	expect_text(LAB_GFP_KERNEL | __LAB_GFP_OOM_VICTIM, "GFP_KERNEL|__GFP_OOM_VICTIM");
}

static void
test_format_short_buffer(void **state)
{
	char buf[16];
	const char *all = "GFP_ATOMIC|__GFP_NOWARN";

	for (size_t len = 0; len <= 11; len++) {
		memset(buf, 'x', sizeof(buf));
		assert_int_equal(lab_gfp_format(0x2820, buf, len), strlen(all));
		if (len > 0) {
			assert_int_equal(strlen(buf), len - 1);
			assert_memory_equal(buf, all, len - 1);
		}
		for (size_t i = len; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 'x');
	}
	assert_int_equal(lab_gfp_format(0x2820, NULL, 0), strlen(all));
}

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		lab_gfp_t gfp;
	} good[] = {
		{"atomic", LAB_GFP_ATOMIC},
		{"ATOMIC", LAB_GFP_ATOMIC},
		{"__GFP_ATOMIC", __LAB_GFP_ATOMIC},
		{"LAB_GFP_ATOMIC", LAB_GFP_ATOMIC},
		{"__LAB_GFP_HIGH", __LAB_GFP_HIGH},
		{"LAB_KERNEL", LAB_GFP_KERNEL},
		{"HIGH", __LAB_GFP_HIGH},
		{"NOWARN", __LAB_GFP_NOWARN},
		{"GFP_NOWARN", __LAB_GFP_NOWARN},
		{"__GFP_RECLAIM", __LAB_GFP_RECLAIM},
		{"__GFP_DMA", __LAB_GFP_DMA},
		{" KERNEL | ZERO ", LAB_GFP_KERNEL | __LAB_GFP_ZERO},
		{"none", 0},
		{"0", 0},
		{"0x820", LAB_GFP_ATOMIC},
		{"0XA20", LAB_GFP_ATOMIC | __LAB_GFP_ATOMIC},
		{"2080", LAB_GFP_ATOMIC},
		{"ATOMIC|0x100", LAB_GFP_ATOMIC | __LAB_GFP_ZERO},
		{"0xffffffff", 0xffffffff},
		{"4294967295", 0xffffffff},
	};
	static const char *const bad[] = {"", " ", "|", "ATOMIC|", "|ATOMIC", "ATOMIC||ZERO",
		"ATOMICS", "ATOM", "__GFP_KERNEL", "__GFP_", "GFP_", "LAB_", "-1", "+1", "0x",
		"0x100000000", "4294967296", "99999999999999999999999", "12ab", "0xg", "1 2",
		"ATOMIC ZERO", "GFP_GFP_ATOMIC", "__GFP___GFP_HIGH", "NONE NONE"};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(good); i++) {
		lab_gfp_t gfp = 0xdeadbeef;

		assert_int_equal(lab_gfp_parse(good[i].text, &gfp), 0);
		assert_int_equal(gfp, good[i].gfp);
	}
	for (size_t i = 0; i < LAB_ARRAY_SIZE(bad); i++) {
		lab_gfp_t gfp = 0xdeadbeef;

		assert_int_equal(lab_gfp_parse(bad[i], &gfp), -EINVAL);
		assert_int_equal(gfp, 0xdeadbeef);
	}
	assert_int_equal(lab_gfp_parse(NULL, &(lab_gfp_t){0}), -EINVAL);
	assert_int_equal(lab_gfp_parse("ATOMIC", NULL), -EINVAL);
}

static void
test_round_trip(void **state)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, 20260101);
	for (int i = 0; i < 20000; i++) {
		/* An "and" of two draws has few bits set, so that names stay visible. */
		lab_gfp_t gfp = (lab_gfp_t)(lab_rng_u64(&rng) & lab_rng_u64(&rng)), back = ~gfp;
		char buf[1024];

		assert_in_range(lab_gfp_format(gfp, buf, sizeof(buf)), 1, sizeof(buf) - 1);
		assert_int_equal(lab_gfp_parse(buf, &back), 0);
		assert_int_equal(back, gfp);
	}
}

static void
test_zone_and_migratetype(void **state)
{
	assert_int_equal(lab_gfp_zone(LAB_GFP_ATOMIC), LAB_ZONE_NORMAL);
	assert_int_equal(lab_gfp_zone(LAB_GFP_KERNEL | __LAB_GFP_DMA), LAB_ZONE_DMA);
	assert_int_equal(lab_gfp_zone(LAB_GFP_KERNEL | __LAB_GFP_DMA32), LAB_ZONE_DMA32);
	assert_int_equal(lab_gfp_zone(LAB_GFP_HIGHUSER), LAB_ZONE_NORMAL);
	assert_int_equal(lab_gfp_zone(LAB_GFP_HIGHUSER_MOVABLE), LAB_ZONE_MOVABLE);
	assert_int_equal(lab_gfp_zone(LAB_GFP_USER | __LAB_GFP_MOVABLE), LAB_ZONE_NORMAL);
	assert_int_equal(lab_gfp_zone(__LAB_GFP_DMA32 | __LAB_GFP_MOVABLE), LAB_ZONE_DMA32);

	assert_int_equal(lab_gfp_migratetype(LAB_GFP_ATOMIC), LAB_MIGRATE_UNMOVABLE);
	assert_int_equal(lab_gfp_migratetype(LAB_GFP_HIGHUSER_MOVABLE), LAB_MIGRATE_MOVABLE);
	assert_int_equal(lab_gfp_migratetype(LAB_GFP_KERNEL | __LAB_GFP_RECLAIMABLE),
		LAB_MIGRATE_RECLAIMABLE);
}

static void
test_alloc_flags(void **state)
{
	const unsigned int k = LAB_ALLOC_KSWAPD, nb = LAB_ALLOC_NON_BLOCK;
	const unsigned int mr = LAB_ALLOC_MIN_RESERVE, ha = LAB_ALLOC_HIGHATOMIC;
	const struct {
		lab_gfp_t gfp;
		unsigned int order, flags;
	} rows[] = {
		{LAB_GFP_KERNEL, 0, k},
		{LAB_GFP_KERNEL, 3, k},
		{LAB_GFP_KERNEL | __LAB_GFP_HIGH, 0, k | mr},
		{LAB_GFP_KERNEL | __LAB_GFP_HIGH, 3, k | mr},
		{LAB_GFP_NOWAIT, 0, k | nb},
		{LAB_GFP_NOWAIT, 3, k | nb},
		{LAB_GFP_ATOMIC, 0, k | mr | nb},
		{LAB_GFP_ATOMIC, 1, k | mr | nb | ha},
		{LAB_GFP_ATOMIC | __LAB_GFP_ATOMIC, 1, k | mr | nb | ha},
		{__LAB_GFP_ATOMIC, 1, nb},
		{LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, 0, k | mr},
		{LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC, 3, k | mr},
		{__LAB_GFP_HIGH, 0, mr | nb},
		{0, 0, nb},
		{LAB_GFP_HIGHUSER_MOVABLE, 0, k | LAB_ALLOC_CMA},
		{LAB_GFP_ATOMIC | __LAB_GFP_MOVABLE, 2, k | mr | nb | ha | LAB_ALLOC_CMA},
		{LAB_GFP_KERNEL | __LAB_GFP_MEMALLOC, 0, k | LAB_ALLOC_NO_WATERMARKS},
		{LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC, 2, k | LAB_ALLOC_NO_WATERMARKS},
		{LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC | __LAB_GFP_NOMEMALLOC, 2, k | mr},
		{LAB_GFP_KERNEL | __LAB_GFP_OOM_VICTIM, 2, k | LAB_ALLOC_OOM},
		{LAB_GFP_KERNEL | __LAB_GFP_OOM_VICTIM | __LAB_GFP_NOMEMALLOC, 2, k},
		{LAB_GFP_HIGHUSER_MOVABLE | __LAB_GFP_OOM_VICTIM, 0,
			k | LAB_ALLOC_OOM | LAB_ALLOC_CMA},
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(rows); i++)
		assert_int_equal(lab_gfp_to_alloc_flags(rows[i].gfp, rows[i].order), rows[i].flags);
}

static void
test_causes(void **state)
{
	static const char *const names[] = {
		"none", "injected", "exhausted", "watermark", "reserve", "order"};
	static const int errs[] = {0, EIO, ENOMEM, EAGAIN, EBUSY, ENOSPC};

	for (int c = 0; c < LAB_NR_CAUSES; c++) {
		assert_string_equal(lab_cause_name(c), names[c]);
		assert_int_equal(lab_cause_errno(c), errs[c]);
		assert_int_equal(lab_errno_cause(errs[c]), c);
	}
	assert_null(lab_cause_name(LAB_NR_CAUSES));
	assert_null(lab_cause_name((enum lab_cause) - 1));
	assert_int_equal(lab_errno_cause(EINVAL), LAB_CAUSE_NONE);
	assert_int_equal(lab_errno_cause(-EIO), LAB_CAUSE_NONE);

	assert_string_equal(lab_allocator_name(LAB_ALLOCATOR_BUDDY), "buddy");
	assert_null(lab_allocator_name(LAB_NR_ALLOCATORS));
}

static void
test_is_atomic(void **state)
{
	assert_true(lab_gfp_is_atomic(LAB_GFP_ATOMIC));
	assert_true(lab_gfp_is_atomic(LAB_GFP_ATOMIC | __LAB_GFP_ATOMIC));
	assert_false(lab_gfp_is_atomic(LAB_GFP_NOWAIT));
	assert_false(lab_gfp_is_atomic(LAB_GFP_KERNEL | __LAB_GFP_HIGH));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_short_buffer),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_zone_and_migratetype),
		cmocka_unit_test(test_alloc_flags),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_is_atomic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
