/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Where the table of pages begins, from addresses among which are other processes' pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "lab_base.h"
#include "record_base.h"

#define SIZE 64U
#define BASE UINT64_C(0xffffea0000000000)
#define GIB  (UINT64_C(1) << 30)

static struct record_seen seen;
static uint64_t frame[RECORD_TOUCHED];

/** Pages all over `frames` frames, each with two of somebody else's beside it. */
static void
touch(uint64_t base, uint64_t frames)
{
	struct lab_rng rng;

	lab_rng_seed(&rng, 1);
	seen.nr = 0;
	for (unsigned int i = 0; i < RECORD_TOUCHED; i++) {
		frame[i] = 1 + lab_rng_below(&rng, frames - 1);
		seen.address[seen.nr++] = base + lab_rng_below(&rng, frames) * SIZE;
		seen.address[seen.nr++] = base + frame[i] * SIZE;
		seen.address[seen.nr++] = base + lab_rng_below(&rng, frames) * SIZE;
	}
}

static void
most_pages_agree(void **state)
{
	(void)state;
	touch(BASE + 3 * SIZE, 1 << 22);
	assert_true(record_base_by_frames(&seen, frame, SIZE) == BASE + 3 * SIZE);
	/* a quarter of them may have been seen by nobody, or have moved */
	for (unsigned int i = 0; i < RECORD_TOUCHED / 4; i++)
		seen.address[3 * (RECORD_TOUCHED - 1 - i) + 1] += SIZE * (i + 1000);
	assert_true(record_base_by_frames(&seen, frame, SIZE) == BASE + 3 * SIZE);
	seen.address[1] += SIZE; /* and one more */
	assert_true(record_base_by_frames(&seen, frame, SIZE) == 0);
}

static void
hidden_frames_tell_nothing(void **state)
{
	(void)state;
	touch(BASE, 1 << 20);
	memset(frame, 0, sizeof(frame));
	assert_true(record_base_by_frames(&seen, frame, SIZE) == 0);
	seen.nr = 0;
	assert_true(record_base_by_step(&seen, GIB) == 0);
}

static void
pages_of_one_step_tell_its_beginning(void **state)
{
	(void)state;
#if defined(__x86_64__)
	touch(BASE, GIB / SIZE);
	assert_true(record_base_by_step(&seen, GIB) == BASE);
	assert_true(record_base_by_step(&seen, GIB + SIZE) == 0); /* the zone goes on behind it */
	seen.address[7] += GIB;
	assert_true(record_base_by_step(&seen, GIB) == 0);
#else
	skip();
#endif
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(most_pages_agree),
		cmocka_unit_test(hidden_frames_tell_nothing),
		cmocka_unit_test(pages_of_one_step_tell_its_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
