/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_MEMPOOL_PRIVATE_H
#define LAB_MEMPOOL_PRIVATE_H

/*
 * A pool's data, in a memzone: every process maps it at the same address. Nothing in it points to
 * process-private memory but the tenants, which carry the id of the process that has them.
 */

#include <sys/types.h>

#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <rte_spinlock.h>

#include "lab_mempool.h"

#define LAB_POOL_MAGIC       0x6c61626d656d7031ULL
#define LAB_POOL_MAX_EXTENTS 1024
#define LAB_POOL_ALIGNED     __attribute__((aligned(64)))

extern int lab_mempool_logtype;

#define LAB_LOG(level, fmt, ...)                                                                   \
	rte_log(RTE_LOG_##level, (uint32_t)lab_mempool_logtype, "labyrinth: " fmt "\n",            \
		##__VA_ARGS__)

/* A zone and where it is. Entries are written once, before nr_zones counts them. */
struct lab_pool_zone {
	struct lab_zone *zone;
	uintptr_t base;        /* of the span, block aligned for the objects in it */
	unsigned long spanned; /* frames */
	unsigned long managed; /* frames online */
	const struct rte_memzone *meta;
	const struct rte_memzone
		*watch; /* side table of owners and guard; NULL before the first use */
	pid_t watcher;  /* process that hears of its early warnings; 0: none */
};

/* A run of populated blocks of one zone: [start, end). */
struct lab_extent {
	uintptr_t start, end;
	uint32_t zone;
};

/*
 * Sorted by address. Extents grow and are added, never taken away while the pool lives, so that what a
 * reader found once stays true; the sequence tells it that it looked during a change (odd: one is under
 * way).
 */
struct lab_extents {
	uint32_t seq;
	uint32_t nr;
	struct lab_extent e[LAB_POOL_MAX_EXTENTS];
};

/* Written by one lcore only, but for the last entry, which all other threads share. */
struct lab_pool_counters {
	uint64_t dequeues, dequeued_objects;
	uint64_t enqueues, enqueued_objects;
	uint64_t refused[LAB_NR_CAUSES];
	uint64_t refused_objects;
	uint64_t failed_with_free;
	uint64_t bad_enqueue_objects;
	uint32_t zone_hint; /* the zone that served last */
} LAB_POOL_ALIGNED;

struct lab_pool {
	uint64_t magic;
	/* hot and constant once populated, but for gfp and nr_zones */
	lab_gfp_t gfp;
	uint32_t nr_zones;
	uint32_t order;
	uint32_t shift;      /* log2 of a block's bytes */
	uint32_t color_mask; /* cache lines by which objects are spread in their blocks */
	uint32_t header_size;
	struct lab_pool_zone zones[LAB_MEMPOOL_MAX_ZONES];

	struct lab_extents extents LAB_POOL_ALIGNED;

	/* cold, under the lock */
	rte_spinlock_t lock LAB_POOL_ALIGNED;
	struct lab_mempool_settings settings;
	const struct rte_memzone *mz;
	struct rte_mempool *mp;
	unsigned int nr_cpus;
	struct lab_tenants *tenants;
	pid_t tenants_pid;
	struct lab_background *background; /* of the process background_pid, as the service is */
	pid_t background_pid;
	uint32_t service;
	bool background_runs;
	struct lab_mempool_stats stats_base; /* subtracted: what the counters were at the reset */

	uint64_t next_warn_tsc LAB_POOL_ALIGNED; /* refusals are logged no sooner */
	uint64_t next_bad_tsc;                   /* and bad frees */
	uint64_t next_early_tsc;                 /* and early warnings */
	uint64_t warnings_logged;                /* of all zones, when they were last logged */
	uint64_t warn_suppressed;

	struct lab_pool_counters counters[RTE_MAX_LCORE + 1];
};

static inline size_t
lab_pool_block_bytes(const struct lab_pool *p)
{
	return (size_t)1 << p->shift;
}

static inline uintptr_t
lab_pool_obj_to_block(const struct lab_pool *p, uintptr_t base, uintptr_t obj)
{
	return obj - ((obj - base) & (lab_pool_block_bytes(p) - 1));
}

/* mempool_ops.c */
bool lab_pool_uses_ops(const struct rte_mempool *mp);
struct lab_pool *lab_pool_of(const struct rte_mempool *mp);
unsigned int lab_pool_get_count(const struct rte_mempool *mp);
/** Whether that is above 0, for less. */
bool lab_pool_any_free(const struct rte_mempool *mp);
void lab_pool_set_last_cause(enum lab_cause cause);

/* mempool_hot.c */
int lab_pool_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n);
int lab_pool_dequeue(struct rte_mempool *mp, void **objs, unsigned int n);

/* True at most once in ten seconds, for all threads of all processes together. */
bool lab_pool_may_log(uint64_t *next_tsc);

/* mempool_warning.c: hear of the zone's early warnings in this process, until the zone is dropped */
void lab_pool_watch_zone(struct lab_pool_zone *z);
void lab_pool_unwatch_zone(struct lab_pool_zone *z);

/* mempool_memory.c */
int lab_pool_alloc(struct rte_mempool *mp);
void lab_pool_free(struct rte_mempool *mp);
ssize_t lab_pool_calc_mem_size(const struct rte_mempool *mp, uint32_t obj_num, uint32_t pg_shift,
	size_t *min_chunk_size, size_t *align);
int lab_pool_populate(struct rte_mempool *mp, unsigned int max_objs, void *vaddr, rte_iova_t iova,
	size_t len, rte_mempool_populate_obj_cb_t *obj_cb, void *obj_cb_arg);

const struct rte_memzone *lab_pool_reserve(
	const struct rte_mempool *mp, const char *what, unsigned int i, size_t len);
size_t lab_pool_object_bytes(const struct rte_mempool *mp);

/* mempool_watch.c */
int lab_pool_apply_watch(struct lab_pool *p, uint32_t zone, const struct lab_mempool_settings *s);
void lab_pool_guard_foreign(const struct lab_pool *p, void *obj);

/* mempool_extents.c: the writers hold p->lock */
bool lab_extent_find(const struct lab_extents *x, uintptr_t addr, struct lab_extent *out);

/* The same, for those who look for one object only: a pool of one piece of memory has it in the first. */
static inline bool
lab_extent_of(const struct lab_extents *x, uintptr_t addr, struct lab_extent *out)
{
	uint32_t seq = __atomic_load_n(&x->seq, __ATOMIC_ACQUIRE);

	out->start = __atomic_load_n(&x->e[0].start, __ATOMIC_RELAXED);
	out->end = __atomic_load_n(&x->e[0].end, __ATOMIC_RELAXED);
	out->zone = __atomic_load_n(&x->e[0].zone, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (likely((seq & 1) == 0 && __atomic_load_n(&x->seq, __ATOMIC_RELAXED) == seq &&
		    addr - out->start < out->end - out->start))
		return true;
	return lab_extent_find(x, addr, out);
}

bool lab_extent_overlaps(const struct lab_extents *x, uintptr_t start, uintptr_t end);
int lab_extent_add(struct lab_extents *x, uintptr_t start, uintptr_t end, uint32_t zone);

/* mempool_settings.c */
enum lab_key_group {
	LAB_KEYS_CREATION = 1, /* what cannot change later */
	LAB_KEYS_GATE = 2,
	LAB_KEYS_INJECT = 4,
	LAB_KEYS_WATCH = 8,
};
int lab_settings_parse(const char *text, struct lab_mempool_settings *s, unsigned int *groups,
	char *err, size_t err_len);
int lab_settings_set(const char *key, const char *value, struct lab_mempool_settings *s,
	unsigned int *groups, char *err, size_t err_len);
void lab_settings_resolve(struct lab_mempool_settings *s, int allocator);
int lab_settings_load(const char *pool, const char *pool_config, struct lab_mempool_settings *s,
	char *err, size_t err_len);

const char *lab_guard_setting_name(enum lab_mempool_guard guard);

/* mempool_apply.c */
unsigned long lab_pool_total_frames(const struct lab_pool *p);
int lab_pool_check_settings(
	unsigned long frames, const struct lab_mempool_settings *s, char *err, size_t err_len);
int lab_pool_apply_marks(struct lab_pool *p, uint32_t zone);
int lab_pool_apply_reserve(struct lab_pool *p, uint32_t zone);
int lab_pool_apply_inject(struct lab_pool *p, uint32_t zone, const struct lab_mempool_settings *s);
int lab_pool_apply(struct lab_pool *p, const char *text, char *err, size_t err_len);

/* mempool_background.c: the caller holds p->lock, or is alone with the pool */
int lab_pool_background_start(struct lab_pool *p);
void lab_pool_background_stop(struct lab_pool *p);
void lab_pool_warn_reserve(const char *pool, const struct lab_mempool_settings *s);

/* mempool_tenants.c */
void lab_pool_drop_tenants(struct lab_pool *p);

/* mempool_telemetry.c: a pool is not freed while a telemetry command looks at it */
void lab_mempool_telemetry_register(void);
void lab_mempool_telemetry_lock(void);
void lab_mempool_telemetry_unlock(void);

#endif /* LAB_MEMPOOL_PRIVATE_H */
