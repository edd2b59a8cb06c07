/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* By how much the packets lost to memory fell between two arms, whether that is what was aimed at, and if
 * not, why not: from the arms' own figures. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_int_t
integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* ---------------------------------------------------------------- why not */

/* What each cause says, and what would help. */
static void
say_order(FILE *out, const json_t *arm)
{
	const json_t *zone = json_object_get(arm, "zone"), *t = json_object_get(zone, "tenants");
	json_int_t order = integer(zone, "object_order"), free = integer(zone, "free");
	const json_t *row = json_array_get(json_object_get(arm, "frag"), (size_t)order);
	char a[REPORT_NUM_LEN], b[REPORT_NUM_LEN];

	fprintf(out, "for want of a free block of order %lld; ", (long long)order);
	if (row)
		fprintf(out,
			"when the arm ended %s pages were free, %.0f%% of them in smaller blocks, ",
			report_integer(free, a),
			100 * json_number_value(json_object_get(row, "unusable")));
	if (t)
		fprintf(out, "and tenants held %s unmovable and %s other pages; ",
			report_integer(integer(t, "unmovable"), a),
			report_integer(integer(t, "movable") + integer(t, "reclaimable"), b));
	fprintf(out,
		"it takes blocks of that order kept in reserve, or compaction: whole, the free "
		"pages would be %s blocks",
		report_integer(free >> order, a));
}

static void
say_watermark(FILE *out, const json_t *arm)
{
	fprintf(out,
		"below the watermark (min %lld pages); it takes more memory, reclaim that starts "
		"earlier (watermark_scale_factor) or fewer pages kept back (min_free_kbytes)",
		(long long)integer(json_object_get(arm, "zone"), "min"));
}

static void
say_reserve(FILE *out, const json_t *arm)
{
	(void)arm;
	fputs("for pages that are kept from these requests (lowmem_reserve, highatomic)", out);
}

static void
say_exhausted(FILE *out, const json_t *arm)
{
	(void)arm;
	fputs("with no memory left at all, which no allocator can help: it takes more of it", out);
}

static void
say_injected(FILE *out, const json_t *arm)
{
	(void)arm;
	fputs("by injected refusals", out);
}

static const struct {
	const char *cause;
	void (*say)(FILE *out, const json_t *arm);
} causes[] = {{"order", say_order}, {"watermark", say_watermark}, {"reserve", say_reserve},
	{"exhausted", say_exhausted}, {"injected", say_injected}};

/* Packets of the drops that stand for a cause. */
static json_int_t
lost_to(const json_t *drops, const char *cause)
{
	json_int_t sum = 0;
	const char *name;
	json_t *n;

	json_object_foreach ((json_t *)drops, name, n) {
		if (report_is_cause(name, cause))
			sum += json_integer_value(n);
	}
	return sum;
}

/* Allocated text, NULL when memory is short. */
static char *
why_not(const json_t *arm)
{
	const json_t *drops = json_object_get(json_object_get(arm, "ledger"), "drops");
	char *text = NULL, n[REPORT_NUM_LEN];
	size_t len, said = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		json_int_t lost = lost_to(drops, causes[i].cause);

		if (lost == 0)
			continue;
		fprintf(out, "%s%s lost ", said++ ? ". " : "", report_integer(lost, n));
		causes[i].say(out, arm);
	}
	if (said == 0)
		fputs("the causes of the loss are not known", out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* ------------------------------------------------------------- the object */

static json_int_t
managed(const json_t *arm)
{
	return integer(json_object_get(arm, "zone"), "managed");
}

/* One sentence: what fell by how much, against what was aimed at. */
static char *
sentence(const json_t *o, const char *why)
{
	double reduction = json_number_value(json_object_get(o, "reduction"));
	const json_t *ci = json_object_get(o, "reduction_ci");
	double lo = 100 * json_number_value(json_array_get(ci, 0));
	double hi = 100 * json_number_value(json_array_get(ci, 1));
	bool reached = json_is_true(json_object_get(o, "reached"));
	char a[REPORT_NUM_LEN], b[REPORT_NUM_LEN];
	char *head, *all;

	report_integer(integer(o, "control_lost"), a);
	report_integer(integer(o, "treated_lost"), b);
	if (!json_is_number(json_object_get(o, "reduction")))
		return report_text("Nothing was lost to memory in %s, so nothing could fall.",
			json_string_value(json_object_get(o, "control")));
	head = report_text("Packets lost to memory: %s in %s, %s in %s: %.2f%% %s [%.2f, %.2f]; at "
			   "least %.4g%% "
			   "fewer were aimed at: %s.",
		a, json_string_value(json_object_get(o, "control")), b,
		json_string_value(json_object_get(o, "treated")), 100 * fabs(reduction),
		reduction < 0 ? "more" : "fewer", reduction < 0 ? -hi : lo,
		reduction < 0 ? -lo : hi, 100 * json_number_value(json_object_get(o, "goal")),
		reached ? "reached" : "missed");
	if (!head || !why)
		return head;
	all = report_text("%s Why not: %s.", head, why);
	free(head);
	return all;
}

static json_t *
text_and_free(char *text)
{
	json_t *v = text ? json_string(text) : NULL;

	free(text);
	return v;
}

json_t *
report_reduction(const json_t *control, const json_t *treated, const char *change, double goal,
	const struct lab_intervention_result *r)
{
	bool some = r->control > 0, reached = some && -r->relative >= goal, bad;
	char *why = some && !reached ? why_not(treated) : NULL;
	json_t *o = json_object();

	bad = !o || (some && !reached && !why);
	SET(o, "control", json_incref(json_object_get(control, "name")));
	SET(o, "treated", json_incref(json_object_get(treated, "name")));
	SET(o, "change", json_string(change));
	SET(o, "goal", json_real(goal));
	SET(o, "control_lost", json_integer((json_int_t)r->control));
	SET(o, "treated_lost", json_integer((json_int_t)r->treated));
	SET(o, "reduction", some ? json_real(-r->relative) : json_null());
	SET(o, "reduction_ci",
		some ? json_pack("[f,f]", -r->relative_hi, -r->relative_lo) : json_null());
	SET(o, "ci_level", json_real(1 - r->alpha));
	SET(o, "verdict", json_string(lab_effect_verdict_name(r->verdict)));
	SET(o, "reached", json_boolean(reached));
	SET(o, "equal_memory", json_boolean(managed(control) == managed(treated)));
	SET(o, "why_not", why ? json_string(why) : json_null());
	if (!bad)
		SET(o, "text", text_and_free(sentence(o, why)));
	free(why);
	return report_finish(o, bad);
}
