/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_ZONES_H
#define APP_ZONES_H

/** @file zones.h The zones behind the pools: their time, their tenants, kswapd, compaction. */

#include <stdint.h>

#include <jansson.h>

#include <lab_frag.h>
#include <lab_page.h>

struct app;
struct pool;

/** Pools of the Labyrinth driver, in the order of their creation. */
#define LAB_POOL_FOREACH(app, pool)                                                                \
	for (struct pool *pool = (app)->pools.list; pool < (app)->pools.list + (app)->pools.nr;    \
		pool++)                                                                            \
		if (lab_mempool_zone(pool->mp))

/** The pool of that name, NULL: the first with a zone. NULL with the CLI's message set. */
struct pool *zone_pool(struct app *app, const char *name);

/** Tenants of a pool's zone, made on first use. NULL with the message set. */
struct lab_tenants *zone_tenants(struct app *app, struct pool *pool);

/** Stamp refusals and owners with virtual time; in real time, with the machine's. */
void zones_set_time(struct app *app, uint64_t now_ns);

/** Churn, kswapd and compaction, where they are switched on. */
void zones_background(struct app *app, uint64_t now_ns);

/** Register (or not) the tenants as what kswapd reclaims from. */
void zones_set_reclaim(struct app *app, bool on);

/** Let zones compact, or not. @return 0; -ENOTSUP, message set: no pool's zone can; -errno. */
int zones_set_compaction(struct app *app, bool on);

/** Compact a pool's zone until nothing is to be gained. @return pages moved, or -errno, message set. */
long zone_compact(struct app *app, struct pool *pool);

/** Before the pools go. */
void zones_release(struct app *app);

/** {pool, name, managed, free, ...}: sizes, marks and counters of a pool's zone. */
json_t *zone_json(struct pool *pool);

/** [{order, free_blocks, unusable, extfrag}] */
json_t *zone_frag_json(struct pool *pool);

/** [{owner, id, pages, blocks, oldest_ms, median_ms}], most pages first; null while owner tags are off. */
json_t *zone_owners_json(struct pool *pool);

unsigned long zones_free_pages(const struct app *app);

#endif /* APP_ZONES_H */
