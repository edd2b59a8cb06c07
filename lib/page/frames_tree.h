/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef FRAMES_TREE_H
#define FRAMES_TREE_H

/**
 * The parts of a frame store that its files share: words, rows, and the tree of promises above them.
 */

#include <stdatomic.h>

#include "frames.h"
#include "lab_base.h"

#pragma GCC visibility push(hidden)

/*
 * A tree word: eight 4-bit values below, a 32-bit version above. The value of a child is 0 for
 * nothing free, else 1 + the order of its largest free block; higher up, PAIR stands for two whole
 * children side by side, a block of order 10.
 */
#define FANOUT     8U
#define FANOUT_LOG 3
#define MAX_LEVELS 8
#define WHOLE      (FRAMES_CHILD_ORDER + 1U)
#define PAIR       (FRAMES_MAX_ORDER + 1U)
#define VERSION    (1ULL << 32)
#define ANYTHING   15U /* promised when races were lost: more than any block */
/** Swaps of one word that may be lost in a row before another way is taken. */
#define SWAPS 8U

#define ROW_ORDER  6
#define ROW_FRAMES 64U
#define CHILD_ROWS (FRAMES_CHILD / ROW_FRAMES)
#define ROW_FULL   UINT64_MAX

/** Words of a class's map that a search looks at before it turns to the tree: 2 GiB. */
#define CLASS_WORDS 16U

typedef _Atomic uint64_t word_t;

struct frames {
	uint32_t nr_frames;
	uint32_t nr_children;
	uint32_t nr_levels;
	uint32_t class_words;
	size_t rows_off;
	size_t level_off[MAX_LEVELS];
	size_t map_off;
	size_t class_off;
	size_t tags_off;
	size_t tag_map_off;
	/* A line of its own: written by who zeroes and by who takes what is zeroed. */
	_Alignas(LAB_CACHE_LINE) _Atomic uint32_t nr_tagged;
	_Atomic uint32_t zero_child;  /**< where dirty frames are looked for next */
	_Atomic uint32_t zero_wanted; /**< bit a class: a request for zeroed frames found none */
};

#if LAB_ASSERT_TIER >= 1
#define STEP() (frames_steps++)
#else
#define STEP() ((void)0)
#endif

static inline word_t *
row_of(const struct frames *f, uint32_t child)
{
	return (word_t *)((uintptr_t)f + f->rows_off) + (size_t)child * CHILD_ROWS;
}

static inline word_t *
level_of(const struct frames *f, unsigned int level)
{
	return (word_t *)((uintptr_t)f + f->level_off[level]);
}

static inline word_t *
map_of(const struct frames *f, unsigned int class)
{
	return (word_t *)((uintptr_t)f + f->map_off) + (size_t) class * f->class_words;
}

static inline _Atomic uint8_t *
class_of(const struct frames *f, uint32_t child)
{
	return (_Atomic uint8_t *)((uintptr_t)f + f->class_off) + child;
}

/** The tags of a child's frames, a row a word as the frames themselves. */
static inline word_t *
tags_of(const struct frames *f, uint32_t child)
{
	return (word_t *)((uintptr_t)f + f->tags_off) + (size_t)child * CHILD_ROWS;
}

/** Children that may have zeroed frames: a hint. */
static inline word_t *
tag_map_of(const struct frames *f)
{
	return (word_t *)((uintptr_t)f + f->tag_map_off);
}

static inline uint64_t
load(const word_t *w)
{
	STEP();
	return atomic_load_explicit((word_t *)(uintptr_t)w, memory_order_seq_cst);
}

static inline bool
swap(word_t *w, uint64_t *old, uint64_t new)
{
	STEP();
	return atomic_compare_exchange_strong(w, old, new);
}

/* ------------------------------------------------------- blocks in a row */

/** Starts of free blocks of an order become those of the next one, at most ROW_ORDER. */
static inline uint64_t
next_starts(uint64_t starts, unsigned int order)
{
	static const uint64_t aligned[ROW_ORDER] = {0x5555555555555555ULL, 0x1111111111111111ULL,
		0x0101010101010101ULL, 0x0001000100010001ULL, 0x0000000100000001ULL, 1};

	return starts & starts >> (1U << order) & aligned[order];
}

/** Bits at which an aligned free block of the order starts, order <= ROW_ORDER. */
static inline uint64_t
starts(uint64_t row, unsigned int order)
{
	for (unsigned int o = 0; o < order; o++)
		row = next_starts(row, o);
	return row;
}

/** 1 + the largest order of a free block in the row, 0 for none. */
static inline unsigned int
row_fit(uint64_t row)
{
	unsigned int fit = 0;

	for (; row != 0 && fit < ROW_ORDER; fit++)
		row = next_starts(row, fit);
	return row != 0 ? ROW_ORDER + 1 : fit;
}

static inline uint64_t
block_mask(uint32_t pfn, unsigned int order)
{
	uint64_t ones = order >= ROW_ORDER ? ROW_FULL : (1ULL << (1U << order)) - 1;

	return ones << (pfn % ROW_FRAMES);
}

/** Where to cut a block of the order out of a row: where the least larger block is broken. */
static inline unsigned int
best_start(uint64_t row, unsigned int order)
{
	uint64_t all = starts(row, order), larger, loose;

	if (order == ROW_ORDER)
		return 0;
	larger = starts(row, order + 1);
	loose = all & ~(larger | larger << (1U << order));
	return (unsigned int)__builtin_ctzll(loose ? loose : all);
}

/* -------------------------------------------------------------- the tree */

static inline unsigned int
value_at(uint64_t w, unsigned int slot)
{
	return (unsigned int)(w >> (slot * 4)) & 15U;
}

static inline uint64_t
with_value(uint64_t w, unsigned int slot, unsigned int value)
{
	return (w & ~(15ULL << (slot * 4))) | (uint64_t)value << (slot * 4);
}

/** What a word promises to the level above it. */
unsigned int frames_word_value(uint64_t w, unsigned int level);
void frames_rows_load(const struct frames *f, uint32_t child, uint64_t rows[CHILD_ROWS]);
/** 1 + the order of the largest free block of a child, 0 for none. */
unsigned int frames_child_fit(const struct frames *f, uint32_t child);
/** After frames of the child were freed: promise them, up to the root. */
void frames_raise(struct frames *f, uint32_t child);
/**
 * Something below promises less than slot `index` of the level says: after frames of a child were taken
 * (level 0), or when a search found it so. Goes up as far as that changes anything.
 */
void frames_lower(struct frames *f, uint32_t index, unsigned int level);
/** A child whose value promises `want`; FRAMES_NONE once the root promises no such child; FRAMES_LOST
 *  once all races are lost. */
uint32_t frames_search(struct frames *f, unsigned int want, unsigned int *races);

/** Somebody else was faster. @return true if no further try is left. */
static inline bool
frames_race_lost(unsigned int *races)
{
	return *races == 0 || --*races == 0;
}

/* ------------------------------------------- frames.c and frames_zero.c */

/** Of which frames to take: by what is known of their content. */
enum frames_kind { FRAMES_ANY, FRAMES_DIRTY, FRAMES_ZEROED };

/** Take up to n blocks of a child, of its broken rows or of all. Those taken as zeroed keep their tags, and
 *  may have lost them a moment before. @return how many. */
unsigned int frames_take_pass(struct frames *f, uint32_t child, unsigned int order, unsigned int n,
	uint32_t *pfn, bool whole_rows, enum frames_kind kind);
/** After taking frames of a child for a class; after giving some back to one.
 *  @param last where the cursor remembers the child. */
void frames_took(struct frames *f, uint32_t child, unsigned int class, _Atomic uint32_t *last);
void frames_freed(struct frames *f, uint32_t child);
/** Does the child promise so much? */
bool frames_promises(const struct frames *f, uint32_t child, unsigned int want);

void frames_untag_row_slow(struct frames *f, uint32_t row, uint64_t mask);

/** Frames of a row that are the caller's, be it just taken or about to be given back, are not known to be
 *  zero. */
static inline void
frames_untag_row(struct frames *f, uint32_t row, uint64_t mask)
{
	/* tags are counted before their frames are free, so who owns a tagged frame sees one */
	if (atomic_load_explicit(&f->nr_tagged, memory_order_relaxed) != 0)
		frames_untag_row_slow(f, row, mask);
}

static inline void
frames_untag_block(struct frames *f, uint32_t pfn, unsigned int order)
{
	uint32_t row = pfn / ROW_FRAMES;

	for (unsigned int i = 0; i < 1U << order; i += ROW_FRAMES)
		frames_untag_row(f, row++, block_mask(pfn, order));
}

/** The child has zeroed frames. */
void frames_map_zeroed(struct frames *f, uint32_t child);
/** At rest: every tag is on a free frame, and they are counted. */
bool frames_tags_are_valid(const struct frames *f, char *why, size_t len);

#pragma GCC visibility pop

#endif /* FRAMES_TREE_H */
