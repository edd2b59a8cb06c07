/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_WARNING_H
#define LAB_WARNING_H

/**
 * @file warning.h
 * Where requests look whether the low mark is crossed.
 */

#include "gate.h"
#include "zone.h"

#pragma GCC visibility push(hidden)

/* lab_zone.warnings: the count, and in the low bits what raised the last one: 0: armed again,
 * else 1 + the order. One word, so that a crossing is counted by exactly one thread, and counted before
 * anybody who saw it too can be refused. */
#define LAB_WARNING_BITS 4
#define LAB_WARNING_MASK ((1ULL << LAB_WARNING_BITS) - 1)

/** Cold: arm, or raise and call. */
void lab_warning_rearm(struct lab_zone *z);
void lab_warning_raise(struct lab_zone *z, unsigned int order);

/** Before pages are taken: are there enough again? */
static inline void
lab_warning_before(struct lab_zone *z)
{
	if (lab_unlikely(rd(&z->warnings) & LAB_WARNING_MASK))
		lab_warning_rearm(z);
}

/** After pages were taken (order 0), or before a request of the order is refused that found so many free
 *  ones. */
static inline void
lab_warning_check(struct lab_zone *z, unsigned long free, unsigned int order)
{
	if (lab_unlikely(free < lab_mark(z, LAB_ALLOC_WMARK_LOW) + (1UL << order)) &&
		!(rd(&z->warnings) & LAB_WARNING_MASK))
		lab_warning_raise(z, order);
}

#pragma GCC visibility pop

#endif /* LAB_WARNING_H */
