/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef FRAMES_H
#define FRAMES_H

/**
 * Which frames of a zone are free: a lock-free store of blocks, and nothing else (no gate, no
 * caches, no migratetype's rules). Internal to lib/page.
 *
 * Truth is one bit a frame (1: taken), 64 to a row, 8 rows (a cache line, 2 MiB) to a child.
 * Above it stands a tree of words that tells, for each child, the largest free block in it, so
 * that a search looks at one word a level and never at the zone's size. Every word carries a
 * version next to its values:
 *
 *   - who frees clears bits, then *raises* each level on the way up, and counts the version;
 *   - who finds less than a value promises *lowers* it, by a compare-and-swap against the version
 *     that was read before the frames were looked at.
 *
 * So a lowering that overlooked a free cannot succeed. A block counts as free once its raising has
 * reached the root; from then on no search misses it, and a search that fails has seen, in the one
 * root word, an instant without such a block. That is the promise "never refuses falsely". Blocks of
 * order 7 and 8 are taken row by row: a failed attempt hides rows of its child for its duration.
 *
 * A second bit a frame, its *tag*, tells those that are known to be zero. Together the two bits are the
 * state of a frame (enum frames_state). A frame's tag is changed only by who has the frame: put on
 * before it is zeroed (so it is free with its tag only after that), taken off when it is taken and,
 * lest the tag of somebody who died in between survives, before it is given back. So a frame that was
 * taken with its tag on is zero, and nobody else can write to it.
 *
 * Any number of threads and processes; a thread that stops anywhere stops nobody else. The store
 * holds no pointer and works at any address.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_CHILD_ORDER 9
#define FRAMES_CHILD       (1U << FRAMES_CHILD_ORDER)
#define FRAMES_MAX_ORDER   10
#define FRAMES_BATCH_ORDER 6
/** Kinds of lifetime that are kept apart, each in children of its own as long as there are some. */
#define FRAMES_CLASSES 4
/** Blocks that can neither be moved nor reclaimed. */
#define FRAMES_UNMOVABLE 0
/** The class of blocks that can be moved: theirs are the children that can be made whole again. */
#define FRAMES_MOVABLE 1
/** Columns of frames_count(), of which the first FRAMES_CLASSES are used. */
#define FRAMES_TYPES 6
#define FRAMES_NONE  UINT32_MAX
/** Neither a frame nor a promise that there is none: FRAMES_RACES races were lost. */
#define FRAMES_LOST (UINT32_MAX - 1)
/** Races that a request may lose to others, which got frames or gave some meanwhile. */
#define FRAMES_RACES 64U
/** Words that a request looks at between two lost races, at most. */
#define FRAMES_STEPS 1400U
/** Words that a request looks at or swaps, at most. */
#define FRAMES_MAX_STEPS (FRAMES_RACES * FRAMES_STEPS)
/** Likewise a free, at most: the rows of a block, then a child and the words above it, twice for order 10. */
#define FRAMES_FREE_STEPS 256U

#pragma GCC visibility push(hidden)

struct frames; /**< at the start of the memory given to frames_init() */

/** Where a CPU last took frames, by class: a hint, any content is right; threads may share it.
 *  Zero-initialise. */
struct frames_cursor {
	_Atomic uint32_t child[FRAMES_CLASSES]; /**< single frames: child + 1, 0: none */
	_Atomic uint32_t block[FRAMES_CLASSES]; /**< blocks: the same */
	_Atomic uint32_t word[FRAMES_CLASSES];  /**< where in the class's map to search next */
};

/** Bytes for a store of nr frames; 64-byte aligned memory. */
size_t frames_size(uint32_t nr_frames);

/** @param zeroed the memory is known to be zero (fresh from mmap), so it need not be touched.
 *  All frames start as taken; frames_online() frees them. */
void frames_init(struct frames *f, uint32_t nr_frames, bool zeroed);

/** Free [pfn, pfn + nr), which must be taken. Not bounded: for set-up. @return 0, -EINVAL. */
int frames_online(struct frames *f, uint32_t pfn, uint32_t nr);

/** Take a block of 1 << order frames. @return its first frame, FRAMES_NONE if there is none,
 *  FRAMES_LOST. */
uint32_t frames_alloc(
	struct frames *f, unsigned int order, unsigned int class, struct frames_cursor *cur);

/** Take up to n blocks of an order of at most FRAMES_BATCH_ORDER, as many as one child has.
 *  @return how many; 0: none is free, or FRAMES_LOST in pfn[0]. */
unsigned int frames_alloc_batch(struct frames *f, unsigned int order, unsigned int class,
	unsigned int n, uint32_t *pfn, struct frames_cursor *cur);

/** Give a block back. @return 0, -EINVAL (outside, misaligned), -EALREADY (a frame of it is free;
 *  nothing was changed). */
int frames_free(struct frames *f, uint32_t pfn, unsigned int order);

/** Give n blocks of an order of at most FRAMES_BATCH_ORDER back; those in one row that stand together cost
 *  one step. @return how many frames were free already. */
unsigned int frames_free_batch(
	struct frames *f, unsigned int order, const uint32_t *pfn, unsigned int n);

/** Take a certain block, of any order. Not bounded: for restoring. @return 0, -EINVAL, -EBUSY (a frame
 *  of it is taken; nothing was changed). */
int frames_take_at(struct frames *f, uint32_t pfn, unsigned int order);

/** 1 + the order of the largest free block, 0 if nothing is free: one load. */
unsigned int frames_largest(const struct frames *f);

/** Take a block of the order, at most 8, from a certain child, where it breaks the least. @return its first
 *  frame, FRAMES_NONE if the child has none. */
uint32_t frames_alloc_in(struct frames *f, uint32_t child, unsigned int order);

/** Take the next frames elsewhere than in this child. */
void frames_leave(struct frames_cursor *cur, uint32_t child);

/** Free frames of a child, by counting its bits. */
unsigned int frames_child_free(const struct frames *f, uint32_t child);

/** Say what a child is for: a hint for the placement, nothing else. */
void frames_set_class(struct frames *f, uint32_t child, unsigned int class);

/** Class of a child. */
unsigned int frames_child_class(const struct frames *f, uint32_t child);

/** Add a child's free blocks below order 9, as a buddy system would hold them, to those of its class.
 *  @return true if it is entirely free; it then counts for nothing. */
bool frames_count_child(
	const struct frames *f, uint32_t child, unsigned long (*blocks)[FRAMES_TYPES]);

/** Free blocks by order, as a buddy system would hold them, and class. Walks the zone. */
void frames_count(const struct frames *f, unsigned long (*blocks)[FRAMES_TYPES]);

/** True if the frame is free now. */
bool frames_free_now(const struct frames *f, uint32_t pfn);

/** Class of the child that a frame is in. */
unsigned int frames_class(const struct frames *f, uint32_t pfn);

/** Free frames, by counting all bits. */
uint32_t frames_nr_free(const struct frames *f);

/** Promise all that is free: who died while it freed frames may not have. Others may go on meanwhile. Walks the zone. */
void frames_mend(struct frames *f);

/** At rest: the tree promises all that the bits hold, and nr_free frames are free. */
bool frames_is_valid(const struct frames *f, unsigned long nr_free, char *why, size_t len);

/* ------------------------------------------- frames known to be zero (frames_zero.c) */

enum frames_state {
	FRAMES_STATE_DIRTY,  /**< free, content unknown */
	FRAMES_STATE_ZEROED, /**< free, all bytes zero */
	FRAMES_STATE_ZEROING, /**< taken with its tag: being zeroed, or zero and about to be handed out */
	FRAMES_STATE_IN_USE,
};

enum frames_state frames_state(const struct frames *f, uint32_t pfn);

/** Frames with a tag: free ones that are zeroed, and the few that are being zeroed. One load. */
uint32_t frames_nr_zeroed(const struct frames *f);

/** As frames_alloc(), but tags stay on: frames_untag() tells which frames of the block are zero. */
uint32_t frames_alloc_tagged(
	struct frames *f, unsigned int order, unsigned int class, struct frames_cursor *cur);

/** Take up to n blocks of an order of at most FRAMES_BATCH_ORDER that were zeroed from end to end when they
 *  were looked at; tags stay on, and what frames_untag() says of them counts. Of one child: one of the class or
 *  an untouched one. Bounded: looks at a few words of a map. @return how many; 0: none was found, which is
 *  then wanted. */
unsigned int frames_alloc_zeroed(struct frames *f, unsigned int order, unsigned int class,
	unsigned int n, uint32_t *pfn, struct frames_cursor *cur);

/** Zeroed frames of the class are missed: frames_zero_some() is to provide some. */
void frames_want_zeroed(struct frames *f, unsigned int class);

/** Of the caller's frames [pfn, pfn + n) of one row (n <= 64): which are zero. Bit 0 is the first.
 *  Their tags are taken off. */
uint64_t frames_untag(struct frames *f, uint32_t pfn, unsigned int n);

/** Likewise of n single frames: the zero ones are moved to the front. @return how many those are. */
unsigned int frames_untag_batch(struct frames *f, uint32_t *pfn, unsigned int n);

/** The caller's frames are zero, or will be before they are given back. */
void frames_tag_batch(struct frames *f, const uint32_t *pfn, unsigned int n);

/** Give n single frames back that are zero and have their tags. @return how many were free already. */
unsigned int frames_free_zeroed(struct frames *f, const uint32_t *pfn, unsigned int n);

/**
 * Take up to n dirty frames of one child, to zero them; they have their tags, and are to be given back by
 * frames_free_zeroed(). Children of a class of which zeroed frames are wanted come in question, and untouched
 * ones. Frames are left alone without which the largest free block of the store would
 * be a smaller one. Looks at FRAMES_ZERO_LOOK children, going on where the last call ended.
 * @return how many; 0: there are none in those children.
 */
unsigned int frames_zero_some(struct frames *f, unsigned int n, uint32_t *pfn);
#define FRAMES_ZERO_LOOK 64U
/** Words that frames_zero_some() looks at or swaps, at most, but for lost races. */
#define FRAMES_ZERO_STEPS (FRAMES_ZERO_LOOK * 64U)

/** The free frames [pfn, pfn + nr) are zero: memory fresh from the system. Nobody uses the store yet. */
void frames_fresh(struct frames *f, uint32_t pfn, uint32_t nr);

/** Steps (words looked at or swapped) of this thread since it was last set to 0; counted in test builds. */
extern _Thread_local unsigned long frames_steps;

/** The words of bits, 64 frames each, 1: free; and the classes, one byte a child: for those who look at many
 *  frames. They stay where they are. */
const _Atomic uint64_t *frames_rows(const struct frames *f);
const _Atomic uint8_t *frames_classes(const struct frames *f);

#pragma GCC visibility pop

#endif /* FRAMES_H */
