/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "test_eal.h"

static void
expect_error(const char *text, const char *const *parts)
{
	struct lab_mempool_settings s = lab_mempool_settings_default(), before = s;
	char err[LAB_MEMPOOL_ERR_LEN] = "";

	assert_int_equal(lab_mempool_settings_parse(text, &s, err, sizeof(err)), -EINVAL);
	test_same_settings(&s, &before);
	for (; *parts != NULL; parts++)
		if (strstr(err, *parts) == NULL)
			fail_msg("\"%s\": \"%s\" does not say \"%s\"", text, err, *parts);
	assert_int_equal(lab_mempool_settings_parse(text, &s, NULL, 0), -EINVAL);
}

#define EXPECT_ERROR(text, ...) expect_error(text, (const char *const[]){__VA_ARGS__, NULL})

static struct lab_mempool_settings
parse(const char *text)
{
	struct lab_mempool_settings s = lab_mempool_settings_default();
	char err[LAB_MEMPOOL_ERR_LEN] = "";

	if (lab_mempool_settings_parse(text, &s, err, sizeof(err)) != 0)
		fail_msg("\"%s\": %s", text, err);
	return s;
}

static void
defaults_hand_everything_out(void **state)
{
	struct lab_mempool_settings s = lab_mempool_settings_default();

	assert_int_equal(s.min_free_kbytes, 0);
	assert_int_equal(s.watermark_boost_factor, 0);
	assert_int_equal(s.inject.probability_ppm, 0);
	assert_int_equal(s.gfp, LAB_GFP_ATOMIC | __LAB_GFP_NOWARN);
	assert_int_equal(s.pcp, -1);
	assert_int_equal(s.allocator, -1);
	assert_true(s.linux_version == LAB_LINUX_6_12);
	assert_false(s.owners);
	assert_true(s.guard == LAB_MEMPOOL_GUARD_OFF);
}

static void
every_key_is_read(void **state)
{
	struct lab_mempool_settings s = parse(
		"min_free_kbytes=512, watermark_scale_factor=150,boost=15000,lowmem_reserve=7,"
		"allocator=buddy,pcp=on,order=3,gfp=KERNEL,linux=6.1,inject_ppm=100,inject_interval=2,"
		"inject_times=5,inject_space=9,inject_min_order=1,inject_atomic_only=on,"
		"inject_seed=0x10,owners=on,guard=abort,background=thread,");

	assert_int_equal(s.min_free_kbytes, 512);
	assert_int_equal(s.watermark_scale_factor, 150);
	assert_int_equal(s.watermark_boost_factor, 15000);
	assert_int_equal(s.lowmem_reserve, 7);
	assert_int_equal(s.allocator, LAB_ALLOCATOR_BUDDY);
	assert_int_equal(s.pcp, 1);
	assert_int_equal(s.order, 3);
	assert_int_equal(s.gfp, LAB_GFP_KERNEL);
	assert_true(s.linux_version == LAB_LINUX_6_1);
	assert_int_equal(s.inject.probability_ppm, 100);
	assert_int_equal(s.inject.interval, 2);
	assert_int_equal(s.inject.times, 5);
	assert_int_equal(s.inject.space, 9);
	assert_int_equal(s.inject.min_order, 1);
	assert_true(s.inject.atomic_only);
	assert_int_equal(s.inject.seed, 16);
	assert_true(s.owners);
	assert_true(s.guard == LAB_MEMPOOL_GUARD_ABORT);
	assert_true(s.background == LAB_MEMPOOL_BACKGROUND_THREAD);
}

static void
texts_are_lenient_about_space_only(void **state)
{
	assert_int_equal(parse("").min_free_kbytes, 0);
	assert_int_equal(parse(" , ,").min_free_kbytes, 0);
	assert_int_equal(parse(" boost = 3 ").watermark_boost_factor, 3);
	assert_int_equal(parse("boost=3,boost=4").watermark_boost_factor, 4);
	assert_int_equal(parse("min_free_kbytes=auto").min_free_kbytes, -1);
	assert_int_equal(parse("inject_times=-1").inject.times, -1);
	assert_int_equal(parse("inject_times=0").inject.times, 0);
	assert_int_equal(parse("linux=6.12").linux_version, LAB_LINUX_6_12);
	assert_int_equal(parse("gfp=ATOMIC").gfp, LAB_GFP_ATOMIC);
	assert_true(parse("guard=1").guard == LAB_MEMPOOL_GUARD_ON);
	assert_true(parse("guard=1,guard=0").guard == LAB_MEMPOOL_GUARD_OFF);
}

static void
bad_values_are_named(void **state)
{
	EXPECT_ERROR("boots=1", "boots");
	EXPECT_ERROR("boost", "boost", "key=value");
	EXPECT_ERROR("boost=", "boost", "0 to 100000");
	EXPECT_ERROR("boost=100001", "100001", "0 to 100000");
	EXPECT_ERROR("boost=-1", "-1");
	EXPECT_ERROR("boost= 1x", "1x");
	EXPECT_ERROR("boost=18446744073709551616", "18446744073709551616");
	EXPECT_ERROR("watermark_scale_factor=0", "1 to 3000");
	EXPECT_ERROR("watermark_scale_factor=3001", "1 to 3000");
	EXPECT_ERROR("order=11", "0 to 10");
	EXPECT_ERROR("pcp=maybe", "on or off");
	EXPECT_ERROR("linux=5.10", "6.1 or 6.12");
	EXPECT_ERROR("background=on", "off, service, thread or program");
	EXPECT_ERROR("gfp=ATOMIC|ZERO", "ATOMIC|ZERO", "without ZERO");
	EXPECT_ERROR("gfp=ATOMIC|DMA", "DMA");
	EXPECT_ERROR("gfp=ATOMIC|MOVABLE|RECLAIMABLE", "one migratetype");
	EXPECT_ERROR("gfp=NONSENSE", "NONSENSE");
	EXPECT_ERROR("inject_ppm=1000001", "0 to 1000000");
	EXPECT_ERROR("inject_interval=0", "1 to");
	EXPECT_ERROR("inject_times=-2", "-2");
	EXPECT_ERROR("min_free_kbytes=-1", "auto");
	EXPECT_ERROR("owners=all", "on or off");
	EXPECT_ERROR("guard=maybe", "off, on or abort");
}

static void
bounds_are_valid(void **state)
{
	assert_int_equal(parse("boost=100000").watermark_boost_factor, 100000);
	assert_int_equal(parse("watermark_scale_factor=1").watermark_scale_factor, 1);
	assert_int_equal(parse("watermark_scale_factor=3000").watermark_scale_factor, 3000);
	assert_int_equal(parse("order=10").order, 10);
	assert_int_equal(parse("inject_ppm=1000000").inject.probability_ppm, 1000000);
	assert_true(parse("inject_seed=18446744073709551615").inject.seed == UINT64_MAX);
}

/* Nothing of a text counts if its end is bad. */
static void
errors_change_nothing(void **state)
{
	EXPECT_ERROR("boost=3,order=4,order=99", "order=99");
}

static void
long_texts_are_refused(void **state)
{
	char text[4096];

	memset(text, ',', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	EXPECT_ERROR(text, "more than");
}

static void
format_reads_back(void **state)
{
	static const char *const texts[] = {"", "min_free_kbytes=auto,pcp=on",
		("boost=1,order=4,gfp=0x40c20,linux=6.1,inject_ppm=7,inject_times=3,"
		 "inject_atomic_only=on,inject_seed=18446744073709551615,owners=on,guard=on"),
		"guard=abort,background=service"};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(texts); i++) {
		struct lab_mempool_settings s = parse(texts[i]), back;
		char text[512];
		int len = lab_mempool_settings_format(&s, text, sizeof(text));

		assert_true(len > 0 && len < (int)sizeof(text));
		back = parse(text);
		test_same_settings(&s, &back);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_hand_everything_out),
		cmocka_unit_test(every_key_is_read),
		cmocka_unit_test(texts_are_lenient_about_space_only),
		cmocka_unit_test(bad_values_are_named),
		cmocka_unit_test(bounds_are_valid),
		cmocka_unit_test(errors_change_nothing),
		cmocka_unit_test(long_texts_are_refused),
		cmocka_unit_test(format_reads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
