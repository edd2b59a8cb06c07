/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#include <lab_mempool.h>

#include "app.h"
#include "zones.h"

/* What the program's options say of a pool. */
static void
from_options(const struct app *app, struct pool_config *cfg)
{
	const char *user = rte_mbuf_user_mempool_ops();

	memset(cfg, 0, sizeof(*cfg));
	snprintf(cfg->name, sizeof(cfg->name), "mb_pool_0");
	cfg->n = app->opt.total_mbufs;
	cfg->mbuf_size = app->opt.mbuf_size;
	cfg->cache = app->opt.mbcache;
	snprintf(cfg->ops, sizeof(cfg->ops), "%s",
		app->opt.pool_ops ? app->opt.pool_ops
		: user            ? user
				  : LAB_MEMPOOL_OPS_BUDDY);
	/* zones_background() */
	snprintf(cfg->settings, sizeof(cfg->settings), "background=program");
}

static int
add_setting(struct app *app, struct pool_config *cfg, const char *item)
{
	size_t used = strlen(cfg->settings);

	if (used + strlen(item) + 2 > sizeof(cfg->settings))
		return cmd_fail(app, -EINVAL, "the pool's settings are too long at '%s'", item);
	sprintf(cfg->settings + used, "%s%s", used ? "," : "", item);
	return 0;
}

static int
parse_item(struct app *app, struct pool_config *cfg, const char *item)
{
	const char *eq = strchr(item, '=');
	unsigned long long v;
	size_t key = eq ? (size_t)(eq - item) : 0;
	int rc;

	if (eq == NULL)
		return cmd_fail(app, -EINVAL, "'%s' is not key=value", item);
	if (key == 1 && item[0] == 'n') {
		rc = cmd_number(app, "n", eq + 1, 1, 1U << 24, &v);
		cfg->n = rc ? cfg->n : v;
	} else if (key == 4 && !strncmp(item, "size", 4)) {
		rc = cmd_number(app, "size", eq + 1, RTE_PKTMBUF_HEADROOM + 64, UINT16_MAX, &v);
		cfg->mbuf_size = rc ? cfg->mbuf_size : v;
	} else if (key == 5 && !strncmp(item, "cache", 5)) {
		rc = cmd_number(app, "cache", eq + 1, 0, RTE_MEMPOOL_CACHE_MAX_SIZE, &v);
		cfg->cache = rc ? cfg->cache : v;
	} else if (key == 3 && !strncmp(item, "ops", 3)) {
		if (strlen(eq + 1) >= sizeof(cfg->ops))
			return cmd_fail(app, -EINVAL, "no mempool driver '%s'", eq + 1);
		strcpy(cfg->ops, eq + 1);
		rc = 0;
	} else {
		rc = add_setting(app, cfg, item);
	}
	return rc;
}

int
pool_config_parse(struct app *app, const char *text, struct pool_config *cfg)
{
	char *copy = strdup(text), *save = NULL, *item;
	int rc = 0;

	if (copy == NULL)
		return -ENOMEM;
	from_options(app, cfg);
	item = strtok_r(copy, ",", &save);
	if (item == NULL || strlen(item) >= sizeof(cfg->name) || strchr(item, '='))
		rc = cmd_fail(app, -EINVAL, "a pool's name comes first, of at most %zu characters",
			sizeof(cfg->name) - 1);
	else
		strcpy(cfg->name, item);
	while (rc == 0 && (item = strtok_r(NULL, ",", &save)) != NULL)
		rc = parse_item(app, cfg, item);
	free(copy);
	return rc;
}

static struct rte_mempool *
make(struct app *app, const struct pool_config *cfg)
{
	const char *settings = cfg->settings[0] ? cfg->settings : NULL;
	struct rte_mempool *mp = rte_mempool_create_empty(cfg->name, cfg->n,
		sizeof(struct rte_mbuf) + cfg->mbuf_size, cfg->cache,
		sizeof(struct rte_pktmbuf_pool_private), SOCKET_ID_ANY, 0);
	struct rte_pktmbuf_pool_private priv = {.mbuf_data_room_size = cfg->mbuf_size};
	int rc;

	if (mp == NULL) {
		cmd_fail(app, -rte_errno, "pool %s: %s", cfg->name, rte_strerror(rte_errno));
		return NULL;
	}
	rc = rte_mempool_set_ops_byname(mp, cfg->ops, (void *)(uintptr_t)settings);
	if (rc) {
		cmd_fail(app, rc, "pool %s: no mempool driver '%s'", cfg->name, cfg->ops);
		rte_mempool_free(mp);
		return NULL;
	}
	rte_pktmbuf_pool_init(mp, &priv);
	rc = rte_mempool_populate_default(mp);
	if (rc < 0) {
		cmd_fail(app, rc, "pool %s: %u mbufs of %u bytes: %s%s", cfg->name, cfg->n,
			cfg->mbuf_size, rte_strerror(-rc),
			rc == -ENOMEM ? " (give EAL more memory with -m, or ask for fewer)" : "");
		rte_mempool_free(mp);
		return NULL;
	}
	rte_mempool_obj_iter(mp, rte_pktmbuf_init, NULL);
	return mp;
}

int
pool_create(struct app *app, const struct pool_config *cfg)
{
	struct pools *ps = &app->pools;
	struct pool *p = &ps->list[ps->nr];

	if (ps->nr == POOL_MAX)
		return cmd_fail(app, -ENOSPC, "%u pools are the most", POOL_MAX);
	for (unsigned int i = 0; i < ps->nr; i++) {
		if (!strcmp(ps->list[i].cfg.name, cfg->name))
			return cmd_fail(app, -EEXIST, "there is a pool '%s' already", cfg->name);
	}
	p->cfg = *cfg;
	printf("create a new mbuf pool <%s>: n=%u, size=%u, cache=%u\n", cfg->name, cfg->n,
		cfg->mbuf_size, cfg->cache);
	printf("preferred mempool ops selected: %s\n", cfg->ops);
	p->mp = make(app, &p->cfg);
	if (p->mp == NULL)
		return -ENOMEM;
	ps->nr++;
	zones_set_time(app, lab_clock_now(&app->clock));
	return 0;
}

struct rte_mempool *
pool_get(struct app *app, const char *name)
{
	struct pools *ps = &app->pools;
	struct pool_config cfg;

	for (unsigned int i = 0; i < ps->nr; i++) {
		if (name == NULL || !strcmp(ps->list[i].cfg.name, name))
			return ps->list[i].mp;
	}
	if (name) {
		cmd_fail(app, -ENOENT, "no pool '%s' (see 'show pool', 'pool create')", name);
		return NULL;
	}
	from_options(app, &cfg);
	return pool_create(app, &cfg) ? NULL : ps->list[ps->nr - 1].mp;
}

void
pool_flush(struct pool *pool)
{
	for (unsigned int id = 0; id < RTE_MAX_LCORE; id++) {
		struct rte_mempool_cache *cache = rte_mempool_default_cache(pool->mp, id);

		if (cache)
			rte_mempool_cache_flush(cache, pool->mp);
	}
}

void
pools_free(struct app *app)
{
	while (app->pools.nr > 0)
		rte_mempool_free(app->pools.list[--app->pools.nr].mp);
}
