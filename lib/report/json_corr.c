/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "report.h"

#include <stdlib.h>

/* Does the verdict leave any figure that exists? */
static bool
has_figures(const struct lab_corr_result *r)
{
	return r->verdict != LAB_CORR_NO_DATA && r->verdict != LAB_CORR_NO_FAILURES &&
	       r->verdict != LAB_CORR_NO_DROPS;
}

static json_t *
lags_json(const struct lab_corr_result *r)
{
	json_t *list = json_array();
	bool bad = !list;

	for (unsigned int i = 0; has_figures(r) && i < r->nr_lags; i++) {
		int lag = r->lag_min + (int)i;

		bad |= json_array_append_new(
			       list, json_pack("{s:i,s:f,s:f,s:f}", "lag", lag, "lag_ms",
					     lag * r->interval_ms, "spearman", r->spearman[i],
					     "pearson", r->pearson[i])) != 0;
	}
	return report_finish(list, bad);
}

static json_t *
event_json(const struct lab_corr_event *e)
{
	return json_pack("{s:f,s:f,s:f}", "value", e->value, "baseline", e->baseline, "p", e->p);
}

static json_t *
events_json(const struct lab_corr_result *r)
{
	json_t *o = json_object();
	bool bad = !o;

	SET(o, "tau_ms", json_real(r->tau_ms));
	SET(o, "tau", json_integer((json_int_t)r->tau));
	SET(o, "failure_bins", json_integer((json_int_t)r->failure_bins));
	SET(o, "drop_bins", json_integer((json_int_t)r->drop_bins));
	SET(o, "drop_after_failure", event_json(&r->drop_after_failure));
	SET(o, "drops_preceded", event_json(&r->drops_preceded));
	return report_finish(o, bad);
}

static json_t *
strata_json(const struct lab_corr_result *r)
{
	json_t *list = json_array();
	bool bad = !list;

	for (unsigned int i = 0; i < r->nr_strata; i++) {
		const struct lab_corr_stratum *s = &r->stratum[i];
		json_t *o = json_object();

		SET(o, "lo", json_real(s->lo));
		SET(o, "hi", json_real(s->hi));
		SET(o, "n", json_integer((json_int_t)s->n));
		SET(o, "spearman", s->valid ? json_real(s->spearman) : json_null());
		bad |= json_array_append_new(list, o) != 0;
	}
	return report_finish(list, bad);
}

static json_t *
load_json(const struct lab_corr_result *r)
{
	json_t *o;
	bool bad;

	if (!r->load_valid)
		return json_null();
	o = json_object();
	bad = !o;
	SET(o, "partial", json_real(r->partial));
	SET(o, "partial_lag", json_integer(r->partial_lag));
	SET(o, "p_partial", json_real(r->p_partial));
	SET(o, "stratified", r->stratified_valid ? json_real(r->stratified) : json_null());
	SET(o, "strata", strata_json(r));
	return report_finish(o, bad);
}

static json_t *
bursts_json(const struct lab_corr_result *r)
{
	json_t *o = json_object();
	bool bad = !o;

	SET(o, "failures", json_integer(r->bursts_failures));
	SET(o, "drops", json_integer(r->bursts_drops));
	SET(o, "mean_length_failures", json_real(r->burst_len_failures));
	SET(o, "mean_length_drops", json_real(r->burst_len_drops));
	SET(o, "gap", json_integer((json_int_t)r->burst_gap));
	SET(o, "active_above_failures", json_real(r->active_above_failures));
	SET(o, "active_above_drops", json_real(r->active_above_drops));
	return report_finish(o, bad);
}

static json_t *
tests_json(const struct lab_corr_result *r)
{
	json_t *o = json_object();
	bool bad = !o;

	SET(o, "p_circular", json_real(r->p));
	SET(o, "p_truncated", json_real(r->p_truncated));
	SET(o, "p_circular_pearson", json_real(r->p_pearson));
	SET(o, "shifts", json_integer(r->nr_shifts));
	SET(o, "all_shifts", json_boolean(r->all_shifts));
	SET(o, "shift_guard", json_integer((json_int_t)r->shift_guard));
	SET(o, "truncated_radius", json_integer(r->truncated_radius));
	SET(o, "truncated_step", json_integer(r->truncated_step));
	SET(o, "band_lo", json_real(r->band_lo));
	SET(o, "band_hi", json_real(r->band_hi));
	SET(o, "band_max", json_real(r->band_max));
	SET(o, "ci_mean_block", json_real(r->mean_block));
	SET(o, "ci_resamples", json_integer(r->resamples));
	return report_finish(o, bad);
}

/* The short answer comes first in the object. */
static bool
answer_set(json_t *o, const struct lab_corr_result *r)
{
	bool there = has_figures(r), bad = false;

	SET(o, "verdict", json_string(lab_corr_verdict_name(r->verdict)));
	SET(o, "text", json_string(lab_corr_verdict_text(r->verdict)));
	SET(o, "method", json_string("spearman"));
	SET(o, "coefficient", there ? json_real(r->coefficient) : json_null());
	SET(o, "coefficient_pearson", there ? json_real(r->coefficient_pearson) : json_null());
	SET(o, "lag_ms", there ? json_real(r->lag_ms) : json_null());
	SET(o, "p_value", there ? json_real(r->p) : json_null());
	SET(o, "ci", there && r->ci_valid ? json_pack("[f,f]", r->ci_lo, r->ci_hi) : json_null());
	SET(o, "ci_level", json_real(1 - r->alpha));
	SET(o, "bursts", json_integer(r->bursts));
	return bad;
}

json_t *
lab_json_correlation(const struct lab_corr_result *r)
{
	json_t *o = json_object();
	bool there = has_figures(r), bad = !o;

	bad |= answer_set(o, r);
	SET(o, "samples", json_integer((json_int_t)r->n));
	SET(o, "interval_ms", json_real(r->interval_ms));
	SET(o, "alpha", json_real(r->alpha));
	SET(o, "seed", lab_json_u64(r->seed));
	SET(o, "burst_detail", bursts_json(r));
	SET(o, "tests", there ? tests_json(r) : json_null());
	SET(o, "events", there ? events_json(r) : json_null());
	SET(o, "load", there ? load_json(r) : json_null());
	SET(o, "lags", lags_json(r));
	return report_finish(o, bad);
}
