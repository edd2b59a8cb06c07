/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

/** @file table.h What was measured, for people. Everything is drawn from the rows' JSON. */

#include <stdio.h>

#include <jansson.h>

/** Put the ratios to the two rings into the rows of a column. */
void table_add_ratios(json_t *rows, size_t first);

/** One column as a table: the rows from `first` on. */
void table_column(const json_t *rows, size_t first, FILE *out);

/** All rows, and the targets (may be NULL), as Markdown. */
void table_markdown(const json_t *about, const json_t *rows, const json_t *targets, FILE *out);

#endif /* BENCH_TABLE_H */
