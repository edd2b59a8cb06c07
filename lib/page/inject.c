/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file inject.c
 * Refusals on order, in the manner of the kernel's fail_page_alloc: eligibility, then times, space,
 * interval and at last the probability. [should_fail_ex]
 */
#include "zone.h"

#define MILLION 1000000U

static bool
is_eligible(const struct lab_injection *in, lab_gfp_t gfp, unsigned int order)
{
	if (order < rd(&in->min_order) || (gfp & __LAB_GFP_NOFAIL))
		return false;
	return !(rd(&in->atomic_only) && (gfp & __LAB_GFP_DIRECT_RECLAIM));
}

/** Pass `pages` of the space before the first refusal. @return false if there is none left. */
static bool
use_space(struct lab_injection *in, uint32_t pages)
{
	uint32_t left = rd(&in->space);

	while (left > pages) {
		if (atomic_compare_exchange_weak(&in->space, &left, left - pages))
			return true;
	}
	return false;
}

/** Take one of the refusals that are left. */
static bool
use_times(struct lab_injection *in)
{
	int64_t left = rd(&in->times);

	while (left > 0) {
		if (atomic_compare_exchange_weak(&in->times, &left, left - 1))
			return true;
	}
	return left < 0;
}

/** The next number below a million: a function of the seed and of how many were drawn. */
static uint32_t
draw(struct lab_injection *in)
{
	uint64_t x = rd(&in->seed) + atomic_fetch_add(&in->draws, 1) * 0x9e3779b97f4a7c15ULL;

	return (uint32_t)(((unsigned __int128)lab_splitmix64(&x) * MILLION) >> 64);
}

bool
lab_inject_hit(struct lab_zone *z, lab_gfp_t gfp, unsigned int order)
{
	struct lab_injection *in = &z->inject;
	uint32_t interval = rd(&in->interval);

	if (!is_eligible(in, gfp, order) || rd(&in->probability_ppm) == 0 || rd(&in->times) == 0)
		return false;
	if (use_space(in, 1U << order))
		return false;
	if (interval > 1 && (atomic_fetch_add(&in->eligible, 1) + 1) % interval != 0)
		return false;
	return draw(in) < rd(&in->probability_ppm) && use_times(in);
}

void
lab_inject_get(const struct lab_zone *z, struct lab_inject *out)
{
	const struct lab_injection *in = &z->inject;

	*out = (struct lab_inject){.probability_ppm = rd(&in->probability_ppm),
		.interval = rd(&in->interval),
		.times = rd(&in->times),
		.space = rd(&in->space),
		.min_order = rd(&in->min_order),
		.atomic_only = rd(&in->atomic_only),
		.seed = rd(&in->seed)};
}

/** Requests under way may see some of the old settings and some of the new. */
static void
set(struct lab_injection *in, const struct lab_inject *to)
{
	wr(&in->interval, to->interval);
	wr(&in->times, to->times);
	wr(&in->space, to->space);
	wr(&in->min_order, to->min_order);
	wr(&in->atomic_only, to->atomic_only);
	wr(&in->seed, to->seed);
	wr(&in->eligible, 0);
	wr(&in->draws, 0);
	wr(&in->probability_ppm, to->probability_ppm);
}

int
lab_zone_inject(struct lab_zone *z, const struct lab_inject *inject)
{
	const struct lab_inject off = {0};

	if (inject == NULL)
		inject = &off;
	if (inject->probability_ppm > MILLION || inject->min_order > LAB_MAX_ORDER ||
		inject->times < -1)
		return -EINVAL;
	lab_spin_lock(&z->lock);
	set(&z->inject, inject);
	lab_watch(z, LAB_WATCH_INJECT, inject->probability_ppm != 0);
	lab_spin_unlock(&z->lock);
	return 0;
}
