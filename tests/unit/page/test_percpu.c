/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Per-CPU stacks under threads that migrate, thieves, and a signal handler that uses them in the midst
 * of themselves: every page is somewhere exactly once. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab_base.h"
#include "percpu.h"

#define PAGES   3000
#define THREADS 4

/* Pages are numbers here, from 1 on: the stacks do not look at them. */
static struct percpu stacks;
static _Atomic int owners[PAGES + 1];
static _Atomic(void *) shelf[PAGES + 1]; /* where pages go that no stack has room for */
static _Atomic bool stop;
static _Atomic unsigned long interruptions, served, stolen;

static void
own(void *const *page, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		lab_assert_always(atomic_fetch_add(&owners[(uintptr_t)page[i]], 1) == 0);
}

static void
disown(void *const *page, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		lab_assert_always(atomic_fetch_sub(&owners[(uintptr_t)page[i]], 1) == 1);
}

static void
shelve(void *const *page, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		lab_assert_always(atomic_exchange(&shelf[(uintptr_t)page[i]], page[i]) == NULL);
}

static void *
unshelve(void)
{
	for (unsigned int i = 1; i <= PAGES; i++) {
		void *page = atomic_load_explicit(&shelf[i], memory_order_relaxed);

		if (page != NULL && atomic_exchange(&shelf[i], NULL) != NULL)
			return page;
	}
	return NULL;
}

static void *
get(void)
{
	void *page = percpu_pop_one(&stacks);

	if (page != NULL)
		return page;
	percpu_reopen(&stacks);
	page = unshelve();
	if (page == NULL && percpu_steal(&stacks, &page, 1) == 1)
		stolen++;
	return page;
}

static void
put(void *page)
{
	if (percpu_push_one(&stacks, page))
		return;
	percpu_reopen(&stacks);
	shelve(&page, 1);
}

static void
use_one(void)
{
	void *page = get();

	if (page == NULL)
		return;
	own(&page, 1);
	disown(&page, 1);
	put(page);
}

static void
use_many(unsigned int n)
{
	void *page[64];

	if (!percpu_pop(&stacks, page, n))
		return;
	own(page, n);
	disown(page, n);
	if (!percpu_push(&stacks, page, n))
		shelve(page, n);
}

static void
rob(unsigned int n)
{
	void *page[64];

	n = percpu_steal(&stacks, page, n);
	stolen += n;
	own(page, n);
	disown(page, n);
	shelve(page, n);
}

static void
interrupt(int sig)
{
	interruptions++;
	use_one();
	use_many(8);
	served++;
}

static void *
work(void *arg)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, (uintptr_t)arg);
	while (!atomic_load(&stop)) {
		uint64_t what = lab_rng_below(&rng, 64);

		if (what == 0)
			rob(1 + lab_rng_below(&rng, 64));
		else if (what < 32)
			use_one();
		else
			use_many(1 + lab_rng_below(&rng, 64));
	}
	return NULL;
}

static void
every(unsigned int usec)
{
	struct itimerval it = {{0, usec}, {0, usec}};

	setitimer(ITIMER_REAL, &it, NULL);
}

static int
setup(void **state)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	size_t bytes = percpu_stack_bytes(PERCPU_MAX_SLOTS);

	stacks = (struct percpu){.stack = aligned_alloc(64, cpus * bytes),
		.stride = bytes,
		.nr_cpus = cpus,
		.slots = PERCPU_MAX_SLOTS};
	memset(stacks.stack, 0, cpus * bytes);
	percpu_init(&stacks);
	percpu_reopen(&stacks);
	return 0;
}

static int
teardown(void **state)
{
	free(stacks.stack);
	return 0;
}

static void
test_all_or_none(void **state)
{
	void *in[PERCPU_MAX_SLOTS + 1], *out[PERCPU_MAX_SLOTS + 1];

	/* on one CPU, so that it is one stack */
	for (uintptr_t i = 0; i <= PERCPU_MAX_SLOTS; i++)
		in[i] = (void *)(i + 1);
	assert_false(percpu_pop(&stacks, out, 1));
	assert_null(percpu_pop_one(&stacks));
	assert_false(percpu_push(&stacks, in, PERCPU_MAX_SLOTS + 1));
	assert_true(percpu_push(&stacks, in, PERCPU_MAX_SLOTS));
	assert_false(percpu_push_one(&stacks, in[PERCPU_MAX_SLOTS]));
	assert_int_equal(percpu_count(&stacks), PERCPU_MAX_SLOTS);
	for (unsigned int n = 1; n <= 17; n += 4) {
		assert_true(percpu_pop(&stacks, out, n));
		assert_memory_equal(out, in + PERCPU_MAX_SLOTS - n, n * sizeof(*out));
		assert_true(percpu_push(&stacks, out, n));
	}
	assert_true(percpu_pop(&stacks, out, PERCPU_MAX_SLOTS));
	assert_memory_equal(in, out, PERCPU_MAX_SLOTS * sizeof(*in));
	assert_int_equal(percpu_count(&stacks), 0);
}

/* A burst with one page that is no block of the memory goes nowhere, wherever in the burst it stands. */
static void
test_blocks(void **state)
{
	const uintptr_t base = 1UL << 40, bytes = 8192, last = base + 999 * bytes;
	const uintptr_t wrong[] = {0, base - 1, base - bytes, base + 4096, base + 1, last + 1,
		last + 4096, last + bytes, UINTPTR_MAX & ~(bytes - 1), last - 8};
	void *in[20], *out[20];

	for (unsigned int n = 1; n <= LAB_ARRAY_SIZE(in); n++) {
		for (uintptr_t i = 0; i < n; i++)
			in[i] = (void *)(i % 3 == 0 ? base : i % 3 == 1 ? last : base + i * bytes);
		for (unsigned int i = 0; i < n * LAB_ARRAY_SIZE(wrong); i++) {
			void *good = in[i % n];

			in[i % n] = (void *)wrong[i / n];
			assert_false(percpu_push_blocks(&stacks, in, n, base, last, bytes));
			in[i % n] = good;
		}
		assert_int_equal(percpu_count(&stacks), 0);
		assert_true(percpu_push_blocks(&stacks, in, n, base, last, bytes));
		assert_true(percpu_pop(&stacks, out, n));
		assert_memory_equal(in, out, n * sizeof(*in));
	}
	while (percpu_push_blocks(&stacks, in, 20, base, last, bytes))
		;
	assert_int_equal(percpu_count(&stacks), PERCPU_MAX_SLOTS / 20 * 20);
	while (percpu_pop(&stacks, out, 20))
		assert_memory_equal(in, out, sizeof(in));
}

static void
test_steal_takes_all(void **state)
{
	void *in[100], *out[100];

	for (uintptr_t i = 0; i < 100; i++)
		in[i] = (void *)(i + 1);
	assert_true(percpu_push(&stacks, in, 100));
	assert_int_equal(percpu_steal(&stacks, out, 40), 40);
	assert_int_equal(percpu_count(&stacks), 60);
	assert_int_equal(percpu_steal(&stacks, out, 100), 60);
	assert_int_equal(percpu_steal(&stacks, out, 100), 0);
	/* and the owner can go on */
	assert_true(percpu_push_one(&stacks, in[0]));
	assert_ptr_equal(percpu_pop_one(&stacks), in[0]);
}

static void
test_interrupted(void **state)
{
	pthread_t thread[THREADS];
	unsigned int found = 0;
	void *page;

	for (uintptr_t i = 1; i <= PAGES; i++)
		put((void *)i);
	signal(SIGALRM, interrupt);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, (void *)(i + 1)), 0);
	every(50);
	while (interruptions < 20000)
		usleep(100000); /* cut short by each of them */
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	every(0);
	while ((page = get()) != NULL) {
		own(&page, 1);
		found++;
	}
	print_message("%lu interruptions, %lu stolen pages\n", interruptions, stolen);
	assert_int_equal(found, PAGES);
	assert_true(served == interruptions && stolen > 0);
}

static void
pin(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void
unpin(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

static int
setup_pinned(void **state)
{
	pin();
	return setup(state);
}

static int
teardown_pinned(void **state)
{
	unpin();
	return teardown(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_or_none, setup_pinned, teardown_pinned),
		cmocka_unit_test_setup_teardown(test_blocks, setup_pinned, teardown_pinned),
		cmocka_unit_test_setup_teardown(
			test_steal_takes_all, setup_pinned, teardown_pinned),
		cmocka_unit_test_setup_teardown(test_interrupted, setup, teardown),
	};

	if (!percpu_available()) {
		printf("skipped: no restartable sequences here (rseq, membarrier, x86-64, no "
		       "ThreadSanitizer)\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
