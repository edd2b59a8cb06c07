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

#ifdef HAVE_GSL
#include <gsl/gsl_statistics.h>
#endif

#include "lab_stats.h"
#include "process.h"

#define MS 1000000ULL

static void
assert_near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within))
		fail_msg("got %.17g, want %.17g", got, want);
}

static void
test_ranks_with_ties(void **state)
{
	const double x[] = {3, 1, 3, 0, 3, 1}, want[] = {5, 2.5, 5, 1, 5, 2.5};
	double rank[6];

	assert_int_equal(lab_ranks(x, 6, rank), 0);
	for (int i = 0; i < 6; i++)
		assert_near(rank[i], want[i], 0);
	assert_int_equal(lab_ranks(x, 0, rank), 0);
	assert_int_equal(lab_ranks((double[]){1, NAN}, 2, rank), -EINVAL);
	assert_int_equal(lab_ranks((double[]){1, INFINITY}, 2, rank), -EINVAL);
}

/* By hand: x = 1 2 3 4, y = 1 3 2 4: d^2 sums to 2, 1 - 6*2/(4*15) = 0.8. */
static void
test_coefficients_by_hand(void **state)
{
	const double x[] = {1, 2, 3, 4}, y[] = {10, 30, 20, 4000}, down[] = {4, 3, 2, 1};
	double r;

	assert_int_equal(lab_spearman(x, y, 4, &r), 0);
	assert_near(r, 0.8, 1e-15);
	assert_int_equal(lab_spearman(x, down, 4, &r), 0);
	assert_near(r, -1, 1e-15);
	assert_int_equal(lab_pearson(x, down, 4, &r), 0);
	assert_near(r, -1, 1e-15);
	assert_int_equal(lab_pearson((double[]){0, 0, 1, 1}, (double[]){0, 1, 0, 1}, 4, &r), 0);
	assert_near(r, 0, 1e-15);
}

static void
test_no_nan_gets_out(void **state)
{
	const double c[] = {0.1, 0.1, 0.1}, x[] = {1, 2, 3}, bad[] = {1, NAN, 3};
	const double tiny[] = {5e-324, 0, 5e-324}, huge[] = {1e149, -1e149, 1e149};
	double r = 5;

	assert_int_equal(lab_pearson(c, x, 3, &r), -EDOM);
	assert_near(r, 0, 0);
	assert_int_equal(lab_spearman(x, c, 3, &r), -EDOM);
	assert_near(r, 0, 0);
	assert_int_equal(lab_pearson(x, x, 1, &r), -EDOM);
	assert_int_equal(lab_pearson(x, x, 0, &r), -EDOM);
	assert_int_equal(lab_pearson(x, bad, 3, &r), -EINVAL);
	assert_int_equal(lab_spearman(bad, x, 3, &r), -EINVAL);
	assert_int_equal(lab_pearson(huge, x, 3, &r), 0);
	assert_true(isfinite(r));
	assert_int_equal(lab_pearson(tiny, huge, 3, &r), 0);
	assert_near(r, 1, 1e-12);
	/* A large level with a small ripple on it: the digits must survive. */
	assert_int_equal(lab_pearson((double[]){1e15, 1e15 + 1, 1e15 + 2}, x, 3, &r), 0);
	assert_near(r, 1, 1e-9);
}

#ifdef HAVE_GSL
static void
test_against_gsl(void **state)
{
	enum { N = 500 };
	double x[N], y[N], work[2 * N], r;
	struct lab_rng rng;

	lab_rng_seed(&rng, 1);
	for (int run = 0; run < 200; run++) {
		size_t n = 3 + lab_rng_below(&rng, N - 3);
		uint64_t values = run % 2 ? 4 : 1000000; /* with many ties, and nearly none */

		for (size_t i = 0; i < n; i++) {
			x[i] = (double)lab_rng_below(&rng, values);
			y[i] = x[i] * lab_rng_double(&rng) + (double)lab_rng_below(&rng, values);
		}
		x[0] = 0, x[1] = 1; /* never constant */
		assert_int_equal(lab_pearson(x, y, n, &r), 0);
		assert_near(r, gsl_stats_correlation(x, 1, y, 1, n), 1e-9);
		assert_int_equal(lab_spearman(x, y, n, &r), 0);
		assert_near(r, gsl_stats_spearman(x, 1, y, 1, n, work), 1e-9);
	}
}

static void
test_curves_against_gsl(void **state)
{
	enum { N = 600 };
	static double x[N], y[N], work[2 * N];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result r;

	process_mmpp(x, N, 1);
	process_mmpp(y, N, 2);
	o.lag_min = -7;
	o.lag_max = 9;
	assert_int_equal(lab_corr(x, y, NULL, N, 10 * MS, &o, &r), 0);
	for (int lag = o.lag_min; lag <= o.lag_max; lag++) {
		const double *a = x + (lag < 0 ? -lag : 0), *b = y + (lag > 0 ? lag : 0);
		size_t n = N - (size_t)abs(lag);

		assert_near(
			r.spearman[lag - o.lag_min], gsl_stats_spearman(a, 1, b, 1, n, work), 1e-9);
		assert_near(r.pearson[lag - o.lag_min], gsl_stats_correlation(a, 1, b, 1, n), 1e-9);
	}
}
#endif

/* p counts the shifts by brute force, as the documentation defines it. */
static void
test_shift_p_by_brute_force(void **state)
{
	enum { N = 240 };
	static double x[N], y[N], rx[N], ry[N], shifted[N];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result r;
	unsigned int k = 0, nr = 0;
	double here = -2;

	process_mmpp(x, N, 21);
	process_mmpp(y, N, 22);
	o.lag_max = 4;
	assert_int_equal(lab_corr(x, y, NULL, N, 10 * MS, &o, &r), 0);
	assert_true(r.all_shifts);
	lab_ranks(x, N, rx);
	lab_ranks(y, N, ry);
	for (size_t s = 0; s < N; s++) {
		double max = -2, c;

		for (size_t lag = 0; lag <= 4; lag++) {
			for (size_t i = 0; i < N; i++)
				shifted[i] = ry[(i + s + lag) % N];
			assert_int_equal(lab_pearson(rx, shifted, N, &c), 0);
			max = fmax(max, c);
		}
		if (s == 0)
			here = max;
		if (s <= r.shift_guard || s >= N - r.shift_guard)
			continue;
		nr++;
		k += max >= here - 1e-10;
	}
	assert_int_equal(r.nr_shifts, nr);
	assert_near(r.p, (1.0 + k) / (1.0 + nr), 1e-15);
}

/* The truncated test likewise: B windows of 2r + 1, p = B / (r + 1). */
static void
test_truncated_p_by_brute_force(void **state)
{
	enum { N = 203 };
	static double x[N], y[N], rx[N], ry[N];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result r;
	unsigned int b = 0;
	double here = -2;
	long radius, from, len;

	process_mmpp(x, N, 31);
	for (int i = 0; i < N; i++)
		y[i] = i < 2 ? 0 : x[i - 2];
	y[100] += 50;
	o.lag_min = -1;
	o.lag_max = 4;
	assert_int_equal(lab_corr(x, y, NULL, N, 10 * MS, &o, &r), 0);
	radius = r.truncated_radius;
	assert_int_equal(radius, N / 4);
	assert_int_equal(r.truncated_step, 1);
	lab_ranks(x, N, rx);
	lab_ranks(y, N, ry);
	from = radius + 1;
	len = N - from - radius - 4;
	for (int pass = 0; pass < 2; pass++) {
		for (long s = -radius; s <= radius; s++) {
			double max = -2, c;

			for (long lag = -1; lag <= 4; lag++) {
				if (lab_pearson(rx + from, ry + from + s + lag, (size_t)len, &c))
					c = 0;
				max = fmax(max, c);
			}
			if (pass == 0 && s == 0)
				here = max;
			b += pass == 1 && max >= here - 1e-10;
		}
	}
	assert_near(r.p_truncated, fmin(1, b / (radius + 1.0)), 1e-15);
}

static void
test_lag_is_found_in_its_unit(void **state)
{
	enum { N = 2000 };
	static double x[N], y[N];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result r;

	process_mmpp(x, N, 5);
	for (int i = 0; i < N; i++)
		y[i] = i < 4 ? 0 : x[i - 4];
	assert_int_equal(lab_corr(x, y, NULL, N, 5 * MS, &o, &r), 0);
	assert_int_equal(r.lag, 4);
	assert_near(r.lag_ms, 20, 1e-12);
	assert_near(r.tau_ms, 50, 1e-12);
	assert_near(r.coefficient, 1, 1e-12);
	assert_near(r.coefficient_pearson, 1, 1e-12);
	assert_true(r.ci_valid && r.ci_lo > 0.99 && r.ci_hi <= 1);
	assert_true(r.p < 0.01 && r.p_pearson < 0.01);
	assert_true(r.band_lo <= r.band_hi && r.band_max < 1);
	/* Drops that lead failures by 4 are no link: the lags were declared to be 0 to 10. */
	assert_int_equal(lab_corr(y, x, NULL, N, 5 * MS, &o, &r), 0);
	assert_true(r.coefficient < 0.95);
}

static void
test_events_by_hand(void **state)
{
	enum { N = 400 };
	static double x[N], y[N];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result r;

	o.lag_max = 2;
	o.tau = 2;
	x[50] = 3, x[100] = 1, x[200] = 9, x[399] = 1;
	y[0] = 8;               /* must not be seen as following bin 399 */
	y[50] = 5, y[102] = 10; /* after two of the four failures */
	y[203] = 77;            /* one bin too late */
	assert_int_equal(lab_corr(x, y, NULL, N, 10 * MS, &o, &r), 0);
	assert_int_equal(r.failure_bins, 4);
	assert_int_equal(r.drop_bins, 4);
	assert_near(r.drop_after_failure.value, 0.5, 1e-12);
	assert_near(r.drops_preceded.value, 15.0 / 100, 1e-12);
	assert_true(r.drop_after_failure.baseline < 0.1);
	assert_true(r.drop_after_failure.p < 0.05);
	assert_int_equal(r.bursts_failures, 4);
	assert_int_equal(r.bursts_drops, 3 + 1);
	assert_int_equal(r.verdict, LAB_CORR_TOO_FEW_BURSTS);
}

static void
test_bursts_by_hand(void **state)
{
	/*                   0  1  2  3  4  5  6  7  8  9 */
	const double x[] = {0, 2, 0, 3, 0, 0, 0, 5, 5, 1};
	struct lab_burst b[4];

	assert_int_equal(lab_bursts(x, 10, 0, 3, b, 4), 2);
	assert_int_equal(b[0].start, 1);
	assert_int_equal(b[0].len, 3);
	assert_near(b[0].sum, 5, 0);
	assert_int_equal(b[1].start, 7);
	assert_int_equal(b[1].len, 3);
	assert_near(b[1].sum, 11, 0);
	assert_int_equal(
		lab_bursts(x, 10, 0, 4, b, 4), 1); /* three inactive bins do not part them */
	assert_int_equal(b[0].len, 9);
	assert_int_equal(lab_bursts(x, 10, 0, 1, b, 1), 3);
	assert_int_equal(lab_bursts(x, 10, 1, 3, NULL, 0), 2);
	assert_int_equal(lab_bursts(x, 10, 5, 3, b, 4), 0);
	assert_int_equal(lab_bursts(x, 0, 0, 3, b, 4), 0);
	assert_int_equal(lab_bursts(x, 10, 0, 0, b, 4), -EINVAL);
	assert_int_equal(lab_bursts(x, 10, NAN, 1, b, 4), -EINVAL);
	assert_near(lab_bursts_level(x, 10), 1.6, 1e-12);
	assert_near(lab_bursts_level(x, 0), 0, 0);
}

/* Every double of the result: none may be NaN or infinite. */
static void
assert_all_finite(const struct lab_corr_result *r)
{
	const double d[] = {r->interval_ms, r->lag_ms, r->coefficient, r->coefficient_pearson, r->p,
		r->p_pearson, r->p_truncated, r->band_lo, r->band_hi, r->band_max, r->ci_lo,
		r->ci_hi, r->mean_block, r->tau_ms, r->drop_after_failure.value,
		r->drop_after_failure.baseline, r->drop_after_failure.p, r->drops_preceded.value,
		r->drops_preceded.baseline, r->drops_preceded.p, r->burst_len_failures,
		r->burst_len_drops, r->active_above_failures, r->active_above_drops, r->partial,
		r->p_partial, r->stratified};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(d); i++)
		assert_true(isfinite(d[i]));
	for (unsigned int i = 0; i < r->nr_lags; i++)
		assert_true(isfinite(r->spearman[i]) && isfinite(r->pearson[i]));
	for (unsigned int i = 0; i < r->nr_strata; i++)
		assert_true(isfinite(r->stratum[i].spearman));
	assert_true(r->p > 0 && r->p <= 1 && r->p_partial > 0 && r->p_partial <= 1);
	assert_true(fabs(r->coefficient) <= 1 && fabs(r->partial) <= 1);
}

static void
test_constant_series(void **state)
{
	enum { N = 500 };
	static double zero[N], one[N], x[N];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result r;

	process_mmpp(x, N, 3);
	for (int i = 0; i < N; i++)
		one[i] = 1;
	assert_int_equal(lab_corr(zero, x, one, N, MS, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_CORR_NO_FAILURES);
	assert_all_finite(&r);
	assert_int_equal(lab_corr(one, zero, NULL, N, MS, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_CORR_NO_FAILURES);
	assert_int_equal(lab_corr(x, one, NULL, N, MS, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_CORR_NO_DROPS);
	assert_all_finite(&r);
	/* A load that says nothing is no load; one that says all leaves nothing. */
	assert_int_equal(lab_corr(x, x, one, N, MS, &o, &r), 0);
	assert_false(r.load_valid);
	assert_all_finite(&r);
	for (int i = 0; i < N; i++)
		one[i] = x[i] > 10;
	o.min_bursts = 0;
	assert_int_equal(lab_corr(one, one, one, N, MS, &o, &r), 0);
	assert_true(r.load_valid);
	assert_near(r.p_partial, 1, 0);
	assert_int_equal(r.verdict, LAB_CORR_LINK_BY_LOAD);
	assert_all_finite(&r);
}

/* Nearly nothing in the series, and all of it at an edge: parts of them are constant. */
static void
test_nearly_constant_series(void **state)
{
	enum { N = 300 };
	static double x[N], y[N], z[N];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result r;

	o.min_bursts = 0;
	for (int at = 0; at < N; at += 13) {
		memset(x, 0, sizeof(x));
		memset(y, 0, sizeof(y));
		memset(z, 0, sizeof(z));
		x[at] = 1e149;
		y[N - 1 - at] = 5e-324;
		z[at / 2] = 1;
		assert_int_equal(lab_corr(x, y, z, N, MS, &o, &r), 0);
		assert_all_finite(&r);
	}
}

static void
test_short_series(void **state)
{
	static double x[200], y[200];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result r;

	o.min_bursts = 0;
	for (size_t i = 0; i < 200; i++) {
		x[i] = i % 7 == 0;
		y[i] = i % 5 == 0;
	}
	for (size_t n = 0; n < 200; n++) {
		assert_int_equal(lab_corr(x, y, x, n, MS, &o, &r), 0);
		assert_all_finite(&r);
		assert_int_equal(r.verdict == LAB_CORR_NO_DATA, n < 88);
	}
	o.lag_min = -20;
	assert_int_equal(lab_corr(x, y, x, 160, MS, &o, &r), 0);
	assert_int_equal(r.verdict, LAB_CORR_NO_DATA);
}

static void
test_bad_input(void **state)
{
	static double x[200], y[200];
	struct lab_corr_opts good = lab_corr_opts_default(), o;
	struct lab_corr_result r;

#define REFUSED(field, value)                                                                      \
	o = good;                                                                                  \
	o.field = value;                                                                           \
	assert_int_equal(lab_corr(x, y, NULL, 200, MS, &o, &r), -EINVAL)
	REFUSED(lag_min, 11);
	REFUSED(lag_max, 64);
	REFUSED(lag_max, INT32_MAX);
	REFUSED(lag_min, INT32_MIN);
	REFUSED(alpha, 0);
	REFUSED(alpha, 0.5);
	REFUSED(alpha, NAN);
	REFUSED(burst_gap, 0);
	REFUSED(shifts, 0);
	REFUSED(strata, 1);
	REFUSED(strata, 9);
	REFUSED(mean_block, -1);
	REFUSED(mean_block, INFINITY);
	REFUSED(active_above, NAN);
	y[7] = NAN;
	assert_int_equal(lab_corr(x, y, NULL, 200, MS, &good, &r), -EINVAL);
	assert_int_equal(lab_corr(y, x, NULL, 200, MS, &good, &r), -EINVAL);
	assert_int_equal(lab_corr(x, x, y, 200, MS, &good, &r), -EINVAL);
	y[7] = INFINITY;
	assert_int_equal(lab_corr(x, y, NULL, 200, MS, &good, &r), -EINVAL);
}

static void
test_same_seed_same_figures(void **state)
{
	enum { N = 15000 }; /* long enough for sampled shifts */
	static double x[N], y[N];
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result a, b, c;

	process_mmpp(x, N, 1);
	process_mmpp(y, N, 2);
	o.shifts = 99;
	o.resamples = 99;
	assert_int_equal(lab_corr(x, y, NULL, N, MS, &o, &a), 0);
	assert_int_equal(lab_corr(x, y, NULL, N, MS, &o, &b), 0);
	assert_false(a.all_shifts);
	assert_int_equal(a.nr_shifts, 99);
	assert_memory_equal(&a, &b, sizeof(a));
	o.seed = 2;
	assert_int_equal(lab_corr(x, y, NULL, N, MS, &o, &c), 0);
	assert_true(a.ci_lo != c.ci_lo);
	assert_near(a.coefficient, c.coefficient, 0);
	assert_near(a.p, c.p, 0.25);
}

static uint64_t
read_u64(void *arg)
{
	return *(uint64_t *)arg;
}

static void
test_from_series(void **state)
{
	enum { N = 2000 };
	static double x[N], y[N];
	uint64_t fail = 0, drop = 0;
	struct lab_series_def df = {"f", "requests", LAB_SERIES_COUNTER, read_u64, &fail};
	struct lab_series_def dd = {"d", "packets", LAB_SERIES_COUNTER, read_u64, &drop};
	struct lab_corr_opts o = lab_corr_opts_default();
	struct lab_corr_result a, b;
	struct lab_series_set *set;

	process_mmpp(x, N, 1);
	process_mmpp(y, N, 2);
	assert_int_equal(lab_series_set_create(&set, 10 * MS, N, 2), 0);
	lab_series_add(set, &df);
	lab_series_add(set, &dd);
	lab_series_start(set, 0);
	for (int i = 0; i < N; i++) {
		fail += (uint64_t)x[i];
		drop += (uint64_t)y[i];
		lab_series_sample(set, (uint64_t)i * 10 * MS);
	}
	assert_int_equal(lab_corr_series(set, "f", "d", NULL, &o, &a), 0);
	assert_int_equal(lab_corr(x, y, NULL, N, 10 * MS, &o, &b), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(lab_corr_series(set, "f", "d", "nobody", &o, &a), -ENOENT);
	assert_int_equal(lab_corr_series(set, "f", "", NULL, &o, &a), -ENOENT);
	lab_series_set_destroy(set);
}

static void
test_names(void **state)
{
	assert_string_equal(lab_corr_verdict_name(LAB_CORR_TOO_FEW_BURSTS), "too_few_bursts");
	assert_string_equal(lab_corr_verdict_name(LAB_CORR_LINK), "link");
	assert_null(lab_corr_verdict_name((enum lab_corr_verdict)99));
	assert_null(lab_corr_verdict_text((enum lab_corr_verdict) - 1));
	for (int v = LAB_CORR_NO_DATA; v <= LAB_CORR_LINK; v++)
		assert_non_null(lab_corr_verdict_text((enum lab_corr_verdict)v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranks_with_ties),
		cmocka_unit_test(test_coefficients_by_hand),
		cmocka_unit_test(test_no_nan_gets_out),
#ifdef HAVE_GSL
		cmocka_unit_test(test_against_gsl),
		cmocka_unit_test(test_curves_against_gsl),
#endif
		cmocka_unit_test(test_shift_p_by_brute_force),
		cmocka_unit_test(test_truncated_p_by_brute_force),
		cmocka_unit_test(test_lag_is_found_in_its_unit),
		cmocka_unit_test(test_events_by_hand),
		cmocka_unit_test(test_bursts_by_hand),
		cmocka_unit_test(test_constant_series),
		cmocka_unit_test(test_nearly_constant_series),
		cmocka_unit_test(test_short_series),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_same_seed_same_figures),
		cmocka_unit_test(test_from_series),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
