/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef WHOLE_H
#define WHOLE_H

/* The same seeded workload over the two frame allocators, and how much of what is free is unusable
 * after it. Without a target of the index: both would be steered to the same. */

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lab_base.h"
#include "lab_frag.h"

struct whole_workload {
	const char *spec;    /* of lab_age_parse(), without its seed */
	unsigned long churn; /* blocks replaced by lab_tenants_step() afterwards */
	bool at_once; /* compaction reaches its goal at the last operation, without a pause */
};

#define WHOLE_ORDERS "orders=0:32/1:8/2:4/3:2/4:1"

static const struct whole_workload whole_workloads[] = {
	{"churn,occupancy=0.5", 0},
	{"churn,occupancy=0.7", 0},
	{"churn,occupancy=0.9", 0},
	{"churn,occupancy=0.5,rounds=40", 0},
	{"churn,occupancy=0.7,rounds=40," WHOLE_ORDERS, 0, .at_once = true},
	{"lifetimes,occupancy=0.5", 0},
	{"lifetimes,occupancy=0.7", 0},
	{"lifetimes,occupancy=0.9", 0},
	{"scatter,occupancy=0.3", 0, .at_once = true},
	{"scatter,occupancy=0.5", 0, .at_once = true},
	{"scatter,occupancy=0.7", 0, .at_once = true},
	{"scatter,occupancy=0.5,unmovable=0.3", 0, .at_once = true},
	{"adversary,order=3,occupancy=0.125", 0, .at_once = true},
	{"adversary,order=3,occupancy=0.5", 0},
	{"adversary,order=9,occupancy=0.002", 0},
	{"adversary,order=9,occupancy=0.5", 0},
	/* mixtures: what a model left goes on living as another one */
	{"scatter,occupancy=0.6," WHOLE_ORDERS, 60000, .at_once = true},
	{"lifetimes,occupancy=0.8,unmovable=0.4,reclaimable=0.2", 60000},
	{"adversary,order=9,occupancy=0.4," WHOLE_ORDERS, 60000},
	{"churn,occupancy=0.8,unmovable=0.5,reclaimable=0," WHOLE_ORDERS, 60000},
};

struct whole_state {
	int unusable[LAB_NR_ORDERS];
	unsigned long free_pages;
	double occupancy;
	unsigned long allocs;  /* blocks */
	uint64_t moved, whole; /* of compaction: pages, pageblocks */
};

struct whole_zone {
	struct lab_zone *zone;
	struct lab_tenants *t;
	void *base;
	size_t len;
};

/* As many pages move at most as there are operations. */
static const struct lab_compaction whole_compaction = {.budget = 64, .every = 64};

/* The frames are never touched. */
static inline int
whole_open(struct whole_zone *w, enum lab_allocator allocator, unsigned long frames, bool compact)
{
	struct lab_zone_config cfg = lab_zone_config_default(frames);
	int rc;

	w->len = frames * LAB_PAGE_SIZE;
	w->base = mmap(NULL, w->len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->base == MAP_FAILED)
		return -1;
	cfg.base = w->base;
	cfg.allocator = allocator;
	if (lab_zone_create(&w->zone, &cfg) != 0)
		return -1;
	rc = lab_tenants_create(&w->t, w->zone, 0);
	return rc == 0 && compact ? lab_tenants_set_compaction(w->t, &whole_compaction) : rc;
}

static inline unsigned long
whole_close(struct whole_zone *w)
{
	unsigned long leaked;

	lab_tenants_destroy(w->t);
	lab_drain_all_pages(w->zone);
	leaked = lab_zone_destroy(w->zone);
	munmap(w->base, w->len);
	return leaked;
}

static inline void
whole_measure(struct whole_zone *w, struct whole_state *out)
{
	struct lab_tenants_info info;
	struct lab_free_counts counts;
	struct lab_zone_stats stats;

	lab_drain_all_pages(w->zone);
	lab_zone_free_counts(w->zone, &counts);
	lab_tenants_info_get(w->t, &info);
	for (unsigned int o = 0; o < LAB_NR_ORDERS; o++)
		out->unusable[o] = lab_unusable_free_index(&counts, o);
	out->free_pages = counts.nr_free;
	out->occupancy = (double)info.pages / (double)(info.pages + counts.nr_free);
	out->allocs = info.allocs;
	lab_zone_stats_get(w->zone, &stats);
	out->moved = stats.compact_pages;
	out->whole = stats.compact_whole;
}

static inline void
whole_run(struct whole_zone *w, const struct whole_workload *load, uint64_t seed)
{
	struct lab_churn_config churn = {.rate = 1e6, .seed = seed, .burst = 100};
	struct lab_age_config cfg;
	char spec[160];

	snprintf(spec, sizeof(spec), "%s,steer=off,seed=%lu", load->spec, (unsigned long)seed);
	if (lab_age_parse(spec, &cfg, NULL, 0) != 0)
		abort();
	lab_age(w->t, &cfg, NULL, NULL, NULL);
	lab_tenants_set_churn(w->t, &churn);
	/* 100 blocks a step; the zone may refuse some */
	for (unsigned long ns = 0; ns < load->churn * 1000; ns += 100000)
		lab_tenants_step(w->t, ns);
}

/* The workload pauses: compaction goes on until it finds nothing more to do. */
static inline void
whole_settle(struct whole_zone *w)
{
	if (lab_tenants_compact(w->t, ULONG_MAX) < 0)
		abort();
}

#endif /* WHOLE_H */
