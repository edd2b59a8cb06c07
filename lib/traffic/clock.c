/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <time.h>

#include "traffic_priv.h"

void
lab_clock_init(struct lab_clock *c, enum lab_clock_kind kind)
{
	c->kind = kind;
	c->now_ns = 0;
}

uint64_t
lab_clock_now(const struct lab_clock *c)
{
	struct timespec ts;

	if (c->kind == LAB_CLOCK_VIRTUAL)
		return ctr_get(&c->now_ns);
	/* Cannot fail: the clock exists on every Linux. */
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * LAB_NS_PER_S + (uint64_t)ts.tv_nsec;
}

int
lab_clock_advance(struct lab_clock *c, uint64_t ns)
{
	if (c->kind != LAB_CLOCK_VIRTUAL || c->now_ns + ns < c->now_ns)
		return -EINVAL;
	ctr_add(&c->now_ns, ns);
	return 0;
}
