/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "lab_report.h"

/* How deep a value may be nested; deeper ones are refused before anything is printed. */
#define REPORT_MAX_DEPTH 16

/* Digits of a real number in the files: enough for every figure here, and readable. */
#define REPORT_JSON_FLAGS (JSON_INDENT(2) | JSON_REAL_PRECISION(12))

/* ---- text.c */

/** Is the value nested at most REPORT_MAX_DEPTH deep? */
bool report_depth_ok(const json_t *v);

/** An integer with commas between the thousands, from 5 digits on. buf of REPORT_NUM_LEN. */
#define REPORT_NUM_LEN 40
const char *report_integer(long long v, char *buf);
/** Any number: as report_integer(), or up to six significant digits. */
const char *report_number(const json_t *v, char *buf);

/** Flush and tell what went wrong, if anything, since the last check: 0 or a negative errno. */
int report_stream_error(FILE *out);

/** Allocated text, as printf() would print it; NULL when memory is short. */
char *report_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Add v, whose reference is taken, to an object. @return 0, -ENOMEM (also for v = NULL) */
int report_set(json_t *object, const char *key, json_t *v);

/** report_set() for builders that take errors along in a local `bool bad` and end by report_finish(). */
#define SET(object, key, value) (bad |= report_set(object, key, value) != 0)

/** v, or NULL (and v released) when something on the way went bad. */
static inline json_t *
report_finish(json_t *v, bool bad)
{
	if (bad) {
		json_decref(v);
		return NULL;
	}
	return v;
}

/* ---- file.c */

/** Write a file whole or not at all; see lab_report_write_json(). */
int report_write_file(const char *path, int (*print)(FILE *out, void *arg), void *arg);

/* ---- reduction.c */

/** What lab_report_add_reduction() adds, from the arms' JSON. New reference; NULL when memory is short. */
json_t *report_reduction(const json_t *control, const json_t *treated, const char *change,
	double goal, const struct lab_intervention_result *r);

/* ---- headline.c */

/** The sentences of the headline, from the arms' JSON. */
char *report_headline(const json_t *arms);

/** Does a drop's name stand for a refusal's: the same, or behind a "_"? */
bool report_is_cause(const char *drop, const char *failure);

/** Packets of an arm that were lost because an allocation was refused, from its ledger and failures. */
uint64_t report_lost_to_memory(
	const struct lab_report_arm *arm, const struct lab_ledger_port *total);

#endif /* REPORT_REPORT_H */
