/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* LLFree's fragmentation benchmark (Wrenger et al., USENIX ATC'23): all memory is allocated, the
 * pages are shuffled, half of them are freed, then a tenth is re-allocated a round. The benchmark
 * exchanges page by page; on Linux's free lists, last in first out, that gives the same page back,
 * so here the whole share is freed before it is allocated again. */
#include "age.h"

static void
defaults(struct lab_age_config *cfg)
{
	cfg->rounds = 7; /* the benchmark's eight measurements have seven rounds between them */
}

static void
start(struct age_run *run)
{
	run_fill(run, run->managed, LAB_MIGRATE_TYPES, NULL);
	run_sync(run);
	if (run_has_unusable(run))
		region_open(run, run_goal_suitable(run), run->goal);
	run_drain(run, run->goal);
	run_sync(run);
}

static void
one_round(struct age_run *run, unsigned int i)
{
	unsigned long n = (unsigned long)(run->cfg->round_share * (double)run->t->blocks + 0.5);

	for (; n > 0 && run->t->blocks > 0 && run_tick(run); n--)
		run_put(run, hold_random(run->t, &run->rng));
	run_fill(run, run->goal, LAB_MIGRATE_TYPES, NULL);
}

const struct age_model age_churn = {
	.name = "churn",
	.help = "fill, free at random down to the occupancy, re-allocate a share a round (LLFree)",
	.defaults = defaults,
	.start = start,
	.round = one_round,
};
