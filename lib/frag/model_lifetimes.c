/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* In the manner of Geriatrix (Kadekodi et al., USENIX ATC'18): at a fixed fullness, objects of a
 * given size distribution are replaced so that their ages follow a given distribution. Geriatrix
 * takes both from file systems; here sizes are orders, and lifetimes are a mixture of two
 * exponentials, the shape for "most die young, few live long". */
#include "age.h"

static void
defaults(struct lab_age_config *cfg)
{
	static const double weight[] = {32, 8, 4, 2, 1};

	for (unsigned int o = 0; o < LAB_ARRAY_SIZE(weight); o++)
		cfg->order_weight[o] = weight[o];
	cfg->rounds = 50;
}

static uint32_t
death_after(const struct age_run *run, double life)
{
	double death = run->t->clock + 1 + life;

	return death < HOLD_IMMORTAL ? (uint32_t)death : HOLD_IMMORTAL - 1;
}

static uint32_t
death_of_newborn(struct age_run *run)
{
	const struct lab_age_config *c = run->cfg;
	double mean = lab_rng_double(&run->rng) < c->long_share ? c->long_life : c->short_life;

	return death_after(run, lab_rng_exp(&run->rng, mean));
}

/** A block that is met alive is the likelier a long-lived one; what is left to it is exponential
 *  again. So the first round already sees the population that many rounds would lead to. */
static uint32_t
death_of_living(struct age_run *run)
{
	const struct lab_age_config *c = run->cfg;
	double l = c->long_share * c->long_life, s = (1 - c->long_share) * c->short_life;
	double mean = lab_rng_double(&run->rng) * (l + s) < l ? c->long_life : c->short_life;

	return death_after(run, lab_rng_exp(&run->rng, mean));
}

static void
start(struct age_run *run)
{
	run_fill(run, run->goal, LAB_MIGRATE_TYPES, death_of_living);
}

static void
one_round(struct age_run *run, unsigned int i)
{
	struct lab_tenants *t = run->t;

	t->clock++;
	for (int mt = 0; mt < TENANT_TYPES; mt++)
		for (unsigned long k = t->nr[mt]; k-- > 0 && run_tick(run);)
			if (t->holds[mt][k].death <= t->clock)
				run_put(run, (struct hold_ref){(enum lab_migratetype)mt, k});
	run_fill(run, run->goal, LAB_MIGRATE_TYPES, death_of_newborn);
}

const struct age_model age_lifetimes = {
	.name = "lifetimes",
	.help = "blocks of seeded sizes and lifetimes at a fixed fullness (Geriatrix)",
	.defaults = defaults,
	.start = start,
	.round = one_round,
};
