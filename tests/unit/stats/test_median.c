/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <string.h>

#include "lab_base.h"
#include "lab_stats.h"

static const struct lab_median_opts usual = {.seed = 1, .alpha = 0.05, .resamples = 399};

static void
test_exact_figures(void **state)
{
	const double odd[] = {5, 1, 9, 3, 7}, even[] = {4, 1, 3, 2}, same[] = {2, 2, 2};
	struct lab_median_result r;

	assert_int_equal(lab_median(odd, 5, &usual, &r), 0);
	assert_true(r.median == 5 && r.lower_quartile == 3 && r.upper_quartile == 7);
	assert_true(r.ci_lo >= 1 && r.ci_lo <= 5 && r.ci_hi >= 5 && r.ci_hi <= 9);
	assert_true(odd[0] == 5 && odd[4] == 7); /* the caller's stay as they are */
	assert_int_equal(lab_median(even, 4, &usual, &r), 0);
	assert_true(r.median == 2.5);
	assert_int_equal(lab_median(same, 3, &usual, &r), 0);
	assert_true(r.median == 2 && r.ci_lo == 2 && r.ci_hi == 2);
	assert_int_equal(lab_median(odd, 1, &usual, &r), 0);
	assert_true(r.median == 5 && r.ci_lo == 5 && r.ci_hi == 5);
}

static void
test_bad_input(void **state)
{
	struct lab_median_opts o = usual;
	struct lab_median_result r;
	double x[] = {1, 2, 3};

	assert_int_equal(lab_median(x, 0, &o, &r), -EINVAL);
	o.resamples = 98;
	assert_int_equal(lab_median(x, 3, &o, &r), -EINVAL);
	o = usual;
	o.alpha = 0.5;
	assert_int_equal(lab_median(x, 3, &o, &r), -EINVAL);
	x[1] = NAN;
	assert_int_equal(lab_median(x, 3, &usual, &r), -EINVAL);
	x[1] = INFINITY;
	assert_int_equal(lab_median(x, 3, &usual, &r), -EINVAL);
}

/* Values around 1 with a heavy tail on one side, as the ratios of two measurements on a busy machine. */
static void
ratios(double *x, size_t n, uint64_t seed)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, seed);
	for (size_t i = 0; i < n; i++) {
		double u = lab_rng_double(&rng) - 0.5;

		x[i] = 1 + 0.1 * u + (lab_rng_below(&rng, 10) == 0 ? u * u * u * 40 : 0);
	}
}

static void
test_interval_covers(void **state)
{
	enum { N = 101, RUNS = 200 };
	struct lab_median_opts o = usual;
	struct lab_median_result r, again;
	unsigned int covered = 0;
	double x[N];

	for (unsigned int i = 0; i < RUNS; i++) {
		ratios(x, N, i);
		o.seed = i;
		assert_int_equal(lab_median(x, N, &o, &r), 0);
		assert_true(r.ci_lo <= r.median && r.median <= r.ci_hi);
		assert_true(r.ci_hi - r.ci_lo < 0.1);
		covered += r.ci_lo <= 1 && r.ci_hi >= 1;
	}
	print_message("covered %.1f%% (nominal 95%%)\n", 100.0 * covered / RUNS);
	assert_in_range(covered, RUNS * 90 / 100, RUNS * 99 / 100);
	assert_int_equal(lab_median(x, N, &o, &again), 0);
	assert_memory_equal(&r, &again, sizeof(r));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_figures),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_interval_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
