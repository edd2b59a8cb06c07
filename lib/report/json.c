/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

json_t *
lab_json_u64(uint64_t v)
{
	char hex[24];

	if (v <= INT64_MAX)
		return json_integer((json_int_t)v);
	snprintf(hex, sizeof(hex), "0x%016llx", (unsigned long long)v);
	return json_string(hex);
}

/* Packet counts never come near the end of the range; a broken one must not become negative. */
static json_t *
count(uint64_t v)
{
	return json_integer(v <= INT64_MAX ? (json_int_t)v : INT64_MAX);
}

json_t *
lab_json_counts(const struct lab_report_count *counts, size_t n)
{
	json_t *o = json_object();
	bool bad = !o;

	for (size_t i = 0; i < n; i++) {
		const json_t *had = json_object_get(o, counts[i].name);
		uint64_t sum = had ? (uint64_t)json_integer_value(had) : 0;

		if (__builtin_add_overflow(sum, counts[i].n, &sum))
			sum = UINT64_MAX;
		SET(o, counts[i].name, count(sum));
	}
	return report_finish(o, bad);
}

static json_t *
drops_json(const struct lab_ledger_port *p)
{
	json_t *o = json_object();
	bool bad = !o;

	for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++) {
		const char *name = lab_drop_cause_name(c);
		char unnamed[24];

		if (p->drops[c] == 0)
			continue;
		snprintf(unnamed, sizeof(unnamed), "cause_%u", c);
		SET(o, name ? name : unnamed, count(p->drops[c]));
	}
	return report_finish(o, bad);
}

json_t *
lab_json_ledger_port(const struct lab_ledger_port *p)
{
	json_t *o = json_object();
	bool bad = !o;

	SET(o, "offered", count(p->offered));
	SET(o, "delivered", count(p->delivered));
	SET(o, "in_flight", count(p->in_flight));
	SET(o, "dropped", count(lab_ledger_drops(p)));
	SET(o, "unexplained", json_integer(lab_ledger_unexplained(p)));
	SET(o, "drops", drops_json(p));
	return report_finish(o, bad);
}

json_t *
lab_json_ledger(const struct lab_ledger *ledger)
{
	struct lab_ledger_port total;
	json_t *o, *ports = json_object();
	bool bad = !ports;

	if (lab_ledger_total(ledger, &total)) {
		json_decref(ports);
		return NULL;
	}
	o = lab_json_ledger_port(&total);
	bad |= !o;
	SET(o, "closes", json_boolean(lab_ledger_check(ledger, NULL, 0) == 0));
	for (unsigned int i = 0; i < ledger->nr_ports; i++)
		SET(ports, ledger->port[i].name, lab_json_ledger_port(&ledger->port[i]));
	SET(o, "ports", ports);
	return report_finish(o, bad);
}

json_t *
lab_json_hist(const struct lab_hist *h)
{
	json_t *o = json_object();
	bool bad = !o;

	SET(o, "count", count(h->count));
	SET(o, "min", count(lab_hist_min(h)));
	SET(o, "mean", json_real(lab_hist_mean(h)));
	SET(o, "p50", count(lab_hist_percentile(h, 50)));
	SET(o, "p90", count(lab_hist_percentile(h, 90)));
	SET(o, "p99", count(lab_hist_percentile(h, 99)));
	SET(o, "p999", count(lab_hist_percentile(h, 99.9)));
	SET(o, "max", count(h->max));
	return report_finish(o, bad);
}

json_t *
lab_json_frag(const struct lab_report_frag *rows, size_t n)
{
	json_t *list = json_array();
	bool bad = !list;

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		SET(o, "order", json_integer(rows[i].order));
		SET(o, "free_blocks", count(rows[i].free_blocks));
		SET(o, "unusable", json_real(rows[i].unusable / 1000.0));
		SET(o, "extfrag", json_real(rows[i].extfrag / 1000.0));
		bad |= json_array_append_new(list, o) != 0;
	}
	return report_finish(list, bad);
}

json_t *
lab_json_intervention(const struct lab_intervention_result *r)
{
	json_t *o = json_object();
	bool bad = !o;

	SET(o, "verdict", json_string(lab_effect_verdict_name(r->verdict)));
	SET(o, "pairs", count(r->n));
	SET(o, "units", count(r->units));
	SET(o, "control_drops", json_real(r->control));
	SET(o, "treated_drops", json_real(r->treated));
	SET(o, "effect", json_real(r->effect));
	SET(o, "ci", json_pack("[f,f]", r->ci_lo, r->ci_hi));
	SET(o, "relative", json_real(r->relative));
	SET(o, "relative_ci", json_pack("[f,f]", r->relative_lo, r->relative_hi));
	SET(o, "ci_level", json_real(1 - r->alpha));
	SET(o, "mean_block", json_real(r->mean_block));
	SET(o, "resamples", json_integer(r->resamples));
	SET(o, "seed", lab_json_u64(r->seed));
	return report_finish(o, bad);
}

/* ------------------------------------------------------------------------- series */

/* n values into groups of `by`: a counter's are added, a gauge's averaged. */
static json_t *
values_json(const double *v, size_t n, size_t by, bool add)
{
	json_t *list = json_array();
	bool bad = !list;

	for (size_t i = 0; i < n; i += by) {
		size_t some = n - i < by ? n - i : by;
		double sum = 0;

		for (size_t k = 0; k < some; k++)
			sum += v[i + k];
		if (!add)
			sum /= (double)some;
		/* Whole numbers stay whole, as far as a double and the reader hold them. */
		bad |= json_array_append_new(list, sum == (double)(long long)sum && sum < 0x1p53
							   ? json_integer((json_int_t)sum)
							   : json_real(sum)) != 0;
	}
	return report_finish(list, bad);
}

static json_t *
one_series(const struct lab_series_set *set, unsigned int i, struct lab_series_window w, size_t by,
	double *scratch)
{
	bool counter = lab_series_kind_of(set, i) == LAB_SERIES_COUNTER;
	json_t *o;
	bool bad;

	if (lab_series_read(set, i, w, scratch))
		return NULL;
	o = json_object();
	bad = !o;
	SET(o, "name", json_string(lab_series_name(set, i)));
	SET(o, "unit", json_string(lab_series_unit(set, i)));
	SET(o, "kind", json_string(counter ? "counter" : "gauge"));
	SET(o, "values", values_json(scratch, w.n, by, counter));
	return report_finish(o, bad);
}

json_t *
lab_json_series(const struct lab_series_set *set)
{
	struct lab_series_window w = lab_series_window_get(set);
	size_t by = w.n > LAB_REPORT_MAX_POINTS
			    ? (w.n + LAB_REPORT_MAX_POINTS - 1) / LAB_REPORT_MAX_POINTS
			    : 1;
	double *scratch = malloc((w.n ? w.n : 1) * sizeof(*scratch));
	json_t *o = json_object(), *list = json_array();
	bool bad = !o || !list || !scratch;

	SET(o, "interval_ms", json_real((double)lab_series_interval(set) / 1e6));
	SET(o, "samples", count(w.n));
	SET(o, "lost", count(lab_series_lost(set)));
	SET(o, "points", count((w.n + by - 1) / by));
	SET(o, "bins_per_point", count(by));
	for (unsigned int i = 0; !bad && i < lab_series_count(set); i++)
		bad = json_array_append_new(list, one_series(set, i, w, by, scratch)) != 0;
	SET(o, "list", list);
	free(scratch);
	return report_finish(o, bad);
}
