/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* The arms side by side, drawn from the report alone. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"
#include "arms.h"

#define LABEL 34
#define CELL  18

static const json_t *
at(const json_t *o, const char *a, const char *b, const char *c)
{
	o = json_object_get(o, a);
	if (b)
		o = json_object_get(o, b);
	return c ? json_object_get(o, c) : o;
}

static void
cell(const json_t *v)
{
	if (json_is_integer(v))
		printf(" %*" PRId64, CELL, (int64_t)json_integer_value(v));
	else if (json_is_real(v))
		printf(" %*.3f", CELL, json_real_value(v));
	else if (json_is_string(v))
		printf(" %*s", CELL, json_string_value(v));
	else
		printf(" %*s", CELL, "-");
}

static void
row(const char *label, const json_t *arms, const char *a, const char *b, const char *c)
{
	const json_t *arm;
	size_t i;

	printf("  %-*s", LABEL, label);
	json_array_foreach (arms, i, arm)
		cell(at(arm, a, b, c));
	printf("\n");
}

/* A row for each key that any arm has a count under. */
static void
rows_of(const char *prefix, const json_t *arms, const char *a, const char *b)
{
	json_t *keys = json_object(), *group;
	const json_t *arm;
	const char *key;
	json_t *v;
	size_t i;

	json_array_foreach (arms, i, arm) {
		group = (json_t *)(uintptr_t)at(arm, a, b, NULL);
		json_object_foreach (group, key, v) {
			if (json_integer_value(v))
				json_object_set_new(keys, key, json_true());
		}
	}
	json_object_foreach (keys, key, v) {
		char label[LABEL + 32];

		snprintf(label, sizeof(label), "%s%s", prefix, key);
		printf("  %-*s", LABEL, label);
		json_array_foreach (arms, i, arm) {
			const json_t *n = json_object_get(at(arm, a, b, NULL), key);

			printf(" %*" PRId64, CELL, (int64_t)json_integer_value(n));
		}
		printf("\n");
	}
	json_decref(keys);
}

static void
interval_row(const json_t *arms)
{
	const json_t *arm, *ci;
	char text[48];
	size_t i;

	printf("  %-*s", LABEL, "95% interval");
	json_array_foreach (arms, i, arm) {
		ci = at(arm, "correlation", "ci", NULL);
		if (json_array_size(ci) == 2 && json_is_number(json_array_get(ci, 0)))
			snprintf(text, sizeof(text), "[%.3f, %.3f]",
				json_number_value(json_array_get(ci, 0)),
				json_number_value(json_array_get(ci, 1)));
		else
			snprintf(text, sizeof(text), "-");
		printf(" %*s", CELL, text);
	}
	printf("\n");
}

static void
header(const json_t *arms)
{
	const json_t *arm;
	size_t i;

	printf("\n  %-*s", LABEL, "arm");
	json_array_foreach (arms, i, arm)
		printf(" %*s", CELL, json_string_value(json_object_get(arm, "name")));
	printf("\n  ");
	for (size_t k = 0; k < LABEL + json_array_size(arms) * (CELL + 1); k++)
		putchar('-');
	putchar('\n');
}

static void
print_interventions(const json_t *report)
{
	const json_t *list = json_object_get(report, "interventions"), *o;
	size_t i;

	json_array_foreach (list, i, o) {
		const json_t *ci = json_object_get(o, "ci");

		printf("\n  %s (%s against %s): %+.0f drops [%.0f, %.0f]: %s\n",
			json_string_value(json_object_get(o, "change")),
			json_string_value(json_object_get(o, "treated")),
			json_string_value(json_object_get(o, "control")),
			json_number_value(json_object_get(o, "effect")),
			json_number_value(json_array_get(ci, 0)),
			json_number_value(json_array_get(ci, 1)),
			json_string_value(json_object_get(o, "verdict")));
	}
}

static void
print_reductions(const json_t *report)
{
	const json_t *list = json_object_get(report, "reductions"), *o;
	size_t i;

	json_array_foreach (list, i, o)
		printf("\n  %s: %s%s\n", json_string_value(json_object_get(o, "change")),
			json_string_value(json_object_get(o, "text")),
			json_is_true(json_object_get(o, "equal_memory"))
				? ""
				: " The zones are not equally large.");
}

void
arms_print(struct app *app, const json_t *shown)
{
	const json_t *arms = json_object_get(shown, "arms");
	char *headline = lab_report_headline(app->arms.report);

	header(arms);
	row("packets offered", arms, "ledger", "offered", NULL);
	row("delivered", arms, "ledger", "delivered", NULL);
	row("in flight", arms, "ledger", "in_flight", NULL);
	row("unexplained", arms, "ledger", "unexplained", NULL);
	row("dropped", arms, "ledger", "dropped", NULL);
	rows_of("  dropped: ", arms, "ledger", "drops");
	rows_of("refused: ", arms, "failures", NULL);
	row("refusals and drops, Spearman", arms, "correlation", "coefficient", NULL);
	row("lag, ms", arms, "correlation", "lag_ms", NULL);
	row("p by shifted series", arms, "correlation", "p_value", NULL);
	interval_row(arms);
	row("bursts", arms, "correlation", "bursts", NULL);
	row("verdict", arms, "correlation", "verdict", NULL);
	row("warnings at the low mark", arms, "warnings", "count", NULL);
	row("first refusal, ms", arms, "warnings", "first_refusal_ms", NULL);
	row("warned ahead of it, ms", arms, "warnings", "lead_ms", NULL);
	print_interventions(shown);
	print_reductions(shown);
	printf("\n%s\n", headline ? headline : "");
	free(headline);
}
