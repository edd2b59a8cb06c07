/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lab_base.h"
#include "lab_stats.h"

static void
test_index_is_exact_then_close(void **state)
{
	struct lab_rng rng;

	for (uint64_t v = 0; v < 64; v++)
		assert_int_equal(lab_hist_index(v), v);
	assert_int_equal(lab_hist_index(64), 64);
	assert_int_equal(lab_hist_index(65), 64);
	assert_int_equal(lab_hist_index(66), 65);
	assert_int_equal(lab_hist_index(UINT64_MAX), LAB_HIST_BUCKETS - 1);
	lab_rng_seed(&rng, 1);
	for (int i = 0; i < 100000; i++) {
		uint64_t v = lab_rng_u64(&rng) >> lab_rng_below(&rng, 64);
		unsigned int at = lab_hist_index(v);

		assert_in_range(at, 0, LAB_HIST_BUCKETS - 1);
		/* Buckets are in the order of their values. */
		if (v > 0)
			assert_true(lab_hist_index(v - 1) <= at);
	}
}

static void
test_empty(void **state)
{
	static struct lab_hist h; /* zeroed memory is a valid empty one */

	assert_int_equal(lab_hist_min(&h), 0);
	assert_int_equal(lab_hist_percentile(&h, 50), 0);
	assert_true(lab_hist_mean(&h) == 0);
	lab_hist_record_n(&h, 5, 0);
	assert_int_equal(h.count, 0);
	assert_int_equal(lab_hist_min(&h), 0);
}

static void
test_small_values_are_exact(void **state)
{
	static struct lab_hist h;

	for (uint64_t v = 1; v <= 50; v++)
		lab_hist_record(&h, v);
	assert_int_equal(h.count, 50);
	assert_int_equal(lab_hist_min(&h), 1);
	assert_int_equal(h.max, 50);
	assert_true(lab_hist_mean(&h) == 25.5);
	assert_int_equal(lab_hist_percentile(&h, 0), 1);
	assert_int_equal(lab_hist_percentile(&h, 2), 1);
	assert_int_equal(lab_hist_percentile(&h, 2.0001), 2);
	assert_int_equal(lab_hist_percentile(&h, 50), 25);
	assert_int_equal(lab_hist_percentile(&h, 100), 50);
	assert_int_equal(lab_hist_percentile(&h, -3), 1);
	assert_int_equal(lab_hist_percentile(&h, 250), 50);
	assert_int_equal(lab_hist_percentile(&h, __builtin_nan("")), 1);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Against the sorted values themselves: never below, and above by at most 1/32. */
static void
test_percentiles_of_random_values(void **state)
{
	enum { N = 20000 };
	static struct lab_hist h;
	static uint64_t v[N];
	struct lab_rng rng;

	lab_rng_seed(&rng, 7);
	for (int i = 0; i < N; i++) {
		v[i] = (uint64_t)lab_rng_exp(&rng, 1e6);
		lab_hist_record(&h, v[i]);
	}
	qsort(v, N, sizeof(v[0]), by_value);
	for (int p = 1; p <= 1000; p++) {
		uint64_t want = v[(size_t)p * N / 1000 - 1];
		uint64_t got = lab_hist_percentile(&h, p / 10.0);

		assert_true(got >= want);
		assert_true(got - want <= want / 32);
	}
}

static void
test_merge_is_recording_both(void **state)
{
	static struct lab_hist a, b, both;
	struct lab_rng rng;

	lab_rng_seed(&rng, 3);
	for (int i = 0; i < 5000; i++) {
		uint64_t v = lab_rng_u64(&rng) >> lab_rng_below(&rng, 60);

		lab_hist_record(i % 3 ? &a : &b, v);
		lab_hist_record(&both, v);
	}
	lab_hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
	lab_hist_reset(&b);
	lab_hist_merge(&a, &b);
	assert_memory_equal(&a, &both, sizeof(a));
}

static void
test_sum_saturates(void **state)
{
	static struct lab_hist a, b;

	lab_hist_record_n(&a, UINT64_MAX, 3);
	assert_int_equal(a.sum, UINT64_MAX);
	assert_int_equal(a.count, 3);
	lab_hist_record(&b, 1);
	lab_hist_merge(&b, &a);
	assert_int_equal(b.sum, UINT64_MAX);
	assert_int_equal(lab_hist_min(&b), 1);
	assert_int_equal(lab_hist_percentile(&b, 100), UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_is_exact_then_close),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_percentiles_of_random_values),
		cmocka_unit_test(test_merge_is_recording_both),
		cmocka_unit_test(test_sum_saturates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
