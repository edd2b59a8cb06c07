/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_PAGE_H
#define LAB_PAGE_H

/**
 * @file lab_page.h
 * One zone of page frames with the semantics of Linux's alloc_pages().
 *
 * A zone is a contiguous span of frames with its metadata elsewhere: nothing is ever
 * written into a free frame (but in guarded mode, for development: lab_watch.h). A request passes the *gate* (GFP flags, two passes,
 * watermarks, reserves, injection) and is then served by the zone's *frame allocator*.
 * A refusal names the gate that closed it.
 *
 * Pages are named by the address of their first byte. Sizes are in frames ("pages") of
 * LAB_PAGE_SIZE bytes unless a name says kB or bytes. A block of order o is 1 << o frames,
 * aligned to its size relative to the start of the zone.
 *
 * Contexts. Unless a function says otherwise it may be called from any thread and from any
 * process that maps the zone's memory at the same address; it may not be called from a signal
 * handler that interrupted this library (the `buddy` allocator takes a lock, as Linux does). On a zone of the
 * `labyrinth` allocator requests without __LAB_GFP_DIRECT_RECLAIM and frees may be made from a signal handler too,
 * whatever it interrupted; refusals, injection and warnings included.
 *
 * Errors. Functions return 0 or a negative errno. Functions that return a pointer return
 * NULL and set errno; a refused allocation sets it to lab_cause_errno(cause).
 *
 * Sources: the facts are those of Linux 6.1 and 6.12 (mm/page_alloc.c, mm/vmstat.c,
 * include/linux/gfp_types.h, include/linux/mmzone.h); no code of it is used.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lab_formula.h" /* sizes, flags, causes, formulas */

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------- zones */

struct lab_zone; /**< opaque; lives in the metadata memory, holds no pointer to process-private code */

/** The frame allocators. */
enum lab_allocator {
	LAB_ALLOCATOR_BUDDY, /**< Linux's free lists: the model and the baseline */
	LAB_ALLOCATOR_LABYRINTH, /**< lock-free, for signal handlers too; no CMA and no highatomic blocks */
	LAB_NR_ALLOCATORS,
};

const char *lab_allocator_name(enum lab_allocator a);

/** How a zone is made. Zero-initialise, then set what differs; 0/NULL is the default given. */
struct lab_zone_config {
	const char *name;        /**< as in /proc/buddyinfo; NULL: by type. At most 15 bytes */
	int node;                /**< NUMA node printed in the formats */
	enum lab_zone_type type; /**< note that 0 is DMA; lab_zone_config_default() sets NORMAL */
	enum lab_allocator allocator;
	enum lab_linux linux_version;
	void *base;             /**< first frame, page aligned, owned by the caller; NULL: the zone
	                                  maps memory itself, from hugetlbfs where it can */
	unsigned long nr_pages; /**< frames spanned */
	bool offline;           /**< start with no frame managed; lab_zone_online() adds them */
	void *meta;           /**< metadata, 64-byte aligned, owned by the caller (shared memory if
	                                  other processes use the zone); NULL: allocated */
	size_t meta_len;      /**< bytes at meta, at least lab_zone_meta_size() */
	unsigned int nr_cpus; /**< per-CPU lists; 0: 1 */
	unsigned int
		nr_processes; /**< of the labyrinth allocator: how many processes at once can have
	                                per-CPU caches; 0: 1; at most LAB_MAX_PROCESSES */
	bool no_pcp;          /**< no per-CPU lists */
	long min_free_kbytes; /**< -1: lab_min_free_kbytes() of the zone's own size */
	unsigned int watermark_scale_factor; /**< of 10000; default 10 */
	int watermark_boost_factor; /**< of 10000; default 15000; 0 switches boosting off */
	unsigned long
		lowmem_reserve[LAB_NR_ZONE_TYPES]; /**< pages, by the request's highest zone type */
	unsigned long cma_pages;   /**< last pages of the zone made CMA, rounded up to pageblocks */
	unsigned long zero_target; /**< see lab_zone_set_zero_target(); default 0 */
	unsigned int
		reserve[LAB_NR_ORDERS]; /**< blocks of each order; see lab_zone_set_reserve() */
	bool keep_content; /**< free pages keep what is in them: none is ever zeroed ahead of a request */
};

/** The defaults: Normal zone, buddy, 6.12, no base, min_free_kbytes -1, scale 10, boost 15000, 1 CPU. */
struct lab_zone_config lab_zone_config_default(unsigned long nr_pages);

/** Bytes of metadata that a zone of this configuration needs. */
size_t lab_zone_meta_size(const struct lab_zone_config *cfg);

/**
 * Make a zone.
 * @param zone out; untouched on error.
 * @return 0; -EINVAL (misaligned or missing base, no pages, base + length overflows, zone and metadata
 * overlap, bad type or allocator); -ENOSPC (meta_len too small); -ENOMEM.
 */
int lab_zone_create(struct lab_zone **zone, const struct lab_zone_config *cfg);

/** Release what the zone itself allocated. The caller guarantees that nobody uses it. NULL is fine.
 *  @return the number of blocks still allocated (a leak, if the caller expected none). */
unsigned long lab_zone_destroy(struct lab_zone *zone);

/**
 * Bring frames of an offline span under management (as memory hot-plug does).
 * @param base page aligned; [base, base + nr_pages frames) inside the span and not yet online.
 * @return 0, -EINVAL, -EEXIST.
 */
int lab_zone_online(struct lab_zone *zone, void *base, unsigned long nr_pages);

/** Set min_free_kbytes (-1: the formula) and recompute the marks. -EINVAL if over 1/2 of the zone. */
int lab_zone_set_min_free_kbytes(struct lab_zone *zone, long kbytes);
/** Set watermark_scale_factor, 1 to 3000 as the sysctl; 0 or more than that is -EINVAL. */
int lab_zone_set_watermark_scale_factor(struct lab_zone *zone, unsigned int factor);
int lab_zone_set_watermark_boost_factor(struct lab_zone *zone, unsigned int factor);

/** Set lowmem_reserve for requests whose highest zone type is `highest`. */
int lab_zone_set_lowmem_reserve(
	struct lab_zone *zone, enum lab_zone_type highest, unsigned long pages);
/** Switch the per-CPU lists; off drains them. */
int lab_zone_set_pcp(struct lab_zone *zone, bool on);
/**
 * Have free pages zeroed ahead of __LAB_GFP_ZERO requests, by lab_zone_background(), until so many are. 0
 * (the default): none, and nothing is ever written into a free page. More than the zone has: all that can
 * be. Zeroing costs memory bandwidth once a page that is used again, whether or not a request wants it zeroed.
 * Memory that the zone mapped itself starts as zeroed and counts.
 * @return 0; -ENOTSUP (the buddy allocator); -EPERM (the zone was made with keep_content).
 */
int lab_zone_set_zero_target(struct lab_zone *zone, unsigned long pages);

/** Most blocks of one order that a reserve has. */
#define LAB_RESERVE_MAX 256

/**
 * Keep blocks of an order for atomic requests that would be refused, in the manner of the kernel's mempool_t:
 * a request that is atomic (lab_gfp_is_atomic()) and not NOMEMALLOC has one of them when neither the free frames
 * nor the caches have one for it, whichever gate it was that closed; injected refusals remain. As many as can be
 * spared, i.e. as leave more than the low mark free, are taken at once; lab_zone_background() refills. They are
 * allocated blocks to whoever walks or saves the zone, and free ones to nobody.
 * @param order 0 to LAB_MAX_ORDER. @param blocks 0 (the default) to LAB_RESERVE_MAX; fewer than before: the others
 *  become free. The same can be asked for at creation, in lab_zone_config.reserve[].
 * @return 0; -EINVAL; -ENOTSUP (the buddy allocator, whose reserve is highatomic's).
 * Any thread of any process; not a signal handler. Who is killed while it refills or takes leaves one block
 * allocated, and the reserve one smaller.
 */
int lab_zone_set_reserve(struct lab_zone *zone, unsigned int order, unsigned int blocks);
/** How many blocks of an order were asked for. */
unsigned int lab_zone_reserve(const struct lab_zone *zone, unsigned int order);
/** How many are there now. Counted slot by slot, while others take and refill. */
unsigned int lab_zone_reserve_held(const struct lab_zone *zone, unsigned int order);
/** Virtual time in ns used to stamp refusals; 0 (default): CLOCK_MONOTONIC. */
void lab_zone_set_time(struct lab_zone *zone, uint64_t now_ns);

/** The CPU whose per-CPU list this thread uses, modulo the zone's nr_cpus. Threads that never call
 *  it get one by arrival. Any thread. */
void lab_cpu_set(unsigned int cpu);

/* -------------------------------------------------------------- allocation */

/**
 * Allocate a block of 1 << order frames.
 * @return its first byte, aligned to its size relative to the zone; NULL and errno on refusal
 * (lab_cause_errno()), EINVAL for order > LAB_MAX_ORDER, for contradictory flags (two zones, two
 * migratetypes, NOFAIL without DIRECT_RECLAIM) and for a request whose highest zone lies below this one's
 * type, which Linux would not offer it.
 * With __LAB_GFP_DIRECT_RECLAIM it may call the reclaimer (lab_zone_set_reclaim()) and wait for it.
 * __LAB_GFP_NOFAIL goes on for 16 rounds with half of min and is then refused like others: Linux would
 * wait for ever, which an application cannot be let to.
 */
void *lab_alloc_pages(struct lab_zone *zone, lab_gfp_t gfp, unsigned int order);

/**
 * One frame, LAB_GFP_ATOMIC: the allocation that the project is named for. Never sleeps.
 * @return as lab_alloc_pages().
 * A labyrinth zone refuses it only if the free frames, the reserve and the caches of this process, on every CPU, had no page
 * for it at one moment (but for those that it counts as `contended`). Pages in the caches of another living process are out
 * of reach, for nobody can interrupt its sequences: at most 5616 pages for each CPU of the zone and 6144 in its depots, which
 * lab_zone_info.nr_pcp counts. They are back once it frees them while nothing else is free, drains its caches, or ends and
 * is reclaimed (lab_zone_reclaim()).
 * Worst case on a labyrinth zone: 19 passes (two at the low mark, one at min, 16 to prove a refusal; a request with MEMALLOC
 * makes one more, with reserves), each a search of at most 89,600 words of the store looked at or swapped (64 races lost to
 * others, 1400 words between two). Before each of the 16 one visit to this process's caches, which brings home what it
 * finds there and nothing that comes meanwhile: of each CPU in use at most 2880 blocks (5616 pages), 6144 pages of the depots.
 * The pass that finds a page goes on for this CPU's stack, with 15 searches more at most; the last resort are LAB_RESERVE_MAX
 * slots of the reserve. None of it grows with the zone, but for two words of a search or a free a level of the tree above
 * it, which has 3 levels for 256 MiB, 4 for 4 GiB and 8 for the largest zone. A search that loses no race: 1400 words (the most
 * seen is 249).
 */
void *lab_alloc_page_gfp_atomic(struct lab_zone *zone);

/**
 * Up to n frames of order 0, as alloc_pages_bulk(): mark LOW plus the number still missing, no reserves;
 * if not even one fits, one normal lab_alloc_pages().
 * @param pages out, n entries; the first `return value` are filled.  @return frames allocated.
 */
unsigned int lab_alloc_pages_bulk(
	struct lab_zone *zone, lab_gfp_t gfp, unsigned int n, void **pages);

/**
 * n requests at once: what n calls of lab_alloc_pages() up to the first refusal would give, each passing the
 * gate, but for the price of one while a labyrinth zone's caches last.
 * @param pages out, n entries; the first `return value` are filled and the others may be overwritten.
 * @return blocks allocated; if fewer than n, errno says why.  Contexts as lab_alloc_pages().
 */
unsigned int lab_alloc_pages_many(
	struct lab_zone *zone, lab_gfp_t gfp, unsigned int order, unsigned int n, void **pages);

/**
 * Give n blocks of one order back. That each is a block's place in the zone is checked; that it is allocated, with
 * this order, only where it costs nothing: one that is free already may be found out when it leaves its cache, as
 * with other caches. lab_free_pages() and guarded mode look at each.
 * @return blocks taken back: from pages[0] on; if fewer than n, errno says why pages[return value] was refused,
 * and those after it are still the caller's.
 */
unsigned int lab_free_pages_many(
	struct lab_zone *zone, void *const *pages, unsigned int order, unsigned int n);

/**
 * Give a block back. NULL is accepted.
 * @param order the order it was allocated with; for a block that was not __LAB_GFP_COMP, parts of it may
 * be given back one by one only after lab_split_page().
 * @return 0; -EINVAL (foreign or misaligned pointer, order too large, wrong order), -EALREADY (double
 * free). A refused free changes nothing but the counter bad_free.
 * On a zone of the labyrinth allocator a block freed twice is found out at once if it went back to the frames or was the
 * last one that this CPU's cache got, and else perhaps not: looking at each block in a cache would cost more than
 * the allocation does. Guarded mode (lab_watch.h) finds every one, and who did it.
 */
int lab_free_pages(struct lab_zone *zone, void *page, unsigned int order);

/** Turn an allocated block into 1 << order allocated blocks of order 0. [split_page] */
int lab_split_page(struct lab_zone *zone, void *page, unsigned int order);

/** Give back what the per-CPU lists hold. [drain_all_pages] @return pages drained. */
unsigned long lab_drain_all_pages(struct lab_zone *zone);

/* ------------------------------------------------- living with less */

/** What a caller will take instead of the block that it wishes for. */
enum lab_instead {
	LAB_INSTEAD_SMALLER,   /**< one block, smaller */
	LAB_INSTEAD_SCATTERED, /**< smaller blocks that add up to the wish; all of it or nothing */
	LAB_INSTEAD_SOME,      /**< smaller blocks, as many as there are; at least one */
};

/** A wish, and what will do. */
struct lab_flexible {
	unsigned int order;     /**< wished for, 0 to LAB_MAX_ORDER */
	unsigned int min_order; /**< of each block handed out; at most `order` */
	enum lab_instead instead;
};

/** One of the blocks handed out. */
struct lab_piece {
	void *page;
	unsigned int order;
};

/** What was handed out. The caller sets `piece` and `max`; the rest is filled in. */
struct lab_blocks {
	struct lab_piece *piece; /**< room for `max`; filled from the front, largest first */
	unsigned int
		max; /**< 1 at least; for SCATTERED 1 << (order - min_order), the most it can take */
	unsigned int nr;
	unsigned long nr_pages; /**< frames in all */
};

/**
 * Allocate what is wished for, or less: the kernel's callers that try order 3 and then order 0 (page
 * fragments, page_pool, slab), in one call that counts a fallback as what it is.
 *
 * Orders are tried downwards from the wish. Until the last one they are asked for as the kernel asks for
 * what it can do without: with NOWARN, NORETRY and NOMEMALLOC and without DIRECT_RECLAIM and NOFAIL, so that no
 * reserve is used and nobody waits for a convenience; kswapd is woken. Such a miss is no refusal: it is counted
 * in `graceful_missed` and nowhere else. At `min_order` the request is made with the caller's own flags; a
 * miss there is the call's one refusal. With SOME that holds for the first block; further ones are a
 * convenience at every order. At most (order - min_order + 1) + blocks handed out requests are made.
 *
 * SCATTERED may hold blocks that it then gives back because the last one is missing; others may be refused for
 * it meanwhile.
 * @param out nr is 0 after every error.
 * @return 0; -EINVAL (orders, `instead`, too few pieces, flags as for lab_alloc_pages()); or a refusal, the
 * negative lab_cause_errno() of the last request. errno stays as it was.
 * Contexts as lab_alloc_pages(): never sleeps without DIRECT_RECLAIM.
 */
int lab_alloc_pages_flexible(struct lab_zone *zone, lab_gfp_t gfp, const struct lab_flexible *want,
	struct lab_blocks *out);

/**
 * Give back all blocks, with the orders that they were handed out with; nr is 0 then.
 * @return 0, or what lab_free_pages() said of the first that it refused; the others are given back.
 */
int lab_free_blocks(struct lab_zone *zone, struct lab_blocks *blocks);

/**
 * Take back what the caches of a dead process hold, in a zone that several processes share: nobody else can
 * reach it. Blocks that the process had been given stay allocated (owner tags tell whose they are), as may
 * one batch for each of its threads that died while it moved pages, which is counted as lost_pages, and a block that it
 * was just taking or giving back. What it had not told yet of the frames that it took or freed is put right: that
 * looks at each frame's bit (some milliseconds for 16 GiB) and wants a moment in which nothing moves. If others leave none, the
 * count of free frames stays wrong by what the dead one had in hand, until the next process is reclaimed.
 * Of a block of order 5 or more that it was just naming lab_zone_is_valid() may find a part.
 * @param pid  of a process that has ended; of a living one -EBUSY, of one without caches in this zone -ENOENT.
 * @return pages given back. Any thread.
 */
long lab_zone_reclaim(struct lab_zone *zone, uint32_t pid);

/* ------------------------------------------------------- reclaim, kswapd */

/**
 * What frees memory for others (page cache, tenants).
 * @param nr_pages wanted, by the highest mark; @param order wanted.  @return pages freed.
 * Called without any lock of the zone held; it may call lab_free_pages().
 */
typedef unsigned long (*lab_reclaim_fn)(void *arg, unsigned long nr_pages, unsigned int order);

/**
 * Register this process's reclaimer (NULL: none). Only calls made by this process use it. A request that
 * a reclaimer makes passes no watermark and starts no reclaim of its own (Linux's PF_MEMALLOC).
 * @return 0; -ENOSPC if 8 living processes have one already.
 */
int lab_zone_set_reclaim(struct lab_zone *zone, lab_reclaim_fn fn, void *arg);

/** True when a request has woken kswapd (or kcompactd) and lab_zone_kswapd() has not run since. */
bool lab_zone_kswapd_wanted(const struct lab_zone *zone);

/**
 * One round of kswapd: reclaim up to the high mark, then take the boost away that it met.
 * Call it from a service thread, or between two steps of virtual time.
 * @return pages reclaimed.
 */
unsigned long lab_zone_kswapd(struct lab_zone *zone);

/** Give highatomic pageblocks back. @param force also the last one. @return blocks given back. */
unsigned int lab_zone_unreserve_highatomic(struct lab_zone *zone, bool force);

/* ---------------------------------------------------------- early warning */

/** A warning: free pages crossed the low mark, and nothing has been refused for want of pages yet. */
struct lab_warning {
	struct lab_zone *zone;
	uint64_t seq;       /**< 1 is the first since creation */
	uint64_t time_ns;   /**< see lab_zone_set_time() */
	unsigned long free; /**< pages */
	unsigned long low;  /**< the mark that was crossed, boost included */
	unsigned int
		order; /**< of the request that would have crossed it; 0 once free pages have */
};

/**
 * Called once for each crossing, by the thread whose request crossed (or, in a race, by the first to
 * see it) and in its context: that may be a signal handler, and a lock of the caller's may be held. So it
 * may only do what is async-signal-safe: store, count, write() to an eventfd. No lock of the zone is
 * held. It may allocate and free where its context may.
 */
typedef void (*lab_warning_fn)(void *arg, const struct lab_warning *warning);

/**
 * Register this process's callback (NULL: none). It hears of crossings by this process's threads; of all
 * others lab_zone_warnings() tells.
 *
 * A warning is raised when a request leaves no more than the low mark (boost included) free, or would by its
 * order, and before it is refused: every refusal for `watermark` or `exhausted` that no reserve explains has a
 * warning before it. It is armed again by the first request that finds more than the high mark free (by
 * the same order), so that pages that come and go around the low mark do not warn each time.
 *
 * Any thread, no signal handler. When it returns, calls of the old callback that other threads have
 * begun may still be under way: what `arg` points to must outlive them.
 * @return 0; -ENOSPC if 8 living processes have one already.
 */
int lab_zone_set_warning(struct lab_zone *zone, lab_warning_fn fn, void *arg);

/** What is known of the warnings of a zone, whoever raised them. */
struct lab_warnings {
	uint64_t count;          /**< since creation */
	uint64_t last_ns;        /**< of the newest; 0: none yet */
	unsigned long last_free; /**< pages that it saw */
	bool armed;              /**< the next crossing warns */
};

/** Read without a lock, each field by itself; to be polled. Any context, any process. */
void lab_zone_warnings(const struct lab_zone *zone, struct lab_warnings *out);

/* ------------------------------------------------------- background work */

/**
 * One round of the work that is done ahead of requests: refilling the reserve (lab_zone_set_reserve()), then zeroing
 * free pages (lab_zone_set_zero_target()), then, where this process has registered what moves blocks, compaction
 * (lab_zone_compact()).
 * The pages being zeroed are not free, so it has at most 8 at once, and it stands aside while the free
 * pages are near the high mark and where the zone's largest free block would become a smaller one. Bounded;
 * sleeps never and takes no lock but the registry's and what the mover takes. Any thread, several at once
 * too, of any process; not a signal handler. A thread that dies in it loses at most the pages that it has.
 * @param budget pages of work, at most.
 * @return pages of work done; 0: there is nothing to do now.
 */
unsigned int lab_zone_background(struct lab_zone *zone, unsigned int budget);

/** A thread that does lab_zone_background(), and sleeps while there is nothing to do (up to 64 ms). */
struct lab_background;

/**
 * Start one, with all signals blocked. A zone may have several, and threads of one's own beside them.
 * @param b out. @return 0; -ENOMEM; -EAGAIN (the system has no thread left).
 */
int lab_background_start(struct lab_background **b, struct lab_zone *zone);

/** A round of one's own, for several zones in one thread. @return pages of work done; 0: sleep a while. */
typedef unsigned int (*lab_round_fn)(void *arg);

/** As lab_background_start(). */
int lab_background_start_rounds(struct lab_background **b, lab_round_fn round, void *arg);

/** Stop it and wait for its end, one round at most; before the zone is destroyed. NULL is fine. To be called
 *  in the process that started it. */
void lab_background_stop(struct lab_background *b);

/* ------------------------------------------------------------- compaction */

/**
 * Moves a block, for compaction. It asks first, and then does it:
 * @param arg  as registered.
 * @param from a block that may be the caller's; it may also be anybody's, or just have been given back.
 * @param to   NULL: only say whether it would be moved. Else a block of the same order that was
 * allocated for this: copy all that is in `from` to it and let everything that named `from` name `to`, in
 * one step as seen by whoever uses or frees the block, i.e. under the owner's own lock.
 * @param order of both, in frames' powers of two.
 * @return 0: `to` is the owner's now, in place of `from`, which is the zone's to free: do not free it.
 *  -ENOENT: `from` is no block of the owner's of that order (any more). -EBUSY: it is, but stays: pinned,
 *  or its lock is held. Any other value refuses too. The zone then takes `to` back.
 * It is called without a lock of the zone, from lab_zone_compact() alone, in its caller's thread. It must not
 * allocate from the zone, free to it or wait for one who does, e.g. by taking a lock under which others
 * call into the zone and wait for this thread: try the lock and answer -EBUSY.
 */
typedef int (*lab_move_fn)(void *arg, void *from, void *to, unsigned int order);

/**
 * Register what moves this process's blocks (NULL: nothing). Like a reclaimer it serves the calls that
 * this process makes; blocks of other processes are moved by their own.
 * @return 0; -ENOSPC if 8 living processes are registered already, as reclaimers or as this.
 */
int lab_zone_set_move(struct lab_zone *zone, lab_move_fn fn, void *arg);

/**
 * One round of compaction: of 1 GiB of the zone, the next in turn, find the pageblock with the fewest
 * frames in use that can all be moved, and move them into the fullest pageblocks that have room, until it is
 * empty or the budget is used; the next round goes on with it. Frees nothing else and takes at most one
 * block at a time for itself, and none where that would leave less than half of the min mark.
 * Call it from a service thread, or between two steps of virtual time: the same calls on a zone in the
 * same state move the same blocks. Any thread and several at once; not from a signal handler, not from a
 * callback of the zone. A thread that stops within it hinders nobody; one that is killed there leaves
 * one block allocated.
 * @param order  what is wanted, 1 to 10. Whatever it is, whole pageblocks (order 9) are made; for 10 only
 *  ones beside a free one.
 * @param budget most pages to move, at least 1; one block more than that may be moved.
 * @return pages moved; 0: nothing is to be gained anywhere, every part was looked at since the last move;
 *  -EAGAIN: nothing in this part, but others were not looked at since; -ENOENT: this process has registered
 *  nothing that moves; -EINVAL: order or budget; -ENOTSUP: a zone of the `buddy` allocator, the model of a
 *  kernel that does not compact.
 */
int lab_zone_compact(struct lab_zone *zone, unsigned int order, unsigned int budget);

/* -------------------------------------------------------------- injection */

/** Fault injection in the manner of the kernel's fail_page_alloc. All zero: off. */
struct lab_inject {
	uint32_t probability_ppm; /**< chance of a refusal, in millionths */
	uint32_t interval;        /**< only every interval-th eligible request; 0 and 1: every */
	int64_t times;          /**< at most so many refusals; -1: no limit; 0 with ppm > 0: none */
	uint32_t space;         /**< a request of fewer pages than this passes and uses them up */
	unsigned int min_order; /**< requests of a lower order pass */
	bool atomic_only;       /**< requests that may reclaim pass (ignore-gfp-wait) */
	uint64_t seed;          /**< of the sequence; the same seed gives the same refusals */
};

/** Start injecting (a copy is taken). @return 0, -EINVAL (ppm over 1000000, order too large). */
int lab_zone_inject(struct lab_zone *zone, const struct lab_inject *inject);

/* --------------------------------------------------- what a zone tells */

/** Counters since creation or lab_zone_stats_reset(). Requests, unless the name says pages. */
struct lab_zone_stats {
	uint64_t alloc[LAB_NR_ORDERS];
	uint64_t free[LAB_NR_ORDERS];
	uint64_t refused[LAB_NR_CAUSES];
	uint64_t refused_order[LAB_NR_ORDERS];
	uint64_t refused_atomic; /**< of all refusals those of atomic requests */
	uint64_t
		refused_nowarn; /**< of all refusals those with __GFP_NOWARN: silent in a kernel's log */
	uint64_t
		refused_with_free; /**< refused while at least the block's number of frames was free */
	uint64_t bad_free;
	uint64_t bad_request; /**< EINVAL */
	uint64_t slowpath;    /**< requests that failed the LOW pass */
	uint64_t kswapd_wake, kcompactd_wake, boost;
	uint64_t direct_reclaim, reclaimed_pages;
	uint64_t pcp_hit, pcp_refill, pcp_drain_pages;
	uint64_t claim, steal; /**< fallback: whole pageblocks taken, single blocks taken */
	uint64_t highatomic_reserve, highatomic_unreserve; /**< pageblocks */
	uint64_t lost_pages; /**< at most so many were in the hands of processes that died */
	uint64_t contended;  /**< refused, though others may have moved the last free pages past the
	                                request each time it looked (labyrinth allocator) */
	/* lab_alloc_pages_flexible(): calls served with less than they wished for */
	uint64_t graceful_order[LAB_NR_ORDERS]; /**< one smaller block, by its order */
	uint64_t graceful_scattered;            /**< several blocks instead of one */
	uint64_t graceful_partial; /**< of those and the ones above: fewer frames than wished for,
	                                though SOME would have taken more */
	uint64_t graceful_missed;  /**< requests within such calls that missed; no refusals */
	uint64_t
		zero_inline; /**< __GFP_ZERO served by clearing on the spot, all of the block or some */
	uint64_t zero_inline_pages; /**< so cleared */
	uint64_t zero_hit;          /**< __GFP_ZERO served by pages that were zero already */
	uint64_t zeroed_pages;      /**< in the background */
	uint64_t background_rounds; /**< of lab_zone_background() that had something to do */
	uint64_t
		reserve_hit; /**< atomic requests served from the reserve, which else were refused */
	uint64_t reserve_refill; /**< blocks put into it */
	/** Compaction: blocks moved, their pages; moves that the owner refused after it had said that it
	 *  would; pageblocks made whole. */
	uint64_t compact_moves, compact_pages, compact_refused, compact_whole;
};

/** A copy of the counters. They are read without stopping the zone, each by itself. */
void lab_zone_stats_get(const struct lab_zone *zone, struct lab_zone_stats *out);
void lab_zone_stats_reset(struct lab_zone *zone);

/** Sizes and settings of a zone. Pages unless said otherwise. */
struct lab_zone_info {
	char name[16];
	int node;
	enum lab_zone_type type;
	enum lab_allocator allocator;
	enum lab_linux linux_version;
	void *base;
	unsigned long spanned, present, managed;
	unsigned long nr_free, nr_free_cma, nr_pcp;
	unsigned long nr_highatomic; /**< pages in highatomic pageblocks */
	unsigned long nr_free_highatomic;
	struct lab_watermarks wmark; /**< without the boost */
	unsigned long boost;
	unsigned long lowmem_reserve[LAB_NR_ZONE_TYPES];
	long min_free_kbytes; /**< in force */
	unsigned int watermark_scale_factor, watermark_boost_factor;
	unsigned int nr_cpus;
	unsigned int pcp_batch, pcp_high; /**< 0 when off */
	struct lab_inject inject;
	bool hugepages; /**< the zone mapped its own frames from hugetlbfs */
	bool keep_content;
	unsigned long zero_target;
	unsigned long nr_reserve; /**< pages in the reserve of blocks */
	unsigned long
		nr_zeroed; /**< pages known to be zero and not in use, those of per-CPU stacks apart */
};

void lab_zone_info_get(struct lab_zone *zone, struct lab_zone_info *out);

/** The lists of one CPU. Pages; all 0 while the lists are off. */
struct lab_pcp_info {
	int count; /**< held */
	int high;  /**< above it the lists are drained; 6.12 tunes it between the next two */
	int high_min, high_max;
	int batch;
};

/** @return 0, -EINVAL for a CPU that the zone has not. */
int lab_zone_pcp_info(struct lab_zone *zone, unsigned int cpu, struct lab_pcp_info *out);

/** A consistent copy of the free counts. */
void lab_zone_free_counts(struct lab_zone *zone, struct lab_free_counts *out);

/** What would happen to a request now, and why; allocates nothing, injects nothing, reclaims nothing. A
 *  request that is -EINVAL to this zone is LAB_CAUSE_ORDER: no block would ever do. */
enum lab_cause lab_zone_explain(
	struct lab_zone *zone, lab_gfp_t gfp, unsigned int order, struct lab_verdict *v);

/** A refusal as it was recorded. */
struct lab_refusal {
	uint64_t seq;     /**< 1 is the first since creation */
	uint64_t time_ns; /**< see lab_zone_set_time() */
	lab_gfp_t gfp;
	uint16_t order;
	uint16_t cpu;
	struct lab_verdict verdict;
};

/** The newest refusals, newest first. The zone keeps the last 64. @return entries filled. */
unsigned int lab_zone_refusals(struct lab_zone *zone, struct lab_refusal *out, unsigned int n);

/** Print a refusal as Linux's warn_alloc() does: the headline, Mem-Info, the zone's free blocks. As in
 *  a kernel's log nothing is printed for a request with __GFP_NOWARN; clear the flag in a copy of the
 *  refusal to see such ones too. The kernel's limit of one message in 10 s is left to the caller. With
 *  owner tags on, the owners that hold most follow, with the ages of their blocks. */
void lab_warn_alloc(
	struct lab_zone *zone, const struct lab_refusal *r, const char *comm, FILE *out);

/* The kernel's formats, byte for byte, so that people's own scripts read them. */
void lab_zone_buddyinfo(struct lab_zone *zone, FILE *out);
void lab_zone_pagetypeinfo(struct lab_zone *zone, FILE *out);
void lab_zone_zoneinfo(struct lab_zone *zone, FILE *out);

/* ------------------------------------------- walking, saving, restoring */

enum lab_block_state { LAB_BLOCK_FREE, LAB_BLOCK_PCP, LAB_BLOCK_ALLOCATED, LAB_BLOCK_OFFLINE };

/** A run of frames in one state. */
struct lab_block {
	unsigned long pfn; /**< frame number in the zone; 0 is its first */
	uint8_t order;
	uint8_t migratetype; /**< of the free list it is on (free), of the request (allocated) */
	uint8_t state;       /**< enum lab_block_state */
};

unsigned long lab_page_to_pfn(const struct lab_zone *zone, const void *page);
void *lab_pfn_to_page(const struct lab_zone *zone, unsigned long pfn);

/** Visit every block in order of address; the callback returns non-zero to stop. The zone is locked
 *  meanwhile: the callback must not call into it. @return the callback's last value. */
int lab_zone_walk(
	struct lab_zone *zone, int (*fn)(const struct lab_block *b, void *arg), void *arg);

/** Visit the free lists from the head of each, the order in which blocks will be handed out. */
int lab_zone_walk_free(
	struct lab_zone *zone, int (*fn)(const struct lab_block *b, void *arg), void *arg);

enum lab_migratetype lab_pageblock_migratetype(struct lab_zone *zone, unsigned long pfn);

/**
 * Check the whole structure: every managed frame in exactly one block, list links, counters equal to
 * what is on the lists, no mergeable buddies left apart, PCP counts, marks.
 * @param why out, may be NULL: what is wrong, at most len bytes.
 */
bool lab_zone_is_valid(struct lab_zone *zone, char *why, size_t len);

/* ----------------------------------------------------------- static zones */

/** Upper bounds that let a zone be laid out at compile time; checked against the real sizes. */
#define LAB_ZONE_HEADER_BYTES 81920UL
#define LAB_ZONE_CPU_BYTES    32768UL
#define LAB_FRAME_META_BYTES  16UL
#define LAB_ZONE_META_BYTES(nr_pages, nr_cpus)                                                     \
	(LAB_ZONE_HEADER_BYTES + (nr_cpus)*LAB_ZONE_CPU_BYTES +                                    \
		((unsigned long)(nr_pages) + LAB_PAGEBLOCK_PAGES) * LAB_FRAME_META_BYTES)

/**
 * Define `struct lab_zone *name`, a zone of nr_pages frames laid out at compile time and made before
 * main(): for code with no heap. Further arguments are designated initialisers of struct
 * lab_zone_config, e.g. `.min_free_kbytes = 64`. Use at file scope.
 * The room for the metadata is the same whatever the allocator, as the compiler has to know it: LAB_FRAME_META_BYTES
 * a frame, of which buddy uses 12 bytes and labyrinth less than one. What is not used is never touched.
 *
 *     LABYRINTH_DEFINE(grid, 1024, .min_free_kbytes = 64);
 *     void *page = lab_alloc_page_gfp_atomic(grid);
 */
#define LABYRINTH_DEFINE(zone_name, nr_frames, ...)                                                \
	static unsigned char zone_name##_frames[(unsigned long)(nr_frames)*LAB_PAGE_SIZE]          \
		__attribute__((aligned(1UL << 21)));                                               \
	static unsigned char zone_name##_meta[LAB_ZONE_META_BYTES(nr_frames, 1)]                   \
		__attribute__((aligned(64)));                                                      \
	_Static_assert(sizeof(#zone_name) <= 16, "a zone's name has at most 15 bytes");            \
	struct lab_zone *zone_name;                                                                \
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Woverride-init\"")       \
		__attribute__((constructor)) static void zone_name##_init(void)                    \
	{                                                                                          \
		/* That a setting given replaces the default is the point. */                      \
		_Pragma("GCC diagnostic push");                                                    \
		_Pragma("GCC diagnostic ignored \"-Woverride-init\"");                             \
		const struct lab_zone_config zone_name##_cfg = {.name = #zone_name,                \
			.type = LAB_ZONE_NORMAL,                                                   \
			.base = zone_name##_frames,                                                \
			.nr_pages = (nr_frames),                                                   \
			.meta = zone_name##_meta,                                                  \
			.meta_len = sizeof(zone_name##_meta),                                      \
			.nr_cpus = 1,                                                              \
			.min_free_kbytes = -1,                                                     \
			.watermark_scale_factor = 10,                                              \
			.watermark_boost_factor = 15000,                                           \
			##__VA_ARGS__};                                                            \
		_Pragma("GCC diagnostic pop");                                                     \
		lab_zone_define(&zone_name, &zone_name##_cfg);                                     \
	}                                                                                          \
	_Pragma("GCC diagnostic pop") extern struct lab_zone *zone_name

/** Used by LABYRINTH_DEFINE: makes the zone or, as before main() nobody can be told, stops the program
 *  with a message. */
void lab_zone_define(struct lab_zone **zone, const struct lab_zone_config *cfg);

#ifdef __cplusplus
}
#endif

#include "lab_mirror.h" /* what another allocator did, done again */
#include "lab_watch.h"  /* owner tags and guarded mode */

#endif /* LAB_PAGE_H */
