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
is_eligible(const struct lab_inject *in, lab_gfp_t gfp, unsigned int order)
{
	if (order < in->min_order || (gfp & __LAB_GFP_NOFAIL))
		return false;
	return !(in->atomic_only && (gfp & __LAB_GFP_DIRECT_RECLAIM));
}

static bool
draw(struct lab_zone *z, uint32_t pages)
{
	struct lab_inject *in = &z->inject;

	if (in->probability_ppm == 0 || in->times == 0)
		return false;
	if (in->space > pages) {
		in->space -= pages;
		return false;
	}
	if (in->interval > 1 && ++z->inject_count % in->interval != 0)
		return false;
	if (in->probability_ppm <= lab_rng_below(&z->inject_rng, MILLION))
		return false;
	if (in->times > 0)
		in->times--;
	return true;
}

bool
lab_inject_hit(struct lab_zone *z, lab_gfp_t gfp, unsigned int order)
{
	bool hit;

	lab_spin_lock(&z->ring_lock);
	hit = is_eligible(&z->inject, gfp, order) && draw(z, 1U << order);
	lab_spin_unlock(&z->ring_lock);
	return hit;
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
	lab_spin_lock(&z->ring_lock);
	z->inject = *inject;
	z->inject_count = 0;
	lab_rng_seed(&z->inject_rng, inject->seed);
	lab_watch(z, LAB_WATCH_INJECT, inject->probability_ppm != 0);
	lab_spin_unlock(&z->ring_lock);
	return 0;
}
