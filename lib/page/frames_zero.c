/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file frames_zero.c
 * Frames that are known to be zero: tags, and where to look for frames with and without.
 */
#include "frames_tree.h"

#include <stdio.h>

/** What one search for zeroed frames may cost: a look at a child's class, a try to take of it. */
#define BUDGET 64U
#define TRY    8U

/* ------------------------------------------------------------------- tags */

uint32_t
frames_nr_zeroed(const struct frames *f)
{
	return atomic_load_explicit((_Atomic uint32_t *)&f->nr_tagged, memory_order_relaxed);
}

enum frames_state
frames_state(const struct frames *f, uint32_t pfn)
{
	bool tag = load(&tags_of(f, 0)[pfn / ROW_FRAMES]) >> (pfn % ROW_FRAMES) & 1;

	if (frames_free_now(f, pfn))
		return tag ? FRAMES_STATE_ZEROED : FRAMES_STATE_DIRTY;
	return tag ? FRAMES_STATE_ZEROING : FRAMES_STATE_IN_USE;
}

/** @return the tags that were on, which are to be counted off. */
static uint64_t
clear_tags(struct frames *f, uint32_t row, uint64_t mask)
{
	word_t *t = &tags_of(f, 0)[row];

	if ((load(t) & mask) == 0)
		return 0;
	STEP();
	return mask & atomic_fetch_and(t, ~mask);
}

static uint64_t
untag(struct frames *f, uint32_t row, uint64_t mask)
{
	mask = clear_tags(f, row, mask);
	if (mask != 0)
		atomic_fetch_sub(&f->nr_tagged, (uint32_t)__builtin_popcountll(mask));
	return mask;
}

void
frames_untag_row_slow(struct frames *f, uint32_t row, uint64_t mask)
{
	untag(f, row, mask);
}

uint64_t
frames_untag(struct frames *f, uint32_t pfn, unsigned int n)
{
	uint64_t ones = n >= ROW_FRAMES ? ROW_FULL : (1ULL << n) - 1;

	if (frames_nr_zeroed(f) == 0)
		return 0;
	return untag(f, pfn / ROW_FRAMES, ones << (pfn % ROW_FRAMES)) >> (pfn % ROW_FRAMES);
}

/** The frames at the start of the list that are of one row, as bits. */
static uint64_t
same_row(const uint32_t *pfn, unsigned int n, unsigned int *len)
{
	uint64_t mask = 0;
	unsigned int i = 0;

	for (; i < n && pfn[i] / ROW_FRAMES == pfn[0] / ROW_FRAMES; i++)
		mask |= 1ULL << (pfn[i] % ROW_FRAMES);
	*len = i;
	return mask;
}

/** Of a run of frames of one row, those whose tags were on, moved to place `to` of the list. */
static unsigned int
move_up(uint32_t *pfn, unsigned int to, unsigned int from, unsigned int end, uint64_t tags)
{
	for (unsigned int k = from; k < end; k++) {
		uint32_t frame = pfn[k];

		if (!(tags >> (frame % ROW_FRAMES) & 1))
			continue;
		pfn[k] = pfn[to];
		pfn[to++] = frame;
	}
	return to;
}

unsigned int
frames_untag_batch(struct frames *f, uint32_t *pfn, unsigned int n)
{
	unsigned int zero = 0, len;

	for (unsigned int i = 0; i < n; i += len) {
		uint64_t mask = same_row(pfn + i, n - i, &len);
		uint64_t tags = clear_tags(f, pfn[i] / ROW_FRAMES, mask);

		/* all of them, as nearly always */
		zero = tags == mask && zero == i ? i + len : move_up(pfn, zero, i, i + len, tags);
	}
	atomic_fetch_sub(&f->nr_tagged, zero);
	return zero;
}

void
frames_tag_batch(struct frames *f, const uint32_t *pfn, unsigned int n)
{
	unsigned int len;

	atomic_fetch_add(&f->nr_tagged, n);
	for (unsigned int i = 0; i < n; i += len) {
		uint64_t mask = same_row(pfn + i, n - i, &len);

		STEP();
		atomic_fetch_or(&tags_of(f, 0)[pfn[i] / ROW_FRAMES], mask);
	}
}

/* --------------------------------------------------- where zeroed frames are */

/** Set or clear a child's bit in the map of those with zeroed frames. */
static void
map_zeroed(struct frames *f, uint32_t child, bool on)
{
	word_t *w = &tag_map_of(f)[child / 64];
	uint64_t bit = 1ULL << (child % 64);

	if (!!(atomic_load_explicit(w, memory_order_relaxed) & bit) == on)
		return;
	STEP();
	if (on)
		atomic_fetch_or(w, bit);
	else
		atomic_fetch_and(w, ~bit);
}

void
frames_map_zeroed(struct frames *f, uint32_t child)
{
	map_zeroed(f, child, true);
}

static bool
is_mapped(const struct frames *f, uint32_t child)
{
	return load(&tag_map_of(f)[child / 64]) >> (child % 64) & 1;
}

static bool
has_zeroed(const struct frames *f, uint32_t child)
{
	for (unsigned int i = 0; i < CHILD_ROWS; i++)
		if (load(&row_of(f, child)[i]) & load(&tags_of(f, child)[i]))
			return true;
	return false;
}

/** Nothing was found in a child: unless somebody has just given some back, no more searches lead there. */
static void
unmap(struct frames *f, uint32_t child)
{
	map_zeroed(f, child, false);
	if (has_zeroed(f, child))
		map_zeroed(f, child, true);
}

/** Frames of another lifetime's child are not for this class, zeroed or not: clearing a page costs less
 *  than a pageblock that is never whole again. */
static bool
suits(const struct frames *f, uint32_t child, unsigned int class)
{
	return frames_child_class(f, child) == class || frames_promises(f, child, WHOLE);
}

static unsigned int
take_zeroed(struct frames *f, uint32_t child, unsigned int order, unsigned int n, uint32_t *pfn)
{
	unsigned int got = frames_take_pass(f, child, order, n, pfn, false, FRAMES_ZEROED);

	return got > 0 ? got : frames_take_pass(f, child, order, n, pfn, true, FRAMES_ZEROED);
}

struct zero_search {
	struct frames *f;
	unsigned int order, class, n;
	uint32_t *pfn;
	unsigned int budget; /**< left */
	uint32_t child;      /**< out: where it was found */
};

static unsigned int
try_child(struct zero_search *s, uint32_t child)
{
	unsigned int got;

	s->budget--;
	if (!suits(s->f, child, s->class))
		return 0;
	s->budget -= s->budget < TRY ? s->budget : TRY;
	s->child = child;
	got = take_zeroed(s->f, child, s->order, s->n, s->pfn);
	if (got == 0 && s->order == 0)
		unmap(s->f, child);
	return got;
}

/** Children with zeroed frames, from a child on; a few words of the map only. */
static unsigned int
try_from(struct zero_search *s, uint32_t from)
{
	uint32_t words = s->f->class_words, word = from / 64;

	for (unsigned int i = 0; i < CLASS_WORDS && i < words; i++) {
		uint64_t map = load(&tag_map_of(s->f)[word]);

		for (; map != 0 && s->budget > 0; map &= map - 1) {
			uint32_t child = word * 64 + (uint32_t)__builtin_ctzll(map);
			unsigned int got = try_child(s, child);

			if (got > 0)
				return got;
		}
		word = word + 1 == words ? 0 : word + 1;
	}
	return 0;
}

void
frames_want_zeroed(struct frames *f, unsigned int class)
{
	uint32_t bit = 1U << class;

	if (!(atomic_load_explicit(&f->zero_wanted, memory_order_relaxed) & bit))
		atomic_fetch_or(&f->zero_wanted, bit);
}

unsigned int
frames_alloc_zeroed(struct frames *f, unsigned int order, unsigned int class, unsigned int n,
	uint32_t *pfn, struct frames_cursor *cur)
{
	struct zero_search s = {f, order, class, n, pfn, BUDGET, 0};
	uint32_t own = atomic_load_explicit(&cur->child[class], memory_order_relaxed) - 1;
	unsigned int got = 0;

	if (frames_nr_zeroed(f) != 0) {
		if (own >= f->nr_children)
			own = 0;
		if (is_mapped(f, own))
			got = try_child(&s, own);
		if (got == 0)
			got = try_from(&s, own);
		/* near where frames were zeroed last */
		if (got == 0)
			got = try_from(
				&s, atomic_load_explicit(&f->zero_child, memory_order_relaxed));
	}
	if (got > 0)
		frames_took(f, s.child, class, &cur->child[class]);
	else
		frames_want_zeroed(f, class);
	return got;
}

/* ---------------------------------------------------------- what to zero next */

static bool
slot_has(uint64_t w, unsigned int slot, unsigned int level, unsigned int want)
{
	if (level > 0 || want != PAIR)
		return value_at(w, slot) >= want;
	slot &= ~1U;
	return value_at(w, slot) >= WHOLE && value_at(w, slot + 1) >= WHOLE;
}

/** Is a block of this value promised apart from those of the child, and of its buddy for a PAIR? */
static bool
promised_elsewhere(const struct frames *f, uint32_t child, unsigned int want)
{
	for (unsigned int level = 0; level < f->nr_levels; level++) {
		uint64_t w = load(&level_of(f, level)[child >> FANOUT_LOG]);
		unsigned int own = child & (FANOUT - 1);

		for (unsigned int s = 0; s < FANOUT; s++) {
			bool same = level == 0 && want == PAIR ? s / 2 == own / 2 : s == own;

			if (!same && slot_has(w, s, level, want))
				return true;
		}
		child >>= FANOUT_LOG;
	}
	return false;
}

/** Which of a child's rows can lose frames and leave the store with a largest block as large as now. */
enum { NO_ROWS, BROKEN_ROWS, ALL_ROWS };

static int
rows_to_spare(const struct frames *f, uint32_t child)
{
	unsigned int largest = frames_largest(f);
	bool here = largest == PAIR ? frames_promises(f, child, WHOLE)
				    : frames_promises(f, child, largest);

	if (largest == 0)
		return NO_ROWS;
	if (!here || promised_elsewhere(f, child, largest))
		return ALL_ROWS;
	/* larger blocks are made of whole rows */
	return largest > ROW_ORDER + 1 ? BROKEN_ROWS : NO_ROWS;
}

static bool
is_wanted(const struct frames *f, uint32_t child)
{
	uint32_t classes =
		atomic_load_explicit((_Atomic uint32_t *)&f->zero_wanted, memory_order_relaxed);

	return frames_promises(f, child, WHOLE) ||
	       (frames_promises(f, child, 1) && classes >> frames_child_class(f, child) & 1);
}

static unsigned int
take_dirty(struct frames *f, uint32_t child, unsigned int n, uint32_t *pfn)
{
	int rows = is_wanted(f, child) ? rows_to_spare(f, child) : NO_ROWS;
	unsigned int got = 0;

	if (rows >= BROKEN_ROWS)
		got = frames_take_pass(f, child, 0, n, pfn, false, FRAMES_DIRTY);
	if (rows == ALL_ROWS && got < n)
		got += frames_take_pass(f, child, 0, n - got, pfn + got, true, FRAMES_DIRTY);
	return got;
}

unsigned int
frames_zero_some(struct frames *f, unsigned int n, uint32_t *pfn)
{
	uint32_t child = atomic_load_explicit(&f->zero_child, memory_order_relaxed);
	unsigned int got = 0;

	for (unsigned int i = 0; i < FRAMES_ZERO_LOOK && i < f->nr_children; i++) {
		if (child >= f->nr_children)
			child = 0;
		got = take_dirty(f, child, n, pfn);
		if (got > 0)
			break;
		child++;
	}
	atomic_store_explicit(&f->zero_child, child, memory_order_relaxed);
	if (got > 0) {
		frames_lower(f, child, 0);
		frames_tag_batch(f, pfn, got);
	}
	return got;
}

/* -------------------------------------------------------------- the whole store */

void
frames_fresh(struct frames *f, uint32_t pfn, uint32_t nr)
{
	for (uint32_t i = pfn; i < pfn + nr; i += ROW_FRAMES - i % ROW_FRAMES) {
		uint64_t mask = ROW_FULL << (i % ROW_FRAMES);

		if (pfn + nr - i / ROW_FRAMES * ROW_FRAMES < ROW_FRAMES)
			mask &= (1ULL << ((pfn + nr) % ROW_FRAMES)) - 1;
		atomic_fetch_or(&tags_of(f, 0)[i / ROW_FRAMES], mask);
		map_zeroed(f, i >> FRAMES_CHILD_ORDER, true);
	}
	atomic_fetch_add(&f->nr_tagged, nr);
}

bool
frames_tags_are_valid(const struct frames *f, char *why, size_t len)
{
	uint32_t n = 0;

	for (uint32_t row = 0; row < f->nr_children * CHILD_ROWS; row++) {
		uint64_t tags = load(&tags_of(f, 0)[row]), stale = tags & ~load(&row_of(f, 0)[row]);

		if (stale != 0) {
			snprintf(why, len, "frame %u is in use but marked as zeroed",
				row * ROW_FRAMES + (uint32_t)__builtin_ctzll(stale));
			return false;
		}
		n += (uint32_t)__builtin_popcountll(tags);
	}
	if (n != frames_nr_zeroed(f)) {
		snprintf(why, len, "%u frames are zeroed, but %u are counted", n,
			frames_nr_zeroed(f));
		return false;
	}
	return true;
}
