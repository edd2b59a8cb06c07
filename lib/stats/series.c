/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "lab_stats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"

#define MAX_CAPACITY (1UL << 26)
#define MAX_SERIES   1024

struct series {
	struct lab_series_def def; /* name and unit point at the copies below */
	uint64_t last;             /* a counter's reading at the last sample */
	char name[LAB_SERIES_NAME_LEN];
	char unit[LAB_SERIES_NAME_LEN];
};

/*
 * A sample is a row: its time, then a value per series, so that a sample touches few cache lines.
 * There is at least one row more than the capacity: the row being written never is a readable one.
 */
struct lab_series_set {
	uint64_t interval_ns, start_ns;
	size_t capacity, mask, width; /* mask: rows - 1; width: words in a row */
	unsigned int max_series, count;
	bool started;
	struct series *series;
	uint64_t *rows;
	uint64_t head __attribute__((aligned(LAB_CACHE_LINE))); /* samples finished */
};

static size_t
rows_for(size_t capacity)
{
	size_t rows = 2;

	while (rows <= capacity)
		rows <<= 1;
	return rows;
}

int
lab_series_set_create(
	struct lab_series_set **out, uint64_t interval_ns, size_t capacity, unsigned int max_series)
{
	struct lab_series_set *set;
	size_t rows;

	if (!interval_ns || !capacity || capacity > MAX_CAPACITY || !max_series ||
		max_series > MAX_SERIES)
		return -EINVAL;
	set = aligned_alloc(LAB_CACHE_LINE, sizeof(*set));
	if (!set)
		return -ENOMEM;
	memset(set, 0, sizeof(*set));
	rows = rows_for(capacity);
	set->interval_ns = interval_ns;
	set->capacity = capacity;
	set->mask = rows - 1;
	set->max_series = max_series;
	set->width = max_series + 1;
	set->series = calloc(max_series, sizeof(*set->series));
	set->rows = calloc(rows * set->width, sizeof(*set->rows));
	if (!set->series || !set->rows) {
		lab_series_set_destroy(set);
		return -ENOMEM;
	}
	/* The sampler must not meet the page faults. */
	for (size_t i = 0; i < rows * set->width; i += 512)
		((volatile uint64_t *)set->rows)[i] = 0;
	*out = set;
	return 0;
}

void
lab_series_set_destroy(struct lab_series_set *set)
{
	if (!set)
		return;
	free(set->series);
	free(set->rows);
	free(set);
}

static bool
name_is_good(const char *name)
{
	return name && *name && strlen(name) < LAB_SERIES_NAME_LEN;
}

int
lab_series_add(struct lab_series_set *set, const struct lab_series_def *def)
{
	struct series *s;

	if (!name_is_good(def->name) || !name_is_good(def->unit) || !def->read ||
		(def->kind != LAB_SERIES_COUNTER && def->kind != LAB_SERIES_GAUGE))
		return -EINVAL;
	if (set->started)
		return -EBUSY;
	if (lab_series_find(set, def->name) >= 0)
		return -EEXIST;
	if (set->count == set->max_series)
		return -ENOSPC;
	s = &set->series[set->count];
	s->def = *def;
	strcpy(s->name, def->name);
	strcpy(s->unit, def->unit);
	s->def.name = s->name;
	s->def.unit = s->unit;
	return (int)set->count++;
}

static uint64_t
read_value(void *arg)
{
	return *(const uint64_t *)arg;
}

int
lab_series_add_values(struct lab_series_set *set, const struct lab_series_value *list, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = lab_series_add(set, &(struct lab_series_def){list[i].name, list[i].unit,
						 list[i].kind, read_value, list[i].value});
	return rc < 0 ? rc : 0;
}

void
lab_series_start(struct lab_series_set *set, uint64_t now_ns)
{
	for (unsigned int i = 0; i < set->count; i++)
		set->series[i].last = set->series[i].def.read(set->series[i].def.arg);
	__atomic_store_n(&set->head, 0, __ATOMIC_RELEASE);
	set->start_ns = now_ns;
	set->started = true;
}

static uint64_t
series_value(struct series *s)
{
	uint64_t now = s->def.read(s->def.arg), last = s->last;

	if (s->def.kind == LAB_SERIES_GAUGE)
		return now;
	s->last = now;
	return now >= last ? now - last : now;
}

int
lab_series_sample(struct lab_series_set *set, uint64_t now_ns)
{
	uint64_t head = set->head;
	uint64_t *row = set->rows + (head & set->mask) * set->width;

	if (!set->started)
		return -EINVAL;
	/* Whoever sees a word of this row must also see that head has come this far (row_read). */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&row[0], now_ns, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < set->count; i++)
		__atomic_store_n(&row[1 + i], series_value(&set->series[i]), __ATOMIC_RELAXED);
	__atomic_store_n(&set->head, head + 1, __ATOMIC_RELEASE);
	return 0;
}

unsigned int
lab_series_count(const struct lab_series_set *set)
{
	return set->count;
}

const char *
lab_series_name(const struct lab_series_set *set, unsigned int i)
{
	return i < set->count ? set->series[i].name : NULL;
}

const char *
lab_series_unit(const struct lab_series_set *set, unsigned int i)
{
	return i < set->count ? set->series[i].unit : NULL;
}

enum lab_series_kind
lab_series_kind_of(const struct lab_series_set *set, unsigned int i)
{
	return i < set->count ? set->series[i].def.kind : LAB_SERIES_COUNTER;
}

uint64_t
lab_series_interval(const struct lab_series_set *set)
{
	return set->interval_ns;
}

uint64_t
lab_series_start_ns(const struct lab_series_set *set)
{
	return set->start_ns;
}

int
lab_series_find(const struct lab_series_set *set, const char *name)
{
	for (unsigned int i = 0; name && i < set->count; i++) {
		if (!strcmp(set->series[i].name, name))
			return (int)i;
	}
	return -ENOENT;
}

struct lab_series_window
lab_series_window_get(const struct lab_series_set *set)
{
	uint64_t head = __atomic_load_n(&set->head, __ATOMIC_ACQUIRE);
	struct lab_series_window w = {.first = 0, .n = head};

	if (head > set->capacity) {
		w.first = head - set->capacity;
		w.n = set->capacity;
	}
	return w;
}

size_t
lab_series_length(const struct lab_series_set *set)
{
	return lab_series_window_get(set).n;
}

uint64_t
lab_series_lost(const struct lab_series_set *set)
{
	return lab_series_window_get(set).first;
}

/* Word `at` of the rows of a window, as doubles or as they are; one of the two outputs. */
static int
row_read(const struct lab_series_set *set, size_t at, struct lab_series_window w, double *value,
	uint64_t *word)
{
	uint64_t head = __atomic_load_n(&set->head, __ATOMIC_ACQUIRE);

	if (w.n > head || w.first > head - w.n)
		return -ERANGE;
	if (w.n == 0)
		return 0;
	for (size_t i = 0; i < w.n; i++) {
		const uint64_t *p = &set->rows[((w.first + i) & set->mask) * set->width + at];
		uint64_t v = __atomic_load_n(p, __ATOMIC_RELAXED);

		if (value)
			value[i] = (double)v;
		else
			word[i] = v;
	}
	/* The row of sample `head` may be half written: it stands where head - rows did. */
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	head = __atomic_load_n(&set->head, __ATOMIC_RELAXED);
	return head > set->mask && w.first < head - set->mask ? -ERANGE : 0;
}

int
lab_series_read(
	const struct lab_series_set *set, unsigned int i, struct lab_series_window w, double *out)
{
	if (i >= set->count)
		return -EINVAL;
	return row_read(set, 1 + i, w, out, NULL);
}

int
lab_series_times(const struct lab_series_set *set, struct lab_series_window w, uint64_t *out)
{
	return row_read(set, 0, w, NULL, out);
}

long
lab_series_get(const struct lab_series_set *set, const char *name, double *out, size_t n)
{
	int i = lab_series_find(set, name);
	struct lab_series_window w;

	if (i < 0)
		return i;
	/* A writer may lap the copy; the next window is then newer, and there are few such laps. */
	do {
		w = lab_series_window_get(set);
		if (w.n > n) {
			w.first += w.n - n;
			w.n = n;
		}
	} while (lab_series_read(set, (unsigned int)i, w, out) == -ERANGE);
	return (long)w.n;
}
