/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_FIND_H
#define BENCH_FIND_H

/** @file find.h Look things up in the rows that were measured. */

#include <math.h>
#include <string.h>

#include <jansson.h>

static inline bool
find_is(const json_t *row, const char *key, const char *text)
{
	const char *is = json_string_value(json_object_get(row, key));

	return is != NULL && strcmp(is, text) == 0;
}

static inline bool
find_is_number(const json_t *row, const char *key, unsigned int n)
{
	return json_integer_value(json_object_get(row, key)) == (json_int_t)n;
}

/** @return the row, borrowed; NULL if there is none. */
static inline json_t *
find_row(const json_t *rows, const char *name, const char *pattern, unsigned int threads,
	unsigned int order)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (find_is(row, "row", name) && find_is(row, "pattern", pattern) &&
			find_is_number(row, "threads", threads) &&
			find_is_number(row, "order", order))
			return row;
	return NULL;
}

/** row[object][key]; NAN if it is not there. row may be NULL. */
static inline double
find_number(const json_t *row, const char *object, const char *key)
{
	const json_t *v = json_object_get(json_object_get(row, object), key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

#endif /* BENCH_FIND_H */
