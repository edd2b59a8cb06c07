/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* The lock-free store of frames against a plain array, alone and under threads. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "frames_fixture.h"
#include "lab_base.h"

/* ------------------------------------------------------------------ model */

#define MODEL_FRAMES (20 * FRAMES_CHILD + 100) /* the last child is cut */

struct held {
	uint32_t pfn;
	unsigned int order;
};

struct model {
	struct frames *f;
	struct lab_rng rng;
	struct frames_cursor cur;
	uint8_t taken[MODEL_FRAMES];
	struct held held[MODEL_FRAMES];
	unsigned int nr_held;
	unsigned long nr_taken;
};

static void
model_take(struct model *m, uint32_t pfn, unsigned int order)
{
	assert_int_equal(pfn & ((1U << order) - 1), 0);
	assert_true(pfn + (1U << order) <= MODEL_FRAMES);
	for (uint32_t i = pfn; i < pfn + (1U << order); i++) {
		assert_int_equal(m->taken[i], 0);
		m->taken[i] = 1;
	}
	m->held[m->nr_held++] = (struct held){pfn, order};
	m->nr_taken += 1UL << order;
}

static bool
model_has(const struct model *m, unsigned int order)
{
	for (uint32_t b = 0; b + (1U << order) <= MODEL_FRAMES; b += 1U << order)
		if (memchr(m->taken + b, 1, 1U << order) == NULL)
			return true;
	return false;
}

/* A refusal is true: the array has no such block either. */
static void
step_alloc(struct model *m)
{
	unsigned int order = lab_rng_below(&m->rng, 4) ? 0 : lab_rng_below(&m->rng, 11);
	uint32_t pfn = frames_alloc(m->f, order, lab_rng_below(&m->rng, 4), &m->cur);

	if (pfn == FRAMES_NONE)
		assert_false(model_has(m, order));
	else
		model_take(m, pfn, order);
}

static void
step_batch(struct model *m)
{
	unsigned int want = 1 + lab_rng_below(&m->rng, 64), got;
	unsigned int order = lab_rng_below(&m->rng, 2) ? 0 : lab_rng_below(&m->rng, 7);
	uint32_t pfn[64];

	got = frames_alloc_batch(m->f, order, lab_rng_below(&m->rng, 4), want, pfn, &m->cur);
	assert_true(got <= want);
	if (got == 0)
		assert_false(model_has(m, order));
	for (unsigned int i = 0; i < got; i++)
		model_take(m, pfn[i], order);
}

static void
step_free(struct model *m)
{
	struct held h;
	unsigned int i;

	if (m->nr_held == 0)
		return;
	i = lab_rng_below(&m->rng, m->nr_held);
	h = m->held[i];
	m->held[i] = m->held[--m->nr_held];
	assert_int_equal(frames_free(m->f, h.pfn, h.order), 0);
	assert_int_equal(frames_free(m->f, h.pfn, h.order), -EALREADY);
	memset(m->taken + h.pfn, 0, 1U << h.order);
	m->nr_taken -= 1UL << h.order;
}

static void
run_model(uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->f = make(MODEL_FRAMES);
	lab_rng_seed(&m->rng, seed);
	for (unsigned int i = 0; i < 60000; i++) {
		/* fill and drain in turn */
		unsigned int alloc = i / 10000 % 2 ? 40 : 60;

		if (lab_rng_below(&m->rng, 100) >= alloc)
			step_free(m);
		else if (lab_rng_below(&m->rng, 3) == 0)
			step_batch(m);
		else
			step_alloc(m);
		if (i % 500 == 0)
			assert_valid(m->f, MODEL_FRAMES - m->nr_taken);
	}
	free(m->f);
	free(m);
}

static void
test_model(void **state)
{
	for (uint64_t seed = 1; seed <= 5; seed++)
		run_model(seed);
}

/* ------------------------------------------------------------------ rules */

static void
test_bad_frees(void **state)
{
	struct frames *f = make(2 * FRAMES_CHILD);
	struct frames_cursor cur = {0};
	uint32_t pfn = frames_alloc(f, 3, 0, &cur);

	assert_int_equal(frames_free(f, 2 * FRAMES_CHILD, 0), -EINVAL);
	assert_int_equal(frames_free(f, pfn + 1, 1), -EINVAL);
	assert_int_equal(frames_free(f, pfn, FRAMES_MAX_ORDER + 1), -EINVAL);
	assert_int_equal(frames_free(f, pfn, 4), -EALREADY); /* its other half is free */
	assert_int_equal(frames_free(f, pfn, 3), 0);
	assert_valid(f, 2 * FRAMES_CHILD);
	free(f);
}

/* Kinds of lifetime stay in children of their own while there are untouched ones. */
static void
test_classes_apart(void **state)
{
	struct frames *f = make(16 * FRAMES_CHILD);
	struct frames_cursor cur = {0};
	unsigned int class[16] = {0}, seen[16] = {0};

	for (unsigned int i = 0; i < 4 * FRAMES_CHILD; i++) {
		unsigned int c = i % 2;
		uint32_t child = frames_alloc(f, 0, c, &cur) / FRAMES_CHILD;

		if (seen[child]++ > 0)
			assert_int_equal(class[child], c);
		class[child] = c;
	}
	free(f);
}

/* A block that does not fit the larger ones leaves them whole. */
static void
test_small_requests_break_small_blocks(void **state)
{
	struct frames *f = make(4 * FRAMES_CHILD);
	struct frames_cursor cur = {0};
	uint32_t pfn = frames_alloc(f, 5, 0, &cur);

	assert_int_equal(frames_free(f, pfn, 5), 0);
	pfn = frames_alloc(f, 0, 0, &cur);
	for (unsigned int i = 0; i < 31; i++)
		assert_int_equal(frames_alloc(f, 0, 0, &cur) / 64, pfn / 64);
	free(f);
}

static void
test_bounded(void **state)
{
	struct frames *f = make(1U << 18);
	struct frames_cursor cur = {0};

	/* alone, a request looks at a fixed number of words, however full the store is */
	for (uint32_t n = 0; n < 1U << 18; n++) {
		frames_steps = 0;
		assert_int_not_equal(frames_alloc(f, 0, 0, &cur), FRAMES_NONE);
		assert_true(frames_steps <= FRAMES_STEPS);
	}
	frames_steps = 0;
	assert_int_equal(frames_alloc(f, 0, 0, &cur), FRAMES_NONE);
	assert_true(frames_steps <= FRAMES_STEPS);
	free(f);
}

/* Likewise where classes and orders are mixed, and all that is free is in small pieces. */
static void
test_bounded_mixed(void **state)
{
	struct frames *f = make(1U << 20);
	struct frames_cursor cur = {0};
	unsigned long most = 0;
	uint64_t x = 1;

	for (unsigned int n = 0; n < 300000; n++) {
		unsigned int order, class;
		uint32_t pfn;

		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		order = (unsigned int)(x >> 33) % 5;
		class = (unsigned int)(x >> 40) % 3;
		frames_steps = 0;
		pfn = frames_alloc(f, order, class, &cur);
		most = frames_steps > most ? frames_steps : most;
		/* half of each large block goes back, so that holes of each order come and go */
		if (pfn < FRAMES_LOST && order > 0 && x >> 63)
			assert_int_equal(frames_free(f, pfn, order - 1), 0);
	}
	print_message("at most %lu steps\n", most);
	assert_true(most <= FRAMES_STEPS);
	free(f);
}

/* Who was killed between the bits and their promise: no search finds the frames until somebody mends that. */
static void
test_mend(void **state)
{
	struct frames *f = make(100 * FRAMES_CHILD);
	_Atomic uint64_t *rows = (_Atomic uint64_t *)(uintptr_t)frames_rows(f);
	struct frames_cursor cur = {0};
	char why[160];

	while (frames_alloc(f, 0, 0, &cur) != FRAMES_NONE)
		;
	atomic_fetch_or(&rows[77 * FRAMES_CHILD / 64 + 3], 0xf0);
	assert_int_equal(frames_nr_free(f), 4);
	assert_int_equal(frames_alloc(f, 0, 0, &cur), FRAMES_NONE);
	assert_false(frames_is_valid(f, 4, why, sizeof(why)));
	frames_mend(f);
	assert_valid(f, 4);
	assert_int_equal(frames_alloc(f, 2, 0, &cur), 77 * FRAMES_CHILD + 3 * 64 + 4);
	assert_int_equal(frames_nr_free(f), 0);
	free(f);
}

static void
test_large(void **state)
{
	const uint32_t nr = 1U << 24; /* 64 GiB */
	size_t size = frames_size(nr);
	struct frames *f = make(nr);

	assert_true(size < nr / 15 * 4); /* two bits a frame, and a little for the tree */
	assert_int_equal(frames_largest(f), FRAMES_MAX_ORDER + 1);
	free(f);
}

/* ---------------------------------------------------------------- threads */

#define THREADS 4
#define SHARED  (24 * FRAMES_CHILD)

struct shared {
	struct frames *f;
	_Atomic uint8_t owner[SHARED];
	_Atomic bool stop;
};

struct worker {
	struct shared *s;
	uint64_t seed;
	_Atomic unsigned long ops;
	pthread_t thread;
};

static void
own(struct shared *s, const uint32_t *pfn, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		lab_assert_always(atomic_fetch_add(&s->owner[pfn[i]], 1) == 0);
}

static void
disown(struct shared *s, const uint32_t *pfn, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		atomic_fetch_sub(&s->owner[pfn[i]], 1);
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	struct shared *s = w->s;
	struct frames_cursor cur = {0};
	uint32_t *held = calloc(SHARED + 64, sizeof(*held));
	unsigned int n = 0;
	struct lab_rng rng;

	lab_rng_seed(&rng, w->seed);
	while (!atomic_load(&s->stop)) {
		unsigned int k = 1 + lab_rng_below(&rng, 64);

		if (lab_rng_below(&rng, 2)) {
			k = frames_alloc_batch(s->f, 0, w->seed % 3, k, held + n, &cur);
			own(s, held + n, k);
			n += k;
		} else {
			k = k < n ? k : n;
			n -= k;
			disown(s, held + n, k);
			lab_assert_always(frames_free_batch(s->f, 0, held + n, k) == 0);
		}
		w->ops++;
	}
	disown(s, held, n);
	lab_assert_always(frames_free_batch(s->f, 0, held, n) == 0);
	free(held);
	return NULL;
}

static void
start_workers(struct shared *s, struct worker w[THREADS])
{
	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct worker){.s = s, .seed = i + 1};
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	}
}

static void
test_threads(void **state)
{
	struct shared *s = calloc(1, sizeof(*s));
	struct worker w[THREADS];

	s->f = make(SHARED);
	start_workers(s, w);
	sleep(1);
	atomic_store(&s->stop, true);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(w[i].thread, NULL);
		assert_true(w[i].ops > 0);
	}
	assert_valid(s->f, SHARED);
	free(s->f);
	free(s);
}

/* A thread held anywhere, here by a signal handler that waits, stops nobody. */
static _Atomic bool held_back, let_go;

static void
hold(int sig)
{
	atomic_store(&held_back, true);
	while (!atomic_load(&let_go))
		usleep(100);
	atomic_store(&held_back, false);
}

static unsigned long
others_ops(const struct worker w[THREADS])
{
	unsigned long n = 0;

	for (unsigned int i = 1; i < THREADS; i++)
		n += atomic_load(&w[i].ops);
	return n;
}

static void
test_a_stopped_thread_stops_nobody(void **state)
{
	struct shared *s = calloc(1, sizeof(*s));
	struct worker w[THREADS];

	s->f = make(SHARED);
	signal(SIGUSR1, hold);
	start_workers(s, w);
	for (unsigned int i = 0; i < 100; i++) {
		unsigned long before;

		atomic_store(&let_go, false);
		pthread_kill(w[0].thread, SIGUSR1);
		while (!atomic_load(&held_back))
			usleep(50);
		before = others_ops(w);
		for (unsigned int wait = 0; others_ops(w) < before + 100 && wait < 20000; wait++)
			usleep(500);
		assert_true(others_ops(w) >= before + 100);
		atomic_store(&let_go, true);
		while (atomic_load(&held_back))
			usleep(50);
	}
	atomic_store(&s->stop, true);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(w[i].thread, NULL);
	assert_valid(s->f, SHARED);
	free(s->f);
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_bad_frees),
		cmocka_unit_test(test_classes_apart),
		cmocka_unit_test(test_small_requests_break_small_blocks),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_bounded_mixed),
		cmocka_unit_test(test_mend),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_a_stopped_thread_stops_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
