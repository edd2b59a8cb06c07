/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>
#include <string.h>

/* Enough for a baseline and its p; of more shifts, every so many are taken. */
#define MOST_SHIFTS 1000

/*
 * Marks near[i] = 1 where a bin with x > 0 lies at most tau bins after i (back = false) or before
 * it. On a circle for the shifted copies; not for the series as they are, whose end meets no
 * beginning.
 */
static void
mark_near(const double *x, size_t n, size_t tau, bool back, bool circle, double *near)
{
	size_t since = SIZE_MAX, rounds = circle ? 2 * n : n;

	for (size_t k = 0; k < rounds; k++) {
		size_t i = back ? k % n : n - 1 - k % n;

		if (x[i] > 0)
			since = 0;
		else if (since != SIZE_MAX)
			since++;
		near[i] = since != SIZE_MAX && since <= tau;
	}
}

struct event_work {
	double *fail;   /* n: 1 where there is a failure */
	double *before; /* n: 1 within tau after a failure */
	double *after;  /* 2n: 1 within tau before a drop, twice */
	double *drops;  /* 2n: y, twice */
};

static int
work_alloc(struct event_work *w, size_t n)
{
	w->fail = malloc(6 * n * sizeof(double));
	if (!w->fail)
		return -ENOMEM;
	w->before = w->fail + n;
	w->after = w->before + n;
	w->drops = w->after + 2 * n;
	return 0;
}

static void
event_against(struct lab_corr_event *e, unsigned int nr, double sum, unsigned int k)
{
	e->baseline = nr ? sum / nr : 0;
	e->p = (1.0 + k) / (1.0 + nr);
}

static void
shifted_events(const struct event_work *w, size_t n, double failures, double drops,
	const struct stats_shifts *s, struct lab_corr_result *out)
{
	double after_sum = 0, before_sum = 0;
	unsigned int after_k = 0, before_k = 0, nr = 0;
	unsigned int step = 1 + s->nr / MOST_SHIFTS;

	for (unsigned int i = 0; i < s->nr; i += step, nr++) {
		double a = stats_dot(w->fail, w->after + s->by[i], n) / failures;
		double b = stats_dot(w->before, w->drops + s->by[i], n) / drops;

		after_sum += a;
		before_sum += b;
		after_k += a >= out->drop_after_failure.value - STATS_TIE;
		before_k += b >= out->drops_preceded.value - STATS_TIE;
	}
	event_against(&out->drop_after_failure, nr, after_sum, after_k);
	event_against(&out->drops_preceded, nr, before_sum, before_k);
}

int
stats_corr_events(const double *x, const double *y, size_t n, const struct stats_shifts *s,
	struct lab_corr_result *out)
{
	double failures = 0, drops = 0;
	struct event_work w;

	for (size_t i = 0; i < n; i++) {
		failures += x[i] > 0;
		drops += y[i] > 0 ? y[i] : 0;
		out->drop_bins += y[i] > 0;
	}
	out->failure_bins = (uint64_t)failures;
	out->drop_after_failure.p = out->drops_preceded.p = 1;
	if (failures == 0 || drops == 0 || !isfinite(drops))
		return 0;
	if (work_alloc(&w, n))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		w.fail[i] = x[i] > 0;
		w.drops[i] = w.drops[n + i] = y[i] > 0 ? y[i] : 0;
	}
	mark_near(y, n, out->tau, false, false, w.after);
	mark_near(x, n, out->tau, true, false, w.before);
	out->drop_after_failure.value = stats_dot(w.fail, w.after, n) / failures;
	out->drops_preceded.value = fmin(1, stats_dot(w.before, w.drops, n) / drops);
	mark_near(y, n, out->tau, false, true, w.after);
	mark_near(x, n, out->tau, true, true, w.before);
	memcpy(w.after + n, w.after, n * sizeof(double));
	shifted_events(&w, n, failures, drops, s, out);
	free(w.fail);
	return 0;
}
