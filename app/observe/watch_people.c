/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What of it a person wants to see, in the order of the question. Everything is in the JSON. */
#include <stdio.h>
#include <string.h>

#include "watch.h"

#define SHOWN_WHO 32 /* of those refused */

static double
number(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static json_t *
observed(const json_t *run)
{
	return json_sprintf(
		"%.1f s of Linux %s on %d CPUs; %.0f samples, one each %g ms, %.0f us of work each "
		"(%.2g%% of a CPU)",
		number(run, "seconds"), json_string_value(json_object_get(run, "kernel")),
		(int)number(run, "cpus"), number(run, "samples"), number(run, "interval_ms"),
		number(run, "us_a_sample"), number(run, "cost_percent"));
}

/* Columns that are missing, or have missed something. */
static json_t *
not_counted(const json_t *columns)
{
	json_t *list = json_array(), *c;
	size_t i;

	json_array_foreach (columns, i, c) {
		bool on = json_is_true(json_object_get(c, "counted"));
		const char *why = json_string_value(json_object_get(c, "why_not"));

		if (on && number(c, "missed") == 0)
			continue;
		json_array_append_new(
			list, json_pack("{sO ss* sI}", "column", json_object_get(c, "column"),
				      "why", why, "missed", (json_int_t)number(c, "missed")));
	}
	return list;
}

static void
set(json_t *out, const char *heading, json_t *v)
{
	if (json_array_size(v) || json_object_size(v) || json_is_string(v))
		json_object_set(out, heading, v);
}

static void
set_new(json_t *out, const char *heading, json_t *v)
{
	set(out, heading, v);
	json_decref(v);
}

/* Stacks as lines below each other: a list of 20 names on one line is for nobody. */
static void
print_stacks(const json_t *stacks, FILE *out)
{
	json_t *s, *frame;
	size_t i, k;

	json_array_foreach (stacks, i, s) {
		fprintf(out, "\n%.0f times, %s, order %d, %s:\n", number(s, "n"),
			json_string_value(json_object_get(s, "comm")), (int)number(s, "order"),
			json_string_value(json_object_get(s, "gfp")));
		json_array_foreach (json_object_get(s, "stack"), k, frame)
			fprintf(out, "  %s\n", json_string_value(frame));
	}
}

static json_t *
together(const struct lab_corr_result *c)
{
	return json_pack("{ss ss sf sf sf si}", "verdict", lab_corr_verdict_name(c->verdict),
		"text", lab_corr_verdict_text(c->verdict), "spearman", c->coefficient, "lag_ms",
		c->lag_ms, "p", c->p, "bursts", (int)c->bursts);
}

static json_t *
latency(const json_t *l)
{
	return number(l, "count") > 0 ? json_incref((json_t *)l) : json_null();
}

/* A report has more rows than anyone reads, the most frequent first. */
static json_t *
first(const json_t *list, size_t n)
{
	json_t *out = json_copy((json_t *)list);

	while (json_array_size(out) > n)
		json_array_remove(out, json_array_size(out) - 1);
	return out;
}

int
watch_print(const json_t *live, const struct lab_ledger *ledger, const struct lab_corr_result *corr,
	FILE *out)
{
	json_t *p = json_object(), *all = lab_json_ledger(ledger);
	int err = p && all ? 0 : -1;

	set_new(p, "observed", observed(json_object_get(live, "run")));
	set_new(p, "not counted", not_counted(json_object_get(live, "columns")));
	set(p, "atomic page allocations", json_object_get(live, "atomic"));
	set(p, "those that may not use the reserve", json_object_get(live, "nowait"));
	set(p, "those that may sleep", json_object_get(live, "may_sleep"));
	set_new(p, "who was refused", first(json_object_get(live, "failed"), SHOWN_WHO));
	set_new(p, "time of atomic allocations, ns", latency(json_object_get(live, "latency_ns")));
	set(p, "events", json_object_get(live, "events"));
	set(p, "free memory, pages", json_object_get(live, "zones"));
	set(p, "network devices", json_object_get(live, "nics"));
	set(p, "dropped packets by the kernel's reason", json_object_get(live, "drops"));
	set(p, "where packets went", json_object_get(all, "ports"));
	set(p, "refusals and each sort of drop", json_object_get(live, "sorts_of_drop"));
	set_new(p, "refusals and all drops", together(corr));
	set(p, "not told", json_object_get(live, "not_told"));
	if (!err)
		err = lab_display(p, LAB_FORMAT_TABLE, out);
	print_stacks(json_object_get(live, "stacks"), out);
	fprintf(out, "\n%s\n",
		json_string_value(json_object_get(json_object_get(live, "memory"), "text")));
	json_decref(p);
	json_decref(all);
	return err;
}
