/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Telemetry of what is behind a pool: zones, refusals, fragmentation.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "mempool_tel.h"

#define RECENT_REFUSALS 16

/* "key=N" alone. @return false if rest is something else; n stays as it was if rest is empty. */
static bool
only_number(const char *rest, const char *key, unsigned long *n)
{
	size_t len = strlen(key);
	char *end;

	if (*rest == '\0')
		return true;
	if (strncmp(rest, key, len) != 0 || rest[len] != '=' || rest[len + 1] < '0' ||
		rest[len + 1] > '9')
		return false;
	*n = strtoul(rest + len + 1, &end, 10);
	return *end == '\0';
}

struct lab_zone *
lab_tel_target_zone(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	unsigned long i = 0;
	struct lab_zone *zone;

	if (!only_number(t->rest, "zone", &i)) {
		lab_tel_error(d, "\"%.40s\" is not zone=N", t->rest);
		return NULL;
	}
	zone = lab_mempool_zone_at(t->mp, i > UINT_MAX ? UINT_MAX : (unsigned int)i);
	if (zone == NULL)
		lab_tel_error(d, "zone %lu: the pool has %u", i, lab_mempool_nr_zones(t->mp));
	return zone;
}

static void
add_u64_array(struct rte_tel_data *d, const char *name, const uint64_t *v, unsigned int n)
{
	struct rte_tel_data *a = rte_tel_data_alloc();

	if (a == NULL)
		return;
	rte_tel_data_start_array(a, LAB_TEL_UINT);
	for (unsigned int i = 0; i < n; i++)
		lab_tel_array_u64(a, v[i]);
	rte_tel_data_add_dict_container(d, name, a, 0);
}

/* ------------------------------------------------------------------ zone */

static void
add_pages(struct rte_tel_data *d, const struct lab_zone_info *info)
{
	lab_tel_dict_u64(d, "spanned", info->spanned);
	lab_tel_dict_u64(d, "present", info->present);
	lab_tel_dict_u64(d, "managed", info->managed);
	lab_tel_dict_u64(d, "free", info->nr_free);
	lab_tel_dict_u64(d, "pcp", info->nr_pcp);
	lab_tel_dict_u64(d, "reserve", info->nr_reserve);
	lab_tel_dict_u64(d, "highatomic", info->nr_highatomic);
	lab_tel_dict_u64(d, "free_highatomic", info->nr_free_highatomic);
	lab_tel_dict_u64(d, "min", info->wmark.min);
	lab_tel_dict_u64(d, "low", info->wmark.low);
	lab_tel_dict_u64(d, "high", info->wmark.high);
	lab_tel_dict_u64(d, "boost", info->boost);
	lab_tel_dict_u64(d, "lowmem_reserve", info->lowmem_reserve[info->type]);
	lab_tel_dict_u64(d, "pcp_batch", info->pcp_batch);
	lab_tel_dict_u64(d, "pcp_high", info->pcp_high);
}

static void
add_free_blocks(struct rte_tel_data *d, const struct lab_free_counts *counts)
{
	uint64_t blocks[LAB_NR_ORDERS] = {0};

	for (int o = 0; o < LAB_NR_ORDERS; o++)
		for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			blocks[o] += counts->blocks[o][mt];
	add_u64_array(d, "free_blocks", blocks, LAB_NR_ORDERS);
}

static void
add_zone_counters(struct rte_tel_data *d, const struct lab_zone_stats *s)
{
	add_u64_array(d, "alloc", s->alloc, LAB_NR_ORDERS);
	add_u64_array(d, "freed", s->free, LAB_NR_ORDERS);
	lab_tel_dict_u64(d, "slowpath", s->slowpath);
	lab_tel_dict_u64(d, "kswapd_wake", s->kswapd_wake);
	lab_tel_dict_u64(d, "kcompactd_wake", s->kcompactd_wake);
	lab_tel_dict_u64(d, "pcp_hit", s->pcp_hit);
	lab_tel_dict_u64(d, "pcp_refill", s->pcp_refill);
	lab_tel_dict_u64(d, "claim", s->claim);
	lab_tel_dict_u64(d, "steal", s->steal);
	lab_tel_dict_u64(d, "bad_free", s->bad_free);
	lab_tel_dict_u64(d, "zero_hit", s->zero_hit);
	lab_tel_dict_u64(d, "zero_inline", s->zero_inline);
	lab_tel_dict_u64(d, "reserve_hit", s->reserve_hit);
	lab_tel_dict_u64(d, "reserve_refill", s->reserve_refill);
	lab_tel_dict_u64(d, "background_rounds", s->background_rounds);
}

/* What a request of the pool would meet now. */
static void
add_verdict(struct rte_tel_data *d, const struct lab_tel_target *t, struct lab_zone *zone)
{
	struct lab_verdict v;
	enum lab_cause cause = lab_zone_explain(zone, t->pool->gfp, t->pool->order, &v);

	rte_tel_data_add_dict_string(
		d, "next_request", cause == LAB_CAUSE_NONE ? "served" : lab_cause_name(cause));
}

int
lab_tel_zone(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	struct lab_zone *zone = lab_tel_target_zone(t, d);
	struct lab_free_counts counts;
	struct lab_zone_info info;
	struct lab_zone_stats stats;
	struct lab_watch_info watch;

	if (zone == NULL)
		return 0;
	lab_zone_watch_info(zone, &watch);
	lab_zone_info_get(zone, &info);
	lab_zone_stats_get(zone, &stats);
	lab_zone_free_counts(zone, &counts);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "pool", t->mp->name);
	rte_tel_data_add_dict_string(d, "name", info.name);
	rte_tel_data_add_dict_int(d, "node", info.node);
	rte_tel_data_add_dict_string(d, "allocator", lab_allocator_name(info.allocator));
	add_pages(d, &info);
	add_free_blocks(d, &counts);
	add_verdict(d, t, zone);
	add_zone_counters(d, &stats);
	lab_tel_dict_u64(d, "guard_findings", watch.guard_findings);
	return 0;
}

/* -------------------------------------------------------------- failures */

static void
add_causes(struct rte_tel_data *d, const char *name, const uint64_t *refused)
{
	struct rte_tel_data *c = rte_tel_data_alloc();

	if (c == NULL)
		return;
	rte_tel_data_start_dict(c);
	for (int i = LAB_CAUSE_NONE + 1; i < LAB_NR_CAUSES; i++)
		lab_tel_dict_u64(c, lab_cause_name((enum lab_cause)i), refused[i]);
	rte_tel_data_add_dict_container(d, name, c, 0);
}

static void
format_refusal(const struct lab_refusal *r, char *buf, size_t len)
{
	snprintf(buf, len,
		"seq=%" PRIu64 " time_ns=%" PRIu64 " cpu=%u order=%u mode=0x%x cause=%s free=%ld "
		"min=%ld",
		r->seq, r->time_ns, r->cpu, r->order, r->gfp, lab_cause_name(r->verdict.cause),
		r->verdict.free, r->verdict.min);
}

static void
add_recent(struct rte_tel_data *d, struct lab_zone *zone)
{
	struct lab_refusal r[RECENT_REFUSALS];
	struct rte_tel_data *a = rte_tel_data_alloc();
	unsigned int n;

	if (a == NULL)
		return;
	n = lab_zone_refusals(zone, r, RECENT_REFUSALS);
	rte_tel_data_start_array(a, RTE_TEL_STRING_VAL);
	for (unsigned int i = 0; i < n; i++) {
		char text[RTE_TEL_MAX_STRING_LEN];

		format_refusal(&r[i], text, sizeof(text));
		rte_tel_data_add_array_string(a, text);
	}
	rte_tel_data_add_dict_container(d, "recent", a, 0);
}

/* Refusals of blocks, over the zones; a dequeue of n objects may meet one after some were served. */
static void
add_zone_refusals(struct rte_tel_data *d, const struct rte_mempool *mp)
{
	uint64_t refused[LAB_NR_CAUSES] = {0};

	for (unsigned int i = 0; i < lab_mempool_nr_zones(mp); i++) {
		struct lab_zone_stats s;

		lab_zone_stats_get(lab_mempool_zone_at(mp, i), &s);
		for (int c = 0; c < LAB_NR_CAUSES; c++)
			refused[c] += s.refused[c];
	}
	add_causes(d, "zone_refused", refused);
}

int
lab_tel_failures(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	struct lab_mempool_stats s;
	unsigned long reset = 0;

	if (!only_number(t->rest, "reset", &reset) || reset > 1)
		return lab_tel_error(d, "\"%.40s\" is not reset=1", t->rest);
	lab_mempool_stats_get(t->mp, &s);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "pool", t->mp->name);
	lab_tel_dict_u64(d, "dequeues", s.dequeues);
	lab_tel_dict_u64(d, "dequeued_objects", s.dequeued_objects);
	lab_tel_dict_u64(d, "enqueues", s.enqueues);
	lab_tel_dict_u64(d, "enqueued_objects", s.enqueued_objects);
	add_causes(d, "refused", s.refused);
	lab_tel_dict_u64(d, "refused_objects", s.refused_objects);
	lab_tel_dict_u64(d, "failed_with_free", s.failed_with_free);
	lab_tel_dict_u64(d, "bad_enqueue_objects", s.bad_enqueue_objects);
	add_zone_refusals(d, t->mp);
	if (lab_mempool_zone(t->mp) != NULL)
		add_recent(d, lab_mempool_zone(t->mp));
	if (reset == 1)
		lab_mempool_stats_reset(t->mp);
	return 0;
}

/* ---------------------------------------------------------------- owners */

#define OWNERS_MOST 32

/* Milliseconds: telemetry has no fractions, and the clock of the ages no microseconds. By rank, for DPDK
 * 22.11 has no arrays of dictionaries. */
static void
add_owner(struct rte_tel_data *d, unsigned int rank, const struct lab_owner_info *o)
{
	struct rte_tel_data *c = rte_tel_data_alloc();
	char name[16];

	if (c == NULL)
		return;
	snprintf(name, sizeof(name), "%u", rank);
	rte_tel_data_start_dict(c);
	rte_tel_data_add_dict_string(c, "owner", o->name);
	lab_tel_dict_u64(c, "id", o->owner);
	lab_tel_dict_u64(c, "pages", o->pages);
	lab_tel_dict_u64(c, "blocks", o->blocks);
	lab_tel_dict_u64(c, "oldest_ms", o->oldest_ns / 1000000);
	lab_tel_dict_u64(c, "median_ms", o->median_ns / 1000000);
	rte_tel_data_add_dict_container(d, name, c, 0);
}

int
lab_tel_owners(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	struct lab_owner_info o[OWNERS_MOST];
	struct lab_mempool_settings s;
	unsigned long most = 10;
	unsigned int n;

	if (!only_number(t->rest, "n", &most) || most < 1 || most > OWNERS_MOST)
		return lab_tel_error(d, "\"%.40s\" is not n=1 to n=%d", t->rest, OWNERS_MOST);
	lab_mempool_settings_get(t->mp, &s);
	if (!s.owners)
		return lab_tel_error(d, "owners are off: /labyrinth/set,%s,owners=on", t->mp->name);
	n = lab_mempool_owners_top(t->mp, o, (unsigned int)most);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "pool", t->mp->name);
	for (unsigned int i = 0; i < n; i++)
		add_owner(d, i + 1, &o[i]);
	return 0;
}

/* --------------------------------------------------------------- reclaim */

/* Why the caches of a process were not taken back. */
static int
reclaim_error(struct rte_tel_data *d, const char *pool, unsigned long pid, long err)
{
	switch (err) {
	case -EBUSY:
		return lab_tel_error(
			d, "process %lu is alive: only a dead one's caches can be taken back", pid);
	case -ENOENT:
		return lab_tel_error(d, "process %lu has no caches in pool %s", pid, pool);
	case -ENOTSUP:
		return lab_tel_error(d,
			"pool %s: the buddy allocator has no caches that a process takes with it",
			pool);
	default:
		return lab_tel_error(d, "pool %s: %s", pool, strerror((int)-err));
	}
}

int
lab_tel_reclaim(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	unsigned long pid = 0;
	long pages;

	if (!only_number(t->rest, "pid", &pid) || pid == 0 || pid > INT_MAX)
		return lab_tel_error(
			d, "\"%.40s\" is not pid=N, a process that has ended", t->rest);
	pages = lab_mempool_reclaim(t->mp, (uint32_t)pid);
	if (pages < 0)
		return reclaim_error(d, t->mp->name, pid, pages);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "pool", t->mp->name);
	lab_tel_dict_u64(d, "pid", pid);
	lab_tel_dict_u64(d, "pages", (uint64_t)pages);
	return 0;
}

/* --------------------------------------------------------- fragmentation */

typedef int (*index_fn)(const struct lab_free_counts *counts, unsigned int order);

/* An index of each order, times 1000 as Linux prints it. */
static void
add_index(struct rte_tel_data *d, const char *name, index_fn fn, const struct lab_free_counts *c)
{
	struct rte_tel_data *a = rte_tel_data_alloc();

	if (a == NULL)
		return;
	rte_tel_data_start_array(a, RTE_TEL_INT_VAL);
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		rte_tel_data_add_array_int(a, fn(c, o));
	rte_tel_data_add_dict_container(d, name, a, 0);
}

int
lab_tel_frag(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	struct lab_zone *zone = lab_tel_target_zone(t, d);
	struct lab_free_counts counts;

	if (zone == NULL)
		return 0;
	lab_zone_free_counts(zone, &counts);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "pool", t->mp->name);
	lab_tel_dict_u64(d, "free", counts.nr_free);
	add_free_blocks(d, &counts);
	add_index(d, "unusable", lab_unusable_free_index, &counts);
	add_index(d, "extfrag", lab_fragmentation_index, &counts);
	return 0;
}
