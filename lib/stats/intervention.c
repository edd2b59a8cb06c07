/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "corr.h"

#include <errno.h>
#include <string.h>

/* Bins without a drop that part two stretches of them. */
#define GAP 5

static const char *const verdicts[] = {
	[LAB_EFFECT_NO_DATA] = "no_data",
	[LAB_EFFECT_TOO_FEW] = "too_few",
	[LAB_EFFECT_NONE] = "no_effect",
	[LAB_EFFECT_FEWER] = "fewer_drops",
	[LAB_EFFECT_MORE] = "more_drops",
};

const char *
lab_effect_verdict_name(enum lab_effect_verdict v)
{
	return (unsigned int)v < LAB_ARRAY_SIZE(verdicts) ? verdicts[v] : NULL;
}

struct lab_intervention_opts
lab_intervention_opts_default(void)
{
	return (struct lab_intervention_opts){.seed = 1, .alpha = 0.05, .resamples = 1999};
}

/* Totals of one resample of the pairs. */
static void
resample(struct stats_boot *b, const double *control, const double *treated, double *effect,
	double *relative)
{
	double c = 0, t = 0;

	stats_boot_restart(b);
	for (size_t i = 0; i < b->n; i++) {
		size_t at = stats_boot_next(b);

		c += control[at];
		t += treated[at];
	}
	*effect = t - c;
	/* No drop in the control: nothing to be relative to. */
	*relative = c > 0 ? (t - c) / c : 0;
}

static int
interval(const double *control, const double *treated, const struct lab_intervention_opts *o,
	struct lab_intervention_result *r)
{
	double *effect = malloc(2 * (size_t)o->resamples * sizeof(*effect));
	double *relative;
	struct stats_boot b;

	if (!effect)
		return -ENOMEM;
	relative = effect + o->resamples;
	stats_boot_init(&b, r->n, r->mean_block, o->seed ^ 0x696e7476);
	for (unsigned int i = 0; i < o->resamples; i++)
		resample(&b, control, treated, &effect[i], &relative[i]);
	stats_sort(effect, o->resamples);
	stats_sort(relative, o->resamples);
	r->ci_lo = stats_quantile(effect, o->resamples, o->alpha / 2);
	r->ci_hi = stats_quantile(effect, o->resamples, 1 - o->alpha / 2);
	r->relative_lo = stats_quantile(relative, o->resamples, o->alpha / 2);
	r->relative_hi = stats_quantile(relative, o->resamples, 1 - o->alpha / 2);
	free(effect);
	return 0;
}

/*
 * How many separate stretches of drops speak: a run of bins with a drop in either arm counts once, and a run longer than
 * a block as often as it has blocks.
 */
static int
count_units(const double *control, const double *treated, struct lab_intervention_result *r)
{
	double *both = malloc((r->n ? r->n : 1) * sizeof(*both)), units = 0, burst_len;
	unsigned int bursts;
	size_t from = 0;

	if (!both)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++)
		both[i] = control[i] + treated[i];
	if (r->mean_block == 0) {
		stats_bursts_summary(
			both, r->n, lab_bursts_level(both, r->n), GAP, &bursts, &burst_len);
		r->mean_block = fmin(2 * burst_len, (double)r->n / 4);
	}
	r->mean_block = fmax(r->mean_block, 1);
	while (from < r->n) {
		struct lab_burst b;

		if (!stats_burst_next(both, r->n, 0, GAP, from, &b))
			break;
		units += fmax(1, floor((double)b.len / r->mean_block));
		from = b.start + b.len;
	}
	r->units = (size_t)units;
	free(both);
	return 0;
}

static enum lab_effect_verdict
verdict_of(const struct lab_intervention_result *r)
{
	if (r->n < 2 || (r->control == 0 && r->treated == 0))
		return LAB_EFFECT_NO_DATA;
	if (r->units < LAB_CORR_MIN_BURSTS)
		return LAB_EFFECT_TOO_FEW;
	if (r->ci_hi < 0)
		return LAB_EFFECT_FEWER;
	return r->ci_lo > 0 ? LAB_EFFECT_MORE : LAB_EFFECT_NONE;
}

static bool
nonnegative(const double *x, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!(x[i] >= 0 && x[i] <= STATS_BIG))
			return false;
	}
	return true;
}

int
lab_intervention(const double *control, const double *treated, size_t n,
	const struct lab_intervention_opts *o, struct lab_intervention_result *r)
{
	int err;

	if (!(o->alpha > 0) || !(o->alpha < 0.5) || o->resamples < 99 || !(o->mean_block >= 0) ||
		!isfinite(o->mean_block) || !nonnegative(control, n) || !nonnegative(treated, n))
		return -EINVAL;
	memset(r, 0, sizeof(*r));
	r->n = n;
	r->alpha = o->alpha;
	r->seed = o->seed;
	r->resamples = o->resamples;
	r->mean_block = o->mean_block;
	for (size_t i = 0; i < n; i++) {
		r->control += control[i];
		r->treated += treated[i];
	}
	r->effect = r->treated - r->control;
	r->relative = r->control > 0 ? r->effect / r->control : 0;
	err = count_units(control, treated, r);
	if (!err && n >= 2)
		err = interval(control, treated, o, r);
	r->verdict = verdict_of(r);
	return err;
}
