/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>
#include <string.h>

/* Multiply-adds that may be spent to try every shift: about 50 ms. */
#define ALL_SHIFTS_WORK (1ULL << 27)

int
stats_shifts_plan(struct stats_shifts *s, size_t n, size_t guard, int lag_min, int lag_max,
	unsigned int most, uint64_t seed)
{
	size_t span = (size_t)(lag_max - lag_min), valid;
	struct lab_rng rng;

	/* Shifts s in (guard, n - guard) are those whose lags all stay clear of the unshifted ones.
	 */
	valid = n > 2 * guard + 1 ? n - 2 * guard - 1 : 0;
	s->guard = guard;
	s->all = valid <= most || (unsigned long long)n * (n + span) <= ALL_SHIFTS_WORK;
	s->nr = s->all ? (unsigned int)valid : most;
	s->by = malloc((s->nr ? s->nr : 1) * sizeof(*s->by));
	if (!s->by)
		return -ENOMEM;
	lab_rng_seed(&rng, seed);
	for (unsigned int i = 0; i < s->nr; i++)
		s->by[i] = guard + 1 + (s->all ? i : (size_t)lab_rng_below(&rng, valid));
	return 0;
}

void
stats_shifts_free(struct stats_shifts *s)
{
	free(s->by);
	s->by = NULL;
}

/* c[j] = sum of a[i] * b[(i + first + j) mod n] for j < count. */
static void
circular(const double *a, const double *b2, size_t n, long first, size_t count, double *c)
{
	long period = (long)n, at = (first % period + period) % period;
	double four[4];

	for (size_t j = 0; j < count; j += 4) {
		size_t some = count - j < 4 ? count - j : 4;

		stats_dot4(a, b2 + at, n, four);
		memcpy(c + j, four, some * sizeof(*c));
		at += 4;
		if (at >= period)
			at %= period;
	}
}

static double
max_of(const double *c, size_t n, size_t *at)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++) {
		if (c[i] > c[best] + STATS_TIE)
			best = i;
	}
	if (at)
		*at = best;
	return c[best];
}

/* The max over the lags for each shift; one_lag[] gets the value at the first of the lags. */
static int
null_values(const double *a, const double *b2, size_t n, int lag_min, size_t lags,
	const struct stats_shifts *s, double *one_lag, double *max)
{
	/* When all shifts are tried, those of neighbours share their values. */
	size_t count = s->all ? s->nr + lags - 1 : lags;
	double *c = malloc(count * sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (s->all)
		circular(a, b2, n, (long)s->by[0] + lag_min, count, c);
	for (unsigned int i = 0; i < s->nr; i++) {
		const double *at = s->all ? c + i : c;

		if (!s->all)
			circular(a, b2, n, (long)s->by[i] + lag_min, lags, c);
		one_lag[i] = at[0];
		max[i] = max_of(at, lags, NULL);
	}
	free(c);
	return 0;
}

static void
test_from_null(
	struct stats_shift_test *out, double alpha, unsigned int nr, double *one_lag, double *max)
{
	unsigned int k = 0;

	for (unsigned int i = 0; i < nr; i++)
		k += max[i] >= out->peak - STATS_TIE;
	out->p = (1.0 + k) / (1.0 + nr);
	stats_sort(one_lag, nr);
	stats_sort(max, nr);
	out->band_lo = stats_quantile(one_lag, nr, alpha / 2);
	out->band_hi = stats_quantile(one_lag, nr, 1 - alpha / 2);
	out->band_max = stats_quantile(max, nr, 1 - alpha);
}

int
stats_shift_test(const double *a, const double *b2, size_t n, int lag_min, int lag_max,
	double alpha, const struct stats_shifts *s, struct stats_shift_test *out)
{
	size_t lags = (size_t)(lag_max - lag_min) + 1, best;
	double here[LAB_CORR_MAX_LAGS] = {0};
	double *null;
	int err;

	circular(a, b2, n, lag_min, lags, here);
	out->peak = max_of(here, lags, &best);
	out->lag = lag_min + (int)best;
	null = malloc((s->nr ? 2 * (size_t)s->nr : 1) * sizeof(*null));
	if (!null)
		return -ENOMEM;
	err = s->nr ? null_values(a, b2, n, lag_min, lags, s, null, null + s->nr) : 0;
	if (!err)
		test_from_null(out, alpha, s->nr, null, null + s->nr);
	free(null);
	return err;
}
