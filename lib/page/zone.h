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
#include "percpu.h"

#pragma GCC visibility push(hidden)

#define lab_likely(x)   __builtin_expect(!!(x), 1)
#define lab_unlikely(x) __builtin_expect(!!(x), 0)

/* Values that others read while their owner writes: the reader wants some value that was true a
 * moment ago, never an order between two of them. Writers hold the lock that guards the value. */
#define rd(p)     atomic_load_explicit((p), memory_order_relaxed)
#define wr(p, v)  atomic_store_explicit((p), (v), memory_order_relaxed)
#define inc(p, n) wr((p), rd(p) + (n))
#define dec(p, n) wr((p), rd(p) - (n))

/* ------------------------------------------------------------------ locks */

/** A lock that works between processes. Not robust: a process killed while it holds one leaves it
 *  held, as a CPU that dies inside the kernel would. */
struct lab_spin {
	_Atomic uint32_t held;
};

void lab_spin_wait(struct lab_spin *s);

static inline bool
lab_spin_trylock(struct lab_spin *s)
{
	return !rd(&s->held) && !atomic_exchange_explicit(&s->held, 1, memory_order_acquire);
}

static inline void
lab_spin_lock(struct lab_spin *s)
{
	if (lab_unlikely(!lab_spin_trylock(s)))
		lab_spin_wait(s);
}

static inline void
lab_spin_unlock(struct lab_spin *s)
{
	atomic_store_explicit(&s->held, 0, memory_order_release);
}

/** Validate the whole zone, in builds that do: not on the labyrinth allocator, which others go on using
 *  meanwhile since it has no lock to keep them out. */
#define lab_assert_zone(z)                                                                         \
	lab_assert_expensive((z)->store != NULL || lab_zone_is_valid((z), NULL, 0))

/* ----------------------------------------------------------------- frames */

#define LAB_NO_PFN UINT32_MAX

/** A frame is the head of a block, or inside of one (0, so that fresh memory needs no writing). */
enum lab_frame_state {
	LAB_FRAME_INSIDE,
	LAB_FRAME_FREE,
	LAB_FRAME_PCP,
	LAB_FRAME_ALLOCATED,
	LAB_FRAME_OFFLINE,
};

#define LAB_FRAME_COMP 1U

/** One per frame. The links belong to whoever holds the lock of the list the block is on. */
struct lab_frame {
	uint32_t next, prev;
	_Atomic uint32_t word; /**< state, order, migratetype, flags: a byte each */
};

static inline uint32_t
lab_word(enum lab_frame_state state, unsigned int order, unsigned int mt, unsigned int flags)
{
	return (uint32_t)state | order << 8 | mt << 16 | flags << 24;
}

#define lab_word_state(w) ((w)&0xff)
#define lab_word_order(w) ((w) >> 8 & 0xff)
#define lab_word_mt(w)    ((w) >> 16 & 0xff)
#define lab_word_flags(w) ((w) >> 24)
#define lab_word_key(w)   ((w)&0xffff) /* state and order together */

/** Blocks linked by frame number; both ends are LAB_NO_PFN when it is empty. */
struct lab_list {
	uint32_t head, tail;
	_Atomic uint32_t count; /**< blocks */
};

static inline void
lab_list_init(struct lab_list *l)
{
	l->head = l->tail = LAB_NO_PFN;
	wr(&l->count, 0);
}

static inline void
lab_list_add_head(struct lab_frame *f, struct lab_list *l, uint32_t pfn)
{
	f[pfn].prev = LAB_NO_PFN;
	f[pfn].next = l->head;
	if (l->head == LAB_NO_PFN)
		l->tail = pfn;
	else
		f[l->head].prev = pfn;
	l->head = pfn;
	inc(&l->count, 1);
}

static inline void
lab_list_add_tail(struct lab_frame *f, struct lab_list *l, uint32_t pfn)
{
	f[pfn].next = LAB_NO_PFN;
	f[pfn].prev = l->tail;
	if (l->tail == LAB_NO_PFN)
		l->head = pfn;
	else
		f[l->tail].next = pfn;
	l->tail = pfn;
	inc(&l->count, 1);
}

static inline void
lab_list_del(struct lab_frame *f, struct lab_list *l, uint32_t pfn)
{
	uint32_t next = f[pfn].next, prev = f[pfn].prev;

	if (prev == LAB_NO_PFN)
		l->head = next;
	else
		f[prev].next = next;
	if (next == LAB_NO_PFN)
		l->tail = prev;
	else
		f[next].prev = prev;
	dec(&l->count, 1);
}

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

#define LAB_ZONE_MAGIC       0x6c61627a6f6e6531ULL /* "labzone1" */
#define LAB_NR_REFUSALS      64
#define LAB_NR_RECLAIMERS    8
#define LAB_RECLAIM_RETRIES  16
#define LAB_NR_WMARKS        4
#define LAB_MAX_SCALE_FACTOR 3000

/** A process's reclaimer: the pointers mean something in that process only. */
struct lab_reclaimer {
	pid_t pid;
	lab_reclaim_fn fn;
	void *arg;
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
	_Atomic uint64_t zero_inline;
};

#define lab_event(z, name) atomic_fetch_add_explicit(&(z)->ev.name, 1, memory_order_relaxed)
#define lab_event_add(z, name, n)                                                                  \
	atomic_fetch_add_explicit(&(z)->ev.name, (n), memory_order_relaxed)

/** Who passes the gate without being asked, while the free pages last. */
#define LAB_OPEN_ATOMIC 1U
#define LAB_OPEN_ALL    2U

/** Stacks of a CPU: Unmovable, Movable, Reclaimable. */
#define LAB_NR_STACKS LAB_MIGRATE_PCPTYPES

struct lab_zone {
	/* Set at creation, but for the marks; read by every request. */
	uint64_t magic;
	unsigned char *base;
	struct lab_frame *frames;
	_Atomic uint8_t *pageblock_mt;
	struct lab_pcp *pcp;
	uint32_t spanned; /**< frames */
	uint32_t nr_cpus;
	enum lab_zone_type type;
	enum lab_allocator allocator;
	enum lab_linux linux_version;
	_Atomic bool pcp_on, injecting;
	_Atomic bool below_high; /**< 6.12: the high mark was missed since the lists were full */
	_Atomic bool reclaim_active; /**< kswapd is at work: short PCP lists */
	_Atomic bool boosted;        /**< wake kswapd for the boost alone */
	_Atomic bool kswapd_wanted;
	_Atomic unsigned long wmark[LAB_NR_WMARKS];
	_Atomic unsigned long boost;
	_Atomic unsigned long lowmem_reserve[LAB_NR_ZONE_TYPES];

	/* The labyrinth allocator's; not used by the buddy's. */
	_Atomic uint8_t open; /**< LAB_OPEN_*: requests of order 0 that would pass the gate */
	_Atomic unsigned long open_above[2]; /**< the free pages that it takes, by bit */
	uint32_t stack_owner;                /**< the process that has stacks; 0: none */
	struct frames *store;
	uint8_t *orders;
	struct percpu stacks[LAB_NR_STACKS];
	_Atomic uint64_t refilled, flushed, stolen; /**< pages that stacks got and gave unasked */

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
	_Atomic uint64_t now_ns;
	_Atomic uint32_t next_cpu; /**< of the next thread that named none */
	bool own_frames, own_meta, hugepages;
	size_t frames_len, meta_len;

	struct lab_events ev;

	/* Injection, refusals, reclaimers: guarded by the ring's lock. */
	struct lab_spin ring_lock;
	struct lab_inject inject;
	uint64_t inject_count;
	struct lab_rng inject_rng;
	uint64_t refusal_seq;
	struct lab_refusal refusals[LAB_NR_REFUSALS];
	struct lab_reclaimer reclaimers[LAB_NR_RECLAIMERS];
};

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

/* ------------------------------------------------------- frame allocators */

/** Beside Linux's ALLOC_*: this refill has had to steal, so it claims nothing. [RMQUEUE_STEAL] */
#define LAB_ALLOC_STEAL 0x1000U

/** Beside Linux's ALLOC_*: this refill has had to steal, so it claims nothing. [RMQUEUE_STEAL] */
#define LAB_ALLOC_STEAL 0x1000U

struct lab_request;

/**
 * A frame allocator: who hands out blocks once the gate has let a request in, with its caches and
 * its locks if it has any. Chosen by the index in the zone, for a pointer would mean nothing to the
 * other processes that map it.
 */
struct lab_frame_ops {
	/** Bytes of metadata beside the zone and its per-CPU part; set their places in `z` if not NULL. */
	size_t (*layout)(struct lab_zone *z, unsigned char *meta, unsigned int nr_cpus,
		unsigned long nr_pages);
	/** Take a block for a request and count it; LAB_NO_PFN if there is none. */
	uint32_t (*take)(struct lab_zone *z, const struct lab_request *rq,
		unsigned int alloc_flags);
	/** Take up to n single frames for a request that passed the gate. @return how many. */
	unsigned int (*bulk)(struct lab_zone *z, const struct lab_request *rq,
		unsigned int alloc_flags, unsigned int n, void **pages);
	/** Give back what may be an allocated block; aligned and inside of the zone. @return 0,
	 *  -EINVAL, -EALREADY. */
	int (*give)(struct lab_zone *z, uint32_t pfn, unsigned int order);
	/** [split_page] @return 0, -EINVAL. */
	int (*split)(struct lab_zone *z, uint32_t pfn, unsigned int order);
	/** Give the caches' pages back. @return pages. */
	unsigned long (*drain)(struct lab_zone *z);
	/** Would take() find a block? Needs no lock. */
	bool (*can_take)(const struct lab_zone *z, unsigned int order, unsigned int mt,
		unsigned int alloc_flags);
	/** Hand frames over for the first time, in rising order. The zone's lock is held. */
	void (*online)(struct lab_zone *z, uint32_t start, uint32_t end);
	bool (*is_offline)(const struct lab_zone *z, uint32_t pfn);
	/** Mark all frames as offline: at creation. */
	void (*set_offline)(struct lab_zone *z);
	/** Fill in of the free blocks at least what the gate asks: whether there are some of an order,
	 *  for whom. In bounded time. */
	void (*gate_blocks)(const struct lab_zone *z, struct lab_free_counts *out);
	/** Fill in all free blocks by order and type. */
	void (*count)(const struct lab_zone *z, struct lab_free_counts *out);
	/** The block at pfn, which starts one. Everything is locked that can be. */
	struct lab_block (*block_at)(const struct lab_zone *z, uint32_t pfn);
	/** Visit the free blocks in the order in which they will be handed out. Locked likewise. */
	int (*walk_free)(struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg),
		void *arg);
	/** Forget all blocks: no frame is free, none is allocated. Locked likewise. */
	void (*reset)(struct lab_zone *z);
	/** Put a block into a zone that was reset: free, at the end of the order of handing out, or
	 *  allocated. Locked likewise. */
	void (*place)(struct lab_zone *z, const struct lab_block *b);
	/** Check the whole; false with `why` filled. Locked likewise. */
	bool (*is_valid)(struct lab_zone *z, char *why, size_t len);
	/** Add what the allocator counts in its own way; may be NULL. */
	void (*stats)(const struct lab_zone *z, struct lab_zone_stats *out);
};

extern const struct lab_frame_ops lab_buddy_ops;
extern const struct lab_frame_ops lab_labyrinth_ops;

const struct lab_frame_ops *lab_frame_ops(const struct lab_zone *z);

/* valid.c */
bool lab_buddy_is_valid(struct lab_zone *z, char *why, size_t len);

/* buddy.c: free lists. The zone's lock is held for every call but can_take(). */
/** Take a block, LAB_NO_PFN if there is none. Its head's word is the caller's. [rmqueue_buddy] */
uint32_t lab_buddy_take(
	struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags);
/** Give a block back; its head's word is anything but free. */
void lab_buddy_give(struct lab_zone *z, uint32_t pfn, unsigned int order, bool to_tail);
bool lab_buddy_can_take(const struct lab_zone *z, unsigned int order, unsigned int mt,
	unsigned int alloc_flags);
int lab_buddy_walk_free(
	struct lab_zone *z, int (*fn)(const struct lab_block *b, void *arg), void *arg);
void lab_buddy_reset(struct lab_zone *z);
/** Put a free block at the end of the order of handing out, without merging. */
void lab_buddy_place(struct lab_zone *z, uint32_t pfn, unsigned int order);
void lab_buddy_account(struct lab_zone *z, unsigned int mt, long pages);
/** Take a block off its list, uncounted. Its head's word stays for the caller to set. */
void lab_buddy_del(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt);
uint32_t lab_buddy_smallest(struct lab_zone *z, unsigned int order, unsigned int mt);
void lab_buddy_expand(
	struct lab_zone *z, uint32_t pfn, unsigned int low, unsigned int high, unsigned int mt);
/** Move the free blocks of a whole pageblock to another type and change the pageblock's. */
void lab_buddy_move_pageblock(struct lab_zone *z, uint32_t pfn, unsigned int from, unsigned int to);
/** Change the type of every pageblock that a block of pageblock_order or more covers. */
void lab_buddy_retype(struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int mt);
/** Change the type of a free block of pageblock_order or more, and of its pageblocks. */
void lab_buddy_convert(
	struct lab_zone *z, uint32_t pfn, unsigned int order, unsigned int from, unsigned int to);
/** False for a pageblock that the zone's end cuts: such a one is never converted. */
bool lab_pageblock_is_whole(const struct lab_zone *z, uint32_t pfn);

/* fallback.c */
uint32_t lab_fallback_take(
	struct lab_zone *z, unsigned int order, unsigned int mt, unsigned int alloc_flags);

/* highatomic.c */
void lab_highatomic_reserve(struct lab_zone *z, uint32_t pfn, unsigned int order);
/** Convert the pageblocks of one block with free pages to `mt`. @return pageblocks. */
unsigned int lab_highatomic_unreserve_one(struct lab_zone *z, bool force, unsigned int mt);

/* pcp.c */
void lab_pcp_setup(struct lab_zone *z);
unsigned int lab_pcp_list_order(unsigned int index);
void lab_pcp_init(struct lab_zone *z);
unsigned int lab_cpu_new(struct lab_zone *z);
uint32_t lab_pcp_take(struct lab_zone *z, struct lab_pcp *p, unsigned int order, unsigned int mt,
	unsigned int alloc_flags);
bool lab_pcp_has(struct lab_zone *z, unsigned int order, unsigned int mt);
void lab_pcp_put(
	struct lab_zone *z, struct lab_pcp *p, uint32_t pfn, unsigned int order, unsigned int mt);
unsigned long lab_pcp_pages(const struct lab_zone *z);
/** Give back what the lists hold. @return pages. */
unsigned long lab_pcp_drain_all(struct lab_zone *z);

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

static inline bool
lab_pcp_order(unsigned int order)
{
	return order <= LAB_PCP_COSTLY_ORDER || order == LAB_PAGEBLOCK_ORDER;
}

/* gate.c */

/** A request, taken apart once. */
struct lab_request {
	lab_gfp_t gfp;
	unsigned int order;
	unsigned int mt;      /**< asked for */
	unsigned int highest; /**< zone type: index into lowmem_reserve[] */
};

static inline unsigned int
lab_request_comp(const struct lab_request *rq)
{
	return rq->gfp & __LAB_GFP_COMP ? LAB_FRAME_COMP : 0;
}

static inline unsigned long
lab_mark(const struct lab_zone *z, unsigned int alloc_flags)
{
	return rd(&z->wmark[alloc_flags & LAB_ALLOC_WMARK_MASK]) + rd(&z->boost);
}

/** Flags that contradict each other, e.g. of two zones. */
static inline bool
lab_gfp_is_contradictory(lab_gfp_t gfp)
{
	const lab_gfp_t zones = gfp & (__LAB_GFP_DMA | __LAB_GFP_DMA32 | __LAB_GFP_HIGHMEM);
	const lab_gfp_t types = __LAB_GFP_MOVABLE | __LAB_GFP_RECLAIMABLE;

	return (zones & (zones - 1)) != 0 || (gfp & types) == types ||
	       ((gfp & __LAB_GFP_NOFAIL) && !(gfp & __LAB_GFP_DIRECT_RECLAIM));
}

/** lab_gfp_migratetype() and lab_gfp_zone() for the path that every request takes. */
static inline void
lab_request_split(struct lab_request *rq, lab_gfp_t gfp)
{
	const lab_gfp_t low = __LAB_GFP_DMA | __LAB_GFP_DMA32;
	const lab_gfp_t movable = __LAB_GFP_HIGHMEM | __LAB_GFP_MOVABLE;

	rq->mt = gfp & __LAB_GFP_MOVABLE       ? LAB_MIGRATE_MOVABLE
		 : gfp & __LAB_GFP_RECLAIMABLE ? LAB_MIGRATE_RECLAIMABLE
					       : LAB_MIGRATE_UNMOVABLE;
	rq->highest = (gfp & movable) == movable ? LAB_ZONE_MOVABLE : LAB_ZONE_NORMAL;
	if (lab_unlikely(gfp & low))
		rq->highest = gfp & __LAB_GFP_DMA ? LAB_ZONE_DMA : LAB_ZONE_DMA32;
	lab_assert(rq->mt == lab_gfp_migratetype(gfp) && rq->highest == lab_gfp_zone(gfp));
}

/** False for requests that contradict themselves or that no zone of this type may serve. */
static inline bool
lab_request_init(
	const struct lab_zone *z, struct lab_request *rq, lab_gfp_t gfp, unsigned int order)
{
	if (lab_unlikely(order > LAB_MAX_ORDER || lab_gfp_is_contradictory(gfp)))
		return false;
	rq->gfp = gfp;
	rq->order = order;
	lab_request_split(rq, gfp);
	return rq->highest >= z->type;
}

/** Copy the counts; consistent if the zone's lock is held. */
void lab_gate_counts(const struct lab_zone *z, struct lab_free_counts *out);
/** The whole check, with its reasons, on consistent counts. Not to be called with the zone's lock.
 *  [zone_watermark_fast] */
enum lab_cause lab_gate_check(struct lab_zone *z, const struct lab_request *rq, unsigned long mark,
	unsigned int alloc_flags, struct lab_verdict *v);
/** The gate opened but no block was found: say why. */
void lab_gate_no_block(struct lab_zone *z, const struct lab_request *rq, struct lab_verdict *v);

static inline uint8_t
lab_open(const struct lab_zone *z, unsigned long nr_free)
{
	return (nr_free > rd(&z->open_above[0]) ? LAB_OPEN_ATOMIC : 0) |
	       (nr_free > rd(&z->open_above[1]) ? LAB_OPEN_ALL : 0);
}

/** Bit o: a block of order o is free for a request with these flags, highatomic apart. */
static inline uint32_t
lab_usable_orders(const struct lab_zone *z, unsigned int alloc_flags)
{
	uint32_t orders = rd(&z->nonempty[LAB_MIGRATE_UNMOVABLE]) |
			  rd(&z->nonempty[LAB_MIGRATE_MOVABLE]) |
			  rd(&z->nonempty[LAB_MIGRATE_RECLAIMABLE]);

	if (alloc_flags & LAB_ALLOC_CMA)
		orders |= rd(&z->nonempty[LAB_MIGRATE_CMA]);
	return orders;
}

/**
 * The check without its reasons and without the fractions of the mark: true only if the gate is
 * open, and exact for flags without LAB_ALLOC_RESERVES.
 */
static inline bool
lab_gate_open(struct lab_zone *z, const struct lab_request *rq, unsigned long mark,
	unsigned int alloc_flags)
{
	unsigned long need = mark + rd(&z->lowmem_reserve[rq->highest]) + (1UL << rq->order) - 1;

	if (!(alloc_flags & LAB_ALLOC_RESERVES))
		need += z->linux_version == LAB_LINUX_6_1 ? rd(&z->nr_reserved_highatomic)
							  : rd(&z->nr_free_highatomic);
	if (!(alloc_flags & LAB_ALLOC_CMA))
		need += rd(&z->nr_free_cma);
	if (rd(&z->nr_free) <= need)
		return false;
	if (rq->order == 0)
		return true;
	if (z->store != NULL)
		return frames_largest(z->store) > rq->order;
	return lab_usable_orders(z, alloc_flags) >> rq->order;
}

/* process.c */
extern uint32_t lab_process;

/** A number that no other living process has, never 0. */
static inline uint32_t
lab_process_id(void)
{
	return lab_process;
}

/* alloc.c */
void *lab_alloc_finish(struct lab_zone *z, uint32_t pfn, unsigned int order, lab_gfp_t gfp);
void *lab_refuse_injected(struct lab_zone *z, const struct lab_request *rq);
unsigned int lab_first_pass_flags(const struct lab_zone *z, const struct lab_request *rq);

/* inject.c */
bool lab_inject_hit(struct lab_zone *z, lab_gfp_t gfp, unsigned int order);

/* refusal.c */
void lab_refuse(struct lab_zone *z, const struct lab_request *rq, const struct lab_verdict *v);

/* reclaim.c */
void lab_kswapd_wake(struct lab_zone *z, lab_gfp_t gfp, unsigned int highest);
/** Call this process's reclaimer. @return pages it says it freed, 0 if there is none. */
unsigned long lab_reclaim(struct lab_zone *z, unsigned long nr_pages, unsigned int order);
bool lab_in_reclaim(void);

#pragma GCC visibility pop

#endif /* LAB_ZONE_INTERNAL_H */
