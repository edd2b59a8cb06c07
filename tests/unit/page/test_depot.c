/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Batches of pages between CPUs: whole, never twice, and nobody waits for who has a slot. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "depot.h"
#include "lab_base.h"

static struct depot depot;

static void *
page(uintptr_t i)
{
	return (void *)((i + 1) << 12);
}

static void
fill(void **out, uintptr_t first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		out[i] = page(first + i);
}

static void
test_slots(void **state)
{
	void *in[DEPOT_BATCH], *out[DEPOT_BATCH];
	struct percpu_sum sum = {0};

	memset(&depot, 0, sizeof(depot));
	assert_int_equal(depot_take(&depot, out), 0);
	fill(in, 0, DEPOT_BATCH);
	assert_false(depot_put(&depot, in, DEPOT_BATCH, 0));
	assert_true(depot_put(&depot, in, DEPOT_BATCH, 1));
	assert_false(depot_put(&depot, in, 3, 1)); /* no further slot is allowed */
	for (unsigned int i = 1; i < DEPOT_SLOTS; i++) {
		fill(in, i * 100, i);
		assert_true(depot_put(&depot, in, i, 1000));
	}
	assert_false(depot_put(&depot, in, 1, 1000)); /* there is none */
	assert_int_equal(depot_count(&depot), DEPOT_BATCH + DEPOT_SLOTS * (DEPOT_SLOTS - 1) / 2);
	depot_add_up(&depot, &sum);
	assert_int_equal(sum.held, depot_count(&depot));
	for (unsigned int i = DEPOT_SLOTS - 1; i > 0; i--) {
		assert_int_equal(depot_take(&depot, out), i);
		fill(in, i * 100, i);
		assert_memory_equal(in, out, i * sizeof(*in));
	}
	assert_int_equal(depot_take(&depot, out), DEPOT_BATCH);
	assert_int_equal(depot_count(&depot), 0);
}

/* A batch that somebody reads where it lies is nobody else's, and its slot no room. */
static void
test_open(void **state)
{
	void *in[DEPOT_BATCH], *out[DEPOT_BATCH], **pages;
	unsigned int n;

	memset(&depot, 0, sizeof(depot));
	assert_null(depot_open(&depot, &n));
	assert_false(depot_full(&depot, 1));
	fill(in, 0, 9);
	assert_true(depot_put(&depot, in, 9, 1));
	assert_true(depot_full(&depot, 1));
	assert_false(depot_full(&depot, 2));
	pages = depot_open(&depot, &n);
	assert_int_equal(n, 9);
	assert_memory_equal(in, pages, n * sizeof(*in));
	assert_int_equal(depot_take(&depot, out), 0);
	assert_false(depot_put(&depot, in, 1, 1));
	depot_close(&depot, pages);
	assert_int_equal(depot_count(&depot), 0);
	for (unsigned int i = 0; i < DEPOT_SLOTS; i++)
		assert_true(depot_put(&depot, in, 1 + i, DEPOT_SLOTS));
	for (unsigned int i = DEPOT_SLOTS; i > 0; i--) {
		pages = depot_open(&depot, &n);
		assert_int_equal(n, i);
		depot_close(&depot, pages);
	}
}

/* What comes and goes between two sums shows in their events, whatever they hold. */
static void
test_sums(void **state)
{
	struct percpu_sum before = {0}, after = {0};
	void *out[DEPOT_BATCH];

	memset(&depot, 0, sizeof(depot));
	fill(out, 0, 5);
	depot_add_up(&depot, &before);
	assert_true(depot_put(&depot, out, 5, DEPOT_SLOTS));
	assert_int_equal(depot_take(&depot, out), 5);
	depot_add_up(&depot, &after);
	assert_int_equal(after.held, 0);
	assert_true(after.events > before.events);
}

/* A thread stopped, or killed, with a slot in its hands. */
static void
test_stopped(void **state)
{
	void *out[DEPOT_BATCH];
	struct percpu_sum sum = {0};

	memset(&depot, 0, sizeof(depot));
	depot.word[0] = 0x1ff;
	depot.word[7] = 0x3ff;
	for (unsigned int i = 0; i < DEPOT_SLOTS - 2; i++) {
		fill(out, 64 * i, 64);
		assert_true(depot_put(&depot, out, 64, DEPOT_SLOTS));
	}
	assert_false(depot_put(&depot, out, 64, DEPOT_SLOTS));
	assert_int_equal(depot_count(&depot), 64 * (DEPOT_SLOTS - 2));
	depot_add_up(&depot, &sum);
	assert_int_equal(sum.held, 64 * (DEPOT_SLOTS - 2));
	for (unsigned int i = 0; i < DEPOT_SLOTS - 2; i++)
		assert_int_equal(depot_take(&depot, out), 64);
	assert_int_equal(depot_take(&depot, out), 0);
	depot_end_dead(&depot);
	for (unsigned int i = 0; i < DEPOT_SLOTS; i++)
		assert_true(depot_put(&depot, out, 1, DEPOT_SLOTS));
}

#define THREADS 4
#define ROUNDS  100000
#define PAGES   (THREADS * 2 * DEPOT_BATCH)

static _Atomic uint8_t owner[PAGES + 1];

static void *
exchange(void *arg)
{
	uintptr_t self = (uintptr_t)arg;
	void *batch[2][DEPOT_BATCH];
	unsigned int n[2] = {DEPOT_BATCH, (unsigned int)self};

	fill(batch[0], self * 2 * DEPOT_BATCH, DEPOT_BATCH);
	fill(batch[1], (self * 2 + 1) * DEPOT_BATCH, n[1]);
	for (unsigned int r = 0; r < ROUNDS; r++) {
		for (int b = 0; b < 2; b++) {
			if (n[b] > 0 && depot_put(&depot, batch[b], n[b], DEPOT_SLOTS))
				n[b] = 0;
			else if (n[b] == 0)
				n[b] = depot_take(&depot, batch[b]);
			for (unsigned int i = 0; i < n[b]; i++) {
				uintptr_t p = (uintptr_t)batch[b][i] >> 12;

				lab_assert_always(
					p <= PAGES && atomic_fetch_add(&owner[p], 1) == 0);
			}
			for (unsigned int i = 0; i < n[b]; i++)
				atomic_fetch_sub(&owner[(uintptr_t)batch[b][i] >> 12], 1);
		}
	}
	for (int b = 0; b < 2; b++)
		if (n[b] > 0)
			lab_assert_always(depot_put(&depot, batch[b], n[b], DEPOT_SLOTS));
	return NULL;
}

static void
test_threads(void **state)
{
	unsigned int all = THREADS * DEPOT_BATCH, n, got = 0;
	pthread_t thread[THREADS];
	void *out[DEPOT_BATCH];

	memset(&depot, 0, sizeof(depot));
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, exchange, (void *)i);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		all += i;
	}
	assert_int_equal(depot_count(&depot), all);
	while ((n = depot_take(&depot, out)) > 0)
		got += n;
	assert_int_equal(got, all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("depot", tests, NULL, NULL);
}
