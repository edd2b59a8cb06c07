/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Zones: what they are like, and their settings. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_mempool.h>
#include <lab_report.h>

#include "app.h"
#include "zones.h"

/* The pools that a command speaks of: the named one, or all with a zone. */
static json_t *
each_pool(struct app *app, const struct cmd_args *a, json_t *(*fn)(struct pool *pool))
{
	const char *name = cmd_arg(a, "pool");
	json_t *list = json_array();

	if (zone_pool(app, name) == NULL) {
		json_decref(list);
		return NULL;
	}
	LAB_POOL_FOREACH (app, pool) {
		if (name == NULL || !strcmp(name, pool->cfg.name))
			json_array_append_new(list, fn(pool));
	}
	return list;
}

static json_t *
show_info(struct app *app, const struct cmd_args *a)
{
	json_t *list = each_pool(app, a, zone_json);

	return list ? json_pack("{so}", "zones", list) : NULL;
}

static void
print_info(struct app *app, const json_t *shown)
{
	const json_t *zone;
	size_t i;

	RTE_SET_USED(app);
	json_array_foreach (json_object_get(shown, "zones"), i, zone)
		lab_display(zone, LAB_FORMAT_TABLE, stdout);
}

typedef void (*format_fn)(struct lab_zone *zone, FILE *out);

/* The kernel's formats, as text in JSON too: it is what scripts read. */
static json_t *
kernel_format(struct pool *pool, format_fn fn)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	json_t *out;

	if (f == NULL)
		return NULL;
	for (unsigned int i = 0; i < lab_mempool_nr_zones(pool->mp); i++)
		fn(lab_mempool_zone_at(pool->mp, i), f);
	fclose(f);
	out = json_pack("{ss ss}", "pool", pool->cfg.name, "text", text);
	free(text);
	return out;
}

static json_t *
buddyinfo(struct pool *pool)
{
	return kernel_format(pool, lab_zone_buddyinfo);
}

static json_t *
pagetypeinfo(struct pool *pool)
{
	return kernel_format(pool, lab_zone_pagetypeinfo);
}

static json_t *
zoneinfo(struct pool *pool)
{
	return kernel_format(pool, lab_zone_zoneinfo);
}

static json_t *
show_format(struct app *app, const struct cmd_args *a)
{
	const char *what = cmd_word(a, 2);
	json_t *list = each_pool(app, a,
		!strcmp(what, "buddyinfo")      ? buddyinfo
		: !strcmp(what, "pagetypeinfo") ? pagetypeinfo
						: zoneinfo);

	return list ? json_pack("{ss so}", "format", what, "zones", list) : NULL;
}

static void
print_format(struct app *app, const json_t *shown)
{
	const json_t *zone;
	size_t i;

	RTE_SET_USED(app);
	json_array_foreach (json_object_get(shown, "zones"), i, zone)
		fputs(json_string_value(json_object_get(zone, "text")), stdout);
}

static json_t *
refusals(struct pool *pool)
{
	struct lab_refusal r[64];
	unsigned int n = lab_zone_refusals(lab_mempool_zone(pool->mp), r, RTE_DIM(r));
	json_t *list = json_array();
	char gfp[128];

	for (unsigned int i = 0; i < n; i++) {
		lab_gfp_format(r[i].gfp, gfp, sizeof(gfp));
		json_array_append_new(list,
			json_pack("{sI sf ss si ss sI sI sI sI}", "seq", (json_int_t)r[i].seq,
				"time_ms", r[i].time_ns / 1e6, "cause",
				lab_cause_name(r[i].verdict.cause), "order", r[i].order, "gfp", gfp,
				"nr_free", (json_int_t)r[i].verdict.nr_free, "free",
				(json_int_t)r[i].verdict.free, "min", (json_int_t)r[i].verdict.min,
				"lowmem_reserve", (json_int_t)r[i].verdict.lowmem_reserve));
	}
	return json_pack("{ss so}", "pool", pool->cfg.name, "refusals", list);
}

static json_t *
show_failures(struct app *app, const struct cmd_args *a)
{
	json_t *list = each_pool(app, a, refusals);

	return list ? json_pack("{so}", "zones", list) : NULL;
}

static json_t *
zone_warnings(struct pool *pool)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < lab_mempool_nr_zones(pool->mp); i++) {
		struct lab_zone *zone = lab_mempool_zone_at(pool->mp, i);
		struct lab_zone_info info;
		struct lab_warnings w;

		lab_zone_warnings(zone, &w);
		lab_zone_info_get(zone, &info);
		json_array_append_new(
			list, json_pack("{si sI sf sI sb sI sI sI}", "zone", (int)i, "count",
				      (json_int_t)w.count, "last_ms", w.last_ns / 1e6, "last_free",
				      (json_int_t)w.last_free, "armed", (int)w.armed, "free",
				      (json_int_t)info.nr_free, "low",
				      (json_int_t)(info.wmark.low + info.boost), "high",
				      (json_int_t)(info.wmark.high + info.boost)));
	}
	return json_pack("{ss so}", "pool", pool->cfg.name, "warnings", list);
}

static json_t *
show_warnings(struct app *app, const struct cmd_args *a)
{
	json_t *list = each_pool(app, a, zone_warnings);

	return list ? json_pack("{so}", "zones", list) : NULL;
}

/* A table a pool; null is that of a pool that keeps none. */
static void
print_lists(const json_t *shown, const char *key)
{
	const json_t *zone;
	size_t i;

	json_array_foreach (json_object_get(shown, "zones"), i, zone) {
		const json_t *list = json_object_get(zone, key);

		printf("pool %s%s\n", json_string_value(json_object_get(zone, "pool")),
			json_is_null(list) ? ": off" : "");
		if (!json_is_null(list))
			lab_display(list, LAB_FORMAT_TABLE, stdout);
	}
}

static void
print_warnings(struct app *app, const json_t *shown)
{
	RTE_SET_USED(app);
	print_lists(shown, "warnings");
}

static void
print_failures(struct app *app, const json_t *shown)
{
	RTE_SET_USED(app);
	print_lists(shown, "refusals");
}

static json_t *
frag(struct pool *pool)
{
	return json_pack("{ss so}", "pool", pool->cfg.name, "frag", zone_frag_json(pool));
}

static json_t *
show_frag(struct app *app, const struct cmd_args *a)
{
	json_t *list = each_pool(app, a, frag);

	return list ? json_pack("{so}", "zones", list) : NULL;
}

static void
print_frag(struct app *app, const json_t *shown)
{
	RTE_SET_USED(app);
	print_lists(shown, "frag");
}

static json_t *
owners(struct pool *pool)
{
	return json_pack("{ss so}", "pool", pool->cfg.name, "owners", zone_owners_json(pool));
}

static json_t *
show_owners(struct app *app, const struct cmd_args *a)
{
	json_t *list = each_pool(app, a, owners);
	bool known = false;
	json_t *zone;
	size_t i;

	if (list == NULL)
		return NULL;
	json_array_foreach (list, i, zone)
		known |= json_is_array(json_object_get(zone, "owners"));
	if (known)
		return json_pack("{so}", "zones", list);
	cmd_fail(app, -ENODATA, "owners are off (set zone owners on)");
	json_decref(list);
	return NULL;
}

static void
print_owners(struct app *app, const json_t *shown)
{
	RTE_SET_USED(app);
	print_lists(shown, "owners");
}

static int
apply(struct app *app, const char *name, const char *text)
{
	char err[LAB_MEMPOOL_ERR_LEN] = "";

	if (zone_pool(app, name) == NULL)
		return -ENOENT;
	LAB_POOL_FOREACH (app, pool) {
		int rc;

		if (name && strcmp(name, pool->cfg.name))
			continue;
		rc = lab_mempool_settings_apply(pool->mp, text, err, sizeof(err));
		if (rc)
			return cmd_fail(app, rc, "pool %s: %s", pool->cfg.name,
				err[0] ? err : strerror(-rc));
	}
	return 0;
}

/* The driver's keys, under the kernel's names. */
static int
set_zone(struct app *app, const struct cmd_args *a)
{
	const char *key = cmd_word(a, 2);
	char text[CLI_WORD_LEN + 64];

	if (!strcmp(key, "watermark_boost_factor"))
		key = "boost";
	snprintf(text, sizeof(text), "%s=%s", key, cmd_arg(a, "value"));
	return apply(app, cmd_arg(a, "pool"), text);
}

static int
set_kswapd(struct app *app, const struct cmd_args *a)
{
	bool on;
	int rc = cmd_on_off(app, cmd_word(a, 2), &on);

	if (rc == 0)
		zones_set_reclaim(app, on);
	return rc;
}

static int
set_compaction(struct app *app, const struct cmd_args *a)
{
	bool on;
	int rc = cmd_on_off(app, cmd_word(a, 2), &on);

	return rc ? rc : zones_set_compaction(app, on);
}

static int
compact(struct app *app, const struct cmd_args *a)
{
	struct pool *pool = zone_pool(app, cmd_arg(a, "pool"));
	long moved = pool ? zone_compact(app, pool) : -ENOENT;

	if (moved < 0)
		return (int)moved;
	printf("pool %s: %ld pages moved\n", pool->cfg.name, moved);
	return 0;
}

static int
drain(struct app *app, const struct cmd_args *a)
{
	const char *name = cmd_arg(a, "pool");

	if (zone_pool(app, name) == NULL)
		return -ENOENT;
	LAB_POOL_FOREACH (app, pool) {
		if (name == NULL || !strcmp(name, pool->cfg.name))
			printf("pool %s: %lu pages drained\n", pool->cfg.name,
				lab_drain_all_pages(lab_mempool_zone(pool->mp)));
	}
	return 0;
}

/* What lab_mempool_reclaim() did not do. */
static int
reclaim_fail(struct app *app, const char *pool, unsigned long long pid, long rc)
{
	switch (rc) {
	case -EBUSY:
		return cmd_fail(app, (int)rc,
			"process %llu is alive: only a dead one's caches can be taken back", pid);
	case -ENOENT:
		return cmd_fail(app, (int)rc, "process %llu has no caches in %s%s", pid,
			pool ? "pool " : "any pool", pool ? pool : "");
	case -ENOTSUP:
		return cmd_fail(app, (int)rc,
			"the buddy allocator has no caches that a process takes with it; a pool "
			"with ops=labyrinth has");
	default:
		return cmd_fail(app, (int)rc, "%s", strerror((int)-rc));
	}
}

/* Of the pools spoken of, those that the process has used. What says most of why none was is kept. */
static int
reclaim(struct app *app, const struct cmd_args *a)
{
	const char *name = cmd_arg(a, "pool");
	long worst = -ENOTSUP;
	unsigned long long pid;
	int rc = cmd_number(app, "pid", cmd_arg(a, "pid"), 1, INT_MAX, &pid);

	if (rc)
		return rc;
	if (zone_pool(app, name) == NULL)
		return -ENOENT;
	LAB_POOL_FOREACH (app, pool) {
		long pages;

		if (name && strcmp(name, pool->cfg.name))
			continue;
		pages = lab_mempool_reclaim(pool->mp, (uint32_t)pid);
		if (pages >= 0)
			printf("pool %s: %ld pages given back\n", pool->cfg.name, pages);
		if (pages != -ENOTSUP && worst < 0 && worst != -EBUSY)
			worst = pages;
	}
	return worst < 0 ? reclaim_fail(app, name, pid, worst) : 0;
}

/* Can a request that was refused pass when nothing but its being tried again has changed? Not if
 * each is refused: then there is no lot and no counting down. */
static bool
lot_decides(double p, const char *more)
{
	static const char *const counted[] = {"interval=", "times=", "space="};

	if ((unsigned int)(p * 1e6 + 0.5) < 1000000)
		return p > 0;
	for (unsigned int i = 0; i < RTE_DIM(counted); i++) {
		if (strstr(more, counted[i]))
			return true;
	}
	return false;
}

/* inject probability 0.01 times 5: to the driver's inject_* keys. */
static int
inject(struct app *app, const struct cmd_args *a)
{
	static const char *const keys[] = {
		"interval", "times", "space", "min_order", "seed", "atomic_only"};
	char text[512], words[CLI_REST_LEN], *save = NULL, *end;
	const char *more = cmd_arg(a, "more") ? cmd_arg(a, "more") : "";
	double p = strtod(cmd_arg(a, "probability"), &end);
	size_t used;

	if (end == cmd_arg(a, "probability") || *end != '\0' || !(p >= 0 && p <= 1))
		return cmd_fail(app, -EINVAL, "'%s' is no probability from 0 to 1",
			cmd_arg(a, "probability"));
	used = snprintf(text, sizeof(text),
		"inject_interval=1,inject_times=-1,inject_space=0,inject_min_order=0,"
		"inject_atomic_only=off,inject_seed=%" PRIu64 ",inject_ppm=%u",
		app->opt.seed, (unsigned int)(p * 1e6 + 0.5));
	snprintf(words, sizeof(words), "%s", more);
	for (char *item = strtok_r(words, " ,", &save); item; item = strtok_r(NULL, " ,", &save)) {
		char *eq = strchr(item, '=');
		bool known = false;

		for (unsigned int i = 0; i < RTE_DIM(keys) && eq; i++)
			known |= strlen(keys[i]) == (size_t)(eq - item) &&
				 !strncmp(keys[i], item, eq - item);
		if (!known)
			return cmd_fail(app, -EINVAL,
				"'%s' is none of interval=, times=, space=, min_order=, seed=, "
				"atomic_only=",
				item);
		if (used + strlen(item) + 10 > sizeof(text))
			return cmd_fail(app, -E2BIG, "too many words");
		used += snprintf(text + used, sizeof(text) - used, ",inject_%s", item);
	}
	app->vtime.injecting = lot_decides(p, more);
	return apply(app, NULL, text);
}

static int
inject_off(struct app *app, const struct cmd_args *a)
{
	RTE_SET_USED(a);
	app->vtime.injecting = false;
	return apply(app, NULL, "inject_ppm=0");
}

static const struct cmd cmds[] = {
	{"show zone info [<pool>]", NULL, show_info, print_info,
		"Sizes, marks, settings and counters of the pools' zones."},
	{"show zone buddyinfo|pagetypeinfo|zoneinfo [<pool>]", NULL, show_format, print_format,
		"In the formats of the files in /proc."},
	{"show zone failures [<pool>]", NULL, show_failures, print_failures,
		"The newest refusals, with the arithmetic of the gate that closed."},
	{"show zone owners [<pool>]", NULL, show_owners, print_owners,
		"Who holds most of the pools' pages, and for how long (set zone owners on)."},
	{"show zone warnings [<pool>]", NULL, show_warnings, print_warnings,
		"How often the free pages came down to the low mark, before anything was refused."},
	{"show frag [<pool>]", NULL, show_frag, print_frag,
		"Free blocks and the two fragmentation indices, an order a line."},
	{"set zone "
	 "min_free_kbytes|watermark_scale_factor|watermark_boost_factor|lowmem_reserve|"
	 "reserve_blocks|pcp|gfp|owners|guard <value> [<pool>]",
		set_zone, NULL, NULL,
		"Settings of zones: kB or auto; of 10000; of 10000; pages; blocks for atomic "
		"requests alone; on or off; "
		"ATOMIC|NOWARN; owner tags on or off; guarded mode off, on or abort."},
	{"set kswapd on|off", set_kswapd, NULL, NULL,
		"Let the zones' kswapd run, a millisecond after it was woken at most, and reclaim "
		"from the tenants."},
	{"set compaction on|off", set_compaction, NULL, NULL,
		"Let zones of the labyrinth allocator move movable tenants together, while these "
		"come "
		"and go and once a millisecond."},
	{"zone compact [<pool>]", compact, NULL, NULL,
		"Compact a zone now, until nothing is to be gained."},
	{"zone drain [<pool>]", drain, NULL, NULL, "Give back what the per-CPU lists hold."},
	{"zone reclaim <pid> [<pool>]", reclaim, NULL, NULL,
		"Give back what the caches of another process hold that was killed (labyrinth "
		"allocator)."},
	{"inject probability <probability> [<more...>]", inject, NULL, NULL,
		"Refuse blocks at random (0 to 1); more: interval=N times=N space=N min_order=N "
		"seed=N atomic_only=on|off."},
	{"inject off", inject_off, NULL, NULL, "Stop injecting."},
};

CLI_SECTION(zones, "Zones of page frames behind the pools", cmds);
