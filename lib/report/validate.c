/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "report.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* Where the first fault is: the path is built on the way down, and stays when something is wrong. */
struct check {
	char path[200];
	char *why;
	size_t len;
};

static bool
fault(struct check *c, const char *key, const char *format, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	if (c->why && c->len)
		snprintf(c->why, c->len, "%s%s%s: %s", c->path, *c->path && *key ? "." : "", key,
			what);
	return false;
}

/* Go into a member; leave() takes the length that this returns. */
static size_t
enter(struct check *c, const char *key)
{
	size_t had = strlen(c->path);

	snprintf(c->path + had, sizeof(c->path) - had, "%s%s", had ? "." : "", key);
	return had;
}

static void
leave(struct check *c, size_t had)
{
	c->path[had] = '\0';
}

enum type {
	TYPE_COUNT,   /* an integer, not negative */
	TYPE_INTEGER, /* any integer */
	TYPE_NUMBER,
	TYPE_TEXT,
	TYPE_OBJECT,
	TYPE_ARRAY,
	TYPE_BOOL,
	TYPE_SEED, /* an integer or text */
	TYPE_MAYBE_NUMBER,
	TYPE_MAYBE_OBJECT,
	TYPE_COUNTS, /* an object of counts */
};

struct rule {
	const char *key;
	enum type type;
};

static bool
all_counts(const json_t *v)
{
	const char *key;
	json_t *item;

	json_object_foreach ((json_t *)v, key, item) {
		if (!json_is_integer(item) || json_integer_value(item) < 0)
			return false;
	}
	return json_is_object(v);
}

static bool
type_ok(const json_t *v, enum type type)
{
	switch (type) {
	case TYPE_COUNT:
		return json_is_integer(v) && json_integer_value(v) >= 0;
	case TYPE_INTEGER:
		return json_is_integer(v);
	case TYPE_NUMBER:
		return json_is_number(v);
	case TYPE_TEXT:
		return json_is_string(v);
	case TYPE_OBJECT:
		return json_is_object(v);
	case TYPE_ARRAY:
		return json_is_array(v);
	case TYPE_BOOL:
		return json_is_boolean(v);
	case TYPE_SEED:
		return json_is_integer(v) || json_is_string(v);
	case TYPE_MAYBE_NUMBER:
		return json_is_number(v) || json_is_null(v);
	case TYPE_MAYBE_OBJECT:
		return json_is_object(v) || json_is_null(v);
	case TYPE_COUNTS:
		return all_counts(v);
	}
	return false;
}

static bool
rules_ok(struct check *c, const json_t *o, const struct rule *rule, size_t n)
{
	if (!json_is_object(o))
		return fault(c, "", "is no object");
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(o, rule[i].key);

		if (!v)
			return fault(c, rule[i].key, "is missing");
		if (!type_ok(v, rule[i].type))
			return fault(c, rule[i].key, "has the wrong type or range");
	}
	return true;
}

#define RULES_OK(c, o, rules) rules_ok(c, o, rules, sizeof(rules) / sizeof((rules)[0]))

static json_int_t
integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static bool
port_ok(struct check *c, const json_t *o)
{
	static const struct rule rules[] = {{"offered", TYPE_COUNT}, {"delivered", TYPE_COUNT},
		{"in_flight", TYPE_COUNT}, {"dropped", TYPE_COUNT}, {"unexplained", TYPE_INTEGER},
		{"drops", TYPE_COUNTS}};
	__int128 sum = 0;
	const char *key;
	json_t *n;

	if (!RULES_OK(c, o, rules))
		return false;
	json_object_foreach (json_object_get(o, "drops"), key, n)
		sum += json_integer_value(n);
	if (sum != integer(o, "dropped"))
		return fault(c, "dropped", "is not the sum of the drops");
	sum += integer(o, "delivered");
	sum += integer(o, "in_flight");
	sum += integer(o, "unexplained");
	if (sum != integer(o, "offered"))
		return fault(c, "unexplained", "does not close the ledger");
	return true;
}

static bool
ledger_ok(struct check *c, const json_t *o)
{
	static const struct rule rules[] = {{"closes", TYPE_BOOL}, {"ports", TYPE_OBJECT}};
	__int128 offered = 0;
	const char *name;
	json_t *port;

	if (!port_ok(c, o) || !RULES_OK(c, o, rules))
		return false;
	json_object_foreach (json_object_get(o, "ports"), name, port) {
		size_t at = enter(c, name);

		if (!port_ok(c, port))
			return false;
		leave(c, at);
		offered += integer(port, "offered");
	}
	if (offered != integer(o, "offered"))
		return fault(c, "offered", "is not the sum of the ports");
	if (json_is_true(json_object_get(o, "closes")) && integer(o, "unexplained"))
		return fault(c, "closes", "is true with something unexplained");
	return true;
}

static bool
verdict_ok(const char *name)
{
	for (int v = LAB_CORR_NO_DATA; v <= LAB_CORR_LINK; v++) {
		if (!strcmp(name, lab_corr_verdict_name((enum lab_corr_verdict)v)))
			return true;
	}
	return false;
}

static bool
within(const json_t *v, double lo, double hi)
{
	return !json_is_number(v) || (json_number_value(v) >= lo && json_number_value(v) <= hi);
}

static bool
interval_ok(const json_t *ci)
{
	if (json_is_null(ci))
		return true;
	return json_array_size(ci) == 2 && json_is_number(json_array_get(ci, 0)) &&
	       json_is_number(json_array_get(ci, 1)) &&
	       json_number_value(json_array_get(ci, 0)) <= json_number_value(json_array_get(ci, 1));
}

static bool
lags_ok(struct check *c, const json_t *lags)
{
	static const struct rule rules[] = {{"lag", TYPE_INTEGER}, {"lag_ms", TYPE_NUMBER},
		{"spearman", TYPE_NUMBER}, {"pearson", TYPE_NUMBER}};
	size_t i, at = enter(c, "lags");
	json_t *lag;

	json_array_foreach (lags, i, lag) {
		if (!RULES_OK(c, lag, rules))
			return false;
	}
	leave(c, at);
	return true;
}

static bool
tests_ok(struct check *c, const json_t *tests)
{
	static const struct rule rules[] = {{"p_circular", TYPE_NUMBER},
		{"p_truncated", TYPE_NUMBER}, {"shifts", TYPE_COUNT}, {"band_lo", TYPE_NUMBER},
		{"band_hi", TYPE_NUMBER}, {"band_max", TYPE_NUMBER}};
	size_t at;

	if (json_is_null(tests))
		return true;
	at = enter(c, "tests");
	if (!RULES_OK(c, tests, rules))
		return false;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].type == TYPE_NUMBER &&
			!within(json_object_get(tests, rules[i].key), -1, 1))
			return fault(c, rules[i].key, "is not within -1 and 1");
	}
	leave(c, at);
	return true;
}

static bool
event_ok(struct check *c, const json_t *events, const char *key)
{
	static const struct rule rules[] = {
		{"value", TYPE_NUMBER}, {"baseline", TYPE_NUMBER}, {"p", TYPE_NUMBER}};
	size_t at = enter(c, key);

	if (!RULES_OK(c, json_object_get(events, key), rules))
		return false;
	leave(c, at);
	return true;
}

static bool
events_ok(struct check *c, const json_t *events)
{
	size_t at = enter(c, "events");

	if (!json_is_null(events) && (!json_is_number(json_object_get(events, "tau_ms")) ||
					     !event_ok(c, events, "drop_after_failure") ||
					     !event_ok(c, events, "drops_preceded")))
		return json_is_number(json_object_get(events, "tau_ms"))
			       ? false
			       : fault(c, "tau_ms", "is missing or no number");
	leave(c, at);
	return true;
}

static bool
correlation_ok(struct check *c, const json_t *o)
{
	static const struct rule rules[] = {{"verdict", TYPE_TEXT}, {"text", TYPE_TEXT},
		{"method", TYPE_TEXT}, {"coefficient", TYPE_MAYBE_NUMBER},
		{"lag_ms", TYPE_MAYBE_NUMBER}, {"p_value", TYPE_MAYBE_NUMBER},
		{"ci_level", TYPE_NUMBER}, {"bursts", TYPE_COUNT}, {"samples", TYPE_COUNT},
		{"interval_ms", TYPE_NUMBER}, {"tests", TYPE_MAYBE_OBJECT},
		{"events", TYPE_MAYBE_OBJECT}, {"load", TYPE_MAYBE_OBJECT}, {"lags", TYPE_ARRAY}};

	if (json_is_null(o))
		return true;
	if (!RULES_OK(c, o, rules))
		return false;
	if (!verdict_ok(json_string_value(json_object_get(o, "verdict"))))
		return fault(c, "verdict", "is not a known one");
	if (!within(json_object_get(o, "coefficient"), -1, 1))
		return fault(c, "coefficient", "is not within -1 and 1");
	if (!within(json_object_get(o, "p_value"), 0, 1))
		return fault(c, "p_value", "is not within 0 and 1");
	if (!interval_ok(json_object_get(o, "ci")) ||
		!within(json_array_get(json_object_get(o, "ci"), 0), -1, 1) ||
		!within(json_array_get(json_object_get(o, "ci"), 1), -1, 1))
		return fault(c, "ci", "is no interval within -1 and 1");
	return lags_ok(c, json_object_get(o, "lags")) && tests_ok(c, json_object_get(o, "tests")) &&
	       events_ok(c, json_object_get(o, "events"));
}

static bool
frag_ok(struct check *c, const json_t *list)
{
	static const struct rule rules[] = {{"order", TYPE_COUNT}, {"free_blocks", TYPE_COUNT},
		{"unusable", TYPE_NUMBER}, {"extfrag", TYPE_NUMBER}};
	json_t *row;
	size_t i;

	if (!json_is_array(list))
		return fault(c, "", "is no array");
	json_array_foreach (list, i, row) {
		if (!RULES_OK(c, row, rules))
			return false;
		if (!within(json_object_get(row, "unusable"), 0, 1))
			return fault(c, "unusable", "is not within 0 and 1");
	}
	return true;
}

static bool
series_ok(struct check *c, const json_t *o)
{
	static const struct rule rules[] = {{"interval_ms", TYPE_NUMBER}, {"samples", TYPE_COUNT},
		{"lost", TYPE_COUNT}, {"points", TYPE_COUNT}, {"bins_per_point", TYPE_COUNT},
		{"list", TYPE_ARRAY}};
	static const struct rule one[] = {{"name", TYPE_TEXT}, {"unit", TYPE_TEXT},
		{"kind", TYPE_TEXT}, {"values", TYPE_ARRAY}};
	json_t *s, *v;
	size_t i, k;

	if (!o)
		return true;
	if (!RULES_OK(c, o, rules))
		return false;
	if (integer(o, "bins_per_point") < 1 ||
		!(json_number_value(json_object_get(o, "interval_ms")) > 0))
		return fault(c, "interval_ms", "a bin must have a width");
	json_array_foreach (json_object_get(o, "list"), i, s) {
		const json_t *values = json_object_get(s, "values");

		if (!RULES_OK(c, s, one))
			return false;
		if ((json_int_t)json_array_size(values) != integer(o, "points"))
			return fault(c, "values", "are not as many as points");
		json_array_foreach (values, k, v) {
			if (!json_is_number(v))
				return fault(c, "values", "hold what is no number");
		}
	}
	return true;
}

typedef bool (*part_fn)(struct check *c, const json_t *v);

static bool
part_ok(struct check *c, const json_t *o, const char *key, part_fn ok)
{
	size_t at = enter(c, key);

	if (!ok(c, json_object_get(o, key)))
		return false;
	leave(c, at);
	return true;
}

/* What an arm has, and the top level too. */
static bool
block_ok(struct check *c, const json_t *o)
{
	static const struct rule rules[] = {{"seed", TYPE_SEED}, {"ledger", TYPE_OBJECT},
		{"lost_to_memory", TYPE_COUNT}, {"failures", TYPE_COUNTS}, {"zone", TYPE_OBJECT},
		{"frag", TYPE_ARRAY}, {"correlation", TYPE_MAYBE_OBJECT}};

	return RULES_OK(c, o, rules) && part_ok(c, o, "ledger", ledger_ok) &&
	       part_ok(c, o, "frag", frag_ok) && part_ok(c, o, "correlation", correlation_ok);
}

static bool
arm_ok(struct check *c, const json_t *arm)
{
	static const struct rule rules[] = {{"name", TYPE_TEXT}, {"title", TYPE_TEXT}};

	return RULES_OK(c, arm, rules) && block_ok(c, arm) && part_ok(c, arm, "series", series_ok);
}

static bool
arms_ok(struct check *c, const json_t *arms)
{
	char at_text[32];
	json_t *arm;
	size_t i;

	if (json_array_size(arms) == 0)
		return fault(c, "arms", "are none");
	json_array_foreach (arms, i, arm) {
		size_t at;

		snprintf(at_text, sizeof(at_text), "arms[%zu]", i);
		at = enter(c, at_text);
		if (!arm_ok(c, arm))
			return false;
		leave(c, at);
	}
	return true;
}

static bool
interventions_ok(struct check *c, const json_t *list)
{
	static const struct rule rules[] = {{"control", TYPE_TEXT}, {"treated", TYPE_TEXT},
		{"change", TYPE_TEXT}, {"verdict", TYPE_TEXT}, {"effect", TYPE_NUMBER},
		{"ci", TYPE_ARRAY}, {"ci_level", TYPE_NUMBER}, {"relative", TYPE_NUMBER}};
	json_t *o;
	size_t i;

	json_array_foreach (list, i, o) {
		if (!RULES_OK(c, o, rules))
			return false;
		if (!interval_ok(json_object_get(o, "ci")))
			return fault(c, "ci", "is no interval");
	}
	return true;
}

/* Reports of older versions have none. */
static bool
reductions_ok(struct check *c, const json_t *list)
{
	static const struct rule rules[] = {{"control", TYPE_TEXT}, {"treated", TYPE_TEXT},
		{"change", TYPE_TEXT}, {"text", TYPE_TEXT}, {"goal", TYPE_NUMBER},
		{"control_lost", TYPE_COUNT}, {"treated_lost", TYPE_COUNT}};
	json_t *o;
	size_t i;

	json_array_foreach (list, i, o) {
		if (!RULES_OK(c, o, rules))
			return false;
		if (!json_is_boolean(json_object_get(o, "reached")))
			return fault(c, "reached", "is neither true nor false");
	}
	return true;
}

int
lab_report_validate(const json_t *json, char *why, size_t len)
{
	static const struct rule rules[] = {{"format", TYPE_TEXT}, {"version", TYPE_TEXT},
		{"time", TYPE_TEXT}, {"command", TYPE_TEXT}, {"headline", TYPE_TEXT},
		{"arms", TYPE_ARRAY}, {"interventions", TYPE_ARRAY}};
	struct check c = {.why = why, .len = len};
	bool ok;

	if (why && len)
		*why = '\0';
	ok = RULES_OK(&c, json, rules);
	if (ok && strcmp(json_string_value(json_object_get(json, "format")), "labyrinth-report 1"))
		ok = fault(&c, "format", "is not \"labyrinth-report 1\"");
	if (ok && !report_depth_ok(json))
		ok = fault(&c, "", "is nested too deep");
	ok = ok && block_ok(&c, json) && arms_ok(&c, json_object_get(json, "arms")) &&
	     part_ok(&c, json, "interventions", interventions_ok) &&
	     part_ok(&c, json, "reductions", reductions_ok);
	return ok ? 0 : -EINVAL;
}
