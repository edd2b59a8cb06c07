/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_ZONE_INTERNAL_H
#define LAB_ZONE_INTERNAL_H

/**
 * @file zone.h
 * What the files of this module share: a zone's layout in the metadata memory, its locks, the table
 * of frame allocators.
 *
 * Locks, in the order in which they are taken: a PCP list's, in rising order of the CPU; the
 * zone's; the ring's. Nothing sleeps under one.
 */

#include <errno.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>

#include "frames.h"
#include "gfp.h"
#include "lab_base.h"
#include "lab_page.h"
#include "list.h"
#include "percpu.h"
#include "spin.h"
#include "stacks.h"

#pragma GCC visibility push(hidden)

/** Validate the whole zone, in builds that do: not on the labyrinth allocator, which others go on using
 *  meanwhile since it has no lock to keep them out. */
#define lab_assert_zone(z)                                                                         \
	lab_assert_expensive((z)->store != NULL || lab_zone_is_valid((z), NULL, 0))

/* --------------------------------------------------------- per-CPU lists */

#define LAB_PCP_COSTLY_ORDER    3
#define LAB_PCP_NR_LOW          ((LAB_PCP_COSTLY_ORDER + 1) * LAB_MIGRATE_PCPTYPES)
#define LAB_PCP_NR_LISTS        (LAB_PCP_NR_LOW + 2) /* and pageblocks: movable or not */
#define LAB_PCP_BATCH_SCALE_MAX 5

/** Counters of requests, kept apart by the lock under which they are written. */
struct lab_counts {
	_Atomic uint64_t alloc[LAB_NR_ORDERS];
	_Atomic uint64_t free[LAB_NR_ORDERS];
};

/** The lists of one CPU. Everything is guarded by its lock. */
struct lab_pcp {
	alignas(LAB_CACHE_LINE) struct lab_spin lock;
	bool on;
	bool prev_free_high_order; /**< 6.12: the last free was of orders 1 to 3 */
	uint8_t alloc_factor; /**< 6.12: doubles a refill with each one not followed by a free */
	uint8_t free_factor;  /**< 6.1: doubles a drain with each one not followed by a request */
	_Atomic int count;    /**< pages on the lists */
	int high, high_min, high_max, batch;
	int free_count; /**< 6.12: pages freed without a request between */
	struct lab_list lists[LAB_PCP_NR_LISTS];
	struct lab_counts n;
	_Atomic uint64_t hit, refill, drain_pages;
	struct frames_cursor cursor; /**< of the labyrinth allocator */
};

/* ------------------------------------------------------------------- zone */

#define LAB_ZONE_MAGIC      0x6c61627a6f6e6531ULL /* "labzone1" */
#define LAB_NR_REFUSALS     64
#define LAB_NR_RECLAIMERS   8
#define LAB_NR_WARNERS      8
#define LAB_RECLAIM_RETRIES 16
/** Passes that look for pages which others move meanwhile, at most. */
#define LAB_SETTLE_PASSES    16
#define LAB_COMPACT_SEEN     64
#define LAB_NR_WMARKS        4
#define LAB_MAX_SCALE_FACTOR 3000

/** What a process does for the zone: the pointers mean something in that process only. */
struct lab_reclaimer {
	pid_t pid; /**< 0: the entry is free, and so are both functions */
	lab_reclaim_fn fn;
	void *arg;
	lab_move_fn move;
	void *move_arg;
};

/** A process's callback for warnings; warning.c says how it is read without a lock. */
struct lab_warner {
	_Atomic uint64_t word; /**< pid << 32 | generation; pid 0: nobody's */
	_Atomic(lab_warning_fn) fn;
	_Atomic(void *) arg;
};

/** Counters of rare events: written by any thread with fetch_add. */
struct lab_events {
	_Atomic uint64_t refused[LAB_NR_CAUSES];
	_Atomic uint64_t refused_order[LAB_NR_ORDERS];
	_Atomic uint64_t refused_atomic, refused_nowarn, refused_with_free;
	_Atomic uint64_t bad_free, bad_request;
	_Atomic uint64_t slowpath, kswapd_wake, kcompactd_wake, boost;
	_Atomic uint64_t direct_reclaim, reclaimed_pages;
	_Atomic uint64_t claim, steal;
	_Atomic uint64_t highatomic_reserve, highatomic_unreserve;
	_Atomic uint64_t contended, lost_pages;
	_Atomic uint64_t graceful_order[LAB_NR_ORDERS];
	_Atomic uint64_t graceful_scattered, graceful_partial, graceful_missed;
	_Atomic uint64_t zero_inline, zero_inline_pages, zero_hit;
	_Atomic uint64_t
		zero_long_way; /**< popped from a stack by a request that then counts as a hit */
	_Atomic uint64_t zeroed_pages, background_rounds;
	_Atomic uint64_t reserve_hit, reserve_refill;
	_Atomic uint64_t compact_moves, compact_pages, compact_refused, compact_whole;
};

#define lab_event(z, name) atomic_fetch_add_explicit(&(z)->ev.name, 1, memory_order_relaxed)
#define lab_event_add(z, name, n)                                                                  \
	atomic_fetch_add_explicit(&(z)->ev.name, (n), memory_order_relaxed)

/** Fault injection: settings, and what is left of them. Any thread draws, without a lock. */
struct lab_injection {
	_Atomic uint32_t probability_ppm, interval, space, min_order;
	_Atomic bool atomic_only;
	_Atomic int64_t times;
	_Atomic uint64_t seed;
	_Atomic uint64_t eligible; /**< requests that the interval counts */
	_Atomic uint64_t draws;    /**< of the sequence */
};

/** Blocks of one order kept for atomic requests (reserve.c). */
struct lab_reserve {
	_Atomic uint32_t target;                /**< blocks that are to be there */
	_Atomic uint32_t held;                  /**< at least as many as are */
	_Atomic uint32_t slot[LAB_RESERVE_MAX]; /**< 1 + the first frame; 0: vacant */
};

#define LAB_REFUSAL_WORDS (sizeof(struct lab_refusal) / sizeof(uint64_t))

/** The newest refusals. A slot is written by whoever has made its version odd; who cannot goes on
 *  without a record, so that nobody waits for a thread that was stopped or interrupted here. */
struct lab_refusal_ring {
	_Atomic uint64_t seq; /**< of the newest */
	struct {
		_Atomic uint64_t version;
		_Atomic uint64_t word[LAB_REFUSAL_WORDS];
	} slot[LAB_NR_REFUSALS];
};

/** What looks at each request or free, while it is on. */
#define LAB_WATCH_INJECT 1U
#define LAB_WATCH_OWNERS 2U
#define LAB_WATCH_GUARD  4U
/** Those that want to see frees as well. */
#define LAB_WATCH_TAGS (LAB_WATCH_OWNERS | LAB_WATCH_GUARD)

/** Who passes the gate without being asked, while the free pages last. */
#define LAB_OPEN_ATOMIC 1U
#define LAB_OPEN_ALL    2U

struct lab_request;
struct lab_tags;

/** A registered owner; the name is kept in words, which readers and writers share. */
struct lab_owner_slot {
	_Atomic uint32_t owner; /**< 0: vacant */
	_Atomic uint32_t name[LAB_OWNER_NAME_LEN / 4];
};

struct lab_zone {
	/* Set at creation, but for the marks; read by every request. */
	unsigned char *base;
	struct lab_frame *frames;
	_Atomic uint8_t *pageblock_mt;
	struct lab_pcp *pcp;
	uint32_t spanned;           /**< frames */
	_Atomic uint32_t unwatched; /**< of them those whose frees need no look: all, or none */
	uint32_t nr_cpus;
	enum lab_zone_type type;
	enum lab_allocator allocator;
	enum lab_linux linux_version;
	_Atomic bool pcp_on;
	_Atomic uint8_t
		watched; /**< LAB_WATCH_*: requests take the long way, past what watches them */
	_Atomic bool below_high; /**< 6.12: the high mark was missed since the lists were full */
	_Atomic bool reclaim_active; /**< kswapd is at work: short PCP lists */
	_Atomic bool boosted;        /**< wake kswapd for the boost alone */
	_Atomic bool kswapd_wanted;
	_Atomic uint64_t warnings; /**< count and state; see warning.h */
	_Atomic unsigned long wmark[LAB_NR_WMARKS];
	_Atomic unsigned long boost;
	_Atomic unsigned long lowmem_reserve[LAB_NR_ZONE_TYPES];
	uint64_t magic;

	/* The labyrinth allocator's; not used by the buddy's. */
	_Atomic uint8_t open; /**< LAB_OPEN_*: requests of order 0 that would pass the gate */
	_Atomic unsigned long open_above[2]; /**< the free pages that it takes, by bit */
	struct frames *store;
	const _Atomic uint64_t *rows;   /**< of the store: a bit a frame, 1: free */
	const _Atomic uint8_t *classes; /**< likewise, of children */
	_Atomic uint16_t *named; /**< frames of each child of which `orders` says more than 0 */
	uint8_t *orders;
	uint32_t nr_sets;
	struct lab_stack_set sets[LAB_NR_SETS];

	/* Free lists and what they add up to. */
	alignas(LAB_CACHE_LINE) struct lab_spin lock;
	_Atomic uint32_t nonempty[LAB_MIGRATE_TYPES]; /**< bit o: the list of order o has a block */
	_Atomic unsigned long nr_free, nr_free_cma, nr_free_highatomic, nr_reserved_highatomic;
	struct lab_list free_list[LAB_MIGRATE_TYPES][LAB_NR_ORDERS];
	struct lab_counts n; /**< what did not go through a PCP list */

	/* Settings. Written under the lock. */
	alignas(LAB_CACHE_LINE) char name[16];
	int node;
	unsigned long present;
	_Atomic unsigned long managed;
	long min_free_kbytes_set; /**< -1: by the formula */
	unsigned long min_free_kbytes;
	_Atomic unsigned int scale_factor, boost_factor;
	_Atomic unsigned long zero_target; /**< pages to keep zeroed; 0: zero none ahead */
	_Atomic uint64_t now_ns;
	_Atomic uint32_t nr_movers;    /**< processes that move blocks */
	_Atomic uint32_t compact_turn; /**< which part of the zone is compacted next */
	_Atomic uint32_t compact_seen[LAB_COMPACT_SEEN]; /**< compact.c: what was there last time */
	_Atomic uint32_t compact_clear;  /**< child whose movable blocks move out next */
	_Atomic uint32_t compact_barren; /**< parts looked at in vain since a block was moved */
	_Atomic uint32_t next_cpu;       /**< of the next thread that named none */
	bool own_frames, own_meta, hugepages, keep_content;
	size_t frames_len, meta_len;

	struct lab_events ev;
	struct lab_injection inject;
	struct lab_reserve reserve[LAB_NR_ORDERS];
	struct lab_refusal_ring refusals;

	/* Owner tags and guarded mode (watch.h). */
	_Atomic(struct lab_tags *) tags; /**< the side table, NULL before the first use */
	struct lab_owner_slot owner_names[LAB_OWNER_NAMES];

	/* Guarded by the ring's lock. */
	struct lab_spin ring_lock;
	struct lab_reclaimer reclaimers[LAB_NR_RECLAIMERS];

	/* The newest warning, and who is called; written under the ring's lock, read without. */
	_Atomic uint64_t warning_ns;
	_Atomic unsigned long warning_free;
	struct lab_warner warners[LAB_NR_WARNERS];
};

/* pcp.c: the CPU that a thread counts as. */
unsigned int lab_cpu_new(struct lab_zone *z);
extern __thread unsigned int lab_this_cpu __attribute__((tls_model("initial-exec")));
#define LAB_CPU_UNSET UINT32_MAX

static inline unsigned int
lab_cpu(struct lab_zone *z)
{
	unsigned int cpu = lab_this_cpu;

	if (lab_unlikely(cpu == LAB_CPU_UNSET))
		cpu = lab_cpu_new(z);
	if (lab_unlikely(cpu >= z->nr_cpus))
		cpu %= z->nr_cpus;
	return cpu;
}

static inline struct lab_pcp *
lab_pcp_here(struct lab_zone *z)
{
	return &z->pcp[lab_cpu(z)];
}

static inline uint32_t
lab_frame_word(const struct lab_zone *z, uint32_t pfn)
{
	return rd(&z->frames[pfn].word);
}

static inline void
lab_frame_set(struct lab_zone *z, uint32_t pfn, uint32_t word)
{
	atomic_store_explicit(&z->frames[pfn].word, word, memory_order_release);
}

static inline enum lab_migratetype
lab_pageblock_mt(const struct lab_zone *z, uint32_t pfn)
{
	return rd(&z->pageblock_mt[pfn >> LAB_PAGEBLOCK_ORDER]);
}

static inline uint32_t
lab_nr_pageblocks(const struct lab_zone *z)
{
	return ((unsigned long)z->spanned + LAB_PAGEBLOCK_PAGES - 1) >> LAB_PAGEBLOCK_ORDER;
}

static inline void *
lab_frame_address(const struct lab_zone *z, uint32_t pfn)
{
	return z->base + ((size_t)pfn << LAB_PAGE_SHIFT);
}

static inline uintptr_t
lab_offset_of(const struct lab_zone *z, const void *page)
{
	return (uintptr_t)page - (uintptr_t)z->base;
}

/** The frame at an offset in the zone, of its first n, if a block can start there; else LAB_NO_PFN. */
static inline uint32_t
lab_block_pfn_at(uintptr_t off, uint32_t n, unsigned int order)
{
	if (off >> LAB_PAGE_SHIFT >= n || order > LAB_MAX_ORDER)
		return LAB_NO_PFN;
	if (off & ((LAB_PAGE_SIZE << order) - 1))
		return LAB_NO_PFN;
	return off >> LAB_PAGE_SHIFT;
}

/** The number of a frame that is the start of a possible block, LAB_NO_PFN for other addresses. */
static inline uint32_t
lab_block_pfn(const struct lab_zone *z, const void *page, unsigned int order)
{
	return lab_block_pfn_at(lab_offset_of(z, page), z->spanned, order);
}

/** Pageblocks of these types may merge with each other and be claimed. */
static inline bool
lab_mt_mergeable(unsigned int mt)
{
	return mt < LAB_MIGRATE_PCPTYPES;
}

/** All PCP locks and the zone's: nothing moves. */
void lab_zone_freeze(struct lab_zone *z);
void lab_zone_thaw(struct lab_zone *z);

/* settings.c */

#define KB_PER_PAGE (LAB_PAGE_SIZE / 1024)

/** Marks from the settings. The zone's lock is held; lab_pcp_setup() is to follow without it. */
void lab_zone_set_marks(struct lab_zone *z);
/** Who may go the short way, after the marks or the caches changed. The zone's lock is held. */
void lab_zone_set_open(struct lab_zone *z);
/** Switch what looks at requests: while anything does, none goes the short way. The zone's lock is held. */
void lab_watch(struct lab_zone *z, uint8_t what, bool on);

static inline bool
lab_min_free_is_ok(long kbytes, unsigned long nr_pages)
{
	return kbytes >= -1 && kbytes / (long)KB_PER_PAGE <= (long)(nr_pages / 2);
}

static inline bool
lab_scale_is_ok(unsigned int factor)
{
	return factor >= 1 && factor <= LAB_MAX_SCALE_FACTOR;
}

/* process.c */
extern uint32_t lab_process;
/** Where in a zone this process's set of stacks was found last, in bytes: a hint. */
extern _Atomic uint32_t lab_set_hint;

/** A number that no other living process has, never 0. */
static inline uint32_t
lab_process_id(void)
{
	return lab_process;
}

/** This process's stacks in the zone if they are where they were last; else NULL. Calls nothing, so that the short
 *  ways need no frame. */
static inline struct lab_stack_set *
lab_known_set(struct lab_zone *z)
{
	struct lab_stack_set *set =
		(struct lab_stack_set *)((unsigned char *)z + rd(&lab_set_hint));

	if (lab_unlikely(rd(&set->process) != lab_process_id()))
		return NULL;
	if (set == NULL)
		__builtin_unreachable();
	return set;
}

/** This process's stacks in the zone; NULL if it has none. */
static inline struct lab_stack_set *
lab_own_set(struct lab_zone *z)
{
	struct lab_stack_set *set = lab_known_set(z);

	return lab_likely(set != NULL) ? set : lab_stacks_claim(z);
}

/** No process of this number is alive; 0 is none. */
bool lab_process_is_gone(pid_t pid);

/* alloc.c */
void *lab_alloc_finish(struct lab_zone *z, uint32_t pfn, unsigned int order, lab_gfp_t gfp);
/** A request whose miss is no refusal: recorded nowhere. NULL if it missed. */
void *lab_alloc_attempt(struct lab_zone *z, lab_gfp_t gfp, unsigned int order);
void *lab_refuse_injected(struct lab_zone *z, const struct lab_request *rq);
unsigned int lab_first_pass_flags(const struct lab_zone *z, const struct lab_request *rq);

/* watch.c */
void lab_watch_alloc(struct lab_zone *z, uint32_t pfn, unsigned int order);
/** The block at `to` was taken for what is at `from`: its tag says the same. Before the move. */
void lab_watch_move(struct lab_zone *z, uint32_t from, uint32_t to, unsigned int order);
int lab_watch_free(struct lab_zone *z, void *page, uint32_t pfn, unsigned int order);
void lab_watch_split(struct lab_zone *z, uint32_t pfn, unsigned int order);
void lab_watch_destroy(struct lab_zone *z);
/** Switch one of LAB_WATCH_TAGS, with a side table if it is on. @return 0, -ENOMEM. */
int lab_watch_switch(struct lab_zone *z, uint8_t what, bool on);

/** Before a block is handed out: tag it, and look at what it was left as. */
static inline void
lab_watch_handed_out(struct lab_zone *z, uint32_t pfn, unsigned int order)
{
	if (lab_unlikely(rd(&z->watched) & LAB_WATCH_TAGS))
		lab_watch_alloc(z, pfn, order);
}

/* inject.c */
void lab_inject_get(const struct lab_zone *z, struct lab_inject *out);
bool lab_inject_hit(struct lab_zone *z, lab_gfp_t gfp, unsigned int order);

/* refusal.c */
/** Virtual time if it is set, else CLOCK_MONOTONIC. Any context. */
uint64_t lab_zone_now(const struct lab_zone *z);
void lab_refuse(struct lab_zone *z, const struct lab_request *rq, const struct lab_verdict *v);

/* reclaim.c */
void lab_kswapd_wake(struct lab_zone *z, lab_gfp_t gfp, unsigned int highest);
/** Call this process's reclaimer. @return pages it says it freed, 0 if there is none. */
unsigned long lab_reclaim(struct lab_zone *z, unsigned long nr_pages, unsigned int order);
bool lab_in_reclaim(void);
/** What this process does for the zone, all NULL if nothing. */
struct lab_reclaimer lab_own_reclaimer(struct lab_zone *z);

/* compact.c */
/** A job of lab_zone_background(). @return pages moved. */
unsigned int lab_compact_round(struct lab_zone *z, unsigned int budget);

#pragma GCC visibility pop

#endif /* LAB_ZONE_INTERNAL_H */
