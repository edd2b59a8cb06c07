/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>
#include <string.h>

/* Delays of the load that are accounted for: each costs memory and freedom. */
#define MAX_DELAYS 15

struct lab_corr_opts
lab_corr_opts_default(void)
{
	return (struct lab_corr_opts){
		.seed = 1,
		.lag_min = 0,
		.lag_max = 10,
		.alpha = 0.05,
		.tau = 10,
		.burst_gap = 5,
		.active_above = -1,
		.shifts = 999,
		.resamples = 999,
		.strata = 4,
		.min_bursts = LAB_CORR_MIN_BURSTS,
	};
}

static const struct {
	const char *name, *text;
} verdicts[] = {
	[LAB_CORR_NO_DATA] = {"no_data", "There are too few samples to say anything."},
	[LAB_CORR_NO_FAILURES] = {"no_failures",
		"The number of failures never changed, so there is nothing to relate drops to."},
	[LAB_CORR_NO_DROPS] = {"no_drops",
		"The number of drops never changed, so there is nothing to relate failures to."},
	[LAB_CORR_TOO_FEW_BURSTS] = {"too_few_bursts",
		"There are too few separate bursts for a verdict; the figures are given but show "
		"little."},
	[LAB_CORR_NO_LINK] = {"no_link",
		"Failures and drops go together no more than shifted copies of them do; "
		"this does not prove that they are independent."},
	[LAB_CORR_LINK_BY_LOAD] = {"link_by_load",
		"Failures and drops go together, but the offered load explains it: "
		"only an intervention can tell them apart."},
	[LAB_CORR_LINK] = {"link",
		"Failures and drops go together more than shifted copies of them do."},
};

const char *
lab_corr_verdict_name(enum lab_corr_verdict v)
{
	return (unsigned int)v < LAB_ARRAY_SIZE(verdicts) ? verdicts[v].name : NULL;
}

const char *
lab_corr_verdict_text(enum lab_corr_verdict v)
{
	return (unsigned int)v < LAB_ARRAY_SIZE(verdicts) ? verdicts[v].text : NULL;
}

static int
opts_check(const struct lab_corr_opts *o)
{
	long lags = (long)o->lag_max - o->lag_min + 1;

	if (lags < 1 || lags > LAB_CORR_MAX_LAGS || labs(o->lag_min) > 100000)
		return -EINVAL;
	if (!(o->alpha > 0) || !(o->alpha < 0.5) || o->burst_gap == 0 || !isfinite(o->active_above))
		return -EINVAL;
	if (o->shifts == 0 || o->strata == 1 || o->strata > LAB_CORR_MAX_STRATA)
		return -EINVAL;
	if (!(o->mean_block >= 0) || !isfinite(o->mean_block))
		return -EINVAL;
	return 0;
}

/* What the tests share. The series are ranked (r*) or scaled (s*), mean 0 and length 1. */
struct work {
	const double *x, *y, *z;
	size_t n;
	struct stats_classes cx, cy;
	double *rx, *ry, *rz; /* rz: mid-ranks as they are */
	double *circle;       /* 2n + 4 */
	double *spare;        /* n */
	struct stats_shifts shifts;
	const struct lab_corr_opts *o;
	struct lab_corr_result *out;
};

static void
work_free(struct work *w)
{
	stats_classes_free(&w->cx);
	stats_classes_free(&w->cy);
	stats_shifts_free(&w->shifts);
	free(w->rx);
}

static int
work_alloc(struct work *w)
{
	size_t n = w->n;

	w->rx = malloc((6 * n + 4) * sizeof(double));
	if (!w->rx)
		return -ENOMEM;
	w->ry = w->rx + n;
	w->rz = w->ry + n;
	w->spare = w->rz + n;
	w->circle = w->spare + n;
	return 0;
}

/* Ranks of one series, from its classes, scaled. */
static int
work_ranks(const double *x, size_t n, struct stats_classes *c, double *rank)
{
	int err = stats_classes_make(x, n, c);

	if (!err)
		err = lab_ranks(x, n, rank);
	if (!err)
		stats_normalise(rank, n);
	return err;
}

static void
to_circle(double *circle, const double *x, size_t n)
{
	for (size_t i = 0; i < 2 * n + 4; i++)
		circle[i] = x[i % n];
}

static void
count_bursts(struct work *w)
{
	struct lab_corr_result *r = w->out;
	double above = w->o->active_above;

	r->burst_gap = w->o->burst_gap;
	r->active_above_failures = above < 0 ? lab_bursts_level(w->x, w->n) : above;
	r->active_above_drops = above < 0 ? lab_bursts_level(w->y, w->n) : above;
	stats_bursts_summary(w->x, w->n, r->active_above_failures, r->burst_gap,
		&r->bursts_failures, &r->burst_len_failures);
	stats_bursts_summary(w->y, w->n, r->active_above_drops, r->burst_gap, &r->bursts_drops,
		&r->burst_len_drops);
	r->bursts = r->bursts_failures < r->bursts_drops ? r->bursts_failures : r->bursts_drops;
}

static int
plan_shifts(struct work *w)
{
	struct lab_corr_result *r = w->out;
	double burst = fmax(r->burst_len_failures, r->burst_len_drops);
	size_t guard = (size_t)(w->o->lag_max - w->o->lag_min) + (size_t)ceil(burst);
	int err;

	/* A series that is one long burst would leave no shift; its verdict is "too few" anyway. */
	if (guard > w->n / 4)
		guard = w->n / 4;
	err = stats_shifts_plan(&w->shifts, w->n, guard, w->o->lag_min, w->o->lag_max, w->o->shifts,
		w->o->seed ^ 0x7368696674);
	r->shift_guard = guard;
	r->nr_shifts = w->shifts.nr;
	r->all_shifts = w->shifts.all;
	return err;
}

/* Item 1: at each lag over the pairs that there are, ranked among themselves. */
static int
lag_curve(struct work *w)
{
	struct stats_rank_scratch s;
	struct lab_corr_result *r = w->out;
	int err = 0;

	s.x = malloc(((size_t)w->cx.nr + w->cy.nr) * sizeof(double));
	if (!s.x)
		return -ENOMEM;
	s.y = s.x + w->cx.nr;
	for (unsigned int i = 0; i < r->nr_lags; i++) {
		int lag = r->lag_min + (int)i;
		size_t ax = lag < 0 ? (size_t)-lag : 0, ay = lag > 0 ? (size_t)lag : 0;
		size_t pairs = w->n - ax - ay;

		stats_class_spearman(w->cx.id + ax, w->cx.nr, w->cy.id + ay, w->cy.nr, pairs, &s,
			&r->spearman[i]);
		err = lab_pearson(w->x + ax, w->y + ay, pairs, &r->pearson[i]);
		if (err == -EINVAL)
			break;
		err = 0; /* constant at this lag: 0 stands */
	}
	free(s.x);
	return err;
}

static int
shift_test(struct work *w, const double *a, const double *b, struct stats_shift_test *t)
{
	to_circle(w->circle, b, w->n);
	return stats_shift_test(
		a, w->circle, w->n, w->o->lag_min, w->o->lag_max, w->o->alpha, &w->shifts, t);
}

/* Item 2. */
static int
rank_tests(struct work *w)
{
	struct lab_corr_result *r = w->out;
	struct stats_shift_test t;
	int err = shift_test(w, w->rx, w->ry, &t);

	if (err)
		return err;
	r->p = t.p;
	r->lag = t.lag;
	r->lag_ms = t.lag * r->interval_ms;
	r->coefficient = r->spearman[t.lag - r->lag_min];
	r->coefficient_pearson = r->pearson[t.lag - r->lag_min];
	r->band_lo = t.band_lo;
	r->band_hi = t.band_hi;
	r->band_max = t.band_max;
	return stats_truncated_test(
		w->rx, w->ry, w->n, w->o->lag_min, w->o->lag_max, w->o->shifts, r);
}

static int
pearson_test(struct work *w)
{
	struct stats_shift_test t;
	double *a = w->spare, *b = malloc(w->n * sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	memcpy(a, w->x, w->n * sizeof(*a));
	memcpy(b, w->y, w->n * sizeof(*b));
	stats_normalise(a, w->n);
	stats_normalise(b, w->n);
	err = shift_test(w, a, b, &t);
	if (!err)
		w->out->p_pearson = t.p;
	free(b);
	return err;
}

/* Item 6. Changes rx and ry: the last to use them. */
static int
load_tests(struct work *w)
{
	struct lab_corr_result *r = w->out;
	unsigned int longest = w->o->lag_max > 0 ? (unsigned int)w->o->lag_max : 0;
	unsigned int delays = longest < MAX_DELAYS ? longest : MAX_DELAYS;
	struct stats_shift_test t;
	int err;

	r->p_partial = 1;
	if (!w->z || stats_constant(w->z, w->n))
		return 0;
	r->load_valid = true;
	err = lab_ranks(w->z, w->n, w->rz);
	if (!err && w->o->strata)
		err = stats_corr_strata(w->x, w->y, w->z, w->rz, w->n, w->o->strata, r);
	if (err)
		return err;
	err = stats_partial(w->rx, w->ry, w->z, w->n, delays);
	if (err || !stats_normalise(w->rx, w->n) || !stats_normalise(w->ry, w->n))
		return err;
	err = shift_test(w, w->rx, w->ry, &t);
	if (!err) {
		r->partial = fmax(-1, fmin(1, t.peak));
		r->partial_lag = t.lag;
		r->p_partial = t.p;
	}
	return err;
}

static enum lab_corr_verdict
verdict_of(const struct lab_corr_result *r, unsigned int min_bursts)
{
	if (r->bursts < min_bursts)
		return LAB_CORR_TOO_FEW_BURSTS;
	if (r->p > r->alpha)
		return LAB_CORR_NO_LINK;
	if (r->load_valid && r->p_partial > r->alpha)
		return LAB_CORR_LINK_BY_LOAD;
	return LAB_CORR_LINK;
}

static int
corr_run(struct work *w)
{
	int err = work_alloc(w);

	if (!err)
		err = work_ranks(w->x, w->n, &w->cx, w->rx);
	if (!err)
		err = work_ranks(w->y, w->n, &w->cy, w->ry);
	if (!err)
		err = plan_shifts(w);
	if (!err)
		err = lag_curve(w);
	if (!err)
		err = rank_tests(w);
	if (!err)
		err = pearson_test(w);
	if (!err)
		err = stats_corr_interval(&w->cx, &w->cy, w->n, w->o, w->out);
	if (!err)
		err = stats_corr_events(w->x, w->y, w->n, &w->shifts, w->out);
	return err ? err : load_tests(w);
}

/* Enough samples for the lags, and for p to be able to fall well below alpha. */
static bool
enough(size_t n, const struct lab_corr_opts *o)
{
	size_t reach =
		(size_t)(abs(o->lag_min) > abs(o->lag_max) ? abs(o->lag_min) : abs(o->lag_max));

	return n >= 8 * (reach + 1) && (double)n / 2 >= 2 / o->alpha && n < UINT32_MAX / 2;
}

static void
result_init(
	struct lab_corr_result *r, size_t n, uint64_t interval_ns, const struct lab_corr_opts *o)
{
	memset(r, 0, sizeof(*r));
	r->seed = o->seed;
	r->n = n;
	r->interval_ms = (double)interval_ns / 1e6;
	r->alpha = o->alpha;
	r->nr_lags = (unsigned int)(o->lag_max - o->lag_min + 1);
	r->lag_min = o->lag_min;
	r->lag = o->lag_min;
	r->lag_ms = r->lag * r->interval_ms;
	r->tau = o->tau;
	r->tau_ms = (double)o->tau * r->interval_ms;
	r->burst_gap = o->burst_gap;
	r->p = r->p_pearson = r->p_truncated = r->p_partial = 1;
	r->drop_after_failure.p = r->drops_preceded.p = 1;
}

int
lab_corr(const double *x, const double *y, const double *z, size_t n, uint64_t interval_ns,
	const struct lab_corr_opts *opts, struct lab_corr_result *out)
{
	struct work w = {.x = x, .y = y, .z = z, .n = n, .o = opts, .out = out};
	int err = opts_check(opts);

	if (err)
		return err;
	result_init(out, n, interval_ns, opts);
	if (!stats_finite(x, n) || !stats_finite(y, n) || (z && !stats_finite(z, n)))
		return -EINVAL;
	out->verdict = LAB_CORR_NO_DATA;
	if (!enough(n, opts))
		return 0;
	count_bursts(&w);
	out->verdict = stats_constant(x, n) ? LAB_CORR_NO_FAILURES : LAB_CORR_NO_DROPS;
	if (stats_constant(x, n) || stats_constant(y, n))
		return 0;
	err = corr_run(&w);
	work_free(&w);
	if (!err)
		out->verdict = verdict_of(out, opts->min_bursts);
	return err;
}

static int
read_named(
	const struct lab_series_set *set, const char *name, struct lab_series_window w, double *out)
{
	int i = lab_series_find(set, name);

	return i < 0 ? i : lab_series_read(set, (unsigned int)i, w, out);
}

int
lab_corr_series(const struct lab_series_set *set, const char *failures, const char *drops,
	const char *load, const struct lab_corr_opts *opts, struct lab_corr_result *out)
{
	struct lab_series_window w;
	double *x;
	int err;

	do {
		w = lab_series_window_get(set);
		x = malloc((w.n ? 3 * w.n : 1) * sizeof(*x));
		if (!x)
			return -ENOMEM;
		err = read_named(set, failures, w, x);
		if (!err)
			err = read_named(set, drops, w, x + w.n);
		if (!err && load)
			err = read_named(set, load, w, x + 2 * w.n);
		if (!err)
			err = lab_corr(x, x + w.n, load ? x + 2 * w.n : NULL, w.n,
				lab_series_interval(set), opts, out);
		free(x);
	} while (err == -ERANGE); /* the sampler lapped the copy: take the newer window */
	return err;
}
