/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Compaction: movable blocks of the tenants go where the zone wants them, and rounds of it run between
 * the tenants' own operations, counted in these, so that a seed gives the same zone. */
#include <errno.h>
#include <string.h>

#include "tenants.h"

/** Rounds in a row without gain after which lab_tenants_compact() gives up. */
#define VAIN_MAX 256

/** The tenants whose lock this thread holds while the zone compacts for them. */
static __thread const struct lab_tenants *inside;

/** With the lock held. */
static int
move(struct lab_tenants *t, void *from, void *to, unsigned int order)
{
	unsigned long pfn = lab_page_to_pfn(t->zone, from);
	struct hold_ref r;
	struct hold *h;

	if (!hold_at(t, pfn, &r) || hold_of(t, r)->order != order)
		return -ENOENT;
	if (r.mt != LAB_MIGRATE_MOVABLE)
		return -EBUSY;
	if (to == NULL)
		return 0;
	h = hold_of(t, r);
	if (t->touched)
		memcpy(to, from, order_pages(order) * LAB_PAGE_SIZE);
	t->where[lab_page_to_pfn(t->zone, to)] = t->where[pfn];
	t->where[pfn] = 0;
	h->pfn = (uint32_t)lab_page_to_pfn(t->zone, to);
	t->moved++;
	return 0;
}

int
lab_tenants_move(void *arg, void *from, void *to, unsigned int order)
{
	struct lab_tenants *t = arg;
	int rc;

	if (inside == t)
		return move(t, from, to, order);
	if (pthread_mutex_trylock(&t->lock) != 0)
		return -EBUSY;
	rc = move(t, from, to, order);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

int
lab_tenants_set_compaction(struct lab_tenants *t, const struct lab_compaction *cfg)
{
	struct lab_zone_info info;
	bool on = cfg->budget > 0;
	int rc;

	lab_zone_info_get(t->zone, &info);
	if (on && info.allocator != LAB_ALLOCATOR_LABYRINTH)
		return -ENOTSUP;
	if (on && (cfg->every == 0 || cfg->budget > COMPACTION_MAX || cfg->every > COMPACTION_MAX))
		return -EINVAL;
	pthread_mutex_lock(&t->lock);
	rc = lab_zone_set_move(t->zone, on ? lab_tenants_move : NULL, t);
	if (rc == 0) {
		t->compaction = *cfg;
		t->compact_due = t->allocs + t->frees + cfg->every;
	}
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/** A round, by a thread that has the lock. @return as lab_zone_compact(). */
static int
compact_locked(struct lab_tenants *t, unsigned int budget)
{
	int rc;

	inside = t;
	rc = lab_zone_compact(t->zone, LAB_PAGEBLOCK_ORDER, budget);
	inside = NULL;
	return rc;
}

void
tenants_compact_due(struct lab_tenants *t)
{
	uint64_t now = t->allocs + t->frees;

	if (t->compaction.budget == 0 || now < t->compact_due)
		return;
	compact_locked(t, t->compaction.budget);
	t->compact_due = now + t->compaction.every;
}

long
lab_tenants_compact(struct lab_tenants *t, unsigned long nr_pages)
{
	unsigned int vain = 0;
	unsigned long moved = 0;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	/* others who go on using the zone could keep it from coming to an end */
	while (moved < nr_pages && vain < VAIN_MAX) {
		unsigned long left = nr_pages - moved;

		rc = compact_locked(t, left < COMPACTION_MAX ? (unsigned int)left : COMPACTION_MAX);
		vain = rc == -EAGAIN ? vain + 1 : 0;
		if (rc == -EAGAIN)
			continue;
		if (rc <= 0)
			break;
		moved += (unsigned long)rc;
	}
	pthread_mutex_unlock(&t->lock);
	return rc < 0 && rc != -EAGAIN ? rc : (long)moved;
}
