/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lab_report {
	json_t *head;          /* format, version, time, scenario, command, seed */
	json_t *arms;          /* array */
	json_t *interventions; /* array */
	json_t *reductions;    /* array */
};

static json_t *
time_json(time_t t)
{
	struct tm tm;
	char text[40];

	if (t == 0)
		t = time(NULL);
	if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return NULL;
	return json_string(text);
}

/* Names come from command lines: what is no UTF-8 must not make a report impossible. */
static json_t *
text_json(const char *text)
{
	json_t *v = json_string(text);
	char *copy;

	if (v)
		return v;
	copy = strdup(text);
	for (char *c = copy; c && *c; c++)
		*c = (unsigned char)*c < 0x80 ? *c : '?';
	v = copy ? json_string(copy) : NULL;
	free(copy);
	return v;
}

int
lab_report_create(struct lab_report **out, const struct lab_report_info *info)
{
	struct lab_report *r;
	bool bad = false;

	if (!info || !info->command || !*info->command)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->head = json_object();
	r->arms = json_array();
	r->interventions = json_array();
	r->reductions = json_array();
	bad |= !r->arms || !r->interventions || !r->reductions;
	SET(r->head, "format", json_string("labyrinth-report 1"));
	SET(r->head, "version", json_string(LAB_VERSION));
	SET(r->head, "time", time_json(info->time));
	if (info->scenario)
		SET(r->head, "scenario", text_json(info->scenario));
	SET(r->head, "command", text_json(info->command));
	SET(r->head, "seed", lab_json_u64(info->seed));
	if (bad) {
		lab_report_destroy(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void
lab_report_destroy(struct lab_report *r)
{
	if (!r)
		return;
	json_decref(r->head);
	json_decref(r->arms);
	json_decref(r->interventions);
	json_decref(r->reductions);
	free(r);
}

static json_t *
arm_find(const struct lab_report *r, const char *name)
{
	json_t *arm;
	size_t i;

	json_array_foreach (r->arms, i, arm) {
		if (name && !strcmp(json_string_value(json_object_get(arm, "name")), name))
			return arm;
	}
	return NULL;
}

/* Which of the series the time chart shows; a name that is not in the set is left out. */
static json_t *
chart_json(const struct lab_report_arm *a)
{
	const struct {
		const char *role, *name;
	} line[] = {{"load", a->series_load}, {"failures", a->series_failures},
		{"drops", a->series_drops}};
	json_t *o = json_object();
	bool bad = !o;

	for (size_t i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
		if (line[i].name && lab_series_find(a->series, line[i].name) >= 0)
			SET(o, line[i].role, json_string(line[i].name));
	}
	return report_finish(o, bad);
}

static json_t *
arm_json(const struct lab_report_arm *a, const struct lab_ledger_port *total)
{
	json_t *o = json_object();
	bool bad = !o;

	SET(o, "name", text_json(a->name));
	SET(o, "title", text_json(a->title ? a->title : a->name));
	if (a->note)
		SET(o, "note", text_json(a->note));
	SET(o, "seed", lab_json_u64(a->seed));
	SET(o, "ledger", lab_json_ledger(a->ledger));
	SET(o, "lost_to_memory", json_integer((json_int_t)report_lost_to_memory(a, total)));
	SET(o, "failures", lab_json_counts(a->failures, a->nr_failures));
	SET(o, "zone", a->zone ? json_deep_copy(a->zone) : json_object());
	SET(o, "frag", lab_json_frag(a->frag, a->nr_frag));
	SET(o, "correlation", a->correlation ? lab_json_correlation(a->correlation) : json_null());
	if (a->latency_ns)
		SET(o, "latency_ns", lab_json_hist(a->latency_ns));
	if (a->series) {
		SET(o, "series", lab_json_series(a->series));
		SET(o, "chart", chart_json(a));
	}
	return report_finish(o, bad);
}

/* The arm's own keys are not for others to replace. */
static int
extra_add(json_t *o, const json_t *extra)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)extra, key, v) {
		if (json_object_get(o, key))
			return -EINVAL;
		if (report_set(o, key, json_deep_copy(v)))
			return -ENOMEM;
	}
	return 0;
}

static bool
arm_ok(const struct lab_report_arm *a)
{
	if (!a || !a->name || !*a->name || !a->ledger)
		return false;
	for (size_t i = 0; i < a->nr_failures; i++) {
		if (!a->failures || !a->failures[i].name)
			return false;
	}
	if ((a->nr_frag && !a->frag) || (a->zone && !json_is_object(a->zone)) ||
		(a->extra && !json_is_object(a->extra)))
		return false;
	return report_depth_ok(a->zone) && report_depth_ok(a->extra);
}

int
lab_report_add_arm(struct lab_report *r, const struct lab_report_arm *a)
{
	struct lab_ledger_port total;
	json_t *o;
	int err;

	if (!arm_ok(a))
		return -EINVAL;
	if (arm_find(r, a->name))
		return -EEXIST;
	err = lab_ledger_total(a->ledger, &total);
	if (err)
		return err;
	o = arm_json(a, &total);
	if (!o)
		return -ENOMEM;
	err = extra_add(o, a->extra);
	if (err) {
		json_decref(o);
		return err;
	}
	return json_array_append_new(r->arms, o) ? -ENOMEM : 0;
}

/* The arms that a change lies between. */
static int
pair_find(const struct lab_report *r, const char *control, const char *treated, json_t *arm[2])
{
	if (!control || !treated)
		return -EINVAL;
	arm[0] = arm_find(r, control);
	arm[1] = arm_find(r, treated);
	if (!arm[0] || !arm[1])
		return -ENOENT;
	/* Other traffic would make it a comparison, and no intervention. */
	return json_equal(json_object_get(arm[0], "seed"), json_object_get(arm[1], "seed"))
		       ? 0
		       : -EINVAL;
}

int
lab_report_add_intervention(struct lab_report *r, const char *control, const char *treated,
	const char *change, const struct lab_intervention_result *result)
{
	json_t *arm[2], *o;
	bool bad = false;
	int err = change && result ? pair_find(r, control, treated, arm) : -EINVAL;

	if (err)
		return err;
	o = lab_json_intervention(result);
	bad |= !o;
	SET(o, "control", json_string(control));
	SET(o, "treated", json_string(treated));
	SET(o, "change", text_json(change));
	o = report_finish(o, bad);
	return o && json_array_append_new(r->interventions, o) == 0 ? 0 : -ENOMEM;
}

int
lab_report_add_reduction(struct lab_report *r, const char *control, const char *treated,
	const char *change, double goal, const struct lab_intervention_result *result)
{
	json_t *arm[2], *o;
	int err = change && result && goal > 0 && goal <= 1 ? pair_find(r, control, treated, arm)
							    : -EINVAL;

	if (err)
		return err;
	o = report_reduction(arm[0], arm[1], change, goal, result);
	return o && json_array_append_new(r->reductions, o) == 0 ? 0 : -ENOMEM;
}

/* The block of an arm that also stands at the top level. */
static const char *const block[] = {
	"ledger", "lost_to_memory", "failures", "zone", "frag", "correlation"};

json_t *
lab_report_json(const struct lab_report *r)
{
	size_t nr = json_array_size(r->arms);
	json_t *last = nr ? json_array_get(r->arms, nr - 1) : NULL;
	json_t *o = json_copy(r->head);
	char *headline = report_headline(r->arms);
	bool bad = !o || !headline;

	SET(o, "headline", headline ? json_string(headline) : NULL);
	free(headline);
	for (size_t i = 0; last && i < sizeof(block) / sizeof(block[0]); i++)
		SET(o, block[i], json_incref(json_object_get(last, block[i])));
	SET(o, "arms", json_incref(r->arms));
	SET(o, "interventions", json_incref(r->interventions));
	SET(o, "reductions", json_incref(r->reductions));
	return report_finish(o, bad);
}

char *
lab_report_headline(const struct lab_report *r)
{
	return report_headline(r->arms);
}

static int
print_json(FILE *out, void *json)
{
	return lab_display(json, LAB_FORMAT_JSON, out);
}

static int
print_html(FILE *out, void *json)
{
	return lab_report_html(json, out);
}

static int
write_report(const struct lab_report *r, const char *path, int (*print)(FILE *out, void *json))
{
	json_t *json;
	int err;

	if (json_array_size(r->arms) == 0)
		return -EINVAL;
	json = lab_report_json(r);
	if (!json)
		return -ENOMEM;
	err = report_write_file(path, print, json);
	json_decref(json);
	return err;
}

int
lab_report_write_json(const struct lab_report *r, const char *path)
{
	return write_report(r, path, print_json);
}

int
lab_report_write_html(const struct lab_report *r, const char *path)
{
	return write_report(r, path, print_html);
}
