/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef FRAMES_FIXTURE_H
#define FRAMES_FIXTURE_H

/**
 * @file frames_fixture.h
 * A store of frames without a zone, for its tests.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frames.h"

/** All frames free. To be freed by free(). */
static inline struct frames *
make(uint32_t nr)
{
	struct frames *f = aligned_alloc(64, frames_size(nr));

	assert_non_null(f);
	frames_init(f, nr, false);
	assert_int_equal(frames_online(f, 0, nr), 0);
	return f;
}

static inline void
assert_valid(const struct frames *f, unsigned long nr_free)
{
	char why[160] = "";

	if (!frames_is_valid(f, nr_free, why, sizeof(why)))
		fail_msg("%s", why);
}

#endif /* FRAMES_FIXTURE_H */
