/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <lab_report.h>

#include "bench.h"
#include "find.h"
#include "table.h"

/* --------------------------------------------------------------- a column */

static json_t *
rounded(double v, double by)
{
	return isnan(v) ? json_null() : json_real(round(v * by) / by);
}

static double
median(const json_t *row)
{
	return find_number(row, "ns", "median");
}

static json_t *
like(const json_t *rows, const json_t *row, const char *name)
{
	return find_row(rows, name, json_string_value(json_object_get(row, "pattern")),
		(unsigned int)json_integer_value(json_object_get(row, "threads")),
		(unsigned int)json_integer_value(json_object_get(row, "order")));
}

static json_t *
ratio(const json_t *rows, const json_t *row, const char *to)
{
	double base = median(like(rows, row, to));

	return base > 0 ? rounded(median(row) / base, 1000) : json_null();
}

void
table_add_ratios(json_t *rows, size_t first)
{
	for (size_t i = first; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i), *o;

		if (json_object_get(row, "skipped") != NULL)
			continue;
		o = json_object();
		json_object_set_new(o, "cached_ring", ratio(rows, row, BENCH_ROW_CACHED));
		json_object_set_new(o, "uncached_ring", ratio(rows, row, BENCH_ROW_UNCACHED));
		json_object_set_new(row, "ratio", o);
	}
}

static void
set_latency(json_t *o, const json_t *row)
{
	static const struct {
		const char *point, *title;
	} points[] = {{"p50", "p50"}, {"p99", "p99"}, {"p99.9", "p99.9"}, {"p99.99", "p99.99"},
		{"max", "longest"}};
	const json_t *latency = json_object_get(row, "latency_ns");

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(points) && latency != NULL; i++)
		json_object_set_new(o, points[i].title,
			json_integer(llround(find_number(latency, "get", points[i].point))));
}

static json_t *
line(const json_t *row)
{
	json_t *o = json_object(), *ratio = json_object_get(row, "ratio");
	char clean[32];

	json_object_set(o, "allocator", json_object_get(row, "row"));
	json_object_set_new(o, "ns", rounded(median(row), 100));
	json_object_set_new(o, "min", rounded(find_number(row, "ns", "min"), 100));
	json_object_set_new(o, "max", rounded(find_number(row, "ns", "max"), 100));
	json_object_set(o, "/cached", json_object_get(ratio, "cached_ring"));
	json_object_set(o, "/uncached", json_object_get(ratio, "uncached_ring"));
	set_latency(o, row);
	json_object_set(o, "refused", json_object_get(row, "refusals"));
	json_object_set(o, "falsely", json_object_get(row, "false_refusals"));
	snprintf(clean, sizeof(clean), "%d of %d",
		(int)json_integer_value(json_object_get(row, "clean_rounds")),
		(int)json_integer_value(json_object_get(row, "rounds")));
	json_object_set_new(o, "clean", json_string(clean));
	return o;
}

static void
title(const json_t *row, FILE *out)
{
	unsigned int threads = json_integer_value(json_object_get(row, "threads"));

	fprintf(out, "%s, %u thread%s, order %d",
		json_string_value(json_object_get(row, "pattern")), threads, threads > 1 ? "s" : "",
		(int)json_integer_value(json_object_get(row, "order")));
}

void
table_column(const json_t *rows, size_t first, FILE *out)
{
	json_t *lines = json_array(), *unit = NULL;

	for (size_t i = first; i < json_array_size(rows); i++) {
		json_t *row = json_array_get(rows, i);

		if (json_object_get(row, "skipped") != NULL)
			continue;
		json_array_append_new(lines, line(row));
		unit = json_object_get(row, "unit");
	}
	title(json_array_get(rows, first), out);
	fprintf(out, ": ns %s; p50 to the longest: single gets\n",
		unit ? json_string_value(unit) : "a page");
	if (json_array_size(lines) > 0)
		lab_display(lines, LAB_FORMAT_TABLE, out);
	json_decref(lines);
	for (size_t i = first; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i), *why = json_object_get(row, "skipped");

		if (why != NULL)
			fprintf(out, "skipped %s: %s\n",
				json_string_value(json_object_get(row, "row")),
				json_string_value(why));
	}
	fputc('\n', out);
	fflush(out);
}

/* ---------------------------------------------------------------- Markdown */

/** What stands in a cell for a row of a column. */
typedef void (*cell_fn)(const json_t *row, FILE *out);

static void
cell_ns(const json_t *row, FILE *out)
{
	double ns = median(row);

	if (isnan(ns))
		fputs(" - |", out);
	else
		fprintf(out, ns < 10 ? " %.2f |" : ns < 100 ? " %.1f |" : " %.0f |", ns);
}

static void
cell_tail(const json_t *row, FILE *out)
{
	const json_t *latency = json_object_get(row, "latency_ns");

	if (isnan(find_number(latency, "get", "p50")))
		fputs(" - |", out);
	else
		fprintf(out, " %.0f/%.0f/%.0f/%.0f/%.0f |", find_number(latency, "get", "p50"),
			find_number(latency, "get", "p99"), find_number(latency, "get", "p99.9"),
			find_number(latency, "get", "p99.99"), find_number(latency, "get", "max"));
}

static void
cell_false(const json_t *row, FILE *out)
{
	const json_t *n = json_object_get(row, "false_refusals");

	if (n == NULL)
		fputs(" - |", out);
	else
		fprintf(out, " %lld |", (long long)json_integer_value(n));
}

static bool
was_measured(const json_t *rows, const char *pattern, unsigned int threads, unsigned int order)
{
	return find_row(rows, BENCH_ROW_EMPTY, pattern, threads, order) != NULL;
}

/** Columns with so many threads, at order 0 or at the others. */
static unsigned int
columns_of(const json_t *rows, unsigned int threads, bool orders, struct bench_column *out)
{
	unsigned int n = 0;

	for (unsigned int p = 0; p < bench_nr_patterns; p++)
		for (unsigned int o = 0; o <= bench_patterns[p].max_order; o++)
			if ((o > 0) == orders &&
				was_measured(rows, bench_patterns[p].name, threads, o))
				out[n++] = (struct bench_column){&bench_patterns[p], threads, o};
	return n;
}

static void
matrix(const json_t *rows, const char *says, unsigned int threads, bool orders, cell_fn cell,
	FILE *out)
{
	struct bench_column column[32];
	unsigned int n = columns_of(rows, threads, orders, column);

	if (n == 0)
		return;
	fprintf(out, "%s, %u thread%s:\n\n| allocator |", says, threads, threads > 1 ? "s" : "");
	for (unsigned int c = 0; c < n; c++)
		if (orders)
			fprintf(out, " order %u |", column[c].order);
		else
			fprintf(out, " %s |", column[c].pattern->name);
	fputs("\n|---|", out);
	for (unsigned int c = 0; c < n; c++)
		fputs("---:|", out);
	fputc('\n', out);
	for (unsigned int i = 0; i < bench_nr_allocs; i++) {
		const char *name = bench_allocs[i]->name;

		if (find_row(rows, name, column[0].pattern->name, threads, column[0].order) == NULL)
			continue;
		fprintf(out, "| %s |", name);
		for (unsigned int c = 0; c < n; c++)
			cell(find_row(
				     rows, name, column[c].pattern->name, threads, column[c].order),
				out);
		fputc('\n', out);
	}
	fputc('\n', out);
}

static void
markdown_targets(const json_t *targets, FILE *out)
{
	json_t *t;
	size_t i;

	fputs("| target, at most | row | ns | against | ratio | allowed | |\n"
	      "|---|---|---:|---:|---:|---:|---|\n",
		out);
	json_array_foreach (targets, i, t)
		fprintf(out, "| %s | %s | %.2f | %.2f | %.2f | %.2f | %s |\n",
			json_string_value(json_object_get(t, "target")),
			json_string_value(json_object_get(t, "row")),
			json_number_value(json_object_get(t, "ns")),
			json_number_value(json_object_get(t, "against ns")),
			json_number_value(json_object_get(t, "ratio")),
			json_number_value(json_object_get(t, "at most")),
			json_string_value(json_object_get(t, "verdict")));
	fputc('\n', out);
}

void
table_markdown(const json_t *about, const json_t *rows, const json_t *targets, FILE *out)
{
	const char *key;
	json_t *v;

	fputs("<!-- made by a command; do not edit -->\n", out);
	json_object_foreach ((json_t *)about, key, v) {
		char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

		fprintf(out, "- %s: %s\n", key, text ? text : "?");
		free(text);
	}
	fputc('\n', out);
	if (targets != NULL)
		markdown_targets(targets, out);
	for (unsigned int threads = 1; threads <= BENCH_MAX_THREADS; threads++)
		matrix(rows, "ns, medians", threads, false, cell_ns, out);
	matrix(rows, "ns a block by order (repeat), medians", 1, true, cell_ns, out);
	for (unsigned int threads = 1; threads <= BENCH_MAX_THREADS; threads++)
		matrix(rows, "Single gets, ns: p50/p99/p99.9/p99.99/max", threads, false, cell_tail,
			out);
	for (unsigned int threads = 1; threads <= BENCH_MAX_THREADS; threads++)
		matrix(rows, "False refusals", threads, false, cell_false, out);
}
