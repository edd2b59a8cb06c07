/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef DIAGNOSE_FIXTURE_H
#define DIAGNOSE_FIXTURE_H

/** @file diagnose_fixture.h Messages from files and strings, and what was read of them. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab_base.h"
#include "lab_diagnose.h"

/** The first reports of a text, and how many there were. */
struct seen {
	long n;
	struct lab_diag_report r[4];
};

static int
keep(const struct lab_diag_report *r, void *arg)
{
	struct seen *s = arg;

	if (s->n < (long)LAB_ARRAY_SIZE(s->r))
		s->r[s->n] = *r;
	s->n++;
	return 0;
}

static inline void
read_text(struct seen *s, const char *text)
{
	long n;

	s->n = 0;
	n = lab_diag_parse(text, strlen(text), keep, s);
	assert_int_equal(n, s->n);
}

static inline void
read_message(struct seen *s, const char *name)
{
	char path[512], text[16384];
	size_t len;
	FILE *f;
	long n;

	snprintf(path, sizeof(path), "%s/%s.txt", MESSAGES, name);
	f = fopen(path, "r");
	assert_non_null(f);
	len = fread(text, 1, sizeof(text), f);
	assert_true(len > 0 && len < sizeof(text));
	fclose(f);
	s->n = 0;
	n = lab_diag_parse(text, len, keep, s);
	assert_int_equal(n, s->n);
}

static inline const struct lab_diag_zone *
find_zone(const struct lab_diag_report *r, int node, enum lab_diag_zone_type type)
{
	for (unsigned int i = 0; i < r->nr_zones; i++) {
		if (r->zones[i].node == node && r->zones[i].type == type)
			return &r->zones[i];
	}
	return NULL;
}

static inline const struct lab_diag_zone_verdict *
verdict_on(const struct lab_diag_report *r, const struct lab_diagnosis *d, int node,
	enum lab_diag_zone_type type)
{
	const struct lab_diag_zone *z = find_zone(r, node, type);

	assert_non_null(z);
	return &d->zones[z - r->zones];
}

#endif /* DIAGNOSE_FIXTURE_H */
