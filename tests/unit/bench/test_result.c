/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <lab_report.h>

#include "bench.h"
#include "check.h"
#include "find.h"
#include "options.h"
#include "table.h"

/* Rows of the test's own in the place of the program's table. */
static const struct bench_alloc empty = {.name = BENCH_ROW_EMPTY},
				labyrinth = {.name = "labyrinth", .flags = BENCH_BOUNDED},
				cached = {.name = BENCH_ROW_CACHED, .flags = BENCH_BOUNDED},
				uncached = {.name = BENCH_ROW_UNCACHED, .flags = BENCH_BOUNDED},
				heap = {.name = "heap"};
const struct bench_alloc *const bench_allocs[] = {&empty, &cached, &uncached, &labyrinth, &heap};
const unsigned int bench_nr_allocs = LAB_ARRAY_SIZE(bench_allocs);

static const struct bench_options options = {.latency = true, .shuffled = true, .seed = 1};
static const struct bench_env env = {.opt = &options, .ticks_a_ns = 2};

static double
ticks_of(const struct bench_sample *s)
{
	return s->ticks;
}

static const struct bench_pattern *
pattern(const char *name)
{
	for (unsigned int i = 0; i < bench_nr_patterns; i++)
		if (strcmp(bench_patterns[i].name, name) == 0)
			return &bench_patterns[i];
	fail_msg("no pattern %s", name);
	return NULL;
}

/** Large, so that a test has it on the heap. */
static struct bench_result *
result_new(const struct bench_alloc *a, const struct bench_column *c)
{
	struct bench_result *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->alloc = a;
	r->column = c;
	return r;
}

static void
add(struct bench_result *r, double ticks, bool clean, uint64_t pages)
{
	r->round[r->rounds++] = (struct bench_sample){
		.ticks = ticks, .wall = ticks, .clean = clean, .pages = pages};
}

static void
assert_figure(const struct bench_result *r, double median, double min, double max)
{
	struct bench_figure f = bench_figure(r, ticks_of);

	assert_true(f.median == median);
	assert_true(f.min == min);
	assert_true(f.max == max);
}

static void
test_clean_rounds_make_the_figure(void **state)
{
	struct bench_column c = {pattern("repeat"), 1, 0};
	struct bench_result *r = result_new(&labyrinth, &c);

	assert_figure(r, 0, 0, 0);
	add(r, 30, true, 1);
	assert_figure(r, 30, 30, 30);
	add(r, 10, true, 1);
	assert_figure(r, 20, 10, 30);
	add(r, 900, false, 1);
	add(r, 800, false, 1);
	add(r, 11, true, 1);
	assert_figure(r, 11, 10, 30);
	/* most are not clean: then all of them */
	add(r, 700, false, 1);
	assert_figure(r, 365, 10, 900);
	/* where nothing was served there is no figure */
	add(r, 0, true, 0);
	assert_figure(r, 11, 10, 30);
	free(r);
}

static void
test_refusals_are_told_apart(void **state)
{
	struct bench_column c = {pattern("fill"), 1, 0};
	struct bench_result *r = result_new(&labyrinth, &c);
	json_t *o;

	add(r, 20, true, 100);
	add(r, 20, true, 50);
	r->refused = 7;
	r->expected = 2;
	r->setup_refused = 3;
	o = bench_result_json(&env, r, NULL);
	assert_int_equal(json_integer_value(json_object_get(o, "pages")), 150);
	assert_int_equal(json_integer_value(json_object_get(o, "refusals")), 7);
	assert_int_equal(json_integer_value(json_object_get(o, "false_refusals")), 5);
	assert_int_equal(json_integer_value(json_object_get(o, "setup_refusals")), 3);
	assert_true(find_number(o, "ns", "median") == 10);
	json_decref(o);
	/* a heap has no number of pages that it promised */
	r->alloc = &heap;
	o = bench_result_json(&env, r, NULL);
	assert_int_equal(json_integer_value(json_object_get(o, "refusals")), 7);
	assert_int_equal(json_integer_value(json_object_get(o, "false_refusals")), 0);
	json_decref(o);
	free(r);
}

static void
test_a_skipped_row_has_no_figures(void **state)
{
	struct bench_column c = {pattern("repeat"), 2, 0};
	struct bench_result *r = result_new(&heap, &c);
	json_t *o;

	bench_why(r->why, "not today");
	o = bench_result_json(&env, r, NULL);
	assert_string_equal(json_string_value(json_object_get(o, "skipped")), "not today");
	assert_null(json_object_get(o, "ns"));
	assert_int_equal(json_integer_value(json_object_get(o, "threads")), 2);
	json_decref(o);
	free(r);
}

/** Percentile of the gets with the interruptions set apart, in ticks. */
static double
apart(const struct bench_result *r, const struct bench_result *e, const char *point)
{
	json_t *o = bench_result_json(&env, r, e);
	double v = find_number(json_object_get(o, "latency_ns"), "get_apart", point);

	json_decref(o);
	return v * env.ticks_a_ns;
}

static void
test_interruptions_are_set_apart(void **state)
{
	struct bench_column c = {pattern("rand95"), 1, 0};
	struct bench_result *r = result_new(&labyrinth, &c), *e = result_new(&empty, &c);

	add(r, 1, true, 1);
	lab_hist_record_n(&e->get, 40, 1000000);
	lab_hist_record_n(&e->get, 5000, 3000); /* the machine's */
	e->hist_ticks = 1000;
	lab_hist_record_n(&r->get, 50, 998000);
	lab_hist_record_n(
		&r->get, 200, 500); /* the allocator's own tail, too short for the machine's */
	lab_hist_record_n(&r->get, 5100, 1500); /* the machine's */
	r->hist_ticks = 500;
	/* half of the time, half of the interruptions: all that is long is the machine's */
	assert_true(apart(r, e, "p50") == 50);
	assert_true(apart(r, e, "p99.9") == 50);
	assert_in_range(apart(r, e, "p99.99"), 200, 206);
	/* but no more than that: what comes on top is the allocator's */
	lab_hist_record_n(&r->get, 5100, 2000);
	assert_in_range(apart(r, e, "p99.9"), 5100, 5260);
	free(r);
	free(e);
}

static json_t *
row_new(const char *name, const char *pattern_name, unsigned int threads, double ns, int falsely)
{
	return json_pack("{s:s s:s s:i s:i s:{s:f s:f s:f} s:i}", "row", name, "pattern",
		pattern_name, "threads", threads, "order", 0, "ns", "median", ns, "min", ns, "max",
		ns, "false_refusals", falsely);
}

static const char *
verdict_of(const json_t *targets, const char *like)
{
	json_t *t;
	size_t i;

	json_array_foreach (targets, i, t)
		if (find_is(t, "row", "labyrinth") &&
			strstr(json_string_value(json_object_get(t, "target")), like) != NULL)
			return json_string_value(json_object_get(t, "verdict"));
	fail_msg("no target like '%s'", like);
	return NULL;
}

static void
test_targets(void **state)
{
	json_t *rows = json_array(), *targets, *tail;

	json_array_append_new(rows, row_new(BENCH_ROW_CACHED, "repeat", 1, 2, 0));
	json_array_append_new(rows, row_new("labyrinth", "repeat", 1, 3, 0));
	json_array_append_new(rows, row_new(BENCH_ROW_CACHED, "repeat", 2, 2, 0));
	json_array_append_new(rows, row_new("labyrinth", "repeat", 2, 3.01, 0));
	json_array_append_new(rows, row_new(BENCH_ROW_UNCACHED, "rand999", 2, 100, 0));
	json_array_append_new(rows, row_new("labyrinth", "rand999", 2, 10, 1));
	json_array_append_new(rows, row_new("labyrinth", "zero", 1, 20, 0));
	json_array_append_new(rows, row_new("labyrinth", "nozero", 1, 10, 0));
	tail = row_new("labyrinth", "rand95", 1, 5, 0);
	json_object_set_new(tail, "latency_ns",
		json_pack("{s:{s:f s:f}}", "get_apart", "p50", 10.0, "p99.9", 41.0));
	json_array_append_new(rows, tail);
	targets = check_json(rows);
	assert_string_equal(verdict_of(targets, "repeat, 1 thread"), "met");
	assert_string_equal(verdict_of(targets, "repeat, 2 threads"), "missed");
	/* fast enough, but it refused falsely */
	assert_string_equal(verdict_of(targets, "99.9% full"), "missed");
	assert_string_equal(verdict_of(targets, "zeroed page"), "met");
	assert_string_equal(verdict_of(targets, "random replacement: p99.9"), "missed");
	assert_string_equal(verdict_of(targets, "core to core"), "not measured");
	json_decref(targets);
	json_decref(rows);
}

static void
test_ratios(void **state)
{
	json_t *rows = json_array();

	json_array_append_new(rows, row_new(BENCH_ROW_CACHED, "repeat", 1, 4, 0));
	json_array_append_new(rows, row_new("labyrinth", "repeat", 1, 6, 0));
	json_array_append_new(rows, row_new(BENCH_ROW_CACHED, "repeat", 2, 1, 0));
	table_add_ratios(rows, 0);
	assert_true(find_number(json_array_get(rows, 1), "ratio", "cached_ring") == 1.5);
	assert_true(json_is_null(json_object_get(
		json_object_get(json_array_get(rows, 1), "ratio"), "uncached_ring")));
	json_decref(rows);
}

/** What --check measures when nothing is said is enough for all its targets. */
static void
test_targets_name_what_they_need(void **state)
{
	assert_true(check_needs("repeat", 1));
	assert_true(check_needs("repeat", 2));
	assert_true(check_needs("zero", 1));
	assert_true(check_needs("nozero", 1));
	assert_true(check_needs("rand999", 2));
	assert_false(check_needs("rand999", 1));
	assert_false(check_needs("fill", 1));
	assert_int_equal(check_allocs(), 2 | 4 | 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_rounds_make_the_figure),
		cmocka_unit_test(test_refusals_are_told_apart),
		cmocka_unit_test(test_a_skipped_row_has_no_figures),
		cmocka_unit_test(test_interruptions_are_set_apart),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_ratios),
		cmocka_unit_test(test_targets_name_what_they_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
