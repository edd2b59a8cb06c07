/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

/** @file check.h The targets, and whether what was measured meets them. */

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/** Rows that the targets need, as bits of bench_allocs. */
uint64_t check_allocs(void);

/** True if a target needs the pattern with so many threads. */
bool check_needs(const char *pattern, unsigned int threads);

/**
 * One object for each target and row of this project: target, row, measured, limit (both ns), ratio,
 * allowed and verdict: met, missed or not measured. @param rows as they were printed. New reference.
 */
json_t *check_json(const json_t *rows);

#endif /* BENCH_CHECK_H */
