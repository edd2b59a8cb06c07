/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Get and put: the part that runs for every burst.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include "mempool_private.h"

#define ENQUEUE_CHUNK    64U
#define LAB_WARN_SECONDS 10 /* as Linux's warn_alloc() */

/* Loaded by dlopen() too: small enough for the room that the loader keeps for this model. */
#define LAB_TLS static __thread __attribute__((tls_model("initial-exec")))

LAB_TLS enum lab_cause last_cause;
LAB_TLS unsigned int cpu_plus_one; /* the lcore that lib/page was told of */

enum lab_cause
lab_mempool_last_cause(void)
{
	return last_cause;
}

static inline struct lab_pool_counters *
pool_counters(struct lab_pool *p, unsigned int lcore)
{
	return &p->counters[lcore < RTE_MAX_LCORE ? lcore : RTE_MAX_LCORE];
}

/* Readers of other threads see whole values; only threads without an lcore id share an entry. */
static inline void
counter_add(uint64_t *c, uint64_t n, unsigned int lcore)
{
	if (likely(lcore < RTE_MAX_LCORE))
		__atomic_store_n(c, *c + n, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(c, n, __ATOMIC_RELAXED);
}

/* The per-CPU lists of the zone follow the lcore, and so does who the owner is of what it takes unless it
 * says otherwise; other threads get a list from lib/page by arrival. */
static inline void
tell_cpu(unsigned int lcore)
{
	if (unlikely(cpu_plus_one != lcore + 1) && lcore < RTE_MAX_LCORE) {
		lab_cpu_set(lcore);
		lab_owner_set_default(LAB_OWNER_LCORE(lcore));
		cpu_plus_one = lcore + 1;
	}
}

/* -------------------------------------------------- blocks and objects */

static inline uintptr_t
block_to_obj(const struct lab_pool *p, uintptr_t base, uintptr_t block)
{
	uintptr_t color = ((block - base) >> p->shift) & p->color_mask;

	return block + (color << 6) + p->header_size;
}

/* ------------------------------------------------------------- dequeue */

/* Objects of one zone until n or a refusal, whose cause is then in *cause. */
static inline unsigned int
zone_take(const struct lab_pool *p, const struct lab_pool_zone *z, void **objs, unsigned int n,
	enum lab_cause *cause)
{
	lab_gfp_t gfp = __atomic_load_n(&p->gfp, __ATOMIC_RELAXED);
	unsigned int got = lab_alloc_pages_many(z->zone, gfp, p->order, n, objs);

	if (unlikely(got < n))
		*cause = lab_errno_cause(errno);
	for (unsigned int i = 0; i < got; i++)
		objs[i] = (void *)block_to_obj(p, z->base, (uintptr_t)objs[i]);
	return got;
}

/* The rest from the other zones. A gate that closed says more than a zone that is empty. */
static unsigned int
others_take(struct lab_pool *p, struct lab_pool_counters *c, uint32_t first, void **objs,
	unsigned int n, enum lab_cause *cause)
{
	uint32_t nr = __atomic_load_n(&p->nr_zones, __ATOMIC_ACQUIRE);
	unsigned int got = 0;

	for (uint32_t i = 0; i < nr && got < n; i++) {
		enum lab_cause why = LAB_CAUSE_NONE;

		if (i == first)
			continue;
		got += zone_take(p, &p->zones[i], objs + got, n - got, &why);
		if (got == n)
			__atomic_store_n(&c->zone_hint, i, __ATOMIC_RELAXED);
		else if (*cause == LAB_CAUSE_NONE || *cause == LAB_CAUSE_EXHAUSTED)
			*cause = why;
	}
	return got;
}

static void
give_back(struct lab_pool *p, void **objs, unsigned int n)
{
	struct lab_extent x = {0};

	for (unsigned int i = 0; i < n; i++) {
		uintptr_t obj = (uintptr_t)objs[i];

		if (obj - x.start >= x.end - x.start && !lab_extent_find(&p->extents, obj, &x))
			continue;
		lab_free_pages(p->zones[x.zone].zone,
			(void *)lab_pool_obj_to_block(p, p->zones[x.zone].base, obj), p->order);
	}
}

/* One report as Linux's, to the log: line by line, as the log adds its own ends. */
static void
warn_refusal(struct lab_pool *p, const struct lab_refusal *r, struct lab_zone *zone)
{
	char *text = NULL, *line, *save = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return;
	lab_warn_alloc(zone, r, p->mp->name, f);
	fclose(f);
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
		LAB_LOG(WARNING, "%s", line);
	free(text);
}

/* True at most once in LAB_WARN_SECONDS, for all threads of all processes together. */
bool
lab_pool_may_log(uint64_t *next_tsc)
{
	uint64_t now = rte_rdtsc(), next = __atomic_load_n(next_tsc, __ATOMIC_RELAXED);

	return now >= next && __atomic_compare_exchange_n(next_tsc, &next,
				      now + LAB_WARN_SECONDS * rte_get_tsc_hz(), false,
				      __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

/* Who wants to know the owners wants to know them when memory is out, whatever the flags say. */
static bool
wants_report(const struct lab_pool *p, struct lab_zone *zone, enum lab_cause cause)
{
	struct lab_watch_info w;

	if ((__atomic_load_n(&p->gfp, __ATOMIC_RELAXED) & __LAB_GFP_NOWARN) == 0)
		return true;
	lab_zone_watch_info(zone, &w);
	return w.owners && cause != LAB_CAUSE_INJECTED;
}

/* The newest refusal of a request such as the pool's; tenants and other lcores are refused meanwhile. */
static bool
own_refusal(const struct lab_pool *p, struct lab_zone *zone, struct lab_refusal *out)
{
	struct lab_refusal list[64];
	lab_gfp_t gfp = __atomic_load_n(&p->gfp, __ATOMIC_RELAXED);
	unsigned int n = lab_zone_refusals(zone, list, RTE_DIM(list));

	for (unsigned int i = 0; i < n; i++) {
		if (list[i].gfp == gfp && list[i].order == p->order) {
			*out = list[i];
			return true;
		}
	}
	return false;
}

static void
warn_maybe(struct lab_pool *p, uint32_t zone, enum lab_cause cause)
{
	struct lab_refusal r;

	if (zone >= p->nr_zones || !wants_report(p, p->zones[zone].zone, cause))
		return;
	if (lab_pool_may_log(&p->next_warn_tsc) && own_refusal(p, p->zones[zone].zone, &r)) {
		r.gfp &= ~__LAB_GFP_NOWARN;
		warn_refusal(p, &r, p->zones[zone].zone);
	}
}

/* Called after the rollback: was there an object that could have been had? */
static bool
any_free(const struct rte_mempool *mp, enum lab_cause cause, unsigned int got)
{
	if (got > 0)
		return true;
	return cause != LAB_CAUSE_EXHAUSTED && lab_pool_any_free(mp);
}

static int __attribute__((noinline, cold))
dequeue_refused(struct rte_mempool *mp, struct lab_pool *p, unsigned int lcore, uint32_t zone,
	enum lab_cause cause, void **objs, unsigned int got, unsigned int n)
{
	struct lab_pool_counters *c = pool_counters(p, lcore);

	give_back(p, objs, got);
	if (cause == LAB_CAUSE_NONE)
		cause = LAB_CAUSE_EXHAUSTED; /* no zone at all */
	last_cause = cause;
	counter_add(&c->refused[cause], 1, lcore);
	counter_add(&c->refused_objects, n, lcore);
	if (any_free(mp, cause, got))
		counter_add(&c->failed_with_free, 1, lcore);
	warn_maybe(p, zone, cause);
	return -ENOBUFS;
}

/* n objects into objs, or -ENOBUFS with objs overwritten. A pool whose memory was taken back
 * (rte_mempool_free_memchunks) has nothing to give. */
static inline int
dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct lab_pool *p = mp->pool_data;
	unsigned int lcore = rte_lcore_id(), got = 0;
	struct lab_pool_counters *c = pool_counters(p, lcore);
	uint32_t zone = __atomic_load_n(&c->zone_hint, __ATOMIC_RELAXED);
	enum lab_cause cause = LAB_CAUSE_NONE;

	tell_cpu(lcore);
	if (likely(mp->nb_mem_chunks != 0)) {
		if (likely(zone < __atomic_load_n(&p->nr_zones, __ATOMIC_ACQUIRE)))
			got = zone_take(p, &p->zones[zone], objs, n, &cause);
		if (unlikely(got < n))
			got += others_take(p, c, zone, objs + got, n - got, &cause);
	}
	if (unlikely(got < n))
		return dequeue_refused(mp, p, lcore, zone, cause, objs, got, n);
	counter_add(&c->dequeues, 1, lcore);
	counter_add(&c->dequeued_objects, n, lcore);
	return 0;
}

/*
 * rte_mempool_get() refills its cache over the objects that it has just handed out from it, and counts on
 * finding them again if that is refused: a refused dequeue must not have written to the table. The cache
 * never asks for more than twice its size; a longer table is the caller's own.
 */
int
lab_pool_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	void *taken[2 * RTE_MEMPOOL_CACHE_MAX_SIZE];
	int ret;

	if (unlikely(n > RTE_DIM(taken)))
		return dequeue(mp, objs, n);
	ret = dequeue(mp, taken, n);
	if (likely(ret == 0))
		memcpy(objs, taken, n * sizeof(*objs));
	return ret;
}

/* ------------------------------------------------------------- enqueue */

/* The contract lets no enqueue fail: what cannot be freed is counted, and nothing else changes. */
static void __attribute__((noinline, cold))
bad_enqueue(struct lab_pool *p, unsigned int lcore, void *obj, int err)
{
	counter_add(&pool_counters(p, lcore)->bad_enqueue_objects, 1, lcore);
	if (err == -ENOENT)
		lab_pool_guard_foreign(p, obj);
	if (lab_pool_may_log(&p->next_bad_tsc))
		LAB_LOG(ERR,
			"pool %s: object %p put back, but %s; ignored (see /labyrinth/failures)",
			p->mp->name, obj,
			err == -EALREADY ? "it is free already" : "it is not the pool's");
}

/* The block of an object of extent *x, which is looked for if it is another one; 0 if it is none. */
static inline uintptr_t
block_of(struct lab_pool *p, struct lab_extent *x, uintptr_t obj)
{
	uintptr_t base, block;

	if (unlikely(obj - x->start >= x->end - x->start) && !lab_extent_of(&p->extents, obj, x))
		return 0;
	base = p->zones[x->zone].base;
	block = lab_pool_obj_to_block(p, base, obj);
	return likely(block_to_obj(p, base, block) == obj) ? block : 0;
}

/* The blocks of the first objects that are of one zone, at most n. @return how many; 0: the first is bad. */
static inline unsigned int
same_zone(struct lab_pool *p, void *const *objs, unsigned int n, void **blocks, uint32_t *zone)
{
	struct lab_extent x = {0};
	unsigned int i;

	for (i = 0; i < n; i++) {
		uintptr_t block = block_of(p, &x, (uintptr_t)objs[i]);

		if (unlikely(block == 0 || (i > 0 && x.zone != *zone)))
			break;
		*zone = x.zone;
		blocks[i] = (void *)block;
	}
	return i;
}

/* Objects given back of the first ones, at most ENQUEUE_CHUNK; the next one is bad if they are fewer than the
 * first ones of one zone. */
static inline unsigned int
enqueue_some(struct lab_pool *p, void *const *objs, unsigned int n, int *err)
{
	void *blocks[ENQUEUE_CHUNK];
	unsigned int run, done;
	uint32_t zone = 0;

	run = same_zone(p, objs, RTE_MIN(n, ENQUEUE_CHUNK), blocks, &zone);
	*err = run == 0 ? -ENOENT : 0;
	if (unlikely(run == 0))
		return 0;
	done = lab_free_pages_many(p->zones[zone].zone, blocks, p->order, run);
	if (unlikely(done < run))
		*err = -errno;
	return done;
}

/* @return how many of them were bad. */
static __attribute__((noinline)) unsigned int
enqueue_many(struct lab_pool *p, void *const *objs, unsigned int n, unsigned int lcore)
{
	unsigned int bad = 0;

	for (unsigned int i = 0; i < n;) {
		int err;

		i += enqueue_some(p, objs + i, n - i, &err);
		if (unlikely(err != 0)) {
			bad_enqueue(p, lcore, objs[i++], err);
			bad++;
		}
	}
	return bad;
}

/* Drivers free packet by packet, which a pool without a cache gets as it is. */
static inline unsigned int
enqueue_one(struct lab_pool *p, void *obj, unsigned int lcore)
{
	struct lab_extent x = {0};
	uintptr_t block = block_of(p, &x, (uintptr_t)obj);
	int err = -ENOENT;

	if (likely(block != 0))
		err = lab_free_pages(p->zones[x.zone].zone, (void *)block, p->order);
	if (likely(err == 0))
		return 0;
	bad_enqueue(p, lcore, obj, err);
	return 1;
}

int
lab_pool_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct lab_pool *p = mp->pool_data;
	unsigned int lcore = rte_lcore_id(), bad;
	struct lab_pool_counters *c = pool_counters(p, lcore);

	tell_cpu(lcore);
	bad = likely(n == 1) ? enqueue_one(p, objs[0], lcore) : enqueue_many(p, objs, n, lcore);
	counter_add(&c->enqueues, 1, lcore);
	counter_add(&c->enqueued_objects, n - bad, lcore);
	return 0;
}
