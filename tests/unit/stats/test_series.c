/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lab_stats.h"

static uint64_t
read_u64(void *arg)
{
	return *(uint64_t *)arg;
}

static struct lab_series_def
def(const char *name, enum lab_series_kind kind, uint64_t *from)
{
	return (struct lab_series_def){
		.name = name, .unit = "packets", .kind = kind, .read = read_u64, .arg = from};
}

static void
test_counters_and_gauges(void **state)
{
	struct lab_series_set *set;
	struct lab_series_def d;
	uint64_t drops = 100, level = 7, times[3];
	struct lab_series_window w;
	double out[8];

	assert_int_equal(lab_series_set_create(&set, 1000, 16, 2), 0);
	d = def("drops", LAB_SERIES_COUNTER, &drops);
	assert_int_equal(lab_series_add(set, &d), 0);
	assert_int_equal(lab_series_add(set, &d), -EEXIST);
	d = def("level", LAB_SERIES_GAUGE, &level);
	assert_int_equal(lab_series_add(set, &d), 1);
	d = def("more", LAB_SERIES_GAUGE, &level);
	assert_int_equal(lab_series_add(set, &d), -ENOSPC);
	assert_int_equal(lab_series_sample(set, 0), -EINVAL);
	lab_series_start(set, 5);
	assert_int_equal(lab_series_add(set, &d), -EBUSY);
	assert_int_equal(lab_series_start_ns(set), 5);
	drops = 103;
	lab_series_sample(set, 1005);
	level = 9;
	lab_series_sample(set, 2005);
	drops = 2; /* someone cleared the counter, and two more came */
	lab_series_sample(set, 3005);
	assert_int_equal(lab_series_get(set, "drops", out, 8), 3);
	assert_true(out[0] == 3 && out[1] == 0 && out[2] == 2);
	assert_int_equal(lab_series_get(set, "level", out, 2), 2);
	assert_true(out[0] == 9 && out[1] == 9);
	assert_int_equal(lab_series_get(set, "nobody", out, 8), -ENOENT);
	w = lab_series_window_get(set);
	assert_int_equal(lab_series_times(set, w, times), 0);
	assert_int_equal(times[0], 1005);
	assert_int_equal(times[2], 3005);
	assert_string_equal(lab_series_name(set, 1), "level");
	assert_string_equal(lab_series_unit(set, 1), "packets");
	assert_int_equal(lab_series_kind_of(set, 1), LAB_SERIES_GAUGE);
	assert_null(lab_series_name(set, 2));
	assert_int_equal(lab_series_interval(set), 1000);
	lab_series_set_destroy(set);
}

/* Numbers in memory, several at once. */
static void
test_values(void **state)
{
	uint64_t drops = 5, level = 7;
	const struct lab_series_value list[] = {
		{"drops", "packets", LAB_SERIES_COUNTER, &drops},
		{"level", "pages", LAB_SERIES_GAUGE, &level},
	};
	struct lab_series_set *set;
	double out[2];

	assert_int_equal(lab_series_set_create(&set, 1000, 16, 3), 0);
	assert_int_equal(lab_series_add_values(set, list, 0), 0);
	assert_int_equal(lab_series_add_values(set, list, 2), 0);
	assert_int_equal(lab_series_add_values(set, list + 1, 1), -EEXIST);
	assert_int_equal(lab_series_count(set), 2);
	assert_string_equal(lab_series_unit(set, 1), "pages");
	lab_series_start(set, 0);
	drops = 8;
	level = 9;
	lab_series_sample(set, 1000);
	assert_int_equal(lab_series_get(set, "drops", out, 1), 1);
	assert_true(out[0] == 3);
	assert_int_equal(lab_series_get(set, "level", out, 1), 1);
	assert_true(out[0] == 9);
	lab_series_set_destroy(set);
}

static void
test_full_ring_keeps_the_newest(void **state)
{
	for (size_t capacity = 1; capacity < 20; capacity++) {
		struct lab_series_set *set;
		struct lab_series_window w;
		struct lab_series_def d;
		uint64_t level = 0;
		double out[20];

		assert_int_equal(lab_series_set_create(&set, 1, capacity, 1), 0);
		d = def("level", LAB_SERIES_GAUGE, &level);
		lab_series_add(set, &d);
		lab_series_start(set, 0);
		for (level = 0; level < 50; level++) {
			lab_series_sample(set, level);
			assert_int_equal(lab_series_length(set),
				level + 1 < capacity ? level + 1 : capacity);
		}
		assert_int_equal(lab_series_lost(set), 50 - capacity);
		assert_int_equal(lab_series_get(set, "level", out, 20), capacity);
		for (size_t i = 0; i < capacity; i++)
			assert_true(out[i] == (double)(50 - capacity + i));
		w = lab_series_window_get(set);
		assert_int_equal(lab_series_read(set, 0, w, out), 0);
		w.first++; /* one that is not there yet */
		assert_int_equal(lab_series_read(set, 0, w, out), -ERANGE);
		w.first = 0;
		assert_int_equal(lab_series_read(set, 0, w, out), -ERANGE);
		assert_int_equal(lab_series_read(set, 1, w, out), -EINVAL);
		lab_series_start(set, 0);
		assert_int_equal(lab_series_length(set), 0);
		assert_int_equal(lab_series_lost(set), 0);
		assert_int_equal(lab_series_get(set, "level", out, 20), 0);
		lab_series_set_destroy(set);
	}
}

static void
test_bad_input(void **state)
{
	struct lab_series_set *set;
	struct lab_series_def d;
	uint64_t v = 0;
	char name[LAB_SERIES_NAME_LEN + 1];

	assert_int_equal(lab_series_set_create(&set, 0, 1, 1), -EINVAL);
	assert_int_equal(lab_series_set_create(&set, 1, 0, 1), -EINVAL);
	assert_int_equal(lab_series_set_create(&set, 1, 1, 0), -EINVAL);
	assert_int_equal(lab_series_set_create(&set, 1, SIZE_MAX, 1), -EINVAL);
	assert_int_equal(lab_series_set_create(&set, 1, 1, 100000), -EINVAL);
	lab_series_set_destroy(NULL);
	assert_int_equal(lab_series_set_create(&set, 1, 4, 4), 0);
	memset(name, 'n', sizeof(name));
	name[LAB_SERIES_NAME_LEN] = '\0';
	d = def(name, LAB_SERIES_GAUGE, &v);
	assert_int_equal(lab_series_add(set, &d), -EINVAL);
	d = def("", LAB_SERIES_GAUGE, &v);
	assert_int_equal(lab_series_add(set, &d), -EINVAL);
	d = def("x", LAB_SERIES_GAUGE, &v);
	d.unit = NULL;
	assert_int_equal(lab_series_add(set, &d), -EINVAL);
	d = def("x", (enum lab_series_kind)9, &v);
	assert_int_equal(lab_series_add(set, &d), -EINVAL);
	d = def("x", LAB_SERIES_GAUGE, &v);
	d.read = NULL;
	assert_int_equal(lab_series_add(set, &d), -EINVAL);
	assert_int_equal(lab_series_count(set), 0);
	assert_int_equal(lab_series_find(set, NULL), -ENOENT);
	lab_series_set_destroy(set);
}

struct twins {
	struct lab_series_set *set;
	uint64_t value;
	bool stop;
};

static void *
sample_on(void *arg)
{
	struct twins *t = arg;

	while (!__atomic_load_n(&t->stop, __ATOMIC_RELAXED)) {
		t->value++;
		lab_series_sample(t->set, t->value);
	}
	return NULL;
}

/* Two series of one value, a tiny ring and a writer at full speed: what a reader gets is never torn. */
static void
test_reading_while_sampling(void **state)
{
	enum { CAPACITY = 64 };
	struct twins t = {0};
	struct lab_series_def d;
	double a[CAPACITY], b[CAPACITY];
	unsigned int good = 0;
	pthread_t writer;

	assert_int_equal(lab_series_set_create(&t.set, 1, CAPACITY, 2), 0);
	d = def("a", LAB_SERIES_GAUGE, &t.value);
	lab_series_add(t.set, &d);
	d = def("b", LAB_SERIES_GAUGE, &t.value);
	lab_series_add(t.set, &d);
	lab_series_start(t.set, 0);
	assert_int_equal(pthread_create(&writer, NULL, sample_on, &t), 0);
	for (int i = 0; i < 2000000 && good < 2000; i++) {
		struct lab_series_window w = lab_series_window_get(t.set);

		/* The newest few: the writer laps a reader of all 64 nearly always. */
		if (w.n > 4) {
			w.first += w.n - 4;
			w.n = 4;
		}
		if (lab_series_read(t.set, 0, w, a) || lab_series_read(t.set, 1, w, b))
			continue;
		for (size_t k = 0; k < w.n; k++) {
			assert_true(a[k] == (double)(w.first + k + 1));
			assert_true(b[k] == a[k]);
		}
		good += w.n > 0;
	}
	__atomic_store_n(&t.stop, true, __ATOMIC_RELAXED);
	pthread_join(writer, NULL);
	assert_true(good > 100);
	lab_series_set_destroy(t.set);
}

static void
test_sampling_allocates_nothing(void **state)
{
	struct lab_series_set *set;
	uint64_t v[16] = {0};
	struct mallinfo2 before, after;
	struct timespec a, b;
	double ns;

	assert_int_equal(lab_series_set_create(&set, 1, 4096, 16), 0);
	for (int i = 0; i < 16; i++) {
		char name[8];
		struct lab_series_def d;

		snprintf(name, sizeof(name), "s%d", i);
		d = def(name, i % 2 ? LAB_SERIES_GAUGE : LAB_SERIES_COUNTER, &v[i]);
		assert_int_equal(lab_series_add(set, &d), i);
	}
	lab_series_start(set, 0);
	before = mallinfo2();
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 200000; i++)
		lab_series_sample(set, (uint64_t)i);
	clock_gettime(CLOCK_MONOTONIC, &b);
	after = mallinfo2();
	assert_true(before.uordblks == after.uordblks);
	ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / 200000;
	print_message("a sample of 16 series: %.0f ns\n", ns);
	/* 1% of the default interval of 10 ms is 100 us; a sanitizer may have part of it. */
	assert_true(ns < 20000);
	lab_series_set_destroy(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_and_gauges),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_full_ring_keeps_the_newest),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_reading_while_sampling),
		cmocka_unit_test(test_sampling_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
