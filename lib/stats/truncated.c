/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>
#include <string.h>

#define ALL_SHIFTS_WORK (1ULL << 27)

/*
 * Yuan and Shou's truncated time shift: the window [from, from + len) of x stays, y moves by -r..r,
 * and nothing wraps around. For independent series of which one is stationary the 2r + 1 values are
 * a stretch of a stationary sequence, so the unshifted one is among the B largest with a
 * probability of at most B / (r + 1). With the max over lags as the value the argument is the same.
 */
struct window {
	size_t from, len, step;
	long radius; /* in steps */
	int lag_min;
	size_t lags;
};

static bool
window_plan(struct window *w, size_t n, int lag_min, int lag_max, unsigned int most)
{
	size_t reach = n / 4;
	size_t before = lag_min < 0 ? (size_t)-lag_min : 0;
	size_t after = lag_max > 0 ? (size_t)lag_max : 0;

	w->step = 1;
	if ((unsigned long long)n * n / 4 > ALL_SHIFTS_WORK && 2 * reach > most)
		w->step = (2 * reach + most - 1) / most;
	w->radius = (long)(reach / w->step);
	reach = (size_t)w->radius * w->step;
	w->from = reach + before;
	w->lag_min = lag_min;
	w->lags = (size_t)(lag_max - lag_min) + 1;
	if (w->radius < 1 || w->from + reach + after + 8 > n)
		return false;
	w->len = n - w->from - reach - after;
	return true;
}

/* Running sums of y and y^2, so that the spread of any window of it is a subtraction. */
struct sums {
	double *y, *yy;
};

static void
sums_fill(struct sums *s, const double *y, size_t n)
{
	s->y[0] = s->yy[0] = 0;
	for (size_t i = 0; i < n; i++) {
		s->y[i + 1] = s->y[i] + y[i];
		s->yy[i + 1] = s->yy[i] + y[i] * y[i];
	}
}

/* Correlations of x's window (length 1) with y's windows from `at`, `count` of them. */
static void
window_values(const double *xw, const double *y, const struct sums *s, size_t at, size_t len,
	size_t count, double *c)
{
	double four[4];

	for (size_t j = 0; j < count; j++) {
		double mean, spread;

		if (j % 4 == 0)
			stats_dot4(xw, y + at + j, len, four);
		mean = (s->y[at + j + len] - s->y[at + j]) / (double)len;
		spread = s->yy[at + j + len] - s->yy[at + j] - mean * mean * (double)len;
		c[j] = spread > 1e-9 ? four[j % 4] / sqrt(spread) : 0;
	}
}

static double
max_of(const double *c, size_t n)
{
	double max = c[0];

	for (size_t i = 1; i < n; i++)
		max = c[i] > max ? c[i] : max;
	return max;
}

static int
count_at_least(const double *xw, const double *y, const struct sums *s, const struct window *w,
	unsigned int *count)
{
	long first = (long)w->from + w->lag_min - w->radius * (long)w->step;
	size_t shifts = 2 * (size_t)w->radius + 1;
	size_t values = w->step == 1 ? shifts + w->lags - 1 : w->lags;
	double here, here_lags[LAB_CORR_MAX_LAGS] = {0};
	double *c = malloc(values * sizeof(*c));

	if (!c)
		return -ENOMEM;
	window_values(xw, y, s, w->from + (size_t)(long)w->lag_min, w->len, w->lags, here_lags);
	here = max_of(here_lags, w->lags);
	if (w->step == 1)
		window_values(xw, y, s, (size_t)first, w->len, values, c);
	*count = 0;
	for (size_t i = 0; i < shifts; i++) {
		if (w->step != 1)
			window_values(xw, y, s, (size_t)first + i * w->step, w->len, values, c);
		*count += max_of(w->step == 1 ? c + i : c, w->lags) >= here - STATS_TIE;
	}
	free(c);
	return 0;
}

int
stats_truncated_test(const double *rx, const double *ry, size_t n, int lag_min, int lag_max,
	unsigned int most, struct lab_corr_result *out)
{
	struct window w;
	struct sums s;
	double *work, *xw, *y;
	unsigned int count;
	int err = 0;

	out->p_truncated = 1;
	if (!window_plan(&w, n, lag_min, lag_max, most))
		return 0;
	work = malloc((4 * n + 8) * sizeof(*work));
	if (!work)
		return -ENOMEM;
	xw = work;
	y = xw + n;
	s.y = y + n + 4;
	s.yy = s.y + n + 1;
	memcpy(xw, rx + w.from, w.len * sizeof(*xw));
	memcpy(y, ry, n * sizeof(*y));
	memset(y + n, 0, 4 * sizeof(*y)); /* read by the last group of four */
	if (stats_normalise(xw, w.len)) {
		sums_fill(&s, y, n);
		err = count_at_least(xw, y, &s, &w, &count);
		if (!err)
			out->p_truncated = fmin(1, count / ((double)w.radius + 1));
		out->truncated_radius = (unsigned int)w.radius;
		out->truncated_step = (unsigned int)w.step;
	}
	free(work);
	return err;
}
