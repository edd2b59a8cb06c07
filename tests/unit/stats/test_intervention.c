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

#include "lab_stats.h"
#include "process.h"

enum { N = 2000 };

static double control[N], treated[N];

static void
test_exact_figures(void **state)
{
	struct lab_intervention_opts o = lab_intervention_opts_default();
	struct lab_intervention_result r;

	for (int i = 0; i < N; i++) {
		control[i] = 3;
		treated[i] = 1;
	}
	assert_int_equal(lab_intervention(control, treated, N, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_EFFECT_FEWER);
	assert_true(r.control == 6000 && r.treated == 2000 && r.effect == -4000);
	assert_true(fabs(r.relative + 2.0 / 3) < 1e-12);
	/* Every pair differs by 2: no resample can say anything else. */
	assert_true(r.ci_lo == -4000 && r.ci_hi == -4000);
	assert_int_equal(lab_intervention(treated, control, N, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_EFFECT_MORE);
	assert_true(r.effect == 4000 && fabs(r.relative - 2) < 1e-12);
	assert_int_equal(lab_intervention(control, control, N, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_EFFECT_NONE);
	assert_true(r.effect == 0 && r.ci_lo == 0 && r.ci_hi == 0);
}

static void
test_nothing_to_say(void **state)
{
	struct lab_intervention_opts o = lab_intervention_opts_default();
	struct lab_intervention_result r;
	static double zero[N], sparse[N];

	assert_int_equal(lab_intervention(zero, zero, N, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_EFFECT_NO_DATA);
	assert_int_equal(lab_intervention(control, treated, 0, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_EFFECT_NO_DATA);
	assert_int_equal(lab_intervention(control, treated, 1, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_EFFECT_NO_DATA);
	/* A control without drops: an effect, but nothing that it is relative to. */
	assert_int_equal(lab_intervention(zero, treated, N, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_EFFECT_MORE);
	assert_true(r.relative == 0 && r.relative_lo == 0 && r.relative_hi == 0);
	/* 100 bins are five blocks of 20. */
	o.mean_block = 20;
	assert_int_equal(lab_intervention(control, treated, 100, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_EFFECT_TOO_FEW);
	assert_string_equal(lab_effect_verdict_name(r.verdict), "too_few");
	assert_null(lab_effect_verdict_name((enum lab_effect_verdict)77));
	/* A long run in which only 19 short stretches lost anything, and one with 20. */
	o.mean_block = 0;
	for (int bursts = 19; bursts <= 20; bursts++) {
		memset(sparse, 0, sizeof(sparse));
		for (int i = 0; i < bursts; i++)
			sparse[i * 90] = sparse[i * 90 + 1] = 5;
		assert_int_equal(lab_intervention(zero, sparse, N, &o, &r), 0);
		assert_int_equal(r.units, bursts);
		assert_int_equal(r.verdict, bursts < 20 ? LAB_EFFECT_TOO_FEW : LAB_EFFECT_MORE);
	}
}

static void
test_bad_input(void **state)
{
	struct lab_intervention_opts good = lab_intervention_opts_default(), o;
	struct lab_intervention_result r;
	double bad[] = {1, 2, NAN, 4}, minus[] = {1, -1, 1, 1}, ok[] = {1, 1, 1, 1};

	assert_int_equal(lab_intervention(bad, ok, 4, &good, &r), -EINVAL);
	assert_int_equal(lab_intervention(ok, bad, 4, &good, &r), -EINVAL);
	assert_int_equal(lab_intervention(ok, minus, 4, &good, &r), -EINVAL);
	bad[2] = INFINITY;
	assert_int_equal(lab_intervention(ok, bad, 4, &good, &r), -EINVAL);
	o = good;
	o.resamples = 98;
	assert_int_equal(lab_intervention(ok, ok, 4, &o, &r), -EINVAL);
	o = good;
	o.alpha = NAN;
	assert_int_equal(lab_intervention(ok, ok, 4, &o, &r), -EINVAL);
	o = good;
	o.mean_block = -1;
	assert_int_equal(lab_intervention(ok, ok, 4, &o, &r), -EINVAL);
}

/* Both arms drop in the bursts of the same traffic, the treated one half as much or (no effect) the same. */
static void
two_arms(uint64_t seed, double share)
{
	struct process_bursts b;

	process_bursts_init(&b, 20, 100, seed);
	for (int i = 0; i < N; i++) {
		double mean = process_bursts_next(&b) ? 10 : 0.02;

		control[i] = process_poisson(&b.rng, mean);
		treated[i] = process_poisson(&b.rng, mean * share);
	}
}

static void
test_effect_and_none(void **state)
{
	enum { RUNS = 100 };
	struct lab_intervention_opts o = lab_intervention_opts_default();
	struct lab_intervention_result r;
	unsigned int saved = 0, false_alarm = 0;

	o.resamples = 399;
	for (unsigned int i = 0; i < RUNS; i++) {
		o.seed = i;
		two_arms(process_seed(4, i), 0.5);
		assert_int_equal(lab_intervention(control, treated, N, &o, &r), 0);
		saved += r.verdict == LAB_EFFECT_FEWER && r.relative_lo < -0.5 &&
			 r.relative_hi > -0.5;
		two_arms(process_seed(5, i), 1);
		assert_int_equal(lab_intervention(control, treated, N, &o, &r), 0);
		false_alarm += r.verdict != LAB_EFFECT_NONE;
	}
	print_message("effect found with its size covered %.1f%%, false alarms %.1f%% (nominal "
		      "95%% and 5%%)\n",
		100.0 * saved / RUNS, 100.0 * false_alarm / RUNS);
	assert_true(saved >= RUNS * 85 / 100);
	assert_true(false_alarm <= RUNS * 12 / 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_figures),
		cmocka_unit_test(test_nothing_to_say),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_effect_and_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
