/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef TRACE_FIXTURE_H
#define TRACE_FIXTURE_H

/* A small head, and the replay of a text. */

#include <stdio.h>
#include <string.h>

#include "lab_trace.h"

/* 4096 frames: one pair of pageblocks is free, one frame and one block of order 3 beside it. */
static const char __attribute__((unused)) small[] = "labyrinth-trace 3\n"
						    "kernel 6.1.0-37-amd64\n"
						    "zone Normal\n"
						    "node 0\n"
						    "start 4096\n"
						    "spanned 4096\n"
						    "managed 4096\n"
						    "marks 16 20 24\n"
						    "reserve 0 0 0 0\n"
						    "free * 1 0 0 1 0 0 0 0 0 0 1\n"
						    "cpus 1\n"
						    "events\n";

static inline int
replay(const char *text, const struct lab_trace_options *o, struct lab_trace_result *out, char *err,
	size_t errlen)
{
	FILE *in = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	int rc;

	assert_non_null(in);
	rc = lab_trace_replay(in, o, out, err, errlen);
	fclose(in);
	return rc;
}

#endif /* TRACE_FIXTURE_H */
