/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <lab_mempool.h>
#include <lab_report.h>

#include "app.h"
#include "zones.h"

/** A round takes about 10 us; so many pages are moved at most as tenants' blocks come and go. */
static const struct lab_compaction compaction = {.budget = 64, .every = 64};

struct pool *
zone_pool(struct app *app, const char *name)
{
	LAB_POOL_FOREACH (app, pool) {
		if (name == NULL || !strcmp(pool->cfg.name, name))
			return pool;
	}
	if (name)
		cmd_fail(app, -ENOENT, "no pool '%s' with a zone (see 'show pool')", name);
	else
		cmd_fail(app, -ENOENT, "no pool has a zone: make one with ops=labyrinth_buddy");
	return NULL;
}

struct lab_tenants *
zone_tenants(struct app *app, struct pool *pool)
{
	struct lab_tenants *t = lab_mempool_tenants(pool->mp);

	if (t == NULL) {
		cmd_fail(app, -errno, "pool %s: tenants: %s", pool->cfg.name, strerror(errno));
		return NULL;
	}
	pool->tenants = t;
	if (app->vtime.kswapd)
		lab_zone_set_reclaim(lab_mempool_zone(pool->mp), lab_tenants_reclaim, t);
	if (app->vtime.compaction)
		lab_tenants_set_compaction(t, &compaction);
	return t;
}

void
zones_set_time(struct app *app, uint64_t now_ns)
{
	bool is_virtual = app->clock.kind == LAB_CLOCK_VIRTUAL;

	/* to a zone 0 is the machine's clock */
	LAB_POOL_FOREACH (app, pool)
		lab_zone_set_time(lab_mempool_zone(pool->mp), is_virtual ? RTE_MAX(now_ns, 1U) : 0);
}

void
zones_background(struct app *app, uint64_t now_ns)
{
	LAB_POOL_FOREACH (app, pool) {
		struct lab_zone *zone = lab_mempool_zone(pool->mp);

		if (pool->tenants)
			lab_tenants_step(pool->tenants, now_ns);
		if (app->vtime.kswapd && lab_zone_kswapd_wanted(zone))
			lab_zone_kswapd(zone);
		lab_zone_background(zone, compaction.budget);
	}
}

void
zones_set_reclaim(struct app *app, bool on)
{
	app->vtime.kswapd = on;
	LAB_POOL_FOREACH (app, pool) {
		if (pool->tenants)
			lab_zone_set_reclaim(lab_mempool_zone(pool->mp),
				on ? lab_tenants_reclaim : NULL, on ? pool->tenants : NULL);
	}
}

static bool
can_compact(const struct pool *pool)
{
	struct lab_zone_info info;

	lab_zone_info_get(lab_mempool_zone(pool->mp), &info);
	return info.allocator == LAB_ALLOCATOR_LABYRINTH;
}

int
zones_set_compaction(struct app *app, bool on)
{
	const struct lab_compaction off = {0};
	bool any = false;
	int rc = 0;

	LAB_POOL_FOREACH (app, pool) {
		if (!can_compact(pool))
			continue;
		any = true;
		if (rc == 0 && pool->tenants)
			rc = lab_tenants_set_compaction(pool->tenants, on ? &compaction : &off);
	}
	if (on && !any)
		return cmd_fail(app, -ENOTSUP,
			"no pool has a zone that compacts: make one with ops=labyrinth");
	if (rc)
		return cmd_fail(app, rc, "compaction: %s", strerror(-rc));
	app->vtime.compaction = on;
	return 0;
}

long
zone_compact(struct app *app, struct pool *pool)
{
	struct lab_tenants *t;
	long moved;

	if (!can_compact(pool))
		return cmd_fail(app, -ENOTSUP,
			"pool %s: the buddy allocator does not compact; a pool with ops=labyrinth "
			"does",
			pool->cfg.name);
	t = zone_tenants(app, pool);
	if (t == NULL)
		return -ENOMEM;
	if (!app->vtime.compaction)
		lab_tenants_set_compaction(t, &compaction);
	moved = lab_tenants_compact(t, ULONG_MAX);
	if (!app->vtime.compaction)
		lab_tenants_set_compaction(t, &(struct lab_compaction){0});
	return moved < 0 ? cmd_fail(app, (int)moved, "pool %s: compaction: %s", pool->cfg.name,
				   strerror((int)-moved))
			 : moved;
}

void
zones_release(struct app *app)
{
	zones_set_compaction(app, false);
	zones_set_reclaim(app, false);
}

unsigned long
zones_free_pages(const struct app *app)
{
	unsigned long sum = 0;
	struct lab_zone_info info;

	for (unsigned int i = 0; i < app->pools.nr; i++) {
		struct lab_zone *zone = lab_mempool_zone(app->pools.list[i].mp);

		if (zone == NULL)
			continue;
		lab_zone_info_get(zone, &info);
		sum += info.nr_free;
	}
	return sum;
}

static json_t *
causes_json(const uint64_t *n)
{
	struct lab_report_count counts[LAB_NR_CAUSES];

	for (unsigned int i = 1; i < LAB_NR_CAUSES; i++)
		counts[i - 1] = (struct lab_report_count){lab_cause_name(i), n[i]};
	return lab_json_counts(counts, LAB_NR_CAUSES - 1);
}

static json_t *
tenants_json(struct lab_tenants *t)
{
	struct lab_tenants_info i;

	lab_tenants_info_get(t, &i);
	return json_pack("{so so so so so so so so}", "blocks", lab_json_u64(i.blocks), "pages",
		lab_json_u64(i.pages), "unmovable", lab_json_u64(i.pages_mt[LAB_MIGRATE_UNMOVABLE]),
		"movable", lab_json_u64(i.pages_mt[LAB_MIGRATE_MOVABLE]), "reclaimable",
		lab_json_u64(i.pages_mt[LAB_MIGRATE_RECLAIMABLE]), "refused",
		lab_json_u64(i.refused), "churned", lab_json_u64(i.churned), "reclaimed_pages",
		lab_json_u64(i.reclaimed_pages));
}

static void
add_counters(json_t *out, struct pool *pool, struct lab_zone *zone)
{
	struct lab_mempool_stats ms;
	struct lab_watch_info watch;
	struct lab_zone_info info;
	struct lab_zone_stats zs;

	lab_zone_watch_info(zone, &watch);
	lab_zone_info_get(zone, &info);
	lab_zone_stats_get(zone, &zs);
	if (lab_mempool_stats_get(pool->mp, &ms) == 0) {
		json_object_set_new(out, "requests",
			json_pack("{so so so so so}", "served", lab_json_u64(ms.dequeues),
				"refused", causes_json(ms.refused), "refused_objects",
				lab_json_u64(ms.refused_objects), "failed_with_free",
				lab_json_u64(ms.failed_with_free), "bad_enqueue_objects",
				lab_json_u64(ms.bad_enqueue_objects)));
	}
	json_object_set_new(out, "zone_refused", causes_json(zs.refused));
	json_object_set_new(out, "counters",
		json_pack("{so so so so so so so so so so}", "slowpath", lab_json_u64(zs.slowpath),
			"kswapd_wake", lab_json_u64(zs.kswapd_wake), "kcompactd_wake",
			lab_json_u64(zs.kcompactd_wake), "boost", lab_json_u64(zs.boost),
			"direct_reclaim", lab_json_u64(zs.direct_reclaim), "reclaimed_pages",
			lab_json_u64(zs.reclaimed_pages), "claim", lab_json_u64(zs.claim), "steal",
			lab_json_u64(zs.steal), "bad_free", lab_json_u64(zs.bad_free),
			"guard_findings", lab_json_u64(watch.guard_findings)));
	json_object_set_new(out, "reserve",
		json_pack("{so so so}", "pages", lab_json_u64(info.nr_reserve), "hits",
			lab_json_u64(zs.reserve_hit), "refills", lab_json_u64(zs.reserve_refill)));
	json_object_set_new(out, "compaction",
		json_pack("{so so so so}", "moves", lab_json_u64(zs.compact_moves), "pages",
			lab_json_u64(zs.compact_pages), "refused", lab_json_u64(zs.compact_refused),
			"made_whole", lab_json_u64(zs.compact_whole)));
	if (pool->tenants)
		json_object_set_new(out, "tenants", tenants_json(pool->tenants));
}

json_t *
zone_json(struct pool *pool)
{
	struct lab_zone *zone = lab_mempool_zone(pool->mp);
	struct lab_mempool_settings set;
	struct lab_zone_info i;
	char settings[512] = "";
	json_t *out;

	lab_zone_info_get(zone, &i);
	if (lab_mempool_settings_get(pool->mp, &set) == 0)
		lab_mempool_settings_format(&set, settings, sizeof(settings));
	out = json_pack("{ss ss ss si so so so so so so so so so so so sI si si}", "pool",
		pool->cfg.name, "name", i.name, "allocator", lab_allocator_name(i.allocator),
		"object_order", lab_mempool_order(pool->mp), "spanned", lab_json_u64(i.spanned),
		"managed", lab_json_u64(i.managed), "free", lab_json_u64(i.nr_free), "pcp",
		lab_json_u64(i.nr_pcp), "highatomic", lab_json_u64(i.nr_highatomic), "min",
		lab_json_u64(i.wmark.min), "low", lab_json_u64(i.wmark.low), "high",
		lab_json_u64(i.wmark.high), "promo", lab_json_u64(i.wmark.promo), "boost",
		lab_json_u64(i.boost), "lowmem_reserve",
		lab_json_u64(i.lowmem_reserve[LAB_ZONE_NORMAL]), "min_free_kbytes",
		(json_int_t)i.min_free_kbytes, "watermark_scale_factor",
		(int)i.watermark_scale_factor, "watermark_boost_factor",
		(int)i.watermark_boost_factor);
	if (out == NULL)
		return NULL;
	json_object_set_new(out, "zones", json_integer(lab_mempool_nr_zones(pool->mp)));
	json_object_set_new(out, "settings", json_string(settings));
	add_counters(out, pool, zone);
	return out;
}

json_t *
zone_frag_json(struct pool *pool)
{
	struct lab_report_frag out[LAB_NR_ORDERS];
	struct lab_frag_row rows[LAB_NR_ORDERS];

	lab_frag_table(lab_mempool_zone(pool->mp), rows);
	for (unsigned int i = 0; i < LAB_NR_ORDERS; i++)
		out[i] = (struct lab_report_frag){
			rows[i].order, rows[i].free_blocks, rows[i].unusable, rows[i].extfrag};
	return lab_json_frag(out, LAB_NR_ORDERS);
}

/* As many as a screen has lines. */
#define OWNERS_SHOWN 20

json_t *
zone_owners_json(struct pool *pool)
{
	struct lab_owner_info o[OWNERS_SHOWN];
	struct lab_mempool_settings set;
	json_t *list;
	unsigned int n;

	if (lab_mempool_settings_get(pool->mp, &set) != 0 || !set.owners)
		return json_null();
	n = lab_mempool_owners_top(pool->mp, o, OWNERS_SHOWN);
	list = json_array();
	for (unsigned int i = 0; i < n; i++) {
		char id[16];

		snprintf(id, sizeof(id), "0x%08x", o[i].owner);
		json_array_append_new(list,
			json_pack("{ss ss so so sf sf}", "owner", o[i].name, "id", id, "pages",
				lab_json_u64(o[i].pages), "blocks", lab_json_u64(o[i].blocks),
				"oldest_ms", (double)o[i].oldest_ns / 1e6, "median_ms",
				(double)o[i].median_ns / 1e6));
	}
	return list;
}
