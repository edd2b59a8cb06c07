/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_WATCH_INTERNAL_H
#define LAB_WATCH_INTERNAL_H

/**
 * @file watch.h
 * The side table behind lab_watch.h: a tag and a seal for each frame.
 *
 * A tag is written by whoever takes or gives back the block that its frame starts (in guarded mode, all
 * frames of the block), which nobody else does at that time. A free claims its block by
 * compare-and-swap on the tag, so of two that meet one is told. Everything is a relaxed atomic: the
 * allocator itself orders a free before the request that gets the block, and other readers only look.
 */

#include "zone.h"

#pragma GCC visibility push(hidden)

/** State of a frame, in the low bits of its tag. 1 + order: the start of an allocated block. */
enum lab_tag_state {
	LAB_TAG_UNSEEN = 0,
	LAB_TAG_INSIDE = LAB_NR_ORDERS + 1, /**< of an allocated block, not its start */
	LAB_TAG_FREED,
	LAB_TAG_POISONED, /**< freed, and filled with the pattern */
	LAB_TAG_SEALED,   /**< freed, and its content is known to the seal */
};
#define LAB_TAG_STATE 15U
/** The bytes of the block beside the object carry the canary. Known in guarded mode only. */
#define LAB_TAG_SLACK      16U
#define LAB_TAG_TIME_SHIFT 5

struct lab_tag {
	_Atomic uint64_t word;  /**< since when (ns, 59 bits), slack, state */
	_Atomic uint32_t owner; /**< who has it, or had it last */
	_Atomic uint32_t other; /**< allocated: bytes asked for, 0: all. Free: who gave it back */
};

/** Checksums of the pieces of a free page. */
#define LAB_SEAL_PIECES 8
#define LAB_SEAL_BYTES  (LAB_PAGE_SIZE / LAB_SEAL_PIECES)

struct lab_seal {
	_Atomic uint16_t sum[LAB_SEAL_PIECES];
};

#define LAB_NR_REPORTERS 8

/** A process's report function; the pointers mean something in that process only. */
struct lab_reporter {
	_Atomic uint32_t process; /**< written last; 0: vacant */
	_Atomic(lab_guard_fn) fn;
	_Atomic(void *) arg;
};

/** The side table. */
struct lab_tags {
	size_t len; /**< bytes, if the zone mapped it itself; else 0 */
	_Atomic bool aborts, keep;
	_Atomic uint32_t object_bytes, object_order, colors;
	_Atomic uint64_t findings;
	struct lab_reporter reporters[LAB_NR_REPORTERS];
	struct lab_seal *seal; /**< one a frame, behind the tags */
	alignas(LAB_CACHE_LINE) struct lab_tag tag[];
};

static inline struct lab_tags *
lab_tags_of(const struct lab_zone *z)
{
	return atomic_load_explicit(&z->tags, memory_order_acquire);
}

static inline unsigned int
lab_tag_state(uint64_t word)
{
	return word & LAB_TAG_STATE;
}

static inline bool
lab_tag_is_live(uint64_t word)
{
	return lab_tag_state(word) - 1 < LAB_NR_ORDERS;
}

static inline uint64_t
lab_tag_age(uint64_t word, uint64_t now_ns)
{
	uint64_t since = word >> LAB_TAG_TIME_SHIFT;

	return now_ns > since ? now_ns - since : 0;
}

/** The word of a tag that changes now. */
static inline uint64_t
lab_tag_word(uint64_t now_ns, unsigned int state)
{
	return now_ns << LAB_TAG_TIME_SHIFT | state;
}

/** Virtual time, or what the clock says without being asked much: a few ms late. */
uint64_t lab_tag_now(const struct lab_zone *z);

/** See that there is a side table. @return 0, -ENOMEM. */
int lab_watch_table(struct lab_zone *z);

/* guard.c: the block is the caller's. */

/** Before it is tagged as allocated. @return LAB_TAG_SLACK or 0. */
uint64_t lab_guard_alloc(struct lab_zone *z, struct lab_tags *t, uint32_t pfn, unsigned int order);
/** Before it is given to the allocator. @param word of the tag, before the free claimed it. */
void lab_guard_free(struct lab_zone *z, struct lab_tags *t, uint32_t pfn, unsigned int order,
	uint64_t word, uint64_t now_ns);
/** Report a free that must not be. @return what it returns. */
int lab_guard_bad_free(struct lab_zone *z, void *page, uint32_t pfn, unsigned int order, int err);

#pragma GCC visibility pop

#endif /* LAB_WATCH_INTERNAL_H */
