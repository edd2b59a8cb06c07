/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Who shares a pool's zone with it, and ageing by the telemetry socket.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lab_frag.h>

#include "mempool_tel.h"

/* --------------------------------------------------------------- tenants */

static struct lab_tenants *
tenants_of(struct lab_pool *p)
{
	int ret;

	if (p->tenants != NULL && p->tenants_pid != getpid()) {
		errno = EBUSY;
		return NULL;
	}
	if (p->tenants != NULL)
		return p->tenants;
	ret = lab_tenants_create(&p->tenants, p->zones[0].zone, 0);
	if (ret != 0) {
		errno = -ret;
		return NULL;
	}
	p->tenants_pid = getpid();
	return p->tenants;
}

struct lab_tenants *
lab_mempool_tenants(const struct rte_mempool *mp)
{
	struct lab_pool *p = lab_pool_of(mp);
	struct lab_tenants *t;

	if (p == NULL || p->nr_zones == 0) {
		errno = EINVAL;
		return NULL;
	}
	rte_spinlock_lock(&p->lock);
	t = tenants_of(p);
	rte_spinlock_unlock(&p->lock);
	return t;
}

/* Those of another process are that process's to release; the zone goes in any case. */
void
lab_pool_drop_tenants(struct lab_pool *p)
{
	if (p->tenants != NULL && p->tenants_pid == getpid()) {
		lab_zone_set_reclaim(p->zones[0].zone, NULL, NULL);
		lab_tenants_destroy(p->tenants);
	}
	p->tenants = NULL;
}

/* ---------------------------------------------------------------- ageing */

/* Telemetry has no fractions: per mille. */
static int
per_mille(double x)
{
	return (int)(x * 1000 + (x < 0 ? -0.5 : 0.5));
}

static void
add_age_result(struct rte_tel_data *d, const struct lab_age_result *r)
{
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "result", lab_age_reason_name(r->reason));
	rte_tel_data_add_dict_string(d, "cause", lab_cause_name(r->cause));
	rte_tel_data_add_dict_int(d, "occupancy_target_permille", per_mille(r->occupancy_target));
	rte_tel_data_add_dict_int(d, "occupancy_permille", per_mille(r->occupancy));
	rte_tel_data_add_dict_int(d, "unusable_target", r->unusable_target);
	rte_tel_data_add_dict_int(d, "unusable", r->unusable);
	lab_tel_dict_u64(d, "order", r->order);
	lab_tel_dict_u64(d, "rounds", r->rounds);
	lab_tel_dict_u64(d, "steered", r->steered);
	lab_tel_dict_u64(d, "allocs", r->allocs);
	lab_tel_dict_u64(d, "frees", r->frees);
	lab_tel_dict_u64(d, "refused", r->refused);
	lab_tel_dict_u64(d, "held_pages", r->held_pages);
	lab_tel_dict_u64(d, "managed", r->managed);
	lab_tel_dict_u64(d, "free", r->free);
}

static int
age_release(struct lab_tenants *t, const char *value, struct rte_tel_data *d)
{
	unsigned long n = ULONG_MAX;
	char *end = NULL;

	if (strcmp(value, "all") != 0) {
		n = strtoul(value, &end, 10);
		if (*value < '0' || *value > '9' || *end != '\0')
			return lab_tel_error(
				d, "release=%.40s: it takes all or a number of pages", value);
	}
	rte_tel_data_start_dict(d);
	lab_tel_dict_u64(d, "released_pages", lab_tenants_release(t, n, 1));
	return 0;
}

/* The tenants never write: the frames are objects that are initialised once. */
static int
age_run(struct lab_tenants *t, const char *spec, struct rte_tel_data *d)
{
	struct lab_age_config cfg;
	struct lab_age_result r;
	char err[RTE_TEL_MAX_STRING_LEN];
	int ret;

	if (lab_age_parse(spec, &cfg, err, sizeof(err)) != 0)
		return lab_tel_error(d, "%s", err);
	if (cfg.touch)
		return lab_tel_error(d, "touch=on would overwrite the pool's objects");
	ret = lab_age(t, &cfg, &r, NULL, NULL);
	if (ret == -EBUSY || ret == -ENOMEM || ret == -EINVAL)
		return lab_tel_error(d, "ageing: %s", strerror(-ret));
	add_age_result(d, &r);
	if (ret != 0) {
		char text[RTE_TEL_MAX_STRING_LEN];

		snprintf(text, sizeof(text), "%.127s", r.text);
		rte_tel_data_add_dict_string(d, "error", text);
	}
	return 0;
}

int
lab_tel_age(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	struct lab_tenants *tenants;

	if (*t->rest == '\0')
		return lab_tel_error(
			d, "how? POOL,model=churn,occupancy=0.5,seed=1 or POOL,release=all");
	tenants = lab_mempool_tenants(t->mp);
	if (tenants == NULL)
		return lab_tel_error(d, "tenants: %s",
			errno == EBUSY ? "another process has them" : strerror(errno));
	if (strncmp(t->rest, "release=", 8) == 0)
		return age_release(tenants, t->rest + 8, d);
	return age_run(tenants, t->rest, d);
}
