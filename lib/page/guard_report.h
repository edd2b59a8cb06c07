/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_GUARD_REPORT_H
#define LAB_GUARD_REPORT_H

/** @file guard_report.h Telling of what guarded mode found. */

#include "watch.h"

#pragma GCC visibility push(hidden)

/** Bytes of a block. */
struct lab_guard_spot {
	uint32_t pfn;
	unsigned int order;
	uint64_t word; /**< of its tag, while that still said since when */
	size_t offset, len;
	bool exact; /**< `offset` is bad itself */
};

/** Report bytes of a block; its tag still says whose it is or was. */
void lab_guard_found(
	struct lab_zone *z, enum lab_guard_kind kind, const struct lab_guard_spot *spot);

/** Register this process's function. @return 0, -ENOSPC. */
int lab_guard_reporter(struct lab_tags *t, lab_guard_fn fn, void *arg);

#pragma GCC visibility pop

#endif /* LAB_GUARD_REPORT_H */
