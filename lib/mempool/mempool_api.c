/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * What programs that link the driver can ask.
 */
#include <errno.h>
#include <string.h>
#include <stdio.h>

#include "mempool_private.h"

bool
lab_mempool_is(const struct rte_mempool *mp)
{
	return mp != NULL && lab_pool_uses_ops(mp);
}

struct lab_zone *
lab_mempool_zone_at(const struct rte_mempool *mp, unsigned int i)
{
	const struct lab_pool *p = lab_pool_of(mp);

	if (p == NULL || i >= __atomic_load_n(&p->nr_zones, __ATOMIC_ACQUIRE))
		return NULL;
	return p->zones[i].zone;
}

struct lab_zone *
lab_mempool_zone(const struct rte_mempool *mp)
{
	return lab_mempool_zone_at(mp, 0);
}

unsigned int
lab_mempool_nr_zones(const struct rte_mempool *mp)
{
	const struct lab_pool *p = lab_pool_of(mp);

	return p == NULL ? 0 : __atomic_load_n(&p->nr_zones, __ATOMIC_ACQUIRE);
}

int
lab_mempool_order(const struct rte_mempool *mp)
{
	const struct lab_pool *p = lab_pool_of(mp);

	return p == NULL ? -EINVAL : (int)p->order;
}

/* A process has caches in the zones that it used: that others know nothing of it is no error. */
long
lab_mempool_reclaim(const struct rte_mempool *mp, uint32_t pid)
{
	const struct lab_pool *p = lab_pool_of(mp);
	unsigned int nr = lab_mempool_nr_zones(mp);
	long pages = -ENOENT;

	if (p == NULL || nr == 0 || pid == 0)
		return -EINVAL;
	if (p->settings.allocator == LAB_ALLOCATOR_BUDDY) /* as it was created */
		return -ENOTSUP;
	for (unsigned int i = 0; i < nr; i++) {
		long got = lab_zone_reclaim(p->zones[i].zone, pid);

		if (got == -EBUSY)
			return got;
		if (got >= 0)
			pages = pages < 0 ? got : pages + got;
	}
	return pages;
}

/* -------------------------------------------------------------- counters */

static void
stats_add(struct lab_mempool_stats *s, const struct lab_pool_counters *c)
{
#define ADD(field) s->field += __atomic_load_n(&c->field, __ATOMIC_RELAXED)
	ADD(dequeues);
	ADD(dequeued_objects);
	ADD(enqueues);
	ADD(enqueued_objects);
	for (int i = 0; i < LAB_NR_CAUSES; i++)
		ADD(refused[i]);
	ADD(refused_objects);
	ADD(failed_with_free);
	ADD(bad_enqueue_objects);
#undef ADD
}

static void
stats_sum(const struct lab_pool *p, struct lab_mempool_stats *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned int i = 0; i <= RTE_MAX_LCORE; i++)
		stats_add(s, &p->counters[i]);
}

/* All fields are counters of one size. */
static void
stats_subtract(struct lab_mempool_stats *s, const struct lab_mempool_stats *base)
{
	uint64_t *a = (uint64_t *)s;
	const uint64_t *b = (const uint64_t *)base;

	_Static_assert(sizeof(*s) % sizeof(*a) == 0, "counters only");
	for (size_t i = 0; i < sizeof(*s) / sizeof(*a); i++)
		a[i] -= b[i];
}

int
lab_mempool_stats_get(const struct rte_mempool *mp, struct lab_mempool_stats *out)
{
	struct lab_pool *p = lab_pool_of(mp);

	if (p == NULL)
		return -EINVAL;
	rte_spinlock_lock(&p->lock);
	stats_sum(p, out);
	stats_subtract(out, &p->stats_base);
	rte_spinlock_unlock(&p->lock);
	return 0;
}

/* The counters belong to their lcores: remember what they were instead of writing to them. */
int
lab_mempool_stats_reset(const struct rte_mempool *mp)
{
	struct lab_pool *p = lab_pool_of(mp);

	if (p == NULL)
		return -EINVAL;
	rte_spinlock_lock(&p->lock);
	stats_sum(p, &p->stats_base);
	rte_spinlock_unlock(&p->lock);
	return 0;
}

/* -------------------------------------------------------------- settings */

int
lab_mempool_settings_get(const struct rte_mempool *mp, struct lab_mempool_settings *out)
{
	struct lab_pool *p = lab_pool_of(mp);

	if (p == NULL)
		return -EINVAL;
	rte_spinlock_lock(&p->lock);
	*out = p->settings;
	rte_spinlock_unlock(&p->lock);
	return 0;
}

int
lab_mempool_settings_apply(struct rte_mempool *mp, const char *text, char *err, size_t err_len)
{
	struct lab_pool *p = lab_pool_of(mp);
	int ret;

	if (err == NULL)
		err_len = 0;
	if (p == NULL) {
		snprintf(err, err_len, "the pool is not this driver's, or has no memory yet");
		return -EINVAL;
	}
	rte_spinlock_lock(&p->lock);
	ret = lab_pool_apply(p, text, err, err_len);
	rte_spinlock_unlock(&p->lock);
	return ret;
}
