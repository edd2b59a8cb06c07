/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAG_H
#define LAB_FRAG_H

/**
 * @file lab_frag.h
 * Ageing of a zone: tenants that share it with the packet buffers and hold pages in it, seeded
 * models that bring it to a stated target, background churn, measures, and save/restore.
 *
 * A fresh zone flatters: its free memory is one run. An aged zone has the same number of free
 * frames in pieces. Fleet data (Contiguitas, ISCA'23) ties the state to what ran, not to uptime, so
 * a model is a sequence of operations, seeded; studies that state only a recipe miss their targets
 * (Mansi and Swift, arXiv 2401.03523), so ageing here states target, achieved and error.
 *
 * All allocations go through lab_alloc_pages() and meet the zone's gate like anybody else's.
 * Tenants write nothing into their pages (the zone may be a mempool's, whose objects are
 * initialised once) unless lab_age_config.touch asks for it.
 *
 * Contexts. A struct lab_tenants may be used by several threads of one process: a lock in it
 * serialises them. lab_tenants_step() and lab_tenants_reclaim() never wait for that lock, they do
 * nothing while another call holds it. No function may be called from a signal handler, from a
 * callback of lab_zone_walk(), or from a progress callback. Memory is allocated by
 * lab_tenants_create(), lab_age(), lab_age_save(), lab_age_load(), the two measures, and nowhere
 * else.
 *
 * Errors are negative errno. Sizes are frames of LAB_PAGE_SIZE unless a name says otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lab_page.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------- tenants */

struct lab_tenants; /**< opaque: who holds which blocks of one zone */

/**
 * Make the tenants of a zone; they hold nothing yet.
 * @param t          out; untouched on error.
 * @param zone       must outlive the tenants.
 * @param max_blocks most blocks ever held, memory for them is set aside now (48 bytes a block
 *                   and 4 a frame of the span); 0: one a spanned frame, which never runs out.
 * @return 0, -EINVAL (no zone, or one of 2^30 frames and more), -ENOMEM.
 */
int lab_tenants_create(struct lab_tenants **t, struct lab_zone *zone, unsigned long max_blocks);

/** Give everything back and release the tenants. NULL is fine. Unregister lab_tenants_reclaim()
 *  from the zone first. */
void lab_tenants_destroy(struct lab_tenants *t);

/** The zone that the tenants live in. */
struct lab_zone *lab_tenants_zone(const struct lab_tenants *t);

/** What the tenants hold and did. Pages are frames; counters run since creation. */
struct lab_tenants_info {
	unsigned long blocks;                         /**< held */
	unsigned long max_blocks;                     /**< that can be held */
	unsigned long pages;                          /**< held in all */
	unsigned long pages_mt[LAB_MIGRATE_PCPTYPES]; /**< by migratetype of the request */
	unsigned long blocks_order[LAB_NR_ORDERS];    /**< held, by order */
	/** Freed by churn (or reclaimed, with regrow) and not yet got back. */
	unsigned long owed_pages;
	uint64_t allocs;          /**< blocks; those of lab_age_load() and splits count too */
	uint64_t frees;           /**< blocks, likewise */
	uint64_t refused;         /**< requests of tenants that the zone refused */
	uint64_t reclaimed_pages; /**< given back by lab_tenants_reclaim() */
	uint64_t churned;         /**< blocks replaced by lab_tenants_step() */
	/** Replacements that were due but over the bound of a call, dropped. */
	uint64_t churn_late;
	uint64_t moved; /**< blocks, by lab_tenants_move() */
};

/** A consistent copy. It waits for an ageing that runs elsewhere. */
void lab_tenants_info_get(struct lab_tenants *t, struct lab_tenants_info *out);

/**
 * Give back a random subset of what the tenants hold, block by block, at least nr_pages frames.
 * @param t        the tenants.
 * @param nr_pages frames; ULONG_MAX: everything.
 * @param seed     of the choice; not used for everything.
 * @return frames given back; less than asked for only when nothing is held any more.
 */
unsigned long lab_tenants_release(struct lab_tenants *t, unsigned long nr_pages, uint64_t seed);

/**
 * A lab_reclaim_fn, for lab_zone_set_reclaim(zone, lab_tenants_reclaim, t): gives back reclaimable
 * blocks, then movable ones, random ones of each, never unmovable ones.
 * Linux reclaims movable page cache and reclaimable slabs; it cannot reclaim the rest.
 * @param arg struct lab_tenants *.  @param nr_pages frames wanted.  @param order not used.
 * @return frames given back; 0 if the tenants are busy.
 */
unsigned long lab_tenants_reclaim(void *arg, unsigned long nr_pages, unsigned int order);

/* -------------------------------------------------------------- compaction */

/**
 * A lab_move_fn, for lab_zone_set_move(zone, lab_tenants_move, t): movable blocks of the tenants can be
 * moved, others stay (-EBUSY), as do all while another thread uses the tenants. Contents are copied if
 * some held page was touched (lab_age_config.touch), else there are none.
 * @param arg struct lab_tenants *.
 * @param from block to be moved.
 * @param to free block of the same order, allocated for it.
 * @param order of both.
 * @return as lab_move_fn.
 */
int lab_tenants_move(void *arg, void *from, void *to, unsigned int order);

/** Compaction between the tenants' own operations. */
struct lab_compaction {
	unsigned int budget; /**< most pages a round; 0: off */
	unsigned int every;  /**< blocks that the tenants allocate or free between two rounds */
};

/**
 * Switch compaction on or off (the default), which registers lab_tenants_move() with the zone or takes
 * it away. Rounds then run in lab_age(), unless it has a target of the unusable free index, and in
 * lab_tenants_step(). They depend on the operations alone: a seed still gives the same zone.
 * @return 0; -EINVAL (every 0, a number over 2^20); -ENOTSUP: the zone's allocator does not compact (buddy);
 *  -ENOSPC, see lab_zone_set_move().
 */
int lab_tenants_set_compaction(struct lab_tenants *t, const struct lab_compaction *cfg);

/**
 * Compact now, until nothing is to be gained any more.
 * @param t the tenants.
 * @param nr_pages most pages to move.
 * @return pages moved; as lab_zone_compact(): -ENOENT while compaction is off, -ENOTSUP. It waits for an
 *  ageing that runs elsewhere.
 */
long lab_tenants_compact(struct lab_tenants *t, unsigned long nr_pages);

/** Background churn: blocks die and are born while traffic runs. */
struct lab_churn_config {
	double rate;   /**< blocks replaced a second of the caller's clock; 0: off */
	uint64_t seed; /**< of the victims */
	/** Most blocks replaced a call; 0: 64. What is due beyond is dropped. */
	unsigned int burst;
	/** Also get back what lab_tenants_reclaim() took, as a page cache does. */
	bool regrow;
};

/** Set the churn; the clock starts at the next step. @return 0, -EINVAL (rate negative, not finite
 *  or over 1e9; burst over 65536). */
int lab_tenants_set_churn(struct lab_tenants *t, const struct lab_churn_config *cfg);

/**
 * A step of background churn: replace the blocks that are due since the last step. A random block
 * is freed and one of its order and migratetype allocated anew; if that is refused, it is owed and
 * tried again at later steps. At most 2 * burst allocations and burst frees a call.
 * @param t the tenants.
 * @param now_ns virtual or real time, the caller's; a time before the last step's counts as that.
 * @return blocks replaced; 0 also while another thread uses the tenants; never an error.
 */
unsigned int lab_tenants_step(struct lab_tenants *t, uint64_t now_ns);

/* ------------------------------------------------------------------ ageing */

/** How a zone is aged. Names for lab_age_parse() are the lower-case ends. */
enum lab_age_model {
	/** Fill; shuffle; free at random down to the occupancy; then re-allocate a share (10%) at
	 *  random a round. [LLFree, USENIX ATC'23, its fragmentation benchmark: occupancy 0.5] */
	LAB_AGE_CHURN,
	/** Fill with movable memory; replace single pages of it, scattered over the pageblocks, by
	 *  unmovable ones; free movable memory down to the occupancy. [Contiguitas, ISCA'23:
	 *  unmovable pages scattered over the address space are the cause] */
	LAB_AGE_SCATTER,
	/** Blocks of seeded sizes and lifetimes at a fixed fullness, replaced over rounds: most die
	 *  young, few live long. [Geriatrix, USENIX ATC'18: size and age distributions at fixed
	 *  fullness] */
	LAB_AGE_LIFETIMES,
	/** Allocate blocks of the order, keep the first page of each and free the rest; what the
	 *  occupancy asks for beyond fills the holes. [phymem_fragmenter] */
	LAB_AGE_ADVERSARY,
	LAB_NR_AGE_MODELS,
};

/** "churn", "scatter", "lifetimes", "adversary"; NULL if out of range. */
const char *lab_age_model_name(enum lab_age_model model);

/** One line for a help text; NULL if out of range. */
const char *lab_age_model_help(enum lab_age_model model);

/** No target of the unusable free index. */
#define LAB_AGE_NO_UNUSABLE (-1)

/** What to do. Start from lab_age_config_default(). Shares and weights are relative. */
struct lab_age_config {
	enum lab_age_model model; /**< whose tenants come and go */
	uint64_t seed; /**< of everything random; the same one gives the same placement */
	/** Target: share of the managed frames that is not free, whoever holds them, 0 to 1. */
	double occupancy;
	double occupancy_tolerance; /**< absolute; one frame beside the target is always met */
	/** Target: lab_unusable_free_index() of `order`, 0 to 1000; LAB_AGE_NO_UNUSABLE. */
	int unusable;
	int unusable_tolerance; /**< absolute, of 1000 */
	unsigned int order;     /**< the order of that index, and of the adversary's blocks */
	unsigned int rounds;    /**< of the model; all are run, then the targets are looked at */
	double round_share;     /**< share of the held blocks replaced a round, 0 to 1 (churn) */
	/** Shares of the tenants' blocks, 0 to 1; the rest is movable. For scatter `unmovable` is the
	 *  share of the frames held at the end, and `reclaimable` is not used. */
	double unmovable;
	double reclaimable;                 /**< see unmovable */
	double order_weight[LAB_NR_ORDERS]; /**< sizes: relative number of blocks of each order */
	double short_life; /**< mean lifetime of most blocks, in rounds (lifetimes) */
	double long_life;  /**< of the rest, in rounds (lifetimes) */
	double long_share; /**< share of the blocks with the long one, 0 to 1 (lifetimes) */
	/** Where the model alone ends beside the unusable target, move blocks one by one towards it;
	 *  the result counts these. */
	bool steer;
	/** Write into the first bytes of every page that is allocated; never for a mempool's zone. */
	bool touch;
};

/** The defaults of a model: those of its source where it states them; docs/ageing.md lists them. */
struct lab_age_config lab_age_config_default(enum lab_age_model model);

/**
 * Read a specification: a model and key=value items joined by commas, e.g.
 * "churn,occupancy=0.9,unusable=600@2,seed=1". Keys: model, seed, occupancy, unusable (INDEX\@ORDER
 * or "off"), order, rounds, round_share, unmovable, reclaimable, orders (ORDER:WEIGHT joined by
 * '/'), short_life, long_life, long_share, tolerance (occupancy), unusable_tolerance, steer, touch
 * (on|off). The model comes first (with or without "model="); keys not given have its defaults.
 * @param text the specification, terminated.
 * @param cfg out; untouched on error.
 * @param err out, may be NULL: what is wrong, naming the item; at most errlen bytes, terminated.
 * @param errlen bytes at err.
 * @return 0, -EINVAL (also what lab_age_check() refuses).
 */
int lab_age_parse(const char *text, struct lab_age_config *cfg, char *err, size_t errlen);

/** Write a specification that lab_age_parse() reads back alike.  @return the length needed, as
 * snprintf. */
int lab_age_format(const struct lab_age_config *cfg, char *buf, size_t len);

/** Check a configuration by itself, without a zone. @return 0, -EINVAL with the reason in err. */
int lab_age_check(const struct lab_age_config *cfg, char *err, size_t errlen);

/** Why a target was not reached. */
enum lab_age_reason {
	LAB_AGE_REACHED,    /**< it was */
	LAB_AGE_IMPOSSIBLE, /**< no placement of blocks can have it; nothing was changed */
	LAB_AGE_OTHERS,  /**< what others than the tenants hold rules it out; nothing was changed */
	LAB_AGE_REFUSED, /**< the zone refused the tenants (see lab_age_result.cause) */
	LAB_AGE_NO_SLOT, /**< max_blocks of the tenants is too small */
	LAB_AGE_NOT_CONVERGED, /**< rounds and moves ended beside the target */
	LAB_AGE_TOO_COARSE, /**< one block of the order is more than the tolerance: as near as can be */
	LAB_AGE_CANCELLED, /**< the progress callback said so */
	LAB_NR_AGE_REASONS,
};

/** "reached", "impossible", "others", "refused", "no_slot", "not_converged", "too_coarse",
 *  "cancelled". */
const char *lab_age_reason_name(enum lab_age_reason reason);

/** Target against achieved. */
struct lab_age_result {
	enum lab_age_reason reason; /**< LAB_AGE_REACHED, or why not */
	enum lab_cause cause;       /**< the last refusal's, if any request was refused */
	double occupancy_target;    /**< share of the managed frames, 0 to 1 */
	double occupancy;           /**< achieved */
	double occupancy_error;     /**< achieved - target */
	int unusable_target;        /**< LAB_AGE_NO_UNUSABLE if none was set */
	int unusable;               /**< achieved, at `order` */
	int unusable_error;         /**< achieved - target; 0 without a target */
	unsigned int order;         /**< of the index */
	unsigned int rounds;        /**< run */
	unsigned long steered;      /**< moves made after the model to meet the unusable target */
	unsigned long allocs;       /**< blocks allocated */
	unsigned long frees;        /**< blocks freed */
	unsigned long refused;      /**< requests; a fill ends with one, so a few are normal */
	unsigned long held_blocks;  /**< by tenants, at the end */
	unsigned long held_pages;   /**< in those blocks */
	unsigned long managed;      /**< frames of the zone, at the end */
	unsigned long free;         /**< of them */
	char text[160];             /**< one sentence for people: what was reached or why not */
};

/** Told now and then how far ageing is.
 *  @param arg as given to lab_age().
 *  @param done of total, in steps of no particular unit.  @param total what done ends at.
 *  @return non-zero to cancel. The tenants are locked: do not call into them. */
typedef int (*lab_age_progress_fn)(void *arg, unsigned long done, unsigned long total);

/**
 * Age the zone. What the tenants held before is given back first, so that the state that is reached
 * depends on the zone's state and the seed alone: a zone in the same state, the same configuration,
 * the same result, page by page. The per-CPU lists are drained and off meanwhile. While a model
 * fills the zone, other users of it are refused memory as in any full zone: age before traffic, or
 * expect it in the traffic's ledger.
 * @param t the tenants.  @param cfg what to do.
 * @param out may be NULL; filled on every return but -EINVAL, -ENOMEM and -EBUSY (zeroed then).
 * @param progress may be NULL.  @param arg given to it.
 * @return 0: every target met within its tolerance;
 *  -EINVAL: bad configuration; -ENOMEM; -EBUSY: another thread uses the tenants;
 *  -ERANGE: the target contradicts itself or what others hold, nothing was changed;
 *  -ENOSPC: not met; the zone is left as the search ended and out->reason says why;
 *  -ECANCELED: cancelled, what was allocated until then stays held.
 * The zone is valid after each of them, and lab_tenants_release() undoes the holding.
 */
int lab_age(struct lab_tenants *t, const struct lab_age_config *cfg, struct lab_age_result *out,
	lab_age_progress_fn progress, void *arg);

/* ---------------------------------------------------------------- measures */

/** The two indices of an order. */
struct lab_frag_row {
	unsigned int order;        /**< 0 to LAB_MAX_ORDER */
	unsigned long free_blocks; /**< free blocks of exactly this order */
	/** Blocks of this order that the free blocks of it and above hold. */
	unsigned long suitable;
	int unusable; /**< lab_unusable_free_index(): 0..1000 */
	int extfrag;  /**< lab_fragmentation_index(): -1000, 0..1000 */
};

/** Fill a row an order from one consistent copy of the free counts (per-CPU lists are not free). */
void lab_frag_table(struct lab_zone *zone, struct lab_frag_row rows[LAB_NR_ORDERS]);

/** Print the table for people, one line an order under a heading. */
void lab_frag_table_print(const struct lab_frag_row rows[LAB_NR_ORDERS], FILE *out);

/** How the free frames lie in pageblocks of 2 MiB. [LLFree, USENIX ATC'23] */
struct lab_frag_histogram {
	unsigned long pageblocks;    /**< that have a managed frame */
	unsigned long free_pages;    /**< frames, those in per-CPU lists included */
	unsigned long entirely_free; /**< pageblocks with every frame free */
	unsigned long
		count[LAB_PAGEBLOCK_PAGES + 1]; /**< pageblocks with exactly [i] free frames */
};

/** @return 0, -ENOMEM. Walks the zone under its lock. */
int lab_frag_histogram(struct lab_zone *zone, struct lab_frag_histogram *out);

/* -------------------------------------------------------- save and restore */

/**
 * Write the zone's state and the tenants' holds as text; docs/zone-format.md is the format. It
 * holds the free blocks in the order in which they will be handed out, so a restored zone answers
 * the same requests with the same pages. The per-CPU lists are drained first. Settings (marks,
 * injection), the watermark boost and counters are not state of the pages and not saved.
 * @return 0; -EBUSY if blocks are allocated that the tenants do not hold; -EIO if the stream failed
 * (what is in it is then incomplete and lab_age_load() refuses it); -ENOMEM.
 */
int lab_age_save(struct lab_tenants *t, FILE *out);

/**
 * Read a saved state into the zone, which must manage the same frames; what the tenants held before
 * is given back. Everything is checked before anything is changed.
 * @param t the tenants.  @param in read to its end.
 * @param err out, may be NULL: "line N: what is wrong", at most errlen bytes, terminated.
 * @param errlen bytes at err.
 * @return 0; -EINVAL (bad file); -ERANGE (a good file of another zone's shape); -ENOSPC (more holds
 * than max_blocks); -EBUSY (others hold blocks); -EIO; -ENOMEM.
 */
int lab_age_load(struct lab_tenants *t, FILE *in, char *err, size_t errlen);

#ifdef __cplusplus
}
#endif

#endif /* LAB_FRAG_H */
