/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Registration with EAL, and what the ops say about a pool.
 */
#include <errno.h>
#include <string.h>

#include "mempool_private.h"

int lab_mempool_logtype;

/* The data of a pool of ours; NULL before its first populating and for everybody else's. */
struct lab_pool *
lab_pool_of(const struct rte_mempool *mp)
{
	struct lab_pool *p;

	if (mp == NULL || !lab_pool_uses_ops(mp))
		return NULL;
	p = mp->pool_data;
	return p != NULL && p->magic == LAB_POOL_MAGIC ? p : NULL;
}

/* By name, not by function: another copy of this library may have registered them. */
bool
lab_pool_uses_ops(const struct rte_mempool *mp)
{
	const char *name;

	if (mp->ops_index < 0 || (uint32_t)mp->ops_index >= rte_mempool_ops_table.num_ops)
		return false;
	name = rte_mempool_get_ops(mp->ops_index)->name;
	return strcmp(name, LAB_MEMPOOL_OPS_BUDDY) == 0 || strcmp(name, LAB_MEMPOOL_OPS) == 0;
}

static unsigned long
free_in_blocks(struct lab_zone *zone, unsigned int order)
{
	struct lab_free_counts counts;
	unsigned long n = 0;

	lab_zone_free_counts(zone, &counts);
	for (unsigned int o = order; o < LAB_NR_ORDERS; o++)
		for (int mt = 0; mt < LAB_MIGRATE_TYPES; mt++)
			n += counts.blocks[o][mt] << (o - order);
	return n;
}

static unsigned long
free_in_pcp(struct lab_zone *zone, unsigned int order)
{
	struct lab_zone_info info;

	lab_zone_info_get(zone, &info);
	return info.nr_pcp >> order;
}

/* Objects whose whole block is free. A pool whose memory was taken back has none. */
unsigned int
lab_pool_get_count(const struct rte_mempool *mp)
{
	const struct lab_pool *p = mp->pool_data;
	unsigned long n = 0;
	uint32_t nr;

	if (p == NULL || mp->nb_mem_chunks == 0)
		return 0;
	nr = __atomic_load_n(&p->nr_zones, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < nr; i++)
		n += free_in_blocks(p->zones[i].zone, p->order) +
		     free_in_pcp(p->zones[i].zone, p->order) +
		     lab_zone_reserve_held(p->zones[i].zone, p->order);
	return (unsigned int)n;
}

bool
lab_pool_any_free(const struct rte_mempool *mp)
{
	const struct lab_pool *p = mp->pool_data;
	uint32_t nr;

	if (p == NULL || mp->nb_mem_chunks == 0)
		return false;
	nr = __atomic_load_n(&p->nr_zones, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < nr; i++) {
		if (free_in_blocks(p->zones[i].zone, p->order) > 0 ||
			free_in_pcp(p->zones[i].zone, p->order) > 0)
			return true;
	}
	return false;
}

static bool
ops_registered(const char *name)
{
	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++)
		if (strcmp(rte_mempool_ops_table.ops[i].name, name) == 0)
			return true;
	return false;
}

/*
 * EAL calls this driver's constructor again for each further copy that it finds: a program that
 * links the driver on a machine where it is installed too. The first one serves.
 */
static bool
ops_register(const char *name)
{
	struct rte_mempool_ops ops = {
		.alloc = lab_pool_alloc,
		.free = lab_pool_free,
		.enqueue = lab_pool_enqueue,
		.dequeue = lab_pool_dequeue,
		.get_count = lab_pool_get_count,
		.calc_mem_size = lab_pool_calc_mem_size,
		.populate = lab_pool_populate,
	};
	int ret;

	if (ops_registered(name))
		return false;
	strcpy(ops.name, name);
	ret = rte_mempool_register_ops(&ops);
	if (ret >= 0)
		return true;
	LAB_LOG(ERR, "cannot register the mempool ops \"%s\": %s", name,
		ret == -ENOSPC ? "EAL's table of 16 is full; load fewer mempool drivers"
			       : strerror(-ret));
	return false;
}

RTE_INIT(lab_mempool_init)
{
	bool buddy, plain;

	lab_mempool_logtype =
		rte_log_register_type_and_pick_level("mempool.labyrinth", RTE_LOG_NOTICE);
	if (lab_mempool_logtype < 0)
		lab_mempool_logtype = RTE_LOGTYPE_MEMPOOL;
	/* The name that is asked for comes first: Debian 13's drivers leave a single slot. */
	plain = ops_register(LAB_MEMPOOL_OPS);
	buddy = ops_register(LAB_MEMPOOL_OPS_BUDDY);
	if (buddy || plain)
		lab_mempool_telemetry_register();
}
