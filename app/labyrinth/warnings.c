/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <inttypes.h>
#include <stdio.h>

#include <lab_mempool.h>
#include <lab_page.h>

#include "app.h"
#include "zones.h"

void
warnings_init(struct app *app)
{
	pthread_mutex_init(&app->warnings.lock, NULL);
}

uint64_t
warnings_count(const struct app *app)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < app->pools.nr; i++) {
		struct lab_zone *zone = lab_mempool_zone(app->pools.list[i].mp);
		struct lab_warnings w;

		if (zone == NULL)
			continue;
		lab_zone_warnings(zone, &w);
		n += w.count;
	}
	return n;
}

static uint64_t
newest_refusal(struct lab_zone *zone)
{
	struct lab_refusal r;

	return lab_zone_refusals(zone, &r, 1) ? r.seq : 0;
}

static bool
is_low(struct lab_zone *zone)
{
	struct lab_zone_info info;

	lab_zone_info_get(zone, &info);
	return info.nr_free <= info.wmark.low + info.boost;
}

static void
forget(struct app *app)
{
	struct warnings *ws = &app->warnings;

	ws->base = warnings_count(app);
	ws->count = ws->first_ns = ws->refused_ns = 0;
	ws->already_low = false;
	LAB_POOL_FOREACH (app, pool) {
		struct lab_zone *zone = lab_mempool_zone(pool->mp);

		ws->seq[pool - app->pools.list] = newest_refusal(zone);
		ws->already_low |= is_low(zone);
	}
}

void
warnings_restart(struct app *app)
{
	pthread_mutex_lock(&app->warnings.lock);
	forget(app);
	app->warnings.began_ns = lab_clock_now(&app->clock);
	pthread_mutex_unlock(&app->warnings.lock);
}

void
warnings_forget(struct app *app)
{
	pthread_mutex_lock(&app->warnings.lock);
	forget(app);
	pthread_mutex_unlock(&app->warnings.lock);
}

static double
since_ms(const struct warnings *ws, uint64_t ns)
{
	return ns > ws->began_ns ? (ns - ws->began_ns) / 1e6 : 0;
}

/* The newest warning of any zone. */
static void
first_warning(struct app *app, struct warnings *ws)
{
	struct pool *where = NULL;
	struct lab_warnings w, newest = {0};
	struct lab_zone_info info;

	LAB_POOL_FOREACH (app, pool) {
		lab_zone_warnings(lab_mempool_zone(pool->mp), &w);
		if (w.count > 0 && w.last_ns >= newest.last_ns) {
			newest = w;
			where = pool;
		}
	}
	if (where == NULL)
		return;
	ws->first_ns = newest.last_ns;
	lab_zone_info_get(lab_mempool_zone(where->mp), &info);
	printf("warning: pool %s: down to %lu free pages, the low mark is %lu, after %.3f ms\n",
		where->cfg.name, newest.last_free, info.wmark.low + info.boost,
		since_ms(ws, newest.last_ns));
}

/* Packets ask atomically, tenants do not. The ring holds 64, of which the oldest new one is the first. */
static void
first_refusal(struct app *app, struct warnings *ws)
{
	struct lab_refusal r[64];

	LAB_POOL_FOREACH (app, pool) {
		struct lab_zone *zone = lab_mempool_zone(pool->mp);
		uint64_t *seq = &ws->seq[pool - app->pools.list];
		unsigned int n;

		if (newest_refusal(zone) == *seq)
			continue;
		n = lab_zone_refusals(zone, r, RTE_DIM(r));
		for (unsigned int i = 0; i < n && r[i].seq > *seq; i++) {
			if (lab_gfp_is_atomic(r[i].gfp))
				ws->refused_ns = r[i].time_ns;
		}
		*seq = r[0].seq;
	}
}

void
warnings_poll(struct app *app)
{
	struct warnings *ws = &app->warnings;

	pthread_mutex_lock(&ws->lock);
	ws->count = warnings_count(app) - ws->base;
	if (ws->count > 0 && ws->first_ns == 0)
		first_warning(app, ws);
	if (ws->refused_ns == 0)
		first_refusal(app, ws);
	pthread_mutex_unlock(&ws->lock);
}

static json_t *
time_json(const struct warnings *ws, uint64_t ns)
{
	return ns ? json_real(since_ms(ws, ns)) : json_null();
}

json_t *
warnings_json(struct app *app)
{
	struct warnings *ws = &app->warnings;
	json_t *out;

	pthread_mutex_lock(&ws->lock);
	out = json_pack("{so sb so so so}", "count", lab_json_u64(ws->count), "already_low",
		(int)ws->already_low, "first_ms", time_json(ws, ws->first_ns), "first_refusal_ms",
		time_json(ws, ws->refused_ns), "lead_ms",
		ws->first_ns && ws->refused_ns
			? json_real(((double)ws->refused_ns - (double)ws->first_ns) / 1e6)
			: json_null());
	pthread_mutex_unlock(&ws->lock);
	return out;
}
