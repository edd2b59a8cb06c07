/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "report.h"

#include <stdlib.h>
#include <string.h>

bool
report_is_cause(const char *drop, const char *failure)
{
	size_t d = strlen(drop), f = strlen(failure);

	if (f == 0 || d < f || strcmp(drop + d - f, failure))
		return false;
	return d == f || drop[d - f - 1] == '_';
}

static bool
is_memory_cause(const struct lab_report_arm *arm, const char *drop)
{
	if (arm->memory_causes) {
		for (const char *const *c = arm->memory_causes; *c; c++) {
			if (!strcmp(*c, drop))
				return true;
		}
		return false;
	}
	for (size_t i = 0; i < arm->nr_failures; i++) {
		if (report_is_cause(drop, arm->failures[i].name))
			return true;
	}
	return !strcmp(drop, "nombuf");
}

uint64_t
report_lost_to_memory(const struct lab_report_arm *arm, const struct lab_ledger_port *total)
{
	uint64_t sum = 0;

	for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++) {
		const char *name = lab_drop_cause_name(c);

		if (name && is_memory_cause(arm, name))
			sum += total->drops[c];
	}
	return sum;
}

/* "4,012 of 61,200 packets", and the share where there is one. */
static void
arm_print(const json_t *arm, bool first, FILE *out)
{
	long long offered =
		json_integer_value(json_object_get(json_object_get(arm, "ledger"), "offered"));
	long long lost = json_integer_value(json_object_get(arm, "lost_to_memory"));
	char a[REPORT_NUM_LEN], b[REPORT_NUM_LEN];

	fprintf(out, "%s: %s of %s packets", json_string_value(json_object_get(arm, "title")),
		report_integer(lost, a), report_integer(offered, b));
	if (first)
		fputs(" were lost because an atomic page allocation was refused", out);
	if (lost > 0 && offered > 0)
		fprintf(out, " (%.3g%%)", 100.0 * (double)lost / (double)offered);
}

char *
report_headline(const json_t *arms)
{
	char *text = NULL;
	size_t len, i;
	json_t *arm;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	json_array_foreach (arms, i, arm) {
		fputs(i ? "; " : "", out);
		arm_print(arm, i == 0, out);
	}
	fputs(".", out);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	if (text[0] >= 'a' && text[0] <= 'z')
		text[0] = (char)(text[0] - 'a' + 'A');
	return text;
}
