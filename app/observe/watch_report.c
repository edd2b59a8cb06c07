/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What was observed, as JSON: the table for people and the report are made of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <lab_base.h>
#include <lab_page.h>

#include "watch.h"

#define MAX_WHO 128

static json_t *
n(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
run_json(const struct watch *w)
{
	double seconds = (double)(w->end_ns - w->begin_ns) / 1e9;
	struct utsname u;

	if (uname(&u))
		memset(&u, 0, sizeof(u));
	return json_pack("{ss si sf sf sI sI sf sf}", "kernel", u.release, "cpus",
		(int)sysconf(_SC_NPROCESSORS_ONLN), "seconds", seconds, "interval_ms",
		(double)w->opt.interval_ns / 1e6, "samples", (json_int_t)w->samples, "late",
		(json_int_t)w->late, "us_a_sample",
		w->samples ? (double)w->spent_ns / 1e3 / (double)w->samples : 0.0, "cost_percent",
		seconds > 0 ? (double)w->spent_ns / 1e7 / seconds : 0.0);
}

static json_t *
columns_json(const struct watch *w)
{
	unsigned int nr;
	const struct lab_kmon_column *c = lab_kmon_columns(w->kmon, &nr);
	json_t *list = json_array();

	for (unsigned int i = 0; i < nr; i++)
		json_array_append_new(list,
			json_pack("{ss ss* sb sI ss*}", "column", c[i].name, "from", c[i].source,
				"counted", c[i].on, "missed", (json_int_t)c[i].missed, "why_not",
				c[i].why[0] ? c[i].why : NULL));
	return list;
}

static uint64_t
by_order(const struct watch *w, enum lab_kmon_class c, unsigned int order)
{
	uint64_t sum = 0;

	for (unsigned int t = 0; t < LAB_KMON_TYPES; t++)
		sum += w->totals.requests[c][order][t];
	return sum;
}

/* A row an order that anything happened at. */
static json_t *
orders_json(const struct watch *w, enum lab_kmon_class c)
{
	json_t *list = json_array();

	for (unsigned int o = 0; o < LAB_KMON_ORDERS; o++) {
		uint64_t requests = by_order(w, c, o);
		json_t *row;

		if (requests == 0)
			continue;
		row = json_pack("{si so}", "order", (int)o, "requests", n(requests));
		for (unsigned int k = 0; k < LAB_KMON_NR_KINDS; k++)
			json_object_set_new(
				row, lab_kmon_kind_name(k), n(w->totals.failed[c][k][o]));
		json_array_append_new(list, row);
	}
	return list;
}

static json_t *
types_json(const struct watch *w)
{
	json_t *out = json_object();

	for (unsigned int t = 0; t < LAB_KMON_TYPES; t++) {
		uint64_t sum = 0;

		for (unsigned int o = 0; o < LAB_KMON_ORDERS; o++)
			sum += w->totals.requests[LAB_KMON_ATOMIC][o][t];
		if (sum)
			json_object_set_new(out, lab_kmon_type_name(w->kmon, t), n(sum));
	}
	return out;
}

static const char *
gfp_text(uint32_t gfp, char *buf, size_t len)
{
	if (lab_gfp_format(gfp, buf, len) < 0)
		snprintf(buf, len, "0x%x", gfp);
	return buf;
}

static json_t *
who_json(const struct watch *w)
{
	struct lab_kmon_who who[MAX_WHO];
	int nr = lab_kmon_failures(w->kmon, who, MAX_WHO);
	json_t *list = json_array();
	char gfp[256], mode[16];

	for (int i = 0; i < nr; i++) {
		snprintf(mode, sizeof(mode), "0x%x", who[i].gfp);
		json_array_append_new(
			list, json_pack("{ss sI ss si ss ss ss}", "came_to",
				      lab_kmon_kind_name(who[i].kind), "n", (json_int_t)who[i].n,
				      "comm", who[i].comm, "order", (int)who[i].order, "type",
				      lab_kmon_type_name(w->kmon, who[i].type), "mode", mode, "gfp",
				      gfp_text(who[i].gfp, gfp, sizeof(gfp))));
	}
	return list;
}

static int
by_n(const void *a, const void *b)
{
	const struct watch_stack *x = a, *y = b;

	return x->n < y->n ? 1 : x->n > y->n ? -1 : 0;
}

/* The innermost frames are those of the program that took the stack, where they have names. */
static unsigned int
own_frames(const struct watch *w, const struct lab_kmon_failure *f)
{
	unsigned int k = 0;
	char symbol[160];

	while (k < f->frames &&
		strstr(lab_kmon_symbol(w->kmon, f->stack[k], symbol, sizeof(symbol)), "bpf_"))
		k++;
	return k;
}

static json_t *
stacks_json(struct watch *w)
{
	json_t *list = json_array();
	char gfp[256], symbol[160];

	qsort(w->stack, w->nr_stacks, sizeof(w->stack[0]), by_n);
	for (unsigned int i = 0; i < w->nr_stacks && i < w->opt.stacks; i++) {
		const struct lab_kmon_failure *f = &w->stack[i].first;
		json_t *frames = json_array();

		for (unsigned int k = own_frames(w, f); k < f->frames; k++)
			json_array_append_new(
				frames, json_string(lab_kmon_symbol(
						w->kmon, f->stack[k], symbol, sizeof(symbol))));
		json_array_append_new(
			list, json_pack("{sI ss si ss so}", "n", (json_int_t)w->stack[i].n, "comm",
				      f->comm, "order", (int)f->order, "gfp",
				      gfp_text(f->gfp, gfp, sizeof(gfp)), "stack", frames));
	}
	return list;
}

static json_t *
reasons_json(const struct watch *w)
{
	struct lab_kmon_reason *r = calloc(2048, sizeof(*r));
	int nr = r ? lab_kmon_reasons(w->kmon, r, 2048) : 0;
	json_t *list = json_array();

	for (int i = 0; i < nr; i++)
		json_array_append_new(
			list, json_pack("{ss si sI sI}", "reason", r[i].name, "number",
				      (int)r[i].reason, "entered", (json_int_t)r[i].entered,
				      "elsewhere", (json_int_t)r[i].elsewhere));
	free(r);
	return list;
}

static json_t *
events_json(const struct watch *w)
{
	const struct lab_kmon_totals *t = &w->totals;

	return json_pack("{sI sI sI sI sI sI sI sI sI}", "received", (json_int_t)t->received,
		"polled", (json_int_t)t->polled, "freed_without_reason", (json_int_t)t->freed,
		"pool_hold", (json_int_t)t->pool_hold, "extfrag", (json_int_t)w->now.extfrag,
		"kswapd_wakeups", (json_int_t)t->kswapd_wakeups, "kswapd_wakes",
		(json_int_t)t->kswapd_wakes, "compaction_begin", (json_int_t)t->compaction_begin,
		"compaction_end", (json_int_t)t->compaction_end);
}

static json_t *
counters_json(const struct lab_nic *nic)
{
	json_t *out = json_object();

	for (unsigned int c = 0; c < nic->nr_counters; c++)
		json_object_set_new(out, nic->counters[c].name, n(nic->counters[c].value));
	return out;
}

static json_t *
nics_json(const struct watch *w)
{
	json_t *list = json_array(), *row;
	const struct lab_nic *c;

	for (unsigned int i = 0; (c = lab_nics_get(w->nics, i)) != NULL; i++) {
		row = json_pack("{ss sI sI sI sI sI sI so}", "device", c->name, "rx_packets",
			(json_int_t)c->rx_packets, "rx_dropped", (json_int_t)c->rx_dropped,
			"rx_missed", (json_int_t)c->rx_missed, "rx_errors",
			(json_int_t)c->rx_errors, "tx_packets", (json_int_t)c->tx_packets,
			"tx_dropped", (json_int_t)c->tx_dropped, "driver", counters_json(c));
		if (c->has_qstats) {
			json_object_set_new(
				row, "qstats_rx_alloc_fail", n(c->qstats_rx_alloc_fail));
			json_object_set_new(row, "qstats_rx_hw_drops", n(c->qstats_rx_hw_drops));
		}
		json_array_append_new(list, row);
	}
	return list;
}

/* A figure of /proc; null where it is not there. */
static json_t *
figure(long v)
{
	return v == LAB_DIAG_UNKNOWN ? json_null() : json_integer(v);
}

static json_t *
zones_json(const struct watch *w)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < w->zones.nr_zones; i++) {
		const struct lab_diag_zone *z = &w->zones.zones[i];
		int unusable, extfrag;

		lab_kzones_indices(z->blocks, 3, &unusable, &extfrag);
		json_array_append_new(
			list, json_pack("{si ss so so so so so so sf sf}", "node", z->node, "zone",
				      lab_diag_zone_name(z->type), "free", figure(z->free), "boost",
				      figure(z->boost), "min", figure(z->min), "low",
				      figure(z->low), "high", figure(z->high), "managed",
				      figure(z->managed), "unusable_order3", unusable / 1000.0,
				      "extfrag_order3", extfrag / 1000.0));
	}
	return list;
}

static json_t *
latency_json(const struct watch *w)
{
	struct lab_hist *h = malloc(sizeof(*h));
	json_t *out = NULL;

	if (h && lab_kmon_latency(w->kmon, h) == 0)
		out = lab_json_hist(h);
	free(h);
	return out;
}

/* Each sort of drop against the failures: which of them go together? */
static json_t *
sorts_json(const struct watch *w)
{
	json_t *list = json_array();
	char name[LAB_SERIES_NAME_LEN];

	for (unsigned int d = 0; d <= LAB_KMON_NR_DROPS; d++) {
		bool nic = d == LAB_KMON_NR_DROPS;
		uint64_t drops = nic ? w->now.drops_nic : w->now.cause[d];
		struct lab_corr_result r;

		snprintf(name, sizeof(name), "drops.%s", nic ? "nic" : lab_kmon_drop_name(d));
		if (drops == 0 || lab_corr_series(w->set, SERIES_FAILURES, name, SERIES_OFFERED,
					  &w->opt.corr, &r))
			continue;
		json_array_append_new(list,
			json_pack("{ss sI sf sf sf si ss}", "sort",
				nic ? "nic" : lab_kmon_drop_name(d), "drops", (json_int_t)drops,
				"spearman", r.coefficient, "lag_ms", r.lag_ms, "p", r.p, "bursts",
				(int)r.bursts, "verdict", lab_corr_verdict_name(r.verdict)));
	}
	return list;
}

static void
set_unless_empty(json_t *out, const char *key, json_t *v)
{
	if (json_array_size(v) || json_object_size(v))
		json_object_set_new(out, key, v);
	else
		json_decref(v);
}

json_t *
watch_json(struct watch *w, const struct lab_ledger *ledger, const struct lab_corr_result *corr)
{
	json_t *out = json_object();

	json_object_set_new(out, "run", run_json(w));
	json_object_set_new(out, "columns", columns_json(w));
	json_object_set_new(out, "atomic", orders_json(w, LAB_KMON_ATOMIC));
	json_object_set_new(out, "nowait", orders_json(w, LAB_KMON_NOWAIT));
	json_object_set_new(out, "may_sleep", orders_json(w, LAB_KMON_MAY_SLEEP));
	json_object_set_new(out, "atomic_by_type", types_json(w));
	set_unless_empty(out, "failed", who_json(w));
	set_unless_empty(out, "stacks", stacks_json(w));
	json_object_set_new(out, "latency_ns", latency_json(w));
	json_object_set_new(out, "events", events_json(w));
	set_unless_empty(out, "drops", reasons_json(w));
	json_object_set_new(out, "nics", nics_json(w));
	json_object_set_new(out, "zones", zones_json(w));
	set_unless_empty(out, "sorts_of_drop", sorts_json(w));
	json_object_set_new(out, "memory", watch_memory_json(w, ledger, corr));
	if (w->totals.details_lost || w->totals.keys_lost || w->stacks_left_out)
		json_object_set_new(out, "not_told",
			json_pack("{sI sI sI}", "stacks", (json_int_t)w->totals.details_lost,
				"callers", (json_int_t)w->totals.keys_lost, "sorts_of_stack",
				(json_int_t)w->stacks_left_out));
	return out;
}

/* --------------------------------------------------------------------- the files */

static void
frag_rows(const struct watch *w, struct lab_report_frag rows[LAB_NR_ORDERS])
{
	unsigned long blocks[LAB_NR_ORDERS];

	lab_kzones_sum(&w->zones, blocks);
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++) {
		rows[o].order = o;
		rows[o].free_blocks = blocks[o];
		lab_kzones_indices(blocks, o, &rows[o].unusable, &rows[o].extfrag);
	}
}

/* Terminal failures of atomic requests, by order. */
static size_t
failure_rows(const struct watch *w, char (*names)[16], struct lab_report_count *rows)
{
	size_t nr = 0;

	for (unsigned int o = 0; o < LAB_KMON_ORDERS; o++) {
		uint64_t failed = w->totals.failed[LAB_KMON_ATOMIC][LAB_KMON_TERMINAL][o];

		if (failed == 0 && o > 0)
			continue;
		snprintf(names[nr], sizeof(names[nr]), "order_%u", o);
		rows[nr] = (struct lab_report_count){names[nr], failed};
		nr++;
	}
	return nr;
}

static int
add_arm(struct watch *w, struct lab_report *report, const struct lab_ledger *ledger,
	const struct lab_corr_result *corr, const json_t *live)
{
	struct lab_report_count failures[LAB_KMON_ORDERS];
	struct lab_report_frag frag[LAB_NR_ORDERS];
	struct lab_hist *latency = calloc(1, sizeof(*latency));
	json_t *extra = json_pack("{sO}", "live", live);
	char names[LAB_KMON_ORDERS][16];
	struct lab_report_arm arm = {
		.name = "live",
		.title = "the running kernel",
		.note = "observed, not emulated: no intervention stands behind these figures",
		.seed = w->opt.corr.seed,
		.ledger = ledger,
		.failures = failures,
		.memory_causes = watch_memory_causes,
		.frag = frag,
		.nr_frag = LAB_NR_ORDERS,
		.correlation = corr,
		.series = w->set,
		.series_load = SERIES_OFFERED,
		.series_failures = SERIES_FAILURES,
		.series_drops = SERIES_DROPS,
		.zone = json_object_get(live, "memory"),
		.extra = extra,
	};
	int err;

	frag_rows(w, frag);
	arm.nr_failures = failure_rows(w, names, failures);
	if (latency && lab_kmon_latency(w->kmon, latency) == 0 && latency->count)
		arm.latency_ns = latency;
	err = extra ? lab_report_add_arm(report, &arm) : -ENOMEM;
	json_decref(extra);
	free(latency);
	return err;
}

static const char *
path_of(const char *file)
{
	return strcmp(file, "-") ? file : "/dev/stdout";
}

int
watch_write(struct watch *w, const struct lab_ledger *ledger, const struct lab_corr_result *corr,
	const json_t *live, const char **which)
{
	struct lab_report_info info = {
		.scenario = "live", .command = w->command, .seed = w->opt.corr.seed};
	struct lab_report *report = NULL;
	int err = lab_report_create(&report, &info);

	*which = "report";
	if (!err)
		err = add_arm(w, report, ledger, corr, live);
	if (!err && w->opt.json) {
		*which = w->opt.json;
		err = lab_report_write_json(report, path_of(w->opt.json));
	}
	if (!err && w->opt.html) {
		*which = w->opt.html;
		err = lab_report_write_html(report, path_of(w->opt.html));
	}
	lab_report_destroy(report);
	return err;
}
