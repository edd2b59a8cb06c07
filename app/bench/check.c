/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <math.h>
#include <string.h>

#include "bench.h"
#include "check.h"
#include "find.h"

enum kind {
	AGAINST_ROW,    /**< the same pattern, another row */
	AGAINST_NOZERO, /**< the same row, requests that need not be zero */
	TAIL,           /**< p99.9 of a get against its own p50, interruptions apart */
};

static const struct target {
	const char *text;
	enum kind kind;
	const char *pattern;
	unsigned int threads;
	double allowed;
	const char *against;
	bool no_false; /**< and no false refusal */
} targets[] = {
	{"repeat, 1 thread: 1.5x the cached ring", AGAINST_ROW, "repeat", 1, 1.5, BENCH_ROW_CACHED},
	{"repeat, 2 threads: 1.5x the cached ring", AGAINST_ROW, "repeat", 2, 1.5,
		BENCH_ROW_CACHED},
	{"burst of 32, 1 thread: 0.7x the uncached ring", AGAINST_ROW, "burst32", 1, 0.7,
		BENCH_ROW_UNCACHED},
	{"random replacement, 50% full: 2x the cached ring", AGAINST_ROW, "rand50", 1, 2,
		BENCH_ROW_CACHED},
	{"99.9% full, 2 threads: the uncached ring, no false refusal", AGAINST_ROW, "rand999", 2, 1,
		BENCH_ROW_UNCACHED, true},
	{"core to core, bursts of 32: the uncached ring", AGAINST_ROW, "xfer32", 2, 1,
		BENCH_ROW_UNCACHED},
	{"zeroed page: 2x the unzeroed request", AGAINST_NOZERO, "zero", 1, 2, "nozero"},
	{"95% full, random replacement: p99.9 within 4x of p50", TAIL, "rand95", 1, 4, NULL},
	{"95% full, bursts up to 64: p99.9 within 4x of p50", TAIL, "aged95", 1, 4, NULL},
};

static const char *const subjects[] = {"labyrinth", "labyrinth+gate"};

static bool
is_needed_row(const char *name)
{
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(subjects); i++)
		if (strcmp(name, subjects[i]) == 0)
			return true;
	return strcmp(name, BENCH_ROW_CACHED) == 0 || strcmp(name, BENCH_ROW_UNCACHED) == 0;
}

uint64_t
check_allocs(void)
{
	uint64_t bits = 0;

	for (unsigned int i = 0; i < bench_nr_allocs; i++)
		bits |= (uint64_t)is_needed_row(bench_allocs[i]->name) << i;
	return bits;
}

bool
check_needs(const char *pattern, unsigned int threads)
{
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(targets); i++) {
		const struct target *t = &targets[i];

		if (threads != t->threads)
			continue;
		if (strcmp(pattern, t->pattern) == 0 ||
			(t->kind == AGAINST_NOZERO && strcmp(pattern, t->against) == 0))
			return true;
	}
	return false;
}

/** The two figures that a target compares, in ns; NAN if one was not measured. */
static void
compared(const struct target *t, const json_t *rows, const json_t *row, const char *subject,
	double *measured, double *base)
{
	switch (t->kind) {
	case AGAINST_ROW:
		*measured = find_number(row, "ns", "median");
		*base = find_number(
			find_row(rows, t->against, t->pattern, t->threads, 0), "ns", "median");
		break;
	case AGAINST_NOZERO:
		*measured = find_number(row, "ns", "median");
		*base = find_number(
			find_row(rows, subject, t->against, t->threads, 0), "ns", "median");
		break;
	case TAIL:
		row = json_object_get(row, "latency_ns");
		*measured = find_number(row, "get_apart", "p99.9");
		*base = find_number(row, "get_apart", "p50");
		break;
	}
}

static const char *
verdict(const struct target *t, const json_t *row, double ratio)
{
	if (isnan(ratio))
		return "not measured";
	if (t->no_false && json_integer_value(json_object_get(row, "false_refusals")) != 0)
		return "missed";
	return ratio <= t->allowed ? "met" : "missed";
}

static json_t *
maybe(double v)
{
	return isnan(v) ? json_null() : json_real(round(v * 1000) / 1000);
}

static json_t *
one(const struct target *t, const json_t *rows, const char *subject)
{
	const json_t *row = find_row(rows, subject, t->pattern, t->threads, 0);
	double measured = NAN, base = NAN, ratio;
	json_t *o = json_object(), *falsely = json_object_get(row, "false_refusals");

	compared(t, rows, row, subject, &measured, &base);
	ratio = base > 0 ? measured / base : NAN;
	json_object_set_new(o, "target", json_string(t->text));
	json_object_set_new(o, "row", json_string(subject));
	json_object_set_new(o, "ns", maybe(measured));
	json_object_set_new(o, "against ns", maybe(base));
	json_object_set_new(o, "ratio", maybe(ratio));
	json_object_set_new(o, "at most", maybe(t->allowed));
	json_object_set_new(o, "false", falsely != NULL ? json_incref(falsely) : json_null());
	json_object_set_new(o, "verdict", json_string(verdict(t, row, ratio)));
	return o;
}

json_t *
check_json(const json_t *rows)
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(targets); i++)
		for (unsigned int j = 0; j < LAB_ARRAY_SIZE(subjects); j++)
			json_array_append_new(all, one(&targets[i], rows, subjects[j]));
	return all;
}
