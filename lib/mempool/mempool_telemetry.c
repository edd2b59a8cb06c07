/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The commands of the telemetry socket: an application that knows nothing of the driver is read, set
 * and injected into from outside.
 */
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

#include <rte_mempool.h>

#include "mempool_tel.h"

/*
 * One lock a process: commands run in the telemetry thread, rte_mempool_free() in any. A pool that is
 * freed by another process meanwhile is as unsafe as it is for DPDK's own /mempool commands.
 */
static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;

void
lab_mempool_telemetry_lock(void)
{
	pthread_mutex_lock(&pools_lock);
}

void
lab_mempool_telemetry_unlock(void)
{
	pthread_mutex_unlock(&pools_lock);
}

int
lab_tel_error(struct rte_tel_data *d, const char *fmt, ...)
{
	char text[RTE_TEL_MAX_STRING_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "error", text);
	return 0;
}

/* ------------------------------------------------------ which pool */

struct search {
	const char *name; /* NULL: any */
	size_t len;
	struct rte_mempool *found;
	unsigned int matches;
};

static void
search_one(struct rte_mempool *mp, void *arg)
{
	struct search *s = arg;

	if (lab_pool_of(mp) == NULL)
		return;
	if (s->name != NULL &&
		(strlen(mp->name) != s->len || memcmp(mp->name, s->name, s->len) != 0))
		return;
	s->found = mp;
	s->matches++;
}

/* "NAME,rest", "NAME" or "key=value,...": a name has no '='. */
static void
split_params(const char *params, struct search *s, const char **rest)
{
	size_t first = strcspn(params, ",");

	*rest = params;
	if (first == 0 || memchr(params, '=', first) != NULL)
		return;
	s->name = params;
	s->len = first;
	*rest = params[first] == ',' ? params + first + 1 : "";
}

int
lab_tel_target(const char *params, struct rte_tel_data *d, struct lab_tel_target *t)
{
	struct search s = {0};

	split_params(params != NULL ? params : "", &s, &t->rest);
	rte_mempool_walk(search_one, &s);
	if (s.matches == 0 && s.name != NULL)
		lab_tel_error(d, "no pool \"%.*s\" of this driver; /labyrinth/info lists them",
			(int)s.len, s.name);
	else if (s.matches == 0)
		lab_tel_error(d, "no pool uses this driver");
	else if (s.matches > 1)
		lab_tel_error(
			d, "%u pools use this driver: name one, see /labyrinth/info", s.matches);
	if (s.matches != 1)
		return -EINVAL;
	t->mp = s.found;
	t->pool = lab_pool_of(s.found);
	return 0;
}

/* ------------------------------------------------------------- commands */

static void
list_one(struct rte_mempool *mp, void *arg)
{
	if (lab_pool_of(mp) != NULL)
		rte_tel_data_add_array_string(arg, mp->name);
}

static void
add_settings(struct rte_tel_data *d, const struct lab_mempool_settings *s)
{
	char gfp[RTE_TEL_MAX_STRING_LEN];

	lab_gfp_format(s->gfp, gfp, sizeof(gfp));
	rte_tel_data_add_dict_int(d, "min_free_kbytes", (int)s->min_free_kbytes);
	lab_tel_dict_u64(d, "watermark_scale_factor", s->watermark_scale_factor);
	lab_tel_dict_u64(d, "boost", s->watermark_boost_factor);
	lab_tel_dict_u64(d, "lowmem_reserve", s->lowmem_reserve);
	rte_tel_data_add_dict_string(d, "allocator", lab_allocator_name(s->allocator));
	rte_tel_data_add_dict_string(d, "pcp", s->pcp ? "on" : "off");
	lab_tel_dict_u64(d, "order_min", s->order);
	rte_tel_data_add_dict_string(d, "gfp", gfp);
	rte_tel_data_add_dict_string(
		d, "linux", s->linux_version == LAB_LINUX_6_1 ? "6.1" : "6.12");
	rte_tel_data_add_dict_string(d, "owners", s->owners ? "on" : "off");
	rte_tel_data_add_dict_string(d, "guard", lab_guard_setting_name(s->guard));
	rte_tel_data_add_dict_string(d, "background", lab_mempool_background_name(s->background));
}

static void
add_inject(struct rte_tel_data *d, const struct lab_inject *in)
{
	lab_tel_dict_u64(d, "inject_ppm", in->probability_ppm);
	lab_tel_dict_u64(d, "inject_interval", in->interval);
	rte_tel_data_add_dict_int(
		d, "inject_times", in->times > INT_MAX ? INT_MAX : (int)in->times);
	lab_tel_dict_u64(d, "inject_space", in->space);
	lab_tel_dict_u64(d, "inject_min_order", in->min_order);
	rte_tel_data_add_dict_string(d, "inject_atomic_only", in->atomic_only ? "on" : "off");
	lab_tel_dict_u64(d, "inject_seed", in->seed);
}

static int
tel_info(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	const struct rte_mempool *mp = t->mp;
	struct lab_mempool_settings s;

	lab_mempool_settings_get(mp, &s);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "name", mp->name);
	rte_tel_data_add_dict_string(d, "ops", rte_mempool_get_ops(mp->ops_index)->name);
	lab_tel_dict_u64(d, "size", mp->size);
	lab_tel_dict_u64(d, "populated_size", mp->populated_size);
	lab_tel_dict_u64(d, "free_objects", lab_pool_get_count(mp));
	lab_tel_dict_u64(d, "cache_size", mp->cache_size);
	lab_tel_dict_u64(d, "object_bytes", mp->header_size + mp->elt_size + mp->trailer_size);
	lab_tel_dict_u64(d, "order", t->pool->order);
	lab_tel_dict_u64(d, "block_bytes", lab_pool_block_bytes(t->pool));
	lab_tel_dict_u64(d, "colors", t->pool->color_mask + 1);
	lab_tel_dict_u64(d, "zones", lab_mempool_nr_zones(mp));
	lab_tel_dict_u64(d, "extents", t->pool->extents.nr);
	add_settings(d, &s);
	add_inject(d, &s.inject);
	return 0;
}

static struct rte_tel_data *
string_array(void)
{
	struct rte_tel_data *a = rte_tel_data_alloc();

	if (a != NULL)
		rte_tel_data_start_array(a, RTE_TEL_STRING_VAL);
	return a;
}

static void
add_pool_names(struct rte_tel_data *d)
{
	struct rte_tel_data *a = string_array();

	if (a == NULL)
		return;
	rte_mempool_walk(list_one, a);
	rte_tel_data_add_dict_container(d, "pools", a, 0);
}

static void
add_only_pool(struct rte_tel_data *d)
{
	struct search s = {0};
	struct lab_tel_target t = {0};
	struct rte_tel_data *info;

	rte_mempool_walk(search_one, &s);
	info = s.matches == 1 ? rte_tel_data_alloc() : NULL;
	if (info == NULL)
		return;
	t.mp = s.found;
	t.pool = lab_pool_of(s.found);
	tel_info(&t, info);
	rte_tel_data_add_dict_container(d, "pool", info, 0);
}

/* Without a name: the driver and its pools, and all about the pool if there is only one. */
static int
tel_driver(struct rte_tel_data *d)
{
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "version", LAB_VERSION);
	add_pool_names(d);
	add_only_pool(d);
	return 0;
}

static int
info_cb(const char *cmd, const char *params, struct rte_tel_data *d)
{
	struct lab_tel_target t;
	int ret = 0;

	lab_mempool_telemetry_lock();
	if (params == NULL || *params == '\0')
		ret = tel_driver(d);
	else if (lab_tel_target(params, d, &t) == 0)
		ret = tel_info(&t, d);
	lab_mempool_telemetry_unlock();
	return ret;
}

static int
apply_text(const struct lab_tel_target *t, const char *text, struct rte_tel_data *d)
{
	struct lab_mempool_settings s;
	char err[LAB_MEMPOOL_ERR_LEN];

	if (lab_mempool_settings_apply(t->mp, text, err, sizeof(err)) != 0)
		return lab_tel_error(d, "%s", err);
	lab_mempool_settings_get(t->mp, &s);
	rte_tel_data_start_dict(d);
	add_settings(d, &s);
	add_inject(d, &s.inject);
	return 0;
}

static int
tel_set(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	if (*t->rest == '\0')
		return lab_tel_error(d, "what to set? POOL,key=value,...");
	return apply_text(t, t->rest, d);
}

/* As set, with keys that may lack their "inject_"; nothing given stops the injection. */
static int
tel_inject(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	char text[1024] = "", copy[512], *item, *rest = copy;
	size_t len = 0;

	if (strlen(t->rest) >= sizeof(copy))
		return lab_tel_error(d, "a text of more than %zu bytes", sizeof(copy) - 1);
	strcpy(copy, *t->rest != '\0' ? t->rest : "ppm=0");
	while ((item = strsep(&rest, ",")) != NULL && len < sizeof(text))
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s%s",
			len > 0 ? "," : "",
			*item == '\0' || strncmp(item, "inject_", 7) == 0 ? "" : "inject_", item);
	if (len >= sizeof(text))
		return lab_tel_error(d, "a text of too many items");
	return apply_text(t, text, d);
}

/* ------------------------------------------------------- registration */

typedef int (*pool_command)(const struct lab_tel_target *t, struct rte_tel_data *d);

static int
on_pool(pool_command fn, const char *params, struct rte_tel_data *d)
{
	struct lab_tel_target t;
	int ret = 0;

	lab_mempool_telemetry_lock();
	if (lab_tel_target(params, d, &t) == 0)
		ret = fn(&t, d);
	lab_mempool_telemetry_unlock();
	return ret;
}

#define POOL_COMMAND(name, fn)                                                                     \
	static int name(const char *cmd, const char *params, struct rte_tel_data *d)               \
	{                                                                                          \
		return on_pool(fn, params, d);                                                     \
	}

POOL_COMMAND(zone_cb, lab_tel_zone)
POOL_COMMAND(failures_cb, lab_tel_failures)
POOL_COMMAND(frag_cb, lab_tel_frag)
POOL_COMMAND(warnings_cb, lab_tel_warnings)
POOL_COMMAND(age_cb, lab_tel_age)
POOL_COMMAND(owners_cb, lab_tel_owners)
POOL_COMMAND(reclaim_cb, lab_tel_reclaim)
POOL_COMMAND(set_cb, tel_set)
POOL_COMMAND(inject_cb, tel_inject)

void
lab_mempool_telemetry_register(void)
{
	static const struct {
		const char *name;
		telemetry_cb fn;
		const char *help;
	} commands[] = {
		{"/labyrinth/info", info_cb,
			"The driver and its pools; sizes and settings of one. Parameters: [POOL]"},
		{"/labyrinth/zone", zone_cb,
			"Zone of a pool: pages, marks, free blocks. Parameters: [POOL][,zone=N]"},
		{"/labyrinth/failures", failures_cb,
			"Refused requests of a pool by cause. Parameters: [POOL][,reset=1]"},
		{"/labyrinth/frag", frag_cb,
			"Fragmentation indices per order. Parameters: [POOL][,zone=N]"},
		{"/labyrinth/warnings", warnings_cb,
			"Early warnings: free pages down to the low mark. Parameters: "
			"[POOL][,zone=N]"},
		{"/labyrinth/owners", owners_cb,
			"Who holds most of a pool, and for how long. Parameters: [POOL][,n=N]"},
		{"/labyrinth/set", set_cb, "Change settings. Parameters: [POOL,]key=value,..."},
		{"/labyrinth/inject", inject_cb,
			"Inject refusals. Parameters: [POOL,]ppm=N,times=N,seed=N,..."},
		{"/labyrinth/reclaim", reclaim_cb,
			"Give back what the caches of a dead process hold. Parameters: "
			"[POOL,]pid=N"},
		{"/labyrinth/age", age_cb,
			"Age the zone. Parameters: [POOL,]model=NAME,occupancy=X,seed=N,... or "
			"[POOL,]release=all|PAGES"},
	};

	for (size_t i = 0; i < RTE_DIM(commands); i++)
		if (rte_telemetry_register_cmd(
			    commands[i].name, commands[i].fn, commands[i].help) != 0)
			LAB_LOG(ERR, "cannot register the telemetry command %s", commands[i].name);
}
