/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* The tags of the store of frames: which frames are zero, and who is told so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frames_fixture.h"
#include "lab_base.h"

#define CHILD FRAMES_CHILD

/* One turn of a worker. */
static unsigned int
zero_some(struct frames *f, unsigned int n)
{
	uint32_t pfn[64];
	unsigned int got = frames_zero_some(f, n, pfn);

	assert_int_equal(frames_free_zeroed(f, pfn, got), 0);
	return got;
}

static void
zero_all(struct frames *f)
{
	for (uint32_t i = 0; i < 64; i++)
		while (zero_some(f, 8) > 0)
			;
}

static void
test_states(void **state)
{
	struct frames *f = make(4 * CHILD);
	struct frames_cursor cur = {0};
	uint32_t pfn[8], one;

	assert_int_equal(frames_zero_some(f, 8, pfn), 8);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(frames_state(f, pfn[i]), FRAMES_STATE_ZEROING);
	assert_int_equal(frames_free_zeroed(f, pfn, 8), 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(frames_state(f, pfn[i]), FRAMES_STATE_ZEROED);
	assert_int_equal(frames_nr_zeroed(f), 8);
	assert_valid(f, 4 * CHILD);

	assert_int_equal(frames_alloc_zeroed(f, 0, 0, 1, &one, &cur), 1);
	assert_int_equal(frames_untag(f, one, 1), 1);
	assert_int_equal(frames_state(f, one), FRAMES_STATE_IN_USE);
	assert_int_equal(frames_nr_zeroed(f), 7);
	assert_int_equal(frames_free(f, one, 0), 0);
	assert_int_equal(frames_state(f, one), FRAMES_STATE_DIRTY);
	assert_valid(f, 4 * CHILD);
	free(f);
}

/* What a worker had that died is not zeroed, whoever gives it back. */
static void
test_tag_of_the_dead(void **state)
{
	struct frames *f = make(4 * CHILD);
	uint32_t pfn[8];

	assert_int_equal(frames_zero_some(f, 8, pfn), 8);
	assert_int_equal(frames_free(f, pfn[0], 0), 0);
	assert_int_equal(frames_free_batch(f, 0, pfn + 1, 7), 0);
	assert_int_equal(frames_nr_zeroed(f), 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(frames_state(f, pfn[i]), FRAMES_STATE_DIRTY);
	assert_valid(f, 4 * CHILD);
	free(f);
}

/* Zeroed frames are as free as others: they merge, and any request takes them. */
static void
test_zeroed_frames_are_free(void **state)
{
	struct frames *f = make(4 * CHILD);
	struct frames_cursor cur = {0};
	uint32_t pfn;

	zero_all(f);
	assert_true(frames_nr_zeroed(f) >= 2 * CHILD);
	assert_int_equal(frames_largest(f), FRAMES_MAX_ORDER + 1);
	pfn = frames_alloc(f, FRAMES_MAX_ORDER, 0, &cur);
	assert_int_not_equal(pfn, FRAMES_NONE);
	for (uint32_t i = pfn; i < pfn + 2 * CHILD; i++)
		assert_int_equal(frames_state(f, i), FRAMES_STATE_IN_USE);
	assert_valid(f, 2 * CHILD);
	assert_int_equal(frames_free(f, pfn, FRAMES_MAX_ORDER), 0);
	assert_int_not_equal(frames_alloc(f, FRAMES_MAX_ORDER, 0, &cur), FRAMES_NONE);
	assert_int_not_equal(frames_alloc(f, FRAMES_MAX_ORDER, 0, &cur), FRAMES_NONE);
	assert_int_equal(frames_nr_zeroed(f), 0);
	assert_valid(f, 0);
	free(f);
}

/* With frames in hand the worker leaves the largest block as large as it was. */
static void
test_the_largest_block_is_left(void **state)
{
	struct frames *f = make(6 * CHILD);
	struct frames_cursor cur = {0};
	struct lab_rng rng;
	unsigned int turns = 0;
	uint32_t pfn[8];

	lab_rng_seed(&rng, 5);
	frames_want_zeroed(f, 0);
	while (frames_largest(f) > 0) {
		unsigned int largest = frames_largest(f), n;

		n = frames_zero_some(f, 8, pfn);
		assert_int_equal(frames_largest(f), largest);
		assert_int_equal(frames_free_zeroed(f, pfn, n), 0);
		turns += n > 0;
		frames_alloc(f, lab_rng_below(&rng, largest), 0, &cur);
	}
	assert_true(turns > 10);
	free(f);
}

/* Who does not care for content leaves the zeroed frames of a child to others. */
static void
test_dirty_first(void **state)
{
	struct frames *f = make(2 * CHILD);
	struct frames_cursor cur = {0};
	uint32_t pfn[64], zeroed[8];

	/* one child in use but for its first 40 frames, the other but for a larger block */
	frames_take_at(f, 0, 9);
	frames_take_at(f, CHILD, 9);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(frames_free(f, i, 0), 0);
	assert_int_equal(frames_free(f, CHILD, 7), 0);
	frames_want_zeroed(f, 0);
	assert_int_equal(frames_zero_some(f, 8, zeroed), 8);
	assert_int_equal(frames_free_zeroed(f, zeroed, 8), 0);
	assert_int_equal(frames_alloc_batch(f, 0, 0, 32, pfn, &cur), 32);
	assert_int_equal(frames_nr_zeroed(f), 8);
	assert_int_equal(frames_alloc_zeroed(f, 0, 0, 64, pfn, &cur), 8);
	assert_int_equal(frames_untag_batch(f, pfn, 8), 8);
	assert_valid(f, 128);
	free(f);
}

/* A used child of another class gives no frames, zeroed or not; an untouched one does. */
static void
test_classes_apart(void **state)
{
	struct frames *f = make(4 * CHILD);
	struct frames_cursor cur = {0};
	uint32_t pfn, child;

	for (uint32_t i = 0; i < 3; i++)
		frames_take_at(f, i * CHILD, 9);
	child = frames_alloc(f, 0, 1, &cur) / CHILD;
	assert_int_equal(child, 3);
	frames_want_zeroed(f, 1);
	assert_true(zero_some(f, 8) > 0);
	assert_int_equal(frames_alloc_zeroed(f, 0, 0, 1, &pfn, &cur), 0);
	assert_int_equal(frames_alloc_zeroed(f, 0, 1, 1, &pfn, &cur), 1);
	free(f);
}

/* A block may be zeroed in parts. */
static void
test_parts_of_a_block(void **state)
{
	struct frames *f = make(4 * CHILD);
	struct frames_cursor cur = {0};
	uint32_t pfn, zeroed[8];
	unsigned int n = 0;

	assert_int_equal(frames_zero_some(f, 8, zeroed), 8);
	frames_free_zeroed(f, zeroed, 8);
	for (unsigned int k = 0; k < 2; k++) {
		pfn = frames_alloc_tagged(f, FRAMES_MAX_ORDER, 0, &cur);
		for (uint32_t i = 0; i < 2 * CHILD; i += 64) {
			uint64_t bits = frames_untag(f, pfn + i, 64);

			n += (unsigned int)__builtin_popcountll(bits);
			for (unsigned int b = 0; b < 64; b++)
				if (bits >> b & 1)
					assert_in_range(pfn + i + b, zeroed[0], zeroed[7]);
		}
	}
	assert_int_equal(n, 8);
	assert_valid(f, 0);
	free(f);
}

static void
test_fresh(void **state)
{
	const uint32_t nr[] = {1, 63, 64, 65, CHILD - 1, 3 * CHILD + 100};

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(nr); i++) {
		struct frames *f = make(nr[i]);

		frames_fresh(f, 0, nr[i]);
		assert_int_equal(frames_nr_zeroed(f), nr[i]);
		assert_valid(f, nr[i]);
		free(f);
	}
}

/* ------------------------------------------------------------------ model */

#define MODEL (7 * CHILD + 100)

struct model {
	struct frames *f;
	struct frames_cursor cur;
	struct lab_rng rng;
	uint8_t garbage[MODEL]; /* what the frames hold */
	uint32_t held[MODEL];
	uint8_t order[MODEL];
	unsigned int nr_held, nr_taken;
	unsigned long zero, cleared;
};

/* The holder of a block writes to it. */
static void
hold(struct model *m, uint32_t pfn, unsigned int order)
{
	memset(m->garbage + pfn, 1, 1U << order);
	m->held[m->nr_held] = pfn;
	m->order[m->nr_held++] = (uint8_t)order;
	m->nr_taken += 1U << order;
}

static void
step_zero_block(struct model *m)
{
	unsigned int order = lab_rng_below(&m->rng, FRAMES_MAX_ORDER + 1), n = 1U << order;
	unsigned int class = lab_rng_below(&m->rng, 3);
	uint32_t pfn;

	if (order > FRAMES_BATCH_ORDER ||
		frames_alloc_zeroed(m->f, order, class, 1, &pfn, &m->cur) == 0)
		pfn = frames_alloc_tagged(m->f, order, class, &m->cur);
	if (pfn == FRAMES_NONE)
		return;
	for (uint32_t i = pfn; i < pfn + n; i++) {
		bool zero = frames_untag(m->f, i, 1);

		m->zero += zero;
		m->cleared += !zero;
		assert_false(zero && m->garbage[i]);
	}
	hold(m, pfn, order);
}

static void
step_zero_batch(struct model *m)
{
	uint32_t pfn[64];
	unsigned int n = frames_alloc_zeroed(
		m->f, 0, lab_rng_below(&m->rng, 3), 1 + lab_rng_below(&m->rng, 64), pfn, &m->cur);

	assert_int_equal(frames_untag_batch(m->f, pfn, n), n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(m->garbage[pfn[i]], 0);
		hold(m, pfn[i], 0);
	}
	m->zero += n;
}

static void
step_alloc(struct model *m)
{
	unsigned int order = lab_rng_below(&m->rng, 3) ? 0 : lab_rng_below(&m->rng, 11);
	uint32_t pfn = frames_alloc(m->f, order, lab_rng_below(&m->rng, 3), &m->cur);

	if (pfn != FRAMES_NONE)
		hold(m, pfn, order);
}

static void
step_free(struct model *m)
{
	unsigned int i;

	if (m->nr_held == 0)
		return;
	i = lab_rng_below(&m->rng, m->nr_held);
	assert_int_equal(frames_free(m->f, m->held[i], m->order[i]), 0);
	m->nr_taken -= 1U << m->order[i];
	m->held[i] = m->held[--m->nr_held];
	m->order[i] = m->order[m->nr_held];
}

static void
step_worker(struct model *m)
{
	uint32_t pfn[16];
	unsigned int n = frames_zero_some(m->f, 1 + lab_rng_below(&m->rng, 16), pfn);

	for (unsigned int i = 0; i < n; i++)
		m->garbage[pfn[i]] = 0;
	assert_int_equal(frames_free_zeroed(m->f, pfn, n), 0);
}

static void
run_model(uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->f = make(MODEL);
	memset(m->garbage, 1, sizeof(m->garbage));
	lab_rng_seed(&m->rng, seed);
	for (unsigned int i = 0; i < 40000; i++) {
		unsigned int what = lab_rng_below(&m->rng, 100);

		if (what < (i / 8000 % 2 ? 35U : 20U))
			step_free(m);
		else if (what < 55)
			step_worker(m);
		else if (what < 60)
			step_zero_batch(m);
		else if (what < 80)
			step_zero_block(m);
		else
			step_alloc(m);
		if (i % 500 == 0)
			assert_valid(m->f, MODEL - m->nr_taken);
	}
	assert_true(m->zero > 1000);
	assert_true(m->cleared > 1000);
	free(m->f);
	free(m);
}

static void
test_model(void **state)
{
	for (uint64_t seed = 1; seed <= 4; seed++)
		run_model(seed);
}

static unsigned int
counted_zero_some(struct frames *f)
{
	uint32_t pfn[64];
	unsigned int got;

	frames_steps = 0;
	got = frames_zero_some(f, 64, pfn);
	frames_free_zeroed(f, pfn, got);
	assert_true(frames_steps <= FRAMES_ZERO_STEPS);
	return got;
}

static unsigned int
counted_alloc(struct frames *f, unsigned int order, unsigned int class, struct frames_cursor *cur)
{
	uint32_t pfn[64];
	unsigned int got;

	frames_steps = 0;
	got = frames_alloc_zeroed(f, order, class, 1, pfn, cur);
	frames_untag_batch(f, pfn, order == 0 ? got : 0);
	assert_true(frames_steps <= FRAMES_STEPS);
	return got;
}

static void
test_bounded(void **state)
{
	struct frames *f = make(1U << 18);
	struct frames_cursor cur = {0};
	unsigned int misses = 0;

	while (counted_zero_some(f) > 0)
		;
	assert_true(frames_nr_zeroed(f) > (1U << 18) - 4 * CHILD);
	for (uint32_t n = 0; n < 1U << 18; n++)
		counted_alloc(f, 0, 0, &cur);
	assert_int_equal(counted_alloc(f, 0, 0, &cur), 0);
	/* a frame zeroed in each child, all of a class, or none for an order: long searches for nothing */
	for (uint32_t child = 0; child < (1U << 18) / CHILD; child++) {
		uint32_t pfn = child * CHILD + 65;

		frames_free(f, pfn, 0);
		frames_take_at(f, pfn, 0);
		frames_tag_batch(f, &pfn, 1);
		assert_int_equal(frames_free_zeroed(f, &pfn, 1), 0);
	}
	for (unsigned int class = 0; class < 3; class ++)
		for (unsigned int order = 1; order <= FRAMES_BATCH_ORDER; order++)
			misses += counted_alloc(f, order, class, &cur) == 0;
	misses += counted_alloc(f, 0, 1, &cur) == 0;
	assert_int_equal(misses, 3 * FRAMES_BATCH_ORDER + 1);
	free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_tag_of_the_dead),
		cmocka_unit_test(test_zeroed_frames_are_free),
		cmocka_unit_test(test_the_largest_block_is_left),
		cmocka_unit_test(test_dirty_first),
		cmocka_unit_test(test_classes_apart),
		cmocka_unit_test(test_parts_of_a_block),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
