/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Who holds a pool's objects, and guarded mode: the settings, brought to its zones.
 */
#include <errno.h>
#include <stdio.h>

#include "mempool_private.h"

/* ------------------------------------------------------------- settings */

static void
report(void *arg, const struct lab_guard_report *r)
{
	const struct lab_pool *p = arg;
	char text[512];

	lab_guard_format(r, text, sizeof(text));
	LAB_LOG(ERR, "pool %s: %s", p->mp->name, text);
}

/* Objects are initialised once, so a free one keeps its content; the bytes beside it are nobody's. */
static int
set_guard(struct lab_pool *p, struct lab_zone *zone, enum lab_mempool_guard guard)
{
	struct lab_guard_config cfg = {
		.report = report,
		.arg = p,
		.abort = guard == LAB_MEMPOOL_GUARD_ABORT,
		.keep = true,
		.object_bytes = lab_pool_object_bytes(p->mp),
		.object_order = p->order,
		.colors = p->color_mask,
	};

	return lab_zone_set_guard(zone, guard != LAB_MEMPOOL_GUARD_OFF ? &cfg : NULL);
}

/* The side table is memory that other processes map too. */
static int
need_memory(struct lab_pool *p, uint32_t zone)
{
	struct lab_pool_zone *z = &p->zones[zone];
	size_t len = lab_zone_watch_size(z->zone);

	if (z->watch != NULL)
		return 0;
	z->watch = lab_pool_reserve(p->mp, "W", zone, len);
	if (z->watch == NULL)
		return -ENOMEM;
	return lab_zone_watch_memory(z->zone, z->watch->addr, len);
}

int
lab_pool_apply_watch(struct lab_pool *p, uint32_t zone, const struct lab_mempool_settings *s)
{
	struct lab_zone *z = p->zones[zone].zone;
	int ret = 0;

	if (s->owners || s->guard != LAB_MEMPOOL_GUARD_OFF)
		ret = need_memory(p, zone);
	if (ret == 0)
		ret = lab_zone_set_owners(z, s->owners);
	return ret != 0 ? ret : set_guard(p, z, s->guard);
}

/* An object that is none of the pool's never reaches a zone, which could tell of it. */
void
lab_pool_guard_foreign(const struct lab_pool *p, void *obj)
{
	struct lab_extent x;

	if (!lab_extent_find(&p->extents, (uintptr_t)obj, &x))
		x.zone = 0;
	if (p->nr_zones > 0)
		lab_guard_foreign(p->zones[x.zone].zone, obj, p->order);
}

/* --------------------------------------------------------------- owners */

unsigned int
lab_mempool_owners_top(const struct rte_mempool *mp, struct lab_owner_info *out, unsigned int n)
{
	struct lab_zone *zones[LAB_MEMPOOL_MAX_ZONES];
	unsigned int nr = lab_mempool_nr_zones(mp);

	for (unsigned int i = 0; i < nr; i++)
		zones[i] = lab_mempool_zone_at(mp, i);
	return lab_zones_owners_top(zones, nr, out, n);
}

int
lab_mempool_owner_move(const struct rte_mempool *mp, void *obj, uint32_t owner)
{
	const struct lab_pool *p = lab_pool_of(mp);
	const struct lab_pool_zone *z;
	struct lab_extent x;

	if (p == NULL || !lab_extent_find(&p->extents, (uintptr_t)obj, &x))
		return -EINVAL;
	z = &p->zones[x.zone];
	return lab_owner_move(
		z->zone, (void *)lab_pool_obj_to_block(p, z->base, (uintptr_t)obj), owner);
}
