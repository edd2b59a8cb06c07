/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Who does the background work of a pool's zones: a service lcore, a thread, or nobody.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_service.h>
#include <rte_service_component.h>

#include "mempool_private.h"

#define ROUND_PAGES 64U
/* A service lcore ends its round within microseconds; if it is stopped, we do not wait for it for ever. */
#define WAIT_MS 1000U

/* A reserve that nobody refills looks like one that works until it was needed for the second time. */
void
lab_pool_warn_reserve(const char *pool, const struct lab_mempool_settings *s)
{
	if (s->reserve_blocks == 0 || s->background != LAB_MEMPOOL_BACKGROUND_OFF)
		return;
	LAB_LOG(WARNING,
		"pool %s: reserve_blocks=%u with background=off is used up once and not refilled: "
		"make the pool with background=thread or background=service",
		pool, s->reserve_blocks);
}

/* One round over all zones. Zones are added while this runs, and dropped only after it was stopped. */
static unsigned int
pool_round(void *arg)
{
	struct lab_pool *p = arg;
	uint32_t nr = __atomic_load_n(&p->nr_zones, __ATOMIC_ACQUIRE);
	unsigned int done = 0;

	for (uint32_t i = 0; i < nr; i++)
		done += lab_zone_background(p->zones[i].zone, ROUND_PAGES);
	return done;
}

static int32_t
service_round(void *arg)
{
	return pool_round(arg) > 0 ? 0 : -EAGAIN;
}

static int
service_start(struct lab_pool *p)
{
	struct rte_service_spec spec = {
		.callback = service_round,
		.callback_userdata = p,
		.capabilities = RTE_SERVICE_CAP_MT_SAFE,
		.socket_id = p->mp->socket_id < 0 ? 0 : p->mp->socket_id,
	};
	int ret;

	snprintf(spec.name, sizeof(spec.name), "labyrinth_%.20s", p->mp->name);
	ret = rte_service_component_register(&spec, &p->service);
	if (ret != 0)
		return ret;
	rte_service_component_runstate_set(p->service, 1);
	rte_service_runstate_set(p->service, 1);
	/* which lcore runs it is the application's to say, not a component's */
	LAB_LOG(INFO, "pool %s: service \"%s\" is ready to be mapped to a service lcore",
		p->mp->name, spec.name);
	return 0;
}

static void
service_stop(struct lab_pool *p)
{
	rte_service_component_runstate_set(p->service, 0);
	rte_service_runstate_set(p->service, 0);
	for (unsigned int i = 0; i < WAIT_MS && rte_service_may_be_active(p->service) == 1; i++)
		rte_delay_us_sleep(1000);
	rte_service_component_unregister(p->service);
}

int
lab_pool_background_start(struct lab_pool *p)
{
	int ret = 0;

	if (p->background_runs)
		return 0;
	switch (p->settings.background) {
	case LAB_MEMPOOL_BACKGROUND_OFF:
	case LAB_MEMPOOL_BACKGROUND_PROGRAM:
		return 0;
	case LAB_MEMPOOL_BACKGROUND_SERVICE:
		ret = service_start(p);
		break;
	case LAB_MEMPOOL_BACKGROUND_THREAD:
		ret = lab_background_start_rounds(&p->background, pool_round, p);
		break;
	}
	if (ret != 0)
		return ret;
	p->background_runs = true;
	p->background_pid = getpid();
	return 0;
}

void
lab_pool_background_stop(struct lab_pool *p)
{
	if (!p->background_runs || p->background_pid != getpid())
		return;
	if (p->settings.background == LAB_MEMPOOL_BACKGROUND_SERVICE)
		service_stop(p);
	else
		lab_background_stop(p->background);
	p->background = NULL;
	p->background_runs = false;
}
