/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Ledger, series, correlation, arms and reports. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_report.h>

#include "app.h"
#include "arms.h"
#include "ledger.h"
#include "sampler.h"

static json_t *
show_ledger(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	return ledger_json(app);
}

static int
clear_ledger(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	fwd_park(app);
	ledger_clear(app);
	fwd_unpark(app);
	return 0;
}

static int
offered(struct app *app, const struct cmd_args *a)
{
	unsigned long long n;
	uint16_t id;
	int rc = port_parse(app, cmd_arg(a, "port"), false, &id);

	if (rc == 0)
		rc = cmd_number(app, "offered", cmd_arg(a, "packets"), 0, INT64_MAX, &n);
	if (rc == 0 && app->ports.p[id].wire)
		rc = cmd_fail(
			app, -EINVAL, "port %u is a wire, which counts what it is offered", id);
	if (rc == 0)
		ledger_told(app, id, n);
	return rc;
}

static json_t *
show_sampler(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	return sampler_json(app);
}

static json_t *
show_series(struct app *app, const struct cmd_args *a)
{
	const struct lab_series_set *set = app->sampler.set;
	struct lab_series_window w = lab_series_window_get(set);
	json_t *list = json_array();
	double *v = calloc(w.n + 1, sizeof(*v));

	RTE_SET_USED(a);
	for (unsigned int i = 0; i < lab_series_count(set) && v; i++) {
		double sum = 0, max = 0;

		if (lab_series_read(set, i, w, v))
			continue;
		for (size_t k = 0; k < w.n; k++) {
			sum += v[k];
			max = RTE_MAX(max, v[k]);
		}
		json_array_append_new(
			list, json_pack("{ss ss ss sI sf sf}", "series", lab_series_name(set, i),
				      "unit", lab_series_unit(set, i), "kind",
				      lab_series_kind_of(set, i) == LAB_SERIES_COUNTER ? "counter"
										       : "gauge",
				      "samples", (json_int_t)w.n, "mean", w.n ? sum / w.n : 0.0,
				      "max", max));
	}
	free(v);
	return json_pack("{so}", "series", list);
}

static int
set_interval(struct app *app, const struct cmd_args *a)
{
	unsigned long long ms;
	int rc = cmd_number(app, "interval", cmd_arg(a, "ms"), 1, 60000, &ms);

	return rc ? rc : sampler_set_interval(app, ms * 1000000);
}

static json_t *
show_correlation(struct app *app, const struct cmd_args *a)
{
	const char *failures = cmd_arg(a, "failures"), *drops = cmd_arg(a, "drops");

	return arms_correlation_json(
		app, failures ? failures : SERIES_REFUSALS, drops ? drops : SERIES_DROPS);
}

static int
set_correlation(struct app *app, const struct cmd_args *a)
{
	struct lab_corr_opts *o = &app->arms.corr;
	const char *what = cmd_word(a, 2);
	unsigned long long v;
	int rc = cmd_number(app, what, cmd_arg(a, "bins"), 1, LAB_CORR_MAX_LAGS - 1, &v);

	if (rc)
		return rc;
	if (!strcmp(what, "lags"))
		o->lag_max = v;
	else if (!strcmp(what, "tau"))
		o->tau = v;
	else
		o->burst_gap = v;
	return 0;
}

static int
begin(struct app *app, const struct cmd_args *a)
{
	return arm_begin(app, cmd_arg(a, "name"));
}

static int
end(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	return arm_end(app);
}

static int
compare(struct app *app, const struct cmd_args *a)
{
	return arm_compare(app, cmd_arg(a, "control"), cmd_arg(a, "treated"), cmd_arg(a, "change"));
}

static int
reduction(struct app *app, const struct cmd_args *a)
{
	return arm_reduction(app, cmd_arg(a, "control"), cmd_arg(a, "treated"),
		cmd_arg(a, "percent"), cmd_arg(a, "change"));
}

static json_t *
show_arms(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	return arms_json(app);
}

static int
report(struct app *app, const struct cmd_args *a)
{
	return arms_write(app, !strcmp(cmd_word(a, 1), "html"), cmd_arg(a, "file"));
}

/* Both, where the environment says. */
static int
report_write(struct app *app, const struct cmd_args *a)
{
	const char *dir = getenv("LAB_OUT");
	char path[PATH_MAX];
	int rc;

	RTE_SET_USED(a);
	dir = dir && dir[0] ? dir : "out";
	snprintf(path, sizeof(path), "%s/report.json", dir);
	rc = arms_write(app, false, path);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "%s/report.html", dir);
	return arms_write(app, true, path);
}

static const struct cmd cmds[] = {
	{"show ledger", NULL, show_ledger, ledger_print_json,
		"Where every packet went, and which allocations were refused, since the last "
		"clear."},
	{"clear ledger", clear_ledger, NULL, NULL, "Count anew from here."},
	{"ledger offered <port> <packets>", offered, NULL, NULL,
		"What the sender to a port says that it offered since the clear, sent or not: the "
		"ledger then knows what never got into the ring."},
	{"show series", NULL, show_series, NULL, "The recorded series."},
	{"show sampler", NULL, show_sampler, NULL, "What sampling costs."},
	{"set sample interval <ms>", set_interval, NULL, NULL,
		"Time between samples in milliseconds (10); the series begin anew."},
	{"show correlation [<failures>] [<drops>]", NULL, show_correlation, NULL,
		"Do refusals and drops go together? Series by name; by default refusals and "
		"drops."},
	{"set correlation lags|tau|gap <bins>", set_correlation, NULL, NULL,
		"Longest lag, event window, and silence between bursts, in samples."},
	{"arm begin <name>", begin, NULL, NULL,
		"Begin an arm: tenants leave, wires and their traffic, counters and series begin "
		"anew."},
	{"arm end", end, NULL, NULL, "End the arm; it is kept for the report."},
	{"arm compare <control> <treated> <change...>", compare, NULL, NULL,
		"State what changing one thing did between two arms with the same traffic."},
	{"arm reduction <control> <treated> <percent> <change...>", reduction, NULL, NULL,
		"State by how much the packets lost to memory fell, against a goal, and if it is "
		"missed, why."},
	{"show arms", NULL, show_arms, arms_print, "The arms side by side; as JSON the report."},
	{"report json|html <file>", report, NULL, NULL, "Write the report."},
	{"report write", report_write, NULL, NULL,
		"Write report.json and report.html to the folder LAB_OUT (out)."},
};

CLI_SECTION(report, "Ledger, correlation, arms and reports", cmds);
