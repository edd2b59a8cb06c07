/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_MEMPOOL_H
#define LAB_MEMPOOL_H

/**
 * @file lab_mempool.h
 * The DPDK mempool driver: every object of a pool is a block of page frames of a zone.
 *
 * The driver registers the ops `labyrinth_buddy` and `labyrinth` when the library is loaded. A pool
 * takes them by rte_mempool_set_ops_byname(), rte_pktmbuf_pool_create_by_ops() or EAL's
 * `--mbuf-pool-ops-name`; nothing in this header is needed for that. It is for programs that link
 * the driver and want to look behind a pool: its zones, its settings, why it refused.
 *
 * Objects and frames. An object (header, element, trailer) is at the start of a block of
 * 1 << lab_mempool_order() frames; the memory that populates the pool is the frames of its zones.
 * A free block keeps its content, because objects are initialised once: who takes blocks from a
 * pool's zone by lab_alloc_pages() may hold them, but must not write to them.
 *
 * Usually a pool has one zone. Memory that is not contiguous with it (a second chunk elsewhere)
 * becomes a further zone; a request tries them in turn and min_free_kbytes is split among them by
 * their size, as Linux splits it among zones.
 *
 * Refusals. A dequeue that a gate refuses hands out nothing (all or nothing), names its cause in
 * lab_mempool_last_cause() and counts it. With a per-lcore cache a refused dequeue need not
 * be a failed rte_mempool_get(): the cache asks for more than the caller does and falls back to the
 * exact number. rte_mempool_get() itself failed with the cause that is read right after it.
 *
 * Contexts. Unless said otherwise, functions may be called from any thread of the primary or of a
 * secondary process while other threads get and put. They return 0 or a negative errno.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lab_page.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rte_mempool;
struct lab_tenants;

/** Names of the ops, by the frame allocator of the zones: Linux's, and the extra quality one. */
#define LAB_MEMPOOL_OPS_BUDDY "labyrinth_buddy"
#define LAB_MEMPOOL_OPS       "labyrinth" /**< the extra quality one */

/** Environment: settings of every pool, e.g. LAB_MEMPOOL="min_free_kbytes=512,inject_ppm=100". */
#define LAB_MEMPOOL_ENV "LAB_MEMPOOL"
/** Environment: path of a file with a [default] section and one a pool, named like the pool. */
#define LAB_MEMPOOL_ENV_CONFIG "LAB_MEMPOOL_CONFIG"

/** Bytes that hold any error text of this header. */
#define LAB_MEMPOOL_ERR_LEN 256

/** Most zones that a pool can have. */
#define LAB_MEMPOOL_MAX_ZONES 256

/* ---------------------------------------------------------------- the pool */

/** True if the pool uses this driver's ops. Pools that were never populated have no zone yet. */
bool lab_mempool_is(const struct rte_mempool *mp);

/**
 * The pool's (first) zone, to read, to age, to inject into.
 * @return NULL if the pool is not this driver's or has no memory yet. Valid until
 * rte_mempool_free(); owned by the pool.
 */
struct lab_zone *lab_mempool_zone(const struct rte_mempool *mp);

/** Number of zones of the pool, 0 as for lab_mempool_zone(). Grows only by populating. */
unsigned int lab_mempool_nr_zones(const struct rte_mempool *mp);

/** The i-th zone in the order in which they were populated; NULL if there is none. */
struct lab_zone *lab_mempool_zone_at(const struct rte_mempool *mp, unsigned int i);

/** Order of the block of one object, 0 to LAB_MAX_ORDER; -EINVAL if it is not this driver's. */
int lab_mempool_order(const struct rte_mempool *mp);

/**
 * Who shares the (first) zone with the pool: made on first use, empty at first.
 * @return NULL and errno: EINVAL (no zone), EBUSY (another process has them), ENOMEM. Owned by the
 * pool; gone after rte_mempool_free(), which also takes the zone's reclaimer away. /labyrinth/age uses the
 * same ones; lab_frag.h says who may use them when.
 */
struct lab_tenants *lab_mempool_tenants(const struct rte_mempool *mp);

/**
 * Give back what the caches of a dead process hold of the pool's pages: lab_zone_reclaim() of each of its zones. Objects that
 * the process had been given stay out, and so do those in the caches that `rte_mempool` keeps for its lcores.
 * @param pid of a process that has ended.
 * @return pages given back; -EBUSY (it is alive); -ENOENT (it has no caches in the pool, or no longer); -ENOTSUP (the
 * buddy allocator, whose lists are no process's own); -EINVAL (pid 0; not this driver's, no memory yet).
 */
long lab_mempool_reclaim(const struct rte_mempool *mp, uint32_t pid);

/* ---------------------------------------------------------------- refusals */

/**
 * Why the newest refused dequeue of this thread, from any pool of this driver, was refused.
 * LAB_CAUSE_NONE before the first. A successful dequeue does not change it. Costs a load.
 */
enum lab_cause lab_mempool_last_cause(void);

/** Counters of a pool, summed over lcores and processes. Calls, unless the name says objects. */
struct lab_mempool_stats {
	uint64_t dequeues;         /**< served */
	uint64_t dequeued_objects; /**< handed out by them */
	uint64_t enqueues;         /**< calls that gave objects back */
	uint64_t enqueued_objects; /**< given back by them */
	uint64_t
		refused[LAB_NR_CAUSES]; /**< dequeues refused, by cause; [LAB_CAUSE_NONE] stays 0 */
	uint64_t refused_objects;       /**< objects asked for by refused dequeues */
	uint64_t failed_with_free; /**< refused while the block of at least one object was free */
	uint64_t bad_enqueue_objects; /**< refused frees: not the pool's, or freed twice */
};

/** Read the counters, without stopping the pool. @return 0; -EINVAL (not this driver's, no data).
 */
int lab_mempool_stats_get(const struct rte_mempool *mp, struct lab_mempool_stats *out);

/** Restart the counters from 0 (those of the zones stay). @return as above. */
int lab_mempool_stats_reset(const struct rte_mempool *mp);

/* ------------------------------------------------------------------ owners */

/**
 * Who holds most of the pool, over its zones, while the setting `owners` is on. Blocks taken by
 * a dequeue bear the calling thread's lab_owner_set(), else its lcore. With a per-lcore cache that
 * is who filled the cache, and objects in caches count as held: make the pool without one to know
 * exactly, or tell by lab_mempool_owner_move().
 * @param mp the pool.
 * @param out n entries, most pages first.
 * @param n entries that out has.
 * @return entries filled; 0 also while the tags are off.
 */
unsigned int lab_mempool_owners_top(
	const struct rte_mempool *mp, struct lab_owner_info *out, unsigned int n);

/** An object that the caller holds is another owner's from now on; does nothing while the tags are
 *  off. Lock-free. @return 0; -EINVAL (not a held object of the pool, no owner); -ENOENT (it has no
 *  tag: taken before they were on). */
int lab_mempool_owner_move(const struct rte_mempool *mp, void *obj, uint32_t owner);

/* ---------------------------------------------------------------- settings */

/** What the setting `guard` can be. */
enum lab_mempool_guard {
	LAB_MEMPOOL_GUARD_OFF,   /**< misuse is not looked for */
	LAB_MEMPOOL_GUARD_ON,    /**< it is found and logged */
	LAB_MEMPOOL_GUARD_ABORT, /**< and ends the process */
};

/** What the setting `background` can be. */
enum lab_mempool_background {
	LAB_MEMPOOL_BACKGROUND_OFF,     /**< nobody does background work */
	LAB_MEMPOOL_BACKGROUND_SERVICE, /**< an rte_service of the application's service lcores */
	LAB_MEMPOOL_BACKGROUND_THREAD,  /**< a thread of the driver's own */
	LAB_MEMPOOL_BACKGROUND_PROGRAM, /**< the program itself, by lab_zone_background() */
};

/**
 * Settings of a pool. As text: "key=value" joined by ','. Keys marked (c) work at creation only.
 *
 * - min_free_kbytes: 0 to half of the pool, kB; "auto": Linux's formula. Default 0
 * - watermark_scale_factor: 1 to 3000, of 10000. Default 10
 * - boost: watermark_boost_factor, 0 to 100000, of 10000. Default 0
 * - lowmem_reserve: pages kept from this pool's requests. Default 0
 * - reserve_blocks: 0 to 256 blocks, of the objects' order, that each zone of the pool (labyrinth ones) keeps for atomic
 *   gets that would be refused: lab_zone_set_reserve(). Refilled by the background work only: with background=off
 *   it is used up once, of which the log warns. Default 0
 * - allocator (c): buddy or labyrinth, whatever the ops are called; "auto": by their name. Default auto
 * - pcp: on or off, per-CPU caches in the zone; "auto": on for labyrinth, whose caches cost nobody an object,
 *   off for buddy. Default auto
 * - order (c): least order of an object's block, 0 to 10. Default 0
 * - gfp: as lab_gfp_parse(), without ZERO, NOFAIL and DMA. Default ATOMIC|NOWARN. With DIRECT_RECLAIM a
 *   get may wait for the zone's reclaimer; without NOWARN refusals are logged, at most one per 10 s
 * - linux (c): 6.1 or 6.12. Default 6.12
 * - background (c): who does the background work of the pool's zones (lab_zone_background()): off; thread, one of
 *   the driver's own; service, an rte_service "labyrinth_POOL" that the application maps to a service lcore; program,
 *   which has the driver start nothing, as off does, because the program calls lab_zone_background().
 *   Objects keep their content: pages of a pool are never zeroed ahead. Default off
 * - inject_ppm: 0 to 1000000, chance of a refusal of a block, in millionths. Default 0
 * - inject_interval: only every n-th block. Default 1
 * - inject_times: at most n refusals, -1: no limit. Default -1
 * - inject_space: pages that pass before the first refusal. Default 0
 * - inject_min_order: blocks of a lower order pass. Default 0
 * - inject_atomic_only: on or off; requests that may reclaim pass. Default off
 * - inject_seed: of the sequence. Default 1
 * - owners: on or off; each block carries who took it and when (lab_watch.h). A dequeue that is
 *   refused is then logged with the owners that hold most, also with NOWARN, at most once in 10 s and not if
 *   it was injected. Default off
 * - guard: off, on or abort; misuse of objects is found and logged, abort: and ends the process with a core.
 *   For development. Default off
 *
 * With the defaults every object of a pool can be handed out.
 */
struct lab_mempool_settings {
	long min_free_kbytes;                   /**< -1: auto */
	unsigned int watermark_scale_factor;    /**< of 10000 */
	unsigned int watermark_boost_factor;    /**< of 10000; the key is "boost" */
	unsigned long lowmem_reserve;           /**< pages */
	unsigned int reserve_blocks;            /**< of the objects' order, for atomic gets */
	int pcp;                                /**< 0, 1; -1: auto */
	int allocator;                          /**< enum lab_allocator; -1: auto */
	unsigned int order;                     /**< least one of an object's block */
	lab_gfp_t gfp;                          /**< of every request */
	enum lab_linux linux_version;           /**< whose semantics the zone follows */
	struct lab_inject inject;               /**< the inject_* keys */
	bool owners;                            /**< blocks carry their owner */
	enum lab_mempool_guard guard;           /**< misuse of objects is looked for */
	enum lab_mempool_background background; /**< who does the zones' background work */
};

/** "off", "service", "thread", "program". */
const char *lab_mempool_background_name(enum lab_mempool_background b);

/** The defaults of the table above. */
struct lab_mempool_settings lab_mempool_settings_default(void);

/**
 * Read settings over those in *s. An empty text changes nothing; a later key wins.
 * @param text "key=value" joined by ',', terminated.
 * @param s in and out.
 * @param err out, may be NULL: names the key, the value and what would be right.
 * @param err_len bytes at err; LAB_MEMPOOL_ERR_LEN hold any text.
 * @return 0; -EINVAL with *s untouched.
 */
int lab_mempool_settings_parse(
	const char *text, struct lab_mempool_settings *s, char *err, size_t err_len);

/** Write settings as text that lab_mempool_settings_parse() reads. @return as snprintf(). */
int lab_mempool_settings_format(const struct lab_mempool_settings *s, char *buf, size_t len);

/** The settings in force. @return 0; -EINVAL (not this driver's, or never populated). */
int lab_mempool_settings_get(const struct rte_mempool *mp, struct lab_mempool_settings *out);

/**
 * Change settings of a running pool: all that the text names, or none.
 * inject_* keys restart the injection. Keys marked (c) may be named with the value in force only.
 * @return 0; -EINVAL (bad text or value, *err says which; not this driver's, never populated).
 *
 * At creation the settings come from, a later one over an earlier: the defaults, the section
 * [default] of the file, the section of the pool's name, the environment, and the pool_config
 * argument of rte_mempool_set_ops_byname(), which is NULL or a text as here and must live until the
 * pool is populated. A bad one makes the populating fail with -EINVAL and is logged.
 */
int lab_mempool_settings_apply(struct rte_mempool *mp, const char *text, char *err, size_t err_len);

#ifdef __cplusplus
}
#endif

#endif /* LAB_MEMPOOL_H */
