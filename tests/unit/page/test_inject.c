/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file test_inject.c
 * Refusals on order: which requests are eligible, and the sequence that a seed gives.
 */
#include "zone_fixture.h"

#define ALWAYS 1000000

static struct lab_zone *
make_injecting(struct lab_inject in)
{
	struct lab_zone *z = make_plain_zone(4096, 10);

	assert_int_equal(lab_zone_inject(z, &in), 0);
	return z;
}

/** Is the next such request refused? Served ones are given back. */
static bool
refused(struct lab_zone *z, lab_gfp_t gfp, unsigned int order)
{
	void *page = lab_alloc_pages(z, gfp, order);

	if (page == NULL)
		assert_int_equal(errno, EIO);
	else
		assert_int_equal(lab_free_pages(z, page, order), 0);
	return page == NULL;
}

static void
test_always(void **state)
{
	struct lab_zone *z =
		make_injecting((struct lab_inject){.probability_ppm = ALWAYS, .times = -1});
	struct lab_refusal r;

	for (int i = 0; i < 100; i++)
		assert_true(refused(z, LAB_GFP_KERNEL, 0));
	assert_int_equal(zone_stats(z).refused[LAB_CAUSE_INJECTED], 100);
	assert_int_equal(zone_stats(z).refused_with_free, 100);
	assert_int_equal(lab_zone_refusals(z, &r, 1), 1);
	assert_int_equal(r.verdict.cause, LAB_CAUSE_INJECTED);
	assert_int_equal(r.verdict.nr_free, 4096);
	assert_int_equal(lab_zone_inject(z, &(struct lab_inject){0}), 0); /* off */
	assert_false(refused(z, LAB_GFP_KERNEL, 0));
	assert_int_equal(lab_zone_explain(z, LAB_GFP_KERNEL, 0, NULL), LAB_CAUSE_NONE);
	lab_zone_destroy(z);
}

static void
test_eligible(void **state)
{
	struct lab_zone *z = make_injecting((struct lab_inject){
		.probability_ppm = ALWAYS, .times = -1, .min_order = 2, .atomic_only = true});

	assert_false(refused(z, LAB_GFP_ATOMIC, 1));
	assert_true(refused(z, LAB_GFP_ATOMIC, 2));
	assert_true(refused(z, LAB_GFP_NOWAIT, 3));
	assert_false(refused(z, LAB_GFP_KERNEL, 2));
	lab_zone_destroy(z);
	z = make_injecting((struct lab_inject){.probability_ppm = ALWAYS, .times = -1});
	assert_false(refused(z, LAB_GFP_KERNEL | __LAB_GFP_NOFAIL, 0));
	lab_zone_destroy(z);
}

static void
test_times(void **state)
{
	struct lab_zone *z =
		make_injecting((struct lab_inject){.probability_ppm = ALWAYS, .times = 3});

	for (int i = 0; i < 10; i++)
		assert_int_equal(refused(z, LAB_GFP_ATOMIC, 0), i < 3);
	assert_int_equal(zone_info(z).inject.times, 0);
	lab_zone_destroy(z);
	z = make_injecting((struct lab_inject){.probability_ppm = ALWAYS, .times = 0});
	assert_false(refused(z, LAB_GFP_ATOMIC, 0));
	lab_zone_destroy(z);
}

/** Every third eligible request. */
static void
test_interval(void **state)
{
	struct lab_zone *z = make_injecting(
		(struct lab_inject){.probability_ppm = ALWAYS, .times = -1, .interval = 3});

	for (int i = 1; i <= 30; i++)
		assert_int_equal(refused(z, LAB_GFP_ATOMIC, 0), i % 3 == 0);
	lab_zone_destroy(z);
}

/** As in the kernel a request passes while space is more than its size, which is taken off. */
static void
test_space(void **state)
{
	struct lab_zone *z = make_injecting(
		(struct lab_inject){.probability_ppm = ALWAYS, .times = -1, .space = 10});

	assert_false(refused(z, LAB_GFP_ATOMIC, 2)); /* 6 left */
	assert_false(refused(z, LAB_GFP_ATOMIC, 2)); /* 2 */
	assert_false(refused(z, LAB_GFP_ATOMIC, 0)); /* 1 */
	assert_true(refused(z, LAB_GFP_ATOMIC, 0));
	assert_true(refused(z, LAB_GFP_ATOMIC, 2));
	lab_zone_destroy(z);
}

/** The same seed, the same refusals; another seed, others; about as many as the probability says. */
static void
test_seed(void **state)
{
	enum { N = 20000 };
	static bool hits[3][N];
	const uint64_t seeds[] = {7, 7, 8};
	unsigned int n = 0;

	for (int k = 0; k < 3; k++) {
		struct lab_zone *z = make_injecting((struct lab_inject){
			.probability_ppm = 250000, .times = -1, .seed = seeds[k]});

		for (int i = 0; i < N; i++)
			hits[k][i] = refused(z, LAB_GFP_ATOMIC, 0);
		lab_zone_destroy(z);
	}
	assert_memory_equal(hits[0], hits[1], sizeof(hits[0]));
	assert_memory_not_equal(hits[0], hits[2], sizeof(hits[0]));
	for (int i = 0; i < N; i++)
		n += hits[0][i];
	/* 5000, standard deviation 61: five of them either way, for a fixed seed */
	assert_in_range(n, 5000 - 305, 5000 + 305);
}

static void
test_bad(void **state)
{
	struct lab_zone *z = make_plain_zone(1024, 0);

	assert_int_equal(
		lab_zone_inject(z, &(struct lab_inject){.probability_ppm = ALWAYS + 1}), -EINVAL);
	assert_int_equal(
		lab_zone_inject(z, &(struct lab_inject){.min_order = LAB_NR_ORDERS}), -EINVAL);
	assert_int_equal(lab_zone_inject(z, &(struct lab_inject){.times = -2}), -EINVAL);
	assert_int_equal(lab_zone_inject(z, NULL), 0);
	lab_zone_destroy(z);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_always),
		cmocka_unit_test(test_eligible),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_space),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
