/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What the tenants do while traffic runs: background churn and reclaim. Both only try the lock, as
 * they are called from loops that must not wait for an ageing that runs elsewhere. */
#include <errno.h>
#include <math.h>

#include "tenants.h"

#define CHURN_BURST     64
#define CHURN_BURST_MAX 65536
#define CHURN_RATE_MAX  1e9

static void
owe(struct lab_tenants *t, enum lab_migratetype mt, unsigned int order)
{
	t->owed[mt][order]++;
	t->owed_pages += order_pages(order);
}

/* ------------------------------------------------------------------ reclaim */

static unsigned long
reclaim_type(struct lab_tenants *t, enum lab_migratetype mt, unsigned long want)
{
	unsigned long got = 0;

	while (got < want && t->nr[mt] > 0) {
		struct hold_ref r = {mt, lab_rng_below(&t->churn_rng, t->nr[mt])};

		if (t->churn.regrow)
			owe(t, mt, hold_of(t, r)->order);
		got += tenants_put(t, r);
	}
	return got;
}

unsigned long
lab_tenants_reclaim(void *arg, unsigned long nr_pages, unsigned int order)
{
	struct lab_tenants *t = arg;
	unsigned long got;

	(void)order;
	if (pthread_mutex_trylock(&t->lock) != 0)
		return 0;
	got = reclaim_type(t, LAB_MIGRATE_RECLAIMABLE, nr_pages);
	if (got < nr_pages)
		got += reclaim_type(t, LAB_MIGRATE_MOVABLE, nr_pages - got);
	t->reclaimed_pages += got;
	pthread_mutex_unlock(&t->lock);
	return got;
}

/* -------------------------------------------------------------------- churn */

int
lab_tenants_set_churn(struct lab_tenants *t, const struct lab_churn_config *cfg)
{
	if (!isfinite(cfg->rate) || cfg->rate < 0 || cfg->rate > CHURN_RATE_MAX ||
		cfg->burst > CHURN_BURST_MAX)
		return -EINVAL;
	pthread_mutex_lock(&t->lock);
	t->churn = *cfg;
	if (t->churn.burst == 0)
		t->churn.burst = CHURN_BURST;
	lab_rng_seed(&t->churn_rng, cfg->seed);
	t->churn_started = false;
	t->churn_due = 0;
	tenants_clear_owed(t);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/** Blocks due at now_ns, at most a burst; the rest is counted as late and dropped. */
static unsigned int
churn_due(struct lab_tenants *t, uint64_t now_ns)
{
	double whole;

	if (!t->churn_started) {
		t->churn_started = true;
		t->churn_ns = now_ns;
	}
	if (now_ns > t->churn_ns) {
		t->churn_due += (double)(now_ns - t->churn_ns) * 1e-9 * t->churn.rate;
		t->churn_ns = now_ns;
	}
	/* A clock that leaps by centuries shall not overflow the counter. */
	t->churn_due = modf(fmin(t->churn_due, 1e18), &whole);
	if (whole > t->churn.burst) {
		t->churn_late += (uint64_t)(whole - t->churn.burst);
		whole = t->churn.burst;
	}
	return (unsigned int)whole;
}

static bool
pay_one(struct lab_tenants *t, enum lab_migratetype mt, unsigned int order)
{
	if (t->owed[mt][order] == 0 || tenants_get(t, mt, order, HOLD_IMMORTAL, NULL) != 0)
		return false;
	t->owed[mt][order]--;
	t->owed_pages -= order_pages(order);
	return true;
}

/** Try to get back what is owed, a burst of requests at most. What is refused once is refused again
 *  in this call, so the next kind has its turn. */
static void
pay_back(struct lab_tenants *t)
{
	unsigned int left = t->churn.burst;

	for (int o = LAB_MAX_ORDER; o >= 0 && t->owed_pages > 0; o--)
		for (int mt = 0; mt < TENANT_TYPES; mt++)
			while (left > 0 && t->owed[mt][o] > 0) {
				left--;
				if (!pay_one(t, (enum lab_migratetype)mt, (unsigned int)o))
					break;
			}
}

static void
replace_one(struct lab_tenants *t)
{
	struct hold_ref r = hold_random(t, &t->churn_rng);
	unsigned int order = hold_of(t, r)->order;

	tenants_put(t, r);
	if (tenants_get(t, r.mt, order, HOLD_IMMORTAL, NULL) != 0)
		owe(t, r.mt, order);
}

unsigned int
lab_tenants_step(struct lab_tenants *t, uint64_t now_ns)
{
	unsigned int due = 0, n = 0;

	if (pthread_mutex_trylock(&t->lock) != 0)
		return 0;
	if (t->churn.rate > 0) {
		due = churn_due(t, now_ns);
		if (t->owed_pages > 0)
			pay_back(t);
	}
	for (; n < due && t->blocks > 0; n++) {
		replace_one(t);
		tenants_compact_due(t);
	}
	t->churned += n;
	pthread_mutex_unlock(&t->lock);
	return n;
}
