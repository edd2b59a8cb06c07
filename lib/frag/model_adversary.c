/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The adversary of phymem_fragmenter: blocks of an order are allocated, the first page of each is
 * kept and the rest freed. It fragments most with least memory held, 1 frame in 2^order; what the
 * occupancy asks for beyond that fills the fragments. */
#include "age.h"

static void
defaults(struct lab_age_config *cfg)
{
	cfg->order = 3;
	cfg->rounds = 1;
}

static int
check(const struct lab_age_config *cfg, char *err, size_t len)
{
	if (cfg->order > 0)
		return 0;
	spec_error(err, len, "adversary: order 0 has no rest to free; order must be 1 to %d",
		LAB_MAX_ORDER);
	return -1;
}

/** Break blocks until so many suitable ones are left or the tenants hold the goal. */
static void
break_down(struct age_run *run)
{
	unsigned long leave = run_has_unusable(run) ? run_goal_suitable(run) : 0, have;

	run_sync(run);
	for (have = run_suitable(run); have > leave && run->used < run->goal; have--)
		if (!run_tick(run) || !region_break(run, true))
			break;
	run_sync(run);
}

static void
start(struct age_run *run)
{
	break_down(run);
}

/** What others freed meanwhile may have made a block again. */
static void
one_round(struct age_run *run, unsigned int i)
{
	break_down(run);
}

static void
finish(struct age_run *run)
{
	run_fill(run, run->goal, LAB_MIGRATE_TYPES, NULL);
}

const struct age_model age_adversary = {
	.name = "adversary",
	.help = "allocate blocks of an order, keep the first page of each, free the rest",
	.defaults = defaults,
	.check = check,
	.start = start,
	.round = one_round,
	.finish = finish,
};
